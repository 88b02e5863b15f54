"""AdamW against its formulas, weight by weight."""

import numpy as np
import pytest

from octavo.networks.adamw import AdamW


@pytest.mark.parametrize("n_weights", [5, 40_000])  # in one piece, and in several
def test_it_steps_as_the_paper_says(n_weights):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(n_weights).astype(np.float32)
    decays = np.zeros(n_weights)
    parts = slice(0, n_weights // 3), slice(n_weights // 2, n_weights - 1)
    for part in parts:
        decays[part] = 0.3
    beta1, beta2 = 0.9, 0.95
    optimizer = AdamW(n_weights, beta1=beta1, beta2=beta2, weight_decay=0.3, decaying=parts)
    theta = weights.astype(float)
    mean, square = np.zeros(n_weights), np.zeros(n_weights)
    for t in range(1, 21):
        rate = 0.1 / t
        slope = 2.0 * (theta - 2.0) * np.linspace(1e-3, 1e3, n_weights)
        optimizer.step(weights, slope.astype(np.float32), rate)
        mean = beta1 * mean + (1 - beta1) * slope
        square = beta2 * square + (1 - beta2) * slope**2
        step = (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + 1e-8)
        theta = theta - rate * decays * theta - rate * step
    assert np.allclose(weights, theta, atol=2e-5)
