"""Prediction sets: classes of which the true one is one, with a stated probability.

Three scores of how badly a class fits a row, each turned into sets by
`octavo.ensemble.conformal`:

- "lac": one minus its probability. The smallest sets on average (Sadinle, Lei & Wasserman 2019,
  Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 114, 223-234), but rows
  that are hard get too few classes and easy ones too many.
- "aps": the probability of all likelier classes, and a random part of its own. Hard rows get
  larger sets (Romano, Sesia & Candès 2020, Classification with Valid and Adaptive Coverage,
  NeurIPS 33).
- "raps": the same with a penalty for classes far down the list, which keeps sets small
  (Angelopoulos et al. 2021, Uncertainty Sets for Image Classifiers, ICLR).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.conformal import Scores, average, check_coverage
from octavo.errors import DataError, SettingError, closest

__all__ = ["PredictionSets", "fit_sets", "set_coverage", "set_size"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Method = Literal["lac", "aps", "raps"]

PENALTY = 0.05  # of RAPS, per class beyond those that are free
MOST_ROWS = 20_000
"""More rows are sampled: the coverage is then off by 0.2 points, and quick for many classes."""
CHOICE_COVERAGE = 0.9
LARGER = 1.25
"""Sets may grow by so much for the sake of hard rows."""
FAIRER = 0.02
"""... if the worst third of rows gains at least so much coverage."""
CHOICE_ROWS = (150, 5_000)  # fewer cannot show such differences, more do not show others


@dataclass(frozen=True)
class PredictionSets:
    """What turns probabilities into sets of classes.

    Parameters
    ----------
    scores
        Of the true classes of validated rows.
    method
        The score.
    free
        RAPS: so many of the likeliest classes go without a penalty.
    why
        Why this method, in a sentence.
    """

    scores: Scores
    method: Method = "lac"
    free: int = 0
    why: str = ""

    def apply(
        self, probabilities: ArrayLike, coverage: float = 0.9, *, allow_empty: bool = True
    ) -> Bools:
        """Which classes are in the set of each row, shape (n, K).

        Parameters
        ----------
        probabilities : shape (n, K)
            Of new rows.
        coverage
            Probability with which the true class is in the set, strictly between 0 and 1.
        allow_empty
            If the model is right more often than `coverage`, some sets must be empty for the
            coverage to be as asked. False puts the likeliest class into these: the coverage is
            then larger.

        Raises
        ------
        SettingError
            If the coverage cannot be promised from as many rows as there were.
        """
        given = np.asarray(probabilities, dtype=np.float64)
        limit = self.scores.quantile(check_coverage(coverage))
        if not len(given):
            return np.zeros(given.shape, dtype=np.bool_)
        inside: Bools = class_scores(given, self.method, self.free) <= limit + 1e-12
        if not allow_empty:
            empty = ~inside.any(axis=1)
            inside[empty, given[empty].argmax(axis=1)] = True
        return inside

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "scores": self.scores.to_json(),
            "method": self.method,
            "free": self.free,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Undo `to_json`."""
        return cls(Scores.from_json(data["scores"]), data["method"], data["free"], data["why"])


def class_scores(probabilities: Floats, method: Method, free: int = 0) -> Floats:
    """How badly each class fits each row, shape (n, K)."""
    if method == "lac":
        return 1.0 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    above = np.cumsum(ranked, axis=1) - ranked
    scores = above + _pseudo_random(probabilities)[:, np.newaxis] * ranked
    if method == "raps":
        scores = scores + PENALTY * np.maximum(np.arange(1, scores.shape[1] + 1) - free, 0)
    found = np.empty_like(scores)
    np.put_along_axis(found, order, scores, axis=1)
    return found


def _pseudo_random(probabilities: Floats) -> Floats:
    """A number in [0, 1) per row that looks random but is a function of the row alone.

    So a row's set does not depend on the rows around it, nor on a seed.
    """
    steps = 1e5 * np.sqrt(np.arange(2, 2 + probabilities.shape[1]))
    return np.modf(probabilities @ steps)[0]


def fit_sets(
    probabilities: ArrayLike,
    y_true: ArrayLike,
    *,
    method: Method | None = None,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> PredictionSets:
    """Learn from validated rows how large sets must be.

    Parameters
    ----------
    probabilities : shape (n, K)
        Of rows that the model was not fitted on.
    y_true : shape (n,)
        Encoded classes.
    method
        None chooses. Two classes: "lac", which has the smallest sets and no room to adapt.
        More: "lac" too, unless "raps" or "aps" raises the coverage of the hardest third of rows
        by two points or more, on rows that it was not fitted on, with sets at most a quarter
        larger; then the one whose coverage there is best.
    sample_weight : shape (n,)
        Of the rows.
    seed
        Of the halves on which methods are compared.

    Raises
    ------
    DataError, SettingError
        If shapes do not fit or there is no such method.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one = rng.uniform(size=999)
    >>> y = (rng.random(999) < one).astype(int)
    >>> sets = fit_sets(np.column_stack([1 - one, one]), y).apply([[0.95, 0.05], [0.5, 0.5]], 0.9)
    >>> sets.sum(axis=1)
    array([1, 2])
    """
    if method is not None and method not in get_args(Method):
        raise SettingError(
            f"method={method!r} is not known.{closest(str(method), get_args(Method))} Use 'lac', "
            "'aps', 'raps', or None to choose."
        )
    given, y = np.asarray(probabilities, np.float64), np.asarray(y_true)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if given.ndim != 2 or y.shape != given.shape[:1] or weight.shape != y.shape:
        raise DataError(
            f"prediction sets got probabilities of shape {given.shape}, a target of shape "
            f"{y.shape} and weights of shape {weight.shape}; expected (n, K), (n,) and (n,)."
        )
    counts = np.isfinite(given).all(axis=1) & (weight > 0)
    given, y, weight = given[counts], y[counts].astype(np.int64), weight[counts]
    if not len(y):
        raise DataError(
            "no row has finite probabilities and a weight, so nothing can be said of new rows. "
            "Validate on at least one."
        )
    if len(y) > MOST_ROWS:
        rows = np.random.default_rng([seed, 39]).choice(len(y), MOST_ROWS, replace=False)
        given, y, weight = given[rows], y[rows], weight[rows]
    free = _free(given, y)
    why = "It was asked for."
    if method is None:
        method, why = _chosen(given, y, weight, free, seed)
    free = free if method == "raps" else 0
    return PredictionSets(_of_truth(given, y, weight, method, free), method, free, why)


def set_coverage(
    y_true: ArrayLike, sets: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Share of the rows whose true class is in their set.

    Examples
    --------
    >>> set_coverage([0, 1], [[True, True], [True, False]])
    0.5
    """
    inside = np.asarray(sets, dtype=np.bool_)
    y = np.asarray(y_true, dtype=np.int64)
    return average(inside[np.arange(len(y)), y], sample_weight)


def set_size(sets: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Mean number of classes in a set."""
    sizes = np.asarray(sets, dtype=np.bool_).sum(axis=1)
    return average(sizes, sample_weight)


# Parts -------------------------------------------------------------------------------


def _of_truth(
    given: Floats, y: NDArray[np.int64], weight: Floats, method: Method, free: int
) -> Scores:
    scores = class_scores(given, method, free)[np.arange(len(y)), y]
    return Scores.of(scores, sample_weight=weight)


def _free(given: Floats, y: NDArray[np.int64]) -> int:
    """How many of the likeliest classes hold the true one nine times of ten."""
    rank = (given > given[np.arange(len(y)), y][:, np.newaxis]).sum(axis=1) + 1
    return int(np.quantile(rank, CHOICE_COVERAGE, method="higher"))


def _chosen(
    given: Floats, y: NDArray[np.int64], weight: Floats, free: int, seed: int
) -> tuple[Method, str]:
    if given.shape[1] == 2:
        return "lac", "Two classes: the smallest sets, and no room to adapt them."
    fewest, most = CHOICE_ROWS
    if len(y) < fewest:
        return "lac", "The smallest sets; too few rows to compare with others."
    order = np.random.default_rng([seed, 41]).permutation(len(y))[:most]
    given, y, weight = given[order], y[order], weight[order]
    half = np.arange(len(y)) % 2
    sure = given.max(axis=1)
    hard = sure <= np.quantile(sure, 1 / 3)
    found: dict[Method, tuple[float, float]] = {}
    for method in get_args(Method):
        inside = np.empty(given.shape, dtype=np.bool_)
        for k in (0, 1):
            fitted = _of_truth(given[half != k], y[half != k], weight[half != k], method, free)
            sets = PredictionSets(fitted, method, free)
            inside[half == k] = sets.apply(given[half == k], CHOICE_COVERAGE)
        found[method] = (
            set_coverage(y[hard], inside[hard], sample_weight=weight[hard]),
            set_size(inside, sample_weight=weight),
        )
    least = found["lac"]
    others: tuple[Method, ...] = ("raps", "aps")
    better = [
        name
        for name in others
        if found[name][0] >= min(least[0] + FAIRER, CHOICE_COVERAGE)
        and found[name][0] > least[0]
        and found[name][1] <= LARGER * least[1]
    ]
    if not better or least[0] >= CHOICE_COVERAGE:
        return "lac", "The smallest sets; the hardest third of rows fares no better with others."
    best: Method = max(
        better, key=lambda name: (min(found[name][0], CHOICE_COVERAGE), -found[name][1])
    )
    return best, (
        f"At a coverage of 90 %, the hardest third of rows gets {found[best][0]:.0%} instead of "
        f"{least[0]:.0%}, with sets of {found[best][1]:.1f} instead of {least[1]:.1f} classes."
    )
