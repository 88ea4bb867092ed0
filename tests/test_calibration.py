"""Calibrators equal scikit-learn's, exact solutions and the delta method; alone, compiled and in batches."""

import warnings
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr
from jaxlogreg.evaluation import calibration

TOL = 1e-9 if X64 else 1e-4  # of what is found by steps
EPS = float(jnp.finfo(DTYPE).eps)
RNG = np.random.default_rng(0)
M, K = 120, 3
SCORE = np.round(2 * RNG.normal(size=M), 1).astype(DTYPE)  # rounded, so that some are equal
Y = (RNG.uniform(size=M) < expit(0.7 * SCORE - 0.3)).astype(int)
WEIGHTS = np.where(RNG.uniform(size=M) < 0.2, 0.0, RNG.uniform(0.5, 2.0, M)).astype(DTYPE)  # a fifth of them zero
GRID = np.linspace(-7, 7, 57).astype(DTYPE)
weighted = pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])


def platt_in_scipy(y, score, weight):
    """Slope and intercept, in float64 to the last digits, from the definition."""
    y, f, s = np.asarray(y), exact(score), np.ones(len(y)) if weight is None else exact(weight)
    positive, negative = s[y == 1].sum(), s[y == 0].sum()
    t = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(w):
        z = w[0] * f + w[1]
        residual = s * (expit(z) - t)
        return s @ (np.logaddexp(0, z) - t * z), np.array([residual @ f, residual.sum()])

    def hessian(w):
        p = expit(w[0] * f + w[1])
        columns = np.stack([f, np.ones_like(f)])
        return (s * p * (1 - p) * columns) @ columns.T

    w = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    for _ in range(3):  # to the last digits
        w = w - np.linalg.solve(hessian(w), loss(w)[1])
    return w


@weighted
def test_platt_is_the_minimum_of_the_cross_entropy_against_its_targets(weight):
    found = calibration.platt(Y, SCORE, sample_weight=weight)
    assert bool(found.solution.converged)
    assert found.slope.dtype == found.intercept.dtype == DTYPE
    slope, intercept = platt_in_scipy(Y, SCORE, weight)
    assert_allclose([found.slope, found.intercept], [slope, intercept], rtol=TOL)
    assert_allclose(found(GRID), expit(slope * exact(GRID) + intercept), rtol=10 * TOL)
    assert_allclose(found.margin(GRID), slope * exact(GRID) + intercept, rtol=10 * TOL, atol=TOL)


class GivenScores(LogisticRegression):
    """A classifier whose score of a row is its one column, or its columns."""

    def decision_function(self, X):
        return X[:, 0] if X.shape[1] == 1 else X


def peer_probabilities(labels, score, method, weight):
    model = FrozenEstimator(GivenScores().fit(exact(score), labels))
    peer = CalibratedClassifierCV(model, method=method, ensemble=False)
    with warnings.catch_warnings():
        # As it is frozen, the weights are those of the calibration alone: that is what is wanted.
        warnings.filterwarnings("ignore", "Since FrozenEstimator does not appear to accept sample_weight")
        peer.fit(exact(score), labels, sample_weight=None if weight is None else exact(weight))
    return lambda x: peer.predict_proba(exact(x))


@weighted
def test_platt_equals_scikit_learns_to_its_tolerance(weight):
    theirs = peer_probabilities(Y, SCORE[:, None], "sigmoid", weight)(GRID[:, None])[:, 1]
    assert_allclose(calibration.platt(Y, SCORE, sample_weight=weight)(GRID), theirs, atol=1e-5)


@weighted
def test_isotonic_equals_scikit_learns(weight):
    found = calibration.isotonic(Y, SCORE, sample_weight=weight)
    assert found.score.shape == found.probability.shape == (M,)
    assert found.score.dtype == found.probability.dtype == DTYPE
    peer = IsotonicRegression(out_of_bounds="clip")
    peer.fit(exact(SCORE), Y, sample_weight=None if weight is None else exact(weight))
    for score in (SCORE, GRID):
        assert_allclose(found(score), peer.predict(exact(score)), atol=20 * EPS)
    theirs = peer_probabilities(Y, SCORE[:, None], "isotonic", weight)(GRID[:, None])[:, 1]
    assert_allclose(found(GRID), theirs, atol=20 * EPS)


def pool_adjacent_violators(y, score, weight):
    """The exact values at the distinct scores of positive weight, in rational numbers."""
    blocks = []
    for at in sorted(set(score[weight > 0])):
        rows = [i for i in np.flatnonzero(score == at) if weight[i] > 0]
        total = sum(Fraction(float(weight[i])) for i in rows)
        blocks.append([[at], total, sum(Fraction(float(weight[i])) * int(y[i]) for i in rows)])
        while len(blocks) > 1 and blocks[-2][2] / blocks[-2][1] >= blocks[-1][2] / blocks[-1][1]:
            scores, total, positive = blocks.pop()
            blocks[-1] = [blocks[-1][0] + scores, blocks[-1][1] + total, blocks[-1][2] + positive]
    return np.array([[at, float(positive / total)] for scores, total, positive in blocks for at in scores]).T


@pytest.mark.parametrize("seed", range(40))
def test_isotonic_is_exact_whatever_the_rows(seed):
    rng = np.random.default_rng(seed)
    m = (50, 64)[seed % 2]  # filled up to a power of two, and not
    score = np.round(rng.normal(size=m), seed % 3) if seed % 5 else rng.permutation(m)
    y = rng.uniform(size=m) < expit(rng.choice([-2, 0, 1, 5]) * score)
    kinds = rng.integers(0, 3, m), rng.uniform(size=m), rng.exponential(size=m) ** 6, np.ones(m)
    score, weight = score.astype(DTYPE), kinds[seed % 4].astype(DTYPE)
    found = calibration.isotonic(y, score, sample_weight=weight)
    at, value = pool_adjacent_violators(y, score, weight)
    assert_allclose(found(at), value, atol=20 * EPS)
    assert np.all(np.diff(found.probability) >= 0)
    assert_array_equal(np.unique(found.score), at)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([1], [1]),
        ([0, 1], [0, 1]),
        ([1, 0], [1 / 2, 1 / 2]),
        ([1, 1, 0], [2 / 3, 2 / 3, 2 / 3]),
        ([0, 1, 0, 1, 1, 0, 1], [0, 1 / 2, 1 / 2, 2 / 3, 2 / 3, 2 / 3, 1]),
        ([1, 1, 1, 1, 0, 0, 0, 0], [1 / 2] * 8),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_isotonic_of_a_few_rows(y, expected):
    found = calibration.isotonic(y, np.arange(len(y), dtype=DTYPE))
    assert_allclose(found.probability, expected, atol=4 * EPS)


@pytest.mark.parametrize("fit", [calibration.platt, calibration.isotonic])
def test_a_weight_of_two_is_the_row_twice_and_of_none_no_row(fit):
    count = RNG.integers(0, 3, M)
    counted = fit(Y, SCORE, sample_weight=count.astype(DTYPE))(GRID)
    assert_allclose(counted, fit(np.repeat(Y, count), np.repeat(SCORE, count))(GRID), rtol=TOL, atol=TOL)


def test_isotonic_depends_on_the_order_of_the_scores_alone():
    found = calibration.isotonic(Y, SCORE)(SCORE)
    assert_array_equal(calibration.isotonic(Y, np.exp(SCORE))(np.exp(SCORE)), found)


def test_platt_is_finite_where_the_score_separates_the_classes():
    score = np.linspace(-1, 1, M).astype(DTYPE)
    y = (score > 0).astype(int)
    found = calibration.platt(y, score)
    assert bool(found.solution.converged)
    slope, intercept = platt_in_scipy(y, score, None)
    assert_allclose([found.slope, found.intercept], [slope, intercept], rtol=TOL, atol=100 * TOL)
    assert 5 < float(found.slope) < 50


def test_platt_of_one_class_or_equal_scores_is_the_bayes_estimate():
    ones = calibration.platt(np.ones(M, int), SCORE)
    assert_allclose(ones(GRID), (M + 1) / (M + 2), rtol=TOL)
    flat = calibration.platt(Y, np.ones(M, DTYPE))
    positive, negative = Y.sum(), M - Y.sum()
    target = (positive * (positive + 1) / (positive + 2) + negative / (negative + 2)) / M
    assert_allclose(flat.margin(np.ones(1, DTYPE)), logit(target), rtol=TOL, atol=TOL)


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_platt_does_not_depend_on_the_units_of_the_score(unit):
    unit = DTYPE.type(unit)
    assert_allclose(calibration.platt(Y, unit * SCORE)(unit * GRID), calibration.platt(Y, SCORE)(GRID), rtol=10 * TOL)


@pytest.mark.parametrize("fit", [calibration.platt, calibration.isotonic])
def test_lanes_and_compiled_programs_give_what_calls_give(fit):
    weights = np.stack([WEIGHTS, RNG.integers(0, 2, M).astype(DTYPE), np.ones(M, DTYPE)])
    together = jax.jit(jax.vmap(lambda weight: fit(Y, SCORE, sample_weight=weight)(GRID)))(weights)
    for lane, weight in enumerate(weights):
        assert_allclose(together[lane], fit(Y, SCORE, sample_weight=weight)(GRID), rtol=TOL, atol=TOL)


def test_derivatives_with_respect_to_weights_are_those_of_the_peers():
    weight, direction, factor = RNG.uniform(0.5, 2.0, M), RNG.normal(size=M), np.arange(57.0)

    def of_platt(y, weight):
        slope, intercept = platt_in_scipy(y, SCORE, weight)
        return expit(slope * exact(GRID) + intercept)

    def of_isotonic(y, weight):
        return IsotonicRegression(out_of_bounds="clip").fit(exact(SCORE), y, sample_weight=weight).predict(exact(GRID))

    for fit, peer in ((calibration.platt, of_platt), (calibration.isotonic, of_isotonic)):

        def moved(t, fit=fit):
            p = fit(Y, SCORE, sample_weight=array(weight) + t * array(direction))(GRID)
            return jnp.sum(p * array(factor))

        h = 1e-5
        difference = (peer(Y, weight + h * direction) - peer(Y, weight - h * direction)) @ factor / (2 * h)
        assert_allclose(jax.grad(moved)(jnp.zeros((), DTYPE)), difference, rtol=1e-6 if X64 else 1e-3)


def test_calibrated_probabilities_are_better_than_those_of_a_fit_that_is_too_sure():
    rng = np.random.default_rng(1)
    z = rng.normal(size=4000)
    y = (rng.uniform(size=4000) < expit(z)).astype(int)
    score = array(4 * z)  # four times too sure
    used, new = slice(0, 2000), slice(2000, 4000)
    raw = float(jlr.metrics.expected_calibration_error(y[new], jlr.losses.sigmoid(score[new])))
    for fit in (calibration.platt, calibration.isotonic):
        p = fit(y[used], score[used])(score[new])
        assert float(jlr.metrics.expected_calibration_error(y[new], p)) < 0.25 * raw
    assert_allclose(calibration.platt(y[used], score[used]).slope, 0.25, atol=0.05)


LABELS = RNG.integers(0, K, M)
SCORES = np.round(RNG.normal(size=(M, K)) + 1.2 * np.eye(K)[LABELS], 2).astype(DTYPE)
NEW = np.array([[2, 0, -1], [0.3, 0.2, 0.1], [-1, 1.5, 1.6], [-1, -2, -1.5]], DTYPE)


@weighted
@pytest.mark.parametrize(("method", "peer", "tol"), [("platt", "sigmoid", 1e-5), ("isotonic", "isotonic", 50 * EPS)])
def test_one_vs_all_equals_scikit_learns(method, peer, tol, weight):
    found = calibration.one_vs_all(LABELS, SCORES, method=method, sample_weight=weight)(NEW)
    assert_allclose(found, peer_probabilities(LABELS, SCORES, peer, weight)(NEW), atol=tol)
    assert_allclose(jnp.sum(found, axis=1), 1.0, rtol=4 * EPS)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_one_vs_all_is_each_class_alone_normalised(method):
    fit = getattr(calibration, method)
    each = np.stack([fit(k == LABELS, SCORES[:, k])(NEW[:, k]) for k in range(K)], axis=1)
    found = jax.jit(lambda s: calibration.one_vs_all(LABELS, s, method=method)(NEW))(SCORES)
    assert_allclose(found, each / each.sum(axis=1, keepdims=True), rtol=TOL, atol=TOL)


def test_probabilities_hold_where_every_class_says_no():
    far = np.array([[-1e4, -2e4, -3e4]], DTYPE)
    assert_allclose(calibration.one_vs_all(LABELS, SCORES)(far), [[1, 0, 0]], atol=EPS)
    # A row to which each step function gives exactly zero is of any class.
    assert_allclose(calibration.one_vs_all(LABELS, SCORES, method="isotonic")(far), [[1 / 3] * 3], rtol=4 * EPS)


def delta_method(labels, scores, new):
    """Standard deviations of normalised Platt probabilities, from the influence of each row on all classes."""
    margins, influence = [], []
    for k in range(K):
        f, y = exact(scores[:, k]), labels == k
        w = platt_in_scipy(y, f, None)
        columns = np.stack([f, np.ones_like(f)], axis=1)
        p = expit(columns @ w)
        information = (columns * (p * (1 - p))[:, None]).T @ columns
        influence.append((columns * (y - p)[:, None]) @ np.linalg.inv(information))
        margins.append(exact(new[:, k]) * w[0] + w[1])
    q = expit(np.stack(margins, axis=1))
    p = q / q.sum(axis=1, keepdims=True)
    variance = np.zeros((len(new), K))
    for row in range(len(new)):
        moved = np.stack([influence[k] @ [exact(new[row, k]), 1.0] for k in range(K)], axis=1)  # of the margins
        for k in range(K):
            gradient = p[row, k] * ((np.arange(K) == k) - p[row]) * (1 - q[row])
            variance[row, k] = np.sum((moved @ gradient) ** 2)
    return np.sqrt(variance)


def test_the_spread_of_the_bootstrap_is_that_of_the_delta_method():
    found = calibration.one_vs_all_interval(LABELS, SCORES, NEW, 1000, jax.random.key(0), level=0.9)
    expected = delta_method(LABELS, SCORES, NEW)
    assert_allclose(found.std_error, expected, rtol=0.15)
    p = exact(calibration.one_vs_all(LABELS, SCORES)(NEW))
    assert np.all((found.lower < p) & (p < found.upper))
    # Where the spread is small it is normal.
    assert_allclose(found.upper - found.lower, 2 * 1.645 * expected, rtol=0.2)


def test_intervals_hold_what_they_should_as_often_as_they_say():
    rng = np.random.default_rng(2)

    def draw(m):
        labels = rng.integers(0, K, m)
        return labels, array(np.round(rng.normal(size=(m, K)) + 1.2 * np.eye(K)[labels], 2))

    truth = exact(calibration.one_vs_all(*draw(50_000))(NEW))
    held = []
    for i in range(40):
        found = calibration.one_vs_all_interval(*draw(M), NEW, 200, jax.random.key(i), level=0.9)
        held.append((found.lower <= truth) & (truth <= found.upper))
    assert abs(np.mean(held) - 0.9) < 0.05


def test_the_classifiers_uncertainty_counts_if_there_are_many_of_them():
    key, samples = jax.random.key(3), 200
    fixed = calibration.one_vs_all_interval(LABELS, SCORES, NEW, samples, key)
    scores, new = (jnp.broadcast_to(x, (samples, *x.shape)) for x in (SCORES, NEW))
    same = calibration.one_vs_all_interval(LABELS, scores, new, samples, key)
    for a, b in zip(jax.tree.leaves(fixed), jax.tree.leaves(same), strict=True):
        assert_allclose(a, b, rtol=TOL, atol=TOL)
    # Classifiers that differ in where they put the new rows.
    shift = 0.5 * jax.random.normal(jax.random.key(4), (samples, 1, K), DTYPE)
    moved = calibration.one_vs_all_interval(LABELS, scores, new + shift, samples, key)
    assert float(jnp.mean(moved.std_error)) > 1.2 * float(jnp.mean(fixed.std_error))


def test_bad_input_is_refused():
    for fit in (calibration.platt, calibration.isotonic):
        with pytest.raises(ValueError, match="must be vectors of one length"):
            fit(Y, SCORE[:3])
        with pytest.raises(ValueError, match="y_true must hold labels 0 to 1, got 2"):
            fit(Y + 1, SCORE)
        with pytest.raises(ValueError, match="score must be finite, got nan"):
            fit([0, 1], [0.0, np.nan])
        with pytest.raises(ValueError, match="score must be finite, got inf"):
            fit(Y, SCORE)([np.inf])
        with pytest.raises(ValueError, match="score must be finite, got nan"):
            fit(Y, SCORE)(np.nan)
        assert np.isnan(jax.jit(fit)(jnp.asarray(Y + 1), array(SCORE))(array(0.0)))
    with pytest.raises(ValueError, match="method must be one of 'platt', 'isotonic', got 'sigmoid'"):
        calibration.one_vs_all(LABELS, SCORES, method="sigmoid")  # pyright: ignore
    with pytest.raises(
        ValueError, match=r"score must have a row for each label .* for two classes and one score, platt"
    ):
        calibration.one_vs_all(Y, SCORE)
    with pytest.raises(ValueError, match=r"score must have a column for each of the 3 classes, got shape \(4, 2\)"):
        calibration.one_vs_all(LABELS, SCORES)(NEW[:, :2])
    with pytest.raises(ValueError, match=r"labels must hold labels 0 to 2, got 3; recode it, as np\.unique\(labels"):
        calibration.one_vs_all(LABELS + 1, SCORES)
    with pytest.raises(ValueError, match="score must have a column for each class, at least two"):
        calibration.one_vs_all(Y, SCORES[: len(Y), :1])
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="num_samples must be a Python integer of at least 2"):
        calibration.one_vs_all_interval(LABELS, SCORES, NEW, 1, key)
    with pytest.raises(
        ValueError, match=r"score must be \(m, K\) or \(20, m, K\) for each sample, got shape \(3, 120, 3\)"
    ):
        calibration.one_vs_all_interval(LABELS, np.stack([SCORES] * 3), NEW, 20, key)
    with pytest.raises(ValueError, match=r"new_score must have the classes of score, .* got shape \(4, 2\)"):
        calibration.one_vs_all_interval(LABELS, SCORES, NEW[:, :2], 20, key)
    with pytest.raises(ValueError, match="level must be from 0 to 1, got 95"):
        calibration.one_vs_all_interval(LABELS, SCORES, NEW, 20, key, level=95)
