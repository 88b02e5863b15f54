"""What is stored or exported comes back exactly as it was, whatever it is."""

import dataclasses
import math
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from octavo.history import History
from octavo.storage import create_store, export_history, import_history, open_store
from octavo.trial import Checkpoint, Origin, Proposal, Report, Resources, Status, Trial

numbers = st.floats(allow_nan=False)
maybe = st.none() | st.floats(0, 1e12)
texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
free = st.dictionaries(texts, values, max_size=3)
reports = st.builds(
    Report,
    step=numbers,
    values=st.dictionaries(texts, st.floats(), max_size=2),
    at_s=st.floats(0, 1e6),
)


@st.composite
def proposals(draw: st.DrawFn, index: int) -> Proposal:
    config = {
        "rate": draw(st.floats(1e-5, 1.0)),
        "layers": draw(st.integers(1, 8)),
        "kind": draw(st.sampled_from(["adam", "sgd", True, 1.5, "1"])),
    }
    if config["kind"] == "sgd":
        config["momentum"] = draw(st.floats(0.0, 1.0))
    return Proposal(
        index,
        config,
        seed=draw(st.integers(0, 2**31 - 1)),
        fidelity=draw(st.none() | st.floats(1, 81)),
        instance=draw(st.none() | st.text(min_size=1, max_size=20)),
        origin=Origin(
            by=draw(texts),
            intent=draw(texts),
            parents=tuple(draw(st.lists(st.integers(0, 10**9), max_size=3))),
            data=draw(free),
        ),
        resume_from=draw(st.none() | st.integers(0, index - 1)) if index else None,
        cutoff_s=draw(st.none() | st.floats(1e-3, 1e9)),
    )


@st.composite
def trials(draw: st.DrawFn, index: int) -> Trial:
    status = draw(st.sampled_from(Status))
    cost = st.floats(allow_nan=False, allow_infinity=False)
    failed = status is not Status.SUCCESS
    return Trial(
        draw(proposals(index)),
        status,
        tuple(draw(st.just(math.nan) if failed else cost) for _ in range(2)),
        draw(st.just(()) | st.tuples(st.floats())),
        cause=draw(texts),
        resources=Resources(
            draw(maybe),
            draw(maybe),
            draw(maybe),
            draw(maybe),
            draw(st.dictionaries(texts, texts, max_size=2)),
        ),
        reports=tuple(draw(st.lists(reports, max_size=3))),
        checkpoint=draw(
            st.none()
            | st.builds(Checkpoint, st.text(min_size=1, max_size=20), st.integers(0, 2**62))
        ),
        output=draw(st.none() | st.text(min_size=1, max_size=20)),
        worker=draw(texts),
        started=draw(maybe),
        ended=draw(maybe),
        extra=draw(free),
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Trial]:
    """Trials of different proposals, in an order of completion unlike that of asking."""
    n = draw(st.integers(0, 5))
    order = draw(st.permutations(range(n)))
    return [draw(trials(index)) for index in order]


def shape(value: object) -> object:
    """Something that is equal only for what is the same: NaN equals NaN, 1 is not True."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value).__name__, [(name, shape(getattr(value, name))) for name in names]
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [shape(item) for item in value]
    if isinstance(value, float):
        value += 0.0  # SQLite stores -0.0 as 0.0
    return type(value).__name__, repr(value)


def shapes(history) -> list[object]:
    return [shape(trial) for trial in history]


@given(run=runs())
def test_the_store_in_memory_is_exact(problem, run):
    store = create_store(None)
    store.add_problem(problem, since=0)
    store.add_proposals(sorted((t.proposal for t in run), key=lambda p: p.index), revision=0)
    assert [shape(p) for p in store.pending()] == [
        shape(t.proposal) for t in sorted(run, key=lambda t: t.index)
    ]
    store.add_trials(run)
    assert shapes(store.history()) == shapes(run)
    columns, expected = store.history(), History(problem, run)
    for name in ("index", "costs", "constraints", "fidelity", "started", "ended", "succeeded"):
        assert repr(getattr(columns, name)) == repr(getattr(expected, name))


@given(run=runs())
def test_the_store_on_disk_is_exact(problem, run):
    with tempfile.TemporaryDirectory() as folder:
        with create_store(folder) as store:
            store.add_problem(problem, since=0)
            store.add_proposals([trial.proposal for trial in run], revision=0)
            store.add_trials(run)
        with open_store(folder, write=False) as store:
            assert store.problems() == [(0, 0, problem)]
            assert shapes(store.history()) == shapes(run)


@pytest.mark.parametrize("name", ["run.parquet", "run.jsonl", "run.jsonl.gz"])
@given(run=runs())
def test_parquet_and_json_lines_are_exact(problem, name, run):
    with tempfile.TemporaryDirectory() as folder:
        path = export_history(History(problem, run), Path(folder) / name)
        again = import_history(path)
        assert [file.name for file in Path(folder).iterdir()] == [name]
    assert again.problem == problem
    assert shapes(again) == shapes(run)


@pytest.mark.parametrize("name", ["run.csv", "run.csv.gz"])
@given(run=runs())
def test_csv_is_exact_when_the_problem_is_known(problem, name, run):
    with tempfile.TemporaryDirectory() as folder:
        path = export_history(History(problem, run), Path(folder) / name)
        assert shapes(import_history(path, problem)) == shapes(run)


@pytest.mark.parametrize("name", ["run.parquet", "run.jsonl"])
def test_an_exported_stored_history_is_the_same(problem, proposal, trial, tmp_path, name):
    with create_store(tmp_path / "study") as store:
        store.add_problem(problem, since=0)
        store.add_proposals([proposal(i) for i in range(20)], revision=0)
        store.add_trials([trial(i) for i in reversed(range(20))])
        path = export_history(store.history(), tmp_path / name)
    assert list(import_history(path)) == [trial(i) for i in reversed(range(20))]
