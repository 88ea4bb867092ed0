"""The driver: minimise a problem or any function, in one compiled loop or step by step from Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from ..concrete import as_scalar, is_concrete
from ..linear_maps import Identity
from ..losses import FunctionLoss
from ..penalties import NoPenalty
from ..problem import Problem
from ..solution import Solution, Status
from .loop import Limits, Solver, advance, begin, evaluate, prepare, report, run_task, same, verify
from .quasi_newton import LBFGS
from .solve import solve

__all__ = ["default_tol", "iterate", "minimize", "settings"]


def minimize(
    problem_or_fun: Problem | Callable[[Any], Array],
    init: Any,
    *,
    solver: Solver | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
) -> Solution:
    """Minimise a :class:`Problem`, or any pure function of any pytree, in one compiled loop.

    Args:
        problem_or_fun: ``F(w) = L(A w) + R(w)``, or a function from a pytree like ``init`` to a
            scalar. A function is compiled once per function object: define it once, not in a loop.
        init: where to start: flat weights ``(n,)`` for a problem, a pytree of floats for a function.
        solver: ``LBFGS()`` when None.
        tol: the KKT residual to reach: the largest ``|∂F/∂wⱼ| / rms(xⱼ)``, for a function the
            largest ``|∂F/∂wⱼ|``. By default 1e-11 in float64 and 1e-6 in float32.
        max_steps: by default 100 (Newton), 1000 (LBFGS), 10000 (GradientDescent).

    Returns:
        A :class:`Solution` whose ``params`` have the structure of ``init``. For a problem it has
        derivatives with respect to the problem's arrays; with respect to ``init`` and ``tol`` they
        are zero.

    Raises:
        ValueError: if ``init`` holds integers, or ``tol`` or ``max_steps`` is negative.

    >>> quadratic = lambda x: jnp.sum((x["a"] - 3.0) ** 2) + (x["b"] + 1.0) ** 2
    >>> solution = minimize(quadratic, {"a": jnp.zeros(2), "b": jnp.zeros(())})
    >>> solution.params["a"].round(4)
    Array([3., 3.], dtype=float32)
    """
    init, dtype = _floating(init)
    solver, limits = settings(dtype, solver or LBFGS(), tol, max_steps)
    if isinstance(problem_or_fun, Problem):
        return _minimize_problem(solver, problem_or_fun, init, limits)
    return _minimize_function(problem_or_fun, solver, init, limits)


def iterate(
    problem_or_fun: Problem | Callable[[Any], Array],
    init: Any,
    *,
    solver: Solver | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
) -> Iterator[Solution]:
    """The steps of :func:`minimize` one at a time: a generator for progress, plots and checkpoints.

    Yields a :class:`Solution` for the start (with status RUNNING), one after each step, and ends with
    the verified one, whose status says how it ended. The arguments are those of :func:`minimize`.

    >>> square = lambda x: jnp.sum(x * x)
    >>> for solution in iterate(square, jnp.array([2.0, 1.0])):
    ...     print(int(solution.num_steps), round(float(solution.value), 3))
    0 5.0
    1 0.0
    """
    init, dtype = _floating(init)
    solver, limits = settings(dtype, solver or LBFGS(), tol, max_steps)
    if isinstance(problem_or_fun, Problem):
        problem, w, restore = problem_or_fun, init, same
    else:
        problem, w, restore = _as_problem(problem_or_fun, init)
    task = prepare(solver, problem, w)
    run = verify(task, begin(task, w), limits)
    yield report(task, run, restore)
    while not bool(run.verified):
        run = advance(task, run, limits)
        running = int(run.status) == Status.RUNNING
        run = evaluate(task, run) if running else verify(task, run, limits)
        yield report(task, run, restore)


_minimize_problem = jax.jit(solve)


@partial(jax.jit, static_argnums=0)
def _minimize_function(fun: Callable[[Any], Array], solver: Solver, init: Any, limits: Limits) -> Solution:
    problem, w, restore = _as_problem(fun, init)
    return run_task(prepare(solver, problem, w), w, limits, restore)


@dataclass(frozen=True)
class _OfFlatWeights:
    """A function of a pytree as a function of a flat vector; equal for equal functions and trees."""

    function: Callable[[Any], Array]
    unravel: Callable[[Array], Any]

    def __call__(self, w: Array) -> Array:
        return self.function(self.unravel(w))


def _as_problem(fun: Callable[[Any], Array], init: Any) -> tuple[Problem, Array, Callable[[Array], Any]]:
    w, unravel = ravel_pytree(init)
    return Problem(FunctionLoss(_OfFlatWeights(fun, unravel)), Identity(w.shape[0]), NoPenalty()), w, unravel


def default_tol(dtype: jnp.dtype) -> float:
    """A KKT residual that is reached in ``dtype`` with some room."""
    return 1e-11 if jnp.finfo(dtype).bits == 64 else 1e-6


def settings(
    dtype: Any, solver: Solver, tol: ArrayLike | None, max_steps: ArrayLike | None, batch_size: int | None = None
) -> tuple[Solver, Limits]:
    """Settings as arrays: numbers given as int, float or array then share one compilation."""
    if isinstance(solver, type) or not hasattr(solver, "advance"):
        raise ValueError(f"solver must be a solver such as Newton() or LBFGS(), got {solver!r}")
    solver = jax.tree.map(lambda leaf: as_scalar(leaf, dtype), solver)
    tol = default_tol(dtype) if tol is None else tol
    max_steps = solver.default_max_steps if max_steps is None else max_steps
    for name, value in (("tol", tol), ("max_steps", max_steps)):
        if np.ndim(value) != 0:
            raise ValueError(f"{name} must be a single number, got shape {np.shape(value)}")
        if is_concrete(value) and not np.asarray(value) >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    if is_concrete(max_steps) and np.asarray(max_steps) % 1 != 0:
        raise ValueError(f"max_steps must be a whole number, got {max_steps}")
    return solver, Limits(as_scalar(tol, dtype), as_scalar(max_steps, np.int32), batch_size)


def _floating(init: Any) -> tuple[Any, Any]:
    """The start as a pytree of arrays, and their common dtype."""
    init = jax.tree.map(jnp.asarray, init)
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(init)]
    if not dtypes or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise ValueError("init must hold floating-point numbers (it is where the search starts), such as jnp.zeros(n)")
    return init, jnp.result_type(*dtypes)
