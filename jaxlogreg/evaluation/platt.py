"""Platt's scaling: probabilities as a logistic curve of the score.

``P(y = 1 | f) = σ(a f + b)``, with ``a`` and ``b`` of maximum likelihood. Where the rows are few or the score separates
them, targets 0 and 1 would make it too sure, or infinitely steep. Platt puts the Bayes estimates of the two classes'
probabilities in their place,

    t = (N₊ + 1) / (N₊ + 2)  for positive rows,    t = 1 / (N₋ + 2)  for negative ones,

so that a minimum exists whatever the rows, even with one class alone. The objective is the library's ``F = L ∘ A``: the
cross-entropy against these targets, of the margins of one column and an intercept.

References: Platt, Probabilistic outputs for support vector machines (1999); Lin, Lin & Weng, A note on Platt's
probabilistic outputs for support vector machines, Machine Learning 68 (2007).
"""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..linear_maps import Dense, WithIntercept
from ..losses import BinaryCrossEntropy, sigmoid
from ..penalties import NoPenalty
from ..problem import Problem
from ..pytrees import register_dataclass
from ..solution import Solution
from ..solvers import Newton, minimize
from .inputs import Scored, as_finite, as_scored

__all__ = ["PlattCalibrator", "fit_platt", "platt"]


@register_dataclass
@dataclass(frozen=True)
class PlattCalibrator:
    """``P(y = 1 | f) = σ(slope f + intercept)``: call it with scores.

    Args:
        solution: of the fit, whose ``params`` are slope and intercept, ``(2,)``; with its status and certificate.
    """

    solution: Solution

    @property
    def slope(self) -> Array:
        """``a``; below zero where the score says the opposite."""
        return self.solution.params[..., 0]

    @property
    def intercept(self) -> Array:
        """``b``."""
        return self.solution.params[..., 1]

    def __call__(self, score: ArrayLike) -> Array:
        """Probabilities of scores, of any shape."""
        return sigmoid(self.margin(score))

    def margin(self, score: ArrayLike) -> Array:
        """``slope f + intercept``, the logarithm of the odds."""
        return self.slope * jnp.asarray(as_finite("score", score, self.slope.dtype)) + self.intercept


def platt(y_true: ArrayLike, score: ArrayLike, *, sample_weight: ArrayLike | None = None) -> PlattCalibrator:
    """Fit a logistic curve from scores to probabilities: ``min Σ sᵢ ℓ(a fᵢ + b, tᵢ)`` over ``a`` and ``b``.

    ``ℓ(z, t) = log(1 + exp(z)) - t z``, and ``t`` Platt's targets, in which ``N₊`` and ``N₋`` are sums of weights.

    Args:
        y_true: labels 0 and 1, ``(m,)``.
        score: margins (or probabilities, for which a logistic curve is less apt), ``(m,)``.
        sample_weight: at least 0, ``(m,)``; a weight of 2 equals the row twice.

    Returns:
        A :class:`PlattCalibrator`. It has derivatives with respect to scores and weights.

    Raises:
        ValueError: for shapes that differ; of concrete inputs, for labels other than 0 and 1, scores that are not
            finite, and weights that are negative or all zero.

    >>> calibrator = platt(jnp.array([0, 0, 1, 0, 1, 1]), jnp.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]))
    >>> calibrator(jnp.array([-2.0, 0.0, 2.0])).round(2)
    Array([0.32, 0.5 , 0.68], dtype=float32)
    >>> bool(calibrator.solution.converged)
    True
    """
    return fit_platt(as_scored(y_true, score, sample_weight))


@program
def fit_platt(rows: Scored) -> PlattCalibrator:
    """The fit itself, of checked rows."""
    y, score, weight = rows
    positive, negative = (jnp.sum(jnp.where(y == label, weight, 0.0)) for label in (1, 0))
    targets = jnp.where(y == 1, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
    loss = BinaryCrossEntropy.create(targets, weight)
    problem = Problem(loss, WithIntercept(Dense(score[:, None])), NoPenalty())
    return PlattCalibrator(minimize(problem, jnp.zeros(2, score.dtype), solver=Newton()))
