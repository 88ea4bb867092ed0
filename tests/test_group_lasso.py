"""The group lasso: its penalty by definition, its fits by their optimality, computed here."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, array
from numpy.testing import assert_allclose, assert_array_equal

import jaxlogreg as jlr

GROUPS = np.array([3, 3, 3, 0, 0, 7])
W = array([1.0, -2.0, 0.5, 0.0, 0.0, 4.0])
PENALTY = jlr.GroupLasso(
    array(0.3),
    array(0.2),
    array([1.0, 1.0, 1.0, 2.0, 2.0, 0.5]),
    jnp.asarray(GROUPS),
    array([2.0, 2.0, 2.0, 1.0, 1.0, 3.0]),
)
EPS = float(jnp.finfo(W.dtype).eps)


def norms(w):
    return {g: np.linalg.norm(np.asarray(w, float)[g == GROUPS]) for g in np.unique(GROUPS)}


def test_the_value_is_the_definition():
    u = np.asarray(W * PENALTY.scale, float)
    expected = 0.15 * np.sum(np.asarray(PENALTY.factor) * u**2)
    expected += 0.2 * (1.0 * np.sqrt(3) * norms(u)[3] + 2.0 * np.sqrt(2) * norms(u)[0] + 0.5 * norms(u)[7])
    assert_allclose(PENALTY.value(W), expected, rtol=8 * EPS)
    scale = array([2.0, 0.1, 3.0, 100.0, 1.0, 0.5])
    assert_allclose(PENALTY.rescaled(scale).value(W * scale), PENALTY.value(W), rtol=16 * EPS)


def test_the_proximal_map_is_a_minimum_and_zero_for_a_group_at_a_time():
    x = array([0.9, -1.7, 0.3, 0.1, -0.2, 3.0])
    found = PENALTY.prox(x, array(0.5))
    assert_array_equal(found[3:5], 0.0)
    # There the subgradient of ½ |v - x|² / step + R(v) holds zero.
    assert_allclose(PENALTY.least_subgradient(found, (found - x) / 0.5 + PENALTY.gradient(found)), 0.0, atol=16 * EPS)
    value = lambda v: 0.5 * jnp.sum((v - x) ** 2) / 0.5 + PENALTY.value(v)  # noqa: E731
    for seed in range(5):
        near = found + 0.1 * jax.random.normal(jax.random.key(seed), (6,), W.dtype)
        assert value(near) > value(found)


def test_fenchel_is_zero_at_a_subgradient_and_bounds_the_inequality_elsewhere():
    inside = PENALTY.active_gradient(W).at[3:5].set(array([0.2, -0.3]))  # below 0.4 √2
    assert_allclose(PENALTY.fenchel(W, inside), 0.0, atol=64 * EPS)
    t = array([0.4, -1.6, 0.2, 0.9, 0.1, 1.2])
    gap = PENALTY.fenchel(W, t)
    for seed in range(20):
        w = 3.0 * jax.random.normal(jax.random.key(seed), (6,), W.dtype)
        assert PENALTY.value(W) - jnp.vdot(t, W) - (PENALTY.value(w) - jnp.vdot(t, w)) <= gap * (1 + 8 * EPS)


def test_without_a_ridge_the_conjugate_is_finite_up_to_the_multiple():
    lasso, t = replace(PENALTY, l2=array(0.0)), array([0.4, -1.6, 0.2, 0.9, 0.1, 1.2])
    multiple = lasso.largest_multiple(t)
    assert 0.0 < multiple < 1.0
    assert lasso.fenchel(W, 1.001 * multiple * t) == np.inf
    assert np.isfinite(lasso.fenchel(W, multiple * t))


def test_the_slope_is_that_to_the_side_of_the_direction():
    direction, h = array([-1.0, 2.0, 1.0, 1.0, -1.0, 0.5]), 2.0**-10
    difference = (PENALTY.value(W + h * direction) - PENALTY.value(W)) / h
    assert_allclose(PENALTY.slope(W, direction), difference, atol=0.05)


@pytest.fixture(scope="module")
def problem(dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 6)) * np.array([1.0, 3.0, 0.1, 5.0, 1.0, 2.0]) + np.array([0, 2, 0, 0, -1, 0])).astype(
        dtype
    )
    y = (rng.uniform(size=200) < 1 / (1 + np.exp(-X[:, 0] - 0.3 * X[:, 5]))).astype(dtype)
    return X, y


@pytest.mark.parametrize("solver", [None, jlr.ProximalGradient()])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_fit_is_optimal_group_by_group(problem, solver, standardize):
    X, y = (x.astype(float) for x in problem)
    l1 = 0.5 * float(jlr.lambda_max(*problem, groups=GROUPS, standardize=standardize))
    found = jlr.fit(*problem, l1=l1, l2=0.01, groups=GROUPS, standardize=standardize, solver=solver)
    assert found.converged
    assert found.gap <= (1e-9 if X64 else 1e-4)
    deviation = X.std(axis=0) if standardize else np.ones(6)
    coef = np.asarray(found.params.coef, float) * deviation
    p = 1 / (1 + np.exp(-(X @ np.asarray(found.params.coef, float) + float(found.params.intercept))))
    slope = (p - y) @ X / len(y) / deviation + 0.01 * coef
    tol = 1e-8 if X64 else 1e-4
    used = 0
    for group, norm in norms(coef).items():
        size, here = np.sqrt(np.sum(group == GROUPS)), group == GROUPS
        if norm > 0:
            used += 1
            assert_allclose(slope[here] + l1 * size * coef[here] / norm, 0.0, atol=tol)
        else:
            assert np.linalg.norm(slope[here]) <= l1 * size + tol
    assert 0 < used < 3


def test_groups_of_one_are_the_lasso(problem):
    alone = jlr.fit(*problem, l1=0.05, groups=np.arange(6))
    assert_allclose(alone.params.coef, jlr.fit(*problem, l1=0.05).params.coef, atol=1e-9 if X64 else 1e-4)


def test_above_the_largest_strength_all_groups_are_zero_and_below_it_one_is_not(problem):
    factor = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 3.0])  # the second group is free
    top = float(jlr.lambda_max(*problem, groups=GROUPS, penalty_factor=factor))
    path = jlr.fit_path(
        *problem, l1=np.array([1.001 * top, 0.99 * top]), groups=GROUPS, penalty_factor=factor
    ).params.coef
    assert_array_equal(np.asarray(path[0] != 0.0), [False] * 3 + [True] * 2 + [False])
    assert np.count_nonzero(path[1]) in (3, 5)


def test_derivatives_are_finite_differences(problem):
    fit = lambda l1: jlr.fit(*problem, l1=l1, groups=GROUPS).params.coef  # noqa: E731
    h = 1e-5 if X64 else 1e-2
    l1 = jnp.asarray(0.05, problem[0].dtype)
    difference = (fit(l1 + h) - fit(l1 - h)) / (2 * h)
    assert_allclose(jax.jacfwd(fit)(l1), difference, rtol=1e-5 if X64 else 0.05, atol=1e-6 if X64 else 0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": np.zeros(5, int)}, r"groups must hold an integer for each of the 6 columns, got int64\(5,\)"),
        ({"groups": np.zeros(6)}, "groups must hold an integer"),
        ({"groups": GROUPS, "lower": 0.0}, "lower and upper are not for groups"),
        (
            {"groups": GROUPS, "penalty_factor": np.arange(6.0)},
            "penalty_factor must be the same for all columns of a group",
        ),
        ({"groups": GROUPS, "solver": jlr.ProximalNewton(working_set=2)}, "working_set is for penalties of single"),
        ({"groups": GROUPS, "solver": jlr.Newton()}, "Newton"),
    ],
)
def test_what_cannot_be_is_refused(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        jlr.fit(*problem, l1=0.1, **arguments)
