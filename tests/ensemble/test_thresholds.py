"""Decision rules win where they can, and are dropped where they cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.ensemble import DecisionRule, Metric, get_metric, tune_decision
from octavo.errors import DataError, SettingError


def rare(seed: int, n_rows: int = 3000, share: float = 0.1):
    """Calibrated probabilities of a rare class 1, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    one = np.clip(rng.beta(0.8, 0.8 * (1 - share) / share, n_rows), 1e-3, 1 - 1e-3)
    y = (rng.random(n_rows) < one).astype(int)
    return np.column_stack([1 - one, one]), y


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc"])
def test_a_rare_class_needs_a_lower_threshold(name):
    metric = get_metric(name, "binary")
    p, y = rare(1)
    rule = tune_decision(p, y, metric)
    assert rule.threshold < 0.45
    assert rule.gain > 0
    new_p, new_y = rare(2, 20_000)
    assert metric.score(new_y, new_p, decide=rule.apply) > metric.score(new_y, new_p)


def test_balanced_accuracy_of_calibrated_probabilities_has_a_known_threshold():
    # It is best to decide for a class where its probability exceeds its share.
    p, y = rare(3, 20_000, share=0.2)
    rule = tune_decision(p, y, get_metric("balanced_accuracy", "binary"))
    assert rule.threshold == pytest.approx(y.mean(), abs=0.06)


def test_classes_of_different_size_get_weights():
    rng = np.random.default_rng(0)
    shares = np.array([0.75, 0.15, 0.1])
    y = rng.choice(3, 6000, p=shares)
    logits = np.log(shares) + rng.normal(size=(6000, 3))
    logits[np.arange(6000), y] += 1.0
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    metric = get_metric("balanced_accuracy", "multiclass")
    rule = tune_decision(p[:3000], y[:3000], metric)
    assert rule.weights[0] < min(rule.weights[1:])
    before = metric.score(y[3000:], p[3000:])
    assert metric.score(y[3000:], p[3000:], decide=rule.apply) > before + 0.02
    assert rule.threshold is None


def test_accuracy_of_calibrated_probabilities_keeps_the_most_probable_class():
    """Nothing beats it in expectation; the cross-validation must see that."""
    metric = get_metric("accuracy", "binary")
    kept = sum(tune_decision(*rare(seed, 400, 0.4), metric).weights == () for seed in range(20))
    # By chance alone a useless rule passes in less than one of six.
    assert kept >= 12


@given(seed=st.integers(0, 2**32 - 1), n_classes=st.integers(2, 4), n_rows=st.integers(4, 120))
def test_rules_give_codes_and_survive_json(seed, n_classes, n_rows):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), n_rows)
    y = rng.integers(n_classes, size=n_rows)
    task = "binary" if n_classes == 2 else "multiclass"
    rule = tune_decision(p, y, get_metric("f1_macro", task), seed=seed % 7)
    labels = rule.apply(p)
    assert labels.shape == (n_rows,)
    assert set(labels) <= set(range(n_classes))
    assert DecisionRule.from_json(json.loads(json.dumps(rule.to_json()))) == rule
    assert rule == tune_decision(p, y, get_metric("f1_macro", task), seed=seed % 7)


def test_a_threshold_is_where_it_says():
    rule = DecisionRule.at(0.3)
    assert rule.threshold == pytest.approx(0.3)
    p = np.array([0.29, 0.31])
    assert rule.apply(np.column_stack([1 - p, p])).tolist() == [0, 1]
    assert DecisionRule().threshold == 0.5


def test_a_custom_metric_with_the_users_labels():
    def caught(y_true, y_pred):
        hits, alarms = (y_true == "ill") & (y_pred == "ill"), (y_true != "ill") & (y_pred == "ill")
        return float(10 * hits.mean() - alarms.mean())

    p, y = rare(4)
    metric = Metric.custom(caught, greater_is_better=True)
    rule = tune_decision(p, y, metric, classes=["healthy", "ill"], sample_weight=np.ones(len(y)))
    # An alarm pays where ten times the chance of a hit exceeds that of a false alarm: 1/11.
    assert rule.threshold == pytest.approx(1 / 11, abs=0.05)


def test_weights_of_rows_matter():
    p, y = rare(5)
    metric = get_metric("accuracy", "binary")
    heavy = tune_decision(p, y, metric, sample_weight=np.where(y == 1, 20.0, 1.0))
    assert heavy.threshold < 0.2


def test_missing_rows_and_single_classes_are_survived():
    p, y = rare(6, 200)
    p[:5] = np.nan
    tune_decision(p, y, get_metric("f1", "binary"))
    assert tune_decision(np.full((50, 2), 0.5), np.zeros(50, int), get_metric("f1", "binary")) == (
        DecisionRule()
    )


def test_metrics_without_labels_and_wrong_shapes_are_refused():
    with pytest.raises(SettingError, match="'log_loss' looks at probabilities"):
        tune_decision(np.full((50, 2), 0.5), np.zeros(50), get_metric("log_loss", "binary"))
    with pytest.raises(DataError, match=r"\(50,\)"):
        tune_decision(np.zeros(50), np.zeros(50), get_metric("f1", "binary"))
