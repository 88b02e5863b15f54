"""Several Gaussian processes over the same trials, with parameters that survive a resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.surrogates.cholesky import Growing
from octavo.surrogates.fitting import fit_parameters, log_density
from octavo.surrogates.gaussian_process import GaussianProcess
from octavo.surrogates.kernel import Features, Layout
from octavo.surrogates.parameters import Parameters, prior_mode

__all__ = ["Moved", "Processes", "Quantity", "fitted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Moved = tuple[Floats, Floats, Floats, Floats]
"""Means and deviations of k quantities at m rows, (k, m), and derivatives by numbers, (k, m, p)."""

_MOST_FOR_A_FIT = 250  # trials; lengths hardly change with more
_STEPS_ANEW, _STEPS_ON = 40, 15  # of an ascent from the prior, and of one from the last fit
_MOST_LOCAL = 250  # trials that a climb sees
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

    They are fitted anew whenever a tenth more is known. The latest fits are found in the
    history (in the origin of the proposal that they were made for), so that a fresh optimizer
    that is told the history goes on from the same numbers.

    Parameters
    ----------
    layout, features
        Of all trials.
    quantities
        What to fit.
    memory
        What the latest call that returned any has returned, or None; also of quantities
        that are not asked for now.
    rng
        Chooses trials for the fit where there are many.
    """
    n = len(features)
    remembered = dict(memory or {})
    found, has_news = [], False
    for quantity in quantities:
        past = remembered.get(quantity.name)
        if past is not None and n < past["n"] + max(1, past["n"] // _GROWTH):
            found.append(Parameters.from_json(past, layout))
            continue
        # Beside the last fit, the prior is climbed from again whenever twice as much is known.
        starts = [] if past is None else [Parameters.from_json(past, layout)]
        is_anew = past is None or n >= 2 * past["anew"]
        if is_anew:
            starts.append(prior_mode(layout))
        n_steps = _STEPS_ANEW if is_anew else _STEPS_ON
        known = features[quantity.rows]
        parameters = _fit(layout, known, quantity.values, starts, n_steps, rng)
        found.append(parameters)
        anew = n if past is None or is_anew else past["anew"]
        remembered[quantity.name] = {"n": n, "anew": anew, **parameters.to_json(layout)}
        has_news = True
    return found, remembered if has_news else {}


def _fit(
    layout: Layout,
    features: Features,
    values: Floats,
    starts: Sequence[Parameters],
    n_steps: int,
    rng: np.random.Generator,
) -> Parameters:
    if len(values) > _MOST_FOR_A_FIT:
        rows = rng.choice(len(values), size=_MOST_FOR_A_FIT, replace=False)
        features, values = features[rows], values[rows]
    fits = [fit_parameters(layout, features, values, start, n_steps=n_steps) for start in starts]
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
    growing
        By name of the quantity, what its factor is kept in from call to call.
    """

    def __init__(
        self,
        features: Features,
        quantities: Sequence[Quantity],
        parameters: Sequence[Parameters],
        growing: Mapping[str, Growing],
    ) -> None:
        self._each = [
            GaussianProcess(known, quantity.values, own, growing[quantity.name].factor(known, own))
            for quantity, own in zip(quantities, parameters, strict=True)
            for known in [features[quantity.rows]]
        ]

    def known_means(self, n: int) -> Floats:
        """Posterior means of the first n quantities at all trials, shape (trials, n)."""
        return np.column_stack([process.fitted for process in self._each[:n]])

    def assume(self, features: Features) -> None:
        """Take it that trials without values will come out as predicted."""
        if len(features):
            self._each = [
                process.extended(features, process.predict(features)[0]) for process in self._each
            ]

    def moving(self, features: Features) -> Callable[[Floats], Moved]:
        """What the trials that matter most around some rows say of them, while numbers move."""
        each = [process.near(features, _MOST_LOCAL).moving(features) for process in self._each]

        def predict(numbers: Floats) -> Moved:
            found = [moving.predict(numbers) for moving in each]
            mean, deviation, by_mean, by_deviation = zip(*found, strict=True)
            return np.array(mean), np.array(deviation), np.array(by_mean), np.array(by_deviation)

        return predict

    @property
    def lengths(self) -> Floats:
        """Length scales of the numbers in the first process, shape (p,)."""
        return self._each[0].lengths

    def predict(self, features: Features) -> tuple[Floats, Floats]:
        """Means and deviations of k quantities at m rows, each shape (k, m)."""
        both = [process.predict(features) for process in self._each]
        return np.array([mean for mean, _ in both]), np.array([std for _, std in both])
