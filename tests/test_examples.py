"""Each program in examples/ runs as a user would run it, from another folder."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


# demo.py is what `make demo` runs, and fits for longer than a test should.
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "demo.py")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_example_runs(program, tmp_path):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / program)],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


def test_the_table_of_the_demo_has_what_the_demo_shows():
    train = pd.read_csv(EXAMPLES / "data" / "flights_train.csv")
    test = pd.read_csv(EXAMPLES / "data" / "flights_test.csv")
    assert list(train) == list(test)
    assert len(train) >= 1_000
    assert train.isna().any().any()
    assert {train["carrier"].dtype.kind, train["miles"].dtype.kind} == {"O", "i"}
    assert set(train["late"]) == set(test["late"]) == {"yes", "no"}
    seen = set(map(tuple, train.astype(str).to_numpy()))
    assert not any(tuple(row) in seen for row in test.astype(str).to_numpy())
