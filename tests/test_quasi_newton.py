"""L-BFGS applies the inverse Hessian that its pairs imply, and keeps only pairs that descend."""

import jax.numpy as jnp
import numpy as np
from conftest import X64

import jaxlogreg as jlr


def test_the_two_loop_recursion_is_the_bfgs_product_formula(dtype):
    rng = np.random.default_rng(0)
    n, memory = 6, 4
    solver, A = jlr.LBFGS(memory=memory), np.diag(np.arange(1.0, n + 1))
    state = solver.init(None, jnp.zeros(n, dtype))
    steps = rng.normal(size=(6, n))
    for step in steps:
        state = solver._remember(state, jnp.asarray(step, dtype), jnp.asarray(A @ step, dtype))
    # The formula: H <- (I - s yᵀ/s·y) H (I - y sᵀ/s·y) + s sᵀ/s·y, from H0 = (s·y / y·y) I, last 4 pairs.
    s, y = steps[-1], A @ steps[-1]
    H = np.eye(n) * (s @ y) / (y @ y)
    for s in steps[-memory:]:
        y = A @ s
        left = np.eye(n) - np.outer(s, y) / (s @ y)
        H = left @ H @ left.T + np.outer(s, s) / (s @ y)
    applied = np.stack([solver._apply(None, state, jnp.asarray(e, dtype)) for e in np.eye(n)], axis=1)
    np.testing.assert_allclose(applied, H, rtol=1e-10 if X64 else 1e-3, atol=1e-10 if X64 else 1e-4)


def test_a_pair_without_positive_curvature_is_left_out(dtype):
    solver = jlr.LBFGS(memory=3)
    state = solver.init(None, jnp.zeros(2, dtype))
    kept = solver._remember(state, jnp.asarray([1.0, 0.0], dtype), jnp.asarray([2.0, 0.0], dtype))
    same = solver._remember(kept, jnp.asarray([0.0, 1.0], dtype), jnp.asarray([0.0, -1.0], dtype))
    for before, after in zip(kept.__dict__.values(), same.__dict__.values(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_hessian_makes_hard_problems_easy_and_is_not_paid_for_by_easy_ones(dtype):
    rng = np.random.default_rng(2)
    independent = rng.normal(size=(2000, 20)).astype(dtype)
    correlated = (independent + 20 * rng.normal(size=(2000, 1))).astype(dtype)
    solver = jlr.LBFGS(preconditioner="hessian")
    for X, hard in ((independent, False), (correlated, True)):
        y = (rng.uniform(size=2000) < 1 / (1 + np.exp(-0.3 * X[:, 0]))).astype(dtype)
        plain, preconditioned = (jlr.fit(X, y, l2=1e-3, solver=s, tol=1e-5) for s in (jlr.LBFGS(), solver))
        assert plain.converged
        assert preconditioned.converged
        num_hessians = int(preconditioned.num_passes - (7 + 2 * preconditioned.num_steps))
        if hard:
            assert 1 <= num_hessians <= 4
            assert 2 * int(preconditioned.num_steps) < int(plain.num_steps)
        else:
            assert num_hessians == 0
            assert preconditioned.num_steps == plain.num_steps


def test_the_hessian_helps_a_function_that_is_not_convex(dtype):
    def rosenbrock(x):
        return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    start = jnp.asarray([-1.2, 1.0], dtype)
    solution = jlr.minimize(rosenbrock, start, solver=jlr.LBFGS(preconditioner="hessian")).raise_if_failed()
    np.testing.assert_allclose(solution.params, 1.0, rtol=1e-6 if X64 else 2e-2)


def test_memory_is_a_choice(tumour):
    few, many = (jlr.fit(*tumour, l2=1e-3, solver=jlr.LBFGS(memory=k)) for k in (2, 20))
    assert few.converged
    assert many.converged
    assert many.num_steps < few.num_steps


def test_raw_columns_converge_at_the_default_tolerance(dtype):
    """Units of hundreds beside units of hundredths, and columns far from zero."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)) * [1, 100, 0.01, 5] + [0, 600, 0.05, 2000]
    y = rng.uniform(size=300) < 1 / (1 + np.exp(-(X[:, 0] + 0.01 * (X[:, 1] - 600))))
    lbfgs, newton = (jlr.fit(X.astype(dtype), y, solver=solver) for solver in (jlr.LBFGS(), jlr.Newton()))
    assert lbfgs.converged
    assert newton.converged
    assert lbfgs.num_steps < 40
    np.testing.assert_allclose(
        lbfgs.params.coef, newton.params.coef, rtol=1e-7 if X64 else 2e-2, atol=1e-7 if X64 else 1e-3
    )
