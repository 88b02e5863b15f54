"""The box of the best configurations of many tasks, and the space inside it."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import DataError, SettingError, SpaceError
from octavo.spaces import (
    Believed,
    Categorical,
    Constant,
    Float,
    Integer,
    Ordinal,
    Product,
    any_of,
    from_json,
    greater_than,
    space,
)
from octavo.transfer import learned_ranges, narrowed

HERE = space(
    model=Categorical(["tree", "line", "net"]),
    depth=Integer(1, 10).when(model="tree"),
    rate=Float(1e-4, 1.0, log=True, prior=1e-1).when(model=["line", "net"]),
    width=Integer(8, 64, step=8, default=32).when(model="net"),
    order=Ordinal(["low", "mid", "high", "most"], default="mid"),
    kind=Categorical(["a", "b", "c"], prior=[0.1, 0.1, 0.8]),
    seed=Constant(3),
)


def configs_of(seed, n):
    return HERE.decode(HERE.sample(n, np.random.default_rng(seed)))


@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), margin=st.sampled_from([0.0, 0.05, 0.3]))
def test_the_narrower_space_holds_the_best_of_every_task_and_lies_inside(seed, n, margin):
    tasks = [[config] for config in configs_of(seed, n)]
    inner = narrowed(HERE, learned_ranges(tasks, HERE, margin=margin))
    for (config,) in tasks:
        assert inner.check(config) == config
    for config in inner.decode(inner.sample(20, np.random.default_rng(seed))):
        assert HERE.check(config) == config
    assert HERE.check(inner.default())
    assert from_json(inner.to_json()) == inner


def test_ranges_are_the_smallest():
    tasks = [
        [{"model": "tree", "depth": 3, "order": "mid", "kind": "a", "seed": 3}],
        [{"model": "tree", "depth": 5, "order": "most", "kind": "a", "seed": 3}],
    ]
    assert learned_ranges(tasks, HERE, margin=0) == {
        "model": ["tree"], "depth": (3, 5), "order": ["mid", "high", "most"], "kind": ["a"],
    }  # fmt: skip
    inner = narrowed(HERE, learned_ranges(tasks, HERE, margin=0))
    assert inner.names == ("model", "depth", "order", "kind", "seed")  # the others have no parent


def test_one_task_that_is_different_may_be_left_outside():
    tasks = [[{"x": x}] for x in (0.40, 0.42, 0.45, 0.44, 0.99)]
    here = space(x=Float(0, 1))
    assert learned_ranges(tasks, here, margin=0)["x"] == (0.40, 0.99)
    assert learned_ranges(tasks, here, margin=0, share=0.8)["x"] == (0.40, 0.45)
    assert learned_ranges(tasks, here, margin=0.05, share=0.8)["x"] == pytest.approx((0.35, 0.5))


def test_a_single_value_becomes_a_constant():
    here = space(x=Float(0, 1), n=Integer(1, 9), s=Float(0, 1, step=0.25), k=Integer(0, 8, step=2))
    config = {"x": 0.3, "n": 4, "s": 0.75, "k": 6}
    inner = narrowed(here, learned_ranges([[config]], here, margin=0))
    assert inner.columns == ()
    assert inner.default() == config


def test_numbers_that_others_depend_on_keep_their_range():
    here = space(
        {"a": Integer(1, 9, default=2), "b": Integer(1, 9, default=5), "c": Float(0, 1),
         "d": Integer(0, 5).when(c=greater_than(0.9))}, forbid=["a > b"],
    )  # fmt: skip
    inner = narrowed(here, {"a": (2, 3), "c": (0.0, 0.2), "d": (1, 2)})
    assert inner.domains[0].bounds == (1, 9)
    assert inner.domains[2].bounds == (0, 1)
    assert inner.domains[3].bounds == (1, 2)


def test_what_depends_on_a_removed_choice_goes_and_the_rest_stays_right():
    here = space(
        {"m": Categorical(["x", "y", "z"]), "k": Categorical(["p", "q"]),
         "u": Float(0, 1).when(m="x"), "v": Float(0, 1).when(any_of({"m": "x"}, {"k": "q"})),
         "w": Float(0, 1).when({"m": ["x", "y"], "k": "p"}), "t": Float(0, 1).when(u=0.5)},
        forbid=[{"m": "x", "k": "p"}, {"m": ["x", "y"], "k": "q"}],
    )  # fmt: skip
    inner = narrowed(here, {"m": ["y", "z"]})
    assert inner.names == ("m", "k", "v", "w")
    for config in inner.decode(inner.sample(40, np.random.default_rng(0))):
        assert here.check(config) == config
    allowed = {(c["m"], c["k"]) for c in inner.decode(inner.sample(40, np.random.default_rng(0)))}
    assert allowed == {("y", "p"), ("z", "p"), ("z", "q")}


def test_beliefs_are_looked_through_and_other_spaces_refused():
    believed = Believed(HERE, configs_of(0, 2))
    tasks = [[config] for config in configs_of(1, 3)]
    assert learned_ranges(tasks, believed) == learned_ranges(tasks, HERE)
    with pytest.raises(SpaceError, match="a Product has no ranges"):
        learned_ranges([[{}]], Product({"a": HERE}))


def test_ranges_that_make_no_sense_are_refused():
    for ranges, sentence in (
        ({"dept": (1, 2)}, "'dept', which is no hyperparameter"),
        ({"depth": (5, 2)}, "range of 'depth' is"),
        ({"depth": (1, 2, 3)}, "range of 'depth' is"),
        ({"depth": (1, 99)}, "outside of its range"),
        ({"kind": []}, "range of 'kind' is"),
        ({"kind": ["z"]}, "not among its choices"),
    ):
        with pytest.raises(SpaceError, match=sentence):
            narrowed(HERE, ranges)
    for tasks in ([], [[]]):
        with pytest.raises(DataError, match="at least one task"):
            learned_ranges(tasks, HERE)
    tasks = [[HERE.default()]]
    for setting in ({"share": 0}, {"share": 1.2}, {"margin": -0.1}, {"margin": 1}):
        with pytest.raises(SettingError, match=next(iter(setting))):
            learned_ranges(tasks, HERE, **setting)
