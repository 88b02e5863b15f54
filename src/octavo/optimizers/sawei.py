"""SAWEI: Bayesian optimization that adjusts how much it explores, by how it is getting on.

The next configuration maximizes a weighted expected improvement. How much better than the
incumbent something unknown can still be, has an upper bound: the lowest upper confidence bound
of what was tried less the lowest lower confidence bound anywhere. Once this bound has stopped
falling, going on in the same way promises little, and the weight moves the other way: from a
search that explored towards exploitation, from one that exploited towards exploration.

Benjamins, Raponi, Jankovic, Doerr & Lindauer (2023), Self-Adjusting Weighted Expected Improvement
for Bayesian Optimization, AutoML; the weighing as in Sobester et al. (2005), the bound as in
Makarova et al. (2022), Automatic Termination for Hyperparameter Optimization, AutoML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError
from octavo.numerics.weighted_improvement import summands
from octavo.optimizers.gaussian_process import GaussianProcessBO, ProcessModel, View
from octavo.optimizers.model_based import Moment
from octavo.optimizers.protocol import Optimizer
from octavo.optimizers.settings import check_at_least, check_share
from octavo.optimizers.threads import one_thread
from octavo.optimizers.utilities import Improvement, LowerBound, WeightedImprovement
from octavo.problem import Problem
from octavo.spaces.protocol import Points

__all__ = ["SAWEI"]

_FIRST_WEIGHT = 0.5  # that of the expected improvement


@dataclass(frozen=True)
class SAWEI:
    """Bayesian optimization whose weight between exploration and exploitation adjusts itself.

    Each proposal says in its `origin.data["sawei"]["weight"]` what the weight was: 1/2 for the
    expected improvement, 0 for exploration alone, 1 for exploitation alone. While nothing meets
    the constraints, and with several objectives, there is no improvement to weigh: then it
    proposes as `process` does.

    Parameters
    ----------
    process
        The Gaussian processes.
    step
        By how much the weight moves at once; 0 keeps it.
    window
        Over so many values the regret's bound is smoothed, by their interquartile mean.
    tolerance
        The bound has stopped falling when it is not steeper than this share of its steepest.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)))
    >>> [p.origin.intent for p in SAWEI().start(problem, seed=0).ask(2)]
    ['default configuration', 'initial design']
    """

    process: GaussianProcessBO = field(default_factory=GaussianProcessBO)
    step: float = 0.1
    window: int = 7
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if self.process.acquisition != GaussianProcessBO.acquisition:
            raise SettingError(
                f"process.acquisition={self.process.acquisition!r} has no meaning here: SAWEI "
                "brings an acquisition function of its own. Leave it out."
            )
        check_share(self, "step", meaning="by how much the weight, itself in [0, 1], moves")
        check_share(self, "tolerance", meaning="a share of the steepest slope")
        check_at_least(self, 1, "window")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        if problem.n_objectives > 1:
            return self.process.start(problem, seed)
        return self.process.start_with(_SelfAdjusting(problem, self), problem, seed)


class _SelfAdjusting:
    name = "sawei"
    intent = "weighted expected improvement"
    least_known = ProcessModel.least_known

    def __init__(self, problem: Problem, recipe: SAWEI) -> None:
        self._recipe = recipe
        self._processes = ProcessModel(problem, recipe.process)

    @one_thread()
    def rank(self, moment: Moment) -> tuple[Points, Mapping[str, Any]]:
        view = self._processes.view(moment)
        if not view.is_met:
            view.assume(moment.seen.pending)
            return view.rank(view.search(Improvement(None), moment.log_belief)), view.memory
        memory = {"weight": _FIRST_WEIGHT, "regret": {}, **(moment.memory or {}), **view.memory}
        n = len(moment.told)
        curve = _Curve.after(memory["regret"].get(view.scale), self._recipe.window)
        if curve.n_told != n:  # what is only pending does not say that the search stands still
            curve = curve.followed(_regret_bound(view, n), n, self._recipe.tolerance)
            # The two scales of cost take turns, and their regrets do not compare.
            memory["regret"] = {**memory["regret"], view.scale: curve.to_json()}
            if curve.is_flat and "summands" in memory:
                exploits, explores = memory["summands"]
                weight = memory["weight"] + self._recipe.step * (1 if exploits <= explores else -1)
                memory["weight"] = round(min(max(weight, 0.0), 1.0), 9)  # 0.5, not 0.5 + 1e-16
        view.assume(moment.seen.pending)
        best = float(view.means[0, 0])
        utility = WeightedImprovement(best, memory["weight"])
        ranked = view.rank(view.search(utility, moment.log_belief))
        first = moment.seen.first_unseen(ranked) or 0
        mean, deviation = view.processes.predict(view.features_of(ranked[first : first + 1]))
        memory["summands"] = list(summands(float(mean[0, 0]), float(deviation[0, 0]), best))
        return ranked, memory


def _regret_bound(view: View, n: int) -> float:
    """By how much the best of n known trials can still be beaten, at most and probably.

    In the spread of costs, so that the curve does not depend on their unit.
    """
    n_dimensions = max(1, len(view.known.columns))  # a space may have constants only
    width = float(np.sqrt(2.0 * np.log(n_dimensions * n**2)))  # Makarova (2022), with delta = 1
    mean, deviation = view.processes.predict(view.features_of(view.known))
    search = view.search(LowerBound(width), _no_belief)
    lowest = search.value(view.rank(search)[:1])[0]
    return float(np.min(mean[0] + width * deviation[0]) + lowest)


def _no_belief(points: Points) -> NDArray[np.float64]:
    return np.zeros(len(points))


@dataclass(frozen=True, slots=True)
class _Curve:
    """The latest values of a bound, and how steep it has been once smoothed."""

    bounds: tuple[float, ...]  # one more than are smoothed, so that there is a slope
    steepest: float
    n: int
    n_told: int
    is_flat: bool

    @classmethod
    def after(cls, memory: Mapping[str, Any] | None, window: int) -> _Curve:
        """As remembered; a fresh one if nothing is."""
        if memory is None:
            return cls((float("nan"),) * (window + 1), 0.0, 0, -1, False)
        return cls(**{**memory, "bounds": tuple(memory["bounds"])})

    def to_json(self) -> dict[str, Any]:
        """What `after` reads."""
        return {**asdict(self), "bounds": list(self.bounds)}

    def followed(self, bound: float, n_told: int, tolerance: float) -> _Curve:
        """With one more value."""
        bounds = (*self.bounds[1:], bound) if self.n else (bound,) * len(self.bounds)
        slope = abs(_interquartile_mean(bounds[1:]) - _interquartile_mean(bounds[:-1]))
        steepest = max(self.steepest, slope)
        # Before, the window holds copies of the first value, which say nothing.
        is_filled = self.n + 1 >= len(bounds)
        is_flat = is_filled and slope <= tolerance * steepest
        return _Curve(bounds, steepest, self.n + 1, n_told, is_flat)


def _interquartile_mean(values: tuple[float, ...]) -> float:
    cut = len(values) // 4
    return float(np.mean(sorted(values)[cut : len(values) - cut]))
