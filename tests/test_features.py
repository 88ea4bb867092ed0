"""Features: polynomials, standard units and categories, against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, array, exact
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

import jaxlogreg as jlr
from jaxlogreg.data import features

EPS = float(jnp.finfo(jnp.result_type(float)).eps)
X = np.asarray(array(np.random.default_rng(0).uniform(-2, 2, size=(7, 4))))


@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize(("columns", "degree"), [(4, 1), (4, 2), (4, 3), (4, 5), (1, 4), (2, 6)])
def test_polynomials_and_their_names_are_scikit_learns(columns, degree, interaction_only):
    peer = PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=False)
    expected = peer.fit_transform(exact(X[:, :columns]))
    found = features.polynomial(X[:, :columns], degree, interaction_only=interaction_only)
    assert found.dtype == X.dtype
    assert_allclose(found, expected, rtol=4 * degree * EPS)
    names = list("abcd")[:columns]
    assert features.polynomial_names(names, degree, interaction_only=interaction_only) == tuple(
        peer.get_feature_names_out(names)
    )


def test_polynomials_of_integers_are_floats():
    assert_array_equal(features.polynomial([[2, 3]], 2), array([[2, 3, 4, 6, 9]]))


def test_polynomials_work_under_jit_vmap_and_grad():
    def quartic(x):
        return features.polynomial(x[None], 4)[0]

    assert_allclose(jax.jit(jax.vmap(quartic))(X), features.polynomial(X, 4), rtol=8 * EPS)
    # d(x₁² x₂ x₄) / dx, where it stands.
    place = features.polynomial_names(list("abcd"), 4).index("a^2 b d")
    a, b, _, d = X[0]
    gradient = jax.grad(lambda x: quartic(x)[place])(jnp.asarray(X[0]))
    assert_allclose(gradient, [2 * a * b * d, a * a * d, 0.0, a * a * b], rtol=8 * EPS)


def test_powers_beyond_the_dtype_are_refused():
    large = np.array([[1e30, 0.0]], X.dtype)
    with pytest.raises(ValueError, match=r"X must be small enough for products of degree 20 in .* up to 1e\+30"):
        features.polynomial(large, 20)
    # What does not overflow is not refused: no power of a column is asked for.
    assert_array_equal(features.polynomial(large, 2, interaction_only=True), [[large[0, 0], 0.0, 0.0]])


@pytest.mark.parametrize("degree", [0, -1, 1.5, "2", None])
def test_a_degree_is_a_positive_integer(degree):
    with pytest.raises(ValueError, match="degree must be a Python integer of at least 1"):
        features.polynomial(X, degree)
    with pytest.raises(ValueError, match="degree must be a Python integer of at least 1"):
        features.polynomial_names("ab", degree)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match="X must have two axes"):
        features.polynomial(X[:, 0], 2)
    with pytest.raises(ValueError, match="X must be one array"):
        features.standardization(jlr.Columns(jnp.asarray(X), jnp.asarray(X[:, 0])))  # pyright: ignore


@pytest.mark.parametrize("weighted", [False, True])
def test_standard_units_are_scikit_learns(weighted):
    rng = np.random.default_rng(1)
    train = np.asarray(array(rng.normal(size=(50, 4)) * [1, 30, 0.01, 0] + [0, 2000, 1, 3]))
    new = np.asarray(array(rng.normal(size=(5, 4)) * [1, 30, 0.01, 1] + [0, 2000, 1, 3]))
    weight = np.asarray(array(rng.integers(0, 3, size=50))) if weighted else None
    peer = StandardScaler().fit(exact(train), sample_weight=None if weight is None else exact(weight))
    scaling = features.standardization(train, sample_weight=weight)
    assert_allclose(scaling.mean, peer.mean_, rtol=20 * EPS, atol=20 * EPS)
    assert_allclose(scaling.scale, peer.scale_, rtol=1e4 * EPS)
    assert float(scaling.scale[3]) == 1.0  # a constant column
    assert_allclose(scaling.apply(new), peer.transform(exact(new)), atol=2e4 * EPS)
    assert_allclose(scaling.invert(scaling.apply(new)), new, rtol=20 * EPS, atol=20 * EPS)


@pytest.mark.parametrize("unit", [1e-200, 1e200] if X64 else [1e-30, 1e30])
def test_units_whose_squares_are_beyond_the_dtype_make_no_difference(unit):
    rows = np.asarray(array(X))
    scaling = features.standardization(rows * rows.dtype.type(unit))
    assert_allclose(exact(scaling.scale) / unit, features.standardization(rows).scale, rtol=100 * EPS)
    assert_allclose(scaling.apply(rows * rows.dtype.type(unit)), features.standardization(rows).apply(rows), rtol=1e-4)


def test_training_columns_in_standard_units_have_mean_zero_and_deviation_one():
    z = exact(features.standardization(X).apply(X))
    assert_allclose(z.mean(axis=0), 0.0, atol=10 * EPS)
    assert_allclose(z.std(axis=0), 1.0, rtol=10 * EPS)


def test_standardization_works_under_jit_vmap_and_grad():
    batch = jnp.stack([jnp.asarray(X), 3.0 * jnp.asarray(X) + 1.0])
    lanes = jax.jit(jax.vmap(features.standardization))(batch)
    for lane, rows in enumerate(batch):
        alone = features.standardization(rows)
        assert_allclose(lanes.mean[lane], alone.mean, rtol=10 * EPS, atol=10 * EPS)
        assert_allclose(lanes.scale[lane], alone.scale, rtol=10 * EPS)

    # Beside a constant column too, d sd / dx_i = (x_i - mean) / (m sd), and nothing is NaN.
    rows = jnp.asarray(X).at[:, 1].set(1.0)
    gradient = jax.grad(lambda x: jnp.sum(features.standardization(x).scale))(rows)
    deviation = exact(rows) - exact(rows).mean(axis=0)
    expected = deviation / np.where(np.arange(4) == 1, 1.0, 7 * exact(rows).std(axis=0))
    assert_allclose(gradient, expected, atol=20 * EPS)


def test_standard_units_are_those_of_as_many_columns():
    scaling = features.standardization(X)
    for change in (scaling.apply, scaling.invert):
        with pytest.raises(ValueError, match="must have the 4 columns that were standardised, got 2"):
            change(X[:, :2])


def test_weights_are_weights():
    with pytest.raises(ValueError, match="sample_weight must be at least 0"):
        features.standardization(X, sample_weight=-np.ones(7))
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(7,\)"):
        features.standardization(X, sample_weight=np.ones(3))


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (np.array(["b", "a", "c", "a"]), ["c", "a", "b"]),
        (np.array(["b", "a", "c", "a"], object), ["c", "a", "b"]),
        (np.array([3, 1, 2, 1]), [1, 2, 3]),
        (np.array([0.1, 0.5, 0.1], np.float32), [0.1, 0.5]),
        (np.array([True, False]), [False, True]),
    ],
    ids=["strings", "objects", "integers", "float32", "booleans"],
)
@pytest.mark.parametrize("left_out", [None, 0, 1])
def test_categories_are_scikit_learns(values, categories, left_out):
    reference = None if left_out is None else categories[left_out]
    drop = None if left_out is None else np.array([reference], values.dtype)
    peer = OneHotEncoder(categories=[np.array(categories, values.dtype)], drop=drop, sparse_output=False)
    found = features.one_hot(values, categories, reference=reference)
    assert found.dtype == jnp.result_type(float)
    assert_array_equal(found, peer.fit_transform(values[:, None]))
    assert len(features.one_hot_names("x", categories, reference=reference)) == found.shape[1]


def test_categories_under_jit_are_those_without():
    ranks = jnp.array([3, 1, 2, 1])
    kept = jax.jit(lambda x: features.one_hot(x, [1, 2, 3], reference=2))(ranks)
    assert_array_equal(kept, features.one_hot(ranks, [1, 2, 3], reference=2))
    assert_array_equal(kept, [[0, 1], [1, 0], [0, 0], [1, 0]])


def test_an_unknown_value_is_an_error_and_under_jit_nan():
    with pytest.raises(ValueError, match=r"values must be among the categories .*'b'.* got 'd' in row 2"):
        features.one_hot(["a", "b", "d"], ["a", "b"])
    found = jax.jit(lambda x: features.one_hot(x, [0, 1], reference=0))(jnp.array([1, 7, 0]))
    assert_array_equal(found, [[1.0], [np.nan], [0.0]])


@pytest.mark.parametrize("categories", [[], ["a", "a"], [1, 1.0], [0.5, float("nan")]])
def test_categories_are_distinct(categories):
    with pytest.raises(ValueError, match="categories must be distinct values"):
        features.one_hot(["a"], categories)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"reference must be one of the categories \['a'\], got 'b'"):
        features.one_hot(["a"], ["a"], reference="b")
    with pytest.raises(ValueError, match=r"categories must be a list of the distinct values, got 3"):
        features.one_hot(["a"], 3)  # pyright: ignore
    with pytest.raises(ValueError, match=r"values must be one column, a vector \(m,\), got shape \(1, 1\)"):
        features.one_hot([["a"]], ["a"])
    with pytest.raises(ValueError, match=r"categories must be numbers of the values' dtype int32 under jit, got 0\.5"):
        jax.jit(lambda x: features.one_hot(x, [0.5, 1]))(jnp.array([1], jnp.int32))


def test_names_say_which_column_is_which():
    assert features.polynomial_names(["radius", "texture"], 2) == (
        "radius", "texture", "radius^2", "radius texture", "texture^2",
    )  # fmt: skip
    assert features.polynomial_names(range(2), 2) == ("0", "1", "0^2", "0 1", "1^2")  # a DataFrame's without names
    assert features.one_hot_names("rank", [1, 2, 3], reference=1) == ("rank 2", "rank 3")


def test_a_circle_is_a_straight_line_in_squares():
    rng = np.random.default_rng(2)
    points = np.asarray(array(rng.uniform(-2, 2, size=(400, 2))))
    inside = rng.uniform(size=400) < 1 / (1 + np.exp(-4 * (1.5 - (points**2).sum(axis=1))))
    solution = jlr.fit(features.polynomial(points, 2), inside, l2=1e-4).raise_if_failed()
    coef = dict(zip(features.polynomial_names("xy", 2), np.asarray(solution.params.coef), strict=True))
    radius = np.sqrt(float(solution.params.intercept) / -coef["x^2"])
    assert abs(radius - np.sqrt(1.5)) < 0.1
    assert abs(coef["x^2"] / coef["y^2"] - 1) < 0.2
    assert max(abs(coef[name]) for name in ("x", "y", "x y")) < 0.2 * abs(coef["x^2"])
