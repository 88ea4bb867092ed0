"""One-vs-all equals separate fits; softmax is identified, and equals scikit-learn's."""

import numpy as np
import pytest
from conftest import X64
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr

SOLVERS = [None, jlr.GradientDescent(acceleration=True)]


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
