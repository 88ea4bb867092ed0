"""Prediction: against scipy, and the definitions of the three kinds of model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

import jaxlogreg as jlr

EPS = float(jnp.finfo(DTYPE).eps)
TOL = {"rtol": 100 * EPS, "atol": 20 * EPS}
RNG = np.random.default_rng(0)


X = array(RNG.normal(size=(20, 3)))
BINARY = jlr.Params(array(RNG.normal(size=3)), array(0.5))
LANES = jlr.Params(array(RNG.normal(size=(4, 3))), array(RNG.normal(size=4)))
ONE_VS_ALL = jlr.Params(array(RNG.normal(size=(5, 3))), array(RNG.normal(size=5)), "one_vs_all")
SOFTMAX = jlr.Params(ONE_VS_ALL.coef, ONE_VS_ALL.intercept, "softmax")
every_kind = pytest.mark.parametrize("params", [BINARY, ONE_VS_ALL, SOFTMAX], ids=["binary", "one_vs_all", "softmax"])


def margins(params):
    return exact(X) @ exact(params.coef).T + exact(params.intercept)


@every_kind
def test_decision_function_is_the_margins(params):
    assert_allclose(jlr.decision_function(params, X), margins(params), **TOL)


def test_binary_probability_is_the_sigmoid_of_the_margin():
    assert_allclose(jlr.predict_proba(BINARY, X), expit(margins(BINARY)), **TOL)


def test_softmax_probabilities_are_the_softmax_of_the_margins():
    assert_allclose(jlr.predict_proba(SOFTMAX, X), softmax(margins(SOFTMAX), axis=1), **TOL)


def test_one_vs_all_probabilities_are_the_normalised_sigmoids():
    p = expit(margins(ONE_VS_ALL))
    assert_allclose(jlr.predict_proba(ONE_VS_ALL, X), p / p.sum(axis=1, keepdims=True), **TOL)


@pytest.mark.parametrize("params", [ONE_VS_ALL, SOFTMAX], ids=["one_vs_all", "softmax"])
def test_the_predicted_class_has_the_largest_margin_and_the_largest_probability(params):
    classes, p = jlr.predict(params, X), np.asarray(jlr.predict_proba(params, X))
    assert classes.dtype == jnp.int32
    assert_array_equal(classes, margins(params).argmax(axis=1))
    assert_array_equal(classes, p.argmax(axis=1))
    assert_allclose(p.sum(axis=1), np.ones(20), rtol=20 * EPS)


@pytest.mark.parametrize("kind", ["one_vs_all", "softmax"])
def test_extreme_margins_give_probabilities_that_sum_to_one(kind):
    params = jlr.Params(array([[0.0], [0.0], [1.0]]), array([-2000.0, -1000.0, 0.0]), kind)
    rows = array([[-3000.0], [-1000.5], [0.0], [1e4]])
    p = np.asarray(jlr.predict_proba(params, rows))
    assert_allclose(p.sum(axis=1), np.ones(4), rtol=20 * EPS)
    # All say no to the first rows: the class that says it least firmly is the answer.
    assert_array_equal(jlr.predict(params, rows), [1, 1, 2, 2])
    odds = np.exp(0.5)
    assert_allclose(p[1], [0.0, odds / (1 + odds), 1 / (1 + odds)], **TOL)


def test_binary_class_is_one_from_the_threshold_on():
    params, rows = jlr.Params(array([1.0]), array(0.0)), array([[-3.0], [-1e-3], [0.0], [1e-3], [3.0]])
    assert jlr.predict(params, rows).dtype == jnp.int32
    assert_array_equal(jlr.predict(params, rows), [0, 0, 1, 1, 1])
    assert_array_equal(jlr.predict(params, rows, threshold=0.9), [0, 0, 0, 0, 1])
    assert_array_equal(jlr.predict(params, rows, 0.01), [1, 1, 1, 1, 1])
    assert_array_equal(jlr.predict(params, rows, array(1.0)), [0, 0, 0, 0, 0])


def test_lanes_of_a_sweep_are_predicted_at_once():
    expected = margins(LANES).T
    assert_allclose(jlr.decision_function(LANES, X), expected, **TOL)
    assert_allclose(jlr.predict_proba(LANES, X), expit(expected), **TOL)
    assert_array_equal(jlr.predict(LANES, X), (expected >= 0).astype(int))
    assert_allclose(jax.vmap(jlr.predict_proba, in_axes=(0, None))(LANES, X), expit(expected), **TOL)


@every_kind
def test_prediction_is_the_same_under_jit_and_vmap(params):
    p = jlr.predict_proba(params, X)
    assert_allclose(jax.jit(jlr.predict_proba)(params, X), p, **TOL)
    assert_array_equal(jax.jit(jlr.predict)(params, X), jlr.predict(params, X))
    one_row = jax.vmap(lambda x: jlr.predict_proba(params, x[None])[0])
    assert_allclose(one_row(X), p, **TOL)


def test_prediction_takes_lists_integers_and_numpy_arrays():
    rows = [[1, 0, 2], [0, -1, 0]]
    expected = expit(exact(rows) @ exact(BINARY.coef) + 0.5)
    for given in (rows, np.array(rows), np.array(rows, np.float32), np.array(rows, np.float64), array(rows)):
        p = jlr.predict_proba(BINARY, given)
        assert p.dtype == DTYPE
        assert_allclose(p, expected, **TOL)


@pytest.mark.parametrize("predict", [jlr.decision_function, jlr.predict_proba, jlr.predict])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 4)), r"X must have the 3 columns the model was fitted on, got 4"),
        (np.zeros(3), r"X must have two axes .*X\.reshape\(-1, 1\)"),
        (np.array([[0.0, np.nan, 0.0]]), r"X must be finite, got nan"),
    ],
    ids=["columns", "vector", "NaN"],
)
def test_bad_rows_are_an_error(predict, rows, message):
    with pytest.raises(ValueError, match=message):
        predict(BINARY, rows)


@pytest.mark.parametrize("params", [ONE_VS_ALL, SOFTMAX], ids=["one_vs_all", "softmax"])
@pytest.mark.parametrize("threshold", [0.3, 1, array(0.5)], ids=["float", "int", "array"])
def test_a_threshold_for_several_classes_is_an_error(params, threshold):
    with pytest.raises(ValueError, match=r"threshold is for binary models"):
        jlr.predict(params, X, threshold)
