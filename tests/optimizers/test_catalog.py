"""Names, JSON, warm starts and the automatic choice."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from octavo.errors import SettingError, SpaceError
from octavo.optimizers import CATALOG, Recipe, recipe
from octavo.optimizers.auto import Auto
from octavo.optimizers.grid import Grid
from octavo.optimizers.random_forest import RandomForestBO
from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.recipes import recipe_from_json, recipe_to_json
from octavo.optimizers.repeats import Repeats
from octavo.optimizers.warmed import Warmed
from octavo.problem import Constraint, Fidelity, Limits, Objective, Problem
from octavo.spaces import Categorical, Constant, Float, Grammar, space
from octavo.testing import answer

LINE = space(x=Float(0, 1))
EPOCHS = Fidelity("epochs", 1, 27)


@dataclass(frozen=True)
class Foreign:
    """A stranger's recipe."""

    strength: float = 1.0

    def start(self, problem, seed):
        return RandomSearch().start(problem, seed)


@pytest.mark.parametrize("name", CATALOG)
def test_every_name_makes_a_recipe_that_json_keeps(name: str) -> None:
    made = recipe(name)
    assert isinstance(made, Recipe) and type(made) is CATALOG[name]
    written = json.loads(json.dumps(recipe_to_json(made)))
    assert written["recipe"] == name
    assert recipe_from_json(written) == made
    assert made.start(Problem(LINE, fidelity=EPOCHS), 0).ask(1)


def test_nested_recipes_survive_json() -> None:
    nested = Repeats(Warmed(first=[{"x": 0.5}], inner=RandomForestBO(n_initial=3)))
    assert recipe_from_json(json.loads(json.dumps(recipe_to_json(nested)))) == nested


def test_a_recipe_is_returned_as_it_is() -> None:
    mine = Grid(resolution=3)
    assert recipe(mine) is mine


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("randm", r"no optimizer called 'randm'.*Did you mean 'random'\?"),
        (RandomSearch, r"optimizer=RandomSearch is a class.*RandomSearch\(\)"),
        (3, r"optimizer=3 is neither a name nor a recipe.*'random-forest'"),
    ],
)
def test_what_is_no_optimizer_is_refused(wrong, message) -> None:
    with pytest.raises(SettingError, match=message):
        recipe(wrong)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"recipe": "gird", "settings": {}}, r"no optimizer called 'gird'.*Did you mean 'grid'"),
        ({"recipe": "no_such_module:X", "settings": {}}, r"'no_such_module:X' cannot be imported"),
        ({"recipe": "json:NoSuchClass", "settings": {}}, r"'json:NoSuchClass' cannot be imported"),
        ({"recipe": "json:JSONDecoder", "settings": {}}, r"'json:JSONDecoder' is not a recipe"),
        ({"recipe": "grid", "settings": {"fine": 1}}, r"'grid' does not take.*'fine'.*version"),
        ({"name": "grid"}, r"does not describe a recipe.*'recipe' and 'settings'"),
    ],
)
def test_bad_descriptions_are_refused(data, message) -> None:
    with pytest.raises(SettingError, match=message):
        recipe_from_json(data)


def test_foreign_recipes_go_by_module_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, Foreign.__module__, sys.modules[__name__])
    written = recipe_to_json(Foreign(strength=2.0))
    assert written == {"recipe": f"{Foreign.__module__}:Foreign", "settings": {"strength": 2.0}}
    assert recipe_from_json(written) == Foreign(strength=2.0)


def test_a_recipe_that_nobody_could_import_is_refused() -> None:
    @dataclass(frozen=True)
    class Local:
        def start(self, problem, seed):
            return RandomSearch().start(problem, seed)

    with pytest.raises(SettingError, match=r"Local.* cannot be imported.*top level of a module"):
        recipe_to_json(Local())
    with pytest.raises(SettingError, match=r"Foreign.strength=<function.* has no JSON"):
        recipe_to_json(Foreign(strength=lambda: 1.0))


def test_the_catalog_loads_nothing_before_it_is_used() -> None:
    code = (
        "import sys, octavo.optimizers as o; assert 'octavo.optimizers.grid' not in sys.modules; "
        "o.recipe('random-forest'); o.recipe('auto'); "
        "heavy = {'sklearn', 'pandas', 'ConfigSpace', 'scipy.stats'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Warm starts -----------------------------------------------------------------------------


def test_known_configurations_come_first_and_the_inner_optimizer_learns_of_them() -> None:
    problem = Problem(LINE, limits=Limits(max_trials=20))
    first = [{"x": 0.25}, {"x": 0.75}]
    optimizer = Warmed(first=first, inner=RandomForestBO(n_initial=2)).start(problem, seed=0)
    proposals = optimizer.ask(2)
    assert [dict(p.config) for p in proposals] == first
    assert [p.index for p in proposals] == [0, 1]
    optimizer.tell([answer(problem, p) for p in proposals])
    (third,) = optimizer.ask(1)
    assert third.origin.by == "random-forest" and third.origin.intent != "initial design"


def test_a_known_configuration_that_was_tried_already_is_skipped() -> None:
    problem = Problem(LINE)
    warmed = Warmed(first=[{"x": 0.25}, {"x": 0.25}, {"x": 0.5}], inner=RandomSearch())
    assert [p.origin.by for p in warmed.start(problem, 0).ask(3)] == ["warmed", "warmed", "random"]


def test_a_known_configuration_outside_the_space_is_refused_at_the_start() -> None:
    with pytest.raises(SpaceError, match="x"):
        Warmed(first=[{"x": 7.0}]).start(Problem(LINE), seed=0)


# The automatic choice --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "chosen", "says"),
    [
        (Problem(LINE, limits=Limits(max_trials=50)), "Portfolio", "learns from few trials"),
        (Problem(LINE, limits=Limits(max_trials=8)), "Sobol", "8 trials are too few"),
        (Problem(LINE, limits=Limits(max_trials=10**5)), "RegularizedEvolution", "100000 trials"),
        (Problem(LINE), "Portfolio", "Gaussian process"),
        (Problem(space(c=Categorical([1, 2, 3]))), "Grid", "only 3 configurations"),
        (Problem(space(k=Constant(3))), "Grid", "only 1 configuration,"),
        (Problem(LINE, repeats=3), "Repeats", "noisy (repeats=3)"),
        (
            Problem(LINE, objectives=(Objective("a"), Objective("b"))),
            "Portfolio",
            "2 objectives",
        ),
        (Problem(LINE, constraints=(Constraint("t", high=1),)), "Portfolio", "1 constraint by"),
        (Problem(Grammar({"e": [["add", "e", "e"], ["x"]]}, "e")), "RandomForestBO", "trees"),
        (Problem(LINE, fidelity=EPOCHS), "Hyperband", "Hyperband over epochs from 1 to 27"),
        (
            Problem(LINE, fidelity=Fidelity("folds", 5, 10)),
            "Portfolio",
            "run at the full 10 folds, as 5",
        ),
        (
            Problem(LINE, fidelity=EPOCHS, limits=Limits(max_trials=8)),
            "Sobol",
            "the full 27 epochs",
        ),
        (
            Problem(LINE, fidelity=Fidelity("epochs", 1, 81), limits=Limits(max_trials=60)),
            "Hyperband",
            "from 3 to 81 (60 trials are too few",
        ),
        (Problem(LINE, fidelity=EPOCHS, repeats=3), "Repeats", "Hyperband over epochs"),
        (Problem(LINE, fidelity=EPOCHS), "Hyperband", "come from this: Bayesian"),
        (Problem(LINE, instances=("a", "b")), "RandomForestBO", "raced over 2 instances: each"),
        (Problem(LINE, instances=("a",), fidelity=EPOCHS), "RandomForestBO", "the full 27 epochs"),
    ],
)
def test_auto_chooses_by_the_problem_and_says_why(problem, chosen, says) -> None:
    made, why = Auto().choose(problem)
    assert type(made).__name__ == chosen
    assert says in why and why.endswith(".")
    assert Auto().start(problem, 0).ask(3) == made.start(problem, 0).ask(3)
