"""Covariances: the model's, and sandwiches beside statsmodels'."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from conftest import DTYPE, X64, array, exact
from reference_models import MODELS

import jaxlogreg as jlr

RTOL = 1e-8 if X64 else 5e-3


@pytest.fixture(scope="module")
def admissions(dtype):
    X, y, _ = MODELS["ucla_admissions", "rank_as_factor"]()
    X = X.astype(dtype)
    return jlr.fit(X, y), X, y


def working_response(fit, X):
    """The linear regression that maximum likelihood ends with: its sandwiches are those of the logistic one."""
    z = exact(X) @ exact(fit.params.coef) + float(fit.params.intercept)
    p = 1 / (1 + np.exp(-z))
    return z, p, p * (1 - p)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_sandwich_errors_equal_statsmodels(admissions, kind):
    fit, X, y = admissions
    z, p, v = working_response(fit, X)
    reference = sm.WLS(z + (y - p) / v, sm.add_constant(exact(X)), weights=v).fit()
    found = jnp.sqrt(jnp.diag(jlr.covariance(fit, X, y, covariance=kind)))
    np.testing.assert_allclose(found, getattr(reference, f"{kind}_se"), rtol=RTOL)
    np.testing.assert_allclose(found, jlr.summary(fit, X, y, covariance=kind).std_error, rtol=1e-12 if X64 else 1e-5)


def test_cluster_errors_equal_statsmodels(admissions):
    fit, X, y = admissions
    clusters = np.arange(len(y)) % 17
    names = np.array([f"school {k}" for k in clusters])
    model = sm.Logit(y, sm.add_constant(exact(X)))
    reference = model.fit(disp=0, method="newton", tol=1e-13, cov_type="cluster", cov_kwds={"groups": clusters})
    for labels in (clusters, names, 1000 - 3 * clusters):
        found = jlr.covariance(fit, X, y, covariance="cluster", clusters=labels)
        np.testing.assert_allclose(jnp.sqrt(jnp.diag(found)), reference.bse, rtol=RTOL)
    traced = jax.jit(lambda c: jlr.covariance(fit, X, y, covariance="cluster", clusters=c))(jnp.asarray(clusters))
    np.testing.assert_allclose(traced, found, rtol=1e-9 if X64 else 1e-2, atol=1e-12 if X64 else 1e-6)


def test_a_cluster_of_each_row_is_hc0_corrected(admissions):
    fit, X, y = admissions
    m, k = len(y), X.shape[1] + 1
    alone = jlr.covariance(fit, X, y, covariance="cluster", clusters=np.arange(m))
    expected = jlr.covariance(fit, X, y, covariance="HC0") * (m / (m - 1)) * ((m - 1) / (m - k))
    np.testing.assert_allclose(alone, expected, rtol=1e-9 if X64 else 1e-2, atol=1e-12 if X64 else 1e-6)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "cluster"])
def test_softmax_of_two_classes_has_the_binary_sandwich(made, kind):
    X, y, weight = made
    options = {
        "sample_weight": weight,
        "covariance": kind,
        "clusters": np.arange(200) // 5 if kind == "cluster" else None,
    }
    binary = jlr.covariance(jlr.fit(X, y, sample_weight=weight), X, y, **options)
    fit = jlr.fit_softmax(X, y.astype(int), 2, sample_weight=weight)
    both = jlr.covariance(fit, X, y.astype(int), **options)
    np.testing.assert_allclose(jnp.diag(both), jnp.diag(binary), rtol=1e-7 if X64 else 1e-2)


def test_weights_are_those_of_observations_in_sandwiches(made):
    X, y, weight = made
    X, w = exact(X), exact(weight)
    fit = jlr.fit(array(X), y, sample_weight=array(w))
    A = np.column_stack([np.ones(len(X)), X])
    p = 1 / (1 + np.exp(-(A @ np.append(float(fit.params.intercept), exact(fit.params.coef)))))
    inverse = np.linalg.inv((A * (w * p * (1 - p))[:, None]).T @ A)
    u = (w * (y - p))[:, None] * A
    found = jlr.covariance(fit, array(X), y, sample_weight=array(w), covariance="HC0")
    expected = inverse @ u.T @ u @ inverse
    np.testing.assert_allclose(jnp.diag(found), np.diag(expected), rtol=1e-8 if X64 else 1e-2)


def test_the_penalised_sandwich_is_the_closed_form(made):
    X, y, _ = made
    X, l2 = exact((X - X.mean(0)) / X.std(0)), 0.05
    fit = jlr.fit(array(X), y, l2=l2)
    A = np.column_stack([np.ones(len(X)), X])
    p = 1 / (1 + np.exp(-(A @ np.append(float(fit.params.intercept), exact(fit.params.coef)))))
    information = (A * (p * (1 - p))[:, None]).T @ A
    bread = np.linalg.inv(information + len(X) * l2 * np.diag([0.0, 1, 1, 1, 1, 1]))
    u = (y - p)[:, None] * A
    for kind, meat in (("model", information), ("HC0", u.T @ u)):
        found = jlr.covariance(fit, array(X), y, covariance=kind, penalized="sandwich")
        np.testing.assert_allclose(found, bread @ meat @ bread, rtol=1e-7 if X64 else 2e-2, atol=1e-9 if X64 else 1e-5)


def test_coefficients_that_a_lasso_made_zero_have_no_error(made):
    X, y, _ = made
    fit = jlr.fit(X, y, l1=0.03, standardize=True)
    zero = np.append(False, np.asarray(fit.params.coef) == 0.0)
    found = jlr.covariance(fit, X, y, penalized="sandwich")
    assert 0 < zero.sum() < 5
    assert np.array_equal(np.isnan(np.diag(found)), zero)


def test_repeating_the_study_shows_the_standard_errors(dtype):
    rng = np.random.default_rng(1)
    X = array(rng.normal(size=(400, 2)))
    p = 1 / (1 + np.exp(-(0.5 + X @ jnp.array([1.0, -0.5], DTYPE))))
    y = array((rng.uniform(size=(500, 400)) < np.asarray(p)[None]).astype(float))
    fits = jax.vmap(lambda y: jlr.summary(jlr.fit(X, y), X, y))(y)
    # The deviation of 500 repetitions is known to 1 / √1000 = 3 %.
    np.testing.assert_allclose(jnp.std(fits.coef, axis=0), jnp.mean(fits.std_error, axis=0), rtol=0.1)
    inside = np.mean((exact(fits.lower) <= [0.5, 1.0, -0.5]) & (exact(fits.upper) >= [0.5, 1.0, -0.5]), axis=0)
    np.testing.assert_allclose(inside, 0.95, atol=0.03)


def test_columns_that_fits_share_give_the_same(made):
    X, y, _ = made
    split = jlr.Columns(X[:, :4], X[:, 4])
    whole = jlr.covariance(jlr.fit(X, y), X, y, covariance="HC3")
    found = jlr.covariance(jlr.fit(split, y), split, y, covariance="HC3")
    np.testing.assert_allclose(jnp.diag(found), jnp.diag(whole), rtol=1e-8 if X64 else 1e-2)


def test_what_does_not_exist_is_refused(made):
    X, y, _ = made
    fit = jlr.fit_softmax(X, y.astype(int), 2)
    for options in ({"covariance": "HC2"}, {"covariance": "HC3"}, {"penalized": "sandwich"}):
        with pytest.raises(ValueError, match="are for two classes"):
            jlr.covariance(fit, X, y.astype(int), **options)
    with pytest.raises(ValueError, match="penalized must be"):
        jlr.covariance(jlr.fit(X, y), X, y, penalized="yes")
    with pytest.raises(ValueError, match="at least two clusters"):
        jlr.covariance(jlr.fit(X, y), X, y, covariance="cluster", clusters=np.zeros(200))
    with pytest.raises(ValueError, match="one label for each of the 200 rows"):
        jlr.covariance(jlr.fit(X, y), X, y, covariance="cluster", clusters=np.zeros(20))
