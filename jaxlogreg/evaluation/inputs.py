"""Labels, scores and weights: checked where they enter, converted once.

Shapes are checked always, values where they are concrete. The dtype of the score (float32 or float64) is that of the
metric.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..concrete import is_concrete

__all__ = ["Scored", "as_finite", "as_number", "as_probabilities", "as_scored"]


class Scored(NamedTuple):
    """Rows with what happened and what was said of them: int32 ``(m,)``, ``(m,)`` or ``(m, K)``, and ``(m,)``."""

    y: Array
    score: Array
    weight: Array


def as_scored(
    y_true: ArrayLike,
    score: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    probabilities: bool = False,
    classes: bool = False,
) -> Scored:
    """Labels, scores ``(m,)`` (or, if ``classes``, ``(m, K)``) and weights of the same rows.

    Raises:
        ValueError: for shapes that do not go together; of concrete inputs, for labels that are none, scores that are
            not finite (or no ``probabilities``), weights that are negative or all zero.
    """
    scores = as_probabilities(score) if probabilities else as_finite("score", score, _float_of(score))
    if scores.ndim == 2 and not classes:
        raise ValueError(
            f"score must be a vector (m,), got shape {scores.shape}; of several classes, one column at a time: "
            "jax.vmap over the classes with y_true == k"
        )
    labels, dtype = _as_real("y_true", y_true), scores.dtype
    weight = np.ones(scores.shape[:1], dtype) if sample_weight is None else sample_weight
    weights = as_finite("sample_weight", weight, dtype)
    if not 1 <= scores.ndim <= 2 or not labels.shape == weights.shape == scores.shape[:1] or 0 in scores.shape:
        also = " (of score (m, K), the rows)" if classes else ""
        raise ValueError(
            f"y_true, score and sample_weight must be vectors of one length{also}, got shapes {labels.shape}, "
            f"{scores.shape} and {weights.shape}"
        )
    num_classes = 2 if scores.ndim == 1 else scores.shape[1]
    if is_concrete(labels):
        values = np.asarray(labels)
        wrong = values[~((values == np.floor(values)) & (values >= 0) & (values < num_classes))]
        if wrong.size:
            hint = "; recode it, as (y_true == positive_label), or give a score for each class, (m, K)"
            raise ValueError(
                f"y_true must hold labels 0 to {num_classes - 1}, got {wrong[0]:g}{hint if scores.ndim == 1 else ''}"
            )
    if is_concrete(weights):
        lowest, highest = np.min(np.asarray(weights)), np.max(np.asarray(weights))
        if lowest < 0:
            raise ValueError(f"sample_weight must be at least 0, got {lowest:g}")
        if highest == 0:
            raise ValueError("sample_weight must be positive for at least one row, got zeros only")
    return Scored(labels.astype(jnp.int32), scores, weights)


def as_probabilities(score: ArrayLike) -> Array:
    """``P(y = 1)`` ``(m,)``, or rows ``(m, K)`` that sum to one."""
    p = as_finite("score", score, _float_of(score))
    if p.ndim == 2 and p.shape[1] < 2:
        raise ValueError(f"score must have a column for each class, at least two, got shape {p.shape}; for one, (m,)")
    if not is_concrete(p):
        return p
    values = np.asarray(p)
    outside = values[(values < 0) | (values > 1)]
    if outside.size:
        raise ValueError(
            f"score must hold probabilities, got {float(outside[0])!r}; of margins take the sigmoid or softmax "
            "(predict_proba gives probabilities)"
        )
    if values.ndim == 2:
        totals = values.sum(axis=1, dtype=np.float64)
        far = np.abs(totals - 1.0) > 4.0 * values.shape[1] * np.sqrt(np.finfo(values.dtype).eps)
        if np.any(far):
            row = int(np.argmax(far))
            raise ValueError(
                f"score must hold probabilities of the classes, that sum to 1, got {totals[row]:g} in row {row}"
            )
    return p


def as_number(name: str, value: ArrayLike, dtype: Any, lowest: float, highest: float) -> Array:
    """A scalar of the dtype, within limits."""
    number = _as_real(name, value).astype(dtype)
    if number.shape != ():
        raise ValueError(f"{name} must be one number, got shape {number.shape}; for several, jax.vmap over them")
    if is_concrete(number) and not lowest <= float(number) <= highest:  # NaN is not
        raise ValueError(f"{name} must be from {lowest:g} to {highest:g}, got {float(number):g}")
    return number


def _float_of(value: Any) -> Any:
    """The dtype of a float32 or float64 array, otherwise the default."""
    dtype = _as_real("score", value).dtype
    return jax.dtypes.canonicalize_dtype(dtype if dtype in (np.float32, np.float64) else float)


def as_finite(name: str, value: Any, dtype: Any) -> Any:
    """An array of the dtype, without NaN and infinity."""
    array = _as_real(name, value).astype(dtype)
    if is_concrete(array):
        values = np.asarray(array)
        wrong = np.argwhere(~np.isfinite(values))
        if wrong.size:
            place = ", ".join(map(str, wrong[0]))
            raise ValueError(f"{name} must be finite, got {values[tuple(wrong[0])]:g} at [{place}]; drop these rows")
    return array


def _as_real(name: str, value: Any) -> Any:
    """An array of NumPy if it is on the host, of JAX otherwise."""
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16:
        raise ValueError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return array
