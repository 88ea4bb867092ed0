"""Proximal Newton: for penalties with kinks, where a gradient method would never arrive at exact zeros.

Each step minimises a model of ``F`` in which the loss is a quadratic and the penalty is itself; the proximal map of the
penalty puts weights at exactly zero, or at their bounds. The quadratic is the weighted Gram, as L-BFGS has it for a
preconditioner: computed where steps gain too little, in float32 and from a part of the rows where that is enough, and
shared by lanes; for the classes of a softmax it is the Hessian itself.

For many more columns than rows each step is a whole problem in a working set of columns.

Reference: Lee, Sun & Saunders (2014), proximal Newton-type methods.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ..concrete import as_size
from ..lanes import Lanes
from ..linear_maps import PerClass
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .curvature import efforts, renewed
from .line_search import search
from .proximal_model import Metric, metric_at, model_minimum

__all__ = ["ProximalNewton"]

SLOW = 0.25  # a step is slow that leaves more than this of the gradient
ROUND_FRACTION, ROUND_STEPS = 0.01, 50  # the same for a working set, in steps of proximal Newton
BISECTIONS = 10


@register_dataclass
@dataclass(frozen=True)
class _NewtonState:
    """The metric; whether the last step gained too little; how many metrics there were, and whether one in float32 gave
    no step."""

    metric: Metric
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
        metric = Metric(jnp.zeros((w.shape[0], w.shape[0]), w.dtype), zero, zero)
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
        metric, _ = renewed(state.metric, wanted, state.count, state.needs_exact, problem, point, lanes, metric_at)
        target = model_minimum(problem, point, metric, lanes)
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
