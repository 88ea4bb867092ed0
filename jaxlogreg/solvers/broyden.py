"""BFGS and DFP: the whole inverse Hessian, learned from the gradients met on the way.

From a step ``s`` and the change ``y`` of the gradient along it, each makes the approximation ``H`` of the inverse
Hessian satisfy the secant equation ``H y = s`` and stay as near to the last one as it can, each in its own measure:

    BFGS:  H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ,      ρ = 1 / sᵀy
    DFP:   H ← H - (H y)(H y)ᵀ / yᵀH y + s sᵀ / sᵀy

The first guess is the identity, scaled to the first pair. Pairs without positive curvature are left out, so that the
direction ``-H ∇F`` always descends. ``n²`` memory and operations a step; where that is much, L-BFGS.

Reference: Nocedal & Wright, Numerical Optimization (2006), section 6.1; Davidon (1959), Fletcher & Powell (1963).
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..lanes import Lanes
from ..linear_solve import times
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .line_search import search
from .preconditioner import unit_diagonal, unit_gradient

__all__ = ["BFGS", "DFP"]


@register_dataclass
@dataclass(frozen=True)
class _State:
    """``H``, and whether it has learned anything; before that, it is the identity without a scale."""

    inverse: Array
    learned: Array


class _Broyden(Solver):
    """A method of Broyden's family: how ``H`` is updated is what they differ in."""

    tolerant: ClassVar[bool] = True  # of steps that are not nearly exact

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _State:
        return _State(jnp.zeros((w.shape[0], w.shape[0]), w.dtype), jnp.zeros((), bool))

    def advance(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> tuple[Point, _State, Array]:
        learned = times(state.inverse, point.gradient)
        direction = -jnp.where(state.learned, learned, unit_gradient(problem, point))
        new, found = search(problem, point, direction, lanes, quasi_newton=self.tolerant)
        s, y, diagonal = new.w - point.w, new.gradient - point.gradient, unit_diagonal(problem, new.w)
        curvature, squared = jnp.vdot(s, y), jnp.vdot(y, y / diagonal)
        eps = float(jnp.finfo(s.dtype).eps)
        keep = found & (curvature > eps * jnp.sqrt(jnp.vdot(s, s * diagonal) * squared))
        first = jnp.eye(s.shape[0], dtype=s.dtype) * (curvature / (jnp.where(keep, squared, 1.0) * diagonal))[None]
        H = jnp.where(state.learned, state.inverse, first)
        H = jnp.where(keep, self._updated(H, s, y, jnp.where(keep, curvature, 1.0)), H)
        # A failed search forgets everything and tries the gradient next; failing that too, it is over.
        return new, _State(H, found & (state.learned | keep)), ~found & ~state.learned

    def _updated(self, H: Array, s: Array, y: Array, curvature: Array) -> Array:
        raise NotImplementedError


@register_dataclass
@dataclass(frozen=True)
class BFGS(_Broyden):
    """Broyden, Fletcher, Goldfarb and Shanno's method. For up to some thousands of weights, and any smooth function.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.BFGS()).params.round(3)
    Array([1., 1.], dtype=float32)
    """

    def _updated(self, H: Array, s: Array, y: Array, curvature: Array) -> Array:
        turned, s = times(H, y), s / curvature
        own = curvature + jnp.vdot(y, turned)
        return H + own * s[:, None] * s[None] - turned[:, None] * s[None] - s[:, None] * turned[None]


@register_dataclass
@dataclass(frozen=True)
class DFP(_Broyden):
    """Davidon, Fletcher and Powell's method: the first of its kind, and slower than BFGS to correct a bad ``H``.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> quadratic = lambda x: (x[0] - 1.0) ** 2 + 10.0 * (x[1] + x[0]) ** 2
    >>> jlr.minimize(quadratic, jnp.zeros(2), solver=jlr.DFP()).params.round(3)
    Array([ 1., -1.], dtype=float32)
    """

    tolerant: ClassVar[bool] = False

    def _updated(self, H: Array, s: Array, y: Array, curvature: Array) -> Array:
        turned = times(H, y)
        own = jnp.vdot(y, turned)
        positive = own > 0.0  # not, where rounding has spoilt H
        turned = jnp.where(positive, turned, 0.0)
        return H + s[:, None] * (s / curvature)[None] - turned[:, None] * (turned / jnp.where(positive, own, 1.0))[None]
