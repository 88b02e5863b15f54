"""The network against its formulas, and its gradients against differences."""

import math

import numpy as np
import pytest

from octavo.networks import Architecture, Inputs, Layout, Perceptron, initial_weights

LAYOUT = Layout(n_numbers=3, n_flags=2, n_levels=(15,))
SIZE = Architecture(width=6, depth=2, dropout=0.0, members=3, waves=5, wave_outputs=4)


def rows(n=7, layout=LAYOUT, seed=0):
    rng = np.random.default_rng(seed)
    return Inputs(
        rng.normal(size=(n, layout.n_numbers)).astype(np.float32),
        rng.integers(0, 2, (n, layout.n_flags)).astype(np.float32),
        rng.integers(0, 16, (n, len(layout.n_levels))),
    )


def weights_of(size=SIZE, layout=LAYOUT, n_outputs=2, seed=0):
    return initial_weights(size, layout, n_outputs, np.random.default_rng(seed))


def silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("member", range(3))
def test_it_says_what_its_formulas_say(member):
    weights, inputs = weights_of(), rows()
    found = Perceptron(SIZE, LAYOUT).forward(weights.members[member], inputs)
    w = {name: array.astype(float) for name, array in weights.arrays.items()}
    sums = []
    for number in range(3):
        value = inputs.numbers[:, [number]].astype(float)
        frequency = w["periodic.frequency"][member, 0, number]
        waves = np.cos(value * frequency + w["periodic.phase"][member, 0, number])
        at = member * 3 + number
        sums.append(waves @ w["periodic.weight"][at] + w["periodic.bias"][at])
    table = w["categories.0.table"][member]
    hidden = np.hstack([inputs.numbers, *sums, inputs.flags, table[inputs.codes[:, 0]]])
    hidden = hidden * w["scale"][member]
    for layer in range(2):
        weight, bias = w[f"layers.{layer}.weight"], w[f"layers.{layer}.bias"]
        hidden = silu(hidden @ weight[member] + bias[member])
    expected = hidden @ w["head.weight"][member] + w["head.bias"][member]
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("waves", [0, 4])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_are_slopes_of_the_loss(depth, waves, dropout):
    """In a random direction of the weights of each name; with the same units silent."""
    size = Architecture(width=6, depth=depth, dropout=dropout, members=2, waves=waves)
    weights, inputs = weights_of(size), rows()
    gradients, network = weights.zeros_like(), Perceptron(size, LAYOUT)
    rng = np.random.default_rng(1)
    target = rng.normal(size=(7, 2))

    def loss():
        outputs = network.forward(weights.members[1], inputs, rng=np.random.default_rng(5))
        return ((outputs - target) ** 2).sum(), 2 * (outputs - target)

    network.backward(weights.members[1], gradients.members[1], loss()[1].astype(np.float32))
    for name, array in weights.arrays.items():
        of_member = weights.members[1][name]
        start = of_member.copy()
        direction = rng.normal(size=start.shape) / math.sqrt(start.size)
        step = 1e-2
        of_member[...] = start + step * direction
        above = loss()[0]
        of_member[...] = start - step * direction
        below = loss()[0]
        of_member[...] = start
        expected = (above - below) / (2 * step)
        found = (gradients.members[1][name] * direction).sum()
        assert found == pytest.approx(expected, rel=2e-2, abs=2e-2), name
        assert not gradients.members[0][name].any(), "another member's gradient was written"
        assert array.shape == gradients.arrays[name].shape


def test_frequencies_begin_with_the_spread_that_was_asked_for():
    size = Architecture(frequency=0.3, waves=12)
    frequency = weights_of(size, Layout(50, 0)).arrays["periodic.frequency"]
    spread = frequency.std() / (2 * math.pi)
    assert abs(spread - 0.3) < 6 * 0.3 / math.sqrt(2 * frequency.size)


def test_a_level_that_is_none_of_the_others_begins_at_zero():
    table = weights_of().arrays["categories.0.table"]
    assert table.shape == (3, 16, SIZE.category_dims)
    assert not table[:, -1].any()
    assert table[:, :-1].any(axis=2).all()


def test_only_what_multiplies_decays():
    weights = weights_of()
    shares = weights.zeros_like()
    for part in weights.decaying():
        shares.vector[part] = 1.0
    decaying = {name for name, array in shares.arrays.items() if array.all()}
    assert decaying == {
        "periodic.weight", "layers.0.weight", "layers.1.weight", "head.weight"
    }  # fmt: skip
    assert not any(a.any() for name, a in shares.arrays.items() if name not in decaying)


def test_the_number_of_weights_is_what_it_is():
    weights = weights_of(n_outputs=5)
    linear = [
        array.size
        for name, array in weights.arrays.items()
        if name.startswith(("layers", "head")) and name.endswith("weight")
    ]
    assert sum(linear) == 3 * SIZE.n_weights(LAYOUT, 5)


def test_silent_units_are_as_many_as_asked_for_and_the_others_louder():
    """A layer of ones into a head of ones: the output counts the units that speak."""
    size = Architecture(width=4000, depth=1, dropout=0.3, members=1, waves=0)
    layout = Layout(1, 0)
    weights = weights_of(size, layout, n_outputs=1)
    for name in ("layers.0.weight", "head.bias"):
        weights.arrays[name][...] = 0.0
    weights.arrays["layers.0.bias"][...] = weights.arrays["head.weight"][...] = 1.0
    network = Perceptron(size, layout)
    inputs = rows(50, layout)
    whole = network.forward(weights.members[0], inputs).copy()
    drawn = network.forward(weights.members[0], inputs, rng=np.random.default_rng(0))
    assert np.allclose(whole, 4000 * silu(1.0), rtol=1e-4)
    assert drawn.mean() == pytest.approx(whole.mean(), rel=0.01)
    spread = math.sqrt(0.3 / 0.7 / 4000)  # of a binomial share, over its mean
    assert drawn.std() / whole.mean() == pytest.approx(spread, rel=0.35)
    assert len(np.unique(drawn)) > 20


def test_fewer_rows_after_many_are_read_alike():
    """Arrays are used again, so nothing of the rows before may be left in them."""
    weights, network = weights_of(), Perceptron(SIZE, LAYOUT)
    many = network.forward(weights.members[0], rows(50)).copy()
    inputs = rows(50)
    few = network.forward(weights.members[0], Inputs(*(part[:3] for part in inputs)))
    assert np.allclose(few, many[:3], atol=1e-6)
