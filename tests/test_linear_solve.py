"""Linear systems: against numpy, also singular, badly scaled, batched and indefinite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, array, exact
from numpy.testing import assert_allclose, assert_array_equal

from jaxlogreg.linear_solve import _eliminate, inverse, solve_convex, solve_descent

EPS = float(jnp.finfo(DTYPE).eps)
SOLVE = jax.jit(solve_convex)
DESCENT = jax.jit(solve_descent)
INVERSE = jax.jit(inverse)
sizes = pytest.mark.parametrize("n", [1, 5, 64, 65, 100])  # the method changes after 64


def definite(n, seed=0):
    """A well-conditioned positive definite matrix, and a right-hand side."""
    rng = np.random.default_rng(seed)
    B = rng.normal(size=(n, 3 * n))
    return array(B @ B.T / n), array(rng.normal(size=n))


def singular(n, seed=0):
    """Duplicate rows, a row of zeros and a right-hand side in the range."""
    H, x = map(exact, definite(n, seed))
    copies = np.arange(n) // 2 * 2  # each second row equals the one before
    H = H[np.ix_(copies, copies)]
    H[-1], H[:, -1] = 0.0, 0.0
    return array(H), array(H @ x)


def residual(H, x, b):
    """Relative, lane by lane."""
    difference = np.einsum("...ij,...j->...i", exact(H), exact(x)) - exact(b)
    return np.linalg.norm(difference, axis=-1) / np.linalg.norm(b, axis=-1)


@sizes
def test_definite_systems_have_the_solution_of_numpy(n):
    H, b = definite(n)
    assert_allclose(SOLVE(H, b), np.linalg.solve(exact(H), exact(b)), rtol=0, atol=100 * n * EPS)


@sizes
@pytest.mark.parametrize("decades", [6, -6])
def test_the_units_of_the_unknowns_do_not_matter(n, decades):
    H, b = definite(n)
    unit = 10.0 ** np.linspace(0, decades, n)
    x = SOLVE(array(exact(H) * unit[:, None] * unit), array(exact(b) * unit))
    assert_allclose(exact(x) * unit, np.linalg.solve(exact(H), exact(b)), rtol=0, atol=100 * n * EPS)


@pytest.mark.parametrize("n", [5, 64, 65, 100])
def test_singular_systems_are_solved_where_they_have_a_solution(n):
    H, b = singular(n)
    x = SOLVE(H, b)
    assert np.all(np.isfinite(x))
    assert residual(H, x, b) <= 100 * n * EPS
    assert x[-1] == 0.0  # nothing is known of it


@jax.jit
def solve_batch(H, b):
    return jax.vmap(solve_convex)(H, b)


@pytest.mark.parametrize("n", [6, 20, 65])
def test_matrices_of_low_rank_are_solved_where_they_have_a_solution(n):
    rng = np.random.default_rng(0)
    B, x = rng.normal(size=(100, n, n // 2)), rng.normal(size=(100, n, 1))
    H = array(B @ np.swapaxes(B, 1, 2))
    b = array((exact(H) @ x)[..., 0])
    assert np.all(residual(H, solve_batch(H, b), b) <= 100 * n * EPS)


@pytest.mark.parametrize("n", [6, 65])
def test_nearly_equal_unknowns_cost_no_digits(n):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 2 * n, n))
    X[..., n // 2] = X[..., 0] + 30 * EPS**0.5 * rng.normal(size=(40, 2 * n))
    H = array(np.swapaxes(X, 1, 2) @ X)
    b = array((exact(H) @ rng.normal(size=(n, 1)))[..., 0])
    assert np.all(residual(H, solve_batch(H, b), b) <= 100 * n * EPS)


@pytest.mark.parametrize("n", [5, 100])
def test_the_zero_matrix_gives_zero(n):
    assert_array_equal(SOLVE(jnp.zeros((n, n), DTYPE), jnp.zeros(n, DTYPE)), np.zeros(n))


@pytest.mark.parametrize("n", [5, 65])
def test_singular_lanes_leave_the_others_of_a_batch_alone(n):
    systems = [definite(n, 1), singular(n, 2), definite(n, 3), singular(n, 4)]
    H, b = (array(np.stack(part)) for part in zip(*systems, strict=True))
    x = solve_batch(H, b)
    assert np.all(residual(H, x, b) <= 100 * n * EPS)
    for lane in (0, 2):
        H, b = systems[lane]
        assert_allclose(x[lane], np.linalg.solve(exact(H), exact(b)), rtol=0, atol=100 * n * EPS)


def test_nan_in_a_system_shows_in_its_solution():
    for n in (5, 65):
        H, b = definite(n)
        assert np.any(np.isnan(SOLVE(H.at[0, 0].set(jnp.nan), b)))


def test_elimination_solves_for_each_column_of_the_right_hand_side():
    H, _ = definite(6)
    B = array(np.random.default_rng(2).normal(size=(6, 4)))
    assert_allclose(jax.jit(_eliminate)(H, B), np.linalg.solve(exact(H), exact(B)), rtol=0, atol=600 * EPS)


@sizes
@pytest.mark.parametrize("decades", [0, 6, -6])
def test_the_inverse_of_a_definite_matrix_is_that_of_numpy_in_any_units(n, decades):
    H = exact(definite(n)[0])
    unit = 10.0 ** np.linspace(0, decades, n)
    found = exact(INVERSE(array(H * unit[:, None] * unit)))
    assert_allclose(found * unit[:, None] * unit, np.linalg.inv(H), rtol=0, atol=200 * n * EPS)


@pytest.mark.parametrize("n", [5, 64, 65, 100])
def test_the_inverse_of_a_singular_matrix_is_a_preconditioner_in_its_range(n):
    # Its entries are as large as 1 / (4 n eps): that leaves a digit, which is enough there.
    H, b = singular(n)
    found = exact(INVERSE(H))
    assert np.all(np.isfinite(found))
    assert residual(H, found @ exact(b), b) <= 0.1
    assert exact(b) @ found @ exact(b) > 0.0


@pytest.mark.parametrize("n", [5, 65])
def test_inverses_have_lanes_under_vmap(n):
    H = jnp.stack([definite(n, seed)[0] for seed in (1, 2, 3)])
    assert_allclose(jax.jit(jax.vmap(inverse))(H), np.linalg.inv(exact(H)), rtol=0, atol=200 * n * EPS)


@sizes
def test_descent_in_a_definite_matrix_is_its_inverse(n):
    H, b = definite(n)
    assert_allclose(DESCENT(H, b), np.linalg.solve(exact(H), exact(b)), rtol=0, atol=100 * n * EPS)


@sizes
def test_descent_in_a_negative_definite_matrix_is_the_inverse_turned_round(n):
    H, b = definite(n)
    assert_allclose(DESCENT(-H, b), np.linalg.solve(exact(H), exact(b)), rtol=0, atol=100 * n * EPS)


@pytest.mark.parametrize("n", [5, 65])
def test_descent_in_an_indefinite_matrix_goes_down_for_any_gradient(n):
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    H = array(Q @ np.diag(np.linspace(-2.0, 3.0, n)) @ Q.T)
    gradients = array(rng.normal(size=(50, n)))
    directions = -exact(jax.jit(jax.vmap(solve_descent, in_axes=(None, 0)))(H, gradients))
    cosine = np.sum(directions * exact(gradients), axis=1) / (
        np.linalg.norm(directions, axis=1) * np.linalg.norm(gradients, axis=1)
    )
    assert np.all(cosine < -1e-3)


def test_descent_with_unit_diagonal_divides_by_absolute_eigenvalues():
    H = array([[1.0, 3.0], [3.0, 1.0]])  # eigenvalues 4 along (1, 1) and -2 along (1, -1)
    assert_allclose(DESCENT(H, array([1.0, 1.0])), [0.25, 0.25], rtol=20 * EPS)
    assert_allclose(DESCENT(H, array([1.0, -1.0])), [0.5, -0.5], rtol=20 * EPS)


def test_descent_leaves_flat_directions_out():
    H = array(np.diag([2.0, 0.0, -4.0]))
    assert_allclose(DESCENT(H, array([1.0, 0.0, 1.0])), [0.5, 0.0, 0.25], rtol=20 * EPS)
