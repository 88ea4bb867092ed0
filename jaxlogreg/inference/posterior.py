"""A normal posterior of the weights of a binary model: what it says of them, and of new rows.

The probability of a new row is the mean of ``σ(z)`` over the posterior of its margin ``z ~ N(μ, s²)``, not ``σ`` of its
mean: far from the data margins are uncertain, and probabilities go back towards one half.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..linear_maps import Columns, Dense, LinearMap, WithIntercept
from ..losses import sigmoid
from ..models.inputs import Design, as_design, as_num_samples, as_offset, dtype_of
from ..products import EXACT
from ..pytrees import register_dataclass
from .refusal import Refusal, explain

__all__ = ["Posterior", "sum_of_margins"]

BLOCK_NUMBERS = 2**22  # margins at a time

_REASON = {
    Refusal.NONE: "",
    Refusal.NOT_CONVERGED: (
        "the fit did not converge, and where it stopped is no mode; look at its message, raise max_steps or loosen tol"
    ),
    Refusal.SEPARABLE: (
        "the classes are completely separated by weights that no prior holds, so the posterior has no mode; penalise "
        "them (l2 > 0, penalty_factor > 0)"
    ),
    Refusal.OTHER_DATA: (
        "the gradient of the log posterior is not zero at these coefficients: they are no mode of it; pass the X, y, "
        "l2, penalty_factor, sample_weight, offset and standardize of the fit, which must be without l1, bounds and "
        "groups"
    ),
    Refusal.SINGULAR: (
        "the Hessian of the log posterior is singular: columns without a prior depend on each other linearly, or "
        "rounding cannot tell them apart; penalise them, drop one of them, or use float64"
    ),
    Refusal.UNDETERMINED: (
        "the fit is so far from the mode that it shows: by more than a twentieth of a posterior standard deviation or "
        "of the log evidence; fit with a smaller tol, in float64"
    ),
}


@register_dataclass
@dataclass(frozen=True)
class Posterior:
    """``w ~ N(mean, covariance)``, the intercept first where there is one. Lanes have leading axes in every field.

    Args:
        mean: the mode, ``(k,)``.
        root: ``R``, ``(k, k)``, with ``covariance = R Rᵀ``.
        log_evidence: ``log p(y)``.
        effective_parameters: MacKay's ``γ = Σ (1 - αⱼ (H⁻¹)ⱼⱼ)`` over the weights with a prior: how many of them the
            data determine.
        status: the :class:`Status` of the fit.
        refusal: a :class:`Refusal`, 0 where the numbers hold; otherwise they are NaN.
        has_intercept: whether the model has one.
    """

    mean: Array
    root: Array
    log_evidence: Array
    effective_parameters: Array
    status: Array
    refusal: Array
    has_intercept: bool = field(default=True, metadata={"static": True})

    @property
    def covariance(self) -> Array:
        """``(k, k)``."""
        return jnp.matmul(self.root, jnp.swapaxes(self.root, -1, -2), precision=EXACT)

    @property
    def std(self) -> Array:
        """The standard deviation of each weight, ``(k,)``."""
        return jnp.linalg.norm(self.root, axis=-1)

    @property
    def message(self) -> str:
        """Why the numbers are NaN, in words; empty where they are not. For concrete posteriors, not inside jit."""
        return explain(self.refusal, _REASON)

    def sample(self, key: Array, num_samples: int) -> Array:
        """Weights from the posterior, ``(num_samples, k)``; lanes ``(..., num_samples, k)`` from the same numbers.

        Raises:
            ValueError: if ``num_samples`` is not a positive integer.
        """
        normal = jax.random.normal(key, (as_num_samples(num_samples), self.mean.shape[-1]), self.mean.dtype)
        return self.mean[..., None, :] + jnp.einsum("...jk,sk->...sj", self.root, normal, precision=EXACT)

    def predict_proba(
        self, X: Design, *, offset: ArrayLike | None = None, key: Array | None = None, num_samples: int = 1000
    ) -> Array:
        """``P(y = 1 | x)``, the mean of ``σ(z)`` over the posterior: ``(m,)``, of lanes ``(..., m)``.

        The margin of a row is normal, with mean ``μ = xᵀw`` (and the offset) and variance ``s² = ‖Rᵀx‖²``. By MacKay's
        approximation the mean of ``σ(z)`` is ``σ(κ μ)``, ``κ = (1 + π s²/8)^-½``; it is within 0.02 of the integral,
        whatever ``μ`` and ``s``.

        Args:
            X: ``(m, n)``.
            offset: a known part of the margins, ``(m,)``.
            key: a ``jax.random.key``: the mean over samples of the weights instead, the same ones for all rows and
                lanes; its error is at most ``½ / √num_samples``, as a standard deviation.
            num_samples: how many.

        Raises:
            ValueError: if ``X`` is not ``(m, n)`` with the ``n`` of the fit, or not finite; for an ``offset`` of
                another length, and if ``num_samples`` is not a positive integer.

        >>> import jaxlogreg as jlr
        >>> X, y = jnp.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
        >>> posterior = jlr.laplace(jlr.fit(X, y, l2=0.1), X, y, l2=0.1)
        >>> posterior.predict_proba(jnp.array([[3.0], [-3.0]])).round(2)
        Array([0.82, 0.25], dtype=float32)
        """
        matrix, n = as_design(X), self.mean.shape[-1] - self.has_intercept
        if matrix.shape[1] != n:
            raise ValueError(f"X must have the {n} columns the model was fitted on, got {matrix.shape[1]}")
        known = as_offset(offset, matrix)
        dtype = np.promote_types(dtype_of(matrix), self.mean.dtype)
        base: LinearMap = matrix if isinstance(matrix, Columns) else Dense(jnp.asarray(matrix))
        linear_map = WithIntercept(base) if self.has_intercept else base
        samples = None if key is None else self.sample(key, num_samples)
        args = jax.tree.map(lambda x: jnp.asarray(x, dtype), (self.mean, self.root, samples, linear_map, known))
        return _probabilities(self.has_intercept, *args)


def _probabilities(
    has_intercept: bool, mean: Array, root: Array, samples: Array | None, linear_map: LinearMap, offset: Array | None
) -> Array:
    if mean.ndim > 1:
        axes = (0, 0, None if samples is None else 0, None, None)
        return jax.vmap(lambda *args: _probabilities(has_intercept, *args), axes)(
            mean, root, samples, linear_map, offset
        )
    return _of_one(has_intercept, mean, root, samples, linear_map, offset)


@partial(program, static_argnums=0)
def _of_one(
    has_intercept: bool, mean: Array, root: Array, samples: Array | None, linear_map: LinearMap, offset: Array | None
) -> Array:
    def with_offset(z: Array) -> Array:
        return z if offset is None else z + (offset if z.ndim == 1 else offset[None])

    def last(w: Array) -> Array:
        return jnp.roll(w, -1, axis=-1) if has_intercept else w

    if samples is None:
        variance = sum_of_margins(jnp.square, linear_map, last(root.T))
        return sigmoid(with_offset(linear_map.mv(last(mean))) * lax.rsqrt(1.0 + jnp.pi / 8.0 * variance))
    total = sum_of_margins(lambda z: sigmoid(with_offset(z)), linear_map, last(samples))
    return total / samples.shape[0]


def sum_of_margins(function: Callable[[Array], Array], linear_map: LinearMap, weights: Array) -> Array:
    """``Σ function(A w)`` over weights ``(q, k)``, as many at a time as there is room for: ``(m,)``."""
    (m, k), q = linear_map.shape, weights.shape[0]
    size = max(1, min(q, BLOCK_NUMBERS // m))
    rest = q % size
    blocks = weights[rest:].reshape(-1, size, k)
    total = jnp.sum(function(linear_map.mv(weights[:rest])), axis=0)

    def add(total: Array, block: Array) -> tuple[Array, None]:
        return total + jnp.sum(function(linear_map.mv(block)), axis=0), None

    return lax.scan(add, total, blocks)[0]
