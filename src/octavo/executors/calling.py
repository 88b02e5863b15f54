"""How an objective is called, and how what comes of it is put into plain data.

Inline trials and worker processes share this file, so that an objective behaves the same in
both. Nothing here leaves a user's object in what it returns: an `Answer` holds numbers and
text only, so it can be sent to another process and written to a database as it is.
"""

from __future__ import annotations

import inspect
import linecache
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from traceback import format_exception
from types import TracebackType
from typing import Any

from octavo.errors import CutoffError, ObjectiveError, SettingError, TrialStopped, closest
from octavo.executors.checkpoints import Checkpoints
from octavo.executors.reporting import Reporter, stopped_numbers
from octavo.problem import Problem
from octavo.trial import Report, Status

__all__ = ["Answer", "Call", "check_signature", "failure", "is_library", "plain", "settled"]

OFFERED = ("seed", "fidelity", "instance", "report", "checkpoint", "folder", "time_limit")
_OURS = str(Path(__file__).parent)
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", str(Path(os.__file__).parent), _OURS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of calling the objective once.

    Parameters
    ----------
    costs, constraints, extra
        What it returned.
    cause
        Why it did not succeed; empty if it did.
    traceback
        The exception in full, for the output of the trial.
    halted
        "stop" or "pause" if the objective was told to end early, and did; then without costs,
        unless it returned some all the same. "timeout" if it ended itself at its cutoff.
    """

    costs: tuple[float, ...] = ()
    constraints: tuple[float, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    traceback: str = ""
    halted: str = ""

    def packed(self) -> bytes:
        """As bytes to send, without the traceback, which goes another way."""
        return pickle.dumps((self.costs, self.constraints, self.extra, self.cause, self.halted))

    @staticmethod
    def unpacked(data: bytes) -> Answer:
        """The answer that was packed."""
        costs, constraints, extra, cause, halted = pickle.loads(data)
        return Answer(costs, constraints, extra, cause, halted=halted)


@dataclass(frozen=True, slots=True)
class Call:
    """An objective, and which of the things on offer its signature names.

    Parameters
    ----------
    objective
        The user's function; its first positional argument is the configuration.
    problem
        Reads what the function returns.
    wanted
        Names of the keyword arguments it is given.
    """

    objective: Callable[..., Any]
    problem: Problem
    wanted: frozenset[str]

    @property
    def takes_checkpoint(self) -> bool:
        """Whether the objective can save its state, and go on from another trial's."""
        return "checkpoint" in self.wanted

    @staticmethod
    def of(objective: Callable[..., Any], problem: Problem, data: Iterable[str] = ()) -> Call:
        """Read the signature once.

        Raises
        ------
        SettingError
            As `check_signature`.
        """
        return Call(objective, problem, check_signature(objective, data))

    def __call__(
        self,
        config: Mapping[str, Any],
        *,
        seed: int,
        fidelity: float | None,
        instance: str | None,
        report: Reporter,
        checkpoint: Checkpoints,
        folder: Path,
        time_limit: float | None,
        data: Mapping[str, Any],
    ) -> Answer:
        """Call the objective and read its result; `KeyboardInterrupt` alone goes through."""
        if fidelity is not None and self.problem.fidelity and self.problem.fidelity.integer:
            fidelity = int(fidelity)  # so that range(epochs) works
        offer = {
            "seed": seed,
            "fidelity": fidelity,
            "instance": instance,
            "report": report,
            "checkpoint": checkpoint,
            "folder": folder,
            "time_limit": time_limit,
            **data,
        }
        try:
            result = self.objective(dict(config), **{name: offer[name] for name in self.wanted})
            costs, constraints, extra = self.problem.read(result)
            extra = {name: plain(value) for name, value in extra.items()}
            if report.halted is not None:  # it caught what was raised, and tidied up
                return _halted(report.halted, costs, constraints, extra)
            return Answer(costs, constraints, extra)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, TrialStopped) or report.ended_by(error):
                return _halted(report.halted or error)
            return failure(error, self.objective)


def _halted(
    stopped: BaseException,
    costs: tuple[float, ...] = (),
    constraints: tuple[float, ...] = (),
    extra: Mapping[str, Any] | None = None,
) -> Answer:
    decision = "pause" if getattr(stopped, "paused", False) else "stop"
    return Answer(costs, constraints, extra or {}, cause=str(stopped), halted=decision)


def settled(
    problem: Problem, answer: Answer, reports: Sequence[Report]
) -> tuple[Status, tuple[float, ...], tuple[float, ...], Mapping[str, Any]]:
    """Status, costs, constraint values and extra data of a trial that was answered.

    One that ended early has the values that it reported last, unless it returned some.
    """
    if answer.halted == "timeout":
        return Status.TIMEOUT, (float("nan"),) * problem.n_objectives, (), answer.extra
    if answer.halted:
        costs, constraints = answer.costs, answer.constraints
        if not costs:
            costs, constraints = stopped_numbers(problem, reports)
        extra = {**answer.extra, "paused": True} if answer.halted == "pause" else answer.extra
        return Status.STOPPED, costs, constraints, extra
    if answer.cause:
        return Status.CRASHED, (float("nan"),) * problem.n_objectives, (), answer.extra
    return Status.SUCCESS, answer.costs, answer.constraints, answer.extra


def check_signature(objective: Callable[..., Any], data: Iterable[str] = ()) -> frozenset[str]:
    """Names of the keyword arguments that an objective is to be given.

    Parameters
    ----------
    objective
        The user's function.
    data
        Names of what it may get besides what every objective is offered.

    Raises
    ------
    SettingError
        If the objective cannot be called, wants something that nobody offers, or the
        data have a name that means something else.
    """
    names = tuple(data)
    for name in names:
        if name in OFFERED:
            raise SettingError(
                f"data has the name {name!r}, which is already the name of something that "
                f"every objective is offered ({', '.join(OFFERED)}). Choose another name."
            )
    if not callable(objective):
        raise SettingError(
            f"the objective {objective!r} cannot be called. Pass a function such as "
            "def train(config, *, seed): ..., not its result."
        )
    offered = OFFERED + names
    try:
        parameters = list(inspect.signature(objective).parameters.values())
    except (TypeError, ValueError):  # some builtins do not tell: they get the config only
        return frozenset()
    kinds = {parameter.kind for parameter in parameters}
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not positional and inspect.Parameter.VAR_POSITIONAL not in kinds:
        raise SettingError(
            f"the objective {_name(objective)} has no positional argument for the "
            "configuration. Write it as def train(config, *, seed): ..."
        )
    by_name = [
        p
        for p in parameters
        if p not in positional[:1] and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    for parameter in parameters:
        is_offered = parameter in by_name and parameter.name in offered
        is_filled = parameter.default is not parameter.empty or parameter in positional[:1]
        is_star = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if not (is_offered or is_filled or is_star):
            raise SettingError(
                f"the objective {_name(objective)} needs an argument {parameter.name!r} that "
                f"nobody gives it. On offer are {', '.join(offered)}, by name. Rename it, "
                "give it a default, or pass it as data." + closest(parameter.name, offered)
            )
    if inspect.Parameter.VAR_KEYWORD in kinds:
        taken = {p.name for p in positional[:1]}
        return frozenset(offered) - taken
    # An object may take more than this one of its kind has a use for, as a `Command` does.
    unwanted: frozenset[str] = getattr(objective, "unwanted", frozenset())
    return (frozenset(p.name for p in by_name) & frozenset(offered)) - unwanted


def failure(error: BaseException, objective: Callable[..., Any] | None = None) -> Answer:
    """An exception as a cause in words: its type, its message and the line of the user's code."""
    halted = "timeout" if isinstance(error, CutoffError) else ""
    if isinstance(error, ObjectiveError) and not _user_frames(error.__traceback__):
        return Answer(cause=str(error), halted=halted)  # it says all there is to say
    try:
        message = str(error)
    except BaseException as second:  # exceptions are user code as well
        message = f"<its message cannot be shown: __str__ raised {type(second).__name__}>"
    if len(message) > 2000:
        message = message[:1000] + " [...] " + message[-1000:]
    cause = type(error).__name__ + (f": {message}" if message else "")
    where = _where(error.__traceback__, objective)
    advice = ""
    if isinstance(error, SystemExit):
        advice = " An objective should return its cost or raise an exception, not exit."
    elif isinstance(error, ValueError) and "read-only" in message:
        advice = " Data are shared read-only among workers: change a copy, data.copy()."
    elif isinstance(error, MemoryError):
        advice = " There was not enough memory: use fewer workers or a smaller configuration."
    return Answer(
        cause=f"{cause}{where}{'.' if advice else ''}{advice}",
        traceback=_traceback(error),
        halted=halted,
    )


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON-able data; what has no such form becomes the text of its `repr`."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    try:
        if depth < 20:
            if isinstance(value, Mapping):
                return {str(key): plain(item, depth + 1) for key, item in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [plain(item, depth + 1) for item in value]
            if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
                return plain(value.tolist(), depth + 1)
        for kind in (bool, int, float, str):
            if isinstance(value, kind):
                return kind(value)
        text = repr(value) if not isinstance(value, Path) else str(value)
    except Exception:
        text = f"<{type(value).__name__} that cannot be shown>"
    return str(text)[:10_000]


def is_library(file: str) -> bool:
    """Whether a source file belongs to Python, to an installed package or to the executors."""
    return any(mark in file for mark in _LIBRARIES)


def _user_frames(traceback: TracebackType | None) -> list[tuple[str, int, str]]:
    """File, line and function of each frame that is not ours, outermost first."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OURS) and not code.co_filename.endswith(
            f"octavo{os.sep}problem.py"
        ):
            frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return frames


def _traceback(error: BaseException) -> str:
    """The exception as Python prints it, from the user's first line on."""
    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_OURS):
        inner = inner.tb_next
    try:
        lines = format_exception(type(error), error, inner)
    except Exception as second:  # exceptions are user code as well
        lines = [f"<the traceback cannot be shown: {type(second).__name__}>\n"]
    return "".join(lines)[-100_000:]


def _where(traceback: TracebackType | None, objective: Callable[..., Any] | None) -> str:
    """Where in the user's code an exception came from: " (train.py:12 in train: code)"."""
    frames = _user_frames(traceback)
    if not frames:
        return ""
    home = getattr(getattr(objective, "__code__", None), "co_filename", None)
    at_home = [frame for frame in frames if frame[0] == home]
    not_library = [frame for frame in frames if not is_library(frame[0])]
    file, line, function = (at_home or not_library or frames)[-1]
    code = linecache.getline(file, line).strip()
    return f" ({Path(file).name}:{line} in {function}" + (f": {code[:200]})" if code else ")")


def _name(objective: Callable[..., Any]) -> str:
    return str(getattr(objective, "__qualname__", type(objective).__name__))
