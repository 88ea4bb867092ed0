"""The likelihood maximised with one linear function of the weights held at zero, for the test that it is.

On the plane ``aᵀw = 0`` Newton's step is

    δ = H⁻¹ (U + τ a),    τ = -aᵀH⁻¹U / aᵀH⁻¹a,

with the score ``U``; the plane holds the start, zero, and every step stays in it. A step that does not raise the
likelihood is damped: a multiple of the identity is added to ``H``, the information and what is learnt beside it.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..linear_solve import inverse_root, times
from ..pytrees import register_dataclass
from ..solution import Status
from .jeffreys import Evaluation, evaluate, learn_curvature
from .likelihood import Likelihood

__all__ = ["next_damping", "restricted_maximum", "rounding_of"]

TOLERANCE = 1e-10  # in log-likelihood: what the free coefficients could still add to it
NEAR = 1e-3  # in log-likelihood: from here on rounding hides what a step gains
MIN_GAIN = 1e-4  # of what the slope promises (Armijo)
MIN_DAMPING, MAX_DAMPING, DAMPING_FACTOR = 1e-6, 1e9, 100.0  # of the curvature of rows of even odds
MAX_STEPS = 100


@register_dataclass
@dataclass(frozen=True)
class _Climb:
    v: Array
    point: Evaluation
    correction: Array
    damping: Array
    status: Array
    num_steps: Array


def restricted_maximum(likelihood: Likelihood, penalized: bool, going: Array, a: Array) -> tuple[Array, Array]:
    """The largest ``ℓ``, or ``ℓ*`` where it is penalised, with ``aᵀw = 0``; and a :class:`Status`.

    Only where ``going``. ``a`` is ``(k,)``, in the solver's coordinates, as everything here.
    """

    def at(v: Array) -> Evaluation:
        return evaluate(likelihood.problem, likelihood.num_rows, v, penalized)

    def attempt(climb: _Climb) -> _Climb:
        step, promise = _step(climb, 0.25 * likelihood.num_rows, a)
        return _judge(climb, step, promise, at(climb.v + step), penalized)

    zero = jnp.zeros_like(a)
    point = at(zero)
    start = _Climb(
        v=zero, point=point, correction=jnp.zeros_like(point.information), damping=jnp.zeros_like(point.value),
        status=jnp.where(going & point.regular, jnp.int32(Status.RUNNING), jnp.int32(Status.STALLED)),
        num_steps=jnp.int32(0),
    )  # fmt: skip
    climb = lax.while_loop(lambda climb: climb.status == int(Status.RUNNING), attempt, start)
    return climb.point.value, climb.status


def _step(climb: _Climb, curvature: Array, a: Array) -> tuple[Array, Array]:
    """``δ``, and the slope ``Uᵀδ`` of the likelihood along it."""
    eye, score = jnp.eye(a.shape[0], dtype=a.dtype), climb.point.score
    root, _, _ = inverse_root(climb.point.information + climb.correction + climb.damping * curvature * eye)
    lifted, towards = (times(root.T, times(root, x)) for x in (score, a))
    step = lifted - towards * (jnp.sum(a * lifted) / jnp.sum(a * towards))
    return step, jnp.sum(score * step)


def _judge(climb: _Climb, step: Array, promise: Array, found: Evaluation, penalized: bool) -> _Climb:
    gain, near = found.value - climb.point.value, jnp.abs(promise) <= NEAR
    taken = found.regular & ((gain >= MIN_GAIN * promise) | (near & (gain >= -rounding_of(found))))
    damping = next_damping(climb.damping, taken)
    num_steps = climb.num_steps + 1
    # Newton's model promises half the slope; the step was taken as well.
    ended = taken & near & (0.5 * jnp.abs(promise) <= jnp.maximum(TOLERANCE, rounding_of(found)))
    status = jnp.int32(Status.RUNNING)
    for condition, outcome in (
        (num_steps >= MAX_STEPS, Status.MAX_STEPS),
        (damping > MAX_DAMPING, Status.LINE_SEARCH_FAILED),
        (ended, Status.CONVERGED),
    ):
        status = jnp.where(condition, jnp.int32(outcome), status)
    correction = learn_curvature(climb.correction, climb.point, found, step) if penalized else climb.correction
    moved = replace(climb, v=climb.v + step, point=found, correction=correction)
    climb = jax.tree.map(lambda new, old: jnp.where(taken, new, old), moved, climb)
    return replace(climb, damping=damping, status=status, num_steps=num_steps)


def next_damping(damping: Array, taken: Array) -> Array:
    """Less after a step that was taken, more after one that was not."""
    less = jnp.where(damping <= MIN_DAMPING, 0.0, damping / DAMPING_FACTOR)
    return jnp.where(taken, less, jnp.maximum(MIN_DAMPING, damping * DAMPING_FACTOR))


def rounding_of(point: Evaluation) -> Array:
    """What rounding may add to ``ℓ*``."""
    eps = float(jnp.finfo(point.value.dtype).eps)
    return 32.0 * eps * (jnp.abs(point.value - point.penalty) + jnp.abs(point.penalty))
