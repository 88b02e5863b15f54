"""Data placed once, in files that all workers map, instead of being sent with every trial.

- A NumPy array: `.npy`, memory-mapped.
- A pandas `DataFrame` or `Series`: Arrow IPC, `.arrow`, memory-mapped; numbers and text are not
  copied.
- Everything else (sparse matrices, models, lists of arrays, tables of Python objects):
  `.pickle`, in which the arrays are set apart (pickle protocol 5, PEP 574) and memory-mapped.

Whatever is mapped is read-only, is loaded from disk when it is touched, and is shared by all
workers, so it is not part of any trial's memory. A file bears the hash of its content: the
same data are not written again when a study is resumed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import mmap
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from octavo.errors import SettingError, StorageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["PLACE", "Placed", "fingerprint", "load", "load_placed", "place"]

PLACE = "data"
"""Where placed data lie in a study's folder."""

_ALIGNMENT = 64  # bytes; what Arrow and vector instructions like


@dataclass(frozen=True, slots=True)
class Placed:
    """One of the data, in a file.

    Parameters
    ----------
    name
        Under which the objective gets it.
    path
        The file.
    kind
        "npy", "arrow" (a table), "series" (a table of one column) or "pickle".
    """

    name: str
    path: str
    kind: str


class _Form(Protocol):
    """A value in the form in which it is stored."""

    kind: str
    suffix: str

    def chunks(self) -> Iterator[Any]:
        """Bytes that are the same exactly if the content is."""
        ...

    def write(self, file: BinaryIO) -> None: ...


def place(data: Mapping[str, Any], folder: Path) -> tuple[Placed, ...]:
    """Put each of the data into a file in `folder`, unless it is there already.

    Raises
    ------
    StorageError
        If a file cannot be written.
    SettingError
        If a value cannot be pickled.
    """
    placed = []
    for name, value in data.items():
        form = _form(name, value)
        path = folder / f"{_stem(name, _digest(form))}.{form.suffix}"
        if not path.exists():
            _write(path, form, name)
        placed.append(Placed(name, str(path.absolute()), form.kind))
    return tuple(placed)


def load(placed: Placed) -> Any:
    """The value again, mapped read-only as far as its type allows."""
    if placed.kind == "npy":
        import numpy as np

        array = np.load(placed.path, mmap_mode="r")
        # A plain array: np.memmap objects surprise libraries that check the exact type.
        return array.view(np.ndarray)
    if placed.kind == "pickle":
        return _load_pickle(Path(placed.path))
    import pyarrow as pa

    with pa.memory_map(placed.path) as source:
        table = pa.ipc.open_file(source).read_all()
    frame = table.to_pandas(split_blocks=True)  # one block per column, so that none is copied
    return frame if placed.kind == "arrow" else _as_series(frame, table)


def load_placed(folder: Path, prints: Mapping[str, str]) -> dict[str, Any]:
    """Data that an earlier run of a study placed.

    Parameters
    ----------
    folder
        Of the study.
    prints
        What `fingerprint` gave for them, by name.

    Raises
    ------
    StorageError
        If a file is gone.
    """
    found = {}
    for name, digest in prints.items():
        paths = sorted((folder / PLACE).glob(f"{_stem(name, digest)}.*"))
        if not paths:
            raise StorageError(
                f"the data {name!r} are no longer in {folder / PLACE}. "
                "Pass them again, as data={...}."
            )
        kind = paths[0].suffix.removeprefix(".")
        found[name] = load(Placed(name, str(paths[0].absolute()), kind))
    return found


def _stem(name: str, digest: str) -> str:
    label = re.sub(r"\W", "_", name)[:40]
    return f"{label}-{digest[:16]}"


def fingerprint(data: Mapping[str, Any]) -> dict[str, str]:
    """A hash of the content of each of the data, to tell whether they have changed.

    All content counts; it takes about a second per gigabyte of numbers. Equal arrays and tables
    have equal hashes in every process; other objects have one as far as pickling them
    gives the same bytes again (sets of strings, for one, do not).

    Examples
    --------
    >>> import numpy as np
    >>> before = fingerprint({"X": np.arange(3.0)})
    >>> before == fingerprint({"X": np.array([0.0, 1.0, 2.0])})
    True
    >>> before == fingerprint({"X": np.array([0.0, 1.0, 3.0])})
    False
    """
    return {name: _digest(_form(name, value)) for name, value in data.items()}


def _digest(form: _Form) -> str:
    digest = hashlib.sha256(form.kind.encode())
    for chunk in form.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _write(path: Path, form: _Form, name: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            form.write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # there may be no folder for it to be in
            partial.unlink(missing_ok=True)
        raise StorageError(
            f"the data {name!r} could not be written to {path}: {error}. Free some space "
            "there, or give the study a folder on another disk."
        ) from error


def _form(name: str, value: Any) -> _Form:
    # Only a program that has loaded a library can hold its objects, so nothing is imported
    # here to find out what a value is.
    numpy = sys.modules.get("numpy")
    is_array = numpy is not None and type(value) in (numpy.ndarray, numpy.memmap)
    if is_array and not value.dtype.hasobject:
        return _Array(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        table = _arrow_table(value)
        if table is not None:
            return _Table(table, "series" if isinstance(value, pandas.Series) else "arrow")
    try:
        return _Pickle(value)
    except Exception as error:  # whatever the value's own __reduce__ raises
        raise SettingError(
            f"the data {name!r}, a {type(value).__name__}, cannot be pickled "
            f"({type(error).__name__}: {error}), so it cannot reach worker processes. Pass what "
            "it is made from, or make it inside the objective."
        ) from error


class _Array:
    """A NumPy array."""

    kind = suffix = "npy"

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        import numpy as np

        flags = array.flags
        ordered = flags.c_contiguous or flags.f_contiguous
        self.array = np.asarray(array) if ordered else np.ascontiguousarray(array)

    def chunks(self) -> Iterator[Any]:
        import numpy as np

        description = np.lib.format.dtype_to_descr(self.array.dtype)
        yield json.dumps([str(description), self.array.shape]).encode()
        # Row by row order, whatever the order in memory: equal arrays have equal hashes.
        rows = np.ascontiguousarray(self.array).reshape(-1)
        if rows.size:
            yield rows.view(np.uint8)

    def write(self, file: BinaryIO) -> None:
        import numpy as np

        np.save(file, self.array, allow_pickle=False)


class _Table:
    """A pandas table that Arrow can hold exactly."""

    def __init__(self, table: pa.Table, kind: str) -> None:
        self.table = table
        self.kind = self.suffix = kind

    def chunks(self) -> Iterator[Any]:
        import pyarrow as pa

        # pandas' description of its types, less what names the version of the libraries.
        pandas = json.loads((self.table.schema.metadata or {}).get(b"pandas", b"{}"))
        pandas.pop("creator", None)
        pandas.pop("pandas_version", None)
        yield json.dumps(pandas, sort_keys=True).encode()
        digest = hashlib.sha256()
        with (
            pa.PythonFile(_Into(digest.update), mode="w") as sink,
            pa.ipc.new_stream(sink, self.table.schema.remove_metadata()) as writer,
        ):
            writer.write_table(self.table.replace_schema_metadata(None).combine_chunks())
        yield digest.digest()

    def write(self, file: BinaryIO) -> None:
        import pyarrow as pa

        with pa.ipc.new_file(file, self.table.schema) as writer:
            writer.write_table(self.table)


class _Into:
    """A file for writing that hands every piece to a function."""

    closed = False

    def __init__(self, take: Callable[[Any], None]) -> None:
        self._take = take

    def write(self, piece: Any) -> int:
        self._take(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


class _Pickle:
    """Anything else: a pickle, and beside it the large buffers inside of it.

    The file: the number of parts, their lengths, then the parts, each at a multiple of 64
    bytes; the first part is the pickle.
    """

    kind = suffix = "pickle"

    def __init__(self, value: Any) -> None:
        import cloudpickle

        buffers: list[pickle.PickleBuffer] = []
        stream = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        self.value = value
        self.parts = [memoryview(stream), *(buffer.raw() for buffer in buffers)]

    def chunks(self) -> Iterator[Any]:
        parts = _unshared(self.value) or self.parts
        yield _header(parts)
        yield from parts

    def write(self, file: BinaryIO) -> None:
        file.write(_header(self.parts))
        for part in self.parts:
            file.write(bytes(-file.tell() % _ALIGNMENT))
            file.write(part)


def _header(parts: Sequence[memoryview]) -> bytes:
    return struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts))


def _unshared(value: Any) -> list[memoryview] | None:
    """A pickle in which every object is written out, and its buffers; None of cyclic objects.

    An ordinary pickle also tells which of equal texts are one object in memory, and which arrays
    are read-only. That changes when a value is loaded again, and is no difference between values.
    """
    import cloudpickle
    import numpy as np

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, one: Any) -> Any:
            # A pickle also tells who may write into an array; what was loaded is read-only.
            if type(one) is np.ndarray and one.flags.writeable:
                one = one.view()
                one.flags.writeable = False
                return one.__reduce_ex__(5)
            return super().reducer_override(one)

    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    pickler = Pickler(stream, protocol=5, buffer_callback=buffers.append)
    pickler.fast = True
    try:
        pickler.dump(value)
    except (ValueError, RecursionError, pickle.PicklingError):  # how it says "a cycle"
        return None
    return [stream.getbuffer(), *(buffer.raw() for buffer in buffers)]


def _load_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    (number,) = struct.unpack_from("<Q", content)
    lengths = struct.unpack_from(f"<{number}Q", content, 8)
    at = 8 * (number + 1)
    parts = []
    for length in lengths:
        at += -at % _ALIGNMENT
        parts.append(content[at : at + length])
        at += length
    return pickle.loads(parts[0], buffers=parts[1:])


def _arrow_table(value: Any) -> pa.Table | None:
    """A pandas table or series as an Arrow table, or None where Arrow would change something.

    Columns of Python objects (None and nan become one), names that are not text, and
    attributes go the way of the pickle, which changes nothing.
    """
    import pandas as pd

    frame = value.to_frame(name="values") if isinstance(value, pd.Series) else value
    index = frame.index
    names = list(frame.columns)
    is_plain = (
        type(value) in (pd.DataFrame, pd.Series)
        and not value.attrs
        and all(type(name) is str for name in names)
        and len(set(names)) == len(names)
        and type(index) in (pd.RangeIndex, pd.Index, pd.DatetimeIndex)
        and index.dtype != object
        and all(dtype.kind != "O" or not _is_numpy_object(dtype) for dtype in frame.dtypes)
        and (not isinstance(value, pd.Series) or value.name is None or type(value.name) is str)
    )
    if not is_plain:
        return None
    import pyarrow as pa

    try:
        table = pa.Table.from_pandas(frame, preserve_index=None)
        for place, name in enumerate(names):
            column = frame[name]
            if isinstance(column.dtype, type(pd.Series([1.0]).dtype)) and column.dtype.kind == "f":
                # NaN stays a number: as a null it would have to be copied when loaded.
                array = pa.array(column.to_numpy(), from_pandas=False)
                table = table.set_column(place, table.schema.field(place), array)
        # The types must survive; content of these types does.
        back = table.slice(0, 100).to_pandas()
        same = (back.dtypes == frame.dtypes).all() and back.index.equals(index[:100])
        if not same or back.index.names != index.names:
            return None
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    if isinstance(value, pd.Series):
        name = json.dumps(value.name).encode()
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"series": name})
    return table


def _as_series(frame: Any, table: pa.Table) -> Any:
    series = frame["values"]
    series.name = json.loads(table.schema.metadata[b"series"])
    return series


def _is_numpy_object(dtype: Any) -> bool:
    import numpy as np

    return isinstance(dtype, np.dtype)
