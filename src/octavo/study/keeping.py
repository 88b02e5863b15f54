"""Which checkpoints of a study stay: those that may be of use, up to a limit on their size."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from pathlib import Path

from octavo.executors.checkpoints import discard, sizes
from octavo.history import History
from octavo.trial import Status, Trial

__all__ = ["Keeping"]

logger = logging.getLogger(__name__)


class Keeping:
    """The checkpoints of a study, and how large they are.

    Parameters
    ----------
    folder
        The study's folder.
    history
        All completed trials so far.
    limit_mb
        How much those of completed trials may take together, in MiB; None: any amount.
    """

    def __init__(self, folder: Path, history: History, limit_mb: float | None) -> None:
        self._folder = folder
        self._limit = math.inf if limit_mb is None else limit_mb * 2**20
        self._sizes: dict[int, int] = {}
        self._trials: dict[int, Trial] = {}  # those whose checkpoints are there
        self._resumed: set[int | None] = set()
        self._has_warned = False
        found = sizes(folder)
        for trial in history if found else ():
            self._resumed.add(trial.proposal.resume_from)
            if trial.index in found:  # else it was deleted in an earlier run
                self._sizes[trial.index] = found[trial.index]
                self._trials[trial.index] = trial

    def add(self, trial: Trial) -> None:
        """A trial was completed."""
        self._resumed.add(trial.proposal.resume_from)
        if trial.checkpoint is not None:
            self._sizes[trial.index] = trial.checkpoint.size_bytes
            self._trials[trial.index] = trial

    def tidy(
        self, history: History, resumable: Collection[int] | None, needed: Collection[int]
    ) -> None:
        """Delete checkpoints that nobody will resume, then the least valuable over the limit.

        Parameters
        ----------
        history
            All completed trials. Its incumbents' checkpoints always stay.
        resumable
            Trials that the optimizer may still resume; all others' checkpoints go, except of
            paused trials that nobody resumed. None: it does not say, so only the limit counts.
        needed
            Trials that run, or from which something that runs or waits goes on.
        """
        paused = {index for index, trial in self._trials.items() if self._is_paused(trial)}
        idle = [] if resumable is None else [i for i in self._sizes if i not in resumable]
        if not idle and self._total() <= self._limit:
            return
        stay = {*needed, *_incumbents(history)}
        for index in idle:
            if index not in stay and index not in paused:
                self._delete(index, "nothing will go on from it")
        wanted = paused.union(resumable or ())
        for index in sorted(self._sizes, key=lambda index: self._worth(index, wanted)):
            if self._total() <= self._limit:
                return
            if index not in stay:
                self._delete(index, "checkpoint_limit is reached, and others are worth more")
        if self._total() > self._limit and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the checkpoints that are needed take %.1f MiB, more than checkpoint_limit allows "
                "(%.1f MiB): incumbents' and those from which something goes on always stay",
                self._total() / 2**20,
                self._limit / 2**20,
            )

    def _total(self) -> int:
        return sum(self._sizes.values())

    def _is_paused(self, trial: Trial) -> bool:
        return bool(trial.extra.get("paused")) and trial.index not in self._resumed

    def _worth(self, index: int, wanted: Collection[int]) -> tuple[bool | float, ...]:
        """What is the greater, the more the checkpoint is worth.

        Those that may be resumed come before others, those that nobody resumed yet before
        those that somebody did; then trials that did not fail, high fidelities, low costs.
        """
        trial = self._trials[index]
        cost, fidelity = trial.costs[0], trial.proposal.fidelity
        return (
            index in wanted,
            index not in self._resumed,
            trial.status in (Status.SUCCESS, Status.STOPPED),
            math.inf if fidelity is None else fidelity,
            -math.inf if math.isnan(cost) else -cost,
            index,
        )

    def _delete(self, index: int, why: str) -> None:
        size = self._sizes.pop(index)
        del self._trials[index]
        try:
            discard(self._folder, index)
        except OSError as error:
            logger.warning("the checkpoint of trial %d cannot be deleted: %s", index, error)
            return
        logger.info("deleted the checkpoint of trial %d (%d bytes): %s", index, size, why)


def _incumbents(history: History) -> set[int]:
    if history.problem.n_objectives > 1:
        return {trial.index for trial in history.pareto_front}
    best = history.incumbent
    return set() if best is None else {best.index}
