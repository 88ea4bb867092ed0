"""Wald inference: the covariance of the estimates.

At the maximum of the likelihood the estimates are normal around the truth, in large samples, with covariance
``I⁻¹``, the inverse of the information. If the model's variance is not trusted, the sandwich ``I⁻¹ M I⁻¹`` puts
observed score products in its place: ``M = Σ uᵢ uᵢᵀ`` of rows, of rows corrected for their leverage (HC1 to HC3), or of
clusters of rows. A penalised estimate has ``(I + C)⁻¹`` for bread, with the penalty's curvature ``C``.

References: White, Maximum likelihood estimation of misspecified models (1982); MacKinnon & White (1985), for HC1 to
HC3; Fan & Li (2001), section 3.3, for the penalised sandwich.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..lanes import compute_if
from ..linear_maps import LinearMap, one_block
from ..losses import SoftmaxCrossEntropy
from ..models.inputs import Design
from ..products import EXACT
from ..pytrees import register_dataclass
from ..solution import Solution
from ..solvers.driver import default_tol
from .firth import FirthSolution
from .likelihood import Likelihood, Rows, as_rows, intercept_first, inverse_information, likelihood_of, residual_of
from .refusal import first_of

__all__ = ["Covariance", "Estimate", "as_clusters", "covariance", "estimate", "penalized_information"]

Covariance = Literal["model", "HC0", "HC1", "HC2", "HC3", "cluster"]
KINDS = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")
MAX_STEP = 0.1  # of a margin, by another Newton step: a determined estimate moves by rounding


@register_dataclass
@dataclass(frozen=True)
class Estimate:
    """Estimates and their covariance, intercept first: ``(k,)`` and ``(k, k)``; of classes ``(K-1, k)``, flat in the
    covariance. NaN where ``refusal``, a :class:`Refusal`, says why."""

    coef: Array
    covariance: Array
    refusal: Array


def covariance(
    fit: Solution,
    X: Design,
    y: ArrayLike,
    *,
    covariance: Covariance = "model",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    penalized: Literal["refuse", "sandwich"] = "refuse",
    reference: int = 0,
) -> Array:
    """The covariance matrix of the estimates, the intercept first.

    ``"model"``: ``(Σ sᵢ pᵢ (1 - pᵢ) xᵢ xᵢᵀ)⁻¹``, with ``sᵢ`` as repetition. The others are sandwiches
    ``I⁻¹ (Σ fᵢ uᵢ uᵢᵀ) I⁻¹`` of the scores ``uᵢ = sᵢ (yᵢ - pᵢ) xᵢ``, with ``sᵢ`` as the weight of one observation:
    ``fᵢ`` is 1 (``"HC0"``), ``m / (m - k)`` (``"HC1"``), ``1 / (1 - hᵢ)`` (``"HC2"``) or ``1 / (1 - hᵢ)²`` (``"HC3"``),
    with the leverages ``hᵢ``; ``"cluster"`` sums the scores of each cluster first, times
    ``g / (g - 1) (m - 1) / (m - k)`` for ``g`` clusters. (statsmodels' ``Logit`` and ``GLM`` give HC0 whichever of HC0
    to HC3 is asked for; these are those of its ``WLS`` at the working response, and of R's sandwich.)

    Args:
        fit: of :func:`fit`, :func:`fit_softmax` or :func:`fit_firth`.
        X, y, sample_weight, offset: those of the fit.
        covariance: one of the above.
        clusters: the cluster of each row, ``(m,)``: any labels, or integers from 0 to ``m - 1`` where traced.
        penalized: ``"sandwich"`` for a penalised fit: ``(I + C)⁻¹ M (I + C)⁻¹`` with the penalty's curvature ``C`` and
            the meat that ``covariance`` says (``I`` for ``"model"``). It is the variance of the shrunken estimates,
            about their own mean and not the truth; coefficients that a lasso made zero have none (NaN).
        reference: of a softmax fit, the class that the others are compared with.

    Returns:
        ``(k, k)``; for softmax ``((K-1) k, (K-1) k)``, class by class. NaN where there is no inference (a fit that is
        penalised, separated or not converged, a singular information): :func:`summary` says which.

    Raises:
        ValueError: as :func:`fit` does; for other names, and for clusters that are missing or not asked for.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = jnp.array([0, 0, 1, 0, 1, 0, 1, 1])
    >>> variances = jnp.diag(jlr.covariance(jlr.fit(hours, passed), hours, passed))
    >>> [f"{error:.2f}" for error in jnp.sqrt(variances)]  # standard errors
    ['2.12', '0.86']
    """
    rows = as_rows(fit.params, X, y, sample_weight, offset)
    groups = as_clusters(covariance, clusters, rows)
    return estimate(fit, rows, groups, covariance, penalized, reference).covariance


def estimate(fit: Solution, rows: Rows, clusters: Array | None, kind: str, penalized: str, reference: int) -> Estimate:
    """The estimates with their covariance, from checked rows."""
    if kind not in KINDS:
        raise ValueError(f"covariance must be one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    if penalized not in ("refuse", "sandwich"):
        raise ValueError(f"penalized must be 'refuse' or 'sandwich', got {penalized!r}")
    sandwich = penalized == "sandwich"
    if isinstance(rows.loss, SoftmaxCrossEntropy):
        num_classes = rows.loss.targets.shape[0]
        if not 0 <= reference < num_classes:
            raise ValueError(f"reference must be a class, 0 to {num_classes - 1}, got {reference}")
        if sandwich or kind in ("HC2", "HC3"):
            raise ValueError("penalized='sandwich', HC2 and HC3 are for two classes; use HC0, HC1, or bootstrap")
        return _estimate_classes(kind, reference, fit, rows, clusters)
    return _estimate(kind, sandwich, fit, rows, clusters)


def as_clusters(kind: str, clusters: ArrayLike | None, rows: Rows) -> Array | None:
    """Clusters as integers from 0 to ``m - 1``."""
    if (clusters is None) == (kind == "cluster"):
        raise ValueError("clusters must be given with covariance='cluster', and only then")
    if clusters is None:
        return None
    m = rows.linear_map.shape[0]
    labels: Any = clusters if isinstance(clusters, jax.Array) else np.asarray(clusters)
    if labels.shape != (m,):
        raise ValueError(f"clusters must have one label for each of the {m} rows of X, got shape {labels.shape}")
    if not is_concrete(labels):
        return labels
    names, index = np.unique(np.asarray(labels), return_inverse=True)
    if names.size < 2:
        raise ValueError("clusters must name at least two clusters, got one")
    return jnp.asarray(index, jnp.int32)


@partial(program, static_argnums=(0, 1))
def _estimate(kind: str, sandwich: bool, fit: Solution, rows: Rows, clusters: Array | None) -> Estimate:
    likelihood, v = likelihood_of(rows, fit.params)
    linear_map, loss = likelihood.problem.linear_map, likelihood.problem.loss
    z = linear_map.mv(v)
    residual, curvature = residual_of(loss, z), loss.curvature(z)
    assert curvature is not None
    score, information = -rows.num_rows * linear_map.rmv(residual), rows.num_rows * linear_map.gram(curvature)
    bread, reason, fixed = information, {}, jnp.zeros(v.shape, bool)
    if sandwich:
        bread, fixed = penalized_information(information, score, v, likelihood.has_intercept)
    inverse, singular = inverse_information(bread)
    if not isinstance(fit, FirthSolution) and not sandwich:
        reason["PENALIZED"] = jnp.zeros((), bool) if fit.penalty is None else fit.penalty > 0.0
        reason["OTHER_DATA"] = _score_is_off(fit, likelihood, score)
    reason["SINGULAR"] = singular & _columns_depend(linear_map, rows, singular)
    if "OTHER_DATA" in reason:
        step = linear_map.mv(jnp.matmul(inverse, score, precision=EXACT))
        reason["UNDETERMINED"] = jnp.max(jnp.where(rows.weight > 0.0, jnp.abs(step), 0.0)) > MAX_STEP
        reason["UNDETERMINED"] |= singular
    if kind == "model":
        matrix = inverse @ information @ inverse if sandwich else inverse
    else:
        residual = rows.num_rows * residual
        if clusters is None:
            factor = _leverage_factor(kind, likelihood, inverse, rows.num_rows * curvature, rows)
            meat = linear_map.gram(factor * residual * residual)
        else:
            scores = residual[:, None] * linear_map.rows(0, residual.shape[0])
            meat = _clustered(scores, clusters, rows, v.shape[0])
        matrix = inverse @ meat @ inverse
    matrix = likelihood.to_user(jnp.where(fixed[:, None] | fixed[None], 0.0, matrix))
    coef = likelihood.coordinates.to_user(v)
    unknown = fixed[:, None] | fixed[None]
    refusal = first_of(fit, **reason)
    matrix = jnp.where(unknown | (refusal != 0), jnp.nan, matrix)
    first = partial(intercept_first, has_intercept=likelihood.has_intercept)
    return Estimate(first(coef), first(first(matrix), axis=0), refusal)


def penalized_information(information: Array, score: Array, v: Array, has_intercept: bool) -> tuple[Array, Array]:
    """``I + C``, and which coefficients are fixed at zero.

    At the minimum the score balances the penalty's slope: ``∂ℓ/∂vⱼ = cⱼ vⱼ`` for a ridge, and for a lasso
    ``cⱼ = λ/|vⱼ|``, Fan & Li's quadratic approximation. So the penalty need not be known.
    """
    penalized = jnp.arange(v.shape[0]) < v.shape[0] - has_intercept
    fixed = penalized & (v == 0.0)
    curvature = jnp.where(penalized & ~fixed, jnp.maximum(score / jnp.where(fixed, 1.0, v), 0.0), 0.0)
    eye = jnp.eye(v.shape[0], dtype=v.dtype)
    kept = jnp.where(fixed[:, None] | fixed[None], 0.0, information)
    return kept + eye * jnp.where(fixed, 1.0, curvature)[None], fixed


def _score_is_off(fit: Solution, likelihood: Likelihood, score: Array) -> Array:
    _, kkt = likelihood.coordinates.kkt(score / likelihood.num_rows)
    return ~(kkt <= 10.0 * jnp.maximum(fit.kkt, default_tol(score.dtype)))


def _columns_depend(linear_map: LinearMap, rows: Rows, wanted: Array) -> Array:
    """Whether the columns depend on each other linearly, where wanted. If not, a singular information has lost rows
    that are predicted with certainty."""

    def depend(weight: Array) -> Array:
        return inverse_information(linear_map.gram(weight))[1]

    return compute_if(wanted, depend, rows.weight, jnp.zeros((), bool))


def _leverage_factor(kind: str, likelihood: Likelihood, inverse: Array, curvature: Array, rows: Rows) -> Array:
    k = inverse.shape[0]
    if kind == "HC0":
        return jnp.ones_like(curvature)
    if kind == "HC1":
        m = rows.count
        return jnp.broadcast_to(m / (m - k), curvature.shape)
    root = jnp.linalg.cholesky(inverse)
    leverage = curvature * jnp.sum(jnp.square(likelihood.problem.linear_map.mv(root.T)), axis=0)
    return 1.0 / (1.0 - leverage) ** (1 if kind == "HC2" else 2)


def _clustered(scores: Array, clusters: Array, rows: Rows, k: int) -> Array:
    """``Σ_g U_g U_gᵀ`` of the clusters' summed scores, corrected for their number."""
    m = scores.shape[0]
    total = jax.ops.segment_sum(scores, clusters, m)
    counted = (rows.weight > 0.0).astype(scores.dtype)
    g = jnp.sum((jax.ops.segment_sum(counted, clusters, m) > 0.0).astype(scores.dtype))
    count = rows.count
    return jnp.matmul(total.T, total, precision=EXACT) * (g / (g - 1.0)) * ((count - 1.0) / (count - k))


@partial(program, static_argnums=(0, 1))
def _estimate_classes(kind: str, reference: int, fit: Solution, rows: Rows, clusters: Array | None) -> Estimate:
    """Of softmax: of the classes but one, whose weights are subtracted."""
    likelihood, v = likelihood_of(rows, fit.params)
    problem = likelihood.problem
    base = one_block(problem.linear_map)
    num_classes, k = fit.params.coef.shape[0], base.shape[1]
    others = np.delete(np.arange(num_classes), reference)
    z = problem.linear_map.mv(v)
    information = (rows.num_rows * problem.loss.hessian(problem.linear_map, z)).reshape(num_classes, k, num_classes, k)
    information = information[others][:, :, others].reshape(len(others) * k, -1)
    residual = rows.num_rows * residual_of(problem.loss, z)
    score = -base.rmv(residual)
    inverse, singular = inverse_information(information)
    step = base.mv((inverse @ score[others].reshape(-1)).reshape(-1, k))
    refusal = first_of(
        fit,
        PENALIZED=jnp.zeros((), bool) if fit.penalty is None else fit.penalty > 0.0,
        OTHER_DATA=_score_is_off(fit, likelihood, score.reshape(-1)),
        SINGULAR=singular & _columns_depend(base, rows, singular),
        UNDETERMINED=singular | (jnp.max(jnp.where(rows.weight[None] > 0.0, jnp.abs(step), 0.0)) > MAX_STEP),
    )
    matrix = inverse
    if kind != "model":
        m = rows.count
        scores = residual[others].T[:, :, None] * base.rows(0, residual.shape[1])[:, None]
        scores = scores.reshape(residual.shape[1], -1)
        if clusters is not None:
            meat = _clustered(scores, clusters, rows, scores.shape[1])
        else:
            factor = m / (m - scores.shape[1]) if kind == "HC1" else 1.0
            meat = factor * jnp.matmul(scores.T, scores, precision=EXACT)
        matrix = inverse @ meat @ inverse
    matrix = jnp.where(refusal != 0, jnp.nan, likelihood.to_user(matrix))
    blocks = matrix.reshape(len(others), k, len(others), k)
    blocks = intercept_first(intercept_first(blocks, likelihood.has_intercept), likelihood.has_intercept, axis=1)
    coef = likelihood.coordinates.to_user(v).reshape(num_classes, k)
    coef = intercept_first(coef[others] - coef[reference][None], likelihood.has_intercept)
    return Estimate(coef, blocks.reshape(matrix.shape), refusal)
