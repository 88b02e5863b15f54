"""What is to be predicted: the kind of task, the classes, and numbers for models and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.errors import DataError, SettingError, closest
from octavo.tabular import parsing

__all__ = ["Target", "TaskKind", "as_column", "infer_target", "is_missing"]

TaskKind = Literal["binary", "multiclass", "regression"]

FEW_VALUES = 20
"""Whole numbers with at most so many values may be classes."""
ROWS_PER_CLASS = 3
"""... if there are, on average, at least so many rows of each."""
MANY_CLASSES = 1_000

Class = str | int | float | bool


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Parameters
    ----------
    kind
        "binary", "multiclass" or "regression".
    classes
        Plain values in sorted order, code k standing for the k-th; None for regression.
    name
        Its name in the table.
    why
        Why it was taken for this kind: a sentence.
    dtype
        NumPy's name for the type of the labels, "object" for strings.
    counts
        Training rows of each class; empty for regression.
    n_rows, n_missing
        Training rows in all, and those without a target, which cannot be learned from.
    warnings
        Sentences for people.
    """

    kind: TaskKind
    classes: tuple[Class, ...] | None
    name: str = "target"
    why: str = ""
    dtype: str = "float64"
    counts: tuple[int, ...] = ()
    n_rows: int = 0
    n_missing: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.kind != "regression"

    @property
    def labels(self) -> NDArray[Any]:
        """Shape (n_classes,): the classes in their own type, as scikit-learn's `classes_`."""
        if self.classes is None:
            raise DataError(
                f"The target {self.name!r} is a number and has no classes. Use "
                "predict; only classifiers have labels."
            )
        return np.array(self.classes, dtype=self.dtype)

    def encode(self, y: Any) -> NDArray[Any]:
        """Codes 0 to K-1 as int64 for classes, float64 for regression.

        Raises
        ------
        DataError
            If a value is missing, infinite, or a class that training did not have.
        """
        column = as_column(y, self.name)
        n_missing = int(is_missing(column).sum())
        if n_missing:
            raise DataError(
                f"Input y contains NaN: {n_missing} of {len(column)} rows have no "
                f"{self.name!r}. Leave them out."
            )
        plain = _plain(column, self.name)
        if self.classes is None:
            return _numbers(plain, self.name)
        codes = _codes(plain, self.classes)
        if (codes < 0).any():
            wrong = plain[codes < 0].iloc[0]
            raise DataError(
                f"{self.name!r} holds {wrong!r}, a class that was not there in training. Known "
                f"classes: {', '.join(map(repr, self.classes[:10]))}."
                f"{closest(str(wrong), map(str, self.classes))} Leave such rows out."
            )
        return codes

    def decode(self, codes: Any) -> NDArray[Any]:
        """Labels in their own type for codes; for regression the numbers as they are."""
        array = np.asarray(codes)
        if self.classes is None:
            return array.astype(np.float64)
        return self.labels[array.astype(np.int64)]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description, from which `from_json` builds it again."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Target:
        """The target that `to_json` described."""
        lists = {
            key: None if data[key] is None else tuple(data[key])
            for key in ("classes", "counts", "warnings")
        }
        return Target(**{**data, **lists})


def infer_target(y: Any, kind: str | None = None, name: str | None = None) -> Target:
    """Find out what is to be predicted.

    Words and truths are classes, and so are whole numbers of few values that occur often;
    other numbers are regression. Rows without a target are counted, not judged.

    Parameters
    ----------
    y : shape (n,)
        One value per row.
    kind
        "binary", "multiclass" or "regression" if the user knows; "classification" for either
        of the first two.
    name
        Its name; else that of the Series, else "target".

    Raises
    ------
    DataError
        If there is nothing to learn: no value, always the same, infinite, dates, ...
    SettingError
        If there is no such kind, or `y` cannot be of it.

    Examples
    --------
    >>> infer_target(["yes", "no", "no"]).kind, infer_target([0.5, 1.5, 7.0]).kind
    ('binary', 'regression')
    """
    if kind not in (None, "classification", *get_args(TaskKind)):
        raise SettingError(
            f"kind={kind!r} is no kind of task.{closest(str(kind), get_args(TaskKind))} Use "
            "'binary', 'multiclass', 'classification', 'regression', or None to find out."
        )
    column = as_column(y, name)
    name = str(column.name)
    missing = is_missing(column)
    present = _plain(column[~missing], name)
    if len(present) == 0:
        raise DataError(
            f"The target {name!r} has no value in any of its {len(column)} rows. Pass the column "
            "to be predicted."
        )
    notes = []
    if missing.any():
        notes.append(
            f"{int(missing.sum())} of {len(column)} rows have no {name!r}; nothing can be learned "
            "from them."
        )
    found, why = _detect(present)
    if kind is not None:
        found, why = _as_said(present, kind, found, why, name)
    target = Target(found, None, name, why, "float64", (), len(column), int(missing.sum()))
    if found == "regression":
        values = _numbers(present, name)
        if values.min() == values.max():
            raise DataError(
                f"The target {name!r} is always {values[0]:g}. There is nothing to learn from a "
                "constant; pass the column to be predicted."
            )
        return replace(target, warnings=tuple(notes))
    return _with_classes(target, present, notes)


def as_column(y: Any, name: str | None = None) -> pd.Series:
    """The target as a Series with a name, whatever it came in.

    Raises
    ------
    DataError
        If it has several columns, is not a column at all, or holds complex numbers.
    """
    if y is None:
        raise DataError(
            "fit requires y to be passed, but the target y is None. Pass the column to predict."
        )
    if hasattr(y, "to_pandas"):
        y = y.to_pandas()
    if isinstance(y, pd.DataFrame):
        if y.shape[1] != 1:
            raise DataError(
                f"The target has {y.shape[1]} columns: {', '.join(map(repr, y.columns[:5]))}. One "
                "model predicts one column; fit one for each."
            )
        y = y.iloc[:, 0]
    elif not isinstance(y, pd.Series):
        y = pd.Series(_vector(y))
    if getattr(y.dtype, "kind", "") == "c":
        raise DataError("Complex data not supported: y holds complex numbers. Use their parts.")
    given = name if name is not None else y.name
    named: pd.Series = y.rename("target" if given is None else str(given))
    return named


def is_missing(y: Any) -> NDArray[np.bool_]:
    """Shape (n,): rows without a target, or with a word such as "?" in its place."""
    column = as_column(y)
    missing = column.isna().to_numpy(dtype=bool, copy=True)
    if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object:
        codes, labels = pd.factorize(_hashable(column))
        words = [isinstance(label, str) and parsing.is_missing_word(label) for label in labels]
        missing |= np.append(np.array(words, dtype=bool), False)[codes]
    return missing


def _vector(y: Any) -> NDArray[Any]:
    try:
        array = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    except ValueError as error:  # lists of different lengths
        raise DataError(
            f"The target holds a list in each row, such as {y[0]!r:.80}, of different lengths. "
            "Pass one number or one word per row."
        ) from error
    if array.ndim == 2 and array.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. It is taken as "
            "y.ravel(); pass that to be silent.",
            DataConversionWarning,
            stacklevel=4,
        )
        array = array.ravel()
    if array.ndim != 1:
        raise DataError(
            f"The target has shape {array.shape}, but one value per row is expected, shape "
            "(n_rows,). Fit one model for each column to predict."
        )
    if isinstance(y, list | tuple) and array.dtype.kind in "US":
        # NumPy has turned [1, "a"] into two strings; objects keep what they were.
        return np.array(list(y), dtype=object)
    return array


def _hashable(column: pd.Series) -> pd.Series:
    try:
        pd.factorize(column)
    except TypeError as error:
        raise DataError(
            f"The target {column.name!r} holds lists or other objects, such as "
            f"{column.dropna().iloc[0]!r}. Each row needs one number or one word."
        ) from error
    return column


def _plain(column: pd.Series, name: str) -> pd.Series:
    """Without pandas's own types: bool, integers, floats, or objects that are all strings."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _plain(pd.Series(column.to_numpy(), name=name).infer_objects(), name)
    if isinstance(dtype, pd.SparseDtype):
        return _plain(pd.Series(np.asarray(column), index=column.index, name=column.name), name)
    if isinstance(dtype, pd.ArrowDtype | pd.PeriodDtype) or dtype.kind in "mM":
        if not isinstance(dtype, pd.ArrowDtype) or pd.api.types.is_datetime64_any_dtype(dtype):
            raise DataError(
                f"The target {name!r} holds dates or durations ({dtype}), which cannot be "
                "predicted as they are. Turn them into a number, such as days since a start."
            )
        return _plain(pd.Series(column.to_numpy(), name=name).infer_objects(), name)
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype(bool)
    if dtype.kind in "iu":
        return pd.Series(column.to_numpy(np.dtype(str(dtype).lower())), index=column.index)
    if dtype.kind == "f":
        return column.astype(np.float64)
    objects = column.astype(object)
    better = objects.infer_objects()
    if better.dtype.kind in "biufmM":
        return _plain(better, name)
    kinds = {type(value).__name__ for value in _hashable(objects).unique()}
    if kinds - {"str", "str_"}:
        raise DataError(
            f"The target {name!r} mixes values of several types: {', '.join(sorted(kinds))}. "
            "Convert them all to numbers or all to words, for example with y.astype(str)."
        )
    return objects


def _detect(present: pd.Series) -> tuple[TaskKind, str]:
    n_unique = present.nunique()
    classes: TaskKind = "binary" if n_unique <= 2 else "multiclass"
    if present.dtype.kind == "b":
        return "binary", "it is true or false"
    if present.dtype.kind not in "iuf":
        labels = present.unique()
        values, readable = parsing.numbers(labels)
        is_whole = bool((values == np.floor(values)).all())
        if readable.all() and n_unique > 2 and (not is_whole or n_unique > FEW_VALUES):
            return "regression", f"it holds {n_unique} different numbers, written as text"
        return classes, f"it holds {n_unique} different words"
    if present.dtype.kind == "f" and not (present == np.floor(present)).all():
        return "regression", "it holds numbers with decimals"
    if n_unique <= 2:
        return "binary", f"it holds {n_unique} different numbers"
    if n_unique <= FEW_VALUES and len(present) >= ROWS_PER_CLASS * n_unique:
        return classes, (
            f"it holds only {n_unique} different whole numbers in {len(present)} rows; say "
            "'regression' if they are amounts"
        )
    return "regression", f"it holds {n_unique} different whole numbers in {len(present)} rows"


def _as_said(
    present: pd.Series, kind: str, found: TaskKind, why: str, name: str
) -> tuple[TaskKind, str]:
    said = "the user says so"
    if kind == "regression":
        return "regression", why if found == kind else said
    n_unique = present.nunique()
    if present.dtype.kind == "f":
        if not np.isfinite(present).all():
            _numbers(present, name)  # refuses infinities
        if not (present == np.floor(present)).all():
            raise DataError(
                f"Unknown label type: continuous. The target {name!r} holds {n_unique} different "
                f"numbers with decimals, such as {present.iloc[0]:g}, which are no classes. Use "
                "a regressor, or cut them into classes with pandas.cut."
            )
    if kind == "binary" and n_unique > 2:
        raise DataError(
            f"The target {name!r} has {n_unique} classes, so it is not binary. Say 'multiclass'."
        )
    return ("binary" if n_unique <= 2 else "multiclass"), why if found != "regression" else said


def _with_classes(target: Target, present: pd.Series, notes: list[str]) -> Target:
    name = target.name
    labels, counts = np.unique(present.to_numpy(), return_counts=True)
    if len(labels) == 1:
        raise DataError(
            f"The target {name!r} has only one class, {str(labels[0])!r}. A classifier needs "
            "rows of at least two."
        )
    if len(labels) > MANY_CLASSES or (len(labels) == len(present) and len(present) > 2):
        raise DataError(
            f"The target {name!r} has {len(labels)} different values in {len(present)} rows, such "
            f"as {str(labels[0])!r}. Too few rows of each to learn classes; is it the right "
            "column? Pass another one, or use a regressor for numbers."
        )
    rare = [str(label) for label, count in zip(labels, counts, strict=True) if count == 1]
    if rare:
        notes.append(
            f"{len(rare)} class(es) of {name!r} have a single row: {', '.join(rare[:5])}"
            f"{', ...' if len(rare) > 5 else ''}. What is learned about them cannot be checked."
        )
    classes = tuple(label.item() if isinstance(label, np.generic) else label for label in labels)
    return replace(
        target,
        classes=classes,
        dtype=str(labels.dtype) if labels.dtype.kind in "biuf" else "object",
        counts=tuple(int(count) for count in counts),
        warnings=tuple(notes),
    )


def _numbers(column: pd.Series, name: str) -> NDArray[np.float64]:
    if column.dtype.kind in "biuf":
        values = column.to_numpy(np.float64)
    else:
        values, readable = parsing.numbers(column.to_numpy(object))
        if not readable.all() or np.isnan(values).any():
            wrong = column[np.isnan(values)].iloc[0]
            raise DataError(
                f"The target {name!r} holds {wrong!r}, which is not a number, so it is no target "
                "for regression. Remove such rows, or use a classifier."
            )
    if not np.isfinite(values).all():
        raise DataError(
            f"Input y contains infinity or a value too large for dtype('float64'): "
            f"{int((~np.isfinite(values)).sum())} rows of {name!r}. Leave them out or cap them."
        )
    return values


def _codes(column: pd.Series, classes: tuple[Class, ...]) -> NDArray[np.int64]:
    """Which class each row has, -1 for none of them."""
    exact = {label: code for code, label in enumerate(classes)}
    # A file may bring "1" or 1.0 where training had 1.
    by_text = {parsing.as_text(label): code for code, label in enumerate(classes)}
    codes, labels = pd.factorize(column)
    of_labels = [exact.get(label, by_text.get(parsing.as_text(label), -1)) for label in labels]
    return np.append(np.array(of_labels, dtype=np.int64), -1)[codes]
