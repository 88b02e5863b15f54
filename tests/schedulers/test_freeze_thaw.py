"""Freeze-thaw goes on with what promises most."""

import pytest

import octavo
from octavo.errors import SettingError
from octavo.optimizers import RandomSearch
from octavo.problem import Fidelity, Problem
from octavo.schedulers import FreezeThaw
from octavo.trial import Proposal, Report, Status, Trial

SPACE = octavo.space(x=octavo.Float(0, 1))
EPOCHS = Problem(SPACE, fidelity=Fidelity("epochs", 1, 64))


def cost(x: float, epochs: float) -> float:
    return abs(x - 0.3) + 0.5 * epochs**-0.7


def run(optimizer, n: int, *, with_reports: bool) -> list[Trial]:
    trials: list[Trial] = []
    for _ in range(n):
        (asked,) = optimizer.ask(1)
        done = 0
        if asked.resume_from is not None:
            done = trials[asked.resume_from].proposal.fidelity
        curve = [
            Report(e, {"cost": cost(asked.config["x"], e)})
            for e in range(done + 1, asked.fidelity + 1)
        ]
        value = (cost(asked.config["x"], asked.fidelity),)
        trials.append(
            Trial(asked, Status.SUCCESS, value, reports=tuple(curve if with_reports else ()))
        )
        optimizer.tell(trials[-1:])
    return trials


@pytest.mark.parametrize("with_reports", [True, False])
def test_the_good_ones_get_the_budget(with_reports: bool) -> None:
    optimizer = FreezeThaw(inner=RandomSearch()).start(EPOCHS, seed=0)
    trials = run(optimizer, 70, with_reports=with_reports)
    thawed = [trial for trial in trials if trial.proposal.resume_from is not None]
    for trial in thawed:
        parent = trials[trial.proposal.resume_from]
        assert dict(parent.config) == dict(trial.config)
        assert parent.proposal.seed == trial.proposal.seed
        assert parent.proposal.fidelity < trial.proposal.fidelity
        assert trial.proposal.origin.parents == (parent.index,)
    whole = [trial for trial in trials if trial.proposal.fidelity == 64]
    begun = [trial for trial in trials if trial.proposal.resume_from is None]
    assert len(begun) >= 20
    assert 2 <= len(whole) <= len(begun) / 2
    # The best tenth of the space is |x - 0.3| <= 0.05; one of about thirty is in it.
    best = min(trials, key=lambda trial: trial.costs)
    assert best.proposal.fidelity == 64
    assert abs(best.config["x"] - 0.3) < 0.1


def test_checkpoints_are_kept_of_what_may_be_thawed() -> None:
    optimizer = FreezeThaw(inner=RandomSearch(), most_frozen=4).start(EPOCHS, seed=1)
    trials = run(optimizer, 30, with_reports=False)
    kept = optimizer.keep_checkpoints()
    assert 1 <= len(kept) <= 4
    continued = {trial.proposal.resume_from for trial in trials}
    assert not kept & continued
    assert all(trials[index].proposal.fidelity < 64 for index in kept)


def test_a_paused_trial_thaws_without_a_fidelity() -> None:
    problem = Problem(SPACE)
    optimizer = FreezeThaw(inner=RandomSearch(), new_share=0.0).start(problem, seed=0)
    told = []
    for index in range(10):
        n, end = (30, 0.5 + 0.01 * index) if index else (10, 0.0)
        curve = tuple(Report(e, {"cost": end + e**-0.5}) for e in range(1, n + 1))
        paused = index == 0
        told.append(
            Trial(
                Proposal(index, {"x": index / 10}, seed=index),
                Status.STOPPED if paused else Status.SUCCESS,
                (curve[-1].values["cost"],),
                reports=curve,
                extra={"paused": True} if paused else {},
            )
        )
    optimizer.tell(told)
    (thawed,) = optimizer.ask(1)
    assert (thawed.resume_from, dict(thawed.config), thawed.fidelity) == (0, {"x": 0.0}, None)
    # While it runs nobody thaws it again.
    (fresh,) = optimizer.ask(1, pending=[thawed])
    assert fresh.resume_from is None


def test_an_ordinary_optimizer_where_nothing_is_frozen() -> None:
    problem = Problem(SPACE)
    plain = RandomSearch().start(problem, 3).ask(5)
    assert list(FreezeThaw(inner=RandomSearch()).start(problem, 3).ask(5)) == list(plain)


def test_slices_follow_the_scale_of_the_fidelity() -> None:
    for fidelity, ends in (
        (Fidelity("epochs", 1, 64), {1, 2, 5, 12, 28, 64}),
        (Fidelity("folds", 0, 12, log=False), {2, 4, 6, 8, 10, 12}),
        (Fidelity("share", 0.5, 1.0, log=False), {0.5, 0.6, 0.7, 0.8, 0.9, 1.0}),
    ):
        problem = Problem(SPACE, fidelity=fidelity)
        optimizer = FreezeThaw(inner=RandomSearch()).start(problem, seed=0)
        seen = set()
        for _ in range(30):
            (asked,) = optimizer.ask(1)
            seen.add(round(asked.fidelity, 9))
            optimizer.tell([Trial(asked, Status.SUCCESS, (cost(asked.config["x"], 1),))])
        assert seen <= ends
        assert min(ends) in seen


@pytest.mark.parametrize(
    "settings", [{"slices": 1}, {"new_share": 1.5}, {"most_frozen": 0}], ids=str
)
def test_settings_out_of_range_are_refused(settings) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))):
        FreezeThaw(**settings)


def test_what_was_paused_in_its_last_slice_has_not_had_it() -> None:
    problem = Problem(octavo.space(x=octavo.Float(0, 1)), fidelity=Fidelity("epochs", 1, 64))
    optimizer = FreezeThaw(inner=RandomSearch(), slices=2, new_share=0).start(problem, 0)
    reports = tuple(Report(step, {"cost": 1 / step}) for step in range(1, 11))
    paused = Trial(
        Proposal(0, {"x": 0.5}, fidelity=64),
        Status.STOPPED,
        (0.1,),
        reports=reports,
        extra={"paused": True},
    )
    optimizer.tell([paused])
    (arm,) = optimizer._arms(frozenset())
    assert arm.fidelity == 1 and optimizer._price(arm) == 63 / 64
