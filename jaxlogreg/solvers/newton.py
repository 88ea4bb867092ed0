"""Newton-Raphson: ``w ← w - t (∇²F)⁻¹ ∇F``, with a nearly exact line search.

On logistic regression this is iteratively reweighted least squares. A step costs one Hessian
(``m n²`` operations by row blocks), one ``A d`` and one ``Aᵀ r``; near the optimum the number of
right digits doubles with every step. For a loss that need not be convex, negative curvature is
turned round (its absolute value is used), so that every step descends.

Reference: Nocedal & Wright, Numerical Optimization (2006), chapter 3.
"""

from dataclasses import dataclass
from typing import ClassVar

from jax import Array
from jax.tree_util import register_dataclass

from ..lanes import Lanes
from ..linear_solve import solve_convex, solve_descent
from ..problem import Point, Problem
from .line_search import search

__all__ = ["Newton"]


@register_dataclass
@dataclass(frozen=True)
class Newton:
    """Newton's method. For up to some hundreds of weights.

    A singular Hessian (duplicate or constant columns) is solved as far as its rank goes.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit(X, y, solver=jlr.Newton()).status == jlr.Status.CONVERGED
    Array(True, dtype=bool)
    """

    default_max_steps: ClassVar[int] = 100
    patience: ClassVar[int] = 6
    standardizes: ClassVar[bool] = True
    proximal: ClassVar[bool] = False

    def sequential(self) -> bool:
        return False

    def passes_at_start(self) -> int:
        return 0

    def passes(self, state: None) -> int:
        return 3

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> None:
        return None

    def advance(self, problem: Problem, point: Point, state: None, lanes: Lanes) -> tuple[Point, None, Array]:
        hessian = problem.hessian(point.w, point.z)
        solve = solve_convex if problem.loss.convex else solve_descent
        point, found = search(problem, point, -solve(hessian, point.gradient), lanes)
        return point, None, ~found
