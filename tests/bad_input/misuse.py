"""What a misuse is, and what comes of it."""

import contextlib
import io
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import octavo
from octavo.errors import OctavoError

PACKAGE = str(Path(octavo.__file__).parent)


@dataclass(frozen=True)
class Misuse:
    """One wrong call, and what its error must say.

    Parameters
    ----------
    cause
        In a few words; distinct within its surface.
    call
        Misuses the public API; the working directory is an empty folder.
    error
        What is raised, exactly.
    value, expected, remedy
        Parts of the message: what was given, what was expected, what to do.
    given
        Makes the files that the call needs.
    """

    cause: str
    call: Callable[[], Any]
    error: type[OctavoError]
    value: str
    expected: str
    remedy: str
    given: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Refusal:
    """How a call was refused: by which error, raised where; what a command printed."""

    error: BaseException
    where: tuple[str, int]
    code: int | None = None
    printed: str = ""


class Accepted(AssertionError):
    """The call was not refused."""


def refusal(call: Callable[[], Any]) -> Refusal:
    """Make the call and tell how it was refused."""
    try:
        result = call()
    except OctavoError as error:
        return Refusal(error, origin(error))
    if isinstance(result, Refusal):
        return result
    raise Accepted(f"nothing was raised; the call gave {result!r}")


def origin(error: BaseException) -> tuple[str, int]:
    """File and line of Octavo's innermost frame: the `raise` that is the cause."""
    ours = [
        (frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(PACKAGE)
    ]
    assert ours, f"{error!r} was not raised by Octavo"
    file, line = ours[-1]
    return str(Path(file).relative_to(PACKAGE)), line


def plain(text: str) -> str:
    """Without the colours that a terminal, or a CI that wants them, would get."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def command(*arguments: str) -> Refusal:
    """Run a command in this process, as `octavo ...` would, and tell how it was refused."""
    from octavo.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as end:
            code, error = end.code, end.__context__
        else:
            raise Accepted(f"octavo {' '.join(arguments)} ended well: {out.getvalue()}")
    if error is None or not isinstance(code, int) or code == 0:
        raise Accepted(f"octavo {' '.join(arguments)} ended with {code}: {out.getvalue()}")
    return Refusal(error, origin(error), code, plain(err.getvalue()))
