"""What pictures are drawn of: numbers and names, checked before anything is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["as_names", "as_numbers", "as_scale"]


def as_numbers(name: str, value: Any, *, finite: bool = True) -> np.ndarray:
    """An array of integers or floats, without NaN and infinity unless they are allowed.

    Raises:
        ValueError: naming what was given.
    """
    try:
        array = np.asarray(value)
        numbers = array if array.dtype.kind in "iuf" else np.asarray(array, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {value!r}") from None
    if finite and not np.all(np.isfinite(numbers)):
        raise ValueError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)].flat[0]}")
    return numbers


def as_names(name: str, value: Sequence[str] | None, count: int, of: str) -> list[str] | None:
    """A string for each of so many, or None.

    Raises:
        ValueError: for another number of them.
    """
    if value is None:
        return None
    names = [str(each) for each in value]
    if len(names) != count:
        raise ValueError(f"{name} must be {count} strings, one for each {of}, got {len(names)}")
    return names


def as_scale(value: Any, count: int) -> np.ndarray:
    """A factor for all coefficients or one for each.

    Raises:
        ValueError: for another number of them.
    """
    scale = as_numbers("scale", value)
    if scale.shape not in ((), (count,)):
        raise ValueError(f"scale must be one number, or one for each of {count} coefficients, got shape {scale.shape}")
    return scale
