"""Grammars and products keep the laws of spaces, with matrices that grow."""

import copy
import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.spaces import (
    Categorical,
    Float,
    Grammar,
    Integer,
    Points,
    Product,
    Space,
    as_space,
    from_json,
    space,
)

EXPR = {"expr": [["add", "expr", "expr"], ["neg", "expr"], ["x"], ["const"]]}
CELL = {
    "net": [["block", "rest"]],  # a single alternative: no choice, no column
    "rest": [["end"], ["then", "block", "rest"]],
    "block": [["conv", "size"], ["pool"], ["branch", "block", "block"]],
    "size": [["3"], ["5"]],
}
LETTERS = {"word": [["a", "b"], ["b", "a"], ["c", "pair"]], "pair": [["d"], ["e"]]}
SPACES: dict[str, Space] = {
    "hyperparameters": space(
        k=Categorical(["a", "b"]), x=Float(0, 1).when(k="b"), n=Integer(1, 9, log=True)
    ),
    "limited": Grammar(EXPR, "expr", max_depth=3),
    "unlimited": Grammar(EXPR, "expr"),
    "cell": Grammar(CELL, "net", max_depth=4),
    "not recursive": Grammar(LETTERS, "word"),
    "product": Product(
        {
            "data": space(
                scale=Categorical(["none", "robust"]),
                quantile=Float(0.1, 0.4).when(scale="robust"),
                rows=Integer(1, 100, log=True),
                forbid=[{"scale": "robust", "rows": 1}],
            ),
            "net": Grammar(CELL, "net", max_depth=4),
        }
    ),
}
every_space = pytest.mark.parametrize("made", SPACES.values(), ids=SPACES)
seeds = st.integers(0, 2**32 - 1)


@every_space
@given(seed=seeds)
def test_samples_are_legal_and_decode_and_encode_again(made, seed):
    assert isinstance(made, Space) and as_space(made) is made
    points = made.sample(10, np.random.default_rng(seed))
    configs = made.decode(points)
    assert [made.check(config) for config in configs] == configs
    again = made.encode(configs)
    assert again.keys() == points.keys()
    assert made.decode(again) == configs
    assert json.loads(json.dumps(configs)) == configs


@every_space
def test_nothing_is_nothing(made):
    rng = np.random.default_rng(0)
    nothing = made.sample(0, rng)
    assert len(nothing) == 0 and nothing.keys() == []
    assert len(made.mutate(nothing, rng)) == len(made.recombine(nothing, nothing, rng)) == 0
    assert made.decode(made.encode([])) == [] and made.log_belief(nothing).shape == (0,)
    points, legal = made.from_unit(np.empty((0, made.n_dims)))
    assert len(points) == len(legal) == 0


@every_space
@given(seed=seeds)
def test_keys_do_not_depend_on_the_matrix(made, seed):
    points = made.sample(10, np.random.default_rng(seed))
    configs = made.decode(points)
    keys = points.keys()
    assert [made.encode([config]).keys()[0] for config in configs] == keys
    halves = [made.encode(configs[5:]), made.encode(configs[:5])]
    assert Points.join(halves).keys() == keys[5:] + keys[:5]
    for i, j in itertools.combinations(range(10), 2):
        assert (keys[i] == keys[j]) == (configs[i] == configs[j])


@every_space
@given(seed=seeds)
def test_a_mutation_changes_one_choice_and_what_hangs_on_it(made, seed):
    rng = np.random.default_rng(seed)
    points = made.sample(10, rng)
    after = made.mutate(points, rng)
    for config in made.decode(after):
        made.check(config)
    joined = Points.join([points, after])
    old, new = joined.values[:10], joined.values[10:]
    both = ~np.isnan(old) & ~np.isnan(new)
    np.testing.assert_array_equal((both & (np.abs(old - new) > 1e-12)).sum(axis=1), 1)


@every_space
@given(seed=seeds)
def test_a_child_has_each_choice_from_a_parent(made, seed):
    rng = np.random.default_rng(seed)
    a, b = made.sample(10, rng), made.sample(7, rng)[np.arange(10) % 7]
    child = made.recombine(a, b, rng)
    for config in made.decode(child):
        made.check(config)
    joined = Points.join([a, b, child]).values.reshape(3, 10, -1)
    in_a = np.abs(joined[2] - joined[0]) < 1e-12
    in_b = np.abs(joined[2] - joined[1]) < 1e-12
    new = np.isnan(joined[0]) & np.isnan(joined[1])
    assert (in_a | in_b | new | np.isnan(joined[2])).all()


@every_space
@given(seed=seeds)
def test_the_unit_cube_is_read_row_by_row(made, seed):
    u = np.random.default_rng(seed).random((10, made.n_dims))
    u[0] = np.nextafter(1.0, 0.0)
    points, legal = made.from_unit(u)
    assert len(points) == legal.sum() and legal.shape == (10,)
    rows = [made.from_unit(u[[i]])[0] for i in np.flatnonzero(legal)]
    assert [row.keys()[0] for row in rows] == points.keys()


@every_space
def test_descriptions_pickles_and_copies_are_the_same_space(made):
    points = made.sample(5, np.random.default_rng(0))
    for again in (
        from_json(json.loads(json.dumps(made.to_json()))),
        pickle.loads(pickle.dumps(made)),
        copy.deepcopy(made),
    ):
        assert again == made and hash(again) == hash(made)
        assert again.decode(points) == made.decode(points)
    assert made.check(made.default()) == made.default()
    assert not made.log_belief(points).any()


def trees(rules, symbol, depth):
    """All trees of a symbol, the slow and obvious way."""
    if depth == 0:
        return []
    found = []
    for alternative in rules[symbol]:
        parts = [trees(rules, p, depth - 1) if p in rules else [p] for p in alternative]
        found += [list(row) for row in itertools.product(*parts)]
    return found


@pytest.mark.parametrize(
    ("rules", "start", "depth"),
    [(EXPR, "expr", 1), (EXPR, "expr", 3), (CELL, "net", 4), (LETTERS, "word", None)],
)
def test_a_grid_is_every_tree_once_in_order_of_size(rules, start, depth):
    made = Grammar(rules, start, max_depth=depth)
    assert made.is_finite
    grid = [config[start] for config in made.grid(1)]
    assert sorted(map(repr, grid)) == sorted(map(repr, trees(rules, start, depth or 9)))
    sizes = [repr(tree).count("[") for tree in grid]
    assert sizes == sorted(sizes)


def test_an_endless_grid_goes_on_in_order_of_size():
    made = SPACES["unlimited"]
    assert not made.is_finite
    first = [repr(config) for config in itertools.islice(made.grid(1), 3000)]
    assert len(set(first)) == 3000
    small = {repr({"expr": tree}) for tree in trees(EXPR, "expr", 3) if repr(tree).count("[") <= 4}
    assert small <= set(first)


def test_each_choice_is_uniform():
    """Within 6 standard deviations, at the root and one level below it."""
    made = SPACES["limited"]
    points = made.sample(4000, np.random.default_rng(0))
    for column in points.columns[:2]:
        u = points.values[:, points.columns.index(column)]
        k = np.floor(u[~np.isnan(u)] * column.n_values).astype(int)
        p = 1 / column.n_values
        deviation = np.abs(np.bincount(k, minlength=column.n_values) - len(k) * p)
        assert (deviation < 6 * np.sqrt(len(k) * p * (1 - p))).all()


def test_a_tree_takes_no_more_numbers_than_it_can_use():
    assert SPACES["not recursive"].n_dims == 2  # the word, then the pair
    assert SPACES["limited"].n_dims == 1 + 2 + 4
    assert SPACES["unlimited"].n_dims == 64
    assert Grammar(EXPR, "expr", max_depth=40).default() == {"expr": ["x"]}  # at once
    assert Grammar({"e": [["x"]]}, "e").n_dims == 0


def test_mutation_reaches_every_tree():
    made = Grammar(EXPR, "expr", max_depth=2)
    rng = np.random.default_rng(0)
    points, seen = made.sample(20, rng), set()
    for _ in range(30):
        points = made.mutate(points, rng)
        seen |= {repr(config) for config in made.decode(points)}
    assert seen == {repr(config) for config in made.grid(1)}


def test_a_product_of_endless_grids_reaches_every_pair():
    one = Grammar({"a": [["x"], ["s", "a"]]}, "a")
    two = Grammar({"b": [["y"], ["t", "b"]]}, "b")
    pairs = [
        repr(config) for config in itertools.islice(Product({"l": one, "r": two}).grid(1), 400)
    ]
    assert len(set(pairs)) == 400
    first, second = (list(itertools.islice(part.grid(1), 10)) for part in (one, two))
    for left, right in itertools.product(first, second):
        assert repr({"l": left, "r": right}) in pairs


def test_a_product_of_finite_spaces_is_every_pair_once():
    made = Product(
        {"a": space(x=Integer(1, 3)), "b": space(x=Integer(1, 5)), "c": space(x=Integer(1, 2))}
    )
    assert made.is_finite
    assert sorted((c["a"]["x"], c["b"]["x"], c["c"]["x"]) for c in made.grid(9)) == sorted(
        itertools.product(range(1, 4), range(1, 6), range(1, 3))
    )
