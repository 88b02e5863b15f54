"""Free text as a few dense numbers: weighted words or letter groups, then their main axes.

Term frequencies weighted by rarity and reduced by a truncated singular value decomposition
(latent semantic analysis: Deerwester et al., 1990, J. ASIS 41, 391-407).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["TextEncoder", "fit_text"]

TextStyle = Literal["word-svd", "char-svd", "hash", "length"]

LEARNED_TEXTS = 10_000
"""Words are weighted and axes found on so many different texts at most."""
MOST_TERMS = 10_000
LONGEST = {"word-svd": 5_000, "char-svd": 250, "hash": 5_000, "length": 0}
"""Characters that are looked at; the rest of a longer text does not count."""


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """How one text column becomes numbers.

    Parameters
    ----------
    style
        As for `fit_text`.
    vectorizer
        Counts terms; None if there are none.
    axes : shape (terms, dims)
        Onto which counts are projected; None if counts are used as they are.
    n_dims
        Output columns besides the two for the length.
    scale
        Divides the projections, so that their lengths have a mean square of 1 per axis.
    """

    style: TextStyle
    vectorizer: Any
    axes: NDArray[np.float64] | None
    n_dims: int
    scale: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the output columns."""
        return ("characters", "words", *(f"axis {i}" for i in range(self.n_dims)))

    def transform(self, texts: NDArray[Any]) -> NDArray[np.float32]:
        """Shape (n, n_dims + 2), float32: logarithms of the lengths, then the axes."""
        codes, distinct = pd.factorize(texts)  # equal texts are encoded once
        out = np.zeros((len(distinct), self.n_dims + 2), dtype=np.float32)
        out[:, 0] = np.log1p([len(text) for text in distinct])
        out[:, 1] = np.log1p([len(text.split()) for text in distinct])
        if self.vectorizer is not None and len(distinct):
            terms = self.vectorizer.transform([_cut(text, self.style) for text in distinct])
            dense = terms.toarray() if self.axes is None else terms @ self.axes
            out[:, 2:] = dense / self.scale
        return out[codes]


def _cut(text: str, style: TextStyle) -> str:
    return text[: LONGEST[style]]


def fit_text(texts: NDArray[Any], *, style: TextStyle, n_dims: int, seed: int) -> TextEncoder:
    """Learn how to encode one column of texts.

    Parameters
    ----------
    texts : shape (n,)
        Strings, "" where missing.
    style
        "word-svd": words and pairs of words, reduced to axes. "char-svd": groups of three to
        four letters, for short texts with misspellings or codes. "hash": words counted in
        `n_dims` buckets, quick. "length": only how long the text is.
    n_dims
        How many numbers; fewer if the texts do not have as many different terms.
    seed
        Of the rows that are learned from, and of the decomposition.
    """
    nothing = TextEncoder(style, None, None, 0)
    if style == "length":
        return nothing
    if style == "hash":
        from sklearn.feature_extraction.text import HashingVectorizer

        return TextEncoder(style, HashingVectorizer(n_features=n_dims), None, n_dims)
    distinct = np.array([text for text in pd.unique(texts) if text], dtype=object)
    rng = np.random.default_rng(seed)
    if len(distinct) > LEARNED_TEXTS:
        distinct = distinct[np.sort(rng.choice(len(distinct), LEARNED_TEXTS, replace=False))]
    if len(distinct) < 2:
        return nothing
    vectorizer = _vectorizer(style, len(distinct))
    try:
        terms = vectorizer.fit_transform([_cut(text, style) for text in distinct])
    except ValueError:
        return nothing  # not a single term is in these texts: only signs, for example
    axes = _main_axes(terms, n_dims, rng)
    lengths = np.sqrt((np.asarray(terms @ axes) ** 2).sum() / terms.shape[0] / axes.shape[1])
    return TextEncoder(style, vectorizer, axes, axes.shape[1], float(lengths) or 1.0)


def _vectorizer(style: TextStyle, n_texts: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # A term of one text alone connects it to no other.
    rarest = 2 if n_texts >= 50 else 1
    options = {"min_df": rarest, "max_features": MOST_TERMS, "sublinear_tf": True}
    if style == "word-svd":
        return TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **options)
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), **options)


def _main_axes(terms: Any, n_dims: int, rng: np.random.Generator) -> NDArray[np.float64]:
    from sklearn.utils.extmath import randomized_svd

    n_axes = max(1, min(n_dims, min(terms.shape) - 1))
    _, _, axes = randomized_svd(
        terms, n_axes, n_iter=3, random_state=int(rng.integers(2**31)), flip_sign=True
    )
    return np.ascontiguousarray(axes.T)
