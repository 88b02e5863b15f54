"""How a study remembers its objective: by name and a hash of its source, never by code.

Opening a study must not run anything, so what is stored is `module:qualname`. To go on, the
function is imported under that name; what cannot be imported (a lambda, a closure, something
typed at a prompt) must be passed again, and the error says so. An objective that is an object with
`to_json` and `from_json`, such as a command, is stored as that data beside the name of its class.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from octavo.errors import StudyError

__all__ = ["ObjectiveReference", "load_objective", "refer_to"]


@dataclass(frozen=True, slots=True)
class ObjectiveReference:
    """Where an objective function came from.

    Parameters
    ----------
    name
        "module:qualname".
    importable
        Whether importing that name gives the function.
    source_hash
        SHA-256 of its source text; empty if the source cannot be read.
    data
        For an object of an importable class: what its `from_json` makes it of again.
    """

    name: str
    importable: bool
    source_hash: str
    data: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def refer_to(objective: Callable[..., Any]) -> ObjectiveReference:
    """Describe a function so that it can be found again."""
    module = getattr(objective, "__module__", None) or "?"
    qualname = getattr(objective, "__qualname__", None) or type(objective).__qualname__
    if _is_data(objective):
        data: Mapping[str, Any] = objective.to_json()  # type: ignore[attr-defined]
        return ObjectiveReference(f"{module}:{qualname}", True, _hash(objective), data)
    importable = (
        module not in ("__main__", "?")
        and "<" not in qualname
        and _find(module, qualname) is objective
    )
    return ObjectiveReference(f"{module}:{qualname}", importable, _hash(objective))


def load_objective(
    stored: Mapping[str, Any] | None, given: Callable[..., Any] | None
) -> Callable[..., Any]:
    """The objective to go on with: the one given, else the one that was stored.

    Raises
    ------
    StudyError
        If none is given and the stored one cannot be imported.

    Warns
    -----
    UserWarning
        If its source is not what it was when the study began.
    """
    reference = None if stored is None else ObjectiveReference(**stored)
    objective = given
    if objective is None:
        if reference is None:
            raise StudyError(
                "this study was driven by ask and tell, so it has no objective to call. "
                "Pass one: study.run(train, ...)."
            )
        module, qualname = reference.name.split(":")
        found: Any = _find(module, qualname) if reference.importable else None
        objective = found if reference.data is None else found.from_json(reference.data)
        if objective is None:
            raise StudyError(
                f"the objective {reference.name!r} of this study cannot be imported (lambdas, "
                "closures and functions of __main__ never can). Pass it again: "
                "open_study(...).resume(train)."
            )
    if (
        reference is not None
        and reference.source_hash
        and _hash(objective) != reference.source_hash
    ):
        warnings.warn(
            f"the source of the objective {reference.name!r} has changed since the study began: "
            "earlier and later trials may not be comparable. Start a new study if they are not.",
            stacklevel=3,
        )
    return objective


def _find(module: str, qualname: str) -> Callable[..., Any] | None:
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return found if callable(found) else None


def _is_data(objective: object) -> bool:
    """Whether an objective is an object that can be made again of plain data."""
    kind = type(objective)
    has_both = hasattr(kind, "to_json") and hasattr(kind, "from_json")
    return has_both and _find(kind.__module__, kind.__qualname__) is kind


def _hash(objective: Callable[..., Any]) -> str:
    if _is_data(objective):
        return str(getattr(objective, "fingerprint", ""))
    try:
        source = inspect.getsource(inspect.unwrap(objective))
    except (OSError, TypeError):
        try:
            source = inspect.getsource(type(objective))
        except (OSError, TypeError):
            return ""
    return hashlib.sha256(source.encode()).hexdigest()
