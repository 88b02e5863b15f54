"""Who is right, and how sure: experts weighed by a gate that learns from complete curves.

Each expert (a family's fit, the last value, a curve that went before) gives a mean and a width.
Its weight is a softmax of linear functions of the case and of the expert's own score (a
family's evidence, a neighbour's likeness); its width follows, on a logarithmic scale, what it
claims and how far ahead one looks. Both sets of coefficients maximize the likelihood of what
training curves came to, under normal priors about values that do without training.

Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

__all__ = ["Cases", "Gate", "fit_gate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_WIDTH = 1e-4  # of the unit: no curve is known better than that
_PRIOR_SPREAD = 1.0  # of the coefficients about what does without training
_ROUNDS = 80


@dataclass(frozen=True, slots=True)
class Cases:
    """What the experts say of m cases, all costs in units of the training curves' spread.

    Parameters
    ----------
    mean, width, score : shape (m, k)
        Of each expert: what it expects, how far off it takes itself to be, and its score;
        -inf where it has nothing to say.
    features : shape (m, f)
        Of each case, about one in size.
    kind : shape (k,)
        Experts of one kind share their coefficients.
    """

    mean: Floats
    width: Floats
    score: Floats
    features: Floats
    kind: Ints


@dataclass(frozen=True, slots=True)
class Gate:
    """The coefficients, one row per kind of expert.

    Parameters
    ----------
    weight : shape (kinds, 2 + f)
        Of a constant, the score and the features, in the logarithm of an expert's weight.
    width : shape (kinds, 2 + f)
        Of a constant, the logarithm of the claimed width and the features, in the logarithm of
        the width.
    """

    weight: Floats
    width: Floats

    @staticmethod
    def untrained(constant: Floats, score: float, n_features: int) -> Gate:
        """Weights by a constant per kind and the score, widths as claimed."""
        rest = np.zeros((len(constant), n_features))
        by_score = np.full(len(constant), score)
        weight = np.column_stack([constant, by_score, rest])
        width = np.column_stack([np.zeros(len(constant)), np.ones(len(constant)), rest])
        return Gate(weight, width)

    def __call__(self, cases: Cases) -> tuple[Floats, Floats]:
        """Logarithms of the weights, normalized, and widths: shape (m, k) each."""
        logits = _linear(self.weight, _safe(cases.score), cases.features, cases.kind)
        logits = np.where(np.isfinite(cases.score), logits, -np.inf)
        widths = _linear(self.width, np.log(cases.width), cases.features, cases.kind)
        widths = np.exp(np.clip(widths, np.log(LEAST_WIDTH), 10.0))
        return logits - logsumexp(logits, axis=1, keepdims=True), widths


def fit_gate(start: Gate, cases: Cases, values: Floats, sharing: Floats) -> Gate:
    """The coefficients that make known values likely.

    Parameters
    ----------
    start
        Where to begin, and the priors' mean.
    cases
        Cases whose values are known.
    values : shape (m,)
        What they came to, in the same unit.
    sharing : shape (m,)
        Weight of each case: several that stem from one curve are not independent.
    """
    shape, n = start.weight.shape, start.weight.size
    anchor = np.r_[start.weight.ravel(), start.width.ravel()]

    def loss(packed: Floats) -> tuple[float, Floats]:
        gate = Gate(packed[:n].reshape(shape), packed[n:].reshape(shape))
        value, by_weight, by_width = _log_likelihood(gate, cases, values, sharing)
        away = (packed - anchor) / _PRIOR_SPREAD
        gradient = np.r_[by_weight.ravel(), by_width.ravel()]
        return -value + 0.5 * float(away @ away), away / _PRIOR_SPREAD - gradient

    found = minimize(loss, anchor, jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS})
    return Gate(found.x[:n].reshape(shape), found.x[n:].reshape(shape))


def _log_likelihood(
    gate: Gate, cases: Cases, values: Floats, sharing: Floats
) -> tuple[float, Floats, Floats]:
    """The sum over cases, and its derivatives by both sets of coefficients."""
    log_weight, width = gate(cases)
    z = np.clip((values[:, None] - cases.mean) / width, -1e6, 1e6)
    parts = log_weight - 0.5 * np.square(z) - np.log(width)
    total = logsumexp(parts, axis=1)
    blame = softmax(parts, axis=1)
    by_logit = (blame - np.exp(log_weight)) * sharing[:, None]
    by_width = blame * (np.square(z) - 1.0) * sharing[:, None]
    by_width[width <= LEAST_WIDTH] = 0.0  # at the floor
    return (
        float(sharing @ total),
        _pulled(by_logit, _safe(cases.score), cases, len(gate.weight)),
        _pulled(by_width, np.log(cases.width), cases, len(gate.width)),
    )


def _linear(coefficients: Floats, own: Floats, features: Floats, kind: Ints) -> Floats:
    rows = coefficients[kind]
    return np.asarray(rows[:, 0] + rows[:, 1] * own + features @ rows[:, 2:].T)


def _pulled(slope: Floats, own: Floats, cases: Cases, n_kinds: int) -> Floats:
    """Derivatives by the coefficients of `_linear`, given those by its result."""
    each = np.column_stack([slope.sum(axis=0), (slope * own).sum(axis=0), slope.T @ cases.features])
    result = np.zeros((n_kinds, each.shape[1]))
    np.add.at(result, cases.kind, each)
    return result


def _safe(score: Floats) -> Floats:
    return np.where(np.isfinite(score), score, 0.0)
