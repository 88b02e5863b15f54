"""Misuses of `space`, of hyperparameters, and of configurations; tests/spaces has more."""

import numpy as np
from misuse import Misuse

from octavo import Categorical, Constant, Float, Integer, Ordinal, space
from octavo.errors import SpaceError
from octavo.spaces import (
    Grammar,
    Product,
    any_of,
    as_space,
    at_least,
    from_json,
    greater_than,
    other_than,
)

X = Float(0.0, 1.0)
KERNEL = Categorical(["linear", "rbf", "poly"])
SVM = space(
    kernel=KERNEL,
    gamma=Float(0.1, 10, log=True).when(kernel=["rbf", "poly"]),
    batch=Integer(16, 64, step=16),
    forbid=[{"kernel": "poly", "batch": 64}],
)


def refuse(cause, call, value, expected, remedy):
    return Misuse(cause, call, SpaceError, value, expected, remedy)


MAKING = [
    refuse(
        "bounds in words",
        lambda: space(x=Float("small", "large")),
        "low='small'", "a number is needed", "use Categorical for choices",
    ),
    refuse(
        "an infinite bound",
        lambda: space(x=Float(0, float("inf"))),
        "high=inf", "needs finite bounds", "the largest value worth trying",
    ),
    refuse("swapped bounds", lambda: space(x=Float(1, 0)), "low=1", "must be smaller", "Swap"),
    refuse(
        "a log scale from zero",
        lambda: space(x=Float(0, 1, log=True)),
        "low=0", "A log scale needs low > 0", "log=False",
    ),
    refuse(
        "a log scale in words",
        lambda: space(x=Float(0.1, 1, log="no")),
        "log='no'", "of type str", "Say True for a log scale",
    ),
    refuse(
        "an integer with a fraction",
        lambda: space(x=Integer(0.5, 3)),
        "low=0.5", "has a fraction", "Use low=0, or a Float",
    ),
    refuse(
        "a step that does not divide",
        lambda: space(x=Integer(1, 10, step=4)),
        "step=4", "does not divide its range from 1 to 10", "Use high=9",
    ),
    refuse(
        "a negative step",
        lambda: space(x=Float(0, 1, step=-0.1)),
        "step=-0.1", "must be a positive number", "Give one that divides the range",
    ),
    refuse(
        "a default outside",
        lambda: space(x=Float(0, 1, default=5)),
        "the default of 'x' is 5", "outside of its range", "Give a number from 0.0 to 1.0",
    ),
    refuse(
        "choices as a word",
        lambda: space(x=Categorical("adam")),
        "choices='adam'", "of type str", "Give a list",
    ),
    refuse("no choices", lambda: space(x=Categorical([])), "'x'", "has no choices", "at least one"),
    refuse(
        "choices that are objects",
        lambda: space(x=Categorical([len, max])),
        "<built-in function len>", "must be str, int, float, bool or None", "name it by a string",
    ),
    refuse(
        "equal choices",
        lambda: space(x=Categorical([1, True])),
        "1, True", "Each may appear once", "remove the others",
    ),
    refuse(
        "a constant that does not equal itself",
        lambda: space(x=Constant(float("nan"))),
        "the value nan", "JSON cannot hold", "Use the string 'nan'",
    ),
    refuse(
        "weights for too few choices",
        lambda: space(x=Categorical(["a", "b", "c"], prior=[1, 2])),
        "2 weights for 3", "one for each", "Give",
    ),
    refuse(
        "a belief outside",
        lambda: space(x=Float(0, 1, prior=3)),
        "the prior of 'x' is 3", "outside of its range", "Give a number from 0.0 to 1.0",
    ),
    refuse("an empty space", lambda: space(), "0 hyperparameters", "nothing to choose", "at least"),
    refuse(
        "a list of hyperparameters",
        lambda: space([X, KERNEL]),
        "of type list", "hyperparameters have names", "Write space(x=Float(0, 1))",
    ),
    refuse(
        "a pair in place of a hyperparameter",
        lambda: space(x=(0, 1)),
        "(0, 1), of type tuple", "is no hyperparameter", "Use Float(low, high)",
    ),
    refuse("one name twice", lambda: space({"x": X}, x=X), "'x'", "is given twice", "Leave one"),
    refuse(
        "a number as a name",
        lambda: space({3: X}),
        "3 cannot", "the name of a hyperparameter", "Use a string",
    ),
    refuse(
        "a forbidden number",
        lambda: space(x=X, forbid=3),
        "forbid=3", "is a list of what may not occur together", "Write such as forbid=[",
    ),
    refuse(
        "a relation that cannot be read",
        lambda: space(x=X, y=X, forbid=["x + y"]),
        "'x + y'", "cannot be read", "Write two hyperparameters",
    ),
    refuse(
        "forbidding what is not there",
        lambda: space(kernel=KERNEL, forbid=[{"kernl": "rbf"}]),
        "'kernl'", "Did you mean 'kernel'?", "Name one of",
    ),
    refuse(
        "nearly everything forbidden",
        lambda: space(k=Categorical(["a", "b"]), forbid=[{"k": ["a", "b"]}]),
        "k in {'a', 'b'}", "nearly every", "relax",
    ),
    refuse("no condition", lambda: X.when(), "when()", "without a condition", "when(optimizer"),
    refuse(
        "any of no conditions",
        lambda: any_of(),
        "any_of()", "would never hold", "Give at least one",
    ),
    refuse(
        "an unknown parent",
        lambda: space(x=X.when(kernal="rbf"), kernel=KERNEL),
        "'kernal'", "this space does not have. Did you mean 'kernel'?", "remove the condition",
    ),
    refuse(
        "a condition on itself",
        lambda: space(x=X.when(x=1)),
        "'x'", "a condition on itself", "Name another hyperparameter",
    ),
    refuse(
        "a condition in words",
        lambda: space(x=X.when("kernel"), kernel=KERNEL),
        "'kernel', of type str", "a condition of 'x'", "Write it as .when(parent=value)",
    ),
    refuse(
        "conditions in a circle",
        lambda: space(a=Integer(1, 2).when(b=1), b=Integer(1, 2).when(a=1)),
        "'a' needs 'b' needs 'a'", "circle", "Remove one",
    ),
    refuse(
        "comparing what has no order",
        lambda: space(x=X.when(k=greater_than("rbf")), k=KERNEL),
        "'rbf'", "condition of 'x'", "Ordinal",
    ),
    refuse(
        "a condition that always holds",
        lambda: space(x=X.when(o=at_least(1)), o=Ordinal([1, 2])),
        "o >= 1", "always", "leave it out",
    ),
    refuse(
        "other than one of infinitely many",
        lambda: space(x=X.when(y=other_than(0.5)), y=X),
        "0.5", "infinitely", "less_than",
    ),
]  # fmt: skip

CONFIGURATIONS = [
    refuse(
        "a configuration that is no dict",
        lambda: SVM.check([("kernel", "rbf")]),
        "got list", "must be a dict", "Give the values by name",
    ),
    refuse(
        "an unknown hyperparameter",
        lambda: SVM.check({"kernel": "linear", "batch": 16, "gama": 1.0}),
        "'gama'", "Did you mean 'gamma'?", "kernel, gamma",
    ),
    refuse(
        "a missing hyperparameter",
        lambda: SVM.check({"kernel": "linear"}),
        "'batch' is missing", "it is active", "Give an integer from 16 to 64",
    ),
    refuse(
        "an inactive hyperparameter",
        lambda: SVM.check({"kernel": "linear", "batch": 16, "gamma": 1.0}),
        "'gamma' is given (1.0)", "inactive: it only counts when", "Leave it out",
    ),
    refuse(
        "a number in words",
        lambda: SVM.check({"kernel": "rbf", "batch": 16, "gamma": "1"}),
        "'1', of type str", "not a number", "Give a number from 0.1 to 10.0",
    ),
    refuse(
        "a number outside",
        lambda: SVM.check({"kernel": "rbf", "batch": 16, "gamma": 11.0}),
        "'gamma' is 11.0", "outside of its range", "Give a number from 0.1 to 10.0",
    ),
    refuse(
        "a number between the steps",
        lambda: SVM.check({"kernel": "linear", "batch": 20}),
        "'batch' is 20", "step of 16", "the nearest is 16",
    ),
    refuse(
        "a misspelt choice",
        lambda: SVM.check({"kernel": "rbv", "batch": 16}),
        "'rbv'", "not among its choices", "Give one of 'linear', 'rbf', 'poly'",
    ),
    refuse(
        "a forbidden combination",
        lambda: SVM.check({"kernel": "poly", "batch": 64, "gamma": 1.0}),
        "kernel == 'poly' and batch == 64", "forbidden", "Change one",
    ),
    refuse(
        "fewer configurations than none",
        lambda: SVM.sample(-1, np.random.default_rng(0)),
        "n=-1", "how many configurations to draw", "Give a whole number of at least 0",
    ),
    refuse(
        "a seed in place of a generator",
        lambda: SVM.sample(1, 0),
        "rng=0, of type int", "Pass a generator", "numpy.random.default_rng(0)",
    ),
]  # fmt: skip

OTHERS = [
    refuse(
        "what is no space",
        lambda: as_space([X]),
        "of type list", "which is no space", "Write one with octavo.space",
    ),
    refuse(
        "a description that is no dict",
        lambda: from_json([1, 2]),
        "[1, 2], of type list", "a dict is needed", "Pass what space.to_json()",
    ),
    refuse(
        "a description of an unknown kind",
        lambda: from_json({"kind": "graph"}),
        "kind='graph'", "It knows 'hyperparameters', 'grammar', 'product'", "update Octavo",
    ),
    refuse(
        "a description that is cut off",
        lambda: from_json({"kind": "hyperparameters"}),
        "kind='hyperparameters'", "it has no 'space'", "Write it again",
    ),
    refuse(
        "a grammar that never ends",
        lambda: Grammar({"e": [["a", "e"]]}, "e"),
        "'e'", "end", "['x']",
    ),
    refuse(
        "a grammar without its start",
        lambda: Grammar({"e": [["x"]]}, "f"),
        "'f'", "'e'", "Start with",
    ),
    refuse("a product of nothing", lambda: Product({}), "0 parts", "at least one", "Give"),
]  # fmt: skip

CASES = [*MAKING, *CONFIGURATIONS, *OTHERS]
