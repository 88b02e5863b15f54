"""The model card says the numbers it was given."""

from __future__ import annotations

import numpy as np

from octavo.report import EffectCurve, ReportData, Swarm
from octavo.report.markdown import render_markdown


def card(**fields) -> str:
    return render_markdown(
        ReportData(
            target="price", task="regression", metric="rmse", score=2.5,
            greater_is_better=False, **fields,
        )
    )  # fmt: skip


def test_columns_that_move_predictions_farthest_come_first():
    swarm = Swarm(
        said="price",
        columns=("size", "age|old"),
        values=np.array([[0.1, -3.0], [-0.3, 1.0]]),
        shades=np.zeros((2, 2)),
        words=(("1", "2"), ("3", "4")),
        base=10.0,
        notes=("These are two rows.",),
    )
    lines = card(swarm=swarm).splitlines()
    start = lines.index("## Contributions")
    assert lines[start + 2].endswith("These are two rows.") and "usual 10" in lines[start + 2]
    assert lines[start + 6 : start + 8] == ["| age\\|old | 2 |", "| size | 0.2 |"]


def test_an_effect_is_a_table_of_places_from_the_lowest_to_the_highest():
    grid = np.arange(15.0)
    number = EffectCurve(
        "size", "price", grid, (), 2 * grid, 2 * grid - 1, 2 * grid + 1,
        np.zeros((1, 15)), np.zeros(9),
    )  # fmt: skip
    kind = EffectCurve(
        "kind", "price", np.arange(2.0), ("new", "old"), np.array([5.0, 3.0]),
        np.array([4.0, 2.0]), np.array([6.0, 4.0]), np.zeros((1, 2)), np.zeros(9),
    )  # fmt: skip
    text = card(effects=(number, kind))
    rows = text.split("### Effect of size")[1].split("###")[0].strip().splitlines()
    assert rows[0] == "| size | mean price | low | high |"
    assert rows[2] == "| 0 | 0 | −1 | 1 |" and rows[-1] == "| 14 | 28 | 27 | 29 |"
    assert len(rows) == 2 + 7
    assert "| new | 5 | 4 | 6 |\n| old | 3 | 2 | 4 |" in text
