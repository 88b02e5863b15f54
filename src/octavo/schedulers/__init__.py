"""What decides how much each trial may spend: schedules over fidelities, and stoppers.

Each row is one idea in one file. Schedules are recipes that wrap a recipe; the catalog of
`octavo.optimizers` finds them by name, so `octavo.minimize(optimizer="hyperband")` does. Modules
load on first use.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import lazy_loader

from octavo.maturity import Maturity

if TYPE_CHECKING:
    from octavo.schedulers.asha import ASHA
    from octavo.schedulers.asha_stopping import ASHAStopper
    from octavo.schedulers.curve_stopper import CurveStopper
    from octavo.schedulers.dehb import DEHB
    from octavo.schedulers.freeze_thaw import FreezeThaw
    from octavo.schedulers.hyperband import BOHB, Hyperband, SMACMultiFidelity
    from octavo.schedulers.iterated_racing import IteratedRacing
    from octavo.schedulers.median_rule import MedianRule
    from octavo.schedulers.multi_fidelity import MultiFidelityBO
    from octavo.schedulers.priorband import PriorBand
    from octavo.schedulers.racing import Racing
    from octavo.schedulers.stopping import Decision, Running, Stopper
    from octavo.schedulers.successive_halving import SuccessiveHalving

__all__ = [
    "ASHA",
    "BOHB",
    "DEHB",
    "MATURITY",
    "ASHAStopper",
    "CurveStopper",
    "Decision",
    "FreezeThaw",
    "Hyperband",
    "IteratedRacing",
    "MedianRule",
    "MultiFidelityBO",
    "PriorBand",
    "Racing",
    "Running",
    "SMACMultiFidelity",
    "Stopper",
    "SuccessiveHalving",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "asha": ["ASHA"],
        "asha_stopping": ["ASHAStopper"],
        "curve_stopper": ["CurveStopper"],
        "dehb": ["DEHB"],
        "freeze_thaw": ["FreezeThaw"],
        "hyperband": ["BOHB", "Hyperband", "SMACMultiFidelity"],
        "median_rule": ["MedianRule"],
        "multi_fidelity": ["MultiFidelityBO"],
        "priorband": ["PriorBand"],
        "iterated_racing": ["IteratedRacing"],
        "racing": ["Racing"],
        "stopping": ["Decision", "Running", "Stopper"],
        "successive_halving": ["SuccessiveHalving"],
    },
)

MATURITY: Mapping[str, Maturity] = MappingProxyType(
    {"MedianRule": "beta", "ASHAStopper": "beta", "CurveStopper": "beta"}
)
"""How far each stopper can be trusted; schedules and races stand in the optimizers' catalog."""
