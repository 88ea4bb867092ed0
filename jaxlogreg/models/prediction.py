"""Prediction: from parameters and rows to margins, probabilities and classes."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..linear_maps import Columns, Dense
from ..losses import sigmoid
from ..solution import Params
from .inputs import Design, as_design, dtype_of

__all__ = ["decision_function", "predict", "predict_proba"]


def decision_function(params: Params, X: Design) -> Array:
    """The margins ``z = X coef + intercept``.

    Args:
        params: of a fit.
        X: ``(m, n)``.

    Returns:
        ``(m,)`` for a binary model, ``(m, K)`` for classes. Binary parameters with leading axes (the
        lanes of a sweep) give margins with the same leading axes, ``(..., m)``.

    Raises:
        ValueError: if ``X`` is not ``(m, n)`` with the ``n`` of the parameters, or not finite.
    """
    columns = as_design(X)
    if columns.shape[1] != params.coef.shape[-1]:
        raise ValueError(
            f"X must have the {params.coef.shape[-1]} columns the model was fitted on, got {columns.shape[1]}"
        )
    dtype = np.promote_types(dtype_of(columns), params.coef.dtype)
    matrix = columns if isinstance(columns, Columns) else Dense(columns)
    matrix = jax.tree.map(lambda x: jnp.asarray(x, dtype), matrix)
    margins = matrix.mv(params.coef.astype(dtype)) + params.intercept.astype(dtype)[..., None]
    return margins if params.kind == "binary" else jnp.swapaxes(margins, -1, -2)


def predict_proba(params: Params, X: Design) -> Array:
    """Probabilities of the classes.

    Returns:
        For a binary model ``P(y = 1 | x)``, ``(m,)``. For classes ``(m, K)`` with rows that sum to
        one: the softmax of the margins, or for one-vs-all each classifier's sigmoid divided by their
        sum.
    """
    margins = decision_function(params, X)
    if params.kind == "softmax":
        return jax.nn.softmax(margins, axis=-1)
    if params.kind == "one_vs_all":
        # Σ σ(z) can underflow where every classifier says no; the largest margin cannot.
        logs = jax.nn.log_sigmoid(margins)
        return jax.nn.softmax(logs, axis=-1)
    return sigmoid(margins)


def predict(params: Params, X: Design, threshold: ArrayLike = 0.5) -> Array:
    """The predicted classes, int32 ``(m,)``.

    A binary model answers 1 where ``P(y = 1 | x) >= threshold``; among classes the one with the
    largest margin wins.

    Raises:
        ValueError: if a threshold is given for a model of several classes.
    """
    if params.kind == "binary":
        return (predict_proba(params, X) >= threshold).astype(jnp.int32)
    if not (isinstance(threshold, float) and threshold == 0.5):
        raise ValueError(
            "threshold is for binary models; among classes the largest probability wins, "
            "so threshold predict_proba yourself"
        )
    return jnp.argmax(decision_function(params, X), axis=-1).astype(jnp.int32)
