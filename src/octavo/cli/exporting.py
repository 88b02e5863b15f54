"""`octavo export`: the trials of a study as a table, its best configuration, or a table's model."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from octavo.cli.console import print_json, show_warnings, stdout
from octavo.cli.tuning import study_summary
from octavo.errors import SettingError, StorageError, StudyError

if TYPE_CHECKING:
    from octavo.study import Study

__all__ = ["export_command"]


def export_command(
    run: str,
    *,
    out: str | None,
    best: bool,
    validation: bool,
    model: bool,
    onnx: bool,
    as_json: bool,
) -> None:
    """Write all trials to a file, or to the terminal as CSV; or what else is asked for.

    A run of a table writes its model where `out` is a folder's name or ends in .onnx.
    """
    has_model = any((Path(run) / part / "model.json").exists() for part in (".", "model"))
    if has_model and out is not None and not (best or validation or model or onnx):
        onnx = out.endswith(".onnx")
        model = not onnx and not Path(out).suffix
    if model or onnx:
        _refuse_both(best=best, validation=validation, model=model, onnx=onnx)
        _write_model(run, out, onnx=onnx, as_json=as_json)
        return
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


def _refuse_both(**options: bool) -> None:
    given = [f"--{name}" for name, is_given in options.items() if is_given]
    if len(given) > 1:
        raise SettingError(f"{given[0]} and {given[1]} ask for different things. Give one of them.")


def _write_model(run: str, out: str | None, *, onnx: bool, as_json: bool) -> None:
    from octavo.tabular.model import load_model

    if out is None:
        what = "a file, such as --out model.onnx" if onnx else "a folder, such as --out deployed"
        raise SettingError(f"--{'onnx' if onnx else 'model'} has nowhere to write to. Give {what}.")
    show_warnings(silent=as_json)
    found = load_model(run)
    path = found.export_onnx(out) if onnx else found.export(out)
    if as_json:
        print_json({"onnx" if onnx else "folder": str(path), "members": len(found.members)})
        return
    console = stdout()
    console.print(f"{found.describe()} -> {path}", markup=False, soft_wrap=True)
    if not onnx:
        # Whole, however long: somebody copies these lines.
        for line in (
            f"install  pip install -r {path / 'requirements.txt'}",
            f"predict  python {path / 'predict.py'} NEW.csv",
        ):
            console.print(line, markup=False, soft_wrap=True)


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
