# The public names. One row more makes one name more: `__init__.py` loads it on first use.

from . import errors as errors
from .problem import (
    Constraint as Constraint,
    Fidelity as Fidelity,
    Objective as Objective,
)

__version__: str
__all__: list[str]
