"""Intervals from resampled fits: percentile, and bias-corrected and accelerated.

The distribution of the refitted coefficients stands for that of the estimate. Its own quantiles are the percentile
interval. BCa moves the quantiles that are read off for the bias of the median (``z₀``) and for how the standard error
changes with the truth (the acceleration ``a``, from the skewness of the rows' influences); it is correct to second
order.

Reference: Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82 (1987).
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr, ndtri
from jax.typing import ArrayLike

from ..compilation import program
from ..models.inputs import Design
from ..products import EXACT
from ..pytrees import register_dataclass
from ..solution import Solution
from .likelihood import Rows, as_rows, intercept_first, inverse_information, likelihood_of
from .summary import as_level
from .wald import penalized_information

__all__ = ["BootstrapInterval", "bootstrap_interval"]


@register_dataclass
@dataclass(frozen=True)
class BootstrapInterval:
    """Limits of each coefficient, the intercept first, ``(k,)``.

    Args:
        lower, upper: the limits.
        std_error: the standard deviation of the resampled coefficients.
        num_samples: how many resamples they are from: those that converged.
    """

    lower: Array
    upper: Array
    std_error: Array
    num_samples: Array


def bootstrap_interval(
    samples: Solution,
    fit: Solution,
    X: Design,
    y: ArrayLike,
    *,
    method: Literal["bca", "percentile"] = "bca",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    level: ArrayLike = 0.95,
) -> BootstrapInterval:
    """Confidence intervals of the coefficients from :func:`bootstrap`.

    BCa reads the quantiles ``Φ(z₀ + (z₀ ± z) / (1 - a (z₀ ± z)))``, with ``z₀ = Φ⁻¹(part of the resamples below the
    estimate)`` and ``a = Σ Uᵢ³ / 6 (Σ Uᵢ²)^{3/2}``, where ``Uᵢ``, the influence of row ``i``, is its score times the
    inverse of the information (with the penalty's curvature where there is one).

    Args:
        samples: of ``bootstrap(X, y, ...)`` with the options of the fit; a thousand or more for 95 %.
        fit: to the rows themselves, by :func:`fit`.
        X, y, sample_weight, offset: those of the fit.
        method: ``"bca"`` or ``"percentile"``.
        level: in (0, 1).

    Returns:
        A :class:`BootstrapInterval`. Resamples that did not converge (one may be separable) are left out, and counted:
        where they are many the intervals are too short. NaN where fewer than two are left, and for BCa where the
        estimate lies beyond all resamples.

    Raises:
        ValueError: as :func:`fit` does, and for another method or samples that are not those of such a fit.

    >>> import jax, jax.numpy as jnp, jaxlogreg as jlr
    >>> X, y = jnp.linspace(-2.0, 2.0, 60)[:, None], jnp.arange(60) % 7 < 3
    >>> samples = jlr.bootstrap(X, y, 200, jax.random.key(0))
    >>> jlr.bootstrap_interval(samples, jlr.fit(X, y), X, y).lower.shape
    (2,)
    """
    if method not in ("bca", "percentile"):
        raise ValueError(f"method must be 'bca' or 'percentile', got {method!r}")
    rows = as_rows(fit.params, X, y, sample_weight, offset)
    if fit.params.kind != "binary" or samples.params.coef.shape[1:] != fit.params.coef.shape:
        raise ValueError(
            "samples must be those that bootstrap drew for this fit, (num_samples, n) coefficients, got shape "
            f"{samples.params.coef.shape} for coefficients of shape {fit.params.coef.shape}"
        )
    return _interval(method, samples, fit, rows, as_level(level, rows.num_rows.dtype))


@partial(program, static_argnums=0)
def _interval(method: str, samples: Solution, fit: Solution, rows: Rows, level: Array) -> BootstrapInterval:
    has_intercept = fit.params.has_intercept

    def weights(solution: Solution) -> Array:
        params = solution.params
        both = [params.intercept[..., None], params.coef] if has_intercept else [params.coef]
        return jnp.concatenate(both, axis=-1)

    estimate, resampled = weights(fit), weights(samples)
    usable = samples.converged
    count = jnp.sum(usable.astype(estimate.dtype))
    resampled = jnp.where(usable[:, None], resampled, jnp.nan)
    tails = jnp.stack([0.5 - 0.5 * level, 0.5 + 0.5 * level])
    parts = jnp.broadcast_to(tails[:, None], (2, estimate.shape[0]))
    if method == "bca":
        below = jnp.sum((resampled < estimate[None]).astype(estimate.dtype), axis=0)
        below = below + 0.5 * jnp.sum((resampled == estimate[None]).astype(estimate.dtype), axis=0)
        bias = ndtri(below / count)
        moved = bias[None] + ndtri(tails)[:, None]
        parts = ndtr(bias[None] + moved / (1.0 - _acceleration(fit, rows)[None] * moved))
    limits = jax.vmap(lambda x, q: jnp.nanquantile(x, q), in_axes=(1, 1), out_axes=1)(resampled, parts)
    enough = (count >= 2.0) & jnp.all(jnp.isfinite(parts), axis=0)
    lower, upper = jnp.where(enough[None], limits, jnp.nan)
    std_error = jnp.where(count >= 2.0, jnp.nanstd(resampled, axis=0, ddof=1), jnp.nan)
    return BootstrapInterval(lower, upper, std_error, count.astype(jnp.int32))


def _acceleration(fit: Solution, rows: Rows) -> Array:
    """The skewness of the rows' influences on each coefficient, a sixth of it."""
    likelihood, v = likelihood_of(rows, fit.params)
    linear_map, loss = likelihood.problem.linear_map, likelihood.problem.loss
    z = linear_map.mv(v)
    curvature = loss.curvature(z)
    assert curvature is not None
    information = rows.num_rows * linear_map.gram(curvature)
    residual = rows.num_rows * loss.residual(z)
    bread, fixed = penalized_information(information, -linear_map.rmv(residual), v, likelihood.has_intercept)
    inverse, _ = inverse_information(bread)
    inverse = jnp.where(fixed[:, None] | fixed[None], 0.0, inverse)
    # A row of `to_user` for each coefficient, so that influences are those on what users see.
    influence_of = jax.vmap(likelihood.coordinates.to_user, in_axes=1, out_axes=1)(inverse)
    influence = -residual[None] * linear_map.mv(influence_of)  # (k, m)
    square = jnp.sum(influence * influence, axis=1)
    cube = jnp.matmul(influence * influence * influence, jnp.ones_like(residual), precision=EXACT)
    skewness = cube / jnp.where(square > 0.0, square, 1.0) ** 1.5
    return intercept_first(skewness, likelihood.has_intercept) / 6.0
