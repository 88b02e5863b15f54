"""Which preprocessing is worth searching, for which table and which kind of model.

Only what matters for the table at hand is a choice: no way to fill in what is never missing,
no text encoding without text. What has one good answer for a kind of model is fixed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from octavo.errors import SettingError, closest
from octavo.spaces import Categorical, Float, Hyperparameter, Integer
from octavo.tabular.preprocessor import FEW_LEVELS, Preprocessor
from octavo.tabular.schema import Feature, Schema

__all__ = ["Preprocessor", "Wants", "preprocessing_space", "preprocessor_from"]

Wants = Literal["linear", "distance", "trees", "native"]
"""What kind of model the matrix is for: sums of columns, distances between rows, trees, or
trees that split sets of categories by themselves."""

FIXED: Mapping[Wants, Mapping[str, Any]] = {
    "linear": {"numbers": "standard", "missing": "median", "indicator": True, "dates": "cyclic"},
    "distance": {"numbers": "quantile", "missing": "median", "dates": "cyclic", "width": 32},
    "trees": {"numbers": "none", "missing": "keep", "categories": "ordinal"},
    "native": {"numbers": "none", "missing": "keep", "categories": "native"},
}
"""The best guess where nothing is searched; each is the first choice where something is."""

FILLED: Mapping[str, Any] = {"missing": "median", "indicator": True}
"""For trees with monotone columns: scikit-learn's then refuse what is missing."""

WIDE = 60
"""From so many columns on, keeping only some of them may help."""
GENERATED = 20
"""So many columns are made of others, where any are."""
MOST_GENERATING = 300
"""With more columns than that, the quick model that judges made ones takes too long."""
LETTER_TEXTS = 10_000
"""Groups of letters are only counted in so many different texts at most: it takes long."""


def preprocessing_space(
    schema: Schema | Sequence[Feature], for_: Wants, prefix: str = ""
) -> dict[str, Hyperparameter]:
    """The choices that matter for a table, as hyperparameters by prefixed name.

    Parameters
    ----------
    schema
        The table's schema, or its features.
    for_
        What kind of model the matrix is for.
    prefix
        Put before each name: "linear:" gives "linear:numbers".

    Returns
    -------
    Hyperparameters for `octavo.space`; perhaps none. Conditions between them are set; add
    those on the model with `.when(...)`.

    Examples
    --------
    >>> from octavo.tabular.schema import infer_schema
    >>> schema = infer_schema({"size": [1.0, 2.5, None], "color": ["red", "red", "blue"]})
    >>> sorted(preprocessing_space(schema, "linear", "svm:"))
    ['svm:indicator', 'svm:missing', 'svm:numbers']
    """
    _check_wants(for_)
    features = _features(schema)
    choices: dict[str, Hyperparameter] = {}
    if for_ in ("linear", "distance"):
        choices |= _number_choices(features, for_, prefix)
    choices |= _category_choices(features, for_, prefix)
    choices |= _text_choices(features, prefix)
    # Columns are only made of others where predictions are free; divisions by zero are missing,
    # which constrained forests do not take.
    free = [feature for feature in features if not feature.direction]
    is_possible = for_ == "native" or (for_ == "trees" and len(free) == len(features))
    if is_possible and len(free) >= 2 and len(features) <= MOST_GENERATING:
        choices[f"{prefix}generated"] = Categorical([False, True])
    if len(features) >= WIDE:
        choices[f"{prefix}select"] = Float(0.05, 1.0, log=True, default=1.0)
    return choices


def preprocessor_from(
    config: Mapping[str, Any],
    prefix: str,
    features: Schema | Sequence[Feature],
    *,
    for_: Wants,
    random_state: int | None = 0,
) -> Preprocessor:
    """The transformer that a configuration asks for.

    Parameters
    ----------
    config
        A configuration of a space that holds `preprocessing_space(schema, for_, prefix)`; other
        hyperparameters are passed over.
    prefix
        As there.
    features
        Of the schema.
    for_
        As there.
    random_state
        Seed of the transformer.
    """
    _check_wants(for_)
    settings = dict(FIXED[for_])
    if for_ == "trees" and any(feature.direction for feature in _features(features)):
        settings |= FILLED
    for name in (
        "numbers",
        "missing",
        "indicator",
        "categories",
        "rare",
        "text",
        "text_dims",
        "select",
    ):
        if prefix + name in config:
            settings[name] = config[prefix + name]
    settings["generate"] = GENERATED if config.get(prefix + "generated") else 0
    return Preprocessor(_features(features), **settings, random_state=random_state)


def _number_choices(
    features: Sequence[Feature], for_: Wants, prefix: str
) -> dict[str, Hyperparameter]:
    numeric = [f for f in features if f.kind in ("number", "date")]
    choices: dict[str, Hyperparameter] = {}
    if numeric:
        scalings = ("standard", "robust", "quantile")
        first = FIXED[for_]["numbers"]
        choices["numbers"] = Categorical(sorted(scalings, key=lambda scaling: scaling != first))
    if any(f.n_missing for f in features if f.kind in ("number", "date", "boolean")):
        choices["missing"] = Categorical(["median", "mean"])
        choices["indicator"] = Categorical([True, False])
    return {prefix + name: choice for name, choice in choices.items()}


def _category_choices(
    features: Sequence[Feature], for_: Wants, prefix: str
) -> dict[str, Hyperparameter]:
    levels = [len(f.categories or ()) for f in features if f.kind == "category"]
    if not levels or (max(levels) <= FEW_LEVELS and for_ != "trees"):
        return {}
    styles = {
        "linear": ["onehot", "target"],
        "distance": ["onehot", "target"],
        "trees": ["ordinal", "onehot", "target"],
        "native": ["native", "target"],
    }[for_]
    if max(levels) <= FEW_LEVELS:
        styles.remove("target")  # it would be one-hot
    choices: dict[str, Hyperparameter] = {f"{prefix}categories": Categorical(styles)}
    if "onehot" in styles and max(levels) > FEW_LEVELS:
        rare = Float(1e-4, 0.1, log=True, default=0.005)
        choices[f"{prefix}rare"] = rare.when({f"{prefix}categories": "onehot"})
    return choices


def _text_choices(features: Sequence[Feature], prefix: str) -> dict[str, Hyperparameter]:
    texts = [f for f in features if f.kind == "text"]
    if not texts:
        return {}
    styles = ["word-svd"]
    if max(f.n_unique for f in texts) <= LETTER_TEXTS:
        styles.append("char-svd")
    if any(f.kind != "text" for f in features):
        styles.append("length")
    with_dims = [style for style in styles if style != "length"]
    return {
        f"{prefix}text": Categorical(styles),
        f"{prefix}text_dims": Integer(8, 128, log=True, default=30).when(
            {f"{prefix}text": with_dims}
        ),
    }


def _features(schema: Schema | Sequence[Feature]) -> tuple[Feature, ...]:
    return schema.features if isinstance(schema, Schema) else tuple(schema)


def _check_wants(for_: str) -> None:
    if for_ not in get_args(Wants):
        raise SettingError(
            f"for_={for_!r} is no kind of model.{closest(for_, get_args(Wants))} Use one of "
            f"{', '.join(map(repr, get_args(Wants)))}."
        )
