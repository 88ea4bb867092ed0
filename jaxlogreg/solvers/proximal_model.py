"""The model of a proximal Newton step, ``gᵀd + c/2 dᵀG d + R(w + d)``, and its minimum.

It is minimised in ``n x n``, without reading the data: by FISTA, and where that takes long by Newton steps of the
weights that are not zero.

Reference: Beck & Teboulle (2009), FISTA; O'Donoghue & Candès (2015), restarts.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..linear_solve import solve_convex
from ..losses import SoftmaxCrossEntropy
from ..problem import Point, Problem
from ..products import EXACT
from ..pytrees import register_dataclass
from .curvature import Effort, curvature_at

__all__ = ["Metric", "metric_at", "model_minimum"]

INNER_FRACTION = 0.03  # the model is solved until its step has fallen to this part of the first
INNER_STEPS = 200
# After so many of these, or as many as there are weights if that is more, Newton steps: they then cost as much. Not for
# more weights than so many.
NEWTON_AFTER, NEWTON_ROUNDS, NEWTON_MAX_WEIGHTS = 40, 5, 200
CHECK_EVERY = 4  # of these: two products and a branch take as long as a step of a few weights
POWER_STEPS = 10
NEWTON_STEPS = 10  # at most, on the way to the model's face
NEWTON_LENGTHS = (1.0, 0.5, 0.25, 0.125)


@register_dataclass
@dataclass(frozen=True)
class Metric:
    """``c G``: a weighted Gram or a Hessian, a bound of its largest eigenvalue, and this lane's curvature over it."""

    gram: Array
    largest: Array
    curvature: Array

    sound: ClassVar[bool] = True  # until a step along it fails


def metric_at(problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> Metric:
    """The metric of lanes at their points."""
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
    return Metric(gram, largest, own)


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


def model_minimum(problem: Problem, point: Point, metric: Metric, lanes: Lanes) -> Array:
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
