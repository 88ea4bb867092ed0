"""Derivatives of a solution, by the optimality conditions.

A solution satisfies ``∇F(w; θ) = 0``. Differentiating that, ``∇²F dw = -∂(∇F)/∂θ dθ``: one linear
system in the Hessian gives the derivative of the weights with respect to everything in the problem,
however many steps the solver took, and without differentiating any of them. The Hessian is formed, so
that this costs ``m n²`` operations and ``n²`` memory, also where the solver needed neither. As a tangent rule it
serves ``jax.grad``, ``jax.jacfwd`` and their compositions with ``jit`` and ``vmap``.
"""

import jax
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
    _, slope = jax.jvp(lambda problem: in_coordinates(problem, coordinates).gradient(v), (problem,), (tangent,))
    # The envelope theorem: moving w does not move the minimum, to first order.
    _, value = jax.jvp(lambda problem: problem.value(w), (problem,), (tangent,))
    hessian = in_coordinates(problem, coordinates).hessian(v)
    dv = lax.custom_linear_solve(lambda x: hessian @ x, -slope, lambda _, b: solve_convex(hessian, b), symmetric=True)
    return coordinates.to_user(dv), value
