"""Columns in which predictions may only rise, or only fall: what the user wrote, read and checked.

`monotone={"age": "increasing", "price": "decreasing"}`: if only that column of a row grows, the
predicted number, or the probability of the second class, does not fall ("increasing") or does
not rise ("decreasing"). A feature carries its direction (`Feature.direction`) wherever the schema
goes, so that folds, refits, resumed searches and saved models keep it. What could break it is
left out: families of models that cannot keep it, and columns that are made of such a column.

Everything after the models keeps an order of predictions: ensembles are averages with positive
weights; scales of targets, calibration and thresholds are monotone themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import SettingError, closest
from octavo.tabular.schema import Schema

__all__ = [
    "DIRECTIONS",
    "N_VALUES",
    "Direction",
    "directions_of",
    "in_words",
    "largest_reversal",
    "read_directions",
    "with_directions",
]

Floats = NDArray[np.float64]
Direction = Literal[1, -1]

DIRECTIONS: Mapping[str, Direction] = {"increasing": 1, "decreasing": -1}
"""The words of the user, and what `Feature.direction` holds for them."""
N_VALUES = 20
"""Values of a column that a row is tried with."""
_ROUNDING = 1e-6  # of the size of what is predicted: some libraries predict in single precision


def read_directions(monotone: Any) -> dict[str, Direction]:
    """The direction of each column that a user named.

    Raises
    ------
    SettingError
        If it is no mapping, or a direction is none.

    Examples
    --------
    >>> read_directions({"age": "increasing", "price": "decreasing"})
    {'age': 1, 'price': -1}
    """
    if monotone is None:
        return {}
    if not isinstance(monotone, Mapping):
        raise SettingError(
            f"monotone={monotone!r} is of type {type(monotone).__name__}, but is a dict by column. "
            "Write monotone={'age': 'increasing'}."
        )
    for name, word in monotone.items():
        if not isinstance(word, str) or word not in DIRECTIONS:
            raise SettingError(
                f"monotone[{name!r}]={word!r} is no direction.{closest(str(word), DIRECTIONS)} "
                "Write 'increasing' or 'decreasing', or leave the column out."
            )
    return {str(name): DIRECTIONS[word] for name, word in monotone.items()}


def with_directions(schema: Schema, directions: Mapping[str, Direction]) -> Schema:
    """The schema with the direction of each of its features.

    A column that models do not get to see keeps any direction.

    Raises
    ------
    SettingError
        If a column is unknown, or is neither a number nor a boolean.
    """
    for name in directions:
        if name not in schema.columns:
            raise SettingError(
                f"monotone names the column {name!r}, which the table does not have."
                f"{closest(name, schema.columns)} Name one of its columns."
            )
    for feature in schema.features:
        if feature.name in directions and feature.kind not in ("number", "boolean"):
            raise SettingError(
                f"monotone names the column {feature.name!r}, which is of kind {feature.kind!r}, "
                "but only numbers grow. Leave it out, or, if its values are numbers, say so: "
                f"feature_types={{{feature.name!r}: 'number'}}."
            )
    return replace(
        schema,
        features=tuple(
            replace(feature, direction=directions.get(feature.name, 0))
            for feature in schema.features
        ),
    )


def directions_of(schema: Schema) -> dict[str, Direction]:
    """The features that have a direction, by name."""
    return {one.name: 1 if one.direction > 0 else -1 for one in schema.features if one.direction}


def in_words(schema: Schema) -> dict[str, str]:
    """The same as the user writes it."""
    words = {direction: word for word, direction in DIRECTIONS.items()}
    return {name: words[direction] for name, direction in directions_of(schema).items()}


def largest_reversal(
    scores: Callable[[pd.DataFrame], Floats], rows: pd.DataFrame, name: str, direction: Direction
) -> float:
    """The largest step in the wrong direction while only one column of some rows grows.

    Parameters
    ----------
    scores
        Gives probabilities, shape (n, 2), or numbers, shape (n,), of a canonical table.
    rows : shape (n, p)
        Canonical.
    name, direction
        The column, and 1 or -1.

    Returns
    -------
    float
        0 if there is none, up to rounding.
    """
    known = rows[name].dropna().to_numpy()
    if not len(known):
        return 0.0
    values = np.unique(np.quantile(known, np.linspace(0, 1, N_VALUES)))
    tried = rows.loc[rows.index.repeat(len(values))].reset_index(drop=True)
    tried[name] = np.tile(values, len(rows))
    found = scores(tried)
    found = (found[:, 1] if found.ndim == 2 else found).reshape(len(rows), len(values))
    steps = -direction * np.diff(found, axis=1)
    largest = float(steps.max(initial=0.0))
    return largest if largest > _ROUNDING * float(np.abs(found).max()) else 0.0
