"""Several Gaussian processes over the same trials, with parameters that survive a resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.surrogates.gaussian_process import (
    GaussianProcess,
    Parameters,
    fit_parameters,
    log_density,
    prior_mode,
)
from octavo.surrogates.kernel import Features, Layout

__all__ = ["Processes", "Quantity", "fitted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_FOR_A_FIT = 400  # trials; lengths hardly change with more
_GROWTH = 10  # parameters are fitted anew when one in so many more trials is known


@dataclass(frozen=True, slots=True)
class Quantity:
    """What one process learns.

    Parameters
    ----------
    name
        Under which its parameters are remembered.
    rows : shape (n,)
        Places of the trials in which it was measured.
    values : shape (n,)
        About standardized.
    """

    name: str
    rows: Ints
    values: Floats


def fitted(
    layout: Layout,
    features: Features,
    quantities: Sequence[Quantity],
    memory: Mapping[str, Any] | None,
    rng: np.random.Generator,
) -> tuple[list[Parameters], Mapping[str, Any]]:
    """The parameters of each process, and what to remember of them.

    They are fitted anew whenever a tenth more is known. The latest fit is found in the
    history (in the origin of the proposal that it was made for), so that a fresh optimizer
    that is told the history goes on from the same numbers.

    Parameters
    ----------
    layout, features
        Of all trials.
    quantities
        What to fit.
    memory
        What an earlier call returned, or None.
    rng
        Chooses trials for the fit where there are many.
    """
    n = len(features)
    remembered: Mapping[str, Any] = {} if memory is None else memory["parameters"]
    is_fresh = memory is not None and n < memory["n"] + max(1, memory["n"] // _GROWTH)
    if is_fresh and all(quantity.name in remembered for quantity in quantities):
        return [Parameters.from_json(remembered[q.name], layout) for q in quantities], {}
    found = []
    for quantity in quantities:
        starts = [prior_mode(layout)]
        if quantity.name in remembered:
            starts.insert(0, Parameters.from_json(remembered[quantity.name], layout))
        found.append(_fit(layout, features[quantity.rows], quantity.values, starts, rng))
    names = [quantity.name for quantity in quantities]
    texts = [parameters.to_json(layout) for parameters in found]
    return found, {"n": n, "parameters": dict(zip(names, texts, strict=True))}


def _fit(
    layout: Layout,
    features: Features,
    values: Floats,
    starts: Sequence[Parameters],
    rng: np.random.Generator,
) -> Parameters:
    if len(values) > _MOST_FOR_A_FIT:
        rows = rng.choice(len(values), size=_MOST_FOR_A_FIT, replace=False)
        features, values, starts = features[rows], values[rows], starts[:1]
    fits = [fit_parameters(layout, features, values, start) for start in starts]
    if len(fits) == 1:
        return fits[0]
    density = [log_density(fit.packed(), layout, features, values)[0] for fit in fits]
    return fits[int(np.argmax(density))]


class Processes:
    """The posteriors of several quantities.

    Parameters
    ----------
    features
        Of all trials.
    quantities, parameters
        One for each process.

    Attributes
    ----------
    known_mean : shape (n,)
        Of the first quantity, at its trials.
    """

    def __init__(
        self, features: Features, quantities: Sequence[Quantity], parameters: Sequence[Parameters]
    ) -> None:
        self._given = [
            (features[quantity.rows], quantity.values, own)
            for quantity, own in zip(quantities, parameters, strict=True)
        ]
        self._each = [GaussianProcess(*given) for given in self._given]
        self.known_mean = self._each[0].fitted

    def assume(self, features: Features, least: Floats) -> None:
        """Take it that trials will come out as predicted.

        Parameters
        ----------
        features
            Of m trials without values.
        least : shape (m,)
            What the first quantity is taken to be at least.
        """
        if not len(features):
            return
        for k, (known, values, parameters) in enumerate(self._given):
            believed, _ = self._each[k].predict(features)
            if k == 0:
                believed = np.maximum(believed, least)
            joined = Features.join(known, features)
            self._each[k] = GaussianProcess(joined, np.append(values, believed), parameters)

    @property
    def lengths(self) -> Floats:
        """Length scales of the numbers in the first process, shape (p,)."""
        return self._each[0].lengths

    def predict(self, features: Features) -> tuple[Floats, Floats]:
        """Means and deviations of k quantities at m rows, each shape (k, m)."""
        both = [process.predict(features) for process in self._each]
        return np.array([mean for mean, _ in both]), np.array([std for _, std in both])

    def predict_with_gradient(self, features: Features) -> tuple[Floats, Floats, Floats, Floats]:
        """Means and deviations, (k, m), and their derivatives by the numbers, (k, m, p)."""
        all_of_them = [process.predict_with_gradient(features) for process in self._each]
        mean, deviation, by_mean, by_deviation = zip(*all_of_them, strict=True)
        return np.array(mean), np.array(deviation), np.array(by_mean), np.array(by_deviation)
