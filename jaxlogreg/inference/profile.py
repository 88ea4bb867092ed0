"""Intervals from the profile likelihood: where the likelihood, maximised over all else, falls as far as a χ² allows.

The limits of coefficient ``βⱼ`` are its largest and smallest value in the region ``ℓ(w) >= ℓ_crit``. There the score
points along ``βⱼ``, ``U = τ a``, and ``ℓ = ℓ_crit``; Newton's step for these equations is

    δ = I⁻¹ (U + |τ| a),    τ² = (Uᵀ I⁻¹ U + 2 (ℓ - ℓ_crit)) / aᵀ I⁻¹ a,

to the furthest point along ``a`` of the quadratic model's region. It should raise ``|τ| aᵀw - κ max(ℓ_crit - ℓ, 0)``;
as long as it does not, a multiple of the identity is added to ``I``. Every limit is a lane of one program.

References: Venzon & Moolgavkar, A method for computing profile-likelihood-based confidence intervals, Applied
Statistics 37 (1988); for the penalised likelihood, Heinze & Schemper, Statistics in Medicine 21 (2002).
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import ndtri
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..linear_solve import inverse_root, times
from ..models.inputs import Design
from ..pytrees import register_dataclass
from ..solution import Solution, Status
from ..solvers.driver import default_tol
from .firth import FirthSolution
from .jeffreys import Evaluation, evaluate, learn_curvature
from .likelihood import Likelihood, Rows, as_rows, intercept_first, likelihood_of
from .refusal import explain, first_of
from .restricted import MAX_DAMPING, next_damping, restricted_maximum, rounding_of
from .summary import as_level

__all__ = ["ProfileInterval", "profile_interval"]

TOLERANCE = 1e-9  # of the log-likelihood and of what the other coefficients could add to it: 1e-9 standard errors
NEAR = 1e-3  # in log-likelihood: from here on steps are taken as they are
WEIGHT = 2.0  # κ: of a point outside of the region
MIN_GAIN = 1e-4  # of what the slope promises (Armijo)
MAX_STEPS = 400
NEVER = 32.0  # Wald half-widths from the estimate: still inside, the likelihood does not fall
STRETCH = 9.0  # of a step on from where nothing bends any more


@register_dataclass
@dataclass(frozen=True)
class ProfileInterval:
    """Limits of each coefficient, the intercept first, ``(k,)``.

    Args:
        lower, upper: the limits; infinite where the likelihood never falls as far (a quasi-separated coefficient), NaN
            where there is none or none was found.
        p_value: of the likelihood-ratio test that the coefficient is zero, ``(k,)``.
        lower_status, upper_status: a :class:`Status` each. CONVERGED only if the limit satisfies its equations, or is
            infinite.
        p_status: a :class:`Status`: of the fit with the coefficient held at zero.
        refusal: a :class:`Refusal`: why there are none at all.
    """

    lower: Array
    upper: Array
    p_value: Array
    lower_status: Array
    upper_status: Array
    p_status: Array
    refusal: Array

    @property
    def converged(self) -> Array:
        """Whether all three numbers of each coefficient were found, ``(k,)``."""
        statuses = self.lower_status, self.upper_status, self.p_status
        return jnp.all(jnp.stack([status == int(Status.CONVERGED) for status in statuses]), axis=0)

    @property
    def message(self) -> str:
        """Why numbers are NaN, and what to do; empty where none is."""
        text = explain(self.refusal)
        if text or not is_concrete(self.lower):
            return text
        missed = int(np.sum(~np.asarray(self.converged)))
        if not missed:
            return ""
        return (
            f"the limits or the p-value of {missed} of {self.lower.size} coefficients were not found: the likelihood "
            "is too flat or the dtype too short (in float32, use float64)"
        )


def profile_interval(
    fit: Solution,
    X: Design,
    y: ArrayLike,
    *,
    level: ArrayLike = 0.95,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> ProfileInterval:
    """Confidence intervals and tests of the coefficients from the profile likelihood.

    ``{βⱼ : 2 (ℓ_max - max_{others} ℓ) <= χ²₁(level)}`` for a fit of maximum likelihood, and the same with the penalised
    ``ℓ*`` for one of :func:`fit_firth` (R's ``confint`` of ``glm`` and of ``logistf``). They follow the likelihood
    where it is not a parabola, in small samples and for large effects, and where one side has no limit say so. The
    p-values are of the same likelihood ratios, at zero (those that logistf prints): small where zero is not in the
    interval, also where an estimate is large because of its standard error, as in rare and separated data.

    Works under ``jit`` and ``vmap``. All limits are found in one program, each by a few Newton steps. It is not
    differentiable: limits are constants to ``jax.grad``.

    Args:
        fit: of :func:`fit` without penalty, or of :func:`fit_firth`.
        X, y, sample_weight, offset: those of the fit; ``sample_weight`` counts as repetition.
        level: in (0, 1).

    Returns:
        A :class:`ProfileInterval`: NaN with a ``refusal`` for fits that are penalised or did not converge (such as of
        completely separated classes; take :func:`fit_firth`), and where the information is singular.

    Raises:
        ValueError: as :func:`fit` does, for softmax and one-vs-all fits, and for a level outside of (0, 1).

    References: Venzon & Moolgavkar (1988); Heinze & Schemper (2002).

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = jnp.array([0, 0, 1, 0, 1, 0, 1, 1])
    >>> interval = profile_interval(jlr.fit(hours, passed), hours, passed)
    >>> [f"{low:.1f} to {high:.1f}" for low, high in zip(interval.lower, interval.upper)]
    ['-8.4 to 0.8', '-0.2 to 3.5']
    """
    if fit.params.kind == "softmax":
        raise ValueError("fit must be of two classes, got one of fit_softmax; see summary and bootstrap_interval")
    rows = as_rows(fit.params, X, y, sample_weight, offset)
    return _intervals(fit, rows, as_level(level, rows.num_rows.dtype))


@program
def _intervals(fit: Solution, rows: Rows, level: Array) -> ProfileInterval:
    fit, rows, level = lax.stop_gradient((fit, rows, level))
    likelihood, v = likelihood_of(rows, fit.params)
    penalized = isinstance(fit, FirthSolution)
    best = evaluate(likelihood.problem, rows.num_rows, v, penalized)
    _, kkt = likelihood.coordinates.kkt(best.score / rows.num_rows)
    refusal = first_of(
        fit,
        PENALIZED=jnp.zeros((), bool) if penalized or fit.penalty is None else fit.penalty > 0.0,
        OTHER_DATA=~(kkt <= 10.0 * jnp.maximum(fit.kkt, default_tol(v.dtype))),
        SINGULAR=~best.regular,
    )
    critical = best.value - 0.5 * jnp.square(ndtri(0.5 + 0.5 * level))
    # The coefficients that users see are linear in the solver's: a row of directions for each.
    eye = jnp.eye(v.shape[0], dtype=v.dtype)
    directions = jax.vmap(likelihood.coordinates.to_user, out_axes=1)(eye)
    going = refusal == 0
    limit = partial(_limit, likelihood, penalized, v, best, critical, going)
    ends, status = jax.vmap(limit)(jnp.concatenate([directions, -directions]))
    upper, lower = jnp.split(ends, 2)
    upper_status, lower_status = jnp.split(status, 2)
    restricted, p_status = jax.vmap(partial(restricted_maximum, likelihood, penalized, going))(directions)
    statistic = jnp.maximum(2.0 * (best.value - restricted), 0.0)
    p_value = jnp.where(p_status == int(Status.CONVERGED), lax.erfc(jnp.sqrt(0.5 * statistic)), jnp.nan)
    first = partial(intercept_first, has_intercept=likelihood.has_intercept)
    return ProfileInterval(
        first(-lower), first(upper), first(p_value), first(lower_status), first(upper_status), first(p_status), refusal
    )


@register_dataclass
@dataclass(frozen=True)
class _Walk:
    """On the way to a limit: the point, the curvature beside ``I``, the last step, and the damping of the next."""

    v: Array
    point: Evaluation
    correction: Array
    last: Array
    damping: Array
    status: Array
    infinite: Array
    num_steps: Array


def _limit(
    likelihood: Likelihood, penalized: bool, estimate: Array, best: Evaluation, critical: Array, going: Array, a: Array
) -> tuple[Array, Array]:
    """The largest ``aᵀw`` in the region ``ℓ >= critical``, and how it was found."""
    wald = jnp.sqrt(2.0 * (best.value - critical) * jnp.sum(a * times(best.inverse, a)))
    far = jnp.sum(a * estimate) + NEVER * wald
    start = _Walk(
        v=estimate, point=best, correction=jnp.zeros_like(best.information), last=jnp.zeros_like(estimate),
        damping=jnp.zeros_like(wald),
        status=jnp.where(going, jnp.int32(Status.RUNNING), jnp.int32(Status.STALLED)),
        infinite=jnp.zeros((), bool), num_steps=jnp.int32(0),
    )  # fmt: skip

    def attempt(walk: _Walk) -> _Walk:
        step, tension = _newton_step(walk, critical, a, 0.25 * likelihood.num_rows)
        found = evaluate(likelihood.problem, likelihood.num_rows, walk.v + step, penalized)
        return _judge(walk, step, tension, found, critical, a, far, penalized)

    walk = lax.while_loop(lambda walk: walk.status == int(Status.RUNNING), attempt, start)
    end = jnp.where(walk.infinite, jnp.inf, jnp.sum(a * walk.v))
    return jnp.where(walk.status == int(Status.CONVERGED), end, jnp.nan), walk.status


def _newton_step(walk: _Walk, critical: Array, a: Array, curvature: Array) -> tuple[Array, Array]:
    """``δ`` and ``|τ|``, damped by a multiple of a curvature; to the model's maximum where its region is empty."""
    point, k = walk.point, a.shape[0]
    root, _, _ = inverse_root(
        point.information + walk.correction + walk.damping * curvature * jnp.eye(k, dtype=a.dtype)
    )
    towards, lifted = (times(root.T, times(root, x)) for x in (a, point.score))
    square = (jnp.sum(point.score * lifted) + 2.0 * (point.value - critical)) / jnp.sum(a * towards)
    tension = jnp.sqrt(jnp.maximum(square, 0.0))
    # Where rows are certain and nothing bends, on as before: either the likelihood falls there, or never.
    onward = (point.value >= critical) & ~point.regular & (walk.damping == 0.0)
    return jnp.where(onward, STRETCH * walk.last, lifted + tension * towards), tension


def _judge(
    walk: _Walk,
    step: Array,
    tension: Array,
    found: Evaluation,
    critical: Array,
    a: Array,
    far: Array,
    penalized: bool,
) -> _Walk:
    """The step taken if it is good enough, otherwise damped; and whether to go on."""
    point, trial = walk.point, walk.v + step
    ahead, inside = tension * jnp.sum(a * step), found.value >= critical
    outside = jnp.maximum(critical - point.value, 0.0)
    slope = ahead + jnp.where(outside > 0.0, WEIGHT * jnp.sum(point.score * step), 0.0)
    gain = ahead - WEIGHT * (jnp.maximum(critical - found.value, 0.0) - outside)
    near = ahead + jnp.abs(point.value - critical) <= NEAR
    taken = (found.value > -jnp.inf) & ((gain >= MIN_GAIN * slope) | near)

    damping = next_damping(walk.damping, taken)
    num_steps = walk.num_steps + 1
    infinite = taken & inside & (jnp.sum(a * trial) >= far)
    status = jnp.int32(Status.RUNNING)
    for condition, outcome in (
        (num_steps >= MAX_STEPS, Status.MAX_STEPS),
        (damping > MAX_DAMPING, Status.LINE_SEARCH_FAILED),
        (taken & (_satisfied(found, critical, a) | infinite), Status.CONVERGED),
    ):
        status = jnp.where(condition, jnp.int32(outcome), status)
    correction = learn_curvature(walk.correction, point, found, step) if penalized else walk.correction
    moved = replace(walk, v=trial, point=found, correction=correction, last=step, infinite=infinite)
    walk = jax.tree.map(lambda new, old: jnp.where(taken, new, old), moved, walk)
    return replace(walk, damping=damping, status=status, num_steps=num_steps)


def _satisfied(point: Evaluation, critical: Array, a: Array) -> Array:
    """Whether ``ℓ`` is critical, and the other coefficients could not add to it."""
    towards, lifted = times(point.inverse, a), times(point.inverse, point.score)
    pull = jnp.sum(a * lifted)
    others = jnp.sum(point.score * lifted) - pull * pull / jnp.sum(a * towards)
    tolerance = jnp.maximum(TOLERANCE, rounding_of(point))
    outward = pull < 0.0  # the score points back: the far side of the region, not the near one
    return point.regular & outward & (jnp.abs(point.value - critical) <= tolerance) & (others <= tolerance)
