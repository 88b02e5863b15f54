"""The learning algorithms that are searched on tables: one family, one file, one row."""

from __future__ import annotations

from importlib.util import find_spec

from octavo.errors import MissingExtra
from octavo.tabular.models.cat_boost import CATBOOST
from octavo.tabular.models.estimator import EstimatorModel, estimator_family
from octavo.tabular.models.family import Config, Family, Model, Shape
from octavo.tabular.models.forests import EXTRA_TREES, RANDOM_FOREST
from octavo.tabular.models.gaussian_process import GAUSSIAN_PROCESS
from octavo.tabular.models.histogram_boosting import HISTOGRAM_BOOSTING
from octavo.tabular.models.light_gbm import LIGHTGBM
from octavo.tabular.models.linear import LINEAR
from octavo.tabular.models.mlp import MLP
from octavo.tabular.models.nearest_neighbors import NEAREST_NEIGHBORS
from octavo.tabular.models.network import NETWORK
from octavo.tabular.models.svm import SVM
from octavo.tabular.models.xg_boost import XGBOOST

__all__ = [
    "CATALOG",
    "Config",
    "EstimatorModel",
    "Family",
    "Model",
    "Shape",
    "estimator_family",
    "is_installed",
    "missing_extra",
]

CATALOG: dict[str, Family] = {
    family.name: family
    for family in (
        LINEAR,
        LIGHTGBM,
        RANDOM_FOREST,
        EXTRA_TREES,
        CATBOOST,
        XGBOOST,
        MLP,
        NETWORK,
        NEAREST_NEIGHBORS,
        SVM,
        HISTOGRAM_BOOSTING,
        GAUSSIAN_PROCESS,
    )
}
"""All families by name, in the order in which they are tried first."""


def is_installed(family: Family) -> bool:
    """Whether the library behind a family can be imported; it is not imported for that."""
    return family.package is None or find_spec(family.package) is not None


def missing_extra(family: Family) -> MissingExtra:
    """The error to raise when a user asks for a family whose library is absent."""
    return MissingExtra(f"the family {family.title}", family.extra)
