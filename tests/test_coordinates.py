"""The solver's coordinates: there and back, the same objective, and a KKT residual without units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64

import jaxlogreg as jlr
from jaxlogreg.coordinates import choose_coordinates, in_coordinates
from jaxlogreg.lanes import alone


def problem_of(made, intercept=True, classes=None):
    X, y, weight = made
    linear_map = jlr.Dense(jnp.asarray(X))
    if intercept:
        linear_map = jlr.WithIntercept(linear_map)
    n = linear_map.shape[1]
    factor = jnp.ones(n, X.dtype)
    if classes is None:
        loss = jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y), weight)
        return jlr.Problem(loss, linear_map, jlr.L2(jnp.asarray(0.1, X.dtype), factor)), n
    targets = jax.nn.one_hot(jnp.asarray(y, jnp.int32), classes, axis=0, dtype=X.dtype)
    loss, factor = jlr.losses.SoftmaxCrossEntropy.create(targets, weight), jnp.tile(factor, classes)
    return jlr.Problem(loss, jlr.PerClass(linear_map, classes), jlr.L2(jnp.asarray(0.1, X.dtype), factor)), n * classes


CASES = [(True, None), (False, None), (True, 3)]


@pytest.mark.parametrize(("intercept", "classes"), CASES)
@pytest.mark.parametrize("standardize", [True, False])
def test_there_and_back_is_the_same_point_and_the_same_margins(intercept, classes, standardize, made):
    problem, n = problem_of(made, intercept, classes)
    w = jnp.asarray(np.random.default_rng(0).normal(size=n), made[0].dtype) / 100
    coordinates = choose_coordinates(problem, w, standardize, alone())
    changed = in_coordinates(problem, coordinates)
    v = coordinates.to_solver(w)
    close = {"rtol": 1e-9, "atol": 1e-11} if X64 else {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(coordinates.to_user(v), w, **close)
    np.testing.assert_allclose(changed.linear_map.mv(v), problem.linear_map.mv(w), **close)


@pytest.mark.parametrize(("intercept", "classes"), CASES[:2])
def test_kkt_in_any_coordinates_is_the_users_gradient_over_rms(intercept, classes, made):
    problem, n = problem_of(made, intercept, classes)
    X, _, weight = made
    w = jnp.asarray(np.random.default_rng(1).normal(size=n), X.dtype) / 100
    rms = np.append(np.sqrt(np.average(X**2, axis=0, weights=weight)), [1.0] * intercept)
    # Where there is an intercept it is penalised here, so that the change of variables is not free:
    free = problem if not intercept else jlr.Problem(problem.loss, problem.linear_map, jlr.NoPenalty())
    expected = np.max(np.abs(free.gradient(w)) / rms)
    for standardize in (True, False):
        coordinates = choose_coordinates(free, w, standardize, alone())
        changed = in_coordinates(free, coordinates)
        strict, kkt = coordinates.kkt(changed.gradient(coordinates.to_solver(w)))
        np.testing.assert_allclose(kkt, expected, rtol=1e-8 if X64 else 1e-2)
        assert strict >= kkt


def test_a_nan_in_one_lane_of_a_gradient_is_seen_in_that_lane(made):
    problem, n = problem_of(made)
    coordinates = choose_coordinates(problem, jnp.zeros(n, made[0].dtype), True, alone())
    gradients = jnp.ones((100, n), made[0].dtype).at[7, 2].set(jnp.nan).at[9, 0].set(jnp.inf)
    strict, kkt = jax.jit(jax.vmap(coordinates.kkt))(gradients)
    for residual in (strict, kkt):
        assert np.flatnonzero(np.isnan(residual)).tolist() == [7, 9]


def test_standardised_columns_are_of_one_size(made):
    problem, n = problem_of(made)
    problem = jlr.Problem(problem.loss, problem.linear_map, jlr.NoPenalty())
    changed = in_coordinates(problem, choose_coordinates(problem, jnp.zeros(n, made[0].dtype), True, alone()))
    mean, variance = changed.linear_map.moments(problem.loss.weight)
    np.testing.assert_allclose(mean, np.append(np.zeros(n - 1), 1.0), atol=1e-10 if X64 else 1e-3)
    np.testing.assert_allclose(variance[:-1], 1.0, rtol=1e-8 if X64 else 1e-3)
