"""How many cores there are for us, and what workers are told."""

import os
from pathlib import Path

import pytest

from octavo.executors import available_cores
from octavo.executors.cores import quota_cores, thread_environment


def test_affinity_lowers_the_number_of_cores() -> None:
    before = os.sched_getaffinity(0)
    assert 1 <= available_cores() <= len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def groups(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "max 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4.0),
        ("0::/a\n", {"unified/a/cpu.max": "50000 100000\n"}, 0.5),
        (
            "4:cpu,cpuacct:/d\n1:memory:/x\n",
            {
                "cpu,cpuacct/d/cpu.cfs_quota_us": "200000\n",
                "cpu,cpuacct/d/cpu.cfs_period_us": "100000\n",
            },
            2.0,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("0::/a\n", {}, None),
        ("", {"cpu.max": "100000 100000"}, None),
    ],
)
def test_quotas_of_containers_count(
    membership: str, files: dict[str, str], cores: float | None, tmp_path: Path
) -> None:
    expected = float("inf") if cores is None else cores
    assert quota_cores(membership, groups(tmp_path, files)) == expected


def test_cores_are_divided_among_workers() -> None:
    cores = available_cores()
    for workers in (1, 2, 1000):
        variables = thread_environment(None, workers, {})
        assert variables["OMP_NUM_THREADS"] == str(max(1, cores // workers))
        assert variables["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_the_user_set_is_respected_where_it_asks_for_less() -> None:
    asked = {"OMP_NUM_THREADS": "3,1", "MKL_NUM_THREADS": "99", "OMP_WAIT_POLICY": "ACTIVE"}
    variables = thread_environment(8, 1, asked)
    assert variables["OMP_NUM_THREADS"] == "8"  # said in so many words, to us
    assert variables["OMP_WAIT_POLICY"] == "ACTIVE"
    variables = thread_environment(None, 1, {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "9999"})
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["MKL_NUM_THREADS"] == str(available_cores())
