"""How a model's score falls when its columns are not as in training.

Each disturbance alters copies of the same rows in one way, with a stated strength: noise of a
share of each number's standard deviation, missing cells, and categories that change to others
(rare ones, or ones that were never seen). Averages over several draws; the rows' truths stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.ensemble.metrics import Metric
from octavo.errors import SettingError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DISTURBANCES", "Disturbed", "disturb", "robustness"]

Floats = NDArray[np.float64]
Kind = Literal["noise", "missing", "rare", "unseen"]

DISTURBANCES: tuple[tuple[Kind, float], ...] = (
    ("noise", 0.1),
    ("noise", 0.3),
    ("missing", 0.1),
    ("missing", 0.3),
    ("rare", 0.1),
    ("unseen", 0.1),
)
"""Kinds and strengths that are measured by default."""
_TEXT = {
    "noise": "numbers with noise of {:.0%} of their standard deviation",
    "missing": "{:.0%} of all cells missing",
    "rare": "{:.0%} of categories replaced by the rarest tenth",
    "unseen": "{:.0%} of categories never seen before",
}
RARE = 0.1


@dataclass(frozen=True)
class Disturbed:
    """A model's score on disturbed rows.

    Parameters
    ----------
    kind, strength
        What was done: noise in standard deviations, else a share of cells.
    score
        Mean over draws, in the user's direction.
    change
        Score minus that of the undisturbed rows.
    """

    kind: str
    strength: float
    score: float
    change: float

    def describe(self) -> str:
        """In words, what was done."""
        return _TEXT[self.kind].format(self.strength)


def disturb(
    table: pd.DataFrame, kind: Kind, strength: float, rng: np.random.Generator
) -> pd.DataFrame:
    """A copy of a table with some of its cells altered.

    Parameters
    ----------
    table
        Numbers as floats, categories as pandas' Categorical; other columns only lose cells.
    kind
        "noise": numbers get normal noise. "missing": cells of every column are emptied. "rare":
        categories become one of the rarest tenth. "unseen": categories become one that is not
        known, which a table with fixed categories holds as missing.
    strength
        Noise in standard deviations of the column; else the share of cells.
    rng
        Draws cells and noise.

    Raises
    ------
    SettingError
        If there is no such kind, or its strength makes no sense.
    """
    import pandas as pd

    if kind not in _TEXT:
        raise SettingError(
            f"{kind!r} is no disturbance.{closest(str(kind), _TEXT)} Use one of: "
            f"{', '.join(_TEXT)}."
        )
    if not strength >= 0 or (kind != "noise" and strength > 1):
        raise SettingError(
            f"the disturbance {kind!r} has strength={strength!r}. Use a share of cells from 0 to 1,"
            " or for noise standard deviations >= 0."
        )
    found = table.copy()
    for at, name in enumerate(table.columns):
        column = table.iloc[:, at]
        is_category = isinstance(column.dtype, pd.CategoricalDtype)
        hit = rng.random(len(column)) < strength
        if kind == "noise":
            if column.dtype.kind == "f" and column.nunique() > 2:
                spread = float(column.std(skipna=True))
                noise = rng.normal(size=len(column)) * strength * spread
                found[name] = column + noise
        elif kind == "missing":
            is_text = column.dtype == object
            found[name] = column.where(~hit, "" if is_text else None)
        elif is_category and kind == "unseen":
            found[name] = column.where(~hit, None)
        elif is_category:
            rare = _rarest(column)
            if rare:
                picks = [rare[at] for at in rng.integers(len(rare), size=len(column))]
                drawn = pd.Series(picks, index=column.index, dtype=column.dtype)
                found[name] = column.where(~hit, drawn)
    return found


def robustness(
    predict: Callable[[Any], Floats],
    table: pd.DataFrame,
    y_true: ArrayLike,
    metric: Metric,
    *,
    disturbances: Sequence[tuple[Kind, float]] = DISTURBANCES,
    repeats: int = 3,
    time_limit_s: float | None = None,
    classes: ArrayLike | None = None,
    decide: Callable[[Floats], NDArray[np.int64]] | None = None,
    seed: int = 0,
) -> tuple[Disturbed, ...]:
    """Score the same rows undisturbed and disturbed.

    Parameters
    ----------
    predict
        Probabilities or numbers for a table.
    table, y_true
        Rows that the model was not fitted on, and their codes or values.
    metric
        What is scored.
    disturbances
        Kinds and strengths. Those that alter nothing here (rare categories of a table without
        categories) are left out.
    repeats
        Draws of each.
    time_limit_s
        No further disturbance is begun after so many seconds; one is always measured.
    classes, decide
        As for `Metric.score`.
    seed
        Of the draws.
    """
    import pandas as pd

    y = np.asarray(y_true)

    def score(rows: pd.DataFrame) -> float:
        return metric.score(y, predict(rows), classes=classes, decide=decide)

    kinds = table.dtypes.tolist()
    has_categories = any(isinstance(kind, pd.CategoricalDtype) for kind in kinds)
    has_numbers = any(
        kind.kind == "f" and table.iloc[:, at].nunique() > 2 for at, kind in enumerate(kinds)
    )
    ends = np.inf if time_limit_s is None else time.monotonic() + time_limit_s
    plain = score(table)
    found: list[Disturbed] = []
    for number, (kind, strength) in enumerate(disturbances):
        if (kind in ("rare", "unseen") and not has_categories) or (
            kind == "noise" and not has_numbers
        ):
            continue
        if found and time.monotonic() > ends:
            break
        scores = [
            score(disturb(table, kind, strength, np.random.default_rng([seed, number, draw])))
            for draw in range(repeats)
        ]
        mean = float(np.mean(scores))
        found.append(Disturbed(kind, strength, mean, mean - plain))
    return tuple(found)


def _rarest(column: pd.Series) -> list[Any]:
    """The categories, rarest first, that together make up at most a tenth of the rows."""
    counts = column.value_counts(sort=True, ascending=True)
    counts = counts[counts > 0]
    if len(counts) < 2:
        return []
    share = counts.cumsum() / counts.sum()
    few = counts.index[(share <= RARE).to_numpy()].tolist()
    return few or [counts.index[0]]
