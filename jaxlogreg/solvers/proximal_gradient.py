"""Proximal gradient: a gradient step on the loss, then the proximal map of the penalty.

    v = prox(y - τ ∇L(A y), τ),   y = w + momentum (w - the one before)

Without momentum it is ISTA, with it FISTA; momentum starts again where it points uphill. The step ``τ`` starts
long and is halved while the loss bends more along it than ``1/τ``, so that no Gram and no eigenvalue is needed: for
any number of columns.

Reference: Beck & Teboulle, A fast iterative shrinkage-thresholding algorithm (2009); O'Donoghue & Candès, Adaptive
restart for accelerated gradient schemes (2015).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver

__all__ = ["ProximalGradient"]

FIRST_STEP = 4.0  # 1 / (bound of the logistic curvature) for one column of variance one
SLACK = 8.0  # roundings by which the test of a step may be missed


@register_dataclass
@dataclass(frozen=True)
class _State:
    """The iterate before, with its margins, the step, the steps since a restart, and the trials of the last step."""

    w: Array
    z: Array
    step: Array
    age: Array
    trials: Array


@register_dataclass
@dataclass(frozen=True)
class ProximalGradient(Solver):
    """ISTA and FISTA. For learning and for comparing, and where even a working set's Gram is too much.

    Args:
        acceleration: with Nesterov's momentum (FISTA), or without (ISTA).

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0, 1.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 1.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit(X, y, l1=0.2, solver=jlr.ProximalGradient()).params.coef.round(2)
    Array([0.44, 0.  ], dtype=float32)
    """

    acceleration: bool = field(default=True, metadata={"static": True})

    default_max_steps: ClassVar[int] = 10_000
    patience: ClassVar[int] = 1000
    proximal: ClassVar[bool] = True

    def passes(self, state: _State) -> Array:
        return state.trials + (2 if self.acceleration else 1)

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _State:
        zero = jnp.zeros((), w.dtype)
        z = jnp.zeros(problem.margins_shape(w), w.dtype)
        return _State(w, z, zero + FIRST_STEP, zero, jnp.int32(0))

    def advance(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> tuple[Point, _State, Array]:
        penalty = problem.penalty
        y, z = point.w, point.z
        if self.acceleration:
            momentum = state.age / (state.age + 3.0)
            y, z = y + momentum * (y - state.w), z + momentum * (z - state.z)
        residual, eps = problem.loss.residual(z), float(jnp.finfo(point.w.dtype).eps)
        # Without momentum the gradient here is known.
        known = point.gradient - penalty.gradient(point.w)
        gradient = problem.linear_map.rmv(residual) if self.acceleration else known

        def attempt(trial: tuple[Any, ...]) -> tuple[Any, ...]:
            step, *_, count = trial
            v = penalty.prox(y - step * gradient, step)
            margins = problem.linear_map.mv(v)
            value, residual_there = problem.value_and_residual(v, margins)
            moved = v - y
            bend = jnp.sum((residual_there - residual) * (margins - z))
            size = jnp.vdot(moved, moved)
            # Below rounding the test says nothing.
            short = (bend * step <= size * (1.0 + SLACK * eps)) | (size <= eps * jnp.vdot(v, v) * eps)
            if value is not None:  # where F is not convex it may bend downwards, up to a wall
                short &= jnp.isfinite(value)
            return jnp.where(short, step, 0.5 * step), v, margins, value, residual_there, short, count + 1

        start = state.step, y, z, point.value, residual, jnp.zeros((), bool), jnp.int32(0)
        step, v, margins, value, residual, found, count = lax.while_loop(
            lambda trial: lanes.any(~trial[5]) & (trial[6] < 40), attempt, start
        )
        uphill = jnp.vdot(y - v, v - point.w) > 0.0
        moves = lanes.active & found
        there = Point(v, margins, problem.gradient_at(v, residual), value)
        new = jax.tree.map(lambda new, old: jnp.where(moves, new, old), there, point)
        age = jnp.where(uphill, 0.0, state.age + 1.0)
        return new, _State(point.w, point.z, step, age, count), ~found
