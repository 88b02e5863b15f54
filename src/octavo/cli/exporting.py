"""`octavo export`: the trials of a study as a table, or its best configuration."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from octavo.cli.console import print_json, stdout
from octavo.cli.tuning import study_summary
from octavo.errors import StorageError, StudyError

if TYPE_CHECKING:
    from octavo.study import Study

__all__ = ["export_command"]


def export_command(
    run: str, *, out: str | None, best: bool, validation: bool, as_json: bool
) -> None:
    """Write all trials to a file, or to the terminal as CSV; or the best configuration as JSON."""
    from octavo.storage import export_history
    from octavo.study import open_study
    from octavo.study.reading import read_storage

    place = read_storage(run)
    with ExitStack() as stack:
        study = stack.enter_context(open_study(place, write=False))
        if best:
            study.best  # noqa: B018  raises the sentence if there is none
            summary = study_summary(study, run)
            if validation and "validation" not in summary:
                _refuse_validation(study)
            _write_best(summary["validation"] if validation else summary["config"], out)
            return
        if validation:
            study = stack.enter_context(_validation(study, place))
        if out is None:
            with tempfile.TemporaryDirectory() as folder:
                path = export_history(study.history, Path(folder) / "trials.csv")
                sys.stdout.write(path.read_text(encoding="utf-8"))
            return
        path = export_history(study.history, Path(out))
        n = len(study.history)
    if as_json:
        print_json({"file": str(path), "trials": n})
        return
    stdout().print(f"{n} trials -> {path}", markup=False)


def _validation(study: Study, place: str | Path) -> Study:
    from octavo.scenarios.validation import open_validation

    found = open_validation(study, place)
    if found is None:
        _refuse_validation(study)
    return found


def _refuse_validation(study: Study) -> NoReturn:
    raise StudyError(
        f"the study {study.name!r} was not validated, or has found a better configuration since. "
        "Give its scenario held-out instances, validation = 'test/*.cnf'; its result is run on "
        "them when the search ends, and octavo resume brings it there."
    )


def _write_best(config: dict[str, object], out: str | None) -> None:
    if out is None:
        print_json(config)
        return
    try:
        Path(out).write_text(json.dumps(config, indent=2) + "\n")
    except OSError as error:
        raise StorageError(
            f"the configuration could not be written to {out}: {error.strerror}. Give another "
            "file with --out."
        ) from error
    stdout().print(out, markup=False)
