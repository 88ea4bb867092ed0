"""The strength that the evidence chooses is its maximum, found by SciPy and on a grid; columns of noise go."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from reference_models import MODELS
from scipy.optimize import minimize, minimize_scalar
from test_laplace import FINE, LABELS, LANES, assert_same, by_hand

import jaxlogreg as jlr
from jaxlogreg.inference.ascent import Ascent, advance

RTOL = 1e-5 if X64 else 1e-2  # of a strength
RNG = np.random.default_rng(0)
M, SIGNALS, NOISE = 300, 3, 9
COLUMNS = RNG.normal(size=(M, SIGNALS + NOISE)) * 3.0 ** np.arange(-6, 6) + np.arange(12)
EFFECT = np.append([2.0, -1.0, 1.0], np.zeros(NOISE)) / COLUMNS.std(axis=0)
OUTCOME = (RNG.uniform(size=M) < 1 / (1 + np.exp(-(COLUMNS - COLUMNS.mean(axis=0)) @ EFFECT))).astype(float)


@pytest.fixture(scope="module")
def pima(dtype):
    X, y, _ = MODELS["pima_mass", "all532"]()
    return X.astype(dtype), y.astype(dtype)


@pytest.fixture(scope="module")
def relevant(dtype):
    """Three columns that matter and nine of noise, in units from 1/729 to 243: data, and what was found of each."""
    X, y = COLUMNS.astype(dtype), OUTCOME.astype(dtype)
    return X, y, jlr.evidence_l2(X, y, per_column=True)


CASES = {
    "pima": {"standardize": True},
    "weights": {"s": np.linspace(0.1, 3, 200)},
    "offset": {"offset": np.cos(np.arange(200)), "intercept": False, "standardize": True},
}


@pytest.mark.parametrize("case", CASES)
def test_one_strength_is_the_maximum_that_scipy_finds(case, made, pima):
    X, y = pima if case == "pima" else made[:2]
    options = CASES[case]
    ours = {"sample_weight" if name == "s" else name: value for name, value in options.items()}
    found = jlr.evidence_l2(X, y, **ours)
    assert found.converged

    def negative_evidence(log_l2):
        return -by_hand(X, y, np.exp(log_l2), **options)[2]

    bounds = np.log(found.l2) - 1, np.log(found.l2) + 1
    best = minimize_scalar(negative_evidence, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    np.testing.assert_allclose(found.l2, np.exp(best.x), rtol=RTOL)
    np.testing.assert_allclose(found.log_evidence, -best.fun, rtol=1e-10 if X64 else 1e-5)
    np.testing.assert_allclose(
        found.effective_parameters, by_hand(X, y, found.l2, **options)[3], rtol=1e-6 if X64 else 1e-2
    )
    assert not found.pruned


def test_no_strength_of_a_fine_grid_has_more_evidence(pima):
    X, y = pima
    found = jlr.evidence_l2(X, y, standardize=True)

    def log_evidence(l2):
        return jlr.laplace(jlr.fit(X, y, l2=l2, standardize=True), X, y, l2=l2, standardize=True).log_evidence

    l2s = jnp.logspace(-5, 1, 241, dtype=DTYPE)
    grid = exact(jax.vmap(log_evidence)(l2s))
    assert grid.max() <= found.log_evidence + (1e-9 if X64 else 1e-3)
    # To the grid's own step of 6 %; in float32 the top is flat for some steps.
    np.testing.assert_allclose(np.log(l2s[grid.argmax()] / found.l2), 0.0, atol=0.03 if X64 else 0.12)


def test_the_fit_and_the_posterior_are_those_at_the_strength(pima):
    X, y = pima
    found = jlr.evidence_l2(X, y, standardize=True)
    again = jlr.fit(X, y, l2=found.l2, standardize=True)
    np.testing.assert_allclose(found.solution.params.coef, again.params.coef, rtol=1e-7 if X64 else 1e-3)
    np.testing.assert_allclose(found.solution.value, again.value, rtol=1e-12 if X64 else 1e-5)
    assert_same(found.posterior, jlr.laplace(again, X, y, l2=found.l2, standardize=True))


def test_columns_that_matter_stay_and_noise_goes(relevant):
    _, _, found = relevant
    assert found.converged
    pruned, coef = np.asarray(found.pruned), exact(found.solution.params.coef)
    assert not pruned[:SIGNALS].any()
    assert pruned[SIGNALS:].sum() >= 5  # about two thirds do
    np.testing.assert_array_equal(coef[pruned], 0.0)
    z = exact(found.posterior.mean / found.posterior.std)[1:]
    assert np.all(np.abs(z[:SIGNALS]) > 4)
    assert f"{pruned.sum()} of 12 columns pruned" in found.message


def kept_log_evidence(X, y, kept, log_l2):
    return by_hand(X[:, kept], y, np.exp(log_l2))[2]


def test_strengths_of_columns_are_stationary_and_pruned_ones_do_better_without(relevant):
    X, y, found = relevant
    kept = ~np.asarray(found.pruned)
    log_l2, step = np.log(exact(found.l2)[kept]), 1e-3
    value = kept_log_evidence(X, y, kept, log_l2)
    np.testing.assert_allclose(found.log_evidence, value, rtol=1e-10 if X64 else 1e-5)
    for j in range(kept.sum()):
        e = step * np.eye(kept.sum())[j]
        slope = (kept_log_evidence(X, y, kept, log_l2 + e) - kept_log_evidence(X, y, kept, log_l2 - e)) / (2 * step)
        assert abs(slope) < (2e-6 if X64 else 2e-3)
        bend = kept_log_evidence(X, y, kept, log_l2 + 100 * e) + kept_log_evidence(X, y, kept, log_l2 - 100 * e)
        assert bend < 2 * value
    variance = exact(X).var(axis=0)
    for j in np.flatnonzero(~kept):
        more = np.append(np.flatnonzero(kept), j)
        for alpha in (0.1, 10.0, 1000.0):  # prior precisions of the standardised coefficient
            assert kept_log_evidence(X, y, more, np.append(log_l2, np.log(alpha * variance[j] / M))) < value


def test_scipy_finds_no_better_strengths_of_columns(pima):
    X, y = pima
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    found = jlr.evidence_l2(X, y, per_column=True)
    bounds = [(-12.0, 6.0)] * 7
    best = minimize(lambda x: -by_hand(X, y, np.exp(x))[2], np.full(7, -4.0), method="L-BFGS-B", bounds=bounds)
    assert found.log_evidence > -best.fun - 1e-3  # SciPy's bound leaves a trace of the columns that are pruned
    kept = ~np.asarray(found.pruned)
    np.testing.assert_allclose(np.log(found.l2[kept]), best.x[kept], atol=0.02)
    assert np.all(best.x[~kept] > 3.0)


def test_pruned_columns_might_as_well_have_been_left_out(relevant):
    X, y, found = relevant
    kept = ~np.asarray(found.pruned)
    without = jlr.fit(X[:, kept], y, l2=1.0, penalty_factor=found.l2[kept])
    np.testing.assert_allclose(found.solution.params.coef[kept], without.params.coef, rtol=1e-6 if X64 else 2e-3)
    np.testing.assert_allclose(found.solution.params.intercept, without.params.intercept, rtol=1e-6 if X64 else 2e-3)
    posterior = jlr.laplace(without, X[:, kept], y, l2=found.l2[kept])
    at = jnp.asarray(np.flatnonzero(np.append(True, kept)))
    np.testing.assert_allclose(found.posterior.std[at], posterior.std, rtol=FINE)
    np.testing.assert_allclose(found.log_evidence, posterior.log_evidence, rtol=1e-10 if X64 else 1e-5)
    np.testing.assert_array_equal(found.posterior.std[jnp.asarray(1 + np.flatnonzero(~kept))], 0.0)
    same = jlr.laplace(found.solution, X, y, l2=found.l2)
    np.testing.assert_allclose(same.root, found.posterior.root, rtol=1e-9, atol=1e-9 if X64 else 1e-4)


@pytest.mark.parametrize("per_column", [False, True])
def test_columns_that_say_nothing_of_the_labels_are_all_pruned(per_column, dtype):
    half = RNG.normal(size=(40, 3)).astype(dtype)
    X, y = np.vstack([half, half, half]), np.repeat([0, 1, 1], 40)  # no column is correlated with the labels
    found = jlr.evidence_l2(X, y, per_column=per_column)
    assert found.converged
    assert np.all(found.pruned)
    np.testing.assert_array_equal(found.solution.params.coef, 0.0)
    np.testing.assert_allclose(found.solution.params.intercept, np.log(2), rtol=1e-6)
    text = "3 of 3 columns pruned" if per_column else "the columns do not help to predict the labels"
    assert text in found.message
    np.testing.assert_array_equal(found.posterior.std[1:], 0.0)
    np.testing.assert_allclose(found.posterior.std[0], 1 / np.sqrt(120 * 2 / 9), rtol=1e-6 if X64 else 1e-4)
    np.testing.assert_allclose(found.effective_parameters, 0.0, atol=1e-12)


@pytest.mark.parametrize(("per_column", "n"), [(False, 1), (False, 2), (True, 3)])
def test_separated_classes_have_no_best_strength(per_column, n, dtype):
    X = np.random.default_rng(1).normal(size=(40, n)).astype(dtype)
    found = jlr.evidence_l2(X, X[:, 0] > 0, per_column=per_column)
    assert found.status == jlr.Status.SEPARABLE
    assert "the classes are separated, and no finite strength is best" in found.message
    assert np.isfinite(found.log_evidence)  # of the weakest prior tried


def test_separated_classes_may_have_one_where_many_columns_are_noise(dtype):
    X = np.random.default_rng(1).normal(size=(40, 10)).astype(dtype)
    y = X[:, 0] > 0
    found = jlr.evidence_l2(X, y)
    assert found.converged
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert by_hand(X, y, factor * float(found.l2))[2] < found.log_evidence


@pytest.mark.parametrize("start", [1e-7, 1e3])
def test_any_start_leads_to_the_maximum(start, pima):
    X, y = pima
    usual, found = jlr.evidence_l2(X, y, standardize=True), jlr.evidence_l2(X, y, standardize=True, init_l2=start)
    assert found.converged
    np.testing.assert_allclose(found.l2, usual.l2, rtol=RTOL)


def test_units_of_columns_do_not_matter(relevant):
    X, y, found = relevant
    scale = 2.0 ** np.arange(-6, 6).astype(X.dtype)
    scaled = jlr.evidence_l2(X * scale, y, per_column=True)
    np.testing.assert_array_equal(scaled.pruned, found.pruned)
    kept = ~np.asarray(found.pruned)
    np.testing.assert_allclose((scaled.l2 / scale**2)[kept], found.l2[kept], rtol=10 * RTOL)
    np.testing.assert_allclose(scaled.log_evidence, found.log_evidence, rtol=1e-9 if X64 else 1e-5)


def test_an_integer_weight_equals_repetition(made):
    X, y, _ = made
    times = np.arange(200) % 4
    weighted = jlr.evidence_l2(X, y, sample_weight=times, standardize=True)
    repeated = jlr.evidence_l2(np.repeat(X, times, axis=0), np.repeat(y, times), standardize=True)
    np.testing.assert_allclose(weighted.l2, repeated.l2, rtol=RTOL)
    np.testing.assert_allclose(weighted.log_evidence, repeated.log_evidence, rtol=1e-10 if X64 else 1e-5)


def test_the_step_limit_is_kept(made):
    X, y, _ = made
    found = jlr.evidence_l2(X, y, standardize=True, max_steps=1)
    assert found.status == jlr.Status.MAX_STEPS
    assert found.num_steps == 1
    assert "raise max_steps" in found.message
    again = jlr.laplace(found.solution, X, y, l2=found.l2, standardize=True)
    np.testing.assert_allclose(again.log_evidence, found.log_evidence, rtol=1e-10 if X64 else 1e-5)


@pytest.mark.parametrize("per_column", [False, True])
def test_lanes_of_data_equal_the_loop(per_column, dtype):
    X, y = LANES.astype(dtype), LABELS.astype(dtype)

    @jax.jit
    def choose(X, y):
        return jlr.evidence_l2(X, y, per_column=per_column, standardize=True)

    lanes = jax.vmap(choose)(X, y)
    assert lanes.message == "50 of 50 lanes converged"
    for i in range(50):
        alone = choose(X[i], y[i])
        np.testing.assert_array_equal(lanes.pruned[i], alone.pruned)
        np.testing.assert_allclose(lanes.l2[i], alone.l2, rtol=RTOL)
        np.testing.assert_allclose(lanes.log_evidence[i], alone.log_evidence, rtol=1e-10 if X64 else 1e-5)
        np.testing.assert_allclose(lanes.solution.params.coef[i], alone.solution.params.coef, rtol=RTOL, atol=1e-6)


def test_labels_that_share_the_data_equal_the_loop(dtype):
    X = LANES[0].astype(dtype)
    z = X[:, 0]
    y = array(np.random.default_rng(3).uniform(size=(6, 60)) < 1 / (1 + np.exp(-2 * z)))
    lanes = jax.vmap(lambda y: jlr.evidence_l2(X, y, per_column=True))(y)
    for i in range(6):
        alone = jlr.evidence_l2(X, y[i], per_column=True)
        np.testing.assert_allclose(lanes.l2[i], alone.l2, rtol=RTOL)
        np.testing.assert_allclose(lanes.posterior.mean[i], alone.posterior.mean, rtol=RTOL, atol=1e-6)


def test_a_lane_without_a_fit_says_so(dtype):
    X, y = LANES[:3].astype(dtype), LABELS[:3].astype(dtype)
    y[1] = 1.0  # one class: the intercept is infinite
    lanes = jax.vmap(jlr.evidence_l2)(X, y)
    np.testing.assert_array_equal(lanes.converged, [True, False, True])
    np.testing.assert_array_equal(np.isnan(lanes.log_evidence), [False, True, False])
    assert lanes.message.startswith("2 of 3 lanes converged; lane 1: SEPARABLE")
    assert "the fit: SEPARABLE" in lanes.message


def test_a_posterior_that_is_refused_is_no_success(made, monkeypatch):
    X, y, _ = made
    monkeypatch.setattr(sys.modules[jlr.laplace.__module__], "MAX_MISSED", -1.0)
    jax.clear_caches()
    found = jlr.evidence_l2(X, y, standardize=True)
    jax.clear_caches()
    assert found.status == jlr.Status.STALLED
    assert np.isnan(found.log_evidence)
    assert "the fit is so far from the mode that it shows" in found.message


def test_a_way_that_leads_down_ends_where_it_began():
    start, bounds = jnp.array([0.5, 1.0], DTYPE), jnp.full(2, 10.0, DTYPE)
    ascent, value = Ascent.begin(start, -bounds, bounds), array(0.0)
    pull, holds = jnp.array([1.0, -1.0], DTYPE), jnp.zeros(2, bool)
    while ascent.status == jlr.Status.RUNNING:
        ascent = advance(ascent, value, pull, holds, array(1e-3), jnp.int32(100))
        value = value - 1.0
    assert ascent.status == jlr.Status.STALLED
    assert ascent.num_steps < 20
    np.testing.assert_array_equal(ascent.trial, start)


def test_the_evidence_chooses_about_what_cross_validation_does(pima):
    X, y = pima
    found = jlr.evidence_l2(X, y, standardize=True)
    l2s = np.append(np.logspace(-4, 0, 30), found.l2)
    cv = jlr.cross_validate(X, y, l2=l2s, folds=10, standardize=True)
    assert cv.mean[-1] < cv.mean[cv.best] + 0.1 * cv.std_error[cv.best]


def test_wrong_arguments_are_named(made):
    X, y, _ = made
    for start, text in ((0.0, "init_l2 must be positive"), (-1.0, "init_l2 must be at least 0"), (np.inf, "finite")):
        with pytest.raises(ValueError, match=text):
            jlr.evidence_l2(X, y, init_l2=start)
    with pytest.raises(ValueError, match="init_l2 must be one number without per_column"):
        jlr.evidence_l2(X, y, init_l2=np.ones(5))
    with pytest.raises(ValueError, match=r"init_l2 must have shape \(5,\)"):
        jlr.evidence_l2(X, y, init_l2=np.ones(4), per_column=True)
    with pytest.raises(ValueError, match="tol must be at least 0"):
        jlr.evidence_l2(X, y, tol=-1.0)
    with pytest.raises(ValueError, match="max_steps must be a whole number"):
        jlr.evidence_l2(X, y, max_steps=1.5)
    with pytest.raises(ValueError, match="y must hold both classes"):
        jlr.evidence_l2(X, np.ones(200))
