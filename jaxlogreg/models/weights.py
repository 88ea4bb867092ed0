"""Class weights: making errors on a rare class cost as much as it matters."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..concrete import is_concrete

__all__ = ["class_weights"]


def class_weights(y: ArrayLike, weights: str | Mapping[int, float] = "balanced") -> Array:
    """A weight for each sample from its class, for ``sample_weight``.

    ``"balanced"`` weighs inversely to frequency, so that every class counts the same in total: a
    sample of a class with ``mₖ`` of the ``m`` samples gets ``m / (K mₖ)``. With 90 samples of class 0
    and 10 of class 1 the weights are as 1/90 to 1/10. Only their ratio matters to a fit.

    Args:
        y: labels, ``(m,)``; any numbers.
        weights: ``"balanced"``, or the cost of each class, as ``{0: 1.0, 1: 20.0}``.

    Returns:
        ``(m,)``, in the default float dtype.

    Raises:
        ValueError: for other names, and for a mapping without one of the labels.

    >>> class_weights(jnp.array([0, 0, 0, 1]))
    Array([0.6666667, 0.6666667, 0.6666667, 2.       ], dtype=float32)
    """
    y = jnp.asarray(y)
    if y.ndim != 1 or y.shape[0] == 0:
        raise ValueError(f"y must be a vector of labels with at least one entry, got shape {y.shape}")
    dtype = jnp.result_type(float)
    if isinstance(weights, Mapping):
        if is_concrete(y):
            missing = sorted(set(np.asarray(y).tolist()) - set(weights))
            if missing:
                raise ValueError(f"weights must name every label in y, but {missing[0]} is missing")
        result = jnp.full(y.shape, jnp.nan, dtype)  # what a traced label without a weight gets
        for label, weight in weights.items():
            result = jnp.where(y == label, jnp.asarray(weight, dtype), result)
        return result
    if weights != "balanced":
        raise ValueError(f'weights must be "balanced" or a mapping from label to weight, got {weights!r}')
    # Each sample's class size from the sorted labels, so that no number of classes need be known.
    ordered = jnp.sort(y)
    size = (jnp.searchsorted(ordered, y, side="right") - jnp.searchsorted(ordered, y, side="left")).astype(dtype)
    num_classes = jnp.sum(1.0 / size)
    return y.shape[0] / (num_classes * size)
