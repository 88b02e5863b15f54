from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from octavo.numerics.hypervolume import hypervolume
from octavo.numerics.pareto import nondominated
from octavo.optimizers.parego import ParEGO
from octavo.optimizers.proposing import new_proposal
from octavo.optimizers.protocol import Optimizer, trial_seed
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem
from octavo.spaces import Categorical, Float, space
from octavo.testing import live
from octavo.trial import Origin, Proposal, Status, Trial

TWO = (Objective("f"), Objective("g"))
SPACE = space(x=Float(0, 1), y=Float(0, 1), z=Float(0, 1), kind=Categorical(["a", "b", "c"]))


def height(config) -> float:
    """How far above the front, where it is 1; lowest at y = 0.7, z = 0.2 and kind "b"."""
    away = abs(config["y"] - 0.7) + abs(config["z"] - 0.2)
    return 1 + 4 * away + 2 * (config["kind"] != "b")


def zdt2(problem, proposal) -> Trial:
    """Zitzler, Deb & Thiele (2000), test function 2: no weighted sum reaches the front's dent."""
    x, h = proposal.config["x"], height(proposal.config)
    return Trial(proposal, Status.SUCCESS, (x, h * (1 - (x / h) ** 2)))


def run(recipe, problem, seed=0, n=40, respond=zdt2, workers=1):
    optimizer = recipe.start(problem, seed)
    return list(live(optimizer, problem, n=n, respond=respond, workers=workers, seed=seed))[-1].told


@pytest.mark.parametrize("workers", [1, 4])
def test_its_front_dominates_more_than_that_of_random_search_within_few_trials(workers) -> None:
    # Were the two equal, winning 9 or 10 of 10 paired runs would have a chance of 0.011.
    problem = Problem(SPACE, TWO, limits=Limits(max_trials=40))
    wins = 0
    for seed in range(10):
        ours, random = (
            hypervolume(
                np.array([t.costs for t in run(recipe, problem, seed, workers=workers)]),
                np.array([1.1, 5.0]),
            )
            for recipe in (ParEGO(), RandomSearch())
        )
        wins += ours > random
    assert wins >= 9


@dataclass(frozen=True)
class Listening:
    """Notes what it is started on and told, and proposes the middle of the space."""

    notes: list

    def start(self, problem: Problem, seed: int) -> Optimizer:
        notes: dict = {"problem": problem, "seed": seed, "told": []}
        self.notes.append(notes)

        @dataclass
        class Inner:
            def tell(self, trials: Sequence[Trial]) -> None:
                notes["told"].extend(trials)

            def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
                notes["pending"] = list(pending)
                indices = [item.index for item in (*(t.proposal for t in notes["told"]), *pending)]
                made = new_proposal(
                    problem, seed, max(indices, default=-1) + 1, problem.space.default(),
                    by="listening", data={"mine": 1},
                )  # fmt: skip
                return [made][:n]

        return Inner()


def a_history(problem, n=12):
    rng = np.random.default_rng(1)
    configs = problem.space.decode(problem.space.sample(n, rng))
    return [
        Trial(
            Proposal(i, config, fidelity=9.0, origin=Origin(by="user")),
            Status.SUCCESS,
            tuple(rng.random(2)),
            (float(i % 5),) if problem.constraints else (),
        )
        for i, config in enumerate(configs)
    ]


def test_a_fresh_inner_optimizer_sees_one_cost_per_trial_and_all_else_as_it_is() -> None:
    notes: list = []
    problem = Problem(
        SPACE,
        TWO,
        constraints=(Constraint("scalarized cost", high=5),),
        fidelity=Fidelity("epochs", 1, 9),
    )
    history = a_history(problem)
    failed = Trial(Proposal(12, history[0].config), Status.MEMORY, (float("nan"),) * 2, cause="big")
    nan = Trial(Proposal(13, history[1].config), Status.SUCCESS, (float("nan"), 0.1), (1.0,))
    optimizer = ParEGO(inner=Listening(notes)).start(problem, seed=5)
    optimizer.tell([*history, failed, nan])
    first, second = optimizer.ask(2)

    assert len(notes) == 2 and all(note["seed"] == 5 for note in notes)
    single = notes[0]["problem"]
    assert single.n_objectives == 1
    for name in ("space", "constraints", "fidelity", "limits"):
        assert getattr(single, name) == getattr(problem, name)
    assert [note["pending"] for note in notes] == [[], [first]]
    for note, proposal in zip(notes, (first, second), strict=True):
        seen = note["told"]
        assert [t.proposal for t in seen] == [t.proposal for t in (*history, failed, nan)]
        assert [t.constraints for t in seen[:12]] == [t.constraints for t in history]
        assert seen[12].status is Status.MEMORY and np.isnan(seen[12].costs[0])
        assert np.isnan(seen[13].costs[0])
        # The scalarized cost by hand, from the weights that the proposal names.
        costs = np.array([t.costs for t in history])
        front = costs[nondominated(costs)]
        unit = (costs - front.min(axis=0)) / np.ptp(front, axis=0)
        weighted = unit * proposal.origin.data["weights"]
        expected = weighted.max(axis=1) + 0.05 * weighted.sum(axis=1)
        assert [t.costs[0] for t in seen[:12]] == pytest.approx(expected.tolist())
    assert first.origin.data["weights"] != second.origin.data["weights"]


def test_index_seed_and_origin_are_those_of_the_inner_proposal() -> None:
    problem = Problem(SPACE, TWO)
    optimizer = ParEGO(inner=Listening([])).start(problem, seed=5)
    history = a_history(problem)
    stranger = Trial(Proposal(40, {"no such": 1}), Status.SUCCESS, (0.1, 0.1))
    optimizer.tell([history[0], stranger, *history[1:]])
    (proposal,) = optimizer.ask(1)
    assert (proposal.index, proposal.seed) == (41, trial_seed(5, 41))
    assert proposal.origin.by == "listening" and proposal.origin.data["mine"] == 1
    weights = proposal.origin.data["weights"]
    assert len(weights) == 2 and sum(weights) == pytest.approx(1)


def test_with_one_objective_the_inner_optimizer_is_all_there_is() -> None:
    problem = Problem(SPACE)
    inner = RegularizedEvolution(population=6, tournament=2)
    assert type(ParEGO(inner).start(problem, 0)) is type(inner.start(problem, 0))
    assert ParEGO(inner).start(problem, 0).ask(9) == inner.start(problem, 0).ask(9)


def test_the_random_forest_takes_several_objectives_by_itself() -> None:
    problem = Problem(SPACE, TWO)
    recipe = RandomForestBO(n_initial=3)
    alone, wrapped = recipe.start(problem, 1), ParEGO(inner=recipe).start(problem, 1)
    history = a_history(problem)
    alone.tell(history)
    wrapped.tell(history)
    asked = alone.ask(3)
    assert asked == wrapped.ask(3)
    assert all(len(proposal.origin.data["weights"]) == 2 for proposal in asked)


def test_other_weights_lead_to_other_places_on_the_front_and_into_its_dent() -> None:
    problem = Problem(SPACE, TWO, limits=Limits(max_trials=70))
    told = run(ParEGO(), problem, n=70)
    near = [trial.config["x"] for trial in told[20:] if height(trial.config) < 1.5]
    assert min(near) < 0.25 and max(near) > 0.75
    assert sum(0.35 < x < 0.75 for x in near) >= 3
