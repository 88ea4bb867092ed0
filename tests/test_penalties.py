"""Penalties: against their definition and automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, array
from numpy.testing import assert_allclose, assert_array_equal

import jaxlogreg as jlr

EPS = float(jnp.finfo(DTYPE).eps)


W = array([1.0, -2.0, 0.5, 4.0])
RIDGE = jlr.L2(array(0.3), array([1.0, 2.0, 0.0, 0.25]))
penalties = pytest.mark.parametrize("penalty", [RIDGE, jlr.NoPenalty()], ids=["L2", "NoPenalty"])


def test_ridge_is_half_the_strength_times_the_weighted_squares():
    assert_allclose(RIDGE.value(W), 0.15 * (1 * 1 + 2 * 4 + 0 + 0.25 * 16), rtol=8 * EPS)


def test_no_penalty_is_zero():
    assert_array_equal(jlr.NoPenalty().value(W), 0.0)


@penalties
def test_gradient_and_diagonal_are_the_derivatives(penalty):
    assert_allclose(penalty.gradient(W), jax.grad(penalty.value)(W), rtol=8 * EPS)
    assert_allclose(np.diag(penalty.diagonal(W)), jax.jit(jax.hessian(penalty.value))(W), rtol=8 * EPS)


@penalties
def test_rescaled_is_the_same_penalty_of_rescaled_weights(penalty):
    scale = array([2.0, 0.1, 3.0, 100.0])
    assert_allclose(penalty.rescaled(scale).value(W * scale), penalty.value(W), rtol=16 * EPS)


@penalties
def test_penalties_have_lanes_under_vmap(penalty):
    lanes = jnp.stack([W, 2.0 * W])
    assert_allclose(jax.vmap(penalty.value)(lanes), penalty.value(W) * array([1.0, 4.0]), rtol=8 * EPS)


def test_the_strength_of_a_ridge_may_be_swept_and_differentiated():
    value = lambda strength: jlr.L2(strength, RIDGE.factor).value(W)  # noqa: E731
    assert_allclose(jax.vmap(value)(array([0.0, 0.3])), [0.0, RIDGE.value(W)], rtol=8 * EPS)
    assert_allclose(jax.grad(value)(array(0.3)), 6.5, rtol=8 * EPS)
