"""Whether the program of a scenario can be started, found out before anything runs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from octavo.errors import SettingError, closest
from octavo.executors.arguments import Argument, placeholders

__all__ = ["check_program"]

_INTERPRETER = re.compile(
    r"(python|pypy|bash|sh|dash|zsh|ksh|Rscript|perl|ruby|julia|node|lua|java)[\d.]*", re.IGNORECASE
)
_SCRIPTS = (".py", ".sh", ".r", ".pl", ".rb", ".jl", ".js", ".lua", ".jar")


def check_program(
    arguments: tuple[Argument, ...],
    folder: Path,
    environment: Mapping[str, str],
    *,
    in_trial_folder: bool = False,
) -> None:
    """Refuse a command whose program, or script, is not there or cannot be started.

    Parameters
    ----------
    arguments
        Program first.
    folder
        Of the scenario, where relative paths begin.
    environment
        Variables of the command; its PATH counts.
    in_trial_folder
        Whether it runs in the trial's folder, where no script lies.

    Raises
    ------
    SettingError
        Naming it.
    """
    program = arguments[0]
    if not isinstance(program, str):
        raise SettingError(
            f"the command begins with the group {list(program)}. Begin with the program: groups "
            "are for arguments that stand or fall together."
        )
    if any(True for _ in placeholders(program)):
        return  # which program it is depends on the configuration
    if "/" in program:
        _check_file(program, folder / program)
    elif shutil.which(program, path=environment.get("PATH")) is None:
        hint = f" There is {program} in {folder}: write './{program}'."
        raise SettingError(
            f"the command {program!r} does not exist: no folder of PATH has it."
            f"{hint if (folder / program).exists() else ''} Install it, or give its path."
        )
    if _INTERPRETER.fullmatch(Path(program).name):
        _check_script(arguments[1:], folder, in_trial_folder)


def _check_script(arguments: tuple[Argument, ...], folder: Path, in_trial_folder: bool) -> None:
    """The script that an interpreter is given, if what is given looks like one."""
    script = next((a for a in arguments if not (isinstance(a, str) and a.startswith("-"))), "")
    if not isinstance(script, str) or Path(script).suffix.lower() not in _SCRIPTS:
        return
    where = script.replace("{scenario}", str(folder))
    if "{" in where:
        return  # which script it is depends on the configuration
    if not (folder / where).is_file():
        siblings = [path.name for path in folder.glob(f"*{Path(script).suffix}")]
        raise SettingError(
            f"the script {script!r} of the command does not exist.{closest(script, siblings)} "
            f"Give its path from the scenario's folder ({folder}) on."
        )
    if in_trial_folder and not Path(where).is_absolute() and where == script:
        raise SettingError(
            f"the script {script!r} lies in the scenario's folder, and the command runs in each "
            f"trial's own. Write {{scenario}}/{script}."
        )


def _check_file(program: str, path: Path) -> None:
    if not path.is_file():
        siblings = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise SettingError(
            f"the command {program!r} does not exist: there is no file {path}."
            f"{closest(path.name, siblings)} Paths begin at the scenario's folder."
        )
    if not os.access(path, os.X_OK):
        raise SettingError(
            f"the command {program!r} is not executable. Run chmod +x {path}, or put its "
            'interpreter first, such as ["python3", "train.py"].'
        )
    with path.open("rb") as file:
        first = file.readline(500)
    if first.startswith(b"#!"):
        words = first[2:].decode(errors="replace").split()
        if words and not Path(words[0]).exists():
            raise SettingError(
                f"the command {program!r} names {words[0]!r} in its first line, which does not "
                "exist. Install that interpreter, or mend the line."
            )
