"""From a canonical table to a matrix: one transformer, fitted inside of each fold.

Columns come in this order: numbers and truths, parts of dates, indicators of what was missing,
categories, texts, and those that are made of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from octavo.errors import DataError, SettingError, closest
from octavo.tabular.category_encoding import codes_of, fit_codes, fit_onehot
from octavo.tabular.date_parts import fit_date_parts
from octavo.tabular.generated_features import fit_generated
from octavo.tabular.number_encoding import Filling, Scaling, fit_numbers
from octavo.tabular.schema import Feature, Schema
from octavo.tabular.selection import strongest
from octavo.tabular.target_encoding import fit_target_encoding
from octavo.tabular.text_encoding import TextStyle, fit_text

__all__ = ["Preprocessor"]

Matrix = NDArray[np.float32]
CategoryStyle = Literal["onehot", "ordinal", "target", "native"]
DateStyle = Literal["parts", "cyclic"]

FEW_LEVELS = 10
"""With categories="target", features with at most so many categories are still one-hot."""
NATIVE_LEVELS = 254
"""Different codes that histogram boosting can hold in a byte, beside missing."""


class Preprocessor(TransformerMixin, BaseEstimator):
    """Turns canonical tables into float32 matrices, as one kind of model wants them.

    Parameters
    ----------
    features
        The features of the schema that made the tables; or the schema itself.
    categories
        "onehot"; "ordinal": codes in the order of the labels; "target": smoothed means of the
        target, cross-fitted, for features with more than ten categories, one-hot for others;
        "native": codes for models that split sets of categories, listed in
        `categorical_indices_`.
    numbers
        "none", "standard", "robust" or "quantile" scaling; dates are scaled alike.
    missing
        "keep" NaN, or fill with "mean" or "median". Missing codes of "ordinal" and "native"
        categories are NaN with "keep", else a number of their own, -1.
    indicator
        Whether columns of 0 and 1 say which numbers were missing.
    rare
        Share of rows below which one-hot categories share a column.
    width
        Columns at most for one one-hot feature.
    text
        "word-svd", "char-svd", "hash" or "length".
    text_dims
        Columns for each text, besides two for its length.
    dates
        "parts" as counted (trees) or "cyclic" (linear models).
    select
        Fraction of the matrix's columns to keep, those that alone say most about the target
        (F statistics); None keeps all. Native categories are always kept.
    generate
        How many columns to make of the others at most (`octavo.tabular.generated_features`); for
        trees, with codes of categories.
    random_state
        Seed of cross fitting and text axes.

    Attributes
    ----------
    categorical_indices_
        Columns of the matrix that hold native codes.
    directions_
        The direction of each of its columns (see `Feature`); empty if none has any.

    Notes
    -----
    With target encoding or generated columns, `fit_transform(X, y)` differs from
    `fit(X, y).transform(X)`: training rows must be encoded without their own target. Use the former
    for training.
    """

    generate = 0  # of transformers that were saved before there was such a setting

    def __init__(
        self,
        features: Sequence[Feature] | Schema,
        *,
        categories: CategoryStyle = "onehot",
        numbers: Scaling = "none",
        missing: Filling = "keep",
        indicator: bool = False,
        rare: float = 0.0,
        width: int = 64,
        text: TextStyle = "word-svd",
        text_dims: int = 30,
        dates: DateStyle = "parts",
        select: float | None = None,
        generate: int = 0,
        random_state: int | None = 0,
    ) -> None:
        self.features = features
        self.categories = categories
        self.numbers = numbers
        self.missing = missing
        self.indicator = indicator
        self.rare = rare
        self.width = width
        self.text = text
        self.text_dims = text_dims
        self.dates = dates
        self.select = select
        self.generate = generate
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Self:
        """Learn from a canonical table; see `fit_transform`."""
        self.fit_transform(X, y)
        return self

    def fit_transform(
        self, X: pd.DataFrame, y: NDArray[Any] | None = None, **fit_params: Any
    ) -> Matrix:
        """Learn from a canonical table and give its matrix.

        Parameters
        ----------
        X : shape (n, p)
            A table from `Schema.apply`, n >= 1.
        y : shape (n,)
            Class codes as integers, or numbers as floats; needed by "target" and `select`.

        Returns
        -------
        shape (n, width)
            float32 and C-contiguous.

        Raises
        ------
        SettingError
            If a parameter has no meaning.
        DataError
            If the table is not canonical, or `y` is needed and not there.
        """
        self._check_settings(y)
        self._check_table(X)
        self._seed = 0 if self.random_state is None else int(self.random_state)
        self._sort_features()
        blocks = list(self._fit_blocks(X, y))
        self._names = [name for names, _ in blocks for name in names]
        matrix = self._joined([block for _, block in blocks], len(X))
        self.categorical_indices_ = np.zeros(0, dtype=np.int64)
        if self._code_names and self.categories == "native":
            first = self._names.index(self._code_names[0])
            self.categorical_indices_ = np.arange(first, first + len(self._code_names))
        self._kept: NDArray[np.int64] | None = None
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        if self.select is not None and self.select < 1:
            assert y is not None
            self._kept = strongest(matrix, y, self.select, always=self.categorical_indices_)
            self.categorical_indices_ = np.flatnonzero(
                np.isin(self._kept, self.categorical_indices_)
            )
            matrix = np.ascontiguousarray(matrix[:, self._kept])
        directions = self._directions()
        if self.generate:
            matrix = self._with_generated(matrix, y, np.flatnonzero(directions).tolist())
        # What is made of free columns is free.
        free = np.zeros(matrix.shape[1] - len(directions), dtype=np.int64)
        self.directions_ = tuple(np.append(directions, free).tolist()) if any(directions) else ()
        return matrix

    def _directions(self) -> NDArray[np.int64]:
        """Of each column of the matrix, without those that are made of others."""
        given = {feature.name: feature.direction for feature in self._features()}
        own = [given[name] for name in self._number_names]  # these come first
        directions = np.zeros(len(self._names), dtype=np.int64)
        directions[: len(own)] = own
        return directions if self._kept is None else directions[self._kept]

    def transform(self, X: pd.DataFrame) -> Matrix:
        """The matrix of a canonical table, n >= 0: float32, C-contiguous."""
        self._check_fitted()
        self._check_table(X)
        matrix = self._joined(list(self._transform_blocks(X)), len(X))
        if self._kept is not None:
            matrix = np.ascontiguousarray(matrix[:, self._kept])
        return (
            self._joined([matrix, self._generated.transform(matrix)], len(X))
            if self.generate
            else matrix
        )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the matrix's columns: "age", "color = red", "sold: month", ..."""
        self._check_fitted()
        names = np.array(self._names, dtype=object)
        names = names if self._kept is None else names[self._kept]
        made = self._generated.names(names.tolist()) if self.generate else []
        return np.append(names, np.array(made, dtype=object))

    def column_shares(self) -> NDArray[np.float64]:
        """Which columns of the table those of the matrix are made of, shape (width, features).

        Rows sum to 1: what is made of several columns belongs to each in equal parts.
        """
        self._check_fitted()
        sources: list[tuple[str, ...]] = [(name,) for name in self._sources()]
        if self._kept is not None:
            sources = [sources[at] for at in self._kept]
        for made in self._generated.origins() if self.generate else ():
            sources.append(tuple({name for at in made for name in sources[at]}))
        place = {feature.name: at for at, feature in enumerate(self._features())}
        shares = np.zeros((len(sources), len(place)))
        for row, names in enumerate(sources):
            shares[row, [place[name] for name in names]] = 1.0 / len(names)
        return shares

    def _sources(self) -> list[str]:
        """The column that each of `_names` comes from."""
        parts = zip(self._date_names, self._date_parts.kept, strict=True)
        found = self._number_names + [name for name, kept in parts for _ in kept]
        found += [found[at] for at in self._number_encoder.indicated]
        if self._onehot_names:
            found += [self._onehot_names[at] for at, _ in self._onehot_encoder.names]
        found += self._code_names
        if self._mean_names:
            n_texts = sum(len(encoder.names) for encoder in self._text_encoders)
            n_targets = (len(self._names) - len(found) - n_texts) // len(self._mean_names)
            found += [name for name in self._mean_names for _ in range(n_targets)]
        for name, encoder in zip(self._text_names, self._text_encoders, strict=True):
            found += [name] * len(encoder.names)
        return found

    # Fitting, block by block -------------------------------------------------------------

    def _sort_features(self) -> None:
        kinds: dict[str, list[Feature]] = {kind: [] for kind in ("number", "category", "text")}
        kinds |= {"date": []}
        for feature in self._features():
            kinds["number" if feature.kind == "boolean" else feature.kind].append(feature)
        self._number_names = [feature.name for feature in kinds["number"]]
        self._is_truth = np.array([f.kind == "boolean" for f in kinds["number"]], dtype=bool)
        self._date_names = [feature.name for feature in kinds["date"]]
        self._text_names = [feature.name for feature in kinds["text"]]
        chosen = kinds["category"]
        few = [f for f in chosen if len(f.categories or ()) <= FEW_LEVELS]
        many = [f for f in chosen if len(f.categories or ()) > FEW_LEVELS]
        by_code = self.categories in ("ordinal", "native")
        onehot = [] if by_code else few if self.categories == "target" else chosen
        self._code_names = [f.name for f in chosen] if by_code else []
        self._onehot_names = [f.name for f in onehot]
        self._mean_names = [f.name for f in many] if self.categories == "target" else []
        self._labels = {f.name: f.categories or () for f in chosen}

    def _fit_blocks(
        self, X: pd.DataFrame, y: NDArray[Any] | None
    ) -> Iterator[tuple[list[str], Matrix]]:
        moments = self._moments(X)
        self._date_parts = fit_date_parts(moments, self.dates)
        values = self._values(X)
        n_parts = values.shape[1] - len(self._number_names)
        self._number_encoder = fit_numbers(
            values,
            scaling=self.numbers,
            filling=self.missing,
            indicator=self.indicator,
            is_truth=np.append(self._is_truth, np.zeros(n_parts, dtype=bool)),
        )
        names = self._number_names + [
            f"{name}: {part}"
            for name, parts in zip(self._date_names, self._date_parts.kept, strict=True)
            for part in parts
        ]
        names += [f"{names[i]} is missing" for i in self._number_encoder.indicated]
        yield names, self._number_encoder.transform(values)
        if self._onehot_names:
            labels = [self._labels[name] for name in self._onehot_names]
            codes = codes_of(X, self._onehot_names)
            self._onehot_encoder = fit_onehot(codes, labels, rare=self.rare, width=self.width)
            yield (
                [f"{self._onehot_names[j]} = {word}" for j, word in self._onehot_encoder.names],
                self._onehot_encoder.transform(codes),
            )
        if self._code_names:
            codes = codes_of(X, self._code_names)
            n_categories = [len(self._labels[name]) for name in self._code_names]
            most = NATIVE_LEVELS if self.categories == "native" else None
            self._code_encoder = fit_codes(codes, n_categories, most=most)
            yield self._code_names, self._filled_codes(self._code_encoder.transform(codes))
        if self._mean_names:
            assert y is not None
            codes = codes_of(X, self._mean_names)
            n_categories = [len(self._labels[name]) for name in self._mean_names]
            self._mean_encoder, means = fit_target_encoding(codes, n_categories, y, self._seed)
            n_targets = means.shape[1] // len(self._mean_names)
            yield (
                [f"{name}: mean {t}" for name in self._mean_names for t in range(n_targets)],
                means,
            )
        self._text_encoders = []
        for name in self._text_names:
            texts = X[name].to_numpy(dtype=object)
            encoder = fit_text(texts, style=self.text, n_dims=self.text_dims, seed=self._seed)
            self._text_encoders.append(encoder)
            yield [f"{name}: {part}" for part in encoder.names], encoder.transform(texts)

    def _with_generated(
        self, matrix: Matrix, y: NDArray[Any] | None, apart: Sequence[int]
    ) -> Matrix:
        assert y is not None
        codes: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        if self._code_names:
            first = self._names.index(self._code_names[0])
            codes = np.arange(first, first + len(self._code_names))
        if self._kept is not None:
            codes = np.flatnonzero(np.isin(self._kept, codes))
        self._generated, made = fit_generated(
            matrix, y, codes.tolist(), apart=apart, most=self.generate, seed=self._seed
        )
        return self._joined([matrix, made], len(matrix))

    def _transform_blocks(self, X: pd.DataFrame) -> Iterator[Matrix]:
        yield self._number_encoder.transform(self._values(X))
        if self._onehot_names:
            yield self._onehot_encoder.transform(codes_of(X, self._onehot_names))
        if self._code_names:
            codes = codes_of(X, self._code_names)
            yield self._filled_codes(self._code_encoder.transform(codes))
        if self._mean_names:
            yield self._mean_encoder.transform(codes_of(X, self._mean_names))
        for name, encoder in zip(self._text_names, self._text_encoders, strict=True):
            yield encoder.transform(X[name].to_numpy(dtype=object))

    def _moments(self, X: pd.DataFrame) -> NDArray[np.datetime64]:
        moments = np.empty((len(X), len(self._date_names)), dtype="datetime64[ns]")
        for j, name in enumerate(self._date_names):
            moments[:, j] = X[name].to_numpy()
        return moments

    def _values(self, X: pd.DataFrame) -> NDArray[np.float64]:
        values = X[self._number_names].to_numpy(dtype=np.float64)
        if not self._date_names:
            return values
        return np.concatenate([values, self._date_parts.transform(self._moments(X))], axis=1)

    def _filled_codes(self, codes: Matrix) -> Matrix:
        return codes if self.missing == "keep" else np.where(np.isnan(codes), -1, codes)

    def _joined(self, blocks: list[Matrix], n_rows: int) -> Matrix:
        filled = [block for block in blocks if block.shape[1]]
        if not filled:
            return np.empty((n_rows, 0), dtype=np.float32)
        return np.ascontiguousarray(np.concatenate(filled, axis=1), dtype=np.float32)

    # Checks ------------------------------------------------------------------------------

    def _features(self) -> Sequence[Feature]:
        return self.features.features if isinstance(self.features, Schema) else self.features

    def _check_settings(self, y: NDArray[Any] | None) -> None:
        for name, kind in (
            ("categories", CategoryStyle),
            ("numbers", Scaling),
            ("missing", Filling),
            ("text", TextStyle),
            ("dates", DateStyle),
        ):
            value = getattr(self, name)
            if value not in get_args(kind):
                raise SettingError(
                    f"{name}={value!r} is no way to preprocess.{closest(value, get_args(kind))} "
                    f"Use one of {', '.join(map(repr, get_args(kind)))}."
                )
        if self.select is not None and not 0 < self.select <= 1:
            raise SettingError(
                f"select={self.select!r} is not a fraction. Use a number above 0 up to 1, or None."
            )
        if not 0 <= self.rare < 1 or math.isnan(self.rare):
            raise SettingError(f"rare={self.rare!r} is not a share of rows in [0, 1). Try 0.01.")
        for name in ("width", "text_dims"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}={getattr(self, name)!r} must be 1 or more.")
        if self.generate < 0:
            raise SettingError(f"generate={self.generate!r} must be 0 (none) or more columns.")
        if y is None and (self.categories == "target" or (self.select or 1) < 1 or self.generate):
            what = "categories='target'" if self.categories == "target" else "select"
            what = "generate" if self.generate else what
            raise DataError(f"{what} learns from the target, but y is None. Pass y to fit.")

    def _check_fitted(self) -> None:
        # Not scikit-learn's check: an exported model predicts where that is not installed.
        if not hasattr(self, "categorical_indices_"):
            raise DataError("this preprocessor has not learned from a table yet. Call fit first.")

    def _check_table(self, X: pd.DataFrame) -> None:
        missing = [f.name for f in self._features() if f.name not in X.columns]
        if missing:
            raise DataError(
                f"The table lacks {', '.join(map(repr, missing[:5]))}. Pass what Schema.apply gave."
            )
        for feature in self._features():
            if feature.kind != "category":
                continue
            dtype = X[feature.name].dtype
            known = feature.categories or ()
            if not isinstance(dtype, pd.CategoricalDtype) or tuple(dtype.categories) != known:
                raise DataError(
                    f"Column {feature.name!r} does not have the categories of the schema. Pass "
                    "what Schema.apply gave."
                )
