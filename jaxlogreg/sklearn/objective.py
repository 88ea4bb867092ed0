"""scikit-learn's objective as the library's, and fits of it as NumPy arrays.

scikit-learn minimises, with ``ρ`` its ``l1_ratio``, a sum over the rows,

    C Σ sᵢ ℓ(zᵢ, yᵢ) + (1 - ρ)/2 ‖w‖² + ρ ‖w‖₁;

divided by ``C Σ sᵢ`` that is the library's, with ``l2 = (1 - ρ) / (C Σ sᵢ)`` and ``l1 = ρ / (C Σ sᵢ)``.

A fit has the dtype of the rows: float64 is computed as such whether or not JAX's x64 mode is on.
"""

import warnings
from dataclasses import replace
from typing import Any, Literal

import jax
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..models import fit, fit_one_vs_all, fit_path, fit_softmax
from ..solution import Params, Solution
from ..solvers.driver import default_tol
from .training import Training

__all__ = ["Kind", "fit_strength", "fit_strengths", "lane", "warn_unless_converged"]

Kind = Literal["binary", "softmax", "one_vs_all"]

# Looser ones are there to stop a slow solver early, and mean something else to each of scikit-learn's.
LOOSEST_TOL = 1e-4
PART_OF_L1 = 0.03


def fit_strength(
    estimator: Any, kind: Kind, training: Training, C: float, l1_ratio: float, start: Params | None = None
) -> Solution:
    """One fit; ``start`` and what is found have a leading axis of classes, but for two of them."""
    total, padded = training.total_weight(), training.padded()
    classes = () if kind == "binary" else (len(training.classes),)
    n, dtype = training.X.shape[1], training.X.dtype
    if start is None:  # from somewhere all the same, so that a warm start shares the program
        zeros: Any = np.zeros((*classes, n), dtype), np.zeros(classes, dtype)
        start = Params(*zeros)
    extra: Any = [(0, 0)] * len(classes) + [(0, padded.X.shape[1] - n)]
    padded_coef: Any = np.pad(start.coef, extra)
    options = _options(estimator, padded, (1.0 - l1_ratio) / (C * total), l1_ratio / (C * total))
    options["init"] = replace(start, coef=padded_coef)
    with jax.enable_x64(dtype == np.float64):
        if kind == "binary":
            return _as_numpy(fit(padded.X, padded.code, **options), n)
        fit_classes = fit_softmax if kind == "softmax" else fit_one_vs_all
        return _as_numpy(fit_classes(padded.X, padded.code, *classes, **options), n)


def fit_strengths(
    estimator: Any, training: Training, C: np.ndarray, l1_ratio: np.ndarray, starts: Solution | None = None
) -> Solution:
    """A fit for each penalty, with a leading axis of penalties; those of more than two classes from ``starts``."""
    if len(training.classes) == 2:
        scale, padded = 1.0 / (C * training.total_weight()), training.padded()
        with jax.enable_x64(training.X.dtype == np.float64):
            options = _options(estimator, padded, (1.0 - l1_ratio) * scale, l1_ratio * scale)
            return _as_numpy(fit_path(padded.X, padded.code, **options), training.X.shape[1])
    # Without starts, from the strongest penalty to the weakest, each from the one before.
    found: dict[int, Solution] = {}
    start = None
    for i in np.argsort(C, kind="stable").tolist():
        start = start if starts is None else lane(starts, i).params
        found[i] = fit_strength(estimator, "softmax", training, float(C[i]), float(l1_ratio[i]), start)
        start = found[i].params
    return jax.tree.map(lambda *lanes: np.stack(lanes), *(found[i] for i in range(len(C))))


def lane(solution: Solution, i: Any) -> Solution:
    """That of one penalty."""
    return jax.tree.map(lambda x: x[i], solution)


def _options(estimator: Any, padded: Training, l2: Any, l1: Any) -> Any:
    options = {
        "l2": l2,
        "sample_weight": padded.weight,
        "intercept": bool(estimator.fit_intercept),
        "tol": _tolerance(estimator.tol, l1, padded.X.dtype),
        "max_steps": estimator.max_iter,
    }
    return options | {"l1": l1} if np.any(l1 > 0) else options


def _tolerance(tol: float, l1: Any, dtype: Any) -> float:
    """A residual that does not hide on which side of the kink a coefficient is."""
    weakest = float(np.min(l1))
    seen = max(default_tol(dtype), PART_OF_L1 * weakest) if weakest > 0.0 else LOOSEST_TOL
    return min(tol, LOOSEST_TOL, seen)


def _as_numpy(solution: Solution, n: int) -> Solution:
    """The solution on the host, without the columns that were added."""
    solution = jax.device_get(solution)
    return replace(solution, params=replace(solution.params, coef=solution.params.coef[..., :n]))


def warn_unless_converged(*solutions: Solution) -> None:
    """A ``ConvergenceWarning`` with the message of each solution that did not converge."""
    for solution in solutions:
        if not np.all(solution.converged):
            warnings.warn(
                f"{solution.message}. (Of this estimator, max_steps is max_iter, l1 and l2 are parts of 1 / (C * the "
                f"sum of weights), tol is at most {PART_OF_L1:g} of l1, and float64 is used for X of float64.)",
                ConvergenceWarning,
                stacklevel=3,
            )
