"""Truncated Newton: the Newton equation solved by conjugate gradients, as far as it pays, without a Hessian.

    ∇²F d ≈ -∇F,   until ‖∇²F d + ∇F‖ ≤ η ‖∇F‖,   η = min(½, √‖∇F‖)

Each inner step takes one product with the Hessian, ``Aᵀ(L''(z) (A v)) + R'' v``: two reads of the data, or for a plain
function a derivative along ``v`` of its gradient. Far from the optimum few inner steps do, near it the equation is
solved ever better, and the convergence is faster than linear. Where the Hessian curves downwards along an inner
direction, the inner loop stops there: what it has found so far descends. O(n) memory.

Reference: Nocedal & Wright, Numerical Optimization (2006), algorithm 7.1; Dembo, Eisenstat & Steihaug (1982).
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .line_search import search
from .preconditioner import unit_diagonal, unit_gradient

__all__ = ["NewtonCG"]

MAX_INNER_STEPS = 200
LEAST_ACCURACY = 0.5


@register_dataclass
@dataclass(frozen=True)
class NewtonCG(Solver):
    """Truncated Newton. For many weights, where no Hessian fits, and for functions with costly line searches.

    The inner conjugate gradients are preconditioned by the diagonal, in standardised columns.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.NewtonCG()).params.round(3)
    Array([1., 1.], dtype=float32)
    """

    default_max_steps: ClassVar[int] = 200
    patience: ClassVar[int] = 20

    def passes(self, state: Array) -> Array:
        return 2 + 2 * state

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> Array:
        return jnp.int32(0)  # inner steps

    def advance(self, problem: Problem, point: Point, state: Array, lanes: Lanes) -> tuple[Point, Array, Array]:
        direction, inner_steps = _newton_direction(problem, point, lanes)
        new, found = search(problem, point, direction, lanes)
        return new, inner_steps, ~found


def _newton_direction(problem: Problem, point: Point, lanes: Lanes) -> tuple[Array, Array]:
    """``d`` with ``∇²F d ≈ -∇F`` that descends, and the inner steps it took."""
    g, diagonal = point.gradient, unit_diagonal(problem, point.w)
    hessian = problem.hessian_product(point)
    size = jnp.vdot(g, g / diagonal)
    goal = jnp.minimum(LEAST_ACCURACY**2, jnp.sqrt(size)) * size
    tiny = float(jnp.finfo(g.dtype).eps)

    def going(carry: tuple[Array, ...]) -> Array:
        *_, left, curved, count = carry
        return lanes.any((left > goal) & curved & (count < MAX_INNER_STEPS))

    def go_on(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        d, residual, along, left, curved, count = carry
        goes = (left > goal) & curved & (count < MAX_INNER_STEPS)
        product = hessian(along)
        curvature = jnp.vdot(along, product)
        curved = curvature > tiny * jnp.vdot(along, along * diagonal)
        step = left / jnp.where(curved, curvature, 1.0)
        # Downwards, or flat, already at the first: along the gradient, which knows no scale.
        alone = jnp.where(count == 0, -unit_gradient(problem, point), d)
        next_d, next_residual = jnp.where(curved, d + step * along, alone), residual + step * product
        next_left = jnp.vdot(next_residual, next_residual / diagonal)
        next_along = -next_residual / diagonal + (next_left / jnp.where(left > 0.0, left, 1.0)) * along
        found = next_d, next_residual, next_along, next_left, curved, count + 1
        return tuple(jnp.where(goes, new, old) for new, old in zip(found, carry, strict=True))

    start = jnp.zeros_like(g), g, -g / diagonal, size, jnp.ones((), bool), jnp.int32(0)
    d, *_, count = lax.while_loop(going, go_on, start)
    return d, count
