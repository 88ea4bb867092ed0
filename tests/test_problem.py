"""The problem: derivatives, points, and the duality gap against optima found by scipy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, array, exact
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import logsumexp

import jaxlogreg as jlr
from jaxlogreg import losses

EPS = float(jnp.finfo(DTYPE).eps)
TOL = {"rtol": 500 * EPS, "atol": 50 * EPS}
M, N, K = 60, 3, 3
L2 = 0.05


RNG = np.random.default_rng(0)
X = array(RNG.normal(size=(M, N)) + np.array([0.0, 1.0, -2.0]))
Y = array(RNG.random(M) < 0.35)
TARGETS = array(np.eye(K)[:, RNG.choice(K, M, p=[0.6, 0.3, 0.1])])
WEIGHT = array(RNG.uniform(0.2, 3.0, M) * (np.arange(M) % 6 > 0))
OFFSETS = array(RNG.normal(size=(K, M)))
FACTOR = array([1.0, 0.2, 5.0])


def cube(z, y):  # not convex
    return (z - y) ** 2 + 0.1 * jnp.sin(5.0 * z)


def example(kind, intercept, rich):
    """A problem, and its objective in numpy; ``rich`` adds weights, an offset and penalty factors."""
    factor = FACTOR if rich else jnp.ones(N, DTYPE)
    linear_map = jlr.WithIntercept(jlr.Dense(X)) if intercept else jlr.Dense(X)
    factor = jnp.append(factor, array(0.0)) if intercept else factor
    weight, offset = (WEIGHT, OFFSETS) if rich else (None, None)
    if kind == "softmax":
        linear_map, factor = jlr.PerClass(linear_map, K), jnp.tile(factor, K)
        loss = losses.SoftmaxCrossEntropy.create(TARGETS, weight, offset)
    else:
        offset = None if offset is None else offset[0]
        if kind == "binary":
            loss = losses.BinaryCrossEntropy.create(Y, weight, offset)
        else:
            loss = losses.from_function(cube, Y, sample_weight=weight, offset=offset)
    o = 0.0 if offset is None else exact(offset)
    A = np.hstack([exact(X), np.ones((M, 1))]) if intercept else exact(X)

    def objective(w):
        if kind == "softmax":
            z = w.reshape(K, -1) @ A.T + o
            rows = logsumexp(z, axis=0) - np.sum(exact(TARGETS) * z, axis=0)
        else:
            z = A @ w + o
            rows = (
                np.logaddexp(0.0, z) - exact(Y) * z if kind == "binary" else (z - exact(Y)) ** 2 + 0.1 * np.sin(5 * z)
            )
        return np.average(rows, weights=weight) + float(array(L2)) / 2 * np.sum(exact(factor) * w * w)

    return jlr.Problem(loss, linear_map, jlr.L2(array(L2), factor)), objective


every_kind = pytest.mark.parametrize("kind", ["binary", "softmax", "other"])
with_dual = pytest.mark.parametrize("kind", ["binary", "softmax"])
with_intercept = pytest.mark.parametrize("intercept", [False, True], ids=["no intercept", "intercept"])
with_data = pytest.mark.parametrize("rich", [False, True], ids=["plain", "weights, offset, factors"])


def random_weights(problem, count=1, scale=1.0):
    return array(np.random.default_rng(1).normal(size=(count, problem.linear_map.shape[1])) * scale)


@jax.jit
def value_and_gap(problem, w):
    def one(w):
        value = problem.value(w)
        return value, problem.duality_gap(problem.point(w))

    return jax.vmap(one)(w)


@every_kind
@with_data
def test_value_is_loss_plus_penalty(kind, rich):
    problem, objective = example(kind, True, rich)
    w = random_weights(problem)[0]
    assert_allclose(problem.value(w), objective(exact(w)), **TOL)


@every_kind
@with_intercept
def test_gradient_and_hessian_are_the_derivatives_of_the_value(kind, intercept):
    problem, _ = example(kind, intercept, True)
    derivatives, stated = jax.jit(
        lambda problem, w: (
            (jax.grad(problem.value)(w), jax.hessian(problem.value)(w)),
            (problem.gradient(w), problem.hessian(w)),
        )
    )(problem, random_weights(problem)[0])
    assert_allclose(stated[0], derivatives[0], **TOL)
    assert_allclose(stated[1], derivatives[1], **TOL)


@every_kind
def test_a_point_holds_margins_and_gradient_and_a_value_where_the_loss_may_not_be_convex(kind):
    problem, objective = example(kind, True, True)
    w = random_weights(problem)[0]
    point = problem.point(w)
    assert_allclose(point.w, w)
    assert_allclose(point.z, problem.linear_map.mv(w), **TOL)
    assert_allclose(point.gradient, problem.gradient(w), **TOL)
    assert problem.margins_shape(w) == point.z.shape
    if kind == "other":
        assert_allclose(point.value, objective(exact(w)), **TOL)
    else:
        assert point.value is None
    assert_allclose(problem.value_at(w, point.z), objective(exact(w)), **TOL)


# The duality gap


@with_dual
@with_intercept
@with_data
def test_the_gap_bounds_the_distance_from_the_minimum_everywhere_and_vanishes_there(kind, intercept, rich):
    problem, objective = example(kind, intercept, rich)
    size = problem.linear_map.shape[1]
    found = minimize(objective, np.zeros(size), method="BFGS", options={"gtol": 1e-8})
    w = random_weights(problem, 40, scale=np.geomspace(1e-3, 30.0, 40)[:, None])
    # The optimum, points near it, and points far away.
    w = jnp.concatenate([array(found.x)[None], array(found.x)[None] + 0.01 * w, w])
    values, gaps = map(exact, value_and_gap(problem, w))
    assert np.all(np.isfinite(gaps))
    assert np.all(gaps >= values - found.fun - 100 * EPS * (1 + values))
    assert gaps[0] <= 1e-9 + 100 * EPS


@with_dual
def test_the_gap_is_infinite_where_a_column_is_free(kind):
    problem, _ = example(kind, True, True)
    free_column = problem.penalty.factor.at[1].set(0.0)
    for penalty in (jlr.L2(array(L2), free_column), jlr.L2(array(0.0), problem.penalty.factor), jlr.NoPenalty()):
        _, gaps = value_and_gap(replace(problem, penalty=penalty), random_weights(problem))
        assert gaps[0] == np.inf


def test_the_gap_is_infinite_where_no_dual_is_known():
    problem, _ = example("other", False, False)
    assert value_and_gap(problem, random_weights(problem))[1][0] == np.inf


# Problems without a minimum


def has_no_optimum(problem, w):
    return problem.has_no_optimum(w, problem.linear_map.mv(w))


def separable(factor, strength=1.0):
    """Both classes apart in the first column, and mixed in the second."""
    columns, y = array([[-2.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [2.0, -1.0]]), array([0.0, 0.0, 1.0, 1.0])
    penalty = jlr.L2(array(strength), array([*factor, 0.0]))
    return jlr.Problem(losses.BinaryCrossEntropy.create(y), jlr.WithIntercept(jlr.Dense(columns)), penalty)


def test_free_weights_that_separate_the_classes_prove_that_there_is_no_minimum():
    w = array([3.0, 0.1, 0.2])
    assert has_no_optimum(separable([1.0, 1.0], strength=0.0), w)
    assert has_no_optimum(separable([0.0, 1.0]), w)
    assert has_no_optimum(replace(separable([1.0, 1.0]), penalty=jlr.NoPenalty()), w)


def test_penalised_weights_that_separate_the_classes_prove_nothing():
    w = array([3.0, 0.1, 0.2])
    assert not has_no_optimum(separable([1.0, 1.0]), w)
    assert not has_no_optimum(separable([1.0, 0.0]), w)


def test_weights_that_do_not_separate_prove_nothing():
    problem = separable([0.0, 0.0])
    for w in ([0.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.5, 1.0, 0.0], [1.0, 0.0, 1.0]):
        assert not has_no_optimum(problem, array(w))


def test_the_constant_alone_separates_rows_of_one_class():
    for y, free, expected in ((1.0, 0.0, True), (0.0, 0.0, False), (1.0, 0.5, False)):
        penalty = jlr.L2(array(1.0), array([1.0, free]))
        loss = losses.BinaryCrossEntropy.create(jnp.full(3, y, DTYPE))
        problem = jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(array([[-1.0], [0.0], [2.0]]))), penalty)
        assert bool(has_no_optimum(problem, array([-5.0, 0.3]))) is expected


def test_softmax_weights_that_separate_prove_that_there_is_no_minimum():
    columns = array([[-2.0], [0.0], [2.0]])
    for strength, expected in ((0.0, True), (0.1, False)):
        penalty = jlr.L2(array(strength), array([1.0, 0.0] * 3))
        loss = losses.SoftmaxCrossEntropy.create(array(np.eye(3)))
        problem = jlr.Problem(loss, jlr.PerClass(jlr.WithIntercept(jlr.Dense(columns)), 3), penalty)
        assert bool(has_no_optimum(problem, array([-2.0, 0.0, 0.0, 1.0, 2.0, 0.0]))) is expected


def test_soft_labels_have_a_minimum_and_are_fitted_exactly():
    y = array([0.3, 0.7, 0.3, 0.7])
    problem = jlr.Problem(
        losses.BinaryCrossEntropy.create(y), jlr.Dense(array([[-1.0], [1.0], [-1.0], [1.0]])), jlr.NoPenalty()
    )
    solution = jlr.minimize(problem, jnp.zeros(1, DTYPE), solver=jlr.Newton()).raise_if_failed()
    assert_allclose(solution.params, [np.log(0.7 / 0.3)], rtol=1e-5)
