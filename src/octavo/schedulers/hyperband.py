"""Hyperband: brackets of successive halving that hedge how early to give up on a configuration.

Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar (2018), Hyperband: a novel bandit-based approach
to hyperparameter optimization, JMLR 18. With a model that proposes in place of random draws it
is BOHB (Falkner, Klein & Hutter 2018, ICML) or SMAC's multi-fidelity search (Lindauer 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from octavo.errors import SettingError
from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.settings import check_at_least, check_recipe
from octavo.optimizers.tpe import TPE
from octavo.problem import Problem
from octavo.schedulers.brackets import Bracket, hyperband_brackets, start_brackets
from octavo.schedulers.ladder import check_eta, levels

__all__ = ["BOHB", "Hyperband", "SMACMultiFidelity"]

_BEGINNINGS = ("lowest", "middle")
_FIRST = 2 / 3  # of the trials allowed; the rest is for what idle workers begin meanwhile


@dataclass(frozen=True)
class Hyperband:
    """Hyperband around any optimizer; it never waits for the slowest of a rung.

    Parameters
    ----------
    inner
        What proposes configurations. It is told every trial with its fidelity.
    eta
        One in `eta` goes on to the next rung, with `eta` times the budget.
    most_rungs
        Only the highest so many rungs are used; by default all.
    begin
        The bracket that comes first. "lowest": as in the paper, that with the most and the
        cheapest starts, then those with fewer and dearer ones. "middle": the one in between (the
        cheaper of two), then the cheaper, then the dearer ones, so that on the cheapest rungs,
        which may mislead, something is known of higher ones. A whole round has the same brackets.

    Raises
    ------
    SettingError
        If `eta` is below 1.5, `most_rungs` below 1, or `begin` is another word.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Fidelity
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), fidelity=Fidelity("epochs", 1, 9))
    >>> (first,) = Hyperband().start(problem, seed=0).ask(1)
    >>> first.fidelity, first.origin.data["hyperband"]
    (1, {'bracket': 0, 'step': 0, 'rung': 0})
    """

    inner: Recipe = field(default_factory=RandomSearch)
    eta: float = 3
    most_rungs: int | None = None
    begin: Literal["lowest", "middle"] = "lowest"

    def __post_init__(self) -> None:
        check_recipe(self)
        check_eta(self.eta)
        check_at_least(self, 1, "most_rungs")
        if self.begin not in _BEGINNINGS:
            raise SettingError(
                f"begin={self.begin!r} is no bracket to begin with. Use one of {_BEGINNINGS}."
            )

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        return start_brackets(
            problem, seed, name="hyperband", eta=self.eta, shapes=self._shapes,
            inner=self.inner.start(problem, seed),
        )  # fmt: skip

    def fitting(self, problem: Problem) -> Hyperband:
        """The same, begun so high that the first bracket is done long before `max_trials`.

        A bracket from 1 to 81 epochs has 121 trials, the first 81 of them of one epoch: with 60
        trials none would ever have had a second one.
        """
        n_trials, n_rungs = problem.limits.max_trials, len(levels(problem.fidelity, self.eta))
        if n_trials is None:
            return self
        most = n_rungs if self.most_rungs is None else min(self.most_rungs, n_rungs)
        while most > 2 and sum(hyperband_brackets(most, self.eta)[0].sizes) > _FIRST * n_trials:
            most -= 1
        return self if most == n_rungs else replace(self, most_rungs=most)

    def lowest(self, problem: Problem) -> float:
        """The fidelity of the lowest rung."""
        rungs = levels(problem.fidelity, self.eta)
        return rungs[0] if self.most_rungs is None else rungs[-self.most_rungs :][0]

    def _shapes(self, n_rungs: int, eta: float) -> Sequence[Bracket]:
        used = n_rungs if self.most_rungs is None else min(self.most_rungs, n_rungs)
        shapes = hyperband_brackets(used, eta)
        if self.begin == "middle":
            middle = (used - 1) // 2
            shapes = (shapes[middle], *shapes[:middle][::-1], *shapes[middle + 1 :])
        return tuple(replace(shape, first=shape.first + n_rungs - used) for shape in shapes)


@dataclass(frozen=True)
class BOHB(Hyperband):
    """Hyperband with Parzen densities: Falkner, Klein & Hutter (2018), BOHB, ICML.

    The paper takes the good trials from the highest fidelity at which there are a few more than
    hyperparameters, and knows nothing of the others. Here they are the better part of each
    fidelity, from the highest on, as in the benchmark that is no worse, and needs no number. Nor
    is a third of the configurations drawn at random, as in the paper.

    Parameters
    ----------
    inner, eta, most_rungs, begin
        See `Hyperband`.
    """

    inner: Recipe = field(default_factory=TPE)


@dataclass(frozen=True)
class SMACMultiFidelity(Hyperband):
    """Hyperband with a random forest: Lindauer et al. (2022), SMAC3, JMLR 23.

    Parameters
    ----------
    inner, eta, most_rungs, begin
        See `Hyperband`.
    """

    inner: Recipe = field(default_factory=RandomForestBO)
