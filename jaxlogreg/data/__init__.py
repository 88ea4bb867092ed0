"""From tables of data to the columns of a design matrix."""

from . import features

__all__ = ["features"]
