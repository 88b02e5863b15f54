"""One file that says how good a model is, what it is made of, and what to watch."""

from octavo.report.data import (
    Column,
    EffectCurve,
    Feature,
    FrontDot,
    Member,
    ModelRow,
    Predictions,
    ReportData,
    Setting,
    Sheet,
    Swarm,
    TrialPoint,
)
from octavo.report.page import Explained, render, render_explanation, write, write_page
from octavo.report.table import summarize

__all__ = [
    "Column",
    "EffectCurve",
    "Explained",
    "Feature",
    "FrontDot",
    "Member",
    "ModelRow",
    "Predictions",
    "ReportData",
    "Setting",
    "Sheet",
    "Swarm",
    "TrialPoint",
    "render",
    "render_explanation",
    "summarize",
    "write",
    "write_page",
]
