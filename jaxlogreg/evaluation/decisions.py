"""How often decisions are right: the confusion matrix, and what is read off it.

A decision is 1 where ``P(y = 1 | x) >= threshold``, or among classes the one of the largest probability. ``C``, the
confusion matrix, has the weight ``C_ij`` of the rows of class ``i`` that were taken for class ``j``. For two classes
``C_11 = TP``, ``C_01 = FP``, ``C_10 = FN`` and ``C_00 = TN``; for more of them each class in turn is the positive one.
"""

from functools import partial

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from .inputs import Scored, as_number, as_scored

__all__ = ["accuracy", "balanced_accuracy", "confusion_matrix", "fbeta", "precision", "recall"]


def confusion_matrix(
    y_true: ArrayLike, score: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Array:
    """The weight of the rows of each class (down) that were taken for each class (across).

    Args:
        y_true: labels 0 and 1, or integers ``0 .. K - 1``, ``(m,)``.
        score: probabilities: ``P(y = 1 | x)``, ``(m,)``, or ``(m, K)`` with rows that sum to one. Predicted classes go
            in as ``jax.nn.one_hot(predicted, K)``.
        threshold: the probability from which on a row is taken for positive; only for ``(m,)``. Among classes the
            largest probability wins, the first of equal ones.
        sample_weight: at least 0, ``(m,)``; a row counts 1 when None.

    Returns:
        ``(K, K)``, ``(2, 2)`` for two classes.

    Raises:
        ValueError: for shapes that do not go together and a threshold for ``(m, K)``; of concrete inputs, for labels
            that are none, scores that are no probabilities, and weights that are negative or all zero.

    >>> print(confusion_matrix(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9])))
    [[1. 1.]
     [1. 2.]]
    """
    return _confusion_matrix(*_as_decided(y_true, score, threshold, sample_weight))


def accuracy(
    y_true: ArrayLike, score: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Array:
    """The part of the rows that is decided rightly: ``Σᵢ C_ii / Σᵢⱼ C_ij``.

    Args:
        y_true, score, threshold, sample_weight: as for :func:`confusion_matrix`.

    Returns:
        A scalar.

    Raises:
        ValueError: as :func:`confusion_matrix` does.

    >>> print(accuracy(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9])))
    0.6
    """
    return _accuracy(*_as_decided(y_true, score, threshold, sample_weight))


def balanced_accuracy(
    y_true: ArrayLike, score: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Array:
    """The mean of the classes' recalls: ``meanᵢ (C_ii / Σⱼ C_ij)``, ``1/K`` for whoever always says the same.

    Args:
        y_true, score, threshold, sample_weight: as for :func:`confusion_matrix`.

    Returns:
        A scalar: the mean over the classes that have weight.

    Raises:
        ValueError: as :func:`confusion_matrix` does.

    >>> print(f"{balanced_accuracy(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9])):.4f}")
    0.5833
    """
    return _balanced_accuracy(*_as_decided(y_true, score, threshold, sample_weight))


def precision(
    y_true: ArrayLike, score: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Array:
    """Of the rows taken for positive, the part that is: ``TP / (TP + FP)``.

    Args:
        y_true, score, threshold, sample_weight: as for :func:`confusion_matrix`.

    Returns:
        A scalar; of probabilities ``(m, K)`` the precision of each class, ``(K,)``. NaN where no weight is taken for
        positive.

    Raises:
        ValueError: as :func:`confusion_matrix` does.

    >>> print(f"{precision(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9])):.4f}")
    0.6667
    """
    return _of_class(1.0, *_as_decided(y_true, score, threshold, sample_weight))


def recall(
    y_true: ArrayLike, score: ArrayLike, *, threshold: ArrayLike = 0.5, sample_weight: ArrayLike | None = None
) -> Array:
    """Of the positive rows, the part that is found: ``TP / (TP + FN)``, also called sensitivity.

    Args:
        y_true, score, threshold, sample_weight: as for :func:`confusion_matrix`.

    Returns:
        A scalar; of probabilities ``(m, K)`` the recall of each class, ``(K,)``. NaN where the class has no weight.

    Raises:
        ValueError: as :func:`confusion_matrix` does.

    >>> print(f"{recall(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9])):.4f}")
    0.6667
    """
    return _of_class(0.0, *_as_decided(y_true, score, threshold, sample_weight))


def fbeta(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    beta: ArrayLike = 1.0,
    threshold: ArrayLike = 0.5,
    sample_weight: ArrayLike | None = None,
) -> Array:
    """Precision and recall in one number: their harmonic mean, where recall counts ``β`` times as much.

    ``F_β = (1 + β²) TP / ((1 + β²) TP + β² FN + FP)``.

    Args:
        y_true, score, threshold, sample_weight: as for :func:`confusion_matrix`.
        beta: at least 0; with 1, F₁.

    Returns:
        A scalar; of probabilities ``(m, K)`` that of each class, ``(K,)``. NaN where no weight is positive nor taken
        for positive.

    Raises:
        ValueError: as :func:`confusion_matrix` does, and for a negative ``beta``.

    Reference: van Rijsbergen, Information Retrieval (1979), chapter 7.

    >>> print(f"{fbeta(jnp.array([0, 0, 1, 1, 1]), jnp.array([0.2, 0.7, 0.4, 0.8, 0.9]), beta=2.0):.4f}")
    0.6667
    """
    rows, limit = _as_decided(y_true, score, threshold, sample_weight)
    weight = jnp.asarray(as_number("beta", beta, rows.score.dtype, 0.0, float("inf")))
    return _of_class(1.0 / (1.0 + weight * weight), rows, limit)


def _as_decided(
    y_true: ArrayLike, score: ArrayLike, threshold: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[Scored, Array | None]:
    """Checked rows, and the threshold of two classes."""
    rows = as_scored(y_true, score, sample_weight, probabilities=True, classes=True)
    if rows.score.ndim == 1:
        # Infinity is the threshold that no row reaches.
        return rows, as_number("threshold", threshold, rows.score.dtype, -float("inf"), float("inf"))
    if not (isinstance(threshold, float) and threshold == 0.5):
        raise ValueError("threshold is for scores (m,) of two classes; among classes the largest probability wins")
    return rows, None


def _decide(score: Array, threshold: Array | None) -> Array:
    if threshold is None:
        return jnp.argmax(score, axis=1).astype(jnp.int32)
    return (score >= threshold).astype(jnp.int32)


@program
def _confusion_matrix(rows: Scored, threshold: Array | None) -> Array:
    size = 2 if threshold is not None else rows.score.shape[1]
    cell = rows.y * size + _decide(rows.score, threshold)
    return jnp.zeros(size * size, rows.weight.dtype).at[cell].add(rows.weight).reshape(size, size)


@program
def _accuracy(rows: Scored, threshold: Array | None) -> Array:
    right = _decide(rows.score, threshold) == rows.y
    return jnp.sum(jnp.where(right, rows.weight, 0.0)) / jnp.sum(rows.weight)


@program
def _balanced_accuracy(rows: Scored, threshold: Array | None) -> Array:
    found = _of_class(0.0, rows, threshold, each=True)
    return jnp.nanmean(found)


@partial(program, static_argnums=3)
def _of_class(share: ArrayLike, rows: Scored, threshold: Array | None, each: bool = False) -> Array:
    """``C_kk / (share Σᵢ C_ik + (1 - share) Σⱼ C_kj)``, of each class or of the positive of two: the precision for a
    share of 1, the recall for 0."""
    matrix = _confusion_matrix(rows, threshold)
    share = jnp.asarray(share, matrix.dtype)
    total = share * jnp.sum(matrix, axis=0) + (1.0 - share) * jnp.sum(matrix, axis=1)
    ratio = jnp.diagonal(matrix) / jnp.where(total > 0.0, total, jnp.nan)
    return ratio if each or threshold is None else ratio[1]
