"""Pipelines that stand on others: a second level, whose columns are what the first one predicts.

Wolpert (1992), Stacked Generalization, Neural Networks 5, 241-259. A stacked pipeline belongs to
one fold and stands on the pipelines of that fold alone. So what it learned from (predictions for
rows that the first level had not seen) is of the same kind as what it is given later, its
out-of-fold predictions are exactly those of the models that are kept, and the mean over folds is
taken once, at the end, as of any other member.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from octavo.tabular.pipeline import Pipeline

__all__ = ["Scorer", "Scores", "StackedPipeline", "level_one_names", "with_level_one"]

Floats = NDArray[np.float64]

LEAST_SHARE = 1e-3
"""Log odds are taken within this and 1 minus this: the difference between very sure and surer
is one of the model's habits, and would pull at a linear model like a real one."""


class Scores(Protocol):
    """What an ensemble asks of its pipelines."""

    def predict_scores(self, X: pd.DataFrame) -> Floats:
        """Probabilities, shape (n, K), or numbers, shape (n,)."""
        ...

    def describe(self) -> str:
        """One line for people."""
        ...

    @property
    def size(self) -> int:
        """How many numbers it has learned."""
        ...


class StackedPipeline:
    """A fitted pipeline that sees what others of its fold predict.

    Parameters
    ----------
    top
        Fitted on the columns of `with_level_one`.
    inputs
        The pipelines that it stands on, of the same fold.
    trials
        The trial of each, by which they can be fitted anew.
    columns
        Names of their predictions, from `level_one_names`.
    sees_table
        Whether the table's own columns are there too.
    """

    def __init__(
        self,
        top: Pipeline,
        inputs: Sequence[Pipeline],
        trials: Sequence[int],
        columns: Sequence[str],
        *,
        sees_table: bool,
    ) -> None:
        self.top = top
        self.inputs = tuple(inputs)
        self.trials = tuple(trials)
        self.columns = tuple(columns)
        self.sees_table = sees_table

    def predict_scores(self, X: pd.DataFrame) -> Floats:
        """Probabilities of all classes, shape (n, K), or numbers, shape (n,)."""
        return self.on_top(X, [pipeline.predict_scores(X) for pipeline in self.inputs])

    def on_top(self, X: pd.DataFrame, given: Sequence[NDArray[np.floating]]) -> Floats:
        """The same, where the predictions of its inputs are there already."""
        return self.top.predict_scores(
            with_level_one(X, given, self.columns, sees_table=self.sees_table)
        )

    def on(self, inputs: Sequence[Pipeline]) -> StackedPipeline:
        """The same on other pipelines of the same trials."""
        return StackedPipeline(
            self.top, inputs, self.trials, self.columns, sees_table=self.sees_table
        )

    def describe(self) -> str:
        """One line for people."""
        return f"{self.top.describe()}, on the predictions of {len(self.inputs)} models"

    @property
    def size(self) -> int:
        """How many numbers it and its inputs have learned."""
        return self.top.size + sum(pipeline.size for pipeline in self.inputs)


def level_one_names(trials: Sequence[int], n_classes: int, taken: Iterable[str]) -> list[str]:
    """A name for each column of `with_level_one`, none of which the table has.

    Examples
    --------
    >>> level_one_names([3, 8], 2, ["size", "colour"])
    ['model 3', 'model 8']
    >>> level_one_names([3], 3, ["model 3, class 1"])
    ['_model 3, class 0', '_model 3, class 1', '_model 3, class 2']
    """
    known = set(taken)
    names = [
        f"model {trial}" + (f", class {k}" if n_classes > 2 else "")
        for trial in trials
        for k in range(n_classes if n_classes > 2 else 1)
    ]
    while known.intersection(names):
        names = [f"_{name}" for name in names]
    return names


def with_level_one(
    X: pd.DataFrame,
    given: Sequence[NDArray[np.floating]],
    columns: Sequence[str],
    *,
    sees_table: bool,
) -> pd.DataFrame:
    """A canonical table for the second level: log odds of classes, or predicted numbers.

    Parameters
    ----------
    X : shape (n, p)
        From `Schema.apply`.
    given : m arrays of shape (n, K) or (n,)
        What the first level predicts.
    columns
        From `level_one_names`.
    sees_table
        Whether the table's own columns stay.
    """
    # Rounded as out-of-fold predictions are on disk: a tree's threshold may lie between.
    found = np.column_stack([_informative(np.asarray(one, np.float32)) for one in given])
    frame = pd.DataFrame(found.astype(np.float64), columns=list(columns), index=X.index)
    return pd.concat([X, frame], axis=1) if sees_table else frame


def _informative(predictions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers as they are; of two classes the log odds of the second, of more those of each."""
    if predictions.ndim == 1:
        return predictions
    shares = predictions[:, 1:] if predictions.shape[1] == 2 else predictions
    shares = np.clip(shares, LEAST_SHARE, 1 - LEAST_SHARE)
    return np.log(shares / (1 - shares))


class Scorer:
    """Asks pipelines about one table, and each that several stand on only once.

    Parameters
    ----------
    pipelines
        All that will be asked, each once.
    canonical
        The table.
    """

    def __init__(self, pipelines: Iterable[Scores], canonical: pd.DataFrame) -> None:
        self._canonical = canonical
        self._known: dict[int, Floats] = {}
        # Predictions are kept for as long as somebody will want them, and no longer.
        self._wanted = Counter(id(one) for asked in pipelines for one in _asked_by(asked))

    def __call__(self, pipeline: Scores) -> Floats:
        """Its scores."""
        if isinstance(pipeline, StackedPipeline):
            return pipeline.on_top(self._canonical, [self._once(one) for one in pipeline.inputs])
        return self._once(pipeline)

    def _once(self, pipeline: Scores) -> Floats:
        key = id(pipeline)
        found = self._known.pop(key, None)
        if found is None:
            found = pipeline.predict_scores(self._canonical)
        self._wanted[key] -= 1
        if self._wanted[key] > 0:
            self._known[key] = found
        return found


def _asked_by(pipeline: Scores) -> Sequence[Scores]:
    return pipeline.inputs if isinstance(pipeline, StackedPipeline) else (pipeline,)
