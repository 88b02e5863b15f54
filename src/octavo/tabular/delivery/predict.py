"""Predict with the model that lies beside this file. Octavo need not be installed.

    python predict.py new.csv > predictions.csv
    python predict.py new.csv --proba --out predictions.csv

In Python, where this folder is on the path or is the working directory:

    from predict import load, predict, predict_proba

`load()` gives the model, with `predict`, `predict_proba`, `schema` and `target`. The two
functions take a table (a pandas DataFrame, or whatever else becomes one) and load it once.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


@functools.cache
def load() -> Any:
    """The model."""
    return _part("tabular.model").load_model(FOLDER)


def predict(table: Any) -> Any:
    """Labels or numbers, one for each row of a table."""
    return load().predict(table)


def predict_proba(table: Any) -> Any:
    """Probabilities, shape (rows, classes), in the order of `load().target.classes`."""
    return load().predict_proba(table)


def main(arguments: list[str] | None = None) -> int:
    """Predict the rows of a file; the exit code is 0, or 2 if that cannot be done."""
    import pandas as pd

    parser = argparse.ArgumentParser(description="Predict the rows of a table.")
    parser.add_argument("table", help="CSV, TSV, JSON lines; Parquet and Feather with pyarrow")
    parser.add_argument("--proba", action="store_true", help="add the probability of each class")
    parser.add_argument("--out", help="CSV file to write to, instead of the terminal")
    asked = parser.parse_args(arguments)
    warnings.showwarning = lambda message, *_, **__: print(f"Warning: {message}", file=sys.stderr)  # noqa: T201
    refusals = (_part("errors").OctavoError, OSError, ImportError)
    try:
        model = load()
        table = _part("tabular.reading").read_table(asked.table)
        scores = model.predict_proba(table) if asked.proba else model.scores(table)
        found = pd.DataFrame({model.target.name: model.decide(scores, table)})
        if asked.proba:
            for place, label in enumerate(model.target.classes):
                found[f"probability_{label}"] = scores[:, place]
        found.to_csv(sys.stdout if asked.out is None else asked.out, index=False)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.stderr.close()
    except refusals as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _part(name: str) -> Any:
    """A module of the code that lies in `runtime`, as a package of its own name.

    The name depends on where the folder lies, so that one process can load several models.
    """
    package = f"octavo_model_{zlib.crc32(str(FOLDER).encode()):08x}"
    if package not in sys.modules:
        place = FOLDER / "runtime"
        spec = importlib.util.spec_from_file_location(
            package, place / "__init__.py", submodule_search_locations=[str(place)]
        )
        if spec is None or spec.loader is None or not place.is_dir():
            raise ImportError(f"There is no folder {str(place)!r}. Copy the model's whole folder.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)
    return importlib.import_module(f"{package}.{name}")


if __name__ == "__main__":
    sys.exit(main())
