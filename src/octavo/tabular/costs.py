"""How long will a pipeline take? A prior guess per family, corrected by what this run measured.

The families' own cost models know how times grow with the table and the settings, but not how
fast this machine is, nor how hard this table. Their ratio to the measured times corrects that:
per family, shrunk towards the correction of all families while there are few measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from octavo.tabular.cash import family_of
from octavo.tabular.models.family import Family, Shape
from octavo.tabular.pipeline import predicted_seconds

__all__ = ["TrialCosts"]

PRIOR_WEIGHT = 0.5  # so many measurements is the overall correction worth within a family
SAFETY = 1.3  # a model that is refused wrongly costs less than one that cannot finish


class TrialCosts:
    """Predicts a trial's wall-clock seconds, and learns from each finished one.

    Parameters
    ----------
    shape
        The table within one fold.
    n_fits
        Fits per trial: the number of folds.
    n_threads
        Threads of each fit.
    families
        The user's own families.
    """

    def __init__(
        self, shape: Shape, *, n_fits: int, n_threads: int, families: Mapping[str, Family]
    ) -> None:
        self._shape = shape
        self.n_fits = n_fits
        self._n_threads = n_threads
        self._families = families
        self._ratios: dict[str, list[float]] = {}

    def guess(self, config: Mapping[str, Any]) -> float:
        """Seconds by the family's own cost model, uncorrected."""
        one = predicted_seconds(
            config, self._shape, n_threads=self._n_threads, families=self._families
        )
        seconds = max(one, 1e-3) * self.n_fits
        name = str(config["model"])
        # Loading a library takes seconds once; what was measured with it loaded knows better.
        return seconds if name in self._ratios else seconds + self._startup_s(config)

    def _startup_s(self, config: Mapping[str, Any]) -> float:
        return family_of(config, self._families).startup_s

    def learn(self, config: Mapping[str, Any], wall_s: float) -> None:
        """Take note of how long a finished trial took."""
        ratio = math.log(max(wall_s, 1e-3) / self.guess(config))
        self._ratios.setdefault(str(config["model"]), []).append(ratio)

    def predict(self, config: Mapping[str, Any]) -> float:
        """Seconds that a trial will take, on the careful side."""
        own = self._ratios.get(str(config["model"]), [])
        others = [sum(ratios) / len(ratios) for ratios in self._ratios.values()]
        overall = sum(others) / len(others) if others else 0.0
        recent = own[-5:]  # what the search tries now resembles what it tried last
        log_ratio = (sum(recent) + PRIOR_WEIGHT * overall) / (len(recent) + PRIOR_WEIGHT)
        return self.guess(config) * math.exp(log_ratio) * SAFETY
