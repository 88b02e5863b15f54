"""SIGKILL at any instant, inside commits too, loses no trial that was committed."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from octavo.problem import Objective, Problem
from octavo.spaces import Float, space
from octavo.storage import create_store, open_store
from octavo.trial import Proposal, Report, Status, Trial

# A study that writes as fast as it can, and says which trials have been committed. Blocks of
# several trials and long texts spread a commit over many pages, so that kills hit inside.
WRITER = """
import os, sys
from octavo.storage import open_store
from octavo.trial import Proposal, Report, Status, Trial

store = open_store(sys.argv[1])
for proposal in store.pending():
    store.add_trials([Trial(proposal, Status.SUCCESS, (float(proposal.index),))])
    os.write(1, b"%d\\n" % proposal.index)
start = store.n_completed()
while True:
    block = [Proposal(start + i, {"x": 0.5}, seed=7) for i in range(3)]
    store.add_proposals(block, revision=0)
    for proposal in block:
        store.take_lease(proposal.index, "w", expires_s=60)
        store.add_reports(proposal.index, [Report(step, {"loss": 1.0}) for step in range(20)])
    trials = [
        Trial(p, Status.SUCCESS, (float(p.index),), cause="x" * 20_000, worker="w") for p in block
    ]
    store.add_trials(trials)
    os.write(1, b"".join(b"%d\\n" % p.index for p in block))
    start += 3
"""


@pytest.fixture
def make_study(tmp_path):
    def make(name):
        with create_store(tmp_path / name) as store:
            store.add_problem(Problem(space(x=Float(0, 1)), (Objective("loss"),)), since=0)
        return tmp_path / name

    return make


@pytest.fixture
def folder(make_study):
    return make_study("study")


def test_kills_at_random_moments_lose_nothing(make_study, repeats):
    rng = random.Random(0)
    for number in range(repeats):
        folder = make_study(str(number))
        said: list[int] = []
        for _ in range(6):
            said = _kill_once(folder, said, rng.uniform(0, 0.3))
        assert len(said) > 10


def _kill_once(folder, said, after_s):
    """Let a writer go on for a while, kill it, and look at what it left."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what readline read ahead would be lost to communicate
        process_group=0,
    )
    first = writer.stdout.readline()  # it runs
    assert first, writer.stderr.read().decode()
    time.sleep(after_s)
    os.killpg(writer.pid, signal.SIGKILL)
    rest, errors = writer.communicate()
    assert writer.returncode == -signal.SIGKILL, errors.decode()
    # The last line may be cut off, because the kill may hit the print as well.
    said = said + [int(line) for line in (first + rest).split(b"\n")[:-1]]

    with open_store(folder, write=False) as reader:  # what everybody sees at once
        index = reader.history().indices.tolist()
    assert len(index) == len(set(index))
    assert set(said) <= set(index)
    with open_store(folder) as store:
        history = store.history()
        pending = [proposal.index for proposal in store.pending()]
        found = history.indices.tolist()
        assert not set(pending) & set(found)
        assert sorted([*found, *pending]) == list(range(len(found) + len(pending)))
        assert len(said) <= len(history) <= len(said) + 3  # one commit whose news was cut off
        assert all(t.costs == (float(t.index),) and t.config == {"x": 0.5} for t in history)
        assert {lease.index for lease in store.leases()} <= set(pending)
    return found


@pytest.mark.parametrize("at", range(0, 40, 5))
def test_a_kill_inside_a_commit_leaves_all_or_nothing(folder, at):
    """The process dies at the n-th write to a file of the database, not merely near it."""
    code = """
import os, signal, sys
from octavo.storage import open_store
from octavo.trial import Proposal, Status, Trial

store = open_store(sys.argv[1])
proposals = [Proposal(i, {"x": 0.5}, seed=7) for i in range(20)]
store.add_proposals(proposals, revision=0)
trials = [Trial(p, Status.SUCCESS, (1.0,), cause="x" * 8000) for p in proposals]
store.add_trials(trials[:10])

# Let the kernel kill us when the write-ahead log grows beyond the n-th page from now.
import resource
size = os.path.getsize(os.path.join(sys.argv[1], "history.sqlite-wal"))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
limit = size + int(sys.argv[2]) * 4120 + 100
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
store.add_trials(trials[10:])
print("committed", flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(at)], check=False, capture_output=True
    )
    with open_store(folder) as store:
        if done.stdout == b"committed\n":  # the whole commit took fewer pages
            assert at > 20
            assert store.n_completed() == 20
        else:
            assert done.returncode == -signal.SIGXFSZ, done.stderr
            assert store.history().indices.tolist() == list(range(10))
            assert [p.index for p in store.pending()] == list(range(10, 20))


def test_a_kill_while_a_study_is_created_can_be_repeated(tmp_path, repeats):
    code = (
        "import sys; from octavo.storage import create_store\n"
        "import octavo.storage.opening; print('go', flush=True)\n"
        "create_store(sys.argv[1]); print('made', flush=True); sys.stdin.read()"
    )
    rng = random.Random(1)
    for number in range(5 * repeats):
        folder = tmp_path / str(number)
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.03))
        writer.kill()
        writer.communicate()
        with create_store(folder) as store:
            store.add_problem(Problem(space(x=Float(0, 1))), since=0)
            store.add_proposals([Proposal(0, {"x": 0.5})], revision=0)
            store.add_trials([Trial(Proposal(0, {"x": 0.5}), Status.SUCCESS, (1.0,))])
            assert store.n_completed() == 1


def test_reports_of_a_killed_attempt_do_not_mix_with_the_next(folder):
    with open_store(folder) as store:
        store.add_proposals([Proposal(0, {"x": 0.5})], revision=0)
        store.take_lease(0, "w", expires_s=0.01)
        store.add_reports(0, [Report(1, {"loss": 9.0})])
    time.sleep(0.02)
    with open_store(folder) as store:
        store.take_lease(0, "w", expires_s=60)
        store.add_reports(0, [Report(1, {"loss": 0.5})])
        store.add_trials([Trial(store.pending()[0], Status.SUCCESS, (0.5,))])
        assert store.history()[0].reports == (Report(1, {"loss": 0.5}),)
