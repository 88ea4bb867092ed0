"""Losses: against closed forms in numpy, scipy, scikit-learn, optax and automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import DTYPE, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import entr, expit, logsumexp
from sklearn.metrics import log_loss

import jaxlogreg as jlr
from jaxlogreg import losses
from jaxlogreg.losses.elementwise import logistic_curvature

EPS = float(jnp.finfo(DTYPE).eps)
TOL = {"rtol": 200 * EPS, "atol": 50 * EPS}


def example(m=40, n=3, seed=0):
    rng = np.random.default_rng(seed)
    X, w = array(rng.normal(size=(m, n))), array(rng.normal(size=n))
    return w, X, array(rng.random(m) < 0.4)


WEIGHTS = {
    "no weights": None,
    "weights": array(np.random.default_rng(1).uniform(0.1, 3.0, 40)),
    "some weights zero": array(np.arange(40) % 3),
}
# Compiled, so that each derivative is one program to compile and not one for each operation in it.
GRADIENT, HESSIAN = (jax.jit(d(losses.binary_cross_entropy)) for d in (jax.grad, jax.hessian))
SOFTMAX_GRADIENT = jax.jit(jax.grad(losses.softmax_cross_entropy))
weighted = pytest.mark.parametrize("s", WEIGHTS.values(), ids=WEIGHTS.keys())


# The sigmoid and the loss of one row


def test_sigmoid_is_exact_in_both_tails():
    largest = 0.98 * -np.log(float(jnp.finfo(DTYPE).tiny))
    z = np.geomspace(1e-3, largest, 200)
    z = array(np.concatenate([-z, [0.0], z]))
    assert_allclose(exact(losses.sigmoid(z)), expit(exact(z)), rtol=8 * EPS)


def test_sigmoid_of_huge_margins_neither_overflows_nor_is_nan():
    assert_array_equal(losses.sigmoid(array([-1e4, 1e4])), [0.0, 1.0])


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_logistic_loss_keeps_its_digits_in_both_tails(y):
    z = np.geomspace(1e-3, 80.0, 100)
    z = array(np.concatenate([-z, [0.0], z]))
    expected = np.logaddexp(0.0, exact(z if y == 0.0 else -z))
    assert_allclose(exact(losses.logistic_loss(z, jnp.full_like(z, y))), expected, rtol=8 * EPS)


# Binary cross-entropy as a function of (w, X, y)


@weighted
def test_gradient_and_hessian_are_the_closed_forms_and_the_derivatives(s):
    w, X, y = example()
    value, gradient, hessian = (
        f(w, X, y, sample_weight=s)
        for f in (
            losses.binary_cross_entropy,
            losses.binary_cross_entropy_gradient,
            losses.binary_cross_entropy_hessian,
        )
    )
    z, weight = exact(X) @ exact(w), np.ones(40) if s is None else exact(s)
    p = expit(z)
    assert_allclose(value, np.average(np.logaddexp(0.0, z) - exact(y) * z, weights=weight), **TOL)
    assert_allclose(gradient, exact(X).T @ (weight * (p - exact(y))) / weight.sum(), **TOL)
    assert_allclose(hessian, exact(X).T @ np.diag(weight * p * (1 - p)) @ exact(X) / weight.sum(), **TOL)
    assert_allclose(gradient, GRADIENT(w, X, y, sample_weight=s), **TOL)
    assert_allclose(hessian, HESSIAN(w, X, y, sample_weight=s), **TOL)


def test_the_curvature_of_the_logistic_loss_and_its_derivatives_are_right_in_both_tails_and_at_zero():
    z = np.array([-80.0, -20.0, -1.5, 0.0, 0.3, 2.0, 30.0])
    s, bent = expit(z), expit(z) * expit(-z)
    at = jnp.asarray(z, DTYPE)
    slope = jax.vmap(jax.grad(logistic_curvature))
    assert_allclose(logistic_curvature(at), bent, rtol=20 * EPS)
    assert_allclose(slope(at), bent * (1 - 2 * s), rtol=20 * EPS)
    second = jax.vmap(jax.grad(jax.grad(logistic_curvature)))(at)
    assert_allclose(second, bent * (1 - 6 * bent), rtol=50 * EPS)


def test_derivatives_at_zero_weights_are_right():
    _, X, y = example()
    w = jnp.zeros(3, DTYPE)
    gradient, hessian = exact(X).T @ (0.5 - exact(y)) / 40, exact(X).T @ exact(X) / 160
    assert_allclose(losses.binary_cross_entropy(w, X, y), np.log(2.0), rtol=8 * EPS)
    for f in (losses.binary_cross_entropy_gradient, GRADIENT):
        assert_allclose(f(w, X, y), gradient, **TOL)
    for f in (losses.binary_cross_entropy_hessian, HESSIAN):
        assert_allclose(f(w, X, y), hessian, **TOL)


def test_margins_of_ten_thousand_give_finite_and_right_results():
    w, y = array([1.0, 0.0, 0.0]), array([1.0, 0.0, 0.0, 1.0] * 10)
    X = array([[1e4, 1.0, 0.0], [-1e4, 1.0, 0.0], [1e4, 0.0, 1.0], [-1e4, 0.0, 1.0]] * 10)
    # The first two of four rows are right and cost nothing, the others are wrong and cost their margin.
    assert_allclose(losses.binary_cross_entropy(w, X, y), 5e3, rtol=8 * EPS)
    assert_allclose(losses.negative_log_likelihood(w, X, y), 2e5, rtol=8 * EPS)
    for f in (losses.binary_cross_entropy_gradient, GRADIENT):
        assert_allclose(f(w, X, y), [5e3, 0.0, 0.0], rtol=8 * EPS)
    for f in (losses.binary_cross_entropy_hessian, HESSIAN):
        assert_array_equal(f(w, X, y), np.zeros((3, 3)))


def test_gradient_matches_finite_differences_of_the_likelihood():
    w, X, y = example()
    z = lambda w: exact(X) @ w  # noqa: E731
    J = lambda w: np.mean(np.logaddexp(0.0, z(w)) - exact(y) * z(w))  # noqa: E731
    differences = [(J(exact(w) + 1e-5 * e) - J(exact(w) - 1e-5 * e)) / 2e-5 for e in np.eye(3)]
    assert_allclose(losses.binary_cross_entropy_gradient(w, X, y), differences, rtol=0, atol=1e-9 + 20 * EPS)


def test_hessian_is_positive_semidefinite_everywhere():
    _, X, y = example()
    X = jnp.concatenate([X, X[:, :1]], axis=1)  # a duplicate column: one eigenvalue is zero
    rng = np.random.default_rng(2)
    points = array(rng.normal(size=(50, 4)) * np.geomspace(1e-2, 1e2, 50)[:, None])
    hessians = exact(jax.vmap(lambda w: losses.binary_cross_entropy_hessian(w, X, y))(points))
    assert_allclose(hessians, np.swapaxes(hessians, 1, 2), rtol=0, atol=8 * EPS)
    eigenvalues = np.linalg.eigvalsh(hessians)
    assert np.all(eigenvalues[:, 0] >= -16 * EPS * eigenvalues[:, -1])


def test_loss_is_convex_along_every_segment():
    _, X, y = example()
    rng = np.random.default_rng(3)
    a, b = array(rng.normal(size=(2, 100, 3)) * np.geomspace(1e-1, 1e2, 100)[:, None])
    J = jax.vmap(lambda w: losses.binary_cross_entropy(w, X, y))
    for t in (0.1, 0.5, 0.8):
        chord = (1 - t) * exact(J(a)) + t * exact(J(b))
        assert np.all(exact(J((1 - t) * a + t * b)) <= chord + 32 * EPS * (1 + chord))


@weighted
def test_negative_log_likelihood_is_the_total_weight_times_the_cross_entropy(s):
    w, X, y = example()
    total = 40.0 if s is None else exact(s).sum()
    actual = losses.negative_log_likelihood(w, X, y, sample_weight=s)
    assert_allclose(actual, total * exact(losses.binary_cross_entropy(w, X, y, sample_weight=s)), **TOL)


def test_integer_weight_equals_repetition():
    w, X, y = example()
    counts = np.array([0, 1, 3, 0] * 10)
    X_long, y_long = jnp.repeat(X, counts, axis=0), jnp.repeat(y, counts)
    for f in (
        losses.binary_cross_entropy,
        losses.binary_cross_entropy_gradient,
        losses.binary_cross_entropy_hessian,
        losses.negative_log_likelihood,
    ):
        assert_allclose(f(w, X, y, sample_weight=counts), f(w, X_long, y_long), **TOL)


@weighted
def test_binary_cross_entropy_agrees_with_scikit_learn(s):
    w, X, y = example()
    expected = log_loss(exact(y), expit(exact(X) @ exact(w)), sample_weight=None if s is None else exact(s))
    assert_allclose(losses.binary_cross_entropy(w, X, y, sample_weight=s), expected, **TOL)


def test_binary_cross_entropy_agrees_with_optax_also_for_probabilities_as_labels():
    w, X, y = example()
    for labels in (y, 0.2 + 0.5 * y):
        assert_allclose(
            losses.binary_cross_entropy(w, X, labels), optax.sigmoid_binary_cross_entropy(X @ w, labels).mean(), **TOL
        )


def test_labels_may_be_integers_or_booleans():
    w, X, y = example()
    expected = losses.binary_cross_entropy(w, X, y)
    for dtype in (bool, np.int8, np.int64):
        assert_array_equal(losses.binary_cross_entropy(w, X, np.asarray(y).astype(dtype)), expected)


def test_features_may_be_integers():
    X, y = jnp.array([[1, 3], [2, -1]]), [0, 1]
    with jax.numpy_dtype_promotion("standard"):
        assert_allclose(losses.binary_cross_entropy(jnp.zeros(2, DTYPE), X, y), np.log(2.0), rtol=8 * EPS)
        gradient = losses.binary_cross_entropy_gradient(jnp.zeros(2, DTYPE), X, y)
    assert_allclose(gradient, [-0.25, 1.0], rtol=8 * EPS)


def test_derivative_with_respect_to_a_label_is_minus_its_margin():
    w, X, y = example()
    gradient = jax.grad(lambda y: losses.binary_cross_entropy(w, X, y))(y)
    assert_allclose(gradient, -(exact(X) @ exact(w)) / 40, **TOL)


# Softmax cross-entropy as a function of (W, X, labels)


def softmax_example(num_classes=3):
    rng = np.random.default_rng(4)
    return (
        array(rng.normal(size=(num_classes, 3))),
        example()[1],
        jnp.asarray(rng.integers(0, num_classes, 40), jnp.int32),
    )


@weighted
def test_softmax_cross_entropy_agrees_with_optax_and_scikit_learn(s):
    W, X, labels = softmax_example()
    actual = losses.softmax_cross_entropy(W, X, labels, sample_weight=s)
    rows = optax.softmax_cross_entropy_with_integer_labels(X @ W.T, labels)
    z = exact(X) @ exact(W).T
    p = np.exp(z - logsumexp(z, axis=1, keepdims=True))
    assert_allclose(actual, np.average(exact(rows), weights=s), **TOL)
    assert_allclose(actual, log_loss(labels, p, sample_weight=None if s is None else exact(s)), **TOL)


@weighted
def test_softmax_gradient_is_the_derivative(s):
    W, X, labels = softmax_example()
    actual = losses.softmax_cross_entropy_gradient(W, X, labels, sample_weight=s)
    assert_allclose(actual, SOFTMAX_GRADIENT(W, X, labels, sample_weight=s), **TOL)
    assert_allclose(actual.sum(axis=0), np.zeros(3), atol=50 * EPS)  # shifting all classes changes nothing


def test_softmax_of_two_classes_is_the_binary_loss_of_their_difference():
    W, X, labels = softmax_example(2)
    w, y = W[1] - W[0], array(labels)
    value, gradient = jax.jit(
        lambda *args: (losses.softmax_cross_entropy(*args), losses.softmax_cross_entropy_gradient(*args))
    )(W, X, labels)
    assert_allclose(value, losses.binary_cross_entropy(w, X, y), **TOL)
    assert_allclose(gradient, np.outer([-1.0, 1.0], losses.binary_cross_entropy_gradient(w, X, y)), **TOL)


def test_softmax_of_huge_margins_is_finite_and_right():
    W = array(np.diag([1e4, 0.0, -1e4]) @ np.ones((3, 3)))
    X, labels = array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]] * 20), jnp.zeros(40, jnp.int32)
    # Every other row is sure and right, and costs nothing; the others say class 2 instead of class 0.
    assert_allclose(losses.softmax_cross_entropy(W, X, labels), 1e4, rtol=8 * EPS)
    expected = [[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.5, 0.0, 0.0]]
    for f in (losses.softmax_cross_entropy_gradient, SOFTMAX_GRADIENT):
        assert_allclose(f(W, X, labels), expected, atol=8 * EPS)


# Losses as functions of the margins


def poisson(z, y):
    return jnp.exp(z) - y * z


def welsch(z, y):  # not convex
    return 1.0 - jnp.exp(-0.5 * (z - y) ** 2)


@jax.jit
def hessian_of(loss, linear_map, w):
    return loss.hessian(linear_map, linear_map.mv(w))


def margin_loss(kind, s, with_offset, m=40):
    """The loss, margins to try it at, its linear map, and its value in numpy as a function of the margins."""
    rng = np.random.default_rng(5)
    X = array(rng.normal(size=(m, 3)))
    weight = np.ones(m) if s is None else exact(s)
    shape = (3, m) if kind == "softmax" else (m,)
    z, offset = array(rng.normal(size=shape)), array(rng.normal(size=shape)) if with_offset else None
    o = 0.0 if offset is None else exact(offset)
    if kind == "softmax":
        labels = np.append([0, 1, 2], rng.integers(0, 3, m - 3))
        targets = array(np.eye(3)[:, labels])
        loss = losses.SoftmaxCrossEntropy.create(targets, s, offset)
        value = lambda z: logsumexp(z + o, axis=0) - np.sum(exact(targets) * (z + o), axis=0)  # noqa: E731
        return loss, z, jlr.PerClass(jlr.Dense(X), 3), lambda z: np.average(value(z), weights=weight)
    y = array(rng.random(m) < 0.4)
    if kind == "binary":
        loss = losses.BinaryCrossEntropy.create(y, s, offset)
        value = lambda z: np.logaddexp(0.0, z + o) - exact(y) * (z + o)  # noqa: E731
    elif kind == "poisson":
        loss = losses.from_function(poisson, y, sample_weight=s, offset=offset)
        value = lambda z: np.exp(z + o) - exact(y) * (z + o)  # noqa: E731
    else:
        loss = losses.from_function(welsch, y, sample_weight=s, offset=offset)
        value = lambda z: 1 - np.exp(-0.5 * (z + o - exact(y)) ** 2)  # noqa: E731
    return loss, z, jlr.Dense(X), lambda z: np.average(value(z), weights=weight)


every_kind = pytest.mark.parametrize("kind", ["binary", "softmax", "poisson", "welsch"])
with_dual = pytest.mark.parametrize("kind", ["binary", "softmax"])
with_offset = pytest.mark.parametrize("offset", [False, True], ids=["no offset", "offset"])


@every_kind
@weighted
@with_offset
def test_value_and_residual_of_a_margin_loss(kind, s, offset):
    loss, z, _, value = margin_loss(kind, s, offset)
    assert_allclose(loss.value(z), value(exact(z)), **TOL)
    assert_allclose(loss.residual(z), jax.grad(loss.value)(z), **TOL)
    assert_allclose(jnp.sum(loss.row_weights()), 1.0, rtol=8 * EPS)


@every_kind
@with_offset
def test_hessian_of_a_margin_loss_is_the_second_derivative(kind, offset):
    loss, _, linear_map, _ = margin_loss(kind, WEIGHTS["some weights zero"], offset)
    w = array(np.random.default_rng(6).normal(size=linear_map.shape[1]))
    expected = jax.jit(jax.hessian(lambda w: loss.value(linear_map.mv(w))))(w)
    assert_allclose(hessian_of(loss, linear_map, w), expected, **TOL)


def test_softmax_hessian_over_many_blocks_of_rows_is_the_second_derivative():
    loss, _, linear_map, _ = margin_loss("softmax", None, True, m=5000)
    w = array(np.random.default_rng(7).normal(size=9))
    expected = jax.jit(jax.hessian(lambda w: loss.value(linear_map.mv(w))))(w)
    assert_allclose(hessian_of(loss, linear_map, w), expected, rtol=1000 * EPS, atol=100 * EPS)


def test_softmax_hessian_asks_for_a_block_of_weights_a_class():
    loss, z, linear_map, _ = margin_loss("softmax", None, False)
    with pytest.raises(TypeError, match="PerClass"):
        loss.hessian(linear_map.base, z)


def test_function_loss_gives_the_derivatives_of_its_function():
    loss = losses.FunctionLoss(lambda x: x[0] ** 2 * x[1] + jnp.sin(x[1]))
    x = array([2.0, 3.0])
    value, residual = loss.value_and_residual(x)
    assert_allclose(value, 12.0 + np.sin(3.0), **TOL)
    assert_allclose(residual, [12.0, 4.0 + np.cos(3.0)], **TOL)
    assert_allclose(hessian_of(loss, jlr.Identity(2), x), [[6.0, 4.0], [4.0, -np.sin(3.0)]], **TOL)


@every_kind
def test_values_are_computed_on_trials_only_where_the_loss_may_not_be_convex(kind):
    loss, z, _, value = margin_loss(kind, None, False)
    actual, residual = loss.value_and_residual(z)
    assert_allclose(residual, jax.grad(loss.value)(z), **TOL)
    if kind in ("binary", "softmax"):
        assert actual is None
    else:
        assert_allclose(actual, value(exact(z)), **TOL)


@with_dual
def test_curvature_bound_bounds_the_hessian(kind):
    loss, _, linear_map, _ = margin_loss(kind, WEIGHTS["weights"], False)
    base = linear_map.base if kind == "softmax" else linear_map
    largest = np.linalg.eigvalsh(exact(base.gram(loss.row_weights())))[-1]
    points = array(np.random.default_rng(8).normal(size=(30, linear_map.shape[1])) * np.geomspace(0.01, 3, 30)[:, None])
    hessians = jax.vmap(lambda w: hessian_of(loss, linear_map, w))(points)
    ratio = np.linalg.eigvalsh(exact(hessians))[:, -1].max() / largest
    assert ratio <= loss.curvature_bound * (1 + 100 * EPS)
    assert ratio >= 0.6 * loss.curvature_bound  # and is no idle bound


# Duality: L(z) + L*(u) - <u, z> >= 0, with equality where u is the residual


def conjugate(loss, u):
    """``L*(u)`` by its definition; the labels play no part but to shift ``u``."""
    target, weight = exact(getattr(loss, "targets", getattr(loss, "y", None))), exact(loss.weight)
    rows = weight > 0
    p = np.clip(target[..., rows] + u[..., rows] / weight[rows], 0.0, 1.0)
    p = p if p.ndim == 2 else np.stack([p, 1.0 - p])
    offset = 0.0 if loss.offset is None else np.sum(u * exact(loss.offset))
    return -np.sum(weight[rows] * entr(p)) - offset


@with_dual
@weighted
@with_offset
def test_the_slack_of_a_balanced_residual_is_what_fenchel_and_young_lack(kind, s, offset):
    loss, z, _, value = margin_loss(kind, s, offset)
    for scale, shift in ((0.0, 0.0), (1.0, 0.0), (1.0, 1e-3), (0.5, -4.0), (30.0, 2.0), (500.0, 1000.0)):
        at = (scale * z).at[0].add(shift) if kind == "softmax" else scale * z + shift
        move, slack = loss.balance(at, -jnp.sum(loss.residual(at), axis=-1))
        u, expected = exact(loss.residual(at) + move), value(exact(at))
        lacking = expected + conjugate(loss, u) - np.sum(u * exact(at))
        assert slack >= lacking - 200 * EPS * (1 + abs(expected))


@with_dual
def test_near_balance_the_slack_is_about_twice_what_is_lacking(kind):
    z = array(np.random.default_rng(10).normal(size=(3, 40)))
    if kind == "softmax":
        loss, at = losses.SoftmaxCrossEntropy.create(jax.nn.softmax(z, axis=0)), z.at[0].add(0.1)
    else:
        loss, at = losses.BinaryCrossEntropy.create(losses.sigmoid(z[0])), z[0] + 0.1
    move, slack = loss.balance(at, -jnp.sum(loss.residual(at), axis=-1))
    u = exact(loss.residual(at) + move)
    lacking = exact(loss.value(at)) + conjugate(loss, u) - np.sum(u * exact(at))
    assert_allclose(slack, 2.0 * lacking, rtol=0.2, atol=100 * EPS)


@with_dual
@weighted
def test_a_balanced_dual_point_is_a_residual_that_sums_to_zero(kind, s):
    loss, z, _, _ = margin_loss(kind, s, False)
    target = loss.targets if kind == "softmax" else loss.y
    weight, rows = exact(loss.weight), exact(loss.weight) > 0
    for scale in (0.0, 1.0, 1000.0):
        r = loss.residual(scale * z + 1.0)
        u = exact(r + loss.balance(scale * z + 1.0, -jnp.sum(r, axis=-1))[0])
        assert_allclose(u.sum(axis=-1), np.zeros(u.shape[:-1]), atol=20 * EPS)
        assert_array_equal(u[..., ~rows], 0.0)
        p = exact(target)[..., rows] + u[..., rows] / weight[rows]
        assert np.all((p >= -8 * EPS) & (p <= 1 + 8 * EPS))


def test_balancing_leaves_a_residual_that_sums_to_zero_as_it_is():
    loss = losses.BinaryCrossEntropy.create(array([0.0, 1.0, 0.0, 1.0] * 10))
    move, slack = loss.balance(array([-2.0, 2.0, 1.0, -1.0] * 10), array(0.0))
    assert_allclose(move, np.zeros(40), atol=EPS)
    assert 0.0 <= slack <= EPS


@pytest.mark.parametrize("y", [[0.0, 0.0], [1.0, 1.0]], ids=["zeros", "ones"])
def test_balancing_sure_answers_of_one_class_is_finite(y):
    loss = losses.BinaryCrossEntropy.create(array(y))
    for z in (-1e4, 1e4):
        move, slack = loss.balance(array([z, z]), -jnp.sum(loss.residual(array([z, z]))))
        assert np.all(np.isfinite(move))
        assert np.isfinite(slack)


# Separation


def test_binary_margins_separate_only_if_every_counted_row_is_strictly_right():
    y = array([0.0, 1.0, 1.0])
    every, two = losses.BinaryCrossEntropy.create(y), losses.BinaryCrossEntropy.create(y, array([1.0, 1.0, 0.0]))
    assert every.separates(array([-1.0, 2.0, 1e-3]))
    assert not every.separates(array([-1.0, 2.0, 0.0]))
    assert not every.separates(array([-1.0, 2.0, -1.0]))
    assert not every.separates(array([1.0, -2.0, -1e-3]))
    assert two.separates(array([-1.0, 2.0, -1.0]))


def test_an_offset_does_not_separate():
    y = array([0.0, 1.0])
    loss = losses.BinaryCrossEntropy.create(y, offset=array([-9.0, 9.0]))
    assert not loss.separates(array([0.0, 0.0]))
    assert not loss.separates(array([1.0, 1.0]))


def test_labels_between_zero_and_one_are_never_separated():
    loss = losses.BinaryCrossEntropy.create(array([0.3, 0.7]))  # along z both rows' losses rise for ever
    z = array([-1.0, 1.0])
    assert loss.value(1000.0 * z) > loss.value(z)
    assert not loss.separates(z)


def test_softmax_margins_separate_only_if_the_own_class_is_strictly_largest_in_every_counted_row():
    targets = array(np.eye(3))
    every, two = (
        losses.SoftmaxCrossEntropy.create(targets),
        losses.SoftmaxCrossEntropy.create(targets, array([1, 1, 0])),
    )
    right = np.array([[0.0, -1.0, -3.0], [-1.0, 2.0, -3.0], [-2.0, 1.0, -2.0]])
    tie = np.array([[0.0, -1.0, -2.0], [-1.0, 2.0, -3.0], [-2.0, 1.0, -2.0]])
    assert every.separates(array(right))
    assert not every.separates(array(tie))
    assert not every.separates(array(-right))
    assert two.separates(array(tie))


@pytest.mark.parametrize("kind", ["poisson", "welsch"])
def test_a_function_of_the_users_never_claims_separation(kind):
    loss, z, _, _ = margin_loss(kind, None, False)
    assert not loss.separates(jnp.where(loss.y > 0.5, jnp.abs(z), -jnp.abs(z)))
