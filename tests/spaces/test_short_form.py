"""What the short form means, by example."""

import subprocess
import sys

import numpy as np
import pytest

from octavo.errors import SpaceError
from octavo.spaces import (
    Categorical,
    Constant,
    Float,
    Integer,
    Ordinal,
    any_of,
    as_space,
    at_least,
    at_most,
    greater_than,
    less_than,
    other_than,
    space,
)


def is_active(made, name, **parents):
    """Whether a hyperparameter belongs to the configuration with these parents."""
    [row] = [c for c in made.grid(5) if all(c.get(k) == v for k, v in parents.items())][:1]
    return name in row


def test_several_values_of_a_parent_activate():
    made = space(opt=Categorical(["adam", "sgd", "nag"]), m=Float(0, 1).when(opt=["sgd", "nag"]))
    assert [is_active(made, "m", opt=o) for o in ("adam", "sgd", "nag")] == [False, True, True]


def test_several_parents_and_several_whens_must_all_agree():
    a, b = Categorical([0, 1]), Categorical([0, 1])
    for child in (Float(0, 1).when(a=1, b=1), Float(0, 1).when(a=1).when(b=1)):
        made = space(a=a, b=b, x=child)
        active = [is_active(made, "x", a=i, b=j) for i in (0, 1) for j in (0, 1)]
        assert active == [False, False, False, True]


def test_any_of_needs_one_and_nests():
    a, b, c = (Categorical([0, 1]) for _ in range(3))
    child = Float(0, 1).when(any_of({"a": 1}, any_of({"b": 1, "c": 1})))
    made = space(a=a, b=b, c=c, x=child)
    for i in (0, 1):
        for j in (0, 1):
            for k in (0, 1):
                assert is_active(made, "x", a=i, b=j, c=k) == bool(i or (j and k))


def test_an_inactive_parent_deactivates_whatever_it_is_compared_with():
    made = space(
        a=Categorical([0, 1]),
        b=Integer(1, 3).when(a=1),
        c=Categorical(["p", "q"]).when(a=1),
        x=Float(0, 1).when(b=less_than(3)),
        y=Float(0, 1).when(c=other_than("p")),
    )
    assert made.check({"a": 0}) == {"a": 0}
    assert set(made.check({"a": 1, "b": 2, "c": "q", "x": 0.5, "y": 0.5})) == set("abcxy")


@pytest.mark.parametrize(
    ("condition", "active"),
    [
        (greater_than(2), [3, 4, 5]),
        (greater_than(2.5), [3, 4, 5]),
        (at_least(2), [2, 3, 4, 5]),
        (at_least(2.5), [3, 4, 5]),
        (less_than(2), [1]),
        (less_than(2.5), [1, 2]),
        (at_most(2), [1, 2]),
        (at_most(2.5), [1, 2]),
        (other_than(2), [1, 3, 4, 5]),
    ],
)
@pytest.mark.parametrize(
    "parent", [Integer(1, 5), Float(1, 5, step=1), Ordinal([1, 2, 3, 4, 5])], ids=repr
)
def test_comparisons(parent, condition, active):
    if isinstance(parent, Ordinal) and condition.value == 2.5:
        with pytest.raises(SpaceError, match=r"'d' is 2\.5, which is not among its choices"):
            space(d=parent, x=Float(0, 1).when(d=condition))
        return
    made = space(d=parent, x=Float(0, 1).when(d=condition))
    assert [d for d in range(1, 6) if is_active(made, "x", d=d)] == active


def test_forbidden_values_lists_comparisons_and_relations():
    made = space(
        solver=Categorical(["lbfgs", "saga", "sag"]),
        penalty=Categorical(["l1", "l2"]),
        low=Integer(0, 3),
        high=Integer(0, 3),
        forbid=[
            {"solver": ["lbfgs", "sag"], "penalty": "l1"},
            {"solver": "saga", "high": at_least(2)},
            {"solver": other_than("saga"), "low": less_than(1)},
            "low > high",
        ],
    )
    expected = [
        (s, p, low, high)
        for s in ("lbfgs", "saga", "sag")
        for p in ("l1", "l2")
        for low in range(4)
        for high in range(4)
        if not (s in ("lbfgs", "sag") and p == "l1")
        and not (s == "saga" and high >= 2)
        and not (s != "saga" and low < 1)
        and not low > high
    ]
    assert sorted(tuple(c.values()) for c in made.grid(10)) == sorted(expected)


@pytest.mark.parametrize(
    ("relation", "forbidden"),
    [
        ("a < b", (1, 2)),
        ("a <= b", (2, 2)),
        ("a == b", (2, 2)),
        ("a >= b", (2, 2)),
        ("a > b", (2, 1)),
    ],
)
def test_each_relation(relation, forbidden):
    made = space(a=Integer(0, 9), b=Ordinal([1, 2, 30]), forbid=[relation])
    with pytest.raises(SpaceError, match="forbidden"):
        made.check(dict(zip("ab", forbidden, strict=True)))


def test_relations_of_stepped_hyperparameters_compare_their_values():
    made = space(a=Integer(4, 12, step=4), b=Integer(8, 16, step=4), forbid=["a >= b"])
    assert [(c["a"], c["b"]) for c in made.grid(9)] == [
        (4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (12, 16),
    ]  # fmt: skip


def test_steps_show_real_values_and_store_whole_numbers():
    made = space(
        drop=Float(0.1, 0.5, step=0.1),
        batch=Integer(16, 64, step=16),
        odd=Integer(1, 9, step=2),
        x=Float(0, 1).when(batch=32, drop=greater_than(0.2)),
        forbid=[{"drop": 0.3, "batch": 48}],
    )
    assert [c["drop"] for c in space(d=Constant(1), drop=Float(0.1, 0.5, step=0.1)).grid(9)] == [
        0.1, 0.2, 0.3, 0.4, 0.5,
    ]  # fmt: skip
    assert made.columns[0].kind == "float" and made.columns[0].n_values == 5
    assert type(made.default()["batch"]) is int and type(made.default()["drop"]) is float
    assert set(made.check({"drop": 0.3, "batch": 32, "odd": 5, "x": 0.5})) == set(made.names)
    assert "x" not in made.check({"drop": 0.2, "batch": 32, "odd": 5})
    stored = made.configspace["batch"]
    assert (stored.lower, stored.upper) == (1, 4)
    assert stored.meta["octavo"]["scale"] == {"step": 16.0, "offset": 0.0, "whole": True}
    odd = made.configspace["odd"]
    assert (odd.lower, odd.upper, odd.meta["octavo"]["scale"]["offset"]) == (0, 4, 1.0)


def test_choices_keep_their_types():
    choices = [True, 2, 2.5, "2", None]
    configs = list(space(k=Categorical(choices), o=Ordinal(["x"])).grid(1))
    assert [c["k"] for c in configs] == choices
    assert [type(c["k"]) for c in configs] == [type(choice) for choice in choices]


def test_numpy_values_become_plain_ones():
    made = space(n=Integer(np.int64(1), np.int64(5)), k=Categorical(np.array(["a", "b"])))
    config = made.check({"n": np.int32(3), "k": np.str_("a")})
    assert config == {"n": 3, "k": "a"}
    assert type(config["n"]) is int and type(config["k"]) is str


def test_names_that_are_no_identifiers():
    made = space(
        {"svm.C": Float(0.1, 10), "forbid": Integer(1, 2).when({"a b": 1}), "a b": Integer(1, 2)}
    )
    assert made.check({"svm.C": 1, "a b": 1, "forbid": 2}) == {"svm.C": 1.0, "forbid": 2, "a b": 1}


def test_the_default_is_the_middle_of_the_scale_or_what_was_asked():
    made = space(
        a=Float(0, 1),
        b=Float(1e-4, 1.0, log=True),
        c=Integer(1, 9),
        d=Categorical(["x", "y"]),
        e=Ordinal([1, 2, 3]),
        f=Float(0, 1, default=0.25, prior=0.9),
        g=Categorical(["x", "y"], default="y"),
    )
    assert made.default() == {
        "a": 0.5, "b": 0.01, "c": 5, "d": "x", "e": 2, "f": 0.25, "g": "y",
    }  # fmt: skip


def test_a_forbidden_middle_gives_way_but_not_what_was_asked():
    made = space(
        a=Integer(1, 3),
        b=Integer(1, 3, default=2),
        x=Float(0, 1),
        forbid=[{"a": 2, "b": 2}],
    )
    start = made.default()
    assert start["b"] == 2 and start["a"] in (1, 3) and start["x"] == 0.5


def test_a_space_of_constants_has_one_configuration():
    made = space(a=Constant(1), b=Categorical(["only"]), c=Constant(None).when(a=1))
    assert made.columns == () and made.n_dims == 0 and made.is_finite
    points = made.sample(3, np.random.default_rng(0))
    assert made.decode(points) == [{"a": 1, "b": "only", "c": None}] * 3 == 3 * list(made.grid(1))
    assert made.decode(made.mutate(points, np.random.default_rng(0))) == made.decode(points)
    assert len(set(points.keys())) == 1
    assert made.check({"b": "only"}) == made.default()  # constants may be left out


def test_nearly_everything_forbidden_is_enumerated_if_finite():
    made = space(
        {f"h{i}": Integer(0, 9) for i in range(6)},
        forbid=[{f"h{i}": greater_than(0)} for i in range(5)],
    )
    points = made.sample(1000, np.random.default_rng(0))  # one in 100,000 is legal
    counts = np.bincount([c["h5"] for c in made.decode(points)], minlength=10)
    assert (np.abs(counts - 100) < 6 * np.sqrt(100 * 0.9)).all()
    assert {c["h0"] for c in made.decode(points)} == {0}


def test_nearly_everything_forbidden_is_refused_if_infinite():
    with pytest.raises(SpaceError, match=r"nearly every configuration is forbidden.*x > 1e-05"):
        space(x=Float(0, 1), forbid=[{"x": greater_than(0.00001)}])


def test_mutation_finds_the_only_neighbour():
    """Of 1 + 199 values only the first two are allowed: hardly ever hit by chance."""
    made = space(
        n=Integer(0, 199),
        m=Integer(0, 199),
        forbid=[{"n": greater_than(1)}, {"m": greater_than(0)}],
    )
    start = made.encode([{"n": 0, "m": 0}] * 50)
    after = made.decode(made.mutate(start, np.random.default_rng(0)))
    assert after == [{"n": 1, "m": 0}] * 50


def test_as_space_accepts_what_it_promises():
    made = space(x=Float(0, 1))
    assert as_space(made) is made
    assert as_space({"x": Float(0, 1)}) == made
    from ConfigSpace import ConfigurationSpace

    class Theirs(ConfigurationSpace):
        pass

    assert as_space(Theirs({"a": (1, 5)})).names == ("a",)
    assert as_space(made.configspace) == made.__class__.from_configspace(made.configspace)


def test_the_short_form_does_not_load_configspace_nor_other_heavy_packages():
    code = (
        "import sys; from octavo.spaces import *\n"
        "s = space(x=Float(0, 1, prior=0.3), k=Categorical(['a', 'b']), forbid=[{'k': 'b'}])\n"
        "import numpy; s.encode(s.decode(s.sample(9, numpy.random.default_rng(0))))\n"
        "heavy = ['ConfigSpace', 'scipy.stats', 'pandas', 'sklearn']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
