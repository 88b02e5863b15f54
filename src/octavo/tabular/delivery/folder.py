"""`export`: a folder that predicts where Octavo is not installed.

It holds the saved model, of Octavo's own source what predictions need (see `shaking`), the
script `predict.py`, a `requirements.txt` with the few libraries that this model's members
import, pinned to the versions here, and a README that says how to use them.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import inspect
import json
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.errors import SettingError
from octavo.tabular.delivery import predict
from octavo.tabular.delivery.shaking import Shaken, shake
from octavo.tabular.folders import write_folder
from octavo.tabular.model import Reader

if TYPE_CHECKING:
    from octavo.tabular.model import TabularModel

__all__ = ["export_folder"]

OPTIONAL = {"pyarrow": "Parquet, Feather and Arrow tables"}
"""What only some tables need, by import name."""
ROOTS = (
    ("octavo.tabular.model", "load_model"),
    ("octavo.tabular.reading", "read_table"),
    ("octavo.errors", "OctavoError"),
)
METHODS = ("predict", "predict_proba", "scores", "decide", "labels")
"""What is called from outside."""
HEADER = """\
# Part of Octavo {version}: what the model beside it needs to predict, and nothing else.
# Copyright the authors of Octavo. SPDX-License-Identifier: Apache-2.0
# https://www.apache.org/licenses/LICENSE-2.0

"""


def export_folder(model: TabularModel, folder: Path) -> Path:
    """Write a folder that needs no Octavo; an export that is there already is replaced.

    Parameters
    ----------
    model
        Whose members are all of families that a package brings, or were defined in a notebook
        or script.
    folder
        Where to.

    Raises
    ------
    SettingError
        If a member's class lies in a module that no installed package brings.
    StorageError
        If something else is in the folder, or it cannot be written.
    """
    return write_folder(
        folder,
        lambda fresh: _fill(model, fresh),
        mark="predict.py",
        what="model that was exported",
        content="model",
    )


def _fill(model: TabularModel, folder: Path) -> None:
    place = folder / "model"
    place.mkdir()
    model.write_into(place, libraries=())
    used = _classes_of(sorted((place / "members").glob("*.pkl.gz")))
    code = shake([*ROOTS, *used.ours], methods=METHODS)
    pins = _pins({*code.imports, *used.packages} - set(OPTIONAL))
    described = json.loads((place / "model.json").read_text())
    (place / "model.json").write_text(json.dumps(described | {"versions": pins}, indent=2))
    _write_code(code, folder / "runtime")
    # Without the builder's own mark, such as "+cpu": no index has a name for it.
    lines = [f"{name}=={version.partition('+')[0]}" for name, version in pins.items()]
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n")
    (folder / "predict.py").write_text(inspect.getsource(predict))
    (folder / "README.md").write_text(_readme(model, pins))


# What the pickles hold ---------------------------------------------------------------------


@dataclass
class _Used:
    """Classes and functions of the pickles: ours as (module, name), others' packages."""

    ours: set[tuple[str, str]] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)


def _classes_of(pickles: Iterable[Path]) -> _Used:
    found = _Used()

    class Watcher(Reader):
        def find_class(self, module: str, name: str) -> Any:
            top = module.partition(".")[0]
            if top == "octavo":
                found.ours.add((module, name.partition(".")[0]))
            elif top not in sys.stdlib_module_names:
                found.packages.add(top)
            return super().find_class(module, name)

    for path in pickles:
        with gzip.open(path) as file:
            Watcher(file).load()
    found.ours = {(module, name) for module, name in found.ours if "." in module}
    return found


def _pins(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each distribution that brings one of these packages."""
    brought_by: Mapping[str, list[str]] = importlib.metadata.packages_distributions()
    pins = {}
    for package in packages:
        if package not in brought_by:
            raise SettingError(
                f"the model has a member whose class lies in the module {package!r}, which no "
                "installed package brings, so that requirements.txt could not name it. Define "
                "the class in the script or notebook that trains, or put it into a package."
            )
        # Several may bring one, such as the parts of a namespace: the first is the plain one.
        name = min(brought_by[package], key=len)
        pins[name] = importlib.metadata.version(name)
    return dict(sorted(pins.items()))


# Files -------------------------------------------------------------------------------------


def _write_code(code: Shaken, folder: Path) -> None:
    header = HEADER.format(version=importlib.metadata.version("octavo"))
    for name, text in code.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + text if text else "", encoding="utf-8")
    terms = importlib.metadata.distribution("octavo").read_text("licenses/LICENSE")
    if terms is not None:
        (folder / "LICENSE").write_text(terms, encoding="utf-8")


def _readme(model: TabularModel, pins: Mapping[str, str]) -> str:
    target = model.target
    rows = [
        f"| {_cell(feature.name)} | {feature.kind} | {_values(feature.categories)} |"
        for feature in model.schema.features
    ]
    classes = "" if target.classes is None else f", one of {_values(map(str, target.classes))}"
    members = "; ".join(member.name for member in model.members)
    proba = " --proba" if model.is_classifier else ""
    lines = [
        f"# A model for {target.name}",
        "",
        f"It predicts `{target.name}` ({target.kind}{classes}) of each row of a table, selected",
        f"by {model.metric}. Its members: {members}.",
        "",
        "```",
        f"pip install -r requirements.txt        # Python {_python()}",
        f"python predict.py new.csv{proba} > predictions.csv",
        "```",
        "",
        "```",
        "from predict import load, predict" + (", predict_proba" if proba else ""),
        "predict(table)                         # a pandas DataFrame",
        "```",
        "",
        f"Of libraries it needs {', '.join(pins)}, in the versions of `requirements.txt`.",
        f"With pyarrow it also reads {OPTIONAL['pyarrow']}.",
        "",
        "`model/members/*.pkl.gz` are Python pickles, which can run code: use this folder only if",
        "you trust its source.",
        "",
        "## Columns",
        "",
        "They are found by name, in any order. One that is absent counts as missing, with a",
        "warning; others are ignored; a category or word that training did not have is missing.",
        "",
        "| column | kind | values |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _values(values: Iterable[str] | None, most: int = 12) -> str:
    listed = [] if values is None else [_cell(value) for value in values]
    shown = ", ".join(listed[:most])
    return f"{shown} and {len(listed) - most} more" if len(listed) > most else shown


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])
