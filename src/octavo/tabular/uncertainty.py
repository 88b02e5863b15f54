"""How much the members of an ensemble disagree, on rows seen and unseen in fitting.

The standard deviation over members, weighted as they are. On validated rows each member speaks
through the one pipeline that did not see the row. On new rows it has a pipeline per fold; the
deviation is taken fold by fold and averaged, so that both are of the same kind: the deviation of
members that are means over folds would be smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.stacked import Scorer

if TYPE_CHECKING:
    import pandas as pd

    from octavo.tabular.model import Member

__all__ = ["deviation", "predicted_numbers"]

Floats = NDArray[np.float64]


def deviation(predictions: NDArray[np.floating], weights: Sequence[float] | Floats) -> Floats:
    """Weighted standard deviation over members, shape (n,), of predictions (m, n).

    Examples
    --------
    >>> deviation(np.array([[1.0, 2.0], [3.0, 2.0]]), [0.5, 0.5])
    array([1., 0.])
    """
    given = np.asarray(predictions, np.float64)
    share = np.asarray(weights, np.float64)
    share = share / share.sum()
    middle = share @ given
    spread: Floats = np.sqrt(np.maximum(share @ (given - middle) ** 2, 0.0))
    return spread


def predicted_numbers(members: Sequence[Member], canonical: pd.DataFrame) -> tuple[Floats, Floats]:
    """The ensemble's predictions and the members' disagreement, both shape (n,).

    Parameters
    ----------
    members
        Of a regression ensemble.
    canonical
        From `Schema.apply`, with at least one row.
    """
    weights = [member.weight for member in members]
    n_folds = max(len(member.pipelines) for member in members)
    total = np.zeros(len(canonical))
    spread = np.zeros(len(canonical))
    score = Scorer([pipeline for one in members for pipeline in one.pipelines], canonical)
    each = [[score(pipeline) for pipeline in one.pipelines] for one in members]
    for weight, predicted in zip(weights, each, strict=True):
        total = total + weight * np.mean(predicted, axis=0)
    for fold in range(n_folds):
        # A member with fewer pipelines (a refitted one has a single one) speaks again.
        spread += deviation(np.stack([one[fold % len(one)] for one in each]), weights) / n_folds
    return total, spread
