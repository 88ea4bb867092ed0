"""The confusion matrix: what is taken for what."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from .axes import COLOURS, axes_or_new
from .inputs import as_names, as_numbers

__all__ = ["confusion_matrix"]

CELL = 0.45  # inches, of four classes or more
SHADES = LinearSegmentedColormap.from_list("shades", ["white", COLOURS[0]])


def confusion_matrix(matrix: ArrayLike, *, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Counts of rows by true class (down) and predicted class (across); the colour is the part of the true class.

    Args:
        matrix: ``(K, K)``, of :func:`jaxlogreg.metrics.confusion_matrix`: row ``i``, column ``j`` counts the rows of
            class ``i`` that were taken for class ``j``. Weights need not be integers.
        names: of the classes; their numbers when None.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: for what is no square matrix of numbers of at least 0, and for a wrong number of names.

    >>> ax = confusion_matrix([[50, 3], [5, 42]], names=["benign", "malignant"])
    >>> [text.get_text() for text in ax.texts]
    ['50', '3', '5', '42']
    """
    counts = as_numbers("matrix", matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or 0 in counts.shape:
        raise ValueError(f"matrix must be square (K, K), got shape {counts.shape}")
    if np.any(counts < 0):
        raise ValueError(f"matrix must hold counts of at least 0, got {counts.min():g}")
    size = len(counts)
    labels = as_names("names", names, size, "class") or [str(k) for k in range(size)]
    total = counts.sum(axis=1, keepdims=True)
    part = counts / np.where(total > 0, total, 1)

    ax = axes_or_new(ax, *(2.6 + CELL * max(size, 4),) * 2)
    image = ax.imshow(part, cmap=SHADES, vmin=0.0, vmax=1.0)
    texts = {place: _number(count) for place, count in np.ndenumerate(counts)}
    points = CELL * 72.0 * max(size, 4) / size  # of a cell's width
    fontsize = min(10.0, 1.5 * points / max(map(len, texts.values())))
    for (i, j), text in texts.items():
        shade = "white" if part[i, j] > 0.6 else "black" if counts[i, j] else "0.6"
        ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=fontsize)
    ax.set(xlabel="predicted class", ylabel="true class")
    short = max(map(len, labels)) < 9
    turned = {} if short else {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(np.arange(size), labels, **turned)
    ax.set_yticks(np.arange(size), labels)
    ax.figure.colorbar(image, ax=ax, shrink=0.75, label="part of the true class")
    return ax


def _number(count: Any) -> str:
    """A count in full, a sum of weights to four digits or to units."""
    return f"{count:.0f}" if count % 1 == 0 or count >= 1000 else f"{count:.4g}"
