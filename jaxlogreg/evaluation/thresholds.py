"""Where to draw the line: thresholds by cost, recall, precision or Youden's index, and when to draw none.

A model gives probabilities; what to do is another question. ``bayes`` and ``decide`` answer it from the costs of
mistakes, for calibrated probabilities. The other thresholds are found on rows with labels, whatever the score; those
should be other rows than the model was fitted on. ``predict_or_abstain`` leaves close calls undecided.

A row is taken for positive where ``score >= threshold``. The thresholds lie half way between two scores, so that
rounding changes no decision; only the lowest score, below which there is none, is its own. A row of weight 0 is as good
as none. Everything works under ``jit`` and ``vmap``; of input that is an error elsewhere, thresholds are NaN there.

Reference: Youden, Index for rating diagnostic tests, Cancer 3 (1950).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from .abstaining import Abstention, abstention, predict_or_abstain
from .costs import as_costs, bayes, decide
from .curves import passing
from .inputs import Scored, as_number, as_scored
from .ties import last_of_run

__all__ = [
    "Abstention",
    "abstention",
    "at_precision",
    "at_recall",
    "bayes",
    "decide",
    "least_cost",
    "predict_or_abstain",
    "youden",
]


def least_cost(
    y_true: ArrayLike,
    score: ArrayLike,
    costs: ArrayLike | Sequence[Sequence[float]],
    *,
    sample_weight: ArrayLike | None = None,
) -> Array:
    """The threshold that would have cost the least on these rows: ``argmin_t Σᵢ sᵢ C_{yᵢ [fᵢ >= t]}``.

    It asks nothing of the score but its order, where :func:`bayes` asks for calibrated probabilities; but it is found
    on rows, and as good as they are many.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins or probabilities, ``(m,)``.
        costs: ``(2, 2)``, as for :func:`bayes`.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A scalar, the largest of equally good thresholds; infinite where it is best to take no row for positive, and
        the lowest score where it is best to take them all.

    Raises:
        ValueError: as :func:`at_recall` does, and for costs that are no finite ``(2, 2)``.

    >>> y, score = jnp.array([0, 1, 0, 1, 1]), jnp.array([0.25, 0.375, 0.5, 0.75, 0.875])
    >>> print(least_cost(y, score, [[0, 1], [5, 0]]), least_cost(y, score, [[0, 5], [1, 0]]))
    0.3125 0.625
    """
    rows = as_scored(y_true, score, sample_weight)
    return _least_cost(rows, as_costs(costs, rows.score.dtype, 2, 2))


def at_recall(
    y_true: ArrayLike, score: ArrayLike, recall: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    """The largest threshold that finds at least so large a part of the positive rows: with the fewest false alarms.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins or probabilities, ``(m,)``.
        recall: from 0 to 1; sums of weights reach it up to their rounding.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A scalar; NaN where the positive rows have no weight.

    Raises:
        ValueError: for shapes that differ; of concrete inputs, for labels other than 0 and 1, scores that are not
            finite, weights that are negative or all zero, and a recall that is none.

    >>> y, score = jnp.array([0, 1, 0, 1, 1]), jnp.array([0.25, 0.375, 0.5, 0.75, 0.875])
    >>> print(at_recall(y, score, 0.6), at_recall(y, score, 0.9))
    0.625 0.3125
    """
    rows = as_scored(y_true, score, sample_weight)
    return _at_recall(rows, as_number("recall", recall, rows.score.dtype, 0.0, 1.0))


def at_precision(
    y_true: ArrayLike, score: ArrayLike, precision: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Array:
    """The threshold that finds most, of those at which at least so large a part of the rows taken for positive is.

    Args:
        y_true, score, sample_weight: as for :func:`at_recall`.
        precision: from 0 to 1; sums of weights reach it up to their rounding.

    Returns:
        A scalar, the largest of equally good thresholds; NaN where none is so precise.

    Raises:
        ValueError: as :func:`at_recall` does, and for a precision that is none.

    >>> y, score = jnp.array([0, 1, 0, 1, 1]), jnp.array([0.25, 0.375, 0.5, 0.75, 0.875])
    >>> print(at_precision(y, score, 0.75), at_precision(y, score, 0.9))
    0.3125 0.625
    """
    rows = as_scored(y_true, score, sample_weight)
    return _at_precision(rows, as_number("precision", precision, rows.score.dtype, 0.0, 1.0))


def youden(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The threshold of the largest ``J = TPR - FPR``: where the ROC curve is highest above the diagonal.

    Both kinds of error weigh the same, by class; where they do not, :func:`bayes` or :func:`least_cost` says more.

    Args:
        y_true, score, sample_weight: as for :func:`at_recall`.

    Returns:
        A scalar, the largest of equally good thresholds; infinite where the score is worse than none at each of them,
        NaN where a class has no weight.

    Raises:
        ValueError: as :func:`at_recall` does.

    >>> print(youden(jnp.array([0, 1, 0, 1, 1]), jnp.array([0.25, 0.375, 0.5, 0.75, 0.875])))
    0.625
    """
    return _youden(as_scored(y_true, score, sample_weight))


class Choices(NamedTuple):
    """What can be chosen, by falling threshold, nothing first: ``(m + 1,)``. Points of equal scores are repeated.

    Args:
        threshold: half way to the next score.
        tp, fp: the weights of what passes.
        rounding: that of sums of weights, relative.
    """

    threshold: Array
    tp: Array
    fp: Array
    rounding: float


def _choices(rows: Scored) -> Choices:
    # Rows without weight go last: no threshold is half way to them.
    passed = passing(rows._replace(score=jnp.where(rows.weight > 0.0, rows.score, -jnp.inf)))
    score, zero = passed.threshold, jnp.zeros(1, passed.tp.dtype)
    lower = jnp.append(score, -jnp.inf)[last_of_run(score) + 1]
    middle = 0.5 * score + 0.5 * lower
    # Between neighbouring numbers there is none.
    threshold = jnp.where(jnp.isfinite(lower) & (middle > lower), middle, score)
    return Choices(
        jnp.concatenate([jnp.full(1, jnp.inf, score.dtype), threshold]),
        jnp.concatenate([zero, passed.tp]),
        jnp.concatenate([zero, passed.fp]),
        4.0 * float(jnp.finfo(score.dtype).eps),
    )


@program
def _least_cost(rows: Scored, costs: Array) -> Array:
    choices = _choices(rows)
    # Against taking no row for positive.
    cost = choices.fp * (costs[0, 1] - costs[0, 0]) - choices.tp * (costs[1, 0] - costs[1, 1])
    return jnp.where(jnp.isnan(cost[-1]), jnp.nan, choices.threshold[jnp.argmin(cost)])


@program
def _at_recall(rows: Scored, recall: Array) -> Array:
    choices = _choices(rows)
    total = choices.tp[-1]
    enough = choices.tp >= (recall - choices.rounding) * total
    return jnp.where(total > 0.0, choices.threshold[jnp.argmax(enough)], jnp.nan)


@program
def _at_precision(rows: Scored, precision: Array) -> Array:
    choices = _choices(rows)
    enough = (choices.tp > 0.0) & (choices.tp >= (precision - choices.rounding) * (choices.tp + choices.fp))
    most = jnp.argmax(jnp.where(enough, choices.tp, -1.0))
    return jnp.where(jnp.any(enough), choices.threshold[most], jnp.nan)


@program
def _youden(rows: Scored) -> Array:
    choices = _choices(rows)
    total = choices.tp[-1] * choices.fp[-1]
    height = choices.tp * choices.fp[-1] - choices.fp * choices.tp[-1]
    return jnp.where(total > 0.0, choices.threshold[jnp.argmax(height)], jnp.nan)
