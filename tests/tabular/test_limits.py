"""Limits hold and the search survives, whatever a pipeline does."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris

import octavo
from octavo.errors import StudyError
from octavo.tabular import estimator_family
from octavo.trial import Status


def family(how):
    # Within the function, so that it is pickled by value: workers cannot import test modules.
    class Misbehaving(ClassifierMixin, BaseEstimator):
        def __init__(self, how="raise"):
            self.how = how

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            if self.how == "sleep":
                time.sleep(600)
            if self.how == "segfault":
                ctypes.string_at(0)
            if self.how == "allocate":
                hoard = []
                while True:
                    hoard.append(b"x" * (20 * 2**20))  # written to, so that it is resident
            raise ValueError("no mood for fitting")

    return estimator_family(
        "bad",
        lambda config: Misbehaving(how),
        space={"x": octavo.Float(0, 1)},
        tasks=("multiclass",),
    )


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [
        ("raise", Status.CRASHED, "no mood for fitting"),
        ("segfault", Status.CRASHED, "SIGSEGV|signal 11"),
        ("allocate", Status.MEMORY, "700"),
        ("sleep", Status.TIMEOUT, "limit"),
    ],
)
def test_a_bad_family_costs_its_trials_and_nothing_else(how, status, says):
    X, y = load_iris(return_X_y=True, as_frame=True)
    began = time.monotonic()
    model = octavo.AutoClassifier(
        time_limit=12, n_jobs=2, families=[family(how)], include=["linear", "bad"],
        memory_limit="700MB", trial_time_limit=2.5, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert time.monotonic() - began < 12 + 2
    assert model.score(X, y) > 0.9
    bad = [t for t in model.history_ if t.config["model"] == "bad" and t.status == status]
    assert bad
    assert any(word in bad[0].cause for word in says.split("|"))


def test_nothing_fitted_is_an_error_with_the_cause():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = octavo.AutoClassifier(
        max_trials=3, time_limit=None, families=[family("raise")], include=["bad"], random_state=0
    )
    with pytest.raises(StudyError, match=r"no pipeline could be fitted: 3 were tried.*no mood"):
        model.fit(X, y)


def test_a_search_in_which_all_crash_alike_ends_long_before_its_time():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = octavo.AutoClassifier(
        time_limit=300, families=[family("raise")], include=["bad"], random_state=0
    )
    with pytest.raises(StudyError, match=r"1\d trials crashed for the same reason.*no mood"):
        model.fit(X, y)


SEARCH = """
import sys
import octavo
from sklearn.datasets import load_iris

if __name__ == "__main__":
    X, y = load_iris(return_X_y=True, as_frame=True)
    print("ready", flush=True)
    model = octavo.AutoClassifier(
        time_limit=120, random_state=0, output_folder=sys.argv[1]
    ).fit(X, y)
    print(model.score(X, y) > 0.9, model.result_.stopped_because, flush=True)
"""


def test_an_interrupt_gives_the_model_of_what_is_there(tmp_path):
    (tmp_path / "search.py").write_text(SEARCH)
    child = subprocess.Popen(
        [sys.executable, str(tmp_path / "search.py"), str(tmp_path / "run")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not _n_trials(tmp_path / "run") >= 3:
            time.sleep(0.2)
        os.kill(child.pid, signal.SIGINT)
        out, errors = child.communicate(timeout=30)
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == 0, errors
    assert "True interrupted by Ctrl-C" in out


def _n_trials(folder):
    try:
        with octavo.open_study(folder, write=False) as study:
            return len(study.history)
    except (octavo.errors.OctavoError, IndexError):
        return 0
