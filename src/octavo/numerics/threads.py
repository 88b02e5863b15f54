"""Limits on the threads of numeric libraries, for moments too short to look for them each time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

__all__ = ["limited"]

BRING_THREADS = ("scipy.linalg", "sklearn", "lightgbm", "xgboost", "torch")
"""Modules that load libraries with threads of their own, beside NumPy."""


@contextmanager
def limited(n_threads: int, *, user_api: Literal["blas", "openmp"] | None = None) -> Iterator[None]:
    """Limits the threads of this process's numeric libraries, for the time being.

    Parameters
    ----------
    n_threads
        Of each library.
    user_api
        Linear algebra ("blas") or OpenMP alone; None for both.
    """
    loaded = tuple(name in sys.modules for name in BRING_THREADS)
    with _controller(loaded).limit(limits=n_threads, user_api=user_api):
        yield


@cache
def _controller(loaded: tuple[bool, ...]) -> Any:
    """Looks through the loaded libraries, which takes milliseconds; once for each set of them."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
