"""Bayesian optimization with a Gaussian process, for mixed and conditional spaces.

The process knows which hyperparameters are active. The next configuration maximizes the
logarithm of the expected improvement: random configurations and moves from the best ones are
ranked, then the best of them climb, by gradient in continuous hyperparameters and by moves in
all others.

Jones, Schonlau & Welch (1998), J. Global Optimization 13. Ament et al. (2023), Unexpected
Improvements to Expected Improvement for Bayesian Optimization, NeurIPS. Beliefs as in Hvarfner
et al. (2022), piBO, ICLR; several objectives as in Knowles (2006), ParEGO; pending trials as in
Ginsbourger et al. (2010).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from octavo.errors import SettingError
from octavo.numerics.acquisition import log_expected_improvement, log_improvement_gradient
from octavo.numerics.cost_scale import log_scaled
from octavo.optimizers.feasibility import Feasibility
from octavo.optimizers.initial_design import InitialDesign, design_size
from octavo.optimizers.proposing import ask_in_turn, new_proposal, proposal_rng
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.targets import single_costs
from octavo.optimizers.told import Seen, Told
from octavo.optimizers.unseen import Unseen
from octavo.problem import Problem
from octavo.spaces.protocol import Column, Points
from octavo.surrogates.gaussian_process import (
    GaussianProcess,
    Parameters,
    fit_parameters,
    log_density,
    prior_mode,
)
from octavo.surrogates.kernel import Layout
from octavo.trial import Proposal, Trial

__all__ = ["GaussianProcessBO"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BUDGET_WITHOUT_LIMIT = 100  # for the fading of beliefs, where no number of trials is set
_LEAST_LOG_BELIEF = -1e3
_MEMORY = "gaussian_process"  # key of a proposal's origin data
_N_TREES = 16


@dataclass(frozen=True)
class GaussianProcessBO:
    """Bayesian optimization with a Gaussian process.

    Parameters
    ----------
    n_initial
        Configurations tried before the first model; by default a few more than there are
        hyperparameters, and at most a fifth of `max_trials`.
    n_candidates
        Random configurations that are looked at for each proposal.
    n_climbs
        How many of the best candidates are improved by gradient and moves.
    most_trials
        Above this, the process sees the best and the latest half of so many trials.
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
        least = {"n_initial": 1, "n_candidates": 1, "n_climbs": 0, "most_trials": 4}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise SettingError(
                    f"{name}={value!r} must be at least {lowest}. Leave it out for the default."
                )
        if self.belief_strength is not None and self.belief_strength < 0:
            raise SettingError(
                f"belief_strength={self.belief_strength!r} must be at least 0. Use 0 to ignore "
                "beliefs, or leave it out for a tenth of max_trials."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        return _GaussianProcessBO(problem, seed, self)


class _GaussianProcessBO:
    def __init__(self, problem: Problem, seed: int, recipe: GaussianProcessBO) -> None:
        self._problem, self._seed, self._recipe = problem, seed, recipe
        self._told = Told(problem)
        self._unseen = Unseen(problem.space)
        self._design = InitialDesign(problem, seed)
        self._n_initial = recipe.n_initial or design_size(problem)
        self._memory: tuple[int, Mapping[str, Any]] | None = None  # of the latest fit that was told

    def tell(self, trials: Sequence[Trial]) -> None:
        self._told.extend(trials)
        self._memory = _latest(self._memory, [trial.proposal for trial in trials])

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        told = self._told
        index = told.next_index(pending)
        rng = proposal_rng(self._seed, index)
        seen = told.seen(pending)
        n_known = int(told.is_known.sum())
        memory: dict[str, Any] = {}
        if n_known < 2 or (index < self._n_initial and n_known < self._n_initial):
            point, intent = self._design.draw(index, seen, self._unseen, rng)
        else:
            point, memory = self._best_candidate(index, seen, _latest(self._memory, pending), rng)
            intent = "expected improvement"
            if point is None:  # of a nearly exhausted space, no candidate was new
                point, intent = self._unseen.draw(seen, rng), "uniform draw"
        if point is None:
            return None
        config = self._problem.space.decode(point)[0]
        return new_proposal(
            self._problem, self._seed, index, config,
            by="gaussian-process", intent=intent, data=memory,
        )  # fmt: skip

    def _best_candidate(
        self,
        index: int,
        seen: Seen,
        memory: tuple[int, Mapping[str, Any]] | None,
        rng: np.random.Generator,
    ) -> tuple[Points | None, dict[str, Any]]:
        """The unseen candidate with the best acquisition value, and what to remember."""
        told, space, recipe = self._told, self._problem.space, self._recipe
        raw = single_costs(told, rng)
        rows = self._rows(raw)
        y = log_scaled(raw[rows])
        view = _View(told.points.columns, told.points.values[rows], told.fidelity[rows])
        features = view.features(told.points[rows], told.fidelity[rows])
        parameters, remembered = self._parameters(view.layout, features, y, memory, rng)
        process = GaussianProcess(features, y, parameters)
        fitted = process.fitted
        good = _incumbents(told, rows, fitted)
        best = float(fitted[good[0]])
        if len(seen.pending):
            # Pending trials are taken to come out as predicted, so that they draw no
            # further proposals to themselves (the "kriging believer").
            waiting = view.features(seen.pending)
            fantasies, _ = process.predict(waiting)
            process = GaussianProcess(
                features.join(features, waiting), np.concatenate([y, fantasies]), parameters
            )
        feasibility = Feasibility(told, rng, n_trees=_N_TREES, with_failures=True)
        fading = self._belief_strength / (index + 1)

        def acquisition(points: Points) -> Floats:
            mean, deviation = process.predict(view.features(points))
            value = log_expected_improvement(mean, deviation, best)
            value = value + feasibility.log_probability(points)
            if fading > 0:
                # A belief may rule out values altogether; the floor keeps them reachable.
                value = value + fading * np.maximum(space.log_belief(points), _LEAST_LOG_BELIEF)
            return value

        incumbents = told.points[rows[good[:5]]]
        climber = _Climber(view, process, best, space)
        random = space.sample(recipe.n_candidates, rng)
        near = space.mutate(incumbents[np.arange(100) % len(incumbents)], rng)
        points = Points.join([random, near])
        values = acquisition(points)
        for _ in range(2):
            if not recipe.n_climbs:
                break
            order = np.argsort(-values, kind="stable")[: recipe.n_climbs]
            climbed = climber.climb(points[order])
            moved = space.mutate(climbed[np.arange(40) % len(climbed)], rng)
            more = Points.join([climbed, moved])
            points = Points.join([points, more])
            values = np.concatenate([values, acquisition(more)])
        ranked = points[np.argsort(-values, kind="stable")]
        row = seen.first_unseen(ranked)
        return (None if row is None else ranked[row : row + 1]), remembered

    def _rows(self, costs: Floats) -> Ints:
        """The trials that the process sees."""
        known = np.flatnonzero(self._told.is_known)
        most = self._recipe.most_trials
        if len(known) <= most:
            return known
        latest = known[len(known) - most // 2 :]
        rest = known[: len(known) - most // 2]
        best = rest[np.argsort(costs[rest], kind="stable")[: most - most // 2]]
        return np.sort(np.concatenate([best, latest]))

    def _parameters(
        self,
        layout: Layout,
        features: Any,
        y: Floats,
        memory: tuple[int, Mapping[str, Any]] | None,
        rng: np.random.Generator,
    ) -> tuple[Parameters, dict[str, Any]]:
        """The parameters to go on with; fitted anew whenever a tenth more is known.

        The latest fit is found in the history (in the origin of the proposal it was made
        for), so a fresh optimizer that is told the history goes on from the same numbers.
        """
        n = int(self._told.is_known.sum())
        starts = [prior_mode(layout)]
        if memory is not None:
            data = memory[1]
            last = Parameters.from_json(data["parameters"], layout)
            if n < data["n"] + max(1, data["n"] // 10):
                return last, {}
            starts.insert(0, last)
        if len(y) > 400:
            rows = rng.choice(len(y), size=400, replace=False)
            features, y, starts = features[rows], y[rows], starts[:1]
        fits = [fit_parameters(layout, features, y, start) for start in starts]
        if len(fits) > 1:
            fits.sort(key=lambda fit: -_density(fit, layout, features, y))
        return fits[0], {_MEMORY: {"n": n, "parameters": fits[0].to_json(layout)}}

    @property
    def _belief_strength(self) -> float:
        if self._recipe.belief_strength is not None:
            return self._recipe.belief_strength
        return (self._problem.limits.max_trials or _BUDGET_WITHOUT_LIMIT) / 10


class _View:
    """Configurations as the process sees them: with their fidelity, where it varies."""

    def __init__(self, columns: tuple[Column, ...], values: Floats, fidelity: Floats) -> None:
        self._columns = columns
        self._with_fidelity = bool((fidelity != 1.0).any())
        if self._with_fidelity:
            columns = (*columns, Column("the fidelity", "float"))
            values = np.column_stack([values, fidelity])
        self.layout = Layout(columns, values)
        self.continuous: Ints = np.array(
            [
                j
                for j, column in enumerate(self._columns)
                if column.is_ordered and column.n_values is None
            ],
            dtype=np.int64,
        )
        place = {column: at for at, column in enumerate(self.layout.ordered.tolist())}
        self.number: Ints = np.array([place[j] for j in self.continuous.tolist()], dtype=np.int64)

    def has_all(self, points: Points) -> bool:
        """Whether the process sees every column of the points."""
        return points.columns == self._columns

    def values(self, points: Points) -> Floats:
        return points.aligned(self._columns).values

    def features(self, points: Points, fidelity: Floats | None = None) -> Any:
        values = self.values(points)
        if self._with_fidelity:
            extra = np.ones(len(points)) if fidelity is None else fidelity
            values = np.column_stack([values, extra])
        return self.layout.features(values)

    def points(self, values: Floats) -> Points:
        return Points(values, self._columns)


class _Climber:
    """Ascends the expected improvement by gradient in the active continuous columns."""

    def __init__(self, view: _View, process: GaussianProcess, best: float, space: Any) -> None:
        self._view, self._process, self._best, self._space = view, process, best, space

    def climb(self, starts: Points, n_steps: int = 20) -> Points:
        """The tops that are reached; a start stays where its top would not be legal."""
        view = self._view
        if not view.has_all(starts):  # a tree that has grown beyond what was told
            return starts
        values = view.values(starts)
        which = ~np.isnan(values[:, view.continuous])
        if not which.any():
            return starts
        length = self._process.lengths[view.number]
        unit = np.broadcast_to(np.clip(length, 0.05, 2.0), which.shape)[which]
        at = values[:, view.continuous]

        def loss(x: Floats) -> tuple[float, Floats]:
            at[which] = x * unit
            values[:, view.continuous] = at
            features = view.features(view.points(values))
            mean, deviation, by_mean, by_deviation = self._process.predict_with_gradient(features)
            value = log_expected_improvement(mean, deviation, self._best)
            along_mean, along_deviation = log_improvement_gradient(mean, deviation, self._best)
            gradient = along_mean[:, None] * by_mean + along_deviation[:, None] * by_deviation
            return -float(value.sum()), -gradient[:, view.number][which] * unit

        start = at[which] / unit
        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(np.zeros(len(unit)), 1.0 / unit, strict=True)),
            options={"maxiter": n_steps},
        )
        at[which] = np.clip(found.x * unit, 0.0, 1.0)
        values[:, view.continuous] = at
        return self._legal(view.points(values), starts)

    def _legal(self, points: Points, starts: Points) -> Points:
        from octavo.optimizers.told import encode_inside

        tops, inside = encode_inside(self._space, self._space.decode(points))
        outside = [row for row in range(len(points)) if row not in inside]
        parts = [tops] if not outside else [tops, starts[outside]]
        return Points.join([part for part in parts if len(part)])


def _latest(
    memory: tuple[int, Mapping[str, Any]] | None, proposals: Sequence[Proposal]
) -> tuple[int, Mapping[str, Any]] | None:
    """The fit of the proposal with the highest index that carries one."""
    for proposal in proposals:
        data = proposal.origin.data.get(_MEMORY)
        if proposal.origin.by == "gaussian-process" and isinstance(data, Mapping):
            if memory is None or proposal.index > memory[0]:
                memory = (proposal.index, data)
    return memory


def _density(fit: Parameters, layout: Layout, features: Any, y: Floats) -> float:
    return log_density(fit.packed(), layout, features, y)[0]


def _incumbents(told: Told, rows: Ints, fitted: Floats) -> Ints:
    """Places in `rows` of the best trials by posterior mean: feasible ones at full budget."""
    fidelity = told.fidelity[rows]
    at_top = fidelity >= fidelity.max()
    feasible = told.is_feasible[rows] & at_top
    among = feasible if feasible.any() else at_top
    places = np.flatnonzero(among)
    return places[np.argsort(fitted[places], kind="stable")]
