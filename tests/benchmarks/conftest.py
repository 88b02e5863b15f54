import sys
from pathlib import Path

import pytest

HPO = Path(__file__).parents[2] / "benchmarks" / "hpo"


@pytest.fixture(autouse=True)
def hpo_scripts(monkeypatch):
    """The benchmark's modules can be imported by their bare names, in this test only."""
    monkeypatch.syspath_prepend(str(HPO))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == HPO:
            del sys.modules[name]
