"""Densities around points: against the definition, and their integrals."""

import numpy as np
from hypothesis import given, strategies as st
from scipy.stats import truncnorm

from octavo.numerics.kernels import log_kernels


@given(seed=st.integers(0, 10**6))
def test_they_are_products_over_the_columns_that_both_have(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d, m, n = int(rng.integers(1, 6)), 4, 5
    n_choices = np.where(rng.random(d) < 0.5, rng.integers(2, 5, d), 0)
    widths, spill = rng.uniform(0.01, 1.0, d), rng.uniform(1e-4, 1.0, d)

    def drawn(rows: int) -> np.ndarray:
        codes = (rng.integers(0, np.maximum(n_choices, 1), (rows, d)) + 0.5) / np.maximum(
            n_choices, 1
        )
        values = np.where(n_choices > 0, codes, rng.random((rows, d)))
        return np.where(rng.random((rows, d)) < 0.2, np.nan, values)

    values, centres = drawn(m), drawn(n)
    expected = np.zeros((m, n))
    for i, k in np.ndindex(m, n):
        for j in range(d):
            x, c, w = values[i, j], centres[k, j], widths[j]
            if np.isnan(x) or np.isnan(c):
                continue
            if n_choices[j]:
                weight = spill[j] + (x == c)
                expected[i, k] += np.log(n_choices[j] * weight / (1 + n_choices[j] * spill[j]))
            else:
                expected[i, k] += truncnorm.logpdf(x, -c / w, (1 - c) / w, loc=c, scale=w)
    found = log_kernels(values, centres, n_choices, widths, spill)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_without_columns_every_density_is_uniform() -> None:
    nothing, no_widths = np.empty((2, 0)), np.empty(0)
    found = log_kernels(nothing, nothing, np.empty(0, dtype=np.int64), no_widths, no_widths)
    np.testing.assert_array_equal(found, np.zeros((2, 2)))
