"""Stop what will hardly beat the best: the end of each learning curve is predicted.

A trial is stopped, or paused, when the probability that its end is better than the incumbent is
small, by a mixture of parametric curves, the last value and what similar trials did. The
predictor learns from the study's own curves as they come.

Domhan, Springenberg & Hutter (2015), Speeding up automatic hyperparameter optimization of deep
neural networks by extrapolation of learning curves, IJCAI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.history import History
from octavo.optimizers.settings import check_at_least, check_share
from octavo.schedulers.curve_model import CurveModel
from octavo.schedulers.curves import Curve
from octavo.schedulers.known_curves import Reader
from octavo.schedulers.stopping import Decision, Running
from octavo.schedulers.verdicts import Verdict, check_verdict

__all__ = ["CurveStopper"]


@dataclass(frozen=True)
class CurveStopper:
    """Stop trials that will hardly beat the incumbent.

    Parameters
    ----------
    probability
        A trial goes on while its probability of beating the incumbent is at least this.
    n_trials
        So many trials must have run to their end before one is judged.
    first_step
        No trial is judged before this step.
    last_step
        Where trials end; by default the furthest that a trial of the history ran to its end.
    verdict
        "stop" ends a trial for good, "pause" leaves it to be thawed.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> CurveStopper(probability=0.1, verdict="pause").n_trials
    5
    """

    probability: float = 0.02  # each trial is judged many times
    n_trials: int = 5
    first_step: float = 0.0
    last_step: float | None = None
    verdict: Verdict = "stop"
    judges_one_cost: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_share(self, "probability", meaning="a trial with less of a chance is stopped")
        check_at_least(self, 1, "n_trials", hint="One trial must set the mark.")
        check_at_least(self, 0, "first_step", hint="With 0 judging begins at the first report.")
        check_at_least(
            self, self.first_step, "last_step", hint="It is the step of a full trial's last report."
        )
        check_verdict(self.verdict)
        object.__setattr__(self, "_reader", Reader())
        object.__setattr__(self, "_model", CurveModel())

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        """Which running trials have too little of a chance."""
        reader: Reader = self._reader  # type: ignore[attr-defined]
        model: CurveModel = self._model  # type: ignore[attr-defined]
        known = reader.read(history)
        ends = known.complete
        if len(ends) < self.n_trials:
            return {}
        last_step = self.last_step
        if last_step is None:
            last_step = max(float(steps[-1]) for steps, _ in ends)
        judged: list[int] = []
        curves: list[Curve] = []
        for trial in running:
            steps, costs = known.of_running(trial)
            # Where nothing is left to predict there is nothing left to save either.
            if len(steps) and self.first_step <= steps[-1] < last_step:
                judged.append(trial.proposal.index)
                curves.append((steps, costs))
        if not judged:
            return {}
        mark = history.incumbent_cost
        if np.isnan(mark):  # nobody was feasible: the best end counts
            mark = min(float(costs[-1]) for _, costs in ends)
        chance = model.learned(known.all).predict_many(curves, last_step).below(mark)
        return {
            index: self.verdict
            for index, share in zip(judged, chance.tolist(), strict=True)
            if share < self.probability
        }
