"""What is known of a tree of processes, and how it ends, by every way of looking at it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.executors import process_tree

TREE = """
import subprocess, sys, time
hoard = bytearray(b"x") * (60 << 20)
until = time.process_time() + 0.3
while time.process_time() < until: pass
children = [subprocess.Popen(["sleep", "1000"])]
children += [subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"]) for _ in range(2)]
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[str]]:
    """A process with three children, two of which have two each."""
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, text=True) as root:
        assert root.stdout is not None
        root.stdout.readline()
        time.sleep(0.3)
        yield root
        process_tree.kill_descendants(root.pid)
        root.kill()


@pytest.fixture(params=["children files", "parents", "psutil"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Linux, Linux without the files of children, and elsewhere."""
    if request.param != "children files":
        monkeypatch.setattr(process_tree, "_HAS_CHILDREN_FILES", False)
    monkeypatch.setattr(process_tree, "_LINUX", request.param != "psutil")
    return str(request.param)


def test_descendants_are_found(tree: subprocess.Popen[str], way: str) -> None:
    found = process_tree.descendants(tree.pid)
    assert len(found) == len(set(found)) == 7
    assert tree.pid not in found
    assert process_tree.descendants(found[-1]) == []
    assert set(found) < set(process_tree.descendants(os.getpid()))


def test_consumption_is_measured(tree: subprocess.Popen[str], way: str) -> None:
    usages = process_tree.measure([tree.pid, *process_tree.descendants(tree.pid), 2**22 + 1])
    assert len(usages) == 8
    root = usages[tree.pid]
    assert 60 <= root.bytes / 2**20 <= 100
    assert 0.25 <= root.cpu_s <= 1.0
    assert not root.is_zombie
    assert sum(usage.bytes for usage in usages.values()) < 110 * 2**20


def test_shared_pages_are_counted_exactly(tree: subprocess.Popen[str]) -> None:
    exact = process_tree.proportional_bytes([tree.pid])
    quick = process_tree.measure([tree.pid])[tree.pid].bytes
    assert abs(exact - quick) < 2 * 2**20
    assert process_tree.proportional_bytes([2**22 + 1]) == 0


def test_a_tree_is_killed_but_for_what_is_spared(tree: subprocess.Popen[str], way: str) -> None:
    spared = int(Path(f"/proc/{tree.pid}/task/{tree.pid}/children").read_text().split()[0])
    assert process_tree.kill_descendants(tree.pid, spare=[spared])
    left = process_tree.measure(process_tree.descendants(tree.pid))
    assert [pid for pid, usage in left.items() if not usage.is_zombie] == [spared]
    assert process_tree.kill_descendants(tree.pid)
    left = process_tree.measure(process_tree.descendants(tree.pid))
    assert all(usage.is_zombie for usage in left.values())
    assert tree.poll() is None


def test_the_dead_are_reaped_with_what_they_consumed() -> None:
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            until = time.process_time() + 0.2
            while time.process_time() < until:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # wait, and leave it a zombie
    cpu_s = process_tree.reap(keep=children[0])
    assert 0.15 <= cpu_s < 0.6
    with pytest.raises(ChildProcessError):
        os.waitpid(children[1], os.WNOHANG)
    assert os.waitpid(children[0], 0)[0] == children[0]


def test_looking_is_cheap(tree: subprocess.Popen[str]) -> None:
    best = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        process_tree.measure(process_tree.descendants(tree.pid))
        best = min(best, time.perf_counter() - started)
    assert best < 5e-3  # eight processes, 20 times a second: at most a tenth of a core
