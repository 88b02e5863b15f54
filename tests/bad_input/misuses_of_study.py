"""Misuses of a `Study` by hand: asking, telling, opening, resuming."""

from contextlib import closing

from misuse import Misuse
from misuses_of_minimize import SPACE, minimize, on_disk, with_study, written

import octavo
from octavo import Categorical, Study, open_study
from octavo.errors import ObjectiveError, SettingError, StorageError, StudyError, StudyLockedError


def weighed(config, *, weight):
    return weight * config["x"] ** 2


def idle(config):
    """Nothing, so that all there is to it is measured."""


WATTS = [octavo.Energy("estimate", 12), octavo.Energy("estimate", 8)]


def told_twice(study):
    trial = study.ask()
    study.tell(trial, 1.0)
    study.tell(trial, 2.0)


def told_to_another():
    with Study(SPACE, seed=0) as one, Study(SPACE, seed=1, optimizer="random") as other:
        one.ask()
        one.tell(other.ask(), 1.0)


def exhausted():
    space = octavo.space(shape=Categorical(["bowl", "cliff"]))
    with Study(space, optimizer="grid", seed=0) as study:
        for _ in range(3):
            study.tell(study.ask(), 1.0)


def opened(do, folder="runs/mlp", **arguments):
    with open_study(folder, **arguments) as study:
        return do(study)


def opened_twice():
    with open_study("runs/mlp"):
        open_study("runs/mlp")


def data_in_memory():
    with closing(minimize(weighed, data={"weight": 2.0})) as study:
        study.resume(max_trials=4)


CASES = [
    Misuse(
        "no best before the first trial",
        lambda: with_study(lambda study: study.best),
        StudyError, "no completed trial", "this study has", "Run it first",
    ),
    Misuse(
        "asking for none",
        lambda: with_study(lambda study: study.ask(0)),
        SettingError, "n=0", "a whole number of at least 1", "Leave n out",
    ),
    Misuse(
        "asking when everything was tried",
        exhausted,
        StudyError, "after 2 trials", "nothing left to propose", "Widen the space, or stop",
    ),
    Misuse(
        "telling nothing",
        lambda: with_study(lambda study: study.tell(study.ask())),
        SettingError, "neither of values and failed", "Give the cost", 'or failed="why"',
    ),
    Misuse(
        "a failure without words",
        lambda: with_study(lambda study: study.tell(study.ask(), failed=True)),
        SettingError, "failed=True", "must be the reason in words", "Write such as failed=",
    ),
    Misuse(
        "telling twice",
        lambda: with_study(told_twice),
        StudyError, "trial 0 was told already", "a completed trial never changes",
        "tell the configuration itself",
    ),
    Misuse(
        "telling what was never asked",
        lambda: with_study(lambda study: study.tell(7, 1.0)),
        StudyError, "trial 7", "never asked in this study", "Pass what ask returned",
    ),
    Misuse(
        "telling of a trial in words",
        lambda: with_study(lambda study: study.tell("first", 1.0)),
        SettingError, "'first' of type str", "as its trial", "Pass what ask returned, its index",
    ),
    Misuse(
        "telling another study's trial",
        told_to_another,
        StudyError, "trial 0 has the configuration", "it is another study's",
        "Tell it to the study that asked",
    ),
    Misuse(
        "a cost in words",
        lambda: with_study(lambda study: study.tell(study.ask(), "good")),
        ObjectiveError, "str 'good'", "not a number", "Return a float",
    ),
    Misuse(
        "a cost that is not finite",
        lambda: with_study(lambda study: study.tell(study.ask(), float("nan"))),
        ObjectiveError, "returned nan", "must be finite", "raise an exception",
    ),
    Misuse(
        "one number for two objectives",
        lambda: with_study(lambda study: study.tell(study.ask(), 1.0), objectives=["a", "b"]),
        ObjectiveError, "float 1.0", "2 quantities are expected", "Return a dict",
    ),
    Misuse(
        "a misspelt cost",
        lambda: with_study(lambda study: study.tell(study.ask(), {"los": 1}), objectives=["loss"]),
        ObjectiveError, "['los']", "without 'loss'", "Return a number for each of ['loss']",
    ),
    Misuse(
        "opening what is not there",
        lambda: open_study("runs/mpl"),
        StorageError, "runs/mpl", "it has no file history.sqlite", "Check the path",
    ),
    Misuse(
        "opening what is no database",
        lambda: open_study("runs/mlp"),
        StorageError, "runs/mlp", "not a SQLite database", "choose another folder",
        given=lambda: written("runs/mlp/history.sqlite", "a diary, and a long one. " * 200),
    ),
    Misuse(
        "opening what was never begun",
        lambda: open_study("runs/mlp"),
        StorageError, "runs/mlp", "its history.sqlite is empty", "Start the study again",
        given=lambda: written("runs/mlp/history.sqlite", ""),
    ),
    Misuse(
        "opening twice",
        opened_twice,
        StudyLockedError, "runs/mlp", "already open for writing in this process",
        "or close it first",
        given=on_disk,
    ),
    Misuse(
        "asking what is open for reading",
        lambda: opened(lambda study: study.ask(), write=False),
        StudyError, "runs/mlp", "not open for writing here", "Open it with write=True",
        given=on_disk,
    ),
    Misuse(
        "resuming without an objective",
        lambda: with_study(lambda study: study.resume(max_trials=2)),
        StudyError, "driven by ask and tell", "no objective to call", "Pass one",
    ),
    Misuse(
        "resuming a lambda",
        lambda: opened(lambda study: study.resume(max_trials=4)),
        StudyError, "<lambda>", "cannot be imported", "Pass it again",
        given=lambda: on_disk(objective=lambda config: 1.0),
    ),
    Misuse(
        "telling nothing of what only a run measures",
        lambda: with_study(lambda s: s.tell(s.ask(), 0.3), objectives=["loss", "energy"]),
        ObjectiveError, "'energy' was neither", "Only run() measures", "energy_kwh=0.002",
    ),
    Misuse(
        "resources that are a number",
        lambda: with_study(lambda s: s.tell(s.ask(), 0.3, resources=0.002)),
        SettingError, "resources=0.002", "of type float", "Write octavo.Resources(",
    ),
    Misuse(
        "measuring in another way than before",
        lambda: opened(lambda study: study.run(idle, max_trials=4, energy=WATTS[1])),
        SettingError, "12 W", "would measure it as", "with the same executor and energy",
        given=lambda: on_disk(objective=idle, objectives=["energy"], energy=WATTS[0]),
    ),
    Misuse(
        "resuming without data",
        data_in_memory,
        StudyError, "['weight']", "were only in memory", "Pass them again",
    ),
]  # fmt: skip
