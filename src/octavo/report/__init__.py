"""One HTML file that says how good a model is, what it is made of, and what to watch."""

from octavo.report.data import (
    Column,
    Feature,
    Member,
    ModelRow,
    Predictions,
    ReportData,
    Setting,
    TrialPoint,
)
from octavo.report.page import render, write
from octavo.report.table import summarize

__all__ = [
    "Column",
    "Feature",
    "Member",
    "ModelRow",
    "Predictions",
    "ReportData",
    "Setting",
    "TrialPoint",
    "render",
    "summarize",
    "write",
]
