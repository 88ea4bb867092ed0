"""Ridge: small weights, none of them zero."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..pytrees import register_dataclass
from .base import Penalty

__all__ = ["L2"]


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

    def repeated(self, count: int) -> "L2":
        return L2(self.strength, jnp.tile(self.factor, count))
