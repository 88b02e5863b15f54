"""A PostgreSQL server of one's own, for tests and benchmarks: `LocalPostgres`."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any

from octavo.errors import StorageError

__all__ = ["LocalPostgres"]


class LocalPostgres:
    """A server on a free port of the loopback interface, gone with its folder at `close`.

    Whoever forgets to close it has it closed at the end of the process.

    PostgreSQL refuses to run as root: then it is run as the user `postgres`, or `nobody`.

    Raises
    ------
    StorageError
        If PostgreSQL is not installed or does not start.

    Examples
    --------
    >>> with LocalPostgres() as server:
    ...     server.url("mlp").startswith("postgresql://octavo@127.0.0.1:")
    True
    """

    def __init__(self) -> None:
        self._programs = _programs()
        self._user = _other_user() if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="octavo-postgres-"))
        self._finalizer = weakref.finalize(self, _remove, self._folder, os.getpid())
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._run(
            "initdb", "--pgdata", "data", "--username", "octavo", "--auth", "trust",
            "--no-sync", "--encoding", "UTF8", "--no-locale",
        )  # fmt: skip
        self.start()

    def url(self, study: str, port: int | None = None, **options: object) -> str:
        """The address of a study; `port` of something in between, such as a proxy."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"postgresql://octavo@127.0.0.1:{port or self.port}/postgres?study={study}{more}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [
                str(self._programs / "postgres"), "-D", str(self._folder / "data"),
                "-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1",
                "-c", "max_connections=60", "-c", "shared_buffers=32MB",
            ],
            cwd=self._folder, stdout=log, stderr=log, start_new_session=True, **self._identity(),
        )  # fmt: skip
        log.close()
        give_up = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                words = (self._folder / "log").read_text(errors="replace")[-1000:]
                raise StorageError(
                    f"PostgreSQL did not start on port {self.port}. It said: {words}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut it down at once, as `pg_ctl stop -m fast` does; connections are ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would: it recovers at the next start."""
        self._end(signal.SIGQUIT)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement as the server's owner."""
        import psycopg

        where = f"host=127.0.0.1 port={self.port} user=octavo dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Stop it and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._end(signal.SIGQUIT)
        self._finalizer()

    def __enter__(self) -> LocalPostgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(30)

    def _answers(self) -> bool:
        done = subprocess.run(
            [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False,
        )
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder, capture_output=True, text=True, check=False, **self._identity(),
        )  # fmt: skip
        if done.returncode:
            raise StorageError(f"{program} failed: {done.stderr.strip()[-1000:]}")

    def _identity(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        environment = {**os.environ, "HOME": str(self._folder)}
        return {
            "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [],
            "env": environment,
        }  # fmt: skip


def _programs() -> Path:
    """The folder of the newest server that is installed; Debian keeps it off the path."""
    found = [Path(p).resolve().parent for p in [shutil.which("postgres")] if p]
    debian = Path("/usr/lib/postgresql")
    with contextlib.suppress(FileNotFoundError):
        versions = [folder for folder in debian.iterdir() if (folder / "bin/postgres").exists()]
        found += [max(versions, key=lambda v: float(v.name)) / "bin"] if versions else []
    if not found:
        raise StorageError(
            "no PostgreSQL server is installed, neither on the path nor in /usr/lib/postgresql. "
            "Run: make system-deps"
        )
    return found[-1]


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise StorageError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as. "
        "Run as another user."
    )


def _remove(folder: Path, owner: int) -> None:
    """Remove a server's folder, and end the server if it runs."""
    if os.getpid() != owner:  # a process that was forked from the one that started it
        return
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    """One that stays free while the server is down: the system gives connections higher ones."""
    while True:
        port = 15_000 + secrets.randbelow(17_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
