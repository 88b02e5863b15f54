"""What many data sets say about many configurations: one matrix, made comparable and honest.

A cost of one data set means nothing on another, so each row is put on a scale of its own: 0 is
the best that is known there, 1 a plain reference. Two kinds of holes differ. What was tried and
failed is known: it left its user with nothing, so it counts 1. What nobody tried is unknown, and
counts as no help either until somebody predicts it (`octavo.transfer.histories`), because a
portfolio must not be credited with what nobody has seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError

__all__ = ["Evaluations", "filled_seconds", "normalized"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_S = 1e-3  # below it, clocks and scheduling are all that is measured
_ROUNDS = 20  # of the additive fit; it converges in a few


@dataclass(frozen=True, eq=False)
class Evaluations:
    """Costs of `m` configurations on `n` data sets.

    Parameters
    ----------
    datasets
        `n` different names.
    configs
        `m` configurations: plain dicts of hyperparameters.
    costs : shape (n, m)
        Minimized, each row in a unit of its own; inf where a configuration was tried and failed
        (crashed, ran out of time or memory), NaN where nobody tried it.
    seconds : shape (n, m)
        What each took, failures too; NaN where unknown. None: no time is known.
    baselines : shape (n,)
        Costs of a constant guess on each data set; NaN where unknown. None: all are unknown.
    predicted : shape (n, m)
        Which costs were predicted, not measured. None: none were.
    groups
        For each data set the name of its group: near-duplicates, or several runs on one table,
        share one, count together as much as one data set, and stay on one side when a portfolio
        is judged. None: each is its own.
    features
        For each data set what is known of it, by name (`octavo.transfer.meta_features`).
        None: nothing is.

    Raises
    ------
    DataError
        If shapes do not match, a name is there twice, or a data set has no success at all.

    Examples
    --------
    >>> inf, nan = float("inf"), float("nan")
    >>> seen = Evaluations(["a", "b"], [{"x": 1}, {"x": 2}, {"x": 3}],
    ...                    costs=[[0.1, 0.3, 0.5], [inf, 20.0, nan]], baselines=[0.9, 30.0])
    >>> seen.normalized()
    array([[ 0.,  1.,  1.],
           [ 1.,  0., nan]])
    """

    datasets: Sequence[str]
    configs: Sequence[Mapping[str, Any]]
    costs: Floats
    seconds: Floats | None = None
    baselines: Floats | None = None
    predicted: Bools | None = None
    groups: Sequence[str] | None = None
    features: Sequence[Mapping[str, float]] | None = field(default=None)

    def __post_init__(self) -> None:
        n, m = len(self.datasets), len(self.configs)
        object.__setattr__(self, "datasets", tuple(map(str, self.datasets)))
        object.__setattr__(self, "configs", tuple(dict(config) for config in self.configs))
        for name in ("costs", "seconds"):
            given = getattr(self, name)
            if given is None:
                continue
            array = np.asarray(given, dtype=float)
            if array.shape != (n, m):
                raise DataError(
                    f"{name} has shape {array.shape}, but there are {n} data sets and {m} "
                    f"configurations. Pass one row per data set: shape {(n, m)}."
                )
            object.__setattr__(self, name, array)
        for name in ("baselines", "groups", "features"):
            given = getattr(self, name)
            if given is not None and len(given) != n:
                raise DataError(
                    f"{name} has {len(given)} entries for {n} data sets. Pass one for each, or "
                    "leave it out."
                )
        predicted = np.zeros((n, m), bool) if self.predicted is None else self.predicted
        object.__setattr__(self, "predicted", np.asarray(predicted, dtype=bool))
        baselines = np.full(n, np.nan) if self.baselines is None else self.baselines
        object.__setattr__(self, "baselines", np.asarray(baselines, dtype=float))
        groups = self.datasets if self.groups is None else tuple(map(str, self.groups))
        object.__setattr__(self, "groups", groups)
        features = ({},) * n if self.features is None else map(dict, self.features)
        object.__setattr__(self, "features", tuple(features))
        self._check()

    def _check(self) -> None:
        if not len(self.datasets) or not len(self.configs):
            raise DataError(
                f"there are {len(self.datasets)} data sets and {len(self.configs)} configurations "
                "to learn from. Give at least one of each."
            )
        for name in self.datasets:
            if list(self.datasets).count(name) > 1:
                raise DataError(f"two data sets are named {name!r}. Rename one of them.")
        assert self.predicted is not None
        if self.predicted.shape != self.costs.shape:
            raise DataError(
                f"predicted has shape {self.predicted.shape}, and costs {self.costs.shape}. Pass "
                "one flag per cost."
            )
        for name, row in zip(self.datasets, self.costs, strict=True):
            if not np.isfinite(row).any():
                raise DataError(
                    f"no configuration has a cost on the data set {name!r}: all of them failed or "
                    "were not tried. Leave it out, it says nothing about which is better."
                )

    def __len__(self) -> int:
        return len(self.datasets)

    def rows(self, which: Sequence[int] | NDArray[Any]) -> Self:
        """The same configurations on some of the data sets, by position or as a mask."""
        at = np.arange(len(self))[np.asarray(which)]
        assert self.baselines is not None and self.predicted is not None
        assert self.groups is not None and self.features is not None
        return replace(
            self,
            datasets=[self.datasets[i] for i in at],
            costs=self.costs[at],
            seconds=None if self.seconds is None else self.seconds[at],
            baselines=self.baselines[at],
            predicted=self.predicted[at],
            groups=[self.groups[i] for i in at],
            features=[self.features[i] for i in at],
        )

    @property
    def weights(self) -> Floats:
        """Shape (n,): how much each data set counts, in sum 1; a group counts as one."""
        assert self.groups is not None
        sizes = {group: list(self.groups).count(group) for group in self.groups}
        shares = np.array([1.0 / sizes[group] for group in self.groups])
        return shares / shares.sum()

    def normalized(self) -> Floats:
        """Shape (n, m): costs on the common scale, see `normalized`."""
        return normalized(self.costs, self.baselines)

    def filled_seconds(self) -> Floats:
        """Shape (n, m): seconds, those that are unknown estimated, see `filled_seconds`.

        Raises
        ------
        DataError
            If no time at all is known.
        """
        if self.seconds is None or not np.isfinite(self.seconds).any():
            raise DataError(
                "the evaluations have no seconds, without which configurations cannot be ordered "
                "by time. Give seconds, or leave the deadlines out."
            )
        return filled_seconds(self.seconds)


def normalized(costs: Floats, baselines: Floats | None = None) -> Floats:
    """Costs of each data set on a scale from 0, its best one, to 1, a plain reference.

    The reference is the median of the data set's finite costs, or its constant guess where that
    is better: what is worse than either is as bad as any (robust to the few configurations that
    are bad beyond measure). Where best and reference are equal, all successes are 0: such a
    data set cannot tell configurations apart.

    Parameters
    ----------
    costs : shape (n, m)
        Minimized; inf where tried and failed, NaN where unknown.
    baselines : shape (n,)
        Costs of a constant guess; NaN where unknown.

    Returns
    -------
    shape (n, m)
        In [0, 1]: 1 where tried and failed, NaN where unknown.

    Examples
    --------
    >>> normalized(np.array([[2.0, 3.0, 4.0, 9.0, np.inf]]))
    array([[0.        , 0.66666667, 1.        , 1.        , 1.        ]])
    """
    known = np.where(np.isfinite(costs), costs, np.nan)
    best = np.nanmin(known, axis=1, keepdims=True)
    reference = np.nanmedian(known, axis=1, keepdims=True)
    if baselines is not None:
        reference = np.fmin(reference, np.asarray(baselines, dtype=float)[:, None])
    span = reference - best
    # A constant guess that beats everything leaves nothing to tell apart either.
    scaled = np.where(span > 0, (known - best) / np.where(span > 0, span, 1.0), 0.0)
    scaled = np.clip(np.where(np.isnan(known), np.nan, scaled), 0.0, 1.0)
    return np.asarray(np.where(np.isposinf(costs), 1.0, scaled))


def filled_seconds(seconds: Floats) -> Floats:
    """Seconds, those that are unknown estimated: a slow data set times a slow configuration.

    Logarithms of seconds as a sum of an effect of the data set and one of the configuration,
    fitted to what is known by alternating means.

    Parameters
    ----------
    seconds : shape (n, m)
        NaN where unknown.

    Returns
    -------
    shape (n, m)
        Positive. What was known stays, except that nothing takes less than a millisecond.

    Examples
    --------
    >>> filled_seconds(np.array([[1.0, 10.0], [2.0, np.nan]])).round(3)
    array([[ 1., 10.],
           [ 2., 20.]])
    """
    logs = np.log(np.maximum(seconds, LEAST_S))
    overall = float(np.nanmean(logs))
    by_dataset, by_config = np.zeros((len(logs), 1)), np.zeros((1, logs.shape[1]))
    with warnings.catch_warnings():
        # A row or column without any known time has no effect of its own.
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        for _ in range(_ROUNDS):
            by_dataset = np.nan_to_num(np.nanmean(logs - overall - by_config, 1, keepdims=True))
            by_config = np.nan_to_num(np.nanmean(logs - overall - by_dataset, 0, keepdims=True))
    estimate = overall + by_dataset + by_config
    return np.asarray(np.exp(np.where(np.isnan(logs), estimate, logs)))
