"""Which rows train and which rows judge: cross-validation or hold-out, for any table.

One function, `plan`, turns what is known about the rows (task, target, groups, time, how
long we have) into index arrays and a sentence that says why. Every class stays in every
training part where that is possible: a class with a single row is always trained on and
never validated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.metrics import Task
from octavo.errors import DataError, SettingError, closest

__all__ = ["STRATEGIES", "Resampling", "plan"]

Ints = NDArray[np.int64]
Fold = tuple[Ints, Ints]

N_FOLDS = 5
VAL_SHARE = 1 / 3
TINY_ROWS = 400
"""Below this, one cross-validation is too noisy to rank models; it is repeated."""
TINY_REPEATS = 2
CV_ROWS_PER_SECOND = 250.0
"""Rows that a five-fold cross-validation may have per second of budget: with more, too few
models would finish. Five folds of LightGBM's default take about 0.5 s per 1,000 rows and
50 columns on one core, and a search wants dozens of models."""
CV_MOST_ROWS = 100_000
"""Above this a hold-out is precise enough: the error of an accuracy of 90 % on a third of
the rows is below 0.2 percentage points."""


@dataclass(frozen=True)
class Resampling:
    """Index arrays for training and validation, and why these.

    Parameters
    ----------
    folds
        Pairs (train, valid) of sorted row indices, disjoint within a pair.
    kind
        "holdout", "cv", "repeated_cv", "group_cv", "time" or "custom".
    why
        One sentence for people.
    n_rows
        Of the whole table.
    """

    folds: tuple[Fold, ...]
    kind: str
    why: str
    n_rows: int

    @property
    def validated(self) -> Ints:
        """Rows that at least one fold validates, sorted."""
        seen = np.zeros(self.n_rows, dtype=bool)
        for _, valid in self.folds:
            seen[valid] = True
        return np.flatnonzero(seen)

    def out_of_fold(self, predictions: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Put the folds' predictions at their rows; NaN where no fold validates.

        Parameters
        ----------
        predictions
            One array per fold, in order, shape (len(valid),) or (len(valid), K). Rows
            validated several times get the mean.

        Returns
        -------
        shape (n_rows,) or (n_rows, K)
        """
        if len(predictions) != len(self.folds):
            raise DataError(
                f"got predictions of {len(predictions)} folds; there are {len(self.folds)}. "
                "Pass one array per fold."
            )
        shape = (self.n_rows, *np.asarray(predictions[0]).shape[1:])
        total, times = np.zeros(shape), np.zeros(self.n_rows)
        for (_, valid), prediction in zip(self.folds, predictions, strict=True):
            total[valid] += prediction
            times[valid] += 1
        times[times == 0] = np.nan
        return total / times.reshape(-1, *[1] * (total.ndim - 1))


# Names of strategies: ours on the right. The long ones are Auto-PyTorch's.
STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    "auto": ("auto", {}),
    "holdout": ("holdout", {}),
    "cv": ("cv", {}),
    "time": ("time", {}),
    "holdout_validation": ("holdout", {"stratify": False}),
    "stratified_holdout_validation": ("holdout", {"stratify": True}),
    "k_fold": ("cv", {}),
    "k_fold_cross_validation": ("cv", {"stratify": False}),
    "stratified_k_fold": ("cv", {"stratify": True}),
    "stratified_k_fold_cross_validation": ("cv", {"stratify": True}),
    "repeated_k_fold": ("repeated_cv", {}),
    "repeated_cv": ("repeated_cv", {}),
    "repeated_k_fold_cross_validation": ("repeated_cv", {"stratify": False}),
    "repeated_stratified_k_fold_cross_validation": ("repeated_cv", {"stratify": True}),
    "shuffle_split": ("shuffle_split", {}),
    "shuffle_split_cross_validation": ("shuffle_split", {"stratify": False}),
    "stratified_shuffle_split_cross_validation": ("shuffle_split", {"stratify": True}),
    "time_series_cross_validation": ("time", {}),
}
_ARGS = ("num_splits", "num_repeats", "val_share", "shuffle", "stratify")


@dataclass(frozen=True)
class _Settings:
    kind: str
    num_splits: int
    num_repeats: int
    val_share: float
    shuffle: bool
    stratify: bool


def plan(
    n_rows: int,
    task: Task,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    time: ArrayLike | None = None,
    strategy: str | Any = "auto",
    args: Mapping[str, Any] | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> Resampling:
    """Choose how models are judged.

    Parameters
    ----------
    n_rows
        Of the training table.
    task
        "binary", "multiclass" or "regression".
    y : shape (n_rows,)
        Encoded classes or numbers.
    groups : shape (n_rows,)
        Rows of one group (a patient, a household) are never on both sides.
    time : shape (n_rows,)
        Anything that sorts; training rows then always lie before the validation rows.
    strategy
        "auto", "holdout", "cv", "repeated_k_fold", "shuffle_split", "time"; Auto-PyTorch's
        names and enum members; an object with scikit-learn's `split(X, y, groups)`; a
        callable `(n_rows, y) -> pairs`; or the pairs (train, valid) themselves.
    args
        `num_splits`, `num_repeats`, `val_share` in (0, 1), `shuffle`, `stratify`.
    time_limit_s
        Budget of the whole search; a short one makes "auto" prefer a hold-out.
    seed
        Same seed, same folds.

    Raises
    ------
    SettingError
        If the strategy or its arguments make no sense.
    DataError
        If there are too few rows or groups, or lengths differ.

    Examples
    --------
    >>> chosen = plan(600, "binary", [0, 1] * 300, seed=1)
    >>> chosen.kind, len(chosen.folds), chosen.why
    ('cv', 5, '5-fold cross-validation: 600 rows are few enough to use each for validation.')
    """
    target = np.asarray(y)
    if n_rows < 2 or target.shape != (n_rows,):
        raise DataError(
            f"the target has shape {target.shape} for {n_rows} rows. Resampling needs at "
            "least 2 rows and one target value per row."
        )
    for name, column in (("groups", groups), ("time", time)):
        if column is not None and np.shape(column) != (n_rows,):
            raise DataError(
                f"{name} has shape {np.shape(column)}; expected one value for each of the "
                f"{n_rows} rows."
            )
    if groups is not None and time is not None:
        raise SettingError(
            "groups and time were both given, but only one can decide the splits. Pass "
            "time alone if rows are predicted for the future, else groups alone."
        )
    name = getattr(strategy, "name", strategy)  # members of an enum
    if not isinstance(name, str):
        return _custom(n_rows, target, groups, strategy, args)
    settings, why = _settings(name, dict(args or {}), n_rows, task, groups, time, time_limit_s)
    if time is not None or settings.kind == "time":
        order = np.arange(n_rows) if time is None else np.asarray(time)
        return _timed(order, settings, n_rows)
    if groups is not None:
        return _grouped(target, np.asarray(groups), task, settings, seed)
    return _plain(target, task, settings, why, seed)


def _settings(
    name: str,
    args: dict[str, Any],
    n_rows: int,
    task: Task,
    groups: Any,
    time: Any,
    time_limit_s: float | None,
) -> tuple[_Settings, str]:
    if name.endswith("no_resampling"):
        raise SettingError(
            f"resampling strategy {name!r} leaves no rows to judge models by. Use 'holdout' "
            "with a small val_share, such as {'val_share': 0.1}."
        )
    if name not in STRATEGIES:
        raise SettingError(
            f"resampling strategy {name!r} is not known.{closest(name, STRATEGIES)} "
            f"Known: {', '.join(STRATEGIES)}; or pass a scikit-learn splitter."
        )
    for key in args:
        if key not in _ARGS:
            raise SettingError(
                f"resampling argument {key!r} is not known.{closest(key, _ARGS)} "
                f"Known: {', '.join(_ARGS)}."
            )
    kind, implied = STRATEGIES[name]
    why = ""
    if kind == "auto":
        kind, why = _choose(n_rows, time_limit_s)
        if "val_share" in args and "num_splits" not in args:
            kind, why = "holdout", "Hold-out, as a val_share was given."
        elif "num_splits" in args and kind == "holdout":
            kind, why = "cv", "Cross-validation, as num_splits was given."
    merged = implied | args
    repeats = merged.get("num_repeats", TINY_REPEATS if kind == "repeated_cv" else 1)
    settings = _Settings(
        kind=kind,
        num_splits=merged.get("num_splits", N_FOLDS),
        num_repeats=repeats,
        val_share=merged.get("val_share", VAL_SHARE),
        shuffle=merged.get("shuffle", True),
        stratify=merged.get("stratify", True),
    )
    if kind == "cv" and settings.num_repeats > 1:
        settings = _Settings(**{**settings.__dict__, "kind": "repeated_cv"})
    _check(settings, merged)
    return settings, why


def _check(settings: _Settings, given: Mapping[str, Any]) -> None:
    for name, low in (("num_splits", 2), ("num_repeats", 1)):
        value = getattr(settings, name)
        allowed = 1 if name == "num_splits" and settings.kind == "shuffle_split" else low
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < allowed:
            raise SettingError(
                f"{name}={value!r} makes no sense for {settings.kind!r}. Pass a whole number "
                f">= {allowed}."
            )
    share = settings.val_share
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise SettingError(
            f"val_share={share!r} must lie strictly between 0 and 1; 0.33 keeps a third of "
            "the rows for validation."
        )
    if given.get("stratify") and not settings.shuffle:
        raise SettingError(
            "stratify=True with shuffle=False contradict each other: classes cannot be "
            "balanced in row order. Leave one of them out."
        )


def _choose(n_rows: int, time_limit_s: float | None) -> tuple[str, str]:
    if n_rows > CV_MOST_ROWS:
        return "holdout", f"Hold-out: {n_rows:,} rows make it precise enough."
    if time_limit_s is not None and n_rows > CV_ROWS_PER_SECOND * time_limit_s:
        return "holdout", (
            f"Hold-out: {time_limit_s:.0f} s are too short to train several folds of "
            f"{n_rows:,} rows for many models."
        )
    if n_rows <= TINY_ROWS:
        return "repeated_cv", (
            f"{N_FOLDS}-fold cross-validation, {TINY_REPEATS} times: with {n_rows:,} rows one "
            "alone is too noisy."
        )
    return "cv", (
        f"{N_FOLDS}-fold cross-validation: {n_rows:,} rows are few enough to use each for "
        "validation."
    )


# Rows that are exchangeable ----------------------------------------------------------


def _plain(
    target: NDArray[Any], task: Task, settings: _Settings, why: str, seed: int
) -> Resampling:
    n_rows = len(target)
    rng = np.random.default_rng([seed, 7])
    n_splits = min(settings.num_splits, n_rows)
    folds: list[Fold] = []
    if settings.kind in ("holdout", "shuffle_split"):
        times = settings.num_splits if settings.kind == "shuffle_split" else 1
        for _ in range(times):
            folds.append(_share(target, task, settings, rng))
        default = {
            "holdout": f"Hold-out: {settings.val_share:.0%} of the rows judge, as asked.",
            "shuffle_split": f"{times} random hold-outs, as asked.",
        }[settings.kind]
    else:
        for _ in range(settings.num_repeats):
            number = _deal(target, task, settings, n_splits, rng)
            for k in range(n_splits):
                valid = np.flatnonzero(number == k)
                if len(valid):
                    folds.append((np.flatnonzero(number != k), valid))
        again = f", {settings.num_repeats} times" if settings.num_repeats > 1 else ""
        default = f"{n_splits}-fold cross-validation{again}, as asked."
    return Resampling(tuple(folds), settings.kind, why or default, n_rows)


def _strata(target: NDArray[Any], task: Task, rng: np.random.Generator, size: int) -> list[Ints]:
    """Rows in lists that each fold should get an equal part of, in random order within.

    Classes are strata. Of a regression, runs of `size` rows in the order of the target: so
    each fold gets one of the largest values, one of the next, and so on.
    """
    if task == "regression":
        order = np.lexsort((rng.random(len(target)), target))
        runs = [order[at : at + size] for at in range(0, len(order), size)]
    else:
        runs = [np.flatnonzero(target == label) for label in np.unique(target)]
    return [rng.permutation(run).astype(np.int64) for run in runs]


def _deal(
    target: NDArray[Any],
    task: Task,
    settings: _Settings,
    n_splits: int,
    rng: np.random.Generator,
) -> Ints:
    """Fold number of each row, as one deals cards; -1 for rows that are only trained on."""
    n_rows = len(target)
    number = np.full(n_rows, -1, dtype=np.int64)
    if not settings.shuffle:
        number[:] = np.arange(n_rows) * n_splits // n_rows
        return _keep_lone_classes(number, target, task)
    if not settings.stratify:
        number[rng.permutation(n_rows)] = np.arange(n_rows) % n_splits
        return _keep_lone_classes(number, target, task)
    at = 0
    for rows in _strata(target, task, rng, n_splits):
        if task != "regression" and len(rows) == 1:
            continue
        # Going on where the last class ended keeps the folds equally large; a class with
        # fewer rows than folds gets different folds for all its rows.
        number[rows] = (at + np.arange(len(rows))) % n_splits
        at += len(rows)
    return number


def _keep_lone_classes(number: Ints, target: NDArray[Any], task: Task) -> Ints:
    """Take rows out of validation whose class would otherwise miss from training."""
    if task == "regression":
        return number
    for label in np.unique(target):
        rows = np.flatnonzero(target == label)
        if len(np.unique(number[rows])) == 1:
            number[rows[: (len(rows) + 1) // 2]] = -1
    return number


def _share(target: NDArray[Any], task: Task, settings: _Settings, rng: np.random.Generator) -> Fold:
    """One hold-out of `val_share` of the rows."""
    n_rows = len(target)
    wanted = min(max(round(settings.val_share * n_rows), 1), n_rows - 1)
    chosen = np.zeros(n_rows, dtype=bool)
    free = np.arange(n_rows)
    if task != "regression":  # the only row of its class is always trained on
        _, code, counts = np.unique(target, return_inverse=True, return_counts=True)
        free = np.flatnonzero(counts[code.reshape(-1)] > 1)
    if not settings.shuffle:
        chosen[free[-wanted:]] = True
    elif not settings.stratify:
        chosen[rng.permutation(free)[:wanted]] = True
    else:
        strata = _strata(target, task, rng, max(round(1 / settings.val_share), 2))
        sizes = np.array([len(rows) for rows in strata])
        exact = sizes * (wanted / n_rows)
        part = np.floor(exact).astype(int)
        most = sizes
        if task != "regression":
            # Each class keeps a row for training, and offers one if it has two.
            most = sizes - 1
            part = np.clip(part, np.minimum(most, 1), most)
        # Largest remainders, so that the parts of all strata add up to `wanted`.
        for at in np.lexsort((rng.random(len(sizes)), part - exact)):
            if part.sum() >= wanted:
                break
            part[at] += part[at] < most[at]
        for rows, count in zip(strata, part, strict=True):
            chosen[rows[:count]] = True
    if task != "regression":
        for label in np.unique(target[chosen]):
            rows = np.flatnonzero(target == label)
            if chosen[rows].all():
                chosen[rows[: (len(rows) + 1) // 2]] = False
    if not chosen.any():
        raise DataError(
            f"no row can be held out: each of the {n_rows} rows is the only one of its class. "
            "Collect at least two rows per class."
        )
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


# Rows that belong together -----------------------------------------------------------


def _grouped(
    target: NDArray[Any], groups: NDArray[Any], task: Task, settings: _Settings, seed: int
) -> Resampling:
    codes = np.unique(groups.astype(str) if groups.dtype == object else groups, return_inverse=True)
    code = codes[1].reshape(-1)
    n_groups = len(codes[0])
    if n_groups < 2:
        raise DataError(
            f"all rows belong to one group ({codes[0][0]!r}), so no group is left to judge "
            "models by. Pass groups with at least two values, or none."
        )
    whole = settings.kind in ("holdout", "shuffle_split")
    wanted = max(round(1 / settings.val_share), 2) if whole else settings.num_splits
    n_splits = min(wanted, n_groups)
    folds: list[Fold] = []
    times = settings.num_splits if settings.kind == "shuffle_split" else settings.num_repeats
    for repeat in range(times):
        number = _deal_groups(target, code, task, settings, n_splits, seed + 7919 * repeat)
        for k in range(1 if whole else n_splits):
            folds.append((np.flatnonzero(number != k), np.flatnonzero(number == k)))
    unit = "a hold-out" if whole else f"{n_splits} folds"
    return Resampling(
        tuple(folds),
        "group_holdout" if whole else "group_cv",
        f"The {n_groups:,} groups are split into {unit}: no group is on both sides.",
        len(target),
    )


def _deal_groups(
    target: NDArray[Any],
    code: Ints,
    task: Task,
    settings: _Settings,
    n_splits: int,
    seed: int,
) -> Ints:
    """Fold number of each row; groups stay whole, folds alike in size and classes.

    Greedy: the most varied groups first, each to the fold where it disturbs least. Among
    ten shuffled orders the one is taken in which the fewest classes miss from a training
    part.
    """
    stratify = task != "regression" and settings.stratify
    classes = np.unique(target, return_inverse=True)[1].reshape(-1)
    if not stratify:
        classes = np.zeros(len(target), dtype=np.int64)
    n_groups, n_classes = int(code.max()) + 1, int(classes.max()) + 1
    counts = np.zeros((n_groups, n_classes))
    np.add.at(counts, (code, classes), 1)
    totals = counts.sum(0)
    best: tuple[int, float, Ints] | None = None
    for attempt in range(10):
        rng = np.random.default_rng([seed, attempt, 11])
        spread = np.round(counts.std(1) + counts.sum(1), 9)
        order = np.lexsort((rng.random(n_groups), -spread))
        fold = np.empty(n_groups, dtype=np.int64)
        filled = np.zeros((n_splits, n_classes))
        for group in order:
            # Sum of squares after adding: lowest where the fold lacks these classes.
            after = ((filled + counts[group]) / totals) ** 2 - (filled / totals) ** 2
            rows = filled.sum(1)
            choice = np.lexsort((rng.random(n_splits), rows, after.sum(1).round(12)))[0]
            fold[group] = choice
            filled[choice] += counts[group]
        missing = int(((filled == totals) & (totals > 0)).sum()) if stratify else 0
        empty = int((filled.sum(1) == 0).sum())
        uneven = float(((filled / totals - 1 / n_splits) ** 2).sum())
        if best is None or (missing + 1000 * empty, uneven) < best[:2]:
            best = (missing + 1000 * empty, uneven, fold)
    assert best is not None
    return best[2][code]


# Rows in time ------------------------------------------------------------------------


def _timed(time: NDArray[Any], settings: _Settings, n_rows: int) -> Resampling:
    """Expanding windows: train on all that lies before, validate on what follows."""
    order = np.argsort(time, kind="stable")
    moments = time[order]
    starts = np.flatnonzero(np.append(True, moments[1:] != moments[:-1]))[1:]
    if not len(starts):
        raise DataError(
            f"all {n_rows} rows have the same time ({moments[0]!r}), so none lies before "
            "another. Pass a time column that varies, or none."
        )
    if settings.kind in ("holdout", "shuffle_split"):
        wanted = [round((1 - settings.val_share) * n_rows), n_rows]
    else:
        parts = settings.num_splits + 1
        wanted = [round(k * n_rows / parts) for k in range(1, parts + 1)]
    # A cut falls between two moments: rows of the same moment stay on one side.
    ends = np.append(starts, n_rows)
    cuts = [int(starts[np.abs(starts - wanted[0]).argmin()])]
    for cut in wanted[1:]:
        later = ends[ends > cuts[-1]]
        if len(later):
            cuts.append(int(later[np.abs(later - cut).argmin()]))
    cuts[-1] = n_rows
    folds = [(np.sort(order[:a]), np.sort(order[a:b])) for a, b in pairwise(cuts)]
    return Resampling(
        tuple(folds),
        "time",
        f"Rows are ordered in time: {len(folds)} times the past predicts what follows.",
        n_rows,
    )


# The user's own ----------------------------------------------------------------------


def _custom(
    n_rows: int,
    target: NDArray[Any],
    groups: Any,
    strategy: Any,
    args: Mapping[str, Any] | None,
) -> Resampling:
    if args:
        raise SettingError(
            f"resampling arguments {sorted(args)} were given beside {strategy!r}, which "
            "would ignore them. Set them on the splitter itself."
        )
    pairs: Iterable[Any]
    label = type(strategy).__name__
    if hasattr(strategy, "split"):
        pairs = strategy.split(np.zeros((n_rows, 1)), target, groups)
    elif callable(strategy):
        function: Callable[..., Iterable[Any]] = strategy
        pairs, label = function(n_rows, target), getattr(strategy, "__name__", label)
    elif isinstance(strategy, Iterable):
        pairs = strategy
    else:
        raise SettingError(
            f"resampling strategy {strategy!r} is a {label}. Pass a name such as 'cv', a "
            "scikit-learn splitter, a callable (n_rows, y), or pairs (train, valid)."
        )
    folds = tuple(_checked(pair, n_rows, at) for at, pair in enumerate(pairs))
    if not folds:
        raise SettingError(
            f"the resampling strategy {label} gave no folds. It must give at least one pair "
            "(train, valid) of row indices."
        )
    return Resampling(folds, "custom", f"{len(folds)} folds from {label}, as asked.", n_rows)


def _checked(pair: Any, n_rows: int, at: int) -> Fold:
    try:
        train, valid = (np.unique(np.asarray(part)) for part in pair)
    except (TypeError, ValueError):
        raise SettingError(
            f"fold {at} of the resampling strategy is {pair!r:.80}; expected a pair of index "
            "arrays (train, valid)."
        ) from None
    for part, rows in (("train", train), ("valid", valid)):
        if not len(rows) or rows.dtype.kind not in "iu" or rows[0] < 0 or rows[-1] >= n_rows:
            shown = f"{rows[0]!r} to {rows[-1]!r}" if len(rows) else "nothing"
            raise SettingError(
                f"fold {at} of the resampling strategy has {shown} as its {part} rows; "
                f"expected whole numbers from 0 to {n_rows - 1}."
            )
    shared = np.intersect1d(train, valid)
    if len(shared):
        raise SettingError(
            f"fold {at} of the resampling strategy trains and validates on the same "
            f"{len(shared)} rows, such as row {shared[0]}. The two must be disjoint."
        )
    return train.astype(np.int64), valid.astype(np.int64)
