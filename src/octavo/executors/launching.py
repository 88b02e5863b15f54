"""How keepers and workers are started: without the user's script, away from the terminal.

`multiprocessing` starts a process by importing the main script again, which runs a script
that has no `if __name__ == "__main__":` a second time. Nothing of ours needs it: objectives
travel by value (cloudpickle) or are imported by the name of their module. So the context that
pebble is given leaves the main script out; for the rest it is the standard "spawn".
"""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import context, popen_spawn_posix, process, reduction, spawn, util
from multiprocessing.process import BaseProcess
from typing import Any

from octavo.errors import SettingError
from octavo.executors.frames import Frames

__all__ = ["KeeperContext", "Setup", "WorkerProcess", "pickled_objective"]

_F_SETPIPE_SZ = 1031

_starting = threading.Lock()


class _OneWorkersLock:
    """The lock of a channel that only one worker reads: there is nobody to lock out.

    A real one would stay locked for ever when its holder is killed.
    """

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        return True

    def release(self) -> None:
        """Nothing was locked."""


class _KeeperPopen(popen_spawn_posix.Popen):
    """Starts a fresh interpreter that knows nothing of the main script."""

    def _launch(self, process_obj: BaseProcess) -> None:
        preparation = spawn.get_preparation_data(process_obj.name)
        preparation.pop("init_main_from_name", None)
        preparation.pop("init_main_from_path", None)
        content = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            reduction.dump(preparation, content)
            reduction.dump(process_obj, content)
        finally:
            context.set_spawning_popen(None)
        if -1 in self._fds:  # type: ignore[attr-defined]
            # Pebble replaces a keeper that has ended until it is told to stop. An OSError tells
            # it that this pool is over; any other error would only end its thread.
            raise OSError("a slot starts one keeper, whose end of the socket is closed by now")
        with ExitStack() as closing:
            sentinel, sentinel_child = os.pipe()
            source, sink = os.pipe()
            for descriptor in (sentinel_child, source):
                closing.callback(os.close, descriptor)
            command = spawn.get_command_line(pipe_handle=source)
            # Ctrl-C in the moment before the keeper has left the terminal's process group
            # would kill it: a blocked signal stays blocked in the new interpreter.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self.pid = util.spawnv_passfds(
                    os.fsencode(spawn.get_executable()),
                    command,
                    [*self._fds, sentinel_child, source],  # type: ignore[attr-defined]
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self.sentinel = sentinel
            self.finalizer = util.Finalize(self, os.close, (sentinel,))
            with os.fdopen(sink, "wb") as file:
                file.write(content.getbuffer())


class _KeeperProcess(context.SpawnProcess):
    """A keeper, which a process that the study forked leaves alone.

    Pebble and multiprocessing end their processes when an interpreter ends; the copy of the
    study that `os.fork` makes must not end the study's own.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  (the base class's name)
        return _KeeperPopen(process_obj)

    def start(self) -> None:
        """Start it, also from a process that multiprocessing takes for a daemon.

        Such a process (a Dask worker is one) may start none of its own, because multiprocessing
        would leave them behind at its end. A keeper ends by itself when its parent does.
        """
        with _starting:
            config = process.current_process()._config  # type: ignore[attr-defined]
            is_daemon = config.pop("daemon", None)
            try:
                super().start()
            finally:
                if is_daemon is not None:
                    config["daemon"] = is_daemon

    @property
    def _is_ours(self) -> bool:
        return bool(self._parent_pid == os.getpid())  # type: ignore[attr-defined]

    def is_alive(self) -> bool:
        return self._is_ours and super().is_alive()

    def terminate(self) -> None:
        if self._is_ours:
            super().terminate()

    def join(self, timeout: float | None = None) -> None:
        if self._is_ours:
            super().join(timeout)


class KeeperContext(context.SpawnContext):
    """What pebble starts keepers with."""

    Process = _KeeperProcess

    def RLock(self) -> Any:  # noqa: N802  (the base class's name)
        """A lock for pebble's channel."""
        return _OneWorkersLock()


@dataclass(frozen=True, slots=True)
class Setup:
    """What a keeper needs to start workers.

    Parameters
    ----------
    load
        Message `L` to each worker.
    environment
        Variables to set for workers, beyond the study's own.
    start_timeout_s
        How long a worker may take until it calls the objective.
    """

    load: bytes
    environment: Mapping[str, str]
    start_timeout_s: float


class WorkerProcess:
    """A worker process, and the keeper's ends of its channels."""

    def __init__(self, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        self.output, pipe = os.pipe()
        os.set_blocking(self.output, False)
        with contextlib.suppress(OSError):  # only fewer, larger reads
            fcntl.fcntl(self.output, _F_SETPIPE_SZ, 2**20)
        try:
            self.process = subprocess.Popen(
                _worker_command(theirs.fileno(), os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **setup.environment},
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(pipe)
        self.born = time.monotonic()
        self.frames = Frames(ours)
        self.frames.send(b"L", setup.load)
        self.is_ready = False
        self.exit_code: int | None = None
        self.cpu_s = 0.0  # at its end

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether the process is gone; then its exit code is known."""
        if self.exit_code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.process.returncode = self.exit_code  # so that Popen does not wait for it
                self.cpu_s = usage.ru_utime + usage.ru_stime
        return self.exit_code is not None

    def close(self) -> None:
        """Close our ends."""
        self.frames.link.close()
        os.close(self.output)


def _worker_command(channel: int, keeper: int) -> list[str]:
    """The command line of a worker: the same interpreter, options and import path as ours."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        f"from octavo.executors.worker import main; main({channel}, {keeper})"
    )
    options = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [os.fsdecode(spawn.get_executable()), *options, "-c", program]


def pickled_objective(objective: Callable[..., Any], *others: Any) -> bytes:
    """The objective and what goes with it, in a form that a fresh interpreter can read.

    Functions of the main script, of a notebook and of modules that cannot be imported by their
    name (loaded from a path) travel by value, all others by name.

    Raises
    ------
    SettingError
        If something that the objective refers to cannot be pickled.
    """
    import cloudpickle

    module = inspect.getmodule(inspect.unwrap(objective)) or sys.modules.get(
        getattr(objective, "__module__", "")
    )
    by_value = module is not None and module.__name__ != "__main__" and not _is_importable(module)
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps((objective, *others)))
    except Exception as error:  # whatever a user's object raises when it is pickled
        raise SettingError(
            f"the objective {getattr(objective, '__qualname__', objective)!r} cannot be sent to "
            f"worker processes ({type(error).__name__}: {error}). It refers to something that "
            "cannot be pickled, such as an open file or a connection: open it inside the "
            "objective."
        ) from error
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _is_importable(module: Any) -> bool:
    """Whether another interpreter with the same path finds this module by its name."""
    path = None
    origin = None
    parts = module.__name__.split(".")
    for depth in range(len(parts)):
        name = ".".join(parts[: depth + 1])
        for finder in sys.meta_path:
            try:
                spec = finder.find_spec(name, path)
            except (AttributeError, ImportError, ValueError):
                continue
            if spec is not None:
                break
        else:
            return False
        path, origin = spec.submodule_search_locations, spec.origin
    return origin is None or origin == getattr(module, "__file__", origin) or not origin
