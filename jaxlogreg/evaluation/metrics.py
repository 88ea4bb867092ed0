"""Metrics of scores against labels: pure functions, with sample weights, ties counted exactly.

Each takes ``(y_true, score, *, sample_weight=None)`` and works under ``jit`` and ``vmap``:

- of probabilities: ``log_loss``, ``brier_score``, ``calibration_curve``, ``expected_calibration_error``;
- of decisions, that is of probabilities and a threshold: ``accuracy``, ``balanced_accuracy``, ``confusion_matrix``,
  ``precision``, ``recall``, ``fbeta``;
- of the order alone, so that margins are as good: ``roc_curve``, ``roc_auc``, ``precision_recall_curve``,
  ``average_precision``.

The first six and the decisions are for classes too: integer labels, and probabilities ``(m, K)``. Predicted classes go
in as probabilities that are sure, ``jax.nn.one_hot(predicted, K)``. A row of weight 0 is as good as none, and one of
weight 2 as good as two. A metric that is a ratio of nothing to nothing is NaN: each says when.
Under ``jit`` and ``vmap``, where no error can be raised for labels, scores or weights that are wrong, it is NaN too.
"""

from .curves import (
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from .decisions import accuracy, balanced_accuracy, confusion_matrix, fbeta, precision, recall
from .probabilities import CalibrationCurve, brier_score, calibration_curve, expected_calibration_error, log_loss

__all__ = [
    "CalibrationCurve",
    "PrecisionRecallCurve",
    "RocCurve",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "brier_score",
    "calibration_curve",
    "confusion_matrix",
    "expected_calibration_error",
    "fbeta",
    "log_loss",
    "precision",
    "precision_recall_curve",
    "recall",
    "roc_auc",
    "roc_curve",
]
