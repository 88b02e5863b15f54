"""The store keeps what it was given, and refuses what would make it untrue."""

import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.errors import StorageError, StudyError, StudyLockedError
from octavo.problem import Constraint, Objective
from octavo.storage import Intervention, create_store, has_study, open_store
from octavo.trial import Report, Status, Trial


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path, problem):
    with create_store(None if request.param == "memory" else tmp_path / "study") as store:
        store.add_problem(problem, since=0)
        yield store


def test_a_study_from_the_first_proposal_to_the_last_trial(tmp_path, problem, proposal, trial):
    store = create_store(tmp_path / "run")
    assert store.folder == tmp_path / "run"
    assert store.settings() == {}
    store.save_settings({"name": "mlp", "seed": 3})
    store.save_settings({"name": "mlp", "seed": 4})
    assert store.add_problem(problem, since=0) == 0
    store.add_proposals([proposal(0), proposal(1), proposal(2)], revision=0)
    store.take_lease(1, "worker-a", expires_s=60)
    store.add_trials([trial(1, 0.25)])
    store.close()

    again = open_store(tmp_path / "run")
    assert again.settings() == {"name": "mlp", "seed": 4}
    assert again.problems() == [(0, 0, problem)]
    assert [p.index for p in again.pending()] == [0, 2]
    assert again.pending()[0] == proposal(0)
    assert again.leases() == []
    assert again.n_completed() == 1
    assert list(again.history()) == [trial(1, 0.25)]
    again.add_trials([trial(2, 0.5), trial(0, 0.125)])
    assert again.history().indices.tolist() == [1, 2, 0]  # in order of completion
    assert again.history().incumbent == trial(0, 0.125)
    again.close()


def test_the_first_trial_of_a_proposal_stands(store, proposal, trial):
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_trials([trial(0, 0.5)])
    with pytest.raises(StudyError, match="trial 0 is already completed"):
        store.add_trials([trial(1), trial(0, 0.1)])
    assert list(store.history()) == [trial(0, 0.5)]
    assert [p.index for p in store.pending()] == [1]  # nothing of the refused commit is there


def test_a_trial_twice_at_once_is_refused(store, proposal, trial):
    store.add_proposals([proposal(0)], revision=0)
    with pytest.raises(StudyError, match="trial 0 was given twice"):
        store.add_trials([trial(0), trial(0)])
    assert store.n_completed() == 0


def test_a_foreign_trial_needs_its_proposal_first(store, trial):
    with pytest.raises(StudyError, match=r"trial 7 has no stored proposal.*add_proposals"):
        store.add_trials([trial(7)])


def test_an_index_is_used_once(store, proposal):
    store.add_proposals([proposal(0)], revision=0)
    with pytest.raises(StudyError, match=r"\[1, 0\] could not be stored"):
        store.add_proposals([proposal(1), proposal(0)], revision=0)
    assert [p.index for p in store.pending()] == [0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resume_from": 3}, "resume_from=3, but can only go on from a trial .* before it"),
        ({"resume_from": -1}, "resume_from=-1"),
        ({"cutoff_s": 0.0}, "cutoff_s=0.0, which leaves no time"),
        ({"cutoff_s": math.nan}, "cutoff_s=nan"),
    ],
)
def test_a_proposal_that_makes_no_sense_is_refused(store, proposal, wrong, message):
    with pytest.raises(StudyError, match=f"proposal 3 has {message}"):
        store.add_proposals([replace(proposal(3), **wrong)], revision=0)
    assert store.pending() == []


def test_a_proposal_needs_a_stored_revision(store, proposal):
    with pytest.raises(StudyError, match=r"revision 3 .* only \[0\]"):
        store.add_proposals([proposal(0)], revision=3)


def test_an_index_or_a_seed_out_of_range_is_refused(store, proposal):
    for wrong in (replace(proposal(0), seed=2**31), replace(proposal(0), index=-1)):
        with pytest.raises(StudyError, match=f"proposal {wrong.index} with seed {wrong.seed}"):
            store.add_proposals([wrong], revision=0)


def test_wrong_numbers_of_costs_and_constraints_are_refused(store, proposal, trial):
    store.add_proposals([proposal(0)], revision=0)
    with pytest.raises(StudyError, match=r"trial 0 has 1 costs.*loss.*accuracy"):
        store.add_trials([replace(trial(0), costs=(1.0,))])
    with pytest.raises(StudyError, match=r"2 constraint values.*latency"):
        store.add_trials([replace(trial(0), constraints=(1.0, 2.0))])


def test_columns_and_trials_say_the_same(store, proposal, trial):
    failed = Trial(proposal(1), Status.TIMEOUT, (math.nan, math.nan), cause="too slow")
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_trials([failed, trial(0)])
    history = store.history()
    assert history.status == [Status.TIMEOUT, Status.SUCCESS]
    assert history.succeeded.tolist() == [False, True]
    assert history.feasible.tolist() == [False, True]
    assert str(history.costs.tolist()) == "[[nan, nan], [0.5, -0.5]]"
    assert str(history.constraints.tolist()) == "[[nan], [0.05]]"
    assert str(history.started.tolist()) == "[nan, 1.0]"
    assert str([list(t.costs) for t in history]) == str(history.costs.tolist())


def test_an_empty_history_has_columns_of_the_right_shape(store):
    history = store.history()
    assert len(history) == 0 and list(history) == []
    assert history.costs.shape == (0, 2) and history.constraints.shape == (0, 1)


def test_leases_come_and_go(store, proposal):
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    before = time.time()
    store.take_lease(0, "a", expires_s=60)
    store.take_lease(1, "b", expires_s=60)
    first, second = store.leases()
    assert (first.index, first.worker, second.index, second.worker) == (0, "a", 1, "b")
    assert before <= first.taken <= time.time()
    assert first.expires - first.taken == pytest.approx(60)
    store.take_lease(0, "c", expires_s=1)
    assert [lease.worker for lease in store.leases()] == ["c", "b"]
    store.release(0)
    store.release(0)
    assert [lease.index for lease in store.leases()] == [1]
    with pytest.raises(StudyError, match="proposal 9 is not stored"):
        store.take_lease(9, "a", expires_s=1)


def test_leases_come_with_proposals_and_are_renewed_by_who_holds_them(store, proposal):
    store.add_proposals([proposal(0), proposal(1)], revision=0, worker="me", expires_s=10)
    store.add_proposals([proposal(2)], revision=0)
    first, second = store.leases()
    assert (first.worker, second.worker) == ("me", "me")
    assert first.expires - first.taken == pytest.approx(10)
    store.add_reports(0, [Report(1, {"loss": 1.0})])
    store.renew_leases([0, 1], "other", expires_s=60)
    assert store.leases() == [first, second]
    store.renew_leases([0], "me", expires_s=60)
    assert [lease.expires > first.expires + 40 for lease in store.leases()] == [True, False]
    with pytest.raises(StudyError):
        store.add_proposals([proposal(2), proposal(3)], revision=0, worker="me", expires_s=10)
    assert store.leases()[2:] == []


def test_reports_of_a_running_trial_are_read_back_with_it(store, proposal, trial):
    curve = [Report(1, {"loss": 0.5}, 0.1), Report(2, {"loss": math.inf}, 0.2)]
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_reports(0, curve[:1])
    store.add_reports(0, curve[1:])
    store.add_trials([trial(1), trial(0)])
    assert [t.reports for t in store.history()] == [(), tuple(curve)]
    with pytest.raises(StudyError, match="proposal 0 is not running"):
        store.add_reports(0, curve)


def test_a_trial_that_brings_its_reports_does_not_double_them(store, proposal, trial):
    curve = tuple(Report(step, {"loss": 1 / step}) for step in (1, 2, 3))
    store.add_proposals([proposal(0)], revision=0)
    store.add_reports(0, curve[:2])
    store.add_trials([replace(trial(0), reports=curve)])
    assert store.history()[0].reports == curve


def test_reports_of_a_broken_off_attempt_are_dropped(store, proposal, trial):
    stale, fresh = Report(9, {"loss": 9.0}), Report(1, {"loss": 1.0})
    store.add_proposals([proposal(0)], revision=0)
    store.take_lease(0, "a", expires_s=60)
    store.add_reports(0, [stale])
    store.take_lease(0, "b", expires_s=60)
    store.add_reports(0, [fresh])
    store.take_lease(0, "b", expires_s=60)  # renewed, not a new attempt
    store.add_trials([trial(0)])
    assert store.history()[0].reports == (fresh,)


def test_interventions_are_kept_in_order(store):
    done = [
        Intervention("pause", {}, "me", 12.5, 3),
        Intervention("queue", {"config": {"rate": 0.1}}, "dashboard", 11.0, 4),
    ]
    for intervention in done:
        store.add_intervention(intervention)
    assert store.interventions() == done


def test_numbers_of_older_revisions_are_found_by_name(store, problem, proposal, trial):
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_trials([trial(0)])
    newer = replace(
        problem, constraints=(Constraint("memory", high=100.0), Constraint("latency", high=0.2))
    )
    assert store.add_problem(newer, since=2) == 1
    store.add_proposals([proposal(2)], revision=1)
    # 1 was asked before the revision and read after it; 2 was asked and read after it.
    store.add_trials([replace(trial(i), constraints=(64.0, 0.01 * i)) for i in (1, 2)])

    history = store.history()
    assert history.problem == newer
    assert str(history.constraints.tolist()) == "[[nan, 0.05], [64.0, 0.01], [64.0, 0.02]]"
    assert str([list(t.constraints) for t in history]) == str(history.constraints.tolist())

    turned = replace(problem, objectives=(Objective("accuracy"), Objective("size")))
    assert str(store.history(turned).costs[0].tolist()) == "[0.5, nan]"
    assert str(store.history(problem)[2].constraints) == "(0.02,)"
    assert store.problems() == [(0, 0, problem), (1, 2, newer)]


def test_extra_data_that_is_no_json_does_not_lose_the_trial(store, proposal, trial, caplog):
    import numpy as np

    odd = {"array": np.arange(3), "model": object(), ("a", 1): np.float32(0.5), "set": {2, 1}}
    odd["self"] = odd
    store.add_proposals([proposal(0)], revision=0)
    store.add_trials([replace(trial(0), extra=odd, cause="not \udc80 text")])
    found = store.history()[0]
    assert found.extra["array"] == [0, 1, 2]
    assert found.extra["model"].startswith("<object object")
    assert found.extra["('a', 1)"] == 0.5
    assert found.extra["set"] == [1, 2]
    assert found.cause == "not \\udc80 text"
    assert "extra data of trial 0 holds a object at ['model']" in caplog.text


def test_a_configuration_that_is_no_json_is_refused(store, proposal):
    with pytest.raises(
        StorageError, match=r"configuration of proposal 0 holds a object at \['a'\]"
    ):
        store.add_proposals([replace(proposal(0), config={"a": object()})], revision=0)


def test_a_thousand_trials_at_once(store, proposal, trial):
    store.add_proposals([proposal(i) for i in range(2500)], revision=0)
    store.add_trials([trial(i) for i in reversed(range(2500))])
    history = store.history()
    assert history[-1] == trial(0) and history[0] == trial(2499) and history[1300] == trial(1199)
    assert list(history) == [trial(i) for i in reversed(range(2500))]
    assert store.pending() == []


# Opening -----------------------------------------------------------------------------


def test_a_history_outlives_its_store(store, proposal, trial):
    store.add_proposals([proposal(0)], revision=0)
    store.add_trials([trial(0)])
    history = store.history()
    store.close()
    assert list(history) == [trial(0)]


def test_a_history_grows_by_itself_after_it_was_read(store, proposal, trial):
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_trials([trial(0)])
    history = store.history()
    history.append(trial(1))
    store.add_trials([trial(1)])
    assert list(history) == [trial(0), trial(1)]
    assert history.points.values.shape == (2, len(history.problem.space.columns))


def test_a_second_study_in_a_folder_is_refused(tmp_path, problem):
    with create_store(tmp_path) as store:
        store.add_problem(problem, since=0)
    with pytest.raises(StudyError, match=f"already in {tmp_path}.*open_study.*another folder"):
        create_store(tmp_path)
    open_store(tmp_path).close()  # the refusal has not kept the lock


def test_a_creation_that_was_interrupted_can_be_repeated(tmp_path, problem):
    create_store(tmp_path).close()
    with open_store(tmp_path) as store, pytest.raises(StorageError, match="no problem yet"):
        store.history()
    with create_store(tmp_path) as store:
        assert store.add_problem(problem, since=0) == 0
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "history.sqlite").touch()
    with pytest.raises(StorageError, match="creating it was interrupted"):
        open_store(tmp_path / "b")
    create_store(tmp_path / "b").close()


def test_opening_nothing_says_so(tmp_path):
    for write in (True, False):
        with pytest.raises(StorageError, match=f"no study in {tmp_path}/nothing"):
            open_store(tmp_path / "nothing", write=write)
    assert not (tmp_path / "nothing").exists()


def test_one_writer_and_any_number_of_readers(tmp_path, problem, proposal, trial):
    with create_store(tmp_path) as writer:
        writer.add_problem(problem, since=0)
        readers = [open_store(tmp_path, write=False) for _ in range(3)]
        writer.add_proposals([proposal(0)], revision=0)
        writer.add_trials([trial(0)])
        assert [list(reader.history()) for reader in readers] == [[trial(0)]] * 3
        with pytest.raises(StudyError, match="not open for writing"):
            readers[0].add_proposals([proposal(1)], revision=0)
        with pytest.raises(StudyLockedError, match=f"pid {os.getpid()}"):
            open_store(tmp_path)
        writer.add_problem(replace(problem, constraints=()), since=1)
        assert [len(reader.problems()) for reader in readers] == [2] * 3
    assert readers[0].n_completed() == 1


def test_the_lock_names_the_other_process_and_dies_with_it(tmp_path, problem):
    create_store(tmp_path).close()
    code = (
        "import sys, time; from octavo.storage import open_store\n"
        "store = open_store(sys.argv[1]); print('open', flush=True); time.sleep(100)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StudyLockedError, match=f"process {holder.pid} on"):
            open_store(tmp_path)
        with pytest.raises(StudyLockedError, match=f"process {holder.pid} on"):
            create_store(tmp_path)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    open_store(tmp_path).close()


def test_the_same_folder_by_another_name_is_the_same_study(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "study")
    with create_store(tmp_path / "study"), pytest.raises(StudyLockedError, match="already open"):
        open_store(tmp_path / "link")


def test_threads_may_share_a_store(store, proposal, trial):
    store.add_proposals([proposal(i) for i in range(80)], revision=0)
    failures = []

    def work(start):
        try:
            for i in range(start, 80, 4):
                store.take_lease(i, str(start), expires_s=60)
                store.add_trials([trial(i)])
                assert trial(i) in list(store.history())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(t.index for t in store.history()) == list(range(80))


def forked(task) -> str:
    """What a forked child has to say."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = repr(task())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_reads_by_itself_and_does_not_write(tmp_path, problem, proposal, trial):
    store = create_store(tmp_path)
    store.add_problem(problem, since=0)
    store.add_proposals([proposal(0), proposal(1)], revision=0)
    store.add_trials([trial(0)])
    history = store.history()
    assert forked(lambda: [t.index for t in history]) == "[0]"
    assert forked(store.n_completed) == "1"
    assert "forked from it" in forked(lambda: store.add_trials([trial(1)]))
    assert "StudyLockedError" in forked(lambda: open_store(tmp_path))
    assert forked(store.close) == "None"
    store.add_trials([trial(1)])  # the child's close has not closed ours
    with pytest.raises(StudyLockedError):
        open_store(tmp_path)
    store.close()
    with open_store(tmp_path) as again:
        assert again.n_completed() == 2


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_store_in_memory_belongs_to_its_process(problem, proposal, trial):
    store = create_store(None)
    store.add_problem(problem, since=0)
    store.add_proposals([proposal(0)], revision=0)
    store.add_trials([trial(0)])
    history = store.history()
    assert "Give the study a folder" in forked(store.pending)
    assert forked(lambda: history[0].index) == "0"
    assert store.n_completed() == 1


def test_the_tables_are_what_the_manual_says(tmp_path, problem, proposal, trial):
    with create_store(tmp_path) as store:
        store.add_problem(problem, since=0)
        store.add_proposals([proposal(0)], revision=0)
        store.add_trials([trial(0)])
    plain = sqlite3.connect(tmp_path / "history.sqlite")
    found = plain.execute(
        "SELECT json_extract(config, '$.rate'), json_extract(costs, '$[0]'), status "
        "FROM trials JOIN proposals USING (proposal_index)"
    ).fetchall()
    plain.close()
    assert found == [(0.1, 0.5, "success")]
    assert sorted(p.name for p in Path(tmp_path).iterdir()) == ["history.sqlite", "writer.lock"]


def test_whether_a_study_is_there(tmp_path, problem):
    assert not has_study(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "history.sqlite").touch()
    assert not has_study(tmp_path / "empty")
    with create_store(tmp_path / "one") as store:
        assert not has_study(tmp_path / "one")  # it is being begun
        store.add_problem(problem, since=0)
    assert has_study(tmp_path / "one")
