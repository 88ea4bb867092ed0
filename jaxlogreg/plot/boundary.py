"""The decision boundary of any model of two features: where its probabilities say what."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from .axes import COLOURS, axes_or_new
from .inputs import as_names, as_numbers

__all__ = ["decision_boundary"]

RESOLUTION = 200  # points of the grid, each way
MARGIN = 0.05  # beyond the points, of their range
FEW_POINTS = 2000  # among which to look for the best place for a legend
ROUNDING = 1e-5  # of probabilities
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
TWO_CLASSES = ("#542788", "#7f3b08")  # the ends of the map PuOr


def decision_boundary(
    predict_proba: Callable[[np.ndarray], Any],
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    names: Sequence[str] = ("x₁", "x₂"),
    class_names: Sequence[str] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """A model's probabilities over the plane of two features, its boundary, and the data.

    For two classes the colour is ``P(y = 1 | x)`` and the line is where it is one half. For ``K`` classes the colour is
    that of the likeliest class, the deeper the surer, and the lines are where the two likeliest change places.

    Args:
        predict_proba: of rows ``(rows, 2)``, as those of ``X``, the probabilities ``(rows,)`` of class 1, or
            ``(rows, K)``: any model, such as ``lambda x: jlr.predict_proba(params, jlr.features.polynomial(x, 3))``.
        X: ``(m, 2)``; their range is the part of the plane that is drawn.
        y: classes ``0 .. K - 1``, ``(m,)``; the rows are drawn as points if given.
        names: of the two features.
        class_names: of the classes; ``class 0, class 1, ...`` when None.
        colorbar: whether to draw the scale of two classes' colours beside the Axes. For several panels draw one, by
            ``figure.colorbar(ax.collections[0], ax=panels)``.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: for an ``X`` that is no ``(m, 2)``, and for other shapes of probabilities or classes.

    >>> import jax.numpy as jnp
    >>> points, y = jnp.array([[-2.0, -1.0], [2.0, 1.0]]), jnp.array([0, 1])
    >>> ax = decision_boundary(lambda x: 1 / (1 + jnp.exp(-x[:, 0])), points, y, names=("age", "dose"))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('age', 'dose')
    """
    points = as_numbers("X", X)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"X must have two columns (m, 2), the features that are drawn, got shape {points.shape}")
    labels = None if y is None else np.asarray(y)
    if labels is not None and labels.shape != points.shape[:1]:
        raise ValueError(f"y must have one entry for each of the {len(points)} rows of X, got shape {labels.shape}")
    features: Any = as_names("names", names, 2, "feature")
    horizontal, vertical = (_around(column) for column in points.T)
    plane = np.stack(np.meshgrid(horizontal, vertical), axis=-1).reshape(-1, 2)
    p = as_numbers("predict_proba's probabilities", predict_proba(plane)).astype(float)
    if p.shape[:1] != plane.shape[:1] or p.ndim > 2 or (p.ndim == 2 and p.shape[1] < 2):
        raise ValueError(
            f"predict_proba must give probabilities ({len(plane)},) or ({len(plane)}, K) for {len(plane)} rows, "
            f"got shape {p.shape}"
        )
    outside = p[(p < -ROUNDING) | (p > 1.0 + ROUNDING)]
    if outside.size:
        raise ValueError(f"predict_proba must give probabilities from 0 to 1, got {outside[0]:g}")
    classes = 2 if p.ndim == 1 else p.shape[1]
    class_names = as_names("class_names", class_names, classes, "class") or [f"class {k}" for k in range(classes)]
    wrong = [] if labels is None else labels[~np.isin(labels, np.arange(classes))]
    if len(wrong):
        raise ValueError(
            f"y must hold classes 0 to {classes - 1}, got {wrong[0]}; recode it, as "
            "np.unique(y, return_inverse=True)[1]"
        )
    ax = axes_or_new(ax)
    if p.ndim == 1:
        _draw_two(ax, horizontal, vertical, p.reshape(RESOLUTION, RESOLUTION), colorbar, class_names[1])
    else:
        _draw_classes(ax, horizontal, vertical, p.reshape(RESOLUTION, RESOLUTION, -1))
    if labels is not None:
        _draw_points(ax, points, labels, p.ndim == 1, class_names)
    elif p.ndim == 2:
        for k, name in enumerate(class_names):
            ax.plot([], [], "s", color=COLOURS[k % len(COLOURS)], label=name)
    ax.set(
        xlabel=features[0],
        ylabel=features[1],
        xlim=(float(horizontal[0]), float(horizontal[-1])),
        ylim=(float(vertical[0]), float(vertical[-1])),
    )
    if ax.get_legend_handles_labels()[0]:
        place = "best" if labels is not None and len(labels) <= FEW_POINTS else "upper right"
        ax.legend(loc=place, framealpha=0.9, fontsize="small")
    return ax


def _around(column: np.ndarray) -> np.ndarray:
    low, high = float(column.min()), float(column.max())
    margin = MARGIN * (high - low) or 1.0
    dtype = column.dtype if column.dtype.kind == "f" else np.dtype(float)
    return np.linspace(low - margin, high + margin, RESOLUTION).astype(dtype)


def _draw_two(ax: Axes, horizontal: np.ndarray, vertical: np.ndarray, p: np.ndarray, colorbar: bool, name: str) -> None:
    colours = colormaps["PuOr_r"](np.linspace(0.3, 0.7, 10))  # light, so that points stand out
    filled = ax.contourf(horizontal, vertical, p, levels=np.linspace(0.0, 1.0, 11), colors=colours)
    if p.min() < 0.5 < p.max():
        ax.contour(horizontal, vertical, p, levels=[0.5], colors="black", linewidths=1.8)
        ax.plot([], [], color="black", linewidth=1.8, label="probability 0.5")
    if colorbar:
        ax.figure.colorbar(filled, ax=ax, label=f"probability of {name}")


def _draw_classes(ax: Axes, horizontal: np.ndarray, vertical: np.ndarray, p: np.ndarray) -> None:
    classes = p.shape[2]
    colours = np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(classes)])
    sure = (p.max(axis=2) - 1.0 / classes) / (1.0 - 1.0 / classes)  # 0: all classes alike; 1: certain
    depth = 0.4 * sure[:, :, None]
    extent = (float(horizontal[0]), float(horizontal[-1]), float(vertical[0]), float(vertical[-1]))
    ax.imshow((1.0 - depth) + depth * colours[p.argmax(axis=2)], origin="lower", extent=extent, aspect="auto", zorder=0)
    for k in range(classes):
        ahead = p[:, :, k] - np.delete(p, k, axis=2).max(axis=2)
        if ahead.min() < 0.0 < ahead.max():
            ax.contour(horizontal, vertical, ahead, levels=[0.0], colors="black", linewidths=1.2)


def _draw_points(ax: Axes, points: np.ndarray, labels: np.ndarray, two: bool, names: Sequence[str]) -> None:
    for k, name in enumerate(names):
        ax.scatter(
            *points[labels == k].T,
            s=28,
            marker=MARKERS[k % len(MARKERS)],
            color=TWO_CLASSES[k] if two else COLOURS[k % len(COLOURS)],
            edgecolor="white",
            linewidth=0.6,
            label=name,
            zorder=3,
        )
