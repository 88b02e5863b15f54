"""A measure of predictions: its direction, what it looks at, and how it refuses nonsense.

A metric of classification always receives the matrix of probabilities over the encoded
classes 0..K-1, whatever it needs of it, so that models, ensembles, calibration and decision
rules speak one language; a metric of regression receives a vector.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble import classification_metrics as c
from octavo.errors import DataError, SettingError, closest

__all__ = ["TASKS", "Kind", "Metric", "Task"]

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["labels", "probabilities", "values"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Metric:
    """A measure of predictions, its direction, and what it looks at.

    Parameters
    ----------
    name
        What users call it.
    measure
        `(y_true, prediction, sample_weight) -> float`. Of a labels metric, `prediction` is
        a vector of labels.
    greater_is_better
        The direction.
    kind
        What it looks at: "labels" (a decision rule matters), "probabilities" (their values
        or their order matter), "values" (regression).
    tasks
        The tasks for which it makes sense.
    optimum
        The best possible score.
    confusion
        For labels metrics that depend on the confusion matrix alone: matrices
        (..., K, K) to scores (...,). They need no `measure`.
    decodes
        Whether `measure` takes a fourth argument: the user's labels by code, or None.
    weighted
        Whether it knows sample weights; they are ignored otherwise.
    ranks
        Whether only the order of the probabilities matters, so that calibration cannot help.

    Examples
    --------
    >>> import numpy as np
    >>> from octavo.ensemble import get_metric
    >>> metric = get_metric("log_loss", "binary")
    >>> round(metric.score([0, 1], np.array([[0.9, 0.1], [0.5, 0.5]])), 4)
    0.3993
    >>> get_metric("accuracy", "binary").to_cost(0.9)
    -0.9
    """

    name: str
    measure: Callable[..., Any] | None
    greater_is_better: bool
    kind: Kind
    tasks: tuple[Task, ...]
    optimum: float = 0.0
    confusion: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    decodes: bool = False
    weighted: bool = True
    ranks: bool = False

    @staticmethod
    def custom(
        function: Callable[..., Any],
        *,
        name: str | None = None,
        greater_is_better: bool | None = None,
        needs: Literal["labels", "probabilities"] = "labels",
        optimum: float | None = None,
        tasks: Sequence[Task] = TASKS,
    ) -> Metric:
        """A metric from any function `(y_true, y_pred[, sample_weight]) -> float`.

        Parameters
        ----------
        function
            Gets the user's own labels (or the numbers of a regression) as arrays.
        name
            Defaults to the function's name.
        greater_is_better
            Defaults to the function's attribute of this name.
        needs
            Of classification: whether `y_pred` is a vector of labels, or the matrix of
            probabilities (n, K) with columns in the sorted order of the labels.
        optimum
            The best possible score, if known.
        tasks
            Where it makes sense.

        Raises
        ------
        SettingError
            If it cannot be called, or its direction is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> def far_off(y_true, y_pred):
        ...     return float(np.mean(np.abs(y_true - y_pred) > 1))
        >>> metric = Metric.custom(far_off, greater_is_better=False)
        >>> metric.score([1.0, 2.0], [1.5, 4.0])
        0.5
        """
        if not callable(function):
            raise SettingError(
                f"a custom metric must be callable, got {function!r}. Pass a function "
                "(y_true, y_pred) -> float, or a metric's name."
            )
        label = str(name or getattr(function, "__name__", type(function).__name__))
        if greater_is_better is None:
            greater_is_better = getattr(function, "greater_is_better", None)
        if not isinstance(greater_is_better, bool | np.bool_):
            raise SettingError(
                f"the direction of the metric {label!r} is unknown: greater_is_better is "
                f"{greater_is_better!r}. Wrap it: octavo.Metric.custom({label}, "
                "greater_is_better=True), or set the attribute greater_is_better on it."
            )
        if needs not in ("labels", "probabilities"):
            raise SettingError(
                f"needs={needs!r} is not known. Use 'labels' or 'probabilities'."
                + closest(str(needs), ("labels", "probabilities"))
            )
        weighted = _takes_weights(function)
        return Metric(
            name=label,
            measure=partial(_custom, function, needs, weighted),
            greater_is_better=bool(greater_is_better),
            kind=needs,
            tasks=tuple(tasks),
            optimum=(math.inf if greater_is_better else -math.inf) if optimum is None else optimum,
            decodes=True,
            weighted=weighted,
        )

    def score(
        self,
        y_true: ArrayLike,
        prediction: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        decide: Callable[[NDArray[np.float64]], NDArray[np.int64]] | None = None,
    ) -> float:
        """The score of one prediction, in the user's direction.

        Parameters
        ----------
        y_true : shape (n,)
            Encoded classes 0..K-1, or numbers.
        prediction : shape (n, K) or (n,)
            Probabilities over the encoded classes, or numbers.
        sample_weight : shape (n,)
            Non-negative, not all zero.
        classes : shape (K,)
            The user's labels by code, for custom metrics; by default the codes.
        decide
            Maps probabilities to encoded labels; by default the most probable class.

        Raises
        ------
        DataError
            If shapes do not fit, something is not finite, or the metric is undefined here.
        """
        values: NDArray[Any] = np.asarray(prediction, dtype=np.float64)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        regression = values.ndim == 1 and "regression" in self.tasks
        target: NDArray[Any] = np.asarray(y_true, np.float64) if regression else _codes(y_true)
        self._check(target, values, weight, regression)
        if regression:
            return self._measured(target, values, weight, None)
        n_classes = values.shape[1]
        if self.kind == "labels":
            labels = values.argmax(1) if decide is None else np.asarray(decide(values))
            if self.confusion is not None:
                table = c.confusion_matrix(target, labels, n_classes, weight)
                return self._number(self.confusion(table))
            values = labels
        names = np.arange(n_classes) if classes is None else np.asarray(classes)
        return self._measured(target, values, weight, names)

    def to_cost(self, score: float) -> float:
        """The score as a cost: smaller is better."""
        return -score if self.greater_is_better else score

    def from_cost(self, cost: float) -> float:
        """The score behind a cost: undoes `to_cost`."""
        return self.to_cost(cost)

    def is_better(self, one: float, other: float) -> bool:
        """Whether the score `one` is strictly better than `other`."""
        return self.to_cost(one) < self.to_cost(other)

    def _measured(
        self,
        target: NDArray[Any],
        values: NDArray[Any],
        weight: NDArray[np.float64] | None,
        classes: NDArray[Any] | None,
    ) -> float:
        assert self.measure is not None, "only metrics of the confusion matrix lack one"
        more = (classes,) if self.decodes else ()
        return self._number(self.measure(target, values, weight, *more))

    def _check(
        self,
        target: NDArray[Any],
        values: NDArray[np.float64],
        weight: NDArray[np.float64] | None,
        regression: bool,
    ) -> None:
        if not regression and (values.ndim != 2 or values.shape[1] < 2):
            raise DataError(
                f"metric {self.name!r} got a prediction of shape {values.shape}, but needs "
                "probabilities of shape (n, K) with one column for each of K >= 2 classes."
            )
        if len(target) != len(values) or not len(target):
            raise DataError(
                f"metric {self.name!r} got {len(target)} true values and {len(values)} "
                "predictions. Pass as many of each, at least one."
            )
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise DataError(
                f"metric {self.name!r} got {bad} predictions that are not finite (nan or inf). "
                "The model failed on these rows."
            )
        if regression and not np.isfinite(target).all():
            raise DataError(
                f"metric {self.name!r} got true values that are not finite (nan or inf). "
                "Drop these rows, or fill the target."
            )
        if not regression and (target.min() < 0 or target.max() >= values.shape[1]):
            raise DataError(
                f"metric {self.name!r} got class codes from {target.min()} to {target.max()}, "
                f"but the prediction has columns for 0 to {values.shape[1] - 1} only."
            )
        if weight is not None and not (
            weight.shape == (len(target),)
            and np.isfinite(weight).all()
            and (weight >= 0).all()
            and weight.sum() > 0
        ):
            raise DataError(
                f"sample_weight has shape {weight.shape} and a minimum of "
                f"{np.min(weight, initial=np.inf):.6g}; expected {len(target)} finite numbers "
                ">= 0 that are not all zero."
            )

    def _number(self, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"metric {self.name!r} returned {value!r}, which is not a number. Return one float."
            ) from None
        if not math.isfinite(number):
            raise DataError(
                f"metric {self.name!r} returned {number}, so it is undefined for these rows. "
                "Return a finite number for every input, or choose another metric."
            )
        return number


def _takes_weights(function: Callable[..., Any]) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return False


def _custom(
    function: Callable[..., Any],
    needs: Kind,
    weighted: bool,
    y_true: NDArray[Any],
    prediction: NDArray[Any],
    weight: NDArray[np.float64] | None,
    classes: NDArray[Any] | None,
) -> Any:
    if classes is not None:
        y_true = classes[y_true]
        prediction = classes[prediction] if needs == "labels" else prediction
    if weighted and weight is not None:
        return function(y_true, prediction, sample_weight=weight)
    return function(y_true, prediction)


def _codes(y_true: ArrayLike) -> NDArray[np.int64]:
    codes = np.asarray(y_true)
    if codes.dtype.kind in "iub":
        return codes.astype(np.int64, copy=False)
    whole = codes.dtype.kind == "f" and bool((codes == np.floor(codes)).all())
    if not whole:
        raise DataError(
            f"the classes must be encoded as whole numbers 0..K-1, got {codes.dtype} "
            f"values such as {codes.flat[0] if codes.size else None!r}. "
            "Encode them first: np.unique(y, return_inverse=True)."
        )
    return codes.astype(np.int64)
