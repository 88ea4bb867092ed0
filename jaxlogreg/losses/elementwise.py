"""The logistic function and loss, row by row, and the weights of rows."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

__all__ = [
    "apart",
    "floating",
    "logistic_curvature",
    "logistic_loss",
    "logistic_tail",
    "normalized",
    "sigmoid",
    "with_offset",
]


def sigmoid(z: ArrayLike) -> Array:
    """The logistic function ``σ(z) = 1 / (1 + exp(-z))``, exact in both tails.

    >>> float(sigmoid(0.0))
    0.5
    """
    return jax.nn.sigmoid(z)


@jax.custom_jvp
def logistic_loss(z: Array, y: Array) -> Array:
    """``ℓ(z, y) = log(1 + exp(z)) - y z``, elementwise; finite for every finite margin.

    The derivative rule is stated (``∂ℓ/∂z = σ(z) - y``): differentiating ``max`` and ``|z|`` term
    by term would lose the second derivative at ``z = 0``, which is where every fit starts.
    """
    # max(z, 0) - y z first: it vanishes exactly for a right, sure answer, and keeps log1p's digits.
    return apart((jnp.maximum(z, 0.0) - y * z) + logistic_tail(z))


def apart(x: Array) -> Array:
    """``x``, in a loop of its own.

    XLA on a CPU hands what it can of a sum's or a product's operands to YNNPACK, which takes two to ten times as long
    for a series. A select it cannot.
    """
    return jnp.where(jnp.isnan(x), jnp.nan, x)


def logistic_tail(z: Array) -> Array:
    """``log(1 + exp(-|z|))`` to the last digits: what the loss is above ``max(z, 0)``.

    With ``s = t / (2 + t)`` and ``t = exp(-|z|)`` it is ``2 artanh(s) = 2 (s + s³/3 + s⁵/5 + ...)``, and ``s <= 1/3``:
    without a logarithm, which XLA on a CPU takes four times as long for in float64.
    """
    t = jnp.exp(-jnp.abs(z))
    s = t * (1.0 / (2.0 + t))
    square = s * s
    # Each term is 9 times smaller than the one before.
    terms = math.ceil(-math.log(float(jnp.finfo(z.dtype).eps), 9.0)) - 1
    series = square / (2 * terms + 1)
    for k in range(terms - 1, 0, -1):
        series = (series + 1.0 / (2 * k + 1)) * square
    return (s + s) + (s + s) * series


@logistic_loss.defjvp
def _logistic_loss_jvp(primals, tangents):
    z, y = primals
    z_dot, y_dot = tangents
    return logistic_loss(z, y), (sigmoid(z) - y) * z_dot - z * y_dot


@jax.custom_jvp
def logistic_curvature(z: Array) -> Array:
    """``σ(z) σ(-z)``, by one exponential. Its derivative is stated, for that of ``|z|`` at 0."""
    # p (1 - p) would lose all digits at |z| > 17 in float32.
    tail = jnp.exp(-jnp.abs(z))
    return tail / jnp.square(1.0 + tail)


@logistic_curvature.defjvp
def _logistic_curvature_jvp(primals, tangents):
    (z,), (z_dot,) = primals, tangents
    curvature = logistic_curvature(z)
    return curvature, curvature * (sigmoid(-z) - sigmoid(z)) * z_dot


def normalized(sample_weight: ArrayLike | None, like: Array) -> Array:
    """Weights that sum to one, ``(m,)``."""
    if sample_weight is None:
        return jnp.full(like.shape, 1.0 / like.shape[0], like.dtype)
    weights = jnp.asarray(sample_weight, like.dtype)
    return weights / jnp.sum(weights)


def floating(y: Array) -> Array:
    """Labels as they are if they are floats, otherwise in the default float dtype."""
    return y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(jnp.result_type(float))


def with_offset(z: Array, offset: Array | None) -> Array:
    return z if offset is None else z + offset
