"""Separation is told apart as Albert and Anderson define it."""

import jax
import numpy as np
import pytest
from conftest import columns, read_rows
from scipy.optimize import minimize

import jaxlogreg as jlr

INF = np.inf
RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 3))
RANDOM = RNG.integers(0, 2, 80)


def kind(*args, **options):
    return jlr.detect_separation(*args, **options).kind


def test_classes_that_overlap_have_finite_estimates():
    found = jlr.detect_separation(X, RANDOM)
    assert found.kind == "none"
    assert found.direction.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert not found.separated.any()
    assert "finite" in str(found)
    assert jlr.fit(X, RANDOM).converged


@pytest.mark.parametrize("scale", [1.0, 1e8, 1e-8])
def test_a_hyperplane_between_the_classes_is_complete_separation(scale):
    y = (X @ [1.0, -2.0, 3.0] + 0.5 > 0).astype(int)
    found = jlr.detect_separation(X * [scale, 1.0, 1.0], y)
    assert found.kind == "complete"
    assert found.direction.tolist() == [INF, INF, -INF, INF]
    assert found.separated.all()
    assert jlr.fit(X, y).status == jlr.Status.SEPARABLE


def test_one_row_on_the_wrong_side_ends_it_and_weight_zero_takes_it_out():
    y = (X[:, 0] > 0).astype(int)
    assert kind(X[:, :1], y) == "complete"
    y[np.argmax(np.abs(X[:, 0]))] ^= 1
    assert kind(X[:, :1], y) == "none"
    weight = np.ones(80)
    weight[np.argmax(np.abs(X[:, 0]))] = 0.0
    found = jlr.detect_separation(X[:, :1], y, sample_weight=weight)
    assert found.kind == "complete"
    assert found.separated.sum() == 79


def test_a_level_with_one_outcome_is_quasi_complete_separation():
    level = RNG.integers(0, 4, 200)
    y = RNG.integers(0, 2, 200)
    y[level == 3], y[level == 1] = 1, 0
    dummies = (level[:, None] == [1, 2, 3]).astype(float)
    found = jlr.detect_separation(dummies, y)
    assert found.kind == "quasi"
    assert found.direction.tolist() == [0.0, -INF, 0.0, INF]
    assert np.array_equal(found.separated, (level == 1) | (level == 3))
    # With a column for every level and no intercept, too.
    every = jlr.detect_separation((level[:, None] == np.arange(4)).astype(float), y, intercept=False)
    assert every.direction.tolist() == [0.0, -INF, 0.0, INF]
    # A level more than there is room for is left out: the first that others explain.
    redundant = jlr.detect_separation((level[:, None] == np.arange(4)).astype(float), y)
    assert redundant.kind == "quasi"
    assert redundant.direction[4] == 0.0
    assert redundant.direction.tolist() == [INF, -INF, -INF, -INF, 0.0]


def test_collinear_and_repeated_data_change_nothing():
    y = RANDOM.copy()
    extra = np.column_stack([X, X[:, 0] - 2 * X[:, 1], np.full(80, 3.0)])
    assert kind(extra, y) == "none"
    flag = (np.arange(80) < 6).astype(float)
    y[:6] = 1
    for rows in (1, 3):
        Z = np.tile(np.column_stack([X, flag, 2 * flag]), (rows, 1))
        found = jlr.detect_separation(Z, np.tile(y, rows))
        assert found.kind == "quasi"
        assert found.direction.tolist() == [0.0, 0.0, 0.0, 0.0, INF, 0.0]
        assert found.separated.sum() == 6 * rows


def test_sex2_has_one_infinite_estimate():
    rows = read_rows("sex2/data.csv")
    names = ["age", "oc", "vic", "vicl", "vis", "dia"]
    found = jlr.detect_separation(columns(rows, *names), columns(rows, "case")[:, 0])
    assert found.kind == "quasi"
    assert found.direction.tolist() == [0.0] * 6 + [INF]
    assert np.array_equal(found.separated, columns(rows, "dia")[:, 0] == 1)


def test_estimates_go_where_the_direction_says():
    # Independent: the likelihood is raised in ever larger balls, where the infinite ones keep growing.
    for seed in range(6):
        rng = np.random.default_rng(seed)
        Z = rng.integers(0, 2, (30, 3)).astype(float)
        y = rng.integers(0, 2, 30)
        y[(Z[:, 0] == 1) & (Z[:, 1] == 1)] = 1
        found = jlr.detect_separation(Z, y)
        A = np.column_stack([np.ones(30), Z])

        def loss(w, A=A, y=y):
            z = A @ w
            return np.sum(np.logaddexp(0, z) - y * z), A.T @ (1 / (1 + np.exp(-z)) - y)

        ends = []
        for size in (15.0, 30.0):
            penalised = minimize(
                loss, np.zeros(4), jac=True, method="L-BFGS-B", bounds=[(-size, size)] * 4,
                options={"ftol": 0.0, "gtol": 1e-14, "maxiter": 5000},
            )  # fmt: skip
            ends.append(penalised.x)
        grows = np.where(np.abs(ends[1]) > 1.3 * np.abs(ends[0]), np.sign(ends[1]) * INF, 0.0)
        if found.kind == "none":
            assert np.all(grows == 0.0)
        else:
            assert np.any(grows != 0.0)
            # Where the ball's own solution grows it grows as the direction says.
            assert np.all((grows == 0.0) | (grows == found.direction))


def test_traced_and_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="must be concrete"):
        jax.jit(lambda X: jlr.detect_separation(X, RANDOM).direction)(X)
    with pytest.raises(ValueError, match="both classes"):
        jlr.detect_separation(X, np.ones(80))
    with pytest.raises(ValueError, match="labels 0 and 1"):
        jlr.detect_separation(X, RANDOM + 1)
    with pytest.raises(ValueError, match="X must be finite"):
        jlr.detect_separation(np.where(X > 2, np.nan, X), RANDOM)
