"""Quasi-Newton: curvature learned from the gradients met on the way.

L-BFGS keeps the last ``memory`` pairs of steps ``s`` and gradient differences ``y`` and applies the
inverse Hessian they imply (the two-loop recursion, in matrices), from a first guess ``H₀``. Two reads of the data and
O(n) memory a step, however many columns. Pairs without positive curvature are left out (cautious
updates), so that the direction always descends.

How fast that is hangs on ``H₀``. With ``preconditioner="hessian"`` a step that gains too little (the
gradient's norm falls by less than half) is answered by computing the weighted Gram there: it takes the
place of ``H₀`` until the next such step, and the pairs then only correct for how it changes. A Gram costs
as much as many steps if there are many columns, so it is computed only when the steps since the last one
have cost about as much. Easy problems never pay for one, hard ones for a few, and lanes share it. For a softmax of few
weights it is the Hessian itself.

Reference: Nocedal & Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5 and theorem 7.4; Byrd, Nocedal &
Schnabel (1994) for the recursion in matrices; Li & Fukushima (2001) for cautious updates.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..concrete import as_size
from ..lanes import Lanes
from ..linear_maps import PerClass, one_block
from ..linear_solve import times
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .curvature import efforts, renewed, takes_all_classes
from .line_search import search
from .preconditioner import Preconditioner, form_for, unit_diagonal

__all__ = ["LBFGS"]

# Columns whose Gram costs as much as one step, and how many more with every lane (measured).
COLUMNS_A_STEP, COLUMNS_A_LANE = 40, 4
# Of more pairs than weights most say nothing new. XLA on a CPU runs a loop as one kernel if all it holds is tiny.
SPARE_PAIRS = 2
PRECONDITIONERS = ("diagonal", "hessian")


@register_dataclass
@dataclass(frozen=True)
class _Pairs:
    """The last pairs, oldest first; zero where there is none.

    Args:
        steps, changes: ``S`` and ``Y``, ``(memory, n)``: steps, and how the gradient changed.
        curvature: ``sᵢᵀ yᵢ``, ``(memory,)``.
        inverse: that of ``R``, the upper triangle of ``S Yᵀ``.
        scaling: ``sᵀ y / yᵀ y`` of the last pair.
        count: how many there are.
    """

    steps: Array
    changes: Array
    curvature: Array
    inverse: Array
    scaling: Array
    count: Array


@register_dataclass
@dataclass(frozen=True)
class _State:
    """Pairs, and the preconditioner: None without one.

    Args:
        trusted: whether this lane uses the preconditioner: it was computed, and no search failed since.
        slow: whether this lane's last step gained too little.
        age: steps since the preconditioner was computed, or since the start.
        count: how often it was computed.
        needs_exact: whether it was found to need the precision of the data.
    """

    pairs: _Pairs
    preconditioner: Preconditioner | None
    trusted: Array
    slow: Array
    age: Array
    count: Array
    needs_exact: Array


@register_dataclass
@dataclass(frozen=True)
class LBFGS(Solver):
    """Limited-memory BFGS. For any number of weights, and for any smooth function.

    Args:
        memory: how many pairs are kept; no more than two beyond the number of weights.
        preconditioner: ``"diagonal"``, or ``"hessian"``: the weighted Gram, computed where steps gain too
            little. For losses over rows, and up to some thousands of rows or columns.

    Raises:
        ValueError: for ``memory`` below 1, and for any other preconditioner.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.LBFGS()).params.round(3)
    Array([1., 1.], dtype=float32)
    """

    memory: int = field(default=10, metadata={"static": True})
    preconditioner: Literal["diagonal", "hessian"] = field(default="diagonal", metadata={"static": True})

    def passes(self, state: _State) -> Array | int:
        computed = state.trusted & (state.age == 0)
        if state.preconditioner is None:
            return 2
        return 2 + state.preconditioner.reads * state.trusted.astype(jnp.int32) + computed.astype(jnp.int32)

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _State:
        as_size("memory", self.memory, 1)
        if self.preconditioner not in PRECONDITIONERS:
            names = " or ".join(map(repr, PRECONDITIONERS))
            raise ValueError(f"preconditioner must be {names}, got {self.preconditioner!r}")
        preconditioner = None
        if self.preconditioner == "hessian":
            preconditioner = form_for(problem, lanes).empty(problem, w)
        no = jnp.zeros((), bool)
        return _State(self._no_pairs(w), preconditioner, no, ~no, jnp.int32(0), jnp.int32(0), no)

    def advance(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> tuple[Point, _State, Array]:
        state = self._precondition(problem, point, state, lanes)
        direction = -self._apply(problem, state, point.gradient)
        new, found = search(problem, point, direction, lanes, quasi_newton=True)
        slow = ~found | (jnp.linalg.norm(new.gradient) > 0.5 * jnp.linalg.norm(point.gradient))
        # Where the step promised less than rounding, a better preconditioner would not help.
        slow &= -jnp.vdot(point.gradient, direction) > float(jnp.finfo(point.w.dtype).eps)
        # A failed search forgets everything and tries the gradient next; failing that too, it is over.
        failed = ~found & (state.pairs.count == 0) & ~state.trusted
        pairs = self._remember(
            state.pairs, new.w - point.w, new.gradient - point.gradient, unit_diagonal(problem, new.w)
        )
        pairs = _where(found, pairs, self._no_pairs(point.w))
        return new, replace(state, pairs=pairs, trusted=state.trusted & found, slow=slow, age=state.age + 1), failed

    def _precondition(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> _State:
        """With the preconditioner at ``point`` and without pairs, if a lane's last step was slow and it pays."""
        if state.preconditioner is None:
            return state
        form, together = form_for(problem, lanes), takes_all_classes(problem, lanes)
        columns = (problem.linear_map if together else one_block(problem.linear_map)).shape[1]
        patience = columns // (COLUMNS_A_STEP + COLUMNS_A_LANE * lanes.size)
        first = efforts(problem, point.w.dtype, lanes)[0]
        # The first is worth the most, and costs little if it takes a part of the rows. One for all lanes or classes
        # may suit some of them badly: it is renewed more and more rarely, and corrected by the pairs.
        pooled = lanes.share or (isinstance(problem.linear_map, PerClass) and not together)
        least = jnp.maximum(patience, state.count if pooled else 0)
        least = jnp.where(state.count == 0, patience // 4 if first is None else 0, least)
        wanted = lanes.any(state.slow) & (state.age >= least)

        preconditioner, needs_exact = renewed(
            state.preconditioner, wanted, state.count, state.needs_exact, problem, point, lanes, form.at
        )
        return _State(
            state.pairs if pooled else _where(wanted, self._no_pairs(point.w), state.pairs),
            preconditioner,
            state.trusted | wanted,
            state.slow,
            jnp.where(wanted, -1, state.age),
            state.count + wanted.astype(jnp.int32),
            needs_exact,
        )

    def _no_pairs(self, w: Array) -> _Pairs:
        k, zero = min(self.memory, w.shape[0] + SPARE_PAIRS), jnp.zeros((), w.dtype)
        rows, square = jnp.zeros((k, w.shape[0]), w.dtype), jnp.zeros((k, k), w.dtype)
        return _Pairs(rows, rows, square[0], square, zero, jnp.int32(0))

    def _remember(self, pairs: _Pairs, step: Array, change: Array, diagonal: Array) -> _Pairs:
        curvature, squared = jnp.vdot(step, change), jnp.vdot(change, change / diagonal)
        eps = float(jnp.finfo(step.dtype).eps)
        keep = curvature > eps * jnp.sqrt(jnp.vdot(step, step * diagonal) * squared)
        # R grows by the column (S y, sᵀ y) as it loses its first row and column, and so does its inverse.
        memory = pairs.curvature.shape[0]
        steps, unit = _append(pairs.steps, step), jnp.eye(memory, dtype=step.dtype)[-1]
        inverse = jnp.pad(pairs.inverse[1:, 1:], ((0, 1), (0, 1)))
        column = unit - times(inverse, times(steps, change))
        inverse = inverse + column[:, None] * unit[None] / jnp.where(keep, curvature, 1.0)
        remembered = _Pairs(
            steps=steps,
            changes=_append(pairs.changes, change),
            curvature=_append(pairs.curvature, curvature),
            inverse=inverse,
            scaling=curvature / jnp.where(keep, squared, 1.0),
            count=jnp.minimum(pairs.count + 1, memory),
        )
        return _where(keep, remembered, pairs)

    def _apply(self, problem: Problem, state: _State, gradient: Array) -> Array:
        """``H ∇F``: the two-loop recursion, in matrices (Byrd, Nocedal & Schnabel 1994).

        With the pairs as rows of ``S`` and ``Y``, ``R`` the upper triangle of ``S Yᵀ`` and ``D`` its diagonal:
        ``a = R⁻¹ S g``, ``p = H₀ (g - Yᵀ a)``, and ``H g = p + Sᵀ R⁻ᵀ (D a - Y p)``.
        """
        pairs = state.pairs
        a = times(pairs.inverse, times(pairs.steps, gradient))
        q = gradient - _sum_of_rows(a, pairs.changes)
        # Without a pair to tell the scale, the first trial step has length one.
        diagonal = unit_diagonal(problem, q)
        first = lax.rsqrt(jnp.vdot(gradient, gradient / diagonal))
        p = jnp.where(pairs.scaling > 0.0, pairs.scaling, first) * q / diagonal
        if state.preconditioner is not None:
            p = jnp.where(state.trusted, state.preconditioner.apply(problem, q), p)
        b = _sum_of_rows(pairs.curvature * a - times(pairs.changes, p), pairs.inverse)
        return p + _sum_of_rows(b, pairs.steps)


def _sum_of_rows(x: Array, matrix: Array) -> Array:
    return jnp.sum(x[:, None] * matrix, axis=0)


def _append(rows: Array, row: Array) -> Array:
    return jnp.concatenate([rows[1:], row[None]])


def _where(condition: Array, chosen: _Pairs, other: _Pairs) -> _Pairs:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), chosen, other)
