"""The objective in float64 NumPy, its optimum, and how near to it is near enough."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxlogreg as jlr

SUBOPTIMALITY = {"float64": 1e-6, "float32": 1e-5}  # relative, that every contender must reach


class Objective:
    """``mean(log(1 + exp(z)) - y z) + l2/2 |w|² + l1 Σ|wⱼ|`` with ``z = X w + b``, in float64, lane by lane.

    Called with weights ``(L, n + 1)`` or ``(n + 1,)``, the intercept last, it gives values ``(L,)``.
    ``X`` is ``(m, n)`` or ``(L, m, n)``, ``y`` ``(m,)`` or ``(L, m)``, ``l2`` and ``l1`` numbers or ``(L,)``;
    weights of the first few lanes alone will do.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, l2: Any, l1: Any = 0.0) -> None:
        self.X, self.y, self.l2, self.l1 = (np.asarray(array, np.float64) for array in (X, y, l2, l1))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        weights = np.atleast_2d(np.asarray(weights, np.float64))
        some = slice(len(weights))
        y = self.y[some] if self.y.ndim == 2 else self.y
        l2, l1 = (strength[some] if strength.ndim == 1 else strength for strength in (self.l2, self.l1))
        w, b = weights[:, :-1], weights[:, -1:]
        z = w @ self.X.T + b if self.X.ndim == 2 else np.einsum("lmn,ln->lm", self.X[some], w) + b
        penalty = 0.5 * l2 * np.sum(w**2, axis=1) + l1 * np.sum(np.abs(w), axis=1)
        return np.mean(np.logaddexp(0, z) - y * z, axis=1) + penalty


def weights_of(params: jlr.Params) -> np.ndarray:
    """``(..., n + 1)``, the intercept last."""
    return np.concatenate([params.coef, np.asarray(params.intercept)[..., None]], axis=-1)


def optimum(X: np.ndarray, y: np.ndarray, l2s: Any) -> np.ndarray:
    """Weights ``(L, n + 1)`` of tight float64 fits by Newton, each penalty started at the last one's solution."""
    Xd, yd = jnp.asarray(X, jnp.float64), jnp.asarray(y, jnp.float64)
    zero = jnp.zeros(X.shape[1] + 1, jnp.float64)
    found, params = [], jlr.Params(zero[:-1], zero[-1])
    for l2 in np.atleast_1d(l2s):
        solution = jlr.fit(Xd, yd, l2=l2, init=params, solver=jlr.Newton(), tol=1e-12)
        if not bool(solution.converged) and float(solution.kkt) > 1e-8:
            print(f"Newton's optimum for l2 = {l2:g} is not one: {solution.message}", flush=True)
        params = solution.params
        found.append(weights_of(params))
    return np.stack(found)
