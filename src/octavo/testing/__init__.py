"""Law suites that anybody can run over their own parts.

from octavo.testing import check_optimizer
check_optimizer(MyRecipe())
"""

from octavo.testing.check import check_optimizer
from octavo.testing.laws import LAWS
from octavo.testing.problems import KINDS, RACES, answer, problems, random_problem, with_fidelity
from octavo.testing.simulation import LawBroken, check_proposal, live

__all__ = [
    "KINDS",
    "LAWS",
    "RACES",
    "LawBroken",
    "answer",
    "check_optimizer",
    "check_proposal",
    "live",
    "problems",
    "random_problem",
    "with_fidelity",
]
