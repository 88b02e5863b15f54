"""One file that says how good a model is, what it is made of, and what to watch."""

from octavo.report.data import (
    Column,
    Feature,
    FrontDot,
    Member,
    ModelRow,
    Predictions,
    ReportData,
    Setting,
    Sheet,
    TrialPoint,
)
from octavo.report.page import render, write
from octavo.report.table import summarize

__all__ = [
    "Column",
    "Feature",
    "FrontDot",
    "Member",
    "ModelRow",
    "Predictions",
    "ReportData",
    "Setting",
    "Sheet",
    "TrialPoint",
    "render",
    "summarize",
    "write",
]
