"""The optimizer for those who do not want to choose one: picks by the problem, and says why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeGuard

from octavo.optimizers import CATALOG
from octavo.optimizers.grid import Grid
from octavo.optimizers.portfolio import Portfolio
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.regularized_evolution import RegularizedEvolution
from octavo.optimizers.repeats import Repeats
from octavo.optimizers.sobol import Sobol
from octavo.optimizers.unit_cube import has_one_number_per_column
from octavo.optimizers.unseen import complete_resolution
from octavo.problem import Fidelity, Problem

__all__ = ["Auto"]

_SMALL_SPACE = 100  # configurations; trying all of them needs no model
_LEAST_FOR_A_MODEL = 12  # trials; below that, a model has nothing to learn from
_ETA = 3
_MANY_TRIALS = 5000  # beyond that a trial is so cheap that a model costs more than it saves

_MODELS = (Portfolio, RandomForestBO, RegularizedEvolution)
"""What is worth a schedule; the others try all there is, or too little."""


@dataclass(frozen=True)
class Auto:
    """Chooses by space, budget, objectives and fidelity; has no settings.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Limits
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), limits=Limits(max_trials=50))
    >>> recipe, why = Auto().choose(problem)
    >>> type(recipe).__name__
    'Portfolio'
    """

    def choose(self, problem: Problem) -> tuple[Recipe, str]:
        """The recipe for a problem, and a sentence for people that says why.

        Parameters
        ----------
        problem
            Its space, limits, objectives, fidelity and repeats count.
        """
        if problem.instances:
            return _over_instances(problem)
        recipe, why = _choose(problem)
        if isinstance(recipe, _MODELS) and _has_room(problem.fidelity):
            recipe, why = _scheduled(recipe, why, problem, problem.fidelity)
        elif problem.fidelity is not None:
            why += _in_full(recipe, problem.fidelity)
        if problem.repeats == 1:
            return recipe, why
        return Repeats(inner=recipe), (
            f"{why} The objective is noisy (repeats={problem.repeats}), so promising "
            "configurations are evaluated with further seeds."
        )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer of the kind that `choose` chooses."""
        return self.choose(problem)[0].start(problem, seed)


def _choose(problem: Problem) -> tuple[Recipe, str]:
    space, budget = problem.space, problem.limits.max_trials
    most = _SMALL_SPACE if budget is None else budget
    if space.is_finite:
        size = _size_up_to(problem, most)
        if size <= most:
            return Grid(resolution=complete_resolution(space)), (
                f"Grid search, because the space has only {size} configuration{'s' * (size != 1)}"
                + (", so all of them can be tried." if budget is None else
                   f" and {budget} trials are allowed: all of them can be tried.")
            )  # fmt: skip
    if budget is not None and budget < _LEAST_FOR_A_MODEL:
        chosen: Recipe = Sobol() if space.columns else RandomSearch()
        return chosen, (
            f"Sobol sequence, because {budget} trials are too few to learn a model from: "
            "they are spread evenly over the space."
        )
    if budget is not None and budget > _MANY_TRIALS:
        return RegularizedEvolution(), (
            f"Regularized evolution, because with {budget} trials a model of all of them would "
            "cost more time than it saves."
        )
    if not has_one_number_per_column(space):
        return RandomForestBO(), (
            "Bayesian optimization with a random forest, because it learns from few trials and "
            "takes trees of any shape as they are." + _also(problem, "random scalarizations")
        )
    return Portfolio(), (
        "Bayesian optimization with a Gaussian process, which takes turns with a random forest "
        "and Parzen densities when it stops improving, because each learns from few trials, takes "
        "numbers, choices and conditions as they are, and is right where another is wrong."
        + _also(problem, "expected hypervolume improvement")
    )


def _has_room(fidelity: Fidelity | None) -> TypeGuard[Fidelity]:
    """Whether there is a fidelity with a cheaper rung below the full budget."""
    return fidelity is not None and (fidelity.low <= 0 or fidelity.high >= _ETA * fidelity.low)


def _scheduled(
    recipe: Recipe, why: str, problem: Problem, fidelity: Fidelity
) -> tuple[Recipe, str]:
    """The same recipe under a schedule that spends less of the fidelity on most trials."""
    # By its name, as schedulers stand on the optimizers and not the other way round.
    schedule: Any = CATALOG["hyperband"]
    if isinstance(recipe, Portfolio):
        # On many cheap trials, that one model stopped improving is seen too late.
        recipe = Portfolio(patience=0)
    chosen = schedule(inner=recipe, eta=_ETA, begin="middle").fitting(problem)
    low, few = fidelity.low, ""
    if chosen.most_rungs is not None:
        low = chosen.lowest(problem)
        few = f" ({problem.limits.max_trials} trials are too few to begin with less)"
    return chosen, (
        f"Hyperband over {fidelity.name} from {low:g} to {fidelity.high:g}{few}, because most "
        "configurations can be told to be bad for a fraction of the full budget: the best third "
        "of a rung goes on, nobody waits, and brackets that start on a middle rung, on cheaper and "
        "on dearer ones take turns, so that cheap ones cannot mislead for long. Configurations "
        f"come from this: {why}"
    )


def _in_full(recipe: Recipe, fidelity: Fidelity) -> str:
    """Why nothing is run for less, though it could be."""
    because = "a schedule pays only where many configurations compete"
    if isinstance(recipe, _MODELS):
        because = f"{fidelity.low:g} is more than a third of that, so no rung is much cheaper"
    return f" All trials run at the full {fidelity.high:g} {fidelity.name}, as {because}."


def _over_instances(problem: Problem) -> tuple[Recipe, str]:
    """What proposes configurations to a race, and why."""
    n = len(problem.instances)
    # Limits on trials count runs: how many configurations they are enough for is open.
    limits = replace(problem.limits, max_trials=None)
    recipe, why = _choose(replace(problem, limits=limits))
    if not isinstance(recipe, Grid):
        recipe = RandomForestBO()
        knows = " and knows the features of instances" if problem.instance_features else ""
        why = (
            "Bayesian optimization with a random forest, because it learns from few trials, "
            f"takes numbers, choices and conditions as they are{knows}."
        )
    return recipe, (
        f"{why} Configurations are raced over {n} instance{'s' if n > 1 else ''}: each is run on "
        "more of them as long as it keeps up with the incumbent."
        + ("" if problem.fidelity is None else _raced_in_full(problem.fidelity))
    )


def _raced_in_full(fidelity: Fidelity) -> str:
    return (
        f" All runs are at the full {fidelity.high:g} {fidelity.name}: fewer instances are what "
        "makes the first runs of a configuration cheap."
    )


def _also(problem: Problem, front: str) -> str:
    wishes = []
    if problem.n_objectives > 1:
        wishes.append(f"{problem.n_objectives} objectives by {front}")
    n = len(problem.constraints)
    if n:
        wishes.append(f"{n} constraint{'s' if n > 1 else ''} by learned feasibility")
    return f" It handles {' and '.join(wishes)}." if wishes else ""


def _size_up_to(problem: Problem, most: int) -> int:
    """The number of configurations of a finite space, or `most + 1` if there are more."""
    every = problem.space.grid(complete_resolution(problem.space))
    return sum(1 for _ in islice(every, most + 1))
