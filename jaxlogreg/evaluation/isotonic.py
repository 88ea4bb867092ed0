"""Isotonic calibration: the function that never falls and fits best.

It minimises ``Σ sᵢ (g(fᵢ) - yᵢ)²`` over all functions ``g`` that never fall, and with that also the cross-entropy. Its
values at the rows are means of ``y`` over blocks of neighbouring scores.

The usual algorithm pools neighbours that fall, one pair after the other, which is a program for one row at a time. Here
halves are merged instead, all of a level at once. Where two neighbouring stretches of rows are solved, at values that
rise within each, the solution of both is ``min(g, v)`` on the left and ``max(g, v)`` on the right, with the one ``v``
at which what is taken from the left is what is given to the right:

    Σ_{left, g > v} s (g - v) = Σ_{right, g < v} s (v - g).

The left side less the right falls with ``v``, so its sign at a row's own value says whether the row moves, and ``v`` is
the mean of those that do. A level takes a cumulative sum and a binary search for each row: ``O(m log² m)`` in all,
whatever the data, without a branch that lanes could take differently.

References: Ayer, Brunk, Ewing, Reid & Silverman, An empirical distribution function for sampling with incomplete
information (1955), for the solution as means of blocks; Zadrozny & Elkan, Transforming classifier scores into accurate
multiclass probability estimates (2002).
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..pytrees import register_dataclass
from .inputs import Scored, as_finite, as_scored
from .ties import first_of_run

__all__ = ["IsotonicCalibrator", "fit_isotonic", "isotonic"]


@register_dataclass
@dataclass(frozen=True)
class IsotonicCalibrator:
    """A function that never falls: call it with scores.

    Args:
        score: those of the rows it was fitted on, rising, ``(m,)``.
        probability: its values there, ``(m,)``.
    """

    score: Array
    probability: Array

    def __call__(self, score: ArrayLike) -> Array:
        """Probabilities of scores, of any shape: on a line between neighbours, and constant beyond the last ones."""
        return jnp.interp(as_finite("score", score, self.score.dtype), self.score, self.probability)


def isotonic(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> IsotonicCalibrator:
    """Fit the best function from scores to probabilities that never falls.

    It minimises ``Σ sᵢ (g(fᵢ) - yᵢ)²``. Its ends are often exactly 0 and 1, beyond which there is nothing to be sure
    of: the log loss of a new row may then be infinite.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins or probabilities, ``(m,)``; only their order counts for the values at the rows.
        sample_weight: at least 0, ``(m,)``; a weight of 2 equals the row twice.

    Returns:
        An :class:`IsotonicCalibrator`. (All NaN if traced weights are zeros only.)

    Raises:
        ValueError: for shapes that differ; of concrete inputs, for labels other than 0 and 1, scores that are not
            finite, and weights that are negative or all zero.

    >>> calibrator = isotonic(jnp.array([0, 1, 0, 1, 1]), jnp.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    >>> print(calibrator.probability)
    [0.  0.5 0.5 1.  1. ]
    >>> print(calibrator(jnp.array([0.0, 0.25, 0.9])))
    [0.  0.5 1. ]
    """
    return fit_isotonic(as_scored(y_true, score, sample_weight))


@program
def fit_isotonic(rows: Scored) -> IsotonicCalibrator:
    """The fit itself, of checked rows."""
    y, score, weight = rows
    # Rows without weight come last, above all others, and then join the highest of them: no knots of their own.
    score = jnp.where(weight > 0.0, score, jnp.inf)
    score, weight, positive = lax.sort((score, weight, jnp.where(y == 1, weight, 0.0)), num_keys=1)
    # Rows of equal scores stand for their mean: neighbours of equal values stay equal.
    value = jnp.where(weight > 0.0, _mean_of(first_of_run(score), weight, positive), 1.0)
    score = jnp.minimum(score, jnp.max(jnp.where(weight > 0.0, score, -jnp.inf)))
    solved = _never_falling(*lax.stop_gradient((value, weight)))
    # A block ends where the value rises, but not between equal scores, whatever rounding says.
    rises = (solved[1:] != solved[:-1]) & (score[1:] != score[:-1])
    block = jnp.cumsum(jnp.concatenate([jnp.zeros(1, jnp.int32), rises.astype(jnp.int32)]))
    # The means afresh from the rows, for their digits and derivatives; rounding must not let them fall.
    return IsotonicCalibrator(score, lax.cummax(_mean_of(block, weight, positive)))


def _mean_of(group: Array, weight: Array, positive: Array) -> Array:
    """For each row the positive part of its group's weight."""
    sums = jnp.zeros((2, group.shape[0]), weight.dtype).at[:, group].add(jnp.stack([positive, weight]))
    return sums[0, group] / sums[1, group]


def _never_falling(value: Array, weight: Array) -> Array:
    """The values in [0, 1] that never fall and are nearest to these, by squares, ``(m,)``."""
    m = value.shape[0]
    levels = (m - 1).bit_length()
    # Up to a power of two with rows that weigh nothing and are below none.
    rest = 2**levels - m
    value = jnp.concatenate([value, jnp.ones(rest, value.dtype)])
    weight = jnp.concatenate([weight, jnp.zeros(rest, weight.dtype)])
    return lax.fori_loop(0, levels, lambda level, x: _merged(jnp.int32(level), x, weight), value)[:m]


def _merged(level: Array, value: Array, weight: Array) -> Array:
    """Neighbouring stretches of ``2**level`` rows, that rise within each, as one that rises."""
    place, half = jnp.arange(value.shape[0], dtype=jnp.int32), jnp.int32(1) << level
    right = (place >> level) & 1
    # Seen from where two stretches meet both are the same: x rises away from it, and rows move where x + x' < 0.
    away = 2 * right - 1
    nearest = ((place >> (level + 1)) << (level + 1)) + half - 1 + right
    other = nearest - away
    rank = (place - nearest) * away
    sign = away.astype(value.dtype)
    x = sign * value

    def add(k: Array, sums: Array) -> Array:
        step = jnp.int32(1) << jnp.int32(k)
        return sums + jnp.where((rank >= step)[None], sums[:, place - away * jnp.minimum(step, rank)], 0.0)

    # From the nearest row on: of the weights, and of the weighted values.
    sums = lax.fori_loop(0, level, add, jnp.stack([weight, weight * x]))

    def nearer(start: Array, direction: Array, bound: Array) -> Array:
        """How many rows from the start on are below the bound."""

        def search(_: Array, between: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = between
            middle = (low + high) // 2
            more = (low < high) & (x[start + direction * jnp.minimum(middle, half - 1)] < bound)
            return jnp.where(more, middle + 1, low), jnp.where(more, high, middle)

        return lax.fori_loop(0, level + 1, search, (jnp.zeros_like(place), jnp.full_like(place, half)))[0]

    def sums_of(count: Array, start: Array, direction: Array) -> Array:
        return jnp.where((count > 0)[None], sums[:, start + direction * jnp.maximum(count - 1, 0)], 0.0)

    # With v at a row's own value those before it on its side would move, and those of the other side in conflict with
    # it. Rows of the same value stay out: beside few others of small weight, only their rounding would be seen.
    conflicts = nearer(other, -away, -x)
    before, across = sums_of(nearer(nearest, away, x), nearest, away), sums_of(conflicts, other, -away)
    moves = (rank == 0) | (x * (before[0] + across[0]) <= before[1] - across[1])
    moves = moves & (conflicts > 0)
    # The rows that move are the nearest of each side, up to a last one.
    pair_side = place >> level
    count = jnp.zeros_like(place).at[pair_side].max(jnp.where(moves, rank + 1, 0))
    own, across = sums_of(count[pair_side], nearest, away), sums_of(count[pair_side ^ 1], other, -away)
    total = own[0] + across[0]
    v = (own[1] - across[1]) / jnp.where(total > 0.0, total, 1.0)
    return sign * jnp.where(total > 0.0, jnp.maximum(x, v), x)
