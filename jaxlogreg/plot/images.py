"""Weights as images: which pixels speak for a class, and which against it."""

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ..concrete import as_size
from ..solution import Params
from .axes import axes_or_new
from .inputs import as_names, as_numbers

__all__ = ["weight_images"]

GAP = 0.12  # between images, of their width
HEAD = 0.30  # above each, for its name


def weight_images(
    coef: Params | ArrayLike,
    shape: tuple[int, int],
    *,
    names: Sequence[str] | None = None,
    columns: int = 5,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """The weights of each class as an image, all on one scale about zero: brown speaks for the class, green against it.

    Args:
        coef: parameters of :func:`~jaxlogreg.fit_softmax`, :func:`~jaxlogreg.fit_one_vs_all` or
            :func:`~jaxlogreg.fit`, or weights ``(K, height * width)`` or ``(height * width,)``.
        shape: ``(height, width)`` in pixels.
        names: of the classes; their numbers when None, and none for two classes.
        columns: how many images stand beside each other.
        colorbar: whether to draw the scale of the colours beside the Axes.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes, with one image a class.

    Raises:
        ValueError: for weights that do not fill such images, and for a wrong number of names.

    >>> import jax.numpy as jnp
    >>> len(weight_images(jnp.ones((3, 4)), (2, 2)).images)
    3
    """
    given = as_numbers("coef", coef.coef if isinstance(coef, Params) else coef)
    if np.shape(shape) != (2,):
        raise ValueError(f"shape must be (height, width) in pixels, got {shape!r}")
    height, width = shape
    if given.ndim not in (1, 2) or given.shape[-1] != height * width or 0 in given.shape:
        raise ValueError(f"coef must be (K, {height * width}) for images of shape {shape}, got shape {given.shape}")
    weights = np.atleast_2d(given)
    count, columns = len(weights), as_size("columns", columns, 1, "")
    labels = as_names("names", names, count, "class") or [str(k) if given.ndim == 2 else "" for k in range(count)]
    across, down = min(columns, count), -(-count // columns)
    step_x, step_y = width * (1.0 + GAP), height + HEAD * width
    right, bottom = across * step_x - GAP * width, down * step_y
    ax = axes_or_new(ax, 1.3 * across + 1.2, 1.3 * down * step_y / step_x + 0.3)
    largest = float(np.abs(weights).max()) or 1.0
    norm = Normalize(-largest, largest)
    for k, image in enumerate(weights.reshape(count, height, width)):
        left, top = k % across * step_x, k // across * step_y + HEAD * width
        ax.imshow(image, cmap="BrBG_r", norm=norm, extent=(left, left + width, top + height, top))
        ax.text(left + width / 2, top - 0.05 * width, labels[k], ha="center", va="bottom")
    ax.set(xlim=(0.0, right), ylim=(bottom, 0.0), aspect="equal")
    ax.set_axis_off()
    if colorbar:
        ax.figure.colorbar(ax.images[0], ax=ax, shrink=0.8, label="weight")
    return ax
