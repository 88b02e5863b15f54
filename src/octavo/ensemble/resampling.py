"""Which rows train and which rows judge: cross-validation or hold-out, for any table.

One function, `plan`, turns what is known about the rows (task, target, groups, time, how
long we have) into index arrays and a sentence that says why. Every class stays in every
training part where that is possible: a class with a single row is always trained on and
never validated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.metrics import Task
from octavo.ensemble.splits import Fold, Resampling, Settings, grouped, plain, timed
from octavo.errors import DataError, SettingError, closest

__all__ = ["STRATEGIES", "Resampling", "plan"]

N_FOLDS = 5
VAL_SHARE = 1 / 3
TINY_ROWS = 400
"""Below this, one cross-validation is too noisy to rank models; it is repeated."""
TINY_REPEATS = 2
CV_ROWS_PER_SECOND = 250.0
"""Rows that a five-fold cross-validation may have per second of budget: with more, too few
models would finish. Five folds of LightGBM's default take about 0.5 s per 1,000 rows and
50 columns on one core, and a search wants dozens of models."""
CV_CLASSES = 4
"""Boosting grows a tree for each class, so rows of more classes count for as many times more."""
CV_MOST_ROWS = 100_000
"""Above this a hold-out is precise enough: the error of an accuracy of 90 % on a tenth of
the rows is below 0.3 percentage points."""
JUDGES, MOST_JUDGES = 3_000, 100_000
"""Unless told otherwise a hold-out takes a third of the rows; of larger tables `JUDGES` rows, or a
tenth if that is more, up to `MOST_JUDGES`. What is held out is lost to the models."""


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
    n_classes = 0 if task == "regression" or not n_rows else int(np.max(target)) + 1
    settings, why = _settings(
        name, dict(args or {}), n_rows, task, groups, time, time_limit_s, n_classes
    )
    if (args or {}).get("num_splits", 0) > n_rows and settings.kind != "shuffle_split":
        raise SettingError(
            f"num_splits={settings.num_splits!r} folds cannot be made of {n_rows} rows: each "
            f"needs a row to validate on. Pass at most {n_rows}, such as {min(N_FOLDS, n_rows)}."
        )
    if time is not None or settings.kind == "time":
        order = np.arange(n_rows) if time is None else np.asarray(time)
        return timed(order, settings, n_rows)
    if groups is not None:
        return grouped(target, np.asarray(groups), task, settings, seed)
    return plain(target, task, settings, why, seed)


def _settings(
    name: str,
    args: dict[str, Any],
    n_rows: int,
    task: Task,
    groups: Any,
    time: Any,
    time_limit_s: float | None,
    n_classes: int,
) -> tuple[Settings, str]:
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
        kind, why = _choose(n_rows, n_classes, time_limit_s)
        if "val_share" in args and "num_splits" not in args:
            kind, why = "holdout", "Hold-out, as a val_share was given."
        elif "num_splits" in args and kind == "holdout":
            kind, why = "cv", "Cross-validation, as num_splits was given."
    merged = implied | args
    repeats = merged.get("num_repeats", TINY_REPEATS if kind == "repeated_cv" else 1)
    settings = Settings(
        kind=kind,
        num_splits=merged.get("num_splits", N_FOLDS),
        num_repeats=repeats,
        val_share=merged.get("val_share", _val_share(n_rows) if name == "auto" else VAL_SHARE),
        shuffle=merged.get("shuffle", True),
        stratify=merged.get("stratify", True),
    )
    if kind == "cv" and settings.num_repeats > 1:
        settings = Settings(**{**settings.__dict__, "kind": "repeated_cv"})
    _check(settings, merged)
    return settings, why


def _check(settings: Settings, given: Mapping[str, Any]) -> None:
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


def _choose(n_rows: int, n_classes: int, time_limit_s: float | None) -> tuple[str, str]:
    if n_rows > CV_MOST_ROWS:
        return "holdout", f"Hold-out: {n_rows:,} rows make it precise enough."
    work = n_rows * max(1.0, n_classes / CV_CLASSES)
    if time_limit_s is not None and work > CV_ROWS_PER_SECOND * time_limit_s:
        of_classes = f" of {n_classes} classes" if n_classes > CV_CLASSES else ""
        return "holdout", (
            f"Hold-out: {time_limit_s:.0f} s are too short to train several folds of "
            f"{n_rows:,} rows{of_classes} for many models."
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


def _val_share(n_rows: int) -> float:
    """The share of the rows that a hold-out takes by itself.

    Examples
    --------
    >>> [round(_val_share(n), 3) for n in (3_000, 20_000, 500_000, 10_000_000)]
    [0.333, 0.15, 0.1, 0.01]
    """
    return min(VAL_SHARE, max(0.1, JUDGES / n_rows), MOST_JUDGES / n_rows)


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
            f"resampling strategy {strategy!r} is of type {label}. Pass a name such as 'cv', a "
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
            "arrays. Write each fold as (train_rows, valid_rows)."
        ) from None
    for part, rows in (("train", train), ("valid", valid)):
        if not len(rows) or rows.dtype.kind not in "iu" or rows[0] < 0 or rows[-1] >= n_rows:
            shown = f"{rows[0]} to {rows[-1]}" if len(rows) else "nothing"
            raise SettingError(
                f"fold {at} of the resampling strategy has {shown} as its {part} rows; "
                f"expected whole numbers from 0 to {n_rows - 1}. Pass positions, not labels."
            )
    shared = np.intersect1d(train, valid)
    if len(shared):
        raise SettingError(
            f"fold {at} of the resampling strategy trains and validates on the same "
            f"{len(shared)} rows, such as row {shared[0]}. The two must be disjoint: "
            "leave these rows out of one of them."
        )
    return train.astype(np.int64), valid.astype(np.int64)
