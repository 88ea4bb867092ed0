"""L-BFGS applies the inverse Hessian that its pairs imply, and keeps only pairs that descend."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64

import jaxlogreg as jlr
from jaxlogreg.lanes import alone
from jaxlogreg.losses import FunctionLoss


def unpenalised(n):
    return jlr.Problem(FunctionLoss(jnp.sum), jlr.Identity(n), jlr.NoPenalty())


@pytest.mark.parametrize("factor", [0.0, [0.0, 1.0, 2.0, 0.5, 30.0, 0.0]], ids=["no penalty", "penalty"])
def test_the_two_loop_recursion_is_the_bfgs_product_formula(factor, dtype):
    rng = np.random.default_rng(0)
    n, memory = 6, 4
    solver, A = jlr.LBFGS(memory=memory), np.diag(np.arange(1.0, n + 1))
    factor = np.broadcast_to(factor, n)
    problem = replace(unpenalised(n), penalty=jlr.L2(jnp.ones((), dtype), jnp.asarray(factor, dtype)))
    state = solver.init(problem, jnp.zeros(n, dtype), alone())
    steps, diagonal = rng.normal(size=(6, n)), 1.0 + factor  # columns of variance one, and the penalty
    for step in steps:
        arguments = (jnp.asarray(x, dtype) for x in (step, A @ step, diagonal))
        state = replace(state, pairs=solver._remember(state.pairs, *arguments))
    # The formula: H <- (I - s yᵀ/s·y) H (I - y sᵀ/s·y) + s sᵀ/s·y, from H0 = (s·y / y·D⁻¹y) D⁻¹, last 4 pairs.
    s, y = steps[-1], A @ steps[-1]
    H = np.diag(1 / diagonal) * (s @ y) / (y @ (y / diagonal))
    for s in steps[-memory:]:
        y = A @ s
        left = np.eye(n) - np.outer(s, y) / (s @ y)
        H = left @ H @ left.T + np.outer(s, s) / (s @ y)
    applied = np.stack([solver._apply(problem, state, jnp.asarray(e, dtype)) for e in np.eye(n)], axis=1)
    np.testing.assert_allclose(applied, H, rtol=1e-10 if X64 else 1e-3, atol=1e-10 if X64 else 1e-4)


def test_a_pair_without_positive_curvature_is_left_out(dtype):
    solver, one = jlr.LBFGS(memory=3), jnp.ones(2, dtype)
    pairs = solver.init(unpenalised(2), jnp.zeros(2, dtype), alone()).pairs
    kept = solver._remember(pairs, jnp.asarray([1.0, 0.0], dtype), jnp.asarray([2.0, 0.0], dtype), one)
    assert kept.count == 1
    same = solver._remember(kept, jnp.asarray([0.0, 1.0], dtype), jnp.asarray([0.0, -1.0], dtype), one)
    for before, after in zip(kept.__dict__.values(), same.__dict__.values(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_hessian_makes_hard_problems_easy_and_is_not_paid_for_by_easy_ones(dtype):
    rng = np.random.default_rng(2)
    independent = rng.normal(size=(2000, 64)).astype(dtype)
    correlated = (independent + 20 * rng.normal(size=(2000, 1))).astype(dtype)
    solver = jlr.LBFGS(preconditioner="hessian")
    for X, hard in ((independent, False), (correlated, True)):
        y = (rng.uniform(size=2000) < 1 / (1 + np.exp(-0.3 * X[:, 0]))).astype(dtype)
        plain, preconditioned = (jlr.fit(X, y, l2=1e-3, solver=s, tol=1e-5) for s in (jlr.LBFGS(), solver))
        assert plain.converged
        assert preconditioned.converged
        num_hessians = int(preconditioned.num_passes - (4 + 2 * preconditioned.num_steps))
        if hard:
            assert 1 <= num_hessians <= 4
            assert 2 * int(preconditioned.num_steps) < int(plain.num_steps)
        else:
            assert num_hessians <= 1
            assert preconditioned.num_steps <= plain.num_steps


def test_few_columns_get_their_hessian_at_the_start_as_it_costs_less_than_a_step(made, dtype):
    X, y, _ = made
    solution = jlr.fit(X, y, l2=1e-3, solver=jlr.LBFGS(preconditioner="hessian"), max_steps=1)
    assert solution.num_passes == 6 + 2 + 1


def test_the_hessian_helps_a_loss_that_is_not_convex(dtype):
    """Biweight regression on correlated columns, with outliers that pull a start from zero off its way."""
    rng = np.random.default_rng(3)
    X = (rng.normal(size=(400, 20)) + 30 * rng.normal(size=(400, 1))).astype(dtype)
    y = X @ np.linspace(-1, 1, 20).astype(dtype) + 0.1 * rng.normal(size=400).astype(dtype)
    y[:40] += 20.0
    loss = jlr.losses.from_function(lambda z, y: -jnp.exp(-0.02 * (z - y) ** 2), jnp.asarray(y))
    problem = jlr.Problem(loss, jlr.Dense(jnp.asarray(X)), jlr.NoPenalty())
    start = jnp.zeros(20, dtype)
    plain, helped = (
        jlr.minimize(problem, start, solver=jlr.LBFGS(preconditioner=p), tol=1e-11 if X64 else 1e-5).raise_if_failed()
        for p in ("diagonal", "hessian")
    )
    np.testing.assert_allclose(helped.params, plain.params, atol=1e-7 if X64 else 1e-2)
    assert 2 * int(helped.num_steps) < int(plain.num_steps)


def test_the_hessian_needs_a_loss_over_rows(dtype):
    with pytest.raises(ValueError, match=r"need a loss over rows, and FunctionLoss is none; use LBFGS\(\), Newton"):
        jlr.minimize(lambda x: jnp.sum(x * x), jnp.ones(2, dtype), solver=jlr.LBFGS(preconditioner="hessian"))


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (jlr.LBFGS(memory=0), "memory must be a Python integer of at least 1"),
        (jlr.LBFGS(memory=2.5), "memory must be a Python integer of at least 1"),
        (jlr.LBFGS(preconditioner="gram"), "preconditioner must be 'diagonal' or 'hessian', got 'gram'"),
        (jlr.ProximalNewton(working_set=0), "working_set must be a Python integer of at least 1"),
    ],
    ids=repr,
)
def test_settings_that_cannot_be_are_refused(made, solver, message):
    X, y, _ = made
    with pytest.raises(ValueError, match=message):
        jlr.fit(X, y, solver=solver)


def test_no_more_pairs_are_kept_than_two_beyond_the_weights(dtype):
    for n, kept in ((1, 3), (5, 7), (30, 10)):
        state = jlr.LBFGS().init(unpenalised(n), jnp.zeros(n, dtype), alone())
        assert state.pairs.steps.shape == (kept, n)


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
