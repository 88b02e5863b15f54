"""End a study when what it may still find is not worth the energy that it would take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from octavo.callbacks.events import Completed, Event, Started
from octavo.errors import SettingError
from octavo.history import History
from octavo.problem import Limits, Problem
from octavo.spaces.protocol import Points
from octavo.trial import Status, Trial

__all__ = ["Appraisal", "StopWhenNotWorth"]

_LATEST = 30  # trials whose consumption stands for that of those to come
_SHARE = 0.05  # so much longer must a history be before it is looked at again

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What was thought of going on, after one of the trials.

    Parameters
    ----------
    n_trials
        How many had been completed.
    incumbent
        The best feasible value so far, in the objective's own unit and direction; over several
        seeds or instances the mean.
    regret_bound
        How far it is from the best possible one at most, by a Gaussian process and two standard
        deviations, see `octavo.surrogates.regret`.
    n_left
        How many trials fit into what is left of the limits.
    n_ahead
        How many of them are considered: no more than were completed, as few trials do not tell
        what many will find.
    improvement
        What those may improve the incumbent by: the expected improvement of the most promising
        configuration times their number, and no more than the regret bound.
    energy_kwh
        What they would take, judged by the latest ones.
    worth, price
        Of the improvement and of the energy, in the currency of the settings.
    """

    n_trials: int
    incumbent: float
    regret_bound: float
    n_left: float
    n_ahead: float
    improvement: float
    energy_kwh: float
    worth: float
    price: float

    @property
    def is_worth_it(self) -> bool:
        """Whether the improvement is worth at least its energy."""
        return self.worth >= self.price


class StopWhenNotWorth:
    """Stop a study when the improvement that it may still find costs more energy than it is worth.

    After every few trials a Gaussian process is fitted to all of them, and compared are what the
    trials that the limits leave (at most as many as were completed) may still improve the
    incumbent by, times `gain`, and the energy that they would take, times `price_per_kwh`. The
    improvement is rated high, so that a study rather runs too long than ends too soon, and it
    takes two such findings in a row. `benchmarks/green.py` shows what that saves and gives up.

    Parameters
    ----------
    gain
        What it is worth, in the currency of the price, if the objective becomes better by 1:
        with an error rate as the objective and 50 for each percentage point, 5000.
    price_per_kwh
        What a kilowatt hour costs; add what its CO2 is worth to you.
    n_least
        Trials before the first look; by default 10, or two more than twice the number of
        hyperparameters, whichever is more.

    Attributes
    ----------
    appraisals
        What was found at each look; the last one is why the study ended.

    Raises
    ------
    SettingError
        If a number is out of range; at the start of a study with several objectives, among which
        one number cannot say what is worth how much.

    Examples
    --------
    >>> from octavo import Energy, Float, minimize
    >>> from octavo.callbacks import StopWhenNotWorth
    >>> stop = StopWhenNotWorth(gain=1.0, price_per_kwh=0.3)
    >>> study = minimize(
    ...     lambda config: (config["x"] - 0.3) ** 2, {"x": Float(0, 1)}, max_trials=500, seed=0,
    ...     energy=Energy(watts_per_core=1e6), callbacks=[stop],
    ... )
    >>> len(study.history) < 500, stop.appraisals[-1].worth < stop.appraisals[-1].price
    (True, True)
    """

    def __init__(self, gain: float, *, price_per_kwh: float, n_least: int | None = None) -> None:
        for name, value in (("gain", gain), ("price_per_kwh", price_per_kwh)):
            if not (_is_finite(value) and value > 0):
                raise SettingError(
                    f"{name}={value!r} must be a finite number of more than 0. gain is what an "
                    "improvement of the objective by 1 is worth, price_per_kwh what a kilowatt "
                    "hour costs, both in the same currency."
                )
        if n_least is not None and (
            isinstance(n_least, bool) or not isinstance(n_least, int) or n_least < 2
        ):
            raise SettingError(
                f"n_least={n_least!r} must be a whole number of at least 2: trials before the "
                "first look. Leave it out for a number that suits the space."
            )
        self.gain, self.price_per_kwh, self.n_least = float(gain), float(price_per_kwh), n_least
        self.appraisals: list[Appraisal] = []
        self._limits = Limits()
        self._began = 0.0
        self._n_at_start = 0
        self._next = 0

    def __call__(self, event: Event) -> str | None:
        """Look from time to time; the sentence that stops the study if it is not worth it."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Completed) and len(event.history) >= self._next:
            found = self.appraise(event.history)
            if found is not None:
                self.appraisals.append(found)
                self._next = len(event.history) + max(1, round(_SHARE * len(event.history)))
                return self._verdict(event.history.problem)
        return None

    def _start(self, event: Started) -> None:
        problem = event.history.problem
        if problem.n_objectives > 1:
            raise SettingError(
                f"StopWhenNotWorth(gain={self.gain:g}) says what improving one objective is worth, "
                f"but this study has {problem.n_objectives}: "
                f"{[objective.name for objective in problem.objectives]}. Make one of them the "
                "objective and constrain the others, or leave the callback out."
            )
        n_least = self.n_least
        if n_least is None:
            n_least = max(10, 2 * problem.space.n_dims + 2)
        self.appraisals = []
        self._limits, self._began = event.limits, time.monotonic()
        self._n_at_start, self._next = len(event.history), n_least

    def appraise(self, history: History) -> Appraisal | None:
        """What going on would bring and cost; None as long as nobody can tell.

        Nobody can before two configurations have succeeded at the full fidelity, one of which
        meets the constraints, or if no trial says how much energy it took.
        """
        from octavo.surrogates.regret import outlook  # SciPy takes its time to load

        points, costs, excess = _evidence(history)
        latest = [t for t in history[-_LATEST:] if t.status is not Status.CANCELLED]
        energies = [t.resources.energy_kwh for t in latest if t.resources.energy_kwh is not None]
        if len(costs) < 2 or not (excess <= 0).all(axis=1).any() or not energies:
            return None
        # The same trials, the same outlook.
        rng = np.random.default_rng(len(history))
        its = outlook(history.problem.space, points, costs, rng, excess=excess)
        n_left = self._n_left(history, latest)
        n_ahead = min(n_left, float(len(history)))
        improvement = min(n_ahead * its.improvement, its.regret_bound)
        energy_kwh = n_ahead * float(np.mean(energies))
        return Appraisal(
            n_trials=len(history),
            incumbent=history.problem.objectives[0].value(history.incumbent_cost),
            regret_bound=its.regret_bound,
            n_left=n_left,
            n_ahead=n_ahead,
            improvement=improvement,
            energy_kwh=energy_kwh,
            worth=improvement * self.gain,
            price=energy_kwh * self.price_per_kwh,
        )

    def _n_left(self, history: History, latest: list[Trial]) -> float:
        """How many trials fit into the rest of the limits; as many as there were without one."""
        limits, left = self._limits, []
        if limits.max_trials is not None:
            n_run = len(history) - history.status.count(Status.CANCELLED)
            left.append(float(limits.max_trials - n_run))
        if limits.wall_s is not None:
            passed = time.monotonic() - self._began
            rate = (len(history) - self._n_at_start) / max(passed, 1e-6)
            left.append((limits.wall_s - passed) * rate)
        spent = [t.resources.cpu_s for t in latest if t.resources.cpu_s]
        if limits.cpu_s is not None and spent:
            ours = sum(t.resources.cpu_s or 0.0 for t in history[self._n_at_start :])
            left.append((limits.cpu_s - ours) / float(np.mean(spent)))
        return max(0.0, min(left, default=float(len(history))))

    def _verdict(self, problem: Problem) -> str | None:
        last_two = self.appraisals[-2:]
        if len(last_two) < 2 or any(found.is_worth_it for found in last_two):
            return None
        found, name = last_two[1], problem.objectives[0].name
        return (
            f"going on is not worth its energy: the best {name}, {found.incumbent:.6g}, is within "
            f"{found.regret_bound:.3g} of the best possible (regret bound of a Gaussian process); "
            f"the next {found.n_ahead:.0f} trials may gain {found.improvement:.3g}, worth "
            f"{found.worth:.3g}, and would take {found.energy_kwh:.3g} kWh for {found.price:.3g}"
        )


def _evidence(history: History) -> tuple[Points, Floats, Floats]:
    """What compares: configurations, their costs, and how far beyond each bound they are.

    Successes, measured alike, at the full fidelity.
    """
    if history.problem.instances:
        return _over_instances(history)
    good = history.succeeded & history.comparable
    fidelity = history.problem.fidelity
    if fidelity is not None:
        good &= ~(history.fidelity < fidelity.high)  # NaN: unknown, so full
    rows = np.flatnonzero(good)
    excess = _excess(history.problem, history.constraints[rows])
    return history.points[rows], history.costs[rows, 0], excess


def _excess(problem: Problem, values: Floats) -> Floats:
    columns = [np.empty((len(values), 0))]
    for constraint, its in zip(problem.constraints, values.T, strict=True):
        if constraint.low is not None:
            columns.append(constraint.low - its[:, None])
        if constraint.high is not None:
            columns.append(its[:, None] - constraint.high)
    # What could not be measured did not meet its bound.
    return np.nan_to_num(np.hstack(columns), nan=1.0)


def _over_instances(history: History) -> tuple[Points, Floats, Floats]:
    """Each configuration once, as far from the incumbent's mean as on what both were run on."""
    objective = history.problem.objectives[0]
    configs, costs = [], []
    for standing in history.standings():
        cost, other = objective.cost(standing.cost), objective.cost(standing.incumbent_cost)
        estimate = history.incumbent_cost + (cost - other)
        if math.isfinite(estimate):
            configs.append(standing.config)
            costs.append(estimate)
    # A run that breaks a constraint counts as failed in a race.
    return history.problem.space.encode(configs), np.array(costs), np.empty((len(costs), 0))


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
