"""Symmetric linear systems: ``H x = b``, also where ``H`` is singular, and inverses.

Few unknowns are eliminated one by one in a compiled loop, the largest pivot first; that needs no
LAPACK (whose first use costs a new process 0.15 s) and runs all lanes of a batch at once. More go
through Cholesky, and are eliminated only where that fails. Elimination is rank-revealing: when no
pivot is left but rounding, the remaining unknowns are zero. ``H`` is first scaled to a unit diagonal,
so that "rounding" does not depend on units. Inverses go by blocks of unknowns, without LAPACK.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from .lanes import compute_if

__all__ = ["ELIMINATION_MAX", "gram_rounding", "inverse", "inverse_root", "solve_convex", "solve_descent", "times"]

ELIMINATION_MAX = 64
BLOCK = 32  # unknowns to a block of an inverse
MAX_ERROR = 0.1  # of an inverse's product with a vector, relative


def solve_convex(H: Array, b: Array) -> Array:
    """``x`` with ``H x = b``, for positive semidefinite ``H`` ``(n, n)`` and ``b`` ``(n,)`` in its range."""
    scale = _unit_diagonal(H)
    H, b = H * scale[:, None] * scale[None, :], b * scale
    return scale * (_eliminate(H, b[:, None])[:, 0] if b.shape[0] <= ELIMINATION_MAX else _factorise(H, b))


def inverse(H: Array) -> Array:
    """``H⁻¹`` for positive semidefinite ``H``; where it is singular to rounding, of ``H`` and a small diagonal.

    Without LAPACK, whatever the size: on a CPU its threads go on spinning for some milliseconds after each call, and
    slow down by half what JAX computes next.
    """
    scale = _unit_diagonal(H)
    H, eye = H * scale[:, None] * scale[None, :], jnp.eye(H.shape[0], dtype=H.dtype)
    # Explicit inverses lose digits twice over: a singular matrix needs more than its rounding.
    least, most = gram_rounding(H.shape[0], H.dtype), float(jnp.finfo(H.dtype).eps) ** (1 / 3)
    probe = jnp.cos(jnp.arange(H.shape[0], dtype=H.dtype))

    def attempt(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        diagonal, _, _ = state
        shifted = H + diagonal * eye
        found = _gauss_jordan(shifted)
        off = times(shifted, times(found, probe)) - probe
        right = jnp.linalg.norm(off) <= MAX_ERROR * jnp.linalg.norm(probe)  # False for NaN
        return diagonal * (most / least) ** 0.5, jnp.where(right, found, eye), right

    start = jnp.full((), least, H.dtype), eye, jnp.zeros((), bool)
    found = lax.while_loop(lambda state: (state[0] < 2.0 * most) & ~state[2], attempt, start)[1]
    return found * scale[:, None] * scale[None, :]


def inverse_root(H: Array) -> tuple[Array, Array, Array]:
    """``R`` with ``H⁻¹ = RᵀR``, ``log det H``, and whether positive semidefinite ``H`` is regular beyond rounding.

    ``R`` is the inverse of ``H``'s Cholesky factor. Both mean something only where ``H`` is regular.
    """
    n, eye = H.shape[0], jnp.eye(H.shape[0], dtype=H.dtype)
    scale = _unit_diagonal(H)
    unit = H * scale[:, None] * scale[None]
    if n <= ELIMINATION_MAX:
        table = lax.fori_loop(0, n, _eliminate_below, jnp.concatenate([unit, eye], axis=1))
        pivots = _diagonal(table[:, :n])
        regular = jnp.all(pivots > gram_rounding(n, H.dtype))  # False for NaN
        pivots = jnp.where(pivots > 0.0, pivots, 1.0)
        root = lax.rsqrt(pivots)[:, None] * table[:, n:]
    else:
        factor = jnp.linalg.cholesky(unit)
        pivots = jnp.square(_diagonal(factor))
        regular = jnp.all(pivots > gram_rounding(n, H.dtype))
        root = jax.scipy.linalg.solve_triangular(factor, eye, lower=True)
    return root * scale[None], jnp.sum(jnp.log(pivots)) - 2.0 * jnp.sum(jnp.log(scale)), regular


def gram_rounding(n: int, dtype: jnp.dtype) -> float:
    """That of an ``(n, n)`` Gram of unit diagonal."""
    return 4.0 * float(jnp.finfo(dtype).eps) * n**0.5


def solve_descent(H: Array, b: Array) -> Array:
    """``|H|⁻¹ b``, with the eigenvalues' absolute values: a descent direction for any ``H``."""
    scale = _unit_diagonal(H)
    values, vectors = jnp.linalg.eigh(H * scale[:, None] * scale[None, :])
    size = jnp.abs(values)
    # Flat directions are not left out, for the gradient may point along them; H = 0 gives b itself.
    floor = float(jnp.finfo(b.dtype).eps) ** 0.75 * jnp.max(size)
    size = jnp.where(floor > 0.0, jnp.maximum(size, floor), 1.0)
    return scale * (vectors @ (((b * scale) @ vectors) / size))


def times(matrix: Array, x: Array) -> Array:
    """``matrix x`` as a sum, so that lanes need no batched product."""
    return jnp.sum(matrix * x[None], axis=1)


def _unit_diagonal(H: Array) -> Array:
    diagonal = _diagonal(jnp.abs(H))
    return lax.rsqrt(jnp.where(diagonal > 0.0, diagonal, 1.0))


def _diagonal(H: Array) -> Array:
    # As a sum: jnp.diagonal gathers, which XLA on a CPU compiles slowly.
    return jnp.sum(H * jnp.eye(H.shape[0], dtype=H.dtype), axis=0)


def _rounding(b: Array) -> float:
    return b.shape[0] * float(jnp.finfo(b.dtype).eps)


def _eliminate(H: Array, b: Array) -> Array:
    """``H⁻¹ b``, ``b`` ``(n, k)``: Gauss-Jordan elimination, the largest pivot first, until only rounding is left."""
    n = b.shape[0]

    def eliminate(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        table, diagonal, done = state
        j = jnp.argmax(jnp.where(done, -jnp.inf, diagonal))
        row, column, unit = table[j], table[:, j], jnp.arange(n) == j
        sound = ~(row[j] <= _rounding(b))  # NaN is not passed over
        row = jnp.where(sound, row / row[j], 0.0)
        # Less the unit vector, the column leaves the pivot's own row divided by the pivot.
        column = column - unit.astype(b.dtype)
        return table - column[:, None] * row[None], diagonal - column * row[:n], done | (unit & sound)

    start = jnp.concatenate([H, b], axis=1), _diagonal(H), jnp.zeros(n, bool)
    table, _, done = lax.fori_loop(0, n, eliminate, start)
    return jnp.where(done[:, None], table[:, n:], 0.0)


def _eliminate_below(j: Array, table: Array) -> Array:
    """``table`` less the multiples of row ``j`` that make its column vanish below."""
    row, column = (
        lax.dynamic_index_in_dim(table, j, keepdims=False),
        lax.dynamic_index_in_dim(table, j, 1, keepdims=False),
    )
    pivot = lax.dynamic_index_in_dim(row, j, keepdims=False)
    below = jnp.where(jnp.arange(table.shape[0]) > j, column / pivot, 0.0)
    return table - below[:, None] * row[None]


def _gauss_jordan(H: Array) -> Array:
    """``H⁻¹`` for positive definite ``H``: Gauss-Jordan elimination in place, a block of unknowns at a time."""
    n = H.shape[0]
    if n <= BLOCK:
        return lax.fori_loop(0, n, _exchange, H)
    size = -(-n // BLOCK) * BLOCK
    padded = jnp.eye(size, dtype=H.dtype).at[:n, :n].set(H)
    return lax.fori_loop(0, size // BLOCK, _exchange_block, padded)[:n, :n]


def _exchange(j: Array, A: Array) -> Array:
    """``A`` with unknown ``j`` exchanged for its equation: elementwise, which is fast for many small systems."""
    unit = (jnp.arange(A.shape[0]) == j).astype(A.dtype)
    row, column = lax.dynamic_index_in_dim(A, j, keepdims=False), lax.dynamic_index_in_dim(A, j, 1, keepdims=False)
    pivot = lax.dynamic_index_in_dim(row, j, keepdims=False)
    row = jnp.where(unit > 0.0, 1.0, row) / pivot
    return jnp.where(unit[None] > 0.0, unit[:, None], A) - (column - unit)[:, None] * row[None]


def _exchange_block(k: Array, A: Array) -> Array:
    """The same for the ``k``-th block of unknowns, by matrix products."""
    n, j = A.shape[0], k * BLOCK
    inverse = _gauss_jordan(lax.dynamic_slice(A, (j, j), (BLOCK, BLOCK)))
    unit = (jnp.arange(n)[:, None] == j + jnp.arange(BLOCK)[None]).astype(A.dtype)
    columns = lax.dynamic_slice(A, (0, j), (n, BLOCK)) - unit
    A = lax.dynamic_update_slice(A, unit, (0, j))
    row = jnp.matmul(inverse, lax.dynamic_slice(A, (j, 0), (BLOCK, n)), precision=lax.Precision.HIGHEST)
    return A - jnp.matmul(columns, row, precision=lax.Precision.HIGHEST)


def _factorise(H: Array, b: Array) -> Array:
    factor = jnp.linalg.cholesky(H)
    sound = jnp.all(_diagonal(factor) ** 2 > _rounding(b))  # False for NaN too
    x = jax.scipy.linalg.cho_solve((factor, True), b)
    # Not by LAPACK's eigh: in one program with cho_solve, both batched, it was seen to deadlock XLA's thread
    # pool on a CPU.
    return compute_if(~sound, lambda system: _eliminate(system[0], system[1][:, None])[:, 0], (H, b), x)
