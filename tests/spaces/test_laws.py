"""Laws that every hyperparameter space keeps, over random spaces."""

import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from octavo.errors import SpaceError
from octavo.spaces import (
    Categorical,
    Constant,
    Float,
    Integer,
    Ordinal,
    Points,
    Space,
    any_of,
    at_least,
    at_most,
    from_json,
    greater_than,
    less_than,
    other_than,
    space,
)

CHOICES = [
    ["a", "b"],
    ["a", "b", "c"],
    [True, False],
    [None, "x", 3],
    [1, 2.5, "three"],
    ["only"],
    list("abcdefgh"),
]
FINITE = [
    Integer(0, 2),
    Integer(-3, 5, step=4),
    Integer(1, 3, log=True),
    Float(0.0, 0.3, step=0.1),
    Ordinal(["s", "m", "l"]),
    Ordinal([1, 10]),
    Constant("fixed"),
    *map(Categorical, CHOICES[:6]),
]
ANY = [
    *FINITE,
    Float(-1, 3),
    Float(1e-3, 10.0, log=True),
    Float(0.25, 1.75, step=0.125),
    Integer(1, 10_000, log=True),
    Integer(-50, 1000),
    Integer(16, 512, step=16),
    Integer(16, 512, step=16, log=True),
    Integer(5, 25, step=10),
    Categorical(CHOICES[6]),
    Constant(None),
    Constant(1.5),
]


def values_of(hyperparameter):
    """A few of its values."""
    made = space(h=replace(hyperparameter, conditions=()))
    return [config["h"] for config in made.grid(4)]


@st.composite
def conditions(draw, earlier):
    """A condition on one or two of some hyperparameters."""
    condition = {}
    for name in draw(
        st.lists(st.sampled_from(sorted(earlier)), min_size=1, max_size=2, unique=True)
    ):
        parent = earlier[name]
        values = values_of(parent)
        value = draw(st.sampled_from(values))
        kinds = ["equal", "in"]
        if len(values) > 1 and not isinstance(parent, Float | Integer):
            kinds.append("other")
        if isinstance(parent, Float | Integer | Ordinal) and value not in (values[0], values[-1]):
            kinds += ["greater", "less", "at least", "at most"]
        if isinstance(parent, Float) and parent.step is None:
            kinds = kinds[2:]  # equality of a real number never holds
            if not kinds:
                continue
        condition[name] = {
            "equal": lambda v, _: v,
            "in": lambda v, vs: list({repr(x): x for x in (v, vs[0])}.values()),
            "other": lambda v, _: other_than(v),
            "greater": lambda v, _: greater_than(v),
            "less": lambda v, _: less_than(v),
            "at least": lambda v, _: at_least(v),
            "at most": lambda v, _: at_most(v),
        }[draw(st.sampled_from(kinds))](value, values)
    return condition


@st.composite
def spaces(draw, kinds=tuple(ANY), max_size=7, forbid=True):
    """A space of hyperparameters with conditions on earlier ones and forbidden pairs."""
    made = {}
    for i in range(draw(st.integers(1, max_size))):
        hyperparameter = draw(st.sampled_from(kinds))
        if made and draw(st.booleans()):
            first = draw(conditions(made))
            if first and draw(st.integers(0, 3)) == 0:
                second = draw(conditions(made))
                hyperparameter = hyperparameter.when(any_of(first, second) if second else first)
            elif first:
                hyperparameter = hyperparameter.when(first)
        made[f"h{i}"] = hyperparameter
    clauses = []
    if forbid and len(made) > 1:
        for _ in range(draw(st.integers(0, 2))):
            pair = draw(
                st.lists(st.sampled_from(sorted(made)), min_size=2, max_size=2, unique=True)
            )
            clauses.append({name: draw(st.sampled_from(values_of(made[name]))) for name in pair})
    order = draw(st.permutations(list(made)))  # children may be declared before their parents
    try:
        return space({name: made[name] for name in order}, forbid=clauses)
    except SpaceError as error:
        assume("nearly every configuration is forbidden" not in str(error))
        raise


def finite_spaces():
    return spaces(kinds=tuple(FINITE), max_size=4)


seeds = st.integers(0, 2**32 - 1)


def for_configspace(made, config):
    """The configuration as ConfigSpace holds it: stepped values as whole numbers."""
    stored = {d.name: d for d in made.domains if d.scale is not None}
    return {
        name: int(stored[name].store(value)) if name in stored else value
        for name, value in config.items()
    }


def accepted_by_configspace(made, config):
    from ConfigSpace import Configuration

    try:
        Configuration(made.configspace, values=for_configspace(made, config))
    except (ValueError, KeyError):
        return False
    return True


def same_values(a, b):
    """Equal configurations, values of equal types."""
    return a == b and all(type(a[name]) is type(b[name]) for name in a)


@given(spaces(), seeds)
def test_a_hyperparameter_space_is_a_space(made, _):
    assert isinstance(made, Space)
    assert made.n_dims == len(made.columns)
    assert len({column.name for column in made.columns}) == len(made.columns)


@given(spaces(), seeds)
def test_sampled_configurations_are_legal_for_us_and_for_configspace(made, seed):
    points = made.sample(20, np.random.default_rng(seed))
    assert len(points) == 20
    assert points.columns == made.columns
    for config in made.decode(points):
        assert same_values(made.check(config), config)
        assert accepted_by_configspace(made, config)


@given(spaces(), seeds)
def test_a_cell_is_nan_exactly_when_its_hyperparameter_is_inactive(made, seed):
    points = made.sample(20, np.random.default_rng(seed))
    for row, config in zip(points.values, made.decode(points), strict=True):
        active = {c.name for c, u in zip(points.columns, row, strict=True) if not np.isnan(u)}
        assert active == {name for name in config if any(c.name == name for c in made.columns)}
        assert np.nanmin(row, initial=0.5) >= 0 and np.nanmax(row, initial=0.5) <= 1


@given(spaces(), seeds)
def test_encoding_and_decoding_are_inverse(made, seed):
    points = made.sample(20, np.random.default_rng(seed))
    configs = made.decode(points)
    again = made.encode(configs)
    np.testing.assert_array_equal(again.values, points.values)
    for one, two in zip(made.decode(again), configs, strict=True):
        assert same_values(one, two)
    # one by one, with the constants left out, and from JSON's text
    constants = {d.name for d in made.domains if d.kind == "constant"}
    for i, config in enumerate(configs):
        short = {k: v for k, v in json.loads(json.dumps(config)).items() if k not in constants}
        np.testing.assert_array_equal(made.encode([short]).values, points.values[i : i + 1])


@given(spaces(), seeds)
def test_the_unit_cube_leads_to_legal_rows_only(made, seed):
    u = np.random.default_rng(seed).random((30, made.n_dims))
    u[0], u[1] = 0.0, np.nextafter(1.0, 0.0)
    points, legal = made.from_unit(u)
    assert legal.shape == (30,) and len(points) == legal.sum()
    made.encode(made.decode(points))  # raises if one is illegal
    alone, _ = made.from_unit(u[legal])
    np.testing.assert_array_equal(alone.values, points.values)


@given(spaces(), seeds)
def test_a_space_survives_json_and_pickle_with_the_same_keys(made, seed):
    again = from_json(json.loads(json.dumps(made.to_json())))
    assert again == made and hash(again) == hash(made)
    assert again.columns == made.columns and again.default() == made.default()
    points = made.sample(10, np.random.default_rng(seed))
    assert again.encode(made.decode(points)).keys() == points.keys()
    unpickled = pickle.loads(pickle.dumps(made))
    assert unpickled.encode(made.decode(points)).keys() == points.keys()


@given(spaces(), seeds)
def test_keys_tell_configurations_apart_whatever_the_matrix(made, seed):
    rng = np.random.default_rng(seed)
    points = made.sample(20, rng)
    configs = made.decode(points)
    keys = points.keys()
    for i, j in itertools.combinations(range(20), 2):
        assert (keys[i] == keys[j]) == (configs[i] == configs[j])
    order = rng.permutation(len(points.columns))
    shuffled = Points(points.values[:, order], tuple(points.columns[i] for i in order))
    assert shuffled.keys() == keys
    filled = [c for k, c in enumerate(points.columns) if not np.isnan(points.values[:, k]).all()]
    assert points.aligned(tuple(filled)).keys() == keys


@given(spaces(), seeds)
def test_a_mutation_changes_one_hyperparameter_and_what_hangs_on_it(made, seed):
    rng = np.random.default_rng(seed)
    points = made.sample(20, rng)
    before, after = made.decode(points), made.decode(made.mutate(points, rng))
    for old, new in zip(before, after, strict=True):
        made.check(new)
        changed = [name for name in old if name in new and old[name] != new[name]]
        assert len(changed) == 1 or old == new
        if changed:
            (name,) = changed
            fixed = {n: v for n, v in old.items() if n != name}
            assert {n: new[n] for n in fixed if n in new} == {
                n: fixed[n] for n in fixed if n in new
            }


@given(spaces(forbid=False), seeds)
def test_a_mutation_always_changes_something_where_nothing_is_forbidden(made, seed):
    rng = np.random.default_rng(seed)
    points = made.sample(20, rng)
    changed = [a != b for a, b in zip(points.keys(), made.mutate(points, rng).keys(), strict=True)]
    assert changed == [not np.isnan(row).all() for row in points.values]


@given(spaces(), seeds)
def test_a_child_has_each_value_from_a_parent(made, seed):
    rng = np.random.default_rng(seed)
    a, b = made.sample(20, rng), made.sample(20, rng)
    children = made.decode(made.recombine(a, b, rng))
    for one, two, child in zip(made.decode(a), made.decode(b), children, strict=True):
        made.check(child)
        for name, value in child.items():
            parents = [parent[name] for parent in (one, two) if name in parent]
            assert not parents or value in parents


@given(spaces(), seeds)
def test_the_default_is_legal_also_for_configspace(made, _):
    config = made.default()
    assert same_values(made.check(config), config)
    assert accepted_by_configspace(made, config)
    assert for_configspace(made, config) == dict(made.configspace.get_default_configuration())


@given(finite_spaces())
def test_a_grid_is_every_configuration_once(made):
    assert made.is_finite
    grid = list(made.grid(1000))
    assert len({repr(sorted(config.items())) for config in grid}) == len(grid)
    assert [made.check(config) for config in grid] == grid
    # The other way round: try everything, and let ConfigSpace judge.
    absent = object()
    names = [domain.name for domain in made.domains]
    values = [
        [absent, *domain.plain(np.arange(domain.low, domain.high + 1))] for domain in made.domains
    ]
    every = (
        {n: v for n, v in zip(names, row, strict=True) if v is not absent}
        for row in itertools.product(*values)
    )
    legal = [config for config in every if accepted_by_configspace(made, config)]
    assert sorted(map(repr, legal)) == sorted(repr(config) for config in grid)


@given(spaces(), st.integers(1, 4))
def test_a_grid_is_legal_and_has_no_configuration_twice(made, resolution):
    grid = list(itertools.islice(made.grid(resolution), 200))
    keys = made.encode(grid).keys()
    assert len(set(keys)) == len(keys)


@given(finite_spaces(), seeds)
def test_samples_are_uniform(made, seed):
    """Each configuration as often as its share of the unit cube says (6 standard deviations)."""
    n = 2000
    counts: dict[bytes, int] = {}
    keys = made.sample(n, np.random.default_rng(seed)).keys()
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    grid = made.encode(list(made.grid(1000)))
    by_name = {domain.name: domain for domain in made.domains}
    volume = np.ones(len(grid))
    for k, column in enumerate(grid.columns):
        active = ~np.isnan(grid.values[:, k])
        domain = by_name[column.name]
        if domain.log:  # a value's share is that of its cell on the log scale
            v = domain.stored(grid.values[active, k])
            volume[active] *= np.log((v + 0.5) / (v - 0.5))
        else:
            volume[active] /= column.n_values
    for domain in made.domains:
        if domain.log:
            k = [c.name for c in grid.columns].index(domain.name)
            active = ~np.isnan(grid.values[:, k])
            volume[active] /= np.log((domain.high + 0.5) / (domain.low - 0.5))
    expected = volume / volume.sum()
    assert set(counts) <= set(grid.keys())
    for key, p in zip(grid.keys(), expected, strict=True):
        assert abs(counts.get(key, 0) - n * p) <= 6 * np.sqrt(n * p * (1 - p)) + 1


@given(spaces(), seeds)
def test_the_same_generator_gives_the_same_rows(made, seed):
    def all_of_it():
        rng = np.random.default_rng(seed)
        a, b = made.sample(5, rng), made.sample(5, rng)
        return [p.values for p in (a, b, made.mutate(a, rng), made.recombine(a, b, rng))]

    for one, two in zip(all_of_it(), all_of_it(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("hyperparameter", ANY, ids=repr)
def test_every_place_of_the_unit_interval_is_read_as_a_value(hyperparameter):
    made = space(h=hyperparameter)
    if not made.columns:
        assert made.sample(2, np.random.default_rng(0)).values.shape == (2, 0)
        return
    places = np.linspace(0, 1, 101)[:, None]
    configs = made.decode(Points(places, made.columns))
    again = made.encode(configs).values
    n = made.columns[0].n_values
    if n is None:
        np.testing.assert_allclose(again, places, atol=1e-11)
    elif not made.domains[0].log:
        k = np.minimum(np.floor(places * n), n - 1)
        np.testing.assert_allclose(again, (k + 0.5) / n, atol=1e-12)
    assert (np.diff(again[:, 0]) >= 0).all()
