"""Threads of numeric libraries during predictions, which are often too short to look for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["limited"]


@contextmanager
def limited(n_threads: int) -> Iterator[None]:
    """Limits OpenMP and linear algebra to so many threads, for the time being."""
    with _controller().limit(limits=n_threads):
        yield


@cache
def _controller() -> Any:
    """Looks through the loaded libraries once: it takes milliseconds, as long as small tables."""
    import sklearn.ensemble  # noqa: F401  (so that what it brings is among them)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
