"""Products with the data matrix: each form, and its derivatives, against the plain formula."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, exact
from numpy.testing import assert_allclose

import jaxlogreg as jlr
from jaxlogreg import products

M, N, LANES = 301, 3, 4  # blocks of 16 rows (of 128 for lanes of Grams), of which the last is moved back to fit
DTYPES = [np.float32, np.float64] if X64 else [np.float32]
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "BLOCK_SIZE", 48)
        patch.setattr(products, "MIN_BLOCK_ROWS", 16)
        yield


def weights(s):
    return s / jnp.sum(s, axis=-1, keepdims=True)


def plain_mean(X, s):
    return jnp.einsum("...mn,...m->...n", X, weights(s))


def plain_variance(X, s):
    return jnp.einsum("...mn,...m->...n", (X - plain_mean(X, s)[..., None, :]) ** 2, weights(s))


#: The function, the plain formula for arrays with any leading axes, that of NumPy, and the axis of X along v.
FUNCTIONS = {
    "product": (products.product, lambda X, w: jnp.einsum("...mn,...n->...m", X, w), lambda X, w: X @ w, 1),
    "transposed": (
        products.transposed_product,
        lambda X, r: jnp.einsum("...mn,...m->...n", X, r),
        lambda X, r: X.T @ r,
        0,
    ),
    "gram": (
        lambda X, s: products.gram(jlr.Dense(X), s),
        lambda X, s: jnp.einsum("...mi,...m,...mj->...ij", X, s, X),
        lambda X, s: X.T @ np.diag(s) @ X,
        0,
    ),
    "mean": (
        lambda X, s: products.moments(jlr.Dense(X), weights(s))[0],
        plain_mean,
        lambda X, s: np.average(X, axis=0, weights=s),
        0,
    ),
    "variance": (
        lambda X, s: products.moments(jlr.Dense(X), weights(s))[1],
        plain_variance,
        lambda X, s: np.average((X - np.average(X, axis=0, weights=s)) ** 2, axis=0, weights=s),
        0,
    ),
}
functions = pytest.mark.parametrize("name", FUNCTIONS)


def arguments(name, dtype, *lanes):
    rng = np.random.default_rng(0)
    length = (M, N)[FUNCTIONS[name][3]]
    X = rng.normal(size=(*lanes, M, N)) + 0.5
    v = rng.uniform(0.1, 2.0, (*lanes, length)) * rng.choice([0.0, 1.0], (*lanes, length), p=[0.2, 0.8])
    return jnp.asarray(X, dtype), jnp.asarray(v, dtype)


def assert_close(actual, expected, dtype):
    """Equal but for rounding, relative to the largest number."""
    expected = exact(expected)
    assert actual.dtype == dtype
    assert_allclose(exact(actual), expected, rtol=0, atol=200 * float(jnp.finfo(dtype).eps) * np.abs(expected).max())


def in_numpy(name, X, v):
    return FUNCTIONS[name][2](exact(X), exact(v))


@functions
@dtypes
def test_one_vector_gives_the_product_of_numpy(name, dtype):
    X, v = arguments(name, dtype)
    assert_close(jax.jit(FUNCTIONS[name][0])(X, v), in_numpy(name, X, v), dtype)


@functions
@dtypes
@pytest.mark.parametrize("axes", [(None, 0), (0, None), (0, 0)], ids=["vectors", "matrices", "both"])
def test_vmap_gives_the_product_of_numpy_in_each_lane(name, dtype, axes):
    pick = [x if axis == 0 else x[0] for x, axis in zip(arguments(name, dtype, LANES), axes, strict=True)]
    lanes = jax.jit(jax.vmap(FUNCTIONS[name][0], axes))(*pick)
    for i in range(LANES):
        one = [x[i] if axis == 0 else x for x, axis in zip(pick, axes, strict=True)]
        assert_close(lanes[i], in_numpy(name, *one), dtype)


@functions
@pytest.mark.parametrize("axes", [(None, 0), (0, None), (0, 0)], ids=["vectors", "matrices", "both"])
def test_nested_vmaps_give_the_product_of_each_pair(name, axes, dtype):
    _, vectors = arguments(name, dtype, 2, LANES)
    X, _ = arguments(name, dtype, 2)
    X = X if axes[0] == 0 else X[0]
    vectors = vectors if axes[1] == 0 else vectors[0]
    lanes = jax.jit(jax.vmap(jax.vmap(FUNCTIONS[name][0], (None, 0)), axes))(X, vectors)
    for i in range(2):
        for j in range(LANES):
            one = X[i] if axes[0] == 0 else X, vectors[i, j] if axes[1] == 0 else vectors[j]
            assert_close(lanes[i, j], in_numpy(name, *one), dtype)


@pytest.mark.parametrize("name", ["product", "transposed"])
def test_leading_axes_of_the_vector_are_lanes(name, dtype):
    X, v = arguments(name, dtype, LANES)
    lanes = FUNCTIONS[name][0](X[0], v)
    assert_close(lanes, np.stack([in_numpy(name, X[0], one) for one in v]), dtype)


@functions
@pytest.mark.parametrize("lanes", [False, True], ids=["alone", "lanes"])
def test_derivatives_are_those_of_the_plain_formula(name, lanes, dtype):
    function, plain = FUNCTIONS[name][:2]
    X, v = arguments(name, dtype)
    if lanes:
        v = jnp.stack([v, v[::-1]])
        function = jax.vmap(function, (None, 0))
        plain = lambda X, v: FUNCTIONS[name][1](jnp.broadcast_to(X, (2, M, N)), v)  # noqa: E731
    rng = np.random.default_rng(1)
    tangents = tuple(jnp.asarray(rng.normal(size=x.shape), dtype) for x in (X, v))

    def derivatives(function):
        value, tangent = jax.jvp(function, (X, v), tangents)
        cotangent = jnp.cos(jnp.arange(value.size, dtype=dtype)).reshape(value.shape)
        return value, tangent, *jax.vjp(function, X, v)[1](cotangent)

    for stated, expected in zip(*(jax.jit(partial(derivatives, f))() for f in (function, plain)), strict=True):
        assert_close(stated, expected, dtype)


@functions
def test_second_derivatives_are_those_of_the_plain_formula(name, dtype):
    X, v = arguments(name, dtype)
    rng = np.random.default_rng(2)
    direction = tuple(jnp.asarray(rng.normal(size=x.shape), dtype) for x in (X, v))

    def second(function):
        gradient = jax.grad(lambda X, v: jnp.sum(jnp.sin(function(X, v))), argnums=(0, 1))
        return jax.jvp(gradient, (X, v), direction)[1]

    for stated, expected in zip(*(jax.jit(partial(second, f))() for f in FUNCTIONS[name][:2]), strict=True):
        # Sums of a few hundred terms of either sign inside the sine: a few digits more are lost.
        assert_allclose(stated, expected, rtol=0, atol=2000 * float(jnp.finfo(dtype).eps) * np.abs(expected).max())


@dtypes
@pytest.mark.parametrize(
    ("sums_from", "blocks_from"), [(0, 10**9), (10**9, 10**9), (0, 0)], ids=["sums", "product", "blocks"]
)
def test_every_form_of_the_transposed_product_is_numpys(sums_from, blocks_from, dtype, monkeypatch):
    monkeypatch.setattr(products, "COLUMN_SUM_MIN_SIZE", sums_from)
    monkeypatch.setattr(products, "SPLIT_MIN_BYTES", blocks_from)
    X, r = arguments("transposed", dtype)  # 301 rows are 43 blocks of 7
    assert_close(products.transposed_product(X, r), in_numpy("transposed", X, r), dtype)


def test_rows_are_split_into_equal_blocks_that_suit_the_cache(monkeypatch):
    monkeypatch.setattr(products, "BLOCK_SIZE", 2**18)
    for m, n, expected in ((50_000, 400, 80), (100_000, 100, 40), (32_561, 123, 0), (100, 5, 0)):
        assert products._even_blocks(m, n) == expected


@pytest.mark.skipif(not X64, reason="needs float64")
@pytest.mark.parametrize("lanes", [False, True], ids=["alone", "lanes"])
def test_a_gram_of_float64_rows_is_computed_in_the_precision_of_its_weights(lanes):
    X, s = arguments("gram", np.float64, 2)
    X, s = X[0], s.astype(np.float32)
    gram = partial(products.gram, jlr.Dense(X))
    grams = jax.vmap(gram)(s) if lanes else [gram(s[0]), gram(s[1])]
    for i in range(2):
        assert_close(grams[i], in_numpy("gram", X, s[i]), np.float32)


@pytest.mark.parametrize("m", [1, 2, 15, 16, 17, 31, 33, 64, 100])
@pytest.mark.parametrize("block_rows", [None, 1, 7, 1000])
def test_every_row_is_summed_once(m, block_rows, dtype):
    X = jnp.asarray(np.arange(2.0 * m).reshape(m, 2), dtype)
    columns = jnp.stack([jnp.ones(m, dtype), jnp.arange(m, dtype=dtype)])
    total = products.sum_over_rows(jlr.Dense(X), lambda rows, columns: columns @ rows, columns, block_rows)
    assert_allclose(total, exact(columns) @ exact(X), rtol=1e-6)


def test_rows_of_weight_zero_in_the_last_block_do_not_spoil_it(dtype):
    # Rows that two blocks share get weight zero in one of them: 0 * x, for any finite x.
    X = jnp.ones((M, 1), dtype).at[-20:].set(1e15)
    s = jnp.ones(M, dtype).at[-20:].set(0.0)
    assert_allclose(products.gram(jlr.Dense(X), s), [[M - 20.0]], rtol=1e-6)


@dtypes
@pytest.mark.parametrize("m", [100, 30_000, 600_000])
@pytest.mark.parametrize("lanes", [False, True], ids=["alone", "lanes"])
def test_moments_of_columns_far_from_zero_keep_their_digits(m, lanes, dtype):
    rng = np.random.default_rng(3)
    X = jnp.asarray(rng.normal([1e4, -1e4], size=(m, 2)), dtype)
    s = jnp.asarray(rng.uniform(0.5, 1.5, m), dtype)
    s = s / jnp.sum(s)
    moments = (
        jax.vmap(lambda s: products.moments(jlr.Dense(X), s)) if lanes else partial(products.moments, jlr.Dense(X))
    )
    mean, variance = (x.reshape(-1, 2)[-1] for x in jax.jit(moments)(jnp.stack([s[::-1], s]) if lanes else s))
    share = exact(s) / exact(s).sum()
    expected = share @ exact(X)
    eps = float(jnp.finfo(dtype).eps)
    assert_allclose(mean, expected, rtol=50 * eps)
    assert_allclose(variance, share @ (exact(X) - expected) ** 2, rtol=300 * eps)


@dtypes
def test_moments_of_large_data_do_not_depend_on_odd_first_rows(dtype):
    # The point that sums are taken about comes from the first, the middle and the last row.
    m = 600_000
    X = np.random.default_rng(3).normal(size=(m, 2))
    X[[0, m // 2, m - 1], 0] = 1e5
    X = jnp.asarray(X, dtype)
    s = jnp.full((m,), 1 / m, dtype).at[jnp.array([0, m // 2, m - 1])].set(0.0)
    mean, variance = jax.jit(products.moments)(jlr.Dense(X), s / jnp.sum(s))
    share = exact(s) / exact(s).sum()
    expected = share @ exact(X)
    eps = float(jnp.finfo(dtype).eps)
    assert_allclose(mean, expected, atol=2e3 * eps)
    assert_allclose(variance, share @ (exact(X) - expected) ** 2, rtol=2e3 * eps)


@pytest.mark.parametrize(("n", "count"), [(5, 3), (40, 3), (40, 15)])
def test_grams_of_few_and_of_many_columns_and_lanes(n, count):
    rng = np.random.default_rng(11)
    X, s = rng.normal(size=(1000, n)), rng.uniform(size=(count, 1000))
    dtype = jnp.result_type(float)
    found = jax.jit(jax.vmap(jlr.Dense(jnp.asarray(X, dtype)).gram))(jnp.asarray(s, dtype))
    expected = np.einsum("lm,mi,mj->lij", s, X, X)
    assert_allclose(found, expected, rtol=0, atol=1e4 * float(jnp.finfo(dtype).eps))
