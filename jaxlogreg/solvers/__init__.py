"""Solvers: each a short file of pure steps, all run by one driver."""

from .augmented_lagrangian import AugmentedLagrangian
from .base import Solver
from .broyden import BFGS, DFP
from .conjugate_gradient import ConjugateGradient
from .driver import minimize
from .gradient_descent import GradientDescent
from .iteration import Iteration, iterate
from .newton import Newton
from .newton_cg import NewtonCG
from .optax import Optax
from .proximal import ProximalNewton
from .proximal_gradient import ProximalGradient
from .quasi_newton import LBFGS

__all__ = [
    "BFGS",
    "DFP",
    "LBFGS",
    "AugmentedLagrangian",
    "ConjugateGradient",
    "GradientDescent",
    "Iteration",
    "Newton",
    "NewtonCG",
    "Optax",
    "ProximalGradient",
    "ProximalNewton",
    "Solver",
    "iterate",
    "minimize",
]
