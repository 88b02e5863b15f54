"""Building blocks against the formulas, one member after the other."""

import math

import numpy as np
import pytest
import torch

from octavo.networks import (
    Architecture,
    CategoryEmbedding,
    Layout,
    MemberLinear,
    PeriodicEmbedding,
    TabularNetwork,
)

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_a_layer_of_members_is_as_many_plain_layers():
    layer = MemberLinear(3, 5, 4)
    x = torch.randn(3, 7, 5)
    for member in range(3):
        plain = torch.nn.Linear(5, 4)
        with torch.no_grad():
            plain.weight.copy_(layer.weight[member].T)
            plain.bias.copy_(layer.bias[member, 0])
        assert torch.allclose(layer(x)[member], plain(x[member]), atol=1e-6)


def test_periodic_embeddings_follow_their_formula():
    embed = PeriodicEmbedding(2, 3, waves=5, n_outputs=4, frequency=0.5)
    x = torch.randn(2, 6, 3)
    found = embed(x).detach().numpy()
    assert found.shape == (2, 6, 3 + 3 * 4)
    assert np.array_equal(found[:, :, :3], x.numpy())
    frequency, phase, weight, bias = (
        getattr(embed, name).detach().numpy() for name in ("frequency", "phase", "weight", "bias")
    )
    for member in range(2):
        for number in range(3):
            value = x[member, :, number].numpy()[:, np.newaxis]
            waves = np.cos(frequency[member, 0, number] * value + phase[member, 0, number])
            expected = waves @ weight[member * 3 + number] + bias[member * 3 + number]
            at = 3 + 4 * number
            assert np.allclose(found[member, :, at : at + 4], expected, atol=1e-5)


def test_frequencies_begin_with_the_spread_that_was_asked_for():
    embed = PeriodicEmbedding(8, 50, waves=16, n_outputs=1, frequency=0.3)
    spread = embed.frequency.std().item() / (2 * math.pi)
    assert abs(spread - 0.3) < 6 * 0.3 / math.sqrt(2 * embed.frequency.numel())


def test_a_level_that_is_none_of_the_others_begins_at_zero():
    embed = CategoryEmbedding(2, 4, 3)
    found = embed(torch.tensor([[4, 0], [1, 4]]))
    assert torch.equal(found[0, 0], torch.zeros(3))
    assert torch.equal(found[1, 1], torch.zeros(3))
    assert torch.equal(found[0, 1], embed.table[0, 0])


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_members_learn_nothing_from_each_other(depth):
    """The gradient of one member's output is zero in all parameters of the others."""
    architecture = Architecture(width=6, depth=depth, dropout=0.0, members=3)
    network = TabularNetwork(architecture, Layout(2, 1, (4,)), n_outputs=2)
    inputs = torch.randn(3, 5, 2), torch.randn(3, 5, 1), torch.randint(0, 5, (3, 5, 1))
    network(*inputs)[1].sum().backward()
    for name, parameter in network.named_parameters():
        by_member = parameter.grad.reshape(3, -1).abs().sum(dim=1)
        assert by_member[0] == by_member[2] == 0, name
        assert by_member[1] > 0, name


def test_the_number_of_weights_is_what_it_is():
    architecture = Architecture(width=6, depth=2, members=3, waves=4)
    layout = Layout(2, 1, (4,))
    network = TabularNetwork(architecture, layout, n_outputs=5)
    linear = [layer.weight.numel() for layer in [*network.layers, network.head]]
    assert sum(linear) == 3 * architecture.n_weights(layout, 5)
