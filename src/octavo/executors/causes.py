"""Why a worker's trial did not succeed, in words: what happened, and what to do about it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from octavo.executors.calling import is_library
from octavo.executors.watching import Order, Outcome
from octavo.trial import Status

__all__ = ["explain"]

_ADVICE = {
    "SIGSEGV": "a segmentation fault, an error in native code",
    "SIGBUS": "a bus error; a file that was mapped into memory may have shrunk",
    "SIGABRT": "an abort; native code found itself in an impossible state",
    "SIGFPE": "an arithmetic error in native code",
    "SIGILL": "an illegal instruction; a library may be built for another processor",
    "SIGKILL": "from outside; most often the system had run out of memory, then fewer workers "
    "or a memory limit per trial help",
    "SIGTERM": "from outside, or by itself",
}


def explain(outcome: Outcome, order: Order) -> tuple[Status, str]:
    """The status and the cause of a trial that was not answered and not stopped."""
    if outcome.end == "timeout":
        return Status.TIMEOUT, (
            f"it ran for {outcome.wall_s:.2f} s, over its {_limit(order, 'wall_s')}, and was "
            f"killed. {_more_time(order, 'wall_s')}"
        )
    if outcome.end == "cpu":
        return Status.TIMEOUT, (
            f"it used {outcome.cpu_s:.2f} s of CPU time{_several(outcome)}, over its "
            f"{_limit(order, 'cpu_s')}, and was killed. {_more_time(order, 'cpu_s')}"
        )
    if outcome.end == "memory":
        return Status.MEMORY, (
            f"it used {outcome.memory_mb:.0f} MiB{_several(outcome)}, over its limit of "
            f"{order.bounds.memory_mb:.0f} MiB, and was killed. Allow each trial more memory, or "
            "search where trials need less."
        )
    if outcome.end == "hung":
        return Status.CRASHED, (
            f"its worker process was not ready after {outcome.wall_s:.0f} s and was killed. Look "
            "for what blocks while the objective's module is imported, or raise start_timeout_s."
        )
    if outcome.end == "cut":
        return Status.CRASHED, (
            "it lost its connection: the objective closed file descriptors that are not its own, "
            "such as with os.closerange, or wrote into them. Touch only what you opened."
        )
    how = _death(outcome)
    if outcome.end == "stillborn":
        how = f"its worker process ended while it started, twice: {how}"
    else:
        how = f"its worker process ended before the objective returned: {how}"
    return Status.CRASHED, how + _last_words(outcome.ending)


def _several(outcome: Outcome) -> str:
    return f" in {outcome.n_processes} processes" if outcome.n_processes > 1 else ""


def _limit(order: Order, name: str) -> str:
    word = "cutoff" if order.bounds.cutoff == name else "limit"
    return f"{word} of {getattr(order.bounds, name):g} s"


def _more_time(order: Order, name: str) -> str:
    if order.bounds.cutoff == name:
        return "Whoever proposed it had seen enough by then."
    return "Allow each trial more time, or search where trials are cheaper."


def _death(outcome: Outcome) -> str:
    code = outcome.exit_code
    if code >= 0:
        return (
            f"exit code {code}. The objective, or a library in it, called os._exit or exited from "
            "native code; return a cost or raise an exception instead."
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    advice = _ADVICE.get(name, "from outside, or by itself")
    return f"killed by {name} ({advice})."


def _last_words(ending: str) -> str:
    """Where native code crashed, told by Python's fault handler; else the last printed line."""
    frames = re.findall(r'^  File "(.+)", line (\d+) in (\S+)', ending, re.MULTILINE)
    if frames:
        users = [frame for frame in frames if not is_library(frame[0])]
        file, line, function = (users or frames)[0]
        return f" It was at {Path(file).name}:{line} in {function}."
    lines = [line.strip() for line in ending.splitlines() if line.strip()]
    return f" The last that it printed: {lines[-1][:300]!r}." if lines else ""
