"""Columns made of other columns, kept if they say what boosted trees did not find by themselves.

A tree splits one column at a time: it needs many splits for a difference or a ratio of two
numbers, and cannot say at all how a number compares with others of its category. So candidates
are made of the columns that a quick model uses most, and judged by how much each alone, cut into
bins, explains of what that model leaves unexplained: the gradients of its out-of-fold
predictions. Leaf values are learned on one half of the rows and judged on the other, so that
candidates of many bins or rare categories do not win by chance.

The idea of judging against the residuals of a model (feature boosting), and dropping most
candidates on few rows first, is that of Zhang, Zhang, Fan, Luo, Liu, Liu, Cao & Li (2023), OpenFE:
Automated feature generation with expert-level performance, ICML.

Throughout, a matrix has shape (n, d), NaN where a value is missing; some of its columns are
categories, as codes from 0 on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.tabular.target_encoding import N_FOLDS, target_columns

__all__ = ["GeneratedFeatures", "Made", "fit_generated", "generating_seconds"]

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

MOST_NUMBERS, MOST_CATEGORIES = 12, 6
"""Candidates are made of so many columns, those that the quick model gains most by."""
FEW_ROWS = 4_000
"""Candidates are first judged on so many rows; the better quarter is judged on more."""
MOST_ROWS = 15_000
MOST_OUTPUTS = 6
"""Of many classes, those count of which most is left unexplained."""
N_BINS = 24
_ALIKE = 0.97  # correlation of ranks from which on a candidate says the same as one before
_LEAST_GAIN = 1e-3  # of the residual's own size: below that it is noise, or not worth a column
# How many rows the overall mean counts in that of a category: of the target, and of a number.
_SMOOTHING, _LIGHT_SMOOTHING = 10.0, 1.0
_RIDGE = 1.0

_ARITHMETIC: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "×": np.multiply,
    "/": lambda a, b: np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0),
}


@dataclass(frozen=True)
class Made:
    """How one column is made.

    Parameters
    ----------
    how
        "+", "-", "×" or "/" of two numbers; "mean" of a number among the rows of a category, or
        its "deviation" from that in standard deviations; "count" of the rows of a category or
        of a pair of them; "target": the mean of the target by these, cross-fitted.
    of
        The columns of the matrix: the number first, then the categories.
    """

    how: str
    of: tuple[int, ...]

    @property
    def categories(self) -> tuple[int, ...]:
        """The columns by whose categories it is made; none for arithmetic."""
        if self.how in _ARITHMETIC:
            return ()
        return self.of[1:] if self.how in ("mean", "deviation") else self.of

    def name(self, columns: Sequence[str]) -> str:
        """For people: "height / weight", "price: mean by city"."""
        words = [columns[at] for at in self.of]
        if self.how in _ARITHMETIC:
            return f"{words[0]} {self.how} {words[1]}"
        if self.how in ("mean", "deviation"):
            return f"{words[0]}: {self.how} by {words[1]}"
        return f"{self.how} by {' and '.join(words)}"


@dataclass(frozen=True, eq=False)
class GeneratedFeatures:
    """Makes the columns that were found worth it.

    Parameters
    ----------
    made
        How.
    tables
        For each what was learned: by the code of its category or pair, with the overall value
        last, shape (codes + 1, m); None for arithmetic.
    sizes
        For each the number of codes of its categories; a new or missing one counts as the last.
    """

    made: tuple[Made, ...]
    tables: tuple[Floats | None, ...]
    sizes: tuple[tuple[int, ...], ...]

    def transform(self, matrix: Matrix) -> Matrix:
        """Shape (n, columns), float32: the new columns of new rows."""
        blocks = [
            _values(matrix, made, table, sizes)
            for made, table, sizes in zip(self.made, self.tables, self.sizes, strict=True)
        ]
        if not blocks:
            return np.empty((len(matrix), 0), dtype=np.float32)
        return _as_matrix(np.column_stack(blocks))

    def names(self, columns: Sequence[str]) -> list[str]:
        """Of the new columns; that of a target of several classes once for each."""
        found = []
        for made, table in zip(self.made, self.tables, strict=True):
            n = 1 if made.how != "target" or table is None else table.shape[1]
            name = made.name(columns)
            found += [name] if n == 1 else [f"{name}: {at}" for at in range(n)]
        return found

    def origins(self) -> list[tuple[int, ...]]:
        """The columns that each of the new ones is made of, in the order of `names`."""
        return [
            made.of
            for made, table in zip(self.made, self.tables, strict=True)
            for _ in range(1 if made.how != "target" or table is None else table.shape[1])
        ]


def fit_generated(
    matrix: Matrix,
    y: NDArray[Any],
    categorical: Sequence[int],
    *,
    apart: Sequence[int] = (),
    most: int,
    seed: int,
) -> tuple[GeneratedFeatures, Matrix]:
    """Find out which columns are worth making, and make them for the training rows.

    Parameters
    ----------
    matrix : shape (n, d)
        The columns that there are.
    y : shape (n,)
        Class codes as integers, or numbers as floats.
    categorical
        Columns of `matrix` that hold codes.
    apart
        Columns of which none is made.
    most
        How many columns to make at most.
    seed
        Of the rows on which candidates are judged, and of cross fitting.

    Returns
    -------
    features, made
        For new rows, and the columns of the training rows, shape (n, columns): where the target
        enters, without that of the row itself.
    """
    if len(matrix) < 2 * N_BINS or not matrix.shape[1]:
        none = GeneratedFeatures((), (), ())
        return none, none.transform(matrix)
    rng = np.random.default_rng([seed, 0x6E4])
    rows = _sample(len(matrix), MOST_ROWS, rng)
    gradients, hessians, gains = _residuals(matrix[rows], y[rows], categorical, seed)
    candidates = _candidates(gains, categorical, apart)
    targets = target_columns(y)
    few = np.arange(len(rows)) < FEW_ROWS
    scored: list[tuple[float, Made]] = []
    for made in candidates:
        values = _fitted(matrix[rows[few]], made, targets[rows[few]], seed)[2]
        scored.append((_gain(values, gradients[few], hessians[few]), made))
    scored.sort(key=lambda pair: -pair[0])
    best = [made for gain, made in scored[: max(4 * most, len(scored) // 4)] if gain > 0]
    chosen = _chosen(matrix[rows], best, targets[rows], gradients, hessians, most, seed)
    fitted = [_fitted(matrix, made, targets, seed) for made in chosen]
    features = GeneratedFeatures(
        tuple(chosen),
        tuple(table for table, _, _ in fitted),
        tuple(sizes for _, sizes, _ in fitted),
    )
    if not chosen:
        return features, features.transform(matrix)
    return features, _as_matrix(np.column_stack([values for _, _, values in fitted]))


def generating_seconds(n_rows: int, n_columns: int, n_outputs: int) -> float:
    """About how long `fit_generated` takes on one core of an ordinary machine."""
    used = min(n_rows, MOST_ROWS)
    numbers = min(n_columns, MOST_NUMBERS)
    judging = 6e-4 * numbers * (numbers - 1) * (0.4 + used / MOST_ROWS)
    learning = 1.5e-6 * used * n_columns * (1.0 + 0.1 * min(n_outputs, 10))
    return 0.05 + judging + learning


# Candidates -----------------------------------------------------------------------------


def _candidates(gains: Floats, categorical: Sequence[int], apart: Sequence[int]) -> list[Made]:
    """Everything that may be made of the columns that a model gains most by."""
    order = [int(at) for at in np.argsort(-gains, kind="stable") if at not in set(apart)]
    numbers = [at for at in order if at not in set(categorical)][:MOST_NUMBERS]
    categories = [at for at in order if at in set(categorical)][:MOST_CATEGORIES]
    found = [Made(how, (a, b)) for a, b in combinations(sorted(numbers), 2) for how in _ARITHMETIC]
    found += [Made("/", (b, a)) for a, b in combinations(sorted(numbers), 2)]
    found += [
        Made(how, (a, by)) for by in categories for a in numbers for how in ("mean", "deviation")
    ]
    found += [Made("count", (by,)) for by in categories]
    found += [Made("target", (by,)) for by in categories]
    pairs = list(combinations(sorted(categories), 2))
    found += [Made(how, pair) for pair in pairs for how in ("count", "target")]
    return found


def _fitted(
    matrix: Matrix, made: Made, targets: Floats, seed: int
) -> tuple[Floats | None, tuple[int, ...], Floats]:
    """What a candidate learns from rows, its numbers of codes, and its values on these rows."""
    if made.how in _ARITHMETIC:
        return None, (), _values(matrix, made, None, ())
    sizes = tuple(_n_codes(matrix[:, at]) for at in made.categories)
    codes = _codes(matrix, made.categories, sizes)
    n_codes = int(np.prod([size + 1 for size in sizes]))
    if made.how == "count":
        counts = np.bincount(codes, minlength=n_codes).astype(np.float64)
        table = np.append(counts, 0.0)[:, np.newaxis]
        return table, sizes, _values(matrix, made, table, sizes)
    if made.how == "target":
        table = _means(codes, n_codes, targets)
        folds = np.random.default_rng([seed, 0xF0]).permutation(len(codes)) % N_FOLDS
        values = np.empty(targets.shape)
        for fold in range(N_FOLDS):
            held = folds == fold
            values[held] = _means(codes[~held], n_codes, targets[~held])[codes[held]]
        return table, sizes, values
    numbers = matrix[:, made.of[0]].astype(np.float64)
    known = ~np.isnan(numbers)
    by_code = codes[known], n_codes
    means = _means(*by_code, numbers[known, np.newaxis], _LIGHT_SMOOTHING)
    apart = (numbers[known] - means[codes[known], 0]) ** 2
    spreads = np.sqrt(_means(*by_code, apart[:, np.newaxis], _LIGHT_SMOOTHING))
    table = np.column_stack([means, np.where(spreads > 0, spreads, 1.0)])
    return table, sizes, _values(matrix, made, table, sizes)


def _values(matrix: Matrix, made: Made, table: Floats | None, sizes: tuple[int, ...]) -> Floats:
    """Shape (n,) or (n, m): the new column of some rows."""
    if made.how in _ARITHMETIC:
        a, b = (matrix[:, at].astype(np.float64) for at in made.of)
        with np.errstate(over="ignore", invalid="ignore"):
            return _ARITHMETIC[made.how](a, b)
    assert table is not None
    learned = table[_codes(matrix, made.categories, sizes)]
    if made.how == "target":
        return learned
    if made.how in ("count", "mean"):
        return learned[:, 0]
    return (matrix[:, made.of[0]].astype(np.float64) - learned[:, 0]) / learned[:, 1]


def _n_codes(column: Matrix) -> int:
    known = column[~np.isnan(column)]
    return int(known.max()) + 1 if len(known) else 0


def _codes(matrix: Matrix, by: Sequence[int], sizes: Sequence[int]) -> Rows:
    """One code for the categories of each row; what was never seen counts as missing."""
    codes = np.zeros(len(matrix), dtype=np.int64)
    for at, size in zip(by, sizes, strict=True):
        column = matrix[:, at]
        known = (column >= 0) & (column < size)  # NaN compares as false
        own = np.where(known, column, size).astype(np.int64)
        codes = codes * (size + 1) + own
    return codes


def _means(codes: Rows, n_codes: int, values: Floats, smoothing: float = _SMOOTHING) -> Floats:
    """Shape (n_codes + 1, m): smoothed means by code, the overall mean last."""
    overall = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    counts = np.bincount(codes, minlength=n_codes)[:, np.newaxis]
    sums = np.column_stack(
        [np.bincount(codes, weights=column, minlength=n_codes) for column in values.T]
    )
    return np.vstack([(sums + smoothing * overall) / (counts + smoothing), overall])


# What a model leaves unexplained --------------------------------------------------------


def _residuals(
    matrix: Matrix, y: NDArray[Any], categorical: Sequence[int], seed: int
) -> tuple[Floats, Floats, Floats]:
    """Gradients and hessians of out-of-fold predictions, (n, outputs), and gains by column."""
    import lightgbm

    is_number = y.dtype.kind == "f"
    n_classes = 0 if is_number else int(y.max()) + 1
    kind = "regression" if is_number else "binary" if n_classes <= 2 else "multiclass"
    params = {
        "objective": kind, "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20,
        "num_threads": 1, "seed": seed % 2**31, "deterministic": True, "force_col_wise": True,
        "verbosity": -1, "max_bin": 63,
    }  # fmt: skip
    if kind == "multiclass":
        params["num_class"] = n_classes
    n_rounds = 40 if kind != "multiclass" else max(8, 120 // n_classes)
    target = y.astype(np.float64)
    if is_number:
        spread = float(target.std())
        target = (target - target.mean()) / (spread if spread > 0 else 1.0)
    folds = np.random.default_rng([seed, 0xF1]).permutation(len(y)) % 2
    raw = np.empty((len(y), n_classes if kind == "multiclass" else 1))
    gains = np.zeros(matrix.shape[1])
    for fold in (0, 1):
        held = folds == fold
        train = lightgbm.Dataset(
            matrix[~held], label=target[~held], categorical_feature=list(categorical), params=params
        )
        booster = lightgbm.train(params, train, num_boost_round=n_rounds)
        found = np.asarray(booster.predict(matrix[held], num_threads=1))
        raw[held] = found.reshape(int(held.sum()), -1)
        gains += booster.feature_importance("gain")
    if is_number:
        return raw - target[:, np.newaxis], np.ones_like(raw), gains
    if kind == "binary":
        return raw - target[:, np.newaxis], np.maximum(raw * (1 - raw), 1e-6), gains
    apart = raw - (target[:, np.newaxis] == np.arange(n_classes))
    worst = np.argsort(-(apart**2).sum(axis=0), kind="stable")[:MOST_OUTPUTS]
    raw = raw[:, worst]
    return apart[:, worst], np.maximum(raw * (1 - raw), 1e-6), gains


def _gain(values: Floats, gradients: Floats, hessians: Floats) -> float:
    """By how much a candidate, cut into bins, lowers the loss on rows that it did not learn from.

    As a share of what any leaf of all rows could explain: the squared gradients. Leaf values are
    Newton steps, learned on every second row and judged on the others, and the other way round.
    """
    n_outputs = gradients.shape[1]
    half = np.arange(len(values)) % 2
    best = 0.0
    for column in values.reshape(len(values), -1).T:
        cells = (half * (N_BINS + 1) + _binned(column))[:, np.newaxis] * n_outputs
        places = (cells + np.arange(n_outputs)).ravel()
        shape = (2, N_BINS + 1, n_outputs)
        g, h = (
            np.bincount(places, weights=each.ravel(), minlength=int(np.prod(shape))).reshape(shape)
            for each in (gradients, hessians)
        )
        # The overall shift is no merit of the candidate.
        overall = -g.sum(axis=1, keepdims=True) / (h.sum(axis=1, keepdims=True) + _RIDGE)
        steps = -g / (h + _RIDGE) - overall
        won = -float((g[::-1] * steps + 0.5 * h[::-1] * steps**2).sum())
        best = max(best, won)
    size = float((gradients**2 / hessians).sum()) / 2
    return best / size if size > 0 else 0.0


def _binned(column: Floats) -> Rows:
    """Bins of about equal numbers of rows; the last one holds what is missing."""
    known = np.isfinite(column)
    if not known.any():
        return np.full(len(column), N_BINS)
    edges = np.unique(np.quantile(column[known], np.linspace(0, 1, N_BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, column, side="right")
    return np.where(known, bins, N_BINS).astype(np.int64)


def _chosen(
    matrix: Matrix,
    candidates: Sequence[Made],
    targets: Floats,
    gradients: Floats,
    hessians: Floats,
    most: int,
    seed: int,
) -> list[Made]:
    """The candidates to keep: those that gain most, each saying something of its own."""
    values = [_fitted(matrix, made, targets, seed)[2] for made in candidates]
    gains = [_gain(column, gradients, hessians) for column in values]
    kept: list[Made] = []
    ranks: list[Floats] = []
    for at in np.argsort([-gain for gain in gains], kind="stable"):
        if len(kept) == most or gains[at] < _LEAST_GAIN:
            break
        bins = _binned(values[at].reshape(len(matrix), -1)[:, 0]).astype(np.float64)
        centred = bins - bins.mean()
        length = float(np.linalg.norm(centred))
        if length == 0 or any(abs(float(centred @ other)) > _ALIKE * length for other in ranks):
            continue
        ranks.append(centred / length)
        kept.append(candidates[at])
    return kept


def _sample(n: int, most: int, rng: np.random.Generator) -> Rows:
    """All rows in a random order, or so many of them."""
    return rng.permutation(n)[:most]


def _as_matrix(values: Floats) -> Matrix:
    """As float32; what does not fit into it is missing."""
    limit = float(np.finfo(np.float32).max)
    fits = np.abs(values) <= limit  # False for NaN
    return np.where(fits, values, np.nan).astype(np.float32)
