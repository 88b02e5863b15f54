"""JSON text that comes back as it went in, and that other JSON parsers can read.

JSON has no NaN and no infinity. In arrays of numbers they are `null` and `1e999`; in free
data they become `{"$float": "nan"}`, because there `null` means None.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from octavo.errors import StorageError

__all__ = ["clean_text", "dump", "dump_leniently", "dump_numbers", "load", "load_numbers"]

logger = logging.getLogger(__name__)

_SPECIAL = "$float"
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def clean_text(value: str | None) -> str | None:
    """Text that can be stored: bytes that were no text when read become escapes."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def dump(data: Any, what: str) -> str:
    """Data as JSON text; NumPy scalars and arrays become numbers and lists.

    Parameters
    ----------
    data
        Mappings, sequences, strings, numbers, booleans and None, nested.
    what
        What it is, for the message: "the configuration of proposal 3".

    Raises
    ------
    StorageError
        If something in it has no place in JSON.
    """
    try:
        return json.dumps(data, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        pass  # something special is in it: take the slow way
    return json.dumps(_plain(data, what, [], strict=True), separators=(",", ":"))


def dump_leniently(data: Any, what: str) -> str:
    """Like `dump`, but what has no place in JSON is kept as its `repr`, with a warning.

    For what the user's function returned beside its costs: a finished trial must not be
    lost over a model object among its extra data.
    """
    try:
        return json.dumps(data, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        pass  # something special is in it: take the slow way
    return json.dumps(_plain(data, what, [], strict=False), separators=(",", ":"))


def load(text: str) -> Any:
    """What `dump` wrote."""
    if _SPECIAL in text:
        return json.loads(text, object_hook=_restored)
    return json.loads(text)


def dump_numbers(values: Iterable[float]) -> str:
    """Numbers as a JSON array, with NaN as `null` and infinities as `1e999`.

    Examples
    --------
    >>> dump_numbers([0.25, float("nan"), float("-inf")])
    '[0.25,null,-1e999]'
    """
    return "[" + ",".join([_number(float(value)) for value in values]) + "]"


def load_numbers(text: str) -> tuple[float, ...]:
    """What `dump_numbers` wrote.

    Examples
    --------
    >>> load_numbers("[0.25,null,-1e999]")
    (0.25, nan, -inf)
    """
    return tuple([math.nan if v is None else float(v) for v in json.loads(text)])


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "null" if math.isnan(value) else ("1e999" if value > 0 else "-1e999")


def _restored(found: dict[str, Any]) -> Any:
    if len(found) == 1 and found.get(_SPECIAL) in _FLOATS:
        return _FLOATS[found[_SPECIAL]]
    return found


_DEEPEST = 100  # far beyond any sensible data; a structure that contains itself ends here


def _plain(value: Any, what: str, path: list[str], *, strict: bool) -> Any:
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return {_SPECIAL: "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")}
    if len(path) < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                str(key): _plain(item, what, [*path, repr(key)], strict=strict)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [
                _plain(item, what, [*path, str(i)], strict=strict) for i, item in enumerate(value)
            ]
        if isinstance(value, set | frozenset):
            return [_plain(item, what, path, strict=strict) for item in sorted(value, key=repr)]
        if hasattr(value, "tolist"):  # NumPy scalars and arrays, and what imitates them
            return _plain(value.tolist(), what, [*path, "tolist()"], strict=strict)
    where = f" at [{']['.join(path[:5])}]" if path else ""
    if strict:
        raise StorageError(
            f"{what} holds a {type(value).__name__}{where}, which cannot be stored as JSON. "
            "Use numbers, strings, booleans, None, and lists and dicts of them."
        )
    text = repr(value)
    text = text if len(text) <= 1000 else text[:997] + "..."
    logger.warning(
        "%s holds a %s%s, which cannot be stored as JSON; its text %.60s is stored instead. "
        "Return numbers, strings, lists or dicts to keep them as they are.",
        what,
        type(value).__name__,
        where,
        text,
    )
    return text
