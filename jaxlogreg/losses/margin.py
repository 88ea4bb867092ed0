"""Margin losses: ``L(z)``, a pure function of the margins; what every loss gives, and losses that users write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..linear_maps import Index, LinearMap
from ..pytrees import register_dataclass
from .elementwise import floating, normalized, with_offset

__all__ = ["ElementwiseLoss", "FunctionLoss", "MarginLoss", "from_function"]


class MarginLoss:
    """``L(z)``: a pure function of the margins, with labels, weights and offset as its data.

    A subclass gives ``value``, ``residual`` (``∂L/∂z``, the shape of ``z``) and ``hessian``. What it
    knows of itself it says in the class attributes: ``convex`` frees the line search from values,
    ``curvature_bound`` (of ``∂²L/∂z²`` for unit weights) gives gradient descent its safe step, ``has_dual``
    says that the residual is a feasible point of a known dual.
    """

    convex: ClassVar[bool] = False
    curvature_bound: ClassVar[float | None] = None
    has_dual: ClassVar[bool] = False

    def value(self, z: Array) -> Array:
        raise NotImplementedError

    def residual(self, z: Array) -> Array:
        raise NotImplementedError

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        """``Aᵀ L''(z) A`` for the linear map ``A``."""
        raise NotImplementedError

    def curvature(self, z: Array) -> Array | None:
        """The diagonal of ``L''(z)``, or a bound of its size, the shape of ``z``; None where there are no rows."""
        return None

    def row_weights(self) -> Array | None:
        """The weight of each row, summing to one; None where the loss has no rows."""
        return None

    def taking(self, index: Index) -> Self:
        """The part of the loss that comes from some rows, a slice or their numbers; their weights stay as they are."""
        weights = self.row_weights()
        rows = None if weights is None else weights.shape
        # Rows are the last axis of labels, weights and offsets.
        return jax.tree.map(lambda x: x[..., index] if x.shape[-1:] == rows else x, self)

    def value_and_residual(self, z: Array) -> tuple[Array | None, Array]:
        """What a trial of the line search needs: no value where the gradient alone decides."""
        return (None if self.convex else self.value(z)), self.residual(z)

    def separates(self, z: Array) -> Array:
        """Whether margins in the direction ``z`` classify every row rightly, and strictly."""
        return jnp.zeros((), bool)

    def balance(self, z: Array, pull: Array) -> tuple[Array, Array]:
        """From the residual at ``z``, which sums to ``-pull``, to a dual feasible ``u`` that sums to zero.

        A free intercept demands it. Returns ``u - L'(z)``, and a bound on ``L(z) + L*(u) - uᵀz``, which is zero where
        ``u`` is the residual. Only where ``has_dual``.
        """
        raise NotImplementedError

    def fenchel(self, z: Array, u: Array) -> Array:
        """``L(z) + L*(u) - uᵀz`` for a dual feasible ``u``; at least 0, and 0 where ``u`` is the residual."""
        raise NotImplementedError


@register_dataclass
@dataclass(frozen=True)
class ElementwiseLoss(MarginLoss):
    """``L(z) = Σ wᵢ ℓ(zᵢ + oᵢ, yᵢ)`` for a loss the user writes; see :func:`from_function`."""

    function: Callable[[Array, Array], Array] = field(metadata={"static": True})
    y: Array
    weight: Array
    offset: Array | None = None

    def value(self, z: Array) -> Array:
        return jnp.sum(self.weight * self.function(with_offset(z, self.offset), self.y))

    def residual(self, z: Array) -> Array:
        return jax.grad(self.value)(z)

    def curvature(self, z: Array) -> Array:
        return jnp.abs(self._second_derivative(z))

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return linear_map.gram(self._second_derivative(z))

    def _second_derivative(self, z: Array) -> Array:
        # Elementwise, so the Hessian in z is diagonal: one Hessian-vector product with ones.
        return jax.jvp(self.residual, (z,), (jnp.ones_like(z),))[1]

    def row_weights(self) -> Array:
        return self.weight

    def value_and_residual(self, z: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(self.value)(z)


def from_function(
    function: Callable[[Array, Array], Array],
    y: Array,
    *,
    sample_weight: ArrayLike | None = None,
    offset: Array | None = None,
) -> ElementwiseLoss:
    """A margin loss from a pure, elementwise function ``ℓ(z, y)`` of margins and labels.

    Args:
        function: maps margins ``(m,)`` and labels ``(m,)`` to losses ``(m,)``, each from its own
            row alone. It need not be convex: the line search then watches values too. Pass the same
            function object each time (not a new lambda), and nothing recompiles.
        y: labels or responses, ``(m,)``, in the dtype of the margins.
        sample_weight: ``(m,)``; ones when None.
        offset: added to the margins, ``(m,)``.

    >>> import jaxlogreg as jlr
    >>> def poisson(z, y):
    ...     return jnp.exp(z) - y * z
    >>> y = jnp.array([1.0, 3.0, 2.0])
    >>> problem = jlr.Problem(from_function(poisson, y), jlr.Dense(jnp.ones((3, 1))), jlr.NoPenalty())
    >>> jnp.exp(jlr.minimize(problem, jnp.zeros(1), solver=jlr.LBFGS()).params).round(4)  # the mean
    Array([2.], dtype=float32)
    """
    y = floating(y)
    return ElementwiseLoss(function, y, normalized(sample_weight, y), offset)


@register_dataclass
@dataclass(frozen=True)
class FunctionLoss(MarginLoss):
    """Any pure, scalar function of a flat vector and of other arguments, as the loss over the identity map."""

    function: Callable[..., Array] = field(metadata={"static": True})
    args: tuple[Any, ...] = ()

    def value(self, z: Array) -> Array:
        return self.function(z, *self.args)

    def residual(self, z: Array) -> Array:
        return jax.grad(self.value)(z)

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return jax.hessian(self.value)(z)

    def value_and_residual(self, z: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(self.value)(z)
