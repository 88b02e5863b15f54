"""Surrogates of real tuning from YAHPO Gym (Pfisterer et al. 2022): networks in ONNX form.

`rbv2_rpart` (decision trees, five hyperparameters of mixed kinds) and `iaml_glmnet` (elastic
nets, two numbers). The data set (`task_id`) is fixed, `repl` too, and `trainsize` is 1, so
that what remains is a question of hyperparameters. Needs `onnxruntime` and the folder
`hpo/yahpo` of the benchmark data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from task import Config, Task

from octavo.spaces import Categorical, Float, Hyperparameter, Integer, Space, space

__all__ = ["MULTI_OBJECTIVE", "NAMES", "SINGLE", "Surrogate", "surrogate", "task"]

Floats = NDArray[np.float64]

SINGLE = {"rbv2_rpart": ("acc",), "iaml_glmnet": ("mmce",)}
_SEVERAL = {"iaml_glmnet": ("mmce", "nf")}
REPL = 6

NAMES = (
    # every thirtieth of the 117 data sets, sorted as numbers, from the fifteenth on
    *(f"yahpo/rbv2_rpart/{number}" for number in (32, 1068, 6332, 41150)),
    "yahpo/iaml_glmnet/1489",
)
"""Tasks with one objective."""

MULTI_OBJECTIVE = ("multi-yahpo/iaml_glmnet/1067", "multi-yahpo/iaml_glmnet/1489")
"""Error against the number of features that the model uses."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """One network: raw values in, all measured quantities out.

    Parameters
    ----------
    space
        What remains to be chosen.
    fixed
        The data set and the fidelities.
    session
        Of onnxruntime, with one thread.
    meta
        Order of the inputs and outputs.
    codes
        For each categorical input, the number that stands for each choice.
    """

    space: Space
    fixed: dict[str, Any]
    session: Any
    meta: dict[str, Any]
    codes: dict[str, dict[str, int]]

    def predict(self, configs: Sequence[Config], quantities: Sequence[str]) -> Floats:
        """Shape (n, quantities): costs, so what is to be maximized has its sign changed.

        Inactive numbers go in as 0, inactive choices as "#na#".
        """
        full = [self.fixed | dict(config) for config in configs]
        numbers = [[c.get(name, 0.0) for name in self.meta["cont_names"]] for c in full]
        choices = [
            [self.codes[name][str(c.get(name, "#na#"))] for name in self.meta["cat_names"]]
            for c in full
        ]
        (found,) = self.session.run(
            None,
            {"x_cont": np.array(numbers, np.float32), "x_cat": np.array(choices, np.int32)},
        )
        places = [self.meta["y_names"].index(name) for name in quantities]
        signs = np.array([1.0 if self.meta["y_minimize"][place] else -1.0 for place in places])
        costs: Floats = np.asarray(found, dtype=float)[:, places] * signs
        return costs


@cache
def surrogate(scenario: str, data_set: str, data: Path) -> Surrogate:
    """Read one scenario and fix its data set."""
    import onnxruntime

    folder = next(
        (f for f in (data / "hpo" / "yahpo", data) if (f / scenario / "model.onnx").exists()), None
    )
    if folder is None:
        raise SystemExit(f"{data} has no hpo/yahpo/{scenario}/model.onnx. Check --data.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = str(folder / scenario / "model.onnx")
    described = json.loads((folder / scenario / "config_space.json").read_text())
    hyperparameters = {item["name"]: item for item in described["hyperparameters"]}
    if data_set not in hyperparameters.pop("task_id")["choices"]:
        raise SystemExit(f"{scenario} has no data set {data_set}.")
    fixed: dict[str, Any] = {"task_id": data_set, "trainsize": 1.0}
    del hyperparameters["trainsize"]
    if hyperparameters.pop("repl", None) is not None:
        fixed["repl"] = REPL
    return Surrogate(
        space({name: _hyperparameter(item) for name, item in hyperparameters.items()}),
        fixed,
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]),
        json.loads((folder / "meta.json").read_text())[scenario],
        json.loads((folder / scenario / "encoding.json").read_text()),
    )


def _hyperparameter(item: dict[str, Any]) -> Hyperparameter:
    """In Octavo's words; the described defaults are left out, as users rarely have better."""
    if item["type"] == "categorical":
        return Categorical(item["choices"])
    if item["type"] == "uniform_int":
        return Integer(item["lower"], item["upper"], log=item["log"])
    return Float(item["lower"], item["upper"], log=item["log"])


def task(name: str, data: Path) -> Task:
    """One of `NAMES` or `MULTI_OBJECTIVE`."""
    variant, scenario, data_set = name.split("/")
    its = surrogate(scenario, data_set, data)
    quantities: tuple[str, ...] = (SINGLE if variant == "yahpo" else _SEVERAL)[scenario]
    objectives = ("cost",) if variant == "yahpo" else quantities

    def evaluate(config: Config, seed: int) -> dict[str, float]:
        found = its.predict([config], quantities)[0]
        return dict(zip(objectives, map(float, found), strict=True))

    return Task(name, "surrogate", its.space, evaluate, objectives=objectives)
