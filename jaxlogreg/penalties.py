"""Penalties: ``R`` in ``F(w) = L(A w) + R(w)``, what large weights cost.

A penalty is separable: ``R(w) = ½ Σ cⱼ wⱼ² + N(w)``, a quadratic and a part ``N`` with kinks (absolute
values, bounds) that is zero where a penalty is ``smooth``. Of the quadratic it gives gradient and curvature,
of ``N`` the least subgradient, and of both together the value, the proximal map and, for the duality gap, the
conjugate. Factors say which weights are penalised, and how much; the intercept's factor is zero.

Reference: Parikh & Boyd, Proximal Algorithms (2014), for the proximal maps; Rockafellar, Convex Analysis (1970),
section 31, for Fenchel's duality.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
from jax import Array
from jax.tree_util import register_dataclass

__all__ = ["L2", "ElasticNet", "NoPenalty", "Penalty"]


@dataclass(frozen=True)
class Penalty:
    """``R(w) = ½ Σ cⱼ wⱼ² + N(w)``.

    A smooth one (``N = 0``) gives ``value``, ``gradient``, ``diagonal`` and ``rescaled``; the rest follows.
    """

    smooth: ClassVar[bool] = True
    strengths: ClassVar[tuple[str, ...]] = ()  # the fields that say how strong it is, scalars

    def value(self, w: Array) -> Array:
        """``R(w)``, where ``w`` is within bounds."""
        raise NotImplementedError

    def gradient(self, w: Array) -> Array:
        """That of the quadratic."""
        raise NotImplementedError

    def diagonal(self, w: Array) -> Array:
        """``c``, the curvature of the quadratic."""
        raise NotImplementedError

    def free(self, w: Array) -> Array:
        """Which weights cost nothing whatever they are, ``(n,)``."""
        return self.diagonal(w) == 0.0

    def kink(self, w: Array) -> Array:
        """By how much the slope of ``N`` jumps at zero, halved; ``(n,)``."""
        return jnp.zeros_like(w)

    def slope(self, w: Array, direction: Array) -> Array:
        """The derivative of ``R`` at ``w`` along ``direction``, from the side that it points to."""
        return jnp.vdot(self.gradient(w), direction)

    def rescaled(self, scale: Array) -> "Penalty":
        """The same penalty as a function of ``v = w scale``."""
        raise NotImplementedError

    def weights(self, index: Array) -> "Penalty":
        """The same penalty of some of the weights."""
        raise NotImplementedError

    def fenchel(self, w: Array, t: Array) -> Array:
        """``R(w) + R*(t) - tᵀw``, at least 0; ``inf`` where ``t`` is not zero on a free weight."""
        c = self.diagonal(w)
        penalised = c > 0.0
        unpenalised = jnp.where(t == 0.0, 0.0, jnp.inf).astype(w.dtype)
        return jnp.sum(jnp.where(penalised, jnp.square(c * w - t) / jnp.where(penalised, 2.0 * c, 1.0), unpenalised))

    def largest_multiple(self, t: Array) -> Array:
        """The largest ``θ`` in [0, 1] for which ``R*(θ t)`` is finite on the penalised weights."""
        return jnp.ones((), t.dtype)

    def prox(self, w: Array, step: Array) -> Array:
        """``argmin_v ½ Σ (vⱼ - wⱼ)² / stepⱼ + R(v)``."""
        return w / (1.0 + step * self.diagonal(w))

    def within_bounds(self, w: Array) -> Array:
        """The nearest weights within bounds."""
        return self.prox(w, jnp.zeros((), w.dtype))

    def least_subgradient(self, w: Array, gradient: Array) -> Array:
        """The element of ``gradient + ∂N(w)`` with the least norm: zero at a minimum, like a gradient."""
        return gradient

    def active(self, w: Array) -> Array:
        """Where ``N`` is smooth at ``w``: the weights that move with the data, ``(n,)``."""
        return jnp.ones(w.shape, bool)

    def active_gradient(self, w: Array) -> Array:
        """``R'(w)`` where ``w`` is active."""
        return self.gradient(w)


@register_dataclass
@dataclass(frozen=True)
class NoPenalty(Penalty):
    """``R(w) = 0``."""

    def value(self, w: Array) -> Array:
        return jnp.zeros((), w.dtype)

    def gradient(self, w: Array) -> Array:
        return jnp.zeros_like(w)

    def diagonal(self, w: Array) -> Array:
        return jnp.zeros_like(w)

    def rescaled(self, scale: Array) -> "NoPenalty":
        return self


@register_dataclass
@dataclass(frozen=True)
class L2(Penalty):
    """Ridge: ``R(w) = strength/2 Σ factorⱼ wⱼ²``.

    Args:
        strength: λ, a scalar array, at least 0.
        factor: ``(n,)``, at least 0; 0 leaves a weight free.
    """

    strength: Array
    factor: Array

    strengths: ClassVar[tuple[str, ...]] = ("strength",)

    def value(self, w: Array) -> Array:
        return 0.5 * self.strength * jnp.sum(self.factor * w * w)

    def gradient(self, w: Array) -> Array:
        return self.strength * self.factor * w

    def diagonal(self, w: Array) -> Array:
        return self.strength * self.factor

    def rescaled(self, scale: Array) -> "L2":
        return L2(self.strength, self.factor / (scale * scale))


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

    def bounds(self, w: Array) -> tuple[Array, Array]:
        """``lower`` and ``upper`` as arrays like ``w``."""
        inf = jnp.full(w.shape, jnp.inf, w.dtype)
        return -inf if self.lower is None else self.lower, inf if self.upper is None else self.upper


def _shrunk(x: Array, by: Array) -> Array:
    """``x`` moved towards zero by so much, and not beyond: the proximal map of ``|x|``."""
    return jnp.where(jnp.abs(x) <= by, 0.0, x - by * jnp.sign(x))
