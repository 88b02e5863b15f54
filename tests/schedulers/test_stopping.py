"""Stoppers end trials early, in this process and in others; what they learn is in the history."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import octavo
from octavo import TrialStopped
from octavo.callbacks import Reported
from octavo.errors import SettingError
from octavo.executors import InlineExecutor
from octavo.history import History
from octavo.problem import Problem
from octavo.schedulers import Decision, MedianRule, Running
from octavo.study.stopping import Stopping
from octavo.trial import Proposal, Report, Status

SPACE = octavo.space(x=octavo.Float(0, 1))


@dataclass(frozen=True)
class AfterStep:
    """Ends every trial whose last step is at least `step`."""

    step: float
    decision: Decision = "stop"

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        return {
            one.proposal.index: self.decision
            for one in running
            if one.reports and one.reports[-1].step >= self.step
        }


def train(config: Any, *, report: Any) -> float:
    for step in range(200):
        report(step, {"cost": config["x"] + 1 / (step + 1), "other": step})
        if report is not print:
            time.sleep(0.002)
    return config["x"]


def steps(study: octavo.Study) -> list[int]:
    return [len(trial.reports) for trial in study.history]


def test_inline_trials_end_at_the_report_that_decides() -> None:
    study = octavo.minimize(
        train, SPACE, max_trials=3, seed=0, optimizer="random", stoppers=[AfterStep(4)]
    )
    for trial in study.history:
        assert trial.status is Status.STOPPED
        assert [report.step for report in trial.reports] == [0, 1, 2, 3, 4]
        assert trial.costs == (trial.config["x"] + 1 / 5,)
        assert trial.cause.startswith("stopped by AfterStep after step 4 (cost ")
        assert "paused" not in trial.extra
    assert study.stopped_because == "all 3 trials are done"


def test_trials_in_processes_end_at_a_later_report(tmp_path: Any) -> None:
    study = octavo.minimize(
        train, SPACE, max_trials=4, seed=0, optimizer="random", workers=2,
        stoppers=[AfterStep(4, "pause")], storage=tmp_path / "s",
    )  # fmt: skip
    for trial in study.history:
        assert trial.status is Status.STOPPED and trial.extra == {"paused": True}
        assert 5 <= len(trial.reports) < 150
        last = trial.reports[-1]
        assert trial.costs == (last.values["cost"],)
        assert trial.cause.startswith("paused by AfterStep after step ")
    study.close()
    with octavo.open_study(tmp_path / "s", write=False) as again:
        assert list(again.history) == list(study.history)


def test_the_workers_of_stopped_trials_are_used_again() -> None:
    import os

    def objective(config: Any, report: Any) -> dict[str, float]:
        report(0, {"cost": 1.0, "pid": os.getpid()})
        while True:
            time.sleep(0.01)
            report(1, {"cost": 1.0, "pid": os.getpid()})

    study = octavo.minimize(
        objective, SPACE, max_trials=3, seed=0, workers=1, optimizer="random",
        stoppers=[AfterStep(0)],
    )  # fmt: skip
    assert {trial.status for trial in study.history} == {Status.STOPPED}
    assert len({trial.reports[0].values["pid"] for trial in study.history}) == 1


@pytest.mark.parametrize("workers", [None, 1])
def test_what_the_objective_makes_of_being_stopped(workers: int | None) -> None:
    def objective(config: Any, report: Any) -> Any:
        try:
            for step in range(1000):
                try:
                    report(step, 7.0)
                except Exception:  # not meant for it
                    return 0.0
                time.sleep(0.01)
        except TrialStopped as stopped:
            if config["how"] == "returns":
                return {"cost": 5.0, "note": str(stopped)}
            if config["how"] == "wraps":
                raise RuntimeError("the trainer failed") from stopped
            raise
        return 0.0

    space = octavo.space(how=octavo.Categorical(["passes", "returns", "wraps"]))
    study = octavo.minimize(
        objective, space, workers=workers, seed=0, optimizer="grid", stoppers=[AfterStep(0)]
    )
    found = {trial.config["how"]: trial for trial in study.history}
    assert {trial.status for trial in found.values()} == {Status.STOPPED}
    assert {how: trial.costs for how, trial in found.items()} == {
        "passes": (7.0,),
        "returns": (5.0,),
        "wraps": (7.0,),
    }
    assert found["returns"].extra["note"] == found["returns"].cause
    assert not study.history.succeeded.any()


@pytest.mark.parametrize("workers", [None, 1])
def test_an_objective_may_end_its_own_trial(workers: int | None) -> None:
    def objective(config: Any, report: Any) -> float:
        report(0, 3.0)
        raise TrialStopped("it diverges")

    study = octavo.minimize(
        objective, SPACE, max_trials=1, seed=0, workers=workers, optimizer="random"
    )
    [trial] = study.history
    assert (trial.status, trial.costs, trial.cause) == (Status.STOPPED, (3.0,), "it diverges")


def test_costs_are_the_last_values_by_name_in_the_users_direction() -> None:
    def objective(config: Any, report: Any) -> float:
        report(0, {"accuracy": 0.5, "size": 3})
        report(1, {"accuracy": 0.75})
        report(2, {"loss": float("inf")})
        return 0.0

    study = octavo.minimize(
        objective, SPACE, max_trials=1, seed=0, optimizer="random", stoppers=[AfterStep(2)],
        objectives=[octavo.Objective("accuracy", maximize=True), "loss", "never"],
        constraints={"size": (None, 5), "speed": (1, None)},
    )  # fmt: skip
    [trial] = study.history
    assert trial.costs[0] == -0.75 and all(cost != cost for cost in trial.costs[1:])
    assert trial.constraints[0] == 3 and trial.constraints[1] != trial.constraints[1]


class Slowly(AfterStep):
    """Decides after the report has returned."""

    def decide(self, running: Sequence[Running], history: History) -> Mapping[int, Decision]:
        time.sleep(0.5)
        return super().decide(running, history)


def test_a_trial_that_never_reports_again_runs_to_its_end() -> None:
    def objective(config: Any, report: Any) -> float:
        report(0, 9.0)
        time.sleep(3.0)
        return 2.0

    study = octavo.minimize(
        objective, SPACE, max_trials=1, seed=0, workers=1, optimizer="random",
        stoppers=[Slowly(0)],
    )  # fmt: skip
    assert [(t.status, t.costs) for t in study.history] == [(Status.SUCCESS, (2.0,))]


def test_threads_that_report_are_stopped_too() -> None:
    def objective(config: Any, report: Any) -> float:
        ended = []

        def loop(number: int) -> None:
            try:
                for step in range(10_000):
                    report(step, 1.0)
                    time.sleep(0.001)
            except TrialStopped:
                ended.append(number)

        threads = [threading.Thread(target=loop, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return float(len(ended))

    study = octavo.minimize(
        objective, SPACE, max_trials=2, seed=0, workers=1, optimizer="random",
        stoppers=[AfterStep(1)],
    )  # fmt: skip
    assert [(t.status, t.costs) for t in study.history] == [(Status.STOPPED, (3.0,))] * 2


def test_the_strictest_wins() -> None:
    def decided(*stoppers: AfterStep) -> list[tuple[str, str]]:
        stopping = Stopping(stoppers, "cost")
        stopping.begin(Proposal(0, {"x": 0.0}))
        stopping.hear(0, Report(3, {"cost": 1.0}))
        verdicts = stopping.decide(History(Problem(SPACE)), at_leisure=False)
        return [(verdict.decision, verdict.cause.split()[0]) for verdict in verdicts]

    go, pause, stop = AfterStep(9), AfterStep(0, "pause"), AfterStep(0)
    assert decided(go) == []
    assert decided(go, pause) == [("pause", "paused")]
    assert decided(pause, stop, go) == decided(stop, pause) == [("stop", "stopped")]


def test_a_paused_trial_may_still_be_stopped_and_nobody_is_told_twice() -> None:
    stopping = Stopping([AfterStep(1, "pause"), AfterStep(3)], "cost")
    history = History(Problem(SPACE))
    stopping.begin(Proposal(0, {"x": 0.0}))
    told = []
    for step in range(6):
        stopping.hear(0, Report(step, {"cost": 1.0}))
        told.append([v.decision for v in stopping.decide(history, at_leisure=False)])
    assert told == [[], ["pause"], [], ["stop"], [], []]
    stopping.end(0)
    stopping.hear(0, Report(9, {"cost": 1.0}))
    assert stopping.decide(history, at_leisure=False) == []


def test_deciding_takes_a_tenth_of_the_time_at_most() -> None:
    @dataclass(frozen=True)
    class Slow:
        def decide(self, running: Sequence[Running], history: History) -> dict[int, Decision]:
            calls.append(len(running[0].reports))
            time.sleep(0.02)
            return {}

    calls: list[int] = []
    stopping = Stopping([Slow()], "cost")
    stopping.begin(Proposal(0, {"x": 0.0}))
    began, n = time.monotonic(), 0
    while time.monotonic() - began < 1.0:
        stopping.hear(0, Report(n, {"cost": 1.0}))
        n += 1
        stopping.decide(History(Problem(SPACE)), at_leisure=True)
        time.sleep(0.0005)
    assert 2 <= len(calls) <= 6
    assert n > 100 and calls[-1] > calls[0]  # nothing that was reported meanwhile is lost


def test_stoppers_see_what_runs_and_what_ended() -> None:
    @dataclass(frozen=True)
    class Spy:
        def decide(self, running: Sequence[Running], history: History) -> dict[int, Decision]:
            seen.append((len(history), [(r.proposal.index, len(r.reports)) for r in running]))
            assert all(0 <= one.elapsed_s < 60 for one in running)
            return {}

    def objective(config: Any, report: Any) -> float:
        report(0, 1.0)
        report(1, 1.0)
        return 1.0

    seen: list[Any] = []
    octavo.minimize(objective, SPACE, max_trials=2, seed=0, optimizer="random", stoppers=[Spy()])
    assert seen == [(0, [(0, 1)]), (0, [(0, 2)]), (1, [(1, 1)]), (1, [(1, 2)])]


def test_a_stopper_s_failure_ends_the_study_and_fails_no_trial(tmp_path: Any) -> None:
    @dataclass(frozen=True)
    class Broken:
        def decide(self, running: Sequence[Running], history: History) -> Any:
            return {running[0].proposal.index: "halt"}

    with pytest.raises(SettingError, match=r"Broken.decide returned 'halt' for trial 0"):
        octavo.minimize(
            train, SPACE, max_trials=2, seed=0, optimizer="random", stoppers=[Broken()],
            storage=tmp_path / "s",
        )  # fmt: skip
    with octavo.open_study(tmp_path / "s", write=False) as study:
        assert len(study.history) == 0 and [p.index for p in study.pending] == [0]


def test_a_resumed_study_goes_on_with_its_stoppers(tmp_path: Any) -> None:
    first = octavo.minimize(
        train, SPACE, max_trials=2, seed=0, optimizer="random", storage=tmp_path / "s",
        stoppers=[AfterStep(3, "pause")],
    )  # fmt: skip
    before = list(first.history)
    first.close()
    with octavo.open_study(tmp_path / "s") as study:
        assert list(study.history) == before
        assert [t.extra for t in study.history] == [{"paused": True}] * 2
        study.resume(max_trials=3)
        study.resume(max_trials=4, stoppers=[AfterStep(5)])
        study.resume(max_trials=5, stoppers=[])
        study.resume(max_trials=6)
    assert steps(study) == [4, 4, 4, 6, 200, 200]
    assert [t.status for t in study.history] == [Status.STOPPED] * 4 + [Status.SUCCESS] * 2


def test_stoppers_that_cannot_be_stored_have_to_be_passed_again(tmp_path: Any) -> None:
    class Local(AfterStep):
        pass

    study = octavo.minimize(
        train, SPACE, max_trials=1, seed=0, optimizer="random", storage=tmp_path / "s",
        stoppers=[Local(3)],
    )  # fmt: skip
    with pytest.raises(SettingError, match=r"Local .*cannot be imported.*Pass them again"):
        study.resume(max_trials=2)
    study.resume(max_trials=2, stoppers=[Local(1)])
    assert steps(study) == [4, 2]


def test_callbacks_hear_reports_while_the_trial_runs() -> None:
    heard: list[float] = []

    def objective(config: Any, report: Any) -> float:
        report(0, 1.0)
        at_once = len(heard)
        report(1, 2.0)
        return float(at_once)

    study = octavo.minimize(
        objective, SPACE, max_trials=1, seed=0, optimizer="random", stoppers=[AfterStep(99)],
        callbacks=[lambda e: heard.append(e.report.step) if isinstance(e, Reported) else None],
    )  # fmt: skip
    assert study.best_value == 1.0 and heard == [0, 1]


@pytest.mark.parametrize(
    ("stoppers", "message"),
    [
        (AfterStep(3), r"stoppers=AfterStep\(step=3.*is a list"),
        ("median", r"stoppers='median' is of type str, but is a list"),
        ([AfterStep], r"contains <class .*AfterStep'>, which decides nothing"),
        ([print], r"contains <built-in function print>, which decides nothing"),
    ],
)
def test_what_is_no_stopper_is_refused(stoppers: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        octavo.minimize(train, SPACE, max_trials=1, stoppers=stoppers)


def test_an_executor_that_cannot_halt_is_refused() -> None:
    class Simple:
        slots = 1

        def __init__(self) -> None:
            inner = InlineExecutor()
            for name in ("start", "submit", "wait", "stop", "close"):
                setattr(self, name, getattr(inner, name))

    with pytest.raises(SettingError, match="has no method halt"):
        octavo.minimize(
            train,
            SPACE,
            max_trials=1,
            executor=Simple(),
            stoppers=[AfterStep(1)],  # type: ignore
        )
    octavo.minimize(lambda c: 0.0, SPACE, max_trials=1, executor=Simple())  # type: ignore


def test_reports_by_another_name_than_the_objectives_are_warned_of_once(caplog: Any) -> None:
    def reports_loss(config: Any, report: Any) -> float:
        for step in range(3):
            report(step, {"loss": config["x"]})
        return config["x"]

    octavo.minimize(
        reports_loss, SPACE, max_trials=3, seed=0, optimizer="random", stoppers=[MedianRule()]
    )
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "trial 0 reports ['loss']" in warning and "report(step, {'cost': value})" in warning
    caplog.clear()
    octavo.minimize(
        reports_loss, SPACE, max_trials=3, seed=0, optimizer="random", stoppers=[AfterStep(9)]
    )
    assert not caplog.records  # that stopper reads what it likes
