"""The reject option: to say nothing where the two most probable classes are nearly as probable.

The rows left undecided go to a person, or to another test; of those that remain more are right. What a margin leaves
undecided is the coverage, and what that is worth the accuracy of the rest.

Reference: Chow, On optimum recognition error and reject tradeoff, IEEE Transactions on Information Theory 16 (1970).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..pytrees import register_dataclass
from .inputs import Scored, as_number, as_probabilities, as_scored

__all__ = ["Abstention", "abstention", "predict_or_abstain"]


def predict_or_abstain(score: ArrayLike, margin: ArrayLike) -> Array:
    """The most probable class, or -1 where the two most probable are within ``margin`` of each other.

    For two classes the distance is ``|2 p - 1|``: a margin of 0.2 leaves ``0.4 <= p <= 0.6`` undecided. With margin 0
    a row is undecided if its best classes are exactly as probable.

    Args:
        score: probabilities: ``P(y = 1 | x)``, ``(m,)``, or ``(m, K)``.
        margin: from 0 to 1.

    Returns:
        Classes, int32 ``(m,)``; -1: undecided.

    Raises:
        ValueError: for scores that are no probabilities, and a margin that is none.

    >>> predict_or_abstain(jnp.array([[0.6, 0.3, 0.1], [0.45, 0.4, 0.15]]), margin=0.1)
    Array([ 0, -1], dtype=int32)
    """
    p = as_probabilities(score)
    return _predict_or_abstain(p, as_number("margin", margin, p.dtype, 0.0, 1.0))


@register_dataclass
@dataclass(frozen=True)
class Abstention:
    """What a margin leaves undecided, and what that is worth.

    Args:
        coverage: the part of the rows that is decided.
        accuracy: the part of those that is decided rightly; NaN where none are.
    """

    coverage: Array
    accuracy: Array


def abstention(
    y_true: ArrayLike, score: ArrayLike, margin: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Abstention:
    """How many rows :func:`predict_or_abstain` decides, and how many of those rightly.

    A ``vmap`` over margins draws the curve of accuracy against coverage.

    Args:
        y_true: labels 0 and 1, or integers ``0 .. K - 1``, ``(m,)``.
        score: probabilities: ``P(y = 1 | x)``, ``(m,)``, or ``(m, K)``.
        margin: from 0 to 1.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        An :class:`Abstention`.

    Raises:
        ValueError: for shapes that do not go together; of concrete inputs, for labels that are none, scores that are
            no probabilities, weights that are negative or all zero, and a margin that is none.

    >>> said = abstention(jnp.array([0, 1, 1, 1]), jnp.array([0.1, 0.45, 0.8, 0.9]), margin=0.2)
    >>> print(said.coverage, said.accuracy)
    0.75 1.0
    """
    rows = as_scored(y_true, score, sample_weight, probabilities=True, classes=True)
    return _abstention(rows, as_number("margin", margin, rows.score.dtype, 0.0, 1.0))


@program
def _predict_or_abstain(p: Array, margin: Array) -> Array:
    each = jnp.stack([1.0 - p, p], axis=1) if p.ndim == 1 else p
    best = jax.lax.top_k(each, 2)[0]
    return jnp.where(best[:, 0] - best[:, 1] > margin, jnp.argmax(each, axis=1), -1).astype(jnp.int32)


@program
def _abstention(rows: Scored, margin: Array) -> Abstention:
    said = _predict_or_abstain(rows.score, margin)
    decided = jnp.sum(jnp.where(said >= 0, rows.weight, 0.0))
    right = jnp.sum(jnp.where(said == rows.y, rows.weight, 0.0))
    return Abstention(decided / jnp.sum(rows.weight), right / jnp.where(decided > 0.0, decided, jnp.nan))
