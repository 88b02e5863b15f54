"""Freeze-thaw: each slice of budget goes to a new configuration or to one that was frozen.

Trials run for a slice and are frozen. Whoever is asked then compares arms: each frozen
configuration, whose end is predicted from its learning curve, and a new one, which is expected
to come to what the latest new ones are predicted to come to. The arm with the largest expected
improvement per cost of its next slice goes on. A trial that a stopper paused is frozen too.

Swersky weighs arms by the information that they bring about the optimum; expected improvement
per cost is the simpler index of the same thought. The predictor is that of
`octavo.LearningCurves`.

Swersky, Snoek & Adams (2014), Freeze-thaw Bayesian optimization, arXiv 1406.3896.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.acquisition import expected_improvement
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.settings import check_at_least, check_recipe, check_share
from octavo.optimizers.told import Told
from octavo.problem import Fidelity, Problem
from octavo.schedulers.curve_model import CurveModel
from octavo.schedulers.curves import Curve
from octavo.schedulers.known_curves import KnownCurves
from octavo.surrogates.learning_curves import LearningCurves, Prediction
from octavo.trial import Proposal, Status, Trial

__all__ = ["FreezeThaw"]

Floats = NDArray[np.float64]

_LATEST = 20  # so many new configurations say what the next one may come to
_LEAST_KNOWN = 3  # configurations before arms are compared
_LEAST_COMPLETE = 3  # before their prices are
_PROMISING = 0.1  # of the frozen ones, by their predicted ends, until then


@dataclass(frozen=True)
class FreezeThaw:
    """Goes on with a frozen configuration, or begins a new one of `inner`.

    Parameters
    ----------
    inner
        What proposes new configurations; it is told every trial with its fidelity.
    slices
        Into how many slices the fidelity is divided; each is a constant factor further, or a
        constant amount where the fidelity has `log=False`. Without a fidelity trials run to
        their end, unless a stopper pauses them.
    new_share
        Share of proposals that begin a new configuration, whatever the frozen ones promise.
    most_frozen
        So many of the most promising frozen configurations may be thawed, and keep their
        checkpoints.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 64))
    >>> [proposal.fidelity for proposal in FreezeThaw().start(problem, seed=0).ask(2)]
    [1, 1]
    """

    inner: Recipe = field(default_factory=RandomForestBO)
    slices: int = 6
    new_share: float = 0.1
    most_frozen: int = 20

    def __post_init__(self) -> None:
        check_recipe(self)
        check_at_least(self, 2, "slices", hint="With one slice nothing is ever frozen.")
        check_at_least(self, 1, "most_frozen", hint="Something must be left to be thawed.")
        check_share(self, "new_share", meaning="the share of proposals that begin anew")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _FreezeThaw(problem, seed, self, self.inner.start(problem, seed))


@dataclass(frozen=True, slots=True)
class _Arm:
    """A configuration that was frozen, by its latest trial."""

    trial: Trial
    curve: Curve
    fidelity: float


class _FreezeThaw:
    def __init__(self, problem: Problem, seed: int, recipe: FreezeThaw, inner: Optimizer) -> None:
        self._problem, self._seed, self._recipe, self._inner = problem, seed, recipe, inner
        self._levels = _levels(problem.fidelity, recipe.slices)
        self._told = Told(problem)
        self._known = KnownCurves(problem)
        self._model = CurveModel()
        self._predictor: LearningCurves | None = None
        self._predicted: dict[tuple[int, float], tuple[Floats, Floats, Floats]] = {}
        self._heads: dict[bytes, Trial] = {}  # the latest trial of each configuration
        self._ladders: dict[bytes, dict[float, float]] = {}  # its costs by fidelity
        self._order: list[bytes] = []  # of first appearance
        self._curves: list[Curve] = []  # to learn from, in order of completion
        self._n_complete = 0
        self._last_step = -np.inf  # of the trials that ran to their end

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        start = len(self._told)
        added = self._told.extend(trials)
        self._known.extend(added)
        for row, trial in enumerate(added, start=start):
            if trial.status is Status.CANCELLED:
                continue
            key = self._told.keys[row]
            if key not in self._heads:
                self._order.append(key)
            before = self._heads.get(key)
            if before is None or self._reached(before) <= self._reached(trial):
                self._heads[key] = trial
            if self._told.is_known[row]:
                cost = float(self._told.costs[row, 0])
                self._ladders.setdefault(key, {})[self._reached(trial)] = cost
                self._curves.append(self._curve(key, trial))
                is_whole = self._told.is_success[row] and self._told.fidelity[row] == 1.0
                if is_whole:
                    self._n_complete += 1
                    if trial.reports:
                        self._last_step = max(self._last_step, float(self._curves[-1][0][-1]))

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def keep_checkpoints(self) -> frozenset[int]:
        """The trials that may still be thawed."""
        arms = self._arms(frozenset())
        gains = self._gains(arms, self._best())
        order = np.argsort(-gains, kind="stable")[: self._recipe.most_frozen]
        return frozenset(arms[place].trial.index for place in order.tolist())

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        arms = self._arms(frozenset(told.seen(pending).pending.keys()))
        thawed: _Arm | None = None
        rng = proposal_rng(self._seed, index)
        if len(self._ladders) >= _LEAST_KNOWN and rng.random() >= self._recipe.new_share:
            thawed = self._chosen(arms, index)
        if thawed is None:
            fresh = next(iter(self._inner.ask(1, pending=pending)), None)
            if fresh is not None:
                return replace(fresh, fidelity=self._levels[0]) if self._levels else fresh
            if not arms:
                return None
            # No new configuration is left: the most promising one runs to its end.
            gains = self._gains(arms, self._best())
            return self._thaw(arms[int(gains.argmax())], pending, to_the_end=True)
        return self._thaw(thawed, pending, to_the_end=False)

    def _arms(self, waiting: frozenset[bytes]) -> list[_Arm]:
        """All frozen configurations that are not under way."""
        found = []
        for key in self._order:
            trial = self._heads[key]
            reached = self._reached(trial)
            paused = trial.status is Status.STOPPED and trial.extra.get("paused") is True
            sliced = (
                trial.status is Status.SUCCESS
                and bool(self._levels)
                and (reached < self._levels[-1])
            )
            if key not in waiting and key in self._ladders and (paused or sliced):
                found.append(_Arm(trial, self._curve(key, trial), reached))
        return found

    def _curve(self, key: bytes, trial: Trial) -> Curve:
        """What is known of a configuration: its reports, or else its costs by fidelity."""
        curve = self._known.of_trial(trial)
        if len(curve[0]):
            return curve
        points = sorted(self._ladders[key].items())
        return np.array([at for at, _ in points]), np.array([cost for _, cost in points])

    def _chosen(self, arms: list[_Arm], index: int) -> _Arm | None:
        """The arm that gains the most for its cost; None if a new configuration does."""
        if not arms:
            return None
        if self._n_complete < _LEAST_COMPLETE:
            # Nobody knows yet how curves end here: every second slice brings one to its end. The
            # first, of the promising ones that which is nearest: there may always be a newer one.
            medians = self._ends(arms).median
            last = np.quantile(medians, _PROMISING) if not self._n_complete else medians.min()
            reached = np.array([arm.fidelity for arm in arms])
            order = np.lexsort((medians, -reached, medians > last))
            return arms[order[0]] if index % 2 else None
        latest = self._latest()
        best, ends = self._best(), self._ends(arms + latest)
        gains = _improvement(ends, best)[: len(arms)]
        order = np.argsort(-gains, kind="stable")[: self._recipe.most_frozen]
        rates = [gains[place] / self._price(arms[place]) for place in order]
        top = int(np.argmax(rates))
        fresh = _fresh_gain(ends.median[len(arms) :], best) / self._price(None)
        return arms[order[top]] if rates[top] > fresh else None

    def _latest(self) -> list[_Arm]:
        """The configurations that were begun last, frozen or not."""
        keys = [key for key in self._order[-2 * _LATEST :] if key in self._ladders][-_LATEST:]
        heads = [(key, self._heads[key]) for key in keys]
        return [_Arm(head, self._curve(key, head), self._reached(head)) for key, head in heads]

    def _best(self) -> float:
        """The lowest cost at full fidelity; the lowest of all while there is none."""
        told = self._told
        for rows in (told.is_feasible & (told.fidelity == 1.0), told.is_feasible, told.is_known):
            if rows.any():
                return float(told.costs[rows, 0].min())
        return float("inf")

    def _gains(self, arms: list[_Arm], best: float) -> Floats:
        """Expected improvement of each arm's end over the best."""
        if not arms:
            return np.zeros(0)
        return _improvement(self._ends(arms), best)

    def _ends(self, arms: list[_Arm]) -> Prediction:
        """What each arm comes to if it goes on; predicted anew only where something has changed."""
        model = self._model.learned(self._curves)
        if model is not self._predictor:
            self._predictor, self._predicted = model, {}
        keys = [(arm.trial.index, self._end_of(arm)) for arm in arms]
        new = {key: arm for key, arm in zip(keys, arms, strict=True) if key not in self._predicted}
        if new:
            steps = np.array([end for _, end in new])
            ends = model.predict_many([arm.curve for arm in new.values()], steps)
            parts = zip(ends.weights, ends.means, ends.deviations, strict=True)
            self._predicted.update(zip(new, parts, strict=True))
        found = [self._predicted[key] for key in keys]
        return Prediction(*(np.array(rows) for rows in zip(*found, strict=True)))

    def _end_of(self, arm: _Arm) -> float:
        """The step at which an arm would be complete."""
        steps = arm.curve[0]
        last = float(steps[-1])
        if not self._levels or (arm.trial.reports and np.isfinite(self._last_step)):
            return max(last, self._last_step)
        if not arm.trial.reports or not arm.fidelity > 0:
            return self._levels[-1]  # the curve is that of costs by fidelity
        gap = float(np.diff(steps).min()) if len(steps) > 1 else 1.0
        pace = (last - float(steps[0]) + gap) / arm.fidelity
        return last + pace * (self._levels[-1] - arm.fidelity)

    def _price(self, arm: _Arm | None) -> float:
        """Of the next slice, as a share of a whole trial; of a new configuration for None."""
        if not self._levels:
            if arm is None:
                return 1.0
            end = self._end_of(arm)
            return max(1.0 - float(arm.curve[0][-1]) / end, 0.01) if end > 0 else 1.0
        reached = 0.0 if arm is None else arm.fidelity
        return max(self._next(reached) - reached, 1e-9) / self._levels[-1]

    def _next(self, reached: float) -> float:
        return next((level for level in self._levels if level > reached), self._levels[-1])

    def _thaw(self, arm: _Arm, pending: list[Proposal], *, to_the_end: bool) -> Proposal:
        parent = arm.trial.proposal
        proposal = new_proposal(
            self._problem,
            self._seed,
            self._told.next_index(pending),
            parent.config,
            by="freeze-thaw",
            intent="thawed",
            parents=(parent.index,),
        )
        fidelity = proposal.fidelity
        if self._levels and not to_the_end:
            fidelity = self._next(arm.fidelity)
        # The same run goes on, so its seed stays.
        return replace(proposal, seed=parent.seed, fidelity=fidelity, resume_from=parent.index)

    def _reached(self, trial: Trial) -> float:
        """The fidelity that a trial came to; 0 for a problem without.

        One that was ended in the midst of a slice is taken to be at its beginning: else the rest
        of the last slice would be free, and what was paused there thawed again and again.
        """
        if not self._levels:
            return 0.0
        given = trial.proposal.fidelity
        reached = self._levels[-1] if given is None else float(given)
        if trial.status is Status.STOPPED:
            return max((level for level in self._levels if level < reached), default=0.0)
        return reached


def _levels(fidelity: Fidelity | None, slices: int) -> tuple[float, ...]:
    """Where slices end, ascending, the full budget last; none without a fidelity."""
    if fidelity is None:
        return ()
    low, high = float(fidelity.low), float(fidelity.high)
    if fidelity.log:
        ends = np.geomspace(low, high, slices)
    elif low > 0:
        ends = np.linspace(low, high, slices)
    else:
        ends = np.linspace(low, high, slices + 1)[1:]
    if fidelity.integer:
        ends = np.round(ends)
    found = sorted({min(max(float(end), low), high) for end in ends} | {high})
    return tuple(int(end) if fidelity.integer else end for end in found)


def _fresh_gain(medians: Floats, best: float) -> float:
    """Expected improvement of a new configuration, which comes to what the latest ones do."""
    middle = float(np.median(medians))
    # By the better half: what is bad may be so by orders of magnitude.
    spread = max((middle - float(np.quantile(medians, 0.1))) / 1.28, 1e-12)
    return float(expected_improvement(np.array([middle]), np.array([spread]), best)[0])


def _improvement(ends: Prediction, best: float) -> Floats:
    """Expected improvement over mixtures of normal distributions, shape (m,)."""
    flat = expected_improvement(ends.means.ravel(), ends.deviations.ravel(), best)
    return np.asarray((ends.weights * flat.reshape(ends.means.shape)).sum(axis=-1))
