"""How far training has come, so that a schedule that falls towards its end ends in time.

A schedule that is cut off while its learning rate is high leaves noisy weights. So the number of
steps is chosen by the time that a step takes, and corrected downwards as long as training lasts;
what is left of the schedule is spread over the steps that are left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Pace"]

_SHARE = 0.92  # of the time that is left; the rest is for judging, and for surprises
_STEPS_TO_JUDGE = 10
_TIME_TO_JUDGE = 0.1  # of all time


class Pace:
    """Counts steps, and drops those that the deadline leaves no time for.

    Without a deadline, or with one that is far, it only counts, so that the same run is made
    however fast the machine is.

    Parameters
    ----------
    n_steps
        That training takes if there is time, at least 1.
    deadline
        Value of `time.monotonic()`; `math.inf` means none.
    clock
        What tells the time.

    Examples
    --------
    >>> pace = Pace(4, math.inf)
    >>> pace.advance()
    >>> pace.progress, pace.steps_left
    (0.25, 3)
    """

    def __init__(
        self, n_steps: int, deadline: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.progress = 0.0
        self.steps_left = n_steps
        self.n_done = 0
        self.is_shortened = False
        self._deadline = deadline
        self._clock = clock
        self._begun = self._first_end = clock()

    @property
    def is_over(self) -> bool:
        """Whether no step is left."""
        return self.steps_left <= 0

    def advance(self) -> None:
        """A step is done."""
        self.progress += (1.0 - self.progress) / self.steps_left
        self.steps_left -= 1
        self.n_done += 1
        if self._deadline < math.inf and self.steps_left:
            self._shorten()

    def _shorten(self) -> None:
        now = self._clock()
        if self.n_done == 1:
            # It is slower than all others: memory is reserved, code loaded.
            self._first_end = now
        if now >= self._deadline:
            self.steps_left, self.is_shortened = 0, True
            return
        is_early = now - self._begun < _TIME_TO_JUDGE * (self._deadline - self._begun)
        if self.n_done < _STEPS_TO_JUDGE and is_early:
            return
        done = self.n_done - 1
        step_s = (now - self._first_end) / done if done else now - self._begun
        fits = int(_SHARE * (self._deadline - now) / max(step_s, 1e-9))
        if fits < self.steps_left:
            self.steps_left, self.is_shortened = fits, True
