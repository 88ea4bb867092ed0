"""Products with the data matrix, each in the form that is fastest where it runs.

Everything a solver asks of a large matrix is one of four products, and XLA's time for the same
product differs several times between ways to write it (``benchmarks/kernels.py`` measures them).
Each is written here once, with lanes as the left factor, in the form that suits one vector and in
the one that suits a batch: ``jax.vmap`` over vectors that share the matrix picks the latter by itself.
Derivatives are those of the plain form.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap

from .lanes import compute_if

__all__ = ["EXACT", "gram", "moments", "product", "transposed_product"]

# Full precision where a GPU would otherwise round float32 factors to fewer bits.
EXACT = lax.Precision.HIGHEST

BLOCK_SIZE = 2**18  # numbers to a block of rows: what stays in the cache of a core
MIN_BLOCK_ROWS = 2048
LANES_BLOCK_ROWS = 256  # the same where each lane scales the rows for itself
# Products of columns are tabulated for so few of them, and for more where lanes are many.
TABLE_COLUMNS, COLUMNS_A_TABLED_LANE, TABLE_MAX_COLUMNS = 16, 3, 256
TABLE_BLOCK_ROWS, TABLE_BLOCK_SIZE = 512, 2**22
COLUMN_SUM_MIN_SIZE = 2**19  # float64: from so many numbers on, a sum down the columns beats the product
SPLIT_MIN_BYTES = 2**24  # from here on, a product a block of rows beats both
MEAN_ROUNDING = 16.0  # of a product, in units of the dtype's precision
VARIANCE_ROUNDING = 512.0  # what is allowed of a variance, in the same units


class Rows(Protocol):
    """A matrix that gives its rows a block at a time."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def rows(self, start: Array | int, size: int) -> Array: ...


def _with_forms(one: Callable[..., Any], plain: Callable[..., Any], batch: Callable[..., Any]) -> Callable[..., Any]:
    """A function of ``(matrix, vector)`` in two forms, and with the derivatives of a third.

    Args:
        one: for one vector.
        plain: with simple derivatives; used also where the matrix itself has lanes.
        batch: for lanes of vectors ``(L, m)`` that share the matrix; lanes first in what it returns.
    """
    chosen = custom_vmap(one)

    @chosen.def_vmap
    def rule(axis_size: int, in_batched: Any, matrix: Any, vector: Array) -> tuple[Any, Any]:
        leaves, tree = jax.tree.flatten(matrix)
        flags = jax.tree.leaves(in_batched[0])
        if any(flags):
            axes = (*(0 if flag else None for flag in flags), 0 if in_batched[1] else None)
            result = jax.vmap(lambda *args: plain(jax.tree.unflatten(tree, args[:-1]), args[-1]), axes)(*leaves, vector)
        else:
            result = batch(matrix, vector)
        return result, jax.tree.map(lambda _: True, result)

    @jax.custom_jvp
    def function(matrix: Any, vector: Array) -> Any:
        return chosen(matrix, vector)

    @function.defjvp
    def derivative(primals: Any, tangents: Any) -> Any:
        return function(*primals), jax.jvp(plain, primals, tangents)[1]

    return function


def product(matrix: Array, w: Array) -> Array:
    """``X w``: weights ``(..., n)`` to margins ``(..., m)``."""
    return lax.dot_general(w, matrix, (((w.ndim - 1,), (1,)), ((), ())), precision=EXACT)


def _left_product(matrix: Array, r: Array) -> Array:
    return lax.dot_general(r, matrix, (((r.ndim - 1,), (0,)), ((), ())), precision=EXACT)


def _right_product(matrix: Array, r: Array) -> Array:
    """The same for one vector. On a CPU the plain product is 1.2 to 3 times slower, but for float64 in the cache."""
    count = _even_blocks(*matrix.shape)
    if r.ndim == 1 and count and matrix.size * matrix.dtype.itemsize >= SPLIT_MIN_BYTES:
        # A product for each block of rows, which is a cache full, by one core.
        blocks, parts = matrix.reshape(count, -1, matrix.shape[1]), r.reshape(count, -1)
        return jnp.sum(lax.dot_general(parts, blocks, (((1,), (1,)), ((0,), (0,))), precision=EXACT), axis=0)
    if r.ndim > 1 or (r.dtype.itemsize == 8 and matrix.size < COLUMN_SUM_MIN_SIZE):
        return _left_product(matrix, r)
    return jnp.sum(r[:, None] * matrix, axis=0)


def _even_blocks(m: int, n: int) -> int:
    """How many equal blocks of rows, the fewest of a size that suits the cache; 0 if ``m`` has no such divisor."""
    counts = range(-(-m * n // BLOCK_SIZE), m * n // (BLOCK_SIZE // 4) + 1)
    return next((count for count in counts if m % count == 0), 0)


#: ``Xᵀ r``: residuals ``(..., m)`` to gradients ``(..., n)``. Never ``X.T @ r``, which is slower still.
transposed_product = _with_forms(_right_product, _left_product, _left_product)


def sum_over_rows(
    matrix: Rows, term: Callable[[Array, Array], Array], columns: Array, block_rows: int | None = None
) -> Array:
    """``Σ term(rows, columns[..., rows])`` over blocks of rows.

    ``columns`` is ``(..., m)`` and ``term`` must vanish where its columns are zero (a weight).
    """
    m, n = matrix.shape
    count = -(-m // (block_rows or max(MIN_BLOCK_ROWS, BLOCK_SIZE // n)))
    if count == 1:
        return term(matrix.rows(0, m), columns)
    size = -(-m // count)

    def block(i: Array | int) -> Array:
        # The last block is moved back to fit; rows it shares with the one before get weight 0.
        first = i * size
        start = jnp.minimum(first, m - size)
        own = start + jnp.arange(size) >= first
        part = lax.dynamic_slice_in_dim(columns, start, size, axis=-1)
        return term(matrix.rows(start, size), jnp.where(own, part, 0.0))

    return lax.fori_loop(1, count, lambda i, total: total + block(i), block(0))


def _weighted_gram(rows: Array, s: Array) -> Array:
    rows = rows.astype(s.dtype)
    return jnp.einsum("bi,bj->ij", s[:, None] * rows, rows, precision=EXACT)


def _gram_by_blocks(matrix: Rows, s: Array) -> Array:
    return sum_over_rows(matrix, _weighted_gram, s)


def _grams(matrix: Rows, s: Array) -> Array:
    """All lanes' Grams: as one product ``s @ [xⱼ xₖ]`` with a table that they share, where it pays to make one."""
    n = matrix.shape[1]
    lanes = math.prod(s.shape[:-1])
    if n > max(TABLE_COLUMNS, min(COLUMNS_A_TABLED_LANE * lanes, TABLE_MAX_COLUMNS)):
        return sum_over_rows(matrix, _scaled_grams, s, LANES_BLOCK_ROWS)
    j, k = np.triu_indices(n)  # each pair of columns once
    place = np.zeros((n, n), np.int32)
    place[j, k] = place[k, j] = np.arange(j.size)

    def term(rows: Array, s: Array) -> Array:
        rows = rows.astype(s.dtype)
        return jnp.matmul(s, rows[:, j] * rows[:, k], precision=EXACT)

    size = max(BLOCK_SIZE // j.size, min(TABLE_BLOCK_ROWS, TABLE_BLOCK_SIZE // j.size))
    return sum_over_rows(matrix, term, s, size)[..., place]


def _scaled_grams(rows: Array, s: Array) -> Array:
    rows = rows.astype(s.dtype)
    scaled = s[..., None] * rows.reshape((1,) * (s.ndim - 1) + rows.shape)
    return jnp.einsum("...bi,bj->...ij", scaled, rows, precision=EXACT)


#: ``Xᵀ diag(s) X``, ``(n, n)``, for a matrix that gives rows; in the precision of ``s``, by blocks.
gram = _with_forms(_gram_by_blocks, _gram_by_blocks, _grams)


def _centre(matrix: Rows) -> Array:
    """A point among the data: sums about it keep the digits of a column far from zero.

    The median of three rows, lest one odd row be it. Weights stay out of it: lanes share the centre.
    """
    first, middle, last = (matrix.rows(i, 1)[0] for i in (0, matrix.shape[0] // 2, matrix.shape[0] - 1))
    return jnp.maximum(jnp.minimum(first, middle), jnp.minimum(jnp.maximum(first, middle), last))


def _moments(matrix: Rows, s: Array) -> tuple[Array, Array]:
    """Of one set of weights: a product for the mean, and a pass for the squares."""
    # The barrier keeps XLA from storing deviations that two such calls have in common.
    centre, X = lax.optimization_barrier(_centre(matrix)), matrix.rows(0, matrix.shape[0])
    shift = transposed_product(X, s) - centre
    # The root is inside the square lest XLA make a product of it, and store the squares for that.
    square = jnp.sum(jnp.square(jnp.sqrt(s)[:, None] * (X - centre[None])), axis=0)
    shift = jnp.where(square > 0.0, shift, 0.0)  # of a constant column it is rounding
    mean, variance = centre + shift, jnp.maximum(square - shift * shift, 0.0)
    # Once more about the mean where the centre was far from most of the data, or the mean is from zero.
    inexact = jnp.any(square + MEAN_ROUNDING * jnp.abs(shift * mean) > VARIANCE_ROUNDING * variance)
    return compute_if(inexact, lambda mean: _moments_about(mean, matrix, s), mean, (mean, variance))


def _moments_by_blocks(matrix: Rows, s: Array) -> tuple[Array, Array]:
    return _moments_about(_centre(matrix), matrix, s)


def _moments_about(centre: Array, matrix: Rows, s: Array) -> tuple[Array, Array]:
    def term(rows: Array, s: Array) -> Array:
        deviation = rows - centre[None, :]
        return jnp.stack([jnp.matmul(s, x, precision=EXACT) for x in (deviation, deviation * deviation)])

    shift, square = sum_over_rows(matrix, term, s)
    centre = centre.reshape((1,) * (shift.ndim - 1) + (-1,))
    return centre + shift, jnp.maximum(square - shift * shift, 0.0)


#: Mean and variance of each column under row weights ``s`` that sum to one.
moments = _with_forms(_moments, _moments_by_blocks, _moments_by_blocks)
