"""Models of cost: what a history says about what nobody has tried, or seen the end of, yet.

`LearningCurves` predicts where a curve is going, `CostModel` how long a trial takes; the models
inside the optimizers are beside them. Modules load on first use.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import lazy_loader

from octavo.maturity import Maturity

if TYPE_CHECKING:
    from octavo.surrogates.cost_model import CostModel, Seconds
    from octavo.surrogates.learning_curves import LearningCurves, Prediction

__all__ = ["MATURITY", "CostModel", "LearningCurves", "Prediction", "Seconds"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cost_model": ["CostModel", "Seconds"],
        "learning_curves": ["LearningCurves", "Prediction"],
    },
)

MATURITY: Mapping[str, Maturity] = MappingProxyType({"LearningCurves": "beta", "CostModel": "beta"})
"""How far each public model can be trusted; the others are as mature as their optimizers."""
