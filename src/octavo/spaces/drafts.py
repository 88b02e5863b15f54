"""A space as it is read from a file: each part with its line, so that errors can name it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octavo.errors import SpaceError, closest
from octavo.spaces.clauses import AnyOf, Compare, any_of, condition_json, forbidden_json
from octavo.spaces.configspace import HyperparameterSpace
from octavo.spaces.domains import Domain
from octavo.spaces.formulas import Claim, Tree, normal_form
from octavo.spaces.hyperparameters import Hyperparameter, space

__all__ = ["Draft", "at_line", "number"]


@contextlib.contextmanager
def at_line(path: Path, line: int) -> Iterator[None]:
    """Put file and line before the message of what is raised inside."""
    try:
        yield
    except SpaceError as error:
        raise SpaceError(f"{path}:{line}: {error}") from error


def number(text: str, *, whole: bool) -> float:
    """A number as it is written in a file, an int if it must be whole.

    Raises
    ------
    SpaceError
        If the text is no such number.
    """
    try:
        value = float(text)
        if not whole:
            return value
        if value.is_integer():
            return int(value)
    except ValueError:
        pass  # answered below
    raise SpaceError(
        f"{text!r} is not a {'whole ' if whole else ''}number, which is needed here. Write one, "
        f"such as {'10' if whole else '0.1'}."
    )


@dataclass
class Draft:
    """What a file says of a space.

    Parameters
    ----------
    path
        The file.
    """

    path: Path
    hyperparameters: dict[str, Hyperparameter] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    conditions: list[tuple[int, str, Tree]] = field(default_factory=list)
    forbidden: list[tuple[int, Tree]] = field(default_factory=list)

    def add(self, line: int, name: str, hyperparameter: Hyperparameter) -> None:
        """Declare a hyperparameter.

        Raises
        ------
        SpaceError
            If there is one of this name already, or it makes no sense by itself.
        """
        with at_line(self.path, line):
            if name in self.hyperparameters:
                raise SpaceError(
                    f"{name!r} is declared a second time, first in line {self.lines[name]}. "
                    "Remove one of the two lines, or rename it."
                )
            hyperparameter.to_language(name)
        self.hyperparameters[name], self.lines[name] = hyperparameter, line

    def space(self) -> HyperparameterSpace:
        """The space.

        Raises
        ------
        SpaceError
            Naming file and line.
        """
        if not self.hyperparameters:
            raise SpaceError(f"{self.path} declares no hyperparameter. Declare at least one.")
        plain = space(self.hyperparameters)
        domains = {domain.name: domain for domain in plain.domains}
        for line, child, tree in self.conditions:
            with at_line(self.path, line):
                self._condition(child, tree, domains)
        forbid: list[Mapping[str, Any] | str] = []
        for line, tree in self.forbidden:
            with at_line(self.path, line):
                clauses = [_clause(tests, domains) for tests in normal_form(tree, "or")]
                for clause in clauses:
                    forbidden_json(clause, domains)
                forbid += clauses
        try:
            return space(self.hyperparameters, forbid=forbid)
        except SpaceError as error:
            raise SpaceError(f"{self.path}: {error}") from error

    def _condition(self, child: str, tree: Tree, domains: Mapping[str, Domain]) -> None:
        if child not in domains:
            raise SpaceError(
                f"there is a condition on {child!r}, which is not declared."
                f"{closest(child, domains)} Declare it, or remove the condition."
            )
        wanted: list[Mapping[str, Any] | AnyOf] = []
        for tests in normal_form(tree, "and"):
            parts = [{test.name: _wanted(test, domains)} for test in tests]
            wanted.append(parts[0] if len(parts) == 1 else any_of(*parts))
        condition_json(child, wanted, domains)
        for one in wanted:
            self.hyperparameters[child] = self.hyperparameters[child].when(one)


def _wanted(test: Claim, domains: Mapping[str, Domain]) -> Any:
    """The right side of a test as the short form has it."""
    domain = domains.get(test.name)
    if domain is None:
        raise SpaceError(
            f"{test.name!r} is compared with {', '.join(test.values)}, but is not declared."
            f"{closest(test.name, domains)} Declare it, or remove the comparison."
        )
    values = [
        text if domain.choices else number(text, whole=domain.kind == "integer" and not _odd(text))
        for text in test.values
    ]
    if test.symbol in ("==", "in"):
        return values if len(values) > 1 else values[0]
    return Compare(test.symbol, values[0])


def _odd(text: str) -> bool:
    """Whether a threshold lies between whole numbers, which is allowed in a comparison."""
    try:
        return not float(text).is_integer()
    except ValueError:
        return False


def _clause(tests: list[Claim], domains: Mapping[str, Domain]) -> Mapping[str, Any] | str:
    """Tests that must not all hold, as the short form has it."""
    relations = [
        test
        for test in tests
        if test.symbol != "in"
        and test.values[0] in domains
        and test.name in domains
        and test.values[0] not in domains[test.name].choices
    ]
    if relations and len(tests) == 1:
        test = tests[0]
        return f"{test.name} {test.symbol} {test.values[0]}"
    if relations:
        raise SpaceError(
            f"{relations[0].name} {relations[0].symbol} {relations[0].values[0]} compares two "
            "hyperparameters together with further tests, which ConfigSpace cannot. Let it stand "
            "alone, or list the forbidden values."
        )
    clause: dict[str, Any] = {}
    for test in tests:
        if test.name in clause:
            raise SpaceError(
                f"{test.name!r} occurs twice in one forbidden combination. List the values that "
                f"are meant: {test.name} in {{...}}."
            )
        clause[test.name] = _wanted(test, domains)
    return clause
