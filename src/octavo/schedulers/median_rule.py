"""The median rule: whoever is worse than the usual trial was at this step is stopped.

A trial is stopped at a step if its best cost so far is worse than the median, over the trials
that came at least as far, of their average cost up to that step.

Golovin et al. (2017), Google Vizier: a service for black-box optimization, KDD, section 3.2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.history import History
from octavo.optimizers.settings import check_at_least
from octavo.schedulers.curves import Curve
from octavo.schedulers.known_curves import Reader
from octavo.schedulers.stopping import Decision, Running
from octavo.schedulers.verdicts import Verdict, check_verdict

__all__ = ["MedianRule"]


@dataclass(frozen=True)
class MedianRule:
    """Stop what is worse than the median of earlier trials at the same step.

    Parameters
    ----------
    n_trials
        So many trials must have come as far before one is judged.
    first_step
        No trial is judged before this step.
    verdict
        "stop" ends a trial for good, "pause" leaves it to be thawed.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> MedianRule(first_step=5)
    MedianRule(n_trials=5, first_step=5, verdict='stop')
    """

    n_trials: int = 5
    first_step: float = 0.0
    verdict: Verdict = "stop"
    judges_one_cost: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_at_least(self, 1, "n_trials", hint="A median needs something to be the middle of.")
        check_at_least(self, 0, "first_step", hint="With 0 judging begins at the first report.")
        check_verdict(self.verdict)
        object.__setattr__(self, "_reader", Reader())

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        """Which running trials have fallen behind."""
        reader: Reader = self._reader  # type: ignore[attr-defined]
        known = reader.read(history)
        others = known.latest
        decisions: dict[int, Decision] = {}
        for trial in running:
            steps, costs = known.of_running(trial)
            if (
                len(steps)
                and steps[-1] >= self.first_step
                and self._is_behind((steps, costs), others)
            ):
                decisions[trial.proposal.index] = self.verdict
        return decisions

    def _is_behind(self, curve: Curve, others: Sequence[Curve]) -> bool:
        step = curve[0][-1]
        averages = [
            float(costs[: np.searchsorted(steps, step, side="right")].mean())
            for steps, costs in others
            if len(steps) and steps[0] <= step <= steps[-1]
        ]
        # One that diverged has no average; it is worse than all that have.
        averages = [np.inf if np.isnan(average) else average for average in averages]
        if len(averages) < self.n_trials:
            return False
        finite = curve[1][np.isfinite(curve[1])]
        best = float(finite.min()) if len(finite) else np.inf
        return best > float(np.median(averages))
