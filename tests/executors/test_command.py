"""Programs as objectives: real ones, in real worker processes."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, strategies as st

import octavo
from octavo.errors import ObjectiveError, SettingError
from octavo.executors import ProcessExecutor, Work
from octavo.executors.answers import Printed, Reading
from octavo.executors.arguments import fill, split, styled
from octavo.executors.command import Command
from octavo.executors.programs import KEPT, run_program
from octavo.executors.wrappers import read_protocol
from octavo.problem import Objective, Problem, TrialLimits
from octavo.trial import Proposal, Status

COST = {"cost": Reading(regex=r"cost (\S+)")}


def python(code, *arguments, **settings):
    """A command that runs a line of Python."""
    names = tuple(name.strip("{}") for name in arguments if name.startswith("{"))
    return Command((sys.executable, "-c", code, *arguments), names, COST, **settings)


def tried(command, *configs, folder, limits=None, objectives=("cost",), instance=None):
    """The trials of a command, one after another, in a worker process."""
    trials = []
    problem = Problem(space=None, objectives=tuple(map(Objective, objectives)))
    with ProcessExecutor(workers=1) as executor:
        executor.start(Work(command, problem, folder, limits or TrialLimits(wall_s=20)))
        for index, config in enumerate(configs):
            executor.submit(Proposal(index, config, seed=7, instance=instance))
            while len(trials) <= index:
                trials += [e.trial for e in executor.wait() if hasattr(e, "trial")]
    return trials


# Arguments --------------------------------------------------------------------------------


def test_placeholders_take_values_formats_and_braces():
    line = fill(
        ["run", "{x}", "--y={y:.2f}", "{{x}}", '{{"seed": {seed}}}'],
        {"x": 1e-5, "y": 0.126, "seed": 3},
        known=["x", "y"],
    )
    assert line == ["run", "1e-05", "--y=0.13", "{x}", '{"seed": 3}']


def test_what_is_inactive_is_left_out_with_its_flag_or_group():
    arguments = ["run", "-v", "--m", "{m}", ("--a", "{a}", "--b", "{m}"), "--c={m}", "{x}"]
    known = ["m", "a", "x"]
    assert fill(arguments, {"x": 1, "a": 2}, known) == ["run", "-v", "1"]
    assert fill(arguments, {"x": 1, "a": 2, "m": 3}, known) == [
        "run", "-v", "--m", "3", "--a", "2", "--b", "3", "--c=3", "1"
    ]  # fmt: skip


def test_all_parameters_stand_where_their_placeholder_is():
    parameters = [*styled("--{name} ", "x", True), *styled("-{name}=", "y", 2)]
    assert fill(["run", "{parameters}", "end"], {}, [], parameters) == [
        "run", "--x", "true", "-y=2", "end"
    ]  # fmt: skip
    assert styled("", "fast", "--fast") == ["--fast"]
    assert styled("", "fast", "") == [] and styled("--a ", "a", "") == ["--a", ""]


@given(st.lists(st.text(min_size=1).filter(lambda text: "\x00" not in text), min_size=1))
def test_nothing_passes_through_a_shell(words):
    import shlex

    assert list(split(shlex.join(words))) == words
    assert fill(["{x}"], {"x": words[0]}, ["x"]) == [words[0]]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["{rte}"], "Did you mean 'rate'?"),
        (["{rate:q}"], "cannot format"),
        (["{rate"], "braces that do not fit together"),
        (["{}"], "cannot be read"),
        (["{rate!r}"], "cannot be read"),
    ],
)
def test_wrong_placeholders_are_refused(arguments, part):
    with pytest.raises(SettingError, match=r"argument|placeholder") as error:
        fill(arguments, {"rate": 0.5}, ["rate"])
    assert part in str(error.value)


def test_an_unclosed_quote_is_refused():
    with pytest.raises(SettingError, match="Close the quote"):
        split("run 'this")


# Answers ----------------------------------------------------------------------------------


def printed(out, err="", code=0):
    return Printed(code, out, err)


@pytest.mark.parametrize(
    ("reading", "what", "value"),
    [
        (Reading(regex=r"loss (\S+)"), printed("loss 1\nloss 2e-1\n"), 0.2),
        (Reading(regex=r"^\d+$"), printed("a 7\n42\nb"), 42),
        (Reading(regex=r"loss (\S+)"), printed("", err="loss 3"), 3),
        (Reading(json="loss"), printed('{"loss": 1}\n{"loss": 2}\n{"a": 1}\nend'), 2),
        (Reading(json="a.b"), printed('{"a": {"b": 5}}'), 5),
        (Reading(json="a.b"), printed('{"a.b": 6}'), 6),
        (Reading(exit_code=True), printed("", code=3), 3),
    ],
)
def test_numbers_are_read(reading, what, value):
    assert reading.read("loss", what, Path()) == value


def test_numbers_are_read_from_a_file(tmp_path):
    (tmp_path / "result.json").write_text('{\n "loss": 0.5\n}')
    assert Reading(json="loss", file="result.json").read("loss", printed(""), tmp_path) == 0.5
    with pytest.raises(ObjectiveError, match=r"'other\.txt' in the trial's folder"):
        Reading(regex="x", file="other.txt").read("loss", printed(""), tmp_path)


@pytest.mark.parametrize(
    ("reading", "part"),
    [
        (Reading(regex=r"loss (\S+)"), r"'loss (\S+)' matches nothing in what the command printed"),
        (Reading(json="loss"), "is a JSON object with the key 'loss'"),
        (Reading(regex="(nineteen|20)"), "'nineteen'"),
    ],
)
def test_what_cannot_be_read_shows_the_last_lines(reading, part):
    text = "\n".join(f"line {n}" for n in range(19)) + "\nline nineteen\n"
    with pytest.raises(ObjectiveError) as error:
        reading.read("loss", printed(text), Path())
    assert part in str(error.value)
    if "nineteen'" not in part:
        assert "  line 18\n  line nineteen" in str(error.value)
        assert "line 11" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"regex": "loss ("}, "does not compile"),
        ({"regex": "(a)(b)"}, "2 groups"),
        ({}, "0 are given"),
        ({"regex": "a", "json": "b"}, "2 are given"),
        ({"exit_code": True, "file": "x"}, "not read from a file"),
    ],
)
def test_a_reading_that_makes_no_sense_is_refused(settings, part):
    with pytest.raises(SettingError) as error:
        Reading(**settings)
    assert part in str(error.value)


@pytest.mark.parametrize(
    ("protocol", "out", "expected"),
    [
        ("irace", "noise\n0.5\n", ("success", {"cost": 0.5})),
        ("irace", "0.5 1.25\n\n", ("success", {"cost": 0.5, "time": 1.25})),
        (
            "paramils",
            "x\nResult for ParamILS: SAT, 1.5, 10, 3, 42, extra\n",
            ("success", {"runtime": 1.5, "runlength": 10, "quality": 3}),
        ),
        (
            "paramils",
            "Result for SMAC: TIMEOUT, 5, 0, 0, 1",
            ("timeout", {"runtime": 5, "runlength": 0, "quality": 0}),
        ),
        (
            "aclib",
            'Result of this algorithm run: {"status": "SUCCESS", "cost": 3, "runtime": 0.5, '
            '"misc": "ok"}',
            ("success", {"cost": 3, "runtime": 0.5, "misc": "ok"}),
        ),
        ("aclib", 'Result for SMAC: {"status": "crashed"}', ("crashed", {})),
        (
            "aclib",
            "Result for ParamILS: UNSAT, 1, 2, 3, 4",
            ("success", {"runtime": 1, "runlength": 2, "quality": 3}),
        ),
        ("paramils", "Result of Algorithm Run: ABORT, 0, 0, 0, 1", ("abort", None)),
    ],
)
def test_results_of_wrappers_are_read(protocol, out, expected):
    status, numbers = read_protocol(protocol, printed(out))
    assert status == expected[0]
    assert expected[1] is None or numbers == expected[1]


@pytest.mark.parametrize(
    ("protocol", "out", "part"),
    [
        ("irace", "", "the last line is the cost"),
        ("irace", "cost 3\n", "the last line is the cost"),
        ("irace", "Inf\n", "refused the configuration"),
        ("paramils", "done\n", "printed no result"),
        ("paramils", "Result for ParamILS: SAT, x, 0, 0, 0", "0 numbers after its status"),
        ("aclib", "Result of this algorithm run: {status}", "is not JSON"),
        ("aclib", 'Result of this algorithm run: {"cost": 1}', "status 'MISSING'"),
    ],
)
def test_a_wrapper_that_reports_nothing_readable_is_told_what_is_expected(protocol, out, part):
    with pytest.raises(ObjectiveError) as error:
        read_protocol(protocol, printed(out))
    assert part in str(error.value)


# Commands in worker processes ---------------------------------------------------------------


def test_a_program_is_run_read_measured_and_its_output_kept(tmp_path):
    code = (
        "import sys, time; print('cost', float(sys.argv[1]) * 2); print('hm', file=sys.stderr)\n"
        "while time.process_time() < 0.3: pass"
    )
    command = python(code, "{x}")
    assert Command.from_json(command.to_json()) == command
    [trial] = tried(command, {"x": 0.25}, folder=tmp_path)
    assert trial.costs == (0.5,)
    assert trial.resources.cpu_s >= 0.28  # of the child, in clock ticks
    kept = (tmp_path / trial.output).read_text()
    assert "cost 0.5\n" in kept and "hm\n" in kept


def test_failures_say_what_happened_and_show_the_last_lines(tmp_path):
    code = "import sys, os; print('last words'); sys.stdout.flush(); exec(sys.argv[1])"
    failing, killed, silent = tried(
        python(code, "{do}"),
        {"do": "sys.exit(3)"},
        {"do": "os.kill(os.getpid(), 11)"},
        {"do": "pass"},
        folder=tmp_path,
    )
    assert {t.status for t in (failing, killed, silent)} == {Status.CRASHED}
    assert failing.cause == (
        "the command ended with exit code 3. Its last lines are:\n  last words"
    )
    assert killed.cause.startswith("the command was killed by SIGSEGV.")
    assert "matches nothing in what the command printed" in silent.cause


def test_exit_codes_that_mean_success_and_those_that_are_the_cost(tmp_path):
    code = "import sys; print('cost 1'); sys.exit(int(sys.argv[1]))"
    ten, eleven = tried(
        python(code, "{x}", success=(0, 10)), {"x": 10}, {"x": 11}, folder=tmp_path / "a"
    )
    assert ten.succeeded and not eleven.succeeded
    counted = Command(
        (sys.executable, "-c", code, "{x}"), ("x",), {"cost": Reading(exit_code=True)}
    )
    [trial] = tried(counted, {"x": 11}, folder=tmp_path / "b")
    assert trial.costs == (11.0,)


def test_limits_kill_the_program_and_its_children(tmp_path):
    code = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '1000']);"
        "print(child.pid, flush=True); exec(sys.argv[1])"
    )
    late, large = tried(
        python(code, "{do}"),
        {"do": "time.sleep(1000)"},
        {"do": "x = bytearray(10**9); x[::4096] = b'1' * len(x[::4096]); time.sleep(1000)"},
        folder=tmp_path,
        limits=TrialLimits(wall_s=3, memory_mb=300),
    )
    assert late.status is Status.TIMEOUT
    assert large.status is Status.MEMORY
    for trial in (late, large):
        assert not psutil.pid_exists(int((tmp_path / trial.output).read_text().split()[0]))


def test_a_child_that_holds_the_pipe_holds_up_nobody(tmp_path):
    code = (
        "import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True);"
        "print('cost 1')"
    )
    [trial] = tried(python(code), {}, folder=tmp_path)
    assert trial.succeeded
    assert trial.resources.wall_s < 10


def test_a_child_that_prints_on_holds_up_nobody(tmp_path):
    code = (
        "import subprocess, sys;"
        "endless = 'while True: print(\"y\" * 1000, flush=True)';"  # whole lines: pipes mix them
        "child = subprocess.Popen([sys.executable, '-c', endless]);"
        "print('pid', child.pid); print('cost 1', flush=True)"
    )
    [trial] = tried(python(code), {}, folder=tmp_path)
    assert trial.succeeded
    output = (tmp_path / trial.output).read_text()
    assert not psutil.pid_exists(int(output.split("pid ")[1].split()[0]))


def test_it_runs_in_the_scenarios_folder_or_in_the_trials_own(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    script = home / "where.sh"
    script.write_text("#!/bin/sh\npwd > here\necho cost 1 $CUP\n")
    script.chmod(0o755)
    there = Command(("./where.sh",), (), COST, scenario=str(home), environment={"CUP": "tea"})
    own = Command(("./where.sh",), (), COST, scenario=str(home), in_trial_folder=True)
    [trial] = tried(there, {}, folder=tmp_path / "a")
    assert (home / "here").read_text() == f"{home}\n"
    assert "tea" in (tmp_path / "a" / trial.output).read_text()
    assert tried(own, {}, folder=tmp_path / "b")[0].succeeded
    assert (tmp_path / "b" / "trials" / "0" / "here").exists()


def test_a_configuration_can_be_passed_as_a_file(tmp_path):
    code = "import json, sys; print('cost', json.load(open(sys.argv[1]))['x'])"
    command = Command((sys.executable, "-c", code, "{config}"), ("x",), COST)
    assert command.unused == ()
    [trial] = tried(command, {"x": 0.5}, folder=tmp_path)
    assert trial.costs == (0.5,)


def test_an_instance_is_told_as_a_path_that_is_right_where_the_program_runs(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "easy.txt").write_text("cost 3")
    for own in (False, True):
        command = Command(
            ("cat", "{instance}"), (), COST, str(home), in_trial_folder=own,
            instances=("easy.txt",), instances_are_files=True,
        )  # fmt: skip
        [trial] = tried(command, {}, folder=tmp_path / str(own), instance="easy.txt")
        assert trial.costs == (3.0,), trial.cause
    [trial] = tried(command, {}, folder=tmp_path / "none")
    assert "the optimizer proposes none" in trial.cause


def test_another_program_is_noticed(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('cost 1')")
    command = Command((sys.executable, "train.py", "{x}"), ("x",), COST, scenario=str(tmp_path))
    space = {"x": octavo.Float(0, 1)}
    octavo.minimize(command, space, max_trials=1, workers=1, storage=tmp_path / "run").close()
    script.write_text("print('cost 2')")
    with octavo.open_study(tmp_path / "run") as study:
        with pytest.warns(UserWarning, match="has changed since the study began"):
            study.resume(max_trials=2)
        assert [trial.costs for trial in study.history] == [(1.0,), (2.0,)]


def test_lines_of_output_are_reported_while_it_runs(tmp_path):
    code = "for e in range(3): print('epoch', e, 'loss', 1 / (e + 1))\nprint('cost 1')"
    command = python(code, report=r"epoch (?P<step>\d+) loss (?P<loss>\S+)")
    [trial] = tried(command, {}, folder=tmp_path)
    assert [(r.step, r.values["loss"]) for r in trial.reports] == [(0, 1), (1, 0.5), (2, 1 / 3)]


def test_json_lines_with_a_step_are_reported(tmp_path):
    code = (
        "import json\n"
        "for i in (1, 2): print(json.dumps({'epoch': i, 'cost': 1 / i, 'ok': True, 'at': 'x'}))\n"
        "print('{no json'); print('[1]'); print('{\"epoch\": 9}'); print('{\"cost\": 0.25}')"
    )
    command = Command(
        (sys.executable, "-c", code.replace("{", "{{").replace("}", "}}"), "{x}"),
        ("x",),
        {"cost": Reading(json="cost")},
        report_json="epoch",
    )
    (trial,) = tried(command, {"x": 1}, folder=tmp_path)
    assert trial.costs == (0.25,), trial.cause
    assert [(r.step, r.values) for r in trial.reports] == [(1, {"cost": 1.0}), (2, {"cost": 0.5})]


COUNTER = """
import pathlib, sys
state, budget, earlier = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[4:]
done = int((pathlib.Path(earlier[0]) / "done").read_text()) if earlier else 0
(state / "done").write_text(str(budget))
print("cost", 1 / budget, "from", done)
sys.exit(budget == 13)
"""


def counter(*arguments, **settings):
    return Command((sys.executable, "-c", COUNTER, *arguments), ("x",), COST, **settings)


def test_a_program_leaves_its_state_and_goes_on_from_an_earlier_trials(tmp_path):
    study = octavo.minimize(
        counter("{checkpoint}", "{fidelity}", "{x}", "{resume}", fidelity="budget"),
        {"x": octavo.Float(0, 1)},
        fidelity=octavo.Fidelity("budget", 1, 9),
        optimizer="successive-halving",
        max_trials=13,
        workers=1,
        seed=0,
        storage=tmp_path / "run",
    )
    promoted = [trial for trial in study.history if trial.proposal.resume_from is not None]
    assert promoted and study.history[0].checkpoint is not None
    for trial in study.history:
        earlier = trial.proposal.resume_from
        said = (tmp_path / f"run/trials/{trial.index}/output.txt").read_text()
        before = 0 if earlier is None else int(study.history[earlier].proposal.fidelity)
        assert f"from {before}" in said
        assert trial.extra.get("resumed_from") == earlier
    study.close()


def test_a_program_that_fails_leaves_no_state(tmp_path):
    command = counter("{checkpoint}", "{x}", "")
    trials = tried(command, {"x": 5}, {"x": 13}, folder=tmp_path)
    assert [trial.checkpoint is not None for trial in trials] == [True, False]
    assert trials[1].status is Status.CRASHED
    assert [path.name for path in (tmp_path / "trials/1").iterdir()] == ["output.txt"]


def test_only_the_end_of_much_output_is_kept_in_memory(tmp_path, capfd):
    code = f"import sys; sys.stdout.write('x' * {KEPT + 10**6} + 'cost 1')"
    done = run_program([sys.executable, "-c", code], folder=tmp_path, environment={})
    assert len(done.out) <= KEPT + 2**16
    assert done.out.endswith("cost 1")
    assert len(capfd.readouterr().out) == KEPT + 10**6 + 6


@pytest.mark.parametrize(
    ("name", "content", "mode", "part"),
    [
        ("absent", None, 0, "neither it nor the interpreter"),
        ("closed", "#!/bin/sh\n", 0o644, "it is not executable"),
        ("strange", "#!/no/such/interpreter\n", 0o755, "neither it nor the interpreter"),
        ("bare", "echo 1\n", 0o755, "must name its interpreter"),
    ],
)
def test_a_program_that_cannot_be_started_is_named(tmp_path, name, content, mode, part):
    if content is not None:
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    with pytest.raises(ObjectiveError) as error:
        run_program([str(tmp_path / name)], folder=tmp_path, environment={})
    assert part in str(error.value) and name in str(error.value)


# Protocols ----------------------------------------------------------------------------------

CONFIG = {"alpha": 0.5, "algorithm": "acs"}


def test_the_call_of_irace():
    command = Command(
        ("./target-runner",),
        ("alpha", "algorithm"),
        protocol="irace",
        switches={"algorithm": "--", "alpha": "--alpha="},
        instances=("a.tsp", "b.tsp"),
        cutoff_s=5.0,
        bound=True,
    )
    line = command.line(CONFIG, seed=3, instance="b.tsp")
    assert line[0] == "./target-runner"
    assert line[1].isdigit() and line[1] == command.line(CONFIG, seed=4)[1]
    assert line[2:] == ["2", "3", "b.tsp", "5", "--alpha=0.5", "--acs"]


def test_the_calls_of_aclib_and_paramils():
    given_ = {"hyperparameters": ("alpha", "algorithm"), "cutoff_s": 5.0}
    aclib = Command(("./wrap.py",), protocol="aclib", **given_)
    call = "./wrap.py --instance x.cnf --cutoff 2.5 --seed 3 --config -alpha 0.5 -algorithm acs"
    assert " ".join(aclib.line(CONFIG, seed=3, instance="x.cnf", cutoff_s=2.5)) == call
    paramils = Command(("./wrap.rb",), protocol="paramils", **given_)
    call = "./wrap.rb no_instance 0 5 2147483647 3 -alpha 0.5 -algorithm acs"
    assert " ".join(paramils.line(CONFIG, seed=3)) == call


def test_a_wrappers_timeout_is_a_timeout_and_its_crash_a_crash(tmp_path):
    script = tmp_path / "wrap.sh"
    script.write_text('#!/bin/sh\nshift 5\necho "Result for ParamILS: $2, 1, 0, 2, 42"\n')
    script.chmod(0o755)
    command = Command(
        (str(script),), ("say",), protocol="paramils", cutoff_s=5.0, scenario=str(tmp_path)
    )
    good, late, bad, end = tried(
        command,
        *({"say": say} for say in ("SAT", "TIMEOUT", "CRASHED", "ABORT")),
        folder=tmp_path / "run",
        objectives=("runtime",),
    )
    assert (good.status, good.costs, good.extra["quality"]) == (Status.SUCCESS, (1.0,), 2.0)
    assert late.status is Status.TIMEOUT
    assert bad.status is Status.CRASHED and bad.cause.startswith("the wrapper reported CRASHED")
    assert end.cause.startswith("the wrapper reported ABORT")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"arguments": ()}, "the command is empty"),
        ({"protocol": "iracle"}, "Did you mean 'irace'?"),
        ({"arguments": ("a", "{alhpa}")}, "Did you mean 'alpha'?"),
        ({"arguments": ("a", "{seed}"), "hyperparameters": ("seed",)}, "could be the hyperparam"),
        ({"arguments": ("a", "{instance}")}, "there is no instance"),
        ({"arguments": ("a", "{fidelity}")}, "there is no fidelity"),
        ({"arguments": ("a", "{cutoff}")}, "Give [limits] a trial_time"),
        ({"arguments": ("a",), "protocol": "aclib"}, "Give [limits] a trial_time"),
        ({"style": "--{nam} "}, "It has {name} alone"),
        ({"report": "loss ("}, "does not compile"),
        ({"report": r"loss (?P<loss>\S+)"}, "Name one 'step'"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(settings, part):
    with pytest.raises(SettingError) as error:
        Command(**({"arguments": ("a", "{alpha}"), "hyperparameters": ("alpha",)} | settings))
    assert part in str(error.value)


def test_what_is_never_told_is_known():
    command = Command(("a", "{x}"), ("x", "y"), fidelity="epochs")
    assert command.unused == ("y", "epochs")
    assert Command(("a", "{parameters}"), ("x", "y"), fidelity="epochs").unused == ()
    assert Command(("a", "{parameters}", "{epochs}"), ("x",), fidelity="epochs").line(
        {"x": 1}, fidelity=3
    ) == ["a", "--x", "1", "3"]


def test_a_study_that_is_killed_leaves_no_program(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        "import octavo\n"
        "from octavo.executors.command import Command\n"
        "command = Command(('sh', '-c', 'echo $$ > pid; exec sleep 1000'), ('x',))\n"
        "octavo.minimize(command, {'x': octavo.Float(0, 1)}, max_trials=1, workers=1)\n"
    )
    import subprocess

    study = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    end = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < end
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    os.kill(study.pid, signal.SIGKILL)
    study.wait()
    end = time.monotonic() + 10
    while psutil.pid_exists(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_awk_is_a_program_too(tmp_path):
    assert shutil.which("awk")
    command = Command(("awk", "-v", "x={x}", 'BEGIN {{ print "cost", (x - 1) ^ 2 }}'), ("x",), COST)
    [trial] = tried(command, {"x": 3}, folder=tmp_path)
    assert trial.costs == (4.0,)
