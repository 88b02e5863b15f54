"""Fairness gaps: by how much decisions differ between the groups of a sensitive column.

- demographic parity: the share of rows that get the favourable answer is the same in all groups;
- equalized odds: so are the shares among rows whose truth is favourable (true positives) and
  among the others (false positives) (Hardt, Price & Srebro 2016, Equality of Opportunity in
  Supervised Learning, NeurIPS 29);
- equal opportunity: of these two, true positives alone.

A gap is the largest difference between any two groups, from 0 (none) to 1; of equalized odds the
larger one of its two. The favourable answer is class 1 of two; with more classes, a gap is the
largest over each class against the rest. A largest difference of noisy shares is biased upwards:
the more and the smaller the groups, the more of a gap is noise. Hence the intervals (percentile
bootstrap over rows), and hence groups too small to be judged are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import DataError, SettingError, closest

__all__ = [
    "GAPS",
    "Fairness",
    "Gap",
    "GroupRow",
    "Groups",
    "Interval",
    "fairness",
    "fairness_gap",
    "group_tables",
    "table_gap",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GAPS: dict[str, tuple[str, ...]] = {
    "demographic_parity": ("selection",),
    "equalized_odds": ("true positive", "false positive"),
    "equal_opportunity": ("true positive",),
}
"""Names of gaps, and the rates that they compare."""
SMALL = 30
"""A group with fewer rows than this is put together with other small ones."""
OTHERS = "(small groups)"


@dataclass(frozen=True)
class Groups:
    """To which group each row belongs.

    Parameters
    ----------
    names
        Of the groups.
    codes : shape (n,)
        Positions in `names`; -1 for rows that are not judged.
    notes
        Sentences on groups that were put together or left out.
    """

    names: tuple[str, ...]
    codes: Ints
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, labels: Sequence[str] | NDArray[np.object_], *, least: int = SMALL) -> Groups:
        """Groups of rows with the same label.

        Parameters
        ----------
        labels : shape (n,)
            In words.
        least
            Groups with fewer rows are put together; if they have too few even so, they are left
            out.

        Examples
        --------
        >>> Groups.of(["a"] * 40 + ["b"] * 50 + ["c"] * 20 + ["d"] * 15).names
        ('a', 'b', '(small groups)')
        """
        names, codes, counts = np.unique(
            np.asarray(labels, dtype=str), return_inverse=True, return_counts=True
        )
        small = counts < least
        kept = [str(name) for name in names[~small]]
        place = np.full(len(names), -1, dtype=np.int64)
        place[~small] = np.arange(len(kept))
        notes = []
        n_small = int(counts[small].sum())
        told = ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True))
        if small.any():
            few = ", ".join(
                f"{name} ({n})" for name, n in zip(names[small], counts[small], strict=True)
            )
            if n_small >= least:
                place[small] = len(kept)
                kept.append(OTHERS)
                notes.append(f"Groups with fewer than {least} rows are taken together: {few}.")
            else:
                notes.append(f"Too few rows to be judged ({n_small} in all): {few}.")
        if len(kept) < 2:
            raise DataError(
                f"fewer than two groups have at least {least} rows ({told}), so nothing can be "
                "compared. Name another sensitive column, or none."
            )
        return cls(tuple(kept), place[codes], tuple(notes))

    def take(self, rows: NDArray[np.int64]) -> Groups:
        """The groups of some rows."""
        return Groups(self.names, self.codes[rows], self.notes)


@dataclass(frozen=True)
class Interval:
    """A measured share or difference with its 95 % interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupRow:
    """How a model treats one group.

    Parameters
    ----------
    name, n_rows
        Of the group.
    base
        Share of its rows whose truth is favourable (two classes).
    accuracy
        Share of right decisions.
    selection, true_positive, false_positive
        Shares of favourable decisions: among all, among rows whose truth is favourable, among
        the others (two classes; None for more).
    """

    name: str
    n_rows: int
    base: float | None
    accuracy: Interval
    selection: Interval | None = None
    true_positive: Interval | None = None
    false_positive: Interval | None = None


@dataclass(frozen=True)
class Gap:
    """A fairness gap with its interval."""

    name: str
    gap: Interval


@dataclass(frozen=True)
class Fairness:
    """What was found for one sensitive column."""

    column: str
    groups: tuple[GroupRow, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...] = ()


def group_tables(
    y_true: ArrayLike,
    labels: ArrayLike,
    groups: Groups,
    n_classes: int,
    sample_weight: ArrayLike | None = None,
) -> Floats:
    """Confusion matrices by group, shape (G, K, K): rows are true classes, columns decisions."""
    y, decided = np.asarray(y_true, np.int64), np.asarray(labels, np.int64)
    if not y.shape == decided.shape == groups.codes.shape:
        raise DataError(
            f"got {len(y)} true classes, {len(decided)} decisions and the groups of "
            f"{len(groups.codes)} rows. Pass as many of each."
        )
    judged = groups.codes >= 0
    cells = ((groups.codes * n_classes + y) * n_classes + decided)[judged]
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)[judged]
    n_cells = len(groups.names) * n_classes**2
    counts = np.bincount(cells, weight, n_cells).astype(np.float64)
    return counts.reshape(len(groups.names), n_classes, n_classes)


def table_gap(tables: Floats, name: str) -> Floats:
    """The gap behind confusion matrices by group.

    Parameters
    ----------
    tables : shape (..., G, K, K)
    name
        One of `GAPS`.

    Returns
    -------
    shape (...,)
        NaN where fewer than two groups have a defined rate.
    """
    gaps = []
    for rate in _known(name):
        rates = _rates(tables, rate)  # (..., G, k)
        counted = np.isfinite(rates).sum(axis=-2)
        high = np.where(np.isfinite(rates), rates, -np.inf).max(axis=-2)
        low = np.where(np.isfinite(rates), rates, np.inf).min(axis=-2)
        gaps.append(np.where(counted >= 2, high - low, np.nan))
    each = np.concatenate(gaps, axis=-1)
    known = np.isfinite(each)
    found: Floats = np.where(
        known.any(axis=-1), np.where(known, each, -np.inf).max(axis=-1), np.nan
    )
    return found


def fairness_gap(
    name: str,
    y_true: ArrayLike,
    labels: ArrayLike,
    groups: Groups,
    *,
    n_classes: int = 2,
    sample_weight: ArrayLike | None = None,
) -> float:
    """One gap of some decisions.

    Parameters
    ----------
    name
        "demographic_parity", "equalized_odds" or "equal_opportunity".
    y_true, labels : shape (n,)
        Encoded classes: the truth and what was decided.
    groups
        Of the rows.
    n_classes
        K.
    sample_weight : shape (n,)
        Of the rows.

    Examples
    --------
    >>> groups = Groups.of(["a"] * 4 + ["b"] * 4, least=1)
    >>> fairness_gap("demographic_parity", [0] * 8, [1, 1, 1, 0, 1, 0, 0, 0], groups)
    0.5
    """
    return float(table_gap(group_tables(y_true, labels, groups, n_classes, sample_weight), name))


def fairness(
    column: str,
    y_true: ArrayLike,
    labels: ArrayLike,
    groups: Groups,
    *,
    n_classes: int = 2,
    sample_weight: ArrayLike | None = None,
    level: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
) -> Fairness:
    """Rates of each group and all gaps, with bootstrap intervals.

    Parameters
    ----------
    column
        Name of the sensitive column.
    y_true, labels : shape (n,)
        Encoded classes: the truth and what was decided.
    groups
        Of the rows.
    n_classes
        K.
    sample_weight : shape (n,)
        Of the rows.
    level, repeats, seed
        Of the bootstrap.
    """
    y, decided = np.asarray(y_true, np.int64), np.asarray(labels, np.int64)
    tables = group_tables(y, decided, groups, n_classes, sample_weight)
    drawn = _resampled(y, decided, groups, n_classes, sample_weight, repeats, seed)

    def interval(value: Floats, draws: Floats) -> Interval:
        finite = draws[np.isfinite(draws)]
        if not len(finite) or not np.isfinite(value):
            return Interval(float("nan"), float("nan"), float("nan"))
        low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
        return Interval(float(value), float(low), float(high))

    right, right_drawn = _accuracy(tables), _accuracy(drawn)
    counts = np.bincount(groups.codes[groups.codes >= 0], minlength=len(groups.names))
    rows = []
    for g, name in enumerate(groups.names):
        rates = {}
        if n_classes == 2:
            for rate in ("selection", "true positive", "false positive"):
                own, draws = _rates(tables, rate)[g, 0], _rates(drawn, rate)[:, g, 0]
                rates[rate.replace(" ", "_")] = interval(own, draws)
        share = float(tables[g, 1].sum() / max(tables[g].sum(), 1e-300)) if n_classes == 2 else None
        rows.append(
            GroupRow(
                name=name,
                n_rows=int(counts[g]),
                base=share,
                accuracy=interval(right[g], right_drawn[:, g]),
                **rates,
            )
        )
    gaps = tuple(
        Gap(name, interval(table_gap(tables, name), table_gap(drawn, name))) for name in GAPS
    )
    return Fairness(column, tuple(rows), gaps, groups.notes)


# Parts -------------------------------------------------------------------------------


def _known(name: str) -> tuple[str, ...]:
    if name not in GAPS:
        raise SettingError(
            f"{name!r} is no fairness gap.{closest(name, GAPS)} Use one of: {', '.join(GAPS)}."
        )
    return GAPS[name]


def _rates(tables: Floats, rate: str) -> Floats:
    """Shape (..., G, k): of class 1 of two, or of each class; NaN where no row counts."""
    n_classes = tables.shape[-1]
    classes = [1] if n_classes == 2 else list(range(n_classes))
    selected = tables[..., classes].sum(axis=-2)
    hits = np.stack([tables[..., k, k] for k in classes], axis=-1)
    total = tables.sum(axis=(-2, -1))[..., np.newaxis]
    true = np.stack([tables[..., k, :].sum(axis=-1) for k in classes], axis=-1)
    above, below = {
        "selection": (selected, np.broadcast_to(total, selected.shape)),
        "true positive": (hits, true),
        "false positive": (selected - hits, total - true),
    }[rate]
    out: Floats = np.full(above.shape, np.nan)
    return np.divide(above, below, out=out, where=below > 0)


def _accuracy(tables: Floats) -> Floats:
    total = tables.sum(axis=(-2, -1))
    out: Floats = np.full(total.shape, np.nan)
    return np.divide(np.trace(tables, axis1=-2, axis2=-1), total, out=out, where=total > 0)


def _resampled(
    y: Ints,
    decided: Ints,
    groups: Groups,
    n_classes: int,
    sample_weight: ArrayLike | None,
    repeats: int,
    seed: int,
) -> Floats:
    """Tables of resampled rows, shape (repeats, G, K, K)."""
    rng = np.random.default_rng([seed, 43])
    if sample_weight is None:
        # Rows of one cell are alike: resampling rows is one draw of all counts together.
        counts = group_tables(y, decided, groups, n_classes)
        n = int(counts.sum())
        drawn = rng.multinomial(n, counts.ravel() / max(n, 1), size=repeats)
        tables: Floats = drawn.reshape(repeats, *counts.shape).astype(np.float64)
        return tables
    weight = np.asarray(sample_weight, np.float64)
    rows = [rng.integers(len(y), size=len(y)) for _ in range(min(repeats, 300))]
    return np.stack(
        [group_tables(y[r], decided[r], groups.take(r), n_classes, weight[r]) for r in rows]
    )
