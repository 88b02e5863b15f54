"""Asking and telling: from the outside, across processes and days."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import octavo
from octavo.errors import ObjectiveError, SettingError, SpaceError, StorageError, StudyError
from octavo.study import Study, open_study
from octavo.trial import Status


def bowl(config):
    return (config["x"] - 0.3) ** 2


@pytest.fixture
def space():
    return octavo.space(x=octavo.Float(0, 1), kind=octavo.Categorical(["a", "b"]))


def test_what_is_asked_and_told_is_in_the_history(space):
    study = Study(space=space, seed=0)
    for _ in range(10):
        trial = study.ask()
        study.tell(trial, bowl(trial.config))
    assert len(study.history) == 10
    assert study.pending == []
    assert study.best_value == min(bowl(trial.config) for trial in study.history)
    assert study.best_config == dict(study.best.config)


def test_several_can_be_asked_at_once_and_are_different(space):
    study = Study(space=space, seed=0)
    asked = study.ask(5)
    assert [proposal.index for proposal in asked] == [0, 1, 2, 3, 4]
    assert len({str(proposal.config) for proposal in asked}) == 5
    assert study.pending == asked


def test_the_order_of_telling_is_free(space):
    study = Study(space=space, seed=0)
    first, second, third = study.ask(3)
    study.tell(third, 3.0)
    study.tell(first.index, 1.0)
    assert [trial.index for trial in study.history] == [2, 0]
    assert study.pending == [second]


def test_directions_are_those_of_the_user(space):
    study = Study(
        space,
        objectives=[octavo.Objective("accuracy", maximize=True), "time"],
        constraints={"memory": (None, 10)},
        seed=0,
    )
    study.tell(study.ask(), {"accuracy": 0.9, "time": 3, "memory": 11, "note": "over"})
    study.tell(study.ask(), {"accuracy": 0.8, "time": 2, "memory": 9})
    study.tell(study.ask(), {"accuracy": 0.7, "time": 1, "memory": 9})
    assert study.best_value == 0.8
    assert study.history[0].extra == {"note": "over"}
    assert [trial.index for trial in study.pareto_front] == [1, 2]


def test_own_configurations_can_be_told(space):
    study = Study(space=space, seed=0)
    trial = study.tell({"x": 0.25, "kind": "b"}, 0.5)
    assert trial.proposal.origin.by == "user"
    assert study.best_config == {"x": 0.25, "kind": "b"}
    assert study.ask().index == 1


def test_a_failed_trial_is_told_with_its_reason(space):
    study = Study(space=space, seed=0)
    trial = study.tell(study.ask(), failed="the oven broke")
    assert trial.status is Status.CRASHED
    assert trial.cause == "the oven broke"
    with pytest.raises(StudyError, match=r"none of the 1 completed trials succeeded.*oven"):
        study.best


def test_nothing_is_best_before_the_first_trial(space):
    with pytest.raises(StudyError, match="no completed trial yet"):
        Study(space=space).best


def test_nothing_is_best_when_no_trial_meets_the_constraints(space):
    study = Study(space=space, constraints={"latency": (None, 1.0)}, seed=0)
    study.tell(study.ask(), {"cost": 0.0, "latency": 2.0})
    with pytest.raises(StudyError, match=r"latency.*Relax a bound"):
        study.best


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda s: s.tell(99, 0.0), StudyError, r"trial 99 was never asked.*pending: \[0\]"),
        (lambda s: s.tell(s.ask(), None), SettingError, "neither of values and failed"),
        (lambda s: s.tell(0, 1.0, failed="x"), SettingError, "both of values and failed"),
        (lambda s: s.tell(0, failed=True), SettingError, "failed=True must be the reason"),
        (lambda s: s.tell("zero", 1.0), SettingError, "'zero' of type str"),
        (lambda s: s.tell(0, float("nan")), ObjectiveError, "must be finite"),
        (lambda s: s.tell(0, "1.0"), ObjectiveError, "not a number"),
        (lambda s: s.tell(0, {"loss": 1.0}), ObjectiveError, "without 'cost'"),
        (lambda s: s.tell({"x": 2.0, "kind": "a"}, 1.0), SpaceError, "x"),
        (lambda s: s.ask(0), SettingError, r"ask\(n=0\)"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(space, call, error, says):
    study = Study(space=space, seed=0)
    asked = study.ask()
    with pytest.raises(error, match=says):
        call(study)
    assert len(study.history) == 0
    assert asked in study.pending


def test_a_trial_is_told_once(space):
    study = Study(space=space, seed=0)
    trial = study.ask()
    study.tell(trial, 1.0)
    with pytest.raises(StudyError, match="told already"):
        study.tell(trial, 0.0)
    assert study.best_value == 1.0


def test_one_process_asks_and_another_tells(space, tmp_path):
    folder = tmp_path / "study"
    with Study(space, seed=3, storage=folder) as study:
        asked = study.ask(2)
    script = (
        "import octavo, sys\n"
        "study = octavo.open_study(sys.argv[1])\n"
        "for proposal in study.pending:\n"
        "    study.tell(proposal.index, proposal.config['x'])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=60)
    with open_study(folder) as study:
        assert [trial.costs for trial in study.history] == [(p.config["x"],) for p in asked]
        assert study.pending == []


def test_leaving_and_opening_changes_no_proposal(space, tmp_path):
    steady = Study(space, seed=5, optimizer="random-forest")
    for _ in range(14):
        trial = steady.ask()
        steady.tell(trial, bowl(trial.config))
    folder = tmp_path / "study"
    Study(space, seed=5, optimizer="random-forest", storage=folder).close()
    for _ in range(14):
        with open_study(folder) as study:
            trial = study.ask()
        with open_study(folder) as study:
            study.tell(trial.index, bowl(trial.config))
    with open_study(folder) as study:
        assert [t.config for t in study.history] == [t.config for t in steady.history]
        assert [t.proposal.seed for t in study.history] == [t.proposal.seed for t in steady.history]


def test_a_study_is_not_made_over_another(space, tmp_path):
    Study(space, storage=tmp_path / "s").close()
    with pytest.raises(StudyError, match="open_study"):
        Study(space, storage=tmp_path / "s")


def test_a_folder_without_a_study_is_not_opened(tmp_path):
    with pytest.raises(StorageError, match=str(tmp_path)):
        open_study(tmp_path)


def test_two_writers_are_refused_and_readers_are_not(space, tmp_path):
    with Study(space, seed=0, storage=tmp_path / "s") as study:
        study.tell(study.ask(), 1.0)
        script = (
            "import octavo, sys\n"
            "print(len(octavo.open_study(sys.argv[1], write=False).history))\n"
            "try:\n"
            "    octavo.open_study(sys.argv[1])\n"
            "except octavo.errors.StudyLockedError as error:\n"
            "    print('locked:', error)\n"
        )
        shown = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "s")],
            check=True, timeout=60, capture_output=True, text=True,
        ).stdout  # fmt: skip
    assert shown.startswith("1\nlocked:")


def test_an_exhausted_space_says_so():
    study = Study(octavo.space(kind=octavo.Categorical(["a", "b"])), seed=0)
    for _ in range(2):
        study.tell(study.ask(), 1.0)
    assert study.ask(3) == []
    with pytest.raises(StudyError, match="nothing left to propose after 2 trials"):
        study.ask()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, r"seed=1\.5"),
        ({"optimizer": "randm"}, "Did you mean 'random'"),
        ({"objectives": []}, "objectives is empty"),
        ({"objectives": [3]}, "objectives contains 3"),
        ({"objectives": ["a", "a"]}, "'a' is named 2 times"),
        ({"constraints": {"memory": 3}}, "'memory' has bounds 3"),
        ({"constraints": {"memory": (None, None)}}, "neither a lower nor an upper bound"),
        ({"constraints": {"memory": (2, 1)}}, "low=2 above high=1"),
        ({"repeats": 0}, "repeats=0"),
        ({"first": [{"x": 0.5}]}, "kind"),
    ],
)
def test_a_malformed_question_is_refused_at_once(space, arguments, says):
    with pytest.raises(ValueError, match=says):
        Study(space=space, **arguments)


def test_what_is_recommended_survives_luck_and_needs_a_success() -> None:
    study = octavo.Study(octavo.space(x=octavo.Float(0, 1)), seed=0)
    with pytest.raises(StudyError, match="no completed trial"):
        study.recommend()
    rng = np.random.default_rng(0)
    for x in np.linspace(0, 1, 80).tolist():
        study.tell({"x": x}, 5 * (x - 0.3) ** 2 + rng.normal())
    study.tell({"x": 0.95}, study.best_value - 0.1)  # luck
    assert study.best_config["x"] == 0.95
    assert abs(study.recommend().config["x"] - 0.3) < 0.2
