"""Tests of nested models by the likelihood: of two fits, and of columns that were not fitted.

The likelihood ratio ``2 (ℓ_full - ℓ_reduced)`` and Rao's score statistic are both χ² in large samples if the columns
left out have no effect, with as many degrees of freedom as there are such columns. The score test needs the reduced
fit alone: a genome-wide scan fits its covariates once.

References: Wilks (1938); Rao (1948).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..losses import BinaryCrossEntropy
from ..models.inputs import Design, as_extra_columns
from ..products import EXACT
from ..pytrees import register_dataclass
from ..solution import Solution
from .firth import FirthSolution
from .likelihood import Rows, as_rows, inverse_information, likelihood_of
from .refusal import Refusal, explain
from .summary import Summary
from .wald import estimate

__all__ = ["ChiSquaredTest", "chi_squared_tail", "likelihood_ratio_test", "score_test"]


@register_dataclass
@dataclass(frozen=True)
class ChiSquaredTest:
    """A statistic that is χ² under the null hypothesis.

    Args:
        statistic: at least 0 (up to rounding); NaN where ``refusal``, a :class:`Refusal`, says why.
        degrees_of_freedom: of the χ².
        p_value: the tail beyond the statistic.
    """

    statistic: Array
    degrees_of_freedom: Array
    p_value: Array
    refusal: Array

    @property
    def message(self) -> str:
        """Why the numbers are NaN, and what to do; empty where they are not."""
        return explain(self.refusal)

    def __str__(self) -> str:
        if np.ndim(self.statistic) or not is_concrete(self.statistic):
            return repr(self)
        if self.message:
            return f"no test: {self.message}"
        return (
            f"χ² = {float(self.statistic):.4f} with {int(self.degrees_of_freedom)} degrees of freedom, "
            f"p = {float(self.p_value):.4g}"
        )


def likelihood_ratio_test(full: Solution | Summary, reduced: Solution | Summary) -> ChiSquaredTest:
    """Test what the larger of two nested models has more: ``2 (ℓ_full - ℓ_reduced)``.

    Args:
        full: the larger model, a maximum-likelihood fit or its summary.
        reduced: a model whose columns are among those of the full one, fitted to the same rows.

    Returns:
        A :class:`ChiSquaredTest`; NaN if either fit is penalised or did not converge. Lanes go along.

    Raises:
        ValueError: if the full model has no more coefficients than the other, for fits to different numbers of rows,
            for Firth fits (whose penalty is not that of a smaller model; see :func:`profile_interval`), and for fits
            that carry no number of rows (of ``minimize``).

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.linspace(-2.0, 2.0, 40)[:, None], jnp.arange(40) % 7 < 3
    >>> print(jlr.likelihood_ratio_test(jlr.fit(jnp.hstack([X, X**2]), y), jlr.fit(X, y)))
    χ² = 0.295... with 1 degrees of freedom, p = 0.58...
    """
    (more, k_full, rows, refusal), (less, k, others, other) = _of_model("full", full), _of_model("reduced", reduced)
    if k_full <= k:
        raise ValueError(f"full must have more coefficients than reduced, got {k_full} and {k}; are they exchanged?")
    if is_concrete(rows) and is_concrete(others) and not np.allclose(np.asarray(rows), np.asarray(others), rtol=1e-5):
        raise ValueError(f"full and reduced must be fitted to the same rows, got {rows} and {others} of them")
    refusal = jnp.where(refusal != 0, refusal, other)
    return _test(2.0 * (more - less), k_full - k, refusal)


def score_test(
    fit: Solution,
    X: Design,
    y: ArrayLike,
    extra: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> ChiSquaredTest:
    """Test columns that a fit does not have: ``Uᵀ V⁻¹ U`` with their score ``U = Eᵀ (y - p)``.

    ``V = Eᵀ S E - Eᵀ S A (Aᵀ S A)⁻¹ Aᵀ S E`` is the score's variance, ``S = diag(p (1 - p))``, ``A`` the columns of the
    fit. Under ``jax.vmap`` over ``extra`` the fit's own part is computed once.

    Args:
        fit: of maximum likelihood, to ``X`` and ``y``.
        X, y, sample_weight, offset: those of the fit.
        extra: the columns to test, ``(m,)`` or ``(m, q)``, together.

    Returns:
        A :class:`ChiSquaredTest` with ``q`` degrees of freedom. NaN where there is no inference from the fit, or the
        columns depend linearly on those of ``X``.

    Raises:
        ValueError: as :func:`fit` does, for columns of another length, and for softmax and Firth fits.

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.linspace(-2.0, 2.0, 40)[:, None], jnp.arange(40) % 7 < 3
    >>> print(jlr.score_test(jlr.fit(X, y), X, y, X**2))
    χ² = 0.295... with 1 degrees of freedom, p = 0.58...
    """
    if fit.params.kind != "binary" or isinstance(fit, FirthSolution):
        raise ValueError("fit must be a maximum-likelihood fit of two classes for score_test, of fit")
    rows = as_rows(fit.params, X, y, sample_weight, offset)
    columns = as_extra_columns(extra, X)
    refusal = estimate(fit, rows, None, "model", "refuse", 0).refusal
    return _score_test(fit, rows, columns, refusal)


def chi_squared_tail(statistic: Array, degrees_of_freedom: Array | float) -> Array:
    """``P(χ² > statistic)``."""
    half = jnp.asarray(degrees_of_freedom, statistic.dtype) * 0.5
    return jax.scipy.special.gammaincc(half, jnp.maximum(statistic, 0.0) * 0.5)


def _test(statistic: Array, degrees: int, refusal: Array) -> ChiSquaredTest:
    statistic = jnp.where(refusal != 0, jnp.nan, statistic)
    count = jnp.asarray(degrees, statistic.dtype)
    return ChiSquaredTest(statistic, count, chi_squared_tail(statistic, count), refusal)


def _of_model(name: str, model: Any) -> tuple[Array, int, Array, Array]:
    """Log-likelihood, number of coefficients, number of rows, and why it is no maximum."""
    if isinstance(model, Summary):
        multiclass = model.reference is not None
        k = len(model.names) * (len(model.classes) if multiclass else 1)
        return model.log_likelihood, k, model.num_rows, model.refusal
    if isinstance(model, FirthSolution) or not isinstance(model, Solution):
        raise ValueError(f"{name} must be a maximum-likelihood fit or its summary, got {type(model).__name__}")
    if model.num_rows is None or model.penalty is None:
        raise ValueError(f"{name} must be a fit of fit or fit_softmax, or a Summary: this one knows no number of rows")
    params = model.params
    if params.kind == "one_vs_all":
        raise ValueError(f"{name} must be one model, got the classifiers of fit_one_vs_all")
    k = params.coef.shape[-1] + params.has_intercept
    if params.kind == "softmax":
        k *= params.coef.shape[-2] - 1
    refusal = jnp.where(model.penalty > 0.0, int(Refusal.PENALIZED), int(Refusal.NONE))
    refusal = jnp.where(model.converged, refusal, int(Refusal.NOT_CONVERGED)).astype(jnp.int32)
    return -model.num_rows * (model.value - model.penalty), k, model.num_rows, refusal


@program
def _score_test(fit: Solution, rows: Rows, extra: Array, refusal: Array) -> ChiSquaredTest:
    likelihood, v = likelihood_of(rows, fit.params)
    linear_map, loss = likelihood.problem.linear_map, likelihood.problem.loss
    assert isinstance(loss, BinaryCrossEntropy)
    z = linear_map.mv(v)
    curvature = rows.num_rows * loss.curvature(z)
    inverse, _ = inverse_information(linear_map.gram(curvature))
    # What the columns have beyond those of the fit, in the metric of the information.
    spread = jnp.sqrt(jnp.sum(rows.weight[None] * extra * extra, axis=1))
    extra = extra / jnp.where(spread > 0.0, spread, 1.0)[:, None]
    explained = jnp.matmul(linear_map.rmv(curvature[None] * extra), inverse, precision=EXACT)
    beyond = extra - linear_map.mv(explained)
    score = -rows.num_rows * jnp.matmul(beyond, loss.residual(z), precision=EXACT)
    before = jnp.sum(curvature[None] * extra * extra, axis=1)
    variance = jnp.matmul(curvature[None] * beyond, beyond.T, precision=EXACT)
    # Linear dependence on the fit's columns leaves nothing but rounding.
    left = jnp.sum(jnp.where(jnp.eye(extra.shape[0], dtype=bool), variance, 0.0), axis=0)
    nothing = jnp.any(left <= 64.0 * float(jnp.finfo(left.dtype).eps) * before)
    inverse, singular = inverse_information(variance)
    refusal = jnp.where((refusal == 0) & (singular | nothing), int(Refusal.SINGULAR), refusal)
    return _test(jnp.vdot(score, inverse @ score), extra.shape[0], refusal.astype(jnp.int32))
