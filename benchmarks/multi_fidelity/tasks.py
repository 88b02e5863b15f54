"""The tasks: recorded learning curves, surrogates with a share of the rows, and live training.

TaskSet (Metz et al. 2020): 12 tasks, each 1,000 settings of Adam with its learning curve of 51
points. A proposal is answered with the curve of the recorded setting that is nearest in the unit
cube of the (logarithmic) space. What diverges is a failure.

YAHPO Gym (Pfisterer et al. 2022): `rbv2_rpart` on every tenth of its 117 data sets, sorted as
numbers, 12 in all, and `iaml_glmnet` on its four; the fidelity is the share of the training rows.

Live training of a network and of LightGBM on four tables each: see `live.py`.

An evaluation costs its fidelity. Where training goes on from where it stopped (TaskSet, live), a
configuration that ran before costs only the steps that are new; a share of the rows starts anew.

Which of them were looked at while schedules were written stands in `halves.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import live
import numpy as np
import yahpo

from octavo.problem import Fidelity, Limits, Problem
from octavo.spaces import Float, Space, space

__all__ = ["NAMES", "Task", "load"]

Config = Mapping[str, Any]

_TASKSET = "taskset_adam8p_12tasks.parquet"
_RPART = ("11", "22", "42", "181", "469", "1056", "1462", "1489", "4541", "40536", "40981", "41157")
_GLMNET = ("1067", "1489", "40981", "41146")
_LOWEST_SHARE = 0.03

NAMES: tuple[str, ...] = (
    *(f"taskset/{number}" for number in range(12)),
    *(f"rbv2_rpart/{data_set}" for data_set in _RPART),
    *(f"iaml_glmnet/{data_set}" for data_set in _GLMNET),
    *(f"live/{model}/{table}" for model in live.MODELS for table in live.TABLES),
)
"""All tasks; TaskSet's are numbered in the order of their names."""


@dataclass(frozen=True, eq=False)
class Task:
    """One question.

    Parameters
    ----------
    name
        "family/what".
    space, fidelity
        What is chosen, and how much is spent on it.
    evaluate
        Cost of a configuration at a fidelity; NaN for a failure.
    resumes
        Whether a configuration goes on where it stopped.
    worst
        No finite cost is higher: what a system is told of a failure that knows no failures.
    """

    name: str
    space: Space
    fidelity: Fidelity
    evaluate: Callable[[Config, float], float]
    resumes: bool
    worst: float

    def problem(self, budget: float) -> Problem:
        """In Octavo's words; the number of trials is not limited, but what they spend together."""
        del budget  # nobody is told: systems differ in how they could plan with it
        return Problem(self.space, fidelity=self.fidelity, limits=Limits())

    def truth(self, config: Config) -> float:
        """The cost at the full budget; the worst one of a failure."""
        cost = self.evaluate(config, self.fidelity.high)
        return self.worst if math.isnan(cost) else cost


@cache
def load(name: str, data: Path) -> Task:
    """The task of a name.

    Parameters
    ----------
    name
        One of `NAMES`.
    data
        Folder with `hpo/` and `tabular/`.
    """
    family, _, what = name.partition("/")
    if family == "taskset":
        return _taskset(name, int(what), data)
    return _live(name, data) if family == "live" else _yahpo(name, data)


_ADAM = {
    "learning_rate": Float(1e-8, 10, log=True),
    "one_minus_beta1": Float(1e-4, 1, log=True),
    "one_minus_beta2": Float(1e-6, 1, log=True),
    "epsilon": Float(1e-10, 1e3, log=True),
    "l1": Float(1e-8, 10, log=True),
    "l2": Float(1e-8, 10, log=True),
    "linear_decay": Float(1e-7, 1e-4, log=True),
    "exponential_decay": Float(1e-6, 1e-3, log=True),
}


def _taskset(name: str, number: int, data: Path) -> Task:
    curves, settings = _recorded(data)[number]
    its = space(**_ADAM)
    names = list(_ADAM)
    unit = np.clip(_unit(settings), 0, 1)
    initial = float(np.nanmedian(curves[:, 0]))
    worst = 2 * initial  # what blows up without becoming NaN is no worse than that
    curves = np.minimum(curves, worst)

    def evaluate(config: Config, fidelity: float) -> float:
        at = _unit(np.array([[config[key] for key in names]]))
        nearest = int(np.argmin(((unit - at) ** 2).sum(axis=1)))
        return float(curves[nearest, round(fidelity) - 1])

    return Task(name, its, Fidelity("steps", 1, curves.shape[1]), evaluate, True, worst)


@cache
def _recorded(data: Path) -> list[tuple[Any, Any]]:
    """Curves and settings of each task."""
    import pandas as pd

    frame = pd.read_parquet(data / "hpo" / _TASKSET)
    found = []
    for _, its in frame.groupby("task", observed=True, sort=True):
        settings = its.assign(one_minus_beta1=1 - its["beta1"], one_minus_beta2=1 - its["beta2"])[
            list(_ADAM)
        ]
        curves = np.array(its["valid_loss"].tolist(), dtype=float)
        curves[~np.isfinite(curves)] = np.nan
        found.append((curves, settings.to_numpy(dtype=float)))
    return found


def _unit(settings: Any) -> Any:
    low = np.log([domain.low for domain in _ADAM.values()])
    high = np.log([domain.high for domain in _ADAM.values()])
    return (np.log(np.maximum(settings, 1e-12)) - low) / (high - low)


def _yahpo(name: str, data: Path) -> Task:
    scenario, _, data_set = name.partition("/")
    fixed = yahpo.surrogate(scenario, data_set, data)
    quantities = yahpo.SINGLE[scenario]

    def evaluate(config: Config, fidelity: float) -> float:
        at = replace(fixed, fixed=fixed.fixed | {"trainsize": fidelity})
        return float(at.predict([config], quantities)[0, 0])

    share = Fidelity("trainsize", _LOWEST_SHARE, 1.0)
    return Task(name, fixed.space, share, evaluate, False, 1.0)


def _live(name: str, data: Path) -> Task:
    _, model, table = name.split("/")
    evaluate, worst = live.curves(model, table, data)
    kind = live.MODELS[model]
    return Task(name, kind.space, kind.fidelity, evaluate, True, worst)
