"""Any of Optax's gradient transformations as a solver: Adam, momentum, schedules, clipping, and what users compose.

Full batch, a step of the solver is one update. With ``batch_size`` it is an epoch: the rows in a new random order, one
update from each batch of them. A batch's gradient is that of the whole objective on average:

    m/B Σ_{i in batch} wᵢ ℓ'(zᵢ) xᵢ + R'(w)

The transformation sees the weights as one flat vector, in the columns' own units: it is for rules that act on each
number, or on all together.

Reference: Optax, https://optax.readthedocs.io.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver

if TYPE_CHECKING:
    import optax  # half a second: imported where it is used

__all__ = ["Optax"]


@register_dataclass
@dataclass(frozen=True)
class _State:
    """Optax's own state, and how many steps there were."""

    inner: Any
    count: Array


@register_dataclass
@dataclass(frozen=True)
class Optax(Solver):
    """A gradient transformation of Optax as a solver: for learning and comparing, and for more rows than fit a step.

    Args:
        transformation: such as ``optax.adam(1e-2)``. Make it once, not in a loop: each new one compiles anew.
        batch_size: rows to an update; all of them when None. Those that fill no batch have their turn in another epoch.
        key: a random key for the order of the rows; needed with ``batch_size``.

    Raises:
        ValueError: if ``transformation`` is none, ``batch_size`` is not between 1 and the number of rows, or comes
            without a key or with a loss without rows.

    >>> import jax.numpy as jnp, optax, jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> momentum = jlr.Optax(optax.sgd(1.0, momentum=0.9))
    >>> jlr.fit(X, y, l2=0.1, solver=momentum, tol=1e-4).converged
    Array(True, dtype=bool)
    """

    transformation: "optax.GradientTransformation" = field(metadata={"static": True})
    batch_size: int | None = field(default=None, metadata={"static": True})
    key: Array | None = None

    standardizes = False  # its steps are defined in the columns' own units
    patience = 1000

    def passes(self, state: _State) -> int:
        return 2 if self.batch_size is None else 4

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _State:
        import optax

        if not isinstance(self.transformation, optax.GradientTransformation):
            raise ValueError(
                f"transformation must be one of Optax's, such as optax.adam(1e-2), got {self.transformation!r}"
            )
        weights = problem.loss.row_weights()
        if self.batch_size is not None:
            if weights is None:
                raise ValueError(
                    f"batch_size={self.batch_size} needs a loss over rows, and {type(problem.loss).__name__} is none; "
                    "leave it out"
                )
            if not (isinstance(self.batch_size, int) and 1 <= self.batch_size <= weights.shape[0]):
                raise ValueError(
                    f"batch_size must be an integer between 1 and the {weights.shape[0]} rows of X, "
                    f"got {self.batch_size}"
                )
            if not _is_key(self.key):
                raise ValueError("batch_size needs key, such as jax.random.key(0), for the order of the rows")
        return _State(self.transformation.init(w), jnp.int32(0))

    def advance(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> tuple[Point, _State, Array]:
        if self.batch_size is None:
            w, inner = self._updated(problem, point.w, point.z, point.gradient, state.inner)
        else:
            w, inner = self._epoch(problem, point.w, state)
        w, inner = jax.tree.map(lambda new, old: jnp.where(lanes.active, new, old), (w, inner), (point.w, state.inner))
        return problem.point(w), _State(inner, state.count + 1), jnp.zeros((), bool)

    def _epoch(self, problem: Problem, w: Array, state: _State) -> tuple[Array, Any]:
        assert self.batch_size is not None
        assert self.key is not None
        rows = problem.linear_map.shape[0]
        order = jax.random.permutation(jax.random.fold_in(self.key, state.count), rows)
        count = rows // self.batch_size
        batches = order[: count * self.batch_size].reshape(count, self.batch_size)

        def update(carry: tuple[Array, Any], index: Array) -> tuple[tuple[Array, Any], None]:
            w, inner = carry
            part = _OfBatch.create(problem, index)
            z = part.margins(w)
            return self._updated(part, w, z, part.gradient(w, z), inner), None

        return lax.scan(update, (w, state.inner), batches)[0]

    def _updated(self, problem: "Problem | _OfBatch", w: Array, z: Array, gradient: Array, inner: Any) -> Any:
        import optax

        extra: dict[str, Array | Callable[[Array], Array]] = {}
        if isinstance(self.transformation, optax.GradientTransformationExtraArgs):
            extra = {"value": problem.value_at(w, z), "grad": gradient, "value_fn": problem.value}
        # Its own arithmetic relies on promotion, whatever the user has made of that.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updates, inner = self.transformation.update(gradient, inner, w, **extra)
            return optax.apply_updates(w, updates), inner


@dataclass(frozen=True)
class _OfBatch:
    """The objective as some rows tell it: their part of the loss, times how many batches there are."""

    part: Problem
    scale: float

    @classmethod
    def create(cls, problem: Problem, index: Array) -> "_OfBatch":
        part = replace(problem, loss=problem.loss.taking(index), linear_map=problem.linear_map.taking(index))
        return cls(part, problem.linear_map.shape[0] / index.shape[0])

    def margins(self, w: Array) -> Array:
        return self.part.linear_map.mv(w)

    def value(self, w: Array) -> Array:
        return self.value_at(w, self.margins(w))

    def value_at(self, w: Array, z: Array) -> Array:
        return self.scale * self.part.loss.value(z) + self.part.penalty.value(w)

    def gradient(self, w: Array, z: Array) -> Array:
        return self.part.linear_map.rmv(self.scale * self.part.loss.residual(z)) + self.part.penalty.gradient(w)


def _is_key(key: Any) -> bool:
    """Whether it is a random key, of the new kind or two numbers of the old."""
    if not isinstance(key, jax.Array):
        return False
    return jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or (key.dtype == jnp.uint32 and key.ndim == 1)
