"""A search on disk: what its folder holds besides the study and the model, and reading it back.

The files are pickles, as the models are: open only folders that come from someone you trust.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from octavo.errors import StorageError
from octavo.study import open_study
from octavo.tabular.model import load_model
from octavo.tabular.prepare import Prepared
from octavo.tabular.settings import SearchSettings

if TYPE_CHECKING:
    from octavo.tabular.search import SearchResult
    from octavo.tabular.stacking import Stacked

__all__ = [
    "is_run",
    "load_question",
    "load_result",
    "load_stacked",
    "save_question",
    "save_result",
]

QUESTION = "search.pkl"
RESULT = "result.pkl"


def is_run(folder: Path) -> bool:
    """Whether a folder holds a tabular search."""
    return (folder / QUESTION).exists()


def save_question(folder: Path, prepared: Prepared, settings: SearchSettings) -> None:
    """Store what was asked, so that the search can be resumed; the tables lie with the data."""
    _dump(folder / QUESTION, (prepared.without_tables(), replace(settings, callbacks=())))


def load_question(folder: Path) -> tuple[Prepared, SearchSettings]:
    """What was asked, without the tables.

    Raises
    ------
    StorageError
        If there is no search in the folder.
    """
    prepared, settings = _load(folder / QUESTION, "search")
    return prepared, settings


def save_result(folder: Path, result: SearchResult) -> None:
    """Store the result without model and history, which are stored already."""
    _dump(folder / RESULT, replace(result, model=None, history=None))  # type: ignore[arg-type]


def load_result(folder: Path) -> SearchResult:
    """The result of a search that ended.

    Raises
    ------
    StorageError
        If there is no search in the folder, or it has not ended.
    """
    result = _load(folder / RESULT, "finished search")
    with open_study(folder, write=False) as study:
        history = study.history
        list(history)  # its trials are read while the store is open
    return replace(result, model=load_model(folder), history=history, folder=folder)


def load_stacked(folder: Path) -> Stacked | None:
    """What stands on the pipelines of a search; None while it has not ended."""
    if not (folder / RESULT).exists():
        return None
    found: Stacked = _load(folder / RESULT, "finished search").stacked
    return found


def _dump(path: Path, what: Any) -> None:
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            cloudpickle.dump(what, file, protocol=5)
        fresh.replace(path)  # a reader never sees half a file
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StorageError(
            f"{path} could not be written: {error.strerror}. Free some space, then resume."
        ) from error


def _load(path: Path, what: str) -> Any:
    try:
        with path.open("rb") as file:
            return cloudpickle.load(file)
    except FileNotFoundError:
        raise StorageError(
            f"there is no {what} in {path.parent} (no {path.name}). Give the folder that "
            "`octavo fit --out` made."
        ) from None
    except Exception as error:  # unpickling raises whatever the pickled classes do
        raise StorageError(
            f"{path} cannot be loaded ({type(error).__name__}: {error}): it is damaged, or was "
            "made with other versions of the libraries. Copy the run's whole folder anew, or "
            "install the versions that it was made with."
        ) from error
