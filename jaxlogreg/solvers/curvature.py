"""The loss's curvature at a point, and with how much effort a Gram matrix is weighted by it.

Where a Gram is large it is computed in float32, and the first time from a part of the rows: a preconditioner, or the
model of a proximal step, needs no more, and what is reported never comes from here. What was not sound in float32 is
computed again in the precision of the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes, compute_if
from ..linear_maps import LinearMap, PerClass, one_block
from ..losses import SoftmaxCrossEntropy
from ..problem import Point, Problem
from ..pytrees import register_dataclass

__all__ = ["Curvature", "Effort", "curvature_at", "efforts", "gram_dtype", "renewed", "takes_all_classes"]

Renewable = TypeVar("Renewable", bound=Any)  # a pytree that says whether it is ``sound``

# From here on (in multiplications) a Gram in float32 is worth the code for it.
FLOAT32_MIN_WORK = 2**21
# The first Gram takes one row of 8, but 16 rows a column: its eigenvalues are then within a factor of 2 or so.
MAX_STRIDE = 8
# So many weights of all classes, and numbers in the Hessians of all lanes: 128 MiB in float64.
ALL_CLASSES_MAX_WEIGHTS, ALL_CLASSES_MAX_NUMBERS = 1024, 2**24
ROWS_A_COLUMN = 16
# Lanes that share a Gram of no more columns than so many a lane pay less for all of its rows than for a step.
COLUMNS_A_SHARER = 4


@dataclass(frozen=True)
class Effort:
    """How a Gram is computed: from every ``stride``-th row, in a dtype."""

    stride: int
    dtype: jnp.dtype

    @property
    def rows(self) -> slice:
        return slice(None, None, self.stride)

    def gram(self, linear_map: LinearMap, weights: Array) -> Array:
        """The Gram of the rows taken, by weights that sum to one."""
        if self.stride == 1:
            return linear_map.gram(weights, self.dtype)
        H = linear_map.taking(self.rows).gram(weights, self.dtype)
        # Columns have variance one. One that is rare among the rows taken would look flat: it is not.
        eye = jnp.eye(H.shape[0], dtype=H.dtype)
        return H + eye * jnp.maximum(1.0 - jnp.sum(H * eye, axis=0), 0.0)[None]


@register_dataclass
@dataclass(frozen=True)
class Curvature:
    """The loss's curvature at a point: pooled row weights that sum to one, and their share in each block."""

    weights: Array  # one for each row taken
    total: Array  # the pooled curvature of all rows
    share: Array  # () or (K,): this lane's own, over the pooled one


def curvature_at(problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> Curvature:
    """The curvature of the loss at a point, in the rows that the effort takes, pooled over lanes and classes.

    Raises:
        ValueError: if the loss has no rows.
    """

    loss, z = problem.loss.taking(effort.rows), point.z[..., effort.rows]
    own, row_weights = loss.curvature(z), loss.row_weights()
    if own is None or row_weights is None:
        raise ValueError(
            f"ProximalNewton() and preconditioner='hessian' need a loss over rows, and {type(problem.loss).__name__} "
            "is none; use LBFGS(), Newton() or ProximalGradient()"
        )
    # Stored before it is pooled: XLA on a CPU would compute it anew as it sums across the lanes, much slower.
    own = lax.optimization_barrier(jnp.where(jnp.isfinite(own), own, 0.0))
    pooled = lanes.mean((own if own.ndim == 1 else jnp.mean(own, axis=0)).astype(effort.dtype)).astype(own.dtype)
    rows, taken = jnp.sum(pooled), jnp.sum(row_weights)
    # A lane may have no weight among the rows taken (a fold); then it has the others' curvature.
    mean = jnp.sum(own, axis=-1) / jnp.where(taken > 0.0, taken, 1.0)
    total = lanes.mean(jnp.mean(mean))
    total = jnp.where(total > 0.0, total, 1.0)
    share = jnp.where((rows > 0.0) & (taken > 0.0), jnp.clip(mean / total, 1e-4, 1e4), 1.0)
    return Curvature(pooled / jnp.where(rows > 0.0, rows, 1.0), total, share)


def efforts(problem: Problem, dtype: jnp.dtype, lanes: Lanes) -> tuple[Effort | None, Effort, Effort | None]:
    """How the first Gram of a fit is computed, how the next are, and how where that was not sound."""
    m, n = one_block(problem.linear_map).shape
    cheap = lanes.share and n <= COLUMNS_A_SHARER * lanes.size
    stride = 1 if cheap else min(MAX_STRIDE, m // (ROWS_A_COLUMN * n))
    if takes_all_classes(problem, lanes):
        # Of all rows: a part that is enough for one class is not for all of them.
        n, stride = problem.linear_map.shape[1], 1
    usual = _usual_dtype(m, n, dtype)
    first = Effort(stride, usual) if stride > 1 and _is_large(m, n) else None
    return first, Effort(1, usual), None if dtype == usual else Effort(1, jnp.dtype(dtype))


def takes_all_classes(problem: Problem, lanes: Lanes) -> bool:
    """Whether the Hessian over the weights of all classes takes the place of a Gram that they share.

    So it does where they are few enough, there are rows enough, and no lane shares it.
    """
    softmax = isinstance(problem.linear_map, PerClass) and isinstance(problem.loss, SoftmaxCrossEntropy)
    (m, n), weights = one_block(problem.linear_map).shape, problem.linear_map.shape[1]
    few = weights <= ALL_CLASSES_MAX_WEIGHTS and lanes.size * weights**2 <= ALL_CLASSES_MAX_NUMBERS
    return softmax and not lanes.share and n <= m and few


def gram_dtype(problem: Problem, dtype: jnp.dtype) -> jnp.dtype:
    """In which dtype a Gram is usually computed."""
    return _usual_dtype(*one_block(problem.linear_map).shape, dtype)


def _usual_dtype(m: int, n: int, dtype: jnp.dtype) -> jnp.dtype:
    return jnp.dtype(jnp.float32 if _is_large(m, n) else dtype)


def _is_large(m: int, n: int) -> bool:
    return m * n * n >= FLOAT32_MIN_WORK


def renewed(
    current: Renewable,
    wanted: Array,
    count: Array,
    needs_exact: Array,
    problem: Problem,
    point: Point,
    lanes: Lanes,
    at: Callable[[Problem, Point, Lanes, Effort], Renewable],
) -> tuple[Renewable, Array]:
    """What ``at`` makes of a point, where wanted, with as much effort as it takes; and whether it takes the most.

    ``count`` of them were made before. The first takes the least effort, and once one was not ``sound`` the next take
    the most.
    """
    first, usual, exact = efforts(problem, point.w.dtype, lanes)

    def once(current: Renewable, now: Array, effort: Effort) -> Renewable:
        return compute_if(now, lambda here: at(problem, here, lanes, effort), point, current)

    if first is not None:
        current = once(current, wanted & (count == 0), first)
        wanted = wanted & (count > 0)
    if exact is None:
        return once(current, wanted, usual), needs_exact
    current = once(current, wanted & ~needs_exact, usual)
    needs_exact = needs_exact | (wanted & lanes.any(~jnp.asarray(current.sound)))
    return once(current, wanted & needs_exact, exact), needs_exact
