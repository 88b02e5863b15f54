"""`octavo ask` and `octavo tell`: a search that is driven from a shell, over days."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from octavo.cli.console import number, print_json, stdout
from octavo.cli.looking import print_recommended, recommended
from octavo.errors import SettingError

__all__ = ["ask_command", "tell_command"]


def ask_command(
    run: str,
    *,
    n: int,
    space: str | None,
    objectives: Sequence[str] | None,
    optimizer: str,
    seed: int | None,
    as_json: bool,
) -> None:
    """Ask for proposals; the first time, make the study from a file that describes the space."""
    from octavo.storage import has_study
    from octavo.study import open_study
    from octavo.study.reading import read_storage

    place = read_storage(run)
    if (place / "history.sqlite").exists() if isinstance(place, Path) else has_study(place):
        if space is not None:
            raise SettingError(
                f"there is a study in {run} already, and its space does not change: leave out "
                "--space, or give another folder."
            )
        for option, given in (
            ("--objective", objectives),
            ("--seed", seed),
            ("--optimizer", None if optimizer == "auto" else optimizer),
        ):
            if given is not None:
                raise SettingError(
                    f"{option} {given} is only for a new study, and there is one in {run} "
                    f"already, which keeps what it began with. Leave out {option}."
                )
        study = open_study(place)
    else:
        study = _begin(place, space, objectives, optimizer, seed)
    with study:
        asked = study.ask(n)
        left = [
            {"index": proposal.index, "config": dict(proposal.config), "seed": proposal.seed}
            for proposal in asked
        ]
    if as_json:
        print_json(left)
        return
    console = stdout()
    if not left:
        console.print("nothing is left to try: the space is exhausted")
    for one in left:
        config = " ".join(f"{name}={value}" for name, value in one["config"].items())
        console.print(f"{one['index']}  {config}", markup=False)


def _begin(
    place: str | Path,
    space: str | None,
    objectives: Sequence[str] | None,
    optimizer: str,
    seed: int | None,
) -> Any:
    from octavo.problem import Objective
    from octavo.study import Study

    if space is None:
        raise SettingError(
            f"there is no study in {place} yet. Begin one with --space FILE, a JSON file that "
            "ConfigSpace or octavo wrote."
        )
    made = []
    for one in objectives or ["cost"]:
        name, _, direction = one.partition(":")
        if direction not in ("", "min", "max"):
            raise SettingError(
                f"--objective {one!r} has the direction {direction!r}. Write NAME, NAME:min or "
                "NAME:max."
            )
        made.append(Objective(name, maximize=direction == "max"))
    return Study(
        _read_space(Path(space)), objectives=made, optimizer=optimizer, seed=seed, storage=place
    )


def _read_space(path: Path) -> Any:
    from octavo.spaces import from_json

    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise SettingError(
            f"--space {path} cannot be read: {error.strerror}. Give a JSON file."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"--space {path} is not JSON ({error}). Write it with "
            "ConfigurationSpace.to_json or json.dump(space.to_json(), file)."
        ) from error
    return from_json(data)


def tell_command(
    run: str, index: int, *, values: Sequence[str], failed: str | None, as_json: bool
) -> None:
    """Tell what came of a proposal."""
    from octavo.study import open_study
    from octavo.study.reading import read_storage

    with open_study(read_storage(run)) as study:
        trial = study.tell(index, _values(values) if values else None, failed=failed)
        best = study.history.incumbent
        summary = {
            "index": trial.index,
            "status": trial.status.value,
            "trials": len(study.history),
            "best": None if best is None else study.best_value,
            "best_index": None if best is None else best.index,
            **recommended(study),
        }
    if as_json:
        print_json(summary)
        return
    stdout().print(
        f"trial {summary['index']}: {summary['status']}; best of {summary['trials']} so far: "
        f"{number(summary['best'])} (trial {summary['best_index']})",
        markup=False,
    )
    print_recommended(summary)


def _values(given: Sequence[str]) -> Any:
    if len(given) == 1 and "=" not in given[0]:
        return _float(given[0], given[0])
    named = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise SettingError(
                f"{one!r} cannot be read as a result. Write one number, or NAME=VALUE for each "
                "objective and constraint."
            )
        named[name] = _float(value, one)
    return named


def _float(text: str, shown: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingError(
            f"{shown!r} does not hold a number. Write octavo tell RUN INDEX 0.25, or --failed WHY "
            "if there is none."
        ) from None
