"""`octavo optimizers`: the names that a scenario, `ask` and `minimize` take."""

from __future__ import annotations

import inspect

from octavo.cli.console import print_json, stdout, table_of

__all__ = ["optimizers_command"]


def optimizers_command(*, as_json: bool) -> None:
    """Every name of the catalog, how mature it is, and its idea."""
    import pandas as pd

    from octavo.maturity import MEANING
    from octavo.optimizers import CATALOG, MATURITY

    rows = [
        {"name": name, "maturity": MATURITY[name], "idea": _first_sentence(kind)}
        for name, kind in CATALOG.items()
    ]
    if as_json:
        print_json(rows)
        return
    console = stdout()
    console.print(table_of(pd.DataFrame(rows), console.width, wide=("idea",)))
    for word, meaning in MEANING.items():
        console.print(f"{word}: {meaning}", markup=False)


def _first_sentence(kind: type) -> str:
    paragraph = (inspect.getdoc(kind) or "").split("\n\n")[0]
    return " ".join(paragraph.split()).replace("`", "")
