"""Features: columns made of columns, so that a linear model draws boundaries that are not linear.

A logistic regression is linear in its columns, and says nothing of where they come from:

- ``polynomial``: the monomials ``Π xⱼ^aⱼ`` with ``1 <= Σ aⱼ <= degree``. The boundary ``z = 0`` becomes an algebraic
  curve: of degree 2 a circle, of degree 6 a heart.
- ``standardization``: ``(x - mean) / scale`` with the moments of the training rows, for all rows to come.
- ``one_hot``: a column of 0 and 1 for each category of a column of categories.

Each has names for its columns where they are new ones. There is no column of ones: a fit has its intercept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, combinations, combinations_with_replacement
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_size, is_concrete
from ..coordinates import is_constant
from ..linear_maps import Columns, Dense
from ..models.inputs import as_design, as_nonnegative
from ..pytrees import register_dataclass

__all__ = ["Standardization", "one_hot", "one_hot_names", "polynomial", "polynomial_names", "standardization"]


def polynomial(X: ArrayLike, degree: int, *, interaction_only: bool = False) -> Array:
    """All monomials of the columns up to a degree: ``x₁, x₂, x₁², x₁x₂, x₂², ...``.

    ``n`` columns have ``(n + degree)! / (n! degree!) - 1`` of them. Each is one product, of a column with a monomial of
    one degree less. Works under ``jit``, ``vmap`` and ``grad``.

    Args:
        X: ``(m, n)``.
        degree: the largest sum of exponents, at least 1. High powers of columns far from the unit interval lose digits:
            standardise first (see :func:`standardization`).
        interaction_only: whether to leave out every power of a column: ``x₁x₂`` but not ``x₁²``.

    Returns:
        ``(m, columns)``, by degree, and within one degree in the order of the columns; :func:`polynomial_names` names
        them. The first ``n`` are ``X`` itself.

    Raises:
        ValueError: for an ``X`` that is no finite ``(m, n)``, a degree that is no integer of at least 1, and powers
            beyond the range of the dtype.

    >>> polynomial(jnp.array([[2.0, 3.0]]), 2)
    Array([[2., 3., 4., 6., 9.]], dtype=float32)
    >>> polynomial(jnp.array([[2.0, 3.0]]), 2, interaction_only=True)
    Array([[2., 3., 6.]], dtype=float32)
    """
    matrix, degree = _as_matrix(X), as_size("degree", degree, 1)
    monomials = _polynomial(degree, interaction_only, matrix)
    if is_concrete(monomials) and not jnp.all(jnp.isfinite(monomials)):
        raise ValueError(
            f"X must be small enough for products of degree {degree} in {matrix.dtype}, got values up to "
            f"{np.max(np.abs(np.asarray(matrix))):.3g}; standardise the columns first"
        )
    return monomials


def polynomial_names(names: Sequence[str], degree: int, *, interaction_only: bool = False) -> tuple[str, ...]:
    """The names of the columns of :func:`polynomial`, in their order.

    Args:
        names: of the columns of ``X``.
        degree, interaction_only: as for :func:`polynomial`.

    >>> polynomial_names(["age", "bmi"], 2)
    ('age', 'bmi', 'age^2', 'age bmi', 'bmi^2')
    """
    degree = as_size("degree", degree, 1)
    chosen = combinations if interaction_only else combinations_with_replacement
    factors = chain.from_iterable(chosen(range(len(names)), d) for d in range(1, degree + 1))
    return tuple(" ".join(_power(str(names[j]), term.count(j)) for j in dict.fromkeys(term)) for term in factors)


@register_dataclass
@dataclass(frozen=True)
class Standardization:
    """The change of units ``z = (x - mean) / scale`` of each column, and back.

    Args:
        mean: of the columns, ``(n,)``.
        scale: their standard deviations, ``(n,)``; one where a column is constant.
    """

    mean: Array
    scale: Array

    def apply(self, X: ArrayLike) -> Array:
        """``(X - mean) / scale``, for rows of any origin, ``(m, n)``."""
        matrix = self._as_matrix(X)
        return (matrix - self.mean[None, :]) / self.scale[None, :]

    def invert(self, Z: ArrayLike) -> Array:
        """``Z scale + mean``: the rows ``(m, n)`` in their own units again."""
        matrix = self._as_matrix(Z)
        return matrix * self.scale[None, :] + self.mean[None, :]

    def _as_matrix(self, X: ArrayLike) -> Array:
        matrix = _as_matrix(X)
        if matrix.shape[1] != self.mean.shape[0]:
            raise ValueError(
                f"X must have the {self.mean.shape[0]} columns that were standardised, got {matrix.shape[1]}"
            )
        return matrix.astype(self.mean.dtype)


def standardization(X: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Standardization:
    """Learn from training rows what is standard: each column's mean, and its standard deviation over all ``m`` rows.

    Test rows are to be standardised by the moments of the training rows: they stand for rows not yet seen. A fit needs
    none of it for speed, and ``fit(..., standardize=True)`` penalises alike without a copy of the data; it is for
    powers of columns, and for coefficients that can be compared.

    Args:
        X: ``(m, n)``.
        sample_weight: at least 0, ``(m,)``; all alike when None.

    Returns:
        A :class:`Standardization`, whose ``apply`` gives columns of mean 0 and standard deviation 1 (of a constant
        column, zeros).

    Raises:
        ValueError: for an ``X`` that is no finite ``(m, n)`` and for weights that are no weights.

    >>> scaling = standardization(jnp.array([[1.0, 5.0], [3.0, 5.0], [1.0, 5.0], [3.0, 5.0]]))
    >>> scaling.apply(jnp.array([[1.0, 5.0], [5.0, 6.0]]))
    Array([[-1.,  0.],
           [ 3.,  1.]], dtype=float32)
    >>> scaling.invert(jnp.array([[3.0, 1.0]]))
    Array([[5., 6.]], dtype=float32)
    """
    matrix = _as_matrix(X)
    m, dtype = matrix.shape[0], matrix.dtype
    weight = np.ones(m, dtype) if sample_weight is None else sample_weight
    return _standardization(matrix, as_nonnegative("sample_weight", weight, dtype, (m,)))


def one_hot(values: ArrayLike | Sequence[Any], categories: Sequence[Any], *, reference: Any = None) -> Array:
    """A column of 0 and 1 for each category, but for the reference.

    Beside an intercept all categories together are one column too many (they sum to one), and without a penalty no
    estimates exist; with a ``reference`` left out, the coefficients compare the other categories with it.

    Args:
        values: of the column, ``(m,)``: numbers, strings or what else can be compared. Under ``jit`` numbers.
        categories: the distinct values there are, in the order of the columns. They are given, not looked up, so that
            new rows have the columns of the training rows.
        reference: the category that has no column; each has one when None.

    Returns:
        ``(m, columns)``, of the default float dtype; :func:`one_hot_names` names them. A value that is no category is
        an error; under ``jit``, where there are no values to look at, its row is NaN. (A row of zeros would be the
        reference.)

    Raises:
        ValueError: for values that are no vector, or outside the categories; categories that are not distinct; a
            reference that is none of them.

    >>> one_hot(["red", "blue", "red"], ["red", "green", "blue"], reference="green")
    Array([[1., 0.],
           [0., 1.],
           [1., 0.]], dtype=float32)
    """
    categories = _as_categories(categories, reference)
    column: Any = values if isinstance(values, jax.Array) else np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"values must be one column, a vector (m,), got shape {column.shape}")
    kept = [j for j, category in enumerate(categories) if reference is None or category != reference]
    if not is_concrete(column):
        found = jnp.stack([column == _as_traced(category, column.dtype) for category in categories], axis=1)
        columns = found[:, np.array(kept, int)].astype(jnp.result_type(float))
        return jnp.where(jnp.any(found, axis=1, keepdims=True), columns, jnp.nan)
    column = np.asarray(column)
    found = np.stack([np.asarray(column == category) for category in categories], axis=1)
    unknown = np.flatnonzero(~found.any(axis=1))
    if unknown.size:
        raise ValueError(
            f"values must be among the categories {list(categories)}, got {column.tolist()[unknown[0]]!r} in row "
            f"{unknown[0]}; add it to the categories, or drop these rows"
        )
    return jnp.asarray(found[:, kept], jnp.result_type(float))


def one_hot_names(name: str, categories: Sequence[Any], *, reference: Any = None) -> tuple[str, ...]:
    """The names of the columns of :func:`one_hot`, in their order.

    >>> one_hot_names("rank", [1, 2, 3, 4], reference=1)
    ('rank 2', 'rank 3', 'rank 4')
    """
    categories = _as_categories(categories, reference)
    return tuple(f"{name} {category}" for category in categories if reference is None or category != reference)


@partial(program, static_argnums=(0, 1))
def _polynomial(degree: int, interaction_only: bool, X: Array) -> Array:
    n = X.shape[1]
    # Monomials of one degree, those that begin with the first column first; starts[j]: where those with xⱼ begin.
    block, starts, blocks = X, list(range(n)), [X]
    for _ in range(1, degree):
        # Times xⱼ go the monomials that begin with xⱼ or a later column: a part without a gap.
        tails = [block[:, start:] for start in (starts[1:] if interaction_only else starts)]
        parts = [X[:, j, None] * tail for j, tail in enumerate(tails)]
        sizes = [part.shape[1] for part in parts]
        if not sum(sizes):
            break
        block = jnp.concatenate(parts, axis=1)
        starts = [*accumulate(sizes, initial=0)][: len(sizes)]
        blocks.append(block)
    return jnp.concatenate(blocks, axis=1)


@program
def _standardization(X: Array, weight: Array) -> Standardization:
    # In units of a power of two near the largest number: squares are then within the range of the dtype.
    _, exponent = jnp.frexp(jnp.max(jnp.abs(X), axis=0))
    most = jnp.finfo(X.dtype).maxexp - 30
    exponent = jnp.clip(exponent, -most, most)
    mean, variance = Dense(jnp.ldexp(X, -exponent[None, :])).moments(weight / jnp.sum(weight))
    constant = is_constant(variance, variance + mean * mean)
    deviation = jnp.where(constant, 1.0, jnp.ldexp(jnp.sqrt(jnp.where(constant, 1.0, variance)), exponent))
    return Standardization(jnp.ldexp(mean, exponent), deviation)


def _as_matrix(X: ArrayLike) -> Array:
    matrix = as_design(X)
    if isinstance(matrix, Columns):
        raise ValueError("X must be one array (m, n), got Columns; make features of their parts")
    return matrix


def _power(name: str, exponent: int) -> str:
    return name if exponent == 1 else f"{name}^{exponent}"


def _as_categories(categories: Sequence[Any], reference: Any) -> tuple[Any, ...]:
    """As Python values, which NumPy and JAX compare with arrays of any dtype."""
    if not isinstance(categories, Iterable):
        raise ValueError(f"categories must be a list of the distinct values, got {categories!r}")
    values = tuple(x.item() if isinstance(x, (np.generic, np.ndarray, jax.Array)) else x for x in categories)
    if len(set(values)) != len(values) or any(x != x for x in values) or not values:
        raise ValueError(f"categories must be distinct values, at least one and none of them NaN, got {list(values)}")
    if reference is not None and reference not in values:
        raise ValueError(f"reference must be one of the categories {list(values)}, got {reference!r}")
    return values


def _as_traced(category: Any, dtype: Any) -> Array:
    """A category to compare traced values with, in their dtype."""
    value = np.asarray(category)
    if value.dtype.kind not in "biuf" or (dtype.kind != "f" and value.astype(dtype) != value):
        raise ValueError(f"categories must be numbers of the values' dtype {dtype} under jit, got {category!r}")
    return jnp.asarray(value, dtype)
