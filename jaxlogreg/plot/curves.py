"""What scores are worth: ROC and precision-recall curves, and whether probabilities hold; of one model or of several.

A bin of a calibration curve is a few rows, and by chance alone not on the diagonal: its interval is Wilson's, of all
probabilities ``π`` with ``n (observed - π)² <= z² π (1 - π)``, for 95 %. For ``n`` rows of different weights stand as
many of one weight as would spread alike, ``n = (Σ sᵢ)² / Σ sᵢ²`` (Kish).

References: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927); Kish, Survey
Sampling (1965), section 11.7.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jax import Array
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ..evaluation import metrics
from .axes import SERIES, axes_or_new, series_drawn, style

__all__ = ["calibration", "precision_recall", "roc"]

WILSON_Z = 1.959964  # 95 %
LEGEND_WIDTH, LEGEND_HEIGHT = 0.55, 0.25  # about, of the square
Corner = Literal["upper left", "upper right", "lower left", "lower right"]


def roc(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The ROC curve with the area under it, and the diagonal of scores that say nothing.

    Args:
        y_true, score, sample_weight: as for :func:`jaxlogreg.metrics.roc_curve`.
        label: of this curve, for the legend. Curves drawn on one Axes have a colour each.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: as ``roc_curve``, and if one class has no weight.

    >>> import jax.numpy as jnp
    >>> ax = roc(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8]), label="a model")
    >>> ax.get_legend().get_texts()[0].get_text()
    '0.875  a model'
    """
    curve = metrics.roc_curve(y_true, score, sample_weight=sample_weight)
    area = metrics.roc_auc(y_true, score, sample_weight=sample_weight)
    _check(area, "both classes")
    ax = axes_or_new(ax, 5.2, 5.2)
    if series_drawn(ax) == 0:
        ax.plot([0.0, 1.0], [0.0, 1.0], color="0.5", linewidth=1, linestyle=":")
        ax.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
        _unit_square(ax)
    _draw(ax, np.asarray(curve.fpr), np.asarray(curve.tpr), "default", label, area)
    _legend(ax, "area under the curve", "lower right")
    return ax


def precision_recall(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The precision-recall curve, in steps, with the area under it, and the precision of scores that say nothing.

    That is the part of the positive rows. For rare positives this is the curve to look at: it shows how many of the
    rows that are flagged are flagged rightly.

    Args:
        y_true, score, sample_weight: as for :func:`jaxlogreg.metrics.precision_recall_curve`.
        label: of this curve, for the legend. Curves drawn on one Axes have a colour each.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: as ``precision_recall_curve``, and if positive rows have no weight.

    >>> import jax.numpy as jnp
    >>> ax = precision_recall(jnp.array([0, 1, 0, 1]), jnp.array([0.1, 0.4, 0.4, 0.8]))
    >>> ax.get_legend().get_texts()[0].get_text()
    '0.833'
    """
    curve = metrics.precision_recall_curve(y_true, score, sample_weight=sample_weight)
    area = metrics.average_precision(y_true, score, sample_weight=sample_weight)
    _check(area, "positive rows")
    ax = axes_or_new(ax, 5.2, 5.2)
    precision = np.asarray(curve.precision)
    if series_drawn(ax) == 0:
        ax.axhline(float(precision[-1]), color="0.5", linewidth=1, linestyle=":")
        ax.set(
            xlabel="recall (part of the positive that is flagged)",
            ylabel="precision (part of the flagged that is positive)",
        )
        _unit_square(ax)
    _draw(ax, np.asarray(curve.recall), precision, "steps-pre", label, area)
    _legend(ax, "average precision", "lower left", "upper right")
    return ax


def calibration(
    y_true: ArrayLike,
    score: ArrayLike,
    *,
    num_bins: int = 10,
    edges: ArrayLike | Sequence[float] | None = None,
    sample_weight: ArrayLike | None = None,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """What was said against what happened, in bins of similar probability; on the diagonal a model is calibrated.

    The bars are 95 % intervals of what happened: a bin whose bar meets the diagonal may be off by chance. (Weights say
    whom a row stands for, not how often it was seen: of those a bin has no more rows.) The legend has the expected
    calibration error.

    Args:
        y_true, score, num_bins, edges, sample_weight: as for :func:`jaxlogreg.metrics.calibration_curve`.
        label: of this curve, for the legend. Curves drawn on one Axes have a colour each.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: as ``calibration_curve``.

    >>> import jax.numpy as jnp
    >>> ax = calibration(jnp.array([0, 1, 0, 1]), jnp.array([0.25, 0.5, 0.625, 0.875]), num_bins=2)
    >>> ax.get_legend().get_texts()[0].get_text()
    '0.188'
    """
    curve = metrics.calibration_curve(y_true, score, num_bins=num_bins, edges=edges, sample_weight=sample_weight)
    error = metrics.expected_calibration_error(
        y_true, score, num_bins=num_bins, edges=edges, sample_weight=sample_weight
    )
    ax = axes_or_new(ax, 5.2, 5.2)
    if series_drawn(ax) == 0:
        ax.plot([0.0, 1.0], [0.0, 1.0], color="0.5", linewidth=1, linestyle=":")
        ax.set(xlabel="mean predicted probability", ylabel="part that is positive")
        _unit_square(ax)
    colour, _ = style(series_drawn(ax))
    filled = np.asarray(curve.weight) > 0.0
    predicted, observed, weight = (
        np.asarray(x, float)[filled] for x in (curve.predicted, curve.observed, curve.weight)
    )
    count = weight
    if sample_weight is not None:
        given = np.asarray(sample_weight, float)
        square = np.square(given / given.max())
        squares = metrics.calibration_curve(y_true, score, num_bins=num_bins, edges=edges, sample_weight=square).weight
        count = np.square(weight / given.max()) / np.asarray(squares, float)[filled]
    ax.vlines(predicted, *_wilson(observed, count), color=colour, linewidth=2, alpha=0.5)
    _draw(ax, predicted, observed, "default", label, error, marker="o")
    _legend(ax, "calibration error", "upper left", "lower right")
    return ax


def _wilson(part: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The limits, for a part of so many rows."""
    square = WILSON_Z**2 / count
    centre = part + square / 2.0
    reach = np.sqrt(square * (part * (1.0 - part) + square / 4.0))
    return (centre - reach) / (1.0 + square), (centre + reach) / (1.0 + square)


def _check(area: Array, needed: str) -> None:
    if not np.isfinite(float(area)):
        raise ValueError(f"y_true must hold {needed} (of positive weight): there is no curve without")


def _draw(
    ax: Axes, x: np.ndarray, y: np.ndarray, steps: str, label: str | None, worth: Array, marker: str = ""
) -> None:
    colour, dashes = style(series_drawn(ax))
    text = f"{float(worth):.3f}" + ("" if label is None else f"  {label}")
    ax.plot(x, y, dashes, color=colour, linewidth=2, drawstyle=steps, marker=marker, label=text, gid=SERIES)


def _legend(ax: Axes, title: str, *corners: Corner) -> None:
    """In the corner of these in which the fewest points and ends of bars are, the first of equal ones."""
    points = [line.get_xydata() for line in ax.lines if line.get_gid() == SERIES]
    points += [np.concatenate(bars.get_segments()) for bars in ax.collections if isinstance(bars, LineCollection)]
    x, y = np.concatenate([np.asarray(each, float) for each in points]).T

    def taken(corner: Corner) -> int:
        across, up = (1.0 - x if "right" in corner else x), (1.0 - y if "upper" in corner else y)
        return int(np.sum((across < LEGEND_WIDTH) & (up < LEGEND_HEIGHT)))

    ax.legend(
        loc=min(corners, key=taken), title=title, alignment="left", fontsize="small", title_fontsize="small",
        framealpha=0.8, edgecolor="none",
    )  # fmt: skip


def _unit_square(ax: Axes) -> None:
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.grid(color="0.92")
    ax.set_axisbelow(True)
