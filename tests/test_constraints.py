"""The augmented Lagrangian: known solutions and multipliers, SciPy's SLSQP, a fair classifier, no feasible point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from conftest import X64, array

import jaxlogreg as jlr

TOL = 1e-9 if X64 else 1e-4


def test_the_nearest_point_of_a_circle_and_its_multiplier():
    solution = jlr.minimize(distance, jnp.zeros(2), args=(1.0,), equality=circle, tol=TOL).raise_if_failed()
    np.testing.assert_allclose(solution.params, np.sqrt(0.5), atol=10 * TOL)
    # 2 (x - 2) + 2 λ x = 0
    np.testing.assert_allclose(solution.multipliers.equality, [2 * np.sqrt(2) - 1], atol=100 * TOL)
    assert solution.multipliers.violation <= TOL
    assert solution.kkt <= TOL
    assert solution.gap == np.inf
    assert "AugmentedLagrangian" in solution.message


def distance(x, radius):
    return jnp.sum((x - 2.0) ** 2)


def circle(x, radius):
    return jnp.sum(x**2) - radius**2


def test_inequalities_have_the_multipliers_of_the_textbook():
    # Nocedal & Wright, example 16.4: x = (1.4, 1.7), the first constraint alone is active, with multiplier 0.8.
    A, b = np.array([[-1.0, 2], [1, 2], [1, -2], [-1, 0], [0, -1]]), np.array([2.0, 6, 2, 0, 0])
    solution = jlr.minimize(
        lambda x, A, b: (x[0] - 1.0) ** 2 + (x[1] - 2.5) ** 2,
        array([2.0, 0.0]),
        args=(array(A), array(b)),
        inequality=lambda x, A, b: A @ x - b,
        tol=TOL,
    ).raise_if_failed()
    np.testing.assert_allclose(solution.params, [1.4, 1.7], atol=10 * TOL)
    np.testing.assert_allclose(solution.multipliers.inequality, [0.8, 0, 0, 0, 0], atol=100 * TOL)


def test_both_kinds_agree_with_slsqp_on_a_problem_that_is_not_convex():
    # Hock & Schittkowski, problem 71.
    def objective(x):
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    start = [1.0, 5.0, 5.0, 1.0]
    theirs = scipy.optimize.minimize(
        objective,
        start,
        method="SLSQP",
        bounds=[(1, 5)] * 4,
        constraints=[
            {"type": "eq", "fun": lambda x: np.sum(x**2) - 40},
            {"type": "ineq", "fun": lambda x: np.prod(x) - 25},
        ],
        options={"ftol": 1e-12},
    )
    solution = jlr.minimize(
        objective,
        array(start),
        equality=lambda x: jnp.sum(x**2) - 40.0,
        inequality=lambda x: {"product": 25.0 - jnp.prod(x), "bounds": jnp.concatenate([1.0 - x, x - 5.0])},
        tol=1e-8 if X64 else 1e-3,
    )
    np.testing.assert_allclose(solution.params, theirs.x, atol=1e-5 if X64 else 1e-2)
    np.testing.assert_allclose(solution.value, theirs.fun, rtol=1e-7 if X64 else 1e-3)
    # The gradient of the Lagrangian, made anew.
    x, multipliers = solution.params, solution.multipliers
    constraints = [
        jax.grad(lambda x: jnp.sum(x**2))(x)[None],
        np.concatenate([-np.eye(4), np.eye(4)]),
        -jax.grad(jnp.prod)(x)[None],
    ]
    slope = jax.grad(objective)(x) + np.concatenate([multipliers.equality, multipliers.inequality]) @ np.concatenate(
        [np.asarray(rows, np.float64) for rows in constraints]
    )
    np.testing.assert_allclose(slope, 0.0, atol=1e-6 if X64 else 2e-2)
    assert (multipliers.inequality >= 0).all()


@pytest.mark.parametrize(
    "inner",
    [jlr.LBFGS(), jlr.LBFGS(preconditioner="hessian"), jlr.Newton(), jlr.BFGS()],
    ids=["lbfgs", "preconditioned", "newton", "bfgs"],
)
def test_a_fair_classifier_is_the_fit_in_the_subspace(inner, made):
    # The mean score of both groups is equal: one linear constraint, so that the fit is that in its null space.
    X, y, _ = made
    X = (X - X.mean(0)) / X.std(0)
    group = X[:, 0] + 0.5 * X[:, 1] > 0
    gap = X[group].mean(0) - X[~group].mean(0)
    factor = array([1, 1, 1, 1, 1, 0])
    loss, linear_map = jlr.losses.BinaryCrossEntropy.create(array(y)), jlr.WithIntercept(jlr.Dense(array(X)))
    problem = jlr.Problem(loss, linear_map, jlr.L2(array(0.1), factor))
    fair = jlr.minimize(
        problem,
        jnp.zeros(6),
        solver=jlr.AugmentedLagrangian(inner),
        equality=lambda w: jnp.vdot(array(gap), w[:5]),
        tol=TOL,
    ).raise_if_failed()
    basis = np.linalg.svd(gap[None])[2][1:]  # of the weights with gap @ w = 0, orthonormal
    inside = jlr.fit(array(X @ basis.T), y, l2=0.1).params
    np.testing.assert_allclose(fair.params[:5], inside.coef @ basis, atol=1e-6 if X64 else 2e-3)
    np.testing.assert_allclose(fair.params[5], inside.intercept, atol=1e-6 if X64 else 2e-3)
    assert abs(float(jnp.vdot(array(gap), fair.params[:5]))) <= TOL


def test_a_bound_on_the_gap_of_probabilities_is_kept_as_by_slsqp(made):
    X, y, _ = made
    X = array((X - X.mean(0)) / X.std(0))
    group = np.asarray(X[:, 0] + 0.5 * X[:, 1] > 0)
    loss, penalty = jlr.losses.BinaryCrossEntropy.create(array(y)), jlr.L2(array(0.1), array([1, 1, 1, 1, 1, 0]))
    problem = jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(X)), penalty)

    def gap(w, X, most):
        p = jax.nn.sigmoid(X @ w[:5] + w[5])
        difference = jnp.mean(p[group]) - jnp.mean(p[~group])
        return jnp.stack([difference - most, -difference - most])

    fair = jlr.minimize(problem, jnp.zeros(6), inequality=gap, args=(X, array(0.01)), tol=1e-8 if X64 else 1e-4)
    value, slope = jax.jit(jax.value_and_grad(problem.value)), jax.jit(jax.jacobian(gap))
    theirs = scipy.optimize.minimize(
        lambda w: float(value(array(w))[0]),
        np.zeros(6),
        jac=lambda w: np.asarray(value(array(w))[1], np.float64),
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda w: -np.asarray(gap(array(w), X, array(0.01)), np.float64),
            "jac": lambda w: -np.asarray(slope(array(w), X, array(0.01)), np.float64),
        },
        options={"ftol": 1e-12 if X64 else 1e-7},
    )
    assert theirs.success
    fair.raise_if_failed()
    np.testing.assert_allclose(fair.params, theirs.x, atol=1e-5 if X64 else 5e-3)
    slack, pressed = sorted(fair.multipliers.inequality)
    assert pressed > 0.05
    assert slack == 0.0


def test_constraints_said_twice_have_the_same_minimum():
    # The multipliers are not unique; each sum that balances the gradient (2 x - 2) + Jᵀλ = 0 is right.
    J = array([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0]])
    settings = {"args": (J,), "tol": 1e-9 if X64 else 1e-4}
    for name in ("equality", "inequality"):
        solution = jlr.minimize(
            lambda x, J: jnp.sum((x - 1.0) ** 2),
            jnp.zeros(2),
            **{name: lambda x, J: J @ x - array([1.0, 2.0, 1.0])},
            **settings,
        ).raise_if_failed()
        np.testing.assert_allclose(solution.params, [0.6, 0.2], atol=1e-8 if X64 else 1e-3)
        multipliers = getattr(solution.multipliers, name)
        np.testing.assert_allclose(multipliers @ J, [0.8, 1.6], atol=1e-7 if X64 else 1e-3)


def test_constraints_alone_may_hold_an_objective_that_falls_for_ever():
    solution = jlr.minimize(jnp.sum, jnp.zeros(2), inequality=lambda x: jnp.sum(x**2) - 2.0, tol=TOL).raise_if_failed()
    np.testing.assert_allclose(solution.params, -1.0, atol=10 * TOL)
    np.testing.assert_allclose(solution.multipliers.inequality, 0.5, atol=100 * TOL)


def test_a_constrained_minimiser_has_derivatives_in_forward_mode():
    def minimiser(radius):
        return jlr.minimize(distance, jnp.zeros(2), args=(radius,), equality=circle, tol=TOL).params

    np.testing.assert_allclose(jax.jacfwd(minimiser)(array(1.0)), np.sqrt(0.5), atol=1e-6 if X64 else 1e-3)


def test_constraints_under_vmap_are_those_alone():
    radii = array([0.5, 1.0, 2.0])

    def run(radius):
        return jlr.minimize(distance, jnp.zeros(2), args=(radius,), equality=circle, tol=TOL)

    together = jax.jit(jax.vmap(run))(radii)
    assert together.converged.all()
    np.testing.assert_allclose(together.params, np.sqrt(0.5) * np.asarray(radii)[:, None] * np.ones(2), atol=10 * TOL)


def test_constraints_that_contradict_each_other_end_unconverged_and_say_by_how_much():
    solution = jlr.minimize(
        lambda x: jnp.sum(x**2), jnp.ones(2), equality=lambda x: jnp.stack([x[0] - 1.0, x[0] - 2.0])
    )
    assert solution.status == jlr.Status.MAX_STEPS
    assert "the constraints may contradict each other" in solution.message
    assert solution.message.endswith("the constraints are violated by 0.5")
    by_inequalities = jlr.minimize(
        lambda x: jnp.sum(x**2), jnp.ones(2), inequality=lambda x: jnp.stack([x[0] + 1.0, 2.0 - x[0]])
    )
    assert by_inequalities.status == jlr.Status.MAX_STEPS
    np.testing.assert_allclose(by_inequalities.multipliers.violation, 1.5, rtol=1e-3)


def test_a_start_that_is_not_finite_is_reported():
    solution = jlr.minimize(lambda x: jnp.sum(jnp.log(x)), -jnp.ones(1), equality=lambda x: x[0] - 1.0)
    assert solution.status == jlr.Status.NONFINITE


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": jlr.Newton(), "equality": jnp.sum}, r"AugmentedLagrangian\(inner=Newton\(\)\)"),
        ({"solver": jlr.AugmentedLagrangian()}, "is for constraints"),
        ({"equality": lambda x: 1}, "equality must return floating-point numbers, got int"),
        ({"equality": np.ones(2)}, "equality must be a function"),
        ({"equality": jnp.sum, "solver": jlr.AugmentedLagrangian(jlr.ProximalGradient())}, "for smooth functions"),
        ({"equality": jnp.sum, "solver": jlr.AugmentedLagrangian(jlr.Newton)}, r"such as LBFGS\(\), got"),
        (
            {"equality": jnp.sum, "solver": jlr.AugmentedLagrangian(strength=0.0)},
            "strength must be a single number above 0, got 0",
        ),
        ({"inequality": lambda x: ()}, "got nothing"),
        ({"equality": jnp.sum, "trace": True}, "trace is not for constraints"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_reason(settings, message):
    with pytest.raises(ValueError, match=message):
        jlr.minimize(lambda x: jnp.sum(x**2), jnp.ones(2), **settings)


def test_a_penalty_with_kinks_is_refused(made):
    X, y, _ = made
    penalty = jlr.ElasticNet(array(0.0), array(0.1), jnp.ones(5), jnp.ones(5))
    problem = jlr.Problem(jlr.losses.BinaryCrossEntropy.create(array(y)), jlr.Dense(array(X)), penalty)
    with pytest.raises(ValueError, match="constraints need a smooth penalty, and ElasticNet has kinks"):
        jlr.minimize(problem, jnp.zeros(5), equality=jnp.sum)
