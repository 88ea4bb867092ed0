"""Class weights: against scikit-learn and the documented ratio."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.utils.class_weight import compute_sample_weight

import jaxlogreg as jlr

RTOL = 8 * float(jnp.finfo(jnp.result_type(float)).eps)


def test_ninety_and_ten_are_weighted_as_one_to_nine():
    y = np.repeat([0, 1], [90, 10])
    weights = np.asarray(jlr.class_weights(y))
    assert_allclose(weights[-1] / weights[0], (1 / 10) / (1 / 90), rtol=RTOL)
    assert_allclose(weights[:90].sum(), weights[90:].sum(), rtol=100 * RTOL)


@pytest.mark.parametrize(
    "y",
    [
        np.repeat([0, 1], [90, 10]),
        np.array([0.0, 1.0, 1.0]),
        np.array([True, False, True, True]),
        np.array([2, 0, 1, 1, 2, 2, 2]),
        np.array([-5, 700, 700, 3]),
        np.array([4, 4, 4]),
    ],
    ids=["binary", "floats", "booleans", "three classes", "any labels", "one class"],
)
def test_balanced_weights_are_scikit_learns(y):
    weights = jlr.class_weights(y)
    assert weights.dtype == jnp.result_type(float)
    assert_allclose(weights, compute_sample_weight("balanced", y), rtol=100 * RTOL)


def test_balanced_weights_work_under_jit_and_vmap():
    y = jnp.array([[0, 0, 0, 1], [2, 1, 0, 0]])
    assert_allclose(jax.jit(jlr.class_weights)(y[0]), [2 / 3, 2 / 3, 2 / 3, 2], rtol=RTOL)
    assert_allclose(jax.vmap(jlr.class_weights)(y), [[2 / 3, 2 / 3, 2 / 3, 2], [4 / 3, 4 / 3, 2 / 3, 2 / 3]], rtol=RTOL)


def test_a_mapping_gives_each_class_its_cost():
    y = np.array([2, 0, 1, 0])
    expected = compute_sample_weight({0: 1.0, 1: 20.0, 2: 0.5}, y)
    assert_allclose(jlr.class_weights(y, {0: 1.0, 1: 20.0, 2: 0.5}), expected, rtol=RTOL)
    assert_allclose(jax.jit(lambda y: jlr.class_weights(y, {0: 1, 1: 20, 2: 0.5}))(y), expected, rtol=RTOL)


def test_a_mapping_may_name_labels_that_do_not_occur():
    assert_allclose(jlr.class_weights([1.0, 0.0], {0: 3.0, 1: 5.0, 7: 9.0}), [5.0, 3.0], rtol=RTOL)


def test_a_mapping_without_one_of_the_labels_is_an_error():
    with pytest.raises(ValueError, match=r"weights must name every label in y, but 2 is missing"):
        jlr.class_weights([0, 1, 2], {0: 1.0, 1: 2.0})


def test_an_unknown_rule_is_an_error():
    with pytest.raises(ValueError, match=r"weights must be .balanced. or a mapping.*got 'equal'"):
        jlr.class_weights([0, 1], "equal")


@pytest.mark.parametrize("y", [np.zeros((2, 2)), np.zeros(0), 1.0], ids=["matrix", "empty", "scalar"])
def test_labels_that_are_no_vector_are_an_error(y):
    with pytest.raises(ValueError, match=r"y must be a vector of labels"):
        jlr.class_weights(y)
