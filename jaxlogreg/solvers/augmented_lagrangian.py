"""Lagrange multipliers: minimise ``F(w)`` where ``h(w) = 0`` and ``g(w) <= 0``.

At such a minimum there are multipliers ``λ`` and ``μ >= 0`` with

    ∇F + Σ λᵢ ∇hᵢ + Σ μⱼ ∇gⱼ = 0,   μⱼ gⱼ = 0.

The augmented Lagrangian finds them: another solver minimises

    F(w) + λᵀh + ρ/2 ‖h‖² + Σ (max(0, μⱼ + ρ gⱼ)² - μⱼ²) / 2ρ

and then ``λ ← λ + ρ h``, ``μ ← max(0, μ + ρ g)``, until nothing is violated; where that falls too slowly, ``ρ`` grows.
The new terms are a penalty on the weights, so that on a logistic problem the margins are carried as ever.

Reference: Nocedal & Wright, Numerical Optimization (2006), framework 17.3; Hestenes (1969), Powell (1969),
Rockafellar (1973).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..coordinates import Coordinates
from ..lanes import Lanes
from ..penalties import Penalty
from ..problem import Problem
from ..pytrees import register_dataclass
from ..solution import Method, Multipliers, Solution, Status
from .base import Solver, is_solver
from .loop import Limits, Run, Task, begin, prepare, report, run_to_end
from .quasi_newton import LBFGS

__all__ = ["AugmentedLagrangian", "Constraints", "check_inner", "minimize_constrained"]

MAX_ROUNDS = 100
FALL = 0.25  # the violation falls to this part in a round, or ρ grows
GROWTH = 10.0
FIRST_TOL, TOL_FALL = 1e-1, 0.1  # of the inner solver, and from round to round


@register_dataclass
@dataclass(frozen=True)
class AugmentedLagrangian(Solver):
    """The method of multipliers, for :func:`minimize` with ``equality`` or ``inequality``.

    Args:
        inner: the solver of each round, for smooth functions.
        strength: ``ρ`` in the first round, above 0.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> distance = lambda x: jnp.sum((x - 2.0) ** 2)
    >>> solution = jlr.minimize(distance, jnp.zeros(2), equality=lambda x: jnp.sum(x**2) - 1.0)
    >>> print(solution.params, solution.multipliers.equality)  # 2 (x - 2) + 2 λ x = 0
    [0.707... 0.707...] [1.828...]
    """

    inner: Solver = field(default_factory=LBFGS)
    strength: float | Array = 10.0

    default_max_steps: ClassVar[int] = 10_000  # of the inner solver, in all rounds

    @property
    def positive(self) -> tuple[str, ...]:
        return ("strength",)

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> Any:
        raise ValueError(
            "AugmentedLagrangian is for constraints: give minimize equality= or inequality=, or take its inner solver"
        )


def check_inner(solver: AugmentedLagrangian) -> None:
    """Raises a ``ValueError`` for an inner solver that is none, or not for smooth functions."""
    inner = solver.inner
    if not is_solver(inner) or inner.proximal:
        raise ValueError(f"inner must be a solver for smooth functions, such as LBFGS(), got {inner!r}")


@register_dataclass
@dataclass(frozen=True)
class Constraints:
    """``h`` and ``g``, functions of the user's parameters and of the same arguments as the objective."""

    equality: Callable[..., Any] | None = field(metadata={"static": True})
    inequality: Callable[..., Any] | None = field(metadata={"static": True})
    restore: Callable[[Array], Any] = field(metadata={"static": True})
    coordinates: Coordinates
    args: tuple[Any, ...]

    def at(self, v: Array) -> tuple[Array, Array]:
        """``h`` and ``g`` at weights in the solver's coordinates, flat."""
        params = self.restore(self.coordinates.to_user(v))
        return self._values("equality", params, v.dtype), self._values("inequality", params, v.dtype)

    def _values(self, name: str, params: Any, dtype: jnp.dtype) -> Array:
        function = getattr(self, name)
        if function is None:
            return jnp.zeros((0,), dtype)
        values = jax.tree.leaves(function(params, *self.args))
        if not values or not all(jnp.issubdtype(jnp.result_type(value), jnp.floating) for value in values):
            got = ", ".join(str(jnp.result_type(value)) for value in values) or "nothing"
            raise ValueError(f"{name} must return floating-point numbers, got {got}")
        return jnp.concatenate([jnp.ravel(jnp.asarray(value, dtype)) for value in values])


@register_dataclass
@dataclass(frozen=True)
class _Augmented(Penalty):
    """A penalty with the terms of the constraints."""

    base: Penalty
    constraints: Constraints
    equality: Array  # λ
    inequality: Array  # μ
    strength: Array  # ρ

    convex: ClassVar[bool] = False

    def value(self, w: Array) -> Array:
        return self.base.value(w) + self._terms(w)

    def gradient(self, w: Array) -> Array:
        return self.base.gradient(w) + jax.grad(self._terms)(w)

    def diagonal(self, w: Array) -> Array:
        return self.base.diagonal(w)

    def hessian(self, w: Array) -> Array:
        return self.base.hessian(w) + jax.hessian(self._terms)(w)

    def _terms(self, w: Array) -> Array:
        h, g = self.constraints.at(w)
        pressed = jnp.maximum(self.inequality + self.strength * g, 0.0)
        terms = jnp.vdot(self.equality, h) + 0.5 * self.strength * jnp.vdot(h, h)
        return terms + (jnp.vdot(pressed, pressed) - jnp.vdot(self.inequality, self.inequality)) / (2.0 * self.strength)


@register_dataclass
@dataclass(frozen=True)
class _Round:
    """Where the rounds are: the last run of the inner solver, the multipliers that its minimum implies, and ``ρ``."""

    run: Run
    equality: Array
    inequality: Array
    strength: Array
    violation: Array
    tol: Array
    count: Array
    status: Array


def minimize_constrained(
    solver: AugmentedLagrangian,
    problem: Problem,
    init: Array,
    limits: Limits,
    restore: Callable[[Array], Any],
    constraints: tuple[Callable[..., Any] | None, Callable[..., Any] | None],
    args: tuple[Any, ...],
) -> Solution:
    """The whole of a constrained minimisation, traceable.

    Raises:
        ValueError: for a penalty with kinks, and for constraints that return something else than numbers.
    """
    if not problem.penalty.smooth:
        raise ValueError(
            f"constraints need a smooth penalty, and {type(problem.penalty).__name__} has kinks or bounds; state "
            "bounds as an inequality"
        )
    plain = prepare(solver.inner, problem, init)
    strongest = float(jnp.finfo(init.dtype).eps) ** -0.5  # beyond, the objective drowns in the rounding of the terms
    here = Constraints(*constraints, restore, plain.coordinates, args)

    def with_terms(equality: Array, inequality: Array, strength: Array) -> Task:
        penalty = _Augmented(plain.problem.penalty, here, equality, inequality, strength)
        return replace(plain, problem=replace(plain.problem, penalty=penalty))

    def once(state: _Round) -> _Round:
        task = with_terms(state.equality, state.inequality, state.strength)
        before = state.run
        own = Limits(state.tol, jnp.maximum(limits.max_steps - before.num_steps, 0))
        run = run_to_end(task, begin(task, plain.coordinates.to_user(before.point.w)), own)
        h, g = here.at(run.point.w)
        violation = _largest(jnp.concatenate([h, jnp.maximum(g, -state.inequality / state.strength)]))
        equality = state.equality + state.strength * h
        inequality = jnp.maximum(state.inequality + state.strength * g, 0.0)
        slow = violation > FALL * state.violation
        run = replace(
            run,
            initial_value=before.initial_value,
            num_steps=before.num_steps + run.num_steps,
            num_passes=before.num_passes + run.num_passes,
        )
        feasible, strictest = violation <= limits.tol, state.tol <= limits.tol
        arrived = feasible & (task.kkt(run.point)[1] <= limits.tol)
        ended = jnp.isfinite(violation) & (run.status != int(Status.NONFINITE))
        over = (run.num_steps >= limits.max_steps) | (state.count + 1 >= MAX_ROUNDS)
        stuck = strictest & feasible & (run.status != int(Status.CONVERGED))
        status = jnp.where(over, int(Status.MAX_STEPS), int(Status.RUNNING))
        status = jnp.where(stuck, run.status, status)
        status = jnp.where(ended, jnp.where(arrived, int(Status.CONVERGED), status), int(Status.NONFINITE))
        return _Round(
            run,
            equality,
            inequality,
            jnp.where(slow, jnp.minimum(GROWTH * state.strength, strongest), state.strength),
            violation,
            jnp.maximum(TOL_FALL * state.tol, limits.tol),
            state.count + 1,
            status.astype(jnp.int32),
        )

    v = plain.coordinates.to_solver(init)
    h, g = here.at(v)
    inf = jnp.full((), jnp.inf, v.dtype)
    strength = jnp.asarray(solver.strength, v.dtype)
    start = with_terms(jnp.zeros_like(h), jnp.zeros_like(g), strength)
    state = _Round(
        replace(begin(start, init), initial_value=plain.problem.value(v), num_passes=jnp.int32(0)),
        jnp.zeros_like(h),
        jnp.zeros_like(g),
        strength,
        inf,
        jnp.maximum(jnp.asarray(FIRST_TOL, v.dtype), limits.tol),
        jnp.int32(0),
        jnp.int32(Status.RUNNING),
    )
    state = lax.while_loop(lambda state: state.status == int(Status.RUNNING), once, state)
    # ∇F + λᵀ∇h + μᵀ∇g at the last multipliers is the gradient of the last round's function.
    run = replace(state.run, value=plain.problem.value_at(state.run.point.w, state.run.point.z))
    found = report(plain, run, restore)
    return replace(
        found,
        kkt=jnp.maximum(plain.kkt(run.point)[1], state.violation),
        gap=jnp.full_like(found.gap, jnp.inf),
        status=state.status,
        method=jnp.int32(Method.AugmentedLagrangian),
        multipliers=Multipliers(state.equality, state.inequality, state.violation),
    )


def _largest(values: Array) -> Array:
    finite = jnp.all(jnp.isfinite(values))
    return jnp.where(finite, jnp.max(jnp.abs(values), initial=0.0), jnp.nan)
