"""Pictures of models, with matplotlib (the extra ``plot``).

Each function draws on the Axes that it is given, or on one of its own, and returns it:

    plot.coefficient_forest(summary).figure.savefig("forest.png")

The colours are those of Okabe & Ito, which all eyes tell apart; images have maps that are perceptually uniform, or
diverge from zero. Nothing touches ``pyplot``.
"""

from .boundary import decision_boundary
from .confusion import confusion_matrix
from .convergence import convergence
from .curves import calibration, precision_recall, roc
from .forest import coefficient_forest
from .images import weight_images
from .path import coefficient_path, cross_validation, sparsity

__all__ = [
    "calibration",
    "coefficient_forest",
    "coefficient_path",
    "confusion_matrix",
    "convergence",
    "cross_validation",
    "decision_boundary",
    "precision_recall",
    "roc",
    "sparsity",
    "weight_images",
]
