"""Laws of greedy ensemble selection, and the speed that a search needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from libraries import libraries

from octavo.ensemble import Metric, get_metric, select
from octavo.ensemble.batches import Batch
from octavo.errors import DataError, SettingError

seeds = st.integers(0, 2**32 - 1)


def some_median(y_true, y_pred):
    return float(np.median(np.abs(y_true - y_pred)))


some_median.greater_is_better = False


@given(library=libraries(), seed=seeds, n_bags=st.sampled_from([1, 3]))
def test_weights_sum_to_one_and_the_best_single_is_a_bound(library, seed, n_bags):
    metric, predictions, y, weight = library
    found = select(predictions, y, metric, size=8, n_bags=n_bags, sample_weight=weight, seed=seed)
    assert found.weights.shape == (len(predictions),)
    assert (found.weights >= 0).all()
    assert found.weights.sum() == pytest.approx(1.0)
    singles = [metric.score(y, one, sample_weight=weight) for one in predictions]
    best = min(metric.to_cost(score) for score in singles)
    assert metric.to_cost(found.score) <= best + 1e-9
    mixed = found.combine(list(predictions))
    assert metric.score(y, mixed, sample_weight=weight) == pytest.approx(found.score, abs=1e-9)


def test_to_a_metric_of_ranks_a_constant_is_no_member():
    """Of each fold another constant, as a model gives that has learned nothing."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    right = 1 / (1 + np.exp(-(2 * y - 1 + rng.normal(0, 1.5, 200))))
    fold = np.argsort(np.argsort(2 * y + rng.random(200))) % 5  # the classes shared out evenly
    levels = np.array([0.49, 0.495, 0.5, 0.505, 0.51])
    for seed in range(20):
        nothing = np.random.default_rng(seed).permutation(levels)[fold]
        models = [np.column_stack([1 - p, p]) for p in (right, nothing)]
        found = select(models, y, get_metric("roc_auc", "binary"), size=40)
        assert found.weights.tolist() == [1.0, 0.0]
    alone = select(models[1:], y, get_metric("roc_auc", "binary"))
    assert alone.weights.tolist() == [1.0]


@given(library=libraries(), seed=seeds)
def test_the_same_seed_gives_the_same_ensemble(library, seed):
    metric, predictions, y, weight = library
    one, two = (
        select(predictions, y, metric, size=6, n_bags=3, sample_weight=weight, seed=seed)
        for _ in range(2)
    )
    assert np.array_equal(one.weights, two.weights)


@given(library=libraries())
def test_batches_score_as_the_metric_does(library):
    metric, predictions, y, weight = library
    batch = Batch.of(metric, y, predictions, weight)
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(len(predictions)), 3)
    expected = [
        metric.to_cost(metric.score(y, np.tensordot(w, predictions, 1), sample_weight=weight))
        for w in shares
    ]
    mixed = np.tensordot(shares, batch.cuts, 1)
    assert batch.costs(mixed) == pytest.approx(np.array(expected), abs=1e-9)


def test_errors_that_cancel_are_found():
    y = np.arange(10.0)
    found = select([y + 3, y - 1, y + 20], y, get_metric("rmse", "regression"), size=20)
    assert found.weights == pytest.approx([0.25, 0.75, 0.0])
    assert found.score == pytest.approx(0.0)
    assert found.indices == (1, 0)


def test_a_copy_adds_nothing():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    model = y + rng.normal(size=50)
    found = select([model, model, model], y, get_metric("rmse", "regression"))
    assert found.weights.tolist() == [1.0, 0.0, 0.0]


def test_one_model_is_the_ensemble_and_constants_are_fine():
    y = np.array([0, 1, 0, 1])
    constant = np.full((4, 2), 0.5)
    for name in ("log_loss", "roc_auc", "accuracy"):
        found = select([constant], y, get_metric(name, "binary"))
        assert found.weights.tolist() == [1.0]
        assert found.indices == (0,)


def test_the_path_starts_at_the_best_single_model():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    p = rng.beta(2, 2, (6, 200))
    p = np.stack([1 - p, p], 2)
    p[:, np.arange(200), y] += 0.3
    p /= p.sum(2, keepdims=True)
    metric = get_metric("log_loss", "binary")
    found = select(p, y, metric, size=12)
    assert found.path[0] == pytest.approx(min(metric.score(y, one) for one in p))
    assert len(found.path) == 12
    assert found.score == pytest.approx(min(found.path))


def test_rows_without_predictions_and_models_that_failed_are_left_out():
    y = np.arange(6.0)
    holes = np.array([np.nan, 1.0, 2.0, 3.0, 4.0, 5.0])
    failed = np.full(6, np.nan)
    broken = np.array([np.nan, 1.0, np.nan, 3.0, 4.0, 5.0])
    found = select([failed, holes, broken], y, get_metric("mae", "regression"))
    assert found.weights.tolist() == [0.0, 1.0, 0.0]
    assert found.n_rows == 5
    assert found.score == 0.0


def test_only_the_best_models_are_considered():
    y = np.arange(10.0)
    found = select([y + 1, y - 2, y - 1.5], y, get_metric("rmse", "regression"), n_best=1)
    assert found.weights.tolist() == [1.0, 0.0, 0.0]


def test_metrics_of_labels_are_guided_by_log_loss():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100)
    p = rng.beta(2, 2, (5, 100))
    predictions = np.stack([1 - p, p], 2)
    assert select(predictions, y, get_metric("log_loss", "binary")).guide == "log_loss"
    assert select(predictions, y, get_metric("roc_auc", "binary")).guide == "roc_auc"
    # Sure and right on all but one row; the other is timid. Log loss prefers the timid one,
    # but accuracy must not fall below that of the best single model.
    y = np.arange(40) % 2
    sure = np.eye(2)[np.where(np.arange(40) == 0, 1 - y, y)]
    timid = np.eye(2)[np.where(np.arange(40) < 4, 1 - y, y)] * 0.02 + 0.49
    found = select([sure, timid], y, get_metric("accuracy", "binary"))
    assert found.score >= 39 / 40


def test_a_custom_metric_is_optimized():
    y = np.arange(9.0)
    found = select([y + 2, y - 2, y + 5], y, get_metric(some_median, "regression"))
    assert found.score == pytest.approx(0.0)

    def hits(y_true, y_pred):
        assert set(y_true) | set(y_pred) <= {"no", "yes"}
        return float(np.mean(y_true == y_pred))

    p = np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.9, 0.1], [0.1, 0.9]]])
    found = select(p, [0, 1], Metric.custom(hits, greater_is_better=True), classes=["no", "yes"])
    assert found.score == 1.0


def test_the_clock_ends_it():
    y = np.arange(10.0)
    found = select([y + 3, y - 1], y, get_metric("rmse", "regression"), time_limit_s=0.0)
    assert found.weights.tolist() == [0.0, 1.0]
    assert len(found.path) == 1


Y = np.arange(4.0)
RMSE = get_metric("rmse", "regression")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: select([Y], Y, RMSE, size=0), SettingError, "size=0"),
        (lambda: select([Y], Y, RMSE, n_best=0), SettingError, "n_best=0"),
        (lambda: select([Y], Y, RMSE, n_bags=0), SettingError, "n_bags=0"),
        (lambda: select([], Y, RMSE), DataError, "at least one array"),
        (lambda: select([Y, Y[:2]], Y, RMSE), DataError, r"\(2,\)"),
        (lambda: select([np.ones((4, 2, 2))], Y, RMSE), DataError, r"\(4, 2, 2\)"),
        (lambda: select([Y], Y[:2], RMSE), DataError, "4 rows"),
        (lambda: select([Y * np.nan], Y, RMSE), DataError, "none of the 1 models"),
        (lambda: select([Y], Y, RMSE).combine([Y, Y]), DataError, "2 models for 1"),
    ],
)
def test_bad_input_is_refused_with_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
