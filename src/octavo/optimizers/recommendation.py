"""Which of the configurations tried to trust: the best by a model of all trials, not by luck.

Of many noisy evaluations the lowest is mostly a lucky one. A Gaussian process weighs every cost
against those of similar configurations, of the same configuration and of the same seed; the
configuration with the lowest posterior mean among those evaluated is recommended. Picheny, Wagner
& Ginsbourger (2013), A benchmark of kriging-based infill criteria for noisy optimization,
Structural and Multidisciplinary Optimization 48.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.history import History
from octavo.numerics.cost_scale import linear_map, winsorized
from octavo.optimizers.encoded import Encoded
from octavo.optimizers.threads import one_thread
from octavo.optimizers.told import Told
from octavo.surrogates.fitting import fit_parameters, log_density
from octavo.surrogates.kernel import Features, Layout
from octavo.surrogates.parameters import Parameters, prior, prior_mode
from octavo.surrogates.repeated import taken_apart
from octavo.trial import Trial

__all__ = ["Recommendation", "recommend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_TRIALS = 500  # that the model sees
_STEPS = 60  # of an ascent to the parameters
_ROUNDS = 3  # in which the effects of seeds are found
_MOST_FOR_A_FIT = 250  # of them, for its parameters
_EVIDENCE = 2.0  # that there is a little noise: by how much it raises the log-likelihood
_LITTLE_NOISE = 0.01  # of a variance of 1
_MUCH_NOISE = 0.5  # of a variance of 1: from there, a fit finds a smooth function under noise


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A configuration that was evaluated, and what it really costs.

    Parameters
    ----------
    trial
        Its first evaluation.
    value
        Posterior mean of the first objective, in the user's direction.
    deviation
        Standard deviation of that mean.
    noise
        Standard deviation of a single evaluation about it, over all seeds; 0 where none shows.
    """

    trial: Trial
    value: float
    deviation: float
    noise: float

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration."""
        return self.trial.config


def recommend(history: History) -> Recommendation | None:
    """The configuration with the lowest posterior mean among those that were evaluated.

    Only feasible trials at the highest fidelity so far count, as for `History.incumbent`; all
    that have costs teach. With `problem.repeats` above one, a configuration counts if it was
    evaluated more than half as often as any other: a lucky winner must survive its
    re-evaluation. Where costs show no noise it is the incumbent, and so it is over instances,
    which differ by more than noise. The same history gives the same answer.

    Parameters
    ----------
    history
        Of any length; of more than 500 trials, the best half and an even choice of the rest.

    Returns
    -------
    Recommendation or None
        None before any trial is feasible.
    """
    incumbent = history.incumbent
    if incumbent is None:
        return None
    value = history.problem.objectives[0].value
    told = Told(history.problem)
    trials = told.extend([history[int(row)] for row in np.flatnonzero(history.comparable)])
    found = None
    candidates = _candidates(told)
    if len(candidates) and not history.problem.instances:
        seeds = np.array([trial.proposal.seed for trial in trials])
        with one_thread():
            found = _lowest_mean(told, seeds, candidates)
    if found is None:
        return Recommendation(incumbent, value(history.incumbent_cost), 0.0, 0.0)
    return Recommendation(trials[found.row], value(found.mean), found.deviation, found.noise)


@dataclass(frozen=True, slots=True)
class _Found:
    row: int
    mean: float
    deviation: float
    noise: float


def _candidates(told: Told) -> Ints:
    """Rows of the trials that may be recommended."""
    rows = np.flatnonzero(told.is_feasible)
    if not len(rows):  # the incumbent is not of this space
        return rows
    fidelity = told.fidelity[rows]
    rows = rows[fidelity == fidelity.max()]
    configuration = _numbered(told.keys[row] for row in rows)
    times = np.bincount(configuration)
    if told.problem.repeats > 1:
        rows = rows[times[configuration] > times.max() / 2]
    return np.asarray(rows)


def _lowest_mean(told: Told, seeds: Ints, candidates: Ints) -> _Found | None:
    """The candidate with the lowest posterior mean; None where costs show no noise."""
    # What holds for a configuration at one fidelity need not hold at another.
    identities = [
        key + fidelity.tobytes() for key, fidelity in zip(told.keys, told.fidelity, strict=True)
    ]
    rows = _chosen(told, _numbered(identities), candidates)
    costs = told.costs[rows, 0]
    if costs.min() == costs.max():
        return None
    encoded = Encoded(told)
    matrix = encoded.matrix(told.points[rows], told.fidelity[rows])
    layout = Layout(encoded.columns, matrix)
    features = layout.features(matrix)
    # Of many trials, some tell the parameters as well as all.
    some = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_FOR_A_FIT)).astype(np.int64)
    parameters = _noisy_fit(layout, features[some], winsorized(costs)[some])
    if parameters is None:
        return None
    configuration = _numbered(identities[row] for row in rows)
    seed = _numbered(seeds[rows].tolist())
    by_seed = np.zeros(len(costs))
    for round_ in range(_ROUNDS if len(set(seed.tolist())) < len(seed) else 1):
        # What is due to seeds is neither noise nor, where there is much of it, an outlier.
        y = winsorized(costs - by_seed)
        zero, unit = linear_map(costs - by_seed, y)
        if round_:
            parameters = fit_parameters(layout, features[some], y[some], parameters, n_steps=_STEPS)
        parts = taken_apart(features, y + by_seed / unit, parameters, configuration, seed)
        by_seed = unit * parts.by_seed
    if parts.noise + parts.seed_variance == 0:
        return None
    means = np.where(np.isin(rows, candidates), parts.mean, np.inf)
    best = configuration == configuration[np.argmin(means)]
    at = int(np.flatnonzero(best)[0])
    return _Found(
        row=int(rows[at]),
        mean=zero + unit * float(parts.mean[at]),
        deviation=unit * float(parts.deviation[at]),
        noise=unit * float(np.sqrt(parts.noise + parts.seed_variance)),
    )


def _noisy_fit(layout: Layout, features: Features, y: Floats) -> Parameters | None:
    """The parameters; None where a function without noise explains the costs as well."""
    mode = prior_mode(layout)
    believed, spread = prior(layout)
    starts = (mode, mode, replace(mode, noise=_MUCH_NOISE))
    support, fits = [], []
    for start, is_exact in zip(starts, (True, False, False), strict=True):
        fit = fit_parameters(layout, features, y, start, n_steps=_STEPS, is_exact=is_exact)
        x = fit.packed()
        # Less what is believed of the noise: the costs shall say.
        belief = -0.5 * float((x[-1] - believed[-1]) / spread[-1]) ** 2
        support.append(log_density(x, layout, features, y)[0] - belief)
        fits.append(fit)
    best = 1 if support[1] >= support[2] else 2
    # A little noise always fits a little better; a lot only where costs look like it.
    needed = 0.0 if fits[best].noise > _LITTLE_NOISE else _EVIDENCE
    return fits[best] if support[best] > support[0] + needed else None


def _chosen(told: Told, configuration: Ints, candidates: Ints) -> Ints:
    """Rows that the model sees, in order of completion: all with costs, if they are not many.

    Else the candidates with the best mean costs, as half of them, and an even choice of the rest.
    """
    rows = np.flatnonzero(told.is_known)
    if len(rows) <= _MOST_TRIALS:
        return rows
    total = np.bincount(configuration[rows], told.costs[rows, 0])
    means = total[configuration[rows]] / np.bincount(configuration[rows])[configuration[rows]]
    order = rows[np.lexsort([configuration[rows], means, ~np.isin(rows, candidates)])]
    best, rest = np.split(order, [_MOST_TRIALS // 2])
    even = np.linspace(0, len(rest) - 1, _MOST_TRIALS - len(best)).astype(np.int64)
    return np.sort(np.concatenate([best, rest[even]]))


def _numbered(values: Iterable[Hashable]) -> Ints:
    """Equal values as equal numbers, from 0 in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)
