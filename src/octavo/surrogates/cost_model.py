"""What will a trial cost in time? `CostModel` says, and how sure it is.

Logarithms of seconds, because times are positive and errors are ratios:

    log seconds = log guess + constant + exponent * log fidelity + forest(configuration)

The exponent and the constant are a ridge regression, the rest is a random forest on encoded
configurations; its errors on trials that a tree has not seen say how wide a prediction has to
be. A trial that was cut off (a timeout, or ended by a stopper) took at least as long: its time
is imputed by its expectation above what was seen, and the model fitted again (Hutter 2011).

Hutter, Xu, Hoos & Leyton-Brown (2014), Algorithm runtime prediction: Methods & evaluation,
Artificial Intelligence 206. Hutter, Hoos & Leyton-Brown (2011), Bayesian optimization with
censored response data, NIPS workshop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from octavo.errors import SettingError, StudyError
from octavo.history import History
from octavo.problem import Fidelity
from octavo.spaces.protocol import Points
from octavo.surrogates.forest import Forest, ForestSettings, fit_forest
from octavo.trial import Status, Trial

__all__ = ["CostModel", "Seconds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_FASTEST_S = 1e-4  # below it clocks and scheduling are all that is measured
_EXPONENT = (1.0, 0.5)  # prior mean and deviation: costs grow about as the fidelity does
_CONSTANT_SPREAD = 3.0  # of its prior, in ratios of e
_FIRST_SPREAD = 1.0  # of the errors, before any is known: times may be off by a factor of e
_SPREAD_STRENGTH = 3.0  # so many trials is that worth
_FOLDS = 5
_ROUNDS = 3  # of imputing


class Seconds:
    """Predicted times: log-normal, one for each configuration.

    Parameters
    ----------
    log_mean, log_std : shape (n,)
        Of the logarithm of the seconds.
    """

    def __init__(self, log_mean: Floats, log_std: Floats) -> None:
        self.log_mean, self.log_std = log_mean, log_std

    @property
    def median(self) -> Floats:
        """Seconds that are as likely exceeded as not, shape (n,)."""
        return np.exp(self.log_mean)

    @property
    def mean(self) -> Floats:
        """Expected seconds, shape (n,)."""
        return np.exp(self.log_mean + 0.5 * np.square(self.log_std))

    @property
    def std(self) -> Floats:
        """Standard deviation of the seconds, shape (n,)."""
        return np.asarray(self.mean * np.sqrt(np.expm1(np.square(self.log_std))))

    def quantile(self, probability: float) -> Floats:
        """Seconds that are not exceeded with this probability, shape (n,).

        Raises
        ------
        SettingError
            If it does not lie between 0 and 1, both excluded.
        """
        if not 0 < probability < 1:
            raise SettingError(
                f"a quantile at {probability!r} is not defined. Give a probability between 0 and "
                "1, such as 0.9 for a time that is rarely exceeded."
            )
        return np.asarray(np.exp(self.log_mean + self.log_std * ndtri(probability)))


class CostModel:
    """Predicts how long trials take, from those of a history.

    Parameters
    ----------
    measure
        What to predict: "wall" or "cpu" seconds.
    guess
        Seconds that a configuration takes at full fidelity by a rule that knows something
        beforehand; the history corrects it. None: all are the same beforehand.
    seed
        Draws the forest.

    Raises
    ------
    SettingError
        If `measure` is neither.

    Examples
    --------
    >>> from octavo.problem import Problem
    >>> from octavo.spaces import Integer, space
    >>> from octavo.trial import Proposal, Resources
    >>> problem = Problem(space(layers=Integer(1, 10)))
    >>> def trial(index, layers):
    ...     took, asked = Resources(wall_s=2.0 * layers), Proposal(index, {"layers": layers})
    ...     return Trial(asked, Status.SUCCESS, (0.5,), resources=took)
    >>> history = History(problem, [trial(i, 1 + i % 10) for i in range(40)])
    >>> CostModel().fit(history).predict([{"layers": 2}, {"layers": 9}]).median.round()
    array([ 4., 18.])
    """

    def __init__(
        self,
        *,
        measure: str = "wall",
        guess: Callable[[Mapping[str, Any]], float] | None = None,
        seed: int = 0,
    ) -> None:
        if measure not in ("wall", "cpu"):
            raise SettingError(f"measure={measure!r} must be 'wall' or 'cpu' seconds.")
        self.measure = measure
        self.guess = guess
        self.seed = seed
        self._fitted: _Fitted | None = None

    def fit(self, history: History) -> Self:
        """Learn from all trials of which a time is known, those that failed or were cut off too.

        A crash says how long it took to crash, and is left out.
        """
        used = [(trial, seconds) for trial in history if (seconds := self._seconds(trial))]
        problem = history.problem
        trials = [trial for trial, _ in used]
        target = np.log([max(seconds, _FASTEST_S) for _, seconds in used])
        target -= self._log_guess([trial.config for trial in trials])
        is_cut = np.array([trial.status is not Status.SUCCESS for trial in trials], dtype=bool)
        share = _log_share(problem.fidelity, [trial.proposal.fidelity for trial in trials])
        points = problem.space.encode([trial.config for trial in trials]) if trials else None
        self._fitted = _Fitted(history, points, share, target, is_cut, self.seed)
        return self

    def predict(
        self, configs: Sequence[Mapping[str, Any]], *, fidelity: float | None = None
    ) -> Seconds:
        """How long trials of some configurations take.

        Parameters
        ----------
        configs
            Of the history's space.
        fidelity
            In the problem's unit; the full one by default.

        Raises
        ------
        StudyError
            Before `fit`.
        SettingError
            For a fidelity that is not above 0, or of a problem without one.
        """
        if self._fitted is None:
            raise StudyError("this cost model knows no trials yet. Call fit(history) first.")
        problem = self._fitted.problem
        if fidelity is not None and (problem.fidelity is None or not fidelity > 0):
            raise SettingError(
                f"fidelity={fidelity!r} makes no sense here: it is a positive number, and only "
                "for a problem that has a fidelity. Leave it out."
            )
        share = _log_share(problem.fidelity, [fidelity] * len(configs))
        mean, std = self._fitted.predict(problem.space.encode(configs), share)
        return Seconds(mean + self._log_guess(configs), std)

    def _seconds(self, trial: Trial) -> float | None:
        """The time of a trial that can be learned from."""
        if trial.status in (Status.CRASHED, Status.CANCELLED, Status.MEMORY):
            return None
        took = trial.resources
        found = took.wall_s if self.measure == "wall" else took.cpu_s
        if found is None and self.measure == "wall" and None not in (trial.started, trial.ended):
            assert trial.started is not None and trial.ended is not None
            found = trial.ended - trial.started
        return found if found is not None and math.isfinite(found) and found > 0 else None

    def _log_guess(self, configs: Sequence[Mapping[str, Any]]) -> Floats:
        if self.guess is None:
            return np.zeros(len(configs))
        return np.log([max(float(self.guess(config)), _FASTEST_S) for config in configs])


class _Fitted:
    """The model of logarithms, once trials are known."""

    def __init__(
        self,
        history: History,
        points: Points | None,
        share: Floats,
        target: Floats,
        is_cut: Bools,
        seed: int,
    ) -> None:
        self.problem = history.problem
        self._columns = self.problem.space.columns if points is None else points.columns
        choices = [0 if column.is_ordered else column.n_values or 0 for column in self._columns]
        self._n_choices = np.array(choices, dtype=np.int64)
        self._forest: Forest | None = None
        self._line = np.array([0.0, _EXPONENT[0]])
        self._spread = _FIRST_SPREAD
        if points is None:
            return
        X = points.values
        seen = target.copy()
        for _ in range(_ROUNDS if is_cut.any() else 1):
            self._learn(X, share, seen, np.random.default_rng(seed))
            mean, std = self._of(X, share)
            seen = np.where(is_cut, _expected_above(target, mean, std), target)

    def _learn(self, X: Floats, share: Floats, target: Floats, rng: np.random.Generator) -> None:
        n = len(target)
        fold = rng.permutation(n) % _FOLDS
        errors = np.full(n, np.nan)
        for number in range(_FOLDS if n >= 2 * _FOLDS else 0):
            train = fold != number
            line, forest = self._parts(X[train], share[train], target[train], rng)
            mean = _predicted(line, forest, X[~train], share[~train])
            errors[~train] = target[~train] - mean
        known = errors[np.isfinite(errors)]
        total = float(np.square(known).sum()) + _SPREAD_STRENGTH * _FIRST_SPREAD**2
        self._spread = math.sqrt(total / (len(known) + _SPREAD_STRENGTH))
        self._line, self._forest = self._parts(X, share, target, rng)

    def _parts(
        self, X: Floats, share: Floats, target: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Forest]:
        """The line along the fidelity, and a forest for what it leaves."""
        columns = np.column_stack([np.ones(len(share)), share])
        centre = np.array([0.0, _EXPONENT[0]])
        noise = 1 / max(float(target.var()), 0.01)
        normal = noise * columns.T @ columns
        normal += np.diag([_CONSTANT_SPREAD**-2, _EXPONENT[1] ** -2])
        line = centre + np.linalg.solve(normal, noise * columns.T @ (target - columns @ centre))
        rest = target - columns @ line
        forest = fit_forest(X, rest, self._n_choices, rng, ForestSettings(n_trees=32))
        return line, forest

    def _of(self, X: Floats, share: Floats) -> tuple[Floats, Floats]:
        if self._forest is None:
            mean = self._line[0] + self._line[1] * share
            return mean, np.full(len(share), math.hypot(self._spread, _CONSTANT_SPREAD))
        _, variance = self._forest.predict(X)
        mean = _predicted(self._line, self._forest, X, share)
        # Where trees disagree more than their errors elsewhere explain, less is known.
        return mean, np.sqrt(np.maximum(variance, self._spread**2))

    def predict(self, points: Points, share: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm, shape (n,) each."""
        return self._of(points.aligned(self._columns).values, share)


def _predicted(line: Floats, forest: Forest, X: Floats, share: Floats) -> Floats:
    return np.asarray(line[0] + line[1] * share + forest.predict(X)[0])


def _log_share(fidelity: Fidelity | None, values: Sequence[float | None]) -> Floats:
    """Logarithms of fidelities, as shares of the full one; 0 where there is none."""
    if fidelity is None:
        return np.zeros(len(values))
    high = float(fidelity.high)
    known = np.array([high if value is None else value for value in values], dtype=float)
    return np.log(np.maximum(known / high, 1e-6)) if high > 0 else np.zeros(len(values))


def _expected_above(bound: Floats, mean: Floats, std: Floats) -> Floats:
    """The mean of a normal distribution of which only values above a bound are possible."""
    z = (bound - mean) / std
    hazard = np.exp(-0.5 * np.square(z) - 0.5 * math.log(2 * math.pi) - log_ndtr(-z))
    return np.asarray(np.maximum(mean + std * hazard, bound))
