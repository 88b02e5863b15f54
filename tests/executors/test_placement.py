"""Data placed in files come back equal, mapped, and are written once."""

import json
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from octavo.errors import SettingError
from octavo.executors import fingerprint
from octavo.executors.placement import load, place


def round_trip(value: Any, folder: Path) -> tuple[Any, str]:
    (placed,) = place({"value": value}, folder)
    return load(placed), placed.kind


@given(
    hnp.arrays(
        dtype=st.one_of(
            hnp.integer_dtypes(),
            hnp.floating_dtypes(),
            hnp.boolean_dtypes(),
            hnp.unicode_string_dtypes(),
        ),
        shape=hnp.array_shapes(min_dims=0, min_side=0, max_side=5),
    )
)
def test_arrays_come_back(tmp_path_factory: Any, array: Any) -> None:
    back, kind = round_trip(array, tmp_path_factory.getbasetemp() / "data")
    assert kind == "npy"
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert not back.flags.writeable


def test_the_layout_of_an_array_does_not_matter_to_its_fingerprint() -> None:
    array = np.arange(12.0).reshape(3, 4)
    same = [array, np.asfortranarray(array), np.arange(24.0).reshape(3, 8)[:, ::2] / 2 * 1]
    prints = {fingerprint({"X": a})["X"] for a in same[:2]}
    assert len(prints) == 1
    others = [array.T, array.astype("f4"), array.reshape(4, 3), array + 1e-12]
    assert prints.isdisjoint(fingerprint({"X": a})["X"] for a in others)


DATES = pd.date_range("2020-01-01", periods=4, freq="D")
FRAMES = {
    "numbers": pd.DataFrame({"a": [1.5, np.nan, -0.0, np.inf], "b": [1, 2, 3, 4]}),
    "small numbers": pd.DataFrame({"a": np.array([1, 2], "i1"), "b": np.array([1, 2], "f4")}),
    "text": pd.DataFrame(
        {"t": ["a", None, "", "é"], "u": pd.array(["x", pd.NA, "y", "z"], "string")}
    ),
    "objects": pd.DataFrame({"o": [1, "a", None, np.nan]}, dtype=object),
    "categories": pd.DataFrame(
        {"c": pd.Categorical(["b", "a", None, "b"], ["b", "a"], ordered=True)}
    ),
    "times": pd.DataFrame(
        {"d": DATES, "z": DATES.tz_localize("Europe/Paris"), "p": DATES - DATES[0]}
    ),
    "nullable": pd.DataFrame(
        {"i": pd.array([1, None, 3, 4], "Int64"), "b": [True, False, True, True]}
    ),
    "index": pd.DataFrame({"a": range(4)}, index=pd.Index([4, 3, 2, 9], name="id")),
    "dates as index": pd.DataFrame({"a": range(4)}, index=DATES),
    "multi-index": pd.DataFrame(
        {"a": range(4)}, index=pd.MultiIndex.from_product([[1, 2], ["a", "b"]])
    ),
    "numbered columns": pd.DataFrame(np.eye(3)),
    "double columns": pd.DataFrame(np.eye(2), columns=["a", "a"]),
    "periods": pd.DataFrame({"p": pd.period_range("2020", periods=3, freq="Y")}),
    "no columns": pd.DataFrame(index=range(3)),
    "no rows": pd.DataFrame({"a": np.array([], float), "t": pd.array([], "str")}),
    "attributes": pd.DataFrame({"a": [1]}),
}
FRAMES["attributes"].attrs["source"] = "a survey"


@pytest.mark.parametrize("name", FRAMES)
def test_tables_come_back_exactly(name: str, tmp_path: Path) -> None:
    frame = FRAMES[name]
    back, _ = round_trip(frame, tmp_path)
    pd.testing.assert_frame_equal(back, frame, check_freq=name != "dates as index")
    assert back.attrs == frame.attrs


def test_mapped_tables_have_the_fingerprint_of_those_that_were_written(tmp_path: Path) -> None:
    # Labels that are Python objects go the way of the pickle; what is loaded is read-only.
    kinds = pd.Categorical.from_codes([0, 1, 0], pd.Index(["p", "q"], dtype=object))
    frame = pd.DataFrame({"a": np.arange(3.0), "kind": kinds})
    back, _ = round_trip(frame, tmp_path)
    assert not back["a"].to_numpy().flags.writeable
    assert fingerprint({"table": back}) == fingerprint({"table": frame})
    assert fingerprint({"table": back.assign(a=2.0)}) != fingerprint({"table": frame})


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1.0, np.nan]),
        pd.Series([1, 2], name="target"),
        pd.Series(["a", None], name=7),
        pd.Series(["a", "b"], dtype="category", index=["x", "y"]),
    ],
    ids=["nameless", "named", "numbered", "category"],
)
def test_series_come_back_exactly(series: Any, tmp_path: Path) -> None:
    back, _ = round_trip(series, tmp_path)
    pd.testing.assert_series_equal(back, series)


def test_plain_tables_are_mapped_without_a_copy(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [1, 2, 3]})
    back, kind = round_trip(frame, tmp_path)
    assert kind == "arrow"
    for column in back:
        assert not back[column].to_numpy().flags.owndata
        assert not back[column].to_numpy().flags.writeable


@pytest.mark.parametrize(
    "matrix", [sparse.random(20, 10, 0.2, format=f, random_state=0) for f in ("csr", "csc", "coo")]
)
def test_sparse_matrices_come_back_mapped(matrix: Any, tmp_path: Path) -> None:
    back, kind = round_trip(matrix, tmp_path)
    assert kind == "pickle"
    assert back.format == matrix.format
    assert (back != matrix).nnz == 0
    assert not back.data.flags.writeable


@pytest.mark.parametrize(
    "value",
    [None, {"a": [1, (2,)]}, "text", np.array([1, "a", None], dtype=object), [np.arange(3)] * 2],
    ids=str,
)
def test_anything_else_comes_back(value: Any, tmp_path: Path) -> None:
    back, kind = round_trip(value, tmp_path)
    assert kind == "pickle"
    assert str(back) == str(value)


def test_a_lambda_in_the_data_comes_back(tmp_path: Path) -> None:
    back, _ = round_trip({"f": lambda x: x + 1}, tmp_path)
    assert back["f"](1) == 2


def test_the_same_data_are_written_once(tmp_path: Path) -> None:
    (first,) = place({"X": np.arange(5)}, tmp_path)
    before = Path(first.path).stat()
    (second,) = place({"X": np.arange(5)}, tmp_path)
    assert first == second
    assert Path(second.path).stat().st_ino == before.st_ino
    (third,) = place({"X": np.arange(6)}, tmp_path)
    assert third.path != first.path
    assert len(list(tmp_path.iterdir())) == 2


def every_fingerprint() -> dict[str, str]:
    data: dict[str, Any] = {**FRAMES, "array": np.arange(9), "matrix": sparse.eye_array(3)}
    data |= {"dict": {"b": 1, "a": [1.5, None]}, "series": FRAMES["text"]["t"]}
    return fingerprint(data)


def test_fingerprints_are_the_same_in_another_process() -> None:
    program = (
        "import importlib.util as u, json\n"
        f"spec = u.spec_from_file_location('here', {__file__!r})\n"
        "here = u.module_from_spec(spec); spec.loader.exec_module(here)\n"
        "print(json.dumps(here.every_fingerprint()))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(output.splitlines()[-1]) == every_fingerprint()


def test_what_was_loaded_again_has_the_same_fingerprint() -> None:
    text = "".join(["mul", "ticlass"])
    value = {"one": [text, text], "two": [text, "".join(["multi", "class"])]}
    again = pickle.loads(pickle.dumps(value))
    apart = {"one": [text, "".join(["multi", "class"])], "two": [text, text]}
    assert fingerprint({"v": value}) == fingerprint({"v": again}) == fingerprint({"v": apart})
    cycle: list[Any] = [1]
    cycle.append(cycle)
    other: list[Any] = [2]
    other.append(other)
    assert fingerprint({"v": cycle}) == fingerprint({"v": pickle.loads(pickle.dumps(cycle))})
    assert fingerprint({"v": cycle}) != fingerprint({"v": other})


def test_fingerprints_see_every_change() -> None:
    frame = FRAMES["numbers"]
    changed = {
        "value": frame.replace(1.5, 1.25),
        "nan": frame.fillna(0.0),
        "order": frame.iloc[::-1],
        "names": frame.rename(columns={"a": "A"}),
        "type": frame.astype({"b": "i4"}),
        "index": frame.set_index(pd.Index([5, 6, 7, 8])),
        "rows": frame.iloc[:3],
    }
    prints = [fingerprint({"x": value})["x"] for value in (frame, *changed.values())]
    assert len(set(prints)) == len(prints)
    assert fingerprint({"x": frame.copy()})["x"] == prints[0]
    part = pd.concat([frame, frame]).iloc[4:].reset_index(drop=True)
    assert fingerprint({"x": part})["x"] == prints[0]


def test_what_cannot_be_pickled_is_refused(tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w") as file,
        pytest.raises(SettingError, match="data 'log', a TextIOWrapper, cannot be pickled"),
    ):
        place({"log": file}, tmp_path)


def test_a_full_disk_is_a_storage_error_and_leaves_no_half_file() -> None:
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    inside = (
        f"import sys; sys.path[:] = {sys.path!r}; folder = {str(folder)!r}\n"
        "import numpy as np; from pathlib import Path\n"
        "from octavo.errors import StorageError; from octavo.executors.placement import place\n"
        "try: place({'X': np.zeros(10**6)}, Path(folder))\n"
        "except StorageError as error: print(error)\n"
        "print(len(list(Path(folder).iterdir())), 'files')"
    )
    # In a mount namespace of its own, so that nothing stays mounted whatever happens.
    script = f'{" ".join(mount)} && exec {sys.executable} -c "$0"'
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--map-root-user", "sh", "-c", script, inside],
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr
    assert "the data 'X' could not be written" in done.stdout
    assert "Free some space" in done.stdout
    assert "0 files" in done.stdout


def test_pandas_is_loaded_only_where_data_need_it() -> None:
    program = (
        "import sys, numpy as np; from octavo.executors import fingerprint, ProcessExecutor;"
        "fingerprint({'X': np.zeros(3), 'other': [1]});"
        "assert not {'pandas', 'pyarrow', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
