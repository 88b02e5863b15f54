"""Successive halving, one bracket after the other.

Jamieson & Talwalkar (2016), Non-stochastic best arm identification and hyperparameter
optimization, AISTATS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.settings import check_at_least, check_recipe
from octavo.problem import Problem
from octavo.schedulers.brackets import Bracket, hyperband_brackets, start_brackets
from octavo.schedulers.ladder import check_eta

__all__ = ["SuccessiveHalving"]


@dataclass(frozen=True)
class SuccessiveHalving:
    """Every configuration starts at the lowest fidelity; the best one in `eta` goes on.

    Parameters
    ----------
    inner
        What proposes configurations. It is told every trial with its fidelity.
    eta
        Ratio of neighbouring rungs, in budget and in number of configurations.
    width
        Configurations that a bracket starts with; by default as many as leave one for the
        full budget.

    Raises
    ------
    SettingError
        If `eta` is below 1.5, or `width` below 1.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 9))
    >>> {p.fidelity for p in SuccessiveHalving().start(problem, seed=0).ask(9)}
    {1}
    """

    inner: Recipe = field(default_factory=RandomSearch)
    eta: float = 3
    width: int | None = None

    def __post_init__(self) -> None:
        check_recipe(self)
        check_eta(self.eta)
        check_at_least(self, 1, "width")

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        return start_brackets(
            problem, seed, name="successive-halving", eta=self.eta, shapes=self._shapes,
            inner=self.inner.start(problem, seed),
        )  # fmt: skip

    def _shapes(self, n_rungs: int, eta: float) -> Sequence[Bracket]:
        if self.width is None:
            return hyperband_brackets(n_rungs, eta)[:1]
        sizes = tuple(max(1, int(self.width * eta**-k + 1e-9)) for k in range(n_rungs))
        return (Bracket(0, sizes),)
