"""What every test needs, wherever it lies: quiet threads, and examples that run.

The examples in docstrings, in README.md and in docs/ are tests: each docstring by itself;
the ```python blocks of a page one after the other, sharing their names, in an empty folder.
"""

import os

# Spinning OpenMP threads starve whatever shares the cores with them. The libraries read
# this when they load, so it stands before every import that could load one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parent


def _enter_empty_folder(names: dict[str, Any]) -> None:
    names["_folder"] = folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    os.chdir(folder.name)


def _leave_empty_folder(names: dict[str, Any]) -> None:
    os.chdir(ROOT)
    names["_folder"].cleanup()


_options = ELLIPSIS | NORMALIZE_WHITESPACE
_pages = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=_options)],
    patterns=["README.md", "docs/*.md"],
    setup=_enter_empty_folder,
    teardown=_leave_empty_folder,
)
_docstrings = Sybil(
    parsers=[DocTestParser(_options)],
    patterns=["src/octavo/*.py"],
    setup=_enter_empty_folder,
    teardown=_leave_empty_folder,
)
pytest_collect_file = (_pages + _docstrings).pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the examples of one page together, and in order, on one worker."""
    for item in items:
        if isinstance(item, SybilItem):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))
