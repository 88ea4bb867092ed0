"""jaxlogreg: logistic regression as pure JAX functions, with solvers that know its structure."""

from . import losses
from .evaluation import metrics
from .linear_maps import Columns, Dense, Identity, PerClass, Standardized, WithIntercept
from .models import (
    CrossValidation,
    bootstrap,
    class_weights,
    cross_validate,
    decision_function,
    fit,
    fit_one_vs_all,
    fit_path,
    fit_softmax,
    lambda_grid,
    lambda_max,
    predict,
    predict_proba,
)
from .penalties import L2, ElasticNet, GroupLasso, NoPenalty
from .problem import Problem
from .solution import Params, Solution, Status
from .solvers import LBFGS, GradientDescent, Newton, ProximalGradient, ProximalNewton, iterate, minimize
from .version import __version__

__all__ = [
    "L2",
    "LBFGS",
    "Columns",
    "CrossValidation",
    "Dense",
    "ElasticNet",
    "GradientDescent",
    "GroupLasso",
    "Identity",
    "Newton",
    "NoPenalty",
    "Params",
    "PerClass",
    "Problem",
    "ProximalGradient",
    "ProximalNewton",
    "Solution",
    "Standardized",
    "Status",
    "WithIntercept",
    "__version__",
    "bootstrap",
    "class_weights",
    "cross_validate",
    "decision_function",
    "fit",
    "fit_one_vs_all",
    "fit_path",
    "fit_softmax",
    "iterate",
    "lambda_grid",
    "lambda_max",
    "losses",
    "metrics",
    "minimize",
    "predict",
    "predict_proba",
]
