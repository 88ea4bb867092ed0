"""How well predictions meet what happened."""

from . import metrics

__all__ = ["metrics"]
