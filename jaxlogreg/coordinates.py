"""The coordinates a solver works in.

Columns in their own units (an age beside an income, a year around 2000) make a problem look far
worse conditioned than it is. Centring is undone by the intercept and scaling by the weights, so both
are changes of variables that leave every fit as it was:

    v = w deviation,   c = intercept + Σ meanⱼ wⱼ.

Solvers that use curvature work in ``(v, c)``, through the lazy :class:`Standardized` map; gradient
descent works in the columns' own units, where its steps are defined. Either way convergence is judged
by the user's own gradient, in a measure without units.
"""

from dataclasses import dataclass, replace

import jax.numpy as jnp
from jax import Array

from .lanes import Lanes
from .linear_maps import Identity, LinearMap, PerClass, Standardized, WithIntercept, one_block
from .problem import Problem
from .pytrees import register_dataclass

__all__ = ["Coordinates", "choose_coordinates", "in_coordinates", "is_constant"]


@register_dataclass
@dataclass(frozen=True)
class Coordinates:
    """A change of variables, column by column, for blocks of weights with the intercept last.

    Args:
        mean: subtracted from each column; zero for the intercept and where there is none.
        scale: each column's divisor: its standard deviation (its rms where it is constant; one for a group of columns
            that a penalty binds together), one for the intercept.
        deviation, rms: each column's standard deviation (or rms) and root mean square, under this lane's own row
            weights.
    """

    mean: Array
    scale: Array
    deviation: Array
    rms: Array

    def to_solver(self, w: Array) -> Array:
        blocks = self._blocks(w)
        shift = jnp.sum(self.mean[None] * blocks, axis=1, keepdims=True)
        scaled = blocks * self.scale[None]
        return jnp.concatenate([scaled[:, :-1], scaled[:, -1:] + shift], axis=1).reshape(-1)

    def to_user(self, v: Array) -> Array:
        blocks = self._blocks(v) / self.scale[None]
        shift = jnp.sum(self.mean[None] * blocks, axis=1, keepdims=True)
        return jnp.concatenate([blocks[:, :-1], blocks[:, -1:] - shift], axis=1).reshape(-1)

    def kkt(self, gradient: Array) -> tuple[Array, Array]:
        """From the solver's gradient, a strict KKT residual, and the one that is reported.

        The latter is the largest ``|∂F/∂wⱼ| / rms(xⱼ)`` in the user's weights. The former is that or,
        if larger, the same of the centred columns: a column far from zero must fit too.
        """
        blocks = self._blocks(gradient) * self.scale[None]
        user = jnp.abs(blocks + self.mean[None] * blocks[:, -1:]) / self.rms[None]
        strict = jnp.maximum(jnp.abs(blocks) / self.deviation[None], user)
        # NaN and infinity are looked for: in a batch, XLA's max on a CPU passes over NaN.
        finite = jnp.all(jnp.isfinite(strict))
        return jnp.where(finite, jnp.max(strict), jnp.nan), jnp.where(finite, jnp.max(user), jnp.nan)

    def _blocks(self, w: Array) -> Array:
        return w.reshape(-1, self.mean.shape[0])


def choose_coordinates(problem: Problem, w: Array, standardize: bool, lanes: Lanes) -> Coordinates:
    """Standardised coordinates for a problem, or the user's own, with the columns' moments.

    Lanes that differ in their row weights have them in common, by the mean of the weights.
    """
    base = one_block(problem.linear_map)
    if isinstance(base, Identity):
        one = jnp.ones_like(w)
        return Coordinates(jnp.zeros_like(w), one, one, one)
    weights = problem.loss.row_weights()
    if weights is None:
        weights = jnp.full((base.shape[0],), 1.0 / base.shape[0], w.dtype)
    # Only a free intercept can undo centring.
    free = jnp.all(problem.penalty.free(w).reshape(-1, base.shape[1])[:, -1])
    centred = (free if isinstance(base, WithIntercept) else jnp.zeros((), bool)) & standardize
    mean, deviation, rms = _moments(base, weights, centred)
    if not standardize:
        return Coordinates(jnp.zeros_like(rms), jnp.ones_like(rms), deviation, rms)
    scale = deviation
    if lanes.share:
        mean, scale, _ = _moments(base, lanes.mean(weights), ~lanes.any(~centred))
    return Coordinates(mean, problem.penalty.common_scale(scale), deviation, rms)


def _moments(base: LinearMap, weights: Array, centred: Array) -> tuple[Array, Array, Array]:
    """Mean (zero where not centred), deviation about it (the rms where constant), and rms of each column."""
    columns = base.base if isinstance(base, WithIntercept) else base
    mean, variance = columns.moments(weights)
    square = variance + mean * mean
    rms = jnp.sqrt(jnp.where(square > 0.0, square, 1.0))
    mean, variance = jnp.where(centred, mean, 0.0), jnp.where(centred, variance, square)
    # A constant column has no deviation to scale by.
    deviation = jnp.where(is_constant(variance, square), rms, jnp.sqrt(variance))
    if not isinstance(base, WithIntercept):
        return mean, deviation, rms
    one = jnp.ones((1,), rms.dtype)
    mean, deviation, rms = (jnp.concatenate([x, last]) for x, last in ((mean, 0.0 * one), (deviation, one), (rms, one)))
    return mean, deviation, rms


def is_constant(variance: Array, square: Array) -> Array:
    """Whether a column's variance is nothing but the rounding of its mean square."""
    return variance <= (8.0 * float(jnp.finfo(variance.dtype).eps)) ** 2 * square


def in_coordinates(problem: Problem, coordinates: Coordinates) -> Problem:
    """The same problem as a function of the weights in these coordinates."""
    base, mean, scale = one_block(problem.linear_map), coordinates.mean, coordinates.scale
    if isinstance(base, Identity):
        return problem
    if isinstance(base, WithIntercept):
        changed: LinearMap = WithIntercept(Standardized(base.base, mean[:-1], scale[:-1]))
    else:
        changed = Standardized(base, mean, scale)
    if isinstance(problem.linear_map, PerClass):
        changed = PerClass(changed, problem.linear_map.num_classes)
    penalty = problem.penalty.rescaled(jnp.tile(scale, changed.shape[1] // scale.shape[0]))
    return replace(problem, linear_map=changed, penalty=penalty)
