"""The log-likelihood at a point, with Jeffreys' penalty or without: value, score and information.

Jeffreys' prior is the root of the information's determinant. With it the log-likelihood is

    ℓ*(w) = ℓ(w) + ½ log det I(w),    I = Aᵀ diag(s σ(z) σ(-z)) A,

and its score ``Σ xᵢ [sᵢ (yᵢ - pᵢ) + hᵢ (½ - pᵢ)]``, with the leverages ``hᵢ = sᵢ pᵢ (1 - pᵢ) xᵢᵀ I⁻¹ xᵢ``: each row
counts as ``hᵢ`` rows more, half of either class. What is computed from ``A`` are products that lanes sharing it share.

Reference: Firth, Bias reduction of maximum likelihood estimates, Biometrika 80 (1993).
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from ..linear_maps import Dense, LinearMap, WithIntercept
from ..linear_solve import gram_rounding
from ..losses import BinaryCrossEntropy
from ..losses.elementwise import sigmoid, with_offset
from ..problem import Problem
from ..products import EXACT
from ..pytrees import register_dataclass

__all__ = ["ByColumns", "Evaluation", "by_columns", "evaluate"]

FEW_COLUMNS = 16


@register_dataclass
@dataclass(frozen=True)
class Evaluation:
    """``ℓ`` or ``ℓ*`` at a point.

    Args:
        value: ``ℓ*``; minus infinity where the information is singular to rounding.
        penalty: ``½ log det I``, in ``value``; zero for ``ℓ``.
        score: its derivative, ``(k,)``.
        information: ``I``, ``(k, k)``.
        inverse: ``I⁻¹``.
    """

    value: Array
    penalty: Array
    score: Array
    information: Array
    inverse: Array


def evaluate(problem: Problem, num_rows: Array, v: Array, penalized: bool) -> Evaluation:
    """``ℓ*``, or ``ℓ`` where it is not penalised, at weights ``v`` of a problem of that total weight of rows."""
    linear_map, loss = problem.linear_map, problem.loss
    assert isinstance(loss, BinaryCrossEntropy)
    z = linear_map.mv(v)
    residual, curvature = num_rows * loss.residual(z), num_rows * loss.curvature(z)
    information = linear_map.gram(curvature)
    root, log_det, sound = _inverse_root(information)
    inverse = jnp.matmul(root.T, root, precision=EXACT)
    penalty = jnp.zeros_like(log_det)
    if penalized:
        penalty = 0.5 * log_det
        pull = curvature * (0.5 - sigmoid(with_offset(z, loss.offset)))
        residual = residual - pull * squared_lengths(linear_map, root)
    value = penalty - num_rows * loss.value(z)
    return Evaluation(jnp.where(sound, value, -jnp.inf), penalty, -linear_map.rmv(residual), information, inverse)


def _inverse_root(information: Array) -> tuple[Array, Array, Array]:
    """``L⁻¹`` of ``I = L Lᵀ``, ``log det I``, and whether ``I`` is regular beyond rounding.

    By elimination without LAPACK, whose calls cost more than few unknowns do, and for all lanes at once.
    """
    k, dtype = information.shape[0], information.dtype
    eye = jnp.eye(k, dtype=dtype)
    diagonal = jnp.sum(information * eye, axis=0)
    scale = lax.rsqrt(jnp.where(diagonal > 0.0, diagonal, 1.0))
    table = jnp.concatenate([information * scale[:, None] * scale[None], eye], axis=1)

    def eliminate(j: Array, table: Array) -> Array:
        row = lax.dynamic_index_in_dim(table, j, keepdims=False)
        pivot = lax.dynamic_index_in_dim(row, j, keepdims=False)
        column = lax.dynamic_index_in_dim(table, j, axis=1, keepdims=False)
        below = jnp.where(jnp.arange(k) > j, column / pivot, 0.0)
        return table - below[:, None] * row[None]

    table = lax.fori_loop(0, k, eliminate, table)
    pivots = jnp.sum(table[:, :k] * eye, axis=0)
    sound = jnp.all(pivots > gram_rounding(k, dtype))  # False for NaN
    pivots = jnp.where(pivots > 0.0, pivots, 1.0)
    root = lax.rsqrt(pivots)[:, None] * table[:, k:] * scale[None]
    return root, jnp.sum(jnp.log(pivots)) - 2.0 * jnp.sum(jnp.log(scale)), sound


def squared_lengths(linear_map: LinearMap, root: Array) -> Array:
    """``‖R xᵢ‖²`` of every row, ``(m,)``."""
    return jnp.sum(jnp.square(linear_map.mv(root)), axis=0)


def by_columns(linear_map: LinearMap) -> LinearMap:
    """The same map with its matrix stored column by column, where it is a few columns of a lane's own."""
    if isinstance(linear_map, WithIntercept):
        return WithIntercept(by_columns(linear_map.base))
    if isinstance(linear_map, Dense) and linear_map.shape[1] <= FEW_COLUMNS:
        return ByColumns(linear_map.matrix.T)
    return linear_map


@register_dataclass
@dataclass(frozen=True)
class ByColumns(LinearMap):
    """``A`` by its transpose ``(n, m)``: long rows, so that products of few columns use vector instructions."""

    transposed: Array

    @property
    def shape(self) -> tuple[int, int]:
        n, m = self.transposed.shape
        return m, n

    def mv(self, w: Array) -> Array:
        return jnp.matmul(w, self.transposed, precision=EXACT)

    def rmv(self, r: Array) -> Array:
        return lax.dot_general(r, self.transposed, (((r.ndim - 1,), (1,)), ((), ())), precision=EXACT)

    def gram(self, s: Array, dtype: Any = None) -> Array:
        weighted = (s[None] * self.transposed).T
        return jnp.matmul(self.transposed, weighted, precision=EXACT)

    def centred_gram(self, s: Array, mean: Array, dtype: Any = None) -> Array:
        return ByColumns(self.transposed - mean[:, None]).gram(s)

    def moments(self, s: Array) -> tuple[Array, Array]:
        centre = self.transposed[:, 0]
        mean = centre + self.rmv_of(centre, s)
        return mean, jnp.sum(s[None] * jnp.square(self.transposed - mean[:, None]), axis=1)

    def rmv_of(self, centre, s):
        return jnp.sum(s[None] * (self.transposed - centre[:, None]), axis=1)
