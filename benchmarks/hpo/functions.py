"""Classic test functions, shifted so that no optimum sits in the middle of its box.

Branin, Hartmann (6 dimensions), Ackley (10), Rosenbrock (8) and Rastrigin (5) as in
Surjanovic & Bingham, Virtual Library of Simulation Experiments; and three of our own with
known optima: one of mixed types, two with conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from task import Config, Task

from octavo.problem import Constraint
from octavo.spaces import Categorical, Float, Integer, Ordinal, Space, space

__all__ = [
    "FUNCTIONS",
    "conditional_space",
    "constrained_branin",
    "mixed_space",
    "nested_space",
    "task",
]

Floats = NDArray[np.float64]


def _box(n: int, low: float, high: float) -> Space:
    return space({f"x{i}": Float(low, high) for i in range(n)})


def _vector(config: Config) -> Floats:
    return np.array([config[f"x{i}"] for i in range(len(config))])


def _shift(n: int, low: float, high: float) -> Floats:
    """A place for the optimum: 0.15 to 0.35 of the range from the middle, on either side.

    Fixed, so that every run of the benchmark asks the same; irregular, so that no grid or
    diagonal meets it.
    """
    rng = np.random.default_rng(20_260_101 + n)
    away = rng.uniform(0.15, 0.35, n) * rng.choice([-1.0, 1.0], n)
    return np.asarray((low + high) / 2 + away * (high - low))


def branin(config: Config) -> float:
    """Three equal optima of 0.397887, at (-pi, 12.275), (pi, 2.275) and (9.42478, 2.475)."""
    x, y = config["x"], config["y"]
    valley = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return float(valley**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


_HARTMANN_A = np.array([
    [10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14],
])  # fmt: skip
_HARTMANN_P = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
])  # fmt: skip


def hartmann6(config: Config) -> float:
    """Optimum -3.32237 at (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)."""
    distances = (_HARTMANN_A * (_vector(config) - _HARTMANN_P) ** 2).sum(axis=1)
    return float(-np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-distances))


_ACKLEY_AT = _shift(10, -32.768, 32.768)


def ackley10(config: Config) -> float:
    """Optimum 0 at the shift: a funnel with ripples."""
    x = _vector(config) - _ACKLEY_AT
    rms, cosines = np.sqrt((x**2).mean()), np.cos(2 * np.pi * x).mean()
    return float(-20 * np.exp(-0.2 * rms) - np.exp(cosines) + 20 + np.e)


_ROSENBROCK_AT = np.array([6.0, -1.0, 7.0, 0.0, 5.5, -2.0, 8.0, -3.0]) - 1.0


def rosenbrock8(config: Config) -> float:
    """Optimum 0 at (6, -1, 7, 0, 5.5, -2, 8, -3): a narrow, bent valley."""
    x = _vector(config) - _ROSENBROCK_AT
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


_RASTRIGIN_AT = _shift(5, -5.12, 5.12)


def rastrigin5(config: Config) -> float:
    """Optimum 0 at the shift: a bowl with a grid of local optima."""
    x = _vector(config) - _RASTRIGIN_AT
    return float((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum())


def mixed_space() -> Space:
    """Ten dimensions of all types; also what speed is measured on."""
    return space(
        a=Float(0.0, 1.0),
        b=Float(-3.0, 5.0),
        rate=Float(1e-5, 1.0, log=True),
        decay=Float(1e-8, 1e-1, log=True),
        depth=Integer(1, 12),
        width=Integer(8, 1024, log=True),
        batch=Ordinal([16, 32, 64, 128, 256]),
        activation=Categorical(["relu", "tanh", "gelu", "silu"]),
        solver=Categorical(["adam", "sgd", "lion"]),
        shuffle=Categorical(["no", "yes"]),
    )


def mixed(config: Config) -> float:
    """Optimum 0: a 0.8, b -1.5, rate 10^-3.7, decay 10^-6, 9, 200, 128, silu, lion.

    The best rate depends on the solver (lion's is a tenth), the depth pulls at the width.
    """
    rate = np.log10(config["rate"]) + 2.7 + (1.0 if config["solver"] == "lion" else 0.0)
    decay = (np.log10(config["decay"]) + 6.0) / 3.5
    depth = (config["depth"] - 9) / 6
    width = np.log2(config["width"] / 200) / 3 + 0.5 * depth
    batch = (np.log2(config["batch"]) - 7) / 3
    a, b = 2 * (config["a"] - 0.8), (config["b"] + 1.5) / 3
    numbers = rate**2 + decay**2 + depth**2 + width**2 + 0.5 * batch**2 + a**2 + b**2 + a * b
    choices = {"relu": 0.4, "tanh": 0.9, "gelu": 0.15, "silu": 0.0}[config["activation"]]
    choices += {"adam": 0.2, "sgd": 0.6, "lion": 0.0}[config["solver"]]
    return float(np.log1p(numbers) + choices * (1 + 0.5 * abs(decay)))


def conditional_space() -> Space:
    """Four families, each with its own hyperparameters, one of them with a nested choice."""
    kernel = Categorical(["rbf", "poly", "linear"]).when(family="machine")
    return space(
        family=Categorical(["trees", "machine", "network", "neighbours"]),
        scale=Float(0.0, 1.0),
        n_trees=Integer(10, 1000, log=True).when(family="trees"),
        leaf=Integer(1, 50, log=True).when(family="trees"),
        share=Float(0.05, 1.0).when(family="trees"),
        C=Float(1e-3, 1e3, log=True).when(family="machine"),
        kernel=kernel,
        gamma=Float(1e-4, 10.0, log=True).when(kernel="rbf"),
        degree=Integer(2, 6).when(kernel="poly"),
        rate=Float(1e-5, 1e-1, log=True).when(family="network"),
        layers=Integer(1, 6).when(family="network"),
        units=Integer(16, 512, log=True).when(family="network"),
        dropout=Float(0.0, 0.8).when(family="network"),
        k=Integer(1, 60, log=True).when(family="neighbours"),
        metric=Categorical(["l1", "l2", "cosine"]).when(family="neighbours"),
    )


def conditional(config: Config) -> float:
    """Optimum 0 among machines with an rbf kernel; the families' other optima lie above.

    A family that is quick to tune (neighbours, 0.30) looks good at first; trees reach 0.12,
    networks 0.05, but both are narrower.
    """
    shared = (config["scale"] - 0.7) ** 2
    family = config["family"]
    if family == "neighbours":
        far = (np.log(config["k"] / 9) / 2) ** 2
        found = 0.30 + far + {"l1": 0.0, "l2": 0.05, "cosine": 0.1}[config["metric"]]
    elif family == "trees":
        found = 0.12 + 0.05 * np.log10(1000 / config["n_trees"])
        found += (np.log(config["leaf"] / 3) / 3) ** 2 + (config["share"] - 0.35) ** 2
    elif family == "network":
        found = 0.05 + (np.log10(config["rate"]) + 3.4) ** 2 / 2 + (config["layers"] - 4) ** 2 / 8
        found += np.log2(config["units"] / 150) ** 2 / 8 + (config["dropout"] - 0.25) ** 2 * 2
    else:
        found = (np.log10(config["C"]) - 1.2) ** 2 / 6
        if config["kernel"] == "rbf":
            found += (np.log10(config["gamma"]) + 2.2) ** 2 / 3
        elif config["kernel"] == "poly":
            found += 0.25 + (config["degree"] - 3) ** 2 / 5
        else:
            found += 0.35
    return float(np.log1p(5 * (found + shared)))


def nested_space() -> Space:
    """A pipeline: up to three steps, each a choice of operations with a strength."""
    choice = Categorical(["none", "blur", "cut", "mix"])
    second = Categorical(["none", "blur", "cut", "mix"]).when(first=["blur", "cut", "mix"])
    third = Categorical(["none", "blur", "cut", "mix"]).when(second=["blur", "cut", "mix"])
    steps = {"first": choice, "second": second, "third": third}
    strengths = {
        f"{name}_strength": Float(0.01, 1.0, log=True).when({name: ["blur", "cut", "mix"]})
        for name in steps
    }
    return space({"rate": Float(1e-4, 1.0, log=True), **steps, **strengths})


_GAIN = {"none": 0.0, "blur": 0.15, "cut": 0.3, "mix": 0.5}
_AT = {"blur": -0.4, "cut": -0.9, "mix": -1.4}


def nested(config: Config) -> float:
    """Optimum 0: mix, cut, blur in this order with log10 strengths of -1.4, -0.9 and -0.4.

    Each operation gains once, full only at its own strength; a later step gains less if it
    should have come earlier.
    """
    gained, previous, used = 0.0, "", set()
    for name in ("first", "second", "third"):
        step = config.get(name, "none")
        if step == "none":
            break
        fit = np.exp(-((np.log10(config[f"{name}_strength"]) - _AT[step]) ** 2))
        is_late = previous != "" and _GAIN[step] > _GAIN[previous]
        gained += 0.0 if step in used else _GAIN[step] * fit * (0.6 if is_late else 1.0)
        previous = step
        used.add(step)
    return float(0.95 - gained + 0.2 * (np.log10(config["rate"]) + 2.6) ** 2)


_Function = Callable[[Config], float]

FUNCTIONS: Mapping[str, tuple[_Function, Callable[[], Space], float]] = {
    "branin": (branin, lambda: space(x=Float(-5.0, 10.0), y=Float(0.0, 15.0)), 0.39788735772973816),
    "hartmann6": (hartmann6, partial(_box, 6, 0.0, 1.0), -3.322368011415515),
    "ackley10": (ackley10, partial(_box, 10, -32.768, 32.768), 0.0),
    "rosenbrock8": (rosenbrock8, partial(_box, 8, -5.0, 10.0), 0.0),
    "rastrigin5": (rastrigin5, partial(_box, 5, -5.12, 5.12), 0.0),
    "mixed": (mixed, mixed_space, 0.0),
    "conditional": (conditional, conditional_space, 0.0),
    "nested": (nested, nested_space, 0.0),
}
"""Name to function, space and optimum."""


def task(name: str) -> Task:
    """The task "function/name"."""
    function, make, optimum = FUNCTIONS[name]
    return Task(
        f"function/{name}",
        "conditional" if name in ("conditional", "nested") else "function",
        make(),
        lambda config, seed: {"cost": function(config)},
        optimum=optimum,
    )


def constrained_branin() -> Task:
    """Branin outside of a disc that covers one of its optima and the middle of the box.

    The other two optima stay, so the best feasible cost is Branin's own.
    """

    def evaluate(config: Config, seed: int) -> dict[str, float]:
        distance = np.hypot(config["x"] - 2.5, config["y"] - 5.0)
        return {"cost": branin(config), "distance": float(distance)}

    _, make, optimum = FUNCTIONS["branin"]
    return Task(
        "constrained-function/branin",
        "function",
        make(),
        evaluate,
        optimum=optimum,
        constraints=(Constraint("distance", low=5.0),),
    )
