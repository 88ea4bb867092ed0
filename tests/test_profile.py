"""Profile intervals equal those of logistf, and of root finding on a profile likelihood made with SciPy."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from conftest import X64, array, exact
from reference_models import MODELS, reference
from scipy.optimize import brentq, minimize
from scipy.stats import chi2
from test_firth import FIRTH_MODELS, model, sex2

import jaxlogreg as jlr
from jaxlogreg.inference.firth import fit_firth
from jaxlogreg.inference.profile import profile_interval
from jaxlogreg.inference.refusal import Refusal

ATOL = 1e-6 if X64 else 2e-2  # in standard errors


def log_likelihood(A, y, w):
    z = A @ w
    return np.sum(y * z - np.logaddexp(0, z))


def profile(A, y, j, beta):
    """The likelihood maximised over all coefficients but the ``j``-th, by Newton's method of SciPy."""
    others = np.delete(A, j, axis=1)

    def fun(w):
        return -np.sum(y * (others @ w + A[:, j] * beta) - np.logaddexp(0, others @ w + A[:, j] * beta))

    def gradient(w):
        return others.T @ (1 / (1 + np.exp(-(others @ w + A[:, j] * beta))) - y)

    def hessian(w):
        p = 1 / (1 + np.exp(-(others @ w + A[:, j] * beta)))
        return others.T @ (others * (p * (1 - p))[:, None])

    found = minimize(fun, np.zeros(A.shape[1] - 1), jac=gradient, hess=hessian, method="trust-exact", tol=1e-9)
    return -found.fun


def limits_by_root_finding(A, y, w, std_error, level=0.95):
    critical = log_likelihood(A, y, w) - 0.5 * chi2.ppf(level, 1)
    lower, upper = np.zeros_like(w), np.zeros_like(w)
    for j in range(len(w)):
        for limits, side in ((lower, -1), (upper, 1)):
            limits[j] = brentq(
                lambda beta, j=j: profile(A, y, j, beta) - critical, w[j], w[j] + side * 6 * std_error[j], xtol=1e-11
            )
    return lower, upper


@pytest.mark.parametrize("name", FIRTH_MODELS, ids="-".join)
def test_penalised_limits_equal_those_of_logistf(name, dtype):
    X, y, _ = model(name)
    expected, errors = reference(*name, "firth_logistf"), numbers(reference(*name, "firth")["std_errors"])
    found = profile_interval(replace_status(fit_firth(X.astype(dtype), y)), X.astype(dtype), y)
    assert np.all(found.converged)
    assert found.message == ""
    for limits, key in ((found.lower, "profile_ci_lower"), (found.upper, "profile_ci_upper")):
        np.testing.assert_allclose((exact(limits) - numbers(expected[key])) / errors, 0.0, atol=ATOL)
    p_value = numbers(expected["p_profile"])
    np.testing.assert_allclose(found.p_value, p_value, rtol=1e-6 if X64 else 1e-2, atol=1e-12 if X64 else 1e-6)


def numbers(by_name):
    return np.array(list(by_name.values()))


def replace_status(solution):
    """In float32 a fit may stall near its maximum; what is tested here are the limits from there."""
    return solution if X64 else replace(solution, status=np.int32(jlr.Status.CONVERGED))


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_limits_of_maximum_likelihood_equal_those_of_root_finding(level, dtype):
    X, y, _ = MODELS["ucla_admissions", "rank_as_factor"]()
    X = (X - X.mean(axis=0)).astype(dtype)
    A = np.column_stack([np.ones(len(X)), exact(X)])
    fit = jlr.fit(X, y)
    w = np.append(fit.params.intercept, fit.params.coef).astype(float)
    std_error = exact(jlr.summary(fit, X, y).std_error)
    lower, upper = limits_by_root_finding(A, y, w, std_error, level)
    found = profile_interval(fit, X, y, level=level)
    assert np.all(found.converged)
    np.testing.assert_allclose((found.lower - lower) / std_error, 0.0, atol=ATOL)
    np.testing.assert_allclose((found.upper - upper) / std_error, 0.0, atol=ATOL)
    ratios = [2 * (log_likelihood(A, y, w) - profile(A, y, j, 0.0)) for j in range(len(w))]
    np.testing.assert_allclose(found.p_value, chi2.sf(ratios, 1), rtol=1e-6 if X64 else 1e-2)


@pytest.mark.skipif(not X64, reason="float32 cannot tell the likelihood's ends")
def test_a_quasi_separated_coefficient_has_one_limit():
    """All with dia = 1 are cases: the other coefficients' limits are those of the rest, dia's upper one is infinite."""
    X, y, _ = sex2()
    found = profile_interval(jlr.fit(X, y), X, y)
    assert np.all(found.converged)
    assert found.upper[-1] == np.inf
    rest = X[:, -1] == 0
    A = np.column_stack([np.ones(rest.sum()), X[rest, :-1]])
    fit = jlr.fit(X[rest, :-1], y[rest])
    w = np.append(fit.params.intercept, fit.params.coef)
    lower, upper = limits_by_root_finding(A, y[rest], w, exact(jlr.summary(fit, X[rest, :-1], y[rest]).std_error))
    np.testing.assert_allclose(found.lower[:-1], lower, rtol=1e-5)
    np.testing.assert_allclose(found.upper[:-1], upper, rtol=1e-5, atol=1e-6)
    critical = log_likelihood(A, y[rest], w) - 0.5 * chi2.ppf(0.95, 1)
    full = np.column_stack([np.ones(len(y)), X])
    end = brentq(lambda beta: profile(full, y, 6, beta) - critical, 0.0, 10.0)
    np.testing.assert_allclose(found.lower[-1], end, rtol=1e-5)


@pytest.mark.parametrize("firth", [False, True])
def test_lanes_equal_the_loop(firth, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 80, 2)).astype(dtype)
    y = (rng.uniform(size=(4, 80)) < 1 / (1 + np.exp(-X[:, :, 0]))).astype(dtype)

    def interval(X, y):
        return profile_interval((fit_firth if firth else jlr.fit)(X, y, tol=1e-5 if not X64 else None), X, y)

    lanes = jax.jit(jax.vmap(interval))(X, y)
    assert np.all(lanes.converged)
    for i in range(4):
        alone = interval(X[i], y[i])
        np.testing.assert_allclose(lanes.lower[i], alone.lower, atol=1e-7 if X64 else 1e-2)
        np.testing.assert_allclose(lanes.upper[i], alone.upper, atol=1e-7 if X64 else 1e-2)
        np.testing.assert_allclose(lanes.p_value[i], alone.p_value, atol=1e-7 if X64 else 1e-3)


def test_a_traced_level_does_not_recompile_nor_differ(made):
    X, y, _ = made
    fit = jlr.fit(X, y)
    levels = array([0.9, 0.95])
    lanes = jax.vmap(lambda level: profile_interval(fit, X, y, level=level).upper)(levels)
    np.testing.assert_allclose(lanes[1], profile_interval(fit, X, y).upper, rtol=1e-6 if X64 else 1e-2)
    assert np.all(lanes[0] < lanes[1])


def test_units_change_the_limits_as_they_change_the_coefficient(made):
    X, y, _ = made
    scale = np.array([1e8, 1, 1e-6, 1, 1], X.dtype)
    plain, scaled = (profile_interval(jlr.fit(A, y), A, y) for A in (X, X * scale))
    for limits, others in ((plain.lower, scaled.lower), (plain.upper, scaled.upper)):
        size = np.abs(plain.upper[1:] - plain.lower[1:])
        np.testing.assert_allclose((others[1:] * scale - limits[1:]) / size, 0.0, atol=1e-7 if X64 else 2e-2)


def test_integer_weight_equals_repetition(made):
    X, y, _ = made
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    twice = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    weighted = profile_interval(jlr.fit(X, y, sample_weight=weight), X, y, sample_weight=weight)
    repeated = profile_interval(jlr.fit(*twice), *twice)
    np.testing.assert_allclose(weighted.lower, repeated.lower, rtol=1e-7 if X64 else 2e-2)


def test_fits_that_have_no_interval_say_why(made):
    X, y, _ = made
    separated = (X[:, 0] > 0).astype(X.dtype)
    twice = np.hstack([X, X[:, :1]])
    cases = {
        Refusal.PENALIZED: (jlr.fit(X, y, l2=0.1), X, y),
        Refusal.NOT_CONVERGED: (jlr.fit(X, y, max_steps=1), X, y),
        Refusal.SEPARABLE: (jlr.fit(X, separated), X, separated),
        Refusal.OTHER_DATA: (jlr.fit(X, y), X[::-1], y),
        Refusal.SINGULAR: (jlr.fit(twice, y), twice, y),
    }
    for reason, arguments in cases.items():
        found = profile_interval(*arguments)
        assert found.refusal == reason
        assert found.message != ""
        assert np.all(np.isnan(found.lower))
        assert np.all(np.isnan(found.upper))
        assert not np.any(found.converged)


def test_wrong_arguments_are_named(made):
    X, y, _ = made
    labels = np.arange(len(y)) % 3
    with pytest.raises(ValueError, match="fit must be of two classes"):
        profile_interval(jlr.fit_softmax(X, labels, 3), X, labels)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        profile_interval(jlr.fit(X, y), X, y, level=95)
