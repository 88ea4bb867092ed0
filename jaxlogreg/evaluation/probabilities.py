"""How good probabilities are: proper scores, and whether what is given 70 % happens in 70 % of the cases.

The log loss and the Brier score are proper: whoever states what they believe expects the least. A calibration curve
puts rows of similar probability together and compares the mean of what was said with how often it happened; the
expected calibration error is the mean distance of the two.

References: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950);
Gneiting & Raftery, Strictly proper scoring rules, prediction, and estimation, JASA 102 (2007); Naeini, Cooper &
Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI (2015), for the calibration error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_size, is_concrete
from ..pytrees import register_dataclass
from .inputs import Scored, as_finite, as_scored

__all__ = ["CalibrationCurve", "brier_score", "calibration_curve", "expected_calibration_error", "log_loss"]


@register_dataclass
@dataclass(frozen=True)
class CalibrationCurve:
    """Bins of similar probabilities, ``(B,)``.

    Args:
        predicted: the mean probability of the rows in a bin; NaN where there are none.
        observed: the part of them that is positive; NaN where there are none.
        weight: of the rows in each bin.
    """

    predicted: Array
    observed: Array
    weight: Array


def log_loss(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The mean surprise ``-Σ sᵢ log p(yᵢ) / Σ sᵢ``, in nats: the cross-entropy of the probabilities.

    From margins, ``jlr.losses.logistic_loss`` keeps digits that probabilities near 1 have lost.

    Args:
        y_true: labels 0 and 1, or integers ``0 .. K - 1``, ``(m,)``.
        score: probabilities: ``P(y = 1 | x)``, ``(m,)``, or ``(m, K)`` with rows that sum to one.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A scalar; infinite where what happened was given probability 0. (scikit-learn puts the rounding of the dtype
        in the place of 0.)

    Raises:
        ValueError: for shapes that do not go together; of concrete inputs, for labels that are none, scores that are
            no probabilities, and weights that are negative or all zero.

    >>> print(f"{log_loss(jnp.array([1, 0]), jnp.array([0.8, 0.4])):.4f}")  # -(log 0.8 + log 0.6) / 2
    0.3670
    """
    return _log_loss(as_scored(y_true, score, sample_weight, probabilities=True, classes=True))


def brier_score(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """The mean squared error of probabilities: ``Σ sᵢ (pᵢ - yᵢ)² / Σ sᵢ``.

    Of classes ``Σ sᵢ Σ_k (p_ik - [yᵢ = k])² / Σ sᵢ``, as Brier defined it: from 0 to 2. For two classes, given as two
    columns, that is twice what their one probability gives.

    Args:
        y_true, score, sample_weight: as for :func:`log_loss`.

    Returns:
        A scalar.

    Raises:
        ValueError: as :func:`log_loss` does.

    >>> print(f"{brier_score(jnp.array([1, 0]), jnp.array([0.8, 0.4])):.4f}")  # (0.2² + 0.4²) / 2
    0.1000
    """
    return _brier_score(as_scored(y_true, score, sample_weight, probabilities=True, classes=True))


def calibration_curve(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    num_bins: int = 10,
    edges: ArrayLike | Sequence[float] | None = None,
    sample_weight: ArrayLike | None = None,
) -> CalibrationCurve:
    """What was said against what happened, in bins of similar probability. On the diagonal the model is calibrated.

    A bin has its upper edge. (scikit-learn leaves empty bins out; ``curve.weight > 0`` says which have rows.)

    Args:
        y_true: labels 0 and 1, ``(m,)``. For classes, take one after the other, ``labels == k`` and its column.
        score: probabilities ``P(y = 1 | x)``, ``(m,)``.
        num_bins: ``B``, how many bins of equal width.
        edges: or between which probabilities, ``(B - 1,)``, rising. For bins of as many rows each,
            ``jnp.quantile(score, jnp.arange(1, B) / B)``: better where most probabilities are near 0.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A :class:`CalibrationCurve`.

    Raises:
        ValueError: as :func:`log_loss` does, and for bins that are none.

    >>> curve = calibration_curve(jnp.array([0, 1, 0, 1]), jnp.array([0.25, 0.5, 0.625, 0.875]), num_bins=2)
    >>> print(curve.predicted, curve.observed, curve.weight)
    [0.375 0.75 ] [0.5 0.5] [2. 2.]
    """
    rows = as_scored(y_true, score, sample_weight, probabilities=True)
    return _calibration_curve(rows, _as_edges(num_bins, edges, rows.score.dtype))


def expected_calibration_error(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    num_bins: int = 10,
    edges: ArrayLike | Sequence[float] | None = None,
    sample_weight: ArrayLike | None = None,
) -> Array:
    """How far what was said is from what happened: ``Σ_b s_b |observed_b - predicted_b| / Σ_b s_b``.

    With few rows in a bin it is above zero by chance alone, whatever the model: compare it between models on the same
    rows and bins. Of the confidence in the best of several classes (Guo et al., On calibration of modern neural
    networks, 2017) it is that of ``labels == jnp.argmax(p, axis=1)`` and ``jnp.max(p, axis=1)``.

    Args:
        y_true, score, num_bins, edges, sample_weight: as for :func:`calibration_curve`.

    Returns:
        A scalar, from 0 to 1.

    Raises:
        ValueError: as :func:`calibration_curve` does.

    >>> y, p = jnp.array([0, 1, 0, 1]), jnp.array([0.25, 0.5, 0.625, 0.875])
    >>> print(expected_calibration_error(y, p, num_bins=2))  # (|0.375 - 0.5| + |0.75 - 0.5|) / 2
    0.1875
    """
    rows = as_scored(y_true, score, sample_weight, probabilities=True)
    return _expected_calibration_error(rows, _as_edges(num_bins, edges, rows.score.dtype))


def _as_edges(num_bins: int, edges: ArrayLike | Sequence[float] | None, dtype: Any) -> Array:
    if edges is None:
        return jnp.asarray(np.linspace(0.0, 1.0, as_size("num_bins", num_bins, 1) + 1)[1:-1], dtype)
    given = as_finite("edges", edges, dtype)
    right = given.ndim == 1
    if right and is_concrete(given):
        values = np.asarray(given)
        right = bool(np.all(values[1:] >= values[:-1]) and np.all((values >= 0.0) & (values <= 1.0)))
    if not right:
        raise ValueError(f"edges must be rising probabilities between bins, (num_bins - 1,), got {given}")
    return given


@program
def _log_loss(rows: Scored) -> Array:
    y, p, weight = rows
    if p.ndim == 1:
        positive = y == 1
        # log(1 - p) by log1p, and no logarithm of 0 that is not asked for, for the derivatives.
        log = jnp.where(positive, jnp.log(jnp.where(positive, p, 1.0)), jnp.log1p(-jnp.where(positive, 0.0, p)))
    else:
        log = jnp.log(jnp.take_along_axis(p, y[:, None], axis=1)[:, 0])
    return _mean(-log, weight)


@program
def _brier_score(rows: Scored) -> Array:
    y, p, weight = rows
    if p.ndim == 1:
        return _mean(jnp.square(p - y.astype(p.dtype)), weight)
    return _mean(jnp.sum(jnp.square(p - jax.nn.one_hot(y, p.shape[1], dtype=p.dtype)), axis=1), weight)


def _mean(x: Array, weight: Array) -> Array:
    """A row without weight has no say, not even an infinite one."""
    return jnp.sum(weight * jnp.where((weight > 0.0) | jnp.isfinite(x), x, 0.0)) / jnp.sum(weight)


@program
def _calibration_curve(rows: Scored, edges: Array) -> CalibrationCurve:
    weight, positive, said = _sums(rows, edges)
    total = jnp.where(weight > 0.0, weight, jnp.nan)
    return CalibrationCurve(said / total, positive / total, weight)


@program
def _expected_calibration_error(rows: Scored, edges: Array) -> Array:
    weight, positive, said = _sums(rows, edges)
    return jnp.sum(jnp.abs(positive - said)) / jnp.sum(weight)


def _sums(rows: Scored, edges: Array) -> tuple[Array, Array, Array]:
    """The weight of each bin, that of its positive rows, and the probabilities in it, by weight."""
    y, p, weight = rows
    place = jnp.searchsorted(edges, p)  # the first edge that is not below
    bins = jnp.zeros((3, edges.shape[0] + 1), p.dtype)
    sums = bins.at[:, place].add(jnp.stack([weight, jnp.where(y == 1, weight, 0.0), weight * p]))
    return sums[0], sums[1], sums[2]
