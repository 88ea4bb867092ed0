"""``minimize`` and ``iterate``: any pure function of any pytree, truthful statuses, one loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from conftest import X64

import jaxlogreg as jlr

SOLVERS = [jlr.LBFGS(), jlr.Newton()]
IDS = ["lbfgs", "newton"]


def rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def beale(x):
    return (
        (1.5 - x[0] + x[0] * x[1]) ** 2 + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2 + (2.625 - x[0] + x[0] * x[1] ** 3) ** 2
    )


def quadratic(tree):
    return jnp.sum((tree["a"] - 3.0) ** 2) + (tree["b"] + 1.0) ** 2 + 0.3 * jnp.sum(tree["a"]) * tree["b"]


def problem_of(made, l2=0.1):
    X, y, _ = made
    factor = jnp.asarray([1, 1, 1, 1, 1, 0], X.dtype)
    loss = jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y))
    linear_map = jlr.WithIntercept(jlr.Dense(jnp.asarray(X)))
    return jlr.Problem(loss, linear_map, jlr.L2(jnp.asarray(l2, X.dtype), factor))


@pytest.mark.parametrize("solver", SOLVERS, ids=IDS)
@pytest.mark.parametrize(
    ("function", "start", "minimiser"),
    [
        (rosenbrock, [-1.2, 1.0], [1, 1]),
        (rosenbrock, [0.5, 1.5, 0.5, 2.0], [1, 1, 1, 1]),
        (beale, [1.0, 1.0], [3, 0.5]),
    ],
    ids=["rosenbrock 2", "rosenbrock 4", "beale"],
)
def test_standard_functions_are_minimised_from_their_published_starts(function, start, minimiser, solver, dtype):
    # In float32 one rounding of a weight moves Rosenbrock's gradient by 5e-5: below that, it is luck.
    tol = None if X64 else 1e-4
    solution = jlr.minimize(function, jnp.asarray(start, dtype), solver=solver, tol=tol).raise_if_failed()
    np.testing.assert_allclose(solution.params, minimiser, rtol=1e-8 if X64 else 2e-2)


def test_a_pytree_keeps_its_structure_and_reaches_scipys_minimum(dtype):
    init = {"a": jnp.zeros((2, 2), dtype), "b": jnp.zeros((), dtype)}
    solution = jlr.minimize(quadratic, init).raise_if_failed()
    assert jax.tree.structure(solution.params) == jax.tree.structure(init)

    def flat_quadratic(x):
        return np.sum((x[:4] - 3) ** 2) + (x[4] + 1) ** 2 + 0.3 * np.sum(x[:4]) * x[4]

    flat = scipy.optimize.minimize(flat_quadratic, np.zeros(5))
    np.testing.assert_allclose(solution.params["a"], flat.x[:4].reshape(2, 2), atol=1e-5)
    np.testing.assert_allclose(solution.value, flat.fun, rtol=1e-6)


def test_a_saddle_is_left_by_newton(dtype):
    solution = jlr.minimize(
        lambda x: x[0] ** 4 - x[0] ** 2 + x[1] ** 2, jnp.asarray([0.1, 1.0], dtype), solver=jlr.Newton()
    )
    np.testing.assert_allclose(jnp.abs(solution.params), [np.sqrt(0.5), 0.0], atol=1e-4)


def test_a_flat_start_is_left_by_newton(dtype):
    # The Hessian of x⁴ - x is zero at zero, its gradient is not.
    solution = jlr.minimize(lambda x: jnp.sum(x**4 - x), jnp.zeros(1, dtype), solver=jlr.Newton()).raise_if_failed()
    np.testing.assert_allclose(solution.params, 0.25 ** (1 / 3), rtol=1e-6)


def test_counts_as_integers_are_taken_as_numbers(dtype):
    loss = jlr.losses.from_function(lambda z, y: jnp.exp(z) - y * z, jnp.array([1, 3, 2]))
    problem = jlr.Problem(loss, jlr.Dense(jnp.ones((3, 1), dtype)), jlr.NoPenalty())
    np.testing.assert_allclose(jlr.minimize(problem, jnp.zeros(1, dtype)).params, np.log(2), rtol=1e-5)


def test_a_nonfinite_start_is_reported(dtype):
    solution = jlr.minimize(lambda x: jnp.sum(jnp.log(x)), jnp.asarray([-1.0], dtype))
    assert solution.status == jlr.Status.NONFINITE
    assert solution.num_steps == 0


def test_a_nan_among_many_weights_is_not_called_converged(dtype):
    # XLA's max on a CPU passes over NaN in large arrays.
    def function(x):
        return jnp.sum((x[1:] - 1.0) ** 2) + 0.0 * jnp.sqrt(x[0])

    solution = jlr.minimize(function, jnp.ones(10_000, dtype).at[0].set(0.0))
    assert solution.status == jlr.Status.NONFINITE


def test_a_step_into_nan_is_shortened(dtype):
    # log is undefined left of zero, where a full step would land.
    solution = jlr.minimize(lambda x: jnp.sum(x - jnp.log(x)), jnp.asarray([30.0, 0.1], dtype)).raise_if_failed()
    np.testing.assert_allclose(solution.params, 1.0, atol=1e-4)


def test_a_function_without_minimum_does_not_converge(dtype):
    solution = jlr.minimize(lambda x: jnp.sum(x), jnp.zeros(2, dtype))
    assert solution.status in (jlr.Status.LINE_SEARCH_FAILED, jlr.Status.MAX_STEPS)


def test_max_steps_is_a_limit(made):
    solution = jlr.minimize(problem_of(made), jnp.zeros(6, made[0].dtype), solver=jlr.LBFGS(), max_steps=2)
    assert solution.status == jlr.Status.MAX_STEPS
    assert solution.num_steps == 2
    none = jlr.minimize(problem_of(made), jnp.zeros(6, made[0].dtype), solver=jlr.LBFGS(), max_steps=0)
    assert (none.status, none.num_steps) == (jlr.Status.MAX_STEPS, 0)


def test_a_tolerance_below_rounding_ends_stalled_not_looping(made):
    for solver in SOLVERS:
        solution = jlr.minimize(problem_of(made), jnp.zeros(6, made[0].dtype), solver=solver, tol=0.0)
        assert solution.status in (jlr.Status.STALLED, jlr.Status.CONVERGED)
        assert solution.num_steps < solver.default_max_steps
        assert solution.kkt < (1e-13 if X64 else 1e-5)


def test_a_problem_is_the_same_as_its_function(made):
    problem = problem_of(made)
    start = jnp.zeros(6, made[0].dtype)
    carried = jlr.minimize(problem, start, solver=jlr.Newton()).raise_if_failed()
    generic = jlr.minimize(problem.value, start, solver=jlr.Newton(), tol=1e-8 if X64 else 1e-2)
    np.testing.assert_allclose(generic.value, carried.value, rtol=1e-10 if X64 else 1e-5)


@pytest.mark.parametrize(
    "solver",
    [jlr.Newton(), jlr.LBFGS(), jlr.GradientDescent(), jlr.GradientDescent(acceleration=True)],
    ids=["newton", "lbfgs", "gradient descent", "accelerated"],
)
def test_iterate_makes_the_steps_of_minimize(solver, made):
    problem, start = problem_of(made), jnp.zeros(6, made[0].dtype)
    steps = list(jlr.iterate(problem, start, solver=solver, max_steps=15))
    whole = jlr.minimize(problem, start, solver=solver, max_steps=15)
    assert [int(s.num_steps) for s in steps] == list(range(int(whole.num_steps) + 1))
    assert all(s.status == jlr.Status.RUNNING for s in steps[:-1])
    assert steps[-1].status == whole.status
    assert steps[-1].num_passes == whole.num_passes
    np.testing.assert_allclose(steps[-1].params, whole.params, rtol=1e-9 if X64 else 1e-3, atol=1e-9 if X64 else 1e-4)
    np.testing.assert_allclose(steps[0].value, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(steps[-1].initial_value, np.log(2), rtol=1e-6)


def test_iterate_on_a_function_yields_its_pytree(dtype):
    solutions = list(jlr.iterate(quadratic, {"a": jnp.zeros(2, dtype), "b": jnp.zeros((), dtype)}))
    assert solutions[-1].converged
    assert all(set(s.params) == {"a", "b"} for s in solutions)
    values = [float(s.value) for s in solutions]
    assert values == sorted(values, reverse=True)


def test_minimize_works_under_jit_and_from_many_starts_at_once(dtype):
    starts = jnp.asarray(np.random.default_rng(7).uniform(-2, 2, (8, 2)), dtype)
    together = jax.jit(jax.vmap(lambda x: jlr.minimize(rosenbrock, x)))(starts)
    alone = [jlr.minimize(rosenbrock, start) for start in starts]
    np.testing.assert_array_equal(together.status, [s.status for s in alone])
    np.testing.assert_allclose(together.params, 1.0, rtol=1e-6 if X64 else 5e-2)


def test_minimize_itself_can_be_jitted(made, dtype):
    problem, start, settings = problem_of(made), jnp.zeros(6, dtype), {"solver": jlr.Newton(), "max_steps": 30}
    jitted = jax.jit(jlr.minimize)(problem, start, **settings).raise_if_failed()
    np.testing.assert_allclose(jitted.params, jlr.minimize(problem, start, **settings).params, rtol=1e-5, atol=1e-6)
    of_function = jax.jit(jlr.minimize, static_argnums=0)(rosenbrock, jnp.asarray([-1.2, 1.0], dtype), tol=1e-3)
    np.testing.assert_allclose(of_function.params, 1.0, atol=1e-2)


def test_each_lane_has_its_own_start_tolerance_and_limit(dtype):
    starts = jnp.asarray([[-1.2, 1.0], [-1.2, 1.0], [np.nan, 1.0], [1.0, 1.0]], dtype)
    tols, limits = jnp.asarray([1e-3, 1e-3, 1e-3, 1e-3], dtype), jnp.asarray([100, 4, 100, 100])
    lanes = jax.vmap(lambda *lane: jlr.minimize(rosenbrock, lane[0], tol=lane[1], max_steps=lane[2]))(
        starts, tols, limits
    )
    expected = [jlr.Status.CONVERGED, jlr.Status.MAX_STEPS, jlr.Status.NONFINITE, jlr.Status.CONVERGED]
    assert lanes.status.tolist() == expected
    assert lanes.num_steps[1:].tolist() == [4, 0, 0]
    assert lanes.kkt[0] <= 1e-3
    loose = jax.vmap(lambda tol: jlr.minimize(rosenbrock, starts[0], tol=tol))(jnp.asarray([1.0, 1e-3], dtype))
    assert loose.num_steps[0] < loose.num_steps[1]


def test_a_loss_written_by_the_user_is_minimised(dtype):
    """Poisson regression: not in the library, and nothing but a function of margins."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(100, 3)).astype(dtype)
    y = rng.poisson(np.exp(0.3 + X @ [0.5, -0.2, 0.1])).astype(dtype)
    loss = jlr.losses.from_function(lambda z, y: jnp.exp(z) - y * z, jnp.asarray(y))
    problem = jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(jnp.asarray(X))), jlr.NoPenalty())
    w = np.asarray(jlr.minimize(problem, jnp.zeros(4, dtype), solver=jlr.Newton()).raise_if_failed().params)
    design = np.column_stack([X, np.ones(100)])
    np.testing.assert_allclose(design.T @ (np.exp(design @ w) - y) / 100, 0.0, atol=1e-10 if X64 else 1e-5)
    by_lbfgs = jlr.minimize(problem, jnp.zeros(4, dtype), solver=jlr.LBFGS()).raise_if_failed()
    np.testing.assert_allclose(by_lbfgs.params, w, rtol=1e-6 if X64 else 1e-3, atol=1e-8 if X64 else 1e-4)
    with pytest.raises(ValueError, match="give step a number, or use LBFGS"):
        jlr.minimize(problem, jnp.zeros(4, dtype), solver=jlr.GradientDescent())


def test_bad_settings_are_refused(dtype):
    with pytest.raises(ValueError, match="init must hold floating-point numbers"):
        jlr.minimize(rosenbrock, jnp.array([1, 2]))
    with pytest.raises(ValueError, match="max_steps must be at least 0, got -1"):
        jlr.minimize(rosenbrock, jnp.zeros(2, dtype), max_steps=-1)
    with pytest.raises(ValueError, match="tol must be at least 0, got nan"):
        jlr.minimize(rosenbrock, jnp.zeros(2, dtype), tol=float("nan"))
    with pytest.raises(ValueError, match="tol must be a single number, got shape"):
        jlr.minimize(rosenbrock, jnp.zeros(2, dtype), tol=[1e-3, 1e-4])
    with pytest.raises(ValueError, match=r"max_steps must be a whole number of at most 2147483647, got 2\.5"):
        jlr.minimize(rosenbrock, jnp.zeros(2, dtype), max_steps=2.5)
    with pytest.raises(ValueError, match="solver must be a solver such as Newton"):
        jlr.minimize(rosenbrock, jnp.zeros(2, dtype), solver="newton")


def logistic():
    loss = jlr.losses.BinaryCrossEntropy.create(jnp.array([0.0, 1.0, 1.0]))
    X = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
    return jlr.Problem(loss, jlr.Dense(X), jlr.L2(jnp.array(0.1), jnp.ones(2)))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"problem_or_fun": 3.0}, "problem_or_fun must be a Problem or a function"),
        ({"problem_or_fun": np.ones(2)}, "problem_or_fun must be a Problem or a function"),
        ({"problem_or_fun": dict}, "problem_or_fun must be a Problem or a function"),
        ({"init": jnp.zeros(0)}, "init must hold at least one number"),
        ({"max_steps": np.inf}, "max_steps must be a whole number of at most 2147483647"),
        ({"max_steps": 10**10}, "max_steps must be a whole number of at most 2147483647"),
        ({"max_steps": "5"}, "max_steps must be a real number, got '5'"),
        ({"tol": 1j}, "tol must be a real number"),
        ({"solver": 0}, "solver must be a solver"),
        ({"solver": jlr.GradientDescent(-1.0)}, "step must be a single number above 0, got -1.0"),
        ({"solver": jlr.GradientDescent(np.nan)}, "step must be a single number above 0, got nan"),
        ({"solver": jlr.GradientDescent(None)}, "step must be 'lipschitz', 'yedida_saha' or a number, got None"),
        ({"solver": jlr.ProximalNewton()}, r"ProximalNewton\(\) and .* need a loss over rows"),
        ({"problem_or_fun": logistic(), "init": jnp.zeros(5)}, r"init must be the problem's flat weights.*\(2,\)"),
        ({"problem_or_fun": logistic(), "init": {"a": jnp.zeros(2)}}, "init must be the problem's flat weights"),
    ],
)
def test_errors_name_the_argument(wrong, text):
    arguments = {"problem_or_fun": lambda x: jnp.sum(x * x), "init": jnp.zeros(2), **wrong}
    with pytest.raises(ValueError, match=text):
        jlr.minimize(**arguments)


def test_a_constant_is_minimal_everywhere():
    solution = jlr.minimize(lambda x: 1.0, jnp.zeros(2))
    assert solution.converged
    assert float(solution.value) == 1.0


def test_a_wall_is_walked_up_to():
    # Left of one half the function is infinite, so that no slope along the way there is small.
    def walled(x):
        return jnp.where(x[0] > 0.5, x[0] + x[1] ** 2, jnp.inf)

    solution = jlr.minimize(walled, jnp.array([5.0, 1.0]))
    assert not solution.converged
    assert 0.5 < float(solution.params[0]) < 0.6


def test_that_a_function_falls_for_ever_is_not_denied():
    message = jlr.minimize(lambda x: jnp.sum(x), jnp.zeros(2)).message
    assert "bounded below" in message
