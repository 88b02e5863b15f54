"""Given configurations on every instance and with every seed, and nothing else: for validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octavo.errors import SettingError
from octavo.optimizers.proposing import ask_in_turn
from octavo.optimizers.protocol import Optimizer, next_index
from octavo.optimizers.told import encode_inside
from octavo.problem import Problem
from octavo.schedulers.race import Rules, all_pairs, run_of
from octavo.standings import Pair, outcome, pair_of
from octavo.trial import Origin, Proposal, Trial

__all__ = ["RunAll"]


@dataclass(frozen=True)
class RunAll:
    """Runs each of some configurations on all instances; one instance after the other.

    Parameters
    ----------
    configs
        At least one.
    cutoff_s, par, failure_cost
        As in `Racing`.

    Raises
    ------
    SettingError
        Without configurations, or if a setting is out of its range.

    Examples
    --------
    >>> import octavo.spaces as spaces
    >>> problem = Problem(spaces.space(x=spaces.Float(0, 1)), instances=("easy", "hard"))
    >>> len(RunAll([{"x": 0.5}, {"x": 1.0}]).start(problem, seed=0).ask(100))
    4
    """

    configs: Sequence[Mapping[str, Any]]
    cutoff_s: float | None = None
    par: float = 10.0
    failure_cost: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "configs", tuple(dict(config) for config in self.configs))
        if not self.configs:
            raise SettingError("configs is empty, so there is nothing to run. Give at least one.")
        self.rules  # noqa: B018  raises if a setting makes no sense

    @property
    def rules(self) -> Rules:
        """What ends a run, and what failures count."""
        return Rules(self.cutoff_s, self.par, self.failure_cost)

    def start(self, problem: Problem, seed: int) -> Optimizer:
        """A fresh optimizer. Raises `SpaceError` if a configuration is not in the space."""
        return _RunAll(problem, seed, self)


class _RunAll:
    def __init__(self, problem: Problem, seed: int, recipe: RunAll) -> None:
        self._problem, self._seed, self._rules = problem, seed, recipe.rules
        configs = [problem.space.check(config) for config in recipe.configs]
        keys = problem.space.encode(configs).keys()
        by_key = dict(zip(keys, configs, strict=True))
        pairs = all_pairs(problem, seed)
        self._work = [(key, config, pair) for pair in pairs for key, config in by_key.items()]
        self._done: set[tuple[bytes, Pair]] = set()
        self._n_indices = 0

    def tell(self, trials: Sequence[Trial]) -> None:
        self._n_indices = max([self._n_indices, *(trial.index + 1 for trial in trials)])
        counted = [trial for trial in trials if outcome(self._problem, trial) is not None]
        self._done |= self._keys([trial.proposal for trial in counted])

    def _keys(self, proposals: Sequence[Proposal]) -> set[tuple[bytes, Pair]]:
        points, inside = encode_inside(self._problem.space, [p.config for p in proposals])
        return {
            (key, pair_of(self._problem, proposals[place]))
            for key, place in zip(points.keys(), inside, strict=True)
        }

    def ask(self, n: int, *, pending: Sequence[Proposal] = ()) -> Sequence[Proposal]:
        return ask_in_turn(n, pending, self._propose)

    def _propose(self, pending: list[Proposal]) -> Proposal | None:
        taken = self._done | self._keys(pending)
        for key, config, pair in self._work:
            if (key, pair) not in taken:
                index = next_index(self._n_indices, pending)
                origin = Origin(by="run-all", intent="validation")
                problem, seed = self._problem, self._seed
                return run_of(problem, seed, index, config, pair, self._rules, origin)
        return None
