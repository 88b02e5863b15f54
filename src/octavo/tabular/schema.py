"""What the columns of a table are, and how any later table is brought into the same form."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

import numpy as np
import pandas as pd

from octavo.errors import DataError, SettingError, closest
from octavo.tabular import conversion
from octavo.tabular.cells import Cells, cells
from octavo.tabular.detection import FeatureKind, Finding, detect, read_as
from octavo.tabular.duplicates import find_duplicates
from octavo.tabular.leakage import find_leaks
from octavo.tabular.table import DataWarning, as_frame, has_names

__all__ = ["Dropped", "Feature", "FeatureKind", "Schema", "infer_schema"]

logger = logging.getLogger(__name__)

ALIASES: Mapping[str, str] = {
    **{kind: kind for kind in (*get_args(FeatureKind), "drop")},
    **dict.fromkeys(("numerical", "numeric", "float", "int", "integer"), "number"),
    **dict.fromkeys(("categorical", "categories", "nominal"), "category"),
    **dict.fromkeys(("bool", "binary"), "boolean"),
    **dict.fromkeys(("string", "str"), "text"),
    **dict.fromkeys(("datetime", "time", "timestamp"), "date"),
    "ignore": "drop",
}
"""The words by which a user may name a kind."""
SURELY_OTHERS = 10
"""Cells, all of unknown categories, from which on it is no chance that none is known."""


@dataclass(frozen=True)
class Feature:
    """One column that models may learn from.

    Parameters
    ----------
    name
        Its name in the table.
    kind
        "number", "boolean", "category", "text" or "date".
    n_missing, n_unique
        Missing cells and distinct other values in training; distinct numbers are counted on at
        most 100,000 rows.
    categories
        Labels of a category: in the order of an ordered type, else by their numbers if all are
        numbers, else by alphabet. The words for 0 and 1 of a boolean; else None.
    note
        How it was recognized, for people.
    form
        How its text is to be read: a date format, "decimal comma", or "".
    direction
        1 if predictions may only rise with it, -1 if they may only fall, 0 if they are free.
    """

    name: str
    kind: FeatureKind
    n_missing: int
    n_unique: int
    categories: tuple[str, ...] | None = None
    note: str = ""
    form: str = ""
    direction: int = 0


@dataclass(frozen=True)
class Dropped:
    """One column that models do not get to see, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Schema:
    """The columns of a training table: what each is, which are left out, what to know.

    Parameters
    ----------
    features
        The columns for models, in the table's order.
    dropped
        The columns left out, with reasons.
    warnings
        Sentences for people.
    n_rows
        Rows of the training table.
    columns
        All its columns in order, dropped ones too.
    is_named
        Whether the training table brought names, rather than being an array.
    """

    features: tuple[Feature, ...]
    dropped: tuple[Dropped, ...]
    warnings: tuple[str, ...]
    n_rows: int
    columns: tuple[str, ...]
    is_named: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(feature.name for feature in self.features)

    def of_kind(self, *kinds: FeatureKind) -> tuple[Feature, ...]:
        """The features of some kinds, in order."""
        return tuple(feature for feature in self.features if feature.kind in kinds)

    def apply(self, X: Any, *, who: str = "Schema") -> pd.DataFrame:
        """Bring a table into canonical form: one column per feature, rows in their order.

        Numbers and booleans are float64 with NaN (float64, because money in cents and times
        in seconds have more digits than float32), categories a Categorical with exactly the
        training labels, text objects of str with "" for missing, dates datetime64[ns].
        Columns are found by name, so their order does not matter and others are ignored. A
        missing column is taken as all missing, with a warning.

        Parameters
        ----------
        X : shape (n, p)
            Anything that `as_frame` takes, n >= 0. Arrays must have the training table's width.
        who
            Name of the estimator in error messages.

        Raises
        ------
        DataError
            If an array has the wrong width, or none of the features is there.
        """
        canonical, lost = self._canonical(self._with_known_names(X, who))
        if lost:
            counts = {name: n for name, (n, _, _) in lost.items()}
            logger.info("Cells that could not be read as in training, now missing: %s", counts)
        return canonical

    def chunks(self, X: Any, n_rows: int, *, who: str = "Schema") -> Iterator[pd.DataFrame]:
        """A table that is new to the model in canonical form, some rows at a time.

        Each part is what `apply` gives for these rows, so that memory is only needed for one.
        At least one part comes, if without rows. After the last one, a warning says which
        columns hold numbers, dates or truths that cannot be read, or no known category at all.

        Parameters
        ----------
        X, who
            As for `apply`.
        n_rows
            Of each part but the last.
        """
        frame = self._with_known_names(X, who)
        total: dict[str, tuple[int, int, str]] = {}
        for start in range(0, max(len(frame), 1), n_rows):
            canonical, lost = self._canonical(frame.iloc[start : start + n_rows])
            for name, (n, n_cells, example) in lost.items():
                before = total.get(name, (0, 0, example))
                total[name] = before[0] + n, before[1] + n_cells, before[2]
            yield canonical
        for sentence in self._losses(total, len(frame)):
            warnings.warn(sentence, DataWarning, stacklevel=3)

    def _canonical(
        self, frame: pd.DataFrame
    ) -> tuple[pd.DataFrame, dict[str, tuple[int, int, str]]]:
        """The canonical form, and by column: cells that were lost, of how many, one of them."""
        lost = {}
        canonical: dict[str, Any] = {}
        for feature in self.features:
            if feature.name in frame.columns:
                column = cells(frame[feature.name])
            else:
                column = Cells("label", np.full(len(frame), -1), np.array([], dtype=object))
            values, n_lost = _canonical(column, feature)
            if n_lost:
                n_cells = int((~column.missing).sum())
                lost[feature.name] = n_lost, n_cells, conversion.lost_example(column, values)
            if feature.kind == "text":
                # As a Series: pandas would turn a bare array into a type of its own.
                values = pd.Series(values, dtype=object, index=frame.index)
            canonical[feature.name] = values
        return pd.DataFrame(canonical, index=frame.index, columns=list(self.names)), lost

    def _losses(self, lost: Mapping[str, tuple[int, int, str]], n_rows: int) -> Iterator[str]:
        for feature in self.features:
            n, n_cells, example = lost.get(feature.name, (0, 0, ""))
            if not n:
                continue
            if feature.kind != "category":
                yield (
                    f"{n} of {n_rows} rows hold something in {feature.name!r} that cannot be read "
                    f"as a {feature.kind}, such as {example}; it is taken as missing. Pass what "
                    "the training table had there."
                )
            elif n == n_cells >= SURELY_OTHERS:
                known = _listed(feature.categories or ())
                yield (
                    f"No cell of {feature.name!r} holds a category of the training table, but "
                    f"others, such as {example}; all are taken as missing. Known are {known}."
                )

    def _with_known_names(self, X: Any, who: str) -> pd.DataFrame:
        frame = as_frame(X, like=self.columns)
        n_given, n_known = frame.shape[1], len(self.columns)
        known = [name for name in self.names if name in frame.columns]
        if not has_names(X) or not (known or self.is_named):
            if n_given != n_known:
                raise DataError(
                    f"X has {n_given} features, but {who} is expecting {n_known} features as "
                    "input. Pass a DataFrame with names, or an array with all columns of the "
                    "training table in their order."
                )
            return frame.set_axis(list(self.columns), axis=1)
        missing = [name for name in self.names if name not in frame.columns]
        if not known:
            hint = closest(missing[0], frame.columns)
            raise DataError(
                f"None of the {len(missing)} columns of the training table is in this one: "
                f"{_listed(missing)} are missing, {_listed(list(frame.columns))} are there."
                f"{hint} Pass a table like the training table, with its names."
            )
        if missing:
            hints = "".join(closest(name, frame.columns) for name in missing[:3])
            warnings.warn(
                f"{len(missing)} of {len(self.names)} columns are not in this table and are "
                f"taken as missing: {_listed(missing)}.{hints}",
                DataWarning,
                stacklevel=3,
            )
        trained = set(self.columns)
        extra = [name for name in frame.columns if name not in trained]
        if extra:
            logger.info("Columns that were not in the training table are ignored: %s", extra)
        return frame

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description, from which `from_json` builds it again."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Schema:
        """The schema that `to_json` described."""
        features = []
        for entry in data["features"]:
            labels = entry["categories"]
            features.append(
                Feature(**{**entry, "categories": None if labels is None else tuple(labels)})
            )
        return Schema(
            features=tuple(features),
            dropped=tuple(Dropped(**entry) for entry in data["dropped"]),
            warnings=tuple(data["warnings"]),
            n_rows=data["n_rows"],
            columns=tuple(data["columns"]),
            is_named=data["is_named"],
        )


def _canonical(column: Cells, feature: Feature) -> tuple[Any, int]:
    if feature.kind == "number":
        return conversion.numbers(column, feature.form)
    if feature.kind == "boolean":
        return conversion.booleans(column, feature.categories or ())
    if feature.kind == "category":
        return conversion.categories(column, feature.categories or ())
    if feature.kind == "text":
        return conversion.texts(column)
    return conversion.dates(column, feature.form)


@dataclass
class _Draft:
    """What is known so far about the columns, by name."""

    findings: dict[str, Finding] = field(default_factory=dict)
    n_missing: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def infer_schema(
    X: Any,
    y: Any = None,
    *,
    kinds: Mapping[str, str] | Sequence[str | None] | None = None,
) -> Schema:
    """Find out what the columns of a table are.

    Parameters
    ----------
    X : shape (n, p)
        Anything that `as_frame` takes.
    y : shape (n,)
        The target, if there is one: columns that give it away are warned about.
    kinds
        What the user knows better: {"zip": "category", "remark": "drop"}, or one kind per
        column, None where it is to be found out. A column named here is never dropped, unless
        the kind is "drop".

    Raises
    ------
    DataError
        If no column is left to learn from; the message lists the reasons.
    SettingError
        If `kinds` names a column or kind that does not exist.

    Examples
    --------
    >>> schema = infer_schema({"age": [31, 45, 28], "smokes": ["no", "yes", "no"]})
    >>> [(feature.name, feature.kind) for feature in schema.features]
    [('age', 'number'), ('smokes', 'boolean')]
    """
    frame = as_frame(X)
    names = tuple(frame.columns)
    said = _check_kinds(kinds, names)
    draft = _Draft()
    columns = {}
    for name in names:
        column = columns[name] = cells(frame[name])
        draft.n_missing[name] = int(column.missing.sum())
        draft.findings[name] = _find(column, name, said.get(name))
        if draft.findings[name].warning:
            draft.warnings.append(f"Column {name!r} {draft.findings[name].warning}")
    if all(found.kind is None for found in draft.findings.values()):
        _keep_numbers(draft)
    kept = [name for name in names if draft.findings[name].kind is not None]
    dropped = {name: draft.findings[name].note for name in names if name not in set(kept)}
    compared = {name: columns[name] for name in kept if name not in said}
    for name, first in find_duplicates(compared).items():
        dropped[name] = f"the same as {first!r} in every row"
    features = tuple(
        _feature(name, draft.findings[name], draft.n_missing[name])
        for name in kept
        if name not in dropped
    )
    if not features:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in list(dropped.items())[:8])
        raise DataError(
            f"No column is left to learn from, of {len(names)}, in {len(frame)} row(s). "
            f"{reasons}. Add columns, or keep one with kinds={{{names[0]!r}: 'category'}}."
        )
    schema = Schema(
        features=features,
        dropped=tuple(Dropped(name, dropped[name]) for name in names if name in dropped),
        warnings=tuple(draft.warnings),
        n_rows=len(frame),
        columns=names,
        is_named=has_names(X),
    )
    if y is None:
        return schema
    return replace(schema, warnings=(*draft.warnings, *find_leaks(frame, schema, y)))


def _keep_numbers(draft: _Draft) -> None:
    """With nothing else to learn from, a row number may be a time or a dose."""
    for name, found in draft.findings.items():
        if found.otherwise is not None:
            draft.findings[name] = replace(found, kind=found.otherwise)
            draft.warnings.append(
                f"Column {name!r} looks like {found.note}, and is only kept because there is no "
                "other column."
            )


def _find(column: Cells, name: str, said: str | None) -> Finding:
    if said is None:
        return detect(column, name)
    if said == "drop":
        return Finding(None, "left out by the user", 0)
    try:
        found = read_as(column, said)  # type: ignore[arg-type]
    except DataError as error:
        raise DataError(f"Column {name!r} {error}") from error
    _refuse_unreadable(column, name, found)
    return found


def _refuse_unreadable(column: Cells, name: str, found: Finding) -> None:
    """Refuse a column of which nothing at all can be read as the user says."""
    if found.kind not in ("number", "date") or column.missing.all():
        return
    _, n_lost = _canonical(column, _feature(name, found, 0))
    if n_lost and n_lost == int((~column.missing).sum()):
        labels = column.distinct()
        raise DataError(
            f"Column {name!r} is said to be of kind {found.kind!r}, but none of its {len(labels)} "
            f"different values can be read so, such as {labels[0]!r}. Say 'category' or 'text', or "
            "convert it first."
        )


def _feature(name: str, found: Finding, n_missing: int) -> Feature:
    assert found.kind is not None
    return Feature(
        name, found.kind, n_missing, found.n_unique, found.categories, found.note, found.form
    )


def _check_kinds(
    kinds: Mapping[str, str] | Sequence[str | None] | None, names: Sequence[str]
) -> dict[str, str]:
    if kinds is None:
        return {}
    if isinstance(kinds, str):
        raise SettingError(
            f"kinds={kinds!r} is a word, not a mapping. Write kinds={{{names[0]!r}: {kinds!r}}}."
        )
    if not hasattr(kinds, "__len__"):
        raise SettingError(
            f"kinds={kinds!r} is of type {type(kinds).__name__}, but names kinds of columns. Write "
            f"such as kinds={{{names[0]!r}: 'category'}}."
        )
    if not isinstance(kinds, Mapping):
        if len(kinds) != len(names):
            raise SettingError(
                f"kinds lists {len(kinds)} kinds, but the table has {len(names)} columns. Give "
                "one per column (None where it is to be found out), or a mapping by name."
            )
        kinds = {name: kind for name, kind in zip(names, kinds, strict=True) if kind is not None}
    said = {}
    for name, kind in kinds.items():
        if str(name) not in names:
            raise SettingError(
                f"kinds names a column {name!r} that the table does not have."
                f"{closest(name, names)} Name one of {_listed(list(names))}."
            )
        word = ALIASES.get(str(kind).lower())
        if word is None:
            raise SettingError(
                f"kinds says that {name!r} is {kind!r}, which is no kind."
                f"{closest(kind, ALIASES)} Use 'number', 'boolean', 'category', 'text', 'date' "
                "or 'drop'."
            )
        said[str(name)] = word
    return said


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:6]))
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
