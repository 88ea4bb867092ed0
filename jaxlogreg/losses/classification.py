"""The cross-entropies of two and of many classes as margin losses, with their duals."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..lanes import compute_if, lane_by_lane
from ..linear_maps import LinearMap, PerClass
from ..linear_solve import solve_convex
from ..products import EXACT, sum_over_rows
from ..pytrees import register_dataclass
from .elementwise import (
    apart,
    floating,
    logistic_curvature,
    logistic_loss,
    logistic_tail,
    normalized,
    sigmoid,
    with_offset,
)
from .margin import MarginLoss

__all__ = ["BinaryCrossEntropy", "SoftmaxCrossEntropy"]

LOG_2 = math.log(2.0)


@register_dataclass
@dataclass(frozen=True)
class BinaryCrossEntropy(MarginLoss):
    """``L(z) = Σ wᵢ [log(1 + exp(zᵢ + oᵢ)) - yᵢ (zᵢ + oᵢ)]``.

    Args:
        y: labels in [0, 1], ``(m,)``, in the dtype of the margins.
        weight: row weights that sum to one, ``(m,)``.
        offset: ``o``, ``(m,)`` or None.

    Make one with :meth:`create`, which normalises the weights.
    """

    y: Array
    weight: Array
    offset: Array | None = None

    convex: ClassVar[bool] = True
    curvature_bound: ClassVar[float | None] = 0.25
    has_dual: ClassVar[bool] = True

    @classmethod
    def create(
        cls, y: Array, sample_weight: ArrayLike | None = None, offset: Array | None = None
    ) -> "BinaryCrossEntropy":
        y = floating(y)
        return cls(y, normalized(sample_weight, y), offset)

    def value(self, z: Array) -> Array:
        return _weighted_loss(with_offset(z, self.offset), self.y, self.weight)

    def residual(self, z: Array) -> Array:
        return self.weight * (sigmoid(with_offset(z, self.offset)) - self.y)

    def curvature(self, z: Array) -> Array:
        return self.weight * logistic_curvature(with_offset(z, self.offset))

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return linear_map.gram(self.curvature(z))

    def row_weights(self) -> Array:
        return self.weight

    def separates(self, z: Array) -> Array:
        rightly = jnp.where(z > 0.0, self.y == 1.0, (z < 0.0) & (self.y == 0.0))
        return jnp.all(rightly | (self.weight == 0.0))

    def balance(self, z: Array, pull: Array) -> tuple[Array, Array]:
        # Where a step of the intercept would move p, as that costs least. With p' = p + δ the slack is the relative
        # entropy of p' to p, which is at most δ²/(p q).
        bent = self.curvature(z)
        curvature = jnp.sum(bent)
        step = jnp.clip(pull / jnp.where(curvature > 0.0, curvature, 1.0), -1.0, 1.0)
        left, simple = pull - step * curvature, (step * bent, step * step * curvature)

        def mixed(z: Array) -> tuple[Array, Array]:
            # What is left is mixed in: q = 0 or 1 for all rows; its own slack is that of a certain answer,
            # log(1 + exp(±z)).
            z = with_offset(z, self.offset)
            mean = jnp.sum(self.weight * sigmoid(z)) + step * curvature
            tiny = float(jnp.finfo(mean.dtype).tiny)
            up = jnp.maximum(left, 0.0) / jnp.maximum(1.0 - mean, tiny)
            down = jnp.maximum(-left, 0.0) / jnp.maximum(mean, tiny)
            move, slack = simple
            certain = jnp.maximum(jnp.where(left > 0.0, -z, z), 0.0) + LOG_2
            move = (1.0 - up - down) * move + self.weight * (up * sigmoid(-z) - down * sigmoid(z))
            return move, slack + (up + down) * jnp.sum(self.weight * certain)

        return compute_if(jnp.abs(pull) > curvature, mixed, z, simple)

    def fenchel(self, z: Array, u: Array) -> Array:
        # The relative entropy, to σ(z), of the probabilities that u is the residual of.
        return _weighted_entropy(with_offset(z, self.offset), u, self.y, self.weight)


@register_dataclass
@dataclass(frozen=True)
class SoftmaxCrossEntropy(MarginLoss):
    """``L(z) = Σ wᵢ [logsumexp_k(z_ki + o_ki) - Σ_k t_ki (z_ki + o_ki)]`` over margins ``(K, m)``.

    Args:
        targets: one-hot labels ``t``, ``(K, m)``.
        weight: row weights that sum to one, ``(m,)``.
        offset: ``o``, ``(K, m)`` or None.
    """

    targets: Array
    weight: Array
    offset: Array | None = None

    convex: ClassVar[bool] = True
    curvature_bound: ClassVar[float | None] = 0.5  # Böhning (1992): diag(p) - ppᵀ <= I/2
    has_dual: ClassVar[bool] = True

    @classmethod
    def create(
        cls, targets: Array, sample_weight: ArrayLike | None = None, offset: Array | None = None
    ) -> "SoftmaxCrossEntropy":
        targets = floating(targets)
        return cls(targets, normalized(sample_weight, targets[0]), offset)

    def value(self, z: Array) -> Array:
        z = with_offset(z, self.offset)
        return jnp.sum(self.weight * (jax.nn.logsumexp(z, axis=0) - jnp.sum(self.targets * z, axis=0)))

    def residual(self, z: Array) -> Array:
        return self.weight[None] * (jax.nn.softmax(with_offset(z, self.offset), axis=0) - self.targets)

    def curvature(self, z: Array) -> Array:
        # At p = 1/K this is L'' itself, on the margins that sum to zero: (I - 11ᵀ/K)/K.
        p = jax.nn.softmax(with_offset(z, self.offset), axis=0)
        num_classes = p.shape[0]
        return (num_classes / (num_classes - 1)) * self.weight[None] * p * (1.0 - p)

    def hessian(self, linear_map: LinearMap, z: Array, dtype: Any = None) -> Array:
        """``Aᵀ L''(z) A``, computed in ``dtype``, that of ``z`` when None."""
        if not isinstance(linear_map, PerClass):
            raise TypeError("softmax_cross_entropy needs a PerClass linear map: one block of weights a class")
        num_classes, n = linear_map.num_classes, linear_map.base.shape[1]
        p = jax.nn.softmax(with_offset(z, self.offset), axis=0)

        def term(rows: Array, columns: Array) -> Array:
            weight, p, rows = columns[0], columns[1:], rows.astype(columns.dtype)
            weighted = (weight[None] * p)[:, :, None] * rows[None]  # (K, block, n)
            own = jnp.einsum("kbi,bj->kij", weighted, rows)
            cross = jnp.einsum("kbi,lbj->kilj", weighted, p[:, :, None] * rows[None])
            diagonal = jnp.eye(num_classes, dtype=rows.dtype)[:, None, :, None]
            return own[:, :, None, :] * diagonal - cross

        columns = jnp.concatenate([self.weight[None, :], p]).astype(dtype or p.dtype)
        blocks = sum_over_rows(linear_map.base, term, columns)
        return blocks.reshape(num_classes * n, num_classes * n)

    def row_weights(self) -> Array:
        return self.weight

    def separates(self, z: Array) -> Array:
        own = jnp.sum(self.targets * z, axis=0)
        other = jnp.max(jnp.where(self.targets > 0.0, -jnp.inf, z), axis=0)
        one_class = jnp.max(self.targets, axis=0) == 1.0
        return jnp.all((one_class & (own > other)) | (self.weight == 0.0))

    def balance(self, z: Array, pull: Array) -> tuple[Array, Array]:
        # As for two classes: first a step of the intercepts, then a mixture.
        z = with_offset(z, self.offset)
        p = jax.nn.softmax(z, axis=0)
        target = jnp.sum(self.weight[None] * self.targets, axis=1)
        means, eye = jnp.sum(self.weight[None] * p, axis=1), jnp.eye(p.shape[0], dtype=p.dtype)
        curvature = eye * means[None] - jnp.matmul(self.weight[None] * p, p.T, precision=EXACT)
        step = jnp.clip(solve_convex(curvature, pull), -0.5, 0.5)
        move = p * (step[:, None] - jnp.sum(step[:, None] * p, axis=0)[None])
        keep, shift = _mixture(jnp.sum(self.weight[None] * (p + move), axis=1), target)
        # The slack of the mixture's own distribution: that of certain answers, at most.
        certain = jax.nn.logsumexp(z, axis=0)[None] - z
        slack = jnp.vdot(step, curvature @ step) + jnp.sum(shift * jnp.sum(self.weight[None] * certain, axis=1))
        return self.weight[None] * (keep * move + (keep - 1.0) * p + shift[:, None]), slack

    def fenchel(self, z: Array, u: Array) -> Array:
        z = with_offset(z, self.offset)
        u = jnp.where(self.weight > 0.0, u / jnp.where(self.weight > 0.0, self.weight, 1.0)[None], 0.0)
        p = jnp.maximum(self.targets + u, 0.0)
        entropy = p * (_log(p) + jax.nn.logsumexp(z, axis=0)[None] - z)
        return jnp.maximum(jnp.sum(self.weight * jnp.sum(entropy, axis=0)), 0.0)


def _weighted_loss(z: Array, y: Array, weight: Array) -> Array:
    # A product, lest lanes that differ in the weights alone compute the losses anew.
    return jnp.matmul(weight, logistic_loss(z, y), precision=EXACT)


@lane_by_lane
def _weighted_entropy(z: Array, u: Array, y: Array, weight: Array) -> Array:
    # Without a select: with one, XLA on a CPU computes the logarithms one by one, 5 times slower.
    u = u / jnp.maximum(weight, float(jnp.finfo(weight.dtype).tiny))
    p, q = jnp.maximum(y + u, 0.0), jnp.maximum(1.0 - y - u, 0.0)
    tail = logistic_tail(z)
    entropy = p * (_log(p) + jnp.maximum(-z, 0.0) + tail) + q * (_log(q) + jnp.maximum(z, 0.0) + tail)
    return jnp.maximum(jnp.sum(weight * apart(entropy)), 0.0)


def _log(p: Array) -> Array:
    """Finite at 0, so that ``p log p`` is 0 there."""
    return jnp.log(jnp.maximum(p, float(jnp.finfo(p.dtype).tiny)))


def _mixture(means: Array, target: Array) -> tuple[Array, Array]:
    """``keep`` and ``shift``: class probabilities ``keep p + shift`` have means ``target`` if ``p`` has ``means``.

    That is ``(1 - θ) p + θ q`` with one distribution ``q`` for all rows and the smallest ``θ`` that keeps
    ``q`` nonnegative; where the means agree, ``θ = 0``.
    """
    tiny = float(jnp.finfo(means.dtype).tiny)
    keep = 1.0 - jnp.max(jnp.maximum(1.0 - target / jnp.maximum(means, tiny), 0.0))
    # θ q = target - (1 - θ) means, without dividing by a θ that may vanish.
    return keep, jnp.maximum(target - keep * means, 0.0)
