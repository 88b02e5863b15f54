"""What the tests of executors share: running trials, and looking for left-over processes."""

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ConfigSpace import ConfigurationSpace, Float

from octavo.executors import Executor, Finished, ProcessExecutor, Reported, Work
from octavo.problem import Problem, TrialLimits
from octavo.trial import Proposal, Trial

Run = Callable[..., Trial]


@pytest.fixture(scope="session")
def problem() -> Problem:
    """One objective over one number."""
    space = ConfigurationSpace(space={"x": Float("x", (0.0, 1.0))})
    return Problem(space=space)  # type: ignore[arg-type]  (executors never look at it)


@pytest.fixture(scope="session")
def run() -> Run:
    """Run one trial to its end: `run(executor, {"x": 1}, index=0, wall_s=None) -> Trial`."""

    def _run(executor: Executor, config: dict[str, Any], index: int = 0, **options: Any) -> Trial:
        wall_s = options.pop("wall_s", None)
        executor.submit(Proposal(index, config, **options), wall_s=wall_s)
        return finish(executor)[0]

    return _run


def finish(executor: Executor, n: int = 1, timeout_s: float = 60.0) -> list[Trial]:
    """Wait until `n` trials have finished."""
    trials: list[Trial] = []
    give_up = time.monotonic() + timeout_s
    while len(trials) < n:
        assert time.monotonic() < give_up, f"only {len(trials)} of {n} trials finished"
        for event in executor.wait(1.0):
            if isinstance(event, Finished):
                trials.append(event.trial)
            else:
                assert isinstance(event, Reported)
    return trials


@pytest.fixture(scope="session", name="finish")
def _finish() -> Callable[..., list[Trial]]:
    return finish


@pytest.fixture
def processes(problem: Problem, tmp_path: Path) -> Iterator[Callable[..., ProcessExecutor]]:
    """Start process executors: `processes(objective, workers=1, wall_s=None, ...)`."""
    started: list[ProcessExecutor] = []

    def start(
        objective: Callable[..., Any],
        *,
        workers: int = 1,
        limits: TrialLimits | None = None,
        data: dict[str, Any] | None = None,
        problem: Problem = problem,
        **options: Any,
    ) -> ProcessExecutor:
        executor = ProcessExecutor(workers, **options)
        started.append(executor)
        executor.start(Work(objective, problem, tmp_path, limits or TrialLimits(), data or {}))
        return executor

    yield start
    for executor in started:
        executor.close()


def marked_processes(mark: str) -> list[str]:
    """The command lines of all processes whose environment contains a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
                if mark.encode() in environment:
                    found.append(entry.name + " " + (entry / "cmdline").read_text()[:200])
            except OSError:  # gone in the meantime
                continue
    return found


class Mark:
    """A mark in the environment of everything that a test starts."""

    def __init__(self) -> None:
        self.text = f"mark-{uuid.uuid4().hex}"

    def survivors(self) -> list[str]:
        """What still runs of it (zombies have no environment, and do not run)."""
        return marked_processes(self.text)

    def all_gone(self, within_s: float) -> bool:
        """Whether nothing of it runs any more after this time at the latest."""
        give_up = time.monotonic() + within_s
        while self.survivors():
            if time.monotonic() > give_up:
                return False
            time.sleep(0.02)
        return True


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Mark:
    """Marks what is started from now on."""
    if sys.platform != "linux":
        raise NotImplementedError("left-over processes are looked for in /proc")
    mark = Mark()
    monkeypatch.setenv("OCTAVO_TEST_MARK", mark.text)
    return mark
