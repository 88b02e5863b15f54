"""`octavo predict`: a saved model on a new table."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from octavo.cli.console import number, print_json, show_warnings, stderr, stdout
from octavo.errors import SettingError, StorageError

__all__ = ["predict_command"]

logger = logging.getLogger(__name__)


def predict_command(
    run: str,
    table_path: str,
    *,
    out: str | None,
    proba: bool,
    coverage: float | None,
    as_json: bool,
) -> None:
    """Predict each row; if the table has the target, score the predictions beside a plain guess."""
    import pandas as pd

    from octavo.tabular.model import load_model
    from octavo.tabular.reading import read_table

    if as_json and out == "-":
        raise SettingError(
            "--out - and --json both want to write to the terminal. Give a file with --out, or "
            "leave out --json."
        )
    show_warnings(silent=as_json)
    model = load_model(run)
    table = read_table(table_path)
    model.check_groups(table)
    scores = model.scores(table)
    predictions = pd.DataFrame({model.target.name: model.decide(scores, table)})
    if proba:
        if not model.is_classifier:
            model.predict_proba(table.head(0))  # raises the sentence that says why not
        for column, label in enumerate(model.target.classes or ()):
            predictions[f"probability_{label}"] = scores[:, column]
    covered = {} if coverage is None else _cover(model, table, coverage, predictions)
    path = _write(predictions, table_path, out)
    found = _scored(model, table, scores) | covered
    if as_json:
        print_json({"predictions": path, "rows": len(predictions), **found})
        return
    console = stderr() if path == "-" else stdout()
    if path != "-":
        plural = "s" * (len(predictions) != 1)
        console.print(f"{len(predictions)} prediction{plural} -> {path}", markup=False)
    if "covered" in found:
        console.print(
            f"{found['covered']:.1%} of the known values are inside; {coverage:.1%} were asked for",
            markup=False,
        )
    if "metric" in found:
        console.print(
            f"[bold]{found['metric']} {number(found['score'])}[/] on the "
            f"{found['scored_rows']} rows with a known {model.target.name} "
            f"(a plain guess: {number(found['baseline'])})"
        )


def _cover(model: Any, table: Any, coverage: float, predictions: Any) -> dict[str, Any]:
    """Add columns with intervals or sets; the share that is inside where the target is known."""
    import numpy as np

    from octavo.errors import OctavoError

    name = model.target.name
    if model.is_classifier:
        inside = model.predict_set(table, coverage)
        words = np.array([str(label) for label in model.target.classes], dtype=object)
        predictions["set"] = ["|".join(words[row]) for row in inside]
        predictions["set_size"] = inside.sum(axis=1)
    else:
        ends = model.predict_interval(table, coverage)
        predictions["low"], predictions["high"] = ends[:, 0], ends[:, 1]
    if name not in table.columns:
        return {}
    known = table[name].notna().to_numpy()
    if not known.any():
        return {}
    try:
        truth = model.target.encode(table.loc[known, name])
    except OctavoError:
        return {}  # what is wrong with the target is said where it is scored
    if model.is_classifier:
        hit = inside[known][np.arange(len(truth)), truth]
    else:
        hit = (ends[known, 0] <= truth) & (truth <= ends[known, 1])
    return {"covered": float(hit.mean())}


def _write(predictions: Any, table_path: str, out: str | None) -> str:
    if out == "-":
        import sys

        predictions.to_csv(sys.stdout, index=False)
        return "-"
    if out is None:
        out = str(
            Path(table_path).with_name(Path(table_path).name.split(".")[0] + ".predictions.csv")
        )
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            predictions.to_parquet(path, index=False)
        else:
            separator = "\t" if ".tsv" in path.suffixes else ","
            predictions.to_csv(path, index=False, sep=separator)
    except OSError as error:
        raise StorageError(
            f"the predictions could not be written to {path}: {error.strerror}. "
            "Give another file with --out."
        ) from error
    return str(path)


def _scored(model: Any, table: Any, scores: Any) -> dict[str, Any]:
    """Score and plain guess on the rows whose target is known; nothing without a target."""
    import numpy as np

    from octavo.ensemble.metrics import get_metric
    from octavo.errors import OctavoError

    target = model.target
    if target.name not in table.columns:
        return {}
    known = table[target.name].notna().to_numpy()
    if not known.any():
        return {}
    try:
        metric = get_metric(model.metric, target.kind)
        truth = target.encode(table.loc[known, target.name])
        score = metric.score(
            truth,
            scores[known],
            classes=target.classes,
            # As they were written: by the groups of these rows, where decisions look at them.
            decide=lambda probabilities: model.codes(probabilities, table[known]),
        )
        baseline = None
        if "plain_guess" in model.info:  # as every search leaves it
            plain = model.info["plain_guess"]
            tiled = (
                np.tile(plain, (len(truth), 1)) if target.classes else np.full(len(truth), plain)
            )
            baseline = metric.score(truth, tiled, classes=target.classes)
    except OctavoError as error:
        # The predictions stand; only their score is not to be had.
        logger.warning("The predictions cannot be scored: %s", error)
        return {}
    return {
        "metric": metric.name,
        "score": score,
        "baseline": baseline,
        "scored_rows": int(known.sum()),
    }
