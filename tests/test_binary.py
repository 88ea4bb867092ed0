"""``fit``: the optimum of its stated objective, whatever the solver; what weights and options mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr

TOL = 1e-8 if X64 else 1e-4
# The solver's own limits suffice on standardised columns; gradient descent gets a reachable tol.
SOLVERS = {
    "default": (None, None),
    "newton": (jlr.Newton(), None),
    "lbfgs": (jlr.LBFGS(), None),
    "gradient descent": (jlr.GradientDescent(), 1e-8 if X64 else 1e-5),
    "accelerated": (jlr.GradientDescent(acceleration=True), 1e-8 if X64 else 1e-5),
}


def weights_of(solution):
    return np.append(solution.params.coef, solution.params.intercept)


@pytest.fixture(scope="module")
def sklearn_tumour(tumour):
    X, y = (a.astype(np.float64) for a in tumour)
    model = LogisticRegression(C=1 / (len(y) * 1e-2), solver="newton-cholesky", tol=1e-12).fit(X, y)
    z = X @ model.coef_[0] + model.intercept_[0]
    value = np.mean(np.logaddexp(0, z) - y * z) + 0.5e-2 * np.sum(model.coef_**2)
    return np.append(model.coef_[0], model.intercept_[0]), value


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_reaches_the_optimum_of_scikit_learn(name, tumour, sklearn_tumour):
    solver, tol = SOLVERS[name]
    solution = jlr.fit(*tumour, l2=1e-2, solver=solver, tol=tol).raise_if_failed()
    coef, value = sklearn_tumour
    np.testing.assert_allclose(solution.value, value, rtol=1e-8 if X64 else 1e-6)
    np.testing.assert_allclose(weights_of(solution), coef, rtol=0, atol=1e-6 if X64 else 1e-3)
    assert 0.0 <= float(solution.gap) < (1e-8 if X64 else 1e-5) * value


def test_integer_weight_equals_repetition(made, dtype):
    X, y, _ = made
    repeats = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = jlr.fit(X, y, l2=0.01, sample_weight=repeats)
    repeated = jlr.fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats), l2=0.01)
    np.testing.assert_allclose(weights_of(weighted), weights_of(repeated), rtol=TOL, atol=TOL)
    np.testing.assert_allclose(weighted.value, repeated.value, rtol=TOL)


def test_zero_weight_equals_deletion(made):
    X, y, weight = made
    weight = np.where(np.arange(len(y)) < 50, 0, weight)
    kept = jlr.fit(X[50:], y[50:], sample_weight=weight[50:], standardize=True, l2=0.1)
    zeroed = jlr.fit(X, y, sample_weight=weight, standardize=True, l2=0.1)
    np.testing.assert_allclose(weights_of(zeroed), weights_of(kept), rtol=TOL, atol=TOL)


def test_scale_of_weights_does_not_matter(made):
    X, y, weight = made
    one, many = (jlr.fit(X, y, sample_weight=scale * weight, l2=0.1) for scale in (1, 1000))
    np.testing.assert_allclose(weights_of(one), weights_of(many), rtol=TOL, atol=TOL)


def test_offset_of_a_column_is_its_coefficient_less_one(made, dtype):
    X, y, _ = made
    plain = jlr.fit(X, y)
    shifted = jlr.fit(X, y, offset=X[:, 0])
    expected = np.asarray(plain.params.coef) - np.eye(5)[0]
    np.testing.assert_allclose(shifted.params.coef, expected, rtol=100 * TOL, atol=TOL)


def test_standardize_penalises_scaled_columns_and_reports_the_original_scale(made):
    X, y, weight = made
    mean = np.average(X, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    lazy = jlr.fit(X, y, sample_weight=weight, l2=0.1, standardize=True)
    by_hand = jlr.fit((X - mean) / deviation, y, sample_weight=weight, l2=0.1)
    np.testing.assert_allclose(lazy.params.coef, by_hand.params.coef / deviation, rtol=100 * TOL)
    np.testing.assert_allclose(lazy.value, by_hand.value, rtol=10 * TOL)


def test_penalty_factor_zero_leaves_a_column_free(made, dtype):
    X, y, _ = made
    factor = np.array([0, 1, 1, 1, 1], dtype)
    solution = jlr.fit(X, y, l2=1e9, penalty_factor=factor)
    only_first = jlr.fit(X[:, :1], y)
    np.testing.assert_allclose(solution.params.coef[0], only_first.params.coef[0], rtol=1e-3)
    assert np.all(np.abs(solution.params.coef[1:]) < 1e-3)
    assert np.isinf(solution.gap)


def test_without_intercept_there_is_none(made):
    X, y, _ = made
    solution = jlr.fit(X, y, l2=0.1, intercept=False).raise_if_failed()
    assert solution.params.intercept == 0.0
    z = X @ np.asarray(solution.params.coef)
    gradient = X.T @ (1 / (1 + np.exp(-z)) - y) / len(y) + 0.1 * np.asarray(solution.params.coef)
    assert np.max(np.abs(gradient) / np.sqrt(np.mean(X**2, axis=0))) < (1e-10 if X64 else 1e-4)


def test_kkt_is_the_gradient_over_the_rms_of_the_columns(made):
    X, y, weight = made
    share = weight / weight.sum()
    solution = jlr.fit(X, y, sample_weight=weight, l2=0.1, solver=jlr.LBFGS(), max_steps=3)
    assert solution.status == jlr.Status.MAX_STEPS
    assert solution.num_steps == 3
    z = X @ np.asarray(solution.params.coef) + float(solution.params.intercept)
    residual = share * (1 / (1 + np.exp(-z)) - y)
    gradient = np.append(residual @ X + 0.1 * np.asarray(solution.params.coef), residual.sum())
    rms = np.append(np.sqrt(share @ X**2), 1.0)
    np.testing.assert_allclose(solution.kkt, np.max(np.abs(gradient) / rms), rtol=1e-9 if X64 else 1e-3)


def test_units_of_a_column_do_not_matter(made):
    X, y, _ = made
    scale = np.array([1e8, 1, 1e-8, 1, 1], X.dtype)
    plain, scaled = jlr.fit(X, y), jlr.fit(X * scale, y)
    assert scaled.status == jlr.Status.CONVERGED
    np.testing.assert_allclose(scaled.params.coef * scale, plain.params.coef, rtol=1e-7 if X64 else 1e-3)


def test_starting_at_the_optimum_takes_no_step(made):
    X, y, _ = made
    first = jlr.fit(X, y, l2=0.1)
    again = jlr.fit(X, y, l2=0.1, init=first.params, tol=1e-9 if X64 else 1e-5)
    assert again.status == jlr.Status.CONVERGED
    assert again.num_steps == 0


@pytest.mark.parametrize(
    "solver", [None, jlr.Newton(), jlr.LBFGS(), jlr.GradientDescent()], ids=lambda s: type(s).__name__
)
def test_separated_classes_are_reported_and_a_penalty_cures_them(solver, dtype):
    X, y = np.array([[-2], [-1], [1], [2]], dtype), np.array([0, 0, 1, 1])
    separated = jlr.fit(X, y, solver=solver)
    assert separated.status == jlr.Status.SEPARABLE
    assert "l2 > 0" in separated.message
    assert np.all(np.isfinite(separated.params.coef))
    assert jlr.fit(X, y, l2=0.1, solver=solver).converged


def test_overlapping_classes_are_not_called_separable(made):
    X, y, _ = made
    assert jlr.fit(X, y).status == jlr.Status.CONVERGED


def test_a_traced_single_class_is_separated_by_the_intercept_alone(made):
    X, _, _ = made
    solution = jax.jit(lambda y: jlr.fit(X, y, l2=0.1))(jnp.ones(len(X), X.dtype))
    assert solution.status == jlr.Status.SEPARABLE


@pytest.mark.parametrize("solver", [None, jlr.Newton(), jlr.LBFGS()], ids=["default", "newton", "lbfgs"])
def test_duplicate_and_constant_columns_change_no_prediction(solver, made):
    X, y, _ = made
    deficient = np.column_stack([X, X[:, 0], np.ones_like(y), np.zeros_like(y)])
    plain, redundant = jlr.fit(X, y), jlr.fit(deficient, y, solver=solver)
    assert redundant.converged
    np.testing.assert_allclose(redundant.value, plain.value, rtol=1e-10 if X64 else 1e-5)
    np.testing.assert_allclose(
        jlr.predict_proba(redundant.params, deficient), jlr.predict_proba(plain.params, X), atol=1e-6 if X64 else 1e-3
    )


@pytest.mark.parametrize("solver", [None, jlr.Newton(), jlr.LBFGS()], ids=["default", "newton", "lbfgs"])
def test_more_columns_than_rows(solver, dtype):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(20, 80)).astype(dtype), np.arange(20) % 2
    assert jlr.fit(X, y, l2=0.1, solver=solver).converged
    assert jlr.fit(X, y, solver=solver).status == jlr.Status.SEPARABLE


def test_num_passes_counts_reads_of_the_data(made):
    X, y, _ = made
    solvers = jlr.Newton(), jlr.LBFGS(), jlr.LBFGS(preconditioner="hessian")
    newton, lbfgs, preconditioned = (jlr.fit(X, y, l2=0.1, solver=solver) for solver in solvers)
    # moments, then the gradient at zero, separation and gap; and the steps
    assert newton.num_passes == 4 + 3 * newton.num_steps
    assert lbfgs.num_passes == 4 + 2 * lbfgs.num_steps
    num_hessians = preconditioned.num_passes - (4 + 2 * preconditioned.num_steps)
    assert 0 <= num_hessians <= preconditioned.num_steps


def test_margins_that_came_from_far_away_are_computed_afresh(made):
    X, y, _ = made
    far = jlr.Params(np.full(5, 10.0, X.dtype), np.full((), -10.0, X.dtype))
    near, here = (jlr.fit(X, y, l2=0.1, solver=jlr.Newton(), init=init) for init in (far, None))
    # margins and gradient at the start, and at least once more at the end
    assert near.num_passes - (4 + 1 + 3 * near.num_steps) >= 2
    np.testing.assert_allclose(near.params.coef, here.params.coef, atol=1e-9 if X64 else 1e-4)
