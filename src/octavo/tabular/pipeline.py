"""A pipeline: preprocessing and a model, fitted on a canonical table, that gives scores.

This is where tables meet models. It keeps from the models what would break them: classes
that a fold lacks, constant targets, targets of any size, rows without weight.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from octavo.errors import DataError, OutOfTimeError
from octavo.numerics.through_links import rescaled, softmaxed
from octavo.tabular.cash import (
    PREP,
    cash_space,
    family_of,
    first_configurations,
    left_out,
    not_tried,
    own_part,
    predicted_memory_mb,
    predicted_seconds,
    shape_of,
)
from octavo.tabular.models.constant import ConstantModel
from octavo.tabular.models.family import Family, Model, Shape, TaskKind, in_time
from octavo.tabular.models.weights import balanced_weights
from octavo.tabular.preprocessing import preprocessor_from
from octavo.tabular.preprocessor import Preprocessor
from octavo.tabular.schema import Schema
from octavo.tabular.target_scale import TargetScale, fit_target_scale

if TYPE_CHECKING:
    from octavo.tabular.models.contributions import Contributions

__all__ = [
    "Pipeline",
    "cash_space",
    "first_configurations",
    "left_out",
    "make_pipeline",
    "not_tried",
    "predicted_memory_mb",
    "predicted_seconds",
    "shape_of",
]

Config = Mapping[str, Any]
Floats = NDArray[np.float64]

_HOPELESS = 3.0  # times the time that is left; the prediction is no better than that


class Pipeline:
    """Preprocessing and a model.

    Parameters
    ----------
    config
        A configuration of the CASH space.
    family
        That of `config["model"]`.
    preprocessor
        Not fitted yet.
    shape
        What is predicted, and how many classes there are in all.
    seed
        Of everything random in the model.

    Attributes
    ----------
    config
        As given.
    """

    def __init__(
        self, config: Config, family: Family, preprocessor: Preprocessor, shape: Shape, seed: int
    ) -> None:
        self.config = dict(config)
        self.shape = shape
        self.seed = seed
        self._family: Family | None = family
        self._preprocessor = preprocessor
        self._description = f"{family.title}, {family.describe(own_part(config))}".rstrip(", ")

    def fit(
        self,
        X: pd.DataFrame,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None = None,
        deadline: float | None = None,
        n_threads: int = 1,
    ) -> Self:
        """Learn from a canonical table.

        Models that grow step by step (boosting, forests, networks, linear paths) stop at
        the deadline with what they have. The others are not begun if they are predicted
        to take three times as long as there is.

        Parameters
        ----------
        X : shape (n, p)
            From `Schema.apply`.
        y : shape (n,)
            Class codes, of which some may be absent, or numbers.
        sample_weight : shape (n,)
            Not negative, not all zero. A row of weight zero is not seen at all.
        deadline
            Value of `time.monotonic()`; None for no deadline.
        n_threads
            That the model may use, now and when it predicts.

        Raises
        ------
        DataError
            If rows, targets and weights do not fit together.
        OutOfTimeError
            If the deadline has passed, or leaves no time for anything usable.
        """
        if self._family is None:
            raise DataError(
                "this pipeline is fitted already, and its unfitted parts are gone. "
                "Make another with make_pipeline."
            )
        limit = math.inf if deadline is None else deadline
        in_time(limit, self._description)
        X, y, weight = _checked(X, np.asarray(y), sample_weight)
        if self.shape.is_classification:
            self._classes, codes = np.unique(y.astype(np.int64), return_inverse=True)
            self._scale: TargetScale | None = None
            target: NDArray[Any] = codes
            is_constant = len(self._classes) < 2
            if self._option("balance") == "balanced" and not is_constant:
                weight = balanced_weights(codes, weight)
        else:
            y = y.astype(np.float64)
            self._scale = fit_target_scale(y, self._option("target") or "none", weight)
            is_constant = self._scale is None
            target = y if self._scale is None else self._scale.scaled(y)
        matrix = self._preprocessor.fit_transform(X, target)
        shape = replace(
            self.shape,
            n_rows=len(matrix),
            n_features=max(1, matrix.shape[1]),
            n_onehot=0,
            directions=self._preprocessor.directions_,
        )
        if self.shape.is_classification:
            n_classes = len(self._classes)
            task: TaskKind = "binary" if n_classes == 2 else "multiclass"
            shape = replace(shape, n_classes=n_classes, task=task)
        if is_constant or not _varies(matrix):
            self._model: Model = ConstantModel(shape)
        else:
            self._model = self._built(shape, limit, n_threads)
        with warnings.catch_warnings():
            # scikit-learn 1.8 announces a default of its own future; no choice of ours.
            warnings.filterwarnings("ignore", category=FutureWarning, module="sklearn")
            self._model.fit(
                matrix,
                target,
                sample_weight=weight,
                categorical=self._preprocessor.categorical_indices_.tolist(),
                deadline=limit,
            )
        self._family = None  # may hold functions that cannot be pickled, and has done its work
        if self.shape.is_classification:
            self._usual = np.bincount(target, weight) / (len(y) if weight is None else weight.sum())
        else:
            self._usual = np.array(float(np.average(y, weights=weight)))
        return self

    def predict_scores(self, X: pd.DataFrame) -> Floats:
        """Probabilities of all classes, shape (n, K), rows summing to 1; or numbers, shape (n,).

        A class that training lacked has probability 0. There is never a NaN: where a model
        gives none of use, the usual takes its place.
        """
        if not len(X):
            return np.empty((0, self.shape.n_classes) if self.shape.is_classification else 0)
        raw = np.asarray(self._model.predict(self._preprocessor.transform(X)), dtype=np.float64)
        if not self.shape.is_classification:
            found = raw if self._scale is None else self._scale.original(raw)
            return np.where(np.isfinite(found), found, self._usual)
        wrong = ~np.isfinite(raw).all(axis=1)
        raw = np.clip(raw, 0.0, 1.0)
        wrong |= ~(raw.sum(axis=1) > 0)
        raw[wrong] = self._usual
        scores = np.zeros((len(X), self.shape.n_classes))
        scores[:, self._classes] = raw / raw.sum(axis=1, keepdims=True)
        return scores

    @property
    def has_contributions(self) -> bool:
        """Whether the model is made of trees that can say what columns contribute."""
        has_trees = hasattr(self._model, "contributions")
        return has_trees and bool(getattr(self._model, "knows_its_rows", True))

    def contributions(self, X: pd.DataFrame) -> tuple[Floats, Floats]:
        """Shapley values of the table's columns, of models that have them.

        Returns
        -------
        base, values
            Shapes (K,) and (n, features, K), K = 1 for numbers: they add up to what
            `predict_scores` says.
        """
        matrix = self._preprocessor.transform(X)
        found: Contributions = self._model.contributions(matrix)  # type: ignore[attr-defined]
        shares = self._preprocessor.column_shares()
        values = np.einsum("ndk,dp->npk", found.values, shares, optimize=True)
        if not self.shape.is_classification:
            if self._scale is None:
                return found.base, values
            return rescaled(self._scale.original, found.base, values)
        if found.link == "identity":
            base = found.base
        elif found.link == "softmax":
            base, values = softmaxed(found.base, values)
        else:
            one, ones = rescaled(expit, found.base, values)
            base, values = np.append(1.0 - one, one), np.concatenate([-ones, ones], axis=2)
        full = np.zeros(self.shape.n_classes)
        wide = np.zeros((*values.shape[:2], self.shape.n_classes))
        full[self._classes], wide[:, :, self._classes] = base, values
        return full, wide

    def describe(self) -> str:
        """One line for people: "LightGBM, 31 leaves, learning rate 0.05"."""
        return self._description

    @property
    def size(self) -> int:
        """How many numbers the fitted model has learned."""
        return self._model.size

    def _option(self, name: str) -> Any:
        return self.config.get(f"{self.config['model']}.{name}")

    def _built(self, shape: Shape, limit: float, n_threads: int) -> Model:
        assert self._family is not None
        own = own_part(self.config)
        left = in_time(limit, self._description)
        needed = self._family.predicted_seconds(own, shape, n_threads)
        if not self._family.is_stoppable and needed > _HOPELESS * left:
            raise OutOfTimeError(
                f"{self._description} was not begun: it would take about {needed:.0f} s and there "
                f"are {left:.1f} s. Give it more time or fewer rows, or leave it out."
            )
        return self._family.build(own, shape, seed=self.seed, n_threads=n_threads)


def make_pipeline(
    config: Config,
    schema: Schema,
    shape: Shape,
    *,
    seed: int,
    families: Mapping[str, Family] | None = None,
) -> Pipeline:
    """An unfitted pipeline of a configuration.

    Parameters
    ----------
    config
        Of `cash_space(schema, shape, ...)`.
    schema, shape
        The table.
    seed
        Of everything random in preprocessing and model.
    families
        The user's own families, by name.

    Examples
    --------
    >>> from octavo.tabular.schema import infer_schema
    >>> sizes = np.random.default_rng(0).normal(20, 9, 40)
    >>> table = pd.DataFrame({"size": sizes, "color": ["red", "blue"] * 20})
    >>> y = (table["size"] > 20).to_numpy().astype(int)
    >>> schema = infer_schema(table)
    >>> X = schema.apply(table)
    >>> shape = shape_of(schema, X, y, "binary")
    >>> config = first_configurations(schema, shape)[0]
    >>> pipeline = make_pipeline(config, schema, shape, seed=0).fit(X, y)
    >>> pipeline.describe()
    'Linear model, L2, strength chosen inside'
    >>> float((pipeline.predict_scores(X).argmax(axis=1) == y).mean()) > 0.9
    True
    """
    family = family_of(config, families)
    preprocessor = preprocessor_from(
        config,
        f"{family.name}.{PREP}",
        schema,
        for_=family.preprocessing,
        random_state=seed % 2**31,
    )
    return Pipeline(config, family, preprocessor, shape, seed % 2**31)


def _checked(
    X: pd.DataFrame, y: NDArray[Any], sample_weight: Floats | None
) -> tuple[pd.DataFrame, NDArray[Any], Floats | None]:
    """The rows that have weight; weights of mean 1."""
    if len(X) != len(y):
        raise DataError(f"the table has {len(X)} rows, but y has {len(y)}. They must agree.")
    if not len(y):
        raise DataError("the table has no rows to learn from. Give it at least two.")
    if sample_weight is None:
        return X, y, None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (len(y),):
        raise DataError(
            f"sample_weight has shape {weight.shape}, but there are {len(y)} rows. "
            "Give one weight per row."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        wrong = weight[~(np.isfinite(weight) & (weight >= 0))][0]
        raise DataError(
            f"sample_weight holds {wrong:g}. Weights must be finite and not negative; "
            "give a row that does not count the weight 0."
        )
    seen = weight > 0
    if not seen.any():
        raise DataError("all of sample_weight is 0, so that no row counts. Give some a weight.")
    if not seen.all():
        X, y, weight = X.loc[seen], y[seen], weight[seen]
    if weight.max() - weight.min() <= 1e-12 * weight.max():
        return X, y, None  # alike: what is simpler is also quicker
    return X, y, weight / weight.mean()


def _varies(matrix: NDArray[np.float32]) -> bool:
    """Whether any column tells rows apart."""
    if not matrix.size:
        return False
    first = matrix[0]
    differs = (matrix != first) & ~(np.isnan(matrix) & np.isnan(first))
    return bool(differs.any())
