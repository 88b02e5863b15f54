"""A family: one learning algorithm with its space, its good defaults and its price.

A family knows nothing about tables: it gets a dense float matrix, made by the
preprocessing that it asks for, and gives a model. The pipeline joins families into one
space; the search asks each what a configuration will cost before it starts it.

Notation of the whole folder: `X` has shape (n, d), float32; `y` holds class numbers
0..K-1, all of which occur, or standardized numbers; probabilities have shape (n, K).
A deadline is a value of `time.monotonic()`; `math.inf` means none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OutOfTimeError, SettingError

if TYPE_CHECKING:
    from octavo.spaces import Hyperparameter

__all__ = ["TASKS", "Config", "Family", "Model", "Preprocessing", "Shape", "TaskKind", "in_time"]

Config = Mapping[str, Any]
Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
TaskKind = Literal["binary", "multiclass", "regression"]
Preprocessing = Literal["linear", "trees", "native", "distance"]
"""How a family likes its table: scaled one-hot numbers, ordinal numbers, category codes
that it splits itself, or numbers on comparable scales."""

TASKS: tuple[TaskKind, ...] = ("binary", "multiclass", "regression")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the price of a model, and which choices make sense, depend on.

    Parameters
    ----------
    task
        What is predicted.
    n_rows
        Rows to train on.
    n_features
        Columns of the matrix when categories stay one column each.
    n_onehot
        Columns that one-hot encoding adds to those.
    n_classes
        Number of classes; 1 for regression.
    n_texts
        Columns of text.
    has_categories
        Whether any column is categorical.
    imbalance
        Rows of the largest class per row of the smallest.
    is_skewed
        Whether a regression target is positive with a long tail, so that its logarithm
        may be easier to predict.
    directions
        Of the features, or of the columns of a fitted matrix: 1 where predictions may only
        rise, -1 where they may only fall, 0 where they are free; empty if all are.
    """

    task: TaskKind
    n_rows: int
    n_features: int
    n_onehot: int = 0
    n_classes: int = 1
    n_texts: int = 0
    has_categories: bool = False
    imbalance: float = 1.0
    is_skewed: bool = False
    directions: tuple[int, ...] = ()

    def __setstate__(self, state: Sequence[Any]) -> None:
        """A shape that was pickled before there was a field has its default."""
        for at, field in enumerate(fields(self)):
            object.__setattr__(self, field.name, state[at] if at < len(state) else field.default)

    @property
    def is_monotone(self) -> bool:
        """Whether predictions may only rise, or only fall, with any column."""
        return any(self.directions)

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.task != "regression"

    @property
    def n_outputs(self) -> int:
        """How many numbers a boosting round or a linear model learns at once."""
        return self.n_classes if self.n_classes > 2 else 1

    def width(self, preprocessing: Preprocessing) -> int:
        """Columns of the matrix that a family with this preprocessing will see."""
        onehot = preprocessing in ("linear", "distance")
        return max(1, self.n_features + (self.n_onehot if onehot else 0))


class Model(Protocol):
    """What a family builds and the pipeline fits. Picklable once fitted."""

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Learn. A model that grows step by step stops at the deadline with what it has.

        Parameters
        ----------
        X, y
            As above; NaN in `X` only for families that asked for "trees" or "native".
        sample_weight : shape (n,)
            Positive, of mean 1, or None.
        categorical
            Columns of `X` that hold category codes.
        deadline
            When to stop.

        Raises
        ------
        OutOfTimeError
            If the deadline passed before there was anything to keep.
        """
        ...

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, shape (n, K), or numbers, shape (n,)."""
        ...

    @property
    def size(self) -> int:
        """How many numbers it has learned: coefficients, leaves, stored rows' values."""
        ...


@dataclass(frozen=True, slots=True)
class Family:
    """A learning algorithm that can be searched. All functions are pure.

    Parameters
    ----------
    name
        The value of the hyperparameter `model`, and the prefix of its own hyperparameters.
    title
        For people.
    preprocessing
        How it wants its table.
    space
        Its hyperparameters for tables of a shape, without prefix.
    defaults
        One to three configurations to begin with, cheap ones first. What they leave out
        takes its default.
    build
        Called as ``build(config, shape, seed=..., n_threads=...)``.
    terms
        What the seconds of a fit are made of, without constants: operations in units of
        about 1e9, or plain counts. Called as ``terms(config, shape)``.
    prices
        Seconds per unit of each term on one thread of an ordinary machine, fitted by
        ``benchmarks/tabular/cost_model.py``.
    parallel
        How much of a further thread is put to use: 0 for none, 1 for all of it.
    memory_mb
        Peak of a fit in MiB, beyond the table itself.
    describe
        A configuration in a few words, after the title.
    tasks
        What it can predict.
    max_rows, max_features, max_classes
        Beyond these it is left out of the space: hopeless, or never worth its time.
    is_stoppable
        Whether its fit stops at a deadline. Of the others, `fit` refuses to start what
        is predicted to overrun.
    package
        The module that must be importable; None if Octavo always brings it.
    extra
        The extra of Octavo that brings it.
    startup_s
        Seconds that loading it takes, once in each process.
    keeps_directions
        Whether its models of numbers and of two classes keep `Shape.directions`.
    """

    name: str
    title: str
    preprocessing: Preprocessing
    space: Callable[[Shape], dict[str, Hyperparameter]]
    defaults: Callable[[Shape], list[dict[str, Any]]]
    build: Callable[..., Model]
    terms: Callable[[Config, Shape], tuple[float, ...]]
    prices: tuple[float, ...]
    parallel: float
    memory_mb: Callable[[Config, Shape], float]
    describe: Callable[[Config], str]
    tasks: tuple[TaskKind, ...] = TASKS
    max_rows: float = math.inf
    max_features: float = math.inf
    max_classes: float = math.inf
    is_stoppable: bool = True
    package: str | None = None
    extra: str = "tabular"
    startup_s: float = 0.0
    keeps_directions: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise SettingError(
                f"a family is named {self.name!r}, but its name becomes part of the names of "
                "its hyperparameters. Use letters, digits and underscores, such as 'my_model'."
            )

    def predicted_seconds(self, config: Config, shape: Shape, n_threads: int = 1) -> float:
        """Wall-clock seconds that fitting this configuration will take, roughly."""
        terms = self.terms(config, shape)
        work = sum(term * price for term, price in zip(terms, self.prices, strict=True))
        return work / (1.0 + self.parallel * (n_threads - 1))

    def objection(self, shape: Shape) -> str | None:
        """Why this family is left out for tables of this shape; None if it is not.

        Examples
        --------
        >>> from octavo.tabular.models import CATALOG
        >>> shape = Shape("regression", n_rows=50_000, n_features=8)
        >>> CATALOG["gaussian_process"].objection(shape)
        'Gaussian process: 50000 rows are more than the 1000 it is worth its time for'
        >>> CATALOG["linear"].objection(shape) is None
        True
        """
        inability = self.inability(shape)
        if inability is not None:
            return inability
        counts = (
            ("rows", shape.n_rows, self.max_rows),
            ("features", shape.width(self.preprocessing), self.max_features),
            ("classes", shape.n_classes, self.max_classes),
        )
        for what, count, most in counts:
            if count > most:
                return (
                    f"{self.title}: {count} {what} are more than the {most:.0f} "
                    "it is worth its time for"
                )
        return None

    def inability(self, shape: Shape) -> str | None:
        """What it cannot do that is asked for, whatever the user includes; None for nothing."""
        if shape.task not in self.tasks:
            return f"{self.title}: cannot do {shape.task}"
        if shape.is_monotone and not self.keeps_directions:
            return f"{self.title}: cannot keep monotone constraints"
        return None


def in_time(deadline: float, what: str) -> float:
    """Seconds that are left until the deadline.

    Raises
    ------
    OutOfTimeError
        If none are.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise OutOfTimeError(
            f"{what} was not begun: its deadline passed {-left:.2f} s ago. "
            "Give it more time, or leave it out."
        )
    return left
