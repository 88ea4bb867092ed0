"""Penalties: against their definition and automatic differentiation."""

from dataclasses import replace

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
NET = jlr.ElasticNet(array(0.3), array(0.2), array([1.0, 2.0, 0.0, 0.25]), array([1.0, 0.5, 0.0, 2.0]))
BOUNDED = replace(NET, lower=array([-0.5, -2.0, -1.0, 0.0]), upper=array([1.0, jnp.inf, 0.5, 4.0]))
penalties = pytest.mark.parametrize("penalty", [RIDGE, jlr.NoPenalty()], ids=["L2", "NoPenalty"])
nets = pytest.mark.parametrize("penalty", [RIDGE, NET, BOUNDED], ids=["ridge", "net", "bounded"])
GRID = np.linspace(-4.0, 4.0, 160001)  # every number that a weight may be, nearly


def on_grid(penalty, j):
    """What the penalty makes of each number of the grid as weight ``j``, in float64; inf beyond its bounds."""
    if isinstance(penalty, jlr.L2):
        return 0.15 * float(penalty.factor[j]) * GRID**2
    value = 0.15 * float(penalty.l2_factor[j]) * GRID**2 + 0.2 * float(penalty.l1_factor[j]) * np.abs(GRID)
    if penalty.lower is None:
        return value
    return np.where((float(penalty.lower[j]) <= GRID) & (float(penalty.upper[j]) >= GRID), value, np.inf)


@nets
@pytest.mark.parametrize("step", [0.1, 3.0])
def test_the_proximal_map_is_a_minimum(penalty, step):
    x = array([0.9, -1.7, 0.3, 3.0])
    found = penalty.prox(x, array(step))
    for j in range(4):
        objective = 0.5 * (GRID - float(x[j])) ** 2 / step + on_grid(penalty, j)
        assert_allclose(found[j], GRID[np.argmin(objective)], atol=1e-4)


@nets
def test_fenchel_is_value_and_conjugate_less_their_product(penalty):
    w = array([0.3, -1.5, 0.4, 0.0])
    t = array([0.4, -0.6, 0.0, 0.2])
    expected = 0.0
    for j in range(4):
        value = on_grid(penalty, j)
        conjugate = np.max(float(t[j]) * GRID - value)
        expected += value[np.argmin(np.abs(GRID - float(w[j])))] + conjugate - float(t[j] * w[j])
    assert_allclose(penalty.fenchel(w, t), expected, atol=1e-4)
    assert penalty.fenchel(w, t) >= 0.0


def test_fenchel_is_infinite_where_the_conjugate_is_and_its_multiple_is_not():
    lasso = replace(NET, l2=array(0.0), l1_factor=array([1.0, 0.5, 1.0, 2.0]))
    t = array([0.4, -0.05, 0.0, 0.5])
    assert lasso.fenchel(W, t) == np.inf
    multiple = lasso.largest_multiple(t)
    assert_allclose(multiple, 0.5, rtol=1e-5)
    assert np.isfinite(lasso.fenchel(W, multiple * t))
    assert lasso.largest_multiple(0.1 * t) == 1.0


def test_the_least_subgradient_is_the_slope_of_steepest_descent():
    w, gradient = array([1.0, 0.0, 0.5, 0.0]), array([-0.5, 0.05, 0.4, 0.5])
    least = BOUNDED.least_subgradient(w, gradient)
    # 1 is at its upper bound and pulled on; 0 stays at its kink; 0.5 is at its bound and pulled back; 0 at its lower.
    assert_allclose(least, [0.0, 0.0, 0.4, 0.0], atol=4 * EPS)
    free = NET.least_subgradient(w, gradient)
    assert_allclose(free, [-0.3, 0.0, 0.4, 0.1], rtol=16 * EPS, atol=4 * EPS)


def test_the_slope_is_that_to_the_side_of_the_direction():
    w, direction = array([1.0, 0.0, 0.5, -2.0]), array([-1.0, 2.0, 1.0, 1.0])
    h = 2.0**-10
    difference = (NET.value(w + h * direction) - NET.value(w)) / h
    assert_allclose(NET.slope(w, direction), difference, atol=0.02)
    assert_allclose(NET.slope(w, direction) + NET.slope(w, -direction), 2 * 0.2 * 0.5 * 2.0, rtol=1e-5)


def test_some_weights_of_a_net_and_rescaled_ones_cost_the_same():
    index, scale = jnp.array([3, 1]), array([2.0, 0.1, 3.0, 100.0])
    parts = NET.weights(index).value(W[index]) + NET.weights(jnp.array([0, 2])).value(W[::2])
    assert_allclose(parts, NET.value(W), rtol=16 * EPS)
    assert_allclose(BOUNDED.rescaled(scale).value(W * scale), BOUNDED.value(W), rtol=16 * EPS)
    assert_array_equal(BOUNDED.rescaled(scale).bounds(W)[1], array([2.0, jnp.inf, 1.5, 400.0]))


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
