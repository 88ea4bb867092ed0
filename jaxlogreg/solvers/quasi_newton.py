"""Quasi-Newton: curvature learned from the gradients met on the way.

L-BFGS keeps the last ``memory`` pairs of steps ``s`` and gradient differences ``y`` and applies the
inverse Hessian they imply by the two-loop recursion, from ``H₀ = (s·y / y·y) I``. Two reads of the
data and O(n) memory a step, however many columns. Pairs without positive curvature are left out
(cautious updates), so that the direction always descends.

Reference: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5; Li & Fukushima
(2001) for cautious updates.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import register_dataclass

from ..problem import Point, Problem
from .line_search import search

__all__ = ["LBFGS"]


@register_dataclass
@dataclass(frozen=True)
class _Memory:
    """The last pairs, oldest first; where there is none, ``inverse_curvature`` (and ``scaling``) is 0."""

    steps: Array
    changes: Array
    inverse_curvature: Array
    scaling: Array


@register_dataclass
@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS. For any number of weights, and for any smooth function.

    Args:
        memory: how many pairs are kept.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.LBFGS()).params.round(3)
    Array([1., 1.], dtype=float32)
    """

    memory: int = field(default=10, metadata={"static": True})

    default_max_steps: ClassVar[int] = 1000
    patience: ClassVar[int] = 100
    passes_per_step: ClassVar[int] = 2
    standardizes: ClassVar[bool] = True

    def passes_at_start(self) -> int:
        return 0

    def init(self, problem: Problem, point: Point) -> _Memory:
        return self._forget(point.w)

    def advance(self, problem: Problem, point: Point, state: _Memory) -> tuple[Point, _Memory, Array]:
        new, found = search(problem, point, -self._apply(state, point.gradient))
        # A failed search forgets the pairs and tries the gradient next; failing that too, it is over.
        failed = ~found & jnp.all(state.inverse_curvature == 0.0)
        remembered = self._remember(state, new.w - point.w, new.gradient - point.gradient)
        state = _where(found, remembered, self._forget(point.w))
        return new, state, failed

    def _forget(self, w: Array) -> _Memory:
        pairs, numbers = jnp.zeros((self.memory, w.shape[0]), w.dtype), jnp.zeros((self.memory,), w.dtype)
        return _Memory(pairs, pairs, numbers, jnp.zeros((), w.dtype))

    def _remember(self, state: _Memory, step: Array, change: Array) -> _Memory:
        curvature, squared = jnp.vdot(step, change), jnp.vdot(change, change)
        eps = float(jnp.finfo(step.dtype).eps)
        keep = curvature > eps * jnp.sqrt(jnp.vdot(step, step) * squared)
        remembered = _Memory(
            _append(state.steps, step),
            _append(state.changes, change),
            _append(state.inverse_curvature, 1.0 / jnp.where(keep, curvature, 1.0)),
            curvature / jnp.where(keep, squared, 1.0),
        )
        return _where(keep, remembered, state)

    def _apply(self, state: _Memory, gradient: Array) -> Array:
        """``H ∇F`` by the two-loop recursion."""
        rho = state.inverse_curvature

        def newest_to_oldest(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            q, alphas = carry
            i = self.memory - 1 - k
            alpha = rho[i] * jnp.vdot(state.steps[i], q)
            return q - alpha * state.changes[i], alphas.at[i].set(alpha)

        def oldest_to_newest(i: Array, q: Array) -> Array:
            beta = rho[i] * jnp.vdot(state.changes[i], q)
            return q + (alphas[i] - beta) * state.steps[i]

        q, alphas = lax.fori_loop(0, self.memory, newest_to_oldest, (gradient, jnp.zeros_like(rho)))
        # Without a pair to tell the scale, the first trial step has length one.
        scaling = jnp.where(state.scaling > 0.0, state.scaling, lax.rsqrt(jnp.vdot(gradient, gradient)))
        return lax.fori_loop(0, self.memory, oldest_to_newest, scaling * q)


def _append(rows: Array, row: Array) -> Array:
    return jnp.concatenate([rows[1:], row[None]])


def _where(condition: Array, chosen: _Memory, other: _Memory) -> _Memory:
    return _Memory(
        jnp.where(condition, chosen.steps, other.steps),
        jnp.where(condition, chosen.changes, other.changes),
        jnp.where(condition, chosen.inverse_curvature, other.inverse_curvature),
        jnp.where(condition, chosen.scaling, other.scaling),
    )
