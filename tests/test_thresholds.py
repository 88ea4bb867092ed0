"""Thresholds equal those that trying all of them finds; decisions those of least expected cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpy.testing import assert_allclose, assert_array_equal

from jaxlogreg.evaluation import metrics, thresholds

TOL = 1e-12 if X64 else 1e-6
RNG = np.random.default_rng(0)
M, LANES = 120, 4
Y = RNG.integers(0, 2, M)
SCORES = np.round(RNG.normal(size=(LANES, M)) + Y, 1).astype(DTYPE)  # rounded, so that many are equal
WEIGHTS = RNG.integers(0, 4, M).astype(DTYPE)  # exact in sums, a quarter of them zero
COSTS = [[-1.0, 2.0], [5.0, -3.0]]
weighted = pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])


def try_all(score, weight):
    """Each distinct threshold from the highest on, infinity first, with what it passes: ``t, TP, FP, P, N``."""
    weight, score = np.ones(M) if weight is None else exact(weight), exact(score)
    for t in [np.inf, *sorted(set(score[weight > 0]), reverse=True)]:
        said = score >= t
        yield t, weight[said & (Y == 1)].sum(), weight[said & (Y == 0)].sum(), *(weight[k == Y].sum() for k in (1, 0))


def check(threshold, expected, score, weight):
    """The same rows pass both, and the threshold is half way to the next score."""
    threshold, score = float(threshold), exact(score)
    used = score if weight is None else score[weight > 0]
    assert_array_equal(used >= threshold, used >= expected)
    if np.isfinite(expected):
        below = used[used < expected]
        half_way = (expected + below.max()) / 2 if below.size else expected
        assert_allclose(threshold, half_way, rtol=1e-6, atol=1e-6)
    else:
        assert threshold == np.inf


@weighted
@pytest.mark.parametrize("costs", [COSTS, [[0, 1], [20, 0]], [[0, 20], [1, 0]], [[0, 1], [1e6, 0]], [[0, 1e6], [1, 0]]])
def test_the_threshold_of_least_cost_is_that_of_trying_all(costs, weight):
    c = np.array(costs)
    for score in SCORES:
        tried = list(try_all(score, weight))
        cost = [fp * c[0, 1] + (n - fp) * c[0, 0] + (p - tp) * c[1, 0] + tp * c[1, 1] for _, tp, fp, p, n in tried]
        found = thresholds.least_cost(Y, score, costs, sample_weight=weight)
        check(found, tried[int(np.argmin(cost))][0], score, weight)


@weighted
@pytest.mark.parametrize("recall", [0.0, 0.3, 0.5, 0.95, 1.0])
def test_the_threshold_at_a_recall_is_the_largest_that_reaches_it(recall, weight):
    for score in SCORES:
        expected = next(t for t, tp, _, p, _ in try_all(score, weight) if tp >= recall * p)
        check(thresholds.at_recall(Y, score, recall, sample_weight=weight), expected, score, weight)


@weighted
@pytest.mark.parametrize("precision", [0.0, 0.6, 0.75, 0.9])
def test_the_threshold_at_a_precision_finds_most_of_those_that_reach_it(precision, weight):
    for score in SCORES:
        enough = [(t, tp) for t, tp, fp, _, _ in try_all(score, weight) if tp > 0 and tp >= precision * (tp + fp)]
        found = thresholds.at_precision(Y, score, precision, sample_weight=weight)
        if enough:
            check(found, max(enough, key=lambda pair: pair[1])[0], score, weight)
        else:
            assert np.isnan(found)


@weighted
def test_youdens_threshold_is_highest_above_the_diagonal(weight):
    for score in [*SCORES, -SCORES[0]]:
        tried = list(try_all(score, weight))
        j = [tp * n - fp * p for _, tp, fp, p, n in tried]
        check(thresholds.youden(Y, score, sample_weight=weight), tried[int(np.argmax(j))][0], score, weight)


def test_a_recall_of_nine_tenths_is_nine_of_ten():
    y, score = np.ones(10, int), np.arange(10, dtype=DTYPE)
    for found in range(1, 11):
        threshold = thresholds.at_recall(y, score, found / 10)
        assert int((score >= float(threshold)).sum()) == found
    # And of ten weights of a tenth, whose sum is rounded.
    for found in range(1, 11):
        threshold = thresholds.at_recall(y, score, found / 10, sample_weight=np.full(10, 0.1, DTYPE))
        assert int((score >= float(threshold)).sum()) == found


def test_no_threshold_is_precise_where_the_highest_scores_are_negative():
    assert np.isnan(thresholds.at_precision([1, 1, 0], [0.1, 0.2, 0.9], 0.9))


def test_thresholds_between_neighbouring_numbers_still_part_them():
    for low in (1.0, 0.1, 3e-5):
        low = DTYPE.type(low)
        high = np.nextafter(low, DTYPE.type(2))
        score = np.array([low, high])
        assert_array_equal(score >= np.asarray(thresholds.youden([0, 1], score)), [False, True])


def test_what_has_no_answer_is_nan():
    zeros, score = np.zeros(3, int), [0.1, 0.2, 0.3]
    assert np.isnan(thresholds.at_recall(zeros, score, 0.5))
    assert np.isnan(thresholds.at_precision(zeros, score, 0.5))
    assert np.isnan(thresholds.youden(zeros, score))
    assert np.isnan(thresholds.youden([0, 1, 1], score, sample_weight=[0, 1, 1]))
    assert thresholds.least_cost(zeros, score, COSTS) == np.inf


def test_bayes_threshold_is_where_both_decisions_cost_the_same():
    t = float(thresholds.bayes(COSTS))
    cost = np.array([1 - t, t]) @ np.array(COSTS)
    assert_allclose(cost[0], cost[1], rtol=10 * TOL)
    assert_allclose(thresholds.bayes([[0, 1], [1, 0]]), 0.5)
    assert_allclose(thresholds.bayes([[0, 1], [10, 0]]), 1 / 11, rtol=TOL)


def test_the_least_cost_of_calibrated_rows_is_at_bayes_threshold():
    # At each probability k/20 the share k/20 of the weight is positive.
    p = np.repeat(np.arange(1, 20) / 20, 2).astype(DTYPE)
    y = np.tile([0, 1], 19)
    weight = np.where(y == 1, p, 1 - p).astype(DTYPE)
    for costs in ([[0, 1], [3.3, 0]], [[0, 7.0], [1, 0]], COSTS):
        found, expected = thresholds.least_cost(y, p, costs, sample_weight=weight), thresholds.bayes(costs)
        assert_array_equal(p >= np.asarray(found), p >= np.asarray(expected))


def test_decisions_are_those_of_least_expected_cost():
    p = RNG.dirichlet([0.5, 1.0, 2.0], size=M)
    costs = RNG.uniform(size=(3, 4))
    expected = [min(range(4), key=lambda j, row=row: sum(row[i] * costs[i, j] for i in range(3))) for row in p]
    found = thresholds.decide(array(p), array(costs))
    assert found.dtype == jnp.int32
    assert_array_equal(found, expected)


def test_decisions_of_two_classes_are_those_of_bayes_threshold():
    p = array(RNG.uniform(size=M))
    expected = np.asarray(p) >= np.asarray(thresholds.bayes(COSTS))
    assert_array_equal(thresholds.decide(p, COSTS), expected)
    assert_array_equal(thresholds.decide(jnp.stack([1.0 - p, p], axis=1), COSTS), expected)


def test_with_a_price_for_not_deciding_the_unsure_rows_are_not_decided():
    # Chow's rule: not to decide costs a tenth of a mistake, so the surest class must be at least 0.9 probable.
    p = array(RNG.dirichlet([0.2, 0.2, 0.2], size=M))
    costs = np.concatenate([1 - np.eye(3), np.full((3, 1), 0.1)], axis=1)
    best = exact(p).max(axis=1)
    assert np.abs(best - 0.9).min() > 1e-5
    expected = np.where(best > 0.9, exact(p).argmax(axis=1), 3)
    assert_array_equal(thresholds.decide(p, array(costs)), expected)
    assert 0 < (expected == 3).sum() < M


@pytest.mark.parametrize("margin", [0.0, 0.25, 0.9])
def test_rows_whose_best_classes_are_within_the_margin_are_undecided(margin):
    p = RNG.dirichlet([0.5, 0.5, 0.5], size=M)
    best = np.sort(p, axis=1)
    distance = best[:, 2] - best[:, 1]
    said = np.where(distance > margin, p.argmax(axis=1), -1)
    found = thresholds.predict_or_abstain(array(p), margin)
    assert found.dtype == jnp.int32
    assert_array_equal(found, said)

    labels = RNG.integers(0, 3, M)
    made = thresholds.abstention(labels, array(p), margin)
    assert_allclose(made.coverage, (said >= 0).mean(), rtol=10 * TOL)
    assert_allclose(made.accuracy, (said == labels)[said >= 0].mean(), rtol=10 * TOL)


def test_two_classes_are_undecided_around_one_half():
    p = array([0.1, 0.375, 0.5, 0.625, 0.7, 0.95])
    assert_array_equal(thresholds.predict_or_abstain(p, 0.25), [0, -1, -1, -1, 1, 1])
    assert_array_equal(thresholds.predict_or_abstain(p, 0.0), [0, 0, -1, 1, 1, 1])
    assert_array_equal(thresholds.predict_or_abstain(p, 1.0), [-1] * 6)


def test_abstention_counts_weights_and_draws_a_curve():
    p, y = array([0.1, 0.4, 0.7, 0.95]), np.array([0, 1, 0, 1])
    made = jax.vmap(lambda margin: thresholds.abstention(y, p, margin, sample_weight=[1.0, 2.0, 3.0, 4.0]))(
        array([0.0, 0.3, 0.6, 1.0])
    )
    assert_allclose(made.coverage, [1.0, 0.8, 0.5, 0.0], rtol=10 * TOL)
    assert_allclose(made.accuracy, [0.5, 5 / 8, 1.0, np.nan], rtol=10 * TOL)


def test_not_abstaining_is_accuracy():
    p = array(RNG.uniform(size=M))
    made = thresholds.abstention(Y, p, 0.0)
    assert made.coverage == 1.0
    assert_allclose(made.accuracy, metrics.accuracy(Y, p), rtol=TOL)


def test_lanes_and_compiled_programs_give_what_calls_give():
    choices = {
        "least_cost": lambda score: thresholds.least_cost(Y, score, COSTS, sample_weight=WEIGHTS),
        "at_recall": lambda score: thresholds.at_recall(Y, score, 0.8, sample_weight=WEIGHTS),
        "at_precision": lambda score: thresholds.at_precision(Y, score, 0.7, sample_weight=WEIGHTS),
        "youden": lambda score: thresholds.youden(Y, score, sample_weight=WEIGHTS),
    }
    for choose in choices.values():
        together = jax.jit(jax.vmap(choose))(SCORES)
        assert together.dtype == DTYPE
        assert_allclose(together, [choose(score) for score in SCORES], rtol=TOL)
    costs = array([COSTS, [[0, 1], [4, 0]]])
    assert_allclose(jax.jit(jax.vmap(thresholds.bayes))(costs), [thresholds.bayes(c) for c in costs], rtol=TOL)


def test_what_is_refused_elsewhere_is_nan_under_jit():
    for costs in ([[0, 0], [1, 0]], [[1, 0], [0, 1]]):
        assert np.isnan(jax.jit(thresholds.bayes)(array(costs)))
    y, score = jnp.array([0, 1, 2]), array([0.1, 0.4, 0.9])
    for choose in (
        thresholds.youden,
        lambda y, f: thresholds.least_cost(y, f, COSTS),
        lambda y, f: thresholds.at_recall(y, f, 0.5),
        lambda y, f: thresholds.at_precision(y, f, 0.5),
        lambda y, f: thresholds.abstention(y, f, 0.5).accuracy,
    ):
        assert np.isnan(jax.jit(choose)(y, score))
        assert np.isfinite(jax.jit(choose)(y == 1, score))


def test_large_costs_are_as_good_as_small_ones():
    largest = float(jnp.finfo(DTYPE).max)
    assert thresholds.bayes(array([[0.0, largest], [largest, -largest]])) == pytest.approx(1 / 3, rel=TOL)


def test_bad_input_is_refused():
    y, p = [0, 1, 1], [0.1, 0.4, 0.9]
    with pytest.raises(ValueError, match=r"costs must be numbers \(2, 2\), a row for each class .* got .*\(2, 3\)"):
        thresholds.bayes(np.ones((2, 3)))
    with pytest.raises(ValueError, match="costs must be higher off the diagonal"):
        thresholds.bayes([[0, 0], [1, 0]])
    with pytest.raises(ValueError, match="costs must be finite"):
        thresholds.decide(p, [[0, np.inf], [1, 0]])
    with pytest.raises(ValueError, match=r"costs must be numbers \(3, decisions\)"):
        thresholds.decide(np.full((2, 3), 1 / 3), np.ones((2, 2)))
    with pytest.raises(ValueError, match="costs must be an array of real numbers, got list"):
        thresholds.bayes([[0, 1], [1]])
    for ask in (lambda p: thresholds.decide(p, COSTS), lambda p: thresholds.predict_or_abstain(p, 0.1)):
        for shape in ((), (1, 2, 3)):
            with pytest.raises(ValueError, match=r"score must hold probabilities \(m,\) or \(m, K\), got shape"):
                ask(np.full(shape, 0.5))
    with pytest.raises(ValueError, match="score must hold probabilities, got 3"):
        thresholds.decide([0.5, 3.0], COSTS)
    with pytest.raises(ValueError, match=r"recall must be from 0 to 1, got 90"):
        thresholds.at_recall(y, p, 90)
    with pytest.raises(ValueError, match=r"precision must be from 0 to 1, got -0\.5"):
        thresholds.at_precision(y, p, -0.5)
    with pytest.raises(ValueError, match="margin must be from 0 to 1, got 2"):
        thresholds.predict_or_abstain(p, 2)
    with pytest.raises(ValueError, match="y_true must hold labels 0 to 1, got 2"):
        thresholds.youden([0, 1, 2], p)
