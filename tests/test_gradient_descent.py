"""Gradient descent: its two named steps are the formulas, one of them is safe, and both are honest."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64

import jaxlogreg as jlr


@pytest.fixture(scope="module")
def problem(made):
    X, y, _ = made
    X = jnp.asarray((X - X.mean(0)) / X.std(0))
    loss = jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y))
    return jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(X)), jlr.NoPenalty())


def design(problem):
    X = np.asarray(problem.linear_map.base.matrix, np.float64)
    return np.column_stack([X, np.ones(len(X))])


def test_the_lipschitz_step_is_4m_over_the_largest_eigenvalue(problem):
    X = design(problem)
    expected = 4 * len(X) / np.linalg.eigvalsh(X.T @ X)[-1]
    step = jlr.GradientDescent().step_size(problem, jnp.zeros(6, problem.loss.y.dtype))
    np.testing.assert_allclose(step, expected, rtol=1e-12 if X64 else 1e-5)


def test_the_yedida_saha_step_is_2m_over_the_frobenius_norm(problem):
    X = design(problem)
    step = jlr.GradientDescent("yedida_saha").step_size(problem, jnp.zeros(6, problem.loss.y.dtype))
    np.testing.assert_allclose(step, 2 * len(X) / np.linalg.norm(X), rtol=1e-12 if X64 else 1e-5)


def test_softmax_steps_have_their_own_constants(problem, dtype):
    X, K = design(problem), 3
    targets = jnp.asarray(np.eye(K)[np.random.default_rng(0).integers(0, K, len(X))].T, dtype)
    softmax = jlr.Problem(
        jlr.losses.SoftmaxCrossEntropy.create(targets), jlr.PerClass(problem.linear_map, K), jlr.NoPenalty()
    )
    w = jnp.zeros(18, dtype)
    safe, paper = (jlr.GradientDescent(rule).step_size(softmax, w) for rule in ("lipschitz", "yedida_saha"))
    np.testing.assert_allclose(safe, 2 * len(X) / np.linalg.eigvalsh(X.T @ X)[-1], rtol=1e-12 if X64 else 1e-5)
    np.testing.assert_allclose(paper, K * len(X) / ((K - 1) * np.linalg.norm(X)), rtol=1e-12 if X64 else 1e-5)


def test_every_safe_step_lowers_the_loss(problem):
    start = jnp.zeros(6, problem.loss.y.dtype)
    values = [float(s.value) for s in jlr.iterate(problem, start, solver=jlr.GradientDescent(), max_steps=8)]
    assert all(after < before for before, after in itertools.pairwise(values))


def test_acceleration_needs_fewer_steps(tumour):
    plain, fast = (
        jlr.fit(*tumour, l2=1e-2, tol=1e-5, solver=jlr.GradientDescent(acceleration=a)) for a in (False, True)
    )
    assert plain.converged
    assert fast.converged
    assert 3 * int(fast.num_steps) < int(plain.num_steps)


def test_the_lipschitz_step_is_safe_on_raw_columns(made):
    X, y, _ = made
    solution = jlr.fit(X, y, solver=jlr.GradientDescent(), max_steps=200)
    assert solution.status == jlr.Status.MAX_STEPS
    assert solution.value < solution.initial_value
    assert "diverged" not in solution.message


def test_a_number_is_the_step(problem, dtype):
    start = jnp.zeros(6, dtype)
    one = jlr.minimize(problem, start, solver=jlr.GradientDescent(0.5), max_steps=1)
    np.testing.assert_allclose(one.params, -0.5 * problem.gradient(start), rtol=1e-6, atol=1e-8)


def test_unknown_rules_are_refused(problem, dtype):
    with pytest.raises(ValueError, match="'lipschitz', 'yedida_saha' or a number"):
        jlr.GradientDescent("optimal").step_size(problem, jnp.zeros(6, dtype))
