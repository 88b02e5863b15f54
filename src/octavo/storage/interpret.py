"""Rows of a table as trials of a problem: what each column means, and what to say if it cannot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from octavo.errors import DataError, SpaceError, closest
from octavo.history import History
from octavo.problem import Objective, Problem
from octavo.storage.flat import FIELDS, kind_of, trial_from_flat
from octavo.storage.json_text import load
from octavo.storage.tables import Table
from octavo.trial import Status, Trial

__all__ = ["Interpreter", "inferred_problem"]


class Interpreter:
    """Reads the rows of a table as trials.

    Parameters
    ----------
    file
        Name of the file, for messages.
    table
        What was read from it.
    problem
        What the trials answer.

    Raises
    ------
    DataError
        If a column is missing.
    """

    def __init__(self, file: str, table: Table, problem: Problem) -> None:
        self._file, self._table, self._problem = file, table, problem
        columns = set(table.columns)
        self._meaning: dict[str, str] = {}  # column of the file -> standard name
        self._preferred: dict[str, str] = {}  # column -> how its cells have been understood
        for prefix, names, is_needed in (
            ("objective.", [o.name for o in problem.objectives], True),
            ("constraint.", [c.name for c in problem.constraints], False),
            ("config.", [c.name for c in problem.space.columns], False),
        ):
            for name in names:
                column = f"{prefix}{name}" if f"{prefix}{name}" in columns else name
                if column in columns:
                    self._meaning[column] = f"{prefix}{name}"
                elif is_needed and table.rows:
                    raise DataError(
                        f"{file} has no column {name!r} (or {prefix + name!r}) for the objective. "
                        f"It has {list(table.columns)[:20]}; rename the right one."
                        + closest(name, table.columns)
                    )
        if problem.fidelity is not None and "fidelity" not in columns:
            self._meaning.setdefault(problem.fidelity.name, "fidelity")
        for column in table.columns:
            if column in FIELDS or column.startswith("config."):
                self._meaning.setdefault(column, column)
        if table.rows and not any(m.startswith("config.") for m in self._meaning.values()):
            raise DataError(
                f"{file} has a column for none of the hyperparameters "
                f"{[c.name for c in problem.space.columns][:20]}. It has "
                f"{list(table.columns)[:20]}; rename the right ones."
            )

    def history(self, *, is_checked: bool) -> History:
        """All rows as a history.

        Parameters
        ----------
        is_checked
            Whether each configuration must lie in the problem's space.
        """
        trials: list[Trial] = []
        seen: dict[int, str] = {}
        for number, (row, place) in enumerate(
            zip(self._table.rows, self._table.places, strict=True)
        ):
            trial = self._trial(number, row, place, is_checked)
            if trial.index in seen:
                raise DataError(
                    f"{self._file}, {place}: the index {trial.index} was used in "
                    f"{seen[trial.index]} already. Give each trial a number of its own, or leave "
                    "out the column 'index'."
                )
            seen[trial.index] = place
            trials.append(trial)
        return History(self._problem, trials)

    def _trial(self, number: int, row: Mapping[str, Any], place: str, is_checked: bool) -> Trial:
        values: dict[str, Any] = {"index": number}
        if "origin.by" not in self._table.columns:
            values["origin.by"] = "import"
        config: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for column, value in row.items():
            meaning = self._meaning.get(column)
            if meaning is None:
                extra[column] = _guess(value) if self._table.is_text else value
            elif meaning.startswith("config."):
                config[column] = value
            elif value is not None:
                values[meaning] = self._value(column, kind_of(meaning), value, place)
        self._complete(values, place)
        checked = self._config(config, place, is_checked)
        return trial_from_flat(values, self._problem, checked, extra)

    def _value(self, column: str, kind: str, value: Any, place: str) -> Any:
        try:
            if kind == "json":
                return load(value) if self._table.is_text else value
            if kind == "text":
                if not isinstance(value, str):
                    raise ValueError
                return value
            if isinstance(value, bool):
                raise ValueError
            if kind == "float":
                return float(value)
            try:
                return int(str(value))  # not through a float, which has only 53 bits
            except ValueError:
                number = float(value)  # "3.0" is whole too
                if not number.is_integer():
                    raise
                return int(number)
        except (ValueError, TypeError, OverflowError) as error:
            wanted = {
                "int": "a whole number",
                "float": "a number",
                "text": "a text",
                "json": "JSON",
            }[kind]
            raise DataError(
                f"{self._file}, {place}, column {column!r}: {value!r:.60} is not {wanted}. "
                "Correct the value, or leave the cell empty."
            ) from error

    def _complete(self, values: dict[str, Any], place: str) -> None:
        """Check index, seed and status, or conclude the status from the costs."""
        for name, limit in (("index", 2**31), ("seed", 2**31)):
            if not 0 <= values.get(name, 0) < limit:
                raise DataError(
                    f"{self._file}, {place}, column {name!r}: {values[name]} is not in "
                    f"[0, {limit}). Correct the value, or leave out the column."
                )
        names = [f"objective.{objective.name}" for objective in self._problem.objectives]
        missing = [name for name in names if not math.isfinite(values.get(name, math.nan))]
        status = values.get("status")
        if status is None:
            values["status"] = (Status.CRASHED if missing else Status.SUCCESS).value
            if missing:
                bare = [name.removeprefix("objective.") for name in missing]
                values.setdefault("cause", f"{self._file} has no finite value for {bare}.")
            return
        lowered = status.strip().lower()
        if lowered not in [known.value for known in Status]:
            raise DataError(
                f"{self._file}, {place}, column 'status': {status!r} is none of "
                f"{[known.value for known in Status]}. Correct it, or leave out the column."
                + closest(lowered, [known.value for known in Status])
            )
        values["status"] = lowered
        if lowered == Status.SUCCESS and missing:
            raise DataError(
                f"{self._file}, {place}, column {missing[0]!r}: a trial that succeeded needs a "
                f"finite value, got {values.get(missing[0])}. Give it, or set its status to "
                "'crashed'."
            )

    def _config(self, cells: dict[str, Any], place: str, is_checked: bool) -> dict[str, Any]:
        """The configuration, by the first reading of its cells that lies in the space."""
        names = {column: self._meaning[column].removeprefix("config.") for column in cells}
        problems = []
        for reading in islice(self._readings(cells), _READINGS):
            config = {names[column]: value for column, (_, value) in reading.items()}
            if not is_checked:
                return config
            try:
                checked = dict(self._problem.space.check(config))
            except SpaceError as error:
                problems.append(error)
            else:
                self._preferred |= {column: way for column, (way, _) in reading.items()}
                return checked
        raise DataError(
            f"{self._file}, {place}: the configuration is not in the space: {problems[0]}"
        ) from problems[0]

    def _readings(self, cells: Mapping[str, Any]) -> Iterator[dict[str, tuple[str, Any]]]:
        """Ways to understand some cells, the likeliest first: by column (way, value)."""
        if not self._table.is_text:
            yield {column: ("as is", value) for column, value in cells.items()}
            # Other tools write an inactive hyperparameter as null or NaN.
            present = {c: ("as is", v) for c, v in cells.items() if v is not None and v == v}
            if len(present) < len(cells):
                yield present
            return
        choices = {c.name for c in self._problem.space.columns if c.kind in _CHOICES}
        options = []
        for column, text in cells.items():
            ways = [("json", _guess(text))]
            if self._meaning[column].removeprefix("config.") in choices and ways[0][1] != text:
                ways.append(("text", text))  # a choice between "1" and "2", without quotes
            if text in _BOOLEANS:
                ways.append(("boolean", _BOOLEANS[text]))
            # What held for the rows before is tried first.
            ways.sort(key=lambda way: way[0] != self._preferred.get(column, "json"))
            options.append(ways)
        for chosen in product(*options):
            yield dict(zip(cells, chosen, strict=True))


_CHOICES = ("categorical", "ordinal")
_BOOLEANS = {"True": True, "False": False, "TRUE": True, "FALSE": False}
_READINGS = 512  # of one row, before it is called wrong


def _guess(text: str) -> Any:
    """A cell as JSON where it is JSON, otherwise as the text that it is."""
    try:
        return load(text)
    except (ValueError, RecursionError):
        return text


# Without a problem -------------------------------------------------------------------


def inferred_problem(
    file: str, table: Table, config: Sequence[str], objectives: Sequence[str | Objective]
) -> Problem:
    """The problem that some columns of a table suggest.

    Parameters
    ----------
    file
        Name of the file, for messages.
    table
        What was read from it.
    config, objectives
        Names of the columns; `Objective(name, maximize=True)` where larger is better.

    Raises
    ------
    DataError
        If a column is missing or has an empty cell, or none is named.
    """
    from octavo.spaces import space

    goals = tuple(Objective(o) if isinstance(o, str) else o for o in objectives)
    for kind, names in (("config", list(config)), ("objectives", [o.name for o in goals])):
        if not names:
            raise DataError(
                f"no column of {file} is named as {kind}. Give at least one of its columns "
                f"{list(table.columns)[:20]}, such as {kind}=[{str(table.columns[0])!r}]."
            )
        for name in names:
            if name not in table.columns:
                raise DataError(
                    f"{file} has no column {name!r}, which is named in {kind}. It has "
                    f"{list(table.columns)[:20]}." + closest(name, table.columns)
                )
    if not table.rows:
        raise DataError(
            f"{file} has no rows from which a space could be inferred. Pass the problem."
        )
    return Problem(
        space=space({name: _hyperparameter(file, table, name) for name in config}),
        objectives=goals,
    )


def _hyperparameter(file: str, table: Table, name: str) -> Any:
    from octavo.spaces import Categorical, Constant, Float, Integer

    values = []
    for row, place in zip(table.rows, table.places, strict=True):
        value = row.get(name)
        value = _guess(value) if table.is_text and value is not None else value
        if value is None or value != value:
            raise DataError(
                f"{file}, {place}, column {name!r} is empty, so when this hyperparameter is active "
                "cannot be inferred. Pass a problem whose space says so, or leave the column out."
            )
        if isinstance(value, list | dict):
            raise DataError(
                f"{file}, {place}, column {name!r}: {value!r:.60} is neither a number nor a text, "
                "so no space can be inferred from it. Pass a problem, or leave the column out."
            )
        values.append(value)
    kinds = {type(value) for value in values}
    if len(set(values)) == 1:
        return Constant(values[0])
    if not kinds <= {int, float}:
        return Categorical(sorted(set(values), key=repr))
    low, high = min(values), max(values)
    log = low > 0 and high >= 1000 * low
    return Integer(low, high, log=log) if kinds == {int} else Float(low, high, log=log)
