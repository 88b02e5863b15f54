"""Flat rows as files: Parquet, CSV and JSON lines, each with its own way to say "absent".

| | absent | NaN | a configuration's value |
| --- | --- | --- | --- |
| Parquet | null | NaN | typed column; JSON text (noted in the field) where types are mixed |
| CSV | empty cell | `NaN` | as JSON; a text only in quotes where it would read as JSON |
| JSON lines | no key | `null` for objectives and constraints | JSON |
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from octavo.errors import DataError, SettingError, closest
from octavo.storage.flat import kind_of
from octavo.storage.json_text import dump, load

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "Table", "format_of", "read_table", "write_table"]


@dataclass(frozen=True)
class Table:
    """Rows of a file.

    Parameters
    ----------
    columns
        Names, in the file's order.
    rows
        By column; what is absent has no key.
    places
        Where each row is, for messages: "line 3".
    problem
        `Problem.to_json`, if the file says.
    is_text
        Whether all values are texts that still have to be interpreted.
    """

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    places: Sequence[str] = ()
    problem: Mapping[str, Any] | None = field(default=None, kw_only=True)
    is_text: bool = field(default=False, kw_only=True)


def format_of(path: Path) -> str:
    """The suffix that decides the format, without `.gz`.

    Raises
    ------
    SettingError
        If there is no such format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    if suffix not in FORMATS or (packed and suffix == ".parquet"):
        raise SettingError(
            f"{path.name!r} has no known format: its name should end in one of {sorted(FORMATS)}, "
            "or .csv.gz or .jsonl.gz." + closest(suffix, FORMATS)
        )
    return suffix


def read_table(path: Path) -> Table:
    """Read a file of a format in `FORMATS`."""
    return FORMATS[format_of(path)].read(path)


def write_table(path: Path, table: Table, suffix: str) -> None:
    """Write a file in a format in `FORMATS`."""
    FORMATS[suffix].write(path, table)


@contextmanager
def _text(path: Path, mode: str) -> Iterator[IO[str]]:
    encoding = "utf-8-sig" if mode == "r" else "utf-8"  # spreadsheets put a mark in front
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open(f"{mode}b"))
        if path.suffix.lower() == ".gz":
            # Without name and time in its header, equal histories make equal files.
            file = stack.enter_context(gzip.GzipFile("", f"{mode}b", fileobj=file, mtime=0))
        yield stack.enter_context(io.TextIOWrapper(file, encoding=encoding, newline=""))


_NUMBERS = ("objective.", "constraint.")


# JSON lines --------------------------------------------------------------------------


def _write_jsonl(path: Path, table: Table) -> None:
    with _text(path, "w") as file:
        # The problem rides on the first line, so that every line is a trial.
        head: dict[str, Any] = {} if table.problem is None else {"problem": table.problem}
        for row in table.rows or [{}]:
            shown = {
                name: None if name.startswith(_NUMBERS) and _is_nan(value) else value
                for name, value in row.items()
                if value is not None or name.startswith("config.")
            }
            file.write(dump({**shown, **head}, f"trial {row.get('index')}") + "\n")
            head = {}


def _read_jsonl(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    problem = None
    with _text(path, "r") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = load(line)
            except ValueError as error:
                raise DataError(
                    f"{path.name}, line {number} is not JSON ({error}): {_cut(line)}. "
                    "Each line has to be one JSON object."
                ) from error
            if not isinstance(row, dict):
                raise DataError(
                    f"{path.name}, line {number} holds {_cut(line)}. "
                    "Each line has to be one JSON object."
                )
            if isinstance(row.get("problem"), dict) and "space" in row["problem"]:
                problem = row.pop("problem")
            if row:
                for name, value in row.items():
                    if value is None and name.startswith(_NUMBERS):
                        row[name] = math.nan
                rows.append(row)
                places.append(f"line {number}")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(columns, rows, places, problem=problem)


# CSV ---------------------------------------------------------------------------------


def _write_csv(path: Path, table: Table) -> None:
    with _text(path, "w") as file:
        writer = csv.writer(file)  # its \r\n makes it quote a lone \r too
        writer.writerow(table.columns)
        for row in table.rows:
            writer.writerow(
                [_cell(row[name], kind_of(name)) if name in row else "" for name in table.columns]
            )


def _cell(value: Any, kind: str) -> str:
    if kind == "any":
        if isinstance(value, str) and value and not _reads_as_json(value):
            return value
        return dump(value, "a value")
    if value is None:
        return ""
    if kind == "float":
        return "NaN" if math.isnan(value) else repr(value)
    return dump(value, "a value") if kind == "json" else str(value)


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read_csv(path: Path) -> Table:
    with _text(path, "r") as file, _any_size_of_field():
        reader = csv.reader(file, strict=True)
        columns = next(reader, [])
        if not any(columns):
            raise DataError(
                f"{path.name} has no header in its first line. Give each column a name there."
            )
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise DataError(
                f"{path.name} has {columns.count(twice)} columns named {twice!r}. "
                "Rename or remove all but one."
            )
        rows, places = [], []
        start = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise DataError(
                    f"{path.name}, line {start} has {len(cells)} cells, and the header has "
                    f"{len(columns)}. Put texts with commas into double quotes."
                )
            if cells:
                pairs = zip(columns, cells, strict=True)
                rows.append({name: cell for name, cell in pairs if cell != ""})
                places.append(f"line {start}")
            start = reader.line_num + 1
    return Table(columns, rows, places, is_text=True)


@contextmanager
def _any_size_of_field() -> Iterator[None]:
    before = csv.field_size_limit(sys.maxsize)  # a learning curve in a cell may be long
    try:
        yield
    finally:
        csv.field_size_limit(before)


# Parquet -----------------------------------------------------------------------------

_PROBLEM = b"octavo.problem"
_JSON = {b"octavo": b"json"}


def _write_parquet(path: Path, table: Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields, arrays = [], []
    for name in table.columns:
        values = [row.get(name) for row in table.rows]
        present = [row[name] for row in table.rows if name in row]
        how = _arrow_type(pa, kind_of(name), present)
        if how is None:
            values = [
                dump(row[name], f"column {name!r}") if name in row else None for row in table.rows
            ]
        fields.append(pa.field(name, how or pa.string(), metadata=_JSON if how is None else None))
        arrays.append(pa.array(values, type=how or pa.string()))
    metadata = {} if table.problem is None else {_PROBLEM: dump(table.problem, "the problem")}
    schema = pa.schema(fields, metadata=metadata)
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def _arrow_type(pa: Any, kind: str, present: Sequence[Any]) -> pa.DataType | None:
    """The type of a column; None: mixed values, written as JSON."""
    if kind in ("int", "float", "text"):
        return {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}[kind]
    kinds = {type(value) for value in present}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {float}:
        return pa.float64()
    if kinds == {str} and kind == "any":
        return pa.string()
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in present):
        return pa.int64()
    return None


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # ParquetFile reads this one file; read_table would guess columns from folder names.
        with pq.ParquetFile(path) as file:
            found = file.read()
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path.name} is not a Parquet file ({error}). Check that it was written to its end, "
            "and that its suffix tells its format."
        ) from error
    columns = found.schema.names
    rows: list[dict[str, Any]] = [{} for _ in range(found.num_rows)]
    for name, described, column in zip(columns, found.schema, found.columns, strict=True):
        is_json = (described.metadata or {}).get(b"octavo") == b"json"
        for row, value in zip(rows, column.to_pylist(), strict=True):
            if value is not None:
                row[name] = load(value) if is_json else value
    described_problem = (found.schema.metadata or {}).get(_PROBLEM)
    problem = None if described_problem is None else load(described_problem.decode())
    places = [f"row {number}" for number in range(1, len(rows) + 1)]
    return Table(columns, rows, places, problem=problem)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _cut(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


@dataclass(frozen=True)
class _Format:
    read: Callable[[Path], Table]
    write: Callable[[Path, Table], None]


FORMATS: Mapping[str, _Format] = {
    ".csv": _Format(_read_csv, _write_csv),
    ".jsonl": _Format(_read_jsonl, _write_jsonl),
    ".parquet": _Format(_read_parquet, _write_parquet),
}
"""All formats, by suffix."""
