"""Linear algebra of proposals in one thread.

Matrices of a few hundred rows gain nothing from more, and where trials keep all cores busy,
threads that wait for one another can take a hundred times as long. One thread also adds in the
same order on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits the linear algebra of this process to one thread, for the time being."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    """Looks through the loaded libraries, which takes milliseconds."""
    import scipy.linalg  # noqa: F401  (so that its library is among them)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
