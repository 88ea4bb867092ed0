"""What each threshold would do: the ROC and the precision-recall curve, and the areas under them.

With ``TP(t)`` and ``FP(t)``, the weights of the positive and of the negative rows that score ``t`` or more, and ``P``
and ``N`` those of all positive and all negative rows,

    true positive rate = recall = TP/P,    false positive rate = FP/N,    precision = TP/(TP + FP).

Only the order of the scores counts: margins are as good as probabilities. A curve of ``m`` rows has ``m + 1`` points,
from the threshold that no row reaches to the one that all do. Rows of equal scores pass a threshold together, so their
points are one point, repeated (shapes may not depend on data under ``jit``): a line through all points, and a sum of
the areas between them, is that of the distinct ones.

References: Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006); Davis & Goadrich, The
relationship between precision-recall and ROC curves (2006), for why the latter is a sum of steps.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..pytrees import register_dataclass
from .inputs import Scored, as_scored
from .ties import first_of_run, last_of_run

__all__ = [
    "PrecisionRecallCurve",
    "RocCurve",
    "average_precision",
    "passing",
    "precision_recall_curve",
    "roc_auc",
    "roc_curve",
]


@register_dataclass
@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve, from (0, 0) to (1, 1), ``(m + 1,)``.

    Args:
        fpr: false positive rates, which do not fall.
        tpr: true positive rates, which do not fall.
        threshold: the scores from which on rows are taken for positive; infinity first.
    """

    fpr: Array
    tpr: Array
    threshold: Array


@register_dataclass
@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Points of a precision-recall curve, from recall 0 to recall 1, ``(m + 1,)``.

    Args:
        precision: one where no weight passes the threshold, as at the first point.
        recall: which does not fall.
        threshold: the scores from which on rows are taken for positive; infinity first.
    """

    precision: Array
    recall: Array
    threshold: Array


def roc_curve(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> RocCurve:
    """The ROC curve: true positives bought with false positives, threshold by threshold.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins or probabilities, ``(m,)``.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A :class:`RocCurve` of ``m + 1`` points, repeated where scores are equal. A rate of a class without weight is
        NaN.

    Raises:
        ValueError: for shapes that differ; of concrete inputs, for labels other than 0 and 1, scores that are not
            finite, and weights that are negative or all zero.

    >>> curve = roc_curve(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8]))
    >>> print(curve.fpr, curve.tpr, curve.threshold)
    [0.  0.  0.5 0.5 1. ] [0.  0.5 1.  1.  1. ] [inf 0.8 0.4 0.4 0.1]
    """
    return _roc_curve(as_scored(y_true, score, sample_weight))


def roc_auc(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The area under the ROC curve: the chance that a positive row scores above a negative one, a tie counting half.

    ``Σᵢⱼ sᵢ sⱼ ([fᵢ > fⱼ] + ½ [fᵢ = fⱼ]) / Σᵢⱼ sᵢ sⱼ`` over positive rows ``i`` and negative rows ``j``; by sorting,
    in ``O(m log m)``.

    Args:
        y_true, score, sample_weight: as for :func:`roc_curve`.

    Returns:
        A scalar; NaN where one class has no weight.

    Raises:
        ValueError: as :func:`roc_curve` does.

    >>> print(roc_auc(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8])))
    0.875
    """
    return _roc_auc(as_scored(y_true, score, sample_weight))


def precision_recall_curve(
    y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> PrecisionRecallCurve:
    """Precision against recall, threshold by threshold: for rare positives, where few false positives are many.

    Between two points the curve is a step, not a line: a recall between those of two thresholds comes at the lower
    one, with its precision. (scikit-learn has the same points in the order of rising thresholds.)

    Args:
        y_true, score, sample_weight: as for :func:`roc_curve`.

    Returns:
        A :class:`PrecisionRecallCurve` of ``m + 1`` points, repeated where scores are equal. The recall is NaN where
        the positive rows have no weight.

    Raises:
        ValueError: as :func:`roc_curve` does.

    >>> curve = precision_recall_curve(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8]))
    >>> print(curve.precision, curve.recall)
    [1.        1.        0.6666667 0.6666667 0.5      ] [0.  0.5 1.  1.  1. ]
    """
    return _precision_recall_curve(as_scored(y_true, score, sample_weight))


def average_precision(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The area under the steps of the precision-recall curve: ``Σ (Rᵢ - Rᵢ₋₁) Pᵢ`` over its points.

    Args:
        y_true, score, sample_weight: as for :func:`roc_curve`.

    Returns:
        A scalar: for scores that say nothing about the part of the positive rows, for perfect ones 1. NaN where the
        positive rows have no weight.

    Raises:
        ValueError: as :func:`roc_curve` does.

    >>> print(average_precision(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8])))
    0.8333...
    """
    return _average_precision(as_scored(y_true, score, sample_weight))


class Passing(NamedTuple):
    """Rows by falling score, each with what passes if it does, ``(m,)``.

    Args:
        threshold: the scores.
        positive, negative: the weight of the row, in the one or the other.
        tp, fp: the weights of all positive and all negative rows that score as much or more.
    """

    threshold: Array
    positive: Array
    negative: Array
    tp: Array
    fp: Array


def passing(rows: Scored) -> Passing:
    """What passes each score as the threshold."""
    y, score, weight = rows
    falling, positive, negative = lax.sort(
        (-score, jnp.where(y == 1, weight, 0.0), jnp.where(y == 1, 0.0, weight)), num_keys=1
    )
    last = last_of_run(falling)
    return Passing(-falling, positive, negative, jnp.cumsum(positive)[last], jnp.cumsum(negative)[last])


@program
def _roc_curve(rows: Scored) -> RocCurve:
    passed = passing(rows)
    fpr, tpr = (_from_nothing(0.0, _ratio(weight, weight[-1])) for weight in (passed.fp, passed.tp))
    return RocCurve(fpr, tpr, _from_nothing(jnp.inf, passed.threshold))


@program
def _precision_recall_curve(rows: Scored) -> PrecisionRecallCurve:
    passed = passing(rows)
    recall = _from_nothing(0.0, _ratio(passed.tp, passed.tp[-1]))
    return PrecisionRecallCurve(
        _from_nothing(1.0, _precision(passed)), recall, _from_nothing(jnp.inf, passed.threshold)
    )


@program
def _roc_auc(rows: Scored) -> Array:
    passed = passing(rows)
    # Of the positive rows, those that score more than a negative one win, and those that score the same half.
    above = jnp.concatenate([jnp.zeros(1, passed.tp.dtype), passed.tp[:-1]])[first_of_run(passed.threshold)]
    wins = jnp.sum(passed.negative * 0.5 * (above + passed.tp))
    return _ratio(wins, passed.tp[-1] * passed.fp[-1])


@program
def _average_precision(rows: Scored) -> Array:
    passed = passing(rows)
    return _ratio(jnp.sum(passed.positive * _precision(passed)), passed.tp[-1])


def _precision(passed: Passing) -> Array:
    weight = passed.tp + passed.fp
    return jnp.where(weight == 0.0, 1.0, passed.tp / jnp.where(weight == 0.0, 1.0, weight))


def _ratio(part: Array, total: Array) -> Array:
    """NaN of nothing."""
    return part / jnp.where(total > 0.0, total, jnp.nan)


def _from_nothing(first: float, x: Array) -> Array:
    """The points of a curve, before them that of the threshold that no row reaches."""
    return jnp.concatenate([jnp.full(1, first, x.dtype), x])
