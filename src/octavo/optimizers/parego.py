"""ParEGO: any optimizer of one cost becomes one of several, by random scalarization.

Knowles (2006), ParEGO: a hybrid algorithm with on-line landscape approximation for expensive
multiobjective optimization problems, IEEE Trans. Evolutionary Computation 10, 50-66. Each
proposal draws weights for the objectives; under them the trials have one cost each, and a
fresh inner optimizer that is told these proposes. New weights lead to another place on the
front each time. Objectives are weighed in units of the range that they have on the front so
far, not, as in the paper, of all that is possible: see `unit_costs_of_front`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from octavo.optimizers.protocol import Optimizer, Recipe
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.scalarized import Scalarized
from octavo.optimizers.settings import check_recipe
from octavo.problem import Problem

__all__ = ["ParEGO"]


@dataclass(frozen=True)
class ParEGO:
    """Several objectives for an `inner` optimizer of one cost; with one, `inner` itself.

    What a proposal's weights were stands in its `origin.data["weights"]`.

    Parameters
    ----------
    inner
        What proposes, given one cost per trial. It keeps the problem's constraints and
        fidelity.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> from octavo.problem import Objective
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), (Objective("f"), Objective("g")))
    >>> (proposal,) = ParEGO().start(problem, seed=0).ask(1)
    >>> proposal.origin.by, len(proposal.origin.data["weights"])
    ('random-forest', 2)
    """

    inner: Recipe = field(default_factory=RandomForestBO)

    def __post_init__(self) -> None:
        check_recipe(self)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer."""
        if problem.n_objectives == 1:
            return self.inner.start(problem, seed)
        return Scalarized(problem, seed, self.inner)
