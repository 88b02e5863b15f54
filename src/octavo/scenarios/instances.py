"""The instances of a scenario: names or files, and what is known of each."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from octavo.errors import SettingError, closest
from octavo.scenarios.source import Table

__all__ = ["Instances", "read_instances"]

_WAYS = ("files", "list", "names")


@dataclass(frozen=True)
class Instances:
    """What a configuration is to be good on.

    Parameters
    ----------
    names
        In order; of files, their paths relative to the scenario's folder.
    are_files
        Whether they are files.
    features
        As many numbers for each, or nothing.
    """

    names: tuple[str, ...] = ()
    are_files: bool = False
    features: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def read_instances(
    scenario: Table, folder: Path, key: str = "instances", more: Sequence[str] = ("features",)
) -> Instances:
    """What `instances` says: a pattern, a folder, a list of files; or a table.

    Parameters
    ----------
    scenario
        The whole scenario.
    folder
        Where relative paths begin.
    key
        Where it is said.
    more
        What else may stand in the table.

    Raises
    ------
    SettingError
        If a file is missing; naming file and line.
    """
    if key not in scenario:
        return Instances()
    if not isinstance(scenario.values[key], dict):
        scenario.get(key, str, list, dict)
        return Instances(_files(scenario, key, folder), are_files=True)
    table = scenario.table(key)
    table.only(*_WAYS, *more)
    given = [name for name in _WAYS if name in table]
    if len(given) != 1:
        scenario.refuse(
            key,
            f"[{key}] has {' and '.join(given) or 'none'} of files, list and names. Give one: "
            "files = 'data/*.cnf', list = 'train.txt', or names = ['easy', 'hard'].",
        )
    names = {
        "files": lambda: _files(table, "files", folder),
        "list": lambda: _listed(table, folder),
        "names": lambda: table.texts("names"),
    }[given[0]]()
    if not names:
        table.refuse(given[0], f"{given[0]} is empty. Name at least one instance, or leave it out.")
    features = _features(table, folder, names) if "features" in table else {}
    return Instances(names, are_files=given[0] != "names", features=features)


def _files(table: Table, name: str, folder: Path) -> tuple[str, ...]:
    """A pattern or a folder as the files in it; a list as it is, if each is there."""
    if isinstance(table.values[name], str):
        return _matching(table, name, folder)
    paths = table.texts(name)
    places: dict[Path, int] = {}
    for number, path in enumerate(paths):
        if not (folder / path).exists():
            table.source.refuse(
                (*table.key, name, number),
                f"the instance {path!r} is not there.{_near(folder / path)} Check the path, which "
                f"begins at the scenario's folder ({folder}); names that are no files stand in "
                f"[{table.key[0] if table.key else name}] names = [...].",
            )
        first = places.setdefault((folder / path).resolve(), number)
        if first != number:
            table.source.refuse(
                (*table.key, name, number),
                f"the instances {paths[first]!r} and {path!r} are the same file. Name each "
                "instance once; to run it with several seeds, set repeats = 5.",
            )
    return paths


def _matching(table: Table, name: str, folder: Path) -> tuple[str, ...]:
    pattern = table.values[name]
    if Path(pattern).is_absolute():
        root, relative = Path(Path(pattern).anchor), str(Path(pattern).relative_to("/"))
    else:
        root, relative = folder, pattern
    relative = f"{relative.rstrip('/')}/*" if (root / relative).is_dir() else relative
    try:
        found = sorted(path for path in root.glob(relative) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        table.refuse(
            name,
            f"the pattern {pattern!r} cannot be read: {error}. Give such as 'data/*.cnf', or "
            "'data/**/*.cnf' for all folders below.",
        )
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        table.refuse(
            name,
            f"no file matches {pattern!r}. Give a pattern such as 'data/*.cnf', or a folder, from "
            f"the scenario's folder ({folder}) on; files that are instances stand in a list.",
        )
    return tuple(str(path if root != folder else path.relative_to(folder)) for path in found)


def _listed(table: Table, folder: Path) -> tuple[str, ...]:
    """The lines of a file; each is a path, from the list's folder or the scenario's on."""
    listing = folder / table.get("list", str)
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        table.refuse(
            "list", f"the list {str(listing)!r} cannot be read: {why}. Give a file, a path a line."
        )
    names = []
    for at, whole in enumerate(lines, start=1):
        line = whole.split("#")[0].strip()
        if not line:
            continue
        homes = [home for home in (folder, listing.parent) if (home / line).exists()]
        if not homes:
            raise SettingError(
                f"{listing}:{at}: the instance {line!r} is not there.{_near(folder / line)} Write "
                f"paths from {folder} or from {listing.parent} on."
            )
        path = homes[0] / line
        names.append(str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path))
    return tuple(names)


def _features(table: Table, folder: Path, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """A CSV file with a heading: first the instance, then its numbers."""
    path = folder / table.get("features", str)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        table.refuse("features", f"the features {str(path)!r} cannot be read: {why}.")
    shorts = Counter(Path(name).name for name in names)
    known = {Path(name).name: name for name in names if shorts[Path(name).name] == 1}
    known |= {name: name for name in names}
    found: dict[str, tuple[float, ...]] = {}
    for at, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if row[0] not in known:
            raise SettingError(
                f"{path}:{at}: {row[0]!r} is no instance of the scenario."
                f"{closest(row[0], known)} Name the instances in the first column, or remove the "
                "line."
            )
        if len(row) != len(rows[0]):
            raise SettingError(
                f"{path}:{at}: there are {len(row)} values, and the heading has {len(rows[0])}. "
                "Give as many in each line."
            )
        if known[row[0]] in found:
            raise SettingError(
                f"{path}:{at}: there is a second line for {row[0]!r}. Remove one of the two."
            )
        found[known[row[0]]] = tuple(_number(text, path, at) for text in row[1:])
    for name in names:
        if name not in found:
            table.refuse(
                "features", f"{path} has no line for {name!r}. Add one; each instance needs it."
            )
    return found


def _number(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingError(
            f"{path}:{line}: {text!r} is not a finite number. Write one; impute what is unknown."
        )
    return value


def _near(path: Path) -> str:
    """A hint to a file of a similar name in the same folder."""
    if not path.parent.is_dir():
        return ""
    return closest(path.name, [one.name for one in path.parent.iterdir()])
