"""One run of a solver under a limit on its CPU time."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Run", "run_limited"]

_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.01
_ANSWERS = {10: "SAT", 20: "UNSAT", 30: "UNSAT"}  # clasp says 20 or 30 (exhausted)


@dataclass(frozen=True)
class Run:
    """What a run took, and what it answered.

    Parameters
    ----------
    cpu_s
        CPU seconds of the process.
    answer
        "SAT", "UNSAT", or "" if it was killed or failed.
    """

    cpu_s: float
    answer: str


def run_limited(command: Sequence[str], cutoff_s: float | None) -> Run:
    """Run a command, and kill it after so many seconds of CPU time.

    Parameters
    ----------
    command
        Program and arguments.
    cutoff_s
        None: somebody else looks after it.
    """
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if cutoff_s is not None:  # the kernel's limit, should this process be killed meanwhile
        with contextlib.suppress(ProcessLookupError):
            most = math.ceil(cutoff_s) + 1
            resource.prlimit(child.pid, resource.RLIMIT_CPU, (most, most))
    try:
        while cutoff_s is not None and _cpu_s(child.pid) < cutoff_s:
            done, status, usage = os.wait4(child.pid, os.WNOHANG)
            if done:
                return _result(status, usage)
            time.sleep(_POLL_S)
        if cutoff_s is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, 9)
        _, status, usage = os.wait4(child.pid, 0)
        return _result(status, usage)
    finally:
        child.returncode = 0  # it was waited for above; nothing is left to reap


def _result(status: int, usage: object) -> Run:
    cpu = usage.ru_utime + usage.ru_stime  # type: ignore[attr-defined]
    code = os.waitstatus_to_exitcode(status)
    return Run(cpu, _ANSWERS.get(code, ""))


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
