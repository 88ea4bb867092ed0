"""Along a path of penalties: the coefficients, the score of rows held out, and how many columns are in use.

Each marks the choices of a cross-validation, so that one above the other they read as one picture:

    figure, (above, below) = plt.subplots(2, 1, sharex=True)
    plot.coefficient_path(cv, l1s, ax=above)
    plot.cross_validation(cv, l1s, ax=below)
"""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes

from ..concrete import as_size
from ..models import CrossValidation
from ..solution import Solution
from .axes import COLOURS, axes_or_new, logarithmic, style
from .inputs import as_names, as_numbers, as_scale

__all__ = ["coefficient_path", "cross_validation", "sparsity"]

MEASURED = {"loss": "loss", "accuracy": "accuracy", "auc": "area under ROC"}


def coefficient_path(
    fits: CrossValidation | Solution,
    strengths: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    scale: ArrayLike = 1.0,
    labelled: int = 6,
    at: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The coefficients against the penalty; of a cross-validation with both choices marked.

    Args:
        fits: what :func:`~jaxlogreg.cross_validate` or :func:`~jaxlogreg.fit_path` returned.
        strengths: the penalties, ``(L,)``.
        names: of the columns, ``(n,)``; their numbers when None.
        scale: multiplies each coefficient, ``(n,)``: the columns' standard deviations make them comparable.
        labelled: how many of the largest coefficients are named.
        at: the index of the penalty at which they are the largest; the best of a cross-validation, or the smallest,
            when None.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: for fits that are not as many as the penalties, and penalties that are not above 0.
    """
    x, coef = _along(fits, strengths)
    coef = coef * as_scale(scale, coef.shape[1])
    labels = as_names("names", names, coef.shape[1], "column") or [f"column {j}" for j in range(coef.shape[1])]
    if at is None:
        at = int(fits.best) if isinstance(fits, CrossValidation) else int(np.argmin(x))
    if not 0 <= at < len(x):
        raise ValueError(f"at must be the index of one of the {len(x)} penalties, got {at}")
    order = np.argsort(-np.abs(coef[at]), kind="stable")[: as_size("labelled", labelled, 0, "")]
    strongest = [j for j in order if coef[at, j] != 0.0]
    ax = axes_or_new(ax, 8.0, 5.0)
    ax.plot(x, coef[:, np.any(coef != 0.0, axis=0)], color="0.8", linewidth=0.8)
    for i, j in enumerate(strongest):
        colour, dashes = style(i)
        ax.plot(x, coef[:, j], dashes, color=colour, linewidth=2, label=labels[j])
    ax.axhline(0.0, color="black", linewidth=0.6)
    _finish(ax, fits, x)
    ax.set_ylabel("coefficient")
    if strongest:
        # Where all lines have come to zero: on the side of it that has the fewer of them.
        corner = "upper right" if np.sum(coef[at, strongest]) > 0.0 else "lower right"
        ax.legend(loc=corner, fontsize="small", edgecolor="none")
    return ax


def cross_validation(cv: CrossValidation, strengths: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """The score of the rows held out against the penalty, with its standard error and both choices marked.

    Args:
        cv: what :func:`~jaxlogreg.cross_validate` returned.
        strengths: the penalties, ``(L,)``.
        ax: where to draw; an Axes of its own when None.

    Returns, raises: as :func:`coefficient_path`.
    """
    if not isinstance(cv, CrossValidation):
        raise ValueError(f"cv must be what cross_validate returned, got {type(cv).__name__}")
    x, _ = _along(cv, strengths)
    order, mean, error = np.argsort(x), np.asarray(cv.mean), np.asarray(cv.std_error)
    ax = axes_or_new(ax, 8.0, 4.0)
    ax.fill_between(x[order], (mean - error)[order], (mean + error)[order], color="0.85", linewidth=0)
    ax.plot(x[order], mean[order], color="black", linewidth=2)
    _finish(ax, cv, x)
    ax.set_ylabel(f"held-out {MEASURED[cv.measure]} ± s.e.")
    return ax


def sparsity(fits: CrossValidation | Solution, strengths: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """How many coefficients are not zero, against the penalty; with the choices of a cross-validation marked.

    Args, returns, raises: as :func:`coefficient_path`.
    """
    x, coef = _along(fits, strengths)
    order, used = np.argsort(x), np.count_nonzero(coef, axis=1)
    ax = axes_or_new(ax, 8.0, 4.0)
    ax.step(x[order], used[order], color=COLOURS[0], linewidth=2, where="mid")
    _finish(ax, fits, x)
    ax.set(ylabel="columns in use", ylim=(0, None))
    return ax


def _along(fits: CrossValidation | Solution, strengths: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The penalties ``(L,)`` and the coefficients ``(L, n)``."""
    solution = fits.solution if isinstance(fits, CrossValidation) else fits
    if not isinstance(solution, Solution):
        raise ValueError(f"fits must be what cross_validate or fit_path returned, got {type(fits).__name__}")
    x, coef = as_numbers("strengths", strengths), as_numbers("fits' coefficients", solution.params.coef)
    if coef.ndim != 2 or x.shape != coef.shape[:1]:
        raise ValueError(
            "strengths must be the penalties of the path, one for each fit, got shape "
            f"{x.shape} for coefficients of shape {coef.shape}"
        )
    if np.any(x <= 0):
        raise ValueError(f"strengths must be above 0, for a logarithmic axis, got {x.min():g}")
    return x, coef


def _finish(ax: Axes, fits: CrossValidation | Solution, x: np.ndarray) -> None:
    low, high = float(x.min()), float(x.max())
    logarithmic(ax, low, high)
    ax.set_xlim(low, high)
    if ax.xaxis.get_tick_params().get("labelbottom", True):  # not above another Axes that shares this one
        ax.set_xlabel("penalty λ")
    if isinstance(fits, CrossValidation):
        best, one_se = int(fits.best), int(fits.one_se)
        choices = (
            [(best, ":", "best"), (one_se, "--", "one s.e.")] if best != one_se else [(best, ":", "best, one s.e.")]
        )
        for index, dashes, word in choices:
            at = float(x[index])
            side = "right" if at > low**0.15 * high**0.85 else "left"  # of the line there is room
            ax.axvline(at, color="black", linewidth=1, linestyle=dashes)
            ax.text(at, 0.98, f" {word} ", ha=side, va="top", transform=ax.get_xaxis_transform(), fontsize="small")
