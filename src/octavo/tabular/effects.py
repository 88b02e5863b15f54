"""Effects of columns on an ensemble's predictions, with what a picture of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.partial_dependence import PartialDependence, partial_dependence
from octavo.errors import SettingError, closest

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from octavo.tabular.model import TabularModel

__all__ = ["Effect", "effect", "place_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Effect:
    """How predictions change with one column, or two: partial dependence.

    Parameters
    ----------
    found
        Grid, mean, interval and curves.
    labels
        For each column its grid in words, where it has no numbers or dates to draw; else empty.
    classes
        Labels of the classes, in the order of the last axis; empty for numbers.
    target
        Name of what is predicted.
    """

    found: PartialDependence
    labels: tuple[tuple[str, ...], ...]
    classes: tuple[Any, ...]
    target: str

    @property
    def columns(self) -> tuple[str, ...]:
        """One name or two."""
        return self.found.columns

    def grid(self, column: int = 0) -> NDArray[Any]:
        """The values that a column was set to; words for truths and categories."""
        words = self.labels[column]
        return np.array(words, dtype=object) if words else self.found.grid[column]

    def place(self, label: Any = None) -> int:
        """Which output is meant by a class; by default the second of two, the first of more."""
        return place_of(label, self.classes, self.target)

    def said(self, label: Any = None) -> str:
        """What is predicted, in words."""
        if not self.classes:
            return self.target
        return f"probability of {self.classes[self.place(label)]}"

    def frame(self) -> pd.DataFrame:
        """As a table: the columns' values, then mean, low and high (for each class)."""
        grids = [self.grid(at) for at in range(len(self.columns))]
        index = pd.MultiIndex.from_product(grids, names=self.columns)
        parts = []
        for at in range(self.found.mean.shape[-1]):
            table = pd.DataFrame(
                {
                    name: getattr(self.found, name)[..., at].ravel()
                    for name in ("mean", "low", "high")
                },
                index=index,
            ).reset_index()
            if self.classes:
                table.insert(len(grids), "class", self.classes[at])
            parts.append(table)
        return pd.concat(parts, ignore_index=True)

    def plot(self, label: Any = None, *, curves: int = 40) -> go.Figure:
        """As a plotly figure: the mean with its interval over curves of single rows, or a map.

        Parameters
        ----------
        label
            The class; by default the second of two, the first of more.
        curves
            How many rows are drawn.
        """
        from octavo.report import plots

        at, said = self.place(label), self.said(label)
        if len(self.columns) == 2:
            return plots.surface(
                self.columns, (self.grid(0), self.grid(1)), self.found.mean[..., at], said
            )
        return plots.effect(
            self.columns[0],
            self.grid(),
            self.found.mean[:, at],
            self.found.low[:, at],
            self.found.high[:, at],
            self.found.curves[:curves, :, at],
            said,
        )


def place_of(label: Any, classes: Sequence[Any], target: str) -> int:
    """Which class is meant by a label; None means the second of two, the first of more.

    Raises
    ------
    SettingError
        If there is no such class, or there are none.
    """
    if not classes:
        if label is not None:
            raise SettingError(
                f"label={label!r}: {target!r} is a number and has no classes to choose from. Leave "
                "it out."
            )
        return 0
    if label is None:
        return 1 if len(classes) == 2 else 0
    known = [str(one) for one in classes]
    if str(label) not in known:
        raise SettingError(
            f"label={label!r} is no class of {target!r}.{closest(str(label), known)} Classes are "
            f"{', '.join(map(repr, classes[:10]))}."
        )
    return known.index(str(label))


def effect(
    model: TabularModel, rows: pd.DataFrame, columns: str | Sequence[str], **how: Any
) -> Effect:
    """Partial dependence of a model on canonical rows; see `TabularModel.partial_dependence`."""
    found = partial_dependence(model.canonical_scores, rows, columns, **how)
    kinds = {feature.name: feature for feature in model.schema.features}
    labels = []
    for name, grid in zip(found.columns, found.grid, strict=True):
        feature = kinds[name]
        if feature.kind == "boolean":
            words = feature.categories or ("0", "1")
            labels.append(tuple(str(words[int(value)]) for value in grid))
        else:
            labels.append(tuple(map(str, grid)) if feature.kind == "category" else ())
    return Effect(found, tuple(labels), model.target.classes or (), model.target.name)
