"""Fits with L1, elastic net and bounds: against their optimality conditions, scikit-learn, SciPy and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from conftest import DTYPE, X64, array, exact

import jaxlogreg as jlr

TOL = 1e-11 if X64 else 1e-6
SOLVERS = [None, jlr.ProximalNewton(working_set=20), jlr.ProximalGradient(), jlr.ProximalGradient(acceleration=False)]


def objective(X, y, params, l1, l2=0.0, factor=1.0):
    w = exact(params.coef)
    z = exact(X) @ w + float(params.intercept)
    return np.mean(np.logaddexp(0.0, z) - exact(y) * z) + np.sum(factor * (l1 * np.abs(w) + 0.5 * l2 * w * w))


def violation(X, y, params, l1, l2=0.0, lower=-np.inf, upper=np.inf):
    """The largest distance of zero from the subdifferential, in float64."""
    X, w = exact(X), exact(params.coef)
    r = (1 / (1 + np.exp(-(X @ w + float(params.intercept)))) - exact(y)) / len(X)
    g = r @ X + l2 * w
    least = np.where(w <= lower, -np.inf, g + np.where(w > 0, l1, -l1))
    most = np.where(w >= upper, np.inf, g + np.where(w < 0, -l1, l1))
    return max(np.abs(np.clip(0.0, least, most)).max(), abs(r.sum()))


@pytest.fixture(scope="module")
def best(tumour):
    """The minimum by an interior-point-like split into positive and negative parts, in float64."""
    X, y = exact(tumour[0]), exact(tumour[1])
    m, n = X.shape
    A = np.hstack([X, -X, np.ones((m, 1))])

    def minimum(l1, l2):
        def value(v):
            z, w = A @ v, v[:n] - v[n:-1]
            r = 1 / (1 + np.exp(-z)) - y
            slope = A.T @ r / m + np.concatenate([l1 + l2 * w, l1 - l2 * w, [0.0]])
            return np.mean(np.logaddexp(0.0, z) - y * z) + l1 * v[:-1].sum() + 0.5 * l2 * w @ w, slope

        bounds = [(0, None)] * (2 * n) + [(None, None)]
        options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 50}
        return scipy.optimize.minimize(value, np.zeros(2 * n + 1), jac=True, bounds=bounds, options=options).fun

    return minimum


@pytest.mark.parametrize("solver", SOLVERS, ids=["default", "working set", "FISTA", "ISTA"])
def test_every_solver_finds_the_minimum_and_the_same_zeros(tumour, best, solver):
    X, y = tumour
    loose = solver in SOLVERS[2:]
    solution = jlr.fit(X, y, l1=0.02, l2=0.01, solver=solver, tol=1e-5 if loose else None)
    assert bool(solution.converged)
    assert violation(X, y, solution.params, 0.02, 0.01) <= (1e-5 if loose else 20 * TOL)
    np.testing.assert_allclose(objective(X, y, solution.params, 0.02, 0.01), best(0.02, 0.01), rtol=1e-6)
    newton = jlr.fit(X, y, l1=0.02, l2=0.01)
    np.testing.assert_array_equal(solution.params.coef != 0.0, newton.params.coef != 0.0)


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.01, 0.0), (0.001, 0.0), (0.01, 0.1)])
def test_the_gap_bounds_the_suboptimality_wherever_the_fit_stops(tumour, best, l1, l2):
    X, y = tumour
    minimum = best(l1, l2)
    for steps in (0, 1, 2, 4, 8, 100):
        solution = jlr.fit(X, y, l1=l1, l2=l2, max_steps=steps)
        above = objective(X, y, solution.params, l1, l2) - minimum
        rounding = 1e-9 if X64 else 1e-6  # that of the reference, and of the dtype
        assert float(solution.gap) >= above - rounding
    assert float(solution.gap) <= (1e-8 if X64 else 1e-4)


def test_bounds_hold_exactly_and_their_multipliers_have_the_right_sign(tumour):
    X, y = tumour
    lower, upper = np.where(np.arange(30) < 10, 0.0, -0.2), np.where(np.arange(30) < 20, 0.3, np.inf)
    solution = jlr.fit(X, y, l1=0.001, lower=lower, upper=upper)
    w = exact(solution.params.coef)
    lower, upper = exact(array(lower)), exact(array(upper))
    assert bool(solution.converged)
    assert np.all((lower <= w) & (w <= upper))
    assert np.any(w == lower)
    assert np.any(w == upper)
    assert violation(X, y, solution.params, 0.001, lower=lower, upper=upper) <= 20 * TOL
    assert 0.0 <= float(solution.gap) < 1e-4


def test_bounds_alone_are_a_fit_with_signs(tumour):
    X, y = tumour
    solution = jlr.fit(X, y, l2=0.01, lower=0.0)
    free = jlr.fit(X, y, l2=0.01)
    assert bool(solution.converged)
    assert float(solution.params.coef.min()) == 0.0
    assert float(solution.value) > float(free.value)
    reference = scipy.optimize.minimize(
        lambda v: objective(X, y, jlr.Params(v[:-1], v[-1]), 0.0, 0.01),
        np.zeros(31), bounds=[(0, None)] * 30 + [(None, None)], options={"maxiter": 500, "maxfun": 10**6},
    )  # fmt: skip
    np.testing.assert_allclose(float(solution.value), reference.fun, rtol=1e-5)


def test_no_strength_at_all_is_the_fit_without(made):
    X, y, weight = made
    plain = jlr.fit(X, y, l2=0.1, sample_weight=weight)
    with_kinks = jlr.fit(X, y, l2=0.1, sample_weight=weight, lower=-np.inf)
    assert bool(with_kinks.converged)
    np.testing.assert_allclose(with_kinks.value, plain.value, rtol=1e-12 if X64 else 1e-6)


@pytest.mark.parametrize("factor", [0.0, 3.0])
def test_factors_scale_and_free(made, factor):
    X, y, _ = made
    factors = np.array([1.0, factor, 1.0, 1.0, 1.0], X.dtype)
    solution = jlr.fit(X, y, l1=0.05, penalty_factor=factors, standardize=True)
    if factor:
        twin = jlr.fit((X - X.mean(0)) / X.std(0) / factors, y, l1=0.05)
        np.testing.assert_allclose(solution.value, twin.value, rtol=1e-9 if X64 else 1e-5)
    else:
        assert float(solution.params.coef[1]) != 0.0
        assert float(solution.gap) == np.inf  # a free column has no exact dual
    assert bool(solution.converged)


def test_a_strength_above_the_largest_leaves_nothing(made):
    X, y, weight = made
    for options in (
        {},
        {"sample_weight": weight},
        {"standardize": True, "offset": np.linspace(-1, 1, 200).astype(X.dtype)},
        {"penalty_factor": np.array([1, 2, 0, 1, 0.5], X.dtype), "standardize": True},
        {"intercept": False, "standardize": True},
        {"upper": 0.0},
    ):
        top = float(jlr.lambda_max(X, y, **options))
        penalised = np.asarray(options.get("penalty_factor", np.ones(5))) > 0
        margin = 1e-6 if X64 else 1e-3
        above, below = (jlr.fit(X, y, l1=top * f, **options).params.coef for f in (1 + margin, 1 - margin))
        assert np.all(np.asarray(above)[penalised] == 0.0)
        assert np.count_nonzero(np.asarray(below)[penalised]) == 1


def test_the_grid_goes_evenly_down(made):
    X, y, _ = made
    grid = jlr.lambda_grid(X, y, num=4, ratio=1e-3, l1_ratio=0.5)
    np.testing.assert_allclose(grid / (2 * jlr.lambda_max(X, y)), [1, 0.1, 0.01, 0.001], rtol=1e-4)


def test_a_path_equals_its_fits_in_any_order(tumour):
    X, y = tumour
    l1 = np.array([0.001, 0.1, 0.01, 0.4, 0.003], X.dtype)
    path = jlr.fit_path(X, y, l1=l1, l2=0.001)
    assert np.all(path.converged)
    for k in (0, 1, 3):
        alone = jlr.fit(X, y, l1=l1[k], l2=0.001)
        np.testing.assert_allclose(path.value[k], alone.value, rtol=1e-10 if X64 else 1e-5)
        np.testing.assert_array_equal(path.params.coef[k] != 0, alone.params.coef != 0)


def test_many_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 700)).astype(DTYPE)
    y = (X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=40) > 0).astype(DTYPE)
    grid = jlr.lambda_grid(X, y, num=12, ratio=0.05)
    path = jlr.fit_path(X, y, l1=grid)
    assert np.all(path.converged)
    for k in (0, 5, 11):
        params = jax.tree.map(lambda x, k=k: x[k], path.params)
        assert violation(X, y, params, float(grid[k])) <= 50 * TOL
        whole = jlr.fit(X, y, l1=grid[k], solver=jlr.ProximalNewton())
        np.testing.assert_allclose(path.value[k], whole.value, rtol=1e-10 if X64 else 1e-5)
    assert np.count_nonzero(path.params.coef[0]) <= 1 < np.count_nonzero(path.params.coef[11])


@pytest.mark.skipif(not X64, reason="central differences need float64")
@pytest.mark.parametrize("name", ["l1", "l2", "sample_weight", "X"])
def test_derivatives_are_those_on_the_support(made, name):
    X, y, weight = made
    X = (X - X.mean(0)) / X.std(0)
    options = {"l1": 0.03, "l2": 0.02, "sample_weight": weight, "X": X}

    def coefficients(value):
        given = options | {name: value}
        return jlr.fit(given.pop("X"), y, **given).params.coef

    at, direction = jnp.asarray(options[name]), jnp.asarray(np.cos(np.arange(np.size(options[name]))))
    direction = direction.reshape(at.shape)
    _, tangent = jax.jvp(coefficients, (at,), (direction,))
    h = 1e-5
    difference = (coefficients(at + h * direction) - coefficients(at - h * direction)) / (2 * h)
    assert 0 < np.count_nonzero(tangent) < 5
    np.testing.assert_allclose(tangent, difference, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"l1": -1.0}, "l1 must be at least 0"),
        ({"l1": [0.1, 0.2]}, "l1 must have shape"),
        ({"lower": 1.0}, "lower must be at most 0"),
        ({"upper": -1.0}, "upper must be at least 0"),
        ({"upper": np.nan}, "upper must be at least 0"),
        ({"lower": np.zeros(3)}, "lower must have shape"),
        ({"l1": 0.1, "solver": jlr.Newton()}, "Newton needs a smooth penalty"),
        ({"l1": 0.1, "solver": jlr.LBFGS()}, "LBFGS needs a smooth penalty"),
    ],
)
def test_what_cannot_be_is_refused(made, arguments, message):
    with pytest.raises(ValueError, match=message):
        jlr.fit(made[0], made[1], **arguments)


def test_a_path_of_both_takes_one_length(made):
    X, y, _ = made
    with pytest.raises(ValueError, match="l1 and l2 must be of one length"):
        jlr.fit_path(X, y, l1=[0.1, 0.2], l2=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="l1 must be at least 0"):
        jlr.fit_path(X, y, l1=[0.1, -0.2])


@pytest.mark.parametrize("acceleration", [True, False])
def test_of_a_function_the_value_is_that_at_the_weights(acceleration):
    solver = jlr.ProximalGradient(acceleration)
    solution = jlr.minimize(lambda x: jnp.sum((x - 1.0) ** 2), jnp.zeros(2), solver=solver, trace=True, max_steps=50)
    np.testing.assert_allclose(solution.value, 0.0, atol=1e-10)
    np.testing.assert_allclose(solution.trace.value[:2], [2.0, 0.0], atol=1e-10)


def test_no_proximal_step_leads_to_where_a_function_is_infinite():
    def walled(x):
        return jnp.where(jnp.all(x > 0.5), jnp.sum((x - 1.0) ** 2), jnp.inf)

    solution = jlr.minimize(walled, jnp.array([5.0, 30.0]), solver=jlr.ProximalGradient())
    assert np.isfinite(walled(solution.params))
    np.testing.assert_allclose(solution.value, walled(solution.params), rtol=1e-6)


def test_with_a_loss_that_is_not_convex_a_working_set_reports_the_value_at_its_weights():
    rng = np.random.default_rng(0)
    X = jnp.asarray(rng.normal(size=(100, 4)), DTYPE)
    y = jnp.asarray(X @ jnp.array([1.0, 0.0, 2.0, 0.0], DTYPE) + 0.1 * rng.normal(size=100), DTYPE)
    loss = jlr.losses.from_function(lambda z, y: 1.0 - jnp.exp(-0.1 * (z - y) ** 2), y)
    one = jnp.ones(4, DTYPE)
    problem = jlr.Problem(
        loss, jlr.Dense(X), jlr.ElasticNet(jnp.asarray(0.01, DTYPE), jnp.asarray(0.01, DTYPE), one, one)
    )
    solution = jlr.minimize(problem, jnp.zeros(4, DTYPE), solver=jlr.ProximalNewton(working_set=2), tol=1e-6)
    np.testing.assert_allclose(solution.value, problem.value(solution.params), rtol=1e-5)
    assert float(solution.value) < 0.1


def test_a_step_over_a_kink_goes_as_far_as_the_kink():
    # Columns that repeat and add up: the model's minimum lies a little beyond zero for two weights at once.
    rng = np.random.default_rng(306481093)
    X = rng.normal(size=(30, 6))
    X[:, 3], X[:, 5], X[:, 2] = X[:, 0] + X[:, 1], X[:, 0], 3.0
    y = (rng.uniform(size=30) < 0.1).astype(float)
    y[:2] = 0, 1
    l1 = 10**-2.6 * float(jlr.lambda_max(X, y, standardize=True))
    solution = jlr.fit(X, y, l1=l1, l2=0.1 * l1, standardize=True)
    assert solution.status in (jlr.Status.CONVERGED, jlr.Status.STALLED)
