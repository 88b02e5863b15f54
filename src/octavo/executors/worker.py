"""What runs in a worker process: the user's objective, one trial after another.

A worker is a fresh interpreter that leads its own session, started by a keeper
(`keeper.py`), over whose socket it gets trials and sends back reports and answers. Its
descriptors 1 and 2 are a pipe to the keeper. Whatever an objective changes in the process
(directory, environment, signals, streams, limits) is put back before the next trial.

Messages to the worker: `L` what to load, once; `T` a trial; `P` a trial is to end at its next
report.
From it: `H` is ready; `S` the objective is being called now; `R` a report; `C` which children are
to live on; `D` the answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from octavo.executors.frames import pack

__all__ = ["LOST", "Trialling", "main"]

LOST = 97
"""Exit code of a worker that cannot reach its keeper any more."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Trialling:
    """The part of a proposal that an objective sees."""

    index: int
    config: dict[str, Any]
    seed: int
    fidelity: float | None
    instance: str | None
    folder: str
    time_limit: float | None
    source: Path | None  # folder of the trial from which it goes on


def main(channel: int, keeper: int) -> None:
    """Serve trials until the keeper is gone; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study decides what Ctrl-C means
    _die_with(keeper)
    link = socket.socket(fileno=channel)
    link.setblocking(True)
    try:
        _serve(link)
    except OSError:
        # The objective closed our descriptors, or the keeper is gone. Without cleaning up:
        # threads that it left behind would hold up an orderly exit.
        os._exit(LOST)
    os._exit(0)


def _serve(link: socket.socket) -> None:
    _prepare_streams()
    load = pickle.loads(_receive(link)[1])
    sys.argv = load["argv"]
    trial: Callable[[Trialling], bytes]
    try:
        trial = _loaded(load, link)
    except BaseException as error:  # told as the cause of every trial, the study goes on
        trial = _never(error)
    _send(link, b"H")
    while True:
        kind, body = _receive(link)
        if kind == b"T":
            process = _Process()
            answer = trial(pickle.loads(body))
            _end_pools()
            _flush()
            process.restore()
            _send(link, b"C", " ".join(map(str, _services())).encode())
            _send(link, b"D", answer)


def _loaded(load: dict[str, Any], link: socket.socket) -> Callable[[Trialling], bytes]:
    """Unpickle the objective and its data; return what runs a trial."""
    from octavo.errors import TrialStopped
    from octavo.executors.calling import Answer, Call, failure
    from octavo.executors.checkpoints import Checkpoints
    from octavo.executors.placement import load as load_data
    from octavo.executors.reporting import Reporter
    from octavo.trial import Report

    objective, problem = pickle.loads(load["objective"])
    _adopt_main(objective)
    data = {placed.name: load_data(placed) for placed in load["data"]}
    call = Call.of(objective, problem, data)
    me = os.getpid()
    lock = threading.Lock()  # an objective may report from several threads
    current = -1
    verdict: tuple[str, bool] | None = None

    def trial(trialling: Trialling) -> bytes:
        nonlocal current, verdict
        current, verdict = trialling.index, None

        def send(report: Report) -> TrialStopped | None:
            nonlocal verdict
            if current != trialling.index:
                return None  # a thread that an earlier trial left behind
            body = pickle.dumps((trialling.index, report.step, dict(report.values), report.at_s))
            with lock:
                _send(link, b"R", body)
                verdict = _told_to_end(link, trialling.index) or verdict
                return None if verdict is None else TrialStopped(verdict[0], paused=verdict[1])

        checkpoint = Checkpoints(Path(trialling.folder), trialling.source)
        _send(link, b"S")
        try:
            answer = call(
                trialling.config,
                seed=trialling.seed,
                fidelity=trialling.fidelity,
                instance=trialling.instance,
                time_limit=trialling.time_limit,
                report=Reporter(problem, send),
                checkpoint=checkpoint,
                folder=Path(trialling.folder),
                data=data,
            )
        except KeyboardInterrupt as error:  # raised by the objective: Ctrl-C does not reach us
            answer = failure(error, objective)
        if os.getpid() != me:
            # The objective forked and forgot to end the child: there must not be two of us.
            _flush()
            os._exit(0)
        current = -1
        if answer.traceback:
            _open_stream(2).write(answer.traceback)
        try:
            body = pickle.dumps((answer.packed(), checkpoint.is_loaded))
        except Exception as error:  # memory, recursion: the answer itself is plain data
            answer = Answer(cause=f"the result could not be sent: {type(error).__name__}: {error}")
            body = pickle.dumps((answer.packed(), checkpoint.is_loaded))
        return body

    return trial


def _adopt_main(objective: Any) -> None:
    """Give our `__main__` what the objective took along from the study's.

    Pickle finds functions and classes by their module: a pool that the objective starts, or a
    model of a class of the script that it saves, would not find theirs.
    """
    function = getattr(objective, "func", objective)  # of a partial
    function = getattr(function, "__func__", function)  # of a method
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    if getattr(function, "__module__", "") == "__main__":
        main = vars(sys.modules["__main__"])
        for name, value in getattr(function, "__globals__", {}).items():
            main.setdefault(name, value)


def _never(error: BaseException) -> Callable[[Trialling], bytes]:
    """What runs trials when the objective could not be loaded: each fails with the reason."""
    from octavo.executors.calling import Answer, failure

    cause = (
        f"the objective could not be loaded in a worker process: {failure(error).cause}. "
        "A worker is a fresh interpreter: what the objective needs must be importable there."
    )
    body = pickle.dumps((Answer(cause=cause).packed(), False))
    return lambda trialling: body


def _told_to_end(link: socket.socket, index: int) -> tuple[str, bool] | None:
    """Whether the keeper has sent word that a trial is to end: the cause, and whether to pause."""
    verdict = None
    while select.select([link], [], [], 0)[0]:
        kind, body = _receive(link)
        if kind == b"P":
            told, cause, paused = pickle.loads(body)
            verdict = (cause, paused) if told == index else verdict
    return verdict


def _end_pools() -> None:
    """End the processes that joblib keeps for its next call, while it can take note of that."""
    for name in ("joblib.externals.loky.reusable_executor", "loky.reusable_executor"):
        executor = getattr(sys.modules.get(name), "_executor", None)
        if executor is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                executor.shutdown(wait=True, kill_workers=True)


def _services() -> list[int]:
    """Small helpers of Python itself, which it starts once and expects to live."""
    places = (
        ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
        ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
        ("joblib.externals.loky.backend.resource_tracker", "_resource_tracker", "_pid"),
        ("loky.backend.resource_tracker", "_resource_tracker", "_pid"),
    )
    found = (
        getattr(getattr(sys.modules.get(module), tracker, None), pid, None)
        for module, tracker, pid in places
    )
    return [pid for pid in found if isinstance(pid, int)]


class _Process:
    """What an objective may change in its process, as it was before."""

    def __init__(self) -> None:
        self.folder = Path.cwd()
        self.environment = dict(os.environ)
        self.path = list(sys.path)
        self.recursion = sys.getrecursionlimit()
        self.signals = {
            number: signal.getsignal(number)
            for number in signal.valid_signals()
            if number not in (signal.SIGKILL, signal.SIGSTOP)
        }
        self.mask = os.umask(0o077)
        os.umask(self.mask)

    def restore(self) -> None:
        """Put everything back that can be."""
        os.chdir(self.folder)
        os.umask(self.mask)
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        sys.path[:] = self.path
        sys.setrecursionlimit(self.recursion)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number, handler in self.signals.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
        for descriptor, stream in ((1, "stdout"), (2, "stderr")):
            setattr(sys, stream, _open_stream(descriptor))


_streams: dict[int, TextIO] = {}
_spare = -1  # another descriptor of the pipe that 1 and 2 are


def _prepare_streams() -> None:
    global _spare
    _spare = os.dup(1)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        # Ours alone, so that an objective that closes sys.stdout closes it until its own end.
        _streams[descriptor] = _stream(descriptor)
        setattr(sys, name, _streams[descriptor])
        setattr(sys, f"__{name}__", _streams[descriptor])
    faulthandler.enable(file=2)


def _stream(descriptor: int) -> TextIO:
    """A text stream, written line by line, so that what was printed before a kill is kept."""
    return os.fdopen(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _open_stream(descriptor: int) -> TextIO:
    """Our own stream, whatever the objective did to it or to its descriptor."""
    os.dup2(_spare, descriptor)
    if _streams[descriptor].closed:
        _streams[descriptor] = _stream(descriptor)
    return _streams[descriptor]


def _flush() -> None:
    """Hand everything printed to the system, C libraries' buffers included."""
    for stream in (sys.stdout, sys.stderr, *_streams.values()):
        with contextlib.suppress(Exception):  # the objective's own stream may do anything
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def _die_with(keeper: int) -> None:
    """Have the kernel kill this process when its keeper ends, also while it is in C code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # it has ended already
        os._exit(LOST)


def _send(link: socket.socket, kind: bytes, body: bytes = b"") -> None:
    link.sendall(pack(kind, body))


def _receive(link: socket.socket) -> tuple[bytes, bytes]:
    header = _exactly(link, 5)
    (length,) = struct.unpack_from("<I", header)
    return header[4:], _exactly(link, length)


def _exactly(link: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = link.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionResetError("the keeper is gone")
        parts += part
    return bytes(parts)
