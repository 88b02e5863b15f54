"""Misuses of `minimize` and of what it takes."""

from pathlib import Path

import numpy as np
from misuse import Misuse

import octavo
from octavo import Categorical, Constraint, Fidelity, Float, Objective, Study
from octavo.callbacks import StopWhenNotWorth
from octavo.errors import (
    ProblemError,
    SettingError,
    StorageError,
    StudyError,
)
from octavo.executors import InlineExecutor, ProcessExecutor
from octavo.problem import Limits, TrialLimits
from octavo.schedulers import CurveStopper, Hyperband, MedianRule

SPACE = octavo.space(x=Float(-5, 5), shape=Categorical(["bowl", "cliff"]))


def cost(config):
    return config["x"] ** 2


def minimize(objective=cost, space=SPACE, **arguments):
    return octavo.minimize(objective, space, **({"max_trials": 2, "seed": 0} | arguments))


def with_study(do, **arguments):
    """Do something to a new study in memory."""
    with Study(SPACE, **({"seed": 0} | arguments)) as study:
        return do(study)


def on_disk(folder="runs/mlp", objective=cost, **arguments):
    minimize(objective, storage=folder, **arguments).close()


def written(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


ARGUMENTS = [
    Misuse(
        "objective and space swapped",
        lambda: octavo.minimize(SPACE, cost, max_trials=2),
        SettingError, "<function cost", "The function comes first", "minimize(train, space)",
    ),
    Misuse(
        "a result in place of the objective",
        lambda: minimize(cost({"x": 1.0})),
        SettingError, "1.0 of type float", "cannot be called", "Pass a function such as",
    ),
    Misuse(
        "an objective without a configuration",
        lambda: minimize(lambda: 1.0),
        SettingError, "<lambda>", "no positional argument for the configuration", "Write it as",
    ),
    Misuse(
        "an objective that wants what nobody gives",
        lambda: minimize(lambda config, *, sed: 1.0),
        SettingError, "'sed'", "On offer are seed, fidelity", "Did you mean 'seed'?",
    ),
    Misuse(
        "no limit",
        lambda: minimize(max_trials=None),
        SettingError, "no limit is set", "would never end", "Give at least one of max_trials=100",
    ),
    Misuse(
        "a target in words",
        lambda: minimize(target="low"),
        ProblemError, "target='low'", "must be a number", "Give such as target=0.01",
    ),
    Misuse(
        "no objective",
        lambda: minimize(objectives=[]),
        ProblemError, "objectives is empty", "nothing to optimize", "name at least one",
    ),
    Misuse(
        "objectives by direction",
        lambda: minimize(objectives={"loss": "min"}),
        SettingError, "objectives={'loss': 'min'}", "of type dict", "Give a list, such as",
    ),
    Misuse(
        "a number among the objectives",
        lambda: minimize(objectives=["loss", 3]),
        SettingError, "3 of type int", "objectives contains", "Name each one",
    ),
    Misuse(
        "an objective and a constraint of one name",
        lambda: minimize(objectives=["latency"], constraints={"latency": (None, 1)}),
        ProblemError, "'latency' is named 2 times", "may appear once", "rename or remove",
    ),
    Misuse(
        "an objective without a name",
        lambda: Objective(""),
        ProblemError, "''", "the key under which the objective function returns it",
        "Use a string",
    ),
    Misuse(
        "a direction in words",
        lambda: Objective("accuracy", maximize="no"),
        ProblemError, "maximize='no'", "of type str", "Say True if larger is better",
    ),
    Misuse(
        "one bound",
        lambda: minimize(constraints={"latency": 0.1}),
        SettingError, "bounds 0.1", "two are expected", "{'latency': (None, 0.1)}",
    ),
    Misuse(
        "constraints without bounds",
        lambda: minimize(constraints=["latency"]),
        SettingError, "'latency' of type str", "constraints contains", "Give a dict",
    ),
    Misuse(
        "a bound in words",
        lambda: minimize(constraints={"latency": (None, "fast")}),
        ProblemError, "high='fast'", "not a number", "None for an open side",
    ),
    Misuse(
        "a constraint that is open on both sides",
        lambda: Constraint("latency"),
        ProblemError, "'latency'", "neither a lower nor an upper bound", "Give at least one",
    ),
    Misuse(
        "swapped bounds",
        lambda: Constraint("latency", low=2, high=1),
        ProblemError, "low=2 above high=1", "no trial can meet it", "Swap the two bounds",
    ),
    Misuse(
        "a fidelity by its name",
        lambda: minimize(fidelity="epochs"),
        ProblemError, "fidelity='epochs'", "from where to where", "octavo.Fidelity(",
    ),
    Misuse(
        "a fidelity that the objective never hears of",
        lambda: minimize(fidelity=Fidelity("epochs", 1, 81)),
        SettingError, "'epochs'", "cost takes no argument 'fidelity'", "def train(config, *, fid",
    ),
    Misuse(
        "instances that the objective never hears of",
        lambda: minimize(instances=["easy", "hard"]),
        SettingError, "2 instances", "takes no argument 'instance'", "def solve(config, *, inst",
    ),
    Misuse(
        "a pattern of files that matched none",
        lambda: minimize(lambda config, *, instance: 0.0, instances=[]),
        ProblemError, "instances is empty", "pattern of files, that matched none", "leave it out",
    ),
    Misuse(
        "a schedule over fidelities in a race",
        lambda: minimize(
            lambda config, *, instance, fidelity: 0.0, instances=["easy", "hard"],
            fidelity=Fidelity("epochs", 1, 81), optimizer="hyperband",
        ),
        ProblemError, "Hyperband spends less than the full 'epochs' of 81", "over instances",
        "Leave out the fidelity or the instances",
    ),
    Misuse(
        "features without the names of their instances",
        lambda: minimize(
            lambda config, *, instance: 0.0, instances=["easy", "hard"], instance_features=np.eye(2)
        ),
        ProblemError, "instance_features=array(", "maps each instance", "Write {'easy.cnf': (12,",
    ),
    Misuse(
        "a fidelity in words",
        lambda: Fidelity("epochs", 1, "many"),
        ProblemError, "high='many'", "not a finite number", "Give two numbers",
    ),
    Misuse(
        "a fidelity upside down",
        lambda: Fidelity("epochs", 81, 1),
        ProblemError, "low=81, high=1", "needs low < high", "the full one: swap them",
    ),
    Misuse(
        "a stopper of one cost for two objectives",
        lambda: minimize(objectives=["a", "b"], stoppers=[MedianRule()]),
        SettingError, "MedianRule", "there are 2", "weighs them all",
    ),
    Misuse(
        "a fidelity below zero",
        lambda: Fidelity("epochs", -3, 81, log=False),
        ProblemError, "low=-3", "spends less than", "Count from 0",
    ),
    Misuse(
        "a whole fidelity with broken bounds",
        lambda: Fidelity("epochs", 0.5, 2.5, integer=True),
        ProblemError, "integer=True", "from 0.5 to 2.5", "Give whole bounds",
    ),
    Misuse(
        "a fidelity's scale in words",
        lambda: Fidelity("epochs", 1, 81, log="no"),
        ProblemError, "log='no'", "of type str", "Say True or False",
    ),
    Misuse(
        "a fidelity without a name",
        lambda: Fidelity(1, 81, 3),
        ProblemError, "named 1", "says what it counts", "Give name, low and high",
    ),
    Misuse(
        "a schedule around a name",
        lambda: Hyperband(inner="tpe"),
        SettingError, "inner='tpe'", "of type str, but is a recipe", "recipe('tpe')",
    ),
    Misuse(
        "a schedule around a class",
        lambda: octavo.optimizers.Repeats(inner=octavo.optimizers.TPE),
        SettingError, "inner=TPE is", "a class", "by calling it: inner=TPE()",
    ),
    Misuse(
        "a setting of an optimizer in words",
        lambda: MedianRule(first_step="3"),
        SettingError, "first_step='3'", "of type str", "is a number",
    ),
    Misuse(
        "a bracket that there is not",
        lambda: Hyperband(begin="top"),
        SettingError, "begin='top'", "no bracket to begin with", "Use one of",
    ),
    Misuse(
        "a broken number of trials",
        lambda: MedianRule(n_trials=2.5),
        SettingError, "n_trials=2.5", "is a whole number", "n_trials=5",
    ),
    Misuse(
        "a last step before the first",
        lambda: CurveStopper(first_step=10, last_step=5),
        SettingError, "last_step=5", "must be at least 10", "of a full trial's last report",
    ),
    Misuse(
        "a fidelity from zero on a log scale",
        lambda: Fidelity("epochs", 0, 81),
        ProblemError, "low=0", "A log scale needs low > 0", "try low=1, or log=False",
    ),
    Misuse(
        "repeats in words",
        lambda: minimize(repeats="three"),
        ProblemError, "repeats='three'", "a whole number of at least 1", "Use 3 or more",
    ),
    Misuse(
        "a misspelt optimizer",
        lambda: minimize(optimizer="randon-forest"),
        SettingError, "'randon-forest'", "The catalog has", "Did you mean 'random-forest'?",
    ),
    Misuse(
        "the class of an optimizer",
        lambda: minimize(optimizer=octavo.optimizers.Sobol),
        SettingError, "optimizer=Sobol", "is a class", "by calling it: Sobol()",
    ),
    Misuse(
        "a number as optimizer",
        lambda: minimize(optimizer=7),
        SettingError, "optimizer=7", "neither a name nor a recipe", "Use a name such as",
    ),
    Misuse(
        "a single first configuration",
        lambda: minimize(first={"x": 1.0, "shape": "bowl"}),
        SettingError, "first={'x': 1.0, 'shape': 'bowl'}", "a list of configurations",
        "Write [{...}]",
    ),
    Misuse(
        "workers in words",
        lambda: minimize(workers="two"),
        SettingError, "workers='two'", "a whole number of at least 1", "available_cores() tells",
    ),
    Misuse(
        "an executor by its name",
        lambda: minimize(executor="local"),
        SettingError, "executor='local'", "does not run trials", "only workers=2",
    ),
    Misuse(
        "an executor without time to start",
        lambda: minimize(executor=ProcessExecutor(1, start_timeout_s=0)),
        SettingError, "start_timeout_s=0", "more than 0 seconds", "A worker needs time",
    ),
    Misuse(
        "limits on trials in this process",
        lambda: minimize(executor=InlineExecutor(), trial_memory="1GB", storage="runs/mlp"),
        SettingError, "memory_mb=1024", "cannot be enforced", "Run them in worker processes",
    ),
    Misuse(
        "limits on trials as a dict",
        lambda: with_study(lambda study: study.run(cost, trial_limits={"wall_s": 3})),
        SettingError, "trial_limits={'wall_s': 3}", "of type dict", "Write octavo.problem.Trial",
    ),
    Misuse(
        "a negative limit on trials",
        lambda: TrialLimits(wall_s=-1),
        ProblemError, "wall_s=-1", "must be greater than 0", "Give a positive number",
    ),
    Misuse(
        "a limit that is text",
        lambda: Limits(wall_s="10m"),
        ProblemError, "time_limit='10m'", "more than 0 seconds", "a number of seconds",
    ),
    Misuse(
        "limits of a study as a dict",
        lambda: Study(SPACE, limits={"max_trials": 3}),
        ProblemError, "limits={'max_trials': 3}", "of type dict", "Pass octavo.problem.Limits",
    ),
    Misuse(
        "data without a name",
        lambda: minimize(data=[1, 2, 3]),
        SettingError, "of type list", "gets each thing by its name", "Write data={'table': table}",
    ),
    Misuse(
        "data with a name that no argument can have",
        lambda: minimize(data={"my table": 1}),
        SettingError, "'my table'", "cannot be the name of an argument", "Use letters",
    ),
    Misuse(
        "data with the name of something else",
        lambda: minimize(data={"seed": 1}),
        SettingError, "'seed'", "already the name of something", "Choose another name",
    ),
    Misuse(
        "a seed in words",
        lambda: minimize(seed="lucky", storage="runs/mlp"),
        SettingError, "seed='lucky'", "a whole number of at least 0", "Give such as seed=0",
    ),
    Misuse(
        "a storage that is no path",
        lambda: minimize(storage=5),
        SettingError, "5, of type int", "the folder of a study", "Give a path",
    ),
    Misuse(
        "a storage that is a file",
        lambda: minimize(storage="notes.txt"),
        StorageError, "notes.txt", "cannot be made", "Choose a folder that you may write to",
        given=lambda: written("notes.txt", "mine"),
    ),
    Misuse(
        "a storage that holds a study",
        lambda: minimize(storage="runs/mlp"),
        StudyError, "runs/mlp", "a study is already in", "Go on with it by octavo.open_study",
        given=on_disk,
    ),
    Misuse(
        "a single callback",
        lambda: minimize(callbacks=print, storage="runs/mlp"),
        SettingError, "<built-in function print>", "is a list", "Write callbacks=[watch]",
    ),
    Misuse(
        "a callback that cannot be called",
        lambda: minimize(callbacks=["print"]),
        SettingError, "'print' of type str", "cannot be called", "Pass functions such as",
    ),
    Misuse(
        "a callback that takes no event",
        lambda: minimize(callbacks=[lambda: None]),
        SettingError, "<lambda>", "cannot be called with an event", "def watch(event)",
    ),
]  # fmt: skip

RESULTS = [
    Misuse(
        "an objective that returns None",
        lambda: minimize(lambda config: None).best,
        StudyError, "NoneType None", "none of the 2 completed trials succeeded",
        "Return a float",
    ),
    Misuse(
        "constraints that nothing meets",
        lambda: minimize(
            lambda config: {"cost": 1.0, "latency": 3.0}, constraints={"latency": (None, 1)}
        ).best,
        StudyError, "['latency']", "none of the 2 completed trials meets the constraints",
        "Relax a bound",
    ),
]  # fmt: skip

ENERGY = [
    Misuse(
        "a number as the energy",
        lambda: minimize(energy=0.3),
        SettingError, "energy=0.3", "of type float", "octavo.Energy(watts_per_core=12)",
    ),
    Misuse(
        "a way to find energy that nobody knows",
        lambda: minimize(energy=octavo.Energy(method="counter")),
        SettingError, "method='counter'", "no way to find energy", "Did you mean 'counters'?",
    ),
    Misuse(
        "a core that takes nothing",
        lambda: minimize(energy=octavo.Energy(watts_per_core=0)),
        SettingError, "watts_per_core=0 ", "a finite number of more than 0", "such as watts",
    ),
    Misuse(
        "a country and its carbon",
        lambda: minimize(energy=octavo.Energy(country="FRA", grams_per_kwh=30)),
        SettingError, "country='FRA'", "only stands for a number of grams", "Leave one out",
    ),
    Misuse(
        "a country by name",
        lambda: minimize(energy=octavo.Energy(country="France")),
        SettingError, "country='France'", "is not in the table", "Did you mean 'FRA'?",
    ),
    Misuse(
        "an improvement that is worth nothing",
        lambda: minimize(callbacks=[StopWhenNotWorth(0, price_per_kwh=0.3)]),
        SettingError, "gain=0 ", "a finite number of more than 0", "in the same currency",
    ),
    Misuse(
        "a look at a single trial",
        lambda: minimize(callbacks=[StopWhenNotWorth(1.0, price_per_kwh=0.3, n_least=1)]),
        SettingError, "n_least=1 ", "at least 2", "Leave it out",
    ),
]  # fmt: skip

CASES = [*ARGUMENTS, *RESULTS, *ENERGY]
