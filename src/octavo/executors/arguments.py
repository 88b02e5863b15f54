"""Command lines: lists of arguments with placeholders, filled in for a trial.

Nothing here passes through a shell. A placeholder is a name in braces, `{rate}`, with a format of
Python's if wished, `{rate:.3f}`; braces themselves are written twice, `{{` and `}}`.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from octavo.errors import SettingError, closest

__all__ = ["PARAMETERS", "Argument", "fill", "placeholders", "split", "styled", "written"]

PARAMETERS = "parameters"
"""The placeholder, an argument of its own, for all active hyperparameters."""

Argument = str | tuple[str, ...]
"""One argument, or several that stand or fall together."""


def split(text: str) -> tuple[str, ...]:
    """A command line in one text as its arguments, quoted as for a POSIX shell, given to none.

    Raises
    ------
    SettingError
        If a quote is not closed.

    Examples
    --------
    >>> split("python train.py --name 'two words' --rate {rate}")
    ('python', 'train.py', '--name', 'two words', '--rate', '{rate}')
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise SettingError(
            f"the command {text!r} cannot be split into arguments: {error}. Close the quote, or "
            'write the command as a list, such as ["python", "train.py", "{rate}"].'
        ) from error


def placeholders(argument: Argument) -> Iterator[tuple[str, str]]:
    """Name and format of each placeholder.

    Raises
    ------
    SettingError
        If braces do not fit together, or hold no name.
    """
    for text in (argument,) if isinstance(argument, str) else argument:
        for _, name, style in _parsed(text):
            if name is not None:
                yield name, style


def fill(
    arguments: Sequence[Argument],
    values: Mapping[str, Any],
    known: Collection[str],
    parameters: Sequence[str] = (),
) -> list[str]:
    """The arguments with values in place of their placeholders.

    A hyperparameter that is inactive has no value: the argument with its placeholder is left out,
    and so is the one before it if that begins with a dash and has no placeholder of its own. Of a
    group all are left out. An argument that is nothing but a placeholder is left out, too, where
    the value is the empty string.

    Parameters
    ----------
    arguments
        What to fill in.
    values
        By name of the placeholder.
    known
        Names that may lack a value because they are inactive.
    parameters
        What `{parameters}` stands for.

    Raises
    ------
    SettingError
        If a placeholder means nothing, or a value does not fit its format.

    Examples
    --------
    >>> command = ["solve", "--restarts", "{n}", "--speed={speed:.1f}", "{flag}"]
    >>> fill(command, {"speed": 0.25, "flag": ""}, known=["n", "speed", "flag"])
    ['solve', '--speed=0.2']
    """
    line: list[str] = []
    is_flag = False  # whether the last argument belongs to the one that follows
    for argument in arguments:
        if argument == f"{{{PARAMETERS}}}":
            line += parameters
            is_flag = False
            continue
        texts = (argument,) if isinstance(argument, str) else argument
        filled = [_filled(text, values, known) for text in texts]
        if None in filled:
            if is_flag and isinstance(argument, str):
                line.pop()
        elif not (filled == [""] and argument):
            line += [text for text in filled if text is not None]
        is_flag = (
            isinstance(argument, str)
            and argument.startswith("-")
            and not any(True for _ in placeholders(argument))
        )
    return line


def styled(style: str, name: str, value: Any) -> list[str]:
    """The arguments of one hyperparameter.

    Parameters
    ----------
    style
        What stands before the value: "--rate " (an argument of its own) or "--rate="; nothing
        before a value that is itself the switch, and no argument if that is the empty string.
    name, value
        Of the hyperparameter; `{name}` in the style stands for the first.

    Examples
    --------
    >>> styled("--{name} ", "rate", 0.5), styled("-{name}=", "rate", 0.5)
    (['--rate', '0.5'], ['-rate=0.5'])
    """
    before = style.replace("{name}", name)
    words = before.split()
    if words and before == before.rstrip():
        return [*words[:-1], words[-1] + written(value)]
    return [*words, written(value)] if words or value != "" else []


def written(value: Any) -> str:
    """A value as an argument: numbers with all their digits, truths as true and false.

    Examples
    --------
    >>> written(1e-5), written(3), written(True), written("a b")
    ('1e-05', '3', 'true', 'a b')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(text: str, values: Mapping[str, Any], known: Collection[str]) -> str | None:
    """The text with values; None if one of them is inactive."""
    parts = []
    for literal, name, style in _parsed(text):
        parts.append(literal)
        if name is None:
            continue
        if name not in values:
            if name in known:
                return None
            everything = [*known, *values, PARAMETERS]
            raise SettingError(
                f"the placeholder {{{name}}} in {text!r} stands for nothing."
                f"{closest(name, everything)} There are {', '.join(dict.fromkeys(everything))}; "
                "write braces that mean themselves twice, {{ and }}."
            )
        parts.append(_formatted(values[name], name, style))
    return "".join(parts)


def _formatted(value: Any, name: str, style: str) -> str:
    if not style:
        return written(value)
    try:
        return format(value, style)
    except (ValueError, TypeError) as error:
        raise SettingError(
            f"the placeholder {{{name}:{style}}} cannot format {value!r}: {error}. Write such as "
            f"{{{name}:.3f}}, or {{{name}}} for all digits."
        ) from error


def _parsed(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Literal text, and the name and format of the placeholder that follows it, if any."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise SettingError(
            f"the argument {text!r} has braces that do not fit together: {error}. Write a "
            "placeholder as {name}, and braces that mean themselves twice, {{ and }}."
        ) from error
    for literal, name, style, conversion in parts:
        if name is not None and (not name or conversion or "{" in (style or "")):
            raise SettingError(
                f"the argument {text!r} has a placeholder {{{name}}} that cannot be read. Write "
                "it as {name} or {name:.3f}, and braces that mean themselves twice, {{ and }}."
            )
        yield literal, name, style or ""
