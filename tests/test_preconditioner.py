"""Preconditioners: each applies the inverse of the matrix it stands for, and says where it could not."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine

import jaxlogreg as jlr
from jaxlogreg import losses
from jaxlogreg.lanes import Lanes, alone
from jaxlogreg.solvers.curvature import Effort
from jaxlogreg.solvers.preconditioner import Inverse, Ladder, Rows, form_for

EPS = float(jnp.finfo(DTYPE).eps)
FULL = Effort(1, jnp.dtype(DTYPE))
M, N, K = 50, 4, 3
CLOSE = {"rtol": 0, "atol": 1e-10 if X64 else 2e-3}

RNG = np.random.default_rng(0)
X = array(RNG.normal(size=(M, N)))
WIDE = array(RNG.normal(size=(20, 70)))
FACTOR = np.array([1.0, 0.2, 5.0, 1.0, 0.0])  # the intercept's last


def binary_problem(X, l2=0.1, factor=1.0, seed=1):
    """Binary classes, with an intercept and a penalty."""
    m, n = X.shape
    y = array(np.random.default_rng(seed).integers(0, 2, m))
    factor = array(np.broadcast_to(factor, n + 1)).at[-1].set(0.0)
    return jlr.Problem(losses.BinaryCrossEntropy.create(y), jlr.WithIntercept(jlr.Dense(X)), jlr.L2(array(l2), factor))


def softmax_problem(X, l2=0.1):
    m, n = X.shape
    targets = array(np.eye(K)[:, np.random.default_rng(2).integers(0, K, m)])
    factor = jnp.tile(jnp.ones(n + 1, DTYPE).at[-1].set(0.0), K)
    linear_map = jlr.PerClass(jlr.WithIntercept(jlr.Dense(X)), K)
    return jlr.Problem(losses.SoftmaxCrossEntropy.create(targets), linear_map, jlr.L2(array(l2), factor))


def point_of(problem, scale=0.3, seed=3):
    n = problem.linear_map.shape[1]
    return problem.point(array(scale * np.random.default_rng(seed).normal(size=n)))


def design(problem):
    base = problem.linear_map.base if isinstance(problem.linear_map, jlr.PerClass) else problem.linear_map
    return exact(base.rows(0, base.shape[0]))


def penalties(problem, w):
    return exact(problem.penalty.diagonal(w))


def vector(n, seed=4):
    return array(np.random.default_rng(seed).normal(size=n))


def applied(form, problem, point, g, effort=FULL):
    return form.at(problem, point, alone(), effort).apply(problem, g)


# One binary fit


@pytest.mark.parametrize("factor", [1.0, FACTOR], ids=["ridge", "factors"])
@pytest.mark.parametrize("form", [Inverse, Ladder])
def test_alone_it_is_the_inverse_hessian(form, factor):
    problem = binary_problem(X, factor=factor)
    point, g = point_of(problem), vector(N + 1)
    found = jax.jit(applied, static_argnums=(0, 4))(form, problem, point, g, FULL)
    assert_allclose(found, np.linalg.solve(exact(problem.hessian(point.w)), exact(g)), **CLOSE)
    assert form.at(problem, point, alone(), FULL).sound


@pytest.mark.parametrize("form", [Inverse, Ladder])
def test_without_a_penalty_too(form):
    problem = binary_problem(X, l2=0.0)
    point, g = point_of(problem), vector(N + 1)
    expected = np.linalg.solve(exact(problem.hessian(point.w)), exact(g))
    assert_allclose(applied(form, problem, point, g), expected, rtol=0, atol=1e-9 if X64 else 1e-2)


def test_of_a_softmax_it_is_the_inverse_hessian_of_all_classes():
    problem = softmax_problem(X)
    point, g = point_of(problem), vector(K * (N + 1)).reshape(K, N + 1)
    # As every gradient is: what moves all classes alike changes nothing.
    g = (g - jnp.mean(g, axis=0, keepdims=True)).reshape(-1)
    expected = np.linalg.pinv(exact(problem.hessian(point.w)), rcond=1e-9 if X64 else 1e-5) @ exact(g)
    assert_allclose(applied(Inverse, problem, point, g), expected, **CLOSE)


def test_a_softmax_of_separated_classes_needs_few_steps():
    X, kind = load_wine(return_X_y=True)
    solution = jlr.fit_softmax(X.astype(DTYPE), kind, 3, l2=1e-6, standardize=True)
    assert solution.converged
    assert solution.num_steps <= 40  # 104 by a Gram that the classes share


def test_of_a_loss_that_is_not_convex_it_takes_the_size_of_the_curvature():
    y = array(RNG.normal(size=M))
    loss = losses.from_function(lambda z, y: -jnp.exp(-0.5 * (z - y) ** 2), y)
    problem = jlr.Problem(loss, jlr.Dense(X), jlr.L2(array(0.05), jnp.ones(N, DTYPE)))
    point, g = point_of(problem, scale=1.0), vector(N)
    r = exact(point.z) - exact(y)
    size = np.abs((1 - r**2) * np.exp(-0.5 * r**2)) / M
    H = exact(X).T @ (size[:, None] * exact(X)) + 0.05 * np.eye(N)
    assert_allclose(applied(Inverse, problem, point, g), np.linalg.solve(H, exact(g)), **CLOSE)


# More columns than rows


def rows_matrix(problem, point, curvature, share=1.0, pooled_penalty=None):
    """``(c G + ρ D) total``: D is the penalty, and a thousandth of the curvature where there is none."""
    A, total = design(problem), curvature.sum()
    penalty = penalties(problem, point.w)[: A.shape[1]]
    pooled = penalty if pooled_penalty is None else pooled_penalty
    ratio = penalty.sum() / pooled.sum()
    D = np.where(pooled > 0, pooled / total, 1e-3)
    return total * (share * (A.T @ (curvature[:, None] / total * A)) + ratio * np.diag(D))


def test_through_the_rows_it_is_the_inverse_of_the_same_matrix():
    problem = binary_problem(WIDE)
    point, g = point_of(problem), vector(71)
    H = rows_matrix(problem, point, exact(problem.loss.curvature(point.z)))
    found = jax.jit(applied, static_argnums=(0, 4))(Rows, problem, point, g, FULL)
    assert_allclose(found, np.linalg.solve(H, exact(g)), rtol=0, atol=1e-7 if X64 else 1e-1)


@pytest.mark.parametrize("form", [Ladder, Rows])
def test_of_a_softmax_each_class_has_the_pooled_gram_by_its_own_curvature(form):
    problem = softmax_problem(X if form is Ladder else WIDE)
    point = point_of(problem)
    A, own = design(problem), exact(problem.loss.curvature(point.z))
    n = A.shape[1]
    g = vector(K * n)
    pooled = own.mean(axis=0)
    found = applied(form, problem, point, g).reshape(K, n)
    for k in range(K):
        share = own[k].sum() / pooled.sum()
        if form is Rows:
            H = rows_matrix(problem, point, pooled, share)
        else:
            H = share * A.T @ (pooled[:, None] * A) + np.diag(penalties(problem, point.w)[:n])
        expected = np.linalg.solve(H, exact(g).reshape(K, n)[k])
        # The classes differ little: the rungs of a ladder are near each other.
        close = 1e-2 if form is Ladder else 1e-10 if X64 else 2e-3
        assert_allclose(found[k], expected, rtol=0, atol=close * np.abs(expected).max())


def test_the_curvature_of_a_softmax_of_equal_classes_is_its_hessian():
    """At zero weights the blocks that sum to zero have the Hessian (I - 11ᵀ/K)/K, and the preconditioner has it."""
    problem = softmax_problem(X)
    point = problem.point(jnp.zeros(K * (N + 1), DTYPE))
    g = vector(K * (N + 1)).reshape(K, -1)
    g = (g - g.mean(axis=0)[None]).reshape(-1)
    expected = np.linalg.lstsq(exact(problem.hessian(point.w)), exact(g), rcond=1e-9 if X64 else 1e-5)[0]
    assert_allclose(applied(Ladder, problem, point, g), expected, rtol=0, atol=1e-9 if X64 else 1e-2)


# Lanes


@pytest.mark.parametrize("form", [Ladder, Rows])
def test_lanes_share_the_gram_at_their_mean_and_scale_it_each_for_itself(form):
    matrix = X if form is Ladder else WIDE
    l2s, active = array([1.0, 0.1, 0.01, 5.0]), jnp.asarray([True, True, True, False])
    problems = [binary_problem(matrix, l2) for l2 in l2s]
    n = problems[0].linear_map.shape[1]
    w = array(0.3 * np.random.default_rng(5).normal(size=(4, n)))
    g = array(np.random.default_rng(6).normal(size=(4, n)))

    @jax.jit
    def lanes():
        def lane(l2, active, w, g):
            problem = replace(problems[0], penalty=replace(problems[0].penalty, strength=l2))
            lanes = Lanes(active, "lanes", 4, "lanes")
            return form.at(problem, problem.point(w), lanes, FULL).apply(problem, g)

        return jax.vmap(lane, axis_name="lanes")(l2s, active, w, g)

    found = lanes()
    A = design(problems[0])
    points = [problem.point(w[i]) for i, problem in enumerate(problems)]
    curvatures = [exact(problem.loss.curvature(point.z)) for problem, point in zip(problems, points, strict=True)]
    pooled = np.mean(curvatures[:3], axis=0)  # of those that are active
    pooled_penalty = np.mean([penalties(p, w[0]) for p in problems[:3]], axis=0)
    for i in range(4):
        share = curvatures[i].sum() / pooled.sum()
        if form is Rows:
            H = rows_matrix(problems[i], points[i], pooled, share, pooled_penalty)
        else:
            H = share * A.T @ (pooled[:, None] * A) + np.diag(penalties(problems[i], w[i]))
        expected = np.linalg.solve(H, exact(g[i]))
        if form is Ladder and i == 3:  # not active, and beyond the ladder: the last rung must do
            assert exact(found[i]) @ exact(g[i]) > 0.0
            continue
        # Between the rungs of a ladder, which are 5 apart here; the lanes of the first and the last are on one.
        exactly = form is Rows or i in (0, 2)
        close = (1e-10 if X64 else 5e-3) if exactly else 0.15
        assert_allclose(found[i], expected, rtol=0, atol=close * np.abs(expected).max())


def test_a_ladder_is_positive_definite_and_near_the_inverse_for_penalties_four_decades_apart():
    l2s, n = array(np.append(np.geomspace(1e-4, 1.0, 9), 0.0)), N + 1
    problem = binary_problem(X)
    point = point_of(problem)

    def lane(l2):
        own = replace(problem, penalty=replace(problem.penalty, strength=l2))
        preconditioner = Ladder.at(own, point, Lanes(jnp.ones((), bool), "lanes", 10, "lanes"), FULL)
        return jax.vmap(lambda g: preconditioner.apply(own, g))(jnp.eye(n, dtype=DTYPE))

    applied = exact(jax.jit(jax.vmap(lane, axis_name="lanes"))(l2s))
    for i, l2 in enumerate(l2s):
        own = replace(problem, penalty=replace(problem.penalty, strength=l2))
        values = np.linalg.eigvals(applied[i] @ exact(own.hessian(point.w)))
        assert_allclose(applied[i], applied[i].T, atol=1e-6 * np.abs(applied[i]).max())
        assert np.all((values.real > 0.3) & (values.real < 1.5))


def test_the_form_follows_the_shape():
    shared = Lanes(jnp.ones((), bool), "lanes", 3, "lanes")
    assert form_for(binary_problem(X), alone()) is Inverse
    assert form_for(binary_problem(X), shared) is Ladder
    assert form_for(softmax_problem(X), alone()) is Inverse
    assert form_for(softmax_problem(X), shared) is Ladder
    assert form_for(binary_problem(WIDE), alone()) is Rows
    assert form_for(binary_problem(WIDE[:, :30]), alone()) is Inverse  # so few columns are eliminated anyway


# Columns that float32 cannot tell apart


def nearly_collinear(m, n, distance):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(m, n))
    X[:, 1] = X[:, 0] + distance * rng.normal(size=m)
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.skipif(not X64, reason="in float32 there is no precision to fall back to")
@pytest.mark.parametrize("form", [Inverse, Ladder])
def test_a_gram_says_whether_it_had_digits_enough(form):
    single = Effort(1, jnp.dtype(jnp.float32))
    for distance, effort, sound in ((1.0, single, True), (1e-4, single, False), (1e-4, FULL, True)):
        problem = binary_problem(array(nearly_collinear(200, N, distance)), l2=0.0)
        assert bool(form.at(problem, point_of(problem), alone(), effort).sound) is sound
    # A penalty makes it sound again.
    problem = binary_problem(array(nearly_collinear(200, N, 1e-4)), l2=1.0)
    assert form.at(problem, point_of(problem), alone(), single).sound


@pytest.mark.parametrize("form", [Inverse, Ladder])
def test_nan_is_not_sound(form):
    problem = binary_problem(X.at[2, 1].set(jnp.nan))
    assert not form.at(problem, point_of(problem), alone(), FULL).sound


def test_fits_of_nearly_collinear_columns_converge_to_the_optimum():
    """Large enough for a Gram in float32 (and from a part of the rows first), which is not sound here."""
    m, n = 20_000, 12
    X = nearly_collinear(m, n, 1e-4 if X64 else 1e-2).astype(DTYPE)
    rng = np.random.default_rng(8)
    y = (rng.random(m) < 1 / (1 + np.exp(-2.0 * X[:, 0] + X[:, 2]))).astype(DTYPE)
    tol = 1e-11 if X64 else 1e-5
    newton = jlr.fit(X, y, l2=1e-6, solver=jlr.Newton(), tol=tol).raise_if_failed()
    found = jlr.fit(X, y, l2=1e-6, tol=tol).raise_if_failed()
    assert found.num_steps < 60
    assert_allclose(found.value, newton.value, rtol=1e-12 if X64 else 1e-5)
    z = X.astype(np.float64) @ (exact(found.params.coef) - exact(newton.params.coef))
    assert np.abs(z).max() < (1e-6 if X64 else 1e-1)
    lanes = jax.vmap(lambda l2: jlr.fit(X, y, l2=l2, tol=tol))(array([1e-2, 1e-4, 1e-6]))
    assert np.all(lanes.converged)
    assert_allclose(lanes.value[2], newton.value, rtol=1e-12 if X64 else 1e-5)


# Columns that are no columns


def deficient(X):
    """With a copy of the first column, and columns of ones and of zeros, that leave the predictions as they are."""
    return jnp.concatenate([X, X[:, :1], jnp.ones((len(X), 1), DTYPE), jnp.zeros((len(X), 1), DTYPE)], axis=1)


@pytest.mark.parametrize("form", [Inverse, Ladder, Rows])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_constant_and_duplicate_columns_leave_it_finite_and_descending(form, l2):
    problem = binary_problem(deficient(X if form is not Rows else WIDE), l2=l2)
    point = point_of(problem)
    for scale in (1.0, 1e-8):
        point = replace(point, gradient=scale * point.gradient)
        direction = applied(form, problem, point, point.gradient)
        assert np.all(np.isfinite(direction))
        assert exact(direction) @ exact(point.gradient) > 0.0


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_constant_and_duplicate_columns_change_no_value_of_any_lane(l2):
    ys = array(np.random.default_rng(9).integers(0, 2, (3, M)))
    fits = [jlr.fit(X, y, l2=l2, penalty_factor=np.append(0.5, np.ones(N - 1))) for y in ys]
    # A ridge of 1 on each copy is one of 0.5 on their sum; the constant and the zeros then stay at zero.
    factor = np.append(np.ones(N + 1), [1.0, 1.0])
    together = jax.vmap(lambda y: jlr.fit(deficient(X), y, l2=l2, penalty_factor=factor))(ys)
    assert np.all(together.converged)
    for i, alone_fit in enumerate(fits):
        assert_allclose(together.value[i], alone_fit.value, rtol=1e-10 if X64 else 1e-5)
    path = jax.vmap(lambda l2: jlr.fit(deficient(X), ys[0], l2=l2, penalty_factor=factor))(array([l2, 1.0, 0.1]))
    assert np.all(path.converged)
    assert_allclose(path.value[0], fits[0].value, rtol=1e-10 if X64 else 1e-5)


def test_more_columns_than_rows_with_copies_converge_to_the_same_value():
    ys = array(np.random.default_rng(10).integers(0, 2, (2, len(WIDE))))
    copies = jnp.concatenate([WIDE, WIDE], axis=1)  # a ridge of 1 on each copy is one of 0.5 on the sum
    plain = jax.vmap(lambda y: jlr.fit(WIDE, y, l2=0.05))(ys)
    double = jax.vmap(lambda y: jlr.fit(copies, y, l2=0.1))(ys)
    assert np.all(plain.converged & double.converged)
    assert_allclose(double.value, plain.value, rtol=1e-9 if X64 else 1e-4)
    assert_allclose(double.value, [jlr.fit(copies, y, l2=0.1).value for y in ys], rtol=1e-9 if X64 else 1e-4)
