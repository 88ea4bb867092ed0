"""Firth's logistic regression: the likelihood with Jeffreys' penalty, which is finite on separated classes.

Maximum likelihood overstates effects in small samples, and has no maximum where a column separates the classes. With
``½ log det I(w)`` added to the log-likelihood the bias of order ``1/m`` is gone, and a maximum exists. It is found by
Newton-like steps ``(I + E)⁻¹ U*``: the information ``I`` is all of the curvature but for a part ``E`` that comes from
the penalty, which is learnt from how the score changes (a symmetric rank-one update). A step that does not raise the
likelihood is halved.

References: Firth, Bias reduction of maximum likelihood estimates, Biometrika 80 (1993); Heinze & Schemper, A solution
to the problem of separation in logistic regression, Statistics in Medicine 21 (2002); for the update, Nocedal & Wright,
Numerical Optimization (2006), section 6.2.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap
from jax.typing import ArrayLike

from ..compilation import program
from ..coordinates import Coordinates, choose_coordinates, in_coordinates
from ..lanes import alone
from ..linear_solve import inverse, times
from ..models.binary import FitData, FitOptions, as_data, params_of, total_weight
from ..models.binary import as_problem as as_penalized_problem
from ..models.inputs import Design, as_binary_labels, as_design
from ..penalties import NoPenalty
from ..problem import Problem
from ..products import TABLE_COLUMNS
from ..pytrees import register_dataclass
from ..solution import Method, Params, Solution, Status
from ..solvers import Newton
from ..solvers.driver import settings
from ..solvers.loop import Limits
from ..solvers.solve import blocks_of
from .jeffreys import ByColumns, Evaluation, evaluate, learn_curvature

__all__ = ["FirthSolution", "fit_firth"]

MAX_STEP = 5.0  # of a standardised weight
MIN_GAIN = 1e-4  # of what the slope promises (Armijo)
MIN_FRACTION = 1e-9  # of a step, before it is given up
PATIENCE = 6  # steps without progress, near the rounding floor
MIN_LANES = 8
LANES_NUMBERS = 2**18  # numbers of the data of the lanes that run together, on a CPU


@register_dataclass
@dataclass(frozen=True)
class FirthSolution(Solution):
    """A :class:`Solution` whose ``value`` is ``-ℓ* / Σ sᵢ``, and ``penalty`` its part ``-½ log det I / Σ sᵢ``.

    ``log det I`` is that of the columns as given. ``-num_rows value`` is the penalised log-likelihood, and
    ``-num_rows (value - penalty)`` the plain one.
    """

    @property
    def message(self) -> str:
        """What happened, why, and what to try, in words. For concrete solutions, not inside jit."""
        text = super().message
        if np.any(np.asarray(self.status) == Status.NONFINITE):
            text += (
                "; a Firth fit has no estimate where the information is singular: columns depend on each other "
                "linearly (duplicates, a constant beside the intercept, all levels of a factor); drop one of them"
            )
        return text


def fit_firth(
    X: Design,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    init: Params | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
) -> FirthSolution:
    """Fit a binary logistic regression by Firth's penalised likelihood: finite also where the classes are separated.

    Maximises ``ℓ*(w) = ℓ(w) + ½ log det I(w)`` with ``ℓ = -Σ sᵢ [log(1 + exp(zᵢ)) - yᵢ zᵢ]``, ``z = X w + b + offset``
    and the information ``I = Aᵀ diag(s p (1 - p)) A``, where ``A`` is ``X`` with a column of ones. The intercept is
    penalised with the rest. (R's logistf and brglm2's ``AS_mean``.)

    Works under ``jit`` and ``vmap``, also over the own column of :class:`Columns`; thousands of small fits are one
    compiled program. It is not differentiable: the result is a constant to ``jax.grad``.

    Args:
        X: features, ``(m, n)``, in any units, or :class:`Columns` that fits share in part.
        y: labels 0 or 1, ``(m,)``.
        sample_weight: ``s``, ``(m,)``, at least 0; a weight of 2 equals the row twice.
        offset: known part of the margins, ``(m,)``.
        intercept: whether to fit ``b``.
        init: where to start: another solution's ``params``; zeros when None.
        tol: the KKT residual to reach, ``max |∂ℓ*/∂wⱼ| / rms(xⱼ) / Σ sᵢ``. By default 1e-11 in float64 and 1e-6 in
            float32.
        max_steps: 100 when None.

    Returns:
        A :class:`FirthSolution`. The square roots of the diagonal of ``I⁻¹`` are its standard errors (see
        :func:`summary`); in small samples intervals of the profile are better (:func:`profile_interval`). Where the
        information is singular (columns that depend on each other linearly) there is no estimate, and the status is
        NONFINITE.

    Raises:
        ValueError: as :func:`fit` does.

    References: Firth (1993); Heinze & Schemper (2002).

    >>> import jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0]])
    >>> passed = jnp.array([0, 0, 0, 1, 1, 1])  # completely separated
    >>> solution = fit_firth(hours, passed)
    >>> bool(solution.converged), solution.params.coef.round(2)
    (True, Array([2.26], dtype=float32))
    """
    options = FitOptions(sample_weight=sample_weight, offset=offset, intercept=intercept, init=init)
    data = as_data(as_design(X), y, as_binary_labels, options)
    _, limits = settings(data.l2.dtype, Newton(), tol, max_steps)
    return _fit(data, limits)


@program
def _fit(data: FitData, limits: Limits) -> FirthSolution:
    data, limits = lax.stop_gradient((data, limits))
    problem, init = as_penalized_problem(data)
    problem = replace(problem, penalty=NoPenalty())
    dtype = data.l2.dtype
    num_rows = total_weight(data)
    search, coordinates = _search(problem, num_rows, init, limits)
    log_scale = jnp.sum(jnp.log(coordinates.scale))  # det I in the columns' own units has another factor
    penalty = search.point.penalty + log_scale
    _, kkt = coordinates.kkt(search.point.score / num_rows)
    return FirthSolution(
        params=params_of(coordinates.to_user(search.v), data.intercept),
        value=-(search.point.value + log_scale) / num_rows,
        initial_value=-(search.initial_value + log_scale) / num_rows,
        kkt=kkt,
        gap=jnp.full((), jnp.inf, dtype),
        status=search.status,
        num_steps=search.num_steps,
        num_passes=1 + 4 * search.num_trials,
        method=jnp.int32(Method.Firth),
        penalty=-penalty / num_rows,
        num_rows=num_rows,
    )


@register_dataclass
@dataclass(frozen=True)
class Search:
    """What changes from trial to trial.

    Args:
        v, point: the best weights so far, in standardised coordinates, and ``ℓ*`` at them.
        correction: ``E``, by which the curvature of ``-ℓ*`` exceeds the information.
        step, slope, fraction: the step under trial, the rise of ``ℓ*`` that it promises, and how much of it is tried.
    """

    v: Array
    point: Evaluation
    correction: Array
    step: Array
    slope: Array
    fraction: Array
    initial_value: Array
    best_kkt: Array
    steps_since_best: Array
    status: Array
    num_steps: Array
    num_trials: Array


@custom_vmap
def _search(problem: Problem, num_rows: Array, init: Array, limits: Limits) -> tuple[Search, Coordinates]:
    return _ascend(problem, num_rows, init, limits)


@_search.def_vmap
def _search_lanes(axis_size: int, in_batched: Any, *args: Any) -> tuple[tuple[Search, Coordinates], Any]:
    """As many lanes at a time as stay in the cache, so that none waits for all others either."""
    leaves, tree = jax.tree.flatten(args)
    flags = jax.tree.leaves(in_batched)

    def run(own: list[Array]) -> tuple[Search, Coordinates]:
        left = iter(own)
        problem, num_rows, init, limits = jax.tree.unflatten(
            tree, [next(left) if flag else leaf for flag, leaf in zip(flags, leaves, strict=True)]
        )
        own_matrix = any(jax.tree.leaves(in_batched[0].linear_map))
        return _ascend(problem, num_rows, init, limits, own_matrix)

    own = [leaf for flag, leaf in zip(flags, leaves, strict=True) if flag]
    problem = args[0]
    (rows,), k = problem.loss.weight.shape[-1:], args[2].shape[-1]
    size = axis_size if jax.default_backend() != "cpu" else max(MIN_LANES, LANES_NUMBERS // (rows * k))
    index = blocks_of(axis_size, min(size, axis_size))
    if len(index) == 1:
        found = jax.vmap(run)(own)
    else:
        found = lax.map(lambda lanes: jax.vmap(run)([leaf[lanes] for leaf in own]), index)
        found = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:axis_size], found)
    return found, jax.tree.map(lambda _: True, found)


def _ascend(
    problem: Problem, num_rows: Array, init: Array, limits: Limits, own_matrix: bool = False
) -> tuple[Search, Coordinates]:
    """The whole search; ``own_matrix``: no other lane shares the columns, so that a copy of a few is in the cache."""
    coordinates = choose_coordinates(problem, init, True, alone())
    problem = in_coordinates(problem, coordinates)
    if own_matrix and init.shape[0] <= TABLE_COLUMNS:
        linear_map = problem.linear_map
        problem = replace(problem, linear_map=ByColumns(linear_map.rows(0, linear_map.shape[0]).T))
    start = coordinates.to_solver(init)
    k, dtype = start.shape[0], start.dtype
    zero, inf = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    nothing, none = jnp.zeros((k, k), dtype), jnp.int32(0)
    empty = Evaluation(-inf, zero, jnp.full((k,), jnp.nan, dtype), nothing, nothing, jnp.zeros((), bool))
    search = Search(
        v=jnp.zeros_like(start), point=empty, correction=nothing, step=start, slope=zero, fraction=zero + 1.0,
        initial_value=-inf, best_kkt=inf, steps_since_best=none, status=none, num_steps=none - 1, num_trials=none,
    )  # fmt: skip

    def attempt(search: Search) -> Search:
        trial = search.v + search.fraction * search.step
        return _judge(search, trial, evaluate(problem, num_rows, trial, True), coordinates, num_rows, limits)

    search = lax.while_loop(lambda search: search.status == int(Status.RUNNING), attempt, search)
    return search, coordinates


def _judge(
    search: Search, trial: Array, found: Evaluation, coordinates: Coordinates, num_rows: Array, limits: Limits
) -> Search:
    """The trial taken if it is good enough, otherwise the step halved; and whether to go on."""
    first, eps = search.num_steps < 0, float(jnp.finfo(trial.dtype).eps)
    gain = found.value - search.point.value
    rounding = 8.0 * eps * (jnp.abs(found.value) + jnp.abs(found.penalty))
    decrement, before = _decrement(found), _decrement(search.point)
    # Where rounding hides the gain, the score tells.
    better = (gain >= MIN_GAIN * search.fraction * search.slope) | ((gain >= -rounding) & (decrement < before))
    taken = (found.value > -jnp.inf) & (first | better)
    strict_kkt, kkt = coordinates.kkt(found.score / num_rows)
    correction = learn_curvature(search.correction, search.point, found, trial - search.v)
    step, slope = _direction(found, correction)

    best_kkt = jnp.where(taken, jnp.minimum(strict_kkt, search.best_kkt), search.best_kkt)
    steps_since_best = jnp.where(best_kkt < search.best_kkt, 0, search.steps_since_best + 1)
    num_steps = search.num_steps + (taken | first).astype(jnp.int32)
    at_floor = best_kkt <= eps**0.5
    fraction = jnp.where(taken, 1.0, 0.5 * search.fraction)
    # A start where every row is saturated is no start: then from zero, where the information is that of the columns.
    again = first & ~taken & jnp.any(trial != 0.0)
    status = jnp.int32(Status.RUNNING)
    for condition, outcome in (
        (num_steps >= limits.max_steps, Status.MAX_STEPS),
        (fraction < MIN_FRACTION, Status.LINE_SEARCH_FAILED),
        (at_floor & (steps_since_best >= PATIENCE), Status.STALLED),
        (at_floor & (fraction < MIN_FRACTION), Status.STALLED),
        (taken & (jnp.where(num_steps == 0, strict_kkt, kkt) <= limits.tol), Status.CONVERGED),
        (first & ~taken, Status.NONFINITE),
        (again, Status.RUNNING),
    ):
        status = jnp.where(condition, jnp.int32(outcome), status)
    moved = replace(
        search, v=trial, point=found, correction=correction, step=step, slope=slope,
        initial_value=jnp.where(first, found.value, search.initial_value),
    )  # fmt: skip
    kept = replace(search, step=jnp.where(first, 0.0, search.step))
    return replace(
        jax.tree.map(lambda new, old: jnp.where(taken, new, old), moved, kept),
        fraction=fraction,
        best_kkt=best_kkt,
        steps_since_best=steps_since_best,
        status=status,
        num_steps=jnp.where(again, search.num_steps, num_steps),
        num_trials=search.num_trials + 1,
    )


def _decrement(point: Evaluation) -> Array:
    """``U* I⁻¹ U*``: twice the rise that Newton's model promises."""
    return jnp.sum(point.score * times(point.inverse, point.score))


def _direction(found: Evaluation, correction: Array) -> tuple[Array, Array]:
    """The step, no longer than allowed, and its slope."""
    plain = times(found.inverse, found.score)
    step = times(inverse(found.information + correction), found.score)
    ascends = jnp.sum(step * found.score) >= 0.1 * jnp.sum(plain * found.score)  # False for NaN
    step = jnp.where(ascends, step, plain)
    step = step * jnp.minimum(1.0, MAX_STEP / jnp.maximum(jnp.max(jnp.abs(step)), MAX_STEP))
    return step, jnp.sum(step * found.score)
