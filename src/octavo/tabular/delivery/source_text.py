"""The source of a module of the package, taken apart, and written again without some parts."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

__all__ = ["PACKAGE", "Module", "is_face", "text_of"]

PACKAGE = "octavo"
FACES = frozenset({"sklearn.base"})
"""Modules whose classes are dropped from the bases of ours: they let scikit-learn clone and show
an estimator, and have no part in what it computes."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Module:
    """A module's source, taken apart, and what of it is kept."""

    name: str
    lines: list[str]
    body: list[ast.stmt]
    is_package: bool
    kept: set[int] = field(default_factory=set)
    """Places in `body`."""
    methods: set[ast.stmt] = field(default_factory=set)
    """Kept methods of kept classes."""
    used: dict[str, ast.stmt] = field(default_factory=dict)
    """Names that imports at the top bind, and that are kept, with the import."""

    @cached_property
    def definitions(self) -> dict[str, int]:
        """Where in `body` each name is bound, imports aside."""
        return {name: place for place, stmt in enumerate(self.body) for name in _bound_by(stmt)}

    @cached_property
    def imported(self) -> dict[str, tuple[ast.Import | ast.ImportFrom, ast.alias]]:
        """The import that binds each name."""
        return {
            alias.asname or alias.name.partition(".")[0]: (stmt, alias)
            for stmt in self.body
            if isinstance(stmt, ast.Import | ast.ImportFrom)
            for alias in stmt.names
        }


def _bound_by(stmt: ast.stmt) -> Iterator[str]:
    if isinstance(stmt, Definition):
        yield stmt.name
    elif isinstance(stmt, ast.Assign | ast.AnnAssign):
        targets = stmt.targets if isinstance(stmt, ast.Assign) else [stmt.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def is_face(module: Module, base: ast.expr) -> bool:
    """Whether a base class is one of `FACES`."""
    found = module.imported.get(base.id) if isinstance(base, ast.Name) else None
    return isinstance(found, tuple) and getattr(found[0], "module", None) in FACES


def text_of(module: Module) -> str:
    """What is kept of a module, as source."""
    blocks = []
    if module.body and _is_text(module.body[0]):
        blocks.append("\n".join(_lines_of(module, module.body[0])))
    blocks.append("from __future__ import annotations")
    imports = _kept_imports(module)
    if imports:
        blocks.append("\n".join(imports))
    for place in sorted(module.kept):
        stmt = module.body[place]
        lines = _lines_of(module, stmt)
        if place + 1 < len(module.body) and _is_text(module.body[place + 1]):
            lines += _lines_of(module, module.body[place + 1])  # what a constant means
        is_definition = isinstance(stmt, Definition)
        blocks.append(("\n" if is_definition else "") + "\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _is_text(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)


def _kept_imports(module: Module) -> list[str]:
    by_stmt: dict[ast.stmt, list[str]] = defaultdict(list)
    for name, stmt in module.used.items():
        by_stmt[stmt].append(name)
    found = []
    for stmt in module.body:
        names = by_stmt.get(stmt)
        if names and isinstance(stmt, ast.Import | ast.ImportFrom):
            aliases = [
                alias
                for alias in stmt.names
                if (alias.asname or alias.name.partition(".")[0]) in names
            ]
            found.append(_import_line(module, stmt, aliases))
    return found


def _import_line(
    module: Module, stmt: ast.Import | ast.ImportFrom, aliases: list[ast.alias]
) -> str:
    if isinstance(stmt, ast.Import):
        return ast.unparse(ast.Import(names=aliases))
    name = str(stmt.module)
    if name.partition(".")[0] != PACKAGE:
        return ast.unparse(ast.ImportFrom(module=name, names=aliases, level=0))
    here = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    there = name.split(".")
    common = 0
    while common < min(len(here), len(there)) and here[common] == there[common]:
        common += 1
    level = len(here) - common + 1
    return ast.unparse(
        ast.ImportFrom(module=".".join(there[common:]) or None, names=aliases, level=level)
    )


def _lines_of(module: Module, stmt: ast.stmt) -> list[str]:
    """The lines of a statement, with the comments above it, without methods that fell off."""
    assert stmt.end_lineno is not None
    gone = _lines_of_dropped(module, stmt)
    written: dict[int, str] = {}
    if isinstance(stmt, ast.ClassDef) and any(is_face(module, base) for base in stmt.bases):
        written[stmt.lineno] = _class_line(module, stmt)
        gone.update(range(stmt.lineno + 1, stmt.body[0].lineno))
    for node in ast.walk(stmt):
        if not isinstance(node, ast.ImportFrom) or node.lineno in gone:
            continue
        if str(node.module).partition(".")[0] == PACKAGE:
            assert node.end_lineno is not None
            line = _import_line(module, node, node.names)
            written[node.lineno] = " " * node.col_offset + line
            gone.update(range(node.lineno + 1, node.end_lineno + 1))
    lines: list[str] = []
    for at in range(_first_line(module, stmt), stmt.end_lineno + 1):
        text = written.get(at, module.lines[at - 1])
        is_second_blank = not text and bool(lines) and not lines[-1]
        if at not in gone and not is_second_blank:
            lines.append(text)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _lines_of_dropped(module: Module, stmt: ast.stmt) -> set[int]:
    """The lines of a class's methods that fell off."""
    found: set[int] = set()
    if isinstance(stmt, ast.ClassDef):
        for member in stmt.body:
            if isinstance(member, ast.FunctionDef) and member not in module.methods:
                assert member.end_lineno is not None
                found.update(range(_first_line(module, member), member.end_lineno + 1))
    return found


def _class_line(module: Module, stmt: ast.ClassDef) -> str:
    bases = [ast.unparse(base) for base in stmt.bases if not is_face(module, base)]
    return f"class {stmt.name}({', '.join(bases)}):" if bases else f"class {stmt.name}:"


def _first_line(module: Module, stmt: ast.stmt) -> int:
    first = stmt.lineno
    if isinstance(stmt, Definition) and stmt.decorator_list:
        first = stmt.decorator_list[0].lineno
    while first > 1 and module.lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first
