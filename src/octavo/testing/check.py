"""`check_optimizer`: all laws, over many random problems."""

from __future__ import annotations

import logging

from octavo.errors import ProblemError
from octavo.optimizers.protocol import Recipe
from octavo.testing.laws import LAWS
from octavo.testing.problems import KINDS, Kinds, random_problem, with_fidelity
from octavo.testing.simulation import LawBroken

__all__ = ["check_optimizer"]

_log = logging.getLogger(__name__)

_SLOW = "learns ten thousand trials at once"


def check_optimizer(
    recipe: Recipe,
    *,
    n_problems: int = 50,
    seed: int = 0,
    laws_per_problem: int = 3,
    first: int = 0,
    fidelity: bool = False,
    kinds: Kinds = KINDS,
) -> int:
    """Check that an optimizer keeps all laws, over random problems of all kinds.

    Problems and laws take turns, so that every law meets every kind of problem in time, and
    a few dozen problems suffice for each to be met several times. Problems that the recipe
    refuses with a `ProblemError` when it is started are left out.

    Parameters
    ----------
    recipe
        What is checked.
    n_problems
        How many random problems.
    seed
        Draws the problems, and seeds the optimizer.
    laws_per_problem
        How many laws are checked on each problem; the slow one about 10,000 trials comes
        only on every third kind of problem, and once.
    first
        Number of the first problem, to go on where another check stopped, or to spread a
        check over processes.
    fidelity
        Whether every problem gets a fidelity, for schedulers, which refuse problems without.
    kinds
        Of problems; `octavo.testing.RACES` for what runs configurations over instances.

    Returns
    -------
    How many problems were checked.

    Raises
    ------
    LawBroken
        Naming the law, the problem and how to see it again.

    Examples
    --------
    >>> from octavo.optimizers.random_search import RandomSearch
    >>> check_optimizer(RandomSearch(), n_problems=5)
    5
    """
    names_of_kinds = list(kinds)
    quick = [name for name in LAWS if name != _SLOW]
    checked = 0
    for number in range(first, first + n_problems):
        problem = random_problem(seed, number, kinds)
        if fidelity:
            problem = with_fidelity(problem, number)
        turn = number * laws_per_problem
        names = [quick[(turn + i) % len(quick)] for i in range(laws_per_problem)]
        if number < len(kinds) and number % 3 == 0:
            names.append(_SLOW)
        try:
            recipe.start(problem, seed)
        except ProblemError as refusal:
            _log.info("%r refuses problem %d: %s", recipe, number, refusal)
            continue
        checked += 1
        for name in names:
            try:
                LAWS[name](lambda: recipe, problem, seed + number)
            except Exception as error:
                again = f"random_problem({seed}, {number}, kinds)"
                again = f"with_fidelity({again}, {number})" if fidelity else again
                raise LawBroken(
                    f"{recipe!r} breaks the law {name!r} on random problem {number} of seed "
                    f"{seed} ({names_of_kinds[number % len(kinds)]}): {error}\n"
                    f"To see it again: LAWS[{name!r}](lambda: recipe, {again}, {seed + number})"
                ) from error
    if not checked:
        raise LawBroken(
            f"{recipe!r} refused all of {n_problems} random problems, so nothing was checked."
        )
    return checked
