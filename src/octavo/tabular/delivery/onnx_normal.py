"""Interpolation and normal scores in ONNX, which has neither.

Wichura (1988), Algorithm AS 241: The Percentage Points of the Normal Distribution, Applied
Statistics 37, 477-484: a ratio of polynomials near the middle and another one in the tails,
right to 16 digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.delivery.onnx_graph import Graph

__all__ = ["interpolated", "normal_scores"]

Floats = NDArray[np.float64]

EDGE = 1e-4
"""Ranks are kept this far from 0 and 1, as in `octavo.tabular.number_encoding`."""
# Of each polynomial the coefficients, the constant first: the middle's, then the tails'.
A = (
    *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3),
    *(1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4),
    *(3.3430575583588128105e4, 2.5090809287301226727e3),
)
B = (
    *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
    *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4),
    5.2264952788528545610e3,
)
C = (
    *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0),
    *(3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1),
    *(2.27238449892691845833e-2, 7.74545014278341407640e-4),
)
D = (
    *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
    *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4),
    1.05075007164441684324e-9,
)


def normal_scores(graph: Graph, x: str, grid: Floats) -> str:
    """Ranks within a grid of quantiles as normal scores, for a column of shape (rows, 1)."""
    ranks = interpolated(graph, x, grid, np.linspace(0, 1, len(grid)))
    low, high = graph.constant(np.array(EDGE)), graph.constant(np.array(1 - EDGE))
    scores = _percentage_points(graph, graph.add("Clip", ranks, low, high))
    return graph.add("Where", graph.add("IsNaN", x), x, scores)


def interpolated(graph: Graph, x: str, knots: Floats, values: Floats) -> str:
    """`numpy.interp(x, knots, values)` for a column; half of the way at a vertical step.

    It is the sum of what each segment between two knots adds.
    """
    widths, rises = np.diff(knots), np.diff(values)
    is_step = widths <= 0
    total = graph.constant(np.array([[values[0]]]))
    slopes = ~is_step
    if slopes.any():
        gone = graph.add("Sub", x, graph.constant(knots[:-1][slopes]))
        share = graph.add("Div", gone, graph.constant(widths[slopes]))
        zero, one = graph.constant(np.array(0.0)), graph.constant(np.array(1.0))
        share = graph.add("Clip", share, zero, one)
        risen = graph.add("MatMul", share, graph.constant(rises[slopes][:, np.newaxis]))
        total = graph.add("Add", risen, total)
    if is_step.any():
        at = graph.constant(knots[:-1][is_step])
        half = graph.constant(rises[is_step][:, np.newaxis] / 2)
        for comparison in ("Greater", "GreaterOrEqual"):
            above = graph.cast(graph.add(comparison, x, at), np.float64)
            total = graph.add("Add", graph.add("MatMul", above, half), total)
    return total


def _percentage_points(graph: Graph, p: str) -> str:
    half = graph.constant(np.array(0.5))
    q = graph.add("Sub", p, half)
    r = graph.add("Sub", graph.constant(np.array(0.180625)), graph.add("Mul", q, q))
    middle = graph.add(
        "Mul", q, graph.add("Div", _polynomial(graph, r, A), _polynomial(graph, r, B))
    )
    smaller = graph.add("Min", p, graph.add("Sub", graph.constant(np.array(1.0)), p))
    root = graph.add("Sqrt", graph.add("Neg", graph.add("Log", smaller)))
    s = graph.add("Sub", root, graph.constant(np.array(1.6)))
    tail = graph.add("Div", _polynomial(graph, s, C), _polynomial(graph, s, D))
    tail = graph.add("Mul", tail, graph.add("Sign", q))
    is_middle = graph.add("LessOrEqual", graph.add("Abs", q), graph.constant(np.array(0.425)))
    return graph.add("Where", is_middle, middle, tail)


def _polynomial(graph: Graph, x: str, coefficients: tuple[float, ...]) -> str:
    """By Horner's scheme."""
    total = graph.constant(np.array(coefficients[-1]))
    for coefficient in reversed(coefficients[:-1]):
        total = graph.add("Add", graph.add("Mul", total, x), graph.constant(np.array(coefficient)))
    return total
