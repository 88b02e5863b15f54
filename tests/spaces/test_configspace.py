"""Any hand-built `ConfigurationSpace` is a space, with ConfigSpace's own meaning."""

import json

import ConfigSpace as CS
import numpy as np
from scipy import stats

from octavo.spaces import HyperparameterSpace, as_space, from_json


def hand_built():
    """All kinds of hyperparameters, conditions and forbidden clauses that ConfigSpace has."""
    cs = CS.ConfigurationSpace(name="all kinds")
    cat = CS.CategoricalHyperparameter("cat", ["a", "b", "c"], weights=[1, 2, 1], default_value="a")
    flag = CS.CategoricalHyperparameter("flag", [True, False])
    size = CS.OrdinalHyperparameter("size", ["s", "m", "l"])
    number = CS.OrdinalHyperparameter("number", [1, 10, 100], default_value=10)
    real = CS.UniformFloatHyperparameter("real", -1, 1, meta={"unit": "m"})
    log = CS.UniformFloatHyperparameter("log", 1e-3, 10, log=True)
    whole = CS.UniformIntegerHyperparameter("whole", 1, 10)
    wholelog = CS.UniformIntegerHyperparameter("wholelog", 1, 100, log=True)
    normal = CS.NormalFloatHyperparameter("normal", mu=0.2, sigma=0.1, lower=0, upper=1)
    normalint = CS.NormalIntegerHyperparameter("normalint", mu=3, sigma=2, lower=0, upper=10)
    beta = CS.BetaFloatHyperparameter("beta", alpha=2, beta=5, lower=0, upper=2)
    betaint = CS.BetaIntegerHyperparameter("betaint", alpha=2, beta=2, lower=0, upper=5)
    fixed = CS.Constant("fixed", "always")
    hps = [cat, flag, size, number, real, log, whole, wholelog, normal, normalint, beta, betaint]
    cs.add(*hps, fixed)
    cs.add(
        CS.EqualsCondition(log, cat, "b"),
        CS.NotEqualsCondition(wholelog, cat, "a"),
        CS.InCondition(normal, size, ["m", "l"]),
        CS.AndConjunction(
            CS.GreaterThanCondition(beta, whole, 3), CS.LessThanCondition(beta, real, 0.5)
        ),
        CS.OrConjunction(
            CS.EqualsCondition(betaint, flag, True), CS.GreaterThanCondition(betaint, log, 0.1)
        ),
        CS.GreaterThanCondition(fixed, size, "s"),
    )
    cs.add(
        CS.ForbiddenEqualsClause(normalint, 0),
        CS.ForbiddenAndConjunction(
            CS.ForbiddenEqualsClause(cat, "c"), CS.ForbiddenInClause(size, ["m", "l"])
        ),
        CS.ForbiddenGreaterThanRelation(whole, number),
        CS.ForbiddenLessThanRelation(wholelog, whole),
        CS.ForbiddenAndConjunction(
            # not "less than or equal": ConfigSpace 1.2 mistakes it for "greater" when sampling
            CS.ForbiddenGreaterThanClause(real, 0.9),
            CS.ForbiddenLessThanClause(whole, 3),
        ),
        CS.ForbiddenEqualsRelation(normalint, betaint),
        CS.ForbiddenOrConjunction(
            CS.ForbiddenGreaterThanEqualsClause(log, 9.0), CS.ForbiddenLessThanClause(log, 2e-3)
        ),
    )
    return cs


CONFIGSPACE = hand_built()
SPACE = as_space(CONFIGSPACE)


def test_sampled_configurations_are_configspaces():
    for config in SPACE.decode(SPACE.sample(500, np.random.default_rng(0))):
        CS.Configuration(CONFIGSPACE, values=config)


def test_configspaces_configurations_are_ours():
    CONFIGSPACE.seed(0)
    theirs = [dict(c) for c in CONFIGSPACE.sample_configuration(500)]
    points = SPACE.encode(theirs)
    for one, two in zip(SPACE.decode(points), theirs, strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            same = (
                np.isclose(value, two[name], 1e-9)
                if isinstance(value, float)
                else value == two[name]
            )
            assert same, name


def test_each_clause_judges_as_configspace_does():
    for clause in (
        CS.ForbiddenGreaterThanClause,
        CS.ForbiddenGreaterThanEqualsClause,
        CS.ForbiddenLessThanClause,
        CS.ForbiddenLessThanEqualsClause,
        CS.ForbiddenEqualsClause,
    ):
        cs = CS.ConfigurationSpace()
        cs.add(
            CS.UniformIntegerHyperparameter("a", 1, 5),
            CS.OrdinalHyperparameter("o", ["s", "m", "l"]),
        )
        cs.add(
            CS.ForbiddenAndConjunction(clause(cs["a"], 3), CS.ForbiddenEqualsClause(cs["o"], "l"))
        )
        made = as_space(cs)
        legal = {(c["a"], c["o"]) for c in made.grid(9)}
        for a in range(1, 6):
            for o in ("s", "m", "l"):
                forbidden = cs.forbidden_clauses[0].is_forbidden_value({"a": a, "o": o})
                assert ((a, o) in legal) == (not forbidden), (clause, a, o)


def test_the_order_and_the_default_are_configspaces():
    assert list(SPACE.names) == list(CONFIGSPACE)
    assert SPACE.default() == dict(CONFIGSPACE.get_default_configuration())


def test_everything_survives_json():
    again = from_json(json.loads(json.dumps(SPACE.to_json())))
    assert again == SPACE
    assert isinstance(again, HyperparameterSpace)
    assert again.configspace == CONFIGSPACE
    assert again.configspace["real"].meta == {"unit": "m"}


def test_distributions_are_read_as_beliefs():
    """The space is sampled uniformly; ConfigSpace's own density is the belief."""
    points = SPACE.sample(4000, np.random.default_rng(0))
    by_name = {c.name: points.values[:, i] for i, c in enumerate(points.columns)}
    for name in ("normal", "beta"):
        u = by_name[name][~np.isnan(by_name[name])]
        assert stats.kstest(u, "uniform").pvalue > 1e-6
    single = CS.ConfigurationSpace(seed=1)
    single.add(CS.NormalFloatHyperparameter("x", mu=0.2, sigma=0.1, lower=0, upper=1))
    made = as_space(single)
    density = np.exp(made.log_belief(made.encode([{"x": 0.1}, {"x": 0.35}])))
    np.testing.assert_allclose(density, single["x"].pdf_values(np.array([0.1, 0.35])), rtol=1e-6)
    weights = CS.ConfigurationSpace()
    weights.add(CS.CategoricalHyperparameter("k", ["a", "b"], weights=[1, 3]))
    made = as_space(weights)
    np.testing.assert_allclose(
        np.exp(made.log_belief(made.encode([{"k": "a"}, {"k": "b"}]))), [0.5, 1.5]
    )


def test_a_plain_dictionary_space_of_configspace():
    made = as_space(CS.ConfigurationSpace({"a": (0, 10), "b": (0.0, 1.0), "c": ["x", "y"]}))
    assert {(c.name, c.kind) for c in made.columns} == {
        ("a", "integer"), ("b", "float"), ("c", "categorical"),
    }  # fmt: skip
