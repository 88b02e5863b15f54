"""Of the package's own source, only what predictions need: by shaking the tree of imports.

An exported model has to predict as the model here does, to the last digit, so it runs the same
code, not a second version of it that would drift. From the functions and classes that are
named at first, whatever they use is followed through the modules of the package; everything
else (searching, fitting, its imports) falls off.

Methods are kept by name: one stays if its name occurs as an attribute anywhere in what is kept,
or if its class extends one of another package. That may keep too much and never too little.
Annotations are not followed, because nothing evaluates them. The text of what stays is not
touched, besides imports, which become relative.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from octavo.tabular.delivery.source_text import PACKAGE, Module, is_face, text_of

__all__ = ["Shaken", "shake"]


@dataclass(frozen=True)
class Shaken:
    """What is left.

    Parameters
    ----------
    files
        Path below the root of the package, with "/", and the text of the module.
    imports
        Packages of others that the code imports, by their top-level names.
    """

    files: dict[str, str]
    imports: frozenset[str]


def shake(roots: Iterable[tuple[str, str]], *, methods: Iterable[str] = ()) -> Shaken:
    """Keep some definitions of the package and all that they use.

    Parameters
    ----------
    roots
        (module, name): functions and classes to keep, as ("octavo.errors", "closest").
    methods
        Names of methods that are called from outside.

    Raises
    ------
    LookupError
        If a module or name is not there.

    Examples
    --------
    >>> found = shake([("octavo.ensemble.calibration", "Calibration")], methods=["apply"])
    >>> sorted(found.files)
    ['__init__.py', 'ensemble/__init__.py', 'ensemble/calibration.py']
    >>> sorted(found.imports)
    ['numpy']
    >>> "minimize" in found.files["ensemble/calibration.py"]
    False
    """
    tree = _Tree()
    for name in methods:
        tree.mention(name)
    for module, name in roots:
        tree.keep(module, name)
    return Shaken(tree.files(), frozenset(tree.imports))


class _Tree:
    """The modules that were looked at, and what is kept of them."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self._modules: dict[str, Module] = {}
        self._mentioned: set[str] = set()
        self._waiting: dict[str, list[tuple[Module, ast.stmt]]] = defaultdict(list)

    def keep(self, name: str, what: str) -> None:
        """Keep one name of one module."""
        module = self._module(name)
        place = module.definitions.get(what)
        if place is not None:
            if place not in module.kept:
                module.kept.add(place)
                self._follow(module, module.body[place])
        elif what in module.imported:
            if what not in module.used:
                stmt, alias = module.imported[what]
                module.used[what] = stmt
                self._follow_import(stmt, alias)
        elif not (what.startswith("__") and what.endswith("__")):
            raise LookupError(f"{name} has no {what!r} at its top level.")

    def mention(self, attribute: str) -> None:
        """Keep the methods of a name, of all kept classes."""
        if attribute in self._mentioned:
            return
        self._mentioned.add(attribute)
        for module, method in self._waiting.pop(attribute, []):
            self._keep_method(module, method)

    def files(self) -> dict[str, str]:
        """The text of each module of which something is kept, and of its packages."""
        found = {"__init__.py": ""}
        for name, module in self._modules.items():
            parts = name.split(".")[1:]
            for depth in range(1, len(parts)):
                found.setdefault("/".join([*parts[:depth], "__init__.py"]), "")
            if module.kept or module.used:
                ending = ["__init__.py"] if module.is_package else []
                path = "/".join([*parts, *ending])
                found[path if ending else f"{path}.py"] = text_of(module)
        return found

    # Following what is used ----------------------------------------------------------------

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            spec = find_spec(name)
            source = getattr(spec.loader, "get_source", lambda name: None)(name) if spec else None
            if spec is None or source is None:
                raise LookupError(f"the source of {name} is not there.")
            self._modules[name] = Module(
                name,
                source.splitlines(),
                ast.parse(source).body,
                spec.submodule_search_locations is not None,
            )
        return self._modules[name]

    def _keep_method(self, module: Module, method: ast.stmt) -> None:
        module.methods.add(method)
        self._follow(module, method)

    def _follow(self, module: Module, node: ast.AST) -> None:
        """Keep what a piece of code uses."""
        if isinstance(node, ast.ClassDef):
            bases = [base for base in node.bases if not is_face(module, base)]
            for part in (*node.decorator_list, *bases, *node.keywords):
                self._follow(module, part)
            # A base of others calls what it finds overridden, by names that we do not see.
            keep_all = any(not self._is_ours(module, base) for base in bases)
            for stmt in node.body:
                self._follow_member(module, stmt, keep=keep_all)
            return
        if isinstance(node, ast.Import | ast.ImportFrom):  # inside of a function
            for alias in node.names:
                self._follow_import(node, alias)
            return
        if isinstance(node, ast.Attribute):
            self.mention(node.attr)
            self._follow_attribute(module, node)
        elif isinstance(node, ast.Call):
            self._follow_getattr(node)
        elif isinstance(node, ast.Name) and (
            node.id in module.definitions or node.id in module.imported
        ):
            self.keep(module.name, node.id)
        for child in _evaluated(node):
            self._follow(module, child)

    def _is_ours(self, module: Module, base: ast.expr) -> bool:
        if not isinstance(base, ast.Name):
            return False
        found = module.imported.get(base.id)
        if found is None:
            return base.id in module.definitions
        return isinstance(found[0], ast.ImportFrom) and str(found[0].module).startswith(PACKAGE)

    def _follow_member(self, module: Module, stmt: ast.stmt, *, keep: bool) -> None:
        if not isinstance(stmt, ast.FunctionDef):
            self._follow(module, stmt)
        elif keep or stmt.name in self._mentioned or stmt.name.startswith("__"):
            self._keep_method(module, stmt)
        else:
            self._waiting[stmt.name].append((module, stmt))

    def _follow_attribute(self, module: Module, node: ast.Attribute) -> None:
        """`parsing.as_text`, where `parsing` is a module of the package."""
        found = module.imported.get(node.value.id) if isinstance(node.value, ast.Name) else None
        if found is not None and isinstance(found[0], ast.ImportFrom):
            target = f"{found[0].module}.{found[1].name}"
            if _is_module(target):
                self.keep(target, node.attr)

    def _follow_getattr(self, node: ast.Call) -> None:
        """`hasattr(estimator, "predict_proba")` mentions a method as well."""
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
            for argument in node.args[1:2]:
                if isinstance(argument, ast.Constant):
                    self.mention(str(argument.value))

    def _follow_import(self, stmt: ast.Import | ast.ImportFrom, alias: ast.alias) -> None:
        name = alias.name if isinstance(stmt, ast.Import) else str(stmt.module)
        top = name.partition(".")[0]
        if top != PACKAGE:
            if top not in sys.stdlib_module_names:
                self.imports.add(top)
        elif isinstance(stmt, ast.Import):
            raise LookupError(f"'import {name}' cannot be made relative; import names from it.")
        elif _is_module(f"{name}.{alias.name}"):
            self._module(f"{name}.{alias.name}")
        else:
            self.keep(name, alias.name)


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a piece of code that run: no annotations."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _is_module(name: str) -> bool:
    if name.partition(".")[0] != PACKAGE:
        return False
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False
