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

from sybil import Sybil
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
    # Sybil matches a star against one level of folders.
    patterns=["src/octavo/*.py", "src/octavo/*/*.py", "src/octavo/*/*/*.py"],
    setup=_enter_empty_folder,
    teardown=_leave_empty_folder,
)
pytest_collect_file = (_pages + _docstrings).pytest()
