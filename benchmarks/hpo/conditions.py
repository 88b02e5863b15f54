"""The hyperparameters of a space, parents first, each with the question whether it is active.

For systems that take one hyperparameter at a time (define-by-run).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octavo.spaces import HyperparameterSpace
from octavo.spaces.domains import Domain

__all__ = ["Parameter", "in_order"]


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter.

    Parameters
    ----------
    name, domain
        Its name and values.
    conditions
        ConfigSpace's conditions, all of which must hold.
    """

    name: str
    domain: Domain
    conditions: tuple[Any, ...]

    def is_active(self, config: Mapping[str, Any]) -> bool:
        """Whether it is active, given the values of all its active ancestors."""
        for condition in self.conditions:
            parents = condition.get_parents() if hasattr(condition, "components") else None
            needed = parents if parents is not None else [condition.parent]
            if any(parent.name not in config for parent in needed):
                return False  # a parent that is itself inactive
            values = {parent.name: config[parent.name] for parent in needed}
            if not condition.satisfied_by_value(values):
                return False
        return True


def in_order(space: HyperparameterSpace) -> tuple[Parameter, ...]:
    """All hyperparameters, parents before children.

    Raises
    ------
    ValueError
        If the space has forbidden combinations, which define-by-run cannot express.
    """
    theirs = space.configspace
    if theirs.forbidden_clauses:
        raise ValueError(
            f"the space forbids {theirs.forbidden_clauses}, which define-by-run systems cannot "
            "express. Benchmark spaces have conditions only."
        )
    domains = {domain.name: domain for domain in space.domains}
    return tuple(
        Parameter(name, domains[name], tuple(theirs.parent_conditions_of[name]))
        for name in theirs  # ConfigSpace sorts parents first
    )
