"""What a program's output says: numbers by regular expression, JSON line, exit code or protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavo.errors import ObjectiveError, SettingError

__all__ = ["PROTOCOLS", "Printed", "Reading", "last_lines", "read_protocol"]

PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "irace": ("cost", "time"),
    "aclib": ("cost", "runtime"),
    "paramils": ("runtime", "runlength", "quality"),
}
"""The wrapper protocols, and the numbers that each of them reports."""

_SUCCESS = ("SAT", "UNSAT", "SUCCESS", "SUCCESSFUL")
_TIMEOUT = ("TIMEOUT", "TIMEDOUT")
_RESULT = re.compile(
    r"^.*?Result (?:for (?:ParamILS|SMAC|HAL)|of (?:this )?algorithm run)\s*:(.*)$",
    re.IGNORECASE | re.MULTILINE,
)


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
        if ways != 1 or (self.exit_code and self.file is not None):
            raise SettingError(
                f"a number is to be read in one way, and {ways} are given. Give one of "
                "regex='...', json='key' and exit_code=true; the first two also with a file."
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


def read_protocol(protocol: str, printed: Printed) -> tuple[str, dict[str, Any]]:
    r"""What a wrapper reports: "success", "timeout", "crashed" or "abort"; and numbers by name.

    Parameters
    ----------
    protocol
        A key of `PROTOCOLS`.
    printed
        What the wrapper left.

    Raises
    ------
    ObjectiveError
        If it reported nothing that can be read.

    Examples
    --------
    >>> printed = Printed(0, "Result for ParamILS: SAT, 1.5, 0, 3, 42\n", "")
    >>> read_protocol("paramils", printed)
    ('success', {'runtime': 1.5, 'runlength': 0.0, 'quality': 3.0})
    """
    if protocol == "irace":
        return "success", _irace(printed)
    found = _RESULT.findall(printed.out)
    if not found:
        line = "Result for ParamILS: SAT, 1.5, 0, 3, 42"
        if protocol == "aclib":
            line = 'Result of this algorithm run: {"status": "SUCCESS", "cost": 3, "runtime": 1.5}'
        raise ObjectiveError(
            f"the wrapper printed no result. By the protocol {protocol!r} it prints a line such "
            f"as '{line}'." + last_lines(printed)
        )
    text = found[-1].strip()
    status, numbers = _object(text) if text.startswith("{") else _commas(text)
    if status in _SUCCESS:
        return "success", numbers
    if status in _TIMEOUT:
        return "timeout", numbers
    if status in ("CRASHED", "ABORT", "MEMOUT", "KILLED"):
        return status.lower(), numbers
    raise ObjectiveError(
        f"the wrapper's result has the status {status!r}, which means nothing. Print SUCCESS (or "
        f"SAT, UNSAT), TIMEOUT, CRASHED or ABORT." + last_lines(printed)
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


def _irace(printed: Printed) -> dict[str, float]:
    lines = printed.out.split("\n")
    words = next((line.split() for line in reversed(lines) if line.strip()), [])
    numbers = list(_floats(words))
    if not 1 <= len(words) <= 2 or len(numbers) != len(words):
        raise ObjectiveError(
            "by the protocol 'irace' the last line is the cost, and the time after it if wished, "
            "such as '0.25 1.5'. Print nothing else on it." + last_lines(printed)
        )
    if numbers[0] == float("inf"):
        raise ObjectiveError("the target runner refused the configuration: it printed Inf.")
    return dict(zip(PROTOCOLS["irace"], numbers, strict=False))


def _object(text: str) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ObjectiveError(
            f"the wrapper's result {text[:200]!r} is not JSON: {error}. Print such as "
            '{"status": "SUCCESS", "cost": 3, "runtime": 1.5}.'
        ) from error
    status = str(found.pop("status", "missing")).upper()
    return status, {str(name): value for name, value in found.items() if value is not None}


def _commas(text: str) -> tuple[str, dict[str, Any]]:
    status, *rest = [part.strip() for part in text.split(",")]
    numbers = list(_floats(rest[:3]))
    if len(numbers) < 3:
        raise ObjectiveError(
            f"the wrapper's result {text[:200]!r} has {len(numbers)} numbers after its status. "
            "Print status, runtime, runlength, quality, seed, such as SAT, 1.5, 0, 3, 42."
        )
    return status.upper(), dict(zip(PROTOCOLS["paramils"], numbers, strict=True))


def _floats(words: list[str]) -> Iterator[float]:
    """The words as numbers, up to the first that is none."""
    for word in words:
        try:
            yield float(word)
        except ValueError:
            return
