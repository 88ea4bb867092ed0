"""Losses: what a margin costs, given its label.

With margins ``z = X w`` and labels ``y`` in {0, 1}, the hypothesis is
``P(y = 1 | x) = sigmoid(z)`` and maximum likelihood minimises the binary cross-entropy

    J(w) = mean(log(1 + exp(z)) - y z),   grad J = Xᵀ(σ(z) - y)/m,   hess J = XᵀSX/m,

with ``S = diag(σ(z) σ(-z))`` positive, so J is convex. The first half of this file is these
functions of ``(w, X, y)``, for reading and for use in larger JAX programs. The second half is the
same losses as functions of the margins alone (``L`` in ``F(w) = L(A w) + R(w)``): objects that hold
labels, weights and offsets as data, and that the solvers evaluate along carried margins.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import register_dataclass
from jax.typing import ArrayLike

from .linear_maps import LinearMap, PerClass
from .linear_solve import solve_convex
from .products import EXACT, sum_over_rows

__all__ = [
    "BinaryCrossEntropy",
    "ElementwiseLoss",
    "FunctionLoss",
    "MarginLoss",
    "SoftmaxCrossEntropy",
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "binary_cross_entropy_hessian",
    "from_function",
    "logistic_loss",
    "negative_log_likelihood",
    "sigmoid",
    "softmax_cross_entropy",
    "softmax_cross_entropy_gradient",
]

LOG_2 = math.log(2.0)


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
    return (jnp.maximum(z, 0.0) - y * z) + jnp.log1p(jnp.exp(-jnp.abs(z)))


@logistic_loss.defjvp
def _logistic_loss_jvp(primals, tangents):
    z, y = primals
    z_dot, y_dot = tangents
    return logistic_loss(z, y), (sigmoid(z) - y) * z_dot - z * y_dot


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
    return jnp.sum(_weights(sample_weight, z) * logistic_loss(z, y))


def binary_cross_entropy_gradient(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``∇J = Xᵀ(σ(Xw) - y)/m``, of shape ``(n,)``; equals ``jax.grad(binary_cross_entropy)``."""
    z = X @ w
    y = jnp.asarray(y, z.dtype)
    # r @ X: on a CPU, XLA runs X.T @ r many times slower.
    return (_weights(sample_weight, z) * (sigmoid(z) - y)) @ X


def binary_cross_entropy_hessian(w: Array, X: Array, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Array:
    """``∇²J = XᵀSX/m`` with ``S = diag(σ(z) σ(-z))``, ``(n, n)``; positive semidefinite."""
    z = X @ w
    curvature = _weights(sample_weight, z) * _logistic_curvature(z)
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
    return jnp.sum(_weights(sample_weight, losses) * losses)


def softmax_cross_entropy_gradient(
    W: Array, X: Array, labels: Array, *, sample_weight: ArrayLike | None = None
) -> Array:
    """``(softmax(z) - onehot(labels)) X / m``, one row a class, ``(K, n)``."""
    z = W @ X.T
    residual = jax.nn.softmax(z, axis=0) - jax.nn.one_hot(labels, W.shape[0], axis=0, dtype=z.dtype)
    return (_weights(sample_weight, residual[0])[None, :] * residual) @ X


def _weights(sample_weight: ArrayLike | None, like: Array) -> Array:
    """Weights that sum to one, ``(m,)``."""
    if sample_weight is None:
        return jnp.full(like.shape, 1.0 / like.shape[0], like.dtype)
    weights = jnp.asarray(sample_weight, like.dtype)
    return weights / jnp.sum(weights)


def _floating(y: Array) -> Array:
    """Labels as they are if they are floats, otherwise in the default float dtype."""
    return y if jnp.issubdtype(y.dtype, jnp.floating) else y.astype(jnp.result_type(float))


def _logistic_curvature(z: Array) -> Array:
    # σ(z) σ(-z): p (1 - p) loses all digits at |z| > 17 in float32.
    return sigmoid(z) * sigmoid(-z)


class MarginLoss:
    """``L(z)``: a pure function of the margins, with labels, weights and offset as its data.

    A subclass gives ``value``, ``residual`` (``∂L/∂z``, the shape of ``z``) and ``hessian``. What it
    knows of itself it says in the class attributes: ``convex`` frees the line search from values,
    ``curvature_bound`` (of ``∂²L/∂z²`` for unit weights) gives gradient descent its safe step, ``has_dual``
    says that the residual is a feasible point of a known dual.
    """

    convex: ClassVar[bool] = False
    curvature_bound: ClassVar[float | None] = None
    has_dual: ClassVar[bool] = False

    def value(self, z: Array) -> Array:
        raise NotImplementedError

    def residual(self, z: Array) -> Array:
        raise NotImplementedError

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        """``Aᵀ L''(z) A`` for the linear map ``A``."""
        raise NotImplementedError

    def curvature(self, z: Array) -> Array | None:
        """The diagonal of ``L''(z)``, or a bound of its size, the shape of ``z``; None where there are no rows."""
        return None

    def row_weights(self) -> Array | None:
        """The weight of each row, summing to one; None where the loss has no rows."""
        return None

    def value_and_residual(self, z: Array) -> tuple[Array | None, Array]:
        """What a trial of the line search needs: no value where the gradient alone decides."""
        return (None if self.convex else self.value(z)), self.residual(z)

    def separates(self, z: Array) -> Array:
        """Whether margins in the direction ``z`` classify every row rightly, and strictly."""
        return jnp.zeros((), bool)

    def balance(self, z: Array) -> tuple[Array, Array]:
        """From the residual at ``z`` to a dual feasible ``u`` that sums to zero, as a free intercept demands.

        Returns ``u - L'(z)``, and a bound on ``L(z) + L*(u) - uᵀz``, which is zero where ``u`` is the residual. Only
        where ``has_dual``.
        """
        raise NotImplementedError


def _with_offset(z: Array, offset: Array | None) -> Array:
    return z if offset is None else z + offset


def _mixture(means: Array, target: Array) -> tuple[Array, Array]:
    """``keep`` and ``shift``: class probabilities ``keep p + shift`` have means ``target`` if ``p`` has ``means``.

    That is ``(1 - θ) p + θ q`` with one distribution ``q`` for all rows and the smallest ``θ`` that keeps
    ``q`` nonnegative; where the means agree, ``θ = 0``.
    """
    tiny = float(jnp.finfo(means.dtype).tiny)
    keep = 1.0 - jnp.max(jnp.maximum(1.0 - target / jnp.maximum(means, tiny), 0.0))
    # θ q = target - (1 - θ) means, without dividing by a θ that may vanish.
    return keep, jnp.maximum(target - keep * means, 0.0)


@register_dataclass
@dataclass(frozen=True)
class BinaryCrossEntropy(MarginLoss):
    """``L(z) = Σ wᵢ [log(1 + exp(zᵢ + oᵢ)) - yᵢ (zᵢ + oᵢ)]``.

    Args:
        y: labels in [0, 1], ``(m,)``, in the dtype of the margins.
        weight: row weights that sum to one, ``(m,)``.
        offset: ``o``, ``(m,)`` or None.

    Make one with :meth:`create`, which normalises the weights.
    """

    y: Array
    weight: Array
    offset: Array | None = None

    convex: ClassVar[bool] = True
    curvature_bound: ClassVar[float | None] = 0.25
    has_dual: ClassVar[bool] = True

    @classmethod
    def create(
        cls, y: Array, sample_weight: ArrayLike | None = None, offset: Array | None = None
    ) -> "BinaryCrossEntropy":
        y = _floating(y)
        return cls(y, _weights(sample_weight, y), offset)

    def value(self, z: Array) -> Array:
        return jnp.sum(self.weight * logistic_loss(_with_offset(z, self.offset), self.y))

    def residual(self, z: Array) -> Array:
        return self.weight * (sigmoid(_with_offset(z, self.offset)) - self.y)

    def curvature(self, z: Array) -> Array:
        return self.weight * _logistic_curvature(_with_offset(z, self.offset))

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return linear_map.gram(self.curvature(z))

    def row_weights(self) -> Array:
        return self.weight

    def separates(self, z: Array) -> Array:
        rightly = jnp.where(z > 0.0, self.y == 1.0, (z < 0.0) & (self.y == 0.0))
        return jnp.all(rightly | (self.weight == 0.0))

    def balance(self, z: Array) -> tuple[Array, Array]:
        # First where a step of the intercept would move p, as that costs least; then what is left is mixed in.
        # With p' = p + δ the slack is the relative entropy of p' to p, which is at most δ²/(p q).
        z = _with_offset(z, self.offset)
        p, q = sigmoid(z), sigmoid(-z)
        mean, pull = jnp.sum(self.weight * p), jnp.sum(self.weight * (self.y - p))
        curvature = jnp.sum(self.weight * p * q)
        step = jnp.clip(pull / jnp.where(curvature > 0.0, curvature, 1.0), -1.0, 1.0)
        left, mean = pull - step * curvature, mean + step * curvature
        # Mixed with q = 0 or 1 for all rows; its own slack is that of a certain answer, log(1 + exp(±z)).
        tiny = float(jnp.finfo(mean.dtype).tiny)
        up = jnp.maximum(left, 0.0) / jnp.maximum(1.0 - mean, tiny)
        down = jnp.maximum(-left, 0.0) / jnp.maximum(mean, tiny)
        mixed, certain = up + down, jnp.where(left > 0.0, -z, z)
        move = (1.0 - mixed) * step * p * q + up * q - down * p
        slack = step * step * curvature + mixed * jnp.sum(self.weight * (jnp.maximum(certain, 0.0) + LOG_2))
        return self.weight * move, slack


@register_dataclass
@dataclass(frozen=True)
class SoftmaxCrossEntropy(MarginLoss):
    """``L(z) = Σ wᵢ [logsumexp_k(z_ki + o_ki) - Σ_k t_ki (z_ki + o_ki)]`` over margins ``(K, m)``.

    Args:
        targets: one-hot labels ``t``, ``(K, m)``.
        weight: row weights that sum to one, ``(m,)``.
        offset: ``o``, ``(K, m)`` or None.
    """

    targets: Array
    weight: Array
    offset: Array | None = None

    convex: ClassVar[bool] = True
    curvature_bound: ClassVar[float | None] = 0.5  # Böhning (1992): diag(p) - ppᵀ <= I/2
    has_dual: ClassVar[bool] = True

    @classmethod
    def create(
        cls, targets: Array, sample_weight: ArrayLike | None = None, offset: Array | None = None
    ) -> "SoftmaxCrossEntropy":
        targets = _floating(targets)
        return cls(targets, _weights(sample_weight, targets[0]), offset)

    def value(self, z: Array) -> Array:
        z = _with_offset(z, self.offset)
        return jnp.sum(self.weight * (jax.nn.logsumexp(z, axis=0) - jnp.sum(self.targets * z, axis=0)))

    def residual(self, z: Array) -> Array:
        return self.weight[None] * (jax.nn.softmax(_with_offset(z, self.offset), axis=0) - self.targets)

    def curvature(self, z: Array) -> Array:
        # At p = 1/K this is L'' itself, on the margins that sum to zero: (I - 11ᵀ/K)/K.
        p = jax.nn.softmax(_with_offset(z, self.offset), axis=0)
        num_classes = p.shape[0]
        return (num_classes / (num_classes - 1)) * self.weight[None] * p * (1.0 - p)

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        if not isinstance(linear_map, PerClass):
            raise TypeError("softmax_cross_entropy needs a PerClass linear map: one block of weights a class")
        num_classes, n = linear_map.num_classes, linear_map.base.shape[1]
        p = jax.nn.softmax(_with_offset(z, self.offset), axis=0)

        def term(rows: Array, columns: Array) -> Array:
            weight, p = columns[0], columns[1:]
            weighted = (weight[None] * p)[:, :, None] * rows[None]  # (K, block, n)
            own = jnp.einsum("kbi,bj->kij", weighted, rows)
            cross = jnp.einsum("kbi,lbj->kilj", weighted, p[:, :, None] * rows[None])
            diagonal = jnp.eye(num_classes, dtype=rows.dtype)[:, None, :, None]
            return own[:, :, None, :] * diagonal - cross

        blocks = sum_over_rows(linear_map.base, term, jnp.concatenate([self.weight[None, :], p]))
        return blocks.reshape(num_classes * n, num_classes * n)

    def row_weights(self) -> Array:
        return self.weight

    def separates(self, z: Array) -> Array:
        own = jnp.sum(self.targets * z, axis=0)
        other = jnp.max(jnp.where(self.targets > 0.0, -jnp.inf, z), axis=0)
        one_class = jnp.max(self.targets, axis=0) == 1.0
        return jnp.all((one_class & (own > other)) | (self.weight == 0.0))

    def balance(self, z: Array) -> tuple[Array, Array]:
        # As for two classes: first a step of the intercepts, then a mixture.
        z = _with_offset(z, self.offset)
        p = jax.nn.softmax(z, axis=0)
        target = jnp.sum(self.weight[None] * self.targets, axis=1)
        means, eye = jnp.sum(self.weight[None] * p, axis=1), jnp.eye(p.shape[0], dtype=p.dtype)
        curvature = eye * means[None] - jnp.matmul(self.weight[None] * p, p.T, precision=EXACT)
        pull = jnp.sum(self.weight[None] * (self.targets - p), axis=1)
        step = jnp.clip(solve_convex(curvature, pull), -0.5, 0.5)
        move = p * (step[:, None] - jnp.sum(step[:, None] * p, axis=0)[None])
        keep, shift = _mixture(jnp.sum(self.weight[None] * (p + move), axis=1), target)
        # The slack of the mixture's own distribution: that of certain answers, at most.
        certain = jax.nn.logsumexp(z, axis=0)[None] - z
        slack = jnp.vdot(step, curvature @ step) + jnp.sum(shift * jnp.sum(self.weight[None] * certain, axis=1))
        return self.weight[None] * (keep * move + (keep - 1.0) * p + shift[:, None]), slack


@register_dataclass
@dataclass(frozen=True)
class ElementwiseLoss(MarginLoss):
    """``L(z) = Σ wᵢ ℓ(zᵢ + oᵢ, yᵢ)`` for a loss the user writes; see :func:`from_function`."""

    function: Callable[[Array, Array], Array] = field(metadata={"static": True})
    y: Array
    weight: Array
    offset: Array | None = None

    def value(self, z: Array) -> Array:
        return jnp.sum(self.weight * self.function(_with_offset(z, self.offset), self.y))

    def residual(self, z: Array) -> Array:
        return jax.grad(self.value)(z)

    def curvature(self, z: Array) -> Array:
        return jnp.abs(self._second_derivative(z))

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return linear_map.gram(self._second_derivative(z))

    def _second_derivative(self, z: Array) -> Array:
        # Elementwise, so the Hessian in z is diagonal: one Hessian-vector product with ones.
        return jax.jvp(self.residual, (z,), (jnp.ones_like(z),))[1]

    def row_weights(self) -> Array:
        return self.weight

    def value_and_residual(self, z: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(self.value)(z)


def from_function(
    function: Callable[[Array, Array], Array],
    y: Array,
    *,
    sample_weight: ArrayLike | None = None,
    offset: Array | None = None,
) -> ElementwiseLoss:
    """A margin loss from a pure, elementwise function ``ℓ(z, y)`` of margins and labels.

    Args:
        function: maps margins ``(m,)`` and labels ``(m,)`` to losses ``(m,)``, each from its own
            row alone. It need not be convex: the line search then watches values too. Pass the same
            function object each time (not a new lambda), and nothing recompiles.
        y: labels or responses, ``(m,)``, in the dtype of the margins.
        sample_weight: ``(m,)``; ones when None.
        offset: added to the margins, ``(m,)``.

    >>> import jaxlogreg as jlr
    >>> def poisson(z, y):
    ...     return jnp.exp(z) - y * z
    >>> y = jnp.array([1.0, 3.0, 2.0])
    >>> problem = jlr.Problem(from_function(poisson, y), jlr.Dense(jnp.ones((3, 1))), jlr.NoPenalty())
    >>> jnp.exp(jlr.minimize(problem, jnp.zeros(1), solver=jlr.LBFGS()).params).round(4)  # the mean
    Array([2.], dtype=float32)
    """
    y = _floating(y)
    return ElementwiseLoss(function, y, _weights(sample_weight, y), offset)


@register_dataclass
@dataclass(frozen=True)
class FunctionLoss(MarginLoss):
    """Any pure, scalar function of a flat vector, as the loss over the identity map."""

    function: Callable[[Array], Array] = field(metadata={"static": True})

    def value(self, z: Array) -> Array:
        return self.function(z)

    def residual(self, z: Array) -> Array:
        return jax.grad(self.function)(z)

    def hessian(self, linear_map: LinearMap, z: Array) -> Array:
        return jax.hessian(self.function)(z)

    def value_and_residual(self, z: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(self.function)(z)
