"""Solvers: each a short file of pure steps, all run by one driver."""

from .driver import iterate, minimize
from .gradient_descent import GradientDescent
from .loop import Solver
from .newton import Newton
from .quasi_newton import LBFGS

__all__ = ["LBFGS", "GradientDescent", "Newton", "Solver", "iterate", "minimize"]
