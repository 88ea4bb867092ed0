"""How well predictions meet what happened, where to draw the line, and what probabilities are worth.

``metrics`` and ``thresholds`` need nothing but labels and scores; ``calibration`` fits models of its own.
"""

from . import metrics, thresholds

__all__ = ["metrics", "thresholds"]
