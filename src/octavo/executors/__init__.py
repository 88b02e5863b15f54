"""Where trials run: in this process, in worker processes with limits, or on a cluster.

An executor gets proposals and gives back trials; it never raises because of a trial.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import lazy_loader

from octavo.maturity import Maturity

if TYPE_CHECKING:
    from octavo.executors.cores import available_cores
    from octavo.executors.dask import DaskExecutor
    from octavo.executors.energy import Energy
    from octavo.executors.inline import InlineExecutor
    from octavo.executors.placement import fingerprint, load_placed
    from octavo.executors.processes import ProcessExecutor
    from octavo.executors.protocol import Event, Executor, Finished, Reported, Work

__all__ = [
    "MATURITY",
    "DaskExecutor",
    "Energy",
    "Event",
    "Executor",
    "Finished",
    "InlineExecutor",
    "ProcessExecutor",
    "Reported",
    "Work",
    "available_cores",
    "fingerprint",
    "load_placed",
]

# On first use, because worker processes import from this package too and must start quickly.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cores": ["available_cores"],
        "dask": ["DaskExecutor"],
        "energy": ["Energy"],
        "inline": ["InlineExecutor"],
        "placement": ["fingerprint", "load_placed"],
        "processes": ["ProcessExecutor"],
        "protocol": ["Event", "Executor", "Finished", "Reported", "Work"],
    },
)

MATURITY: Mapping[str, Maturity] = MappingProxyType(
    {
        "InlineExecutor": "stable",
        "ProcessExecutor": "stable",
        "DaskExecutor": "beta",
        "Command": "beta",  # what `octavo tune` runs
        "Energy": "beta",
    }
)
"""How far each place where trials run, and what is run and measured there, can be trusted."""
