"""Full disks, read-only folders, damaged and foreign files: a clear word, and nothing lost."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from octavo.errors import StorageError
from octavo.problem import Objective, Problem
from octavo.spaces import Float, space
from octavo.storage import create_store, open_store
from octavo.trial import Proposal, Status, Trial

PROBLEM = Problem(space(x=Float(0, 1)), (Objective("loss"),))


def proposals(start, stop):
    return [Proposal(i, {"x": 0.5}, seed=i) for i in range(start, stop)]


def trials(start, stop, cause=""):
    return [
        Trial(p, Status.SUCCESS, (float(p.index),), cause=cause) for p in proposals(start, stop)
    ]


def fill(folder, n=3):
    with create_store(folder) as store:
        store.add_problem(PROBLEM, since=0)
        store.add_proposals(proposals(0, n), revision=0)
        store.add_trials(trials(0, n))


@contextmanager
def small_disk(folder: Path):
    """A folder where space runs out, and how to make room; yields (folder, make room).

    A small tmpfs where we may mount one; otherwise a limit on the size of files, which the
    kernel enforces in the same place.
    """
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        ballast = folder / "ballast"
        ballast.write_bytes(b"x" * 300_000)
        try:
            yield folder, ballast.unlink
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
    try:
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def write_until_full(store) -> int:
    """Write trials until the disk is full; how many were committed."""
    n = 0
    with pytest.raises(StorageError) as caught:
        while n < 1000:
            store.add_proposals(proposals(n, n + 1), revision=0)
            store.add_trials(trials(n, n + 1, cause="x" * 10_000))
            n += 1
    message = str(caught.value)
    assert str(store.folder) in message
    assert "no space is left" in message
    assert "safe" in message and "Free some space" in message
    return n


def test_a_full_disk_loses_nothing_and_the_store_goes_on(tmp_path):
    with small_disk(tmp_path / "small") as (folder, make_room):
        store = create_store(folder / "study")
        store.add_problem(PROBLEM, since=0)
        n = write_until_full(store)
        assert n > 5
        assert store.history().indices.tolist() == list(range(n))
        with open_store(folder / "study", write=False) as reader:
            assert reader.history().indices.tolist() == list(range(n))
        make_room()
        waiting = {proposal.index for proposal in store.pending()}
        if n not in waiting:
            store.add_proposals(proposals(n, n + 1), revision=0)
        store.add_trials(trials(n, n + 1, cause="x" * 10_000))
        assert store.n_completed() == n + 1
        store.close()
        with open_store(folder / "study") as again:
            assert again.history().indices.tolist() == list(range(n + 1))


def test_a_study_can_be_read_from_a_disk_that_is_still_full(tmp_path):
    with small_disk(tmp_path / "small") as (folder, _):
        store = create_store(folder / "study")
        store.add_problem(PROBLEM, since=0)
        n = write_until_full(store)
        store.close()
        with open_store(folder / "study", write=False) as reader:
            assert reader.history().indices.tolist() == list(range(n))


def test_no_study_is_started_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "small") as (folder, _):
        if not (folder / "ballast").exists():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        else:
            with pytest.raises(OSError), (folder / "more").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        with pytest.raises(StorageError, match=r"Free some space|may write"):
            create_store(folder / "study")


# Read-only folders -------------------------------------------------------------------


@pytest.fixture
def public():
    """A folder that another user can reach, which pytest's own ones are not."""
    with tempfile.TemporaryDirectory(prefix="octavo-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def read_only(folder: Path):
    """Mount the folder read-only; where we may not mount, take the right to write away."""
    mounted = subprocess.run(
        ["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    modes = {path: path.stat().st_mode for path in [folder, *folder.iterdir()]}
    for path, mode in modes.items():
        path.chmod((mode | 0o444) & ~0o222)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may write whatever the permissions say; nobody may not
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


def test_a_read_only_folder_is_read_and_not_written(public):
    fill(public / "study")
    with read_only(public / "study"):
        with open_store(public / "study", write=False) as store:
            assert store.history().indices.tolist() == [0, 1, 2]
            assert store.settings() == {}
        with pytest.raises(StorageError, match=f"{public}/study cannot be written.*reading"):
            open_store(public / "study")
        with pytest.raises(StorageError, match=f"{public}/study/new .*may write"):
            create_store(public / "study" / "new")
    open_store(public / "study").close()


# Whoever is killed leaves a write-ahead log behind, with committed trials in it.
KILLED = """
import os, signal, sys
from octavo.storage import open_store
from octavo.trial import Proposal, Status, Trial
store = open_store(sys.argv[1])
proposal = Proposal(3, {"x": 0.5}, seed=3)
store.add_proposals([proposal], revision=0)
store.add_trials([Trial(proposal, Status.SUCCESS, (3.0,))])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("lost", [[], ["history.sqlite-shm"]])
def test_a_killed_study_is_read_whole_from_a_read_only_folder(public, lost):
    fill(public / "study")
    subprocess.run([sys.executable, "-c", KILLED, str(public / "study")], check=False)
    assert (public / "study" / "history.sqlite-wal").stat().st_size > 0
    for name in lost:  # as when somebody copied the folder and left this file out
        (public / "study" / name).unlink()
    before = sorted(path.name for path in (public / "study").iterdir())
    with read_only(public / "study"):
        with open_store(public / "study", write=False) as store:
            history = store.history()
        assert history.indices.tolist() == [0, 1, 2, 3]
        assert history[3].costs == (3.0,)
    assert sorted(path.name for path in (public / "study").iterdir()) == before


def test_another_user_reads_while_the_writer_writes(public):
    """Without the right to write, and beside a writer that has not finished."""
    folder = public / "study"
    fill(folder)
    folder.chmod(0o755)
    with open_store(folder) as writer:
        writer.add_proposals(proposals(3, 4), revision=0)
        writer.add_trials(trials(3, 4))
        code = (
            "import os, sys\n"
            "from octavo.errors import OctavoError\n"
            "from octavo.storage import open_store, create_store\n"
            "import octavo.storage.opening, octavo.spaces, alembic\n"
            # All of it before it becomes somebody else, who may not read where this lies.
            "open_store(sys.argv[1], write=False).history()[0]\n"
            "if os.getuid() == 0: os.setgid(65534), os.setuid(65534)\n"
            "print(len(list(open_store(sys.argv[1], write=False).history())))\n"
            "try: open_store(sys.argv[1])\n"
            "except OctavoError as error: print(type(error).__name__)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    expected = "StorageError" if os.getuid() == 0 else "StudyLockedError"
    assert done.stdout.split() == ["4", expected], done.stderr


# Files that are something else -------------------------------------------------------


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database_is_named(tmp_path, write):
    (tmp_path / "history.sqlite").write_text("loss,accuracy\n" * 100)
    with pytest.raises(StorageError, match=f"{tmp_path}.*not a SQLite database.*another folder"):
        open_store(tmp_path, write=write)
    assert (tmp_path / "history.sqlite").read_text() == "loss,accuracy\n" * 100


def test_no_study_is_created_over_a_file_that_is_something_else(tmp_path):
    (tmp_path / "history.sqlite").write_text("precious\n" * 100)
    with pytest.raises(StorageError, match="not a SQLite database"):
        create_store(tmp_path)
    assert (tmp_path / "history.sqlite").read_text() == "precious\n" * 100


@pytest.mark.parametrize("make", [create_store, open_store])
def test_the_database_of_another_program_is_left_alone(tmp_path, make):
    other = sqlite3.connect(tmp_path / "history.sqlite")
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StorageError, match=f"{tmp_path}.*'bookmarks'.*not those of a study"):
        make(tmp_path)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    fill(tmp_path / "study", n=500)
    path = tmp_path / "study" / "history.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 3 :: 7] = b"?" * len(content[4096 * 3 :: 7])
    path.write_bytes(content)
    with pytest.raises(StorageError, match=f"{tmp_path}/study.*damaged.*recover"):
        list(open_store(tmp_path / "study", write=False).history())


def test_a_truncated_file_is_named_with_what_to_do(tmp_path):
    fill(tmp_path / "study", n=500)
    path = tmp_path / "study" / "history.sqlite"
    path.write_bytes(path.read_bytes()[: 4096 * 4])
    with pytest.raises(StorageError, match=f"{tmp_path}/study.*damaged"):
        list(open_store(tmp_path / "study", write=False).history())


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=f"{tmp_path}/file for the study cannot be made"):
        create_store(tmp_path / "file")
    with pytest.raises(StorageError, match="no study"):
        open_store(tmp_path / "file")


def test_a_folder_with_an_odd_name_works(tmp_path):
    folder = tmp_path / "50% of? #1 & ünï'cödé"
    fill(folder)
    for write in (True, False):
        with open_store(folder, write=write) as store:
            assert store.history().indices.tolist() == [0, 1, 2]


def test_a_history_whose_folder_is_gone_says_so(tmp_path):
    fill(tmp_path / "study")
    store = open_store(tmp_path / "study", write=False)
    history = store.history()
    shutil.rmtree(tmp_path / "study")
    with pytest.raises(StorageError, match=f"{tmp_path}/study.*folder exists"):
        history[0]


def test_closed_descriptors_end_in_an_error_and_lose_nothing(tmp_path):
    """As when code in the same process closes all files that it does not know."""
    fill(tmp_path / "study")
    code = """
import os, sys
from octavo.errors import StorageError
from octavo.storage import open_store
from octavo.trial import Proposal, Status, Trial
store = open_store(sys.argv[1])
proposals = [Proposal(i, {"x": 0.5}, seed=i) for i in (3, 4)]
store.add_proposals(proposals, revision=0)
store.add_trials([Trial(proposals[0], Status.SUCCESS, (3.0,))])
os.closerange(3, 1000)
try:
    store.add_trials([Trial(proposals[1], Status.SUCCESS, (4.0,), cause="x" * 100_000)])
except StorageError as error:
    print(error, flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "study")], capture_output=True, text=True
    )
    assert f"{tmp_path}/study could not be" in done.stdout, done.stderr
    with open_store(tmp_path / "study") as store:
        assert store.history().indices.tolist() == [0, 1, 2, 3]
        assert [proposal.index for proposal in store.pending()] == [4]
