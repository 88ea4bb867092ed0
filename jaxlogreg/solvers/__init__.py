"""Solvers: each a short file of pure steps, all run by one driver."""

from .driver import iterate, minimize
from .gradient_descent import GradientDescent
from .loop import Solver
from .newton import Newton
from .proximal import ProximalNewton
from .proximal_gradient import ProximalGradient
from .quasi_newton import LBFGS

__all__ = ["LBFGS", "GradientDescent", "Newton", "ProximalGradient", "ProximalNewton", "Solver", "iterate", "minimize"]
