"""Pipelines that fall behind on the first folds are not fitted on the others.

Cross-validating a hopeless pipeline to its end costs as much as a good one. What the folds so far
say of the whole is known from the pipelines that went through all of them: how far a mean over the
first folds lies from the mean over all, on average (some folds are easier) and in spread. A
pipeline is stopped when even a lucky remainder would not bring it among those that an ensemble
may want.

Stopping on partial cross-validation is the intensification of SMAC (Hutter, Hoos & Leyton-Brown
2011, LION 5) over folds, as Auto-sklearn 2.0 has it (Feurer et al. 2022, JMLR 23).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.history import History
from octavo.optimizers.settings import check_at_least
from octavo.schedulers.curves import Curve
from octavo.schedulers.known_curves import Reader
from octavo.schedulers.stopping import Decision, Running

__all__ = ["FoldRace"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FoldRace:
    """Stop pipelines that will not be among the best ones.

    Parameters
    ----------
    n_folds
        Of a whole validation; each reports its cost when it is done, as steps 0, 1, ...
    n_best
        A pipeline goes on if it may still become one of so many best, or is better than half of
        those that were completed.
    n_complete
        So many whole validations are needed before any pipeline is judged; the defaults of the
        families, which differ most and are wanted for that, are through by then.
    luck
        So many standard deviations better than expected the remaining folds may be.

    Raises
    ------
    SettingError
        If a setting is out of its range.
    """

    n_folds: int
    n_best: int = 8
    n_complete: int = 12
    luck: float = 1.5
    judges_one_cost: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_at_least(self, 1, "n_folds", hint="One fold is a hold-out, where nothing is saved.")
        check_at_least(self, 1, "n_best")
        check_at_least(self, 3, "n_complete", hint="A spread needs a few pipelines.")
        check_at_least(self, 0, "luck")
        object.__setattr__(self, "_reader", Reader())

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        """Which pipelines are not worth their remaining folds."""
        reader: Reader = self._reader  # type: ignore[attr-defined]
        known = reader.read(history)
        whole = self._whole(known.complete)
        if len(whole) < self.n_complete:
            return {}
        decisions: dict[int, Decision] = {}
        for trial in running:
            _, costs = known.of_running(trial)
            if 0 < len(costs) < self.n_folds and self._is_hopeless(costs, whole):
                decisions[trial.proposal.index] = "stop"
        return decisions

    def _whole(self, curves: Sequence[Curve]) -> Floats:
        """Shape (pipelines, folds): costs of those that went through all folds."""
        rows = [costs for _, costs in curves if len(costs) == self.n_folds]
        matrix = np.array(rows).reshape(len(rows), self.n_folds)
        return matrix[np.isfinite(matrix).all(axis=1)]

    def _is_hopeless(self, costs: Floats, whole: Floats) -> bool:
        n_done = len(costs)
        ends = whole.mean(axis=1)
        beyond = ends - whole[:, :n_done].mean(axis=1)
        # Pipelines that are far worse than the rest would make any spread look small or large.
        usual = np.median(beyond)
        spread = 1.4826 * np.median(np.abs(beyond - usual))
        place = max(self.n_best, len(ends) // 2) - 1
        bar = np.sort(ends)[min(place, len(ends) - 1)]
        expected = float(np.mean(costs)) + usual
        return bool(not np.isfinite(expected) or expected - self.luck * spread > bar)
