"""Runs in folders as what `octavo.transfer` learns from: trials, and what a table was like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from octavo.errors import StorageError
from octavo.executors import load_placed
from octavo.study import open_study
from octavo.tabular.portfolio import table_features
from octavo.tabular.runs import is_run, load_question
from octavo.transfer import KnownTask

__all__ = ["earlier_run"]


def earlier_run(folder: str | Path) -> KnownTask:
    """What a run of `octavo fit` (or another study in a folder) tells to later ones.

    Runs on tables with the same columns and number of rows share a group.

    Parameters
    ----------
    folder
        Of the run. What was asked of a tabular run is a pickle: give only those of people you
        trust.

    Raises
    ------
    StorageError
        If there is no study in it.
    """
    folder = Path(folder)
    with open_study(folder, write=False) as study:
        history = study.history
        list(history)  # its trials are read while the store is open
        prints = (study.settings.get("run") or {}).get("data") or {}
        name = study.name
    if not is_run(folder):
        return KnownTask(name, history)
    prepared, _ = load_question(folder)
    schema, target = prepared.schema, prepared.target
    y, table = _placed(folder, prints)
    return KnownTask(
        name=name,
        history=history,
        group=f"{target.name}, {schema.n_rows} rows, columns {_digest(schema.columns)}",
        features=table_features(schema, y, target.kind, table=table),
    )


def _digest(columns: Sequence[Any]) -> str:
    """Says whether columns are the same without naming them: portfolios are passed on."""
    return sha256("\n".join(map(str, columns)).encode()).hexdigest()[:8]


def _placed(folder: Path, prints: Mapping[str, str]) -> tuple[Any, Any]:
    """Target and table of a run, as far as they still lie in its folder."""
    wanted = {name: digest for name, digest in prints.items() if name in ("y", "table")}
    try:
        found = load_placed(folder, wanted)
    except StorageError:  # somebody tidied up: the rest is known without them
        return None, None
    return found.get("y"), found.get("table")
