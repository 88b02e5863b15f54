"""Reading a table from a file: CSV and its kin, Parquet, Feather, JSON lines; each also .gz."""

from __future__ import annotations

import csv
import gzip
import io
import logging
import os
import zlib
from collections import Counter
from pathlib import Path

import pandas as pd

from octavo.errors import DataError, closest

__all__ = ["read_table"]

logger = logging.getLogger(__name__)

FORMATS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".data": "delimited",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json lines",
}
DELIMITERS = (",", "\t", ";", "|")


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table from a file; its name's ending says how.

    Text files may be in UTF-8, UTF-16 or Windows-1252, and separated by comma, tab,
    semicolon, bar or blanks, whatever splits their lines into the same number of cells.
    The first line holds the names of the columns.

    Parameters
    ----------
    path
        .csv, .tsv, .tab, .txt, .data; .parquet, .pq; .feather, .arrow; .jsonl, .ndjson, .json;
        each also with .gz behind it.

    Raises
    ------
    DataError
        If there is no such file, or what it holds is not a table. The message says what to do.
    """
    path = Path(path)
    _check_exists(path)
    endings = [ending.lower() for ending in path.suffixes]
    zipped = bool(endings) and endings[-1] == ".gz"
    ending = (endings[:-1] if zipped else endings)[-1:] or [""]
    kind = FORMATS.get(ending[0])
    if kind is None:
        raise DataError(
            f"{str(path)!r} ends in {ending[0]!r}, which is not a table format known here."
            f"{closest(ending[0], FORMATS)} Use one of {', '.join(FORMATS)}, each also with .gz."
        )
    raw = _content(path, zipped)
    if not raw.strip():
        raise DataError(f"{str(path)!r} is empty. A table needs a line of names and some rows.")
    frame = _read_delimited(path, raw) if kind == "delimited" else _read_binary(path, raw, kind)
    if frame.shape[1] == 0:
        raise DataError(f"{str(path)!r} has no columns. Save it again with its columns.")
    if len(frame) == 0:
        raise DataError(
            f"{str(path)!r} has {frame.shape[1]} column names "
            f"({', '.join(map(repr, list(map(str, frame.columns))[:4]))}, ...) but no rows. "
            "Save it again with its rows; the first line must hold the names."
        )
    return frame


def _check_exists(path: Path) -> None:
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix in FORMATS)[:3]
        hint = f" It holds {', '.join(map(repr, inside))}." if inside else ""
        raise DataError(f"{str(path)!r} is a folder, not a file.{hint} Pass the path of one file.")
    if path.exists():
        return
    folder = path.parent
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {str(folder)!r}, so no table {path.name!r} in it. Check the path."
        )
    hint = closest(path.name, (other.name for other in folder.iterdir()))
    raise DataError(
        f"There is no file {path.name!r} in {str(folder.resolve())!r}.{hint} Check the path."
    )


def _content(path: Path, zipped: bool) -> bytes:
    try:
        raw = path.read_bytes()
        # By its first two bytes: files are renamed more often than they are packed again.
        if raw[:2] == b"\x1f\x8b":
            return gzip.decompress(raw)
    except PermissionError as error:
        raise DataError(
            f"{str(path)!r} may not be read by this user. Change its rights."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{str(path)!r} could not be read: {error}. If it was downloaded, fetch it again."
        ) from error
    if zipped:
        logger.info("%s is named .gz but is not packed; reading it as it is.", path)
    return raw


def _read_binary(path: Path, raw: bytes, kind: str) -> pd.DataFrame:
    buffer = io.BytesIO(raw)
    try:
        if kind == "parquet":
            return pd.read_parquet(buffer)
        if kind == "feather":
            return pd.read_feather(buffer)
        # A JSON file may hold one list of rows instead of one row per line.
        if raw.lstrip()[:1] == b"[":
            return pd.read_json(buffer, orient="records")
        return pd.read_json(buffer, lines=True)
    except Exception as error:  # readers raise whatever their C++ layers do
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{str(path)!r} is named like {kind}, but cannot be read as such: {first}. "
            "Save it again, or give it the ending of what it is."
        ) from error


def _read_delimited(path: Path, raw: bytes) -> pd.DataFrame:
    if raw[:4] == b"PAR1" or raw[:2] == b"PK" or (b"\0" in raw[:1000] and not _is_utf16(raw)):
        raise DataError(
            f"{str(path)!r} holds binary data, not lines of text. If it is a Parquet file, end "
            "its name in .parquet; a spreadsheet must be saved as CSV first."
        )
    text = _decode(path, raw)
    lines = [line for line in text[:200_000].splitlines() if line.strip()][:200]
    delimiter = _sniff(lines)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=r"\s+" if delimiter == " " else delimiter,
            low_memory=False,
            skipinitialspace=True,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise DataError(
            f"{str(path)!r} is not a regular table separated by {delimiter!r}: {error}. Look for "
            "a quote that is never closed or a line with too many cells, and mend it."
        ) from error
    if frame.shape[1] == 1:
        _refuse_one_column(path, lines)
    return frame


def _is_utf16(raw: bytes) -> bool:
    return raw[:2] in (b"\xff\xfe", b"\xfe\xff")


def _decode(path: Path, raw: bytes) -> str:
    if _is_utf16(raw):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        logger.info("%s is not UTF-8; reading it as Windows-1252.", path)
        # Five bytes mean nothing in Windows-1252; Latin-1 has a character for every byte.
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


def _sniff(lines: list[str]) -> str:
    """The delimiter that splits most lines into the same number of cells, more than one."""
    best, best_key = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]))
        if width > 1:
            share = count / sum(widths.values())
            # A name line that splits the same way decides between equals: text cells full of
            # commas in a tab-separated file.
            agrees = len(next(csv.reader(lines[:1], delimiter=delimiter))) == width
            best, best_key = max(
                ((best, best_key), (delimiter, (share + agrees, width))), key=lambda pair: pair[1]
            )
    if best_key == (0.0, 0) and lines:
        widths = Counter(len(line.split()) for line in lines)
        if len(widths) == 1 and next(iter(widths)) > 1 and len(lines) > 1:
            return " "
    return best


def _refuse_one_column(path: Path, lines: list[str]) -> None:
    for mark in (":", "^", "~", "#"):
        if len(lines) > 1 and all(mark in line for line in lines):
            raise DataError(
                f"{str(path)!r} reads as a single column, {lines[0][:60]!r}, but each line holds "
                f"{mark!r}. Separate cells by one of {', '.join(map(repr, DELIMITERS))}."
            )
