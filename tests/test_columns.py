"""``Columns``: shared columns and a fit's own are the matrix of both, in every product and in every fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpy.testing import assert_allclose

import jaxlogreg as jlr

EPS = float(jnp.finfo(DTYPE).eps)
M, K = 120, 3
CLOSE = {"rtol": 0, "atol": 1e-9} if X64 else {"rtol": 1e-3, "atol": 1e-3}
TIGHT = 1e-13 if X64 else None

RNG = np.random.default_rng(0)
SHARED = array(RNG.normal(size=(M, K)))
YEAR = array(np.column_stack([RNG.integers(1990, 2011, M), RNG.normal(size=(M, K - 1))]))
OWN = array(np.stack([RNG.normal(size=(M, 2)), RNG.normal(size=(M, 2)) + 1.0, RNG.integers(0, 3, (M, 2))]))
SAMPLE_WEIGHT = array(RNG.uniform(0.2, 2.0, M) * (np.arange(M) % 7 > 0))
Y = array(RNG.random(M) < 1 / (1 + np.exp(-exact(SHARED)[:, 1] - 0.5 * exact(OWN)[0, :, 0])))
shared = pytest.mark.parametrize("shared", [SHARED, YEAR], ids=["centred", "year"])
own = pytest.mark.parametrize("own", [OWN[1, :, 0], OWN[1, :, :1], OWN[1]], ids=["vector", "one", "two"])


def together(shared, own):
    return jnp.concatenate([shared, own if own.ndim == 2 else own[:, None]], axis=1)


@shared
@own
def test_every_product_is_that_of_the_matrix_of_both(shared, own):
    columns, dense = jlr.Columns(shared, own), jlr.Dense(together(shared, own))
    A = exact(dense.matrix)
    assert columns.shape == A.shape
    assert not columns.intercept_mask().any()
    rng = np.random.default_rng(1)
    w, r = array(rng.normal(size=(2, A.shape[1]))), array(rng.normal(size=(2, M)))
    size = np.abs(A).max()
    assert_allclose(columns.mv(w[0]), A @ exact(w[0]), rtol=0, atol=20 * EPS * size)
    assert_allclose(columns.mv(w), exact(w) @ A.T, rtol=0, atol=20 * EPS * size)
    assert_allclose(columns.rmv(r[0]), A.T @ exact(r[0]), rtol=0, atol=200 * EPS * size)
    assert_allclose(columns.rmv(r), exact(r) @ A, rtol=0, atol=200 * EPS * size)
    for start, count in ((0, M), (0, 1), (50, 30), (M - 3, 3)):
        assert_allclose(columns.rows(start, count), A[start : start + count])
    assert_allclose(jax.jit(lambda i: columns.rows(i, 10))(M - 10), A[-10:])


@jax.jit
def second_moments(linear_map, s, mean):
    return linear_map.gram(s), linear_map.centred_gram(s, mean), linear_map.moments(s)


@shared
@own
def test_grams_and_moments_are_those_of_the_matrix_of_both(shared, own):
    columns = jlr.Columns(shared, own)
    A, s = exact(together(shared, own)), SAMPLE_WEIGHT / jnp.sum(SAMPLE_WEIGHT)
    mean = A.mean(axis=0) + 0.1
    gram, centred, (found_mean, found_variance) = second_moments(columns, s, array(mean))
    share, C = exact(s) / exact(s).sum(), A - exact(array(mean))
    size = np.abs(A).max(axis=0)
    assert np.all(np.abs(exact(gram) - A.T @ (share[:, None] * A)) <= 100 * EPS * size[:, None] * size)
    # Of centred columns no more digits are lost than a column's own numbers have: those of its mean.
    assert np.all(np.abs(exact(centred) - C.T @ (share[:, None] * C)) <= 100 * EPS * (size[:, None] + size))
    expected = share @ A
    assert np.all(np.abs(exact(found_mean) - expected) <= 20 * EPS * size)
    assert_allclose(found_variance, share @ (A - expected) ** 2, rtol=0, atol=300 * EPS)


def test_a_gram_has_the_dtype_that_it_is_asked_for():
    columns = jlr.Columns(SHARED, OWN[0])
    mean = jnp.zeros(K + 2, DTYPE)
    A = exact(together(SHARED, OWN[0]))
    for gram in (columns.gram(SAMPLE_WEIGHT, np.float32), columns.centred_gram(SAMPLE_WEIGHT, mean, np.float32)):
        assert gram.dtype == np.float32
        assert_allclose(gram, A.T @ (exact(SAMPLE_WEIGHT)[:, None] * A), rtol=1e-5, atol=1e-4)


def test_products_have_lanes_under_vmap_over_the_own_columns():
    s = SAMPLE_WEIGHT / jnp.sum(SAMPLE_WEIGHT)
    mean = array(np.append(exact(YEAR).mean(axis=0), [0.1, 0.2]))

    @jax.jit
    @jax.vmap
    def lanes(own):
        columns = jlr.Columns(YEAR, own)
        return columns.mv(jnp.ones(K + 2, DTYPE)), columns.rmv(s), *second_moments(columns, s, mean)

    for lane in range(3):
        z, gradient, gram, centred, moments = jax.tree.map(lambda x, lane=lane: x[lane], lanes(OWN))
        A, share = exact(together(YEAR, OWN[lane])), exact(s)
        C = A - exact(mean)
        assert_allclose(z, A.sum(axis=1), rtol=20 * EPS)
        assert_allclose(gradient, share @ A, rtol=200 * EPS, atol=200 * EPS)
        assert_allclose(gram, A.T @ (share[:, None] * A), rtol=100 * EPS, atol=2e5 * EPS)
        assert_allclose(centred, C.T @ (share[:, None] * C), rtol=100 * EPS, atol=2e5 * EPS)
        assert_allclose(moments[0], share @ A, rtol=100 * EPS, atol=100 * EPS)
        assert_allclose(moments[1], share @ (A - share @ A) ** 2, rtol=0, atol=300 * EPS)


def assert_same(found, expected):
    """Equal coefficients of columns of deviation about one, and equal margins."""
    assert_allclose(found.params.coef, expected.params.coef, **CLOSE)
    assert_allclose(found.value, expected.value, rtol=1e-12 if X64 else 1e-5)
    np.testing.assert_array_equal(found.status, expected.status)


@shared
@own
def test_a_fit_is_that_of_the_matrix_of_both(shared, own):
    options = {"l2": 0.01, "sample_weight": SAMPLE_WEIGHT, "tol": 1e-12 if X64 else 1e-5}
    found = jlr.fit(jlr.Columns(shared, own), Y, **options)
    assert found.converged
    assert_same(found, jlr.fit(together(shared, own), Y, **options))


@pytest.mark.parametrize(
    "options",
    [
        {"solver": jlr.Newton()},
        {"intercept": False, "penalty_factor": np.array([1.0, 0.0, 2.0, 1.0, 0.5])},
        {"standardize": True, "init": jlr.Params(np.ones(K + 2), np.ones(())), "offset": np.linspace(-1, 1, M)},
    ],
    ids=["newton", "no intercept, factors", "standardize, init, offset"],
)
def test_options_mean_what_they_mean_for_a_matrix(options):
    found = jlr.fit(jlr.Columns(SHARED, OWN[0]), Y, l2=0.01, tol=TIGHT, **options).raise_if_failed()
    assert_same(found, jlr.fit(together(SHARED, OWN[0]), Y, l2=0.01, tol=TIGHT, **options))


@shared
@pytest.mark.parametrize("own", [OWN[:, :, 0], OWN], ids=["one", "two"])
def test_vmap_over_the_own_columns_equals_the_loop(shared, own):
    options = {"l2": 0.01, "tol": 1e-12 if X64 else 1e-5}
    lanes = jax.jit(jax.vmap(lambda own: jlr.fit(jlr.Columns(shared, own), Y, **options)))(own)
    assert np.all(lanes.converged)
    for i in range(3):
        alone = jlr.fit(together(shared, own[i]), Y, **options)
        assert_same(jax.tree.map(lambda x, i=i: x[i], lanes), alone)


@pytest.mark.parametrize("options", [{}, {"intercept": False}, {"standardize": True, "solver": jlr.LBFGS()}])
def test_a_scan_starts_from_the_fit_without_the_own_columns(options):
    options = {"l2": 0.01, "tol": 1e-3, **options}
    scan = jax.vmap(lambda own: jlr.fit(jlr.Columns(SHARED, own), Y, **options))(OWN[:, :, 0])
    null = jlr.fit(SHARED, Y, **options)
    assert_allclose(scan.initial_value, np.full(3, null.value), rtol=1e-6)
    assert np.all(scan.converged)
    assert np.all(scan.num_steps <= null.num_steps)


def test_a_scan_of_covariates_that_separate_starts_where_it_is_told():
    shared = jnp.concatenate([SHARED, 2.0 * Y[:, None] - 1.0], axis=1)
    scan = jax.vmap(lambda own: jlr.fit(jlr.Columns(shared, own), Y))(OWN[:, :, 0])
    assert np.all(scan.status == jlr.Status.SEPARABLE)
    assert_allclose(scan.initial_value, np.full(3, np.log(2.0)), rtol=1e-6)


def test_vmap_over_own_columns_and_labels_and_over_own_columns_of_a_sweep():
    Ys = jnp.stack([Y, 1.0 - Y, Y[::-1]])
    pairs = jax.vmap(lambda own, y: jlr.fit(jlr.Columns(SHARED, own), y, l2=0.01, tol=TIGHT))(OWN, Ys)
    sweep = jax.vmap(
        lambda own: jax.vmap(lambda l2: jlr.fit(jlr.Columns(SHARED, own), Y, l2=l2, tol=TIGHT))(array([0.1, 0.01]))
    )(OWN)
    assert np.all(pairs.converged)
    assert np.all(sweep.converged)
    for i in range(3):
        X = together(SHARED, OWN[i])
        assert_allclose(pairs.params.coef[i], jlr.fit(X, Ys[i], l2=0.01, tol=TIGHT).params.coef, **CLOSE)
        assert_allclose(sweep.params.coef[i, 1], jlr.fit(X, Y, l2=0.01, tol=TIGHT).params.coef, **CLOSE)


def test_derivatives_are_those_of_the_matrix_of_both():
    def function(X):
        return jnp.sum(jnp.cos(jnp.arange(K + 2, dtype=DTYPE)) * jlr.fit(X, Y, l2=0.05, tol=TIGHT).params.coef)

    found = jax.jit(jax.grad(function))(jlr.Columns(SHARED, OWN[0]))
    expected = jax.jit(jax.grad(function))(together(SHARED, OWN[0]))
    assert_allclose(together(found.shared, found.own), expected, rtol=0, atol=1e-10 if X64 else 1e-5)


def test_columns_of_two_dtypes_are_fitted_in_the_wider():
    wide = np.result_type(np.float32, DTYPE)
    found = jlr.fit(jlr.Columns(np.asarray(SHARED, np.float32), np.asarray(OWN[0, :, 0], DTYPE)), Y, l2=0.1)
    assert found.params.coef.dtype == wide
    small = jlr.fit(jlr.Columns(np.asarray(SHARED, np.float32), np.asarray(OWN[0, :, 0], np.float32)), Y, l2=0.1)
    assert small.params.coef.dtype == np.float32
    assert_allclose(found.params.coef, small.params.coef, rtol=1e-3, atol=1e-4)
    counts = jlr.fit(jlr.Columns(SHARED, np.asarray(OWN[2, :, 0], int)), Y, l2=0.1)
    assert_allclose(counts.params.coef, jlr.fit(jlr.Columns(SHARED, OWN[2, :, 0]), Y, l2=0.1).params.coef, **CLOSE)


def test_classes_and_paths_take_columns_too():
    X, labels = jlr.Columns(SHARED, OWN[0]), np.arange(M) % 3
    dense = together(SHARED, OWN[0])
    l2 = array([0.1, 0.01])
    for found, expected in (
        (jlr.fit_softmax(X, labels, 3, l2=0.01, tol=TIGHT), jlr.fit_softmax(dense, labels, 3, l2=0.01, tol=TIGHT)),
        (jlr.fit_one_vs_all(X, labels, 3, l2=0.1, tol=TIGHT), jlr.fit_one_vs_all(dense, labels, 3, l2=0.1, tol=TIGHT)),
        (jlr.fit_path(X, Y, l2=l2, tol=TIGHT), jlr.fit_path(dense, Y, l2=l2, tol=TIGHT)),
    ):
        assert np.all(found.converged)
        assert_same(found, expected)


def test_predictions_are_those_of_the_matrix_of_both():
    params = jlr.fit(jlr.Columns(YEAR, OWN[0, :, 0]), Y, l2=0.1).params
    X, matrix = jlr.Columns(YEAR[:50], OWN[0, :50, 0]), together(YEAR, OWN[0, :, 0])[:50]
    assert_allclose(jlr.decision_function(params, X), jlr.decision_function(params, matrix), rtol=0, atol=1e4 * EPS)
    assert_allclose(jlr.predict_proba(params, X), jlr.predict_proba(params, matrix), rtol=0, atol=1e4 * EPS)
    np.testing.assert_array_equal(jlr.predict(params, X), jlr.predict(params, matrix))
    classes = jlr.Params(array(RNG.normal(size=(3, K + 1))), jnp.zeros(3, DTYPE), "softmax")
    assert_allclose(jlr.predict_proba(classes, X), jlr.predict_proba(classes, matrix), rtol=0, atol=1e5 * EPS)


@pytest.mark.parametrize(
    ("shared", "own"),
    [
        (SHARED, OWN[0, :-1, 0]),
        (SHARED[:, 0], OWN[0]),
        (SHARED, OWN),
        (SHARED, OWN[0, 0, 0]),
        (SHARED, OWN[0, :, :0]),
        (SHARED[:, :0], OWN[0]),
        (SHARED[:0], OWN[0, :0]),
    ],
    ids=["rows", "shared is a vector", "own has three axes", "own is a number", "no own", "no shared", "no rows"],
)
def test_wrong_shapes_are_refused_by_fit_and_predict(shared, own):
    for call in (lambda X: jlr.fit(X, Y), lambda X: jlr.predict(jlr.Params(jnp.ones(K), jnp.zeros(())), X)):
        with pytest.raises(ValueError, match=r"Columns must have shared columns .* got shapes"):
            call(jlr.Columns(shared, own))


def test_wrong_values_are_refused_by_name():
    bad = np.array(OWN[0, :, 0])
    bad[3] = np.nan
    with pytest.raises(ValueError, match=r"Columns\.own must be finite, got nan at \[3\]"):
        jlr.fit(jlr.Columns(SHARED, bad), Y)
    with pytest.raises(ValueError, match=r"Columns\.shared must be an array of real numbers"):
        jlr.fit(jlr.Columns([["a"]], bad), Y)
    with pytest.raises(ValueError, match="X must have the 3 columns the model was fitted on, got 4"):
        jlr.predict(jlr.Params(jnp.ones(3, DTYPE), jnp.zeros((), DTYPE)), jlr.Columns(SHARED, OWN[0, :, 0]))
    with pytest.raises(ValueError, match="y must have one entry for each of the 120 rows of X"):
        jlr.fit(jlr.Columns(SHARED, OWN[0]), Y[:-1])
