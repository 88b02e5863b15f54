"""Whether a table's columns are distributed as those of training.

Column by column: of numbers the Kolmogorov-Smirnov test, of categories the chi-squared test of
homogeneity, each with the share of missing cells as a value of its own; and the population
stability index, sum (p - q) log(p / q) over ten bins of equally many training rows, which says
how much, where a test says how surely. With many columns some differ by chance: p-values are
adjusted by Holm's method (1979, Scand. J. Statist. 6, 65-70), so that with probability 95 % no
column is named in error.

All columns together: how well a classifier tells the rows of one table from those of the other
(a two-sample test by classification; Lopez-Paz & Oquab 2017, ICLR). An area under the ROC curve
of 0.5 means that it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ColumnDrift", "column_drift", "domain_auc", "holm"]

Floats = NDArray[np.float64]

N_BINS = 10
RARE_ROWS = 5  # a value that is expected in fewer rows shares a bin with other such values
SIGNIFICANT = 0.05
N_FOLDS = 3
FEWEST_ROWS = 30
"""Of both tables: fewer tell nothing."""


@dataclass(frozen=True)
class ColumnDrift:
    """How a column differs between two tables.

    Parameters
    ----------
    name
        Of the column.
    psi
        Population stability index; below 0.1 is usually called small, above 0.25 large.
    statistic
        Of numbers the largest distance of the distribution functions; else NaN.
    p_value
        Adjusted for the number of columns.
    """

    name: str
    psi: float
    statistic: float
    p_value: float

    @property
    def has_drifted(self) -> bool:
        """Whether the difference is more than chance."""
        return self.p_value < SIGNIFICANT


def column_drift(train: pd.DataFrame, other: pd.DataFrame) -> tuple[ColumnDrift, ...]:
    """Compare each column of two canonical tables, the most drifted first.

    Parameters
    ----------
    train, other
        The same columns: numbers as floats, dates, categories as pandas' Categorical. Text is
        compared by its length.

    Raises
    ------
    DataError
        If columns differ, or a table has fewer than 30 rows.
    """
    if list(train.columns) != list(other.columns):
        raise DataError(
            f"the tables have different columns: {list(train.columns)[:5]}... and "
            f"{list(other.columns)[:5]}... Bring both into the same form first."
        )
    for frame in (train, other):
        if len(frame) < FEWEST_ROWS:
            raise DataError(
                f"drift cannot be judged on {len(frame)} rows. Give at least {FEWEST_ROWS}."
            )
    found = [_compared(train[name], other[name]) for name in train.columns]
    adjusted = holm([p for _, _, p in found])
    each = [
        ColumnDrift(str(name), psi, statistic, float(p))
        for name, (psi, statistic, _), p in zip(train.columns, found, adjusted, strict=True)
    ]
    return tuple(sorted(each, key=lambda one: (one.p_value, -one.psi)))


def holm(p_values: Sequence[float]) -> Floats:
    """P-values adjusted so that their family-wise error is kept (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    factors = np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def domain_auc(
    train: pd.DataFrame, other: pd.DataFrame, *, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """How well the rows of two tables can be told apart, and a 95 % interval.

    Gradient boosting on at most as many rows of one as of the other, cross-validated; the area
    under the ROC curve with the interval of Hanley & McNeil (1982, Radiology 143, 29-36).

    Parameters
    ----------
    train, other
        As for `column_drift`.
    seed
        Of the folds and the rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    n = min(len(train), len(other))
    rng = np.random.default_rng([seed, 67])
    X = np.concatenate(
        [_matrix(frame.iloc[rng.choice(len(frame), n, replace=False)]) for frame in (train, other)]
    )
    y = np.repeat([0, 1], n)
    score = np.empty(2 * n)
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=seed
    )
    for fit, rest in StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(X, y):
        score[rest] = model.fit(X[fit], y[fit]).predict_proba(X[rest])[:, 1]
    area = float(roc_auc_score(y, score))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (area * (1 - area) + (n - 1) * (q1 + q2 - 2 * area**2)) / n**2
    half = 1.96 * float(np.sqrt(max(spread, 0.0)))
    return area, (max(area - half, 0.0), min(area + half, 1.0))


# Parts -------------------------------------------------------------------------------


def _compared(train: pd.Series, other: pd.Series) -> tuple[float, float, float]:
    """Stability index, KS statistic and p-value of one column."""
    import pandas as pd

    if isinstance(train.dtype, pd.CategoricalDtype):
        a, b = _counted(train.cat.codes.to_numpy(), other.cat.codes.to_numpy())
        return _psi(a, b), float("nan"), _chi_squared(a, b)
    x, z = _numbers(train), _numbers(other)
    if np.array_equal(np.unique(x[np.isfinite(x)]), [0.0, 1.0]):  # truths
        a, b = _counted(np.nan_to_num(x, nan=-1).astype(int), np.nan_to_num(z, nan=-1).astype(int))
        return _psi(a, b), float("nan"), _chi_squared(a, b)
    from scipy.stats import ks_2samp

    known = x[np.isfinite(x)]
    edges = (
        np.unique(np.quantile(known, np.arange(1, N_BINS) / N_BINS)) if len(known) else np.empty(0)
    )
    a, b = _counted(_binned(x, edges), _binned(z, edges))
    psi = _psi(a, b)
    lacks = _chi_squared(*_counted(np.isnan(x).astype(int), np.isnan(z).astype(int)))
    kept = z[np.isfinite(z)]
    if not len(known) or not len(kept):
        return psi, float("nan"), lacks
    tested = ks_2samp(known, kept, method="asymp")
    # Two tests of one column, values and missing cells: the smaller p-value counts twice.
    return psi, float(tested.statistic), min(2 * min(float(tested.pvalue), lacks), 1.0)


def _numbers(column: pd.Series) -> Floats:
    import pandas as pd

    if column.dtype == object:
        return np.array([len(str(text)) for text in column], dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(column):
        found = np.array(column.astype("int64"), dtype=np.float64)
        found[column.isna().to_numpy()] = np.nan
        return found
    return np.array(column, dtype=np.float64)


def _binned(values: Floats, edges: Floats) -> NDArray[np.int64]:
    bins = np.searchsorted(edges, values, "left")
    return np.where(np.isfinite(values), bins, -1)


def _counted(a: NDArray[Any], b: NDArray[Any]) -> tuple[Floats, Floats]:
    """Rows of each value in both tables; rare values together."""
    values = np.unique(np.concatenate([a, b]))
    counts = np.array([[float((each == value).sum()) for value in values] for each in (a, b)])
    expected = counts.sum(axis=0) * min(len(a), len(b)) / (len(a) + len(b))
    rare = expected < RARE_ROWS
    if rare.any() and not rare.all():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    return counts[0], counts[1]


def _psi(a: Floats, b: Floats) -> float:
    # Half a row in each bin, so that an empty one is far off but not infinitely.
    p, q = (a + 0.5) / (a + 0.5).sum(), (b + 0.5) / (b + 0.5).sum()
    return float(((p - q) * np.log(p / q)).sum())


def _chi_squared(a: Floats, b: Floats) -> float:
    from scipy.stats import chi2_contingency

    table = np.stack([a, b])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


def _matrix(frame: pd.DataFrame) -> Floats:
    """Numbers for trees: categories as their codes, which is enough to tell them apart."""
    import pandas as pd

    columns = []
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy(np.float64)
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(_numbers(column))
    return np.column_stack(columns)
