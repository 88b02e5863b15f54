"""Which tasks were looked at while schedules were written, and which only report."""

from __future__ import annotations

from typing import Literal

__all__ = ["DEVELOP", "half_of"]

DEVELOP: frozenset[str] = frozenset(
    (
        *(f"taskset/{number}" for number in (0, 2, 3, 5, 7, 9)),
        *(f"rbv2_rpart/{data_set}" for data_set in ("11", "22", "181", "1489", "40536", "40981")),
        *(f"iaml_glmnet/{data_set}" for data_set in ("1489", "40981")),
    )
)
"""The half of the recorded tasks on which schedules were developed and chosen between."""


def half_of(task: str) -> Literal["develop", "report", "live"]:
    """Where a task belongs.

    Examples
    --------
    >>> half_of("taskset/0"), half_of("taskset/1"), half_of("live/mlp/student_por")
    ('develop', 'report', 'live')
    """
    if task.startswith("live/"):
        return "live"
    return "develop" if task in DEVELOP else "report"
