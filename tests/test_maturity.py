"""Every method says how mature it is, and the page that compares says the same."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from octavo import callbacks, executors, optimizers, schedulers, storage, surrogates
from octavo.maturity import MEANING, Maturity

PAGE = (Path(__file__).parent.parent / "docs" / "compare.md").read_text()
FLOORS = [optimizers, schedulers, executors, storage, callbacks, surrogates]
WORDS = get_args(Maturity)


def those_with(package: ModuleType, *methods: str) -> set[str]:
    """The public classes anywhere in a package that have these methods; no protocols."""
    modules = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return {
        name
        for module in map(importlib.import_module, (m for m in modules if ".migrations" not in m))
        for name in getattr(module, "__all__", [])
        if inspect.isclass(kind := getattr(module, name))
        and not getattr(kind, "_is_protocol", False)
        and all(hasattr(kind, method) for method in methods)
    }


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.__name__)
def test_the_words_are_known(floor):
    assert set(floor.MATURITY.values()) <= set(WORDS)
    assert tuple(MEANING) == WORDS


def test_no_method_is_forgotten():
    assert set(optimizers.MATURITY) == set(optimizers.CATALOG)
    assert set(schedulers.MATURITY) == those_with(schedulers, "decide")
    assert set(executors.MATURITY) == those_with(executors, "submit", "wait") | {
        "Command",
        "Energy",
    }
    assert set(storage.MATURITY) == those_with(storage, "read", "write", "is_lasting")
    ends = {name for name in callbacks.__all__ if name.startswith("StopWhen")}
    assert set(callbacks.MATURITY) == ends
    models = {name for name in surrogates.__all__ if hasattr(getattr(surrogates, name), "fit")}
    assert set(surrogates.MATURITY) == models


def test_the_page_says_the_same():
    said = {}
    for row in re.findall(r"^\| \[.+\]\(\w+\.md\) \|(.*)\|(.*)\|(.*)\|$", PAGE, re.M):
        for word, cell in zip(WORDS, row, strict=True):
            for name in re.findall(r"`([^`]+)`", cell):
                assert name not in said, f"{name} is there twice"
                said[name] = word
    assert said == {name: word for floor in FLOORS for name, word in floor.MATURITY.items()}
    for word, meaning in MEANING.items():
        assert f"| **{word}** | {meaning} |" in PAGE
