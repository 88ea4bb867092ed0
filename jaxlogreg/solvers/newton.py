"""Newton-Raphson: ``w ← w - t (∇²F)⁻¹ ∇F``, with a nearly exact line search.

On logistic regression this is iteratively reweighted least squares. A step costs one Hessian
(``m n²`` operations by row blocks), one ``A d`` and one ``Aᵀ r``; near the optimum the number of
right digits doubles with every step. For a loss that need not be convex, negative curvature is
turned round (its absolute value is used), so that every step descends.

Reference: Nocedal & Wright, Numerical Optimization (2006), chapter 3.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from ..lanes import Lanes
from ..linear_solve import solve_convex, solve_descent
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .line_search import search
from .preconditioner import unit_gradient

__all__ = ["Newton"]


@register_dataclass
@dataclass(frozen=True)
class Newton(Solver):
    """Newton's method. For up to some hundreds of weights.

    A singular Hessian (duplicate or constant columns) is solved as far as its rank goes.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit(X, y, solver=jlr.Newton()).status == jlr.Status.CONVERGED
    Array(True, dtype=bool)
    """

    default_max_steps: ClassVar[int] = 100
    patience: ClassVar[int] = 6

    def passes(self, state: Array) -> int:
        return 3

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> Array:
        return jnp.zeros((), bool)

    def advance(self, problem: Problem, point: Point, state: Array, lanes: Lanes) -> tuple[Point, Array, Array]:
        hessian = problem.hessian(point.w, point.z)
        solve = solve_convex if problem.convex else solve_descent
        step = solve(hessian, point.gradient)
        # Where every row is saturated the Hessian vanishes: a step along the gradient leads back.
        step = jnp.where(state, unit_gradient(problem, point), step)
        point, found = search(problem, point, -step, lanes)
        return point, ~found, ~found & state
