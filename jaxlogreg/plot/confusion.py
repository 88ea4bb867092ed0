"""The confusion matrix: what is taken for what."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from .axes import COLOURS, axes_or_new

__all__ = ["confusion_matrix"]

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
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not np.all(counts >= 0):
        raise ValueError(f"matrix must be square, of counts of at least 0, got shape {counts.shape}")
    size = len(counts)
    labels = [str(k) for k in range(size)] if names is None else list(names)
    if len(labels) != size:
        raise ValueError(f"names must be {size} strings, one for each class, got {len(labels)}")
    total = counts.sum(axis=1, keepdims=True)
    part = counts / np.where(total > 0, total, 1)

    ax = axes_or_new(ax, *(2.6 + 0.45 * max(size, 4),) * 2)
    image = ax.imshow(part, cmap=SHADES, vmin=0.0, vmax=1.0)
    for (i, j), count in np.ndenumerate(counts):
        shade = "white" if part[i, j] > 0.6 else "black" if count else "0.6"
        ax.text(j, i, f"{count:.6g}", ha="center", va="center", color=shade)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_xticks(np.arange(size), labels, rotation=0 if max(map(len, labels)) < 9 else 30)
    ax.set_yticks(np.arange(size), labels)
    ax.figure.colorbar(image, ax=ax, shrink=0.75, label="part of the true class")
    return ax
