"""Calibration: from scores to probabilities that happen as often as they say.

Scores that put rows in the right order may still be wrong as probabilities: those of a penalised fit are too near one
half, those of one classifier against the rest, normalised, too sure or not sure enough. A calibrator is a rising
function from scores to probabilities, fitted on rows with labels: other rows than those of the model, on which its
scores are better than they will be.

- ``platt``: a logistic curve, two numbers; for few rows.
- ``isotonic``: any function that does not fall; for a thousand rows or more.
- ``one_vs_all``: one of these for each class, normalised; ``one_vs_all_interval`` says how sure those of Platt are.

Each gives a pytree that is called with scores. Everything works under ``jit`` and ``vmap``, with sample weights; of
input that is an error elsewhere, probabilities are NaN there.
"""

from .isotonic import IsotonicCalibrator, isotonic
from .one_vs_all import OneVsAllCalibrator, ProbabilityInterval, one_vs_all, one_vs_all_interval
from .platt import PlattCalibrator, platt

__all__ = [
    "IsotonicCalibrator",
    "OneVsAllCalibrator",
    "PlattCalibrator",
    "ProbabilityInterval",
    "isotonic",
    "one_vs_all",
    "one_vs_all_interval",
    "platt",
]
