"""All commands in one table; each module is loaded when its command runs.

Exit codes: 0 all went well; 1 the work could not be done (no pipeline could be fitted, a
study is locked, a disk is full); 2 what was asked makes no sense (a wrong option, file, column
or value); 130 interrupted before there was anything to keep.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="octavo",
    help="AutoML for everyone: a table in, a trustworthy model out. Start with: octavo fit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEFAULT_TIME = "5m"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Folder of the run, or URL of a shared study.", show_default=False
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.command()
def fit(
    train: Annotated[
        str,
        typer.Argument(
            metavar="TRAIN",
            help="Training table: CSV, TSV, Parquet, JSON lines; also .gz.",
            show_default=False,
        ),
    ],
    target: Annotated[
        str, typer.Option("--target", "-t", help="Column to predict.", show_default=False)
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", "-m", help="What to optimize: roc_auc, log_loss, accuracy, rmse, mae, ..."
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            "--time",
            help=f"Wall clock from start to exit: 90s, 5m, 1h. Without --trials {DEFAULT_TIME}.",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Number of pipelines to evaluate.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", help="What one pipeline may use: 2GB.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", help="Pipelines fitted at the same time.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes --trials reproducible.")] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Folder of the run; runs/NAME by default.")
    ] = None,
    test_file: Annotated[
        str | None,
        typer.Option("--test-file", help="Held-out table with the target, scored for the record."),
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="classification or regression, if not obvious.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="COLUMN=KIND overrules detection: number, category, text, date, boolean, drop.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", help="Only this model family (repeatable).")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Not this model family (repeatable).")
    ] = None,
    stack: Annotated[
        str, typer.Option("--stack", help="Models on the predictions of others: auto, on, off.")
    ] = "auto",
    sampling: Annotated[
        str,
        typer.Option(
            "--sampling", help="Most pipelines on fewer rows, the best on all: auto, on, off."
        ),
    ] = "auto",
    refit_full: Annotated[
        bool,
        typer.Option(
            "--refit-full/--no-refit-full",
            help="Fit the ensemble's members on all rows in the end.",
        ),
    ] = True,
    sensitive: Annotated[
        list[str] | None,
        typer.Option(
            "--sensitive", help="Column whose groups are to be treated alike (repeatable)."
        ),
    ] = None,
    sensitive_at_predict: Annotated[
        bool,
        typer.Option(
            "--sensitive-at-predict", help="Sensitive columns are there at prediction too."
        ),
    ] = False,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            "--constraint",
            help="WORD=BOUND of the final model (repeatable): inference_time=50us, "
            "model_size=20MB, demographic_parity=0.05, ...",
        ),
    ] = None,
    monotone: Annotated[
        list[str] | None,
        typer.Option(
            "--monotone",
            help="COLUMN=increasing or COLUMN=decreasing: how predictions may change with it "
            "(repeatable).",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Column with the rows' weights.")
    ] = None,
    portfolio: Annotated[
        str,
        typer.Option(
            "--portfolio",
            help="Pipelines to begin with: auto, off, or a file of octavo portfolio build.",
        ),
    ] = "auto",
    groups: Annotated[
        str | None, typer.Option("--groups", help="Column whose groups are never split.")
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time-column", help="Column by which validation rows come later."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find, tune and ensemble models for a table."""
    from octavo.cli.fitting import fit_command

    fit_command(
        train,
        target=target,
        metric=metric,
        time_limit=DEFAULT_TIME if time is None and trials is None else time,
        trials=trials,
        memory=memory,
        workers=workers,
        seed=seed,
        out=out,
        test_file=test_file,
        task=task,
        kinds=kind or [],
        include=include,
        exclude=exclude,
        portfolio=portfolio,
        stack=stack,
        sampling=sampling,
        refit_full=refit_full,
        sensitive=sensitive,
        sensitive_at_predict=sensitive_at_predict,
        constraints=constraint or [],
        monotone=monotone or [],
        weights=weights,
        groups=groups,
        time_column=time_column,
        as_json=json,
        quiet=quiet,
    )


@app.command()
def predict(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Folder of a run or a saved model.", show_default=False),
    ],
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Table to predict.", show_default=False)
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="File of the predictions; - for the terminal."),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add the probability of each class.")
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage",
            help="Add intervals (low, high) or sets of classes that hold the truth with this "
            "probability: 0.9.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Predict the rows of a table; score them if it has the target."""
    from octavo.cli.predicting import predict_command

    predict_command(run, table, out=out, proba=proba, coverage=coverage, as_json=json)


@app.command()
def leaderboard(
    run: Run,
    every: Annotated[bool, typer.Option("--all", help="Failed pipelines too.")] = False,
    top: Annotated[int, typer.Option("--top", min=1, help="How many rows.")] = 20,
    json: Json = False,
) -> None:
    """Show the pipelines that were tried, best first."""
    from octavo.cli.looking import leaderboard_command

    leaderboard_command(run, every=every, top=top, as_json=json)


@app.command()
def report(
    run: Run,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="File; RUN/report.html by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the report of a run: one HTML file that needs no network."""
    from octavo.cli.looking import report_command

    report_command(run, out=out, as_json=json)


@app.command()
def explain(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Folder of a run or a saved model.", show_default=False),
    ],
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="[TABLE]", help="Rows to explain; else some that the run validated on."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column", "-c", help="Column whose effect to show (repeatable); else the largest."
        ),
    ] = None,
    row: Annotated[
        list[int] | None,
        typer.Option("--row", help="Only this row, from 0, column by column (repeatable)."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="The class whose probability is explained.")
    ] = None,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=1, help="Rows are sampled down to this.")
    ] = 200,
    time: Annotated[
        str | None,
        typer.Option("--time", help="Explain rows while it lasts, some at least: 30s, 2m."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Page with pictures: page.html.")
    ] = None,
    json: Json = False,
) -> None:
    """Explain a table's model: what its columns contribute, and their effects."""
    from octavo.cli.explaining import explain_command

    explain_command(
        run,
        table,
        columns=columns or [],
        rows=row or [],
        label=label,
        max_rows=max_rows,
        time_limit=time,
        out=out,
        as_json=json,
    )


@app.command()
def studies(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Where to look.")] = "runs",
    json: Json = False,
) -> None:
    """List the studies below a folder."""
    from octavo.cli.looking import studies_command

    studies_command(folder, as_json=json)


@app.command()
def resume(
    run: Run,
    time: Annotated[
        str | None, typer.Option("--time", help="Wall clock of this session: 90s, 5m, 1h.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Trials in all, earlier ones included.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", help="Trials at the same time.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run where it was left."""
    from octavo.cli.fitting import resume_command

    resume_command(run, time_limit=time, trials=trials, workers=workers, as_json=json, quiet=quiet)


@app.command()
def tune(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="TOML file: the command, its space, ...", show_default=False
        ),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Explain what would be run; run nothing.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--try", help="Run the command once, with the defaults.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", help="Folder (or URL) of the run, instead of the scenario's storage."
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="Wall clock, instead of the scenario's: 90s, 5m.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Trials, instead of the scenario's.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, help="Trials at the same time.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the search.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tune any program, in any language, as a scenario file says."""
    from octavo.cli.tuning import tune_command

    tune_command(
        scenario,
        check=check,
        probe=probe,
        out=out,
        time_limit=time,
        trials=trials,
        workers=workers,
        seed=seed,
        as_json=json,
        quiet=quiet,
    )


portfolio_app = typer.Typer(
    help="What earlier runs tell later ones to try first.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(portfolio_app, name="portfolio")


@portfolio_app.command("build")
def portfolio_build(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Folders of runs.", show_default=False),
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="File of the portfolio.")
    ] = "portfolio.json",
    size: Annotated[int, typer.Option("--size", min=1, help="How many configurations.")] = 20,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="The best of each run that are considered.")
    ] = 30,
    by_count: Annotated[
        bool,
        typer.Option(
            "--by-count", help="Good after any number of configurations, not after any time."
        ),
    ] = False,
    measured_only: Annotated[
        bool,
        typer.Option(
            "--measured-only", help="Do not predict what a run has not tried: it counts as no help."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Build a portfolio of configurations from runs, for fit --portfolio."""
    from octavo.cli.portfolios import portfolio_build_command

    portfolio_build_command(
        runs,
        out=out,
        size=size,
        candidates=candidates,
        by_count=by_count,
        measured_only=measured_only,
        as_json=json,
    )


@app.command()
def optimizers(json: Json = False) -> None:
    """List the optimizers by name, and how mature each is."""
    from octavo.cli.naming import optimizers_command

    optimizers_command(as_json=json)


@app.command()
def watch(
    run: Run,
    every: Annotated[str, typer.Option("--every", help="How often to look: 2s, 1m.")] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    json: Json = False,
) -> None:
    """Watch a run while another process works on it."""
    from octavo.cli.watching import watch_command

    watch_command(run, every=every, once=once, as_json=json)


@app.command()
def export(
    run: Run,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="File: .csv, .parquet, .jsonl; else CSV is printed. Folder, or .onnx, of a model.",
        ),
    ] = None,
    model: Annotated[
        bool,
        typer.Option("--model", help="The model of a table, as a folder that needs no Octavo."),
    ] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="The model of a table, as ONNX.")] = False,
    best: Annotated[
        bool, typer.Option("--best", help="Only the best configuration, as JSON.")
    ] = False,
    validation: Annotated[
        bool,
        typer.Option("--validation", help="The runs on held-out instances instead."),
    ] = False,
    json: Json = False,
) -> None:
    """Export the trials of a run as a table, its best configuration, or its model."""
    from octavo.cli.exporting import export_command

    export_command(
        run, out=out, best=best, validation=validation, model=model, onnx=onnx, as_json=json
    )


@app.command()
def serve(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Folder of a run or a saved model.", show_default=False),
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 for any that is free.")
    ] = 8000,
    host: Annotated[
        str, typer.Option("--host", help="Address; any but this machine's own demands a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="OCTAVO_TOKEN", help="What requests must bring; else made and shown."
        ),
    ] = None,
    max_rows: Annotated[
        int, typer.Option("--max-rows", min=1, help="Rows of one request.")
    ] = 100_000,
    max_body: Annotated[str, typer.Option("--max-body", help="Size of one request.")] = "32MB",
) -> None:
    """Serve a model over HTTP: rows in, predictions out."""
    from octavo.cli.serving import serve_command

    serve_command(run, host=host, port=port, token=token, max_rows=max_rows, max_body=max_body)


@app.command()
def ask(
    run: Run,
    n: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 1,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", help="JSON file of the space (ConfigSpace's or Octavo's), to begin."
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option("--objective", help="NAME, or NAME:max; to begin (repeatable)."),
    ] = None,
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="A name of `octavo optimizers`; to begin.")
    ] = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="To begin.")] = None,
    json: Json = False,
) -> None:
    """Ask a study what to try next; tell it later, from any process."""
    from octavo.cli.asking import ask_command

    ask_command(
        run,
        n=n,
        space=space,
        objectives=objective,
        optimizer=optimizer,
        seed=seed,
        as_json=json,
    )


@app.command(context_settings={"ignore_unknown_options": True})
def tell(
    run: Run,
    index: Annotated[
        int, typer.Argument(metavar="INDEX", help="Number of the trial.", show_default=False)
    ],
    value: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VALUE", help="The cost, or NAME=VALUE for several.", show_default=False
        ),
    ] = None,
    failed: Annotated[str | None, typer.Option("--failed", help="Why there is no value.")] = None,
    json: Json = False,
) -> None:
    """Tell a study what came of a trial."""
    from octavo.cli.asking import tell_command

    tell_command(run, index, values=value or [], failed=failed, as_json=json)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"octavo {version('octavo')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors become one sentence and an exit code."""
    from octavo.errors import OctavoError, StorageError, StudyError

    try:
        return app(args=arguments)
    except (StudyError, StorageError) as error:
        _fail(error, 1)
    except OctavoError as error:
        _fail(error, 2)
    except KeyboardInterrupt:
        _fail(None, 130)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.stderr.close()
        raise SystemExit(0) from None


def _fail(error: Exception | None, code: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, emoji=False, highlight=False)
    said = Text.assemble(("Interrupted.", "bold red"))
    if error is not None:
        said = Text.assemble(("Error:", "bold red"), f" {error}")
    # People read whole words, programs whole lines.
    console.print(said, soft_wrap=not console.is_terminal)
    raise SystemExit(code)
