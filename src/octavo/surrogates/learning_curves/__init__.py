"""Learning curves: parametric families, and where a curve is going."""

from octavo.surrogates.learning_curves.estimator import LearningCurves
from octavo.surrogates.learning_curves.mixture import Prediction

__all__ = ["LearningCurves", "Prediction"]
