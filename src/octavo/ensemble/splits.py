"""How rows are dealt into folds: exchangeable ones, groups, and rows in time.

The three functions are the inside of `octavo.ensemble.plan`. Every class stays in every
training part where that is possible: a class with a single row is always trained on and
never validated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ensemble.metrics import Task
from octavo.errors import DataError

__all__ = ["Fold", "Resampling", "Settings", "grouped", "plain", "timed"]

Ints = NDArray[np.int64]
Fold = tuple[Ints, Ints]


@dataclass(frozen=True)
class Resampling:
    """Index arrays for training and validation, and why these.

    Parameters
    ----------
    folds
        Pairs (train, valid) of sorted row indices, disjoint within a pair.
    kind
        "holdout", "shuffle_split", "cv", "repeated_cv", "group_holdout", "group_cv", "time" or
        "custom".
    why
        One sentence for people.
    n_rows
        Of the whole table.
    in_time : shape (n_rows,)
        Rows in their order in time, where the past predicts the future; else None.
    """

    folds: tuple[Fold, ...]
    kind: str
    why: str
    n_rows: int
    in_time: Ints | None = None

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


@dataclass(frozen=True)
class Settings:
    """What was asked for, with every default filled in (see `plan`)."""

    kind: str
    num_splits: int
    num_repeats: int
    val_share: float
    shuffle: bool
    stratify: bool


# Rows that are exchangeable ----------------------------------------------------------


def plain(target: NDArray[Any], task: Task, settings: Settings, why: str, seed: int) -> Resampling:
    """Exchangeable rows: cross-validation, once or repeated, or one or more hold-outs."""
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
    settings: Settings,
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


def _share(target: NDArray[Any], task: Task, settings: Settings, rng: np.random.Generator) -> Fold:
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


def grouped(
    target: NDArray[Any], groups: NDArray[Any], task: Task, settings: Settings, seed: int
) -> Resampling:
    """Whole groups in each fold; the first fold alone for a hold-out."""
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
    settings: Settings,
    n_splits: int,
    seed: int,
) -> Ints:
    """Fold number of each row; groups stay whole, folds alike in size and classes.

    Greedy: the most varied groups first, each to the fold where it disturbs least. Up to
    ten shuffled orders are tried, until no class misses from a training part.
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
        if missing + empty == 0:
            break
    assert best is not None
    return best[2][code]


# Rows in time ------------------------------------------------------------------------


def timed(time: NDArray[Any], settings: Settings, n_rows: int) -> Resampling:
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
        order,
    )
