"""Lasso, elastic net and bounds: weights that are exactly zero, or at a bound."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..pytrees import register_dataclass
from .base import Penalty

__all__ = ["ElasticNet"]


@register_dataclass
@dataclass(frozen=True)
class ElasticNet(Penalty):
    """Elastic net and bounds: ``R(w) = l2/2 Σ aⱼ wⱼ² + l1 Σ bⱼ |wⱼ|``, over ``lower <= w <= upper``.

    With ``l2 = 0`` it is the lasso.

    Args:
        l2, l1: scalar arrays, at least 0.
        l2_factor, l1_factor: ``a`` and ``b``, ``(n,)`` each, at least 0; where both are 0 a weight is free.
        lower, upper: ``(n,)`` each, with ``lower <= 0 <= upper``; infinite where there is no bound, None for none at
            all. ``value`` does not look at them.
    """

    l2: Array
    l1: Array
    l2_factor: Array
    l1_factor: Array
    lower: Array | None = None
    upper: Array | None = None

    smooth: ClassVar[bool] = False
    strengths: ClassVar[tuple[str, ...]] = ("l2", "l1")

    def value(self, w: Array) -> Array:
        return 0.5 * self.l2 * jnp.sum(self.l2_factor * w * w) + self.l1 * jnp.sum(self.l1_factor * jnp.abs(w))

    def gradient(self, w: Array) -> Array:
        return self.l2 * self.l2_factor * w

    def diagonal(self, w: Array) -> Array:
        return self.l2 * self.l2_factor

    def free(self, w: Array) -> Array:
        lower, upper = self.bounds(w)
        return (self.diagonal(w) == 0.0) & (self.kink(w) == 0.0) & jnp.isinf(lower) & jnp.isinf(upper)

    def rescaled(self, scale: Array) -> "ElasticNet":
        return replace(
            self,
            l2_factor=self.l2_factor / (scale * scale),
            l1_factor=self.l1_factor / scale,
            lower=None if self.lower is None else self.lower * scale,
            upper=None if self.upper is None else self.upper * scale,
        )

    def repeated(self, count: int) -> "ElasticNet":
        return replace(
            self,
            l2_factor=jnp.tile(self.l2_factor, count),
            l1_factor=jnp.tile(self.l1_factor, count),
            lower=None if self.lower is None else jnp.tile(self.lower, count),
            upper=None if self.upper is None else jnp.tile(self.upper, count),
        )

    def weights(self, index: Array) -> "ElasticNet":
        return replace(
            self,
            l2_factor=self.l2_factor[index],
            l1_factor=self.l1_factor[index],
            lower=None if self.lower is None else self.lower[index],
            upper=None if self.upper is None else self.upper[index],
        )

    def slope(self, w: Array, direction: Array) -> Array:
        kinks = jnp.where(w == 0.0, jnp.abs(direction), jnp.sign(w) * direction)
        return jnp.vdot(self.gradient(w), direction) + jnp.vdot(self.kink(w), kinks)

    def fenchel(self, w: Array, t: Array) -> Array:
        # R*(t) = max_x t x - R(x); of each weight the maximiser is known.
        c, kink, (lower, upper) = self.diagonal(w), self.kink(w), self.bounds(w)
        pull = _shrunk(t, kink)
        far = jnp.where(c > 0.0, pull / jnp.where(c > 0.0, c, 1.0), jnp.where(pull == 0.0, 0.0, pull * jnp.inf))
        x = jnp.clip(far, lower, upper)
        finite = jnp.isfinite(x)
        x = jnp.where(finite, x, w)
        # In differences, so that nothing cancels where w is nearly x: R is c-strongly convex beyond its tangent there.
        tangent = (t - c * x) * (x - w) - kink * (jnp.abs(x) - jnp.abs(w))
        return jnp.sum(jnp.where(finite, 0.5 * c * jnp.square(x - w) + jnp.maximum(tangent, 0.0), jnp.inf))

    def largest_multiple(self, t: Array) -> Array:
        kink, (lower, upper) = self.kink(t), self.bounds(t)
        unbounded = jnp.isinf(jnp.where(t > 0.0, upper, lower)) & (self.diagonal(t) == 0.0)
        over = unbounded & (jnp.abs(t) > kink) & (kink > 0.0)
        multiple = jnp.min(jnp.where(over, kink / jnp.where(over, jnp.abs(t), 1.0), 1.0))
        # Less rounding, which would put it beyond.
        return jnp.where(multiple < 1.0, multiple * (1.0 - 4.0 * float(jnp.finfo(t.dtype).eps)), multiple)

    def prox(self, w: Array, step: Array) -> Array:
        return jnp.clip(_shrunk(w, step * self.kink(w)) / (1.0 + step * self.diagonal(w)), *self.bounds(w))

    def within_bounds(self, w: Array) -> Array:
        return jnp.clip(w, self.lower, self.upper)

    def least_subgradient(self, w: Array, gradient: Array) -> Array:
        # gradient + ∂N(w) is an interval, without an end at a bound; of it the number nearest to zero.
        kink, (lower, upper) = self.kink(w), self.bounds(w)
        least = jnp.where(w <= lower, -jnp.inf, gradient + jnp.where(w > 0.0, kink, -kink))
        most = jnp.where(w >= upper, jnp.inf, gradient + jnp.where(w < 0.0, -kink, kink))
        nearest = jnp.clip(0.0, least, most)
        return jnp.where(jnp.isfinite(gradient), nearest, gradient)

    def active(self, w: Array) -> Array:
        # At a bound but for the rounding of a change of scale.
        near = 1.0 - 4.0 * float(jnp.finfo(w.dtype).eps)
        lower, upper = (near * bound for bound in self.bounds(w))
        return ((w != 0.0) | (self.kink(w) == 0.0)) & (w > lower) & (w < upper)

    def active_gradient(self, w: Array) -> Array:
        return self.gradient(w) + self.kink(w) * jnp.sign(w)

    def kink(self, w: Array) -> Array:
        return self.l1 * self.l1_factor

    def held_at_zero(self) -> "ElasticNet":
        """No L1, and what it would have penalised held at zero."""
        penalised, (lower, upper) = self.l1_factor > 0.0, self.bounds(self.l1_factor)
        lower, upper = (jnp.where(penalised, 0.0, bound) for bound in (lower, upper))
        return replace(self, l1=jnp.zeros_like(self.l1), lower=lower, upper=upper)

    def least_l1(self, slope: Array) -> Array:
        """The smallest ``l1`` at which weights of zero stay there against a slope of ``F``: a scalar."""
        lower, upper = self.bounds(slope)
        useful = jnp.maximum(jnp.where(upper > 0.0, -slope, 0.0), jnp.where(lower < 0.0, slope, 0.0))
        penalised = self.l1_factor > 0.0
        return jnp.max(jnp.where(penalised, useful / jnp.where(penalised, self.l1_factor, 1.0), 0.0))

    def bounds(self, w: Array) -> tuple[Array, Array]:
        """``lower`` and ``upper`` as arrays like ``w``."""
        inf = jnp.full(w.shape, jnp.inf, w.dtype)
        return -inf if self.lower is None else self.lower, inf if self.upper is None else self.upper


def _shrunk(x: Array, by: Array) -> Array:
    """``x`` moved towards zero by so much, and not beyond: the proximal map of ``|x|``."""
    return jnp.where(jnp.abs(x) <= by, 0.0, x - by * jnp.sign(x))
