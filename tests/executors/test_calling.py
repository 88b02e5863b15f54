"""Which arguments an objective gets, and how results and exceptions become plain data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import SettingError
from octavo.executors.calling import OFFERED, Call, failure, plain
from octavo.problem import Problem

space: Any = None
PROBLEM = Problem(space)


class Method:
    def train(self, config: Any, *, seed: int) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        (lambda config: 1.0, set()),
        (lambda c, seed: 1.0, {"seed"}),
        (lambda c, *, seed, X: 1.0, {"seed", "X"}),
        (lambda c, other=3, fidelity=None: 1.0, {"fidelity"}),
        (lambda *args, report: 1.0, {"report"}),
        (lambda c, **rest: 1.0, {*OFFERED, "X"}),
        (lambda seed: 1.0, set()),  # the first is the configuration, whatever its name
        (lambda seed, **rest: 1.0, {*OFFERED, "X"} - {"seed"}),
        (Method().train, {"seed"}),
        (max, set()),  # tells nothing about its arguments
    ],
)
def test_an_objective_gets_what_it_names(objective: Any, wanted: set[str]) -> None:
    assert Call.of(objective, PROBLEM, ["X"]).wanted == wanted


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (0.5, "0.5 cannot be called"),
        (lambda: 1.0, "no positional argument"),
        (lambda *, config: 1.0, "no positional argument"),
        (lambda config, sed: 1.0, "Did you mean 'seed'"),
        (lambda config, *, Z: 1.0, "'Z' that nobody gives it"),
        (lambda config, seed, /: 1.0, "'seed' that nobody gives it"),
    ],
)
def test_an_objective_that_cannot_be_called_is_refused(objective: Any, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Call.of(objective, PROBLEM, ["X"])


def test_data_must_not_hide_what_is_offered() -> None:
    with pytest.raises(SettingError, match="data has the name 'seed'"):
        Call.of(lambda config: 1.0, PROBLEM, ["seed"])


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.binary(),
        st.complex_numbers(),
        st.builds(object),
        st.builds(np.float32, st.floats(width=32, allow_nan=False)),
        st.builds(np.array, st.lists(st.integers(-(2**31), 2**31))),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner),
        st.tuples(inner),
    ),
    max_leaves=20,
)


@given(anything)
def test_whatever_comes_back_is_plain_data(value: Any) -> None:
    json.dumps(plain(value))


json_data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(json_data)
def test_plain_data_come_back_as_they_are(value: Any) -> None:
    assert plain(value) == value


def test_plain_ends_with_data_that_contain_themselves() -> None:
    loop: list[Any] = []
    loop.append(loop)
    json.dumps(plain(loop))


class Sneaky(str):
    def __reduce__(self) -> Any:
        raise TypeError


def test_subclasses_lose_their_class() -> None:
    assert type(plain(Sneaky("x"))) is str
    assert type(plain(np.float64(1))) is float
    assert plain(Path("a/b")) == "a/b"


def test_long_messages_are_cut_in_the_middle() -> None:
    cause = failure(ValueError("a" * 5000 + "b" * 5000)).cause
    assert len(cause) < 2100
    assert cause.startswith("ValueError: aaa")
    assert cause.endswith("bbb")
