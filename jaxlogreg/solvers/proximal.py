"""Proximal methods: for penalties with kinks, where a gradient method would never arrive at exact zeros.

Each step minimises a model of ``F`` in which the loss is a quadratic and the penalty is itself; the proximal map of the
penalty puts weights at exactly zero, or at their bounds. The quadratic is the weighted Gram, as L-BFGS has it for a
preconditioner: computed where steps gain too little, in float32 and from a part of the rows where that is enough, and
shared by lanes; for the classes of a softmax it is the Hessian itself. The model is minimised in ``n x n``, without
reading the data, by FISTA, and where that takes long by Newton steps of the weights that are not zero.

For many more columns than rows each step is a whole problem in a working set of columns.

Reference: Beck & Teboulle (2009), FISTA; O'Donoghue & Candès (2015), restarts; Lee, Sun & Saunders (2014),
proximal Newton-type methods.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..concrete import as_size
from ..lanes import Lanes
from ..linear_maps import PerClass
from ..linear_solve import solve_convex
from ..losses import SoftmaxCrossEntropy
from ..problem import Point, Problem
from ..products import EXACT
from ..pytrees import register_dataclass
from .base import Solver
from .curvature import Effort, curvature_at, efforts, renewed
from .line_search import search

__all__ = ["ProximalNewton"]

INNER_FRACTION = 0.03  # the model is solved until its step has fallen to this part of the first
INNER_STEPS = 200
# After so many of these, or as many as there are weights if that is more, Newton steps: they then cost as much. Not for
# more weights than so many.
NEWTON_AFTER, NEWTON_ROUNDS, NEWTON_MAX_WEIGHTS = 40, 5, 200
CHECK_EVERY = 4  # of these: two products and a branch take as long as a step of a few weights
SLOW = 0.25  # a step is slow that leaves more than this of the gradient
ROUND_FRACTION, ROUND_STEPS = 0.01, 50  # the same for a working set, in steps of proximal Newton
POWER_STEPS = 10
NEWTON_STEPS = 10  # at most, on the way to the model's face
NEWTON_LENGTHS = (1.0, 0.5, 0.25, 0.125)
BISECTIONS = 10


@register_dataclass
@dataclass(frozen=True)
class _Metric:
    """``c G``: a weighted Gram or a Hessian, a bound of its largest eigenvalue, and this lane's curvature over it."""

    gram: Array
    largest: Array
    curvature: Array

    sound: ClassVar[bool] = True  # until a step along it fails


@register_dataclass
@dataclass(frozen=True)
class _NewtonState:
    """The metric; whether the last step gained too little; how many metrics there were, and whether one in float32 gave
    no step."""

    metric: _Metric
    slow: Array
    count: Array
    needs_exact: Array


@register_dataclass
@dataclass(frozen=True)
class ProximalNewton(Solver):
    """Proximal Newton: for L1, elastic net and bounds.

    Args:
        working_set: None for steps in all weights, for up to some thousands of them. Otherwise each step solves the
            problem in the so many columns that matter most: those in use, and those that would lower the objective
            most. For many more columns than rows, and two classes.

    Raises:
        ValueError: for a ``working_set`` that is no integer of at least 1, and for one with a softmax.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0, 1.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [2.0, 1.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit(X, y, l1=0.2, solver=jlr.ProximalNewton()).params.coef.round(2)
    Array([0.44, 0.  ], dtype=float32)
    """

    working_set: int | None = field(default=None, metadata={"static": True})

    default_max_steps: ClassVar[int] = 200
    patience: ClassVar[int] = 20
    proximal: ClassVar[bool] = True

    def sequential(self) -> bool:
        return self.working_set is not None

    def passes(self, state: _NewtonState | None) -> int:
        return 2 if state is not None else 1

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _NewtonState | None:
        if self.working_set is not None:
            as_size("working_set", self.working_set, 1)
            if isinstance(problem.linear_map, PerClass):
                raise ValueError(
                    "working_set is for one block of weights, not for the classes of a softmax; use ProximalNewton() "
                    "or ProximalGradient()"
                )
        if self._leaves_out(problem):
            return None
        zero = jnp.zeros((), w.dtype)
        metric = _Metric(jnp.zeros((w.shape[0], w.shape[0]), w.dtype), zero, zero)
        return _NewtonState(metric, jnp.ones((), bool), jnp.int32(0), jnp.zeros((), bool))

    def advance(self, problem: Problem, point: Point, state: Any, lanes: Lanes) -> tuple[Point, Any, Array]:
        if self._leaves_out(problem):
            new, moved = self._in_working_set(problem, point, lanes)
            return new, None, ~moved
        return self._step(problem, point, state, lanes)

    def _leaves_out(self, problem: Problem) -> bool:
        linear_map = problem.linear_map
        columns = linear_map.shape[1] - int(linear_map.intercept_mask().sum())
        return self.working_set is not None and self.working_set < columns and not problem.penalty.smooth

    def _in_working_set(self, problem: Problem, point: Point, lanes: Lanes) -> tuple[Point, Array]:
        """The point where the problem is solved, nearly, in the columns that matter; and whether it is another."""
        assert self.working_set is not None
        penalty, w = problem.penalty, point.w
        intercepts = np.flatnonzero(problem.linear_map.intercept_mask())
        stationarity, kink = problem.stationarity(point), penalty.kink(w)
        # Those in use and those that would leave zero first; the strongest pull always; then those nearest to leaving.
        tiny = float(jnp.finfo(w.dtype).tiny)
        pull = jnp.abs(stationarity) / jnp.maximum(jnp.max(jnp.abs(stationarity)), tiny)
        nearness = jnp.minimum(jnp.abs(point.gradient) / jnp.maximum(kink, tiny), 1.0)
        matters = jnp.where(w != 0.0, 1.0 + pull, jnp.where(pull > 0.0, jnp.maximum(2.0 * pull, 1.0), nearness))
        matters = matters.at[intercepts].set(-jnp.inf)
        index = _largest(matters, self.working_set)
        own = jnp.concatenate([index, jnp.asarray(intercepts, index.dtype)])
        # The weights left out stay as they are: the margins that are carried have them.
        part = Problem(problem.loss, problem.linear_map.columns(index), penalty.weights(own))
        value, _ = part.value_and_residual(w[own], point.z)
        start = Point(w[own], point.z, point.gradient[own], value)
        goal = ROUND_FRACTION * jnp.linalg.norm(stationarity)
        inner = replace(self, working_set=None)

        def going(carry: tuple[Point, Any, Array, Array]) -> Array:
            here, _, failed, count = carry
            return lanes.any(~failed & (jnp.linalg.norm(part.stationarity(here)) > goal)) & (count < ROUND_STEPS)

        def go_on(carry: tuple[Point, Any, Array, Array]) -> tuple[Point, Any, Array, Array]:
            here, state, failed, count = carry
            here, state, now = inner._step(part, here, state, lanes)
            return here, state, failed | now, count + 1

        no = jnp.zeros((), bool)
        found = lax.while_loop(going, go_on, (start, inner.init(part, start.w, lanes), no, jnp.int32(0)))[0]
        new = w.at[own].set(found.w)
        # In one step, as the round counts: the drift of those that led here is left behind.
        z = point.z + part.linear_map.mv(found.w - start.w)
        value, residual = problem.value_and_residual(new, z)
        return Point(new, z, problem.gradient_at(new, residual), value), jnp.any(new != w)

    def _step(
        self, problem: Problem, point: Point, state: _NewtonState, lanes: Lanes
    ) -> tuple[Point, _NewtonState, Array]:
        wanted, (first, _, exact) = lanes.any(state.slow), efforts(problem, point.w.dtype, lanes)
        metric, _ = renewed(state.metric, wanted, state.count, state.needs_exact, problem, point, lanes, _metric_at)
        target = _model_minimum(problem, point, metric, lanes)
        new, found = search(problem, point, target - point.w, lanes, longest=1.0)
        # A weight on its way to zero that has but rounding left to go is there, whatever a search makes of the step.
        rounding = float(jnp.finfo(new.w.dtype).eps) * jnp.max(jnp.abs(new.w))
        arrived = (target == 0.0) & (new.w != 0.0) & (jnp.abs(new.w) <= rounding) & lanes.active
        new, found = replace(new, w=jnp.where(arrived, 0.0, new.w)), found | jnp.any(arrived)
        before, after = (jnp.linalg.norm(problem.stationarity(p)) for p in (point, new))
        slow = ~found | (after > SLOW * before)
        # Where the best metric there is, computed here, gives no step, it is over.
        in_part = jnp.asarray(first is not None) & (state.count == 0)
        best = wanted & ~in_part & (state.needs_exact | (exact is None))
        needs_exact = state.needs_exact | (lanes.any(~found) & wanted & ~in_part)
        return new, _NewtonState(metric, slow, state.count + wanted.astype(jnp.int32), needs_exact), ~found & best


def _largest(x: Array, count: int) -> Array:
    """The indices of the ``count`` largest of ``x``, in no order; where many are nearly equal, of some of them.

    By bisecting a threshold: sorting, as ``top_k`` does on a CPU, takes ten times as long.
    """

    def halved(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        fits = jnp.sum((x > middle).astype(x.dtype)) <= count  # as floats: a faster sum
        return jnp.where(fits, low, middle), jnp.where(fits, middle, high)

    low, high = jnp.min(jnp.where(jnp.isfinite(x), x, jnp.inf)) - 1.0, jnp.max(x)
    chosen = x > lax.fori_loop(0, BISECTIONS, halved, (low, high))[1]
    place = jnp.where(chosen, jnp.cumsum(chosen) - 1, jnp.sum(chosen) + jnp.cumsum(~chosen) - 1)
    return jnp.zeros(count, place.dtype).at[place].set(jnp.arange(x.shape[0], dtype=place.dtype), mode="drop")


def _metric_at(problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> _Metric:
    if isinstance(problem.loss, SoftmaxCrossEntropy):
        gram, own = _hessian_at(problem, problem.loss, point, lanes, effort)
    else:
        curvature = curvature_at(problem, point, lanes, effort)
        gram, own = effort.gram(problem.linear_map, curvature.weights), curvature.total * curvature.share
    gram = gram.astype(point.w.dtype)
    size, x = jnp.abs(gram), jnp.ones_like(point.w)
    # λmax(G) <= λmax(|G|) <= max (|G| x)ⱼ / xⱼ for any x > 0 (Collatz), and closest for the leading eigenvector.
    x = lax.fori_loop(0, POWER_STEPS, lambda _, x: _positive(size @ x), x)
    largest = jnp.max((size @ x) / x)
    return _Metric(gram, largest, own)


def _hessian_at(
    problem: Problem, loss: SoftmaxCrossEntropy, point: Point, lanes: Lanes, effort: Effort
) -> tuple[Array, Array]:
    """The loss's Hessian, of lanes that share at the mean of their margins, and this lane's curvature over that."""
    z = lanes.mean(point.z)
    own, there = (jnp.sum(loss.curvature(margins)) for margins in (point.z, z))
    ratio = jnp.clip(own / jnp.where(there > 0.0, there, 1.0), 1e-4, 1e4)
    # Of all rows: a part that is enough for one class is not for all of them.
    return loss.hessian(problem.linear_map, z, effort.dtype), jnp.where(there > 0.0, ratio, 1.0)


def _positive(x: Array) -> Array:
    x = x / jnp.max(x)
    return jnp.maximum(x, 1e-3)


def _model_minimum(problem: Problem, point: Point, metric: _Metric, lanes: Lanes) -> Array:
    """The minimiser of ``gᵀd + c/2 dᵀG d + R(w + d)`` over ``w + d``, nearly.

    By FISTA in ``d``. Where that takes long, Newton steps of the weights that are neither zero nor at a bound come in
    between: FISTA then only has to find which they are.
    """
    penalty, w, c = problem.penalty, point.w, metric.curvature
    gradient = point.gradient - penalty.gradient(w)
    step, shrink = 1.0 / (c * metric.largest), 1.0 / metric.largest
    steps, limit = INNER_STEPS, INNER_STEPS
    if w.shape[0] <= NEWTON_MAX_WEIGHTS:
        steps = max(NEWTON_AFTER, w.shape[0])
        limit = NEWTON_ROUNDS * steps

    def turned(d: Array) -> Array:
        return jnp.matmul(d, metric.gram, precision=EXACT)

    def stepped(d: Array) -> Array:
        return penalty.prox(w + (d - shrink * turned(d) - step * gradient), step) - w

    def better(state: tuple[Array, ...]) -> tuple[Array, ...]:
        d, ahead, age, _, count = state
        last, start = d, ahead
        ages = age + jnp.arange(1, CHECK_EVERY + 1, dtype=w.dtype)
        momentum = ages / (ages + 3.0)
        for i in range(CHECK_EVERY):
            last, start, d = d, ahead, stepped(ahead)
            ahead = d + momentum[i] * (d - last)
        restart = jnp.vdot(start - d, d - last) > 0.0
        ahead, age = jnp.where(restart, d, ahead), jnp.where(restart, 0.0, age + CHECK_EVERY)
        return d, ahead, age, jnp.linalg.norm(d - start) > enough, count + CHECK_EVERY

    def newton(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        d, wanted, count = state
        here, eye = w + d, jnp.eye(w.shape[0], dtype=w.dtype)
        free = penalty.active(here)
        slope = jnp.where(free, gradient + c * turned(d) + penalty.active_gradient(here), 0.0)
        H = jnp.where(free[:, None] & free[None], c * metric.gram + eye * penalty.diagonal(here)[None], eye)
        fall = solve_convex(H, slope)
        # A weight that would change its sign stops at zero; up to where the first does so, the model falls.
        kinked, crossing = penalty.kink(here) > 0.0, fall * here > 0.0
        first = jnp.min(jnp.where(kinked & crossing, here / jnp.where(crossing, fall, 1.0), 1.0))
        lengths = jnp.concatenate([jnp.asarray(NEWTON_LENGTHS, w.dtype), jnp.minimum(first, 1.0)[None]])
        there = here[None] - lengths[:, None] * fall[None]
        there = jax.vmap(penalty.within_bounds)(jnp.where((there * here[None] < 0.0) & kinked[None], 0.0, there))
        tried = jnp.concatenate([there - w[None], d[None]])
        best = jnp.argmin(jax.vmap(model)(tried))
        # Where a weight has come to zero, another step may lead on, without it.
        return jnp.where(wanted, tried[best], d), wanted & (best > 0) & (best < lengths.shape[0]), count + 1

    def model(d: Array) -> Array:
        return jnp.vdot(gradient + 0.5 * c * turned(d), d) + penalty.value(w + d)

    def go_on(state: tuple[Array, ...]) -> tuple[Array, ...]:
        d, _, _, unfinished, count = state
        late = d, unfinished & (count > 1), jnp.int32(0)
        d = lax.while_loop(lambda s: lanes.any(s[1]) & (s[2] < NEWTON_STEPS), newton, late)[0]
        begin = d, d, jnp.zeros((), w.dtype), unfinished, count
        return lax.while_loop(lambda s: lanes.any(s[3]) & (s[4] < count + steps), better, begin)

    first = stepped(jnp.zeros_like(w))
    enough = INNER_FRACTION * jnp.linalg.norm(first)
    begin = first, first, jnp.zeros((), w.dtype), jnp.ones((), bool), jnp.int32(1)
    found = lax.while_loop(lambda s: lanes.any(s[3]) & (s[4] < limit), go_on if steps < limit else better, begin)
    return w + found[0]
