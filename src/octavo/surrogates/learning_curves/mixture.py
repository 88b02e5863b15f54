"""What is believed of a value: a mixture of normal distributions for each of several cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, ndtr

from octavo.errors import SettingError

__all__ = ["Prediction"]

Floats = NDArray[np.float64]

_HALVINGS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Mixtures of normal distributions, one for each case, in the user's unit and direction.

    Parameters
    ----------
    weights, means, deviations : shape (..., k)
        Of the parts; weights sum to one along the last axis. The cases have the shape that was
        asked for: none for a single number.

    Examples
    --------
    >>> both = Prediction(np.array([0.5, 0.5]), np.array([-1.0, 1.0]), np.array([0.1, 0.1]))
    >>> round(float(both.std), 3), float(both.below(0.0)), round(float(both.quantile(0.75)), 3)
    (1.005, 0.5, 1.0)
    """

    weights: Floats
    means: Floats
    deviations: Floats

    @property
    def mean(self) -> Floats:
        """Expected value of each case, shape (...)."""
        return np.asarray((self.weights * self.means).sum(axis=-1))

    @property
    def std(self) -> Floats:
        """Standard deviation of each case, shape (...)."""
        away = np.square(self.means - self.mean[..., None]) + np.square(self.deviations)
        return np.asarray(np.sqrt((self.weights * away).sum(axis=-1)))

    @property
    def median(self) -> Floats:
        """The value that is as likely exceeded as not; the best guess by absolute error."""
        return self.quantile(0.5)

    def below(self, threshold: ArrayLike) -> Floats:
        """Probability that the value lies below a threshold, one for all cases or one each."""
        away = np.asarray(threshold, dtype=float)[..., None] - self.means
        return np.asarray((self.weights * ndtr(away / self.deviations)).sum(axis=-1))

    def quantile(self, probability: float) -> Floats:
        """The value below which the true one lies with this probability, for each case.

        Raises
        ------
        SettingError
            If it does not lie between 0 and 1, both excluded.
        """
        if not 0 < probability < 1:
            raise SettingError(
                f"a quantile at {probability!r} is not defined. Give a probability between 0 and "
                "1, such as 0.05."
            )
        low = (self.means - 10 * self.deviations).min(axis=-1)
        high = (self.means + 10 * self.deviations).max(axis=-1)
        for _ in range(_HALVINGS):  # there is no closed form, and the distribution is monotone
            middle = low / 2 + high / 2
            is_below = self.below(middle) < probability
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        return np.asarray(low / 2 + high / 2)

    def log_density(self, value: ArrayLike) -> Floats:
        """Logarithm of the density at a value, one for all cases or one each."""
        z = (np.asarray(value, dtype=float)[..., None] - self.means) / self.deviations
        parts = -0.5 * np.square(z) - np.log(self.deviations) - 0.5 * np.log(2 * np.pi)
        with np.errstate(divide="ignore"):  # a weight of zero is no part
            return np.asarray(logsumexp(parts + np.log(self.weights), axis=-1))
