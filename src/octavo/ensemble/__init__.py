"""What the rooms share: metrics, resampling, ensembles, calibration, decision rules."""

from octavo.ensemble.calibration import Calibration, calibrate
from octavo.ensemble.importance import Importance, permutation_importance
from octavo.ensemble.intervals import plain_baseline, score_gain, score_interval
from octavo.ensemble.metrics import Metric, default_metric, get_metric, metric_names
from octavo.ensemble.partial_dependence import PartialDependence, partial_dependence
from octavo.ensemble.resampling import Resampling, plan
from octavo.ensemble.selection import Selection, select
from octavo.ensemble.shapley import SampledShapley, sampled_shapley
from octavo.ensemble.thresholds import DecisionRule, tune_decision

__all__ = [
    "Calibration",
    "DecisionRule",
    "Importance",
    "Metric",
    "PartialDependence",
    "Resampling",
    "SampledShapley",
    "Selection",
    "calibrate",
    "default_metric",
    "get_metric",
    "metric_names",
    "partial_dependence",
    "permutation_importance",
    "plain_baseline",
    "plan",
    "sampled_shapley",
    "score_gain",
    "score_interval",
    "select",
    "tune_decision",
]
