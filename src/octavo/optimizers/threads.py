"""Linear algebra of proposals in one thread.

Matrices of a few hundred rows gain nothing from more, and where trials keep all cores busy,
threads that wait for one another can take a hundred times as long. One thread also adds in the
same order on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from octavo.numerics.threads import limited

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits the linear algebra of this process to one thread, for the time being."""
    import scipy.linalg  # noqa: F401  (so that its library is among them)

    with limited(1, user_api="blas"):
        yield
