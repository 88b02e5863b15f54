"""What a trial prints, kept in a file that cannot grow without end."""

from __future__ import annotations

from collections import deque
from io import FileIO
from pathlib import Path

__all__ = ["Output"]


class Output:
    """The first and the last half mebibyte of what is written to it.

    The beginning goes to the file at once; the end is kept in memory until `finish`. No file
    is made before there is something to write.

    Parameters
    ----------
    path
        The file; its folder exists.
    half
        Bytes kept of the beginning, and as many of the end.
    """

    def __init__(self, path: Path, half: int = 512 * 1024) -> None:
        self.path = path
        self.problem = ""
        self._half = half
        self._room = half
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._last = b""
        self._file: FileIO | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was written to the file."""
        return self._file is not None

    @property
    def ending(self) -> str:
        """The last few hundred characters."""
        return self._last.decode(errors="replace")

    def write(self, data: bytes) -> None:
        """Add what was printed."""
        self._last = (self._last + data)[-2000:]
        if self._room and data:
            self._to_file(data[: self._room])
            data, self._room = data[self._room :], max(0, self._room - len(data))
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._half:
            oldest = self._tail.popleft()
            self._tail_size -= len(oldest)
            self._dropped += len(oldest)

    def finish(self) -> None:
        """Write the end and close the file; may be called twice."""
        if self._tail:
            tail = b"".join(self._tail)
            dropped = self._dropped + max(0, len(tail) - self._half)
            if dropped:
                self._to_file(f"\n\n[... {dropped:,} bytes were dropped here ...]\n\n".encode())
            self._to_file(tail[-self._half :])
            self._tail.clear()
        if self._file is not None:
            self._file.close()

    def _to_file(self, data: bytes) -> None:
        if self.problem:
            return
        try:
            if self._file is None:
                self._file = FileIO(str(self.path), "w")
            self._file.write(data)
        except OSError as error:  # a full disk must not cost the trial: its output is told lost
            self.problem = f"what the trial printed could not be kept in {self.path}: {error}"
