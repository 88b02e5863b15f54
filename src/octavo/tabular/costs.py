"""How long will a pipeline take? A prior guess per family, corrected by what this run measured.

The families' own cost models know how times grow with the table and the settings, but not how
fast this machine is, nor how hard this table. Their ratio to the measured times corrects that:
per family, shrunk towards the correction of all families while there are few measurements.

Where pipelines are fitted on samples of the rows, what a fit takes is told apart from the rest
(predictions for the validated rows, files), which is the same for all samples and would make a
fit on few rows look slow; and what was measured on about as many rows counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from octavo.tabular.cash import family_of
from octavo.tabular.models.family import Family, Shape
from octavo.tabular.pipeline import predicted_seconds

__all__ = ["TrialCosts"]

PRIOR_WEIGHT = 0.5  # so many measurements is the overall correction worth within a family
RECENT = 5  # measurements, on about as many rows and not long ago, correct a guess
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
        # Of each family, how many rows a trial was fitted on (all: those of the shape), and the
        # logarithm of measured by guessed seconds.
        self._ratios: dict[str, list[tuple[float, float]]] = {}
        self._rest_s: dict[str, list[float]] = {}

    def guess(self, config: Mapping[str, Any], n_rows: float | None = None) -> float:
        """Seconds by the family's own cost model, uncorrected; on a sample of so many rows."""
        shape = self._shape
        if n_rows is not None and n_rows < shape.n_rows:
            shape = replace(shape, n_rows=max(int(n_rows), 1))
        one = predicted_seconds(config, shape, n_threads=self._n_threads, families=self._families)
        seconds = max(one, 1e-3) * self.n_fits
        name = str(config["model"])
        # Loading a library takes seconds once; what was measured with it loaded knows better.
        return seconds if name in self._ratios else seconds + self._startup_s(config)

    def _startup_s(self, config: Mapping[str, Any]) -> float:
        return family_of(config, self._families).startup_s

    def learn(
        self,
        config: Mapping[str, Any],
        wall_s: float,
        *,
        n_rows: float | None = None,
        rest_s: float = 0.0,
    ) -> None:
        """Take note of how long a finished trial took.

        Parameters
        ----------
        config, wall_s
            What ran, and its seconds.
        n_rows
            On a sample of so many rows; None: on all.
        rest_s
            Those of the seconds that are the same for all samples.
        """
        name = str(config["model"])
        ratio = math.log(max(wall_s - rest_s, 1e-3) / self.guess(config, n_rows))
        rows = self._shape.n_rows if n_rows is None else n_rows
        self._ratios.setdefault(name, []).append((rows, ratio))
        self._rest_s.setdefault(name, []).append(rest_s)

    def predict(self, config: Mapping[str, Any], n_rows: float | None = None) -> float:
        """Seconds that a trial will take, on the careful side; on a sample of so many rows."""
        name = str(config["model"])
        rows = self._shape.n_rows if n_rows is None else n_rows
        means = [sum(r for _, r in known) / len(known) for known in self._ratios.values()]
        overall = sum(means) / len(means) if means else 0.0
        # What the search tries now resembles what it tried last, on as many rows.
        near = sorted(self._ratios.get(name, ()), key=lambda one: -abs(math.log(one[0] / rows)))
        recent = [ratio for _, ratio in near[-RECENT:]]
        log_ratio = (sum(recent) + PRIOR_WEIGHT * overall) / (len(recent) + PRIOR_WEIGHT)
        return (self.guess(config, n_rows) * math.exp(log_ratio) + self._rest(name)) * SAFETY

    def _rest(self, name: str) -> float:
        """What a trial of a family takes besides its fits; as others do before there is one."""
        known = self._rest_s.get(name) or [one for own in self._rest_s.values() for one in own]
        recent = known[-RECENT:]
        return sum(recent) / len(recent) if recent else 0.0
