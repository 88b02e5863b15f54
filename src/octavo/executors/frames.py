"""Messages over a stream socket: four bytes of length, one byte of kind, then the body.

Read without blocking, so that a peer that stops in the middle of a message (killed, or
writing rubbish into a descriptor it does not own) never blocks whoever listens.
"""

from __future__ import annotations

import socket
import struct
from collections import deque

__all__ = ["Frame", "Frames", "pack"]

Frame = tuple[bytes, bytes]
"""Kind (one byte) and body."""

MAX_BODY = 256 * 2**20
_LENGTH = struct.Struct("<I")


def pack(kind: bytes, body: bytes = b"") -> bytes:
    """One message as bytes."""
    return _LENGTH.pack(len(body)) + kind + body


class Frames:
    """One end of a socket that carries messages.

    Parameters
    ----------
    link
        Connected stream socket; it becomes non-blocking.
    """

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        self.link = link
        self.is_open = True
        self._incoming = bytearray()
        self._outgoing: deque[memoryview] = deque()

    @property
    def has_unsent(self) -> bool:
        """Whether something waits until the peer reads."""
        return bool(self._outgoing)

    @property
    def unsent_bytes(self) -> int:
        """How much waits until the peer reads."""
        return sum(map(len, self._outgoing))

    def send(self, kind: bytes, body: bytes = b"") -> None:
        """Send a message, or what of it the peer takes now; `flush` sends the rest."""
        self._outgoing.append(memoryview(pack(kind, body)))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it goes without blocking."""
        while self._outgoing and self.is_open:
            try:
                sent = self.link.send(self._outgoing[0])
            except BlockingIOError:
                return
            except OSError:  # the peer is gone; whoever watches it will tell
                self.is_open = False
                return
            rest = self._outgoing[0][sent:]
            if rest:
                self._outgoing[0] = rest
            else:
                self._outgoing.popleft()

    def receive(self) -> list[Frame]:
        """All messages that have arrived in full; `is_open` turns false at the end."""
        while self.is_open:
            try:
                data = self.link.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                self.is_open = False
                break
            if not data:
                self.is_open = False
            self._incoming += data
            if len(self._incoming) > 4 * 2**20:
                break  # first take out what is complete
        return self._take()

    def _take(self) -> list[Frame]:
        frames: list[Frame] = []
        start = 0
        while len(self._incoming) - start >= 5:
            (length,) = _LENGTH.unpack_from(self._incoming, start)
            if length > MAX_BODY:  # not one of ours
                self.is_open = False
                break
            end = start + 5 + length
            if len(self._incoming) < end:
                break
            kind = bytes(self._incoming[start + 4 : start + 5])
            frames.append((kind, bytes(self._incoming[start + 5 : end])))
            start = end
        del self._incoming[:start]
        return frames
