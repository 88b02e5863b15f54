"""Make probabilities mean what they say, if that can be shown to help.

Temperature scaling (Guo et al. 2017, On Calibration of Modern Neural Networks, ICML), with a
bias per class where rows allow (the multiclass form of Platt 1999; Alexandari et al. 2020),
and isotonic regression (Zadrozny & Elkan 2002) for large two-class data. All are fitted on
out-of-fold probabilities; none is kept unless it improves the cross-validated log loss by
more than its standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import DataError

__all__ = ["Calibration", "calibrate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SMALLEST = 1e-12
N_FOLDS = 5
BIAS_ROWS = 30
"""A class needs so many rows before it gets a bias of its own."""
ISOTONIC_ROWS = 1000
"""Of the rarer class: a step function fitted on fewer rows overfits."""


@dataclass(frozen=True)
class Calibration:
    """A fitted map from probabilities to probabilities.

    Parameters
    ----------
    method
        "none", "temperature", "temperature and bias" or "isotonic".
    temperature
        Above 1 for predictions that were too sure of themselves.
    bias
        One per class, added to the logarithms; empty for none.
    knots
        Isotonic only: pairs (given, calibrated) probability of class 1, both increasing.
    gain
        By how much the cross-validated log loss fell, in nats per row.
    """

    method: str = "none"
    temperature: float = 1.0
    bias: tuple[float, ...] = ()
    knots: tuple[tuple[float, float], ...] = ()
    gain: float = 0.0

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, shape (n, K), rows sum to 1."""
        given = np.asarray(probabilities, dtype=np.float64)
        if self.method == "none":
            return given
        if self.method == "isotonic":
            x, y = np.array(self.knots).T
            one = np.interp(given[:, 1] / given.sum(1), x, y)
            return np.column_stack([1.0 - one, one])
        return _scaled(np.log(np.maximum(given, _SMALLEST)), self.temperature, self.bias)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "method": self.method,
            "temperature": self.temperature,
            "bias": list(self.bias),
            "knots": [list(knot) for knot in self.knots],
            "gain": self.gain,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Undo `to_json`."""
        return cls(
            method=data["method"],
            temperature=data["temperature"],
            bias=tuple(data["bias"]),
            knots=tuple((a, b) for a, b in data["knots"]),
            gain=data["gain"],
        )


def calibrate(
    probabilities: ArrayLike,
    y_true: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit each method by cross-validation and keep the best, if any is worth it.

    Parameters
    ----------
    probabilities : shape (n, K)
        Out-of-fold. Rows with a NaN are left out.
    y_true : shape (n,)
        Encoded classes.
    sample_weight : shape (n,)
        Of the rows.
    seed
        For the folds.

    Returns
    -------
    Calibration
        With the method "none" if nothing helps for sure.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.uniform(0.2, 0.8, 4000)
    >>> y = (rng.random(4000) < truth).astype(int)
    >>> too_sure = truth**3 / (truth**3 + (1 - truth) ** 3)
    >>> found = calibrate(np.column_stack([1 - too_sure, too_sure]), y)
    >>> found.method, 2.5 < found.temperature < 3.5
    ('temperature', True)
    """
    given = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(y_true)
    if given.ndim != 2 or given.shape[1] < 2 or y.shape != given.shape[:1]:
        raise DataError(
            f"calibration got probabilities of shape {given.shape} and a target of shape "
            f"{y.shape}; expected (n, K) with K >= 2 and (n,)."
        )
    rows = np.isfinite(given).all(1)
    given, y = given[rows], y[rows].astype(np.int64)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)[rows]
    counts = np.bincount(y, minlength=given.shape[1])
    if len(y) < 2 * N_FOLDS or (counts > 0).sum() < 2:
        return Calibration()
    given = np.maximum(given / given.sum(1, keepdims=True), _SMALLEST)

    fold = np.random.default_rng([seed, 17]).permutation(len(y)) % N_FOLDS
    before = -np.log(given[np.arange(len(y)), y])
    best: tuple[float, str] | None = None
    for name in _candidates(counts):
        after = np.empty(len(y))
        for k in range(N_FOLDS):
            inside, outside = fold != k, fold == k
            fitted = _FIT[name](given[inside], y[inside], weight[inside])
            mapped = fitted.apply(given[outside])
            after[outside] = -np.log(
                np.maximum(mapped[np.arange(int(outside.sum())), y[outside]], _SMALLEST)
            )
        saved = before - after
        gain = float(np.average(saved, weights=weight))
        spread = float(np.sqrt(np.average((saved - gain) ** 2, weights=weight) / len(y)))
        # Each further parameter must pay as well: simpler methods come first.
        if gain > spread and (best is None or gain > best[0] + spread):
            best = (gain, name)
    if best is None:
        return Calibration()
    found = _FIT[best[1]](given, y, weight)
    return Calibration(found.method, found.temperature, found.bias, found.knots, best[0])


def _candidates(counts: Ints) -> list[str]:
    names = ["temperature"]
    if counts.min() >= BIAS_ROWS:
        names.append("temperature and bias")
    if len(counts) == 2 and counts.min() >= ISOTONIC_ROWS:
        names.append("isotonic")
    return names


def _scaled(logs: Floats, temperature: float, bias: tuple[float, ...] | Floats) -> Floats:
    z = logs / temperature
    if len(bias):
        z = z + np.asarray(bias)
    z = z - z.max(1, keepdims=True)
    e = np.exp(z)
    scaled: Floats = e / e.sum(1, keepdims=True)
    return scaled


def _fit_temperature(given: Floats, y: Ints, weight: Floats) -> Calibration:
    from scipy.optimize import minimize_scalar

    logs = np.log(given)
    rows = np.arange(len(y))

    def loss(log_temperature: float) -> float:
        of_true = _scaled(logs, float(np.exp(log_temperature)), ())[rows, y]
        return float(-np.log(np.maximum(of_true, _SMALLEST)) @ weight)

    # Between a fifth and five times: beyond, the model is broken and a bias would not help.
    found = minimize_scalar(loss, bounds=(-np.log(5.0), np.log(5.0)), method="bounded")
    return Calibration("temperature", temperature=float(np.exp(found.x)))


def _fit_bias(given: Floats, y: Ints, weight: Floats) -> Calibration:
    from scipy.optimize import minimize

    logs = np.log(given)
    n_classes = given.shape[1]
    truth = np.eye(n_classes)[y]
    total = weight.sum()

    def loss(at: Floats) -> tuple[float, Floats]:
        inverse, bias = np.exp(-at[0]), at[1:]
        p = _scaled(logs, 1.0 / inverse, bias)
        off = (p - truth) * weight[:, None] / total
        value = -np.log(np.maximum((p * truth).sum(1), _SMALLEST)) @ weight / total
        # A whisper of ridge fixes the one direction that changes nothing: equal biases.
        slope = np.concatenate([[-inverse * (off * logs).sum()], off.sum(0) + 2e-6 * bias])
        return float(value + 1e-6 * bias @ bias), slope

    bounds = [(-np.log(5.0), np.log(5.0))] + [(-5.0, 5.0)] * n_classes
    found = minimize(loss, np.zeros(1 + n_classes), jac=True, bounds=bounds, method="L-BFGS-B")
    return Calibration(
        "temperature and bias",
        temperature=float(np.exp(found.x[0])),
        bias=tuple(float(b) for b in found.x[1:]),
    )


def _fit_isotonic(given: Floats, y: Ints, weight: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    # Bounds away from 0 and 1: a step that never saw a counterexample is not certain.
    edge = 1.0 / (len(y) + 2)
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    model.fit(given[:, 1], y, sample_weight=weight)
    knots = zip(model.X_thresholds_, model.y_thresholds_, strict=True)
    return Calibration("isotonic", knots=tuple((float(a), float(b)) for a, b in knots))


_FIT: dict[str, Callable[[Floats, Ints, Floats], Calibration]] = {
    "temperature": _fit_temperature,
    "temperature and bias": _fit_bias,
    "isotonic": _fit_isotonic,
}
