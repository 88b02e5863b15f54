"""Sensitive columns: whose groups a model must not treat differently, and decisions by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.fair_decisions import FairThresholds
from octavo.errors import DataError, SettingError, closest
from octavo.tabular.table import as_frame

__all__ = ["FairRule", "Sensitive", "SensitiveColumn", "joined_labels", "read_sensitive"]

Labels = NDArray[np.object_]

MOST_VALUES = 10
"""Numbers with more different values are cut into four ranges of equally many rows."""
MISSING = "(missing)"


@dataclass(frozen=True)
class SensitiveColumn:
    """How groups are read off a column.

    Parameters
    ----------
    name
        Of the column.
    edges
        Of the ranges that numbers are cut into; empty where values are groups themselves.
    """

    name: str
    edges: tuple[float, ...] = ()

    def labels(self, X: Any) -> Labels:
        """The group of each row in words, shape (n,).

        Raises
        ------
        DataError
            If the column is not there.
        """
        frame = as_frame(X)
        if self.name not in frame.columns:
            raise DataError(
                f"the sensitive column {self.name!r} is not in this table, but groups are read off "
                f"it.{closest(self.name, frame.columns)} Add the column."
            )
        column = frame[self.name]
        found = np.full(len(column), MISSING, dtype=object)
        known = column.notna().to_numpy()
        if not self.edges:
            found[known] = [_word(value) for value in column[known]]
            return found
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
        known = np.isfinite(numbers)
        names = self._ranges()
        found[known] = np.array(names, dtype=object)[
            np.searchsorted(self.edges, numbers[known], "left")
        ]
        return found

    def _ranges(self) -> list[str]:
        inner = [
            f"above {a:g} to {b:g}" for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)
        ]
        return [f"up to {self.edges[0]:g}", *inner, f"above {self.edges[-1]:g}"]


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column of the training table, row by row.

    Parameters
    ----------
    column
        How its groups are read.
    names, codes
        The groups, and that of each row.
    """

    column: SensitiveColumn
    names: tuple[str, ...]
    codes: NDArray[np.int64]

    def labels(self, rows: NDArray[np.int64]) -> Labels:
        """The groups of some rows in words."""
        return np.array(self.names, dtype=object)[self.codes[rows]]


@dataclass(frozen=True)
class FairRule:
    """Decisions with a threshold per group, read off the table that is predicted.

    Parameters
    ----------
    columns
        Whose groups count; of several the combinations.
    groups
        Names of the groups, in the order of the thresholds.
    thresholds
        See `octavo.ensemble.fair_decisions`.
    """

    columns: tuple[SensitiveColumn, ...]
    groups: tuple[str, ...]
    thresholds: FairThresholds

    def apply(self, probabilities: NDArray[np.float64], X: Any) -> NDArray[np.int64]:
        """Encoded decisions, shape (n,); unknown groups have the threshold of all rows."""
        return self.of_labels(probabilities, self.labels(X))

    def labels(self, X: Any) -> Labels:
        """The group of each row in words; a table without the columns is refused."""
        return joined_labels([column.labels(X) for column in self.columns])

    def of_labels(self, probabilities: NDArray[np.float64], labels: Labels) -> NDArray[np.int64]:
        """The same for rows whose groups are known in words."""
        place = {name: at for at, name in enumerate(self.groups)}
        codes = np.array([place.get(label, -1) for label in labels], dtype=np.int64)
        return self.thresholds.apply(probabilities, codes)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "groups": list(self.groups),
            "thresholds": self.thresholds.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Undo `to_json`."""
        return cls(
            tuple(SensitiveColumn(one["name"], tuple(one["edges"])) for one in data["columns"]),
            tuple(data["groups"]),
            FairThresholds.from_json(data["thresholds"]),
        )


def read_sensitive(X: pd.DataFrame, names: Sequence[str]) -> tuple[Sensitive, ...]:
    """Find the groups of each named column.

    Raises
    ------
    SettingError
        If the table has no such column, or only one group.
    """
    found = []
    for name in names:
        if name not in X.columns:
            raise SettingError(
                f"sensitive names the column {name!r}, which the table does not have."
                f"{closest(name, map(str, X.columns))} Name one of its columns."
            )
        column = SensitiveColumn(name, _edges(X[name]))
        groups, codes = np.unique(column.labels(X).astype(str), return_inverse=True)
        if len(groups) < 2:
            raise SettingError(
                f"the sensitive column {name!r} has one group only, {str(groups[0])!r}, so nothing "
                "can be compared. Name another column."
            )
        found.append(Sensitive(column, tuple(map(str, groups)), codes.astype(np.int64)))
    return tuple(found)


def joined_labels(columns: Sequence[Labels]) -> Labels:
    """One label per row for the combination of several columns' groups."""
    if len(columns) == 1:
        return columns[0]
    return np.array([" / ".join(row) for row in zip(*columns, strict=True)], dtype=object)


def _edges(column: pd.Series) -> tuple[float, ...]:
    if column.dtype == bool or not pd.api.types.is_numeric_dtype(column):
        return ()
    values = column.dropna().to_numpy(np.float64)
    if len(np.unique(values)) <= MOST_VALUES:
        return ()
    return tuple(float(edge) for edge in np.unique(np.quantile(values, [0.25, 0.5, 0.75])))


def _word(value: Any) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)
