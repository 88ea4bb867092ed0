"""Derivatives of a solution, by the optimality conditions.

A solution satisfies ``∇F(w; θ) = 0``. Differentiating that, ``∇²F dw = -∂(∇F)/∂θ dθ``: one linear
system in the Hessian gives the derivative of the weights with respect to everything in the problem,
however many steps the solver took, and without differentiating any of them. As a tangent rule it
serves ``jax.grad``, ``jax.jacfwd`` and their compositions with ``jit`` and ``vmap``.
"""

import jax
from jax import Array, lax

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
    _, slope = jax.jvp(lambda problem: problem.gradient(w), (problem,), (tangent,))
    # The envelope theorem: moving w does not move the minimum, to first order.
    _, value = jax.jvp(lambda problem: problem.value(w), (problem,), (tangent,))
    hessian = problem.hessian(w)
    dw = lax.custom_linear_solve(lambda v: hessian @ v, -slope, lambda _, b: solve_convex(hessian, b), symmetric=True)
    return dw, value
