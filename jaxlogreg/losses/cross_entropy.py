"""Cross-entropies as pure functions of ``(w, X, y)``, with closed-form gradients and Hessians."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .elementwise import logistic_curvature, logistic_loss, normalized, sigmoid

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "binary_cross_entropy_hessian",
    "negative_log_likelihood",
    "softmax_cross_entropy",
    "softmax_cross_entropy_gradient",
]


def binary_cross_entropy(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``J(w) = Σ sᵢ [log(1 + exp(zᵢ)) - yᵢ zᵢ] / Σ sᵢ`` with ``z = X w``.

    Args:
        w: weights, ``(n,)``.
        X: one row an example, ``(m, n)``; add a column of ones for an intercept.
        y: labels 0 or 1 (or probabilities), ``(m,)``.
        sample_weight: ``s``, ``(m,)``; ones when None.

    Returns:
        A scalar. The negative log-likelihood is ``m`` times it.

    >>> X, y = jnp.array([[1.0], [2.0]]), jnp.array([0, 1])
    >>> float(binary_cross_entropy(jnp.zeros(1), X, y))  # log 2: the coin's loss
    0.693147...
    """
    z = X @ w
    y = jnp.asarray(y, z.dtype)
    return jnp.sum(normalized(sample_weight, z) * logistic_loss(z, y))


def binary_cross_entropy_gradient(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``∇J = Xᵀ(σ(Xw) - y)/m``, of shape ``(n,)``; equals ``jax.grad(binary_cross_entropy)``."""
    z = X @ w
    y = jnp.asarray(y, z.dtype)
    # r @ X: on a CPU, XLA runs X.T @ r many times slower.
    return (normalized(sample_weight, z) * (sigmoid(z) - y)) @ X


def binary_cross_entropy_hessian(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``∇²J = XᵀSX/m`` with ``S = diag(σ(z) σ(-z))``, ``(n, n)``; positive semidefinite."""
    z = X @ w
    curvature = normalized(sample_weight, z) * logistic_curvature(z)
    return jnp.einsum("mi,mj->ij", curvature[:, None] * X, X)


def negative_log_likelihood(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``-Σ sᵢ log P(yᵢ | xᵢ)``, with ``P(1 | x) = σ(xᵀw)`` and ``P(0 | x) = σ(-xᵀw)``."""
    z = X @ w
    y = jnp.asarray(y, z.dtype)
    log_likelihood = y * jax.nn.log_sigmoid(z) + (1.0 - y) * jax.nn.log_sigmoid(-z)
    return -jnp.sum(log_likelihood if sample_weight is None else jnp.asarray(sample_weight, z.dtype) * log_likelihood)


def softmax_cross_entropy(W: Array, X: Array, labels: Array, *, sample_weight: ArrayLike | None = None) -> Array:
    """``Σ sᵢ [logsumexp(zᵢ) - z_{i, labelᵢ}] / Σ sᵢ`` with ``z = X Wᵀ``.

    Args:
        W: one row of weights a class, ``(K, n)``.
        X: ``(m, n)``.
        labels: integers ``0 .. K-1``, ``(m,)``.
        sample_weight: ``(m,)``; ones when None.
    """
    z = W @ X.T
    targets = jax.nn.one_hot(labels, W.shape[0], axis=0, dtype=z.dtype)
    losses = jax.nn.logsumexp(z, axis=0) - jnp.sum(targets * z, axis=0)
    return jnp.sum(normalized(sample_weight, losses) * losses)


def softmax_cross_entropy_gradient(
    W: Array, X: Array, labels: Array, *, sample_weight: ArrayLike | None = None
) -> Array:
    """``(softmax(z) - onehot(labels)) X / m``, one row a class, ``(K, n)``."""
    z = W @ X.T
    residual = jax.nn.softmax(z, axis=0) - jax.nn.one_hot(labels, W.shape[0], axis=0, dtype=z.dtype)
    return (normalized(sample_weight, residual[0])[None, :] * residual) @ X
