"""Derivatives of a solution, by the optimality conditions.

A solution satisfies ``∇F(w; θ) = 0``. Differentiating that, ``∇²F dw = -∂(∇F)/∂θ dθ``: one linear
system in the Hessian gives the derivative of the weights with respect to everything in the problem,
however many steps the solver took, and without differentiating any of them. The Hessian is formed, so
that this costs ``m n²`` operations and ``n²`` memory, also where the solver needed neither. As a tangent rule it
serves ``jax.grad``, ``jax.jacfwd`` and their compositions with ``jit`` and ``vmap``. Weights at a kink of the penalty
(the zeros of a lasso) or at a bound stay where they are, as they do for small changes of almost every problem.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from .coordinates import choose_coordinates, in_coordinates
from .lanes import alone
from .linear_solve import solve_convex
from .problem import Problem

__all__ = ["solution_tangent"]


def solution_tangent(problem: Problem, tangent: Problem, w: Array) -> tuple[Array, Array]:
    """The tangents of the minimiser ``w`` and of the minimum ``F(w)``.

    Args:
        problem: the problem that ``w`` solves.
        tangent: a tangent of it, the same pytree.
        w: flat weights, ``(n,)``.

    Where the Hessian is singular (duplicate columns, softmax without a penalty) the tangent is one
    of the system's solutions, as ``w`` is one of the minimisers.
    """
    # In standardised coordinates, as the fit itself: raw columns far from zero would cost digits.
    coordinates = lax.stop_gradient(choose_coordinates(problem, w, True, alone()))
    v = coordinates.to_solver(w)

    def slope_of(problem: Problem) -> Array:
        problem = in_coordinates(problem, coordinates)
        penalty = problem.penalty
        return problem.gradient(v) - penalty.gradient(v) + penalty.active_gradient(v)

    _, slope = jax.jvp(slope_of, (problem,), (tangent,))
    # The envelope theorem: moving w does not move the minimum, to first order.
    _, value = jax.jvp(lambda problem: problem.value(w), (problem,), (tangent,))
    here = in_coordinates(problem, coordinates)
    if here.penalty.smooth:
        hessian = here.hessian(v)
    else:
        hessian = here.loss.hessian(here.linear_map, here.linear_map.mv(v))
        hessian = hessian + jax.jacfwd(here.penalty.active_gradient)(v)
        # A weight at a kink or a bound stays there: its equation becomes dv = 0.
        moves = here.penalty.active(v).astype(v.dtype)
        slope = jnp.where(moves > 0.0, slope, 0.0)
        hessian = hessian * moves[:, None] * moves[None] + jnp.eye(v.shape[0], dtype=v.dtype) * (1.0 - moves)[None]
    dv = lax.custom_linear_solve(lambda x: hessian @ x, -slope, lambda _, b: solve_convex(hessian, b), symmetric=True)
    return coordinates.to_user(dv), value
