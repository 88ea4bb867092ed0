"""Concrete or traced? Concrete inputs are checked by value at the edge, traced ones by shape only."""

from typing import Any

import jax

__all__ = ["is_concrete"]


def is_concrete(x: Any) -> bool:
    """Whether ``x`` has a value on this host now: not a tracer, nor an array of other hosts."""
    if not isinstance(x, jax.Array):
        return True
    try:
        x.devices()
    except jax.errors.ConcretizationTypeError:
        return False
    return x.is_fully_addressable
