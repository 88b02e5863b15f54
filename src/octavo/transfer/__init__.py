"""Learning from many histories: what to try first on a new task, and where to look.

A `Portfolio` is built from `Evaluations` of many configurations on many data sets, or from the
histories of earlier searches; it is a list of configurations for any search to begin with.
`learned_ranges` finds the part of a space where the good ones lie. Modules load on first use.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from octavo.transfer.evaluations import Evaluations
    from octavo.transfer.histories import KnownTask, best_configs, from_histories
    from octavo.transfer.left_out import leave_one_out
    from octavo.transfer.portfolio import Portfolio, build_portfolio, load_portfolio
    from octavo.transfer.ranges import learned_ranges, narrowed

__all__ = [
    "Evaluations",
    "KnownTask",
    "Portfolio",
    "best_configs",
    "build_portfolio",
    "from_histories",
    "learned_ranges",
    "leave_one_out",
    "load_portfolio",
    "narrowed",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "evaluations": ["Evaluations"],
        "histories": ["KnownTask", "best_configs", "from_histories"],
        "left_out": ["leave_one_out"],
        "portfolio": ["Portfolio", "build_portfolio", "load_portfolio"],
        "ranges": ["learned_ranges", "narrowed"],
    },
)
