"""Gradient descent: ``w ← w - t ∇F(w)``, with a fixed step ``t``.

Which ``t``? The gradient of the mean cross-entropy has the Lipschitz constant ``λmax(XᵀX) / 4m``
(for softmax ``λmax(XᵀX) / 2m``), and ``1/L`` is the step that is best in the worst case: every step
lowers the loss, up to ``2/L`` still. That is ``step="lipschitz"``. Yedida & Saha (2019) take
``2m / ‖X‖_F`` from a bound on the gradient's norm, which is the Lipschitz constant of the loss itself,
not of its gradient; it is no safe step, and on columns in their raw units it is thousands of times
too long. With ``acceleration``, Nesterov's momentum, restarted where it points uphill.

References: Yedida & Saha, arXiv 1902.07399, section 5; Nesterov, Lectures on Convex Optimization
(2018), section 2.2; O'Donoghue & Candès (2015) for restarting by the gradient; Böhning (1992) for the
softmax bound.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import Array
from jax.tree_util import register_pytree_node_class

from ..lanes import Lanes
from ..linear_maps import PerClass
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver

__all__ = ["GradientDescent"]


@register_dataclass
@dataclass(frozen=True)
class _Momentum:
    """The step, the last iterate before momentum was added to it, and the steps since a restart."""

    step: Array
    w: Array
    age: Array


@register_pytree_node_class
@dataclass(frozen=True)
class GradientDescent(Solver):
    """Gradient descent with a fixed step. For learning and for comparing; Newton and LBFGS are faster.

    Args:
        step: ``"lipschitz"``, ``1/L = 4m / λmax(XᵀX)``: safe. ``"yedida_saha"``,
            ``2m / ‖X‖_F`` (softmax: ``K m / ((K - 1) ‖X‖_F)``), with the intercept's column of ones in
            ``X``: safe only where ``λmax(XᵀX) <= 4 ‖X‖_F``, as when every column is divided by its
            sum, which the paper does; on raw or standardised columns it may diverge, and the
            solution then says so. Or a number.
        acceleration: Nesterov's momentum, restarted where it points uphill.

    Raises:
        ValueError: where a named step has no formula (a loss without a known curvature bound).
    """

    step: str | float | Array = "lipschitz"
    acceleration: bool = False

    default_max_steps: ClassVar[int] = 10_000
    patience: ClassVar[int] = 1000
    standardizes: ClassVar[bool] = False  # its steps are defined in the columns' own units

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str | None, bool]]:
        # A rule's name is static; a number is data, so that a new one does not recompile.
        if isinstance(self.step, str):
            return (), (self.step, self.acceleration)
        return (self.step,), (None, self.acceleration)

    @classmethod
    def tree_unflatten(cls, static: tuple[str | None, bool], data: tuple[Any, ...]) -> "GradientDescent":
        rule, acceleration = static
        return cls(data[0] if rule is None else rule, acceleration)

    @property
    def positive(self) -> tuple[str, ...]:
        return () if isinstance(self.step, str | None) else ("step",)

    def passes_at_start(self) -> int:
        return int(isinstance(self.step, str))

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _Momentum:
        return _Momentum(self.step_size(problem, w), w, jnp.zeros((), w.dtype))

    def advance(self, problem: Problem, point: Point, state: _Momentum, lanes: Lanes) -> tuple[Point, _Momentum, Array]:
        w = point.w - state.step * point.gradient
        next_w, age = w, state.age
        if self.acceleration:
            uphill = jnp.vdot(point.gradient, w - state.w) > 0.0
            age = jnp.where(uphill, 0.0, state.age + 1.0)
            next_w = w + age / (age + 3.0) * (w - state.w)
        # Margins are computed afresh, for the same two reads: carried through thousands of steps with
        # momentum, their rounding errors would add up quadratically.
        next_w, w, age = (
            jnp.where(lanes.active, new, old) for new, old in ((next_w, point.w), (w, state.w), (age, state.age))
        )
        return problem.point(next_w), _Momentum(state.step, w, age), jnp.zeros((), bool)

    def step_size(self, problem: Problem, w: Array) -> Array:
        """The step for this problem; ``w`` gives the weights' shape and dtype."""
        if not isinstance(self.step, str | None):
            return jnp.asarray(self.step, w.dtype)
        if self.step not in ("lipschitz", "yedida_saha"):
            raise ValueError(f"step must be 'lipschitz', 'yedida_saha' or a number, got {self.step!r}")
        weights, bound = problem.loss.row_weights(), problem.loss.curvature_bound
        if weights is None or bound is None:
            raise ValueError(
                f"step={self.step!r} needs a loss with a known curvature bound, and {type(problem.loss).__name__} "
                "has none; give step a number, or use LBFGS, which needs no step"
            )
        matrix = problem.linear_map
        if isinstance(matrix, PerClass):
            matrix = matrix.base
        if self.step == "lipschitz":
            # Not a power iteration: it approaches λmax from below, and so the safe step from above.
            largest = jnp.linalg.eigvalsh(matrix.gram(weights))[-1]
            return 1.0 / (bound * largest + jnp.max(problem.penalty.diagonal(w)))
        # For unit weights ‖diag(1/m) X‖_F = ‖X‖_F / m; the factor is 1/2, for softmax (K - 1)/K.
        num_classes = problem.linear_map.num_classes if isinstance(problem.linear_map, PerClass) else 2
        mean, variance = matrix.moments(weights * weights / jnp.vdot(weights, weights))
        norm = jnp.sqrt(jnp.vdot(weights, weights) * jnp.sum(variance + mean * mean))
        return num_classes / ((num_classes - 1) * norm)
