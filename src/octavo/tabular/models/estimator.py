"""The user's own estimator as a family: anything with scikit-learn's `fit` and `predict`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.spaces import Hyperparameter
from octavo.tabular.models.family import (
    TASKS,
    Config,
    Family,
    Floats,
    Matrix,
    Preprocessing,
    Shape,
    TaskKind,
    in_time,
)
from octavo.tabular.models.weights import repeated_by_weight

__all__ = ["EstimatorModel", "estimator_family"]


class EstimatorModel:
    """A scikit-learn estimator, made to give probabilities and to take weights.

    Without `predict_proba`, decision values go through a softmax; without these, the
    predicted class gets all. An estimator whose `fit` takes no `sample_weight` sees rows
    as often as they weigh. It cannot be stopped at a deadline.
    """

    def __init__(self, estimator: Any, shape: Shape, *, seed: int, n_threads: int) -> None:
        known = estimator.get_params() if hasattr(estimator, "get_params") else {}
        offered = {"random_state": seed, "n_jobs": n_threads}
        # Set only where the user left them open.
        wanted = {k: v for k, v in offered.items() if k in known and known[k] is None}
        self.estimator = estimator.set_params(**wanted) if wanted else estimator
        self.shape = shape
        self.seed = seed

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Fit the estimator."""
        from sklearn.utils.validation import has_fit_parameter

        in_time(deadline, type(self.estimator).__name__)
        if sample_weight is None:
            self.estimator.fit(X, y)
        elif has_fit_parameter(self.estimator, "sample_weight"):
            self.estimator.fit(X, y, sample_weight=sample_weight)
        else:
            rows = repeated_by_weight(sample_weight, self.seed)
            self.estimator.fit(X[rows], y[rows])

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        if not self.shape.is_classification:
            return np.asarray(self.estimator.predict(X), dtype=np.float64).reshape(len(X))
        if hasattr(self.estimator, "predict_proba"):
            found = np.asarray(self.estimator.predict_proba(X))
        elif hasattr(self.estimator, "decision_function"):
            found = np.asarray(self.estimator.decision_function(X))
            if found.ndim == 1:
                found = np.column_stack([np.zeros(len(X)), found])
            found = np.exp(found - found.max(axis=1, keepdims=True))
            found = found / found.sum(axis=1, keepdims=True)
        else:
            chosen = np.asarray(self.estimator.predict(X)).astype(int)
            return np.asarray(np.eye(self.shape.n_classes)[chosen])
        # Resampling by weight may have lost a class.
        full = np.zeros((len(X), self.shape.n_classes))
        full[:, np.asarray(self.estimator.classes_).astype(int)] = found
        return full

    @property
    def size(self) -> int:
        """Bytes of its pickle: nothing else is known of it."""
        import cloudpickle

        return len(cloudpickle.dumps(self.estimator))


def estimator_family(
    name: str,
    make: Callable[[Config], Any],
    *,
    space: Mapping[str, Hyperparameter] | Callable[[Shape], dict[str, Hyperparameter]],
    defaults: Sequence[Config] = ({},),
    preprocessing: Preprocessing = "linear",
    tasks: Sequence[TaskKind] = TASKS,
    seconds: Callable[[Config, Shape], float] | None = None,
    max_rows: float = math.inf,
    title: str | None = None,
) -> Family:
    """Your own estimator with its own space, searched beside Octavo's.

    Parameters
    ----------
    name
        What the hyperparameter `model` will call it.
    make
        Makes an unfitted estimator of a configuration. If it has `random_state` or
        `n_jobs` and leaves them None, they are set.
    space
        Its hyperparameters, or a function of the table's shape that gives them.
    defaults
        Configurations to begin with; what they leave out takes its default.
    preprocessing
        The table it wants: "linear" (scaled, one-hot, nothing missing), "distance"
        (likewise, on comparable scales), "trees" (numbers, NaN where missing) or
        "native" (category codes in columns of numbers, NaN where missing).
    tasks
        What it can predict.
    seconds
        Predicted time of a fit on one thread; None for a rough guess by the table's size.
    max_rows
        Beyond these it is left out.
    title
        For people; by default, the name.

    Examples
    --------
    >>> from sklearn.neighbors import NearestCentroid
    >>> from octavo.spaces import Float
    >>> centroid = estimator_family(
    ...     "centroid",
    ...     lambda config: NearestCentroid(shrink_threshold=config["shrink"]),
    ...     space={"shrink": Float(1e-2, 2.0, log=True)},
    ...     tasks=["binary", "multiclass"],
    ... )
    >>> centroid.objection(Shape("regression", n_rows=100, n_features=3))
    'centroid: cannot do regression'
    """
    unknown = set(tasks) - set(TASKS)
    if unknown or not tasks:
        raise SettingError(
            f"family {name!r} has tasks={list(tasks)!r}. "
            f"Name at least one of {', '.join(TASKS)}, and nothing else."
        )
    if preprocessing not in ("linear", "trees", "native", "distance"):
        raise SettingError(
            f"family {name!r} has preprocessing={preprocessing!r}. "
            "Choose 'linear', 'distance', 'trees' or 'native'."
        )

    def build(config: Config, shape: Shape, *, seed: int, n_threads: int) -> EstimatorModel:
        return EstimatorModel(make(config), shape, seed=seed, n_threads=n_threads)

    def terms(config: Config, shape: Shape) -> tuple[float, ...]:
        if seconds is not None:
            return (seconds(config, shape),)
        return (0.1 + shape.n_rows * shape.width(preprocessing) * shape.n_outputs * 1e-6,)

    def memory_mb(config: Config, shape: Shape) -> float:
        return 50 + shape.n_rows * shape.width(preprocessing) * 24 / 2**20

    def describe(config: Config) -> str:
        return ", ".join(f"{key} {_short(value)}" for key, value in config.items())

    return Family(
        name=name,
        title=title or name,
        preprocessing=preprocessing,
        space=space if callable(space) else lambda shape: dict(space),
        defaults=lambda shape: [dict(default) for default in defaults],
        build=build,
        terms=terms,
        prices=(1.0,),
        parallel=0.0,
        memory_mb=memory_mb,
        describe=describe,
        tasks=tuple(tasks),
        max_rows=max_rows,
        is_stoppable=False,
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
