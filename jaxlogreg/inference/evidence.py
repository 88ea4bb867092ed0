"""The ridge strength that the data themselves suggest: the maximum of the evidence.

The evidence ``p(y | l2)``, the likelihood averaged over the prior, weighs fit against complexity without rows held
out. One strength for all columns, or one for each: automatic relevance determination, where a column that does not
help gets an infinite strength and is gone.

At the maximum each strength satisfies

    γⱼ = αⱼ qⱼ,    γⱼ = 1 - αⱼ Σⱼⱼ,    qⱼ = wⱼ (wⱼ - tⱼ),    t = Σ Aᵀ (c ∘ diag(A Σ Aᵀ)),

with the posterior's covariance ``Σ`` and the third derivatives ``c`` of the rows' losses; of one strength for all,
the sums over the columns are equal. MacKay's ``α = γ / w²`` leaves out ``t``, by which the curvature follows the mode,
and so misses the maximum. The steps, in ``log α``, go to where the condition holds if other columns' strengths and the
curvature stay as they are: ``α = s² / (q/Σⱼⱼ² - s)`` with ``s = γⱼ/Σⱼⱼ``, or infinity (Tipping & Faul); of one
strength, to ``α Σ γⱼ / Σ αⱼ qⱼ``.

References: MacKay, Bayesian interpolation, and The evidence framework applied to classification networks, Neural
Computation 4 (1992); Tipping, Sparse Bayesian learning and the relevance vector machine, JMLR 1 (2001); Tipping & Faul,
Fast marginal likelihood maximisation for sparse Bayesian models, AISTATS (2003).
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..coordinates import choose_coordinates, in_coordinates
from ..lanes import alone
from ..models.binary import (
    FitData,
    FitOptions,
    as_data,
    as_problem,
    as_solution,
    fit_settings,
    flat_weights,
    total_weight,
)
from ..models.inputs import Design, as_binary_labels, as_design, as_nonnegative, dtype_of
from ..pytrees import register_dataclass
from ..solution import Solution, Status, describe_lanes
from ..solvers import Solver
from ..solvers.driver import settings
from ..solvers.loop import Limits
from ..solvers.solve import solve
from .ascent import Ascent, advance
from .laplace import Mode, mode_of, posterior_of
from .posterior import Posterior
from .refusal import Refusal

__all__ = ["EvidenceResult", "evidence_l2"]

# Of prior precisions of standardised coefficients: below, a deviation of 1000 is as good as none (in float32, of 30:
# weaker ones cannot be told apart); above, the prior leaves a column less than a millionth of what its information
# allows.
WEAKEST, STRONGEST = {64: 1e-6, 32: 1e-3}, 1e6 / 4.0
GONE = 1e6  # times the strongest, for columns that are out: what they would move of the others is less than rounding


@register_dataclass
@dataclass(frozen=True)
class EvidenceResult:
    """A strength, how well it is supported, and the fit with it.

    Args:
        l2: the strength, ``()``, or one for each column, ``(n,)``; infinite where columns are not in the model, whose
            coefficients are zero.
        solution: the fit, as :func:`fit` with that ``l2`` gives it.
        posterior: of the weights, as :func:`laplace` gives it.
        num_steps: steps that it took, a fit each (and one more at the end).
        status: CONVERGED at a maximum of the evidence (also at infinity); SEPARABLE where the evidence still grows with
            a prior that holds nothing; MAX_STEPS; STALLED where rounding hides which way it grows; or that of the fit.
    """

    l2: Array
    solution: Solution
    posterior: Posterior
    num_steps: Array
    status: Array

    @property
    def log_evidence(self) -> Array:
        """``log p(y)`` at ``l2``."""
        return self.posterior.log_evidence

    @property
    def effective_parameters(self) -> Array:
        """``γ``, how many coefficients the data determine."""
        return self.posterior.effective_parameters

    @property
    def pruned(self) -> Array:
        """Which columns are not in the model, ``(n,)``, or whether all are, ``()``."""
        return jnp.isposinf(self.l2)

    @property
    def converged(self) -> Array:
        """Whether the status is CONVERGED, lane by lane."""
        return self.status == int(Status.CONVERGED)

    @property
    def message(self) -> str:
        """What happened, in words. For concrete results, not inside jit."""
        return describe_lanes(self, _describe)


def evidence_l2(
    X: Design,
    y: ArrayLike,
    *,
    per_column: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    standardize: bool = False,
    init_l2: ArrayLike | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike = 200,
) -> EvidenceResult:
    """Choose the ridge strength by maximising the evidence of :func:`laplace`, and fit with it.

    Each step is a fit, started from the last. The evidence of one strength for all columns usually has one maximum;
    with one for each column there may be several, and ``init_l2`` says where the search begins. An ``l2`` without end
    is reported as infinite: then the coefficients are zero. That is not a test of significance: of columns that are
    nothing but noise about a third stay (those whose z is above 1), with small coefficients.

    The intercept has a flat prior (see :func:`laplace`). With it the evidence of completely separated classes grows
    without end as ``l2`` falls to 0; if no maximum comes before, the status is SEPARABLE.

    Works under ``jit`` and ``vmap``. It is a loop without derivatives: those of a fit at the strength found are those
    of :func:`fit`.

    Args:
        X, y, sample_weight, offset, intercept, standardize: as in :func:`fit`.
        per_column: one strength for each column (automatic relevance determination).
        init_l2: where to start, positive, ``()`` or, with ``per_column``, ``(n,)``; when None, a prior deviation of one
            for standardised coefficients.
        tol: relative error of ``γ = α q`` (see the module), and so about that of ``l2``: 1e-6 in float64, 1e-3 in
            float32.
        max_steps: how many fits.

    Returns:
        An :class:`EvidenceResult`. Look at ``status`` or ``message``.

    Raises:
        ValueError: as :func:`fit` does; for ``init_l2`` that is not positive, and ``tol`` or ``max_steps`` that are
            negative.

    >>> import jaxlogreg as jlr
    >>> X = jax.random.normal(jax.random.key(1), (200, 4))
    >>> y = jax.random.uniform(jax.random.key(2), 200) < jax.nn.sigmoid(2.0 * X[:, 0] - X[:, 1])
    >>> found = jlr.evidence_l2(X, y, per_column=True)
    >>> found.pruned  # the columns that only look like noise
    Array([False, False,  True,  True], dtype=bool)
    >>> found.solution.params.coef.round(1)
    Array([ 2.4, -1. ,  0. ,  0. ], dtype=float32)
    """
    matrix = as_design(X)
    n, dtype = matrix.shape[1], dtype_of(matrix)
    options = FitOptions(
        l2=1.0, sample_weight=sample_weight, offset=offset, intercept=intercept, standardize=standardize
    )
    data = as_data(matrix, y, as_binary_labels, options)
    start = None if init_l2 is None else as_nonnegative("init_l2", init_l2, dtype, (n,) if np.ndim(init_l2) else ())
    if start is not None and start.ndim and not per_column:
        raise ValueError(f"init_l2 must be one number without per_column, got shape {start.shape}")
    if start is not None and is_concrete(start) and not np.all(np.asarray(start) > 0):
        raise ValueError(f"init_l2 must be positive, got {np.asarray(start).min():g}")
    if tol is None:
        tol = 1e-6 if jnp.finfo(dtype).bits == 64 else 1e-3
    solver, limits = fit_settings(options, data, n + data.intercept)
    return _maximise(per_column, data, start, settings(dtype, solver, tol, max_steps)[1], solver, limits)


@partial(program, static_argnums=0)
def _maximise(
    per_column: bool, data: FitData, start: Array | None, ends: Limits, solver: Solver, limits: Limits
) -> EvidenceResult:
    n, num_rows = data.X.shape[1], total_weight(data)
    problem, w = as_problem(data)
    # What l2 = 1 means for standardised coefficients, as log α.
    coordinates = choose_coordinates(problem, w, True, alone())
    unit = jnp.log(num_rows * in_coordinates(problem, coordinates).penalty.diagonal(w)[:n])
    weakest = WEAKEST[jnp.finfo(unit.dtype).bits]
    lowest, highest, usual = jnp.log(weakest) - unit, jnp.log(STRONGEST * num_rows) - unit, -unit
    if not per_column:
        lowest, highest, usual = jnp.min(lowest)[None], jnp.max(highest)[None], jnp.mean(usual)[None]
    begin = usual if start is None else jnp.broadcast_to(jnp.log(start), usual.shape)

    def fit_at(log_l2: Array, out: Array, init: Array) -> tuple[Solution, Mode]:
        """The fit and its mode, without the columns that are ``out``."""
        own = replace(data, penalty_factor=jnp.broadcast_to(jnp.exp(log_l2), (n,)) * jnp.where(out, GONE, 1.0))
        posed, _ = as_problem(own)
        out = jnp.append(out, jnp.zeros(w.shape[0] - n, bool))
        # From zero where columns go out: beside the others' optimum their own way is lost in rounding.
        warm = jnp.all(jnp.isfinite(init)) & ~jnp.any(out)
        solution = solve(solver, posed, jnp.where(warm, init, 0.0), limits)
        solution = replace(solution, params=jnp.where(out, 0.0, solution.params))
        return as_solution(own, posed, solution), mode_of(posed, num_rows, solution.params, out)

    def step(state: _State) -> _State:
        # The last round fits once more, without the columns that are pruned.
        ascent, ended = state.ascent, state.ascent.status != int(Status.RUNNING)
        pruned = ended & jnp.broadcast_to(ascent.trial >= highest, (n,))
        fit, mode = fit_at(ascent.trial, pruned, flat_weights(state.fit.params, data.intercept))
        pull, holds = _condition(mode, n, per_column, ends.tol)
        moved = advance(ascent, mode.log_evidence, pull, holds, ends.tol, ends.max_steps)
        ascent = jax.tree.map(partial(jnp.where, ended), ascent, moved)
        return _State(ascent, fit, posterior_of(fit, num_rows, mode), ended)

    begun = Ascent.begin(begin, lowest, highest)
    shapes = jax.eval_shape(lambda: fit_at(begin, jnp.zeros((n,), bool), w))
    fit, posterior = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), (shapes[0], jax.eval_shape(posterior_of, shapes[0], num_rows, shapes[1]))
    )
    last = lax.while_loop(lambda state: ~state.ended, step, _State(begun, fit, posterior, jnp.zeros((), bool)))
    trial = last.ascent.trial
    l2 = jnp.where(trial >= highest, jnp.inf, jnp.exp(trial))
    known = last.posterior.refusal == int(Refusal.NONE)
    return EvidenceResult(
        l2=l2 if per_column else l2[0],
        solution=last.fit,
        posterior=last.posterior,
        num_steps=last.ascent.num_steps,
        status=jnp.where(
            last.fit.converged, jnp.where(known, last.ascent.status, int(Status.STALLED)), last.fit.status
        ),
    )


@register_dataclass
@dataclass(frozen=True)
class _State:
    """The way up, and the last fit with its posterior; ``ended`` once that is of the best strengths."""

    ascent: Ascent
    fit: Solution
    posterior: Posterior
    ended: Array


def _condition(mode: Mode, n: int, per_column: bool, tol: Array) -> tuple[Array, Array]:
    """How far ``log α`` is from where ``γ = α q`` holds, and whether it holds to ``tol``: of each strength."""
    gamma, q, alpha = mode.determined[:n], (mode.v * (mode.v - mode.lag))[:n], mode.precision[:n]
    if not per_column:
        gamma, held = jnp.sum(gamma)[None], jnp.sum(alpha * q)[None]
        pull = jnp.where(held > 0.0, jnp.log(gamma / jnp.where(held > 0.0, held, 1.0)), jnp.inf)
        return pull, jnp.abs(gamma - held) <= tol * gamma
    # Of the column alone, beside the others: the sparsity s and the quality q² of Tipping & Faul.
    variance = jnp.sum(jnp.square(mode.root), axis=1)[:n]
    s = gamma / variance
    excess = q / jnp.square(variance) - s
    pull = 2.0 * jnp.log(s) - jnp.log(jnp.where(excess > 0.0, excess, 1.0)) - jnp.log(alpha)
    return jnp.where(excess > 0.0, pull, jnp.inf), jnp.abs(gamma - alpha * q) <= tol * gamma


def _describe(result: EvidenceResult) -> str:
    status, pruned = Status(int(result.status)), np.asarray(result.pruned)
    text = (
        f"{status.name} after {int(result.num_steps)} steps (log evidence {float(result.log_evidence):.6g}, "
        f"{float(result.effective_parameters):.3g} effective parameters)"
    )
    if not result.solution.converged:
        text += f"; the fit: {result.solution.message}"
    elif status == Status.SEPARABLE:
        text += (
            "; the evidence still grows with a prior that holds nothing: the classes are separated, and no finite "
            "strength is best; choose l2 yourself, or by cross_validate"
        )
    elif status == Status.MAX_STEPS:
        text += "; raise max_steps"
    elif status == Status.STALLED:
        reason = result.posterior.message or "rounding hides which way the evidence grows; loosen tol or use float64"
        text += f"; {reason}"
    if pruned.ndim:
        text += f"; {int(pruned.sum())} of {pruned.size} columns pruned"
    elif pruned:
        text += "; the evidence grows with l2 without end: the columns do not help to predict the labels"
    return text
