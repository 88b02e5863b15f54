"""Metrics against scikit-learn, against known mathematics, and against bad input."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, strategies as st

from octavo.ensemble import Metric, default_metric, get_metric, metric_names
from octavo.ensemble.scorers import _ReplayClassifier, _ReplayRegressor
from octavo.errors import DataError, SettingError

SAMPLES = frozenset({"f1_samples", "jaccard_samples", "precision_samples", "recall_samples"})
REGRESSION = frozenset(
    name
    for name in sk.get_scorer_names()
    if sk.get_scorer(name)._score_func.__module__ == "sklearn.metrics._regression"
)
BINARY_ONLY = frozenset(
    {
        "f1",
        "jaccard",
        "precision",
        "recall",
        "positive_likelihood_ratio",
        "neg_negative_likelihood_ratio",
    }
)
seeds = st.integers(0, 2**32 - 1)


def classification(seed: int, n_classes: int, *, ties: bool = False, n_rows: int = 60):
    """Targets in which every class occurs, probabilities that know something, weights."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_rows) % n_classes)
    logits = rng.normal(size=(n_rows, n_classes))
    logits[np.arange(n_rows), y] += rng.uniform(0, 2)
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    if ties:
        p = np.round(p * 4) + 1.0
        p /= p.sum(1, keepdims=True)
    return y, p, rng.integers(1, 5, n_rows).astype(float)


def regression(seed: int, n_rows: int = 50):
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 3.0, n_rows)
    return y, np.abs(y + rng.normal(size=n_rows)) + 0.01, rng.uniform(0.1, 3.0, n_rows)


def as_scikit_learn(name: str, y, prediction, weight):
    """What the scorer says about an estimator that makes these predictions."""
    replay = (
        _ReplayRegressor(prediction)
        if prediction.ndim == 1
        else _ReplayClassifier(prediction, np.arange(prediction.shape[1]))
    )
    more = {} if weight is None else {"sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sk.get_scorer(name)(replay, np.zeros((len(y), 1)), y, **more)


@pytest.mark.parametrize("name", sorted(REGRESSION))
@given(seed=seeds, weighted=st.booleans())
def test_regression_scorers_agree_with_scikit_learn(name, seed, weighted):
    y, prediction, weight = regression(seed)
    # scikit-learn's largest error knows no weights, and its weighted medians go to the
    # lower or upper value by version; ours is in its own test.
    if not weighted or name in {
        "neg_max_error",
        "neg_median_absolute_error",
        "d2_absolute_error_score",
    }:
        weight = None
    expected = as_scikit_learn(name, y, prediction, weight)
    assert get_metric(name, "regression").score(
        y, prediction, sample_weight=weight
    ) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(sk.get_scorer_names()) - REGRESSION - SAMPLES))
@given(seed=seeds, n_classes=st.integers(2, 5), ties=st.booleans())
def test_classification_scorers_agree_with_scikit_learn(name, seed, n_classes, ties):
    n_classes = 2 if name in BINARY_ONLY else n_classes
    task = "binary" if n_classes == 2 else "multiclass"
    if name == "top_k_accuracy" and task == "binary":
        n_classes, task = 3, "multiclass"  # the right one is always among the top two of two
    y, p, _ = classification(seed, n_classes, ties=ties and name != "top_k_accuracy")
    if name == "roc_auc" and task == "multiclass":
        expected = sk.roc_auc_score(y, p, multi_class="ovr")
    else:
        expected = as_scikit_learn(name, y, p, None)
    metric = get_metric(name, task)
    if not np.isfinite(expected):
        with pytest.raises(DataError, match="undefined"):
            metric.score(y, p)
    else:
        assert metric.score(y, p) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("accuracy", lambda y, p, w: sk.accuracy_score(y, p.argmax(1), sample_weight=w)),
        (
            "balanced_accuracy",
            lambda y, p, w: sk.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
        ),
        ("mcc", lambda y, p, w: sk.matthews_corrcoef(y, p.argmax(1), sample_weight=w)),
        ("cohen_kappa", lambda y, p, w: sk.cohen_kappa_score(y, p.argmax(1), sample_weight=w)),
        (
            "f1_macro",
            lambda y, p, w: sk.f1_score(
                y, p.argmax(1), average="macro", sample_weight=w, zero_division=0
            ),
        ),
        (
            "precision_weighted",
            lambda y, p, w: sk.precision_score(
                y, p.argmax(1), average="weighted", sample_weight=w, zero_division=0
            ),
        ),
        ("log_loss", lambda y, p, w: sk.log_loss(y, p, sample_weight=w)),
        ("brier", lambda y, p, w: sk.brier_score_loss(y, p, sample_weight=w)),
        (
            "roc_auc",
            lambda y, p, w: sk.roc_auc_score(
                y, p if p.shape[1] > 2 else p[:, 1], multi_class="ovr", sample_weight=w
            ),
        ),
        (
            "average_precision",
            lambda y, p, w: sk.average_precision_score(
                y, p if p.shape[1] > 2 else p[:, 1], sample_weight=w
            ),
        ),
    ],
)
@given(seed=seeds, n_classes=st.integers(2, 4), ties=st.booleans())
def test_weighted_metrics_agree_with_scikit_learn(name, reference, seed, n_classes, ties):
    y, p, w = classification(seed, n_classes, ties=ties)
    metric = get_metric(name, "binary" if n_classes == 2 else "multiclass")
    assert metric.score(y, p, sample_weight=w) == pytest.approx(reference(y, p, w), abs=1e-10)


@pytest.mark.parametrize("name", metric_names("binary"))
@given(seed=seeds)
def test_a_weight_of_two_is_a_row_twice(name, seed):
    y, p, _ = classification(seed, 2, n_rows=20)
    twice = np.repeat(np.arange(20), np.arange(20) % 2 + 1)
    metric = get_metric(name, "binary")
    assert metric.score(y, p, sample_weight=np.arange(20) % 2 + 1.0) == pytest.approx(
        metric.score(y[twice], p[twice]), abs=1e-10
    )


@pytest.mark.parametrize("name", [n for n in metric_names("regression") if n != "spearman"])
@given(seed=seeds)
def test_a_weight_of_two_is_a_row_twice_in_regression(name, seed):
    y, prediction, _ = regression(seed, n_rows=21)
    twice = np.repeat(np.arange(21), np.arange(21) % 2 + 1)
    metric = get_metric(name, "regression")
    assert metric.score(y, prediction, sample_weight=np.arange(21) % 2 + 1.0) == pytest.approx(
        metric.score(y[twice], prediction[twice]), rel=1e-9
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_metric_gives_its_optimum_to_the_truth_and_no_more(task):
    rng = np.random.default_rng(0)
    n_classes = {"binary": 2, "multiclass": 3}.get(task)
    for name in metric_names(task):
        metric = get_metric(name, task)
        if n_classes:
            y = np.arange(30) % n_classes
            perfect = np.eye(n_classes)[y]
            other = rng.dirichlet(np.ones(n_classes), 30)
        else:
            y = rng.uniform(1, 5, 30)
            perfect, other = y, rng.uniform(1, 5, 30)
        assert metric.score(y, perfect) == pytest.approx(metric.optimum, abs=1e-9), name
        assert metric.to_cost(metric.score(y, other)) >= metric.to_cost(metric.optimum), name


@given(seed=seeds, lost=st.integers(0, 2))
def test_a_fold_may_miss_a_class(seed, lost):
    y, p, w = classification(seed, 3)
    rows = y != lost
    for name in metric_names("multiclass"):
        for weight in (None, w[rows]):
            score = get_metric(name, "multiclass").score(y[rows], p[rows], sample_weight=weight)
            assert np.isfinite(score), name


def test_one_class_alone_scores_as_a_guess():
    p = np.array([[0.2, 0.8], [0.6, 0.4]])
    for weight in (None, [1.0, 2.0]):
        assert get_metric("roc_auc", "binary").score([1, 1], p, sample_weight=weight) == 0.5


def test_known_values_by_hand():
    y, p = [0, 1, 1], np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]])
    assert get_metric("accuracy", "binary").score(y, p) == pytest.approx(2 / 3)
    # Of two pairs (positive, negative) one is in order.
    assert get_metric("roc_auc", "binary").score(y, p) == 0.5
    assert get_metric("recall", "binary").score(y, p) == 0.5
    assert get_metric("medae", "regression").score([0, 0, 0], [1.0, 2, 9]) == 2.0
    assert get_metric("rmsle", "regression").score([0.0], [np.e - 1]) == pytest.approx(1.0)
    assert get_metric("smape", "regression").score([0.0, 1.0], [0.0, 3.0]) == 0.5


def test_a_sure_mistake_costs_much_but_not_everything():
    loss = get_metric("log_loss", "binary").score([1], np.array([[1.0, 0.0]]))
    assert 30 < loss < 40


@pytest.mark.parametrize(
    ("alias", "task", "name"),
    [
        ("ACC", "binary", "accuracy"),
        ("mean_squared_error", "regression", "mse"),
        ("Root Mean-Squared Error", "regression", "rmse"),
        ("roc_auc", "multiclass", "roc_auc_ovr"),
        (None, "regression", "rmse"),
    ],
)
def test_names_that_people_use(alias, task, name):
    assert get_metric(alias, task).name == name


def test_directions_turn_into_costs_and_back():
    gain, loss = get_metric("r2", "regression"), get_metric("rmse", "regression")
    assert (gain.to_cost(0.9), loss.to_cost(0.9)) == (-0.9, 0.9)
    assert gain.is_better(0.9, 0.8)
    assert loss.is_better(0.8, 0.9)
    assert gain.from_cost(gain.to_cost(0.25)) == 0.25
    negated = get_metric("neg_root_mean_squared_error", "regression")
    assert negated.greater_is_better
    assert negated.score([0.0], [2.0]) == -2.0


def test_a_custom_metric_sees_the_users_labels_and_weights():
    seen = {}

    def cost(y_true, y_pred, sample_weight=None):
        seen.update(y_true=y_true, y_pred=y_pred, weight=sample_weight)
        return np.average(y_true != y_pred, weights=sample_weight)

    metric = Metric.custom(cost, greater_is_better=False)
    p = np.array([[0.9, 0.1], [0.8, 0.2]])
    score = metric.score([0, 1], p, classes=["no", "yes"], sample_weight=[1.0, 3.0])
    assert score == 0.75
    assert seen["y_true"].tolist() == ["no", "yes"]
    assert seen["y_pred"].tolist() == ["no", "no"]
    assert metric.weighted
    assert metric.to_cost(score) == 0.75


def test_a_custom_metric_may_want_probabilities():
    def mean_of_the_truth(y_true, y_pred):
        return y_pred[np.arange(len(y_true)), y_true].mean()

    metric = Metric.custom(mean_of_the_truth, greater_is_better=True, needs="probabilities")
    assert metric.score([0, 1], np.array([[0.9, 0.1], [0.5, 0.5]])) == pytest.approx(0.7)
    assert not metric.weighted


def test_the_direction_may_stand_on_the_function():
    def hits(y_true, y_pred):
        return np.mean(y_true == y_pred)

    hits.greater_is_better = True
    metric = get_metric(hits, "binary")
    assert (metric.name, metric.greater_is_better) == ("hits", True)


def test_a_decision_rule_takes_the_place_of_the_most_probable_class():
    p = np.array([[0.7, 0.3], [0.9, 0.1]])
    metric = get_metric("accuracy", "binary")
    assert metric.score([1, 0], p) == 0.5
    assert metric.score([1, 0], p, decide=lambda q: (q[:, 1] > 0.2).astype(int)) == 1.0


def test_scorers_made_by_hand():
    y, p, _ = classification(1, 2)
    names = np.array(["no", "yes"])
    scorer = sk.make_scorer(sk.f1_score, pos_label="no")
    metric = get_metric(scorer, "binary")
    assert metric.kind == "labels"
    expected = sk.f1_score(names[y], names[p.argmax(1)], pos_label="no")
    assert metric.score(y, p, classes=names) == pytest.approx(expected)
    brier = sk.make_scorer(
        sk.brier_score_loss, greater_is_better=False, response_method="predict_proba"
    )
    metric = get_metric(brier, "binary")
    assert metric.kind == "probabilities"
    assert metric.score(y, p) == pytest.approx(-sk.brier_score_loss(y, p[:, 1]))
    pinball = sk.make_scorer(sk.mean_pinball_loss, greater_is_better=False, alpha=0.9)
    assert get_metric(pinball, "regression").score([1.0], [0.0]) == pytest.approx(-0.9)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_metrics_travel_to_other_processes(task):
    names = [*metric_names(task), "neg_mean_squared_error"][: None if task == "regression" else -1]
    for name in names:
        metric = get_metric(name, task)
        again = pickle.loads(pickle.dumps(metric))
        if task == "regression":
            y, prediction, _ = regression(0)
        else:
            y, prediction, _ = classification(0, 2 if task == "binary" else 3)
        assert again.score(y, prediction) == metric.score(y, prediction)
        assert again.greater_is_better == metric.greater_is_better


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_defaults_fit_their_task(task):
    assert task in default_metric(task).tasks
    assert default_metric(task).name in metric_names(task)


ONE = np.array([[0.5, 0.5]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: get_metric("acuracy", "binary"), SettingError, "Did you mean 'accuracy'"),
        (lambda: get_metric("rmse", "binary"), SettingError, "regression tasks, but .* binary"),
        (lambda: get_metric("f1", "multiclass"), SettingError, "'f1_macro'"),
        (lambda: get_metric("f1_samples", "multiclass"), SettingError, "several labels"),
        (lambda: get_metric("rand_score", "regression"), SettingError, "for classes"),
        (lambda: get_metric("accuracy", "binry"), SettingError, "Did you mean 'binary'"),
        (lambda: get_metric(3, "binary"), SettingError, "is of type int"),
        (lambda: get_metric(max, "binary"), SettingError, "greater_is_better=True"),
        (lambda: Metric.custom("f", greater_is_better=True), SettingError, "callable"),
        (
            lambda: Metric.custom(max, greater_is_better=True, needs="label"),
            SettingError,
            "Did you mean 'labels'",
        ),
        (
            lambda: get_metric(sk.make_scorer(sk.mean_squared_error), "binary"),
            SettingError,
            "for regression",
        ),
        (
            lambda: get_metric(
                sk.make_scorer(sk.hinge_loss, response_method="decision_function"), "binary"
            ),
            SettingError,
            "failed on a sample",
        ),
        (lambda: get_metric("rmse", "regression").score([1.0], [np.nan]), DataError, "finite"),
        (lambda: get_metric("rmse", "regression").score([np.inf], [1.0]), DataError, "true"),
        (lambda: get_metric("rmse", "regression").score([1.0, 2.0], [1.0]), DataError, "2 true"),
        (lambda: get_metric("rmsle", "regression").score([-1.0], [1.0]), DataError, "-1"),
        (
            lambda: get_metric("gamma_deviance", "regression").score([0.0], [1.0]),
            DataError,
            "> 0",
        ),
        (lambda: get_metric("accuracy", "binary").score([0], [1.0]), DataError, r"\(n, K\)"),
        (lambda: get_metric("accuracy", "binary").score([2], ONE), DataError, "columns for 0"),
        (lambda: get_metric("accuracy", "binary").score(["a"], ONE), DataError, "encoded"),
        (
            lambda: get_metric("accuracy", "binary").score([0], ONE, sample_weight=[0.0]),
            DataError,
            "not all zero",
        ),
        (
            lambda: Metric.custom(lambda y, p: "x", greater_is_better=True).score([0], ONE),
            DataError,
            "not a number",
        ),
        (
            lambda: Metric.custom(lambda y, p: np.nan, greater_is_better=True).score([0], ONE),
            DataError,
            "undefined",
        ),
    ],
)
def test_bad_input_is_refused_with_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
