"""The forms that kernels.py times: several ways to write the same product, Gram matrix or pass.

Each is a function ``form(x, *data)`` of the number or array that moves from round to round, and of
what stays. Lanes come first, unless a form says otherwise.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Form = Callable[..., Any]

ROW_BLOCKS = (512, 1024, 2048, 4096)
EVEN_BLOCKS = (10, 40, 160)


# Products: one lane, and many ---- -----------------------------------------------------------------------------


def dot(a: Array, b: Array, contract: tuple[int, int]) -> Array:
    return lax.dot_general(a, b, (((contract[0],), (contract[1],)), ((), ())))


def even_blocks(count: int, r: Array, X: Array) -> Array:
    """A product for each of ``count`` equal blocks of rows, and their sum; the plain product where there are none."""
    if X.shape[0] % count:
        return r @ X
    parts, blocks = r.reshape(count, -1), X.reshape(count, -1, X.shape[1])
    return jnp.sum(lax.dot_general(parts, blocks, (((1,), (1,)), ((0,), (0,)))), axis=0)


MV: dict[str, Form] = {
    "X @ w": lambda w, X: X @ w,
    "dot_general(w, X)": lambda w, X: dot(w, X, (0, 1)),
    "einsum mn,n->m": lambda w, X: jnp.einsum("mn,n->m", X, w),
    "sum(X * w, axis=1)": lambda w, X: jnp.sum(X * w, axis=1),
}
RMV: dict[str, Form] = {
    "r @ X": lambda r, X: r @ X,
    "X.T @ r": lambda r, X: X.T @ r,
    "dot_general(r, X)": lambda r, X: dot(r, X, (0, 0)),
    "dot_general(X, r)": lambda r, X: dot(X, r, (0, 0)),
    "einsum mn,m->n": lambda r, X: jnp.einsum("mn,m->n", X, r),
    "sum(X * r, axis=0)": lambda r, X: jnp.sum(X * r[:, None], axis=0),
} | {f"{count} blocks of rows": partial(even_blocks, count) for count in EVEN_BLOCKS}
LANES_MV: dict[str, Form] = {
    "W @ X.T": lambda W, X: W @ X.T,
    "dot_general(W, X)": lambda W, X: dot(W, X, (1, 1)),
    "(X @ W.T).T": lambda W, X: (X @ W.T).T,
    "einsum ln,mn->lm": lambda W, X: jnp.einsum("ln,mn->lm", W, X),
}
LANES_RMV: dict[str, Form] = {
    "R @ X": lambda R, X: R @ X,
    "dot_general(R, X)": lambda R, X: dot(R, X, (1, 0)),
    "(X.T @ R.T).T": lambda R, X: (X.T @ R.T).T,
    "einsum lm,mn->ln": lambda R, X: jnp.einsum("lm,mn->ln", R, X),
}
LANES_LAST_MV: dict[str, Form] = {
    "X @ W": lambda W, X: X @ W,
    "(W.T @ X.T).T": lambda W, X: (W.T @ X.T).T,
}
LANES_LAST_RMV: dict[str, Form] = {
    "X.T @ R": lambda R, X: X.T @ R,
    "dot_general(X, R)": lambda R, X: dot(X, R, (0, 0)),
    "(R.T @ X).T": lambda R, X: (R.T @ X).T,
}


# Weighted Grams -------------------------------------------------------------------------------------------------------


def over_blocks(size: int, term: Callable[[Array, Array], Array], s: Array, X: Array) -> Array:
    """``Σ term(s[..., block], X[block])`` over blocks of ``size`` rows, and what is left of them."""
    m = X.shape[0]
    whole = m // size
    if whole == 0:
        return term(s, X)

    def add(i: Array, total: Array) -> Array:
        rows = lax.dynamic_slice_in_dim(X, i * size, size)
        return total + term(lax.dynamic_slice_in_dim(s, i * size, size, axis=-1), rows)

    rest = slice(whole * size, m)
    shape = jax.eval_shape(term, s[..., rest], X[rest])
    start = term(s[..., rest], X[rest]) if whole * size < m else jnp.zeros(shape.shape, shape.dtype)
    return lax.fori_loop(0, whole, add, start)


def scaled_product(s: Array, x: Array) -> Array:
    return jnp.einsum("bi,bj->ij", s[:, None] * x, x)


def transposed_product(s: Array, x: Array) -> Array:
    return (s[:, None] * x).T @ x


def float32_product(s: Array, x: Array) -> Array:
    x = x.astype(jnp.float32)
    return jnp.einsum("bi,bj->ij", s.astype(jnp.float32)[:, None] * x, x).astype(s.dtype)


def float32_root_product(s: Array, x: Array) -> Array:
    x = (jnp.sqrt(s)[:, None] * x).astype(jnp.float32)
    return jnp.einsum("bi,bj->ij", x, x).astype(s.dtype)


GRAMS: dict[str, Form] = {
    "whole array, (X * s).T @ X": transposed_product,
    "whole array, einsum mi,mj->ij": scaled_product,
    "whole array, einsum mi,m,mj->ij": lambda s, X: jnp.einsum("mi,m,mj->ij", X, s, X),
    "blocks of 2048, (X * s).T @ X": partial(over_blocks, 2048, transposed_product),
} | {f"blocks of {size}, einsum bi,bj->ij": partial(over_blocks, size, scaled_product) for size in ROW_BLOCKS}
FLOAT32_GRAMS: dict[str, Form] = {
    "whole array (XLA converts X once, before the loop)": float32_product,
    "blocks of 2048, sqrt(s) X on both sides": partial(over_blocks, 2048, float32_root_product),
    "blocks of 2048 in float64, for comparison": partial(over_blocks, 2048, scaled_product),
} | {f"blocks of {size}": partial(over_blocks, size, float32_product) for size in ROW_BLOCKS}


def lane_after_lane(S: Array, x: Array) -> Array:
    return lax.map(lambda s: scaled_product(s, x), S)


def scaled_lanes(S: Array, x: Array) -> Array:
    return jnp.einsum("lbi,bj->lij", S[:, :, None] * x[None], x)


def pair_table(S: Array, x: Array) -> Array:
    """``S @ [xⱼ xₖ]``: the table of all products of two columns, shared by the lanes."""
    b, n = x.shape
    return (S @ (x[:, :, None] * x[:, None, :]).reshape(b, n * n)).reshape(-1, n, n)


def half_pair_table(size: int, S: Array, X: Array) -> Array:
    """The same with each pair of columns once."""
    n = X.shape[1]
    j, k = np.triu_indices(n)
    half = over_blocks(size, lambda s, x: s @ (x[:, j] * x[:, k]), S, X)
    return jnp.zeros((S.shape[0], n, n), X.dtype).at[:, j, k].set(half).at[:, k, j].set(half)


def solo_after_solo(S: Array, X: Array) -> Array:
    return lax.map(lambda s: over_blocks(2048, scaled_product, s, X), S)


LANES_GRAMS: dict[str, Form] = {
    "one lane after another, each by blocks of 2048": solo_after_solo,
    "blocks of 2048, in each one lane after another": partial(over_blocks, 2048, lane_after_lane),
    "half table S @ [xj xk], blocks of 256": partial(half_pair_table, 256),
}
LANES_GRAMS |= {
    f"scaled blocks of {size}, einsum lbi,bj->lij": partial(over_blocks, size, scaled_lanes) for size in (256, 2048)
}
LANES_GRAMS |= {f"table S @ [xj xk], blocks of {size}": partial(over_blocks, size, pair_table) for size in (128, 512)}


# Passes over the margins: z + t d, as a line search runs them ---------------------------------------------------------


def by_tanh(z: Array) -> Array:
    return 0.5 * jnp.tanh(0.5 * z) + 0.5


def by_exp(z: Array) -> Array:
    return 1.0 / (1.0 + jnp.exp(-z))


SIGMOIDS = {"jax.nn.sigmoid": jax.nn.sigmoid, "tanh": by_tanh, "1 / (1 + exp(-z))": by_exp}
SOFTPLUSES: dict[str, Form] = {
    "jax.nn.softplus": jax.nn.softplus,
    "jnp.logaddexp(0, z)": lambda z: jnp.logaddexp(jnp.zeros((), z.dtype), z),
    "-jax.nn.log_sigmoid(-z)": lambda z: -jax.nn.log_sigmoid(-z),
    "max(z, 0) + log1p(exp(-|z|))": lambda z: jnp.maximum(z, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(z))),
    "max(z, 0) + log(1 + exp(-|z|))": lambda z: jnp.maximum(z, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(z))),
    "max(z, 0) - log(sigmoid(|z|)) by tanh": lambda z: jnp.maximum(z, 0.0) - jnp.log(by_tanh(jnp.abs(z))),
}


def sum_by_parts(a: Array) -> Array:
    """A sum of sums over 1000 numbers each, which rounds less, and may be vectorised differently."""
    return jnp.sum(jnp.sum(a.reshape(-1, 1000), axis=1)) if a.shape[0] % 1000 == 0 else jnp.sum(a)


SUMS: dict[str, Callable[[Array, Array], Array]] = {
    "sum": lambda a, b: jnp.sum(a * b),
    "vdot": jnp.vdot,
    "sum of sums of 1000": lambda a, b: sum_by_parts(a * b),
}


def one_reduction(a: Array, b: Array) -> tuple[Array, Array]:
    """Two sums as one reduction with two operands."""
    zero = jnp.zeros((), a.dtype)
    return lax.reduce((a, b), (zero, zero), lambda x, y: (x[0] + y[0], x[1] + y[1]), (0,))


def residual(sigma: Form, t: Array, z: Array, d: Array, y: Array) -> Array:
    return sigma(z + t * d) - y


def slope(sigma: Form, total: Form, t: Array, z: Array, d: Array, y: Array) -> Array:
    return total(sigma(z + t * d) - y, d)


def residual_and_slope(sigma: Form, total: Form, t: Array, z: Array, d: Array, y: Array) -> tuple[Array, Array]:
    r = sigma(z + t * d) - y
    return r, total(r, d)


def slope_and_curvature(total: Form, t: Array, z: Array, d: Array, y: Array) -> tuple[Array, Array]:
    p = by_tanh(z + t * d)
    return total(p - y, d), total(p * (1.0 - p), d * d)


def in_one_reduction(t: Array, z: Array, d: Array, y: Array) -> tuple[Array, Array]:
    p = by_tanh(z + t * d)
    return one_reduction((p - y) * d, p * (1.0 - p) * (d * d))


def in_two_passes(t: Array, z: Array, d: Array, y: Array) -> tuple[Array, Array]:
    """The second pass waits for the first, so that each is a fusion with one sum."""
    first = slope(by_tanh, SUMS["sum"], t, z, d, y)
    t, _ = lax.optimization_barrier((t, first))
    p = by_tanh(z + t * d)
    return first, jnp.sum(p * (1.0 - p) * d * d)


def value(softplus: Form, t: Array, z: Array, d: Array, y: Array) -> Array:
    z = z + t * d
    return jnp.sum(softplus(z) - y * z)


RESIDUALS: dict[str, Form] = {name: partial(residual, sigma) for name, sigma in SIGMOIDS.items()}
SLOPES: dict[str, Form] = {
    f"{name}, {how}": partial(slope, sigma, total) for name, sigma in SIGMOIDS.items() for how, total in SUMS.items()
}
RESIDUALS_AND_SLOPES: dict[str, Form] = {
    f"tanh, {how}": partial(residual_and_slope, by_tanh, total) for how, total in SUMS.items()
}
SLOPES_AND_CURVATURES: dict[str, Form] = {
    f"tanh, {how} twice": partial(slope_and_curvature, total) for how, total in SUMS.items()
} | {"tanh, one reduction of two": in_one_reduction, "tanh, two passes": in_two_passes}
VALUES: dict[str, Form] = {name: partial(value, softplus) for name, softplus in SOFTPLUSES.items()}
