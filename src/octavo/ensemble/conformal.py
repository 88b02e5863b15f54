"""How far off predictions are on rows unseen in fitting: the quantiles behind every guarantee.

Conformal prediction (Vovk, Gammerman & Shafer 2005; Angelopoulos & Bates 2023, Conformal
Prediction: A Gentle Introduction, Found. Trends Mach. Learn. 16, 494-591): give each validated
row a score of how badly its truth fits its prediction. If a new row is exchangeable with those,
its own score is at most the k-th smallest of n with probability k / (n + 1). What is wanted with
probability c therefore takes k = ceil((n + 1) c), a little more than the share c of the rows.

Scores come from out-of-fold predictions, as in the jackknife+ and CV+ of Barber et al. (2021),
Predictive Inference with the Jackknife+, Ann. Statist. 49, 486-507; they are laid around the mean
of the folds' models instead of around each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import DataError, SettingError

__all__ = ["Scores", "average", "check_coverage"]

Floats = NDArray[np.float64]

MOST = 500
"""Scores kept at most: a stored table then has at most 1,000 numbers."""
TAIL = 0.3  # of them for the largest scores, where coverages of 95 % and more are read off


@dataclass(frozen=True)
class Scores:
    """The distribution of the scores of validated rows, thinned out.

    Parameters
    ----------
    levels : shape (m,), increasing
        With which probability a new row's score is at most the value at the same place.
    values : shape (m,), not decreasing
        Scores.
    n_rows
        From how many rows.
    """

    levels: tuple[float, ...]
    values: tuple[float, ...]
    n_rows: int

    @classmethod
    def of(
        cls, scores: ArrayLike, *, sample_weight: ArrayLike | None = None, most: int = MOST
    ) -> Self:
        """Sort scores and keep at most `most` of them.

        Parameters
        ----------
        scores : shape (n,)
            Larger is worse. NaN are left out.
        sample_weight : shape (n,)
            Of the rows; a new row is taken to weigh as much as they do on average (Tibshirani
            et al. 2019, Conformal Prediction Under Covariate Shift, NeurIPS 32).
        most
            Lookups between kept scores take the next larger one, so that thinning never loses
            coverage; it adds at most about 1.5 / most to it.

        Raises
        ------
        DataError
            If no row counts.

        Examples
        --------
        >>> Scores.of([3.0, 1.0, 2.0]).levels
        (0.25, 0.5, 0.75)
        """
        given = np.asarray(scores, dtype=np.float64)
        weight = np.ones(len(given)) if sample_weight is None else np.asarray(sample_weight, float)
        counts = np.isfinite(given) & (weight > 0)
        given, weight = given[counts], weight[counts]
        if not len(given):
            raise DataError(
                "no validated row has a finite score and a weight, so nothing can be said of new "
                "rows. Validate on at least one."
            )
        order = np.argsort(given, kind="stable")
        levels = np.cumsum(weight[order]) / (weight.sum() + weight.mean())
        kept = _kept(len(given), most)
        return cls(
            tuple(float(level) for level in levels[kept]),
            tuple(float(value) for value in given[order][kept]),
            len(given),
        )

    def quantile(self, coverage: float) -> float:
        """The score that a new row stays at or below with this probability, or a bit more.

        Raises
        ------
        SettingError
            If that probability is not to be had from so few rows.

        Examples
        --------
        >>> Scores.of(np.arange(99)).quantile(0.9)
        89.0
        """
        # The slack is for the last bit of sums: (n + 1) c may be whole.
        at = int(np.searchsorted(self.levels, coverage - 1e-9))
        if at == len(self.levels):
            raise SettingError(
                f"a coverage of {coverage:.4g} cannot be promised from {self.n_rows} validated "
                f"rows; at most {self.levels[-1]:.4g} can. Ask for less, or validate on more rows."
            )
        return self.values[at]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"levels": list(self.levels), "values": list(self.values), "n_rows": self.n_rows}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Undo `to_json`."""
        return cls(tuple(data["levels"]), tuple(data["values"]), data["n_rows"])


def check_coverage(coverage: Any) -> float:
    """A coverage as a float strictly between 0 and 1.

    Raises
    ------
    SettingError
        If it is not.
    """
    is_number = isinstance(coverage, int | float | np.number) and not isinstance(coverage, bool)
    if not is_number or not 0 < coverage < 1:
        percent = is_number and 1 < coverage < 100
        hint = f" Did you mean {float(coverage) / 100:g}?" if percent else ""
        raise SettingError(
            f"coverage={coverage!r} must be a number strictly between 0 and 1, such as 0.9: the "
            f"share of rows whose truth is to be inside.{hint}"
        )
    return float(coverage)


def average(values: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """The weighted mean of one number per row."""
    given = np.asarray(values, dtype=np.float64)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return float(np.average(given, weights=weight))


def _kept(n: int, most: int) -> NDArray[np.int64]:
    """Ranks that are kept: evenly spread, and denser towards the largest."""
    if n <= most:
        return np.arange(n)
    n_tail = int(TAIL * most)
    even = np.linspace(0, n - 1, most - n_tail)
    tail = n - 1 - np.geomspace(1, n / 10, n_tail)
    ranks: NDArray[np.int64] = np.unique(np.concatenate([even, tail]).round().astype(np.int64))
    return ranks
