"""Penalties: ``R`` in ``F(w) = L(A w) + R(w)``, what large weights cost.

A penalty is quadratic and separable, ``½ Σ cⱼ wⱼ²``. It gives its value, its gradient and ``c``, the
diagonal of its Hessian, over the flat weights, and itself in rescaled weights. Factors say which
weights it counts, and how much; the intercept's factor is zero.
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.tree_util import register_dataclass

__all__ = ["L2", "NoPenalty", "Penalty"]


class Penalty:
    """``R(w) = ½ Σ cⱼ wⱼ²``. Subclasses give ``value``, ``gradient``, ``diagonal`` and ``rescaled``."""

    def value(self, w: Array) -> Array:
        raise NotImplementedError

    def gradient(self, w: Array) -> Array:
        raise NotImplementedError

    def diagonal(self, w: Array) -> Array:
        """``c``, the Hessian's diagonal; zero where a weight is unpenalised."""
        raise NotImplementedError

    def rescaled(self, scale: Array) -> "Penalty":
        """The same penalty as a function of ``v = w scale``."""
        raise NotImplementedError


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

    def value(self, w: Array) -> Array:
        return 0.5 * self.strength * jnp.sum(self.factor * w * w)

    def gradient(self, w: Array) -> Array:
        return self.strength * self.factor * w

    def diagonal(self, w: Array) -> Array:
        return self.strength * self.factor

    def rescaled(self, scale: Array) -> "L2":
        return L2(self.strength, self.factor / (scale * scale))
