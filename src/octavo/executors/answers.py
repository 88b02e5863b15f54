"""What a program's output says: numbers by regular expression, JSON line or exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavo.errors import ObjectiveError, SettingError

__all__ = ["Printed", "Reading", "last_lines"]


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program left when it ended.

    Parameters
    ----------
    code
        Its exit code; minus the number of the signal that killed it.
    out, err
        The end of what it printed, a few mebibytes of each at most.
    """

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Reading:
    r"""Where a number is found.

    Parameters
    ----------
    regex
        A regular expression; its first group (or the whole) of its last match is the number.
        `^` and `$` match at lines.
    json
        Key of the last line that is a JSON object with this key; "a.b" is b within a.
    exit_code
        Whether it is the exit code.
    file
        Read this file in the trial's folder instead of what was printed.

    Raises
    ------
    SettingError
        If the expression does not compile, or it is not said in exactly one way.

    Examples
    --------
    >>> printed = Printed(0, "epoch 1 loss 0.5\nepoch 2 loss 0.25\n", "")
    >>> Reading(regex=r"loss (\S+)").read("loss", printed, Path())
    0.25
    """

    regex: str | None = None
    json: str | None = None
    exit_code: bool = False
    file: str | None = None

    def __post_init__(self) -> None:
        ways = (self.regex is not None) + (self.json is not None) + bool(self.exit_code)
        if ways != 1:
            raise SettingError(
                f"a number is to be read in one way, and {ways} are given. Give one of "
                "regex='...', json='key' and exit_code=true; the first two also with a file."
            )
        if self.exit_code and self.file is not None:
            raise SettingError(
                f"an exit code is not read from a file, and file={self.file!r} is given. Remove "
                "the file, or read it with regex='...' or json='key'."
            )
        if self.regex is not None:
            try:
                groups = re.compile(self.regex).groups
            except re.error as error:
                raise SettingError(
                    f"the regular expression '{self.regex}' does not compile: {error}. In TOML, "
                    r"write it in single quotes, such as 'loss = (\S+)'."
                ) from error
            if groups > 1:
                raise SettingError(
                    f"the regular expression '{self.regex}' has {groups} groups, where the one "
                    "around the number is expected. Write (?:...) for the others."
                )

    def read(self, name: str, printed: Printed, folder: Path) -> float:
        """The number.

        Parameters
        ----------
        name
            Of the quantity, for messages.
        printed
            What the program left.
        folder
            Of the trial.

        Raises
        ------
        ObjectiveError
            If it is not there, or is no number; the message shows the last lines.
        """
        if self.exit_code:
            return float(printed.code)
        text, where = self._text(name, printed, folder)
        if self.regex is not None:
            return _number(self._matched(text, printed, where), name, where)
        return _number(self._keyed(text, printed, where), name, where)

    def _text(self, name: str, printed: Printed, folder: Path) -> tuple[str, str]:
        if self.file is None:
            return printed.out, "what the command printed"
        try:
            return (folder / self.file).read_text(errors="replace"), f"the file {self.file!r}"
        except OSError as error:
            raise ObjectiveError(
                f"{name!r} is to be read from {self.file!r} in the trial's folder, which cannot "
                f"be done: {error.strerror}. Have the command write {{folder}}/{self.file}."
                + last_lines(printed)
            ) from error

    def _matched(self, text: str, printed: Printed, where: str) -> str:
        assert self.regex is not None
        pattern = re.compile(self.regex, re.MULTILINE)
        sources = [text] if self.file is not None else [text, printed.err]
        for source in sources:
            matches = list(pattern.finditer(source))
            if matches:
                return str(matches[-1][1] if pattern.groups else matches[-1][0])
        raise ObjectiveError(
            f"the regular expression '{self.regex}' matches nothing in {where}. Mend the "
            "expression, or have the command print it." + _ending(text, where, printed)
        )

    def _keyed(self, text: str, printed: Printed, where: str) -> Any:
        assert self.json is not None
        documents = [text] if self.file is not None else []
        for line in [*documents, *reversed(text.splitlines())]:
            try:
                value: Any = json.loads(line)
            except ValueError:
                continue
            for key in [self.json] if _has(value, self.json) else self.json.split("."):
                value = value[key] if _has(value, key) else None
            if value is not None:
                return value
        raise ObjectiveError(
            f"no line of {where} is a JSON object with the key {self.json!r}. Have the command "
            f'print one, such as {{"{self.json}": 0.25}}.' + _ending(text, where, printed)
        )


def last_lines(printed: Printed, n: int = 8) -> str:
    """The end of what was printed, to stand after a sentence."""
    text = printed.out if printed.out.strip() else printed.err
    lines = text.rstrip().splitlines()[-n:]
    if not lines:
        return " It printed nothing."
    return " Its last lines are:\n" + "\n".join(f"  {line[:300]}" for line in lines)


def _ending(text: str, where: str, printed: Printed) -> str:
    if where.startswith("what"):
        return last_lines(printed)
    return last_lines(Printed(printed.code, text, ""))


def _has(value: Any, key: str) -> bool:
    return isinstance(value, Mapping) and key in value


def _number(found: Any, name: str, where: str) -> float:
    try:
        if not isinstance(found, bool):
            return float(found)
    except (TypeError, ValueError):
        pass  # answered below
    raise ObjectiveError(
        f"{name!r} is {str(found)[:80]!r} in {where}, which is not a number. Have the command "
        "print one, such as 0.25, or read another part of its output."
    )
