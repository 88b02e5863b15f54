"""Spaces that lie in files: JSON of ConfigSpace or Octavo, PCS, irace's parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from octavo.errors import SpaceError
from octavo.spaces.irace import read_irace
from octavo.spaces.pcs import read_pcs
from octavo.spaces.protocol import Space

__all__ = ["SpaceFile", "read_space_file"]


@dataclass(frozen=True)
class SpaceFile:
    """A space, and what else its file says.

    Parameters
    ----------
    space
        What can be chosen.
    switches
        What stands before each value on a command line, where the file says it (irace's do).
    """

    space: Space
    switches: Mapping[str, str] = field(default_factory=dict)


def read_space_file(path: str | Path) -> SpaceFile:
    """Read a space from a file.

    Parameters
    ----------
    path
        `.json`: as `ConfigurationSpace.to_json` or `space.to_json()` wrote it; `.pcs` (also
        `.pcs_new`): of ParamILS, SMAC v2 or AClib; `.txt`: irace's parameters.

    Raises
    ------
    SpaceError
        If the file cannot be read; naming the line where it is malformed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SpaceError(
            f"the file {path} of a space cannot be read: {why}. Check the path; it is to be a "
            ".json, .pcs or .txt file."
        ) from error
    suffix = path.suffix.lower()
    if suffix == ".json":
        return SpaceFile(_from_json(path, text))
    if suffix.startswith(".pcs"):
        return SpaceFile(read_pcs(path, text))
    if suffix == ".txt":
        return SpaceFile(*read_irace(path, text))
    raise SpaceError(
        f"the file {path} of a space ends with {path.suffix!r}, which tells no format. Name it "
        ".json (ConfigSpace's or Octavo's), .pcs (ParamILS, SMAC) or .txt (irace)."
    )


def _from_json(path: Path, text: str) -> Space:
    from octavo.spaces import from_json

    try:
        return from_json(json.loads(text))
    except json.JSONDecodeError as error:
        raise SpaceError(
            f"{path}:{error.lineno}: this is not JSON ({error.msg}). Write it with "
            "ConfigurationSpace.to_json or json.dump(space.to_json(), file)."
        ) from error
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from error
