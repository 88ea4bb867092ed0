"""Models: what a user calls."""

from .binary import fit
from .multiclass import fit_one_vs_all, fit_softmax
from .path import fit_path
from .prediction import decision_function, predict, predict_proba
from .weights import class_weights

__all__ = [
    "class_weights",
    "decision_function",
    "fit",
    "fit_one_vs_all",
    "fit_path",
    "fit_softmax",
    "predict",
    "predict_proba",
]
