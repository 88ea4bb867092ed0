"""Paths: one fit for each of many penalties."""

from dataclasses import replace
from typing import Unpack

import jax
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..solution import Solution
from ..solvers import Solver
from .binary import FitData, FitOptions, as_data, fit_core, fit_settings
from .inputs import as_binary_labels, as_design

__all__ = ["fit_path"]


def fit_path(X: ArrayLike, y: ArrayLike, **options: Unpack[FitOptions]) -> Solution:
    """Fit a binary logistic regression for each penalty in ``l2``, in one compiled program.

    Equals ``jax.vmap(lambda l2: fit(X, y, l2=l2))(l2)``.

    Args:
        X, y: as in :func:`fit`.
        **options: those of :func:`fit`, with ``l2`` an array ``(L,)``.

    Returns:
        A :class:`Solution` with a leading axis of length ``L`` on every field: ``params.coef`` is
        ``(L, n)``. To predict with every lane, ``jax.vmap(predict_proba, in_axes=(0, None))``.

    Raises:
        ValueError: as :func:`fit` does, and if ``l2`` is not a vector.

    >>> import jax.numpy as jnp
    >>> import jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.5], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit_path(X, y, l2=jnp.array([1.0, 0.1, 0.01])).params.coef.shape
    (3, 1)
    """
    X = as_design(X)
    l2 = options.get("l2", 0.0)
    shape = l2.shape if isinstance(l2, jax.Array) else np.shape(l2)
    if len(shape) != 1 or shape[0] == 0:
        raise ValueError(f"l2 must be a vector of penalties, got shape {shape}; for a single one use fit")
    data = as_data(X, y, as_binary_labels, options, lanes=shape)
    return _fit_lanes(data, *fit_settings(options, data, X.shape[1] + data.intercept))


@jax.jit
def _fit_lanes(data: FitData, solver: Solver, tol: Array, max_steps: Array) -> Solution:
    return jax.vmap(lambda l2: fit_core(replace(data, l2=l2), solver, tol, max_steps))(data.l2)
