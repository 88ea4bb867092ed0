"""One battery for all solvers: published functions, quadratics, logistic problems, transformations, bad starts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from conftest import X64, array
from standard_functions import STANDARD_FUNCTIONS

import jaxlogreg as jlr

GENERAL = {
    "lbfgs": jlr.LBFGS(),
    "bfgs": jlr.BFGS(),
    "dfp": jlr.DFP(),
    "hager zhang": jlr.ConjugateGradient(),
    "polak ribiere": jlr.ConjugateGradient("polak_ribiere"),
    "hestenes stiefel": jlr.ConjugateGradient("hestenes_stiefel"),
    "fletcher reeves": jlr.ConjugateGradient("fletcher_reeves"),
    "newton cg": jlr.NewtonCG(),
    "newton": jlr.Newton(),
}
# Those that take any function too, at a pace that a curved valley does not allow.
FIRST_ORDER = {
    "gradient descent": jlr.GradientDescent(0.1),
    "accelerated": jlr.GradientDescent(0.1, acceleration=True),
    "optax": jlr.Optax(optax.sgd(0.1, momentum=0.5)),
    "proximal gradient": jlr.ProximalGradient(),
}
EVERY = GENERAL | FIRST_ORDER
WHOLE_SET = ("lbfgs", "bfgs", "newton")
COMMON = ("rosenbrock", "beale", "powell singular", "wood", "brown dennis")
CASES = [(s, f) for s in GENERAL for f in STANDARD_FUNCTIONS if s in WHOLE_SET or f in COMMON]


def every(solvers):
    return pytest.mark.parametrize("solver", list(solvers.values()), ids=list(solvers))


@pytest.mark.parametrize(("name", "function"), CASES)
def test_a_standard_function_is_minimised_from_its_published_start(name, function):
    case = STANDARD_FUNCTIONS[function]
    solution = jlr.minimize(case.function, array(case.start), solver=GENERAL[name], tol=1e-7 if X64 else 1e-3)
    if X64:
        solution.raise_if_failed()
    value = float(solution.value)
    assert any(abs(value - minimum) <= 1e-5 * minimum + (1e-8 if X64 else 1e-3) for minimum in case.minima)


@every(EVERY)
def test_a_quadratic_has_the_solution_of_its_linear_system(solver):
    rng = np.random.default_rng(0)
    A = np.eye(6) + 0.1 * (half := rng.normal(size=(6, 6))) @ half.T
    b = rng.normal(size=6)
    solution = jlr.minimize(
        quadratic, jnp.zeros(6), solver=solver, args=(array(A), array(b)), tol=1e-9 if X64 else 1e-5
    )
    solution.raise_if_failed()
    np.testing.assert_allclose(solution.params, np.linalg.solve(A, b), atol=1e-8 if X64 else 1e-4)
    assert solution.message.startswith("CONVERGED after ")
    assert f" of {type(solver).__name__} (" in solution.message


def quadratic(x, A, b):
    return 0.5 * jnp.vdot(x, A @ x) - jnp.vdot(b, x)


@every({name: solver for name, solver in GENERAL.items() if name != "newton"} | {"optax": jlr.Optax(optax.adam(0.1))})
def test_a_logistic_fit_is_that_of_newton(solver, made):
    X, y, weight = made
    X = (X - X.mean(0)) / X.std(0)
    tol = 1e-8 if X64 else 1e-5
    exact = jlr.fit(X, y, l2=0.1, sample_weight=weight, solver=jlr.Newton()).params
    found = jlr.fit(X, y, l2=0.1, sample_weight=weight, solver=solver, tol=tol).raise_if_failed()
    np.testing.assert_allclose(found.params.coef, exact.coef, atol=1e-7 if X64 else 1e-4)
    np.testing.assert_allclose(found.params.intercept, exact.intercept, atol=1e-7 if X64 else 1e-4)
    assert found.gap >= 0.0


@every({"bfgs": jlr.BFGS(), "dfp": jlr.DFP(), "cg": jlr.ConjugateGradient(), "newton cg": jlr.NewtonCG()})
def test_lanes_are_the_fits_alone(solver, made):
    X, y, _ = made
    l2s = array([0.01, 0.1, 1.0])

    def fit(l2):
        return jlr.fit(X, y, l2=l2, solver=solver)

    lanes = jax.jit(jax.vmap(fit))(l2s)
    alone = jax.tree.map(lambda *each: jnp.stack(each), *[fit(l2) for l2 in l2s])
    assert lanes.converged.all()
    np.testing.assert_allclose(
        lanes.params.coef, alone.params.coef, rtol=1e-8 if X64 else 1e-3, atol=1e-9 if X64 else 1e-4
    )


@every({"bfgs": jlr.BFGS(), "cg": jlr.ConjugateGradient(), "newton cg": jlr.NewtonCG(), "lbfgs": jlr.LBFGS()})
def test_many_starts_under_vmap_are_the_starts_alone(solver):
    # The four minima of Himmelblau's function: each start keeps the one it comes to alone.
    starts = array([[1.0, 1.0], [-2.0, 2.0], [-3.0, -3.0], [3.0, -1.0]])

    def run(start):
        return jlr.minimize(himmelblau, start, solver=solver, tol=1e-8 if X64 else 1e-3)

    together = jax.vmap(run)(starts)
    np.testing.assert_allclose(together.params, [run(start).params for start in starts], atol=1e-6 if X64 else 1e-3)
    np.testing.assert_allclose(together.value, 0.0, atol=1e-5)


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11.0) ** 2 + (x[0] + x[1] ** 2 - 7.0) ** 2


@every(EVERY)
def test_a_pytree_of_mixed_shapes_keeps_them(solver, dtype):
    init = {"a": jnp.zeros((2, 3), dtype), "b": (jnp.zeros((), dtype), jnp.zeros(1, dtype))}
    solution = jlr.minimize(of_tree, init, solver=solver, tol=1e-8 if X64 else 1e-4).raise_if_failed()
    assert jax.tree.map(jnp.shape, solution.params) == jax.tree.map(jnp.shape, init)
    np.testing.assert_allclose(solution.params["a"], 3.0, atol=1e-3)
    np.testing.assert_allclose(solution.params["b"][0], -1.0, atol=1e-3)


def of_tree(tree):
    return jnp.sum((tree["a"] - 3.0) ** 2) + (tree["b"][0] + 1.0) ** 2 + jnp.sum(tree["b"][1] ** 2)


@every(EVERY)
def test_a_start_that_is_not_finite_is_reported(solver, dtype):
    solution = jlr.minimize(log_barrier, jnp.asarray([-1.0], dtype), solver=solver)
    assert (solution.status, solution.num_steps) == (jlr.Status.NONFINITE, 0)


def log_barrier(x):
    return jnp.sum(x - jnp.log(x))


SEARCHING = {name: GENERAL[name] for name in ("lbfgs", "hager zhang", "newton")}


@every(SEARCHING)
@pytest.mark.parametrize(
    ("function", "start"),
    [
        (lambda x: -jnp.sum(x**4), [1.0, 2.0]),
        (lambda x: jnp.linalg.norm(x - 0.3), [2.0, -1.0]),
        (lambda x: jnp.where(jnp.all(x > 0.5), jnp.sum(x**2), jnp.nan), [2.0, 3.0]),
    ],
    ids=["falls for ever", "minimum at a kink", "minimum beside NaN"],
)
def test_where_no_gradient_vanishes_none_is_said_to(solver, function, start):
    solution = jlr.minimize(function, array(start), solver=solver)
    assert solution.status != jlr.Status.CONVERGED
    assert solution.kkt > 1e-2
    assert solution.value <= function(array(start))
    np.testing.assert_allclose(solution.value, function(solution.params), rtol=1e-5)


@every(SEARCHING)
def test_a_wall_of_infinity_is_not_climbed_over(solver):
    solution = jlr.minimize(
        lambda x: jnp.where(jnp.all(x > 0.5), jnp.sum((x - 0.6) ** 2), jnp.inf), array([5.0, 30.0]), solver=solver
    )
    np.testing.assert_allclose(solution.raise_if_failed().params, 0.6, atol=1e-5)


@every(EVERY)
def test_the_step_limit_holds(solver):
    solution = jlr.minimize(himmelblau, array([-1.0, 2.5]) / 10.0, solver=solver, max_steps=2, tol=0.0)
    assert (solution.status, solution.num_steps) == (jlr.Status.MAX_STEPS, 2)


@every(GENERAL)
def test_other_numbers_compile_nothing_anew(solver):
    traced = []

    def function(x, centre):
        traced.append(1)
        return jnp.sum((x - centre) ** 4 + x**2)

    jlr.minimize(function, jnp.zeros(3), solver=solver, args=(1.0,), tol=1e-3)
    first = len(traced)
    jlr.minimize(function, jnp.ones(3), solver=solver, args=(2.0,), tol=1e-4, max_steps=50)
    assert len(traced) <= first + 1  # the shape of what it returns is looked at


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(jlr.BFGS(), "BFGS"), (jlr.ConjugateGradient("polak_ribiere"), "CG"), (jlr.NewtonCG(), "Newton-CG")],
    ids=["bfgs", "cg", "newton cg"],
)
@pytest.mark.parametrize("name", ["rosenbrock", "helical valley", "beale"])
def test_the_minimum_is_that_of_scipy(ours, theirs, name):
    case = STANDARD_FUNCTIONS[name]
    gradient, hessian = jax.jit(jax.grad(case.function)), jax.jit(jax.hessian(case.function))
    found = scipy.optimize.minimize(
        lambda x: float(case.function(array(x))),
        np.asarray(case.start),
        jac=lambda x: np.asarray(gradient(array(x)), np.float64),
        hess=(lambda x: np.asarray(hessian(array(x)), np.float64)) if theirs == "Newton-CG" else None,
        method=theirs,
        options={"maxiter": 2000},
    )
    solution = jlr.minimize(case.function, array(case.start), solver=ours, tol=1e-7 if X64 else 1e-3)
    np.testing.assert_allclose(solution.params, found.x, atol=1e-4 if X64 else 5e-2)


def test_conjugate_gradients_end_a_quadratic_within_its_dimension_by_every_rule():
    A, b = array(np.diag([1.0, 2.0, 3.0, 4.0])), array([1.0, 1.0, 1.0, 1.0])
    for name in ("hager zhang", "polak ribiere", "hestenes stiefel", "fletcher reeves"):
        solution = jlr.minimize(quadratic, jnp.zeros(4), solver=GENERAL[name], args=(A, b), tol=1e-3)
        assert solution.num_steps <= 6, name  # 4 with exact line searches


def test_bfgs_learns_the_inverse_hessian():
    A = array([[3.0, 1.0], [1.0, 2.0]])
    run = jlr.iterate(quadratic, jnp.zeros(2), solver=jlr.BFGS(), args=(A, array([1.0, -1.0])), tol=1e-6)
    for _ in run:
        pass
    np.testing.assert_allclose(run.state.state.inverse, np.linalg.inv(A), atol=0.05)


def test_newton_cg_needs_no_hessian_for_many_weights():
    centre = jnp.sin(jnp.arange(20_000, dtype=jnp.result_type(float)))
    solution = jlr.minimize(lambda x, c: jnp.sum((x - c) ** 2 + (x - c) ** 4), jnp.zeros(20_000), args=(centre,))
    assert solution.converged
    by_newton_cg = jlr.minimize(
        lambda x, c: jnp.sum((x - c) ** 2 + (x - c) ** 4), jnp.zeros(20_000), args=(centre,), solver=jlr.NewtonCG()
    )
    np.testing.assert_allclose(by_newton_cg.params, centre, atol=1e-4)


def test_newton_comes_back_from_where_every_row_is_saturated():
    X = array(np.linspace(-1, 1, 40)[:, None])
    y = (np.arange(40) % 3 > 0).astype(float)
    far = jlr.Params(array([300.0]), array(900.0))
    solution = jlr.fit(X, y, l2=0.1, init=far, solver=jlr.Newton()).raise_if_failed()
    np.testing.assert_allclose(solution.params.coef, jlr.fit(X, y, l2=0.1).params.coef, atol=1e-5)


def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match="rule must be one of"):
        jlr.minimize(himmelblau, jnp.zeros(2), solver=jlr.ConjugateGradient("dai_yuan"))  # pyright: ignore


def test_arguments_are_traced_and_have_derivatives(dtype):
    def minimiser(centre):
        return jlr.minimize(quartic, jnp.zeros(2, dtype), args=(centre,)).params

    centre, h = jnp.asarray(2.0, dtype), 1e-4 if X64 else 1e-2
    by_difference = (minimiser(centre + h) - minimiser(centre - h)) / (2 * h)
    np.testing.assert_allclose(jax.jacrev(minimiser)(centre), by_difference, rtol=1e-6 if X64 else 2e-2)
    np.testing.assert_allclose(jax.jacfwd(minimiser)(centre), by_difference, rtol=1e-6 if X64 else 2e-2)
    lanes = jax.jit(jax.vmap(minimiser))(jnp.asarray([2.0, 3.0], dtype))
    np.testing.assert_allclose(lanes[1], minimiser(jnp.asarray(3.0, dtype)), rtol=1e-6)


def quartic(x, centre):
    return jnp.sum((x - centre) ** 4) + jnp.sum((x - 1.0) ** 2)


def test_a_function_may_close_over_what_is_batched_or_traced(dtype):
    def minimiser(centre):
        return jlr.minimize(lambda x: quartic(x, centre), jnp.zeros(2, dtype)).params

    centres = jnp.asarray([2.0, 3.0], dtype)
    np.testing.assert_allclose(jax.vmap(minimiser)(centres)[1], jax.jit(minimiser)(centres[1]), rtol=1e-5)


def test_auxiliary_output_is_that_at_the_minimum():
    solution = jlr.minimize(lambda x, c: (jnp.sum((x - c) ** 2), {"x": x}), jnp.zeros(2), args=(1.0,), has_aux=True)
    np.testing.assert_array_equal(solution.aux["x"], solution.params)


@pytest.mark.parametrize(
    ("function", "settings", "message"),
    [
        (lambda x: x, {}, "must return a floating-point scalar, got float"),
        (lambda x: jnp.int32(1), {}, "must return a floating-point scalar, got int32"),
        (lambda x, a: jnp.sum(x * a), {"args": np.ones(1)}, r"args must be a tuple, as in args=\(x,\), got ndarray"),
        (lambda x: (jnp.sum(x), x), {}, "say has_aux=True"),
        (jnp.sum, {"has_aux": True}, r"must return \(value, aux\)"),
        (jnp.sum, {"solver": jlr.LBFGS}, r"LBFGS\(\)"),
    ],
)
def test_what_cannot_be_minimised_is_refused_with_the_reason(function, settings, message):
    with pytest.raises(ValueError, match=message):
        jlr.minimize(function, jnp.zeros(2), **settings)


def test_solutions_of_any_two_solvers_are_alike_as_pytrees():
    one, other = (
        jlr.minimize(of_tree, {"a": jnp.zeros((2, 3)), "b": (jnp.zeros(()), jnp.zeros(1))}, solver=solver)
        for solver in (jlr.Newton(), jlr.BFGS())
    )
    both = jax.tree.map(lambda *each: jnp.stack(each), one, other)
    assert both.method.tolist() == [jlr.Method.Newton, jlr.Method.BFGS]


@pytest.mark.skipif(not X64, reason="one dtype alone")
def test_a_pytree_of_mixed_dtypes_keeps_them():
    def function(tree):
        return jnp.sum((tree["a"].astype(jnp.float64) - 1.0) ** 2) + jnp.sum((tree["b"] - 2.0) ** 2)

    init = {"a": jnp.zeros((2, 2), jnp.float32), "b": jnp.zeros(3)}
    with jax.numpy_dtype_promotion("standard"):
        solution = jlr.minimize(function, init).raise_if_failed()
    assert jax.tree.map(lambda x: x.dtype, solution.params) == {"a": jnp.float32, "b": jnp.float64}
    np.testing.assert_allclose(solution.params["a"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(solution.params["b"], 2.0, rtol=1e-10)


@pytest.mark.skipif(not X64, reason="one dtype alone")
def test_the_value_is_taken_in_the_dtype_of_the_start():
    def function(x, c):
        return jnp.sum((x.astype(c.dtype) - c) ** 2)

    solution = jlr.minimize(function, jnp.zeros(2, jnp.float32), args=(np.ones(2),)).raise_if_failed()
    assert solution.params.dtype == jnp.float32


def test_a_problem_takes_no_arguments(made):
    X, y, _ = made
    problem = jlr.Problem(jlr.losses.BinaryCrossEntropy.create(array(y)), jlr.Dense(array(X)), jlr.NoPenalty())
    for run in (jlr.minimize, jlr.iterate):
        with pytest.raises(ValueError, match="args and has_aux are for functions"):
            run(problem, jnp.zeros(5), args=(1.0,))


@pytest.mark.skipif(not X64, reason="twelve orders of magnitude are more than float32 has digits")
def test_truncated_newton_is_not_lost_where_a_large_function_curves_downwards():
    def large(x):
        return 1e12 * jnp.sum(x**4 - x**2)

    solution = jlr.minimize(large, jnp.array([0.1, 0.2]), solver=jlr.NewtonCG(), tol=1.0)
    np.testing.assert_allclose(solution.params, np.sqrt(0.5), atol=1e-6)
