"""Scripts that were written for other configurators: how they are called, and what they report.

irace's target runner is described in López-Ibáñez et al. (2016), The irace package, Operations
Research Perspectives 3; the result line of ParamILS in Hutter et al. (2009), JAIR 36; the other
one in Hutter et al. (2014), AClib: a Benchmark Library for Algorithm Configuration, LION 8.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from octavo.errors import CutoffError, ObjectiveError
from octavo.executors.answers import Printed, last_lines

__all__ = ["PROTOCOLS", "Asked", "call_of", "read_protocol", "reported"]

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


_NO_INSTANCE = "no_instance"  # what wrappers got from SMAC v2 where there are no instances
_NO_RUNLENGTH = "2147483647"  # what configurators pass to ParamILS wrappers as no limit


@dataclass(frozen=True, slots=True)
class Asked:
    """What a wrapper is asked to run.

    Parameters
    ----------
    config, seed, instance
        As in a proposal.
    number
        Of the instance, from 1.
    cutoff_s
        Seconds that it may take.
    bound
        Whether irace's order has that after the instance.
    """

    config: Mapping[str, Any]
    seed: int
    instance: str | None
    number: int
    cutoff_s: float | None
    bound: bool


def call_of(protocol: str, asked: Asked) -> list[str]:
    """What a wrapper gets before the parameters.

    Examples
    --------
    >>> call_of("aclib", Asked({"x": 1}, 3, "a.cnf", 1, 5.0, False))
    ['--instance', 'a.cnf', '--cutoff', '5', '--seed', '3', '--config']
    """
    instance = _NO_INSTANCE if asked.instance is None else asked.instance
    cutoff = "" if asked.cutoff_s is None else f"{asked.cutoff_s:g}"
    seed = str(asked.seed)
    if protocol == "irace":
        bound = [cutoff] if asked.bound else []
        return [_id_of(asked.config), str(asked.number), seed, instance, *bound]
    if protocol == "aclib":
        return ["--instance", instance, "--cutoff", cutoff, "--seed", seed, "--config"]
    return [instance, "0", cutoff, _NO_RUNLENGTH, seed]


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


def reported(protocol: str, printed: Printed, is_failed: bool) -> tuple[str, dict[str, Any]]:
    """What a wrapper reported of a run that went well; nothing if it failed before it could.

    Parameters
    ----------
    protocol, printed
        As in `read_protocol`.
    is_failed
        Whether its exit code says so.

    Raises
    ------
    CutoffError
        If it ended the run at its cutoff.
    ObjectiveError
        If the run went wrong, or it is not readable how it went.
    """
    try:
        status, numbers = read_protocol(protocol, printed)
    except ObjectiveError:
        if is_failed:
            return "", {}  # the exit code says more
        raise
    if status == "timeout":
        raise CutoffError("the wrapper reported TIMEOUT: it ended the run at its cutoff.")
    if status != "success":
        raise ObjectiveError(
            f"the wrapper reported {status.upper()}. Its output says why." + last_lines(printed)
        )
    return status, numbers


def _id_of(config: Mapping[str, Any]) -> str:
    """A number for a configuration, the same one whenever it is run."""
    return str(zlib.crc32(json.dumps(dict(config), sort_keys=True).encode()))


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
