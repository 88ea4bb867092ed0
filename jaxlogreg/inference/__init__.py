"""Inference: what a fit says about the world, and how surely."""

from .bootstrap_intervals import BootstrapInterval, bootstrap_interval
from .firth import FirthSolution, fit_firth
from .likelihood_tests import ChiSquaredTest, likelihood_ratio_test, score_test
from .refusal import Refusal
from .separation import Separation, detect_separation
from .summary import Summary, summary
from .wald import covariance

__all__ = [
    "BootstrapInterval",
    "ChiSquaredTest",
    "FirthSolution",
    "Refusal",
    "Separation",
    "Summary",
    "bootstrap_interval",
    "covariance",
    "detect_separation",
    "fit_firth",
    "likelihood_ratio_test",
    "score_test",
    "summary",
]
