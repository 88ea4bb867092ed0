"""Group lasso: groups of weights that are zero together, as the indicators of one categorical column should be."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..pytrees import register_dataclass
from .base import Penalty
from .elastic_net import ElasticNet

__all__ = ["GroupLasso"]


@register_dataclass
@dataclass(frozen=True)
class GroupLasso(Penalty):
    """``R(w) = l2/2 Σ fⱼ uⱼ² + l1 Σ_g f_g √|g| ‖u_g‖`` with ``u = w scale``: whole groups are zero, or none of it is.

    Groups of one weight each make it the lasso. The proximal map is known where ``scale`` is the same within each
    group; solvers choose coordinates in which it is.

    Args:
        l2, l1: scalar arrays, at least 0.
        factor: ``f``, ``(n,)``, at least 0, the same within a group; 0 leaves a group free.
        group: ``(n,)`` integers: weights of the same number are one group.
        scale: ``(n,)``, above 0.

    Reference: Yuan & Lin, Model selection and estimation in regression with grouped variables (2006); Meier, van de
    Geer & Bühlmann, The group lasso for logistic regression (2008).
    """

    l2: Array
    l1: Array
    factor: Array
    group: Array
    scale: Array

    smooth: ClassVar[bool] = False
    strengths: ClassVar[tuple[str, ...]] = ("l2", "l1")

    def value(self, w: Array) -> Array:
        return 0.5 * jnp.vdot(w, self.gradient(w)) + self._sum_over_groups(self.kink(w) * self._norm(w * self.scale))

    def gradient(self, w: Array) -> Array:
        return self.diagonal(w) * w

    def diagonal(self, w: Array) -> Array:
        return self.l2 * self.factor * jnp.square(self.scale)

    def free(self, w: Array) -> Array:
        return (self.l2 * self.factor == 0.0) & (self.kink(w) == 0.0)

    def rescaled(self, scale: Array) -> "GroupLasso":
        return replace(self, scale=self.scale / scale)

    def common_scale(self, scale: Array) -> Array:
        if scale.shape != self.group.shape:
            raise ValueError(
                f"GroupLasso needs the group of each weight and knows no classes: it has {self.group.shape[0]} for "
                f"{scale.shape[0]} columns"
            )
        size = self._size(scale)
        return self.scale * jnp.sqrt(self._total(jnp.square(scale / self.scale)) / size)

    def weights(self, index: Array) -> "GroupLasso":
        raise ValueError("working_set is for penalties of single weights; with GroupLasso use ProximalNewton()")

    def slope(self, w: Array, direction: Array) -> Array:
        u, step = w * self.scale, direction * self.scale
        norm = self._norm(u)
        along = jnp.where(norm > 0.0, self._total(u * step) / _or_one(norm), self._norm(step))
        return jnp.vdot(self.gradient(w), direction) + self._sum_over_groups(self.kink(w) * along)

    def fenchel(self, w: Array, t: Array) -> Array:
        # As for single weights, in differences: x is where R* has its maximum.
        c, kink, u, pull = self.l2 * self.factor, self.kink(w), w * self.scale, t / self.scale
        over = _left(self._norm(pull), kink)
        finite = (c > 0.0) | (over == 0.0)
        x = jnp.where(finite, over * pull / _or_one(c), u)
        tangent = self._total((pull - c * x) * (x - u)) - kink * (self._norm(x) - self._norm(u))
        each = 0.5 * c * self._total(jnp.square(x - u)) + jnp.maximum(tangent, 0.0)
        return self._sum_over_groups(jnp.where(finite, each, jnp.inf))

    def largest_multiple(self, t: Array) -> Array:
        kink, norm = self.kink(t), self._norm(t / self.scale)
        over = (self.l2 * self.factor == 0.0) & (kink > 0.0) & (norm > kink)
        multiple = jnp.min(jnp.where(over, kink / _or_one(norm), 1.0))
        # Less the rounding of the norms, which would put it beyond.
        eps = float(jnp.finfo(t.dtype).eps)
        return jnp.where(multiple < 1.0, multiple * (1.0 - eps * (4.0 + jnp.max(self._size(t)))), multiple)

    def prox(self, w: Array, step: Array) -> Array:
        kept = _left(self._norm(w), step * self.kink(w) * self.scale)
        return kept * w / (1.0 + step * self.diagonal(w))

    def least_subgradient(self, w: Array, gradient: Array) -> Array:
        rest = _left(self._norm(gradient / self.scale), self.kink(w))
        return jnp.where(self._norm(w * self.scale) > 0.0, gradient + self._kinked_gradient(w), rest * gradient)

    def active(self, w: Array) -> Array:
        return (self._norm(w * self.scale) > 0.0) | (self.kink(w) == 0.0)

    def active_gradient(self, w: Array) -> Array:
        return self.gradient(w) + self._kinked_gradient(w)

    def kink(self, w: Array) -> Array:
        return self.l1 * self.factor * jnp.sqrt(self._size(w))

    def held_at_zero(self) -> ElasticNet:
        """No L1, and what it would have penalised held at zero."""
        bound = jnp.where(self.factor > 0.0, 0.0, jnp.inf)
        factor, nothing = self.factor * jnp.square(self.scale), jnp.zeros_like(self.factor)
        return ElasticNet(self.l2, jnp.zeros_like(self.l1), factor, nothing, -bound, bound)

    def least_l1(self, slope: Array) -> Array:
        """The smallest ``l1`` at which weights of zero stay there against a slope of ``F``: a scalar."""
        kink = self.factor * jnp.sqrt(self._size(slope))
        return jnp.max(jnp.where(kink > 0.0, self._norm(slope / self.scale) / _or_one(kink), 0.0))

    def _kinked_gradient(self, w: Array) -> Array:
        u = w * self.scale
        return self.kink(w) * self.scale * u / _or_one(self._norm(u))

    def _total(self, x: Array) -> Array:
        """The sum of each weight's group, ``(n,)``."""
        together = self.group[:, None] == self.group[None]
        return jnp.sum(jnp.where(together, x[None], 0.0), axis=1)

    def _size(self, x: Array) -> Array:
        return self._total(jnp.ones_like(x))

    def _norm(self, u: Array) -> Array:
        """The norm of each weight's group; where it is zero, so is its derivative."""
        square = self._total(u * u)
        return jnp.where(square > 0.0, jnp.sqrt(_or_one(square)), square)

    def _sum_over_groups(self, x: Array) -> Array:
        return jnp.sum(x / self._size(x))


def _left(norm: Array, by: Array) -> Array:
    """The part of a vector of this norm that is left when it is moved towards zero by so much, and not beyond."""
    return jnp.where(norm <= by, 0.0, 1.0 - by / _or_one(norm))


def _or_one(x: Array) -> Array:
    return jnp.where(x == 0.0, 1.0, x)
