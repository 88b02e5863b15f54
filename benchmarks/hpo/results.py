"""Results as CSV files to which rows are only ever appended, one write for each.

A killed run leaves whole rows; should a line be cut all the same, it is dropped when the
file is opened to append.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["KEY", "RowFile", "fill", "shown"]

KEY = ("task", "seed", "system", "version", "trials")
"""What makes a run; a row with all of these equal is not run again."""


class RowFile:
    """A CSV file with a header.

    Parameters
    ----------
    path
        Created with its header if it does not exist.
    fields
        The columns, those of `KEY` first.
    """

    def __init__(self, path: Path, fields: Sequence[str]) -> None:
        self.path = path
        self.fields = tuple(fields)
        if not path.exists() or path.stat().st_size == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(dict(zip(self.fields, self.fields, strict=True)))
        text = path.read_bytes()
        if not text.endswith(b"\n"):
            os.truncate(path, text.rfind(b"\n") + 1)
        header = text[: text.find(b"\n")].decode().split(",")
        if tuple(header) != self.fields:
            raise SystemExit(
                f"{path} has the columns {header}, but this script writes {list(self.fields)}. "
                "Give another file with --out, or move the old one away."
            )

    def done(self) -> set[tuple[str, ...]]:
        """The keys of all rows."""
        with self.path.open(newline="") as file:
            return {tuple(row[field] for field in KEY) for row in csv.DictReader(file)}

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row; columns that it lacks stay empty."""
        self._write({field: row.get(field, "") for field in self.fields})

    def _write(self, row: Mapping[str, Any]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, self.fields, lineterminator="\n").writerow(row)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.getvalue().encode())
        finally:
            os.close(descriptor)


def fill(
    out: RowFile,
    keys: Iterable[tuple[str, int, str, str, int]],
    run: Callable[[str, int, str, int], Mapping[str, Any]],
    hours: float,
) -> None:
    """Run what has no row yet.

    Parameters
    ----------
    out
        Where the rows go.
    keys
        (task, seed, system, version, trials), in the order in which they are to be run.
    run
        From task, seed, system and trials to the columns of a row. An exception is recorded
        in the column `failed`; the summary counts it as the last rank.
    hours
        No run is started after so long.
    """
    end = time.monotonic() + 3600 * hours
    done = out.done()
    for key in keys:
        if tuple(map(str, key)) in done:
            continue
        if time.monotonic() > end:
            print("the time is up; the same command goes on from here")
            return
        task, seed, system, _, trials = key
        began = time.monotonic()
        try:
            columns = dict(run(task, seed, system, trials))
        except Exception as error:  # a system's failure is a result
            columns = {"failed": f"{type(error).__name__}: {error}"[:300].replace("\n", " ")}
        columns["wall_s"] = f"{time.monotonic() - began:.1f}"
        out.append(dict(zip(KEY, key, strict=True)) | columns)
        result = columns.get("failed") or columns.get("best", "")
        print(f"{task} seed {seed} {system}: {result} ({columns['wall_s']} s)", flush=True)


def shown(number: float) -> str:
    """A number with ten significant digits, for CSV files that people also read."""
    return f"{number:.10g}"
