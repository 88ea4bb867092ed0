"""Coefficients with their intervals, one below the other: what a model says, and how surely."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from ..inference import Summary
from .axes import SERIES, axes_or_new, logarithmic, series_drawn, style
from .inputs import as_names, as_numbers, as_scale

__all__ = ["coefficient_forest"]

APART = 0.16  # the series of one coefficient
BEYOND = 0.25  # of the finite range: how far the line to an infinite limit goes


def coefficient_forest(
    coef: Summary | ArrayLike,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    scale: ArrayLike = 1.0,
    odds_ratio: bool = False,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Coefficients as dots and their intervals as lines, on the scale of log odds or as odds ratios.

    Drawn once more on the same Axes, other intervals stand below the first, and the name beside them all: profile below
    Wald, say. An infinite limit ends in an arrow.

    Args:
        coef: a :class:`~jaxlogreg.Summary`, whose intercept is left out, or coefficients ``(n,)``. Of a summary of
            classes each class is a series.
        lower, upper: the limits, ``(n,)``; those of the summary when None. Given beside a summary they begin with the
            intercept if it does, as those of :func:`~jaxlogreg.profile_interval` and
            :func:`~jaxlogreg.bootstrap_interval` do.
        names: of the coefficients that are drawn; those of the summary, or their numbers, when None.
        scale: multiplies each coefficient that is drawn: how many units of the column make one step.
        odds_ratio: whether to draw ``exp(coef)``, on an axis of ratios.
        label: of this series, for a legend.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: for limits that are NaN (with the summary's reason), missing, or not as many as the coefficients;
            for a summary of many fits; for an Axes with other coefficients.

    >>> ax = coefficient_forest([0.5, -1.0], [0.1, -1.5], [0.9, -0.5], names=["age", "dose"])
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['age', 'dose']
    """
    reason, labels = "", [label]
    if isinstance(coef, Summary):
        reason, labels = coef.message, _labels(coef, label)
        lower, upper = coef.lower if lower is None else lower, coef.upper if upper is None else upper
        start = int(coef.names[0] == "(Intercept)")
        names = coef.names[start:] if names is None else names
        coef, lower, upper = (np.asarray(x)[..., start:] for x in (coef.coef, lower, upper))
    if lower is None or upper is None:
        raise ValueError("lower and upper must be given, or coef be a Summary, as jlr.summary(fit, X, y) makes it")
    given = {"coef": coef, "lower": lower, "upper": upper}
    centre, low, high = (np.atleast_2d(as_numbers(name, x, finite=False).astype(float)) for name, x in given.items())
    _check(centre, low, high, reason, len(labels))
    count = centre.shape[1]
    factor = as_scale(scale, count)
    centre, low, high = centre * factor, low * factor, high * factor
    low, high = np.minimum(low, high), np.maximum(low, high)  # which a negative scale turns around
    names = as_names("names", names, count, "coefficient") or [f"column {j}" for j in range(count)]
    if odds_ratio:
        if not np.max(centre) < np.log(np.finfo(float).max):
            raise ValueError(f"coef must have odds ratios that are finite, got exp({np.max(centre):g})")
        with np.errstate(over="ignore"):  # a limit without end is an arrow
            centre, low, high = np.exp(centre), np.exp(low), np.exp(high)

    ax = axes_or_new(ax, 7.0, 1.2 + 0.45 * len(names))
    first = series_drawn(ax)
    edges = _edges(np.concatenate([centre, low, high]), odds_ratio)
    if first == 0:
        ax.axvline(1.0 if odds_ratio else 0.0, color="black", linewidth=0.8, linestyle=":")
        ax.set_xlabel("odds ratio" if odds_ratio else "coefficient (change of the log odds)")
        if odds_ratio:
            logarithmic(ax, *edges)
    elif len(ax.get_yticks()) != len(names) or (ax.get_xscale() == "log") != odds_ratio:
        raise ValueError("ax must hold a forest of the same coefficients, with the same odds_ratio, or nothing yet")
    for i, text in enumerate(labels):
        _draw(ax, first + i, centre[i], low[i], high[i], edges, text)
    height = APART * (first + len(labels) - 1)
    ax.set_yticks(np.arange(len(names)) + height / 2.0, names)
    ax.set_ylim(len(names) - 0.5 + height, -0.5)
    if any(labels):  # above: within the Axes it would hide intervals
        columns = min(4, len(ax.get_legend_handles_labels()[0]))
        ax.legend(
            loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, frameon=False, fontsize="small",
            borderaxespad=0.2,
        )  # fmt: skip
    return ax


def _labels(table: Summary, label: str | None) -> list[str | None]:
    if np.ndim(table.log_likelihood):
        raise ValueError("coef must be the summary of one fit; of many, take jax.tree.map(lambda x: x[i], summary)")
    if not table.classes:
        return [label]
    prefix = f"{label}, " if label else ""
    return [f"{prefix}class {k} against {table.reference}" for k in table.classes]


def _check(centre: np.ndarray, low: np.ndarray, high: np.ndarray, reason: str, series: int) -> None:
    alike = centre.shape == low.shape == high.shape
    if not alike or centre.ndim != 2 or len(centre) != series or centre.shape[1] == 0:
        raise ValueError(
            "lower and upper must hold a limit for each coefficient of one model, got shapes "
            f"{low.shape} and {high.shape} for {centre.shape}"
        )
    if np.isnan(low).any() or np.isnan(high).any() or not np.isfinite(centre).all():
        raise ValueError(f"coefficients and limits must be numbers, got NaN{f': {reason}' if reason else ''}")
    if np.any(low > high):
        raise ValueError(f"lower must be at most upper, got {low[low > high][0]:g} and {high[low > high][0]:g}")


def _edges(values: np.ndarray, ratios: bool) -> tuple[float, float]:
    """Where lines to infinite limits end."""
    if ratios:
        values = np.log(values, out=np.full_like(values, -np.inf), where=values > 0.0)
    finite = values[np.isfinite(values)]
    margin = BEYOND * (finite.max() - finite.min()) or 1.0
    left, right = float(finite.min() - margin), float(finite.max() + margin)
    return (float(np.exp(left)), float(np.exp(right))) if ratios else (left, right)


def _draw(
    ax: Axes,
    series: int,
    centre: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    edges: tuple[float, float],
    label: str | None,
) -> None:
    (left, right), (colour, _) = edges, style(series)
    at = np.arange(len(centre)) + APART * series
    ends = np.maximum(low, left), np.minimum(high, right)
    ax.hlines(at, *ends, color=colour, linewidth=2.5, gid=SERIES)
    for limit, edge, marker in ((ends[0] > low, left, "<"), (ends[1] < high, right, ">")):
        ax.plot(np.full(limit.sum(), edge), at[limit], marker, color=colour, markersize=7)
    ax.plot(centre, at, "o", color=colour, markersize=6, markeredgecolor="white", label=label)
