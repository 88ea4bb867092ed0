"""A fit under vmap equals the loop of fits; its derivatives equal differences of re-solved fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64

import jaxlogreg as jlr

CLOSE = {"rtol": 0, "atol": 1e-8} if X64 else {"rtol": 1e-3, "atol": 1e-4}


def assert_same(lanes, fits):
    """Lanes of a vmapped solution equal a list of solutions."""
    for i, alone in enumerate(fits):
        np.testing.assert_allclose(lanes.params.coef[i], alone.params.coef, **CLOSE)
        np.testing.assert_allclose(lanes.params.intercept[i], alone.params.intercept, **CLOSE)
        assert lanes.status[i] == alone.status


def test_a_sweep_of_30_penalties_equals_the_loop(tumour):
    X, y = tumour
    l2s = jnp.logspace(-4 if X64 else -2, 1, 30, dtype=X.dtype)
    loop = [jlr.fit(X, y, l2=l2) for l2 in l2s]
    by_vmap = jax.vmap(lambda l2: jlr.fit(X, y, l2=l2))(l2s)
    by_path = jlr.fit_path(X, y, l2=l2s)
    assert_same(by_vmap, loop)
    assert_same(by_path, loop)
    assert np.all(by_path.converged)


def test_lanes_end_each_with_its_own_status(dtype):
    X = np.array([[-2], [-1], [1], [2]], dtype)
    ys = jnp.asarray([[0, 0, 1, 1], [0, 1, 0, 1]], dtype)
    lanes = jax.vmap(lambda y: jlr.fit(X, y))(ys)
    np.testing.assert_array_equal(lanes.status, [jlr.Status.SEPARABLE, jlr.Status.CONVERGED])
    assert lanes.message.startswith("1 of 2 lanes converged; lane 0: SEPARABLE")


def weighted_sum(l2, X, y, sample_weight, offset):
    params = jlr.fit(X, y, l2=l2, sample_weight=sample_weight, offset=offset).params
    return jnp.sum(jnp.cos(jnp.arange(5, dtype=X.dtype)) * params.coef) + params.intercept


ARGUMENTS = ["l2", "X", "y", "sample_weight", "offset"]


@pytest.fixture(scope="module")
def derivative_case(made, dtype):
    X, y, weight = made
    X = (X - X.mean(axis=0)) / X.std(axis=0)  # for differences of one size in every column
    arguments = [jnp.asarray(a, dtype) for a in (0.05, X, y, weight, 0.1 * X[:, 1])]
    # Under jit labels are traced, so that the differences may take them off 0 and 1.
    return arguments, jax.jit(weighted_sum), jax.jit(jax.grad(weighted_sum, argnums=(0, 1, 2, 3, 4)))(*arguments)


@pytest.mark.parametrize("which", range(5), ids=ARGUMENTS)
def test_gradient_equals_central_differences_of_refitted_solutions(which, derivative_case, dtype):
    arguments, function, gradients = derivative_case
    step = 1e-5 if X64 else 1e-2
    direction = np.random.default_rng(which).normal(size=arguments[which].shape).astype(dtype)
    up, down = ([a + s * step * direction if i == which else a for i, a in enumerate(arguments)] for s in (1, -1))
    difference = (function(*up) - function(*down)) / (2 * step)
    np.testing.assert_allclose(np.vdot(gradients[which], direction), difference, rtol=1e-6 if X64 else 2e-2)


def test_forward_mode_equals_reverse_mode(derivative_case):
    arguments, _, gradients = derivative_case
    forward = jax.jit(jax.jacfwd(weighted_sum, argnums=(0, 4)))(*arguments)
    np.testing.assert_allclose(forward[0], gradients[0], rtol=1e-8 if X64 else 1e-3)
    np.testing.assert_allclose(forward[1], gradients[4], rtol=1e-6, atol=1e-10 if X64 else 1e-4)


def test_derivative_of_the_minimum_is_half_the_squared_norm(made, dtype):
    X, y, _ = made
    l2 = jnp.asarray(0.3, dtype)
    slope = jax.grad(lambda l2: jlr.fit(X, y, l2=l2).value)(l2)
    np.testing.assert_allclose(slope, 0.5 * jnp.sum(jlr.fit(X, y, l2=l2).params.coef ** 2), rtol=1e-9 if X64 else 1e-4)


def test_vmapped_jitted_gradients_equal_single_ones(made, dtype):
    X, y, _ = made
    slope = jax.grad(lambda l2: jlr.fit(X, y, l2=l2).params.coef[0])
    l2s = jnp.asarray([0.01, 0.1, 1.0], dtype)
    np.testing.assert_allclose(jax.jit(jax.vmap(slope))(l2s), [slope(l2) for l2 in l2s], rtol=1e-8 if X64 else 1e-3)


@pytest.mark.parametrize("fit", [jlr.fit_one_vs_all, jlr.fit_softmax], ids=["one_vs_all", "softmax"])
def test_derivatives_of_classes_equal_central_differences(fit, made, dtype):
    X = (made[0] - made[0].mean(axis=0)) / made[0].std(axis=0)
    labels = np.random.default_rng(5).integers(0, 3, len(X))

    def function(l2, offset):
        params = fit(X, labels, 3, l2=l2, penalty_factor=np.array([0, 1, 1, 1, 1], dtype), offset=offset).params
        return jnp.sum(jnp.sin(jnp.arange(15, dtype=dtype)).reshape(3, 5) * params.coef) + params.intercept[1]

    shape = (len(X), 3) if fit is jlr.fit_softmax else (len(X),)
    l2, offset = jnp.asarray(0.05, dtype), jnp.asarray(np.random.default_rng(6).normal(size=shape), dtype)
    function = jax.jit(function)
    step, direction = (1e-5 if X64 else 1e-2), jnp.sign(offset)
    slopes = jax.jit(jax.grad(function, argnums=(0, 1)))(l2, offset)
    l2_step = 1e-6 if X64 else 5e-3
    by_l2 = (function(l2 + l2_step, offset) - function(l2 - l2_step, offset)) / (2 * l2_step)
    by_offset = (function(l2, offset + step * direction) - function(l2, offset - step * direction)) / (2 * step)
    np.testing.assert_allclose(slopes[0], by_l2, rtol=1e-6 if X64 else 5e-2)
    np.testing.assert_allclose(jnp.vdot(slopes[1], direction), by_offset, rtol=1e-6 if X64 else 2e-2)


def test_integer_results_have_tangents_too(made, dtype):
    X, y, _ = made
    solution, tangent = jax.jvp(lambda l2: jlr.fit(X, y, l2=l2), (jnp.asarray(0.1, dtype),), (jnp.ones((), dtype),))
    assert tangent.status.dtype == jax.dtypes.float0
    assert tangent.params.coef.shape == solution.params.coef.shape
    jacobian = jax.jacfwd(lambda l2: jlr.fit(X, y, l2=l2))(jnp.asarray(0.1, dtype))
    np.testing.assert_allclose(jacobian.params.coef, tangent.params.coef, rtol=1e-6)


def test_derivatives_with_respect_to_start_and_tolerance_are_zero(made, dtype):
    X, y, _ = made

    def function(start, tol):
        init = jlr.Params(start, jnp.zeros((), dtype))
        return jnp.sum(jlr.fit(X, y, l2=0.1, init=init, tol=tol).params.coef)

    slopes = jax.grad(function, argnums=(0, 1))(jnp.zeros(5, dtype), jnp.asarray(1e-5, dtype))
    assert np.all(slopes[0] == 0.0)
    assert slopes[1] == 0.0


def test_derivative_of_a_rank_deficient_fit_is_that_of_its_predictions(made, dtype):
    X, y, _ = made
    doubled = np.column_stack([X, X[:, 0]])

    def first_margin(X, weight):
        return jlr.decision_function(jlr.fit(X, y, sample_weight=weight).params, X[:1])[0]

    weight = jnp.ones(len(y), dtype)
    plain, redundant = (jax.grad(lambda s, X=X: first_margin(X, s))(weight) for X in (X, doubled))
    np.testing.assert_allclose(redundant, plain, rtol=1e-6 if X64 else 1e-2, atol=1e-9 if X64 else 1e-4)


def test_separated_data_have_no_derivative(dtype):
    X, y = np.array([[-2], [-1], [1], [2]], dtype), np.array([0, 0, 1, 1])
    slope = jax.grad(lambda s: jlr.fit(X, y, sample_weight=s).params.coef[0])(jnp.ones(4, dtype))
    assert np.all(np.isnan(slope))


def test_derivatives_keep_their_digits_on_a_column_far_from_zero(dtype):
    """A year beside standard normal columns: the derivative in raw coordinates would lose float32's digits."""
    rng = np.random.default_rng(7)
    X = np.column_stack([rng.normal(2000, 3, 400), rng.normal(size=(400, 2))])
    y = (rng.uniform(size=400) < 1 / (1 + np.exp(-(0.3 * (X[:, 0] - 2000) + X[:, 1])))).astype(dtype)
    centred = X - [2000, 0, 0]

    def slope(X):
        l2 = jnp.asarray(0.01, dtype)
        return jax.jacfwd(lambda l2: jlr.fit(X.astype(dtype), y, l2=l2, standardize=True).params.coef)(l2)

    np.testing.assert_allclose(slope(X), slope(centred), rtol=1e-8 if X64 else 1e-2)
