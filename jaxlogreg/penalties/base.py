"""What a penalty is, and that of nothing."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..pytrees import register_dataclass

__all__ = ["NoPenalty", "Penalty"]


@dataclass(frozen=True)
class Penalty:
    """``R(w) = ½ Σ cⱼ wⱼ² + N(w)``.

    A smooth one (``N = 0``) gives ``value``, ``gradient``, ``diagonal`` and ``rescaled``; the rest follows.
    """

    smooth: ClassVar[bool] = True
    convex: ClassVar[bool] = True
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

    def hessian(self, w: Array) -> Array:
        """``R''(w)`` where it is smooth, ``(n, n)``."""
        # diag by a product with the identity: jnp.diag scatters, which XLA on a CPU compiles slowly.
        return jnp.eye(w.shape[0], dtype=w.dtype) * self.diagonal(w)[None]

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

    def common_scale(self, scale: Array) -> Array:
        """The scale nearest to this one by which the penalty keeps its form."""
        return scale

    def repeated(self, count: int) -> "Penalty":
        """The same penalty of so many blocks of weights, one after the other."""
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
        return w

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
