"""Running a program: its output is passed on as it comes and kept, and no child is left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from octavo.errors import ObjectiveError
from octavo.executors.answers import Printed

__all__ = ["how_it_ended", "run_program"]

KEPT = 4 * 2**20
"""Bytes of each stream that are kept for reading, from its end."""

_POLL_S = 0.05  # how long a program may have ended before we notice that a child holds its pipe
_LATE = 2**20  # bytes read at most once it has ended: more than pipes hold, a child may print on


def run_program(
    line: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
) -> Printed:
    """Run a program until it ends, without a shell and without standard input.

    Parameters
    ----------
    line
        The program and its arguments.
    folder
        Where it runs.
    environment
        Variables beyond our own.
    on_line
        Called with each line of its standard output, as soon as it is there.

    Returns
    -------
    Printed
        Its exit code and the end of what it printed; everything went on to our own output.

    Raises
    ------
    ObjectiveError
        If it cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(line),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        raise ObjectiveError(_not_started(line[0], folder, error)) from error
    assert process.stdout is not None and process.stderr is not None
    out, err = _Stream(1, on_line), _Stream(2, None)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, out)
            selector.register(process.stderr, selectors.EVENT_READ, err)
            late = 0
            while selector.get_map() and late < _LATE:
                # Asked before reading, so that all that it printed itself is in the pipes by then.
                has_ended = process.poll() is not None
                ready = selector.select(0 if has_ended else _POLL_S)
                if has_ended and not ready:
                    break  # what still holds the pipes is a child that it left behind
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    late += len(data) if has_ended else 0
                    key.data.take(data)
                    if not data:
                        selector.unregister(key.fileobj)
        process.wait()
    finally:
        # Also when a stopper ends the trial in between; what it started ends with the trial.
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()
    return Printed(process.returncode, out.text, err.text)


def how_it_ended(code: int) -> str:
    """An exit code in words.

    Examples
    --------
    >>> how_it_ended(3), how_it_ended(-11)
    ('the command ended with exit code 3.', 'the command was killed by SIGSEGV.')
    """
    if code >= 0:
        return f"the command ended with exit code {code}."
    try:
        return f"the command was killed by {signal.Signals(-code).name}."
    except ValueError:
        return f"the command was killed by signal {-code}."


class _Stream:
    """One of the two streams: passed on, and its end kept."""

    def __init__(self, descriptor: int, on_line: Callable[[str], None] | None) -> None:
        self._descriptor, self._on_line = descriptor, on_line
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._unfinished = b""

    def take(self, data: bytes) -> None:
        """Some more of it; nothing is its end."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._parts.append(data)
        self._size += len(data)
        while self._size - len(self._parts[0]) > KEPT:
            self._size -= len(self._parts.popleft())
        if self._on_line is not None:
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            if not data and self._unfinished:
                lines.append(self._unfinished)
            for line in lines:
                self._on_line(line.decode(errors="replace"))

    @property
    def text(self) -> str:
        """Its end; what is no UTF-8 is replaced."""
        return b"".join(self._parts).decode(errors="replace")


def _not_started(program: str, folder: Path, error: Exception) -> str:
    if not folder.is_dir():
        return (
            f"the folder {str(folder)!r}, in which the command is to run, is not there any more. "
            "Put it back, or start the study anew."
        )
    if isinstance(error, FileNotFoundError):
        return (
            f"the command {program!r} cannot be started: neither it nor the interpreter that its "
            "first line names may be missing. Check the path, or install the program."
        )
    if isinstance(error, PermissionError):
        return (
            f"the command {program!r} cannot be started: it is not executable. Run chmod +x on "
            'it, or put its interpreter first, such as ["python3", "train.py"].'
        )
    return (
        f"the command {program!r} cannot be started: {error}. If it is a script, its first line "
        'must name its interpreter; or put that first, such as ["python3", "train.py"].'
    )
