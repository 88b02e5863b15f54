"""Asynchronous successive halving that stops: only the best part of each rung goes on.

Rungs lie at `first_step`, `first_step * eta`, `first_step * eta**2` and so on. A trial that has
reached a rung goes on only while it is among the best 1 / eta of all trials that have reached
it, running or ended. Nobody waits: the first at a rung goes on.

In the paper a trial is judged once, on arrival. Here it is judged at each of its reports by the
highest rung that it has reached: reports may come faster than they are looked at, and one that
went on for want of competitors is caught when they come.

Li et al. (2020), A system for massively parallel hyperparameter tuning, MLSys, appendix A.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.errors import SettingError
from octavo.history import History
from octavo.optimizers.settings import check_at_least
from octavo.schedulers.curves import cost_at
from octavo.schedulers.known_curves import Reader
from octavo.schedulers.stopping import Decision, Running
from octavo.schedulers.verdicts import Verdict, check_verdict

__all__ = ["ASHAStopper"]


@dataclass(frozen=True)
class ASHAStopper:
    """Stop what is not among the best of its rung.

    Parameters
    ----------
    first_step
        The lowest rung, in the unit of the reports' steps.
    eta
        One in so many goes on from a rung to the next, which is so many times as far.
    verdict
        "stop" ends a trial for good, "pause" leaves it to be thawed.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> ASHAStopper(first_step=2).rung(20)
    18.0
    """

    first_step: float = 1.0
    eta: float = 3.0
    verdict: Verdict = "stop"
    judges_one_cost: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_at_least(self, 0, "first_step")
        if not self.first_step > 0:
            raise SettingError(
                f"first_step={self.first_step!r} must be more than 0: rungs lie at its multiples. "
                "Use the first step at which a trial tells something, such as 1."
            )
        check_at_least(self, 1.5, "eta", hint="Common are 3 and 4: one in three, in four.")
        check_verdict(self.verdict)
        object.__setattr__(self, "_reader", Reader())

    def rung(self, step: float) -> float | None:
        """The highest rung at or below a step; None below the lowest."""
        if step < self.first_step:
            return None
        # A step that is a rung must not fall below it by rounding.
        level = math.floor(math.log(step / self.first_step, self.eta) + 1e-9)
        return float(self.first_step * self.eta**level)

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        """Which running trials are not among the best of their rung."""
        reader: Reader = self._reader  # type: ignore[attr-defined]
        known = reader.read(history)
        under_way = {trial.proposal.index: known.of_running(trial) for trial in running}
        curves = [*known.latest, *under_way.values()]
        decisions: dict[int, Decision] = {}
        for index, (steps, costs) in under_way.items():
            rung = self.rung(steps[-1]) if len(steps) else None
            if rung is None:
                continue
            arrived = [curve for curve in curves if len(curve[0]) and curve[0][-1] >= rung]
            others = np.array([cost_at(curve, rung) for curve in arrived])
            # Diverged ones have no cost, and are worse than all that have.
            others = np.where(np.isnan(others), np.inf, others)
            n_best = max(1, math.floor(len(others) / self.eta))
            own = cost_at((steps, costs), rung)
            own = math.inf if math.isnan(own) else own
            if int((others < own).sum()) >= n_best or (math.isinf(own) and len(others) > 1):
                decisions[index] = self.verdict
        return decisions
