"""How long trials take: learned from configurations, fidelities, guesses and cut-off trials."""

import numpy as np
import pytest

import octavo
from octavo.errors import SettingError, StudyError
from octavo.history import History
from octavo.problem import Fidelity, Problem
from octavo.surrogates import CostModel
from octavo.trial import Proposal, Resources, Status, Trial

SPACE = octavo.space(
    units=octavo.Integer(8, 512, log=True), kind=octavo.Categorical(["plain", "dear"])
)
EPOCHS = Problem(SPACE, fidelity=Fidelity("epochs", 1, 81))


def seconds(config, fidelity: float) -> float:
    return 0.02 * config["units"] * (5 if config["kind"] == "dear" else 1) * fidelity


def history(n: int, seed: int, *, noise: float = 0.1, limit: float = np.inf) -> History:
    rng = np.random.default_rng(seed)
    trials = []
    for index, config in enumerate(SPACE.decode(SPACE.sample(n, rng))):
        fidelity = float(rng.choice([1, 3, 9, 27, 81]))
        took = seconds(config, fidelity) * float(np.exp(noise * rng.normal()))
        status = Status.TIMEOUT if took > limit else Status.SUCCESS
        trials.append(
            Trial(
                Proposal(index, config, fidelity=fidelity),
                status,
                (0.5 if status is Status.SUCCESS else float("nan"),),
                resources=Resources(wall_s=min(took, limit), cpu_s=2 * min(took, limit)),
            )
        )
    return History(EPOCHS, trials)


def judged(model: CostModel, fidelity: float) -> tuple[np.ndarray, np.ndarray]:
    """Errors in the logarithm, and how many deviations they are."""
    configs = SPACE.decode(SPACE.sample(200, np.random.default_rng(99)))
    found = model.predict(configs, fidelity=fidelity)
    errors = found.log_mean - np.log([seconds(config, fidelity) for config in configs])
    return errors, errors / found.log_std


def test_times_are_learned_with_their_uncertainty() -> None:
    for fidelity in (1, 27, 81):
        errors, deviations = judged(CostModel().fit(history(120, 0)), fidelity)
        assert np.abs(errors).mean() < 0.35
        # About 5 % lie outside two deviations; 200 dependent cases leave room for 13 %.
        assert np.mean(np.abs(deviations) > 2) < 0.13


def test_more_trials_teach_more() -> None:
    few, many = (np.abs(judged(CostModel().fit(history(n, 1)), 81)[0]).mean() for n in (10, 300))
    assert many < 0.6 * few


def test_a_guess_is_corrected_by_what_was_measured() -> None:
    def guess(config) -> float:
        return 0.3 * seconds(config, 81)  # another machine, the same law

    for n, most in ((3, 0.4), (50, 0.15)):
        model = CostModel(guess=guess).fit(history(n, 2))
        assert np.abs(judged(model, 81)[0]).mean() < most


def test_what_was_cut_off_took_longer_than_that() -> None:
    known = history(200, 3, limit=60.0)
    cut = sum(trial.status is Status.TIMEOUT for trial in known)
    assert cut > 40
    naive = [
        Trial(trial.proposal, Status.SUCCESS, (0.5,), resources=trial.resources) for trial in known
    ]
    aware, blind = CostModel().fit(known), CostModel().fit(History(EPOCHS, naive))
    aware_bias, blind_bias = (judged(model, 81)[0].mean() for model in (aware, blind))
    assert blind_bias < -0.3
    assert abs(aware_bias) < 0.6 * abs(blind_bias)


def test_moments_and_quantiles_are_log_normal() -> None:
    found = CostModel().fit(history(60, 4)).predict([{"units": 64, "kind": "plain"}])
    draws = np.exp(found.log_mean + found.log_std * np.random.default_rng(0).normal(size=200_000))
    assert found.mean[0] == pytest.approx(draws.mean(), rel=0.02)
    assert found.std[0] == pytest.approx(draws.std(), rel=0.05)
    assert found.quantile(0.9)[0] == pytest.approx(np.quantile(draws, 0.9), rel=0.02)
    assert found.quantile(0.5)[0] == pytest.approx(found.median[0])


def test_cpu_time_is_another_measure() -> None:
    config = [{"units": 64, "kind": "plain"}]
    wall, cpu = (
        CostModel(measure=measure).fit(history(60, 5)).predict(config).median[0]
        for measure in ("wall", "cpu")
    )
    # Nearly: what is believed beforehand is the same for both.
    assert cpu == pytest.approx(2 * wall, rel=0.05)


def test_without_trials_it_says_that_it_knows_little() -> None:
    crashed = Trial(
        Proposal(0, SPACE.default()), Status.CRASHED, (np.nan,), resources=Resources(wall_s=0.1)
    )
    for known in (History(EPOCHS), History(EPOCHS, [crashed])):
        found = CostModel(guess=lambda config: 7.0).fit(known).predict([SPACE.default()])
        assert found.median[0] == pytest.approx(7.0)
        assert found.quantile(0.95)[0] > 10 * 7.0


def test_a_single_trial_moves_the_level() -> None:
    config = SPACE.default()
    trial = Trial(
        Proposal(0, config, fidelity=81), Status.SUCCESS, (0.5,), resources=Resources(wall_s=300.0)
    )
    found = CostModel().fit(History(EPOCHS, [trial])).predict([config])
    assert 100 < found.median[0] <= 300


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(StudyError, match="Call fit"):
        CostModel().predict([SPACE.default()])
    with pytest.raises(SettingError, match="measure='clock'"):
        CostModel(measure="clock")
    model = CostModel().fit(History(Problem(SPACE)))
    with pytest.raises(SettingError, match="fidelity=3"):
        model.predict([SPACE.default()], fidelity=3)
    with pytest.raises(SettingError, match="between 0 and"):
        model.predict([SPACE.default()]).quantile(0)
