"""What is fitted in a Gaussian process, and what is believed of it before.

Priors on the length scales widen with the number of dimensions, so that a space of many
hyperparameters begins as a smooth one and every dimension must earn its influence.

Hvarfner, Hellsten & Nardi (2024), Vanilla Bayesian Optimization Performs Great in High
Dimensions, ICML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.surrogates.kernel import Layout, Scales

__all__ = ["Parameters", "bounds", "prior", "prior_mode", "unpacked"]

Floats = NDArray[np.float64]

# Gaussian priors of logarithms: (mean, standard deviation), and bounds. That of the lengths has
# the mode that the log-normal density of Hvarfner (2024) has over the lengths themselves, which
# lies by its variance below the mean of their logarithms.
_LENGTH = (np.sqrt(2.0) - 3.0, np.sqrt(3.0))  # plus half the logarithm of the dimensions
_WEIGHT = (np.log(0.1), np.sqrt(3.0))  # less the logarithm of the dimensions
_SCALE = (0.0, 1.0)
_NOISE = (-6.0, 2.5)
_WARP = (0.0, np.sqrt(0.75))  # of both shapes (Cowen-Rivers 2022)
_LENGTH_BOUNDS = (-4.0, 7.0)
_WEIGHT_BOUNDS = (-9.0, 3.0)
_SCALE_BOUNDS = (-4.0, 4.0)
_NOISE_BOUNDS = (-16.0, 1.0)
_WARP_BOUNDS = (-2.0, 2.0)


@dataclass(frozen=True)
class Parameters:
    """What is fitted.

    Parameters
    ----------
    scales
        Of the kernel.
    scale
        Prior variance of the cost about its mean.
    noise
        Variance of what a repeated evaluation would change.
    """

    scales: Scales
    scale: float
    noise: float

    def packed(self) -> Floats:
        """Logarithms of lengths, weights, scale, noise and both shapes of the warps."""
        scales = self.scales
        rest = [self.scale, self.noise]
        return np.log(np.concatenate([scales.length, scales.weight, rest, scales.warps.ravel()]))

    def equals(self, other: Parameters) -> bool:
        """Whether all numbers are the same."""
        return np.array_equal(self.packed(), other.packed())

    def to_json(self, layout: Layout) -> dict[str, Any]:
        """By name, so that a layout with more columns can begin from it."""
        scales = self.scales
        written: dict[str, Any] = {
            "length": dict(zip(layout.number_names, scales.length.tolist(), strict=True)),
            "weight": dict(zip(layout.category_names, scales.weight.tolist(), strict=True)),
            "scale": self.scale,
            "noise": self.noise,
        }
        if layout.warped_names:
            written["warps"] = dict(zip(layout.warped_names, scales.warps.T.tolist(), strict=True))
        return written

    @staticmethod
    def from_json(data: Mapping[str, Any], layout: Layout) -> Parameters:
        """What `to_json` wrote; names that are new begin at the mode of their prior."""
        mode = prior_mode(layout).scales
        return Parameters(
            Scales(
                _read(data["length"], layout.number_names, mode.length),
                _read(data["weight"], layout.category_names, mode.weight),
                _read(data.get("warps", {}), layout.warped_names, mode.warps.T).T,
            ),
            float(data["scale"]),
            float(data["noise"]),
        )


def _read(known: Mapping[str, Any], names: Sequence[str], default: Floats) -> Floats:
    """The values of names, or their default."""
    values = [known.get(name, value) for name, value in zip(names, default.tolist(), strict=True)]
    return np.array(values).reshape(default.shape)


def prior_mode(layout: Layout) -> Parameters:
    """The most probable parameters before any cost is known."""
    mean, _ = prior(layout)
    return unpacked(mean, layout)


def prior(layout: Layout) -> tuple[Floats, Floats]:
    """Means and standard deviations of the logarithms of all parameters, in `packed` order."""
    p, q = len(layout.number_names), len(layout.category_names)
    width = np.log(max(1, len(layout.ordered) + q))
    n_shapes = 2 * len(layout.warped_names)
    mean = np.concatenate(
        [
            np.full(p, _LENGTH[0] + 0.5 * width),
            np.full(q, _WEIGHT[0] - width),
            [_SCALE[0], _NOISE[0]],
            np.full(n_shapes, _WARP[0]),
        ]
    )
    spread = np.concatenate(
        [
            np.full(p, _LENGTH[1]),
            np.full(q, _WEIGHT[1]),
            [_SCALE[1], _NOISE[1]],
            np.full(n_shapes, _WARP[1]),
        ]
    )
    return mean, spread


def bounds(layout: Layout) -> list[tuple[float, float]]:
    """Bounds of the logarithms of all parameters."""
    return (
        [_LENGTH_BOUNDS] * len(layout.number_names)
        + [_WEIGHT_BOUNDS] * len(layout.category_names)
        + [_SCALE_BOUNDS, _NOISE_BOUNDS]
        + [_WARP_BOUNDS] * (2 * len(layout.warped_names))
    )


def unpacked(x: Floats, layout: Layout) -> Parameters:
    """The parameters of which `Parameters.packed` gives x."""
    p, q = len(layout.number_names), len(layout.category_names)
    values = np.exp(x)
    warps = values[p + q + 2 :].reshape(2, -1)
    scales = Scales(values[:p], values[p : p + q], warps)
    return Parameters(scales, float(values[p + q]), float(values[p + q + 1]))
