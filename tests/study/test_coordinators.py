"""Several processes run one study on PostgreSQL, and anything may happen to them or to it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import octavo
from octavo.callbacks import Completed, Reported
from octavo.problem import Constraint, Objective
from octavo.storage import Command, send
from octavo.study import open_study

pytestmark = pytest.mark.postgres
ROUNDS = int(os.environ.get("OCTAVO_REPEATS", "1"))

SUBJECT = """
import logging, os, sys, time
import octavo

def cost(config, *, seed, report):
    report(1, config["x"])
    time.sleep(float(sys.argv[2]))
    return config["x"] + seed % 7

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    study = octavo.open_study(sys.argv[1])
    print("ready", flush=True)
    study.run(cost, max_trials=int(sys.argv[3]), workers=int(sys.argv[4]) or None, progress=False)
    print("stopped:", study.stopped_because, len(study.history), flush=True)
"""


@pytest.fixture
def url(shared_url):
    """A study that was begun, for others to run."""
    octavo.Study(
        octavo.space(x=octavo.Float(0, 1)), optimizer="random", seed=3, storage=shared_url
    ).close()
    return shared_url


@pytest.fixture
def start(tmp_path):
    """Start a process that runs the study; ended with the test."""
    script = tmp_path / "subject.py"
    script.write_text(SUBJECT)
    started = []

    def begin(url, *, sleep=0.0, trials=40, workers=0):
        child = subprocess.Popen(
            [sys.executable, str(script), url, str(sleep), str(trials), str(workers)],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(child)
        assert child.stdout.readline() == "ready\n"
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def said(child, within_s=60):
    words = child.communicate(timeout=within_s)[0]
    assert child.returncode == 0, words
    return words


def check(url, n):
    """Every trial is there once, with the cost that it must have."""
    with open_study(url) as study:
        history = study.history
        assert sorted(history.indices) == list(range(n))
        assert study.pending == [] and study.store.leases() == []
        for trial in history:
            assert trial.costs == (trial.config["x"] + trial.proposal.seed % 7,)
            assert [report.values["cost"] for report in trial.reports] == [trial.config["x"]]
        assert len({trial.config["x"] for trial in history}) == n, "proposed without a view"


def n_completed(postgres, url):
    name = url.partition("study=")[2].partition("&")[0]
    return postgres.query(f'SELECT count(*) FROM "octavo_{name}".trials')[0][0]


def until(condition, within_s=60.0):
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.02)


# All goes well ------------------------------------------------------------------------


def test_what_several_do_together_is_what_one_would_propose(url, start):
    children = [start(url, trials=60) for _ in range(3)]
    for child in children:
        assert "stopped: all 60 trials are done 60" in said(child)
    check(url, 60)
    alone = octavo.minimize(
        lambda config, *, seed: config["x"] + seed % 7,
        octavo.space(x=octavo.Float(0, 1)),
        max_trials=60,
        optimizer="random",
        seed=3,
    )
    with open_study(url) as study:
        together = {trial.index: trial.config["x"] for trial in study.history}
    # Random search looks at nothing but the number: whoever asked, number 17 is the same.
    assert together == {trial.index: trial.config["x"] for trial in alone.history}


def test_asked_here_and_told_there(url):
    with open_study(url) as here, open_study(url) as there:
        first, second = here.ask(), there.ask()
        assert (first.index, second.index) == (0, 1)
        there.tell(first.index, 0.5)
        here.tell(second, 0.25)
        assert here.history.indices.tolist() == [0, 1] and here.pending == []
        with pytest.raises(octavo.errors.StudyError, match="told already"):
            there.tell(second, 0.3)
        assert there.best_value == 0.25


def test_a_model_learns_of_what_others_found(shared_url):
    space = octavo.space(x=octavo.Float(0, 1))
    octavo.Study(space, optimizer="tpe", seed=0, storage=shared_url).close()
    with open_study(shared_url) as here, open_study(shared_url) as there:
        for _ in range(30):
            trial = there.ask()
            there.tell(trial, abs(trial.config["x"] - 0.8))
        proposed = [trial.config["x"] for trial in here.ask(8)]
    assert np.mean(np.abs(np.array(proposed) - 0.8) < 0.2) > 0.5


def test_a_revised_problem_reaches_everybody_before_they_ask(url):
    with open_study(url) as here, open_study(url) as there:
        here.tell(here.ask(), 0.5)
        revised = replace(
            here.problem, objectives=(Objective("cost"),), constraints=(Constraint("size", high=1),)
        )
        here.store.add_problem(revised, since=1)
        proposal = there.ask()
        assert there.problem.constraints == revised.constraints
        there.tell(proposal, {"cost": 0.1, "size": 2.0})
        assert there.history.constraints[:, 0].tolist()[1:] == [2.0]
        assert np.isnan(there.history.constraints[0, 0])


def test_a_stop_ends_all_and_a_queued_configuration_is_tried_once(url, start, postgres):
    children = [start(url, sleep=0.05, trials=10_000) for _ in range(2)]
    until(lambda: n_completed(postgres, url) > 4)
    send(url, Command("queue", {"config": {"x": 0.125}}, who="anna"))
    with open_study(url) as study:
        until(lambda: study.refresh() or any(t.config["x"] == 0.125 for t in study.history))
    send(url, Command("stop", who="bob"))
    for child in children:
        assert "stopped: stopped by bob" in said(child)
    with open_study(url) as study:
        assert sum(trial.config["x"] == 0.125 for trial in study.history) == 1
        kinds = [(one.kind, one.who) for one in study.store.interventions()]
        assert kinds == [("queue", "anna"), ("stop", "bob")]
        assert study.store.leases() == []


def test_a_limit_on_trials_holds_for_all_together(url):
    seen = []

    def watch(event):
        if isinstance(event, Completed):
            seen.append(event.trial.index)

    with open_study(url) as first, open_study(url) as second:
        first.run(lambda config: config["x"], max_trials=5, callbacks=[watch], progress=False)
        second.run(lambda config: config["x"], max_trials=7, callbacks=[watch], progress=False)
    assert seen == list(range(7))


# Whatever happens ---------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_server_goes_and_comes_back(how, round_, url, start, postgres):
    children = [start(url, sleep=0.02, trials=80) for _ in range(2)]
    for n in (10, 40):
        until(lambda n=n: n_completed(postgres, url) >= n)
        getattr(postgres, how)()
        time.sleep(0.3)
        postgres.start()
    for child in children:
        assert "all 80 trials are done 80" in said(child)
    check(url, 80)


@pytest.mark.parametrize("by", ["server", "network"])
def test_connections_are_cut_all_the_time(by, url, start, postgres, proxy_to):
    """By the server between two statements, by the network at any byte."""
    network = proxy_to(postgres.port)
    port = network.port if by == "network" else postgres.port
    through = url.replace(f":{postgres.port}/", f":{port}/")
    children = [start(through, sleep=0.01, trials=80) for _ in range(2)]
    dice = random.Random(0)
    n_cut = 0
    while any(child.poll() is None for child in children):
        if by == "network":
            n_cut += network.cut()
        else:
            n_cut += len(
                postgres.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'octavo' AND random() < 0.7"
                )
            )
        time.sleep(dice.uniform(0.05, 0.25))
    for child in children:
        assert "all 80 trials are done 80" in said(child)
    assert n_cut > 5
    check(url, 80)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_the_trials_of_a_killed_process_are_run_by_others(round_, url, start, postgres):
    victim = start(url, sleep=30.0, trials=12, workers=2)
    with open_study(url) as study:
        until(lambda: len(study.store.leases()) == 2)
        victim.kill()
        taken = {lease.index for lease in study.store.leases()}
    heirs = [start(url, sleep=0.05, trials=12) for _ in range(2)]
    for heir in heirs:
        assert "all 12 trials are done 12" in said(heir)
    check(url, 12)
    assert taken == {0, 1}


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_process_that_sleeps_beyond_its_lease_records_nothing_when_it_wakes(round_, url, start):
    sleeper = start(url, sleep=0.4, trials=10)
    with open_study(url) as study:
        until(lambda: len(study.store.leases()) == 1)
        os.kill(sleeper.pid, signal.SIGSTOP)
        try:
            [held] = study.store.leases()
            heir = start(url, sleep=0.02, trials=10)
            assert "all 10 trials are done 10" in said(heir)
        finally:
            os.kill(sleeper.pid, signal.SIGCONT)
    words = said(sleeper)
    assert f"trial {held.index} " in words and "all 10 trials are done 10" in words
    check(url, 10)


def test_a_worker_whose_trial_was_taken_over_gets_another_once_it_is_free(url, postgres):
    schema = f"octavo_{url.partition('study=')[2].partition('&')[0]}"
    stolen = []

    def steal(event):
        if isinstance(event, Reported) and not stolen:
            stolen.append(event.index)
            postgres.query(f'UPDATE "{schema}".pending SET token = token + 1')
            postgres.query(f"""UPDATE "{schema}".leases SET token = token + 1, worker = 'thief'""")

    def cost(config, *, report):
        for step in range(3):
            report(step, config["x"])
            time.sleep(0.1)
        return config["x"]

    with open_study(url) as study:
        study.run(cost, max_trials=4, workers=1, callbacks=[steal], progress=False)
        assert stolen == [0] and sorted(study.history.indices) == [0, 1, 2, 3]
        assert all(len(trial.reports) == 3 for trial in study.history)


def test_a_process_that_sleeps_amid_a_write_keeps_nobody_waiting_for_long(url, start, postgres):
    """It holds the lock under which all write; the server ends its transaction."""
    sleeper = start(url, trials=10**6)
    until(lambda: n_completed(postgres, url) > 3)
    holds = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"
    for _ in range(1000):
        os.kill(sleeper.pid, signal.SIGSTOP)
        if postgres.query(holds):
            break
        os.kill(sleeper.pid, signal.SIGCONT)
        time.sleep(random.uniform(0, 0.002))
    else:
        raise AssertionError("it was never stopped within a transaction")
    began = time.monotonic()
    try:
        with open_study(url) as study:
            study.tell(study.ask(), 1.0)
        assert time.monotonic() - began < 40
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    send(url, Command("stop", who="us"))
    assert "stopped by us" in said(sleeper)
    with open_study(url) as study:
        assert sorted(study.history.indices) == list(range(len(study.history)))
