"""How often tests repeat: few times on every push, many times in `make test-full`.

`OCTAVO_REPEATS` multiplies the loops of tests that count for themselves (the fixture
`repeats`); from 2 on, hypothesis uses its profile "full". `HYPOTHESIS_PROFILE` overrides that.
"""

import contextlib
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from octavo.testing.postgres import LocalPostgres

# A shell that starts the tests in the background has them ignore Ctrl-C, and whatever they start
# inherits that. Programs under test that are to be interrupted must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))

_slow_is_fine = [HealthCheck.too_slow, HealthCheck.data_too_large]
# ci: the same examples every time, so that a red run is the change's own doing.
settings.register_profile(
    "ci", max_examples=25, derandomize=True, deadline=None, suppress_health_check=_slow_is_fine
)
settings.register_profile(
    "full", max_examples=300, deadline=None, suppress_health_check=_slow_is_fine
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "full" if REPEATS > 1 else "ci"))


@pytest.fixture(scope="session")
def repeats() -> int:
    """By how much to multiply the repetitions of a test that loops by itself."""
    return REPEATS


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server of this test run, made when a first test asks for it."""
    with LocalPostgres() as server:
        yield server


@pytest.fixture
def shared_url(postgres: LocalPostgres) -> str:
    """The address of a study that is not there yet."""
    return postgres.url(f"test-{uuid.uuid4().hex[:12]}", lease=1)


class Proxy:
    """Between a client and the server; may cut connections when it wants to."""

    def __init__(self, port: int) -> None:
        self.server = port
        self.cut_after: bytes | None = None  # what the client sends last before it is cut off
        self.n_cut = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server))
            self._open += [client, server]
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_client: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                is_over = is_client and self.cut_after is not None and self.cut_after in data
                if is_over:
                    self.n_cut += 1
                    self.cut_after = None
                    source.shutdown(socket.SHUT_RDWR)  # the answer will not arrive
                    source.close()
                sink.sendall(data)
                if is_over:
                    time.sleep(0.05)  # until the server has done what it was told
                    break
        except OSError:
            pass  # the other direction has closed them
        finally:
            for end in (source, sink):
                end.close()

    def cut(self) -> int:
        """End all connections that there are; new ones are let through. Returns how many."""
        connections, self._open = self._open, []
        n_cut = 0
        for connection in connections:
            with contextlib.suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)
                n_cut += 1
        return n_cut // 2  # both ends

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # also for the thread that accepts
        self._listener.close()


@pytest.fixture
def proxy_to() -> Iterator[Callable[[int], Proxy]]:
    """Put something between a client and a server on this machine: `proxy_to(port)`."""
    made: list[Proxy] = []

    def make(port: int) -> Proxy:
        made.append(Proxy(port))
        return made[-1]

    yield make
    for proxy in made:
        with contextlib.suppress(OSError):  # a test may have closed it
            proxy.close()
