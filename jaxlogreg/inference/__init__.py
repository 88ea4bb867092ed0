"""Inference: what a fit says about the world, and how surely."""

from .bootstrap_intervals import BootstrapInterval, bootstrap_interval
from .evidence import EvidenceResult, evidence_l2
from .firth import FirthSolution, fit_firth
from .laplace import laplace
from .likelihood_tests import ChiSquaredTest, likelihood_ratio_test, score_test
from .posterior import Posterior
from .profile import ProfileInterval, profile_interval
from .refusal import Refusal
from .separation import Separation, detect_separation
from .summary import Summary, summary
from .wald import covariance

__all__ = [
    "BootstrapInterval",
    "ChiSquaredTest",
    "EvidenceResult",
    "FirthSolution",
    "Posterior",
    "ProfileInterval",
    "Refusal",
    "Separation",
    "Summary",
    "bootstrap_interval",
    "covariance",
    "detect_separation",
    "evidence_l2",
    "fit_firth",
    "laplace",
    "likelihood_ratio_test",
    "profile_interval",
    "score_test",
    "summary",
]
