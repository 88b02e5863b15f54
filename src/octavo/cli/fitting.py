"""`octavo fit` and `octavo resume`: the main job, from a file to a folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import megabytes, seconds
from octavo.cli.console import number, print_json, show_warnings, stderr, stdout, table_of
from octavo.cli.starting import free_folder, process_start, refuse_taken
from octavo.errors import DataError, SettingError, closest

if TYPE_CHECKING:
    import pandas as pd

    from octavo.tabular.search import SearchResult

__all__ = ["fit_command", "resume_command"]

SWITCH: Mapping[str, bool | str] = {"auto": "auto", "on": True, "off": False}
KINDS = ("number", "category", "text", "date", "boolean", "drop")


def fit_command(
    train: str,
    *,
    target: str,
    metric: str | None,
    time_limit: str | None,
    trials: int | None,
    memory: str | None,
    workers: int | None,
    seed: int | None,
    out: str | None,
    test_file: str | None,
    task: str | None,
    kinds: Sequence[str],
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    portfolio: str,
    stack: str,
    sampling: str,
    refit_full: bool,
    sensitive: Sequence[str] | None,
    sensitive_at_predict: bool,
    constraints: Sequence[str],
    monotone: Sequence[str],
    weights: str | None,
    groups: str | None,
    time_column: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search, build the model, write the report; see `octavo fit --help`."""
    began = process_start()
    _at_least(trials=(trials, 1), workers=(workers, 1), seed=(seed, 0))
    _refuse_two_roles(
        {"--target": target, "--weights": weights, "--groups": groups, "--time-column": time_column}
    )
    limit_s = seconds(time_limit, "--time")
    memory_mb = megabytes(memory, "--memory")
    folder = Path(out) if out is not None else free_folder(Path("runs") / _stem(train))
    refuse_taken(folder)
    given_kinds, given_bounds = _kinds(kinds), _bounds(constraints)
    given_directions = _directions(monotone)
    given_stack, given_sampling = _stack(stack), _sampling(sampling)

    from octavo.tabular.portfolio import as_portfolio
    from octavo.tabular.reading import read_table
    from octavo.tabular.search import search_table
    from octavo.tabular.settings import SearchSettings

    show_warnings(silent=quiet or as_json)
    given_portfolio = as_portfolio(None if portfolio == "off" else portfolio, "--portfolio")
    table = read_table(train)
    y = _column(table, target, "--target", train)
    sides = {
        "sample_weight": None if weights is None else _column(table, weights, "--weights", train),
        "groups": None if groups is None else _column(table, groups, "--groups", train),
        "time_column": time_column,
    }
    if time_column is not None:
        _column(table, time_column, "--time-column", train)
    X = table.drop(columns=[name for name in (target, weights, groups) if name is not None])
    X_test, y_test = _test_table(test_file, target, table)
    console = stderr()
    result = search_table(
        X,
        y,
        SearchSettings(
            task=task,
            metric=metric,
            time_limit_s=None if limit_s is None else max(limit_s - _report_s(limit_s), 1.0),
            max_trials=trials,
            trial_memory_mb=memory_mb,
            n_jobs=workers,
            seed=seed,
            include=include or None,
            exclude=exclude or None,
            portfolio=given_portfolio,
            stack=given_stack,
            sampling=given_sampling,
            refit_full=refit_full,
            kinds=given_kinds or None,
            sensitive=sensitive or None,
            sensitive_at_predict=sensitive_at_predict,
            constraints=given_bounds,
            monotone=given_directions or None,
            folder=folder,
            callbacks=_progress(console, limit_s, began, as_json or quiet),
            progress=False,
        ),
        X_test=X_test,
        y_test=y_test,
        began=began,
        who="octavo fit",
        **sides,
    )
    _finish(result, folder, began=began, limit_s=limit_s, as_json=as_json)


def resume_command(
    run: str,
    *,
    time_limit: str | None,
    trials: int | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Go on with a tabular search, or with a study whose objective can be imported."""
    began = process_start()
    _at_least(trials=(trials, 1), workers=(workers, 1))
    from octavo.study.reading import read_storage
    from octavo.tabular.runs import is_run

    limit_s = seconds(time_limit, "--time")
    folder = read_storage(run)
    if isinstance(folder, str) or not is_run(folder):
        _resume_study(folder, time_limit, trials, workers, as_json=as_json, quiet=quiet)
        return
    from octavo.tabular.search import resume_search

    show_warnings(silent=quiet or as_json)
    result = resume_search(
        folder,
        time_limit_s=None if limit_s is None else max(limit_s - _report_s(limit_s), 1.0),
        max_trials=trials,
        n_jobs=workers,
        callbacks=_progress(stderr(), limit_s, began, as_json or quiet),
        progress=False,
        began=began,
    )
    _finish(result, folder, began=began, limit_s=limit_s, as_json=as_json)


def _resume_study(
    place: str | Path,
    time_limit: str | None,
    trials: int | None,
    workers: int | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    from octavo.cli.tuning import tell_study, validate
    from octavo.scenarios import stored_command
    from octavo.scenarios.running import executor_of, watchers
    from octavo.study import open_study

    show_warnings(silent=quiet or as_json)
    progress = False if quiet or as_json else None
    with open_study(place) as study:
        study.resume(
            max_trials=trials,
            time_limit=time_limit,
            workers=workers,
            executor=executor_of(study.settings.get("scenario", {}).get("scheduler")),
            callbacks=() if stored_command(study.settings) is None else watchers(),
            progress=progress,
        )
        validate(study, progress=progress)
        tell_study(study, str(place), as_json=as_json)


# Parts ----------------------------------------------------------------------------------


def _report_s(limit_s: float) -> float:
    """Seconds of the limit that are kept for the report."""
    return min(0.5 + 0.06 * limit_s, 0.2 * limit_s, 20.0)


def _progress(console: Any, limit_s: float | None, began: float, silent: bool) -> tuple[Any, ...]:
    if silent:
        return ()
    from octavo.cli.progress import FitProgress

    return (FitProgress(console, limit_s=limit_s, began=began),)


def _column(table: pd.DataFrame, name: str, option: str, path: str) -> Any:
    if name not in table.columns:
        raise DataError(
            f"{option} names a column {name!r} that {path} does not have."
            f"{closest(name, table.columns)} Name one of its columns; the first are: "
            f"{', '.join(map(str, table.columns[:12]))}."
        )
    return table[name]


def _at_least(**options: tuple[int | None, int]) -> None:
    for name, (value, least) in options.items():
        if value is not None and value < least:
            raise SettingError(
                f"--{name} {value} must be a whole number of at least {least}. Leave it out for "
                "the default."
            )


def _refuse_two_roles(columns: Mapping[str, str | None]) -> None:
    roles: dict[str, str] = {}
    for option, name in columns.items():
        if name in roles:
            raise SettingError(
                f"{roles[name]} and {option} both name the column {name!r}, which can have one "
                "role only. Name another column for one of them, or leave it out."
            )
        if name is not None:
            roles[name] = option


def _test_table(path: str | None, target: str, train: pd.DataFrame) -> tuple[Any, Any]:
    if path is None:
        return None, None
    from octavo.tabular.reading import read_table

    table = read_table(path)
    y = _column(table, target, "--target", path)
    known = table[y.notna()]
    return known.drop(columns=target), known[target]


def _kinds(given: Sequence[str]) -> dict[str, str]:
    kinds = {}
    for one in given:
        column, sign, kind = one.rpartition("=")
        if not sign or kind not in KINDS:
            raise SettingError(
                f"--kind {one!r} cannot be read.{closest(kind, KINDS)} Write COLUMN=KIND with one "
                f"of the kinds {', '.join(KINDS)}, such as --kind zip=category."
            )
        kinds[column] = kind
    return kinds


def _stack(given: str) -> bool | str:
    if given not in SWITCH:
        raise _no_switch("--stack", given, "stacks where that is better")
    return SWITCH[given]


def _sampling(given: str) -> bool | str:
    if given not in SWITCH:
        does = "fits on samples where the time is too short for all rows"
        raise _no_switch("--sampling", given, does)
    return SWITCH[given]


def _no_switch(option: str, given: str, auto: str) -> SettingError:
    return SettingError(
        f"{option} {given!r} is none of {', '.join(SWITCH)}.{closest(given, SWITCH)} Leave it out "
        f"for auto, which {auto}."
    )


def _bounds(given: Sequence[str]) -> dict[str, Any]:
    """Upper bounds by word; what they mean is checked with all other settings."""
    bounds: dict[str, Any] = {}
    for one in given:
        word, sign, high = one.partition("=")
        if not sign or not high.strip():
            raise SettingError(
                f"--constraint {one!r} cannot be read. Write WORD=BOUND, such as "
                "--constraint inference_time=50us or --constraint demographic_parity=0.05."
            )
        try:
            bounds[word.strip()] = (None, float(high))
        except ValueError:
            bounds[word.strip()] = (None, high.strip())
    return bounds


def _directions(given: Sequence[str]) -> dict[str, str]:
    """Directions by column; what they mean is checked with all other settings."""
    directions = {}
    for one in given:
        column, sign, direction = one.rpartition("=")
        if not sign or not column:
            raise SettingError(
                f"--monotone {one!r} cannot be read. Write COLUMN=increasing or COLUMN=decreasing, "
                "such as --monotone age=increasing."
            )
        directions[column] = direction
    return directions


def _stem(path: str) -> str:
    name = Path(path).name
    return name.split(".")[0] or "run"


def _finish(
    result: SearchResult, folder: Path, *, began: float, limit_s: float | None, as_json: bool
) -> None:
    """Write the report in what is left of the time, then say what was found."""
    from octavo.tabular.evidence import validation_score
    from octavo.tabular.leaderboard import leaderboard
    from octavo.tabular.monotone import in_words
    from octavo.tabular.reporting import write_report

    spare_s = 10.0 if limit_s is None else limit_s - (time.monotonic() - began) - 0.7
    report = write_report(result, folder / "report.html", importance_s=max(spare_s, 0.0))
    score = validation_score(result.evidence, result.prepared, result.model)
    baseline = result.evidence.baseline
    metric = result.prepared.metric.name
    n_models = sum(trial.succeeded for trial in result.history)
    spent = time.monotonic() - began
    if as_json:
        print_json(
            {
                "run": str(folder),
                "target": result.model.target.name,
                "task": result.model.target.kind,
                "metric": metric,
                "validation": score,
                "baseline": baseline,
                "test": result.path[-1].test_score,
                "models": n_models,
                "ensemble": [
                    {"trial": member.trial, "name": member.name, "weight": member.weight}
                    for member in result.model.members
                ],
                "warnings": list(result.prepared.warnings),
                "not_tried": list(result.prepared.not_tried),
                "stacking": dict(result.model.info["stacking"]),
                "sampling": dict(result.model.info.get("sampling", {})),
                "refitted": dict(result.model.info["refitted"]),
                "bounds": list(result.model.info.get("bounds", [])),
                "monotone": in_words(result.model.schema),
                "stopped_because": result.stopped_because,
                "seconds": round(spent, 2),
                "seed": result.seed,
                "report": str(report),
            }
        )
        return
    console = stdout()
    board = leaderboard(result.history, result.model, stacked=result.stacked).head(8)
    wanted = ("rank", "name", metric, "test", "rows", "weight", "fit_s")
    shown = [name for name in wanted if name in board]
    console.print(table_of(board[shown], console.width))
    console.print(
        f"[bold]{metric} {number(score)}[/] by validation "
        f"(a plain guess: {number(baseline)}), from {n_models} "
        f"model{'s' * (n_models != 1)} in {spent:.0f} s"
    )
    if result.path[-1].test_score is not None:
        console.print(f"[bold]{metric} {number(result.path[-1].test_score)}[/] on the test file")
    for bound in result.model.info.get("bounds", []):
        console.print(bound["told"], markup=False)
    if result.stacked.trials:
        console.print(result.stacked.told, markup=False)
    if "sampling" in result.model.info:
        console.print(result.model.info["sampling"]["told"], markup=False)
    console.print(result.refitted.told, markup=False)
    console.print(f"stopped because {result.stopped_because}", markup=False, style="dim")
    for sentence in result.prepared.not_tried:
        console.print(f"not tried: {sentence}", markup=False, style="dim")
    console.print(f"report   {report}", markup=False)
    console.print(f"predict  octavo predict {folder} NEW.csv", markup=False)
