"""Laws of the package as a whole: its public names, and what importing it costs."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import octavo

HEAVY = ["pandas", "sklearn", "torch", "plotly", "ConfigSpace", "sqlalchemy", "scipy", "numpy"]


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def modules() -> list[str]:
    """Every module of the package, by its full name; not those that run when imported."""
    found = [m.name for m in pkgutil.walk_packages(octavo.__path__, "octavo.")]
    # alembic runs its environment and its revisions itself, inside a migration
    return [name for name in found if not name.endswith("__main__") and ".migrations." not in name]


def test_import_octavo_loads_nothing_heavy():
    code = f"import sys, octavo; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert python(code) == ""


@pytest.mark.parametrize("package", ["spaces", "optimizers", "executors", "storage", "study"])
def test_the_engine_does_not_load_what_only_tables_need(package):
    code = (
        f"import sys, octavo.{package}; "
        "print(*[m for m in ['pandas', 'sklearn', 'torch', 'plotly'] if m in sys.modules])"
    )
    assert python(code) == ""


def test_keepers_do_not_load_what_only_trials_need():
    """Each worker has one beside it."""
    code = f"import sys, octavo.executors.keeper; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert python(code) == ""


def test_every_public_name_works_after_every_module_was_imported():
    for name in modules():
        importlib.import_module(name)
    for name in octavo.__all__:
        value = getattr(octavo, name)
        if isinstance(value, ModuleType):
            assert value.__name__ == f"octavo.{name}"
        else:
            # a submodule of that name would have replaced it
            assert value.__module__.startswith("octavo."), name
            assert value.__doc__, f"{name} has no docstring"


def test_no_module_bears_the_name_of_a_public_object():
    objects = {name for name in octavo.__all__ if not isinstance(getattr(octavo, name), ModuleType)}
    assert objects.isdisjoint(module.split(".")[1] for module in modules())


def test_public_names_are_complete_and_sorted():
    stub = Path(octavo.__file__).with_suffix(".pyi").read_text()
    assert list(octavo.__all__) == sorted(octavo.__all__)
    assert set(octavo.__all__) <= set(dir(octavo))
    for name in octavo.__all__:
        assert f"{name} as {name}" in stub, f"type checkers would not see octavo.{name}"


@pytest.mark.parametrize("name", modules())
def test_all_lists_name_what_exists(name):  # ruff (RUF022) keeps them sorted
    module = importlib.import_module(name)
    missing = [entry for entry in getattr(module, "__all__", []) if not hasattr(module, entry)]
    assert not missing, f"{name}.__all__ names {missing}"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        octavo.no_such_name


def test_the_package_is_typed():
    assert (Path(octavo.__file__).parent / "py.typed").exists()
