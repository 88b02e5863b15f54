"""The at most 100 configurations that are evaluated on every table, drawn once by a rule.

Of each installed family of models: its own defaults, for classification and for regression, and
random configurations, the same number of each family. They are drawn in the spaces of two made-up
tables that have everything (missing values, categories of many levels, texts, dates, many columns,
an unbalanced or skewed target), so that every hyperparameter there is gets a value; a table that
has no use for some of it drops it (`octavo.transfer.adapting`).

The list is written to `configurations.json` the first time; from then on an identity means what
stands there. Families that came later are appended.
"""

from __future__ import annotations

import json
import zlib
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from octavo.tabular.cash import cash_space, first_configurations, shape_of
from octavo.tabular.models import CATALOG, is_installed
from octavo.tabular.schema import Schema, infer_schema
from octavo.tabular.target import infer_target

MOST = 100
_ROWS = 600  # few enough for every family


def made_up(task: str) -> tuple[Schema, Any]:
    """Schema and shape of a table that has everything."""
    rng = np.random.default_rng(0)
    n = _ROWS
    table = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(70)})
    table.loc[rng.random(n) < 0.1, "x0"] = np.nan
    table["few"] = rng.choice(["a", "b", "c"], n)
    table["many"] = rng.choice([f"level {i}" for i in range(40)], n)
    table["flag"] = rng.random(n) < 0.3
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    words = [f"word{i}" for i in range(300)]
    table["text"] = [" ".join(rng.choice(words, 12)) for _ in range(n)]
    if task == "regression":
        y = pd.Series(rng.lognormal(0, 1.5, n))
    else:
        y = pd.Series(rng.choice(["no", "yes"], n, p=[0.8, 0.2]))
    target, schema = infer_target(y, task), infer_schema(table, y)
    encoded = target.encode(y)
    return schema, shape_of(schema, schema.apply(table), encoded, target.kind)


def defaults(family: str, tables: list[tuple[Schema, Any]]) -> list[dict[str, Any]]:
    """A family's own defaults on each of the made-up tables, without those that are equal."""
    found: list[dict[str, Any]] = []
    lists = [first_configurations(schema, shape, include=[family]) for schema, shape in tables]
    for configs in zip_longest(*lists):
        found += [config for config in configs if config is not None and config not in found]
    return found


def random_ones(family: str, n: int, tables: list[tuple[Schema, Any]]) -> list[dict[str, Any]]:
    """Uniform draws with the hyperparameters of all made-up tables."""
    drawn: list[dict[str, Any]] = [{} for _ in range(n)]
    for schema, shape in tables:
        space = cash_space(schema, shape, include=[family])
        # By the name, so that a family's draws do not depend on which others there are.
        rng = np.random.default_rng(zlib.crc32(family.encode()))
        for config, more in zip(drawn, space.decode(space.sample(n, rng)), strict=True):
            config.update(more)
    return drawn


def draw(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The list, beginning with what is known; rows are {"id", "family", "origin", "config"}."""
    tables = [made_up("regression"), made_up("classification")]
    installed = [name for name, family in CATALOG.items() if is_installed(family)]
    for name in sorted(set(CATALOG) - set(installed)):
        print(f"{name} is left out: it is not installed")
    there = {row["family"] for row in known}
    missing = [name for name in installed if name not in there]
    first = {name: defaults(name, tables) for name in missing}
    n_defaults = sum(map(len, first.values()))
    n_random = max(0, (MOST - len(known) - n_defaults) // max(1, len(missing)))
    drawn = {name: random_ones(name, n_random, tables) for name in missing}
    rows = list(known)
    for origin, lists in (("default", first), ("random", drawn)):
        # In turn, so that whoever stops early has some of each family.
        for turn in zip_longest(*lists.values()):
            for name, config in zip(lists, turn, strict=True):
                if config is not None:
                    rows.append(
                        {"id": len(rows), "family": name, "origin": origin, "config": config}
                    )
    return rows


def load(path: Path) -> list[dict[str, Any]]:
    """The list in a file, which is made or extended if need be."""
    known = json.loads(path.read_text()) if path.exists() else []
    rows = draw(known)
    if len(rows) > len(known):
        lines = ",\n".join(json.dumps(row) for row in rows)
        path.write_text(f"[\n{lines}\n]\n")
    return rows
