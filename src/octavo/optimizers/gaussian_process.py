"""Bayesian optimization with Gaussian processes, for mixed and conditional spaces.

The processes know which hyperparameters are active. The next configuration maximizes the
logarithm of the expected improvement, times the probability that it meets the constraints and
runs through: there is a process for each bound, and one for failure.

Jones, Schonlau & Welch (1998), J. Global Optimization 13. Ament et al. (2023), Unexpected
Improvements to Expected Improvement for Bayesian Optimization, NeurIPS. Constraints as in
Gardner et al. (2014), ICML; beliefs as in Hvarfner et al. (2022), piBO, ICLR; several
objectives as in Daulton et al. (2021), NeurIPS; pending trials as in Ginsbourger et al. (2010).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.numerics.cost_scale import log_scaled, signed_log_scaled, winsorized
from octavo.numerics.pareto import layers
from octavo.optimizers.aligned import aligned
from octavo.optimizers.candidates import Search
from octavo.optimizers.encoded import Encoded
from octavo.optimizers.initial_design import design_size, has_conditions
from octavo.optimizers.model_based import Model, ModelBased, Moment
from octavo.optimizers.processes import Processes, Quantity, fitted
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import IGNORE_BELIEFS, check_at_least
from octavo.optimizers.targets import places, worst_where_failed
from octavo.optimizers.threads import one_thread
from octavo.optimizers.told import Told
from octavo.optimizers.unit_cube import Cube
from octavo.optimizers.utilities import (
    FrontImprovement,
    Improvement,
    PlainImprovement,
    Utility,
)
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.surrogates.cholesky import Growing
from octavo.surrogates.kernel import Features, Layout

__all__ = ["GaussianProcessBO", "ProcessModel", "View"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CHOOSE_EVERY = 64
_N_TOP = 5  # best trials whose neighbours are candidates
_ALL_CANDIDATES = 400  # trials; of more, fewer candidates are looked at
_FEW = 30  # trials, up to which costs are seen on the first scale only
_SCALES: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("winsorized", winsorized),
    ("logarithmic", log_scaled),
)
_IMPROVEMENTS: Mapping[str, Callable[[float | None], Utility]] = {
    "log-ei": Improvement,
    "ei": PlainImprovement,
}


@dataclass(frozen=True)
class GaussianProcessBO:
    """Bayesian optimization with Gaussian processes.

    Parameters
    ----------
    n_initial
        Configurations tried before the first model; by default one more than half the number of
        hyperparameters (with conditions, two more than that number), at least 5, and at most a
        fifth of `max_trials`.
    n_candidates
        Random configurations that are looked at for each proposal; fewer beyond 400 trials.
    n_climbs
        How many of the best candidates are improved by gradient and moves.
    most_trials
        Above this, the processes see the best and the latest half of so many trials.
    belief_strength
        Weight of beliefs at the first model; it fades with one over the number of trials.
        By default a tenth of `max_trials` (Hvarfner 2022).
    acquisition
        With one objective: "log-ei" climbs the logarithm of the expected improvement, "ei" that
        itself, which is flat where an improvement is unlikely; it is there to compare with.
    input_warping
        Whether the processes learn to bend the scale of each number (Snoek 2014). It pays where
        a hyperparameter matters at one end of its range only, and was not declared as `log`;
        elsewhere two more parameters per number are learned from few trials.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [p.origin.intent for p in GaussianProcessBO().start(problem, seed=0).ask(2)]
    ['default configuration', 'initial design']
    """

    n_initial: int | None = None
    n_candidates: int = 300
    n_climbs: int = 4
    most_trials: int = 1000
    belief_strength: float | None = None
    acquisition: Literal["log-ei", "ei"] = "log-ei"
    input_warping: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "n_initial", "n_candidates")
        check_at_least(self, 0, "n_climbs")
        check_at_least(self, 4, "most_trials")
        check_at_least(self, 0, "belief_strength", hint=IGNORE_BELIEFS)
        if self.acquisition not in _IMPROVEMENTS:
            raise SettingError(
                f"acquisition={self.acquisition!r} is not known. Use one of "
                f"{', '.join(map(repr, _IMPROVEMENTS))}, or leave it out."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return self.start_with(ProcessModel(problem, self), problem, seed)

    def start_with(self, model: Model, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer from another model that is made of these processes."""
        n_initial = self.n_initial
        if n_initial is None:
            # Half as many trials as other models need lead further on a box. Where choices
            # open branches, too few of them are seen, and some are never entered.
            n_initial = design_size(problem, 1.0 if has_conditions(problem.space) else 0.5)
        return ModelBased(
            problem, seed, model, n_initial=n_initial, belief_strength=self.belief_strength
        )


@dataclass(frozen=True, slots=True)
class View:
    """What the processes say at a moment.

    Parameters
    ----------
    scale
        Name of the scale on which the first objective is seen.
    known : n rows
        The trials that may be the best, best first.
    means : shape (n, objectives)
        Posterior means of their objectives.
    is_met
        Whether they are feasible; otherwise none is.
    processes
        Of all quantities, objectives first.
    features_of
        What the processes see of configurations.
    search
        For what a utility, and a prior on it, like best.
    rank
        Candidates of such a search, best first.
    memory
        News for later proposals, see `Model.rank`.
    """

    scale: str
    known: Points
    means: Floats
    is_met: bool
    processes: Processes
    features_of: Callable[[Points], Features]
    search: Callable[[Utility, Callable[[Points], Floats]], Search]
    rank: Callable[[Search], Points]
    memory: Mapping[str, Any]

    def assume(self, pending: Points) -> None:
        """Take it that pending trials come out as predicted (the "kriging believer").

        So they draw no further proposals to themselves.
        """
        self.processes.assume(self.features_of(pending))


class ProcessModel:
    """Ranks configurations by what Gaussian processes say of them."""

    name = "gaussian-process"
    intent = "expected improvement"
    least_known = 2

    def __init__(self, problem: Problem, recipe: GaussianProcessBO) -> None:
        self._problem, self._recipe = problem, recipe
        self._cube = Cube(problem.space)
        # Kept for speed only: what is in it follows from the trials.
        self._growing: defaultdict[str, Growing] = defaultdict(Growing)

    @one_thread()
    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        """See `Model`."""
        view = self.view(moment)
        view.assume(moment.seen.pending)
        utility: Utility
        n_objectives = self._problem.n_objectives
        if n_objectives > 1:
            utility = FrontImprovement(view.means if view.is_met else None, n_objectives)
        else:
            best = float(view.means[0, 0]) if view.is_met else None
            utility = _IMPROVEMENTS[self._recipe.acquisition](best)
        return view.rank(view.search(utility, moment.log_belief)), view.memory

    def view(self, moment: Moment) -> View:
        """Fit the processes, as far as they need it, to what is known."""
        told, rng = aligned(moment.told), moment.rng
        costs = worst_where_failed(told)
        rows = _chosen(told, self._recipe.most_trials)
        encoded = Encoded(told)
        matrix = encoded.matrix(told.points[rows], told.fidelity[rows])
        layout = Layout(encoded.columns, matrix, is_warped=self._recipe.input_warping)
        features = layout.features(matrix)
        quantities = [*_costs(costs[rows], moment.index), *_bounds(told, rows)]
        if not told.is_known[rows].all():
            fails = np.where(told.is_known[rows], -1.0, 1.0)
            quantities.append(Quantity("failure", np.arange(len(rows)), fails))
        parameters, memory = fitted(layout, features, quantities, moment.memory, rng)
        processes = Processes(features, quantities, parameters, self._growing)
        means = processes.known_means(self._problem.n_objectives)
        good = _best_first(told, rows, means)
        known = told.points[rows[good]]
        # Of many trials there is less to be gained from one proposal, and each costs more.
        n_random = int(self._recipe.n_candidates * min(1.0, _ALL_CANDIDATES / len(rows)))
        side = self.box_side(told)
        return View(
            scale=quantities[0].name,
            known=known,
            means=means[good],
            is_met=bool(told.is_feasible[rows[good[0]]]),
            processes=processes,
            features_of=lambda points: layout.features(encoded.matrix(points)),
            search=partial(Search, self._problem.space, self._cube, encoded, layout, processes),
            rank=lambda search: search.rank(
                known[:_N_TOP],
                rng,
                n_random=n_random,
                n_climbs=self._recipe.n_climbs,
                box=None if side is None else search.box(known[:1], side),
            ),
            memory=memory,
        )

    def box_side(self, told: Told) -> float | None:
        """How wide the box is to which a search is held; None for the whole space."""
        return None


def _chosen(told: Told, most: int) -> Ints:
    """The trials that the processes see: all, or the best and the latest.

    Which ones changes only now and then, so that a factor can grow in between.
    """
    n = len(told)
    if n <= most:
        return np.arange(n)
    start = n - n % _CHOOSE_EVERY - most // 2
    n_best = most - most // 2
    best = np.argsort(places(told, np.arange(start), enough=n_best), kind="stable")[:n_best]
    return np.concatenate([np.sort(best), np.arange(start, n)])


def _costs(costs: Floats, index: int) -> list[Quantity]:
    """One quantity for each objective, on a scale that a process can model."""
    every = np.arange(len(costs))
    if costs.shape[1] == 1:
        # What resolves the best trials flattens the rest, and the other way round: the two
        # views of cost take turns, so that neither misleads the search for long. Few trials
        # have no best ones worth resolving yet.
        name, scaled = _SCALES[0 if len(costs) < _FEW else index % len(_SCALES)]
        return [Quantity(f"cost, {name}", every, scaled(costs[:, 0]))]
    # Hypervolume is measured in the objectives' own units, or multiples of them.
    return [
        Quantity(f"objective {k}", every, winsorized(column)) for k, column in enumerate(costs.T)
    ]


def _bounds(told: Told, rows: Ints) -> list[Quantity]:
    """One quantity for each bound of each constraint, positive where it is missed."""
    found = []
    for column, constraint in enumerate(told.problem.constraints):
        values = told.constraints[rows, column]
        measured = np.flatnonzero(told.is_known[rows] & ~np.isnan(values))
        for side, bound, sign in (("low", constraint.low, -1.0), ("high", constraint.high, 1.0)):
            if bound is not None and len(measured):
                excess = signed_log_scaled(sign * values[measured] - sign * bound)
                found.append(Quantity(f"{constraint.name} {side}", measured, excess))
    return found


def _best_first(told: Told, rows: Ints, means: Floats) -> Ints:
    """Places in `rows` of feasible trials at full budget, or of all there if none is feasible.

    The best come first, by posterior mean: with several objectives, by layers of domination.
    """
    known = told.is_known[rows]
    at_top = known & (told.fidelity[rows] >= told.fidelity[rows[known]].max())
    feasible = told.is_feasible[rows] & at_top
    among = np.flatnonzero(feasible if feasible.any() else at_top)
    value = means[among, 0] if means.shape[1] == 1 else layers(means[among], enough=_N_TOP)
    return among[np.argsort(value, kind="stable")]
