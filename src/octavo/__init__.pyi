# The public names. One row more makes one name more: `__init__.py` loads it on first use.

from . import (
    callbacks as callbacks,
    ensemble as ensemble,
    errors as errors,
    executors as executors,
    optimizers as optimizers,
    schedulers as schedulers,
    spaces as spaces,
    storage as storage,
    tabular as tabular,
    testing as testing,
)
from .ensemble import Metric as Metric, metric_names as metric_names
from .errors import TrialStopped as TrialStopped
from .problem import (
    Constraint as Constraint,
    Fidelity as Fidelity,
    Limits as Limits,
    Objective as Objective,
    Problem as Problem,
    TrialLimits as TrialLimits,
)
from .spaces import (
    Categorical as Categorical,
    Constant as Constant,
    Float as Float,
    Integer as Integer,
    Ordinal as Ordinal,
    any_of as any_of,
    at_least as at_least,
    at_most as at_most,
    greater_than as greater_than,
    less_than as less_than,
    other_than as other_than,
    space as space,
)
from .storage import (
    export_history as export_history,
    import_history as import_history,
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
