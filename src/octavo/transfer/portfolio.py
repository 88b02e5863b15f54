"""A portfolio: configurations to try first on anything new, and what many data sets say of them.

Built greedily from an `Evaluations` (`octavo.transfer.greedy`), kept as a small JSON file. With
each data set it was learned from, it keeps its members' costs there and its meta-features, so
that the members can be put into another order for a new data set (`octavo.transfer.similarity`).

Feurer, Eggensperger, Falkner, Lindauer & Hutter (2022), Auto-sklearn 2.0: Hands-free AutoML via
Meta-Learning, JMLR 23.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import DataError, SettingError, StorageError
from octavo.spaces import Space, as_space
from octavo.transfer.adapting import adapted
from octavo.transfer.evaluations import Evaluations
from octavo.transfer.greedy import anytime_order, check_deadlines, greedy_order, mean_costs

__all__ = ["Portfolio", "Source", "build_portfolio", "load_portfolio"]

Floats = NDArray[np.float64]

KIND, VERSION = "portfolio", 1
_DIGITS = 4  # of costs and seconds in the file: far below what differs between two runs


@dataclass(frozen=True)
class Source:
    """What one data set says of a portfolio's members.

    Parameters
    ----------
    name, group
        Of the data set, and of those that are much like it.
    features
        Its meta-features, by name.
    costs
        Of each member, from 0 for the best configuration known there to 1; NaN where unknown.
    seconds
        That each member took; NaN where unknown.
    """

    name: str
    group: str
    features: Mapping[str, float]
    costs: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Portfolio:
    """Configurations, the first k of which are together good for every k.

    Parameters
    ----------
    members
        Plain dicts of hyperparameters, in the order in which to try them.
    sources
        The data sets it was learned from.
    origin
        Where it comes from, JSON-able: how many data sets and configurations, how much of the
        matrix was measured, predicted, failed or unknown, ...

    Raises
    ------
    DataError
        Without members, or if a source does not speak of each of them.

    Examples
    --------
    >>> from octavo.spaces import Float, space
    >>> portfolio = Portfolio(({"x": 0.2, "mode": "fast"}, {"x": 7.0}))
    >>> portfolio.first_in(space(x=Float(0, 1)))
    [{'x': 0.2}, {'x': 1.0}]
    """

    members: tuple[Mapping[str, Any], ...]
    sources: tuple[Source, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(dict(member) for member in self.members))
        object.__setattr__(self, "sources", tuple(self.sources))
        if not self.members:
            raise DataError("a portfolio has 0 members. Give at least one configuration.")
        for source in self.sources:
            for name in ("costs", "seconds"):
                n = len(getattr(source, name))
                if n != len(self.members):
                    raise DataError(
                        f"the source {source.name!r} has {n} {name} for {len(self.members)} "
                        "members. Give one for each, NaN where it is unknown."
                    )

    def __len__(self) -> int:
        return len(self.members)

    @property
    def costs(self) -> Floats:
        """Shape (sources, members): see `Source`."""
        given = [source.costs for source in self.sources]
        return np.array(given, dtype=float).reshape(len(self.sources), len(self.members))

    @property
    def seconds(self) -> Floats:
        """Shape (sources, members): see `Source`."""
        given = [source.seconds for source in self.sources]
        return np.array(given, dtype=float).reshape(len(self.sources), len(self.members))

    def first_in(self, space: Any, *, order: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """The members as configurations of a space, for `octavo.minimize(..., first=...)`.

        What the space does not have is dropped, what it has in addition takes its default, and
        members that have no counterpart there (a model that is left out) are left out; see
        `octavo.transfer.adapting`. Of several that become equal the first stays.

        Parameters
        ----------
        space
            Whatever `octavo.minimize` takes as one.
        order
            Places of members, to take them in another order or not all of them.
        """
        space = as_space(space)
        chosen = range(len(self)) if order is None else order
        found = [c for c in adapted([self.members[i] for i in chosen], space) if c is not None]
        return _different(found, space)

    # As data -------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """A JSON-able description from which `from_json` builds it again."""
        return {
            "kind": KIND,
            "version": VERSION,
            "origin": dict(self.origin),
            "members": [dict(member) for member in self.members],
            "sources": [
                {
                    "name": source.name,
                    "group": source.group,
                    "features": {k: _number(v) for k, v in source.features.items()},
                    "costs": [_number(cost) for cost in source.costs],
                    "seconds": [_number(taken) for taken in source.seconds],
                }
                for source in self.sources
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Portfolio:
        """The portfolio that `to_json` described.

        Raises
        ------
        DataError
            If it describes something else, or was written by a later version.
        """
        if not isinstance(data, Mapping) or data.get("kind") != KIND:
            raise DataError(
                f"{data!r:.80} describes no portfolio, which has kind={KIND!r}. Give what "
                "portfolio.to_json() or `octavo portfolio build` wrote."
            )
        if data.get("version") != VERSION:
            raise DataError(
                f"the portfolio has version={data.get('version')!r}, and this Octavo reads "
                f"version {VERSION}. Update Octavo, or build the portfolio anew."
            )
        try:
            return cls(
                members=tuple(data["members"]),
                sources=tuple(
                    Source(
                        name=str(source["name"]),
                        group=str(source["group"]),
                        features={k: _float(v) for k, v in source["features"].items()},
                        costs=tuple(map(_float, source["costs"])),
                        seconds=tuple(map(_float, source["seconds"])),
                    )
                    for source in data["sources"]
                ),
                origin=data["origin"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            lacks = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(
                f"the description of a portfolio is incomplete or malformed: {lacks}. Write it "
                "again with portfolio.to_json(), or mend it."
            ) from error

    def save(self, path: str | Path) -> Path:
        """Write it as a JSON file, which `load_portfolio` reads; returns its path."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_lines(self.to_json()), encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"the portfolio could not be written to {path}: {error.strerror}. Give another "
                "file, or free some space."
            ) from error
        return path


def load_portfolio(path: str | Path) -> Portfolio:
    """Read a portfolio from a JSON file. Nothing in it is run.

    Raises
    ------
    DataError
        If the file cannot be read or holds no portfolio.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"the portfolio {str(path)!r} cannot be read: {error.strerror}. Check the path; "
            "`octavo portfolio build` writes one."
        ) from error
    except ValueError as error:  # no JSON, or no text
        raise DataError(
            f"the portfolio {str(path)!r} is no JSON ({error}). Give the file that `octavo "
            "portfolio build` wrote."
        ) from error
    try:
        return Portfolio.from_json(data)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def build_portfolio(
    evaluations: Evaluations,
    *,
    size: int = 20,
    deadlines: tuple[float, float] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Portfolio:
    """Choose and order the configurations that are best together on average.

    Parameters
    ----------
    evaluations
        What is known.
    size
        How many members at most.
    deadlines
        Seconds between which users stop, (low, high): the order makes the cost low after any
        time (`anytime_order`). None: after any number of members (`greedy_order`).
    about
        What else to keep about where it comes from, JSON-able.

    Raises
    ------
    SettingError
        If a setting makes no sense.
    DataError
        If deadlines are given and no times are known, or nothing ends before the later one.

    Examples
    --------
    >>> seen = Evaluations(["a", "b"], [{"x": 1}, {"x": 2}, {"x": 3}],
    ...                    costs=[[0.1, 0.2, 0.3], [9.0, 5.0, 7.0]])
    >>> [member["x"] for member in build_portfolio(seen, size=2).members]
    [1, 2]
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise SettingError(
            f"size={size!r} must be a whole number of at least 1: how many members to choose."
        )
    costs, weights = evaluations.normalized(), evaluations.weights
    if deadlines is None:
        order = greedy_order(costs, size, weights=weights)
    else:
        deadlines = check_deadlines(deadlines)
        order = anytime_order(
            costs, evaluations.filled_seconds(), size, deadlines=deadlines, weights=weights
        )
    if not order:  # the best of each data set is better than none, unless it comes too late
        assert deadlines is not None
        raise DataError(
            f"no configuration ends within {deadlines[1]:g} s on any of the {len(evaluations)} "
            "data sets, so there is nothing to choose. Give a later deadline."
        )
    return Portfolio(
        members=tuple(evaluations.configs[i] for i in order),
        sources=_sources(evaluations, costs, order),
        origin={
            **_origin(evaluations),
            "deadlines_s": None if deadlines is None else list(deadlines),
            "mean_cost": [round(x, _DIGITS) for x in mean_costs(costs, order, weights=weights)],
            **(about or {}),
        },
    )


def _sources(evaluations: Evaluations, costs: Floats, order: Sequence[int]) -> tuple[Source, ...]:
    assert evaluations.groups is not None and evaluations.features is not None
    seconds = evaluations.seconds
    taken = np.full_like(costs, np.nan) if seconds is None else seconds
    return tuple(
        Source(
            name=evaluations.datasets[row],
            group=evaluations.groups[row],
            features=evaluations.features[row],
            costs=tuple(float(costs[row, i]) for i in order),
            seconds=tuple(float(taken[row, i]) for i in order),
        )
        for row in range(len(evaluations))
    )


def _origin(evaluations: Evaluations) -> dict[str, Any]:
    costs, predicted = evaluations.costs, evaluations.predicted
    assert predicted is not None and evaluations.groups is not None
    return {
        "n_datasets": len(evaluations),
        "n_groups": len(set(evaluations.groups)),
        "n_configurations": len(evaluations.configs),
        "share_measured": round(float((np.isfinite(costs) & ~predicted).mean()), _DIGITS),
        "share_predicted": round(float(predicted.mean()), _DIGITS),
        "share_failed": round(float((np.isinf(costs) & ~predicted).mean()), _DIGITS),
        "share_unknown": round(float(np.isnan(costs).mean()), _DIGITS),
    }


def _different(configs: Sequence[dict[str, Any]], space: Space) -> list[dict[str, Any]]:
    """Without those that are equal to an earlier one."""
    seen: set[bytes] = set()
    kept = []
    for config, key in zip(configs, space.encode(configs).keys() if configs else (), strict=True):
        if key not in seen:
            kept.append(config)
        seen.add(key)
    return kept


def _number(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _lines(data: Mapping[str, Any]) -> str:
    """JSON with one line per member and source: small, and a change reads well in a diff."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row, allow_nan=False) for row in value)
            parts.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
