"""Labels, scores and weights: checked where they enter, converted once.

Shapes are checked always, values where they are concrete: those that are wrong are an error. Of traced ones there is
nothing to look at, and with wrong values all weights are NaN, and so is what is computed from them. The dtype of the
score (float32 or float64) is that of the metric.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete

__all__ = ["Scored", "as_finite", "as_number", "as_probabilities", "as_real", "as_scored"]


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
    name: str = "y_true",
) -> Scored:
    """Labels, scores ``(m,)`` (or, if ``classes``, ``(m, K)``) and weights of the same rows.

    Args:
        name: of the labels, in errors.

    Raises:
        ValueError: for shapes that do not go together; of concrete inputs, for labels that are none, scores that are
            not finite (or no ``probabilities``), weights that are negative, all zero or beyond the dtype.
    """
    scores = as_probabilities(score) if probabilities else as_finite("score", score, _float_of(score))
    _check_columns(scores)
    if scores.ndim == 2 and not classes:
        raise ValueError(
            f"score must be a vector (m,), got shape {scores.shape}; of several classes, one column at a time: "
            "jax.vmap over the classes with y_true == k"
        )
    recode = f"; recode it, as np.unique({name}, return_inverse=True)[1]"
    if scores.ndim == 1:
        recode = f"; recode it, as ({name} == positive_label), or give a score for each class, (m, K)"
    labels, dtype = as_real(name, y_true, recode), scores.dtype
    weight = np.ones(scores.shape[:1], dtype) if sample_weight is None else sample_weight
    weights = as_finite("sample_weight", weight, dtype)
    if scores.ndim > 2 or not labels.shape == weights.shape == scores.shape[:1] or 0 in scores.shape or not scores.ndim:
        also = " (of score (m, K), the rows)" if classes else ""
        raise ValueError(
            f"{name}, score and sample_weight must be vectors of one length{also}, got shapes {labels.shape}, "
            f"{scores.shape} and {weights.shape}"
        )
    num_classes = 2 if scores.ndim == 1 else scores.shape[1]
    if is_concrete(labels):
        values = np.asarray(labels)
        wrong = values[~_is_label(values, num_classes)]
        if wrong.size:
            raise ValueError(f"{name} must hold labels 0 to {num_classes - 1}, got {wrong[0]:g}{recode}")
    if is_concrete(weights):
        values = np.asarray(weights)
        if np.min(values) < 0:
            raise ValueError(f"sample_weight must be at least 0, got {np.min(values):g}")
        if np.max(values) == 0:
            raise ValueError("sample_weight must be positive for at least one row, got zeros only")
        if not _is_moderate(total := np.sum(values, dtype=np.float64), dtype):
            raise ValueError(
                f"sample_weight must have a sum whose square is in the range of {dtype}, got {total:g}; divide it by "
                "its mean"
            )
    rows = Scored(labels, scores, weights)
    if all(map(is_concrete, rows)):
        return rows._replace(y=labels.astype(jnp.int32))
    return _nan_if_wrong(probabilities, rows)


def as_probabilities(score: ArrayLike) -> Array:
    """``P(y = 1)`` ``(m,)``, or rows ``(m, K)`` that sum to one."""
    p = as_finite("score", score, _float_of(score))
    if p.ndim not in (1, 2):
        raise ValueError(f"score must hold probabilities (m,) or (m, K), got shape {p.shape}")
    _check_columns(p)
    if not is_concrete(p):
        return p
    values = np.asarray(p)
    outside = values[(values < 0) | (values > 1)]
    if outside.size:
        hint = "of margins take the sigmoid or softmax (predict_proba gives probabilities)"
        if values.ndim == 1 and np.all(values >= 0) and np.all(values % 1 == 0):
            hint = "predicted classes go in as jax.nn.one_hot(predicted, K)"
        raise ValueError(f"score must hold probabilities, got {float(outside[0])!r}; {hint}")
    if values.ndim == 2:
        totals = values.sum(axis=1, dtype=np.float64)
        far = np.abs(totals - 1.0) > _rounding(values)
        if np.any(far):
            row = int(np.argmax(far))
            raise ValueError(
                f"score must hold probabilities of the classes, that sum to 1, got {totals[row]:g} in row {row}"
            )
    return p


def as_number(name: str, value: ArrayLike, dtype: Any, lowest: float, highest: float) -> Array:
    """A scalar of the dtype, within limits."""
    number = as_real(name, value).astype(dtype)
    if number.shape != ():
        raise ValueError(f"{name} must be one number, got shape {number.shape}; for several, jax.vmap over them")
    if is_concrete(number) and not lowest <= float(number) <= highest:  # NaN is not
        raise ValueError(f"{name} must be from {lowest:g} to {highest:g}, got {float(number):g}")
    return number


def _float_of(value: Any) -> Any:
    """The dtype of a float32 or float64 array, otherwise the default."""
    dtype = as_real("score", value).dtype
    return jax.dtypes.canonicalize_dtype(dtype if dtype in (np.float32, np.float64) else float)


def as_finite(name: str, value: Any, dtype: Any) -> Any:
    """An array of the dtype, without NaN and infinity."""
    array = as_real(name, value).astype(dtype)
    if is_concrete(array):
        values = np.asarray(array)
        if not np.all(np.isfinite(values)):
            wrong = np.argwhere(~np.isfinite(values))[0]
            place = f" at [{', '.join(map(str, wrong))}]" if values.ndim else ""
            remedy = "" if name == "edges" else "; drop these rows"
            raise ValueError(f"{name} must be finite, got {values[tuple(wrong)]:g}{place}{remedy}")
    return array


def _check_columns(score: Any) -> None:
    if score.ndim == 2 and score.shape[1] < 2:
        raise ValueError(
            f"score must have a column for each class, at least two, got shape {score.shape}; for one, score[:, 0]"
        )


def as_real(name: str, value: Any, remedy: str = "") -> Any:
    """An array of NumPy if it is on the host, of JAX otherwise."""
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} must be an array of real numbers, got {type(value).__name__} ({error})") from None
    if array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16:
        raise ValueError(f"{name} must be an array of real numbers, got dtype {array.dtype}{remedy}")
    return array


def _is_label(y: Any, num_classes: int) -> Any:
    if y.dtype.kind == "b":
        return y == y
    inside = (y >= 0) & (y < num_classes)
    return inside if y.dtype.kind in "iu" else inside & (y % 1 == 0)


def _is_moderate(total: Any, dtype: Any) -> Any:
    """Whether a product of two sums of weights neither overflows nor vanishes."""
    limits = jnp.finfo(dtype)
    return (total > float(limits.tiny) ** 0.5) & (total < float(limits.max) ** 0.5)


def _rounding(p: Any) -> float:
    """How far from one the sum of a row of probabilities may be."""
    return 4.0 * p.shape[1] * float(jnp.finfo(p.dtype).eps) ** 0.5


@partial(program, static_argnums=0)
def _nan_if_wrong(probabilities: bool, rows: Scored) -> Scored:
    """The rows, with all weights NaN where an input is what a concrete one must not be."""
    y, score, weight = rows
    num_classes = 2 if score.ndim == 1 else score.shape[1]
    right = jnp.all(_is_label(y, num_classes)) & jnp.all(jnp.isfinite(score))
    right = right & jnp.all(weight >= 0.0) & _is_moderate(jnp.sum(weight), weight.dtype)  # NaN is neither
    if probabilities:
        right = right & jnp.all((score >= 0.0) & (score <= 1.0))
        if score.ndim == 2:
            right = right & jnp.all(jnp.abs(jnp.sum(score, axis=1) - 1.0) <= _rounding(score))
    return Scored(y.astype(jnp.int32), score, jnp.where(right, weight, jnp.nan))
