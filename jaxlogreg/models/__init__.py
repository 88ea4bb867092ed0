"""Models: what a user calls."""

from .binary import fit
from .multiclass import fit_one_vs_all, fit_softmax
from .path import fit_path
from .prediction import decision_function, predict, predict_proba
from .resampling import bootstrap
from .selection import CrossValidation, cross_validate
from .strengths import lambda_grid, lambda_max
from .weights import class_weights

__all__ = [
    "CrossValidation",
    "bootstrap",
    "class_weights",
    "cross_validate",
    "decision_function",
    "fit",
    "fit_one_vs_all",
    "fit_path",
    "fit_softmax",
    "lambda_grid",
    "lambda_max",
    "predict",
    "predict_proba",
]
