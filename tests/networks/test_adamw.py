"""AdamW against torch's own, and that it spares what it is there to spare."""

import subprocess
import sys

import pytest
import torch

from octavo.networks.adamw import AdamW

pytestmark = pytest.mark.torch


def trained(step, parameters, target):
    for at in range(1, 21):
        loss = sum(((p - target) ** 2).sum() for p in parameters)
        loss.backward()
        step(0.1 / at)
    return [p.detach().clone() for p in parameters]


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_it_steps_as_torchs_own(weight_decay):
    torch.manual_seed(0)
    first = [torch.randn(3, 4), torch.randn(5), torch.randn(())]
    ours = [p.clone().requires_grad_() for p in first]
    theirs = [p.clone().requires_grad_() for p in first]
    optimizer = AdamW(ours, beta1=0.9, beta2=0.95, weight_decay=weight_decay)
    reference = torch.optim.AdamW(theirs, betas=(0.9, 0.95), weight_decay=weight_decay, fused=True)

    def step(rate):
        reference.param_groups[0]["lr"] = rate
        reference.step()
        reference.zero_grad()

    found, expected = trained(optimizer.step, ours, 2.0), trained(step, theirs, 2.0)
    for one, other, start in zip(found, expected, first, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
        assert not torch.equal(one, start)
    assert all(p.grad is None for p in ours)


def test_training_a_network_does_not_import_the_compiler():
    code = (
        "import sys, numpy as np\n"
        "from octavo.networks import Architecture, Recipe, fit_network\n"
        "X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)\n"
        "shape = Architecture(width=16, depth=1, members=4, waves=4)\n"
        "fit_network(X, X[:, 0], architecture=shape, recipe=Recipe(epochs=2), n_classes=None)\n"
        "assert 'torch' in sys.modules\n"
        "assert 'torch._dynamo' not in sys.modules, 'the compiler was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
