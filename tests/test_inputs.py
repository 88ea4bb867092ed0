"""Inputs: every bad one is an error that names it, before anything is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import jaxlogreg as jlr

DTYPE = jnp.result_type(float)
M, N, K = 8, 2, 3
X = np.array([[0, 3], [1, -1], [2, 2], [3, 0], [1, 1], [0, -2], [2, -3], [3, 1]])
Y = np.array([0, 0, 1, 1, 1, 0, 0, 1])
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
ROWS = np.arange(M)


def fit(X, y, **options):
    return jlr.fit(X, y, **options)


def fit_path(X, y, **options):
    return jlr.fit_path(X, y, **{"l2": [0.1, 1.0]} | options)


def fit_one_vs_all(X, y, **options):
    return jlr.fit_one_vs_all(X, LABELS if y is Y else y, K, **options)


def fit_softmax(X, y, **options):
    return jlr.fit_softmax(X, LABELS if y is Y else y, K, **options)


every_model = pytest.mark.parametrize("model", [fit, fit_path, fit_one_vs_all, fit_softmax])
binary_models = pytest.mark.parametrize("model", [fit, fit_path])
class_models = pytest.mark.parametrize("model", [fit_one_vs_all, fit_softmax])


def with_entry(array, index, value):
    array = np.array(array, float)
    array[index] = value
    return array


def params(coef_shape, intercept_shape=(), value=0.0):
    return jlr.Params(jnp.full(coef_shape, value, DTYPE), jnp.full(intercept_shape, value, DTYPE))


def cases(**named):
    return pytest.mark.parametrize(("bad", "message"), named.values(), ids=[name.replace("_", " ") for name in named])


# Features


BAD_X = cases(
    vector=(
        np.zeros(M),
        r"X must have two axes \(rows, columns\), got shape \(8,\).*X\.reshape\(-1, 1\).*X\[None, :\]",
    ),
    three_axes=(np.zeros((M, N, 1)), r"X must have two axes \(rows, columns\), got shape \(8, 2, 1\)"),
    number=(1.0, r"X must have two axes"),
    no_rows=(np.zeros((0, N)), r"X must have at least one row and one column, got shape \(0, 2\)"),
    no_columns=(np.zeros((M, 0)), r"X must have at least one row and one column, got shape \(8, 0\)"),
    nan=(with_entry(X, (2, 1), np.nan), r"X must be finite, got nan at \[2, 1\]"),
    infinity=(with_entry(X, (7, 0), -np.inf), r"X must be finite, got -inf at \[7, 0\]"),
    nan_in_a_jax_array=(jnp.asarray(with_entry(X, (2, 1), np.nan)), r"X must be finite, got nan at \[2, 1\]"),
    beyond_the_dtype=(np.full((M, N), 10.0 * float(np.finfo(DTYPE).max)), r"X must be finite, got inf at \[0, 0\]"),
    strings=(np.full((M, N), "1.0"), r"X must be an array of real numbers, got ndarray"),
    complex=(X * 1j, r"X must be an array of real numbers, got ndarray"),
    objects=([[None] * N] * M, r"X must be an array of real numbers, got list"),
    ragged=([[1.0], [1.0, 2.0]], r"X must be an array of real numbers, got list"),
    sparse=(scipy.sparse.csr_array(X), r"X must be an array of real numbers, got csr_array"),
)


@every_model
@BAD_X
def test_bad_features_are_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(bad, Y)


@BAD_X
def test_bad_features_to_predict_are_an_error(bad, message):
    with pytest.raises(ValueError, match=message):
        jlr.predict_proba(params(N), bad)


def test_large_finite_features_are_no_error():
    large = np.full((1, 4), 0.9 * np.finfo(DTYPE).max, DTYPE)  # their sum overflows
    assert jlr.predict_proba(params(4), large) == 0.5


# Labels


@binary_models
@cases(
    too_few=(Y[:-1], r"y must have one entry for each of the 8 rows of X, got shape \(7,\)"),
    column=(Y[:, None], r"y must have one entry for each of the 8 rows of X, got shape \(8, 1\)"),
    number=(1, r"y must have one entry for each of the 8 rows of X, got shape \(\)"),
    two=(with_entry(Y, 3, 2), r"y must hold labels 0 and 1, got 2; recode it, as \(y == positive_label\)"),
    minus_one=(2 * Y - 1, r"y must hold labels 0 and 1, got -1"),
    fraction=(with_entry(Y, 3, 0.5), r"y must hold labels 0 and 1, got 0\.5"),
    nan=(with_entry(Y, 3, np.nan), r"y must be finite, got nan at \[3\]"),
    only_ones=(np.ones(M), r"y must hold both classes, got only 1"),
    only_zeros=(np.zeros(M), r"y must hold both classes, got only 0"),
    strings=(np.array(["no", "yes"])[Y], r"y must be an array of real numbers"),
    complex=(Y * 1j, r"y must be an array of real numbers"),
)
def test_bad_binary_labels_are_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, bad)


@class_models
@cases(
    too_few=(LABELS[:-1], r"labels must have one entry for each of the 8 rows of X, got shape \(7,\)"),
    one_hot=(
        np.eye(K, dtype=int)[LABELS],
        r"labels must have one entry for each of the 8 rows of X, got shape \(8, 3\)",
    ),
    too_large=(LABELS + 1, r"labels must be integers 0 to 2 \(num_classes is 3\), got .*3.*np\.unique"),
    negative=(LABELS - 1, r"labels must be integers 0 to 2 .*, got .*-1"),
    fraction=(with_entry(LABELS, 3, 0.5), r"labels must be integers 0 to 2 .*, got .*0\.5"),
    nan=(with_entry(LABELS, 3, np.nan), r"labels must be integers 0 to 2 .*, got .*nan"),
    infinity=(with_entry(LABELS, 3, np.inf), r"labels must be integers 0 to 2 .*, got .*inf"),
    absent=(LABELS % 2, r"labels must hold every class, but class 2 has no row"),
    strings=(np.array(["a", "b", "c"])[LABELS], r"labels must be integers 0 to 2 .*, got .*'a'"),
    complex=(LABELS * 1j, r"labels must be"),
    ragged=([[0], [1, 2]], r"labels must be"),
)
def test_bad_class_labels_are_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, bad)


@binary_models
def test_one_class_among_the_rows_of_positive_weight_is_an_error(model):
    with pytest.raises(ValueError, match=r"y must hold both classes, got only 1 \(in rows of positive weight\)"):
        model(X, Y, sample_weight=Y)


@class_models
def test_a_class_without_weight_is_an_error(model):
    with pytest.raises(ValueError, match=r"class 1 has no row \(of positive weight\)"):
        model(X, Y, sample_weight=LABELS != 1)


@pytest.mark.parametrize("model", [jlr.fit_one_vs_all, jlr.fit_softmax])
@cases(
    one=(1, r"num_classes must be a Python integer of at least 2 .*got 1"),
    zero=(0, r"num_classes must be a Python integer of at least 2 .*got 0"),
    float=(3.0, r"num_classes must be a Python integer .*, got 3\.0"),
    string=("3", r"num_classes must be a Python integer .*, got '3'"),
    none=(None, r"num_classes must be a Python integer .*, got None"),
)
def test_a_bad_number_of_classes_is_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, LABELS, bad)


# Options


@every_model
@cases(
    weights_too_few=({"sample_weight": np.ones(M - 1)}, r"sample_weight must have shape \(8,\), got \(7,\)"),
    weight_scalar=({"sample_weight": 2.0}, r"sample_weight must have shape \(8,\), got \(\)"),
    weights_negative=({"sample_weight": ROWS - 1.0}, r"sample_weight must be at least 0, got -1"),
    weights_zero=({"sample_weight": np.zeros(M)}, r"sample_weight must be positive for at least one row"),
    weights_nan=({"sample_weight": with_entry(ROWS, 5, np.nan)}, r"sample_weight must be finite, got nan at \[5\]"),
    weights_named=({"sample_weight": "balanced"}, r"sample_weight must be an array of real numbers, got str"),
    factor_shape=({"penalty_factor": np.ones(N + 1)}, r"penalty_factor must have shape \(2,\), got \(3,\)"),
    factor_negative=({"penalty_factor": [1.0, -0.5]}, r"penalty_factor must be at least 0, got -0\.5"),
    factor_infinite=({"penalty_factor": [1.0, np.inf]}, r"penalty_factor must be finite, got inf at \[1\]"),
    offset_too_few=({"offset": np.zeros(M - 1)}, r"offset must have shape \(8.*got \(7,\)"),
    offset_string=({"offset": "0.5"}, r"offset must be an array of real numbers, got str"),
    init_array=({"init": np.zeros(N)}, r"init must be Params\(coef, intercept\), .* got ndarray"),
    init_tuple=({"init": (np.zeros(N), 0.0)}, r"init must be Params\(coef, intercept\), .* got tuple"),
    init_coef=({"init": params(N + 1)}, r"init\.coef must have shape \((3, )?2,?\), got \(3,\)"),
    tol_negative=({"tol": -1e-3}, r"tol must be at least 0, got -0\.001"),
    tol_nan=({"tol": np.nan}, r"tol must be at least 0, got nan"),
    max_steps_negative=({"max_steps": -1}, r"max_steps must be at least 0, got -1"),
)
def test_bad_options_are_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, Y, **bad)


@pytest.mark.parametrize("model", [fit, fit_one_vs_all, fit_softmax])
@cases(
    negative=(-0.1, r"l2 must be at least 0, got -0\.1"),
    nan=(np.nan, r"l2 must be finite, got nan"),
    infinite=(np.inf, r"l2 must be finite, got inf"),
    vector=([0.1, 1.0], r"l2 must have shape \(\), got \(2,\)"),
    string=("0.1", r"l2 must be an array of real numbers, got str"),
    none=(None, r"l2 must be an array of real numbers, got NoneType"),
)
def test_a_bad_penalty_is_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, Y, l2=bad)


@cases(
    scalar=({"l2": 0.1}, r"l2 must be a vector of penalties, got shape \(\); for a single one use fit"),
    missing=({}, r"l2 must be a vector of penalties, got shape \(\)"),
    matrix=({"l2": np.ones((2, 2))}, r"l2 must be a vector of penalties, got shape \(2, 2\)"),
    empty=({"l2": []}, r"l2 must be a vector of penalties, got shape \(0,\)"),
    negative=({"l2": [0.1, -1.0]}, r"l2 must be at least 0, got -1"),
    nan=({"l2": [0.1, np.nan]}, r"l2 must be finite, got nan at \[1\]"),
    strings=({"l2": ["0.1", "1"]}, r"l2 must be an array of real numbers, got list"),
)
def test_a_bad_path_is_an_error(bad, message):
    with pytest.raises(ValueError, match=message):
        jlr.fit_path(X, Y, **bad)


@binary_models
@cases(
    offset=({"offset": np.zeros((M, 1))}, r"offset must have shape \(8,\).*got \(8, 1\)"),
    offset_nan=({"offset": with_entry(ROWS, 0, np.nan)}, r"offset must be finite, got nan at \[0\]"),
    intercept=({"init": params(N, (1,))}, r"init\.intercept must have shape \(\), got \(1,\)"),
    nan=({"init": params(N, (), np.nan)}, r"init\.coef must be finite, got nan at \[0\]"),
)
def test_bad_offsets_and_starts_of_binary_models_are_an_error(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, Y, **bad)


@class_models
@cases(
    coef=({"init": params(N, (K,))}, r"init\.coef must have shape \(3, 2\), got \(2,\)"),
    intercept=({"init": params((K, N), ())}, r"init\.intercept must have shape \(3,\), got \(\)"),
)
def test_starts_of_class_models_need_a_row_a_class(model, bad, message):
    with pytest.raises(ValueError, match=message):
        model(X, Y, **bad)


def test_a_softmax_offset_has_a_column_a_class_and_a_one_vs_all_offset_has_not():
    with pytest.raises(ValueError, match=r"offset must have shape \(8, 3\).*got \(8,\)"):
        fit_softmax(X, Y, offset=np.zeros(M))
    with pytest.raises(ValueError, match=r"offset must have shape \(8,\).*got \(8, 3\)"):
        fit_one_vs_all(X, Y, offset=np.zeros((M, K)))


@every_model
def test_an_option_that_does_not_exist_is_an_error(model):
    with pytest.raises(TypeError, match="sample_weights"):
        model(X, Y, sample_weights=np.ones(M))


# Inside jit there are shapes to check, and no values


@every_model
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros(M), Y, r"X must have two axes"),
        (np.zeros((M, 0)), Y, r"X must have at least one row and one column"),
        (1.0 * X, np.zeros(M - 1, int), r"must have one entry for each of the 8 rows of X, got shape \(7,\)"),
    ],
    ids=["X vector", "X without columns", "y too short"],
)
def test_bad_shapes_are_an_error_inside_jit(model, X, y, message):
    with pytest.raises(ValueError, match=message):
        jax.jit(lambda X, y: model(X, y))(X, y)


@every_model
def test_bad_values_pass_inside_jit_where_they_cannot_be_seen(model):
    X_bad, y, weight = (jnp.asarray(a, DTYPE) for a in (with_entry(X, (0, 0), np.nan), Y - 7, -np.ones(M)))
    solution = jax.eval_shape(lambda X, y, s: model(X, y, sample_weight=s), X_bad, y, weight)
    assert solution.params.coef.shape[-1] == N


# What is accepted


def test_lists_integers_booleans_and_arrays_of_any_kind_give_the_same_fit():
    expected = jlr.fit(X.astype(DTYPE), Y.astype(DTYPE), l2=0.1, sample_weight=np.ones(M, DTYPE)).raise_if_failed()
    assert expected.params.coef.dtype == DTYPE
    for rows, y, l2, weight in (
        (X.tolist(), Y.tolist(), 0.1, [1] * M),
        (X, Y.astype(bool), np.float32(0.1), np.ones(M, bool)),
        (X.astype(np.int8), Y.astype(np.float32), jnp.asarray(0.1, DTYPE), np.ones(M, np.float64)),
        (X.astype(np.float64), Y.astype(np.uint8), np.float64(0.1), jnp.ones(M, jnp.int32)),
        (jnp.asarray(X), jnp.asarray(Y, bool), np.array(0.1), np.ones(M, np.float32)),
    ):
        solution = jlr.fit(rows, y, l2=l2, sample_weight=weight)
        assert solution.params.coef.dtype == DTYPE
        assert_allclose(solution.params.coef, expected.params.coef, rtol=1e-6)


def test_class_labels_may_be_floats_booleans_or_any_integers():
    expected = fit_softmax(X, LABELS, l2=0.1).params.coef
    for labels in (LABELS.tolist(), LABELS.astype(float), LABELS.astype(np.uint8), jnp.asarray(LABELS)):
        assert_array_equal(jlr.fit_softmax(X, labels, np.int64(K), l2=0.1).params.coef, expected)
    two = jax.eval_shape(lambda: jlr.fit_softmax(X, Y.astype(bool), 2))
    assert two.params.coef.shape == (2, N)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(np.float16, np.float32), (jnp.bfloat16, np.float32), (np.float32, np.float32), (np.float64, DTYPE), (int, DTYPE)],
)
def test_the_dtype_of_the_features_is_that_of_the_fit(given, expected):
    solution = jax.eval_shape(lambda: jlr.fit(X.astype(given), Y, l2=0.1, sample_weight=np.ones(M)))
    assert solution.params.coef.dtype == expected
    assert solution.value.dtype == expected
