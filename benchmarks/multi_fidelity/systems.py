"""All systems by name: "octavo:NAME", and the peers.

A peer's package is imported only when one of its systems is asked for.
"""

from __future__ import annotations

from spending import System

__all__ = ["PEERS", "load"]

PEERS = ("optuna:tpe-hyperband", "smac:multi-fidelity", "dehb")


def load(name: str) -> System:
    """The system of a name, such as "octavo:auto" or "dehb"."""
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
        from optuna_system import OptunaSystem

        return OptunaSystem()
    if family == "smac":
        from smac_system import SmacSystem

        return SmacSystem()
    from dehb_system import DehbSystem

    return DehbSystem()
