"""Random models' predictions to choose from, for any metric."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from octavo.ensemble import get_metric, metric_names

seeds = st.integers(0, 2**32 - 1)


@st.composite
def libraries(draw):
    """A metric, models' predictions of it, and the truth."""
    task = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    metric = get_metric(draw(st.sampled_from(metric_names(task))), task)
    rng = np.random.default_rng(draw(seeds))
    m, n = draw(st.integers(1, 8)), draw(st.integers(12, 40))
    if task == "regression":
        y = rng.uniform(1, 5, n)
        predictions = np.abs(y + rng.normal(size=(m, n)) * rng.uniform(0, 2, (m, 1))) + 0.1
    else:
        n_classes = 2 if task == "binary" else 3
        y = np.arange(n) % n_classes
        predictions = rng.dirichlet(np.ones(n_classes), (m, n))
        predictions[:, np.arange(n), y] += rng.uniform(0, 1, (m, 1))
        predictions /= predictions.sum(2, keepdims=True)
    weight = draw(st.sampled_from([None, rng.uniform(0.5, 2.0, n)]))
    return metric, predictions, y, weight
