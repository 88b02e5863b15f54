"""How many cores there are for us, and how workers share them.

Numeric libraries start one thread per core of the machine. In a container that may use two
cores, or beside other workers, those threads fight for the same cores, and OpenMP threads
that wait by spinning burn what the others need. So every worker is told its share before any
numeric library is loaded in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["available_cores", "thread_environment"]

_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib's n_jobs=-1 means
)


def available_cores() -> int:
    """How many cores this process may use: at least 1, at most what the machine has.

    The CPU affinity of the process and the CPU quota of its control group (containers) both
    lower the number; a quota of 2.5 cores counts as 2.

    Examples
    --------
    >>> 1 <= available_cores() <= os.cpu_count()
    True
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, int(min(cores, quota_cores(_read("/proc/self/cgroup")))))


def quota_cores(membership: str, root: Path = Path("/sys/fs/cgroup")) -> float:
    """The tightest CPU quota on the way from a process's control group up; infinity if none.

    Parameters
    ----------
    membership
        Content of `/proc/<pid>/cgroup`: one "number:controllers:path" a line.
    root
        Where control groups are mounted; version 2 directly or under `unified`, version 1
        under the name of the controller.
    """
    quota = float("inf")
    for line in membership.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        steps = [step for step in path.split("/") if step and step != ".."]
        if number == "0" and not controllers:
            mounts = [root, root / "unified"]
        elif "cpu" in controllers.split(","):
            mounts = [root / "cpu", root / controllers]
        else:
            continue
        for mount in mounts:
            for depth in range(len(steps) + 1):
                group = mount.joinpath(*steps[:depth])
                quota = min(quota, _ratio(_read(group / "cpu.max").split()))
                amount = _read(group / "cpu.cfs_quota_us").split()
                quota = min(quota, _ratio(amount + _read(group / "cpu.cfs_period_us").split()))
    return quota


def thread_environment(
    threads: int | None, workers: int, environment: Mapping[str, str]
) -> dict[str, str]:
    """The environment variables that give one of `workers` its share of the cores.

    Parameters
    ----------
    threads
        Threads per worker; None: the available cores divided by `workers`, or what the
        environment says where that is less.
    workers
        How many workers share the cores.
    environment
        The study's own.
    """
    share = threads or max(1, available_cores() // workers)
    variables = {"OMP_WAIT_POLICY": environment.get("OMP_WAIT_POLICY", "PASSIVE")}
    for name in _COUNTS:
        already = environment.get(name, "").partition(",")[0]
        keep = threads is None and already.isdigit() and 0 < int(already) < share
        variables[name] = already if keep else str(share)
    return variables


def _ratio(quota_and_period: list[str]) -> float:
    try:
        quota, period = map(float, quota_and_period)
    except ValueError:  # no such file, or "max": no quota
        return float("inf")
    return quota / period if quota > 0 and period > 0 else float("inf")


def _read(file: str | Path) -> str:
    try:
        return Path(file).read_text()
    except OSError:
        return ""
