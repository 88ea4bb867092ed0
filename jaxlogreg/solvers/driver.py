"""The driver: owns the loop, the step limit, the status and the verdict, for every solver.

A solver is a frozen dataclass with two pure methods, ``init(problem, w) -> state`` and
``advance(problem, point, state) -> (point, state, failed)``; it never decides when to stop. The
driver runs it in one jit-compiled ``lax.while_loop`` (:func:`minimize`), or step by step from Python
(:func:`iterate`). Carried margins drift by rounding, so when the loop ends everything is computed
afresh, and only that gradient may say CONVERGED; if it does not, the loop goes on from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jax.tree_util import register_dataclass
from jax.typing import ArrayLike

from ..concrete import as_scalar, is_concrete
from ..coordinates import Coordinates, choose_coordinates, in_coordinates
from ..implicit import solution_tangent
from ..linear_maps import Identity
from ..losses import FunctionLoss
from ..penalties import NoPenalty
from ..problem import Point, Problem
from ..solution import Solution, Status
from .quasi_newton import LBFGS

__all__ = ["Solver", "default_tol", "iterate", "minimize", "settings", "solve"]


class Solver(Protocol):
    """What the driver asks of a solver. A solver is a pytree whose leaves are traced numbers."""

    default_max_steps: ClassVar[int]
    patience: ClassVar[int]  # steps without progress, near the rounding floor, after which a fit has stalled
    standardizes: ClassVar[bool]  # whether it works in standardised coordinates

    def passes_at_start(self) -> int:
        """Reads of the data in ``init``."""
        ...

    def passes(self, state: Any) -> Array | int:
        """Reads of the data in the step that led to ``state``."""
        ...

    def init(self, problem: Problem, w: Array) -> Any:
        """The state before the first step; nothing is evaluated at ``w`` yet."""
        ...

    def advance(self, problem: Problem, point: Point, state: Any) -> tuple[Point, Any, Array]:
        """The next point and state, and whether no further step is possible."""
        ...


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
    solver, tol, max_steps = settings(dtype, solver or LBFGS(), tol, max_steps)
    if isinstance(problem_or_fun, Problem):
        return _minimize_problem(solver, problem_or_fun, init, tol, max_steps)
    return _minimize_function(problem_or_fun, solver, init, tol, max_steps)


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
    solver, tol, max_steps = settings(dtype, solver or LBFGS(), tol, max_steps)
    if isinstance(problem_or_fun, Problem):
        problem, w, restore = problem_or_fun, init, _same
    else:
        problem, w, restore = _as_problem(problem_or_fun, init)
    task = _prepare(solver, problem, w)
    run = _verify(task, _begin(task, w), tol, max_steps)
    yield _report(task, run, restore)
    while not bool(run.verified):
        run = _advance(task, run, tol, max_steps)
        running = int(run.status) == Status.RUNNING
        run = _evaluate(task, run) if running else _verify(task, run, tol, max_steps)
        yield _report(task, run, restore)


@register_dataclass
@dataclass(frozen=True)
class _Task:
    """What stays as it is while a solver runs: the problem in the solver's coordinates."""

    solver: Solver
    problem: Problem
    coordinates: Coordinates


@register_dataclass
@dataclass(frozen=True)
class _Run:
    """What changes from step to step. ``verified``: the status was found from the weights alone."""

    point: Point
    state: Any
    value: Array
    initial_value: Array
    best_kkt: Array
    steps_since_best: Array
    status: Array
    verified: Array
    num_steps: Array
    num_passes: Array


@jax.custom_jvp
def solve(solver: Solver, problem: Problem, init: Array, tol: Array, max_steps: Array) -> Solution:
    """The whole of a fit, traceable: flat weights in, a :class:`Solution` with flat weights out."""
    return _solve(solver, problem, init, tol, max_steps, _same)


@solve.defjvp
def _solve_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Solution, Solution]:
    solution = solve(*primals)
    dw, dvalue = solution_tangent(primals[1], tangents[1], solution.params)
    # Separated data have no minimiser, and so no derivative of one; as a factor, in reverse mode too.
    dw = dw * jnp.where(solution.status == int(Status.SEPARABLE), jnp.nan, 1.0).astype(dw.dtype)
    return solution, replace(jax.tree.map(_zero_tangent, solution), params=dw, value=dvalue)


def _zero_tangent(x: Array) -> Array | np.ndarray:
    return jnp.zeros_like(x) if jnp.issubdtype(x.dtype, jnp.floating) else np.zeros(x.shape, jax.dtypes.float0)


_minimize_problem = jax.jit(solve)


@partial(jax.jit, static_argnums=0)
def _minimize_function(
    fun: Callable[[Any], Array], solver: Solver, init: Any, tol: Array, max_steps: Array
) -> Solution:
    problem, w, restore = _as_problem(fun, init)
    return _solve(solver, problem, w, tol, max_steps, restore)


def _solve(
    solver: Solver, problem: Problem, init: Array, tol: Array, max_steps: Array, restore: Callable[[Array], Any]
) -> Solution:
    task = _prepare(solver, problem, init)

    def verify_and_go_on(run: _Run) -> _Run:
        run = _verify(task, run, tol, max_steps)
        return lax.while_loop(_is_running, lambda run: _advance(task, run, tol, max_steps), run)

    run = lax.while_loop(lambda run: ~run.verified, verify_and_go_on, _begin(task, init))
    return _report(task, run, restore)


def _is_running(run: _Run) -> Array:
    return run.status == int(Status.RUNNING)


@jax.jit
def _prepare(solver: Solver, problem: Problem, init: Array) -> _Task:
    coordinates = choose_coordinates(problem, init, solver.standardizes)
    # Gradient descent keeps the user's own weights: its problem then needs no change of variables.
    return _Task(solver, in_coordinates(problem, coordinates) if solver.standardizes else problem, coordinates)


@jax.jit
def _begin(task: _Task, init: Array) -> _Run:
    """The run before anything is evaluated; :func:`_verify` does that."""
    problem, w = task.problem, task.coordinates.to_solver(init)
    zero, inf = jnp.int32(0), jnp.full((), jnp.inf, w.dtype)
    z = jnp.zeros(problem.margins_shape(w), w.dtype)
    point = Point(w, z, jnp.zeros_like(w), None if problem.loss.convex else inf)
    return _Run(
        point=point,
        state=task.solver.init(problem, w),
        value=inf,
        initial_value=inf,
        best_kkt=inf,
        steps_since_best=zero,
        status=jnp.int32(Status.RUNNING),
        verified=jnp.zeros((), bool),
        num_steps=zero,
        num_passes=jnp.int32(1 + task.solver.passes_at_start()),
    )


@jax.jit
def _advance(task: _Task, run: _Run, tol: Array, max_steps: Array) -> _Run:
    """One step, and what the carried gradient says of it."""
    point, state, failed = task.solver.advance(task.problem, run.point, run.state)
    kkt, _ = task.coordinates.kkt(point.gradient)
    steps_since_best = jnp.where(kkt < run.best_kkt, 0, run.steps_since_best + 1)
    num_steps = run.num_steps + 1
    # Below the square root of the dtype's precision, a gradient that does not shrink is rounding.
    at_floor = kkt <= float(jnp.finfo(kkt.dtype).eps) ** 0.5
    return replace(
        run,
        point=point,
        state=state,
        best_kkt=jnp.minimum(kkt, run.best_kkt),
        steps_since_best=steps_since_best,
        status=_first(
            (~jnp.isfinite(kkt), Status.NONFINITE),
            (kkt <= tol, Status.CONVERGED),
            (at_floor & (failed | (steps_since_best >= task.solver.patience)), Status.STALLED),
            (failed, Status.LINE_SEARCH_FAILED),
            (num_steps >= max_steps, Status.MAX_STEPS),
        ),
        num_steps=num_steps,
        num_passes=run.num_passes + task.solver.passes(state),
    )


@jax.jit
def _evaluate(task: _Task, run: _Run) -> _Run:
    """With the value at carried margins, which the steps themselves do not need."""
    return replace(run, value=task.problem.value_at(run.point.w, run.point.z))


@jax.jit
def _verify(task: _Task, run: _Run, tol: Array, max_steps: Array) -> _Run:
    """Everything afresh from the weights alone: only this gradient may say CONVERGED."""
    point = task.problem.point(run.point.w)
    value = task.problem.value_at(point.w, point.z) if point.value is None else point.value
    strict_kkt, kkt = task.coordinates.kkt(point.gradient)
    ended = (run.status != int(Status.RUNNING)) & (run.status != int(Status.CONVERGED))
    # Before a step is made there is no reason to be content with less than the strict measure.
    converged = jnp.where(run.num_steps == 0, strict_kkt, kkt) <= tol
    status = _first(
        (~(jnp.isfinite(kkt) & jnp.isfinite(value)), Status.NONFINITE),
        (converged, Status.CONVERGED),
        (ended, run.status),
        (run.num_steps >= max_steps, Status.MAX_STEPS),
    )
    return replace(
        run,
        point=point,
        value=value,
        initial_value=jnp.where(run.num_steps == 0, value, run.initial_value),
        status=status,
        verified=status != int(Status.RUNNING),
        num_passes=run.num_passes + 2,
    )


def _first(*cases: tuple[Array, Array | Status]) -> Array:
    """The status of the first case that holds; RUNNING where none does."""
    status = jnp.int32(Status.RUNNING)
    for condition, outcome in reversed(cases):
        status = jnp.where(condition, jnp.int32(outcome), status)
    return status


@partial(jax.jit, static_argnums=2)
def _report(task: _Task, run: _Run, restore: Callable[[Array], Any]) -> Solution:
    problem, coordinates, point = task.problem, task.coordinates, run.point
    unbounded = run.verified & (run.status != int(Status.NONFINITE)) & problem.has_no_optimum(point.w)
    return Solution(
        params=restore(coordinates.to_user(point.w)),
        value=run.value,
        initial_value=run.initial_value,
        kkt=coordinates.kkt(point.gradient)[1],
        gap=problem.duality_gap(point, run.value),
        status=jnp.where(unbounded, jnp.int32(Status.SEPARABLE), run.status),
        num_steps=run.num_steps,
        num_passes=run.num_passes + 2,
    )


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


def _same(w: Array) -> Array:
    return w


def default_tol(dtype: jnp.dtype) -> float:
    """A KKT residual that is reached in ``dtype`` with some room."""
    return 1e-11 if jnp.finfo(dtype).bits == 64 else 1e-6


def settings(
    dtype: Any, solver: Solver, tol: ArrayLike | None, max_steps: ArrayLike | None
) -> tuple[Solver, Array, Array]:
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
    return solver, as_scalar(tol, dtype), as_scalar(max_steps, np.int32)


def _floating(init: Any) -> tuple[Any, Any]:
    """The start as a pytree of arrays, and their common dtype."""
    init = jax.tree.map(jnp.asarray, init)
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(init)]
    if not dtypes or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise ValueError("init must hold floating-point numbers (it is where the search starts), such as jnp.zeros(n)")
    return init, jnp.result_type(*dtypes)
