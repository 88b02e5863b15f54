"""What the search keeps while it runs: predictions of the best pipelines, an ensemble so far.

A callback of the study. It reads what each trial left in its folder, re-selects the ensemble
now and then (never more often than costs a few percent of the time), and deletes the models of
the worst trials from disk. Everything that it knows can be rebuilt from the history and the
trials' folders, which is how a resumed search begins.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.callbacks import Completed, Event, Started
from octavo.ensemble.metrics import Metric
from octavo.ensemble.selection import Selection, select
from octavo.tabular.costs import TrialCosts
from octavo.tabular.evaluate import MODELS, OOF, TEST, read_models
from octavo.tabular.pipeline import Pipeline
from octavo.tabular.stacked import StackedPipeline
from octavo.trial import Status, Trial

__all__ = ["Candidate", "Collector", "EnsembleStep", "SecondLevel"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

SELECTING_SHARE = 0.04  # of the time that may go into selecting ensembles while searching


@dataclass(frozen=True)
class SecondLevel:
    """The fitted part of a stacked model; see `octavo.tabular.stacked`.

    Parameters
    ----------
    tops
        One pipeline per fold.
    trials
        On whose pipelines these stand.
    columns
        Names of what those predict.
    sees_table
        Whether the table's own columns are there too.
    """

    tops: tuple[Pipeline, ...]
    trials: tuple[int, ...]
    columns: tuple[str, ...]
    sees_table: bool

    def on(self, pipelines: Mapping[int, Sequence[Pipeline]]) -> tuple[StackedPipeline, ...]:
        """The whole, one pipeline per fold, from the pipelines of each trial by number."""
        return tuple(
            StackedPipeline(
                top,
                [pipelines[trial][fold] for trial in self.trials],
                self.trials,
                self.columns,
                sees_table=self.sees_table,
            )
            for fold, top in enumerate(self.tops)
        )


@dataclass(frozen=True)
class Candidate:
    """A finished pipeline that the ensemble may use.

    Parameters
    ----------
    trial
        Its trial.
    oof : shape (validated rows, classes) or (validated rows,)
        Out-of-fold predictions.
    second
        What of it lies in no folder, because it stands on others; None for all that were tried.
    test
        Its predictions for the test table; None if they lie in the trial's folder, if anywhere.
    """

    trial: Trial
    oof: NDArray[np.float32]
    second: SecondLevel | None = None
    test: Floats | None = None


@dataclass(frozen=True)
class EnsembleStep:
    """How good the ensemble was at a moment of the search.

    Parameters
    ----------
    at_s
        Seconds since the search began.
    n_trials
        Completed trials.
    score
        Of the ensemble out of fold, in the metric's direction.
    best_single
        Of the best pipeline alone.
    test_score
        Of the ensemble on the test table; None without one.
    """

    at_s: float
    n_trials: int
    score: float
    best_single: float
    test_score: float | None = None


class Collector:
    """Collects finished pipelines of a study.

    Parameters
    ----------
    folder
        The study's folder.
    y : shape (validated rows,)
        Codes or values of the rows that out-of-fold predictions are for.
    weights : shape (validated rows,)
        Or None.
    metric
        What is optimized.
    classes : shape (n_classes,)
        The user's labels; None for regression.
    costs
        Told how long each trial took.
    size, n_best
        Of the greedy selection.
    max_models
        How many models stay on disk.
    began
        `time.monotonic()` of the start of the search.
    test_y
        Codes or values of the test rows; None without.
    seed
        Of the selection.
    """

    def __init__(
        self,
        folder: Path,
        *,
        y: NDArray[Any],
        weights: Floats | None,
        metric: Metric,
        classes: NDArray[Any] | None,
        costs: TrialCosts,
        size: int,
        n_best: int,
        max_models: int,
        began: float,
        test_y: NDArray[Any] | None,
        seed: int,
    ) -> None:
        self._folder = folder
        self._y = y
        self._weights = weights
        self._metric = metric
        self._costs = costs
        self._size = size
        self._n_best = n_best
        self._n_kept = min(n_best, max_models)
        self._classes = classes
        self._began = began
        self._test_y = test_y
        self._seed = seed
        self._kept: dict[int, Candidate] = {}
        self._heap: list[tuple[float, int]] = []  # (-cost, -index): the worst kept one first
        self._stacked: tuple[Candidate, ...] = ()
        self._selecting_s = 0.0
        self.selection: Selection | None = None
        self.path: list[EnsembleStep] = []

    def __call__(self, event: Event) -> None:
        """Take note of a finished trial."""
        if isinstance(event, Started):
            for trial in event.history:
                self._take(trial)
        elif isinstance(event, Completed) and self._take(event.trial):
            spent = time.monotonic() - self._began
            if self.selection is None or self._selecting_s < SELECTING_SHARE * spent:
                self.reselect(len(event.history))

    @property
    def candidates(self) -> list[Candidate]:
        """The best pipelines so far, best first, and what stands on them."""
        ranked = sorted(self._kept.values(), key=lambda c: (c.trial.costs[0], c.trial.index))
        return [*ranked, *self._stacked]

    def pipelines(self, index: int) -> tuple[Pipeline, ...]:
        """What a trial fitted, one pipeline per fold."""
        return read_models(self.trial_folder(index), self._costs.n_fits)

    def trial_folder(self, index: int) -> Path:
        """Where a trial left its files."""
        return self._folder / "trials" / str(index)

    def reselect(self, n_trials: int, *, time_limit_s: float | None = None) -> Selection | None:
        """Select the ensemble anew from what is there; None before any pipeline succeeded."""
        began = time.monotonic()
        candidates = self.candidates
        if not candidates:
            return None
        self.selection = self.selected(candidates, time_limit_s=time_limit_s)
        self._note(n_trials, self.test_score())
        self._selecting_s += time.monotonic() - began
        return self.selection

    def selected(
        self, candidates: Sequence[Candidate], *, time_limit_s: float | None = None
    ) -> Selection:
        """The best ensemble of some candidates."""
        return select(
            [candidate.oof for candidate in candidates],
            self._y,
            self._metric,
            size=self._size,
            n_best=self._n_best,
            sample_weight=self._weights,
            classes=self._classes,
            time_limit_s=time_limit_s,
            seed=self._seed,
        )

    def admit(self, stacked: Sequence[Candidate], selection: Selection, n_trials: int) -> None:
        """Take models that stand on others among the candidates, and an ensemble with them."""
        self._stacked = tuple(stacked)
        self.selection = selection
        self._note(n_trials, self.test_score())

    def settle(self, selection: Selection, n_trials: int, test_score: float | None) -> None:
        """Take the ensemble of the end, with its score on the test table if that is known."""
        is_same = self.selection is selection
        self.selection = selection
        if not (is_same and self.path and self.path[-1].test_score == test_score):
            self._note(n_trials, test_score)

    def _note(self, n_trials: int, test_score: float | None) -> None:
        """Remember how good the ensemble is now."""
        assert self.selection is not None
        self.path.append(
            EnsembleStep(
                at_s=time.monotonic() - self._began,
                n_trials=n_trials,
                score=self.selection.score,
                best_single=self.selection.path[0],
                test_score=test_score,
            )
        )

    def sweep(self, completed: Collection[int]) -> None:
        """Remove what trials left that were in flight when the search ended.

        They may have written their models before they were cancelled, which nobody counts.

        Parameters
        ----------
        completed
            Indices of completed trials, whose files are kept or were removed already.
        """
        for name in (MODELS, OOF, TEST):
            for path in (self._folder / "trials").glob(f"*/{name}"):
                if int(path.parent.name) not in completed:
                    path.unlink()

    def _take(self, trial: Trial) -> bool:
        """Keep a trial if it is among the best; whether it was kept."""
        folder = self.trial_folder(trial.index)
        if trial.succeeded:
            self._learn(trial)
        elif trial.status is Status.STOPPED and trial.reports and trial.resources.wall_s:
            share = len(trial.reports) / self._costs.n_fits
            self._costs.learn(trial.config, trial.resources.wall_s / min(share, 1.0))
        if not trial.succeeded or not (folder / MODELS).exists():
            (folder / MODELS).unlink(missing_ok=True)  # half written, perhaps
            return False
        self._kept[trial.index] = Candidate(trial, np.load(folder / OOF))
        heapq.heappush(self._heap, (-trial.costs[0], -trial.index))
        if len(self._kept) <= self._n_kept:
            return True
        _, worst = heapq.heappop(self._heap)
        del self._kept[-worst]
        for name in (MODELS, OOF, TEST):
            (self.trial_folder(-worst) / name).unlink(missing_ok=True)
        return -worst != trial.index

    def _learn(self, trial: Trial) -> None:
        """Take note of how long a finished trial took."""
        fit_s, n_rows = trial.extra["fit_s"], trial.proposal.fidelity
        wall_s = trial.resources.wall_s or fit_s
        rest_s = 0.0 if n_rows is None else max(wall_s - fit_s, 0.0)
        self._costs.learn(trial.config, wall_s, n_rows=n_rows, rest_s=rest_s)

    def test_score(self, selection: Selection | None = None) -> float | None:
        """Of an ensemble (the present one by default) with its pipelines of the folds; None if
        there is no test table or not all members' predictions for it are known.
        """
        chosen = self.selection if selection is None else selection
        if self._test_y is None or chosen is None:
            return None
        members, candidates = chosen.indices, self.candidates
        each = [self._test_predictions(candidates[at]) for at in members]
        known = [one for one in each if one is not None]
        if len(known) < len(each):
            return None
        shares = chosen.weights[list(members)]
        mixed = sum(share * one for share, one in zip(shares, known, strict=True))
        return float(self._metric.score(self._test_y, mixed, classes=self._classes))

    def _test_predictions(self, candidate: Candidate) -> NDArray[np.floating] | None:
        path = self.trial_folder(candidate.trial.index) / TEST
        if candidate.second is not None or not path.exists():
            return candidate.test
        found: NDArray[np.floating] = np.load(path)
        return found
