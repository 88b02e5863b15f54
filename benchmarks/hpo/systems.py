"""All systems by name: "octavo:NAME" for any of Octavo's optimizers, and its peers.

A peer's package is imported only when one of its systems is asked for, so that Octavo's own
rows need none of them.
"""

from __future__ import annotations

from sessions import System

__all__ = ["PEERS", "load"]

PEERS = (
    "optuna:tpe", "optuna:gp", "optuna:nsga2",
    "smac:hyperparameter", "smac:blackbox", "smac:parego",
)  # fmt: skip


def load(name: str) -> System:
    """The system of a name, such as "octavo:auto" or "optuna:gp"."""
    family, _, kind = name.partition(":")
    if family == "octavo":
        from octavo_system import OctavoSystem

        return OctavoSystem(kind)
    if name not in PEERS:
        raise SystemExit(
            f"there is no system called {name!r}. Use octavo:NAME with a name from Octavo's "
            f"catalog, or one of {', '.join(PEERS)}."
        )
    if family == "optuna":
        from optuna_systems import OptunaSystem

        return OptunaSystem(kind)
    from smac_systems import SmacSystem

    return SmacSystem(kind)
