"""What the loop does with stoppers: asks them when reports arrive, and remembers what they said."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from octavo.errors import SettingError
from octavo.history import History
from octavo.optimizers.recipes import recipe_from_json, recipe_to_json
from octavo.schedulers.stopping import Decision, Running, Stopper
from octavo.trial import Proposal, Report

__all__ = ["Stopping", "Verdict", "check_stoppers", "stoppers_from_json", "stoppers_to_json"]

logger = logging.getLogger(__name__)

SHARE = 0.1  # of the time of the loop, at most, goes into deciding

_STRICTNESS: Mapping[str, int] = {"go": 0, "pause": 1, "stop": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a trial that does not go on."""

    index: int
    decision: Literal["pause", "stop"]
    cause: str


@dataclass
class _Watched:
    proposal: Proposal
    began: float
    reports: list[Report] = field(default_factory=list)
    told: str = "go"


class Stopping:
    """The trials that run, their reports, and what becomes of them.

    Parameters
    ----------
    stoppers
        Where several disagree, the strictest wins: stop before pause before go.
    objective
        Name of the first one, by whose reported values most stoppers judge.
    """

    def __init__(self, stoppers: Sequence[Stopper], objective: str) -> None:
        self._stoppers = tuple(stoppers)
        self._objective = objective
        self._has_warned = not any(_judges_one_cost(stopper) for stopper in self._stoppers)
        self._watched: dict[int, _Watched] = {}
        self._is_news = False
        self._rest_until = float("-inf")

    def begin(self, proposal: Proposal) -> None:
        """A trial begins."""
        if self._stoppers:
            self._watched[proposal.index] = _Watched(proposal, time.monotonic())

    def hear(self, index: int, report: Report) -> None:
        """A trial reported something."""
        if index in self._watched:
            self._watched[index].reports.append(report)
            self._is_news = True
            if self._objective not in report.values and not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "trial %d reports %s, but the stoppers judge by the objective %r: they leave "
                    "such trials alone. Report it by that name: report(step, {%r: value}).",
                    index,
                    sorted(report.values),
                    self._objective,
                    self._objective,
                )

    def end(self, index: int) -> None:
        """A trial has ended."""
        self._watched.pop(index, None)

    def decide(self, history: History, *, at_leisure: bool) -> list[Verdict]:
        """What the stoppers say of the trials that run, if there is something new.

        Parameters
        ----------
        history
            All completed trials.
        at_leisure
            Whether deciding may wait: then it takes a tenth of the time at most, however slow
            the stoppers are. Otherwise they are asked at each report, so that a serial search
            is the same each time.
        """
        began = time.monotonic()
        if not self._is_news or (at_leisure and began < self._rest_until):
            return []
        self._is_news = False
        going = {i: watched for i, watched in self._watched.items() if watched.told != "stop"}
        running = [
            Running(watched.proposal, tuple(watched.reports), began - watched.began)
            for watched in going.values()
        ]
        verdicts: dict[int, Verdict] = {}
        for stopper in self._stoppers:
            for index, decision in _decisions(stopper, running, history).items():
                if index in going and _is_stricter(decision, going[index].told):
                    going[index].told = decision
                    verdicts[index] = _verdict(stopper, decision, going[index])
        ended = time.monotonic()
        self._rest_until = ended + (ended - began) * (1 / SHARE - 1)
        return list(verdicts.values())


def _decisions(
    stopper: Stopper, running: Sequence[Running], history: History
) -> Mapping[int, Decision]:
    decisions = stopper.decide(running, history)
    name = type(stopper).__name__
    if not isinstance(decisions, Mapping):
        raise SettingError(
            f"{name}.decide returned {decisions!r:.100} of type {type(decisions).__name__}, but is "
            "to return a decision for each index, such as {3: 'stop'}; {} lets all go on."
        )
    for index, decision in decisions.items():
        if decision not in _STRICTNESS:
            raise SettingError(
                f"{name}.decide returned {decision!r} for trial {index}. "
                f"Return one of {list(_STRICTNESS)}, or leave the trial out to let it go on."
            )
    return decisions


def _is_stricter(decision: str, than: str) -> bool:
    return _STRICTNESS[decision] > _STRICTNESS[than]


def _verdict(stopper: Stopper, decision: str, watched: _Watched) -> Verdict:
    verb = "paused" if decision == "pause" else "stopped"
    cause = f"{verb} by {type(stopper).__name__}"
    if watched.reports:
        last = watched.reports[-1]
        values = ", ".join(f"{name} {value:.6g}" for name, value in last.values.items())
        cause += f" after step {last.step:g} ({values})"
    return Verdict(watched.proposal.index, cast(Literal["pause", "stop"], decision), cause)


# Arguments ----------------------------------------------------------------------------


def _judges_one_cost(stopper: object) -> bool:
    return bool(getattr(stopper, "judges_one_cost", False))


def check_stoppers(stoppers: object, executor: object, n_objectives: int) -> None:
    """Refuse what is no sequence of stoppers, or what cannot work here.

    Stoppers that judge by one cost cannot where there are several objectives, and not all
    executors can end a trial early.

    Raises
    ------
    SettingError
        Naming the value, and saying what to pass.
    """
    if isinstance(stoppers, str | Mapping) or not isinstance(stoppers, Sequence):
        raise SettingError(
            f"stoppers={stoppers!r:.200} is of type {type(stoppers).__name__}, but is a list. "
            "Write stoppers=[stopper] also for a single one."
        )
    for stopper in stoppers:
        if isinstance(stopper, type) or not isinstance(stopper, Stopper):
            raise SettingError(
                f"stoppers contains {stopper!r:.200}, which decides nothing. Pass objects with a "
                "method decide(running, history); of a class, pass an instance."
            )
        if n_objectives > 1 and _judges_one_cost(stopper):
            raise SettingError(
                f"{type(stopper).__name__} judges trials by their first objective, but there are "
                f"{n_objectives}: it would end trials that are good in another one. Leave it out, "
                "or write a stopper whose decide(running, history) weighs them all."
            )
    if stoppers and executor is not None and not callable(getattr(executor, "halt", None)):
        raise SettingError(
            f"executor={executor!r} has no method halt(index, decision, cause), by which stoppers "
            "end trials early. Leave out the stoppers, or use octavo.executors.ProcessExecutor."
        )


def stoppers_to_json(stoppers: Sequence[Stopper]) -> list[dict[str, Any]] | str:
    """What a study remembers of its stoppers: all of them, or why they cannot be remembered."""
    try:
        return [recipe_to_json(cast(Any, stopper)) for stopper in stoppers]
    except SettingError as error:
        return str(error)


def stoppers_from_json(stored: Sequence[Mapping[str, Any]] | str) -> tuple[Stopper, ...]:
    """The stoppers that `stoppers_to_json` described.

    Raises
    ------
    SettingError
        If they could not be remembered.
    """
    if isinstance(stored, str):
        raise SettingError(
            f"the study's last run had stoppers that could not be stored: {stored} Pass them "
            "again, resume(stoppers=[...]), or resume(stoppers=[]) to go on without."
        )
    return tuple(cast(Stopper, recipe_from_json(data)) for data in stored)
