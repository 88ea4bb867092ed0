"""The loop: owns the steps, the step limit, the status and the verdict, for every solver.

A solver never decides when to stop. Carried margins drift by rounding. Those of a few steps that led straight to a
minimum have as many digits as a fresh product; otherwise everything is computed afresh when the loop ends, and only
that gradient may say CONVERGED; if it does not, the loop goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..compilation import program
from ..coordinates import Coordinates, choose_coordinates, in_coordinates
from ..lanes import Lanes, alone, compute_if
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from ..solution import Method, Solution, Status, Trace
from .base import Solver

__all__ = [
    "Limits",
    "Run",
    "Start",
    "Task",
    "advance",
    "as_task",
    "begin",
    "begin_from",
    "evaluate",
    "left_by",
    "prepare",
    "report",
    "run_task",
    "run_to_end",
    "same",
    "verify",
]


TRUSTED_STEPS, UNKNOWN = 50, 2**30  # steps since all was computed afresh; as many where it never was
TRUSTED_DETOUR = 8.0  # the way that the weights went, over their distance from zero: 3 bits of the margins lost


@register_dataclass
@dataclass(frozen=True)
class Limits:
    """When to stop: at a KKT residual of ``tol``, or after ``max_steps``.

    ``batch_size``: how many lanes of a ``vmap`` run at a time; None leaves it to the memory. ``traced_steps``: for how
    many steps there is room in a trace; None for no trace.
    """

    tol: Array
    max_steps: Array
    batch_size: int | None = field(default=None, metadata={"static": True})
    traced_steps: int | None = field(default=None, metadata={"static": True})


@register_dataclass
@dataclass(frozen=True)
class Task:
    """What stays as it is while a solver runs: the problem in the solver's coordinates.

    ``axis`` names the ``vmap`` whose ``size`` lanes run together (see :class:`Lanes`), None for a fit alone.
    """

    solver: Solver
    problem: Problem
    coordinates: Coordinates
    axis: str | tuple[str, ...] | None = field(default=None, metadata={"static": True})
    size: int = field(default=1, metadata={"static": True})
    pool: str | tuple[str, ...] | None = field(default=None, metadata={"static": True})

    def lanes(self, active: Array) -> Lanes:
        return Lanes(active, self.axis, self.size, self.pool)

    def kkt(self, point: Point) -> tuple[Array, Array]:
        """A strict KKT residual, and the one that is reported (see :class:`Coordinates`)."""
        return self.coordinates.kkt(self.problem.stationarity(point))


@register_dataclass
@dataclass(frozen=True)
class Run:
    """What changes from step to step.

    ``verified``: the status is final; ``steps_since_afresh`` and ``travelled``: how many steps there were since margins
    and gradient were computed from the weights alone, and by how much they moved the weights together.
    """

    point: Point
    state: Any
    value: Array
    initial_value: Array
    best_kkt: Array
    steps_since_best: Array
    status: Array
    verified: Array
    steps_since_afresh: Array
    travelled: Array
    num_steps: Array
    num_passes: Array
    trace: Trace | None = None


@register_dataclass
@dataclass(frozen=True)
class Start:
    """Where a run ended, as one with another penalty may start: the gradient is that of the loss alone."""

    point: Point
    steps_since_afresh: Array
    travelled: Array


def run_task(task: Task, init: Array, limits: Limits, restore: Callable[[Array], Any]) -> Solution:
    """A solver's steps in a compiled loop until the answer is verified; of lanes, until all are."""
    return report(task, run_to_end(task, begin(task, init), limits), restore)


def run_to_end(task: Task, start: Run, limits: Limits) -> Run:
    """The same from a run that begins, before it is reported."""

    def going(run: Run) -> Array:
        return task.lanes(run.status == int(Status.RUNNING)).any(jnp.ones((), bool))

    def unverified(run: Run) -> Array:
        return task.lanes(~run.verified).any(jnp.ones((), bool))

    def go_on(run: Run) -> Run:
        return lax.while_loop(going, lambda run: advance(task, run, limits), run)

    if limits.traced_steps is not None:
        empty = jnp.full(limits.traced_steps + 1, jnp.nan, start.value.dtype)
        start = replace(start, trace=Trace(empty, empty, empty))
    if task.axis is None:
        # One place that evaluates from scratch, in the loop: half the code to compile.
        return lax.while_loop(unverified, lambda run: go_on(verify(task, run, limits)), start)
    # Lanes that start from one point evaluate it once.
    start = verify(task, start, limits)
    return lax.while_loop(unverified, lambda run: verify(task, go_on(run), limits), start)


@program
def prepare(solver: Solver, problem: Problem, init: Array, lanes: Lanes | None = None) -> Task:
    """The problem in the coordinates that the solver works in."""
    lanes = lanes or alone()
    return as_task(solver, problem, choose_coordinates(problem, init, solver.standardizes, lanes), lanes)


def as_task(solver: Solver, problem: Problem, coordinates: Coordinates, lanes: Lanes) -> Task:
    """The same with coordinates chosen before.

    Raises:
        ValueError: for a penalty with kinks and a solver that knows none.
    """
    if not (problem.penalty.smooth or solver.proximal):
        raise ValueError(
            f"solver={type(solver).__name__} needs a smooth penalty; with l1 or bounds use ProximalNewton() or "
            "ProximalGradient()"
        )
    # Gradient descent keeps the user's own weights: its problem then needs no change of variables.
    changed = in_coordinates(problem, coordinates) if solver.standardizes else problem
    return Task(solver, changed, coordinates, lanes.axis, lanes.size, lanes.pool)


@program
def begin(task: Task, init: Array) -> Run:
    """The run before anything is evaluated; :func:`verify` does that."""
    problem, w = task.problem, task.coordinates.to_solver(init)
    z = jnp.zeros(problem.margins_shape(w), w.dtype)
    value = None if problem.convex else jnp.full((), jnp.inf, w.dtype)
    return _begun(task, Point(w, z, jnp.zeros_like(w), value), jnp.int32(UNKNOWN), jnp.zeros((), w.dtype))


def begin_from(task: Task, start: Start) -> Run:
    """The same where another run ended: nothing need be evaluated if that is as good as afresh."""
    problem, point = task.problem, start.point
    gradient = point.gradient + problem.penalty.gradient(point.w)
    value = None if problem.convex else problem.value_at(point.w, point.z)
    here = replace(point, gradient=gradient, value=value)
    return _begun(task, here, start.steps_since_afresh, start.travelled)


def left_by(task: Task, run: Run) -> Start:
    """Where a run is, as another may start."""
    point, gradient = run.point, run.point.gradient - task.problem.penalty.gradient(run.point.w)
    return Start(replace(point, gradient=gradient), run.steps_since_afresh, run.travelled)


def _begun(task: Task, point: Point, steps_since_afresh: Array, travelled: Array) -> Run:
    zero, inf = jnp.int32(0), jnp.full((), jnp.inf, point.w.dtype)
    return Run(
        point=point,
        state=task.solver.init(task.problem, point.w, task.lanes(jnp.ones((), bool))),
        value=inf,
        initial_value=inf,
        best_kkt=inf,
        steps_since_best=zero,
        status=jnp.int32(Status.RUNNING),
        verified=jnp.zeros((), bool),
        steps_since_afresh=steps_since_afresh,
        travelled=travelled,
        num_steps=zero,
        num_passes=jnp.int32(1 + task.solver.passes_at_start()),
    )


@program
def advance(task: Task, run: Run, limits: Limits) -> Run:
    """One step, and what the carried gradient says of it. A lane that is done stays as it is."""
    running = run.status == int(Status.RUNNING)
    point, state, failed = task.solver.advance(task.problem, run.point, run.state, task.lanes(running))
    kkt, _ = task.kkt(point)
    steps_since_best = jnp.where(kkt < run.best_kkt, 0, run.steps_since_best + 1)
    num_steps = run.num_steps + running.astype(jnp.int32)
    # Below the square root of the dtype's precision, a gradient that does not shrink is rounding.
    eps = float(jnp.finfo(kkt.dtype).eps)
    at_floor = kkt <= eps**0.5
    patience = jnp.where(kkt <= 100.0 * eps, 20, task.solver.patience)
    return replace(
        run,
        point=point,
        state=state,
        best_kkt=jnp.minimum(kkt, run.best_kkt),
        steps_since_best=steps_since_best,
        status=_first(
            (~running, run.status),
            (~jnp.isfinite(kkt), Status.NONFINITE),
            (kkt <= limits.tol, Status.CONVERGED),
            (at_floor & (failed | (steps_since_best >= patience)), Status.STALLED),
            (failed, Status.LINE_SEARCH_FAILED),
            (num_steps >= limits.max_steps, Status.MAX_STEPS),
        ),
        steps_since_afresh=run.steps_since_afresh + running.astype(jnp.int32),
        travelled=run.travelled + jnp.sum(jnp.abs(point.w - run.point.w)),
        num_steps=num_steps,
        num_passes=run.num_passes + jnp.where(running, task.solver.passes(state), 0),
        trace=None if run.trace is None else _with_step(run.trace, task, run, point),
    )


def _with_step(trace: Trace, task: Task, run: Run, point: Point) -> Trace:
    """The trace with the step from a run to a point; of a lane that is done, as it was."""
    moved = task.coordinates.to_user(point.w) - task.coordinates.to_user(run.point.w)
    entry = Trace(task.problem.value_at(point.w, point.z), task.kkt(point)[1], jnp.linalg.norm(moved))
    index = jnp.where(run.status == int(Status.RUNNING), run.num_steps + 1, trace.value.shape[0])
    return jax.tree.map(lambda whole, x: whole.at[index].set(x, mode="drop"), trace, entry)


@program
def evaluate(task: Task, run: Run) -> Run:
    """With the value at carried margins, which the steps themselves do not need."""
    return replace(run, value=task.problem.value_at(run.point.w, run.point.z))


@program
def verify(task: Task, run: Run, limits: Limits) -> Run:
    """The verdict, from margins and gradient that are as good as computed from the weights alone."""
    doubtful = ~run.verified & ~_as_good_as_afresh(task, run)
    afresh = task.lanes(doubtful).any(jnp.ones((), bool))
    point = compute_if(afresh, task.problem.point, run.point.w, run.point)
    value = task.problem.value_at(point.w, point.z) if point.value is None else point.value
    strict_kkt, kkt = task.kkt(point)
    ended = (run.status != int(Status.RUNNING)) & (run.status != int(Status.CONVERGED))
    # Before a step is made there is no reason to be content with less than the strict measure.
    converged = jnp.where(run.num_steps == 0, strict_kkt, kkt) <= limits.tol
    status = _first(
        (~(jnp.isfinite(kkt) & jnp.isfinite(value)), Status.NONFINITE),
        (converged, Status.CONVERGED),
        (ended, run.status),
        (run.num_steps >= limits.max_steps, Status.MAX_STEPS),
    )
    trace = run.trace
    if trace is not None:
        i = run.num_steps
        trace = Trace(trace.value.at[i].set(value), trace.kkt.at[i].set(kkt), trace.step_length.at[0].set(0.0))
    return replace(
        run,
        trace=trace,
        point=point,
        value=value,
        initial_value=jnp.where(run.num_steps == 0, value, run.initial_value),
        status=jnp.where(run.verified, run.status, status),
        verified=status != int(Status.RUNNING),
        steps_since_afresh=jnp.where(afresh, 0, run.steps_since_afresh),
        travelled=jnp.where(afresh, 0.0, run.travelled),
        num_passes=run.num_passes + jnp.where(doubtful, 1 + jnp.any(point.w != 0.0).astype(jnp.int32), 0),
    )


def _as_good_as_afresh(task: Task, run: Run) -> Array:
    if not task.solver.standardizes:
        return jnp.zeros((), bool)  # a weight's part in the margins is known where columns have one scale
    straight = run.travelled <= TRUSTED_DETOUR * jnp.sum(jnp.abs(run.point.w))
    few = run.steps_since_afresh <= TRUSTED_STEPS
    return straight & few & ((run.num_steps == 0) | (run.status == int(Status.CONVERGED)))


def _first(*cases: tuple[Array, Array | Status]) -> Array:
    """The status of the first case that holds; RUNNING where none does."""
    status = jnp.int32(Status.RUNNING)
    for condition, outcome in reversed(cases):
        status = jnp.where(condition, jnp.int32(outcome), status)
    return status


@partial(program, static_argnums=2)
def report(task: Task, run: Run, restore: Callable[[Array], Any]) -> Solution:
    problem, coordinates, point = task.problem, task.coordinates, run.point
    unbounded = (
        run.verified
        & (run.status != int(Status.NONFINITE))
        & problem.has_no_optimum(point.w, point.z, task.lanes(jnp.ones((), bool)))
    )
    return Solution(
        params=restore(coordinates.to_user(point.w)),
        value=run.value,
        initial_value=run.initial_value,
        kkt=task.kkt(point)[1],
        gap=jnp.where(jnp.isfinite(run.value), problem.duality_gap(point), jnp.nan),
        status=jnp.where(unbounded, jnp.int32(Status.SEPARABLE), run.status),
        num_steps=run.num_steps,
        num_passes=run.num_passes + 2,
        method=jnp.int32(Method.of(task.solver)),
        trace=run.trace,
    )


def same(w: Array) -> Array:
    return w
