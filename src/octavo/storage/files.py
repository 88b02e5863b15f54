"""Histories as files, for other programs and from them: Parquet, CSV, JSON lines."""

from __future__ import annotations

import contextlib
import csv
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from octavo.errors import DataError, OctavoError, StorageError
from octavo.history import History
from octavo.problem import Objective, Problem
from octavo.storage.flat import FIELDS, flat_row
from octavo.storage.interpret import Interpreter, inferred_problem
from octavo.storage.tables import Table, format_of, read_table, write_table

__all__ = ["export_history", "import_history"]


def export_history(history: History, path: Path | str) -> Path:
    """Write all trials of a history to a file, one row each.

    Objectives are in the user's direction. Parquet and JSON lines keep everything, the
    problem included. CSV keeps all of the trials, but has no place for the problem, and an
    empty text among instance, output and checkpoint path becomes None.

    Parameters
    ----------
    history
        What to write.
    path
        Its suffix says the format: .parquet, .csv, .jsonl, .csv.gz or .jsonl.gz. A file that
        is there is replaced once the new one is complete.

    Raises
    ------
    SettingError
        If the suffix is unknown.
    StorageError
        If the file cannot be written.
    """
    path = Path(path)
    suffix = format_of(path)
    rows = [flat_row(trial, history.problem) for trial in history]
    names = dict.fromkeys(name for row in rows for name in row if name.startswith("config."))
    columns = [
        "index",
        "status",
        *[f"objective.{objective.name}" for objective in history.problem.objectives],
        *[f"constraint.{constraint.name}" for constraint in history.problem.constraints],
        *(names or [f"config.{column.name}" for column in history.problem.space.columns]),
        *[name for name in FIELDS if name not in ("index", "status")],
    ]
    table = Table(columns, rows, problem=history.problem.to_json())
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write_table(unfinished, table, suffix)
        return unfinished.replace(path)
    except OSError as error:
        raise StorageError(
            f"the history could not be written to {path} ({error.strerror or error}). "
            "Check that the folder exists, that you may write there, and that it has space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def import_history(
    path: Path | str,
    problem: Problem | None = None,
    *,
    config: Sequence[str] | None = None,
    objectives: Sequence[str | Objective] | None = None,
) -> History:
    """Read a history from a file: one that was exported, or any table of trials.

    Parameters
    ----------
    path
        A file ending in .parquet, .csv, .jsonl, .csv.gz or .jsonl.gz.
    problem
        What the trials answer. Not needed if the file says, which Parquet and JSON lines
        written by `export_history` do.
    config, objectives
        For a table without a problem: which columns are hyperparameters and which are
        objectives. The space is then inferred from what occurs: numbers become ranges
        (logarithmic where positive values spread over a factor of 1,000), texts choices.

    Returns
    -------
    The trials in the order of the file. In a table from elsewhere, a hyperparameter or
    objective may stand under its bare name, an empty cell is a hyperparameter that is not
    active, a row without costs is a failed trial, and columns of no known meaning are kept
    as extra data.

    Raises
    ------
    StorageError
        If the file cannot be opened.
    DataError
        If a value cannot be used; the message names column and row.
    """
    path = Path(path)
    format_of(path)
    table = _read(path)
    if problem is None and config is None and objectives is None:
        if table.problem is None:
            raise DataError(
                f"{path.name} does not say what its trials answer. Pass the problem, or name its "
                "columns: import_history(path, config=['learning_rate'], objectives=['loss']). "
                f"It has the columns {list(table.columns)[:20]}."
            )
        return Interpreter(path.name, table, Problem.from_json(table.problem)).history(
            is_checked=False  # an old trial need not lie in a space that was narrowed since
        )
    if problem is None:
        problem = inferred_problem(path.name, table, config or (), objectives or ())
    elif config is not None or objectives is not None:
        raise DataError(
            "got a problem and also names of columns, which could contradict each other. "
            "Pass the problem alone; its hyperparameters and objectives name the columns."
        )
    return Interpreter(path.name, table, problem).history(is_checked=True)


def _read(path: Path) -> Table:
    try:
        return read_table(path)
    except OctavoError:
        raise
    except FileNotFoundError as error:
        raise StorageError(f"there is no file {path}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not UTF-8 text ({error}). Save it as UTF-8, or give it the suffix "
            "of its real format."
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{path.name} cannot be read as CSV: {error}. Put texts with commas, quotes or line "
            'breaks into double quotes, and double the quotes inside: "say ""so""".'
        ) from error
    except (EOFError, zlib.error) as error:
        raise DataError(
            f"{path.name} cannot be unpacked: {error}. It may have been cut off; copy it again."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read ({error.strerror or error}). Check that it is a file in the "
            "format that its suffix says, and that you may read it."
        ) from error
