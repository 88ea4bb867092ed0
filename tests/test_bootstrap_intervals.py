"""Intervals from resamples, beside the formulas with a jackknife."""

import jax
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from scipy import stats

import jaxlogreg as jlr

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 2)) * [1.0, 10.0] + [0.0, 50.0]
Y = (RNG.uniform(size=60) < 1 / (1 + np.exp(-X[:, 0] - 1.0))).astype(float)


@pytest.fixture(scope="module")
def resampled():
    samples = jlr.bootstrap(array(X), Y, 400, jax.random.key(2))
    return samples, jlr.fit(array(X), Y)


def together(params):
    return np.concatenate([exact(params.intercept)[..., None], exact(params.coef)], axis=-1)


def test_percentiles_are_quantiles_of_what_converged(resampled):
    samples, fit = resampled
    found = jlr.bootstrap_interval(samples, fit, array(X), Y, method="percentile", level=0.9)
    kept = together(samples.params)[np.asarray(samples.converged)]
    np.testing.assert_allclose(found.lower, np.quantile(kept, 0.05, axis=0), rtol=1e-10 if X64 else 1e-4)
    np.testing.assert_allclose(found.upper, np.quantile(kept, 0.95, axis=0), rtol=1e-10 if X64 else 1e-4)
    np.testing.assert_allclose(found.std_error, kept.std(axis=0, ddof=1), rtol=1e-8 if X64 else 1e-3)
    assert found.num_samples == len(kept)


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_bca_agrees_with_efrons_formula_and_a_jackknife(l2):
    fit = jlr.fit(array(X), Y, l2=l2)
    samples = jlr.bootstrap(array(X), Y, 400, jax.random.key(2), l2=l2)
    found = jlr.bootstrap_interval(samples, fit, array(X), Y)
    keep = 1.0 - np.eye(60)
    jackknife = together(jax.vmap(lambda w: jlr.fit(array(X), Y, l2=l2, sample_weight=w).params)(array(keep)))
    estimate, kept = together(fit.params), together(samples.params)[np.asarray(samples.converged)]
    deviation = jackknife.mean(axis=0) - jackknife
    acceleration = (deviation**3).sum(axis=0) / (6 * (deviation**2).sum(axis=0) ** 1.5)
    bias = stats.norm.ppf((kept < estimate).mean(axis=0))
    for limit, z in ((found.lower, stats.norm.ppf(0.025)), (found.upper, stats.norm.ppf(0.975))):
        part = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        for j in range(3):
            # The influence of a row is a jackknife to first order: the quantile read off differs by little.
            read_off = (kept[:, j] < float(limit[j])).mean()
            assert abs(read_off - part[j]) < 0.012


def test_intervals_cover_as_often_as_they_say(dtype):
    rng = np.random.default_rng(0)
    Z = array(rng.normal(size=(150, 1)))
    p = 1 / (1 + np.exp(-exact(Z)[:, 0]))
    y = array((rng.uniform(size=(60, 150)) < p).astype(float))

    def lower_and_upper(y, key):
        samples = jlr.bootstrap(Z, y, 200, key)
        found = jlr.bootstrap_interval(samples, jlr.fit(Z, y), Z, y, level=0.8)
        return found.lower[1], found.upper[1]

    lower, upper = jax.lax.map(lambda a: lower_and_upper(*a), (y, jax.random.split(jax.random.key(0), 60)))
    covered = np.mean((np.asarray(lower) < 1.0) & (np.asarray(upper) > 1.0))
    assert 0.65 < covered < 0.95  # 0.8, known from 60 repetitions to 0.05


def test_resamples_that_separate_are_left_out_and_counted(resampled):
    y = (X[:, 0] > 0.0).astype(float)
    y[np.argsort(np.abs(X[:, 0]))[:3]] = [1.0, 0.0, 1.0]
    fit = jlr.fit(array(X), y)
    samples = jlr.bootstrap(array(X), y, 60, jax.random.key(1))
    found = jlr.bootstrap_interval(samples, fit, array(X), y)
    assert found.num_samples == int(samples.converged.sum()) < 60


def test_arguments_are_checked(resampled):
    samples, fit = resampled
    with pytest.raises(ValueError, match="method must be"):
        jlr.bootstrap_interval(samples, fit, array(X), Y, method="basic")
    with pytest.raises(ValueError, match="samples must be those that bootstrap drew"):
        jlr.bootstrap_interval(fit, fit, array(X), Y)
    with pytest.raises(ValueError, match="level must be between"):
        jlr.bootstrap_interval(samples, fit, array(X), Y, level=np.asarray(95.0, DTYPE))
