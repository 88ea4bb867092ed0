"""Metrics of scores against labels: pure, with sample weights, ties counted exactly."""

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

__all__ = ["roc_auc"]


def roc_auc(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The area under the ROC curve: the chance that a positive row scores above a negative one, a tie counting half.

    ``Σᵢⱼ sᵢ sⱼ ([fᵢ > fⱼ] + ½ [fᵢ = fⱼ]) / Σᵢⱼ sᵢ sⱼ`` over positive rows ``i`` and negative rows ``j``; by sorting,
    in ``O(m log m)``.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins or probabilities, ``(m,)``.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A scalar; NaN where one class has no weight.

    Raises:
        ValueError: for lengths that differ.

    Reference: Fawcett, An introduction to ROC analysis (2006).

    >>> print(roc_auc(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8])))
    0.875
    """
    score = jnp.asarray(score)
    score = score if jnp.issubdtype(score.dtype, jnp.floating) else score.astype(float)
    y = jnp.asarray(y_true).astype(score.dtype)
    weight = jnp.ones_like(score) if sample_weight is None else jnp.asarray(sample_weight).astype(score.dtype)
    if score.ndim != 1 or not y.shape == weight.shape == score.shape:
        raise ValueError(
            "y_true, score and sample_weight must be vectors of one length, got shapes "
            f"{y.shape}, {score.shape} and {weight.shape}"
        )
    order = jnp.argsort(score)
    score, positive, negative = score[order], (weight * y)[order], (weight * (1.0 - y))[order]
    below = jnp.cumsum(negative)
    # Of a run of equal scores, the first and the last row.
    rises, end = score[1:] > score[:-1], jnp.ones(1, bool)
    rows = jnp.arange(score.shape[0])
    first = lax.cummax(jnp.where(jnp.concatenate([end, rises]), rows, 0))
    last = lax.cummin(jnp.where(jnp.concatenate([rises, end]), rows, score.shape[0] - 1), reverse=True)
    before = (below - negative)[first]
    total = jnp.sum(positive) * jnp.sum(negative)
    wins = jnp.sum(positive * 0.5 * (before + below[last]))
    return wins / jnp.where(total > 0.0, total, jnp.nan)
