"""Line search along carried margins: each trial costs O(m), none reads the data.

Along ``w + t d`` the margins are ``z + t (A d)``, so with ``A d`` at hand the slope
``φ'(t) = L'(z + t A d)·(A d) + R'(w + t d)·d`` costs one pass over the rows. The unit step is tried
first, and is taken if the slope has fallen enough: its residual goes straight into the gradient, and
the search was free. Otherwise secants of ``φ'`` lead on until its root is bracketed, and then close in on it,
safeguarded by bisection; at a kink or a wall, where no slope is small, the step ends just before it. A convex
loss needs no values; for any other, a trial that does not lower the value enough (Armijo) counts as too long.
A trial that is not finite counts as too long, too.
"""

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..linear_maps import Identity
from ..problem import Point, Problem
from ..pytrees import register_dataclass

__all__ = ["search"]

SLOPE_FRACTION = 0.1  # accept when |φ'(t)| <= this |φ'(0)|: nearly exact, and mostly the first trial
DEAR_SLOPE_FRACTION = 0.5  # where trials cost as much as steps: a quarter fewer evaluations in all
VALUE_FRACTION = 1e-4  # Armijo's constant
MAX_TRIALS = 40
COLLAPSED = 1e-3  # of its upper end: a bracket so narrow holds a kink or a wall, and the step goes up to it
GROWTH = 10.0  # a step without upper bound grows by at most this much of itself a trial


@register_dataclass
@dataclass(frozen=True)
class _Trial:
    """A bracket ``[low, high]`` with slopes at its ends, and what is known at the last trial."""

    t: Array
    low: Array
    low_slope: Array
    high: Array
    high_slope: Array
    residual: Array
    value: Array | None
    count: Array
    accepted: Array


def search(
    problem: Problem,
    point: Point,
    direction: Array,
    lanes: Lanes,
    longest: float = math.inf,
    quasi_newton: bool = False,
) -> tuple[Point, Array]:
    """The point at a nearly exact minimum along ``direction``, no step ``longest``, and whether one was found.

    For ``quasi_newton`` methods on a plain function, where a trial costs as much as a step, less exact.

    Costs one ``A d`` and one ``Aᵀ r``. Where no step is acceptable (``direction`` does not descend, or
    rounding hides that it does) the point is returned as it was, with False; so is that of a lane that is
    not active. A lane that has found its step repeats that trial while others search on.
    """
    dear = quasi_newton and isinstance(problem.linear_map, Identity)
    fraction = DEAR_SLOPE_FRACTION if dear else SLOPE_FRACTION
    smooth = jnp.vdot(point.gradient - problem.penalty.gradient(point.w), direction)
    slope_at_0 = smooth + problem.penalty.slope(point.w, direction)
    # No step along a direction that is not finite: not even 0 times it.
    direction = jnp.where(jnp.isfinite(slope_at_0), direction, 0.0)
    step_margins = problem.linear_map.mv(direction)
    dtype = point.w.dtype
    # Near the optimum values agree to their last digits, and only slopes can tell (Hager & Zhang 2005).
    slack = 0.0 if point.value is None else 8.0 * float(jnp.finfo(dtype).eps) * jnp.abs(point.value)

    def attempt(trial: _Trial) -> _Trial:
        t, low, low_slope, high, high_slope = trial.t, trial.low, trial.low_slope, trial.high, trial.high_slope
        w = point.w + t * direction
        value, residual = problem.value_and_residual(w, point.z + t * step_margins)
        # From the side it comes from: a weight that arrives at a kink has fallen all the way.
        slope = jnp.vdot(residual, step_margins) - problem.penalty.slope(w, -direction)
        descended = jnp.isfinite(slope)
        if value is not None and point.value is not None:
            descended &= value <= point.value + VALUE_FRACTION * t * slope_at_0 + slack
        accepted = descended & (jnp.abs(slope) <= fraction * jnp.abs(slope_at_0))
        # Back at the lower end, up to which F fell, as there was nothing better.
        accepted |= descended & (t > 0.0) & (t == low) & jnp.isfinite(high)
        if math.isfinite(longest):
            accepted |= descended & (slope < 0.0) & (t >= longest)
        too_long = ~(descended & (slope < 0.0))
        further = _extrapolated(t, slope, low, low_slope)
        low, low_slope = jnp.where(too_long, low, t), jnp.where(too_long, low_slope, slope)
        # Where the value or a NaN made the trial too long its slope says nothing: bisect.
        usable = jnp.where(descended & (slope > 0.0), slope, jnp.inf)
        high, high_slope = jnp.where(too_long, t, high), jnp.where(too_long, usable, high_slope)
        next_t = jnp.where(jnp.isfinite(high), _between(low, low_slope, high, high_slope, trial.count), further)
        over = (low >= (1.0 - COLLAPSED) * high) | (trial.count + 2 >= MAX_TRIALS)
        next_t = jnp.where(jnp.isfinite(high) & over & (low > 0.0), low, next_t)
        t = jnp.where(accepted, t, next_t)
        return _Trial(t, low, low_slope, high, high_slope, residual, value, trial.count + 1, accepted)

    zero, one, inf = (jnp.full((), number, dtype) for number in (0.0, 1.0, jnp.inf))
    start = _Trial(
        one, zero, slope_at_0, inf, inf, jnp.zeros_like(point.z), point.value, jnp.int32(0), jnp.zeros((), bool)
    )
    descends = slope_at_0 < 0.0
    trial = lax.while_loop(lambda s: lanes.any(descends & ~s.accepted & (s.count < MAX_TRIALS)), attempt, start)
    found = trial.accepted & descends & lanes.active
    t = jnp.where(found, trial.t, 0.0)
    w = point.w + t * direction
    gradient = problem.gradient_at(w, trial.residual)
    value = point.value
    if value is not None and trial.value is not None:
        value = jnp.where(found, trial.value, value)
    gradient = jnp.where(found, gradient, point.gradient)
    return Point(w, point.z + t * step_margins, gradient, value), found


def _extrapolated(t: Array, slope: Array, low: Array, low_slope: Array) -> Array:
    """Beyond ``t``, where a line through the last two slopes comes to zero."""
    rise = slope - low_slope
    ahead = jnp.where(rise > 0.0, -slope * (t - low) / jnp.where(rise > 0.0, rise, 1.0), jnp.inf)
    return t + jnp.minimum(ahead, GROWTH * t)


def _between(low: Array, low_slope: Array, high: Array, high_slope: Array, count: Array) -> Array:
    width = jnp.where(jnp.isfinite(high), high - low, 0.0)
    interpolate = jnp.isfinite(high_slope) & (count % 3 != 2)  # every third trial bisects
    fraction = jnp.where(interpolate, low_slope / (low_slope - jnp.where(interpolate, high_slope, 1.0)), 0.5)
    return low + jnp.clip(fraction, 0.05, 0.95) * width
