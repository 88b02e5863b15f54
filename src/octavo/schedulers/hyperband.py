"""Hyperband: brackets of successive halving that hedge how early to give up on a configuration.

Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar (2018), Hyperband: a novel bandit-based approach
to hyperparameter optimization, JMLR 18. With a model that proposes in place of random draws it
is BOHB (Falkner, Klein & Hutter 2018, ICML) or SMAC's multi-fidelity search (Lindauer 2022).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.tpe import TPE
from octavo.optimizers.settings import check_recipe
from octavo.problem import Problem
from octavo.schedulers.brackets import hyperband_brackets, start_brackets
from octavo.schedulers.ladder import check_eta

__all__ = ["BOHB", "Hyperband", "SMACMultiFidelity"]


@dataclass(frozen=True)
class Hyperband:
    """Hyperband around any optimizer; it never waits for the slowest of a rung.

    Parameters
    ----------
    inner
        What proposes configurations. It is told every trial with its fidelity.
    eta
        One in `eta` goes on to the next rung, with `eta` times the budget.

    Raises
    ------
    SettingError
        If `eta` is below 1.5.

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

    def __post_init__(self) -> None:
        check_recipe(self)
        check_eta(self.eta)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `ProblemError` for a problem without a fidelity."""
        return start_brackets(
            problem, seed, name="hyperband", eta=self.eta, shapes=hyperband_brackets,
            inner=self.inner.start(problem, seed),
        )  # fmt: skip


@dataclass(frozen=True)
class BOHB(Hyperband):
    """Hyperband with Parzen densities: Falkner, Klein & Hutter (2018), BOHB, ICML.

    The paper takes the good trials from the highest fidelity at which there are a few more than
    hyperparameters, and knows nothing of the others. Here they are the better part of each
    fidelity, from the highest on, as in the benchmark that is no worse, and needs no number.

    Parameters
    ----------
    inner, eta
        See `Hyperband`.
    """

    inner: Recipe = field(default_factory=TPE)


@dataclass(frozen=True)
class SMACMultiFidelity(Hyperband):
    """Hyperband with a random forest: Lindauer et al. (2022), SMAC3, JMLR 23.

    Parameters
    ----------
    inner, eta
        See `Hyperband`.
    """

    inner: Recipe = field(default_factory=RandomForestBO)
