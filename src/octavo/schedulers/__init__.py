"""What decides how much each trial may spend: schedules over fidelities that wrap a recipe.

Each row is one idea in one file. The catalog of `octavo.optimizers` finds them by name, so
`octavo.minimize(optimizer="hyperband")` does; modules load on first use.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from octavo.schedulers.asha_stopping import ASHAStopper
    from octavo.schedulers.curve_stopper import CurveStopper
    from octavo.schedulers.freeze_thaw import FreezeThaw
    from octavo.schedulers.median_rule import MedianRule
    from octavo.schedulers.stopping import Decision, Running, Stopper

__all__ = [
    "ASHAStopper",
    "CurveStopper",
    "Decision",
    "FreezeThaw",
    "MedianRule",
    "Running",
    "Stopper",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "asha_stopping": ["ASHAStopper"],
        "curve_stopper": ["CurveStopper"],
        "freeze_thaw": ["FreezeThaw"],
        "median_rule": ["MedianRule"],
        "stopping": ["Decision", "Running", "Stopper"],
    },
)
