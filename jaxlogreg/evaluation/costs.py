"""Decisions by what mistakes cost.

If taking a row of class ``i`` for class ``j`` costs ``C_ij``, decision ``j`` is expected to cost ``Σᵢ p_i C_ij``. Of
two the cheaper one is 1 where

    p >= (C_01 - C_00) / ((C_01 - C_00) + (C_10 - C_11)),

the price of a false positive over that of one mistake of each kind: 1 in 11 where a missed tumour costs ten times a
false alarm. It is right for calibrated probabilities (see ``calibration``).

References: Elkan, The foundations of cost-sensitive learning (2001); Chow, On optimum recognition error and reject
tradeoff, IEEE Transactions on Information Theory 16 (1970), for a decision not to decide.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..products import EXACT
from .inputs import as_probabilities, as_real

__all__ = ["as_costs", "bayes", "decide"]


def bayes(costs: ArrayLike | Sequence[Sequence[float]]) -> Array:
    """The threshold of least expected cost, for calibrated probabilities of two classes.

    ``t = (C_01 - C_00) / ((C_01 - C_00) + (C_10 - C_11))``: it depends on the costs alone.

    Args:
        costs: ``[[C_00, C_01], [C_10, C_11]]``, row ``i`` and column ``j`` for taking class ``i`` for class ``j``:
            ``[[0, false_positive], [false_negative, 0]]`` where being right is free. Gains are negative costs.

    Returns:
        A scalar from 0 to 1, for ``jlr.predict(params, X, threshold=t)``.

    Raises:
        ValueError: for costs that are no finite ``(2, 2)``, and where being wrong costs no more than being right (of
            traced costs the threshold is then NaN).

    >>> print(bayes([[0.0, 1.0], [19.0, 0.0]]))  # a missed case costs as much as 19 false alarms
    0.05
    """
    matrix = as_costs(costs, jnp.result_type(float), 2, 2)
    if is_concrete(matrix):
        values = np.asarray(matrix)
        if not (values[0, 1] > values[0, 0] and values[1, 0] > values[1, 1]):
            raise ValueError(
                "costs must be higher off the diagonal: being wrong costs more than being right in both classes, got "
                f"{values.tolist()}"
            )
    half = 0.5 * matrix  # whose differences and their sum are within the range of the dtype
    false_positive, false_negative = half[0, 1] - half[0, 0], half[1, 0] - half[1, 1]
    threshold = 0.5 * false_positive / (0.5 * false_positive + 0.5 * false_negative)
    return jnp.where((false_positive > 0.0) & (false_negative > 0.0), threshold, jnp.nan)


def decide(score: ArrayLike, costs: ArrayLike | Sequence[Sequence[float]]) -> Array:
    """The decisions of least expected cost, ``argmin_j Σᵢ p_i C_ij``, the first of equal ones.

    There may be more decisions than classes: a further column is the cost of not deciding (Chow's rule), or of asking
    for another test.

    Args:
        score: calibrated probabilities: ``P(y = 1 | x)``, ``(m,)``, or ``(m, K)``.
        costs: ``(K, decisions)``, row ``i`` and column ``j`` for decision ``j`` where the class is ``i``.

    Returns:
        The numbers of the decisions, int32 ``(m,)``.

    Raises:
        ValueError: for scores that are no probabilities, and costs that are not finite or of other classes.

    >>> costs = jnp.array([[0.0, 1.0, 0.2], [10.0, 0.0, 0.2]])  # benign, malignant, and a biopsy for those in between
    >>> decide(jnp.array([0.01, 0.3, 0.9]), costs)
    Array([0, 2, 1], dtype=int32)
    """
    p = as_probabilities(score)
    return _decide(p, as_costs(costs, p.dtype, 2 if p.ndim == 1 else p.shape[1]))


def as_costs(
    costs: ArrayLike | Sequence[Sequence[float]], dtype: Any, num_classes: int, decisions: int | None = None
) -> Array:
    """Costs of each class (down) and decision (across); of so many decisions, or any number."""
    matrix = as_real("costs", costs)
    expected = (num_classes, matrix.shape[-1] if decisions is None and matrix.ndim else decisions)
    if matrix.shape != expected or 0 in matrix.shape:
        raise ValueError(
            f"costs must be numbers ({num_classes}, {decisions or 'decisions'}), a row for each class and a column for "
            f"each decision, got shape {matrix.shape}"
        )
    matrix = jnp.asarray(matrix, dtype)
    if is_concrete(matrix) and not np.all(np.isfinite(np.asarray(matrix))):
        raise ValueError("costs must be finite; for a decision that must not be, take a cost beyond all others")
    return matrix


@program
def _decide(p: Array, costs: Array) -> Array:
    each = jnp.stack([1.0 - p, p], axis=1) if p.ndim == 1 else p
    return jnp.argmin(jnp.matmul(each, costs, precision=EXACT), axis=1).astype(jnp.int32)
