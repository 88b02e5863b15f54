"""`octavo explain`: which columns a table's model relies on, and how."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.cli.console import number, print_json, show_warnings, stdout, table_of
from octavo.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from octavo.tabular.effects import Effect
    from octavo.tabular.explaining import Explanation
    from octavo.tabular.model import TabularModel

__all__ = ["explain_command"]

MOST_EFFECTS = 6
MOST_SINGLE = 12


def explain_command(
    run: str,
    table_path: str | None,
    *,
    columns: Sequence[str],
    rows: Sequence[int],
    label: str | None,
    max_rows: int,
    time_limit: str | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Contributions of the columns to predictions, effects of the largest; a page with pictures."""
    from octavo.amounts import seconds
    from octavo.tabular.effects import effect
    from octavo.tabular.explaining import explain

    show_warnings(silent=as_json)
    limit_s = seconds(time_limit, "--time")
    model, sample = _opened(run)
    given = _given(run, model, table_path, sample)
    usual = given if sample is None else sample
    found = explain(
        model,
        _chosen(given, rows) if rows else given,
        usual,
        max_rows=None if rows else max_rows,
        time_limit_s=None if rows else limit_s,
    )
    ranked = list(columns) or _with_effects(model, found, usual)[:MOST_EFFECTS]
    effects = [effect(model, usual, name) for name in ranked]
    for one in effects:
        one.place(label)  # a class that is none is refused before anything is written
    path = None if out is None else _write(model, found, effects, rows, label, Path(out))
    if as_json:
        print_json(_plain(found, effects, rows, path))
        return
    _print(found, rows, label, path)


def _opened(run: str) -> tuple[TabularModel, pd.DataFrame | None]:
    """The model, and validated rows that its run kept; None of a model by itself."""
    from octavo.tabular.model import load_model
    from octavo.tabular.runs import is_run, load_result

    if not is_run(Path(run)):
        return load_model(run), None
    result = load_result(Path(run))
    return result.model, result.evidence.sample


def _given(
    run: str, model: TabularModel, table_path: str | None, sample: pd.DataFrame | None
) -> pd.DataFrame:
    from octavo.tabular.reading import read_table

    if table_path is not None:
        return model.schema.apply(read_table(table_path), who=model.who)
    if sample is None:
        raise SettingError(
            f"{run} holds a model, but not the run that made it, so that there are no rows to "
            f"explain. Give a table: octavo explain {run} TABLE."
        )
    return sample


def _chosen(given: pd.DataFrame, rows: Sequence[int]) -> pd.DataFrame:
    wrong = [row for row in rows if not 0 <= row < len(given)]
    if wrong:
        raise SettingError(
            f"--row {wrong[0]} is not among the {len(given)} rows. Count from 0, as in "
            f"--row {len(given) - 1} for the last one."
        )
    return given.iloc[list(rows)]


def _with_effects(model: TabularModel, found: Explanation, usual: pd.DataFrame) -> list[str]:
    """Columns by the size of their contributions, without those that no grid can be made of."""
    text = {feature.name for feature in model.schema.of_kind("text")}
    return [
        name for name in found.importance().index if name not in text and usual[name].nunique() > 1
    ]


def _write(
    model: TabularModel,
    found: Explanation,
    effects: Sequence[Effect],
    rows: Sequence[int],
    label: str | None,
    path: Path,
) -> str:
    from octavo.report import Explained, render_explanation, write_page
    from octavo.tabular.showing import curve_of, swarm_of

    single = [effect for effect in effects if len(effect.columns) == 1]
    shown = tuple((at, str(row)) for at, row in enumerate(rows[:MOST_SINGLE]))
    page = render_explanation(
        Explained(
            title=f"What predicts {model.target.name}",
            lead=f"A model of {len(model.members)} members, explained on {len(found.values):,} "
            f"rows: {model.describe()}.",
            effects=tuple(curve_of(effect, label) for effect in single),
            swarm=swarm_of(found, label),
            rows=shown,
        )
    )
    return str(write_page(page, path))


def _plain(
    found: Explanation, effects: Sequence[Effect], rows: Sequence[int], path: str | None
) -> dict[str, Any]:
    """All numbers, for machines."""
    plain: dict[str, Any] = {
        "rows": len(found.values),
        "exact": found.exact,
        "notes": list(found.notes),
        "importance": found.importance().to_dict(),
        "base": found.base.tolist(),
        "classes": [str(one) for one in found.classes],
        "effects": {
            effect.columns[0]: effect.frame().astype({effect.columns[0]: str}).to_dict("records")
            for effect in effects
        },
    }
    if rows:
        plain["contributions"] = [
            {"row": row, **dict(zip(found.columns, values.tolist(), strict=True))}
            for row, values in zip(rows, found.values, strict=True)
        ]
    if path is not None:
        plain["page"] = path
    return plain


def _print(found: Explanation, rows: Sequence[int], label: str | None, path: str | None) -> None:
    import pandas as pd

    from octavo.report.effect_figures import value_words

    console = stdout()
    one = found.of_class(label)
    said = f"the probability of {one.classes[0]}" if one.classes else one.target
    if not rows:
        ranked = one.importance().head(20)
        board = pd.DataFrame({"column": ranked.index, "mean contribution": ranked.to_numpy()})
        console.print(
            f"how far columns move {said}, on average over {len(one.values)} rows", markup=False
        )
        console.print(table_of(board, console.width))
    for at, row in enumerate(rows):
        table = found.of_row(at, label).head(12)
        board = pd.DataFrame(
            {
                "column": table.index,
                "value": value_words(table["value"]),
                "contribution": table["contribution"].to_numpy(),
            }
        )
        console.print(
            f"row {row}: {said} {number(float(one.predictions[at]))}, the usual is "
            f"{number(float(one.base))}",
            markup=False,
        )
        console.print(table_of(board, console.width))
    for note in found.notes:
        console.print(note, markup=False)
    if path is not None:
        console.print(path, markup=False)
