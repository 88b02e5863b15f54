# The public names of this package; `__init__.py` loads each on first use.

from .estimators import AutoClassifier as AutoClassifier, AutoRegressor as AutoRegressor
from .model import TabularModel as TabularModel, load_model as load_model
from .models.estimator import estimator_family as estimator_family
from .models.family import Family as Family, Shape as Shape
from .reading import read_table as read_table
from .schema import Schema as Schema, infer_schema as infer_schema
from .target import Target as Target, infer_target as infer_target
from .tasks import (
    TabularClassificationTask as TabularClassificationTask,
    TabularRegressionTask as TabularRegressionTask,
)

__all__: list[str]
