"""`octavo export`: the trials of a study as a table, or its best configuration."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from octavo.cli.console import print_json, stdout
from octavo.cli.tuning import study_summary
from octavo.errors import StorageError

__all__ = ["export_command"]


def export_command(run: str, *, out: str | None, best: bool, as_json: bool) -> None:
    """Write all trials to a file, or to the terminal as CSV; or the best configuration as JSON."""
    from octavo.storage import export_history
    from octavo.study import open_study

    with open_study(Path(run), write=False) as study:
        if best:
            study.best  # noqa: B018  raises the sentence if there is none
            _write_best(study_summary(study)["config"], out)
            return
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
