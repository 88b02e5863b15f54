"""A predictor of learning curves that learns anew whenever enough has become known."""

from __future__ import annotations

from collections.abc import Sequence

from octavo.schedulers.curves import Curve
from octavo.surrogates.learning_curves import LearningCurves

__all__ = ["CurveModel"]

_GROWTH = 1.25
_FIRST = 5
_MOST = 80  # the latest; a fit takes half a second then, and more teach little


class CurveModel:
    """`LearningCurves`, fitted to a growing list of curves at fixed numbers of them.

    The fit depends on the list alone and not on when one asked, so that a resumed study
    decides as the one that went on would have.
    """

    def __init__(self) -> None:
        self._fitted: tuple[int, LearningCurves] | None = None

    def learned(self, curves: Sequence[Curve]) -> LearningCurves:
        """The predictor for these curves, costs minimized, in order of completion."""
        level = _level(len(curves))
        if self._fitted is None or self._fitted[0] != level:
            model = LearningCurves().fit(curves[max(level - _MOST, 0) : level])
            self._fitted = level, model
        return self._fitted[1]


def _level(n: int) -> int:
    """The largest of the numbers at which a fit is made that is not above n; 0 below the first."""
    level, following = 0, _FIRST
    while following <= n:
        level, following = following, max(following + 1, round(following * _GROWTH))
    return level
