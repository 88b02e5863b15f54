"""The one place where warnings of learners that were stopped on purpose are silenced."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["stopping_early_is_fine"]


@contextmanager
def stopping_early_is_fine() -> Iterator[None]:
    """Within, scikit-learn does not warn that an optimizer has not converged.

    Families bound iterations so that every fit ends in time, and steps are counted by their
    own loops. Whether the result is good is what the search measures.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        yield
