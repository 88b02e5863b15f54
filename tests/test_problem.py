"""What is asked can be written down, and what makes no sense is refused with advice."""

import numpy as np
import pytest

from octavo.errors import ProblemError
from octavo.problem import Problem, TrialLimits
from octavo.spaces import Float, space

X = space(x=Float(0, 1))


def test_instances_and_their_features_come_back_from_json() -> None:
    problem = Problem(
        X, instances=["a", "b"], instance_features={"b": np.array([3, 4]), "a": (1, 2)}
    )
    assert problem.instances == ("a", "b")
    assert problem.instance_features == {"a": (1.0, 2.0), "b": (3.0, 4.0)}
    assert Problem.from_json(problem.to_json()) == problem
    older = {k: v for k, v in problem.to_json().items() if not k.startswith("instance")}
    assert Problem.from_json(older) == Problem(X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"instances": "a.cnf"}, r"instances='a.cnf' is of type str, but is a list"),
        ({"instances": 3}, r"instances=3 is of type int, but is a list"),
        ({"instances": ["a", 3]}, r"contains 3 of type int"),
        ({"instances": ["a", ""]}, r"contains '' of type str"),
        ({"instances": ["a", "b", "a"]}, r"names 'a' more than once"),
        ({"instance_features": [1.0]}, r"of type list, but maps each instance"),
        ({"instance_features": {"aa": (1,)}}, r"describes 'aa'.*2 instances.*mean 'a'"),
        ({"instance_features": {"a": (1,)}}, r"nothing for 'b'"),
        ({"instance_features": {"a": (1,), "b": (1, 2)}}, r"2 numbers for 'b' and 1 for 'a'"),
        ({"instance_features": {"a": (1,), "b": ("x",)}}, r"has str 'x' for 'b'"),
        ({"instance_features": {"a": (1,), "b": (float("nan"),)}}, r"has float nan for 'b'"),
        ({"instance_features": {"a": (1,), "b": 2.0}}, r"has float 2.0 for 'b'"),
        ({"instance_features": {"a": (1,), "b": ()}}, r"has tuple \(\) for 'b'"),
    ],
)
def test_instances_that_make_no_sense_are_refused(arguments, message) -> None:
    with pytest.raises(ProblemError, match=message):
        Problem(X, **{"instances": ("a", "b"), **arguments})


@pytest.mark.parametrize("name", ["wall_s", "memory_mb", "cpu_s"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "10s", True])
def test_a_limit_on_trials_is_more_than_zero(name, value) -> None:
    with pytest.raises(ProblemError, match=f"trial limit {name}={value!r} must be greater than 0"):
        TrialLimits(**{name: value})
