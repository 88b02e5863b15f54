"""`Command`: an objective that is a program, in any language.

It is called in a worker process like any other objective, so the trial's limits hold for
everything that the program starts, what it prints is kept in the trial's `output.txt`, and nothing
of it is left when the trial is over.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from octavo.errors import ObjectiveError, SettingError, closest
from octavo.executors.answers import Printed, Reading, last_lines
from octavo.executors.arguments import PARAMETERS, Argument, fill, placeholders, styled
from octavo.executors.checkpoints import Checkpoints
from octavo.executors.printed_reports import check_report, reporter
from octavo.executors.programs import how_it_ended, run_program
from octavo.executors.wrappers import PROTOCOLS, Asked, call_of, reported

__all__ = ["OFFERED", "Command"]

OFFERED = (
    "seed", "instance", "fidelity", "folder", "scenario", "cutoff", "config", "checkpoint",
    "resume", PARAMETERS,
)  # fmt: skip
"""Placeholders besides the hyperparameters and the name of the fidelity."""

_STATE = ".checkpoint-of-command"  # where a program leaves its state; removed if it fails


@dataclass(frozen=True)
class Command:
    """Runs a program for each trial, and reads numbers from what it leaves.

    Parameters
    ----------
    arguments
        The program and its arguments, with placeholders: the names of hyperparameters, and
        `OFFERED`. Several in a tuple stand or fall together, see `octavo.executors.arguments`.
    hyperparameters
        Names of all hyperparameters.
    readings
        How the objectives and constraints are read; those that a protocol reports, or that
        Octavo measures, need none.
    scenario
        A folder: relative paths begin there, and the program runs there.
    in_trial_folder
        Run in the trial's own folder instead.
    protocol
        "irace", "aclib" or "paramils": a wrapper that is called, and reports, as for those. One
        whose arguments have placeholders is called as they say.
    style
        What stands before a hyperparameter's value in `{parameters}` and for wrappers: "--{name} ",
        or "-{name} " for "aclib" and "paramils".
    switches
        The same for single hyperparameters, by name.
    fidelity
        Name of the problem's fidelity; wrappers get it as a further parameter.
    instances
        Names of the instances, in order.
    instances_are_files
        Whether an instance is a path, relative to `scenario`.
    cutoff_s
        Seconds that each trial may take, told to the program.
    bound
        Whether an "irace" wrapper gets that after the instance, as when irace caps.
    success
        Exit codes of runs that went well.
    environment
        Variables beyond our own.
    report
        A regular expression with a group named `step` and others named after what is reported;
        each line of the output that it matches is a point of the learning curve.
    report_json
        Instead, the key of the step: each line that is a JSON object with it is a point, and the
        other numbers in it are reported.

    Raises
    ------
    SettingError
        If a placeholder means nothing here, a name is ambiguous, or the protocol is not known.

    Examples
    --------
    >>> command = Command(("echo", "loss", "{x}"), ("x",), {"loss": Reading(regex=r"loss (.*)")})
    >>> command({"x": 0.5}, seed=0, folder=Path("."))
    {'loss': 0.5}
    """

    arguments: tuple[Argument, ...]
    hyperparameters: tuple[str, ...]
    readings: Mapping[str, Reading] = field(default_factory=dict)
    scenario: str = "."
    in_trial_folder: bool = False
    protocol: str | None = None
    style: str | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    fidelity: str | None = None
    instances: tuple[str, ...] = ()
    instances_are_files: bool = False
    cutoff_s: float | None = None
    bound: bool = False
    success: tuple[int, ...] = (0,)
    environment: Mapping[str, str] = field(default_factory=dict)
    report: str | None = None
    report_json: str | None = None

    def __post_init__(self) -> None:
        if not self.arguments:
            raise SettingError(
                "the command is empty. Give the program and its arguments, such as "
                '["python3", "train.py", "--rate", "{rate}"].'
            )
        if self.protocol is not None and self.protocol not in PROTOCOLS:
            raise SettingError(
                f"there is no protocol {self.protocol!r}.{closest(self.protocol, PROTOCOLS)} "
                f"Give one of {', '.join(PROTOCOLS)}, or none."
            )
        used = self.placeholders
        self._check_placeholders(used)
        is_told = self.cutoff_s is not None
        if not is_told and ("cutoff" in used or self._passes_cutoff):
            raise SettingError(
                "the command is told its cutoff, and there is none. Give [limits] a trial_time "
                "or a trial_cpu."
            )
        _check_style(self.style)
        check_report(self.report, self.report_json)
        if "resume" in used and "checkpoint" not in used:
            raise SettingError(
                "the command has the placeholder {resume}, the state from which it goes on, but "
                "is never told where to leave its state. Add {checkpoint}, a folder for that."
            )

    def _check_placeholders(self, used: frozenset[str]) -> None:
        fidelity = () if self.fidelity is None else (self.fidelity,)
        for name in sorted(used & {*OFFERED, *fidelity} & set(self.hyperparameters)):
            raise SettingError(
                f"the placeholder {{{name}}} could be the hyperparameter of that name, or what "
                f"Octavo offers as {name!r}. Rename the hyperparameter."
            )
        everything = (*self.hyperparameters, *fidelity, *OFFERED)
        for name in sorted(used - set(everything)):
            raise SettingError(
                f"the placeholder {{{name}}} stands for no hyperparameter, nor for anything that "
                f"Octavo offers.{closest(name, everything)} There are {', '.join(everything)}; "
                "write braces that mean themselves twice, {{ and }}."
            )
        for name, is_there in (
            ("instance", bool(self.instances)),
            ("fidelity", self.fidelity is not None),
        ):
            if name in used and not is_there:
                raise SettingError(
                    f"the command has the placeholder {{{name}}}, but there is no {name}. Add a "
                    f"table [{name}{'s' * (name == 'instance')}], or remove the placeholder."
                )

    # What it is ------------------------------------------------------------------------

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of the placeholders in its arguments."""
        return frozenset(name for a in self.arguments for name, _ in placeholders(a))

    @property
    def is_wrapper(self) -> bool:
        """Whether it is called as its protocol says: a wrapper without placeholders."""
        return self.protocol is not None and not self.placeholders

    @property
    def unused(self) -> tuple[str, ...]:
        """Hyperparameters, and the fidelity, that the program is never told."""
        used = self.placeholders
        if self.is_wrapper or PARAMETERS in used:
            return ()
        if "config" in used:
            return tuple(name for name in self.untold if name == self.fidelity)
        return self.untold

    @property
    def reports(self) -> bool:
        """Whether points of a learning curve are read from what it prints."""
        return self.report is not None or self.report_json is not None

    @property
    def unwanted(self) -> frozenset[str]:
        """What is offered to objectives, and of no use to this one."""
        return frozenset() if "checkpoint" in self.placeholders else frozenset({"checkpoint"})

    @property
    def untold(self) -> tuple[str, ...]:
        """Hyperparameters, and the fidelity, that have no placeholder of their own."""
        used = self.placeholders
        names = tuple(name for name in self.hyperparameters if name not in used)
        if self.fidelity is not None and not used & {"fidelity", self.fidelity}:
            names += (self.fidelity,)
        return names

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the program, or of the script that it runs, where they have a path."""
        found = hashlib.sha256()
        for argument in self.arguments[:2]:
            path = Path(self.scenario, argument) if isinstance(argument, str) else None
            if path is not None and path.is_file():
                found.update(path.read_bytes())
        return found.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Command:
        """The command that `to_json` described."""
        made = dict(data)
        for name in ("hyperparameters", "instances", "success"):
            made[name] = tuple(made[name])
        made["arguments"] = tuple(a if isinstance(a, str) else tuple(a) for a in data["arguments"])
        made["readings"] = {name: Reading(**one) for name, one in data["readings"].items()}
        return Command(**made)

    # Calling it -------------------------------------------------------------------------

    def line(
        self,
        config: Mapping[str, Any],
        *,
        seed: int = 0,
        fidelity: float | None = None,
        instance: str | None = None,
        folder: Path | str = ".",
        cutoff_s: float | None = None,
        resume: Path | str | None = None,
    ) -> list[str]:
        """The program and its arguments for a configuration.

        Parameters
        ----------
        config, seed, fidelity, instance
            As in a proposal.
        folder
            Of the trial.
        cutoff_s
            Seconds that this trial may take, if not those of all.
        resume
            The state of the trial from which this one goes on; None: it begins from zero.
        """
        cutoff_s = self.cutoff_s if cutoff_s is None else cutoff_s
        path = self._path_of(instance)
        parameters = self._parameters(config, fidelity)
        if self.is_wrapper:
            number = self.instances.index(instance) + 1 if instance in self.instances else 1
            asked = Asked(dict(config), seed, path, number, cutoff_s, self.bound)
            return [*fill(self.arguments, {}, ()), *call_of(str(self.protocol), asked), *parameters]
        values = {
            **config,
            "seed": seed,
            "folder": str(folder),
            "scenario": self.scenario,
            "config": str(Path(folder) / "config.json"),
            "checkpoint": str(Path(folder) / _STATE),
        }
        for name, value in (
            ("instance", path),
            ("cutoff", cutoff_s),
            ("fidelity", fidelity),
            ("resume", resume),
        ):
            if value is not None:
                values[name] = value
        if self.fidelity is not None and fidelity is not None:
            values[self.fidelity] = fidelity
        return fill(self.arguments, values, (*self.hyperparameters, "resume"), parameters)

    def __call__(
        self,
        config: Mapping[str, Any],
        *,
        seed: int,
        folder: Path,
        fidelity: float | None = None,
        instance: str | None = None,
        time_limit: float | None = None,
        report: Callable[..., None] | None = None,
        checkpoint: Checkpoints | None = None,
    ) -> dict[str, Any]:
        """Run the program for one trial.

        Returns
        -------
        dict
            Objectives and constraints by name, and what else a protocol reports.

        Raises
        ------
        ObjectiveError
            If the program cannot be started, fails, or leaves nothing that can be read; with
            the last lines that it printed.
        """
        if "instance" in self.placeholders and instance is None:
            raise ObjectiveError(
                "the command needs an {instance}, but the optimizer proposes none. Use the "
                'optimizer "auto", or another one that races over instances.'
            )
        folder = folder.absolute()
        line = self.line(
            config,
            seed=seed,
            fidelity=fidelity,
            instance=instance,
            folder=folder,
            cutoff_s=time_limit,
            resume=None if checkpoint is None else checkpoint.load(),
        )
        if "config" in self.placeholders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(dict(config), indent=2) + "\n")
        if "checkpoint" in self.placeholders:
            shutil.rmtree(folder / _STATE, ignore_errors=True)  # of an attempt that was killed
            (folder / _STATE).mkdir(parents=True)
        program = line[0]
        if "/" in program:  # relative to the scenario, wherever it runs
            line[0] = str(Path(self.scenario, program).absolute())
        printed = run_program(
            line,
            folder=folder if self.in_trial_folder else Path(self.scenario),
            environment=self.environment,
            on_line=reporter(self.report, self.report_json, report),
        )
        found = self._read(printed, folder)
        state = folder / _STATE
        if checkpoint is not None and state.is_dir() and any(state.iterdir()):
            checkpoint.save(state.rename)
        return found

    # Inside ------------------------------------------------------------------------------

    @property
    def _passes_cutoff(self) -> bool:
        needs = self.protocol in ("aclib", "paramils") or self.bound
        return self.is_wrapper and needs

    def _path_of(self, instance: str | None) -> str | None:
        if instance is None or not (self.instances_are_files and self.in_trial_folder):
            return instance
        return str(Path(self.scenario, instance).absolute())

    def _parameters(self, config: Mapping[str, Any], fidelity: float | None) -> list[str]:
        """What `{parameters}` stands for."""
        style = self.style
        if style is None:
            style = "-{name} " if self.protocol in ("aclib", "paramils") else "--{name} "
        values = dict(config)
        if self.fidelity is not None and fidelity is not None and self.fidelity in self.untold:
            values[self.fidelity] = fidelity
        return [
            part
            for name, value in values.items()
            for part in styled(self.switches.get(name, style), name, value)
        ]

    def _read(self, printed: Printed, folder: Path) -> dict[str, Any]:
        reads_code = any(reading.exit_code for reading in self.readings.values())
        is_failed = printed.code not in self.success and not (reads_code and printed.code >= 0)
        found: dict[str, Any] = {}
        if self.protocol is not None and not (is_failed and self.protocol == "irace"):
            status, found = reported(self.protocol, printed, is_failed)
            is_failed = is_failed and not status
        if is_failed:
            raise ObjectiveError(how_it_ended(printed.code) + last_lines(printed))
        for name, reading in self.readings.items():
            found[name] = reading.read(name, printed, folder)
        return found


def _check_style(style: str | None) -> None:
    """Refuse a style with a placeholder that it does not have."""
    for name, _ in placeholders(style or ""):
        if name != "name":
            raise SettingError(
                f"what stands before each hyperparameter, {style!r}, has the placeholder "
                f"{{{name}}}. It has {{name}} alone: '--{{name}} ', or '-{{name}}='."
            )
