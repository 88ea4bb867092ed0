"""Tests by the likelihood, beside statsmodels and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import statsmodels.api as sm
from conftest import DTYPE, X64, array, exact
from reference_models import MODELS, reference
from scipy import stats

import jaxlogreg as jlr

RTOL = 1e-8 if X64 else 5e-3


@pytest.fixture(scope="module")
def admissions(dtype):
    X, y, _ = MODELS["ucla_admissions", "rank_as_factor"]()
    return X.astype(dtype), y


def test_the_likelihood_ratio_is_that_of_the_log_likelihoods(admissions):
    X, y = admissions
    full, reduced = jlr.fit(X, y), jlr.fit(X[:, :2], y)
    found = jlr.likelihood_ratio_test(full, reduced)
    theirs = sm.Logit(y, sm.add_constant(exact(X[:, :2]))).fit(disp=0, method="newton", tol=1e-13)
    expected = 2 * (reference("ucla_admissions", "rank_as_factor")["loglik"] - theirs.llf)
    np.testing.assert_allclose(found.statistic, expected, rtol=RTOL)
    np.testing.assert_allclose(found.p_value, stats.chi2.sf(expected, 3), rtol=10 * RTOL)
    assert found.degrees_of_freedom == 3
    by_summary = jlr.likelihood_ratio_test(jlr.summary(full, X, y), jlr.summary(reduced, X[:, :2], y))
    np.testing.assert_allclose(by_summary.statistic, found.statistic, rtol=RTOL)
    assert "3 degrees of freedom" in str(found)


def test_the_likelihood_ratio_counts_weights_and_classes(made):
    X, _, weight = made
    fits = [jlr.fit_softmax(X[:, :k], np.arange(200) % 3, 3, sample_weight=weight) for k in (5, 3)]
    found = jlr.likelihood_ratio_test(*fits)
    assert found.degrees_of_freedom == 4
    expected = 2 * weight.sum() * (fits[1].value - fits[0].value)
    np.testing.assert_allclose(found.statistic, expected, rtol=1e-12 if X64 else 1e-4)


def test_the_score_test_equals_statsmodels(admissions):
    X, y = admissions
    fit = jlr.fit(X[:, :2], y)
    found = jlr.score_test(fit, X[:, :2], y, X[:, 2:])
    model = sm.GLM(y, sm.add_constant(exact(X[:, :2])), family=sm.families.Binomial()).fit(tol=1e-13)
    statistic, p_value = model.score_test(exog_extra=exact(X[:, 2:]))[:2]
    np.testing.assert_allclose(found.statistic, statistic, rtol=RTOL)
    np.testing.assert_allclose(found.p_value, p_value, rtol=10 * RTOL)
    assert found.degrees_of_freedom == 3


def test_a_scan_of_score_tests_is_a_loop(admissions):
    X, y = admissions
    fit = jlr.fit(X, y)
    columns = array(np.random.default_rng(0).normal(size=(20, len(y))))
    lanes = jax.vmap(lambda g: jlr.score_test(fit, X, y, g))(columns)
    for i in (0, 7, 19):
        alone = jlr.score_test(fit, X, y, columns[i])
        np.testing.assert_allclose(lanes.statistic[i], alone.statistic, rtol=1e-9 if X64 else 1e-2)
    # Under the null hypothesis p-values are uniform.
    assert stats.kstest(np.asarray(lanes.p_value), "uniform").pvalue > 0.01


def test_columns_that_say_nothing_new_are_refused(admissions):
    X, y = admissions
    fit = jlr.fit(X, y)
    for extra in (X[:, 0], np.ones(len(y)), np.zeros(len(y)), X[:, :2] * 3 + 1):
        found = jlr.score_test(fit, X, y, extra)
        assert np.isnan(found.statistic)
        assert "depend on each other linearly" in found.message


def test_the_tail_of_chi_squared_is_scipys():
    x = np.array([0.0, 0.1, 1.0, 3.84, 20.0, 60.0])
    for degrees in (1, 2, 7):
        tail = [jlr.inference.likelihood_tests.chi_squared_tail(jnp.asarray(v, DTYPE), degrees) for v in x]
        np.testing.assert_allclose(tail, stats.chi2.sf(x, degrees), rtol=1e-9 if X64 else 1e-4)


def test_what_cannot_be_compared_is_refused(admissions):
    X, y = admissions
    full, reduced = jlr.fit(X, y), jlr.fit(X[:, :2], y)
    penalised = jlr.likelihood_ratio_test(jlr.fit(X, y, l2=0.1), reduced)
    assert np.isnan(penalised.statistic)
    assert np.isnan(penalised.p_value)
    assert "penalised" in penalised.message
    assert "did not converge" in jlr.likelihood_ratio_test(full, jlr.fit(X[:, :2], y, max_steps=1)).message
    assert "penalised" in jlr.score_test(jlr.fit(X[:, :2], y, l2=0.1), X[:, :2], y, X[:, 2]).message
    with pytest.raises(ValueError, match="are they exchanged"):
        jlr.likelihood_ratio_test(reduced, full)
    with pytest.raises(ValueError, match="the same rows"):
        jlr.likelihood_ratio_test(full, jlr.fit(X[:300, :2], y[:300]))
    with pytest.raises(ValueError, match="knows no number of rows"):
        jlr.likelihood_ratio_test(full, jlr.minimize(lambda w: jnp.sum(w**2), jnp.zeros(2, DTYPE)))
    with pytest.raises(ValueError, match="extra must have one row"):
        jlr.score_test(full, X, y, X[:100])
    with pytest.raises(ValueError, match="two classes"):
        jlr.score_test(jlr.fit_softmax(X, y.astype(int), 2), X, y.astype(int), X)
