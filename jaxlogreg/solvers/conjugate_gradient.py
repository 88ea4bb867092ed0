"""Nonlinear conjugate gradients: each direction is the gradient, corrected by a multiple of the last direction.

    d ← -M⁻¹g + β d

With ``g`` the gradient, ``g₋`` the last one, ``y = g - g₋`` and ``M`` the diagonal preconditioner (the identity for a
plain function):

    Fletcher & Reeves (1964)      β = gᵀM⁻¹g / g₋ᵀM⁻¹g₋
    Polak & Ribière (1969), PR+   β = max(0, gᵀM⁻¹y / g₋ᵀM⁻¹g₋)
    Hestenes & Stiefel (1952)     β = gᵀM⁻¹y / dᵀy
    Hager & Zhang (2005)          β = max(η, (M⁻¹y - 2 d (yᵀM⁻¹y / dᵀy))ᵀg / dᵀy),  η = -1 / (‖d‖ min(0.01, ‖g₋‖))

All are the same on a quadratic with an exact line search, where gradients are orthogonal. Where two that follow one
another are far from it, or the direction does not descend, the gradient's is taken instead (Powell 1977): much faster,
by all the rules. Two reads of the data and O(n) memory a step.

Reference: Nocedal & Wright, Numerical Optimization (2006), section 5.2; Hager & Zhang, A survey of nonlinear conjugate
gradient methods (2006).
"""

from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp
from jax import Array

from ..lanes import Lanes
from ..problem import Point, Problem
from ..pytrees import register_dataclass
from .base import Solver
from .line_search import search
from .preconditioner import unit_diagonal, unit_gradient

__all__ = ["ConjugateGradient"]

RULES = ("hager_zhang", "polak_ribiere", "hestenes_stiefel", "fletcher_reeves")
SMALL_GRADIENT = 0.01  # Hager & Zhang's η
ORTHOGONAL = 0.2  # Powell's test for a restart


@register_dataclass
@dataclass(frozen=True)
class _State:
    """The last direction and gradient, the slope along it, and the step that was taken: 0 where there was none."""

    direction: Array
    gradient: Array
    slope: Array
    step: Array


@register_dataclass
@dataclass(frozen=True)
class ConjugateGradient(Solver):
    """Nonlinear conjugate gradients. For any number of weights, with the least memory, and any smooth function.

    Args:
        rule: which ``β``: ``"hager_zhang"``, ``"polak_ribiere"``, ``"hestenes_stiefel"`` or ``"fletcher_reeves"``.

    Raises:
        ValueError: for any other rule.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> rosenbrock = lambda x: (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2
    >>> jlr.minimize(rosenbrock, jnp.array([-1.2, 1.0]), solver=jlr.ConjugateGradient(), tol=1e-4).params.round(2)
    Array([1., 1.], dtype=float32)
    """

    rule: Literal["hager_zhang", "polak_ribiere", "hestenes_stiefel", "fletcher_reeves"] = field(
        default="hager_zhang", metadata={"static": True}
    )

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> _State:
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {self.rule!r}")
        zero = jnp.zeros((), w.dtype)
        return _State(jnp.zeros_like(w), jnp.zeros_like(w), zero, zero)

    def advance(self, problem: Problem, point: Point, state: _State, lanes: Lanes) -> tuple[Point, _State, Array]:
        diagonal = unit_diagonal(problem, point.w)
        overlap = jnp.abs(jnp.vdot(point.gradient, state.gradient / diagonal))
        orthogonal = overlap < ORTHOGONAL * jnp.vdot(point.gradient, point.gradient / diagonal)
        beta = jnp.where(orthogonal, self._beta(point.gradient, diagonal, state), 0.0)
        direction = -point.gradient / diagonal + beta * state.direction
        slope = jnp.vdot(point.gradient, direction)
        goes_on = (state.step > 0.0) & (slope < 0.0)
        unit = unit_gradient(problem, point)
        direction = jnp.where(goes_on, direction, -unit)
        slope = jnp.where(goes_on, slope, -jnp.vdot(point.gradient, unit))
        # The last step promised as much as this one should.
        first = jnp.where(goes_on, state.step * state.slope / jnp.where(goes_on, slope, 1.0), 1.0)
        new, found = search(problem, point, first * direction, lanes)
        step = jnp.linalg.norm(new.w - point.w) / jnp.linalg.norm(direction)
        step = jnp.where(found & jnp.isfinite(step), step, 0.0)
        # A failed search tries the gradient next; failing that too, it is over.
        return new, _State(direction, point.gradient, slope, step), ~found & ~goes_on

    def _beta(self, g: Array, diagonal: Array, state: _State) -> Array:
        d, last = state.direction, state.gradient
        y = g - last
        square, along = _nonzero(jnp.vdot(last, last / diagonal)), _nonzero(jnp.vdot(d, y))
        if self.rule == "fletcher_reeves":
            return jnp.vdot(g, g / diagonal) / square
        if self.rule == "polak_ribiere":
            return jnp.maximum(jnp.vdot(g, y / diagonal) / square, 0.0)
        if self.rule == "hestenes_stiefel":
            return jnp.vdot(g, y / diagonal) / along
        beta = jnp.vdot(y / diagonal - 2.0 * (jnp.vdot(y, y / diagonal) / along) * d, g) / along
        least = _nonzero(jnp.linalg.norm(d) * jnp.minimum(SMALL_GRADIENT, jnp.sqrt(square)))
        return jnp.maximum(beta, -1.0 / least)


def _nonzero(x: Array) -> Array:
    return jnp.where(x == 0.0, 1.0, x)
