"""Shapes of learning curves: parametric families, each with its derivatives.

Every family is `offset + amplitude * g(x; phi) + drift * x / reach`: linear but for one or two
parameters phi. The offset is free, or fixed where the family has none; only the valley has a
drift. x is the step in units of the spacing of reports, at least 1; `reach` is the last step
that was seen, so that rates are relative to what is known. Positive parameters are logarithms.

Janoschek's, Weibull's and the stretched exponential (exp4) are one curve in three notations,
as are MMF4 and the logistic of log x; each stands here once.

Domhan, Springenberg & Hutter (2015), Speeding up automatic hyperparameter optimization of deep
neural networks by extrapolation of learning curves, IJCAI. Viering & Loog (2022), The shape of
learning curves: a review, IEEE PAMI 45.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONSTANT", "FAMILIES", "Family"]

Floats = NDArray[np.float64]
Shape = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Family:
    """One shape.

    Parameters
    ----------
    name
        As in the literature.
    shape
        Given x (m, n), phi (m, q) and the reach (m, 1): g (m, n) and its derivatives by phi,
        (m, n, q). Finite wherever phi lies within six standard deviations of its prior.
    centre, spread : length q
        Normal prior of phi.
    has_offset
        Whether the curve may end anywhere; otherwise it is a multiple of g.
    has_drift
        Whether a straight line is added, which lets a curve rise again.
    """

    name: str
    shape: Shape
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    has_offset: bool = True
    has_drift: bool = False

    @property
    def n_linear(self) -> int:
        """How many of the parameters the curve is linear in."""
        return 1 + self.has_offset + self.has_drift

    def starts(self) -> Floats:
        """Values of phi to begin a fit from, shape (s, q): a cross through the prior's centre."""
        centre, spread = np.array(self.centre), np.array(self.spread)
        if not len(centre):
            return np.zeros((1, 0))
        ticks: Sequence[float] = (-1.5, -0.5, 0.5, 1.5) if len(centre) == 1 else (-1.2, 0.0, 1.2)
        grid = np.stack(np.meshgrid(*[ticks] * len(centre), indexing="ij"), axis=-1)
        return np.asarray(centre + spread * grid.reshape(-1, len(centre)))

    def columns(self, x: Floats, reach: Floats, g: Floats) -> Floats:
        """What the linear parameters multiply: amplitude, offset, drift; shape (m, n, linear)."""
        parts = [g]
        if self.has_offset:
            parts.append(np.ones_like(g))
        if self.has_drift:
            parts.append(np.broadcast_to(x / reach, g.shape))
        return np.stack(parts, axis=-1)


def _power(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """x**-b, phi = (log b)."""
    b = np.exp(phi)
    log_x = np.log(x)
    g = np.exp(-b * log_x)
    return g, (-b * log_x * g)[..., None]


def _shifted_power(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """((x + d) / (1 + d))**-b, phi = (log b, log of d over the reach); POW4."""
    b, d = np.exp(phi[:, :1]), reach * np.exp(phi[:, 1:])
    log_ratio = np.log((x + d) / (1 + d))
    g = np.exp(-b * log_ratio)
    by_d = d * (1 / (x + d) - 1 / (1 + d))
    return g, np.stack([-b * log_ratio * g, -b * by_d * g], axis=-1)


def _exponential(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """exp(-b x / reach), phi = (log b)."""
    exponent = np.exp(phi) * x / reach
    g = np.exp(-exponent)
    return g, (-exponent * g)[..., None]


def _weibull(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """exp(-(b x / reach)**d), phi = (log b, log d)."""
    d = np.exp(phi[:, 1:])
    log_base = phi[:, :1] + np.log(x / reach)
    power = np.exp(np.minimum(d * log_base, 50.0))
    g = np.exp(-power)
    return g, np.stack([-d * power * g, -d * log_base * power * g], axis=-1)


def _logistic(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """1 / (1 + (x / m)**d), phi = (log of m over the reach, log d)."""
    d = np.exp(phi[:, 1:])
    away = np.log(x / reach) - phi[:, :1]
    g = 1 / (1 + np.exp(np.clip(d * away, -50.0, 50.0)))
    slope = g * (1 - g)
    return g, np.stack([d * slope, -d * away * slope], axis=-1)


def _hill(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """x**d / (m**d + x**d), phi as in the logistic."""
    g, by_phi = _logistic(x, phi, reach)
    return 1 - g, -by_phi


def _vapor_pressure(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """exp(b / x + c log x), phi = (b, c)."""
    log_x = np.log(x)
    g = np.exp(np.clip(phi[:, :1] / x + phi[:, 1:] * log_x, -50.0, 50.0))
    return g, np.stack([g / x, log_x * g], axis=-1)


def _inverse_logarithm(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """1 / log(x + 1); no phi."""
    return 1 / np.log1p(x), np.zeros((*x.shape, 0))


def _logarithm(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """-log x; no phi."""
    return -np.log(x), np.zeros((*x.shape, 0))


def _constant(x: Floats, phi: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """0, so that the offset is all there is; no phi."""
    return np.zeros_like(x), np.zeros((*x.shape, 0))


CONSTANT = Family("constant", _constant)
"""No curve at all: what the others have to be better than."""

FAMILIES: tuple[Family, ...] = (
    Family("pow2", _power, (-1.0,), (1.0,), has_offset=False),
    Family("pow3", _power, (-0.3,), (0.8,)),
    Family("pow4", _shifted_power, (0.0, -1.0), (0.8, 1.5)),
    Family("exp3", _exponential, (0.5,), (1.0,)),
    Family("weibull", _weibull, (0.5, 0.0), (1.0, 0.5)),
    Family("mmf4", _logistic, (-0.3, 0.7), (1.0, 0.6)),
    Family("log-power", _logistic, (0.5, 0.0), (1.5, 0.8), has_offset=False),
    Family("hill3", _hill, (-1.0, 0.0), (1.5, 0.8), has_offset=False),
    Family("vapor-pressure", _vapor_pressure, (0.0, -0.1), (0.5, 0.3), has_offset=False),
    Family("ilog2", _inverse_logarithm),
    Family("log2", _logarithm),
    Family("valley", _power, (0.0,), (0.7,), has_drift=True),
)
"""All families; "weibull" is also exp4 and Janoschek's, "valley" pow3 with a straight line."""
