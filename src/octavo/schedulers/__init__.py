"""What decides how much each trial may spend: schedules over fidelities that wrap a recipe.

Each row is one idea in one file. The catalog of `octavo.optimizers` finds them by name, so
`octavo.minimize(optimizer="hyperband")` does; modules load on first use.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from octavo.schedulers.stopping import Decision, Running, Stopper

__all__ = [
    "Decision",
    "Running",
    "Stopper",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stopping": ["Decision", "Running", "Stopper"],
    },
)
