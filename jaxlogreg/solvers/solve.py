"""A whole fit as one traceable function, alone or in a batch, with derivatives.

``jax.vmap`` of :func:`solve` runs lanes that share the data together, so that what is computed from the
data (a preconditioner) is computed once, and as many lanes at a time as fit in the cache or in memory. Lanes
that differ in their penalty alone are a path: they run in blocks of neighbours, each block started from
the last solution of the one before. Lanes that differ in a column or two of their own are a scan: they start
from the fit without those.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap

from ..implicit import solution_tangent
from ..lanes import Lanes
from ..linear_maps import Columns, LinearMap, WithIntercept
from ..problem import Problem
from ..solution import Solution, Status
from .base import Solver
from .loop import Limits, Start, begin, begin_from, left_by, prepare, report, run_task, run_to_end, same

__all__ = ["MIN_LANES", "blocks_of", "solve", "solve_function", "with_derivatives"]

AXIS = "lanes"
# Bytes of the data that a batch has for itself, at least of one array of lanes x rows, and the lanes that make a matrix
# product worth its while. Memory is what counts on a GPU, the cache on a CPU.
BATCH_BYTES = {"cpu": 2**22}
BATCH_BYTES_ELSEWHERE = 2**30
MIN_LANES = 10
PATH_NUMBERS = 2**23
SHARE_MIN_COLUMNS = 128


@jax.custom_jvp
def solve(solver: Solver, problem: Problem, init: Array, limits: Limits) -> Solution:
    """The whole of a fit, traceable: flat weights in, a :class:`Solution` with flat weights out."""
    return _search(solver, problem, init, limits)


@solve.defjvp
def _solve_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Solution, Solution]:
    solution = solve(*primals)
    return solution, _tangent(primals[1], tangents[1], solution)


@jax.custom_jvp
def solve_function(solver: Solver, problem: Problem, init: Array, limits: Limits) -> Solution:
    """The same for a function, which has no data for lanes to share and may close over what is batched."""
    return run_task(prepare(solver, problem, init), init, limits, same)


@solve_function.defjvp
def _solve_function_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Solution, Solution]:
    solution = solve_function(*primals)
    return solution, _tangent(primals[1], tangents[1], solution)


@jax.custom_jvp
def with_derivatives(problem: Problem, solution: Solution) -> Solution:
    """A solution found without derivatives (flat weights), with those of the problem it solves."""
    return solution


@with_derivatives.defjvp
def _with_derivatives_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Solution, Solution]:
    return primals[1], _tangent(primals[0], tangents[0], primals[1])


def _tangent(problem: Problem, tangent: Problem, solution: Solution) -> Solution:
    dw, dvalue = solution_tangent(problem, tangent, solution.params)
    # Separated data have no minimiser, and so no derivative of one; as a factor, in reverse mode too.
    dw = dw * jnp.where(solution.status == int(Status.SEPARABLE), jnp.nan, 1.0).astype(dw.dtype)
    return replace(jax.tree.map(_zero_tangent, solution), params=dw, value=dvalue)


def _zero_tangent(x: Array) -> Array | np.ndarray:
    return jnp.zeros_like(x) if jnp.issubdtype(x.dtype, jnp.floating) else np.zeros(x.shape, jax.dtypes.float0)


@custom_vmap
def _search(solver: Solver, problem: Problem, init: Array, limits: Limits) -> Solution:
    return run_task(prepare(solver, problem, init), init, limits, same)


@_search.def_vmap
def _search_lanes(axis_size: int, in_batched: Any, *args: Any) -> tuple[Solution, Any]:
    solver, problem, init, limits = args
    shape = jax.tree.map(
        lambda x, batched: jax.ShapeDtypeStruct(x.shape[1:] if batched else x.shape, x.dtype), problem, in_batched[1]
    ).linear_map.shape
    # A path starts from elsewhere than its fits alone; a method that is defined by its steps does not.
    if _is_path(in_batched) and solver.standardizes:
        usual = 1 if solver.sequential() else _path_lanes(shape[0], shape[1], problem.penalty.smooth)
        size = min(axis_size, limits.batch_size or usual)
        solution = _path(axis_size, size, in_batched[1].penalty, *args)
    else:
        if _is_scan(in_batched) and solver.standardizes:
            args = (solver, problem, _start_of_scan(in_batched[1], *args), limits)
        lane = max(_lane_bytes(in_batched[1], problem), shape[0] * init.dtype.itemsize)
        usual = max(MIN_LANES, BATCH_BYTES.get(jax.default_backend(), BATCH_BYTES_ELSEWHERE) // lane)
        size = min(axis_size, limits.batch_size or usual)
        solution = _batches(axis_size, size, shape[1] > SHARE_MIN_COLUMNS, in_batched, args)
    return solution, jax.tree.map(lambda _: True, solution)


def _lane_bytes(in_batched: Any, problem: Problem) -> int:
    """Of the data that a lane has for itself."""
    leaves = zip(jax.tree.leaves(in_batched), jax.tree.leaves(problem), strict=True)
    return sum(leaf.size // leaf.shape[0] * leaf.dtype.itemsize for batched, leaf in leaves if batched)


def _path_lanes(rows: int, columns: int, smooth: bool) -> int:
    # More columns make a metric dearer, and sharing it among more penalties worth its while. With kinks it is only
    # needed for a model of F, which is solved anew for each lane, so that neighbours may be further away.
    return max(MIN_LANES, min(columns // (8 if smooth else 4), PATH_NUMBERS // rows))


def _is_path(in_batched: Any) -> bool:
    """Whether the strength of the penalty is all that lanes differ in."""
    penalty = in_batched[1].penalty
    strengths = sum(getattr(penalty, name) for name in penalty.strengths)
    return 0 < strengths == sum(jax.tree.leaves(in_batched))


def _is_scan(in_batched: Any) -> bool:
    """Whether columns of their own, and perhaps the penalties of those, are all that lanes differ in."""
    problem = in_batched[1]
    columns = _columns(problem.linear_map)
    others = sum(jax.tree.leaves(in_batched)) - sum(jax.tree.leaves(problem.penalty))
    return columns is not None and bool(columns.own) and others == 1


def _start_of_scan(batched: Any, solver: Solver, problem: Problem, init: Array, limits: Limits) -> Array:
    """The fit to zeros in the place of a lane's own columns."""
    first = jax.tree.map(lambda x, batched: x[0] if batched else x, problem, batched)
    columns = _columns(first.linear_map)
    assert columns is not None
    without: LinearMap = replace(columns, own=jnp.zeros_like(columns.own))
    if isinstance(first.linear_map, WithIntercept):
        without = WithIntercept(without)
    found = _search(solver, replace(first, linear_map=without), init, limits)
    return jnp.where(found.status == int(Status.CONVERGED), found.params, init)


def _columns(linear_map: LinearMap) -> Columns | None:
    base = linear_map.base if isinstance(linear_map, WithIntercept) else linear_map
    return base if isinstance(base, Columns) else None


def _batches(axis_size: int, size: int, many_columns: bool, in_batched: Any, args: Any) -> Solution:
    """Any lanes, ``size`` at a time, together if they share the data."""
    leaves, tree = jax.tree.flatten(args)
    flags = jax.tree.leaves(in_batched)
    problem = in_batched[1]
    shares_data = not any(jax.tree.leaves(problem.linear_map))
    # Fits to other labels bend elsewhere; then a lane's own is better, unless it costs too much.
    labels = any(jax.tree.leaves(getattr(problem.loss, "y", False)))
    share = shares_data and (many_columns or not labels)

    def run(lane_leaves: list[Array], count: int) -> Solution:
        def lane(lane_leaves: list[Array]) -> Solution:
            own = iter(lane_leaves)
            solver, problem, init, limits = jax.tree.unflatten(
                tree, [next(own) if flag else leaf for flag, leaf in zip(flags, leaves, strict=True)]
            )
            lanes = Lanes(jnp.ones((), bool), AXIS, count, AXIS if share else None)
            return run_task(prepare(solver, problem, init, lanes), init, limits, same)

        return jax.vmap(lane, axis_name=AXIS, axis_size=count)(lane_leaves)

    batched = [leaf for flag, leaf in zip(flags, leaves, strict=True) if flag]
    if size >= axis_size:
        return run(batched, axis_size)
    index = blocks_of(axis_size, size)
    solution = lax.map(lambda lanes: run([leaf[lanes] for leaf in batched], index.shape[1]), index)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:axis_size], solution)


def _path(
    axis_size: int, size: int, batched: Any, solver: Solver, problem: Problem, init: Array, limits: Limits
) -> Solution:
    """Penalties in descending order, in blocks, each started from the last solution of the one before."""
    penalty = problem.penalty
    strengths = {name: getattr(penalty, name) for name in penalty.strengths if getattr(batched, name)}
    order = jnp.argsort(-sum(strengths.values()))
    index = order[blocks_of(axis_size, size)]

    def with_strengths(problem: Problem, strengths: dict[str, Array]) -> Problem:
        return replace(problem, penalty=replace(problem.penalty, **strengths))

    # An intercept that any lane penalises is not centred away in the others.
    strongest = {name: jnp.max(jnp.where(jnp.isfinite(x), x, 0.0)) for name, x in strengths.items()}
    task = prepare(solver, with_strengths(problem, strongest), init)

    def block(start: Start, lanes: Array) -> tuple[Start, Solution]:
        def lane(strengths: dict[str, Array]) -> tuple[Start, Solution]:
            own = replace(
                task, problem=with_strengths(task.problem, strengths), axis=AXIS, size=lanes.shape[0], pool=AXIS
            )
            run = run_to_end(own, begin_from(own, start), limits)
            return left_by(own, run), report(own, run, same)

        ends, solution = jax.vmap(lane, axis_name=AXIS)(jax.tree.map(lambda x: x[lanes], strengths))
        last = jax.tree.map(lambda x: x[-1], ends)
        usable = jnp.all(jnp.isfinite(last.point.gradient))
        return jax.tree.map(lambda x, y: jnp.where(usable, x, y), last, start), solution

    _, solution = lax.scan(block, left_by(task, begin(task, init)), index)
    position = jnp.argsort(order)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[position], solution)


def blocks_of(axis_size: int, size: int) -> np.ndarray:
    """Lanes ``0 .. axis_size - 1`` in rows of ``size``; the last lane fills the last row."""
    count = -(-axis_size // size)
    size = -(-axis_size // count)  # rows as even as can be
    return np.minimum(np.arange(count * size), axis_size - 1).reshape(count, size)
