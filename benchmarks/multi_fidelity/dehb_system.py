"""DEHB (Awad 2021) as its authors publish it, at its defaults, by ask and tell."""

from __future__ import annotations

import math
import tempfile
from importlib.metadata import version

from dehb import DEHB
from loguru import logger
from spending import Asked
from tasks import Task

from octavo.spaces import HyperparameterSpace

__all__ = ["DehbSystem"]

logger.remove()


class DehbSystem:
    """The package `dehb`."""

    def __init__(self) -> None:
        self.version = version("dehb")

    def start(self, task: Task, seed: int, budget: float) -> DehbSession:
        """A fresh search."""
        del budget
        return DehbSession(task, seed)


class DehbSession:
    """Its `ask` and `tell`."""

    def __init__(self, task: Task, seed: int) -> None:
        assert isinstance(task.space, HyperparameterSpace)
        self.worst, self.whole = task.worst, bool(task.fidelity.integer)
        self.folder = tempfile.TemporaryDirectory(prefix="dehb-")
        space = task.space.configspace
        self.search = DEHB(
            cs=space,
            dimensions=len(space),
            min_fidelity=task.fidelity.low,
            max_fidelity=task.fidelity.high,
            n_workers=1,
            seed=seed,
            output_path=self.folder.name,
            log_level="ERROR",
            save_freq="end",
        )

    def ask(self) -> Asked:
        """What to evaluate next."""
        job = self.search.ask()
        fidelity = float(job["fidelity"])
        return Asked(dict(job["config"]), round(fidelity) if self.whole else fidelity, job)

    def tell(self, asked: Asked, cost: float) -> None:
        """Its cost; the worst one if it failed, as DEHB knows no failures."""
        value = self.worst if math.isnan(cost) else cost
        self.search.tell(asked.token, {"fitness": value, "cost": asked.fidelity, "info": {}})
