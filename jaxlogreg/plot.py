"""Pictures of a path: coefficients and held-out score against the penalty. Needs the extra ``plot``."""

from typing import Any

import numpy as np
from jax.typing import ArrayLike

from .models import CrossValidation
from .solution import Solution

__all__ = ["path", "sparsity"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")  # Okabe & Ito: told apart by all eyes

MEASURED = {"loss": "loss", "accuracy": "accuracy", "auc": "area under ROC"}


def path(
    fits: CrossValidation | Solution,
    strengths: ArrayLike,
    *,
    names: list[str] | None = None,
    scale: ArrayLike = 1.0,
    labelled: int = 6,
) -> Any:
    """The coefficients against the penalty; of a cross-validation also the held-out score, with both choices marked.

    Args:
        fits: what :func:`~jaxlogreg.cross_validate` or :func:`~jaxlogreg.fit_path` returned.
        strengths: the penalties, ``(L,)``.
        names: of the columns, ``(n,)``; their numbers when None.
        scale: multiplies each coefficient, ``(n,)``: the columns' standard deviations make them comparable.
        labelled: how many of the largest coefficients (at the best penalty, or the smallest) are named.

    Returns:
        A matplotlib ``Figure``: save it with ``figure.savefig``.

    Raises:
        ImportError: without matplotlib: ``pip install 'jaxlogreg[plot]'``.
    """
    figure, axes = _figure(2 if isinstance(fits, CrossValidation) else 1)
    x = np.asarray(strengths)
    coef = np.asarray(_solution(fits).params.coef) * np.asarray(scale)
    at = int(fits.best) if isinstance(fits, CrossValidation) else int(np.argmin(x))
    strongest = [j for j in np.argsort(-np.abs(coef[at]), kind="stable")[:labelled] if coef[at, j] != 0.0]
    axes[0].plot(x, coef[:, np.any(coef != 0.0, axis=0)], color="0.8", linewidth=0.8)
    for j, colour in zip(strongest, _cycled(len(strongest)), strict=True):
        axes[0].plot(x, coef[:, j], color=colour, linewidth=2, label=names[j] if names else f"column {j}")
    axes[0].set(xscale="log", ylabel="coefficient", xlim=(x.min(), x.max()))
    axes[0].axhline(0.0, color="black", linewidth=0.6)
    axes[0].legend(frameon=False, fontsize="small", loc="upper right")
    if isinstance(fits, CrossValidation):
        _draw_score(axes[1], fits, x)
        for axis in axes:
            _mark(axis, fits, x)
    axes[-1].set_xlabel("penalty λ")
    return figure


def sparsity(fits: CrossValidation | Solution, strengths: ArrayLike) -> Any:
    """How many coefficients are not zero, against the penalty; with the choices of a cross-validation marked.

    Args, returns and raises as :func:`path`.
    """
    figure, (axis,) = _figure(1)
    x, used = np.asarray(strengths), np.count_nonzero(np.asarray(_solution(fits).params.coef), axis=1)
    order = np.argsort(x)
    axis.step(x[order], used[order], color=COLOURS[0], linewidth=2, where="mid")
    axis.set(xscale="log", xlabel="penalty λ", ylabel="columns in use", xlim=(x.min(), x.max()), ylim=(0, None))
    if isinstance(fits, CrossValidation):
        _mark(axis, fits, x)
    return figure


def _draw_score(axis: Any, fits: CrossValidation, x: np.ndarray) -> None:
    order, mean, error = np.argsort(x), np.asarray(fits.mean), np.asarray(fits.std_error)
    axis.fill_between(x[order], (mean - error)[order], (mean + error)[order], color="0.85", linewidth=0)
    axis.plot(x[order], mean[order], color="black", linewidth=2)
    axis.set_ylabel(f"held-out {MEASURED[fits.measure]} ± s.e.")


def _mark(axis: Any, fits: CrossValidation, x: np.ndarray) -> None:
    for index, style, word in ((fits.best, ":", "best"), (fits.one_se, "--", "one s.e.")):
        at = x[int(index)]
        axis.axvline(at, color="black", linewidth=1, linestyle=style)
        axis.text(at, 0.98, f" {word}", transform=axis.get_xaxis_transform(), va="top", fontsize="small")


def _solution(fits: CrossValidation | Solution) -> Solution:
    return fits.solution if isinstance(fits, CrossValidation) else fits


def _cycled(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _figure(rows: int) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.0 + 3.0 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    ratios = (2, 1)[:rows]
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0])
