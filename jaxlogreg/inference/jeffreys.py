"""The log-likelihood at a point, with Jeffreys' penalty or without: value, score and information.

Jeffreys' prior is the root of the information's determinant. With it the log-likelihood is

    ℓ*(w) = ℓ(w) + ½ log det I(w),    I = Aᵀ diag(s σ(z) σ(-z)) A,

and its score ``Σ xᵢ [sᵢ (yᵢ - pᵢ) + hᵢ (½ - pᵢ)]``, with the leverages ``hᵢ = sᵢ pᵢ (1 - pᵢ) xᵢᵀ I⁻¹ xᵢ``: each row
counts as ``hᵢ`` rows more, half of either class. All that is asked of ``A`` are products, in which lanes that share it
go together.

Reference: Firth, Bias reduction of maximum likelihood estimates, Biometrika 80 (1993).
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from ..linear_maps import LinearMap
from ..linear_solve import inverse_root, times
from ..losses import BinaryCrossEntropy
from ..losses.elementwise import with_offset
from ..problem import Problem
from ..products import EXACT
from ..pytrees import register_dataclass

__all__ = ["ByColumns", "Evaluation", "evaluate", "learn_curvature"]

LEARNING_STEP = 1.0  # in log-likelihood: the curvature changes little within the errors of the estimate


@register_dataclass
@dataclass(frozen=True)
class Evaluation:
    """``ℓ`` or ``ℓ*`` at a point.

    Args:
        value: ``ℓ*``; minus infinity where the information is singular to rounding.
        penalty: ``½ log det I``, a part of ``value``; zero for ``ℓ``.
        score: the derivative, ``(k,)``.
        information: ``I``, ``(k, k)``.
        inverse: ``I⁻¹``.
        regular: whether ``I`` is more than rounding in every direction; the inverse is one only there.
    """

    value: Array
    penalty: Array
    score: Array
    information: Array
    inverse: Array
    regular: Array


def evaluate(problem: Problem, num_rows: Array, v: Array, penalized: bool) -> Evaluation:
    """``ℓ*``, or ``ℓ`` where it is not penalised, of a problem whose rows weigh ``num_rows`` in all."""
    linear_map, loss = problem.linear_map, problem.loss
    assert isinstance(loss, BinaryCrossEntropy)
    # One exponential a row for the loss and its derivatives: that of elementwise.py, which has one for each.
    z, weight = with_offset(linear_map.mv(v), loss.offset), num_rows * loss.weight
    tail = jnp.exp(-jnp.abs(z))
    likelier = 1.0 / (1.0 + tail)
    p = jnp.where(z > 0.0, likelier, tail * likelier)
    # The barrier keeps the sum from being fused with the logarithms, which XLA on a CPU then computes one by one.
    losses = lax.optimization_barrier(jnp.maximum(z, 0.0) - loss.y * z + jnp.log1p(tail))
    residual, curvature = weight * (loss.y - p), weight * tail * likelier * likelier
    information = linear_map.gram(curvature)
    root, log_det, regular = inverse_root(information)
    value, penalty = -jnp.sum(weight * losses), jnp.zeros_like(log_det)
    if penalized:
        squared_lengths = jnp.sum(jnp.square(linear_map.mv(root)), axis=0)  # xᵢᵀ I⁻¹ xᵢ
        residual = residual + curvature * squared_lengths * (0.5 - p)
        penalty = 0.5 * log_det
        value = jnp.where(regular, value + penalty, -jnp.inf)
    inverse = jnp.matmul(root.T, root, precision=EXACT)
    return Evaluation(value, penalty, linear_map.rmv(residual), information, inverse, regular)


def learn_curvature(correction: Array, point: Evaluation, found: Evaluation, step: Array) -> Array:
    """``E``, by which the curvature of ``-ℓ*`` exceeds the information, corrected along a step between two points.

    By a symmetric rank-one update, where the step was short enough for the information to be known on its way.
    """
    mean = 0.5 * (point.information + found.information)
    missed = point.score - found.score - times(mean + correction, step)
    along = jnp.sum(missed * step)
    size = jnp.sqrt(jnp.sum(missed * missed) * jnp.sum(step * step))
    short = (jnp.sum(step * times(mean, step)) <= LEARNING_STEP) & (jnp.abs(along) > 1e-4 * size)
    update = missed[:, None] * missed[None] / jnp.where(short, along, 1.0)
    return correction + jnp.where(short, update, 0.0)


@register_dataclass
@dataclass(frozen=True)
class ByColumns(LinearMap):
    """``A`` by its transpose, ``(k, m)``: of few columns, long rows are what vector instructions want."""

    transposed: Array

    @property
    def shape(self) -> tuple[int, int]:
        k, m = self.transposed.shape
        return m, k

    def mv(self, w: Array) -> Array:
        return jnp.matmul(w, self.transposed, precision=EXACT)

    def rmv(self, r: Array) -> Array:
        return lax.dot_general(r, self.transposed, (((r.ndim - 1,), (1,)), ((), ())), precision=EXACT)

    def gram(self, s: Array, dtype: Any = None) -> Array:
        # The barrier keeps the transposition, without which the product takes twice as long.
        weighted = lax.optimization_barrier((s[None] * self.transposed).T)
        return jnp.matmul(self.transposed, weighted, precision=EXACT)
