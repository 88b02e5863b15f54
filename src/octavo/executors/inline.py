"""Trials one after another in this process: nothing to start, nothing to kill.

For quick objectives, for debugging and for determinism. A crash of the interpreter takes the
study with it and no limit can be enforced; `ProcessExecutor` is for everything else.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from octavo.errors import SettingError, StorageError, StudyError, TrialStopped
from octavo.executors import checkpoints
from octavo.executors.bounds import bounds
from octavo.executors.calling import Call, settled
from octavo.executors.checkpoints import Checkpoints
from octavo.executors.protocol import Event, Finished, Reported, Work
from octavo.executors.reporting import Reporter
from octavo.problem import TrialLimits
from octavo.trial import Proposal, Report, Resources, Status, Trial

if sys.platform != "win32":
    import resource

__all__ = ["InlineExecutor"]

logger = logging.getLogger(__name__)

_HOW = {
    "wall_s": "monotonic clock, from the call of the objective to its return",
    "cpu_s": "the study's own process, all its threads, and children that ended meanwhile",
    "memory_mb": "not measured: the study's own process holds more than the trial; use workers=1",
}


class InlineExecutor:
    """Runs each trial in this process, inside `wait`.

    The objective gets the study's own `data`, uncopied. What it prints goes where the study
    prints. An exception becomes a crashed trial; `KeyboardInterrupt` goes through, and the
    trial then counts as still running: `stop` ends it, another `wait` runs it again.

    Examples
    --------
    >>> from pathlib import Path
    >>> from octavo.problem import Problem
    >>> executor = InlineExecutor()
    >>> problem = Problem(space=None)  # the space plays no part here
    >>> executor.start(Work(lambda config: config["x"] ** 2, problem, Path("unused")))
    >>> executor.submit(Proposal(0, {"x": 3}))
    >>> [finished] = executor.wait()
    >>> finished.trial.status, finished.trial.costs
    (<Status.SUCCESS: 'success'>, (9.0,))
    """

    how = _HOW
    is_local = True

    def __init__(self) -> None:
        self._work: Work | None = None
        self._call: Call | None = None
        self._running: Proposal | None = None
        self._time_limit: float | None = None
        self._halted: TrialStopped | None = None
        self._has_warned = False
        self._events: deque[Event] = deque()

    @property
    def slots(self) -> int:
        """One."""
        return 1

    def start(self, work: Work) -> None:
        """Prepare to run trials.

        Raises
        ------
        SettingError
            If a trial has a limit, which only another process could enforce, or if the
            objective wants an argument that nobody gives it.
        """
        self.refuse_limits(work.limits)
        self._call = Call.of(work.objective, work.problem, work.data)
        self._work = work

    @staticmethod
    def refuse_limits(limits: TrialLimits) -> None:
        """Refuse limits that only another process could enforce.

        Raises
        ------
        SettingError
            If there is one.
        """
        for name, value in asdict(limits).items():
            if value is not None:
                raise SettingError(
                    f"the limit {name}={value:g} on each trial cannot be enforced while trials "
                    "run inside the study's own process. Run them in worker processes: workers=1 "
                    "instead of executor=InlineExecutor(), or remove the limit."
                )

    def submit(self, proposal: Proposal, *, wall_s: float | None = None) -> None:
        """Take a proposal; the next `wait` runs it.

        Neither `wall_s` nor a cutoff can be enforced here, but the objective is told the lesser
        of those that count wall clock as `time_limit`.
        """
        if self._work is None:
            raise StudyError("submit was called before start(work). Call start once first.")
        if self._running is not None:
            raise StudyError(
                f"trial {proposal.index} was submitted while trial {self._running.index} waits "
                "in the only slot. Call wait() first."
            )
        self._running = proposal
        self._time_limit = bounds(
            self._work.problem, self._work.limits, proposal, wall_s=wall_s
        ).wall_s
        if proposal.cutoff_s is not None and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "trial %d has a cutoff of %g s, which nothing enforces while trials run inside the "
                "study's own process; worker processes do: workers=1",
                proposal.index,
                proposal.cutoff_s,
            )

    def wait(self, timeout_s: float | None = None) -> Sequence[Event]:
        """Run what was submitted, to its end; reports come first, then the trial."""
        if self._running is not None and not self._events:
            trial = self._run(self._running)
            self._running = None
            self._events.append(Finished(trial))
        elif not self._events and timeout_s is not None:
            time.sleep(timeout_s)
        events = tuple(self._events)
        self._events.clear()
        return events

    def stop(self, index: int, status: Status, cause: str) -> None:
        """Take back a trial that was submitted and has not been run."""
        if self._running is not None and self._running.index == index and self._work is not None:
            nan = (float("nan"),) * self._work.problem.n_objectives
            trial = Trial(self._running, status, nan, cause=cause, worker="inline")
            self._running = None
            self._events.append(Finished(trial))

    def halt(self, index: int, decision: Literal["pause", "stop"], cause: str) -> None:
        """Have the running trial end at this report, if called by `Work.listen`, else its next."""
        if self._running is not None and self._running.index == index:
            self._halted = TrialStopped(cause, paused=decision == "pause")

    def close(self) -> None:
        """Nothing was started, so nothing is left."""
        self._running = None

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, proposal: Proposal) -> Trial:
        assert self._work is not None and self._call is not None
        work = self._work
        reports: list[Report] = []
        broken: list[BaseException] = []
        self._halted = None

        def keep(report: Report) -> TrialStopped | None:
            reports.append(report)
            if work.listen is not None:
                try:
                    work.listen(Reported(proposal.index, report))
                except BaseException as error:  # the study's own: no failure of the trial
                    broken.append(error)
                    return TrialStopped("the study failed while the trial ran")
            return self._halted

        folder = self._folder(work.folder, proposal)
        from_zero = checkpoints.why_from_zero(
            work.folder, proposal, is_wanted=self._call.takes_checkpoint
        )
        checkpoint = Checkpoints(folder, checkpoints.source_of(work.folder, proposal))
        started, wall, cpu = time.time(), time.perf_counter(), _cpu_s()
        answer = self._call(
            proposal.config,
            seed=proposal.seed,
            fidelity=proposal.fidelity,
            instance=proposal.instance,
            time_limit=self._time_limit,
            report=Reporter(work.problem, keep),
            checkpoint=checkpoint,
            folder=folder,
            data=work.data,
        )
        wall_s, cpu_s = time.perf_counter() - wall, _cpu_s() - cpu
        if broken:
            raise broken[0]
        if work.listen is None:
            self._events.extend(Reported(proposal.index, report) for report in reports)
        status, costs, constraints, extra = settled(work.problem, answer, reports)
        if status is Status.CRASHED:
            logger.debug("trial %d failed: %s\n%s", proposal.index, answer.cause, answer.traceback)
        return Trial(
            proposal,
            status,
            costs,
            constraints,
            cause=answer.cause,
            resources=Resources(wall_s=wall_s, cpu_s=cpu_s, how=_HOW),
            reports=tuple(reports),
            worker="inline",
            started=started,
            ended=started + wall_s,
            checkpoint=(
                checkpoints.collected(work.folder, proposal.index)
                if self._call.takes_checkpoint
                else None
            ),
            extra={**extra, **checkpoints.resumption(proposal, from_zero, checkpoint.is_loaded)},
        )

    def _folder(self, study: Path, proposal: Proposal) -> Path:
        """The trial's own folder; only if the objective asks for it, files are touched."""
        folder = study / "trials" / str(proposal.index)
        assert self._call is not None
        try:
            if "folder" in self._call.wanted:
                folder.mkdir(parents=True, exist_ok=True)
            if self._call.takes_checkpoint:
                checkpoints.clear(study, proposal.index)
        except OSError as error:
            raise StorageError(
                f"the folder {folder} of a trial cannot be made: {error}. "
                "Free some space or choose another folder for the study."
            ) from error
        return folder


def _cpu_s() -> float:
    """CPU seconds of this process and of children waited for, finer than those of `os.times`."""
    if sys.platform == "win32":  # which does not tell of children
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
