"""Beliefs about good values: densities over the unit interval, relative to uniform.

A belief never changes how a space is sampled; optimizers may weigh it. It is kept as a small
JSON object:

- `{"kind": "normal", "at": m, "spread": s}`: a normal distribution over the unit interval,
  cut at its ends;
- `{"kind": "beta", "a": a, "b": b}`: a beta distribution over the unit interval;
- `{"kind": "weights", "weights": [...]}`: one weight per value;
- `{"kind": "scipy", "name": "gamma", "args": [...], "kwds": {...}}`: a distribution of
  `scipy.stats` over the values themselves, cut at the bounds.

A discrete value gets the probability of its cell. No belief is absolute: a density is at
least `LEAST` times the uniform one, so that evidence can always overrule it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces.domains import Domain

__all__ = ["ASSUMED_SPREAD", "LEAST", "log_density", "mass_within", "most_probable"]

Floats = NDArray[np.float64]

ASSUMED_SPREAD = 0.25
"""Standard deviation, of the unit interval, where a belief is given without its spread.

As for the user priors in Mallik et al. (2023), PriorBand: Practical Hyperparameter
Optimization in the Age of Deep Learning, NeurIPS.
"""

LEAST = 1e-12


def log_density(domain: Domain, u: Floats) -> Floats:
    """Shape (n,): log-density at places in the unit interval, relative to uniform; 0 for NaN."""
    belief = domain.belief
    result = np.zeros(len(u))
    active = ~np.isnan(u)
    if belief is None or not active.any():
        return result
    if belief["kind"] == "weights":
        weights = np.asarray(belief["weights"], dtype=float)
        density = weights[domain.stored(u[active]).astype(np.int64)] * len(weights) / weights.sum()
    elif domain.kind == "float":
        density = _density(domain, belief, u[active])
    else:
        left, right = domain.edges(domain.stored(u[active]))
        mass = _cumulative(domain, belief, right) - _cumulative(domain, belief, left)
        density = mass / (right - left) / mass_within(domain)
    result[active] = np.log(np.maximum(density, LEAST))
    return result


def most_probable(domain: Domain) -> float:
    """The stored number with the highest density on the unit scale."""
    belief = domain.belief
    n = domain.n_values
    if n is not None and n <= 10_001:
        stored = np.arange(domain.low, domain.high + 1)
        return float(stored[np.argmax(log_density(domain, domain.unit(stored)))])
    if belief is not None and belief["kind"] == "normal":
        return float(domain.stored(np.array([np.clip(belief["at"], 0.0, 1.0)]))[0])
    low, high = 0.0, 1.0
    for _ in range(3):  # a grid, then finer ones around its best place
        u = domain.centred(np.linspace(low, high, 1001))
        best = float(u[np.argmax(log_density(domain, u))])
        width = (high - low) / 1000
        low, high = max(0.0, best - width), min(1.0, best + width)
    # A density is flat around its mode, so that further digits would be noise.
    stored = domain.stored(np.array([best]))
    return float(np.clip(float(f"{stored[0]:.6g}"), domain.low, domain.high))


def _cumulative(domain: Domain, belief: Mapping[str, Any], u: Floats) -> Floats:
    """Probability below places in the unit interval, before cutting at its ends."""
    from scipy import special

    if belief["kind"] == "normal":
        below: Floats = special.ndtr((u - belief["at"]) / belief["spread"])
    elif belief["kind"] == "beta":
        below = special.betainc(belief["a"], belief["b"], np.clip(u, 0, 1))
    else:
        below = np.asarray(_frozen(belief).cdf(_value(domain, u)), dtype=float)
    return below


def mass_within(domain: Domain) -> float:
    """The probability that a belief other than weights puts within the bounds."""
    belief = domain.belief
    assert belief is not None
    low, high = _cumulative(domain, belief, np.array([0.0, 1.0]))
    return float(high - low)


def _density(domain: Domain, belief: Mapping[str, Any], u: Floats) -> Floats:
    """Density at places in the unit interval, cut at its ends."""
    if belief["kind"] == "normal":
        z = (u - belief["at"]) / belief["spread"]
        raw: Floats = np.exp(-0.5 * z * z) / (belief["spread"] * np.sqrt(2 * np.pi))
    elif belief["kind"] == "beta":
        from scipy import special

        a, b = belief["a"], belief["b"]
        logs = special.xlogy(a - 1, u) + special.xlog1py(b - 1, -u) - special.betaln(a, b)
        raw = np.exp(logs)
    else:
        value = _value(domain, u)
        # how much of the value's range a piece of the unit interval covers
        slope = value * np.log(domain.high / domain.low) if domain.log else domain.high - domain.low
        raw = _frozen(belief).pdf(value) * slope
    return raw / mass_within(domain)


def _value(domain: Domain, u: Floats) -> Floats:
    """The value at places in the unit interval, also between discrete ones."""
    if domain.kind == "float":
        low, high, log = domain.low, domain.high, domain.log
    else:
        low, high, log = domain.low - 0.5, domain.high + 0.5, domain.log
    raw = np.exp(np.log(low) + u * np.log(high / low)) if log else low + u * (high - low)
    if domain.scale is not None:
        raw = domain.scale.offset + domain.scale.step * raw
    return np.asarray(raw, dtype=float)


def _frozen(belief: Mapping[str, Any]) -> Any:
    return _distribution(belief["name"], tuple(belief["args"]), tuple(belief["kwds"].items()))


@lru_cache(maxsize=256)
def _distribution(name: str, args: tuple[float, ...], kwds: tuple[tuple[str, float], ...]) -> Any:
    """A frozen distribution of `scipy.stats`, which takes a millisecond to make."""
    from scipy import stats

    return getattr(stats, name)(*args, **dict(kwds))
