"""What this process runs of a study, noted where others see it: `Leases`.

With one writer a lease is a note for whoever looks. In a shared study it is the right to complete
a trial: a thread keeps it while the trial runs, also while the loop waits for an objective or an
optimizer, and what is lost to others is told to the loop.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

from octavo.errors import StorageError
from octavo.storage import Store

__all__ = ["LEASE_S", "Leases"]

logger = logging.getLogger(__name__)

LEASE_S = 60.0
"""How long a lease is believed with one writer; a shared study's address says its own."""


class Leases:
    """The leases that a run of the loop holds.

    Parameters
    ----------
    store
        The study's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.worker = f"pid {os.getpid()}"
        self._tokens: dict[int, int] = {}
        self._lost: set[int] = set()
        self._lock = threading.Lock()
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if store.sharing is not None:
            self.worker = f"{socket.gethostname()} pid {os.getpid()}"
            self._thread = threading.Thread(target=self._keep, name="octavo-leases", daemon=True)
            self._thread.start()

    def take(self, index: int) -> bool:
        """Lease a proposal; False if somebody else runs it, or has completed it."""
        if self._store.sharing is None:
            self._store.take_lease(index, self.worker, expires_s=LEASE_S)
            token: int | None = 0
        else:
            token = self._store.sharing.take(index, self.worker)
        if token is not None:
            self.hold(index, token)
        return token is not None

    def hold(self, index: int, token: int = 1) -> None:
        """Keep a lease that was taken already."""
        with self._lock:
            self._tokens[index] = token
            self._lost.discard(index)

    def token(self, index: int) -> int | None:
        """Under which a trial runs; None with one writer, where there is no need of it."""
        with self._lock:
            return None if self._store.sharing is None else self._tokens.get(index)

    def end(self, index: int) -> None:
        """Forget a lease, which ended with its trial."""
        with self._lock:
            self._tokens.pop(index, None)
            self._lost.discard(index)

    def give_back(self, index: int) -> None:
        """Let others run a proposal."""
        with self._lock:
            token = self._tokens.pop(index, None)
        if self._store.sharing is None:
            self._store.release(index)
        elif token is not None:
            self._store.sharing.release({index: token})

    def lost(self) -> list[int]:
        """The trials that others have taken over; where nobody else can, leases are renewed."""
        if self._store.sharing is None:
            self._renew_alone()
        with self._lock:
            return sorted(self._lost)

    def close(self) -> None:
        """Stop keeping leases, and give back those that are left."""
        self._ended.set()
        if self._thread is None or self._store.sharing is None:
            return
        self._thread.join()
        try:
            self._store.sharing.release(self._tokens)
        except StorageError as error:  # they end by themselves, only later
            logger.warning("leases could not be given back: %s", error)
        self._tokens.clear()

    def _renew_alone(self) -> None:
        now = time.monotonic()
        if now - self._renewed < LEASE_S / 3:
            return
        self._renewed = now
        self._store.renew_leases(sorted(self._tokens), self.worker, expires_s=LEASE_S)

    def _keep(self) -> None:
        sharing = self._store.sharing
        assert sharing is not None
        while not self._ended.wait(sharing.lease_s / 3):
            with self._lock:
                tokens = dict(self._tokens)
            try:
                lost = sharing.renew(tokens)
            except StorageError as error:  # the loop finds out by itself
                logger.warning("leases could not be renewed: %s", error)
                continue
            with self._lock:
                # Those that ended in the meantime have no lease any more, and are not lost.
                self._lost.update(i for i in lost if self._tokens.get(i) == tokens[i])
