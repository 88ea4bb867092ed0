"""One symmetric linear system: ``H x = b``, also where ``H`` is singular.

Few unknowns are eliminated one by one in a compiled loop; that needs no LAPACK (whose first use
costs a new process 0.15 s) and runs all lanes of a batch at once. More go through Cholesky, and
through eigenvalues if that fails. All are rank-revealing: a direction in which ``H`` has nothing but
rounding is left out of ``x``. ``H`` is first scaled to a unit diagonal, so that "nothing" does not
depend on units.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ["solve_convex", "solve_descent"]

ELIMINATION_MAX = 64


def solve_convex(H: Array, b: Array) -> Array:
    """``x`` with ``H x = b``, for positive semidefinite ``H`` ``(n, n)`` and ``b`` ``(n,)`` in its range."""
    scale = _unit_diagonal(H)
    H, b = H * scale[:, None] * scale[None, :], b * scale
    return scale * (_eliminate(H, b) if b.shape[0] <= ELIMINATION_MAX else _factorise(H, b))


def solve_descent(H: Array, b: Array) -> Array:
    """``|H|⁻¹ b``, with the eigenvalues' absolute values: a descent direction for any ``H``."""
    scale = _unit_diagonal(H)
    H, b = H * scale[:, None] * scale[None, :], b * scale
    return scale * _by_eigenvalues(H, b)


def _unit_diagonal(H: Array) -> Array:
    diagonal = jnp.sum(jnp.abs(H) * jnp.eye(H.shape[0], dtype=H.dtype), axis=0)
    return lax.rsqrt(jnp.where(diagonal > 0.0, diagonal, 1.0))


def _rounding(b: Array) -> float:
    return b.shape[0] * float(jnp.finfo(b.dtype).eps)


def _eliminate(H: Array, b: Array) -> Array:
    """Gauss-Jordan elimination; a pivot that cancelled to rounding leaves its unknown at zero."""
    unit = jnp.eye(b.shape[0], dtype=b.dtype)

    def eliminate(j: Array, table: Array) -> Array:
        row, column = table[j], table[:, j]
        row = jnp.where(row[j] > _rounding(b), row / row[j], 0.0)
        # Subtracting the unit vector from the column leaves the pivot's own row divided by the pivot.
        return table - (column - unit[j])[:, None] * row[None]

    table = lax.fori_loop(0, b.shape[0], eliminate, jnp.concatenate([H, b[:, None]], axis=1))
    kept = jnp.sum(table[:, :-1] * unit, axis=1) > 0.5  # the diagonal: 1 where there was a pivot
    return jnp.where(kept, table[:, -1], 0.0)


def _factorise(H: Array, b: Array) -> Array:
    factor = jnp.linalg.cholesky(H)
    sound = jnp.min(jnp.diagonal(factor)) ** 2 > _rounding(b)  # False for NaN too
    x = jax.scipy.linalg.cho_solve((factor, True), b)
    # A loop of no or one round: under vmap it runs only if some lane needs it, where a cond would
    # compute the eigenvalues of every lane always.
    solution, _ = lax.while_loop(
        lambda state: ~state[1], lambda state: (_by_eigenvalues(H, b), jnp.ones((), bool)), (x, sound)
    )
    return solution


def _by_eigenvalues(H: Array, b: Array) -> Array:
    values, vectors = jnp.linalg.eigh(H)
    size = jnp.abs(values)
    keep = size > _rounding(b) * jnp.max(size)
    return vectors @ jnp.where(keep, (b @ vectors) / jnp.where(keep, size, 1.0), 0.0)
