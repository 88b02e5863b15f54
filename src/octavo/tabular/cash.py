"""The joint space of algorithms, their settings and their preprocessing, and where to begin.

Thornton et al. (2013), Auto-WEKA: combined selection of an algorithm and its
hyperparameters (CASH). The root is `model`; everything else is active only under its own
model: `lightgbm.num_leaves`, and `lightgbm.prep.text` of its preprocessing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import SettingError, SpaceError, closest
from octavo.spaces import Categorical, Hyperparameter, HyperparameterSpace, space
from octavo.tabular.generated_features import generating_seconds
from octavo.tabular.models import CATALOG, is_installed, missing_extra
from octavo.tabular.models.family import Family, Shape, TaskKind
from octavo.tabular.preprocessing import GENERATED, preprocessing_space
from octavo.tabular.schema import Schema
from octavo.tabular.space_updates import updated
from octavo.tabular.target_scale import is_skewed

__all__ = [
    "cash_space",
    "family_of",
    "first_configurations",
    "left_out",
    "not_tried",
    "own_part",
    "predicted_memory_mb",
    "predicted_seconds",
    "shape_of",
]

Config = Mapping[str, Any]
Families = Mapping[str, Family]

PREP = "prep."
_RESERVED = ("balance", "target")
_UNBALANCED = 1.5  # rows of the largest class per row of the smallest
_MOST_LEVELS = 64  # one-hot columns of one feature
_DATE_COLUMNS = 5
_TEXT_COLUMNS = 32
_GENERATING_ROWS = 500  # on fewer, columns that are made of others mostly fit noise
_ON_LOG_SCALE = ("linear", "lightgbm", "catboost", "mlp", "network")  # tried so, if it is skewed
_AT_ONCE_S = 0.5  # what takes less is not sorted by its time


def shape_of(
    schema: Schema,
    table: Any,
    y: NDArray[Any],
    task: TaskKind,
    *,
    n_rows: int | None = None,
) -> Shape:
    """What prices and choices depend on, for a canonical table and its encoded target.

    Parameters
    ----------
    schema, table
        The table.
    y : shape (n,)
        Class codes or numbers.
    task
        What is predicted.
    n_rows
        Rows that models will be trained on, in one fold; by default all.
    """
    levels = [len(feature.categories or ()) for feature in schema.of_kind("category")]
    n_dates, n_texts = len(schema.of_kind("date")), len(schema.of_kind("text"))
    plain = len(schema.of_kind("number", "boolean"))
    n_features = plain + len(levels) + n_dates * _DATE_COLUMNS + n_texts * _TEXT_COLUMNS
    common: dict[str, Any] = {
        "task": task,
        "n_rows": len(table) if n_rows is None else n_rows,
        "n_features": max(1, n_features),
        "n_onehot": sum(min(n, _MOST_LEVELS) - 1 for n in levels if n > 1),
        "n_texts": n_texts,
        "has_categories": bool(levels),
        "directions": _directions(schema),
    }
    if task == "regression":
        return Shape(**common, is_skewed=is_skewed(np.asarray(y, dtype=np.float64)))
    counts = np.bincount(np.asarray(y, dtype=np.int64))
    imbalance = float(counts.max() / max(1, counts[counts > 0].min()))
    return Shape(**common, n_classes=max(2, len(counts)), imbalance=imbalance)


def _directions(schema: Schema) -> tuple[int, ...]:
    """Of all features, or none if all are free."""
    found = tuple(feature.direction for feature in schema.features)
    return found if any(found) else ()


def cash_space(
    schema: Schema,
    shape: Shape,
    *,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    families: Families | None = None,
    updates: Mapping[str, Any] | None = None,
) -> HyperparameterSpace:
    """The joint space for a table.

    Parameters
    ----------
    schema, shape
        The table.
    include, exclude
        Names of families to search, or not to. A family that is named in `include` is
        searched even where it would be left out as too slow.
    families
        The user's own families, by name.
    updates
        Narrower choices: a hyperparameter's name and a value, a list of choices, bounds
        (low, high), or another hyperparameter.

    Raises
    ------
    SettingError
        If a name is unknown, or nothing is left to search.
    MissingExtra
        If an included family's library is not installed.
    """
    chosen = _chosen(shape, include, exclude, families)
    parts: dict[str, Hyperparameter] = {}
    for family in chosen:
        parts |= _part(family, schema, shape)
    parts = updated(parts, updates or {}, known={**CATALOG, **(families or {})})
    names = [family.name for family in chosen]
    joint: dict[str, Hyperparameter] = {"model": Categorical(names)}
    for name, hyperparameter in parts.items():
        if hyperparameter.conditions:  # its parent is active only under the model already
            joint[name] = hyperparameter
        else:
            joint[name] = hyperparameter.when(model=name.partition(".")[0])
    return space(joint)


def first_configurations(
    schema: Schema,
    shape: Shape,
    *,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    families: Families | None = None,
    updates: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The opening: every family's defaults, so that something good is there within seconds.

    A linear model comes first, then LightGBM, then the other families' first defaults and
    after them the variants; within a round, what is cheap comes before what is dear.
    Arguments as for `cash_space`; where `updates` rule a default's value out, it is left
    to the updated range.
    """
    chosen = _chosen(shape, include, exclude, families)
    known = {**CATALOG, **(families or {})}
    ranked: list[tuple[tuple[float, ...], dict[str, Any]]] = []
    for place, family in enumerate(chosen):
        part = updated(_part(family, schema, shape), updates or {}, known=known)
        for turn, wanted in enumerate(_with_variants(family, shape)):
            config = _completed(family, part, wanted)
            if any(config == earlier for _, earlier in ranked):
                continue
            cost = predicted_seconds(config, shape, families=families)
            tier = max(0.0, math.ceil(math.log(cost / _AT_ONCE_S, 4)))
            leads = turn == 0 and family.name in ("linear", "lightgbm")
            ranked.append(((turn, 0 if leads else 1, 0 if leads else tier, place), config))
    return [config for _, config in sorted(ranked, key=lambda pair: pair[0])]


def left_out(
    shape: Shape,
    *,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    families: Families | None = None,
) -> dict[str, str]:
    """Which families are not searched although the user did not exclude them, and why."""
    known = {**CATALOG, **(families or {})}
    found = {}
    for name, family in known.items():
        if name in exclude or (include is not None and name not in include):
            continue
        inability, objection = family.inability(shape), family.objection(shape)
        if inability is not None:
            found[name] = inability
        elif not is_installed(family):
            found[name] = str(missing_extra(family))
        elif objection is not None and include is None:
            found[name] = objection
    return found


def not_tried(
    shape: Shape,
    *,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    families: Families | None = None,
) -> tuple[str, ...]:
    """In sentences, the families that the user could have: by a package, or with free columns.

    Of what is left out as too slow, or for another kind of target, nobody needs to hear.
    """
    known = {**CATALOG, **(families or {})}
    out = left_out(shape, include=include, exclude=exclude, families=families)
    unable = {name for name in out if known[name].inability(shape) is not None}
    absent = [
        why for name, why in out.items() if name not in unable and not is_installed(known[name])
    ]
    free = replace(shape, directions=())
    bound = [known[name].title for name in unable if known[name].inability(free) is None]
    if bound:
        absent.append(
            f"{' and '.join(', '.join(sorted(bound)).rsplit(', ', 1))} cannot keep monotone "
            "constraints and are left out."
        )
    return tuple(absent)


def family_of(config: Config, families: Families | None = None) -> Family:
    """The family that a configuration is of."""
    name = config.get("model")
    known = {**CATALOG, **(families or {})}
    if name not in known:
        raise SettingError(
            f"the configuration has model={name!r}, which is no family."
            f"{closest(str(name), known)} There are {', '.join(known)}; pass your own by families="
        )
    return known[name]


def own_part(config: Config) -> dict[str, Any]:
    """A family's own hyperparameters in a configuration, without prefix."""
    prefix = f"{config['model']}."
    own = {k.removeprefix(prefix): v for k, v in config.items() if k.startswith(prefix)}
    return {k: v for k, v in own.items() if not k.startswith(PREP) and k not in _RESERVED}


def predicted_seconds(
    config: Config, shape: Shape, *, n_threads: int = 1, families: Families | None = None
) -> float:
    """Wall-clock seconds that one fit with its preprocessing will take, roughly."""
    family = family_of(config, families)
    cells = shape.n_rows * shape.width(family.preprocessing)
    preparing = 0.02 + 1.5e-7 * cells + 1e-4 * shape.n_rows * shape.n_texts
    if config.get(f"{family.name}.{PREP}generated"):
        preparing += generating_seconds(
            shape.n_rows, shape.width(family.preprocessing), shape.n_outputs
        )
        shape = replace(shape, n_features=shape.n_features + GENERATED)
    return preparing + family.predicted_seconds(own_part(config), shape, n_threads)


def predicted_memory_mb(config: Config, shape: Shape, *, families: Families | None = None) -> float:
    """Peak MiB of one fit beyond the table itself, roughly: the matrix twice, and the model."""
    family = family_of(config, families)
    matrix = shape.n_rows * shape.width(family.preprocessing) * 8 / 2**20
    return matrix + family.memory_mb(own_part(config), shape)


def _chosen(
    shape: Shape, include: Sequence[str] | None, exclude: Sequence[str], families: Families | None
) -> list[Family]:
    known = {**CATALOG, **(families or {})}
    for word, names in (("include", include or ()), ("exclude", exclude)):
        for name in names:
            if name not in known:
                raise SettingError(
                    f"{word} names {name!r}, which is no family of models."
                    f"{closest(name, known)} There are {', '.join(known)}."
                )
    out = left_out(shape, include=include, exclude=exclude, families=families)
    for name in include or ():
        if name in out and not is_installed(known[name]):
            raise missing_extra(known[name])
    chosen = [
        family
        for name, family in known.items()
        if name not in exclude and name not in out and (include is None or name in include)
    ]
    if not chosen:
        reasons = "; ".join(out.values()) or "all are excluded"
        raise SettingError(
            f"no family of models is left to search ({reasons}). "
            f"Include or do not exclude at least one of {', '.join(known)}."
        )
    return chosen


def _part(family: Family, schema: Schema, shape: Shape) -> dict[str, Hyperparameter]:
    """All hyperparameters under one model, with their full names."""
    prefix = f"{family.name}."
    own = family.space(shape)
    taken = [name for name in own if name in _RESERVED or name.startswith(PREP)]
    if taken:
        raise SpaceError(
            f"family {family.name!r} has a hyperparameter {taken[0]!r}, a name that the pipeline "
            "keeps for itself. Give it another one."
        )
    part = {prefix + name: _prefixed(choice, prefix) for name, choice in own.items()}
    if shape.is_classification and shape.imbalance >= _UNBALANCED:
        part[f"{prefix}balance"] = Categorical(["none", "balanced"])
    if shape.is_skewed:
        part[f"{prefix}target"] = Categorical(["none", "log", "quantile"])
    return part | preprocessing_space(schema, family.preprocessing, prefix + PREP)


def _prefixed(choice: Hyperparameter, prefix: str) -> Hyperparameter:
    """The same hyperparameter, its parents named in full."""
    return replace(choice, conditions=tuple(_renamed(c, prefix) for c in choice.conditions))


def _renamed(condition: Any, prefix: str) -> Any:
    if isinstance(condition, Mapping):
        return {prefix + parent: value for parent, value in condition.items()}
    return replace(condition, parts=tuple(_renamed(part, prefix) for part in condition.parts))


def _with_variants(family: Family, shape: Shape) -> list[dict[str, Any]]:
    """The family's defaults, the first also with made columns, and on a log scale if that fits."""
    defaults = family.defaults(shape)
    if shape.n_rows >= _GENERATING_ROWS and family.name in ("lightgbm", "catboost", "xgboost"):
        defaults = [defaults[0], {**defaults[0], f"{PREP}generated": True}, *defaults[1:]]
    if shape.is_skewed and family.name in _ON_LOG_SCALE:
        defaults = [defaults[0], {**defaults[0], "target": "log"}, *defaults[1:]]
    return defaults


def _completed(
    family: Family, part: Mapping[str, Hyperparameter], wanted: Config
) -> dict[str, Any]:
    """A full configuration: the wanted values where the space has them, else defaults."""
    filled = {}
    for name, choice in part.items():
        short = name.partition(".")[2]
        if short in wanted and hasattr(choice, "default"):
            try:
                candidate = replace(choice, default=wanted[short])  # type: ignore[call-arg]
                space({name: replace(candidate, conditions=())})
                choice = candidate
            except SpaceError:
                pass  # the user's narrower range wins over our default
        filled[name] = choice
    return {"model": family.name, **(space(filled).default() if filled else {})}
