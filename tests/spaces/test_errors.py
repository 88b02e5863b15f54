"""Each wrong input has its own error, which names the value, what was expected and what to do."""

import math
import traceback

import numpy as np
import pytest
from scipy import stats

from octavo.errors import SpaceError
from octavo.spaces import (
    Categorical,
    Constant,
    Float,
    Grammar,
    HyperparameterSpace,
    Integer,
    Ordinal,
    Product,
    any_of,
    as_space,
    at_least,
    from_json,
    greater_than,
    less_than,
    other_than,
    space,
)

X = Float(0, 1)
KERNEL = Categorical(["linear", "rbf", "poly"])

# What is wrong, and what the message must say: the value, the expectation, the remedy.
CONSTRUCTION = {
    "low above high": (lambda: space(x=Float(3, 1)), ["'x'", "low=3", "high=1", "Swap"]),
    "low not a number": (lambda: space(x=Float("0", 1)), ["'x'", "low='0'", "str", "number"]),
    "boolean bound": (lambda: space(x=Integer(0, True)), ["'x'", "high=True", "bool"]),
    "infinite bound": (lambda: space(x=Float(0, math.inf)), ["'x'", "high=inf", "finite", "1e6"]),
    "nan bound": (lambda: space(x=Float(math.nan, 1)), ["'x'", "low=nan", "finite"]),
    "log of zero": (lambda: space(x=Float(0, 1, log=True)), ["'x'", "low=0", "low > 0", "1e-06"]),
    "range too small": (lambda: space(x=Float(0, 1e-15)), ["'x'", "1e-15", "13 decimals", "unit"]),
    "fractional integer": (lambda: space(x=Integer(0, 2.5)), ["'x'", "high=2.5", "Float"]),
    "too many integers": (lambda: space(x=Integer(0, 10**13)), ["'x'", "1e+12", "smaller range"]),
    "step not positive": (lambda: space(x=Float(0, 1, step=0)), ["'x'", "step=0", "positive"]),
    "fractional step": (lambda: space(x=Integer(0, 4, step=0.5)), ["'x'", "step=0.5", "whole"]),
    "step does not divide": (
        lambda: space(x=Integer(0, 10, step=4)),
        ["'x'", "step=4", "0 to 10", "high=8"],
    ),
    "step on a log scale": (
        lambda: space(x=Integer(5, 25, step=10, log=True)),
        ["'x'", "step=10", "low=5", "low=10"],
    ),
    "choices are a string": (lambda: space(k=Categorical("abc")), ["'k'", "'abc'", "list"]),
    "no choices": (lambda: space(k=Categorical([])), ["'k'", "no choices", "at least one"]),
    "unsupported choice": (lambda: space(k=Categorical([1, (2, 3)])), ["'k'", "(2, 3)", "tuple"]),
    "nan choice": (lambda: space(k=Ordinal([1.0, math.nan])), ["'k'", "nan", "'nan'"]),
    "duplicate choices": (lambda: space(k=Categorical([1, 2, True])), ["'k'", "1, True", "remove"]),
    "default outside": (lambda: space(x=Float(0, 1, default=2)), ["default", "'x'", "2", "0.0"]),
    "prior outside": (lambda: space(x=Float(0, 1, prior=7)), ["prior", "'x'", "7", "from 0.0"]),
    "prior with three entries": (
        lambda: space(x=Float(0, 1, prior=(0, 1, 2))),
        ["'x'", "3 entries", "(value, spread)"],
    ),
    "prior of a strange type": (
        lambda: space(x=Float(0, 1, prior="high")),
        ["'x'", "'high'", "str"],
    ),
    "spread not positive": (
        lambda: space(x=Float(0, 1, prior=(0.5, -1))),
        ["'x'", "-1", "positive"],
    ),
    "spread below one on a log scale": (
        lambda: space(x=Float(1, 9, log=True, prior=(2, 0.5))),
        ["'x'", "0.5", "factor above 1"],
    ),
    "distribution elsewhere": (
        lambda: space(x=Float(0, 1, prior=stats.norm(50, 1))),
        ["'x'", "norm", "between 0.0 and 1.0", "Move"],
    ),
    "discrete distribution over reals": (
        lambda: space(x=Float(0, 9, prior=stats.poisson(3))),
        ["'x'", "poisson", "Integer"],
    ),
    "distribution of arrays": (
        lambda: space(x=Float(0, 1, prior=stats.norm([0, 1], 1))),
        ["'x'", "norm", "plain numbers"],
    ),
    "unknown distribution": (
        lambda: space(x=Float(0, 1, prior=stats.rv_histogram(np.histogram([0, 1]), name="mine")())),
        ["'x'", "'mine'", "scipy.stats"],
    ),
    "weight of an unknown choice": (
        lambda: space(k=Categorical(["sgd", "adam"], prior={"adm": 2})),
        ["'k'", "'adm'", "'sgd', 'adam'", "Did you mean 'adam'"],
    ),
    "too few weights": (
        lambda: space(k=Categorical(["a", "b", "c"], prior=[1, 2])),
        ["'k'", "2 weights for 3", "one for each"],
    ),
    "negative weight": (
        lambda: space(k=Categorical(["a", "b"], prior=[1, -2])),
        ["'k'", "-2", "0"],
    ),
    "only zero weights": (
        lambda: space(k=Categorical(["a", "b"], prior=[0, 0])),
        ["'k'", "weights of 0", "positive"],
    ),
    "favourite not a choice": (
        lambda: space(k=Categorical(["a", "b"], prior="z")),
        ["prior", "'k'", "'z'", "'a', 'b'"],
    ),
    "empty space": (lambda: space(), ["0 hyperparameters", "at least one"]),
    "given twice": (lambda: space({"x": X}, x=X), ["'x'", "twice", "Leave one"]),
    "name not a string": (lambda: space({3: X}), ["3", "string"]),
    "not a hyperparameter": (lambda: space(x=(0, 1)), ["'x'", "(0, 1)", "tuple", "Float"]),
    "when without condition": (lambda: X.when(), ["without a condition", "when(optimizer"]),
    "any_of without condition": (lambda: any_of(), ["without a condition", "at least one"]),
    "condition of a strange type": (
        lambda: space(x=X.when(any_of(["k"])), k=KERNEL),
        ["'x'", "['k']", "list", ".when(parent=value)"],
    ),
    "condition on itself": (lambda: space(x=X.when(x=1)), ["'x'", "itself", "another"]),
    "unknown parent": (
        lambda: space(x=X.when(kernal="rbf"), kernel=KERNEL),
        ["'x'", "'kernal'", "Did you mean 'kernel'"],
    ),
    "value not a choice of the parent": (
        lambda: space(x=X.when(k="rbv"), k=KERNEL),
        ["condition of 'x'", "'k'", "'rbv'", "Did you mean 'rbf'"],
    ),
    "condition without values": (
        lambda: space(x=X.when(k=[]), k=KERNEL),
        ["condition of 'x'", "'k'", "at least one"],
    ),
    "other than one of too many": (
        lambda: space(x=X.when(y=other_than(0.5)), y=X),
        ["condition of 'x'", "0.5", "infinitely", "less_than"],
    ),
    "other than the only one": (
        lambda: space(x=X.when(c=other_than(1)), c=Constant(1)),
        ["condition of 'x'", "'c'", "Keep at least one"],
    ),
    "comparing what has no order": (
        lambda: space(x=X.when(k=greater_than("rbf")), k=KERNEL),
        ["condition of 'x'", "'k'", "'rbf'", "Ordinal"],
    ),
    "ordinal comparison that always holds": (
        lambda: space(x=X.when(o=at_least(1)), o=Ordinal([1, 2])),
        ["condition of 'x'", "o >= 1", "always", "leave it out"],
    ),
    "comparing a number with a word": (
        lambda: space(x=X.when(d=less_than("3")), d=Integer(1, 5)),
        ["condition of 'x'", "'d'", "'3'", "an integer from 1 to 5"],
    ),
    "comparison that never holds": (
        lambda: space(x=X.when(d=greater_than(5)), d=Integer(1, 5)),
        ["condition of 'x'", "d > 5", "never", "another value"],
    ),
    "conditions in a circle": (
        lambda: space(a=Integer(1, 2).when(b=1), b=Integer(1, 2).when(a=1)),
        ["circle", "'a' needs 'b' needs 'a'", "Remove one"],
    ),
    "forbidding a number": (lambda: space(x=X, forbid=[3]), ["3", "int", "dict"]),
    "forbidding nothing": (
        lambda: space(x=X, forbid=[{}]),
        ["empty", "everything", "leave it out"],
    ),
    "forbidding what is unknown": (
        lambda: space(kernel=KERNEL, forbid=[{"kernl": "rbf"}]),
        ["'kernl'", "Did you mean 'kernel'", "Name one of"],
    ),
    "unreadable relation": (lambda: space(x=X, y=X, forbid=["x + y"]), ["'x + y'", "<=", '"min_']),
    "relation with itself": (lambda: space(x=X, forbid=["x > x"]), ["'x > x'", "itself", "two"]),
    "relation of words": (
        lambda: space(x=X, k=KERNEL, forbid=["x > k"]),
        ["'x > k'", "'k'", "not numbers", "dicts"],
    ),
    "relation of different steps": (
        lambda: space(a=Integer(0, 8, step=4), b=Integer(0, 8), forbid=["a > b"]),
        ["'a > b'", "different steps", "same step"],
    ),
    "defaults forbidden together": (
        lambda: space(
            a=Categorical([1, 2], default=2),
            b=Categorical([1, 2], default=2),
            forbid=[{"a": 2, "b": 2}],
        ),
        ["a, b", "a == 2 and b == 2", "Change one"],
    ),
    "everything forbidden": (
        lambda: space(k=Categorical(["a", "b"]), forbid=[{"k": ["a", "b"]}]),
        ["nearly every", "k in {'a', 'b'}", "relax"],
    ),
    "what is no space": (lambda: as_space([X]), ["list", "no space", "octavo.space("]),
    "unknown kind": (lambda: from_json({"kind": "graph"}), ["'graph'", "'grammar'", "update"]),
    "resolution of zero": (lambda: list(space(x=X).grid(0)), ["resolution=0", "at least 1"]),
    "grammar without start": (lambda: Grammar({"e": [["x"]]}, "f"), ["'f'", "'e'", "Start with"]),
    "grammar without alternatives": (lambda: Grammar({"e": []}, "e"), ["'e'", "at least one"]),
    "grammar with a bare word": (lambda: Grammar({"e": ["x"]}, "e"), ["'e'", "'x'", "list"]),
    "grammar with twins": (
        lambda: Grammar({"e": [["a"], ["f"], ["e"]], "f": [["b"]]}, "e"),
        ["'e'", "['f']", "['e']", "another word"],
    ),
    "grammar without an end": (lambda: Grammar({"e": [["a", "e"]]}, "e"), ["'e'", "end", "['x']"]),
    "grammar too shallow": (
        lambda: Grammar({"e": [["f"]], "f": [["x"]]}, "e", max_depth=1),
        ["max_depth=1", "2 levels", "max_depth=2"],
    ),
    "fractional depth": (lambda: Grammar({"e": [["x"]]}, "e", max_depth=1.5), ["1.5", "None"]),
    "no choices to take": (lambda: Grammar({"e": [["x"]]}, "e", n_choices=0), ["n_choices=0", "1"]),
    "trees that do not end": (
        lambda: Grammar({"e": [["b", *["f"] * 8]], "f": [["x"], ["y"]]}, "e", n_choices=4).sample(
            1, np.random.default_rng(0)
        ),
        ["4 choices", "max_depth", "raise n_choices"],
    ),
    "product of nothing": (lambda: Product({}), ["0 parts", "at least one"]),
    "product part without a name": (lambda: Product({"a/b": space(x=X)}), ["'a/b'", "'/'"]),
    "product part that is no space": (lambda: Product({"a": X}), ["'a'", "Float", "as_space"]),
}

MIXED = space(
    kernel=KERNEL,
    gamma=Float(0.1, 10, log=True).when(kernel=["rbf", "poly"]),
    degree=Integer(2, 5).when(kernel="poly"),
    batch=Integer(16, 64, step=16),
    kind=Constant("svm"),
    forbid=[{"kernel": "poly", "batch": 64}],
)
LINEAR = {"kernel": "linear", "batch": 16}
TREES = Grammar({"e": [["add", "e", "e"], ["x"]]}, "e", max_depth=2)
PARTS = Product({"model": MIXED, "tree": TREES})

CHECKS = {
    "not a dict": (lambda: MIXED.check([("kernel", "rbf")]), ["dict", "list", "'kernel'"]),
    "unknown name": (
        lambda: MIXED.check({**LINEAR, "gama": 1.0}),
        ["'gama'", "kernel, gamma", "Did you mean 'gamma'"],
    ),
    "missing": (lambda: MIXED.check({"kernel": "linear"}), ["'batch'", "missing", "16 to 64"]),
    "inactive": (
        lambda: MIXED.check({**LINEAR, "gamma": 1.0}),
        ["'gamma'", "1.0", "inactive", "kernel in {'rbf', 'poly'}", "Leave it out"],
    ),
    "not a number": (
        lambda: MIXED.check({"kernel": "rbf", "gamma": "1", "batch": 16}),
        ["'gamma'", "'1'", "str", "a number from 0.1 to 10.0"],
    ),
    "outside": (
        lambda: MIXED.check({"kernel": "rbf", "gamma": 11.0, "batch": 16}),
        ["'gamma'", "11.0", "outside", "from 0.1 to 10.0"],
    ),
    "not on the step": (
        lambda: MIXED.check({"kernel": "linear", "batch": 20}),
        ["'batch'", "20", "step of 16", "nearest is 16"],
    ),
    "fraction": (
        lambda: MIXED.check({"kernel": "poly", "gamma": 1, "degree": 2.5, "batch": 16}),
        ["'degree'", "2.5", "integer from 2 to 5", "nearest"],
    ),
    "not a choice": (
        lambda: MIXED.check({**LINEAR, "kernel": "rbv"}),
        ["'rbv'", "'poly'", "'rbf'?"],
    ),
    "another constant": (
        lambda: MIXED.check({**LINEAR, "kind": "knn"}),
        ["'kind'", "'knn'", "'svm'"],
    ),
    "forbidden": (
        lambda: MIXED.check({"kernel": "poly", "gamma": 1, "degree": 3, "batch": 64}),
        ["kernel == 'poly' and batch == 64", "forbidden", "Change one"],
    ),
    "tree under another key": (lambda: TREES.check({"f": ["x"]}), ["{'f': ['x']}", "'e'"]),
    "tree that is no list": (lambda: TREES.check({"e": "x"}), ["'x'", "str", "['x']"]),
    "tree without a rule": (lambda: TREES.check({"e": ["y"]}), ["['y']", "['x']", "Use one of"]),
    "tree too deep": (
        lambda: TREES.check({"e": ["add", ["x"], ["add", ["x"], ["x"]]]}),
        ["'e.2:e'", "max_depth=2", "['x']"],
    ),
    "parts that are no dict": (lambda: PARTS.check(7), ["7", "int", "'model', 'tree'"]),
    "unknown part": (lambda: PARTS.check({"modl": {}}), ["'modl'", "Did you mean 'model'"]),
    "missing part": (lambda: PARTS.check({"model": LINEAR}), ["'tree'", "missing"]),
    "fault in a part": (
        lambda: PARTS.check({"model": LINEAR, "tree": {"e": ["y"]}}),
        ["part 'tree'", "['y']"],
    ),
}


def raised(make):
    with pytest.raises(SpaceError) as caught:
        make()
    return caught


@pytest.mark.parametrize("name", [*CONSTRUCTION, *CHECKS])
def test_an_error_names_the_value_the_expectation_and_the_remedy(name):
    make, parts = (CONSTRUCTION | CHECKS)[name]
    message = str(raised(make).value)
    for part in parts:
        assert part in message, message
    assert len(message) < 600


def test_no_two_causes_are_raised_by_the_same_line():
    where: dict[tuple[str, int], str] = {}
    # These four say different things by one sentence.
    twins = {"nan bound", "boolean bound", "fault in a part", "favourite not a choice"}
    for name, (make, _) in (CONSTRUCTION | CHECKS).items():
        if name not in twins:
            last = traceback.extract_tb(raised(make).value.__traceback__)[-1]
            spot = (last.filename, last.lineno or 0)
            assert spot not in where, f"{name} and {where[spot]} are raised by the same line"
            where[spot] = name
    assert len(where) >= 40


def test_encode_says_which_hyperparameter_is_wrong_among_many_configurations():
    good = [{"kernel": "linear", "batch": 16}] * 100
    with pytest.raises(SpaceError, match="'batch' is 17"):
        MIXED.encode([*good, {"kernel": "linear", "batch": 17}, *good])


def test_a_hand_built_space_with_odd_choices_is_refused_by_name():
    from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace

    odd = ConfigurationSpace(space=[CategoricalHyperparameter("layers", [(1, 2), (3, 4)])])
    with pytest.raises(SpaceError, match=r"'layers'.*list.*name it by a string"):
        as_space(odd)


def test_two_hyperparameters_of_one_name_in_a_description_are_refused():
    item = {"type": "constant", "name": "x", "value": 1}
    with pytest.raises(SpaceError, match="two hyperparameters are named 'x'"):
        HyperparameterSpace({"hyperparameters": [item, item]})


def test_a_stored_number_outside_of_its_range_in_a_description_is_refused():
    data = space(a=Integer(0, 8, step=4), b=Integer(0, 1), forbid=[{"a": 4, "b": 0}]).to_json()
    data["space"]["forbiddens"][0]["clauses"][0]["value"] = 4  # the value, not its number 1
    with pytest.raises(SpaceError, match=r"'a'.*stored number 4.*\[0, 2\]"):
        from_json(data)
