"""One-vs-all equals separate fits; softmax is identified, and equals scikit-learn's, with L1 too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, array, exact
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr

SOLVERS = [None, jlr.GradientDescent(acceleration=True)]
PROXIMAL = [jlr.ProximalNewton(), jlr.ProximalGradient()]
NAMES = ["newton", "gradient"]


@pytest.fixture(scope="module")
def one_vs_all(digits):
    return jlr.fit_one_vs_all(*digits, 10, l2=1e-2)


def test_one_vs_all_equals_ten_fits(digits, one_vs_all):
    X, labels = digits
    assert one_vs_all.raise_if_failed().params.coef.shape == (10, 64)
    for k in range(10):
        alone = jlr.fit(X, labels == k, l2=1e-2)
        tolerance = {"rtol": 0, "atol": 1e-8 if X64 else 1e-4}
        np.testing.assert_allclose(one_vs_all.params.coef[k], alone.params.coef, **tolerance)
        np.testing.assert_allclose(one_vs_all.params.intercept[k], alone.params.intercept, **tolerance)


def test_one_vs_all_recognises_digits(digits, one_vs_all):
    X, labels = digits
    assert np.mean(np.asarray(jlr.predict(one_vs_all.params, X)) == labels) > 0.94


@pytest.mark.parametrize("solver", SOLVERS, ids=["default", "accelerated"])
def test_softmax_reaches_the_optimum_of_scikit_learn(solver, digits):
    X, labels = digits
    solution = jlr.fit_softmax(X, labels, 10, l2=1e-2, solver=solver, tol=1e-8 if X64 else 1e-5).raise_if_failed()
    X = X.astype(np.float64)
    model = LogisticRegression(C=1 / (len(labels) * 1e-2), solver="newton-cholesky", tol=1e-10).fit(X, labels)
    z = X @ model.coef_.T + model.intercept_
    losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), labels]
    expected = np.mean(losses) + 0.5e-2 * np.sum(model.coef_**2)
    np.testing.assert_allclose(solution.value, expected, rtol=1e-8 if X64 else 1e-6)
    np.testing.assert_allclose(solution.params.coef, model.coef_, atol=1e-6 if X64 else 1e-3)
    np.testing.assert_allclose(np.sum(solution.params.coef, axis=0), 0.0, atol=1e-10 if X64 else 1e-4)


def test_softmax_of_two_classes_is_binary_regression(made):
    X, y, weight = made
    binary = jlr.fit(X, y, sample_weight=weight)
    softmax = jlr.fit_softmax(X, y, 2, sample_weight=weight)
    difference = softmax.params.coef[1] - softmax.params.coef[0]
    np.testing.assert_allclose(difference, binary.params.coef, rtol=1e-7 if X64 else 1e-3)
    np.testing.assert_allclose(
        jlr.predict_proba(softmax.params, X)[:, 1], jlr.predict_proba(binary.params, X), atol=1e-8 if X64 else 1e-4
    )


def test_softmax_from_any_start_sums_to_zero_over_classes(made, dtype):
    X, y, _ = made
    rng = np.random.default_rng(3)
    start = jlr.Params(rng.normal(size=(2, 5)).astype(dtype) / np.std(X, axis=0), rng.normal(size=2).astype(dtype))
    for l2, factor in ((0.0, None), (0.1, np.array([1, 0, 1, 1, 1], dtype))):
        here = jlr.fit_softmax(X, y, 2, l2=l2, penalty_factor=factor)
        there = jlr.fit_softmax(X, y, 2, l2=l2, penalty_factor=factor, init=start)
        np.testing.assert_allclose(there.params.coef, here.params.coef, rtol=1e-5, atol=1e-7 if X64 else 1e-3)
        np.testing.assert_allclose(np.sum(there.params.intercept), 0.0, atol=1e-10 if X64 else 1e-4)


def test_softmax_offset_shifts_the_margins_of_its_class(made, dtype):
    X, y, _ = made
    offset = np.stack([np.zeros(len(y)), X[:, 0]], axis=1).astype(dtype)
    shifted = jlr.fit_softmax(X, y, 2, offset=offset).params.coef
    plain = jlr.fit_softmax(X, y, 2).params.coef
    change = (shifted[1] - shifted[0]) - (plain[1] - plain[0])
    np.testing.assert_allclose(change[0], -1.0, rtol=1e-6 if X64 else 1e-2)


def test_separated_classes_are_reported(dtype):
    X, labels = np.array([[-1.0], [-0.9], [0.0], [0.1], [0.9], [1.0]], dtype), np.array([0, 0, 1, 1, 2, 2])
    assert jlr.fit_softmax(X, labels, 3).status == jlr.Status.SEPARABLE
    # Against the rest, the classes at the ends are separable and the one in the middle is not.
    statuses = jlr.fit_one_vs_all(X, labels, 3).status
    np.testing.assert_array_equal(statuses, [jlr.Status.SEPARABLE, jlr.Status.CONVERGED, jlr.Status.SEPARABLE])


@pytest.fixture(scope="module")
def wine(dtype):
    X, labels = load_wine(return_X_y=True)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype), labels.astype(np.int32)


def value_of(X, labels, params, l1, l2):
    w, z = exact(params.coef), exact(X) @ exact(params.coef).T + exact(params.intercept)
    losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), labels]
    return np.mean(losses) + l1 * np.sum(np.abs(w)) + l2 / 2 * np.sum(w * w)


@pytest.mark.parametrize("solver", PROXIMAL, ids=NAMES)
@pytest.mark.parametrize(("l1", "l2"), [(0.02, 0.0), (0.01, 0.02)])
def test_sparse_softmax_is_that_of_scikit_learn(solver, l1, l2, wine):
    X, labels = wine
    solution = jlr.fit_softmax(X, labels, 3, l1=l1, l2=l2, solver=solver, tol=None if X64 else 3e-6).raise_if_failed()
    strength = l1 + l2
    model = LogisticRegression(
        C=1 / (len(labels) * strength), l1_ratio=l1 / strength, solver="saga", tol=1e-12, max_iter=100_000
    ).fit(exact(X), labels)
    theirs = jlr.Params(model.coef_, model.intercept_, "softmax")
    expected = value_of(X, labels, theirs, l1, l2)
    np.testing.assert_allclose(solution.value, expected, rtol=1e-8 if X64 else 1e-6)
    np.testing.assert_allclose(
        value_of(X, labels, solution.params, l1, l2), solution.value, rtol=1e-10 if X64 else 1e-6
    )
    np.testing.assert_array_equal(solution.params.coef != 0, model.coef_ != 0)
    np.testing.assert_allclose(solution.params.coef, model.coef_, atol=1e-6 if X64 else 1e-3)
    np.testing.assert_allclose(
        solution.params.intercept, model.intercept_ - model.intercept_.mean(), atol=1e-6 if X64 else 1e-3
    )
    probabilities = jlr.predict_proba(solution.params, X)
    np.testing.assert_allclose(probabilities, model.predict_proba(exact(X)), atol=1e-6 if X64 else 1e-3)
    np.testing.assert_array_equal(jlr.predict(solution.params, X), model.predict(exact(X)))


@pytest.mark.parametrize("solver", PROXIMAL, ids=NAMES)
@pytest.mark.parametrize("bounds", [{}, {"lower": -0.2, "upper": 0.1}], ids=["free", "bounded"])
def test_sparse_softmax_meets_the_optimality_conditions(solver, bounds, wine, dtype):
    X, labels = wine
    rng = np.random.default_rng(5)
    X = (X * rng.uniform(0.5, 2.0, 13)).astype(dtype)
    weight, offset = rng.uniform(0.5, 2.0, 178).astype(dtype), rng.normal(size=(178, 3)).astype(dtype)
    factor, l1, l2, tol = np.append([0.0, 2.0], np.ones(11)).astype(dtype), 0.02, 0.01, 1e-11 if X64 else 3e-6
    solution = jlr.fit_softmax(
        X, labels, 3, l1=l1, l2=l2, penalty_factor=factor, standardize=True, sample_weight=weight, offset=offset,
        solver=solver, tol=tol, **bounds,
    ).raise_if_failed()  # fmt: skip
    X, weight, w = exact(X), exact(weight) / np.sum(exact(weight)), exact(solution.params.coef)
    z = X @ w.T + exact(solution.params.intercept) + exact(offset)
    p = np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None])
    residual = weight[:, None] * (p - np.eye(3)[labels])
    deviation = np.sqrt(weight @ np.square(X - weight @ X))
    slope = residual.T @ X + l2 * factor * deviation**2 * w
    kink = np.broadcast_to(l1 * factor * deviation, w.shape)
    low, high = np.where(w > 0, slope + kink, slope - kink), np.where(w < 0, slope - kink, slope + kink)
    low = np.where(np.isclose(w, bounds.get("lower", -np.inf), rtol=1e-6), -np.inf, low)
    high = np.where(np.isclose(w, bounds.get("upper", np.inf), rtol=1e-6), np.inf, high)
    violation = np.maximum(np.maximum(low, -high), 0.0) / np.sqrt(weight @ X**2)
    assert np.max(violation) <= 2 * tol
    assert np.max(np.abs(residual.sum(axis=0))) <= 2 * tol
    assert 3 <= np.sum(w == 0) < 30
    assert not bounds or np.min(w) == dtype.type(-0.2)
    np.testing.assert_allclose(np.sum(solution.params.intercept), 0.0, atol=1e-10 if X64 else 1e-5)
    if not bounds:  # a bound is for each class's own weight
        np.testing.assert_allclose(np.sum(w[:, 0]), 0.0, atol=1e-10 if X64 else 1e-5)


def test_sparse_softmax_of_two_classes_is_binary_regression(made):
    X, y, weight = made
    options = {"l1": 0.02, "standardize": True, "sample_weight": weight}
    binary, softmax = jlr.fit(X, y, **options), jlr.fit_softmax(X, y, 2, **options)
    np.testing.assert_allclose(softmax.value, binary.value, rtol=1e-10 if X64 else 1e-6)
    scale = np.std(X, axis=0)
    difference = softmax.params.coef[1] - softmax.params.coef[0]
    np.testing.assert_allclose(difference * scale, binary.params.coef * scale, atol=1e-8 if X64 else 1e-3)


def test_lanes_of_sparse_softmax_are_the_fits_alone(wine, dtype):
    X, labels = wine
    l1s = np.array([0.003, 0.1, 0.0, 0.02], dtype)

    def fit(l1):
        return jlr.fit_softmax(X, labels, 3, l1=l1, l2=1e-3, tol=1e-11 if X64 else 3e-6)

    lanes = jax.jit(jax.vmap(fit))(l1s)
    assert np.all(lanes.converged)
    for i, l1 in enumerate(l1s):
        alone = fit(l1)
        np.testing.assert_allclose(lanes.value[i], alone.value, rtol=1e-12 if X64 else 1e-5)
        np.testing.assert_allclose(lanes.params.coef[i], alone.params.coef, atol=1e-8 if X64 else 2e-3)


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_the_gap_bounds_how_far_sparse_softmax_is_from_its_minimum(l2, wine):
    X, labels = wine
    best = jlr.fit_softmax(X, labels, 3, l1=0.02, l2=l2, tol=None if X64 else 3e-6).raise_if_failed()
    assert 0.0 <= best.gap <= (1e-9 if X64 else 1e-4)
    for steps in (1, 2, 4, 8):
        early = jlr.fit_softmax(X, labels, 3, l1=0.02, l2=l2, solver=jlr.ProximalGradient(), max_steps=steps)
        assert early.status == jlr.Status.MAX_STEPS
        assert early.value - best.value <= early.gap < np.inf
    unpenalised = jlr.fit_softmax(X, labels, 3, l1=0.02, penalty_factor=np.arange(13) > 0, tol=1e-6)
    assert unpenalised.gap == np.inf


@pytest.mark.skipif(not X64, reason="finite differences")
def test_sparse_softmax_has_the_derivatives_of_finite_differences(wine):
    X, labels = wine

    def held(l1, l2):
        params = jlr.fit_softmax(X[::2], labels[::2], 3, l1=l1, l2=l2, tol=1e-12).params
        return jnp.mean(jnp.log(jlr.predict_proba(params, X[1::2]))[jnp.arange(89), labels[1::2]])

    slopes, step = jax.grad(held, (0, 1))(array(0.02), array(0.01)), 1e-5
    differences = [
        (held(0.02 + step, 0.01) - held(0.02 - step, 0.01)) / (2 * step),
        (held(0.02, 0.01 + step) - held(0.02, 0.01 - step)) / (2 * step),
    ]
    np.testing.assert_allclose(slopes, differences, rtol=1e-5)


def test_sparse_softmax_starts_where_it_is_told(wine):
    X, labels = wine
    options = {"l1": 0.02, "tol": 1e-9 if X64 else 3e-6}
    found = jlr.fit_softmax(X, labels, 3, **options)
    again = jlr.fit_softmax(X, labels, 3, init=found.params, **options)
    assert again.num_steps <= 1
    np.testing.assert_array_equal(again.params.coef != 0, found.params.coef != 0)


def test_what_softmax_cannot_do_is_said(wine):
    X, labels = wine
    with pytest.raises(ValueError, match="groups are not for fit_softmax"):
        jlr.fit_softmax(X, labels, 3, l1=0.1, groups=np.arange(13))
    with pytest.raises(ValueError, match="working_set is for one block of weights"):
        jlr.fit_softmax(X, labels, 3, l1=0.1, solver=jlr.ProximalNewton(working_set=4))
    with pytest.raises(ValueError, match="LBFGS needs a smooth penalty"):
        jlr.fit_softmax(X, labels, 3, l1=0.1, solver=jlr.LBFGS())
