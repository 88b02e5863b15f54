"""Checkpoints of a study: which stay, which go, and what the history says of them."""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import octavo
from octavo.errors import ProblemError
from octavo.executors.checkpoints import sizes
from octavo.optimizers.protocol import Recipe, next_index
from octavo.problem import Fidelity, Problem
from octavo.storage import open_store
from octavo.trial import Origin, Proposal, Trial

SPACE = octavo.space(x=octavo.Float(0, 1))
EPOCHS = Fidelity("epochs", 1, 4)


@dataclass(frozen=True)
class Doubling:
    """Runs x = 0.1, 0.3, ... for one epoch each, then resumes the best one for twice as long."""

    n: int = 4
    tells: bool = True

    def start(self, problem: Problem, seed: int) -> Any:
        optimizer = _Doubling(self.n)
        if not self.tells:
            optimizer.keep_checkpoints = None  # type: ignore[method-assign, assignment]
        return optimizer


class _Doubling:
    def __init__(self, n: int) -> None:
        self.n, self.trials = n, list[Trial]()

    def tell(self, trials: Sequence[Trial]) -> None:
        self.trials.extend(trials)

    def keep_checkpoints(self) -> frozenset[int]:
        return frozenset(() if self._is_over() else (trial.index for trial in self._best()))

    def _best(self) -> list[Trial]:
        level = max((trial.proposal.fidelity or 0 for trial in self.trials), default=0)
        at_level = [trial for trial in self.trials if trial.proposal.fidelity == level]
        return sorted(at_level, key=lambda trial: trial.costs)[:1]

    def _is_over(self) -> bool:
        return len(self.trials) >= self.n + 2

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> list[Proposal]:
        told = max((trial.index + 1 for trial in self.trials), default=0)
        index = next_index(told, pending)
        if index < self.n:
            return [Proposal(index, {"x": (2 * index + 1) / 10}, fidelity=1.0)]
        if pending or self._is_over():
            return []
        [best] = self._best()
        return [
            Proposal(
                index, best.config, fidelity=2 * (best.proposal.fidelity or 1),
                origin=Origin(by="doubling", parents=(best.index,)), resume_from=best.index,
            )
        ]  # fmt: skip


def train(config: Any, *, fidelity: int, checkpoint: Any) -> dict[str, float]:
    found = checkpoint.load()
    began = 0 if found is None else int((found / "epoch").read_text())

    def write(path: Path) -> None:
        path.mkdir()
        (path / "epoch").write_text(str(fidelity))
        (path / "weights").write_bytes(bytes(1000))

    checkpoint.save(write)
    return {"cost": (config["x"] - 0.5) ** 2 / fidelity, "epochs": fidelity - began}


def run(storage: Path | None, recipe: Recipe, **options: Any) -> octavo.Study:
    return octavo.minimize(
        train, SPACE, max_trials=99, fidelity=EPOCHS, optimizer=recipe, seed=0, storage=storage,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("workers", [None, 2])
def test_only_what_may_be_resumed_and_the_incumbent_stay(
    tmp_path: Path, workers: int | None, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "octavo")
    study = run(tmp_path / "s", Doubling(), workers=workers)
    assert [trial.extra["epochs"] for trial in study.history if trial.index >= 4] == [1, 2]
    assert [trial.extra.get("resumed_from") for trial in study.history][-2:] == [2, 4]
    assert study.best.index == 5
    assert list(sizes(tmp_path / "s")) == [5]
    assert all(trial.checkpoint is not None for trial in study.history)  # what they once left
    assert caplog.text.count("deleted the checkpoint of trial") == 5
    assert "1001 bytes): nothing will go on from it" in caplog.text


def test_wrappers_pass_on_what_is_kept(tmp_path: Path) -> None:
    run(tmp_path / "s", Doubling(), first=[{"x": 0.9}], repeats=2)
    assert len(sizes(tmp_path / "s")) <= 2


def test_an_optimizer_that_does_not_say_loses_nothing(tmp_path: Path) -> None:
    run(tmp_path / "s", Doubling(tells=False))
    assert list(sizes(tmp_path / "s")) == [0, 1, 2, 3, 4, 5]


def test_over_the_limit_the_least_valuable_go_first(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "octavo")
    study = run(tmp_path / "s", Doubling(n=6, tells=False), checkpoint_limit=3100 / 2**20)
    # 2 (x = 0.5) and 6 were resumed, so they go before 1 and 3, which were not; 7 is the best.
    assert list(sizes(tmp_path / "s")) == [1, 3, 7]
    assert study.best.index == 7
    assert "(1001 bytes): checkpoint_limit is reached" in caplog.text
    assert "more than checkpoint_limit allows" not in caplog.text


def test_the_incumbent_s_checkpoint_stays_over_any_limit(tmp_path: Path, caplog: Any) -> None:
    study = run(tmp_path / "s", Doubling(tells=False), checkpoint_limit="0.0001MB")
    assert list(sizes(tmp_path / "s")) == [study.best.index]
    assert caplog.text.count("more than checkpoint_limit allows") == 1
    with pytest.raises(ProblemError, match="checkpoint_limit='lots'"):
        run(tmp_path / "t", Doubling(), checkpoint_limit="lots")
    assert not (tmp_path / "t").exists()


def test_a_resumed_study_keeps_the_limit_and_knows_what_lies_there(tmp_path: Path) -> None:
    options: dict[str, Any] = {"fidelity": EPOCHS, "optimizer": "random", "seed": 0}
    study = octavo.minimize(
        train, SPACE, max_trials=4, storage=tmp_path / "s", checkpoint_limit=2100 / 2**20, **options
    )
    assert len(sizes(tmp_path / "s")) == 2
    study.close()
    with octavo.open_study(tmp_path / "s") as again:
        again.resume(max_trials=8)
        assert len(sizes(tmp_path / "s")) == 2
        assert again.best.index in sizes(tmp_path / "s")
        again.resume(max_trials=9, checkpoint_limit="1MB")
        assert len(sizes(tmp_path / "s")) == 3


def test_a_paused_trial_thaws_from_its_checkpoint(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class PauseFirst:
        def decide(self, running: Any, history: Any) -> dict[int, str]:
            return {one.proposal.index: "pause" for one in running if one.proposal.index == 0}

    @dataclass(frozen=True)
    class Thaw:
        """Runs three, then goes on with the first; says that nothing will be resumed."""

        def start(self, problem: Problem, seed: int) -> Any:
            return self

        def tell(self, trials: Sequence[Trial]) -> None:
            pass

        def keep_checkpoints(self) -> frozenset[int]:
            return frozenset()

        def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> list[Proposal]:
            index = next(numbers)
            proposal = Proposal(index, {"x": index / 10})
            return [replace(proposal, config={"x": 0.0}, resume_from=0) if index == 3 else proposal]

    def slow(config: Any, *, checkpoint: Any, report: Any) -> float:
        found = checkpoint.load()
        step = 0 if found is None else int(found.read_text())
        while step < 5:
            step += 1
            checkpoint.save(partial(Path.write_text, data=str(step)))
            report(step, config["x"] + 1 / step)
        return float(config["x"])

    numbers = iter(range(10))
    study = octavo.Study(SPACE, optimizer="random", storage=tmp_path / "s", seed=0)
    study._optimizer = Thaw()  # type: ignore[assignment]
    study.run(slow, max_trials=4, stoppers=[PauseFirst()])
    first, *_, last = study.history
    assert first.status == "stopped" and first.extra == {"paused": True}
    assert [report.step for report in first.reports] == [1]
    assert last.extra == {"resumed_from": 0}
    assert [report.step for report in last.reports] == [2, 3, 4, 5]
    assert list(sizes(tmp_path / "s")) == [study.best.index]


def test_in_memory_too_trials_go_on_where_others_stopped() -> None:
    study = run(None, Doubling())
    assert [trial.extra["epochs"] for trial in study.history if trial.index >= 4] == [1, 2]


KILLED = """
import sys
import time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_keeping as here
if Path(sys.argv[2], "history.sqlite").exists():
    study = here.octavo.open_study(sys.argv[2])
    study.resume()
else:
    study = here.run(Path(sys.argv[2]), here.Doubling(n=40), workers=2)
"""


def test_a_study_killed_while_it_saves_goes_on_from_whole_checkpoints(tmp_path: Path) -> None:
    rng, folder = random.Random(1), tmp_path / "s"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(folder)]
    for begun in (10, 30):
        process = subprocess.Popen(command)
        while not (folder / "trials" / str(begun)).exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, check=False).returncode == 0
    with open_store(folder, write=False) as store:
        history = store.history()
    assert sorted(trial.index for trial in history) == list(range(42))
    assert history.succeeded.all()
    resumed = [trial for trial in history if trial.index >= 40]
    assert [trial.extra["epochs"] for trial in resumed] == [1, 2]
    assert [trial.extra.get("resumed_from") for trial in resumed] == [2, 40]
    assert list(sizes(folder)) == [41]
    assert list((folder / "trials").glob("*/.checkpoint*")) == []


def test_in_memory_a_later_run_goes_on_from_checkpoints_of_an_earlier_one() -> None:
    study = octavo.Study(SPACE, fidelity=EPOCHS, optimizer=Doubling(), seed=0)
    study.run(train, max_trials=4)
    workplace = study.workplace
    assert len(sizes(workplace)) == 1
    study.run(train, max_trials=6)
    assert [trial.extra["epochs"] for trial in study.history][4:] == [1, 2]
    study.close()
    assert not workplace.exists()
