"""Bayesian optimization with Gaussian processes, for mixed and conditional spaces.

The processes know which hyperparameters are active. The next configuration maximizes the
logarithm of the expected improvement, times the probability that it meets the constraints and
runs through: there is a process for each bound, and one for failure.

Jones, Schonlau & Welch (1998), J. Global Optimization 13. Ament et al. (2023), Unexpected
Improvements to Expected Improvement for Bayesian Optimization, NeurIPS. Constraints as in
Gardner et al. (2014), ICML; beliefs as in Hvarfner et al. (2022), piBO, ICLR; several
objectives as in Knowles (2006), ParEGO; pending trials as in Ginsbourger et al. (2010).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.numerics.cost_scale import log_scaled, signed_log_scaled, winsorized
from octavo.optimizers.beliefs import FadingBelief
from octavo.optimizers.candidates import Search
from octavo.optimizers.cube import Cube
from octavo.optimizers.encoded import Encoded
from octavo.optimizers.model_based import ModelBased, Moment, n_initial
from octavo.optimizers.parego import ParEGO
from octavo.optimizers.processes import Processes, Quantity, fitted
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import IGNORE_BELIEFS, check_at_least
from octavo.optimizers.targets import single_costs
from octavo.optimizers.told import Told
from octavo.optimizers.utilities import Improvement
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.surrogates.gaussian_process import Growing
from octavo.surrogates.kernel import Layout

__all__ = ["GaussianProcessBO"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CHOOSE_EVERY = 64
_ALL_CANDIDATES = 400  # trials; of more, fewer candidates are looked at
_SCALES: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    ("cost, logarithmic", log_scaled),
    ("cost, winsorized", winsorized),
)


@dataclass(frozen=True)
class GaussianProcessBO:
    """Bayesian optimization with Gaussian processes.

    Parameters
    ----------
    n_initial
        Configurations tried before the first model; by default a few more than there are
        hyperparameters, and at most a fifth of `max_trials`.
    n_candidates
        Random configurations that are looked at for each proposal; fewer beyond 400 trials.
    n_climbs
        How many of the best candidates are improved by gradient and moves.
    most_trials
        Above this, the processes see the best and the latest half of so many trials.
    belief_strength
        Weight of beliefs at the first model; it fades with one over the number of trials.
        By default a tenth of `max_trials` (Hvarfner 2022).

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

    def __post_init__(self) -> None:
        check_at_least(self, 1, "n_initial", "n_candidates")
        check_at_least(self, 0, "n_climbs")
        check_at_least(self, 4, "most_trials")
        check_at_least(self, 0, "belief_strength", hint=IGNORE_BELIEFS)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer; several objectives are scalarized, see `ParEGO`."""
        if problem.n_objectives > 1:
            return ParEGO(inner=self).start(problem, seed)
        n = n_initial(problem, self.n_initial)
        belief = FadingBelief(problem, self.belief_strength, n)
        return ModelBased(problem, seed, _ProcessModel(problem, self, belief), n_initial=n)


class _ProcessModel:
    name = "gaussian-process"
    intent = "expected improvement"
    least_known = 2

    def __init__(self, problem: Problem, recipe: GaussianProcessBO, belief: FadingBelief) -> None:
        self._problem, self._recipe, self._belief = problem, recipe, belief
        self._cube = Cube(problem.space)
        # Kept for speed only: what is in it follows from the trials.
        self._growing: defaultdict[str, Growing] = defaultdict(Growing)

    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        told, seen, rng = moment.told, moment.seen, moment.rng
        costs = single_costs(told, rng)
        rows = _chosen(told, costs, self._recipe.most_trials)
        encoded = Encoded(told)
        matrix = encoded.matrix(told.points[rows], told.fidelity[rows])
        layout = Layout(encoded.columns, matrix)
        features = layout.features(matrix)
        # What resolves the best trials flattens the rest, and the other way round: the two
        # views of cost take turns, so that neither misleads the search for long.
        name, scaled = _SCALES[moment.index % len(_SCALES)]
        # A failure is as bad as the worst that is known, and teaches where failures are.
        quantities = [Quantity(name, np.arange(len(rows)), scaled(costs[rows]))]
        quantities += _bounds(told, rows)
        if not told.is_known[rows].all():
            fails = np.where(told.is_known[rows], -1.0, 1.0)
            quantities.append(Quantity("failure", np.arange(len(rows)), fails))
        parameters, memory = fitted(layout, features, quantities, moment.memory, rng)
        processes = Processes(features, quantities, parameters, self._growing)
        incumbents = _best_first(told, rows, processes.known_mean)
        is_met = told.is_feasible[rows[incumbents[0]]]
        best = float(processes.known_mean[incumbents[0]]) if is_met else None
        # Pending trials are taken to come out as predicted, so that they draw no further
        # proposals to themselves (the "kriging believer").
        processes.assume(layout.features(encoded.matrix(seen.pending)))

        def prior(points: Points) -> Floats:
            return self._belief.log_weight(points, moment.index)

        search = Search(
            self._problem.space, self._cube, encoded, layout, processes, Improvement(best), prior
        )
        top = told.points[rows[incumbents[:5]]]
        # Of many trials there is less to be gained from one proposal, and each costs more.
        n_random = int(self._recipe.n_candidates * min(1.0, _ALL_CANDIDATES / len(rows)))
        ranked = search.rank(top, rng, n_random=n_random, n_climbs=self._recipe.n_climbs)
        return ranked, memory


def _chosen(told: Told, costs: Floats, most: int) -> Ints:
    """The trials that the processes see: all, or the best and the latest.

    Which ones changes only now and then, so that a factor can grow in between.
    """
    n = len(told)
    if n <= most:
        return np.arange(n)
    start = n - n % _CHOOSE_EVERY - most // 2
    best = np.argsort(costs[:start], kind="stable")[: most - most // 2]
    return np.concatenate([np.sort(best), np.arange(start, n)])


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


def _best_first(told: Told, rows: Ints, mean: Floats) -> Ints:
    """Places in `rows` of the best trials by posterior mean: feasible ones at full budget."""
    known = told.is_known[rows]
    at_top = known & (told.fidelity[rows] >= told.fidelity[rows[known]].max())
    feasible = told.is_feasible[rows] & at_top
    places = np.flatnonzero(feasible if feasible.any() else at_top)
    return places[np.argsort(mean[places], kind="stable")]
