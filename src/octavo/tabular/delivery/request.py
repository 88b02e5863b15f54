"""The body of a request as a table; whatever is wrong with it becomes a sentence."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from octavo.errors import DataError, closest
from octavo.tabular.delivery.openapi import is_required

if TYPE_CHECKING:
    from octavo.tabular.schema import Schema

__all__ = ["TYPES", "Unreadable", "rows_of", "table_of"]

TYPES = ("application/json", "text/csv")


class Unreadable(DataError):
    """A body that is not what its type says."""


def table_of(body: bytes, kind: str, schema: Schema) -> pd.DataFrame:
    """The rows of a body, as a table that the schema can be applied to.

    Parameters
    ----------
    body
        UTF-8.
    kind
        One of `TYPES`.
    schema
        Of the model.

    Raises
    ------
    Unreadable
        If it is no JSON, or no CSV.
    DataError
        If it holds no rows of cells, or lacks columns that are required.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8 ({error.reason}). Encode it as UTF-8.") from error
    rows = rows_of(text) if kind == "application/json" else None
    frame = _from_csv(text) if rows is None else _from_rows(rows, schema)
    wanted = [feature.name for feature in schema.features if is_required(feature)]
    lacking = [name for name in wanted if name not in frame.columns]
    if rows:
        # A cell may be null, but its name must be there, in each row.
        lacking = [name for name in wanted if any(name not in row for row in rows)]
    if lacking:
        first = 0 if not rows else next(i for i, row in enumerate(rows) if lacking[0] not in row)
        where = f"Row {first}" if rows else "The table"
        raise DataError(
            f"{where} has no {lacking[0]!r}.{closest(lacking[0], map(str, frame.columns))} "
            f"Each row needs {', '.join(map(repr, wanted))}; a cell that is not known may be "
            f"{'null' if rows is not None else 'empty'}."
        )
    return frame


def rows_of(text: str) -> list[Mapping[str, Any]]:
    """The rows of a JSON document: a list of objects, or an object with the list `rows`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is no JSON: {error}. Send a list of rows.") from error
    rows = document
    if isinstance(document, dict) and isinstance(document.get("rows"), list):
        rows = document["rows"]
    if not isinstance(rows, list):
        raise DataError(
            f"The body holds {_name(rows)}, but a list of rows is expected, such as "
            '[{"age": 31}, {"age": 45}], or {"rows": [...]}.'
        )
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(
                f"Row {place} is {_name(row)}, but each row must be an object of cells by column, "
                'such as {"age": 31}.'
            )
        for name, cell in row.items():
            if isinstance(cell, dict | list):
                raise DataError(
                    f"Row {place} holds {_name(cell)} in {name!r}. A cell must be a number, a "
                    "text, true, false or null."
                )
    return rows


def _from_rows(rows: list[Mapping[str, Any]], schema: Schema) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in schema.columns})
    names = dict.fromkeys(name for row in rows for name in row)
    # As objects: pandas would read large whole numbers as it likes.
    columns = {name: [_cell(row.get(name)) for row in rows] for name in names}
    frame = pd.DataFrame({n: pd.Series(cells, dtype=object) for n, cells in columns.items()})
    return pd.DataFrame(frame.infer_objects())


def _cell(cell: Any) -> Any:
    if isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) > 2**63:
        return float(cell) if abs(cell) < 10**300 else math.inf
    return cell


def _from_csv(text: str) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(text), index_col=False, skipinitialspace=True)
    except pd.errors.EmptyDataError as error:
        raise Unreadable("The body is empty. Its first line must name the columns.") from error
    except (pd.errors.ParserError, ValueError) as error:
        raise Unreadable(f"The body is no CSV: {error}. Look at the line that it names.") from error


def _name(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth", type(None): "null"}
    return kinds.get(type(value), "a number")
