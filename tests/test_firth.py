"""Firth fits equal those of R's brglm2 and logistf, are finite where maximum likelihood is not, and batch."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, array, columns, exact, read_rows
from reference_models import MODELS, reference
from scipy.optimize import minimize

import jaxlogreg as jlr
from jaxlogreg.inference.firth import FirthSolution, fit_firth

RTOL = 1e-8 if X64 else 2e-3
SEX2 = ("sex2", "main")
FIRTH_MODELS = [SEX2, *(name for name in MODELS if name[0] != "challenger")]


def sex2():
    rows = read_rows("sex2/data.csv")
    return columns(rows, "age", "oc", "vic", "vicl", "vis", "dia"), columns(rows, "case")[:, 0], None


def model(name):
    return sex2() if name == SEX2 else MODELS[name]()


def weights(solution):
    return np.append(solution.params.intercept, solution.params.coef)


def penalized_log_likelihood(w, X, y, s):
    """By the formula, with NumPy's determinant."""
    A = np.column_stack([np.ones(len(X)), X])
    z = A @ w
    p = 1 / (1 + np.exp(-z))
    information = A.T @ (A * (s * p * (1 - p))[:, None])
    return np.sum(s * (y * z - np.logaddexp(0, z))) + 0.5 * np.linalg.slogdet(information)[1]


@pytest.mark.parametrize("name", FIRTH_MODELS, ids="-".join)
def test_estimates_and_likelihoods_equal_those_of_brglm2(name, dtype):
    X, y, _ = model(name)
    expected = reference(*name, "firth")
    solution = fit_firth(X.astype(dtype), y)
    assert isinstance(solution, FirthSolution)
    assert solution.status in (jlr.Status.CONVERGED, *(() if X64 else (jlr.Status.STALLED,)))
    error = (weights(solution) - list(expected["coefficients"].values())) / list(expected["std_errors"].values())
    np.testing.assert_allclose(error, 0.0, atol=RTOL)
    m = solution.num_rows
    np.testing.assert_allclose(-m * solution.value, expected["penalised_loglik"], rtol=1e-10 if X64 else 1e-5)
    z, y = np.column_stack([np.ones(len(X)), X]) @ list(expected["coefficients"].values()), exact(y)
    plain = -m * (solution.value - solution.penalty)
    np.testing.assert_allclose(plain, np.sum(y * z - np.logaddexp(0, z)), rtol=1e-9 if X64 else 1e-4)


def test_saturated_groups_have_half_an_observation_of_each_class_more(dtype):
    """With a group an indicator, Firth's estimate is the log odds of counts with ½ added to each."""
    successes, failures = np.array([0, 3, 5]), np.array([4, 2, 1])
    X = np.eye(3)[np.repeat([0, 1, 2, 0, 1, 2], [*successes, *failures])]
    y = np.repeat([1.0, 0.0], [successes.sum(), failures.sum()])
    solution = fit_firth(X.astype(dtype), y, intercept=False)
    expected = np.log((successes + 0.5) / (failures + 0.5))
    np.testing.assert_allclose(solution.params.coef, expected, rtol=1e-9 if X64 else 1e-4)


def test_one_observation_of_each_group_converges_where_undamped_steps_alternate(dtype):
    solution = fit_firth(np.eye(2, dtype=dtype), [0, 1], intercept=False)
    assert solution.converged
    np.testing.assert_allclose(solution.params.coef, [-np.log(3), np.log(3)], rtol=1e-9 if X64 else 1e-5)


@pytest.mark.parametrize("m", [4, 8, 40])
def test_separated_classes_have_a_finite_maximum(m, dtype):
    X = np.random.default_rng(m).normal(size=(m, 2)).astype(dtype)
    y = (X[:, 0] > np.median(X[:, 0])).astype(dtype)
    assert jlr.fit(X, y).status == jlr.Status.SEPARABLE
    solution = fit_firth(X, y)
    assert solution.status in (jlr.Status.CONVERGED, *(() if X64 else (jlr.Status.STALLED,)))
    args = exact(X), exact(y), np.ones(m)
    best = minimize(lambda w: -penalized_log_likelihood(w, *args), np.zeros(3), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(weights(solution), best.x, rtol=1e-5 if X64 else 1e-2, atol=1e-5 if X64 else 1e-2)


def test_a_rare_variant_that_only_cases_carry_converges(dtype):
    rng = np.random.default_rng(0)
    x = np.zeros(5000)
    x[:3] = 1
    y = (rng.uniform(size=5000) < 0.05).astype(dtype)
    y[:3] = 1
    solution = fit_firth(x[:, None].astype(dtype), y)
    assert solution.converged
    others = y[3:].sum()
    expected = np.log(3.5 / 0.5) - np.log((others + 0.5) / (4997 - others + 0.5))
    np.testing.assert_allclose(solution.params.coef[0], expected, rtol=1e-8 if X64 else 1e-4)


def test_integer_weight_equals_repetition(made, dtype):
    X, y, _ = made
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = fit_firth(X, y, sample_weight=weight)
    repeated = fit_firth(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=1e-9 if X64 else 1e-3)
    np.testing.assert_allclose(weighted.value, repeated.value, rtol=1e-12 if X64 else 1e-5)
    assert float(weighted.num_rows) == weight.sum()


def test_an_offset_in_the_direction_of_a_column_moves_its_coefficient(made, dtype):
    X, y, _ = made
    plain, moved = fit_firth(X, y), fit_firth(X, y, offset=array(X[:, 0] * 0.5))
    np.testing.assert_allclose(moved.params.coef[0] + 0.5, plain.params.coef[0], rtol=1e-9 if X64 else 1e-3)


def test_units_change_the_coefficient_and_the_determinant_alone(made):
    X, y, _ = made
    scale = np.array([1e8, 1, 1e-6, 1, 1], X.dtype)
    plain, scaled = fit_firth(X, y), fit_firth(X * scale, y)
    assert scaled.status == plain.status
    np.testing.assert_allclose(scaled.params.coef * scale, plain.params.coef, rtol=1e-8 if X64 else 2e-3)
    shift = plain.num_rows * (scaled.value - plain.value)
    np.testing.assert_allclose(shift, -np.sum(np.log(exact(scale))), rtol=1e-9 if X64 else 1e-3)


@pytest.mark.parametrize("column", ["duplicate", "constant"])
def test_columns_that_depend_on_each_other_have_no_estimate(column, made):
    X, y, _ = made
    extra = X[:, :1] if column == "duplicate" else np.full((len(X), 1), 3.0, X.dtype)
    solution = fit_firth(np.hstack([X, extra]), y)
    assert solution.status == jlr.Status.NONFINITE
    assert "columns depend on each other linearly" in solution.message


@pytest.mark.parametrize("start", [5.0, 1e4])
def test_a_start_far_away_leads_to_the_same_maximum(start, made):
    X, y, _ = made
    init = jlr.Params(array(np.full(5, start)), array(-start))
    solution = fit_firth(X, y, init=init)
    np.testing.assert_allclose(weights(solution), weights(fit_firth(X, y)), rtol=1e-7 if X64 else 2e-3)


def test_the_step_limit_is_kept(made):
    X, y, _ = made
    solution = fit_firth(X, y, max_steps=1)
    assert solution.status == jlr.Status.MAX_STEPS
    assert solution.num_steps == 1


def lanes_of_data(count, dtype):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(count, 60, 3)).astype(dtype)
    y = (rng.uniform(size=(count, 60)) < 1 / (1 + np.exp(-X[:, :, 0]))).astype(dtype)
    return X, y


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
def test_lanes_equal_the_loop(shared, dtype):
    X, y = lanes_of_data(30, dtype)
    weight = np.random.default_rng(3).integers(1, 3, y.shape).astype(dtype)
    if shared:
        lanes = jax.vmap(lambda y, s: fit_firth(X[0], y, sample_weight=s))(y, weight)
    else:
        lanes = jax.jit(jax.vmap(lambda X, y, s: fit_firth(X, y, sample_weight=s)))(X, y, weight)
    loop = [fit_firth(X[0 if shared else i], y[i], sample_weight=weight[i]) for i in range(30)]
    for name in ("coef", "intercept"):
        alone = np.stack([getattr(fit.params, name) for fit in loop])
        np.testing.assert_allclose(getattr(lanes.params, name), alone, rtol=1e-8, atol=1e-9 if X64 else 2e-4)
    np.testing.assert_allclose(lanes.value, [fit.value for fit in loop], rtol=1e-12 if X64 else 1e-5)


def test_batches_of_lanes_equal_all_lanes_at_once(dtype, monkeypatch):
    X, y = lanes_of_data(30, dtype)
    at_once = jax.vmap(fit_firth)(X, y)
    monkeypatch.setattr("jaxlogreg.inference.firth.LANES_NUMBERS", 1)
    jax.clear_caches()
    in_batches = jax.vmap(fit_firth)(X, y)
    np.testing.assert_allclose(in_batches.params.coef, at_once.params.coef, atol=1e-9 if X64 else 2e-4)
    np.testing.assert_array_equal(in_batches.status, at_once.status)


def test_a_scan_of_own_columns_equals_fits_of_whole_matrices(dtype):
    rng = np.random.default_rng(4)
    shared, own = rng.normal(size=(80, 2)).astype(dtype), rng.integers(0, 3, (6, 80)).astype(dtype)
    y = (rng.uniform(size=80) < 0.4).astype(dtype)
    scan = jax.vmap(lambda g: fit_firth(jlr.Columns(jnp.asarray(shared), g), y))(own)
    for i in range(6):
        whole = fit_firth(np.column_stack([shared, own[i]]), y)
        np.testing.assert_allclose(scan.params.coef[i], whole.params.coef, atol=1e-9 if X64 else 2e-4)


def test_lanes_end_each_with_its_own_status(dtype):
    X, y = lanes_of_data(2, dtype)
    X[1, :, 2] = X[1, :, 1]
    lanes = jax.vmap(fit_firth)(X, y)
    np.testing.assert_array_equal(lanes.status, [jlr.Status.CONVERGED, jlr.Status.NONFINITE])
    assert lanes.message.startswith("1 of 2 lanes converged; lane 1: NONFINITE")


def test_wrong_arguments_are_named(made):
    X, y, _ = made
    with pytest.raises(ValueError, match="y must hold labels 0 and 1"):
        fit_firth(X, y + 1)
    with pytest.raises(ValueError, match="sample_weight must be at least 0"):
        fit_firth(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(ValueError, match="tol must be at least 0"):
        fit_firth(X, y, tol=-1.0)


def test_a_firth_solution_is_told_from_others_by_type(made):
    X, y, _ = made
    solution = fit_firth(X, y)
    assert isinstance(jax.tree.map(lambda x: x, solution), FirthSolution)
    assert "of Firth" in replace(solution).message
