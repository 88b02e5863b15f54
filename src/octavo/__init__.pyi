# The public names. One row more makes one name more: `__init__.py` loads it on first use.

from . import (
    callbacks as callbacks,
    errors as errors,
    executors as executors,
    optimizers as optimizers,
    spaces as spaces,
)
from .problem import (
    Constraint as Constraint,
    Fidelity as Fidelity,
    Objective as Objective,
)
from .spaces import (
    Categorical as Categorical,
    Constant as Constant,
    Float as Float,
    Integer as Integer,
    Ordinal as Ordinal,
    space as space,
)
from .study import (
    Study as Study,
    minimize as minimize,
    open_study as open_study,
)
from .tabular.estimators import (
    AutoClassifier as AutoClassifier,
    AutoRegressor as AutoRegressor,
)
from .tabular.model import load_model as load_model
from .tabular.tasks import (
    TabularClassificationTask as TabularClassificationTask,
    TabularRegressionTask as TabularRegressionTask,
)

__version__: str
__all__: list[str]
