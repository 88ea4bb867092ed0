"""The way up the evidence: steps in ``log l2``, one strength or one for each column.

Each fit says where its strengths are pulled to. A step follows the pull, but no further than each strength's radius;
near the end it goes to where the last two pulls, as a straight line, would vanish (Anderson's extrapolation). A step to
less evidence is taken back, and those strengths go half as far whose pull has turned round.

Reference: Walker & Ni, Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49 (2011).
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

from ..pytrees import register_dataclass
from ..solution import Status

__all__ = ["Ascent", "advance"]

MAX_STEP = 3.0  # in log l2
NEAR = 1.0  # pulls that are extrapolated


@register_dataclass
@dataclass(frozen=True)
class Ascent:
    """What changes from step to step; strengths are ``(p,)``, as logarithms.

    Args:
        trial: the strengths to fit next; when the status is no longer RUNNING, the best.
        best, pull, value: the best so far, how far they are pulled, and their log evidence.
        radius: how far each may move.
        lowest, highest: bounds.
        num_steps, status: RUNNING, CONVERGED, SEPARABLE (at the lowest), MAX_STEPS or STALLED.
    """

    trial: Array
    best: Array
    pull: Array
    value: Array
    radius: Array
    lowest: Array
    highest: Array
    num_steps: Array
    status: Array

    @classmethod
    def begin(cls, start: Array, lowest: Array, highest: Array) -> "Ascent":
        start = jnp.clip(start, lowest, highest)
        return cls(
            trial=start,
            best=start,
            pull=jnp.zeros_like(start),
            value=jnp.asarray(-jnp.inf, start.dtype),
            radius=jnp.full_like(start, MAX_STEP),
            lowest=lowest,
            highest=highest,
            num_steps=jnp.zeros((), jnp.int32),
            status=jnp.asarray(int(Status.RUNNING), jnp.int32),
        )


def advance(ascent: Ascent, value: Array, wanted: Array, holds: Array, tol: Array, max_steps: Array) -> Ascent:
    """From the evidence and the pull at the trial to the next one.

    Args:
        value: the log evidence, ``()``.
        wanted: how far each strength is pulled, ``(p,)``; infinite where to infinity.
        holds: where it is at its end, to ``tol``.
    """
    here, eps = ascent.trial, float(jnp.finfo(wanted.dtype).eps)
    pull = jnp.clip(here + wanted, ascent.lowest, ascent.highest) - here
    better = value >= ascent.value - 8.0 * eps * (1.0 + jnp.abs(value))  # False for NaN
    turned = ascent.pull * pull < 0.0
    half = 0.5 * jnp.minimum(ascent.radius, jnp.abs(here - ascent.best))

    radius = jnp.where(turned, half, jnp.minimum(2.0 * ascent.radius, MAX_STEP))
    on = replace(
        ascent, trial=here + _step(ascent, pull, radius, eps), best=here, pull=pull, value=value, radius=radius
    )
    radius = jnp.where(turned | ~jnp.any(turned), half, ascent.radius)
    back = replace(ascent, trial=ascent.best + jnp.clip(ascent.pull, -radius, radius), radius=radius)
    found = jax.tree.map(lambda x, y: jnp.where(better, x, y), on, back)

    num_steps = ascent.num_steps + 1
    # At a bound, and pulled beyond it, is an end, too.
    ended = better & jnp.all(holds | (pull == 0.0))
    stuck = ~better & (jnp.max(radius) < jnp.maximum(0.1 * tol, 4.0 * eps))
    status = jnp.where(num_steps >= max_steps, int(Status.MAX_STEPS), int(Status.RUNNING))
    status = jnp.where(stuck, int(Status.STALLED), status)
    status = jnp.where(ended, int(Status.CONVERGED), status)
    unbounded = jnp.any((found.best <= ascent.lowest) & (found.pull == 0.0)) & (found.value > -jnp.inf)
    status = jnp.where((status != int(Status.RUNNING)) & unbounded, int(Status.SEPARABLE), status)
    trial = jnp.where(status == int(Status.RUNNING), jnp.clip(found.trial, ascent.lowest, ascent.highest), found.best)
    return replace(found, trial=trial, num_steps=num_steps, status=status.astype(jnp.int32))


def _step(ascent: Ascent, pull: Array, radius: Array, eps: float) -> Array:
    """From an accepted trial."""
    near = (jnp.abs(pull) < NEAR) & (ascent.value > -jnp.inf)
    move, change = (jnp.where(near, x, 0.0) for x in (ascent.trial - ascent.best, pull - ascent.pull))
    multiple = jnp.sum(change * jnp.where(near, pull, 0.0)) / jnp.maximum(jnp.sum(change * change), eps * eps)
    # Where the pull did not fall by the move there is no end in sight: once more as far, and the pull besides.
    falls = jnp.sum(move * change) < 0.0
    ahead = jnp.where(falls, pull - multiple * (move + change), pull + move)
    return jnp.where(near, jnp.clip(ahead, -NEAR, NEAR), jnp.clip(pull, -radius, radius))
