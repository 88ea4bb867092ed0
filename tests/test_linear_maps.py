"""Linear maps: every product against the explicit matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

import jaxlogreg as jlr
from jaxlogreg import products

EPS = float(jnp.finfo(DTYPE).eps)
M, N, K = 7, 3, 4
BLOCK_ROWS = 1024
MANY = 2 * BLOCK_ROWS + 2  # rows for three blocks, as even as can be, of which the last is moved back to fit


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "BLOCK_SIZE", BLOCK_ROWS)
        patch.setattr(products, "MIN_BLOCK_ROWS", BLOCK_ROWS)
        yield


RNG = np.random.default_rng(0)
X, X_MANY = array(RNG.normal(size=(M, N))), array(RNG.normal(size=(MANY, N)) + 2.0)
MEAN, SCALE = array([0.3, -2.0, 1.0]), array([0.5, 2.0, 10.0])
WEIGHTS = array(RNG.uniform(0.1, 2.0, MANY) * (np.arange(MANY) % 5 > 0))


def maps(X):
    """Each map, and its matrix made by other means."""
    ones, Z = np.ones((X.shape[0], 1)), (exact(X) - exact(MEAN)) / exact(SCALE)
    dense, standardized = jlr.Dense(X), jlr.Standardized(jlr.Dense(X), MEAN, SCALE)
    return {
        "dense": (dense, exact(X)),
        "intercept": (jlr.WithIntercept(dense), np.hstack([exact(X), ones])),
        "standardized": (standardized, Z),
        "standardized, intercept": (jlr.WithIntercept(standardized), np.hstack([Z, ones])),
    }


FEW, MANY_ROWS = maps(X), maps(X_MANY)
names = pytest.mark.parametrize("name", FEW)
# The last holds the others, and more rows than a block.
every_size = pytest.mark.parametrize(
    ("linear_map", "matrix"),
    [*FEW.values(), MANY_ROWS["standardized, intercept"]],
    ids=[*FEW, "standardized, intercept, many rows"],
)


@names
def test_mv_of_unit_vectors_gives_the_columns(name):
    linear_map, matrix = FEW[name]
    assert linear_map.shape == matrix.shape
    columns = [linear_map.mv(array(unit)) for unit in np.eye(matrix.shape[1])]
    assert_allclose(np.stack(columns, axis=1), matrix, rtol=20 * EPS, atol=20 * EPS)


@names
def test_rmv_of_unit_vectors_gives_the_rows(name):
    linear_map, matrix = FEW[name]
    rows = [linear_map.rmv(array(unit)) for unit in np.eye(M)]
    assert_allclose(np.stack(rows), matrix, rtol=20 * EPS, atol=20 * EPS)


@names
def test_lanes_come_first_and_equal_vmap(name):
    linear_map, matrix = FEW[name]
    rng = np.random.default_rng(1)
    w, r = array(rng.normal(size=(2, 5, matrix.shape[1]))), array(rng.normal(size=(2, 5, M)))
    for f, x, expected in ((linear_map.mv, w, exact(w) @ matrix.T), (linear_map.rmv, r, exact(r) @ matrix)):
        assert_allclose(f(x), expected, rtol=100 * EPS, atol=100 * EPS)
        assert_allclose(jax.vmap(f)(x[0]), expected[0], rtol=100 * EPS, atol=100 * EPS)


@every_size
def test_rmv_is_the_adjoint_of_mv(linear_map, matrix):
    rng = np.random.default_rng(2)
    w, r = array(rng.normal(size=matrix.shape[1])), array(rng.normal(size=matrix.shape[0]))
    left, right = np.dot(exact(linear_map.mv(w)), exact(r)), np.dot(exact(w), exact(linear_map.rmv(r)))
    assert abs(left - right) <= 20 * EPS * np.linalg.norm(r) * np.linalg.norm(w) * np.linalg.norm(matrix)


@every_size
def test_rows_are_those_of_the_matrix(linear_map, matrix):
    m = matrix.shape[0]
    for start, size in ((0, 1), (2, 3), (m - 3, 3), (0, m)):
        expected = matrix[start : start + size]
        assert_allclose(linear_map.rows(start, size), expected, rtol=20 * EPS, atol=20 * EPS)


@every_size
def test_gram_is_the_weighted_product(linear_map, matrix):
    s = WEIGHTS[: matrix.shape[0]]
    expected = matrix.T @ (exact(s)[:, None] * matrix)
    assert_allclose(jax.jit(lambda A, s: A.gram(s))(linear_map, s), expected, rtol=500 * EPS, atol=500 * EPS)


def test_gram_has_lanes_under_vmap():
    lanes = jnp.stack([WEIGHTS, WEIGHTS[::-1]])
    linear_map, matrix = MANY_ROWS["intercept"]
    for actual, s in zip(jax.jit(jax.vmap(linear_map.gram))(lanes), exact(lanes), strict=True):
        assert_allclose(actual, matrix.T @ (s[:, None] * matrix), rtol=500 * EPS)


def test_a_gram_in_float32_has_the_digits_of_float32():
    linear_map, matrix = MANY_ROWS["standardized, intercept"]
    gram = jax.jit(lambda A, s: A.gram(s, jnp.dtype(jnp.float32)))(linear_map, WEIGHTS)
    assert gram.dtype == jnp.float32
    eps = float(jnp.finfo(jnp.float32).eps)
    assert_allclose(gram, matrix.T @ (exact(WEIGHTS)[:, None] * matrix), rtol=500 * eps, atol=500 * eps)


@every_size
def test_a_centred_gram_is_that_of_the_centred_columns(linear_map, matrix):
    s, mean = WEIGHTS[: matrix.shape[0]], np.linspace(-2.0, 3.0, matrix.shape[1])
    expected = (matrix - mean).T @ (exact(s)[:, None] * (matrix - mean))
    gram = jax.jit(lambda A, s, mean: A.centred_gram(s, mean))(linear_map, s, array(mean))
    assert_allclose(gram, expected, rtol=500 * EPS, atol=500 * EPS)


@jax.jit
def moments_alone(linear_map, s):
    return linear_map.moments(s / jnp.sum(s))


@jax.jit
def moments_of_lanes(linear_map, s):
    lanes = jnp.stack([jnp.ones_like(s), s])
    mean, variance = jax.vmap(lambda s: linear_map.moments(s / jnp.sum(s)))(lanes)
    return mean[1], variance[1]


alone_and_lanes = pytest.mark.parametrize("moments", [moments_alone, moments_of_lanes], ids=["alone", "lanes"])


@every_size
@alone_and_lanes
def test_moments_are_the_weighted_mean_and_variance(moments, linear_map, matrix):
    s = WEIGHTS[: matrix.shape[0]]
    mean = np.average(matrix, axis=0, weights=exact(s))
    variance = np.average((matrix - mean) ** 2, axis=0, weights=exact(s))
    assert_allclose(np.stack(moments(linear_map, s)), np.stack([mean, variance]), rtol=500 * EPS, atol=100 * EPS)


@pytest.mark.parametrize("m", [50, MANY])
@alone_and_lanes
def test_moments_of_a_column_far_from_zero_keep_their_digits(moments, m):
    column = array(1e6 + np.random.default_rng(3).normal(size=(m, 1)))
    mean, variance = moments(jlr.Dense(column), jnp.ones(m, DTYPE))
    assert_allclose(mean, exact(column).mean(axis=0), rtol=4 * EPS)
    assert_allclose(variance, exact(column).var(axis=0), rtol=500 * EPS)


@alone_and_lanes
def test_a_row_of_weight_zero_has_no_part_in_the_moments_whatever_it_holds(moments):
    column = np.append(1e9, np.random.default_rng(4).normal(size=M - 1))[:, None]
    mean, variance = moments(jlr.Dense(array(column)), array([0.0] + [1.0] * (M - 1)))
    kept = exact(array(column))[1:]
    assert_allclose(mean, kept.mean(axis=0), rtol=0, atol=20 * EPS)
    assert_allclose(variance, kept.var(axis=0), rtol=50 * EPS)


@pytest.mark.parametrize("s", [None, WEIGHTS], ids=["no weights", "weights"])
def test_standardized_by_its_moments_is_scikit_learns_standard_scaler(s):
    base = jlr.Dense(X_MANY)
    mean, variance = moments_alone(base, jnp.ones(MANY, DTYPE) if s is None else s)
    actual = jlr.Standardized(base, mean, jnp.sqrt(variance)).rows(0, MANY)
    expected = (
        StandardScaler().fit(exact(X_MANY), sample_weight=None if s is None else exact(s)).transform(exact(X_MANY))
    )
    assert_allclose(actual, expected, rtol=500 * EPS, atol=500 * EPS)


def test_per_class_applies_its_base_to_the_weights_of_each_class():
    base, matrix = FEW["standardized, intercept"]
    linear_map, n = jlr.PerClass(base, K), N + 1
    assert linear_map.shape == (M, K * n)
    blocks = np.kron(np.eye(K), matrix)  # the margins of class 0, then those of class 1, ...
    rng = np.random.default_rng(5)
    w, r = array(rng.normal(size=K * n)), array(rng.normal(size=(K, M)))
    assert_allclose(linear_map.mv(w), (blocks @ exact(w)).reshape(K, M), rtol=100 * EPS, atol=100 * EPS)
    assert_allclose(linear_map.rmv(r), blocks.T @ exact(r).ravel(), rtol=100 * EPS, atol=100 * EPS)
    lanes = jnp.stack([w, -2.0 * w])
    assert_allclose(jax.vmap(linear_map.mv)(lanes), [linear_map.mv(w), -2 * linear_map.mv(w)], rtol=100 * EPS)


def test_identity_leaves_vectors_as_they_are():
    linear_map, v = jlr.Identity(5), array(np.arange(5))
    assert linear_map.shape == (5, 5)
    assert_array_equal(linear_map.mv(v), v)
    assert_array_equal(linear_map.rmv(v), v)


def test_only_the_last_weight_of_a_block_is_an_intercept():
    dense = jlr.Dense(X)
    assert_array_equal(dense.intercept_mask(), [False] * N)
    assert_array_equal(jlr.WithIntercept(dense).intercept_mask(), [False] * N + [True])
    assert_array_equal(jlr.PerClass(jlr.WithIntercept(dense), 2).intercept_mask(), 2 * ([False] * N + [True]))
    assert_array_equal(jlr.Identity(2).intercept_mask(), [False, False])


def test_maps_pass_through_jit_as_arguments():
    for linear_map, matrix in FEW.values():
        w = array(np.arange(matrix.shape[1]))
        actual = jax.jit(lambda A, w: A.mv(w))(linear_map, w)
        assert_allclose(actual, matrix @ exact(w), rtol=100 * EPS, atol=100 * EPS)
