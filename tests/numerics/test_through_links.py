"""Values that go through a link still add up, and keep what symmetry demands."""

import numpy as np
import pytest

from octavo.numerics.through_links import rescaled, softmaxed


def softmax(scores):
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0, 2, size=(50, 4, 3))


def test_values_add_up_behind_a_function_of_one_number(values):
    base = np.array([0.3, -1.0, 2.0])
    start, found = rescaled(np.tanh, base, values)
    np.testing.assert_allclose(start + found.sum(axis=1), np.tanh(base + values.sum(axis=1)))


def test_columns_that_cancel_out_keep_their_slopes():
    _, found = rescaled(np.exp, np.zeros(1), np.array([[[0.5], [-0.5]]]))
    np.testing.assert_allclose(found[0, :, 0], [0.5, -0.5], rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_values_add_up_behind_a_softmax(values, scale):
    base = np.array([0.1, 0.0, -0.2])
    start, found = softmaxed(base, scale * values)
    want = softmax(base + scale * values.sum(axis=1))
    np.testing.assert_allclose(start + found.sum(axis=1), want, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=2), 0.0, atol=1e-9)  # probabilities sum to 1


def test_two_classes_by_softmax_are_the_rescale_rule(values):
    one = values[:, :, :1]
    logits = np.concatenate([np.zeros_like(one), one], axis=2)
    _, found = softmaxed(np.zeros(2), logits)
    _, want = rescaled(lambda x: 1 / (1 + np.exp(-x)), np.zeros(1), one)
    np.testing.assert_allclose(found[:, :, 1], want[:, :, 0], atol=1e-6)


def test_a_temperature_of_one_leaves_probabilities_as_they_are(values):
    given = softmax(values.sum(axis=1))
    base = given.mean(axis=0)
    shares = np.random.default_rng(1).dirichlet(np.ones(4), size=50)[:, :, np.newaxis]
    parts = shares * (given - base)[:, np.newaxis]
    start, found = softmaxed(base, parts, of_probabilities=True)
    np.testing.assert_allclose(start, base)
    np.testing.assert_allclose(found, parts, atol=1e-6)
