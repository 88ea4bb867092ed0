"""The likelihood of a model at its data: score, information, and how both change with units.

All inference asks for the log-likelihood ``ℓ(w) = -Σ sᵢ ℓᵢ``, its score ``∂ℓ/∂w`` and the information
``I = Aᵀ diag(s σ(z) σ(-z)) A``. They are computed where rounding does least harm, in standardised coordinates, and
what comes of them is carried to the columns' own units at the end. Weights are flat here with the intercept last, as
solvers have them; what users see has the intercept first.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ..coordinates import Coordinates, choose_coordinates, in_coordinates
from ..lanes import alone
from ..linear_maps import Columns, Dense, LinearMap, PerClass, WithIntercept, one_block
from ..linear_solve import inverse_root
from ..losses import BinaryCrossEntropy, MarginLoss, SoftmaxCrossEntropy, sigmoid
from ..losses.elementwise import with_offset
from ..models.binary import flat_weights
from ..models.inputs import (
    Design,
    as_binary_labels,
    as_class_labels,
    as_design,
    as_nonnegative,
    as_offset,
    dtype_of,
)
from ..penalties import NoPenalty
from ..problem import Problem
from ..products import EXACT
from ..pytrees import register_dataclass
from ..solution import Params

__all__ = [
    "Likelihood",
    "Rows",
    "as_rows",
    "classes_of",
    "intercept_first",
    "inverse_information",
    "likelihood_of",
    "null_log_likelihood",
    "residual_of",
]


@register_dataclass
@dataclass(frozen=True)
class Rows:
    """The data of an inference, checked: ``X``, labels, total weight of the rows and the loss they pose."""

    linear_map: LinearMap
    loss: MarginLoss
    num_rows: Array

    @property
    def weight(self) -> Array:
        """``sᵢ / Σ sᵢ``, ``(m,)``."""
        weight = self.loss.row_weights()
        assert weight is not None
        return weight

    @property
    def count(self) -> Array:
        """How many rows have a positive weight."""
        return jnp.sum((self.weight > 0.0).astype(self.weight.dtype))


@register_dataclass
@dataclass(frozen=True)
class Likelihood:
    """``ℓ`` near a point, in standardised coordinates.

    Args:
        problem: the mean loss ``-ℓ / Σ sᵢ`` in those coordinates, without a penalty.
        coordinates: between them and the columns' own units.
        num_rows: ``Σ sᵢ``.
    """

    problem: Problem
    coordinates: Coordinates
    num_rows: Array

    @property
    def has_intercept(self) -> bool:
        return isinstance(one_block(self.problem.linear_map), WithIntercept)

    def value(self, v: Array) -> Array:
        """``ℓ``."""
        return -self.num_rows * self.problem.value(v)

    def score(self, v: Array) -> Array:
        """``∂ℓ/∂v``."""
        return -self.num_rows * self.problem.gradient(v)

    def information(self, v: Array) -> Array:
        """``-∂²ℓ/∂v²``."""
        return self.num_rows * self.problem.hessian(v)

    def to_user(self, matrix: Array) -> Array:
        """A covariance ``(k, k)`` of the weights, in the columns' own units."""
        once = jax.vmap(self.coordinates.to_user, in_axes=1, out_axes=1)(matrix)
        return jax.vmap(self.coordinates.to_user)(once)


def as_rows(
    params: Params,
    X: Design,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Rows:
    """The data that a model was fitted to, checked as its fit checks them.

    Raises:
        ValueError: as :func:`fit` does; for parameters of another number of columns, of lanes, or of one-vs-all.
    """
    matrix = as_design(X)
    (m, n), dtype = matrix.shape, dtype_of(matrix)
    classes = classes_of(params, n)
    weight = None if sample_weight is None else as_nonnegative("sample_weight", sample_weight, dtype, (m,))
    known = as_offset(offset, matrix, classes)
    base = matrix if isinstance(matrix, Columns) else Dense(jnp.asarray(matrix))
    linear_map: LinearMap = WithIntercept(base) if params.has_intercept else base
    total = jnp.asarray(m, dtype) if weight is None else jnp.sum(jnp.asarray(weight))
    if not classes:
        target = jnp.asarray(as_binary_labels(y, matrix, weight, params.has_intercept))
        return Rows(linear_map, BinaryCrossEntropy.create(target, weight, known), total)
    labels = as_class_labels(classes[0], y, matrix, weight, params.has_intercept)
    targets = jax.nn.one_hot(labels, classes[0], axis=0, dtype=dtype)
    loss = SoftmaxCrossEntropy.create(targets, weight, None if known is None else known.T)
    return Rows(PerClass(linear_map, classes[0]), loss, total)


def classes_of(params: Params, n: int) -> tuple[int, ...]:
    """The shape of the classes of one model of ``n`` columns: empty for a binary one.

    Raises:
        ValueError: for parameters of another number of columns, of lanes, or of one-vs-all.
    """
    if params.kind == "one_vs_all":
        raise ValueError(
            "fit must be one model, got the classifiers of fit_one_vs_all; take them one by one under jax.vmap, with "
            "Params(coef, intercept) of each and y = (labels == k)"
        )
    classes = params.coef.shape[:1] if params.kind == "softmax" else ()
    if params.coef.shape != (*classes, n):
        lanes = params.coef.ndim > 1 + len(classes)
        hint = "; it has lanes: go over them by jax.vmap" if lanes else ""
        raise ValueError(f"fit must have coefficients for the {n} columns of X, got shape {params.coef.shape}{hint}")
    return classes


def likelihood_of(rows: Rows, params: Params) -> tuple[Likelihood, Array]:
    """The likelihood, and the parameters in its coordinates, ``(k,)``."""
    problem = Problem(rows.loss, rows.linear_map, NoPenalty())
    w = flat_weights(params, params.has_intercept).reshape(-1)
    coordinates = choose_coordinates(problem, w, True, alone())
    return Likelihood(in_coordinates(problem, coordinates), coordinates, rows.num_rows), coordinates.to_solver(w)


def residual_of(loss: MarginLoss, z: Array) -> Array:
    """``∂L/∂z``, without the cancellation of ``σ(z) - 1``: what is left of a row that is predicted with certainty tells
    whether its margin is still growing."""
    if isinstance(loss, BinaryCrossEntropy):
        sign = 1.0 - 2.0 * loss.y
        return loss.weight * sign * sigmoid(sign * with_offset(z, loss.offset))
    assert isinstance(loss, SoftmaxCrossEntropy)
    p = jax.nn.softmax(with_offset(z, loss.offset), axis=0)
    others = jnp.sum((1.0 - loss.targets) * p, axis=0)
    return loss.weight[None] * jnp.where(loss.targets > 0.5, -others[None], p)


def inverse_information(information: Array) -> tuple[Array, Array]:
    """Its inverse, and whether it is singular to rounding: then columns depend on each other linearly."""
    root, _, regular = inverse_root(information)
    return jnp.matmul(root.T, root, precision=EXACT), ~regular


def null_log_likelihood(rows: Rows) -> Array:
    """``ℓ`` of the model without columns: an intercept (if the model has one) and the offset.

    By iterative scaling, ``b ← b + log(mean y / mean p)``: without an offset the first step is exact.
    """
    loss = rows.loss
    assert isinstance(loss, BinaryCrossEntropy | SoftmaxCrossEntropy)
    binary = isinstance(loss, BinaryCrossEntropy)
    classes = loss.y[None] if isinstance(loss, BinaryCrossEntropy) else loss.targets
    target = jnp.sum(loss.weight[None] * classes, axis=1)  # (1,) or (K,)
    flat = jnp.zeros(classes.shape, target.dtype)

    def value_and_step(b: Array) -> tuple[Array, Array]:
        margins = flat + b[:, None]
        margins = margins[0] if binary else margins
        mean = target + jnp.sum(loss.residual(margins).reshape(classes.shape), axis=1)
        step = jnp.log(target / mean)
        return loss.value(margins), step - jnp.log((1.0 - target) / (1.0 - mean)) if binary else step

    start = jnp.zeros_like(target)
    value, step = value_and_step(start)
    if rows.linear_map.intercept_mask().any():
        small = 4.0 * float(jnp.finfo(target.dtype).eps)

        def advance(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            count, b, step, _ = state
            b = b + step
            value, step = value_and_step(b)
            return count + 1, b, step, value

        def moves(state: tuple[Array, Array, Array, Array]) -> Array:
            count, b, step, _ = state
            return (count < 1000) & (jnp.max(jnp.abs(step)) > small * (1.0 + jnp.max(jnp.abs(b))))

        value = lax.while_loop(moves, advance, (jnp.zeros((), jnp.int32), start, step, value))[3]
    return -rows.num_rows * value


def intercept_first(x: Array, has_intercept: bool, axis: int = -1) -> Array:
    """From the solver's order to the users'."""
    return jnp.roll(x, 1, axis=axis) if has_intercept else x
