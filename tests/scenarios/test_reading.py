"""Scenarios, right and wrong ones; each wrong one is refused with its file and line."""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from octavo.errors import OctavoError
from octavo.optimizers import RandomForestBO, Repeats
from octavo.problem import Fidelity, Limits, Objective, TrialLimits
from octavo.scenarios import Validation, read_scenario, run_scenario
from octavo.scenarios.explaining import explain_scenario
from octavo.scenarios.running import with_limits

GOOD = """\
command = "python3 train.py {rate} {kind} --m {momentum} {instance} {epochs}"
seed = 1
workers = 2
storage = "runs/good"
repeats = 2
first = [{rate = 0.5, kind = "adam"}]
priors = [{rate = 0.1, kind = "sgd", momentum = 0.5}]
forbidden = [{kind = "sgd", rate = "> 0.9"}]

[space]
rate = {float = [0.001, 1], log = true, default = 0.1}
kind = {cat = ["adam", "sgd"], prior = {sgd = 2, adam = 1}}
momentum = {float = [0, 1], step = 0.25, when = {kind = "sgd", rate = "> 0.01"}}

[objectives.loss]
regex = 'loss (\\S+)'
[objectives.accuracy]
json = "accuracy"
maximize = true
[constraints.memory]
high = 100
[fidelity]
name = "epochs"
low = 1
high = 27
[instances]
files = "data/*.csv"
features = "features.csv"
[limits]
trials = 50
time = "10m"
trial_time = "5s"
trial_cpu = 4
trial_memory = "1GB"
[optimizer]
name = "repeats"
inner = {name = "random-forest", n_initial = 5}
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a program, instances and their features."""
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "closed").write_text("#!/bin/sh\n")
    script = tmp_path / "strange"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "data").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "data" / f"{name}.csv").write_text("1")
    (tmp_path / "features.csv").write_text(
        "name,size,depth\na.csv,1,2\ndata/b.csv,3,4\nc.csv,5,6\n"
    )
    (tmp_path / "space.pcs").write_text("rate [0,1] [0.5]\n\nkind {a,b} [c]\n")
    (tmp_path / "train.txt").write_text("a.csv # the first\ndata/b.csv\n\nd.csv\n")
    return tmp_path


def read(folder, text):
    path = folder / "s.toml"
    path.write_text(text)
    return read_scenario(path)


def test_a_scenario_says_everything(folder):
    found = read(folder, GOOD)
    problem = found.problem
    assert problem.objectives == (Objective("loss"), Objective("accuracy", maximize=True))
    assert [(c.name, c.low, c.high) for c in problem.constraints] == [("memory", None, 100)]
    assert problem.fidelity == Fidelity("epochs", 1, 27)
    assert problem.instances == ("data/a.csv", "data/b.csv", "data/c.csv")
    assert problem.instance_features["data/b.csv"] == (3, 4)
    assert problem.limits == Limits(max_trials=50, wall_s=600)
    assert found.trial_limits == TrialLimits(wall_s=5, cpu_s=4, memory_mb=1024)
    assert found.optimizer == Repeats(inner=RandomForestBO(n_initial=5))
    assert (found.seed, found.workers, problem.repeats) == (1, 2, 2)
    assert found.storage == folder / "runs/good"
    assert found.first == ({"rate": 0.5, "kind": "adam"},)
    assert set(found.command.readings) == {"loss", "accuracy"}
    assert found.command.cutoff_s == 4
    assert found.warnings == ()
    for config in problem.space.decode(problem.space.sample(200, np.random.default_rng(0))):
        active = config["kind"] == "sgd" and config["rate"] > 0.01
        assert ("momentum" in config) == active
        assert config.get("momentum", 0) in (0, 0.25, 0.5, 0.75, 1)
        assert not (config["kind"] == "sgd" and config["rate"] > 0.9)


def test_a_scenario_is_explained_without_running_it(folder):
    found = read(folder, GOOD)
    said = explain_scenario(found, "runs/x")
    json.dumps(said)
    assert said["runs"][0] == "python3 train.py 0.1 sgd --m 0.5 data/a.csv 27"
    assert said["objectives"][0] == (
        r"minimize loss, by the regular expression 'loss (\S+)' in what it prints"
    )
    assert said["constraints"] == ["memory <= 100, measured by Octavo, in MiB"]
    assert said["instances"] == "3: data/a.csv, data/b.csv, data/c.csv, with 2 features each"
    assert said["each trial"] == "5 s of wall clock, 4 s of CPU time, 1024 MiB of memory"
    assert "rate: a number from 0.001 to 1.0, log" in said["space"]


def test_a_command_may_be_one_text_which_no_shell_sees(folder):
    text = SMALL.replace(COMMAND, "command = \"python3 -c 'print(1)' {rate} '; rm -rf x'\"")
    assert read(folder, text).command.arguments == (
        "python3", "-c", "print(1)", "{rate}", "; rm -rf x"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("instances", "names"),
    [
        ('instances = "data"', ("data/a.csv", "data/b.csv", "data/c.csv")),
        ('instances = "data/[ab]*"', ("data/a.csv", "data/b.csv")),
        ('instances = ["data/c.csv", "data/a.csv"]', ("data/c.csv", "data/a.csv")),
        ('instances.names = ["easy", "hard"]', ("easy", "hard")),
        ('instances.list = "data/list"', ("data/a.csv", "data/c.csv")),
    ],
)
def test_instances_are_given_in_many_ways(folder, instances, names):
    (folder / "data" / "list").write_text("a.csv\n# none\ndata/c.csv\n")
    text = SMALL.replace('"{rate}"]', '"{rate}", "{instance}"]')
    found = read(folder, f"{instances}\n{text}")
    wanted = names if instances != 'instances = "data"' else (*names, "data/list")
    assert found.problem.instances == wanted


def test_a_study_on_a_server_is_named_by_its_url(folder):
    url = "postgresql://anna:secret@db.example/lab?study=mlp&lease=30"
    found = read(folder, f"storage = '{url}'\n{SMALL}")
    assert found.storage == url
    said = explain_scenario(found, found.storage)
    assert said["storage"] == "'mlp' at postgresql://anna:***@db.example/lab"


def test_held_out_instances_stoppers_and_checkpoints_are_read(folder):
    text = f"""\
instances = ["data/a.csv"]
validation = {{files = "data/[bc]*", best = 2}}
stoppers = ["median", {{name = "asha", eta = 4}}]
scheduler = "tcp://head:8786"
report.json = "epoch"
{TOLD.replace('"{instance}"', '"{instance}", "{checkpoint}", "--from", "{resume}"')}
checkpoints = "2GB"
"""
    found = read(folder, text)
    assert found.validation == Validation(("data/b.csv", "data/c.csv"), best=2)
    assert found.problem.instances == ("data/a.csv",)
    assert [type(one).__name__ for one in found.stoppers] == ["MedianRule", "ASHAStopper"]
    assert found.stoppers[1].eta == 4 and found.checkpoint_mb == 2048
    said = explain_scenario(found, "runs/x")
    json.dumps(said)
    assert said["validation"] == (
        "the 2 best ones and the default one on 2 held-out instances, at the end"
    )
    assert said["workers"] == "tcp://head:8786"
    assert "--from" not in said["runs"][0]  # there is nothing yet to go on from


def test_a_race_on_what_a_wrapper_says_of_its_time_is_warned_of(folder):
    text = f"instances = 'data'\nprotocol = 'paramils'\n{SMALL}".replace(', "{rate}"]', "]")
    text = text.replace("[objectives.loss]\nregex = 'loss (\\S+)'", "[objectives.runtime]")
    (warning,) = read(folder, f"{text}trial_time = 5\n").warnings
    assert "[objectives.cpu_time]" in warning and warning.startswith(f"{folder / 's.toml'}:8: ")


def test_a_space_may_lie_in_a_file(folder):
    (folder / "space.pcs").write_text("rate [0,1] [0.5]\n")
    head, tail = SMALL.split("[space]\n")[0], SMALL.split("}\n", 1)[1]
    found = read(folder, f'{head}space = "space.pcs"\n{tail}')
    assert found.problem.space.default() == {"rate": 0.5}


def test_what_is_never_told_is_warned_of(folder):
    text = SMALL.replace("[space]\n", "[space]\nother = {int = [1, 3]}\n")
    (warning,) = read(folder, text).warnings
    assert warning == (
        f"{folder / 's.toml'}:1: the command is never told 'other', so it makes no difference. "
        "Add the placeholder {other}, or {parameters} for all."
    )


@pytest.mark.parametrize(
    ("arguments", "choices", "n"),
    [
        ('"--end", "{end}"', '["", "x"]', 1),
        ('"--end={end}"', '["", "x"]', 0),
        ('["--end", "{end}"]', '["", "x"]', 0),
        ('"--loud", "{end}"', '["", "--fast"]', 0),
        ('"--end", "{end}"', '["a", "x"]', 0),
    ],
)
def test_a_flag_that_would_take_the_next_argument_is_warned_of(folder, arguments, choices, n):
    text = changed('"{rate}"]', f'"{{rate}}", {arguments}]')
    text = text.replace("[space]", f"[space]\nend = {{cat = {choices}}}")
    warnings = read(folder, text).warnings
    assert len(warnings) == n
    assert all("Write '--end={end}'" in one for one in warnings)


def test_a_fidelity_that_is_never_told_is_refused(folder):
    text = f'{SMALL}[fidelity]\nname = "epochs"\nlow = 1\nhigh = 9\n'
    says = r"s\.toml:1: .* never told the fidelity 'epochs'.* placeholder \{epochs\}"
    with pytest.raises(OctavoError, match=says):
        read(folder, text)
    told = text.replace('"{rate}"', '"{rate}", "{epochs}"')
    assert read(folder, told).problem.fidelity.high == 9


COMMAND = 'command = ["python3", "train.py", "{rate}"]'
SMALL = f"""\
{COMMAND}

[space]
rate = {{float = [0, 1]}}

[objectives.loss]
regex = 'loss (\\S+)'

[limits]
trials = 10
"""


def changed(old, new):
    assert old in SMALL
    return SMALL.replace(old, new)


def added(text):
    return SMALL + text


TOLD = changed('"{rate}"]', '"{rate}", "{instance}"]')
SPACELESS = changed("[space]\nrate = {float = [0, 1]}", "")
WRONG = {
    "no TOML": (changed("trials = 10", "trials = ten"), 10, "this is not TOML: invalid value"),
    "unknown key": (f"optimiser = 'tpe'\n{SMALL}", 1, "Did you mean 'optimizer'?"),
    "unknown limit": (added("tme = 3"), 11, "Did you mean 'time'?"),
    "unknown key of a quantity": (changed("regex", "regexp"), 7, "Did you mean 'regex'?"),
    "unknown key of a hyperparameter": (changed("[0, 1]", "[0, 1], lgo = 1"), 4, "'log'?"),
    "wrong type": (f"workers = '2'\n{SMALL}", 1, "is not a whole number"),
    "truth for a number": (f"workers = true\n{SMALL}", 1, "is not a whole number"),
    "no command": (changed(COMMAND, ""), None, "needs a command"),
    "empty command": (changed(COMMAND, "command = []"), 1, "the command is empty"),
    "number as argument": (changed('"{rate}"]', "3]"), 1, "has the argument 3"),
    "open quote": (changed(COMMAND, "command = \"run 'x\""), 1, "Close the quote"),
    "no such program": (changed("python3", "pithon3"), 1, "'pithon3' does not exist"),
    "no such path": (changed("python3", "./trian.py"), 1, "Did you mean 'train.py'?"),
    "no such script": (changed("train.py", "trian.py"), 1, "Did you mean 'train.py'?"),
    "not executable": (changed("python3", "./closed"), 1, "chmod +x"),
    "no interpreter": (changed("python3", "./strange"), 1, "'/no/such/interpreter'"),
    "placeholder without hyperparameter": (changed("{rate}", "{rte}"), 1, "Did you mean 'rate'?"),
    "braces": (changed("{rate}", "{rate"), 1, "do not fit together"),
    "nothing told": (changed('"{rate}"', '"x"'), 1, "told no hyperparameter"),
    "no space": (changed("[space]\nrate = {float = [0, 1]}", ""), None, "needs a space"),
    "empty space": (changed("rate = {float = [0, 1]}", ""), 3, "[space] is empty"),
    "no type": (changed("float", "flaot"), 4, "Did you mean 'float'?"),
    "turned bounds": (changed("[0, 1]", "[1, 0]"), 4, "Swap the two"),
    "three bounds": (changed("[0, 1]", "[0, 1, 2]"), 4, "two bounds are needed"),
    "log of 0": (changed("[0, 1]", "[0, 1], log = true"), 4, "log=True but low=0"),
    "default outside": (changed("[0, 1]", "[0, 1], default = 2"), 4, "outside of its range"),
    "condition": (
        changed("[0, 1]}", "[0, 1], when = {knd = 'a'}}\nkind = {cat = ['a', 'b']}"),
        4, "Did you mean 'kind'?",
    ),
    "condition's value": (
        changed("[0, 1]}", "[0, 1], when = {kind = 'c'}}\nkind = {cat = ['a', 'b']}"),
        4, "not among its choices",
    ),
    "forbidden": (f"forbidden = [\n {{rate = 0.5}},\n {{rte = 1}}]\n{SMALL}", 3, "'rate'?"),
    "priors": (f"priors = [{{rate = 3}}]\n{SMALL}", 1, "outside of its range"),
    "first": (f"first = [{{rate = 0.1}},\n{{}}]\n{SMALL}", 2, "'rate'"),
    "file of the space": (
        f"space = 'x.pcs'\n{SPACELESS}",
        1, "'x.pcs' of the space is not there",
    ),
    "no objective": (
        changed("[objectives.loss]\nregex = 'loss (\\S+)'\n", ""), None, "an objective",
    ),
    "not read": (changed("regex = 'loss (\\S+)'", ""), 6, "not said how 'loss' is read"),
    "misspelt measured": (
        changed("[objectives.loss]\nregex = 'loss (\\S+)'", "[objectives.cpu_tme]"),
        6, "Did you mean 'cpu_time'?",
    ),
    "expression": (changed("(\\S+)", "("), 7, "does not compile"),
    "two ways": (changed("regex", "exit_code = true\nregex"), 8, "2 are given"),
    "no bound": (added("[constraints.memory]\n"), 11, "neither a lower nor an upper bound"),
    "named twice": (added("[constraints.loss]\nhigh = 1\njson = 'a'"), 6, "named 2 times"),
    "turned fidelity": (added("[fidelity]\nlow = 9\nhigh = 3"), 12, "low < high"),
    "half a fidelity": (added("[fidelity]\nlow = 9"), 11, "no high"),
    "instance missing": (
        f"instances = ['data/a.csv',\n 'data/d.csv']\n{SMALL}", 2, "'data/d.csv' is not there",
    ),
    "no instance matches": (f"instances = 'dta/*'\n{SMALL}", 1, "no file matches"),
    "instances in two ways": (added("[instances]\nfiles='data'\nnames=['a']"), 11, "Give one"),
    "instance never told": (f"instances = 'data'\n{SMALL}", 2, "which of the 3 instances"),
    "time": (added("time = 'soon'"), 11, "cannot be read as a time"),
    "memory": (added("trial_memory = '3 apples'"), 11, "amount of memory"),
    "trials": (changed("trials = 10", "trials = 0"), 10, "max_trials=0"),
    "optimizer": (f"optimizer = 'random-forrest'\n{SMALL}", 1, "Did you mean 'random-forest'?"),
    "optimizer in a table": (added("[optimizer]\nname = 'tep'"), 12, "Did you mean 'tpe'?"),
    "setting": (added("[optimizer]\nname = 'tpe'\nn_inital = 3"), 13, "Did you mean 'n_initial'?"),
    "setting of an inner one": (
        added("[optimizer]\nname = 'repeats'\n[optimizer.inner]\nname = 'tpe'\nx = 3"), 15, "'x'",
    ),
    "protocol": (f"protocol = 'iracle'\n{SMALL}", 2, "Did you mean 'irace'?"),
    "no cutoff": (
        f"protocol = 'aclib'\n{SMALL}".replace(', "{rate}"', ""), 2, "Give [limits] a trial_time",
    ),
    "place": (f"run_in = 'here'\n{SMALL}", 1, "is no place"),
    "codes": (f"success = ['0']\n{SMALL}", 1, "no list of exit codes"),
    "seed": (f"seed = -1\n{SMALL}", 1, "seed=-1"),
    "storage of another kind": (f"storage = 'mysql://h/d?study=x'\n{SMALL}", 1, "URL of a 'mysql'"),
    "storage without a name": (f"storage = 'postgresql://h/d'\n{SMALL}", 1, "names no study"),
    "misspelt lease": (
        f"storage = 'postgresql://h/d?study=x&lese=3'\n{SMALL}", 1, "Did you mean 'lease'?",
    ),
    "scheduler": (f"scheduler = 'head:8786'\n{SMALL}", 1, "Write such as 'tcp://head:8786'"),
    "validation without instances": (f"validation = 'data'\n{SMALL}", 1, "none for the search"),
    "validation on the same": (
        f"instances = 'data/[ab]*'\nvalidation = 'data/[bc]*'\n{TOLD}", 2, "Keep them apart",
    ),
    "validation missing": (
        f"instances = 'data'\nvalidation = ['data/d.csv']\n{TOLD}", 2, "[validation] names",
    ),
    "validation of another kind": (
        f"instances = 'data'\nvalidation = {{names = ['x']}}\n{TOLD}", 2, "of one kind",
    ),
    "validation of nobody": (
        f"instances = 'data/a.csv'\nvalidation = {{files = 'data/b.csv', best = 0}}\n{TOLD}",
        2, "at least 1",
    ),
    "features of validation": (
        f"instances = 'data/a.csv'\nvalidation = {{files = 'data/b.csv', features = 'f'}}\n{TOLD}",
        2, "no key 'features'",
    ),
    "stopper": (f"stoppers = ['meedian']\n{SMALL}", 1, "Did you mean 'median'?"),
    "stopper of another type": (f"stoppers = [3]\n{SMALL}", 1, "Write a name"),
    "setting of a stopper": (
        f"stoppers = [\n{{name = 'asha', etta = 3}}]\n{SMALL}", 2, "Did you mean 'eta'?",
    ),
    "value of a stopper": (f"stoppers = [{{name = 'asha', eta = 1}}]\n{SMALL}", 1, "eta=1"),
    "stoppers without reports": (f"stoppers = 'median'\n{SMALL}", 1, "Add such as [report]"),
    "empty report": (added("[report]"), 11, "[report] is empty"),
    "report in two ways": (
        added("[report]\njson = 'step'\nregex = '(?P<step>a)(?P<x>b)'"), 1, "one way is expected",
    ),
    "checkpoints of nobody": (added("checkpoints = '1GB'"), 11, "leaves none"),
    "resume without checkpoint": (changed('"{rate}"', '"{rate}", "{resume}"'), 1, "{checkpoint}"),
    "workers": (f"workers = 0\n{SMALL}", 1, "at least 1"),
    "format": (changed("{rate}", "{rate:d}"), 1, "cannot format 0.5"),
    "zero byte": (changed("train.py", "train.py\", \"\\u0000"), 1, "has a zero byte"),
    "no such script after an option": (
        changed('"train.py"', '"-u", "trian.py"'), 1, "Did you mean 'train.py'?",
    ),
    "no such script in the scenario's folder": (
        changed("train.py", "{scenario}/trian.py"), 1, "does not exist",
    ),
    "script that the trial's folder lacks": (
        f"run_in = 'trial'\n{SMALL}", 2, "Write {scenario}/train.py",
    ),
    "style": (
        f"parameters = '--{{nam}} '\n{SMALL}".replace("{rate}", "{parameters}"), 2, "{name} alone",
    ),
    "variable": (f"environment = {{'A=B' = 'x'}}\n{SMALL}", 1, "is no name of a variable"),
    "empty pattern": (f"instances = ''\n{SMALL}", 1, "the pattern '' cannot be read"),
    "bad pattern": (f"instances = 'data/**.csv'\n{SMALL}", 1, "can only be an entire path"),
    "instance named twice": (
        f"instances = ['data/a.csv',\n './data/a.csv']\n{TOLD}", 2, "are the same file",
    ),
    "validation on the same by another path": (
        f"instances = 'data'\nvalidation = ['data/../data/a.csv']\n{TOLD}", 2, "Keep them apart",
    ),
    "exit code in a file": (
        changed("regex = 'loss (\\S+)'", "exit_code = true\nfile = 'x'"), 7, "Remove the file",
    ),
    "optimizer without a name": (added("[optimizer]\nn_initial = 3"), 11, "has no name"),
    "type of a setting": (
        added("[optimizer]\nname = 'tpe'\nn_initial = 2.5"), 13, "is not a whole number",
    ),
    "type of an inner optimizer": (
        added("[optimizer]\nname = 'repeats'\ninner = 3"), 13, "is not a text or a table",
    ),
    "stopper without a name": (f"stoppers = [{{eta = 3}}]\n{SMALL}", 1, "has no name"),
    "type of a stopper's setting": (
        f"stoppers = [{{name = 'asha', eta = 'x'}}]\n{SMALL}", 1, "is not a number",
    ),
    "value of a stopper that is none of some": (
        f"stoppers = [{{name = 'median', verdict = 'kill'}}]\n{SMALL}", 1, "'stop' or 'pause'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_scenario_is_refused_with_its_line(folder, name):
    text, line, part = WRONG[name]
    with pytest.raises(OctavoError) as error:
        read(folder, text)
    message = str(error.value)
    place = str(folder / "s.toml") + (f":{line}: " if line else ": ")
    assert message.startswith(place), message
    assert part in message, message
    assert len(message) < 1000 and message.endswith((".", "?", "]")), message


OTHERS = {
    "space": (
        f"space = 'space.pcs'\n{SPACELESS}",
        "space.pcs:3: the default of 'kind'",
    ),
    "list": (added("[instances]\nlist = 'train.txt'"), "train.txt:1: the instance 'a.csv'"),
    "features": (
        added("[instances]\nfiles = ['data/a.csv']\nfeatures = 'features.csv'"),
        "features.csv:3: 'data/b.csv' is no instance",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_wrong_in_another_file_names_that_file_and_line(folder, name):
    text, place = OTHERS[name]
    with pytest.raises(OctavoError) as error:
        read(folder, text)
    assert str(error.value).startswith(str(folder / place))


def test_features_that_are_not_numbers_or_lack_an_instance(folder):
    text = added("[instances]\nfiles = 'data'\nfeatures = 'f.csv'")
    text = text.replace('"{rate}"]', '"{rate}", "{instance}"]')
    for content, part in (
        ("name,x\na.csv,1\nb.csv,many\n", "f.csv:3: 'many' is not a finite number"),
        ("name,x\na.csv,1,2\n", "f.csv:2: there are 3 values"),
        ("name,x\na.csv,1\nb.csv,2\n", "has no line for 'data/c.csv'"),
    ):
        (folder / "f.csv").write_text(content)
        with pytest.raises(OctavoError) as error:
            read(folder, text)
        assert part in str(error.value)


def test_features_by_short_names_are_of_one_instance_each(folder):
    (folder / "more").mkdir()
    (folder / "more" / "a.csv").write_text("")
    text = TOLD + "[instances]\nfiles = ['data/a.csv', 'more/a.csv', 'data/b.csv']\n"
    text += "features = 'f.csv'"
    for content, part in (
        ("name,x\na.csv,1\nmore/a.csv,2\nb.csv,3\n", "f.csv:2: 'a.csv' is no instance"),
        ("name,x\nb.csv,1\ndata/b.csv,2\n", "f.csv:3: there is a second line"),
    ):
        (folder / "f.csv").write_text(content)
        with pytest.raises(OctavoError) as error:
            read(folder, text)
        assert part in str(error.value)
    (folder / "f.csv").write_text("\ufeffname,x\ndata/a.csv,1\nmore/a.csv,2\nb.csv,3\n")
    features = read(folder, text).problem.instance_features
    assert features == {"data/a.csv": (1,), "more/a.csv": (2,), "data/b.csv": (3,)}


def test_a_scenario_without_an_end_waits_for_one(folder):
    scenario = read(folder, changed("trials = 10", ""))
    for refused in (
        lambda: explain_scenario(scenario, "run"),
        lambda: run_scenario(scenario, storage=folder / "run"),
    ):
        with pytest.raises(OctavoError, match=r"s\.toml:9: no limit .* \[limits\] one of trials"):
            refused()
    assert not (folder / "run").exists()
    ended = with_limits(scenario, max_trials=3, wall_s=None)
    assert explain_scenario(ended, "run")["limits"] == "3 trials"


def test_an_optimizer_within_another_may_be_its_name_alone(folder):
    text = added("[optimizer]\nname = 'repeats'\ninner = 'random-forest'")
    assert read(folder, text).optimizer == Repeats(inner=RandomForestBO())


def test_only_what_an_interpreter_is_given_is_a_script(folder):
    command = read(folder, changed('"python3", "train.py"', '"echo", "new.py"')).command
    assert command.line({"rate": 0.5}) == ["echo", "new.py", "0.5"]


def test_a_file_may_begin_with_a_byte_order_mark(folder):
    assert read(folder, f"\ufeff{SMALL}").problem.limits == Limits(max_trials=10)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(OctavoError, match=r"absent\.toml cannot be read: No such file"):
        read_scenario(Path("absent.toml"))
