"""Concrete or traced? Concrete inputs are checked by value at the edge, traced ones by shape only.

Numbers on the host stay NumPy arrays until a compiled function takes them: it moves them faster than
one conversion to a JAX array after another would.
"""

import operator
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

__all__ = ["as_scalar", "as_size", "is_concrete"]


def is_concrete(x: Any) -> bool:
    """Whether ``x`` has a value on this host now: not a tracer, nor an array of other hosts."""
    if not isinstance(x, jax.Array):
        return True
    try:
        x.devices()
    except jax.errors.ConcretizationTypeError:
        return False
    return x.is_fully_addressable


def as_scalar(x: ArrayLike, dtype: Any) -> Any:
    """A number as an array of the dtype: of NumPy if it is on the host, of JAX otherwise."""
    return x.astype(dtype) if isinstance(x, jax.Array) else np.asarray(x, dtype)


def as_size(name: str, value: Any, least: int, why: str = " (it is a shape)") -> int:
    """A Python integer, at least so large.

    Raises:
        ValueError: for anything else.
    """
    try:
        size = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        size = least - 1
    if size < least:
        raise ValueError(f"{name} must be a Python integer of at least {least}{why}, got {value!r}")
    return size
