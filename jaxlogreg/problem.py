"""The problem: ``F(w) = L(A w) + R(w)``, and a point of it with what solvers carry along.

A step ``w + t d`` moves the margins by ``t (A d)``. So a :class:`Point` holds the weights with their
margins, residual and gradient, and one solver step costs one ``A d`` and one ``Aᵀ r``, whatever the
line search tries in between.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .lanes import Lanes, alone, compute_if
from .linear_maps import LinearMap
from .losses import MarginLoss
from .penalties import Penalty
from .pytrees import register_dataclass

__all__ = ["Point", "Problem"]


@register_dataclass
@dataclass(frozen=True)
class Point:
    """Flat weights ``w``, margins ``z = A w``, and the gradient of ``F`` at them.

    ``value`` is ``F(w)`` where the line search needs it, None where ``F`` is convex.
    """

    w: Array
    z: Array
    gradient: Array
    value: Array | None


@register_dataclass
@dataclass(frozen=True)
class Problem:
    """Minimise ``F(w) = L(A w) + R(w)`` over flat weights ``w``.

    Args:
        loss: ``L``, a :class:`~jaxlogreg.losses.MarginLoss`.
        linear_map: ``A``, a :class:`~jaxlogreg.linear_maps.LinearMap`.
        penalty: ``R``, a :class:`~jaxlogreg.penalties.Penalty`.

    >>> import jaxlogreg as jlr
    >>> X, y = jnp.array([[-1.0], [0.5], [-0.5], [1.0]]), jnp.array([0.0, 0.0, 1.0, 1.0])
    >>> problem = Problem(jlr.losses.BinaryCrossEntropy.create(y), jlr.Dense(X), jlr.NoPenalty())
    >>> jlr.minimize(problem, jnp.zeros(1), solver=jlr.Newton()).params
    Array([0.83...], dtype=float32)
    """

    loss: MarginLoss
    linear_map: LinearMap
    penalty: Penalty

    def margins_shape(self, w: Array) -> tuple[int, ...]:
        return jax.eval_shape(self.linear_map.mv, w).shape

    def value(self, w: Array) -> Array:
        """``F(w)``."""
        return self.value_at(w, self.linear_map.mv(w))

    def value_at(self, w: Array, z: Array) -> Array:
        """``F(w)`` from carried margins."""
        return self.loss.value(z) + self.penalty.value(w)

    @property
    def convex(self) -> bool:
        return self.loss.convex and self.penalty.convex

    def value_and_residual(self, w: Array, z: Array) -> tuple[Array | None, Array]:
        """``F(w)``, None where ``F`` is convex and its gradient alone decides, and the residual ``L'(z)``."""
        value, residual = self.loss.value_and_residual(z)
        if self.convex:
            return None, residual
        return (self.loss.value(z) if value is None else value) + self.penalty.value(w), residual

    def gradient(self, w: Array) -> Array:
        """``∇F(w) = Aᵀ L'(A w) + R'(w)``."""
        return self.gradient_at(w, self.loss.residual(self.linear_map.mv(w)))

    def gradient_at(self, w: Array, residual: Array) -> Array:
        """``∇F(w)`` from the residual ``L'(z)``: one ``Aᵀ r``."""
        return self.linear_map.rmv(residual) + self.penalty.gradient(w)

    def hessian(self, w: Array, z: Array | None = None) -> Array:
        """``∇²F = Aᵀ L''(z) A + R''``, ``(n, n)``."""
        z = self.linear_map.mv(w) if z is None else z
        return self.loss.hessian(self.linear_map, z) + self.penalty.hessian(w)

    def hessian_product(self, point: Point) -> Callable[[Array], Array]:
        """``v ↦ ∇²F v``, two reads of the data a product; what it needs at the point is computed once."""
        _, loss = jax.linearize(self.loss.residual, point.z)
        _, penalty = jax.linearize(self.penalty.gradient, point.w)
        return lambda v: self.linear_map.rmv(loss(self.linear_map.mv(v))) + penalty(v)

    def point(self, w: Array) -> Point:
        """``w`` with margins and gradient computed afresh: two reads of the data, at zero one."""
        z = compute_if(jnp.any(w != 0.0), self.linear_map.mv, w, jnp.zeros(self.margins_shape(w), w.dtype))
        value, residual = self.value_and_residual(w, z)
        return Point(w, z, self.gradient_at(w, residual), value)

    def has_no_optimum(self, w: Array, z: Array, lanes: Lanes | None = None) -> Array:
        """Whether ``w``, with margins ``z``, proves that ``F`` has no finite minimiser.

        So it is when the unpenalised part of ``w`` alone classifies every row rightly: along it the
        loss falls for ever, and nothing holds it back. Only where some columns are penalised and others
        are not does this read the data.
        """
        intercept, free = self.linear_map.intercept_mask(), self.penalty.free(w)
        constant = jnp.where(free & intercept, w, 0.0)
        mixed = jnp.any(free & ~intercept & (w != 0.0)) & ~jnp.all(free)
        # Without reading: all margins, or those of the constant alone.
        margins = jnp.sum(constant.reshape(*z.shape[:-1], -1), axis=-1, keepdims=True)
        unread = self.loss.separates(jnp.where(jnp.all(free), z, margins))

        def separates(part: Array) -> Array:
            return self.loss.separates(self.linear_map.mv(part))

        return compute_if((lanes or alone()).any(mixed), separates, jnp.where(free, w, 0.0), unread)

    def stationarity(self, point: Point) -> Array:
        """The least subgradient of ``F``, its gradient where the penalty is smooth: zero at a minimum."""
        return self.penalty.least_subgradient(point.w, point.gradient)

    def duality_gap(self, point: Point) -> Array:
        """``F(w)`` minus the value of a dual point near it: a bound on ``F(w) - min F``.

        The dual of ``min L(A w) + R(w)`` is ``max -L*(u) - R*(-Aᵀu)``. At the residual ``u = L'(z)`` the two differ by
        ``R(w) + R*(-Aᵀu) + uᵀA w``, for a ridge ``Σ (∂F/∂wⱼ)² / (2 cⱼ)``, which loses no digits. A free intercept asks
        that ``u`` sum to zero, so it is moved there; the lasso, that no ``|Aᵀu|ⱼ`` be above ``l1 bⱼ``, so ``u`` is
        scaled down. Any other free weight would ask for ``(Aᵀu)ⱼ = 0`` exactly; then, or where no dual is known, the
        gap is ``inf``.
        """
        loss, penalty, w, z = self.loss, self.penalty, point.w, point.z
        if not loss.has_dual:
            return jnp.full((), jnp.inf, w.dtype)
        intercept = self.linear_map.intercept_mask()
        pull, move, slack = penalty.gradient(w) - point.gradient, jnp.zeros_like(z), jnp.zeros((), w.dtype)
        if intercept.any():
            move, slack = loss.balance(z, pull[np.flatnonzero(intercept)].reshape(z.shape[:-1]))
            pull = jnp.where(penalty.free(w) & intercept, 0.0, pull - self.linear_map.rmv(move))
        if penalty.smooth:
            return slack + penalty.fenchel(w, pull)
        multiple = penalty.largest_multiple(pull)
        return loss.fenchel(z, multiple * (loss.residual(z) + move)) + penalty.fenchel(w, multiple * pull)
