"""The benchmark that learns the portfolio: which tables are related, and what a matrix gives."""

import csv
import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from octavo.transfer import load_portfolio

HERE = Path(__file__).parents[2] / "benchmarks" / "portfolio"


@pytest.fixture
def scripts(monkeypatch):
    """Its modules can be imported by their bare names, in this test only."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == HERE:
            del sys.modules[name]


def write_tables(folder):
    """Two that are the same data, two of one stem, one that leaks, one too large, one alone."""
    rng = np.random.default_rng(0)
    sizes = {"prices": 300, "houses": 300, "sonar": 200, "sonar_two": 210, "told": 220,
             "huge": 20_000, "alone": 230, "alone_fair": 240, "noted": 250}  # fmt: skip
    y = rng.lognormal(size=300)
    rows = []
    for name, n in sizes.items():
        table = pd.DataFrame(rng.normal(size=(n, 3 + len(name))))
        table.columns = table.columns.astype(str)
        is_regression = name in ("prices", "houses")
        # Cents instead of dollars are the same target.
        target = y * (100 if name == "houses" else 1) if is_regression else rng.integers(0, 2, n)
        table.assign(target=target).to_parquet(folder / f"{name}.parquet")
        note = {"told": "a column leaks the outcome", "noted": "same data as alone"}.get(name, "")
        task = "regression" if is_regression else "binary"
        rows.append([name, task, n, table.shape[1], 0, 0, note])
    names = ["name", "task", "n_rows", "n_features", "n_categorical", "n_missing", "note"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "manifest.csv", index=False)


def test_related_tables_share_a_group_and_the_judging_ones_stay_out(scripts, tmp_path):
    write_tables(tmp_path)
    tables = scripts("tables")
    judged = {table.name for table in tables.judging_tables().select(tmp_path)}
    chosen = {table.name: table.group for table in tables.select(tmp_path)}
    assert judged
    assert not judged & set(chosen)
    assert "told" not in chosen
    assert "huge" not in chosen
    prints = [tables.print_of(tmp_path, row) for _, row in
              pd.read_csv(tmp_path / "manifest.csv").iterrows()]  # fmt: skip
    group = tables.groups(prints)
    assert group["prices"] == group["houses"]
    assert group["sonar"] == group["sonar_two"]
    assert group["alone"] == group["alone_fair"] == group["noted"]
    assert len(set(group.values())) == 5
    assert not {group[name] for name in judged} & {group[name] for name in chosen}


def write_matrix(folder, *, n_tables=8, n_configs=12):
    """On all tables the later configurations are better; the last one is best, and slow."""
    rng = np.random.default_rng(0)
    configs = [{"id": i, "config": {"model": "linear", "x": i}} for i in range(n_configs)]
    (folder / "configurations.json").write_text(json.dumps(configs))
    with (folder / "tables.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "task", "group", "n_rows", "metric", "baseline", "opening",
                         "features"])  # fmt: skip
        for i in range(n_tables):
            features = json.dumps({"log_rows": i / 2, "log_classes": None})
            writer.writerow(
                [f"t{i}", "binary", f"t{i}", 99, "roc_auc", 0.5, "[0, 1, 2, 3]", features]
            )
    with (folder / "matrix.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "config", "status", "score", "seconds", "same_as"])
        for i in range(n_tables):
            for k in range(n_configs - 3):
                score = 0.5 + 0.04 * k + rng.normal(0, 0.003)
                writer.writerow([f"t{i}", k, "success", score, 500.0 if k == 8 else 2.0, ""])
            writer.writerow([f"t{i}", n_configs - 3, "timeout", "", 60.0, ""])
            writer.writerow([f"t{i}", n_configs - 2, "left out", "", "", ""])
            writer.writerow([f"t{i}", n_configs - 1, "same", "", "", 7])


def test_a_matrix_becomes_a_portfolio_and_a_report(scripts, tmp_path, monkeypatch, capsys):
    write_matrix(tmp_path)
    build = scripts("build")
    evaluations, orders = build.read(tmp_path)
    assert evaluations.costs.shape == (8, 12)
    assert (evaluations.costs[:, :9] < 0).all()  # the area under the curve is maximized
    assert np.isinf(evaluations.costs[:, 9]).all()
    assert np.isnan(evaluations.costs[:, 10]).all()
    assert (evaluations.costs[:, 11] == evaluations.costs[:, 7]).all()
    assert (evaluations.seconds[:, 10] == 0).all()
    assert orders["t3"] == [0, 1, 2, 3]
    out = tmp_path / "portfolio.json"
    monkeypatch.setattr(sys, "argv", ["build.py", "--matrix", str(tmp_path), "--out", str(out)])
    build.main()
    members = load_portfolio(out).members
    assert members[0]["x"] == 7  # as good as any that is quick
    assert 9 not in [member["x"] for member in members]
    lines = (tmp_path / "report.md").read_text().splitlines()
    areas = {
        cells[1].strip(): float(cells[-3])
        for line in lines
        if line.startswith("| ") and (cells := line.split("|"))[-3].strip()[:1].isdigit()
    }
    assert areas["portfolio, by time"] < areas["random order"] < areas["the present opening"]
    assert len(areas) == 8
