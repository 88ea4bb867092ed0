"""Quasi-Newton: curvature learned from the gradients met on the way.

L-BFGS keeps the last ``memory`` pairs of steps ``s`` and gradient differences ``y`` and applies the
inverse Hessian they imply by the two-loop recursion, from ``H₀ = (s·y / y·y) I``. Two reads of the
data and O(n) memory a step, however many columns. Pairs without positive curvature are left out
(cautious updates), so that the direction always descends.

How fast that is hangs on ``H₀``. With ``preconditioner="hessian"`` a step that gains too little (the
gradient's norm falls by less than half) is answered by computing the Hessian there: it takes the place
of ``H₀`` until the next such step, and the pairs then only correct for how it changes. Easy problems
never pay for a Hessian, hard ones for a few.

Reference: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5; Li & Fukushima
(2001) for cautious updates.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import register_dataclass

from ..linear_solve import solve_convex, solve_descent
from ..problem import Point, Problem
from .line_search import search

__all__ = ["LBFGS"]


@register_dataclass
@dataclass(frozen=True)
class _Memory:
    """The last pairs, oldest first; where there is none, ``inverse_curvature`` (and ``scaling``) is 0.

    ``hessian`` is None without a preconditioner, and zeros until one was computed;
    ``has_hessian`` tells, and ``is_new`` whether the last step computed it.
    """

    steps: Array
    changes: Array
    inverse_curvature: Array
    scaling: Array
    hessian: Array | None
    has_hessian: Array
    is_new: Array


@register_dataclass
@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS. For any number of weights, and for any smooth function.

    Args:
        memory: how many pairs are kept.
        preconditioner: ``"none"``, or ``"hessian"``: the Hessian, computed where steps gain too little.
            For up to some hundreds of weights.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.LBFGS()).params.round(3)
    Array([1., 1.], dtype=float32)
    """

    memory: int = field(default=10, metadata={"static": True})
    preconditioner: Literal["none", "hessian"] = field(default="none", metadata={"static": True})

    default_max_steps: ClassVar[int] = 1000
    patience: ClassVar[int] = 100
    standardizes: ClassVar[bool] = True

    def passes_at_start(self) -> int:
        return 0

    def passes(self, state: _Memory) -> Array:
        return 2 + state.is_new.astype(jnp.int32)

    def init(self, problem: Problem, w: Array) -> _Memory:
        return self._forget(w)

    def advance(self, problem: Problem, point: Point, state: _Memory) -> tuple[Point, _Memory, Array]:
        new, found = search(problem, point, -self._apply(problem, state, point.gradient))
        # A failed search forgets everything and tries the gradient next; failing that too, it is over.
        failed = ~found & jnp.all(state.inverse_curvature == 0.0) & ~state.has_hessian
        remembered = self._remember(state, new.w - point.w, new.gradient - point.gradient)
        state = _where(found, remembered, self._forget(point.w))
        if self.preconditioner == "hessian":
            slow = jnp.linalg.norm(new.gradient) > 0.5 * jnp.linalg.norm(point.gradient)
            state = self._precondition(problem, new, state, found & slow)
        return new, state, failed

    def _precondition(self, problem: Problem, point: Point, state: _Memory, wanted: Array) -> _Memory:
        """With the Hessian at ``point`` and without pairs, where ``wanted``."""

        def compute(carry: tuple[_Memory, Array]) -> tuple[_Memory, Array]:
            here, _ = lax.optimization_barrier((point, carry[1]))  # or XLA would hoist the Hessian
            yes, hessian = jnp.ones((), bool), problem.hessian(here.w, here.z)
            return replace(self._forget(point.w), hessian=hessian, has_hessian=yes, is_new=yes), ~yes

        # A loop of no or one round: under vmap it runs only if some lane wants it.
        state = replace(state, is_new=jnp.zeros((), bool))
        return lax.while_loop(lambda carry: carry[1], compute, (state, wanted))[0]

    def _forget(self, w: Array) -> _Memory:
        pairs, numbers = jnp.zeros((self.memory, w.shape[0]), w.dtype), jnp.zeros((self.memory,), w.dtype)
        hessian = jnp.zeros((w.shape[0], w.shape[0]), w.dtype) if self.preconditioner == "hessian" else None
        no = jnp.zeros((), bool)
        return _Memory(pairs, pairs, numbers, jnp.zeros((), w.dtype), hessian, no, no)

    def _remember(self, state: _Memory, step: Array, change: Array) -> _Memory:
        curvature, squared = jnp.vdot(step, change), jnp.vdot(change, change)
        eps = float(jnp.finfo(step.dtype).eps)
        keep = curvature > eps * jnp.sqrt(jnp.vdot(step, step) * squared)
        remembered = replace(
            state,
            steps=_append(state.steps, step),
            changes=_append(state.changes, change),
            inverse_curvature=_append(state.inverse_curvature, 1.0 / jnp.where(keep, curvature, 1.0)),
            scaling=curvature / jnp.where(keep, squared, 1.0),
        )
        return _where(keep, remembered, state)

    def _apply(self, problem: Problem, state: _Memory, gradient: Array) -> Array:
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
        start, hessian = scaling * q, state.hessian
        if hessian is not None:
            solve = solve_convex if problem.loss.convex else solve_descent
            start = lax.cond(state.has_hessian, lambda: solve(hessian, q), lambda: start)
        return lax.fori_loop(0, self.memory, oldest_to_newest, start)


def _append(rows: Array, row: Array) -> Array:
    return jnp.concatenate([rows[1:], row[None]])


def _where(condition: Array, chosen: _Memory, other: _Memory) -> _Memory:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), chosen, other)
