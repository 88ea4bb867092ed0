"""Metrics equal scikit-learn's, with ties and weights, alone, compiled and in batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import metrics as peer
from sklearn.calibration import calibration_curve as peer_calibration_curve

from jaxlogreg.evaluation import metrics

TOL = 1e-12 if X64 else 1e-5
RNG = np.random.default_rng(0)
M, K, LANES = 200, 4, 3
Y = RNG.integers(0, 2, M)
MARGINS = np.round(RNG.normal(size=(LANES, M)) + Y, 1).astype(DTYPE)  # rounded, so that many are equal
P = np.round(1 / (1 + np.exp(-MARGINS)), 3).astype(DTYPE)
LABELS = RNG.integers(0, K, M)
CLASSES = np.exp(RNG.normal(size=(LANES, M, K)) + 1.5 * np.eye(K)[LABELS])
CLASSES = (CLASSES / CLASSES.sum(axis=2, keepdims=True)).astype(DTYPE)
WEIGHTS = np.where(RNG.uniform(size=M) < 0.2, 0.0, RNG.uniform(0.5, 2.0, M)).astype(DTYPE)  # a fifth of them zero
weighted = pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])

# Ours of (y, score, weight), and scikit-learn's.
OF_SCORES = {
    "roc_auc": peer.roc_auc_score,
    "average_precision": peer.average_precision_score,
}
OF_PROBABILITIES = {"log_loss": peer.log_loss, "brier_score": peer.brier_score_loss}
OF_DECISIONS = {
    "accuracy": peer.accuracy_score,
    "balanced_accuracy": peer.balanced_accuracy_score,
    "confusion_matrix": peer.confusion_matrix,
    "precision": peer.precision_score,
    "recall": peer.recall_score,
}
OF_CLASSES = {
    "accuracy": peer.accuracy_score,
    "balanced_accuracy": peer.balanced_accuracy_score,
    "confusion_matrix": peer.confusion_matrix,
    "precision": lambda *args, **weight: peer.precision_score(*args, average=None, **weight),
    "recall": lambda *args, **weight: peer.recall_score(*args, average=None, **weight),
    "fbeta": lambda *args, **weight: peer.fbeta_score(*args, beta=1, average=None, **weight),
}


def as_peer(weight):
    return None if weight is None else exact(weight)


@weighted
@pytest.mark.parametrize("name", OF_SCORES)
def test_areas_equal_scikit_learns(name, weight):
    for score in MARGINS:
        ours = getattr(metrics, name)(Y, score, sample_weight=weight)
        assert_allclose(ours, OF_SCORES[name](Y, exact(score), sample_weight=as_peer(weight)), rtol=TOL)


def distinct(curve):
    """The points of a curve without those that repeat the one before: where the threshold falls."""
    threshold = np.asarray(curve.threshold)
    return np.flatnonzero(np.append(threshold[1:] != threshold[:-1], True))


@weighted
def test_roc_curves_have_scikit_learns_points(weight):
    for score in MARGINS:
        curve = metrics.roc_curve(Y, score, sample_weight=weight)
        assert curve.fpr.shape == curve.tpr.shape == curve.threshold.shape == (M + 1,)
        fpr, tpr, threshold = peer.roc_curve(Y, exact(score), sample_weight=as_peer(weight), drop_intermediate=False)
        # A threshold that only rows without weight have is no point of scikit-learn's, and none of its own of ours.
        points = np.isin(exact(curve.threshold), threshold)
        points[points] = np.diff(exact(curve.threshold)[points], append=-np.inf) != 0
        assert_allclose(curve.threshold[points], threshold)
        assert_allclose(curve.fpr[points], fpr, atol=TOL)
        assert_allclose(curve.tpr[points], tpr, atol=TOL)
        area = np.trapezoid(exact(curve.tpr), exact(curve.fpr))
        assert_allclose(area, metrics.roc_auc(Y, score, sample_weight=weight), rtol=TOL)


@weighted
def test_precision_recall_curves_have_scikit_learns_points(weight):
    for score in MARGINS:
        curve = metrics.precision_recall_curve(Y, score, sample_weight=weight)
        assert curve.precision.shape == curve.recall.shape == curve.threshold.shape == (M + 1,)
        precision, recall, threshold = peer.precision_recall_curve(Y, exact(score), sample_weight=as_peer(weight))
        threshold = np.append(threshold, np.inf)[::-1]
        points = np.isin(exact(curve.threshold), threshold)
        points[points] = np.diff(exact(curve.threshold)[points], append=-np.inf) != 0
        assert_allclose(curve.threshold[points], threshold)
        assert_allclose(curve.precision[points], precision[::-1], atol=TOL)
        assert_allclose(curve.recall[points], recall[::-1], atol=TOL)
        area = np.sum(np.diff(exact(curve.recall)) * exact(curve.precision)[1:])
        assert_allclose(area, metrics.average_precision(Y, score, sample_weight=weight), rtol=TOL)


def test_points_of_equal_scores_are_one_point_repeated():
    curve = metrics.roc_curve([1, 0, 1, 0], np.array([2.0, 2.0, 2.0, 1.0], DTYPE))
    assert_allclose(curve.tpr, [0, 1, 1, 1, 1])
    assert_allclose(curve.fpr, [0, 0.5, 0.5, 0.5, 1])
    assert_array_equal(distinct(curve), [0, 3, 4])


@weighted
@pytest.mark.parametrize("name", OF_PROBABILITIES)
def test_scores_of_probabilities_equal_scikit_learns(name, weight):
    for p in P:
        ours = getattr(metrics, name)(Y, p, sample_weight=weight)
        assert_allclose(ours, OF_PROBABILITIES[name](Y, exact(p), sample_weight=as_peer(weight)), rtol=TOL)


@weighted
def test_scores_of_probabilities_of_classes_equal_scikit_learns(weight):
    for p in CLASSES:
        q = exact(p) / exact(p).sum(axis=1, keepdims=True)
        ours = metrics.log_loss(LABELS, p, sample_weight=weight)
        assert_allclose(ours, peer.log_loss(LABELS, q, sample_weight=as_peer(weight)), rtol=TOL)
        ours = metrics.brier_score(LABELS, p, sample_weight=weight)
        theirs = peer.brier_score_loss(LABELS, q, sample_weight=as_peer(weight), scale_by_half=False)
        assert_allclose(ours, theirs, rtol=TOL)


def test_two_classes_are_one_probability_or_two():
    p = P[0]
    both = np.stack([1 - p, p], axis=1)
    assert_allclose(metrics.log_loss(Y, both), metrics.log_loss(Y, p), rtol=TOL)
    assert_allclose(metrics.brier_score(Y, both), 2 * metrics.brier_score(Y, p), rtol=TOL)
    # Of two classes alike the first wins, and a probability of one half is of class 1.
    assert_array_equal(metrics.confusion_matrix(Y, both), metrics.confusion_matrix(Y, p, threshold=0.5001))


@weighted
@pytest.mark.parametrize("name", OF_DECISIONS)
@pytest.mark.parametrize("threshold", [0.5, 0.731])
def test_decisions_are_judged_as_by_scikit_learn(name, threshold, weight):
    for p in P:
        ours = getattr(metrics, name)(Y, p, threshold=threshold, sample_weight=weight)
        said = p >= DTYPE.type(threshold)
        assert_allclose(ours, OF_DECISIONS[name](Y, said, sample_weight=as_peer(weight)), rtol=TOL)


@weighted
@pytest.mark.parametrize("beta", [0.0, 0.5, 1, 2.0])
def test_f_beta_equals_scikit_learns(beta, weight):
    ours = metrics.fbeta(Y, P[0], beta=beta, sample_weight=weight)
    theirs = peer.fbeta_score(Y, P[0] >= 0.5, beta=beta, sample_weight=as_peer(weight))
    assert_allclose(ours, theirs, rtol=TOL)


def test_f_beta_is_recall_where_beta_is_infinite():
    assert_allclose(metrics.fbeta(Y, P[0], beta=np.inf), metrics.recall(Y, P[0]), rtol=TOL)


@weighted
@pytest.mark.parametrize("name", OF_CLASSES)
def test_decisions_among_classes_are_judged_as_by_scikit_learn(name, weight):
    for p in CLASSES:
        ours = getattr(metrics, name)(LABELS, p, sample_weight=weight)
        assert_allclose(ours, OF_CLASSES[name](LABELS, p.argmax(axis=1), sample_weight=as_peer(weight)), rtol=TOL)


def test_predicted_classes_go_in_as_sure_probabilities():
    said = CLASSES[0].argmax(axis=1)
    ours = metrics.confusion_matrix(LABELS, jax.nn.one_hot(said, K, dtype=DTYPE))
    assert_array_equal(ours, peer.confusion_matrix(LABELS, said))


def test_calibration_curves_equal_scikit_learns():
    for p in P:
        curve = metrics.calibration_curve(Y, p, num_bins=12)
        observed, predicted = peer_calibration_curve(Y, exact(p), n_bins=12)
        filled = exact(curve.weight) > 0
        assert_allclose(curve.observed[filled], observed, rtol=TOL)
        assert_allclose(curve.predicted[filled], predicted, rtol=TOL)
        assert np.isnan(exact(curve.observed)[~filled]).all()
        assert curve.weight.sum() == M


def test_calibration_curves_in_bins_of_as_many_rows_equal_scikit_learns():
    p = P[0] + DTYPE.type(1e-4) * RNG.uniform(size=M).astype(DTYPE)
    curve = metrics.calibration_curve(Y, p, edges=np.quantile(exact(p), np.arange(1, 7) / 7))
    observed, predicted = peer_calibration_curve(Y, exact(p), n_bins=7, strategy="quantile")
    assert_allclose(curve.observed, observed, rtol=TOL)
    assert_allclose(curve.predicted, predicted, rtol=TOL)


def test_a_row_on_an_edge_is_in_the_bin_below():
    p = np.array([0.0, 0.25, 0.5, 0.75, 1.0], DTYPE)
    curve = metrics.calibration_curve([0, 0, 1, 1, 1], p, num_bins=4)
    assert_array_equal(curve.weight, [2, 1, 1, 1])
    assert_array_equal(metrics.calibration_curve([0, 0, 1, 1, 1], p, num_bins=1).weight, [5])


def test_the_calibration_error_is_the_mean_distance_of_the_curve_from_the_diagonal():
    count, sums = (np.histogram(exact(P[0]), bins=7, range=(0, 1), weights=w)[0] for w in (None, Y - exact(P[0])))
    assert count.min() > 0
    assert_allclose(metrics.expected_calibration_error(Y, P[0], num_bins=7), np.abs(sums).sum() / M, rtol=TOL)


EVERY = {
    "log_loss": P,
    "brier_score": P,
    "accuracy": P,
    "balanced_accuracy": P,
    "confusion_matrix": P,
    "precision": P,
    "recall": P,
    "fbeta": P,
    "roc_curve": MARGINS,
    "roc_auc": MARGINS,
    "precision_recall_curve": MARGINS,
    "average_precision": MARGINS,
    "calibration_curve": P,
    "expected_calibration_error": P,
}


@pytest.mark.parametrize("name", EVERY)
def test_lanes_and_compiled_programs_give_what_calls_give(name):
    metric = getattr(metrics, name)
    together = jax.jit(jax.vmap(lambda score: metric(Y, score, sample_weight=WEIGHTS)))(EVERY[name])
    for lane, score in enumerate(EVERY[name]):
        alone = metric(Y, score, sample_weight=WEIGHTS)
        for x, y in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            assert x.dtype == DTYPE
            assert_allclose(x[lane], y, rtol=TOL)


@pytest.mark.parametrize("name", ["log_loss", "brier_score", "accuracy", "balanced_accuracy", "confusion_matrix"])
def test_lanes_of_classes_give_what_calls_give(name):
    metric = getattr(metrics, name)
    together = jax.jit(jax.vmap(lambda p: metric(LABELS, p)))(CLASSES)
    assert_allclose(together, np.stack([metric(LABELS, p) for p in CLASSES]), rtol=TOL)


@pytest.mark.parametrize("name", EVERY)
def test_a_weight_of_two_is_the_row_twice_and_of_none_no_row(name):
    count, metric, score = RNG.integers(0, 3, M), getattr(metrics, name), EVERY[name][0]
    counted = metric(Y, score, sample_weight=count.astype(DTYPE))
    repeated = metric(np.repeat(Y, count), np.repeat(score, count))
    if name in ("roc_curve", "precision_recall_curve"):
        # As functions: the highest point at each place.
        x, y = ("fpr", "tpr") if name == "roc_curve" else ("recall", "precision")
        counted, repeated = (
            {round(at, 6): value for at, value in zip(exact(getattr(c, x)), exact(getattr(c, y)), strict=True)}
            for c in (counted, repeated)
        )
        assert counted.keys() == repeated.keys()
        counted, repeated = ([c[at] for at in sorted(c)] for c in (counted, repeated))
    for a, b in zip(jax.tree.leaves(counted), jax.tree.leaves(repeated), strict=True):
        assert_allclose(a, b, rtol=10 * TOL)


def test_labels_may_be_booleans_or_floats_and_scores_lists():
    expected = metrics.roc_auc(Y, P[0])
    assert metrics.roc_auc(Y == 1, P[0]) == metrics.roc_auc(Y.astype(DTYPE), P[0]) == expected
    assert metrics.roc_auc([0, 1, 1], [2, 2, 2]) == 0.5


@pytest.mark.parametrize("classes", [False, True])
def test_derivatives_of_losses_are_those_of_finite_differences(classes):
    if classes:
        y, p, direction = LABELS, CLASSES[0], np.eye(K)[0] - np.eye(K)[1]
        direction = np.broadcast_to(direction, (M, K)).astype(DTYPE)
        assert np.minimum(p[:, 0], p[:, 1]).min() > 1e-3
    else:
        y, p, direction = Y, np.clip(P[0], 0.05, 0.95), np.ones(M, DTYPE)
    h = 1e-5 if X64 else 1e-3
    for metric in (metrics.log_loss, metrics.brier_score):

        def moved(t, metric=metric):
            return metric(y, jnp.asarray(p) + t * jnp.asarray(direction))

        slope = jax.grad(moved)(jnp.zeros((), DTYPE))
        difference = (float(moved(jnp.asarray(h, DTYPE))) - float(moved(jnp.asarray(-h, DTYPE)))) / (2 * h)
        assert_allclose(slope, difference, rtol=1e-6 if X64 else 2e-2)


def test_a_certain_answer_costs_nothing_if_right_and_infinitely_much_if_wrong():
    assert metrics.log_loss([1, 0], [1.0, 0.0]) == 0.0
    assert metrics.log_loss([1, 0], [1.0, 1.0]) == np.inf
    assert metrics.log_loss([1, 2], np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], DTYPE)) == np.inf
    assert metrics.log_loss([1, 0], [1.0, 1.0], sample_weight=[1.0, 0.0]) == 0.0


def test_what_is_missing_is_nan_where_it_is_a_ratio_of_nothing():
    ones, p = np.ones(3, int), np.array([0.2, 0.7, 0.4], DTYPE)
    assert np.isnan(metrics.roc_auc(ones, p))
    assert np.isnan(metrics.roc_auc(0 * ones, p))
    curve = metrics.roc_curve(ones, p)
    assert np.isnan(curve.fpr[1:]).all()
    assert_allclose(curve.tpr, [0, 1 / 3, 2 / 3, 1], rtol=TOL)

    assert np.isnan(metrics.average_precision(0 * ones, p))
    curve = metrics.precision_recall_curve(0 * ones, p)
    assert np.isnan(curve.recall[1:]).all()
    assert_array_equal(curve.precision, [1, 0, 0, 0])

    assert np.isnan(metrics.recall(0 * ones, p))
    assert np.isnan(metrics.precision(ones, p, threshold=0.9))
    assert metrics.fbeta(ones, p, threshold=0.9) == 0.0
    assert np.isnan(metrics.fbeta(0 * ones, p, threshold=0.9))
    assert_allclose(metrics.balanced_accuracy(ones, p), 1 / 3, rtol=TOL)  # over the one class there is
    # A class whose rows have no weight is missing too.
    assert np.isnan(metrics.roc_auc([0, 1, 1], p, sample_weight=[0.0, 1.0, 1.0]))
    assert np.isnan(metrics.recall([0, 1, 0], p, sample_weight=[1.0, 0.0, 1.0]))


@jax.jit
def every_metric(y, p, s):
    return {name: getattr(metrics, name)(y, p, sample_weight=s) for name in sorted(EVERY)}


WRONG = {
    "weights": (Y, None, np.zeros(M)),
    "tiny weights": (Y, None, np.full(M, 1e-200 if X64 else 1e-30)),
    "a negative weight": (Y, None, np.where(np.arange(M) == 3, -1.0, 1.0)),
    "a label": (np.where(np.arange(M) == 3, 2, Y), None, np.ones(M)),
    "half a label": (np.where(np.arange(M) == 3, 0.5, Y), None, np.ones(M)),
    "a score": (Y, np.where(np.arange(M) == 3, np.nan, P[0]), np.ones(M)),
    "an infinite score": (Y, np.where(np.arange(M) == 3, np.inf, P[0]), np.ones(M)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_refused_elsewhere_is_nan_under_jit(wrong):
    labels, score, weights = wrong
    found = every_metric(array(labels), array(P[0] if score is None else score), array(weights))
    curves = [found.pop(name) for name in ("roc_curve", "precision_recall_curve", "calibration_curve")]
    for curve, values in zip(curves, (("fpr", "tpr"), ("precision", "recall"), ("predicted", "observed")), strict=True):
        assert all(np.isnan(getattr(curve, name)[-1]) for name in values)
    assert all(np.isnan(value).all() for value in found.values())


def test_what_is_no_probability_is_nan_under_jit():
    def scores(y, p):
        return metrics.brier_score(y, p), metrics.accuracy(y, p), metrics.log_loss(y, p)

    assert np.isnan(jax.jit(scores)(Y, array(P[0]) + 0.5)).all()
    assert np.isnan(jax.jit(scores)(LABELS, 0.9 * array(CLASSES[0]))).all()
    assert np.isfinite(jax.jit(scores)(LABELS, array(CLASSES[0]))).all()


def test_input_that_does_not_go_together_is_refused():
    ones = np.ones(3)
    for metric in (metrics.roc_auc, metrics.log_loss):
        with pytest.raises(ValueError, match=r"y_true, score and sample_weight must be vectors of one length.*\(4,\)"):
            metric(ones, np.ones(4))
        with pytest.raises(ValueError, match=r"y_true must hold labels 0 to 1, got 2; recode it"):
            metric([0, 1, 2], ones)
        with pytest.raises(ValueError, match="score must be finite, got nan at \\[1\\]"):
            metric(ones, [0.0, np.nan, 1.0])
        with pytest.raises(ValueError, match="sample_weight must be at least 0, got -1"):
            metric(ones, ones, sample_weight=[1, -1, 1])
        with pytest.raises(ValueError, match="sample_weight must be positive for at least one row"):
            metric(ones, ones, sample_weight=[0, 0, 0])
        with pytest.raises(ValueError, match="score must be an array of real numbers"):
            metric(ones, ["a", "b", "c"])
        with pytest.raises(ValueError, match=r"y_true must be an array of real numbers, got dtype <U1; recode it, as"):
            metric(["a", "b", "a"], ones)
        with pytest.raises(ValueError, match="score must be an array of real numbers, got list"):
            metric(ones, [[0.1], [0.2, 0.3], [0.4]])
        with pytest.raises(ValueError, match=r"score must have a column for each class, .* for one, score\[:, 0\]"):
            metric(ones, np.ones((3, 1)))
        for weight in (1e-200, 1e200) if X64 else (1e-30, 1e30):
            with pytest.raises(
                ValueError, match=r"sample_weight must have a sum whose square .* divide it by its mean"
            ):
                metric(ones, ones, sample_weight=np.full(3, weight))
        with pytest.raises(ValueError, match="must be vectors of one length"):
            jax.jit(metric)(ones, np.ones(4))  # shapes are checked under jit too
    with pytest.raises(ValueError, match=r"score must be a vector \(m,\), got shape \(3, 2\)"):
        metrics.roc_auc(ones, np.full((3, 2), 0.5))


def test_what_is_no_probability_is_refused():
    for name in ("log_loss", "brier_score", "accuracy", "recall", "calibration_curve", "expected_calibration_error"):
        with pytest.raises(ValueError, match=r"score must hold probabilities, got -2\.5; of margins take the sigmoid"):
            getattr(metrics, name)([0, 1], [-2.5, 1.0])
    with pytest.raises(ValueError, match=r"got 2\.0; predicted classes go in as jax\.nn\.one_hot\(predicted, K\)"):
        metrics.accuracy([0, 1, 2], [0, 2, 2])
    with pytest.raises(ValueError, match=r"score must hold probabilities \(m,\) or \(m, K\), got shape \(\)"):
        metrics.accuracy(1, 0.5)
    with pytest.raises(ValueError, match=r"that sum to 1, got 0\.8 in row 1"):
        metrics.log_loss([0, 1], np.array([[0.5, 0.5], [0.4, 0.4]], DTYPE))
    with pytest.raises(ValueError, match="y_true must hold labels 0 to 3, got 4"):
        metrics.log_loss([0, 4], CLASSES[0, :2])


def test_thresholds_and_bins_that_are_none_are_refused():
    with pytest.raises(ValueError, match="threshold must be from -inf to inf, got nan"):
        metrics.accuracy([0, 1], [0.5, 0.5], threshold=np.nan)
    with pytest.raises(ValueError, match="threshold is for scores \\(m,\\) of two classes"):
        metrics.accuracy(LABELS, CLASSES[0], threshold=0.4)
    with pytest.raises(ValueError, match="threshold must be one number, got shape \\(2,\\)"):
        metrics.accuracy([0, 1], [0.5, 0.5], threshold=[0.1, 0.2])
    with pytest.raises(ValueError, match="beta must be from 0 to inf, got -1"):
        metrics.fbeta([0, 1], [0.5, 0.5], beta=-1)
    for bins in (0, 2.5, None):
        with pytest.raises(ValueError, match="num_bins must be a Python integer of at least 1"):
            metrics.calibration_curve([0, 1], [0.5, 0.5], num_bins=bins)
    for edges in ([0.7, 0.3], 0.5, [[0.5]], [-1.0, 0.5], [0.5, 7.0]):
        with pytest.raises(ValueError, match="edges must be rising probabilities between bins"):
            metrics.calibration_curve([0, 1], [0.5, 0.5], edges=edges)
    with pytest.raises(ValueError, match=r"edges must be finite, got nan at \[0\]$"):
        metrics.calibration_curve([0, 1], [0.5, 0.5], edges=[np.nan])
    with pytest.raises(ValueError, match="edges must be an array of real numbers"):
        metrics.calibration_curve([0, 1], [0.5, 0.5], edges=["low"])
