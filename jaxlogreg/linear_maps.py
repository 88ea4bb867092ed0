"""Linear maps: ``A`` in ``F(w) = L(A w) + R(w)``, from weights to margins.

A map knows its shape ``(m, n)`` and gives ``mv(w) = A w`` and ``rmv(r) = Aᵀ r``; both act on the
last axis, so lanes come first: weights ``(..., n)``, margins ``(..., m)``. Products are written with
lanes as the left factor (``w @ X.T``, ``r @ X``): the same one ``dot_general`` serves one vector and
a batch, and under ``vmap`` it becomes a matrix product without a transposition.

What a Newton step or a preconditioner needs of the matrix itself comes from ``rows``, a block of
rows at a time: no second copy of ``X`` and no temporary of its size, however maps are nested.
"""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from . import products
from .pytrees import register_dataclass

__all__ = [
    "Columns",
    "Dense",
    "Identity",
    "Index",
    "LinearMap",
    "PerClass",
    "Standardized",
    "WithIntercept",
    "as_row",
    "one_block",
]


Index = slice | Array  # of rows


class LinearMap:
    """A matrix known by its products. Subclasses give ``shape``, ``mv``, ``rmv`` and ``rows``."""

    @property
    def shape(self) -> tuple[int, int]:
        raise NotImplementedError

    def mv(self, w: Array) -> Array:
        """``A w``: weights ``(..., n)`` to margins ``(..., m)``."""
        raise NotImplementedError

    def rmv(self, r: Array) -> Array:
        """``Aᵀ r``: residuals ``(..., m)`` to gradients ``(..., n)``."""
        raise NotImplementedError

    def rows(self, start: Array | int, size: int) -> Array:
        """Rows ``start .. start + size`` of ``A`` as an array ``(size, n)``."""
        raise NotImplementedError

    def taking(self, index: Index) -> "LinearMap":
        """The map of some rows: a slice, or their numbers."""
        raise NotImplementedError

    def columns(self, index: Array) -> "LinearMap":
        """The map of some columns, copied, and of the intercept."""
        raise NotImplementedError

    def intercept_mask(self) -> np.ndarray:
        """Which weights are intercepts, ``(n,)``; known when tracing."""
        return np.zeros(self.shape[1], bool)

    def gram(self, s: Array, dtype: Any = None) -> Array:
        """``Aᵀ diag(s) A``, ``(n, n)``, computed in ``dtype``, that of ``s`` when None."""
        return products.gram(self, s.astype(dtype or s.dtype))

    def centred_gram(self, s: Array, mean: Array, dtype: Any = None) -> Array:
        """The same of ``A - 1 meanᵀ``."""
        return products.gram(Standardized(self, mean, jnp.ones_like(mean)), s.astype(dtype or s.dtype))

    def moments(self, s: Array) -> tuple[Array, Array]:
        """Mean and variance of each column under row weights ``s`` that sum to one."""
        return products.moments(self, s)


@register_dataclass
@dataclass(frozen=True)
class Dense(LinearMap):
    """``A = X``, a dense array ``(m, n)``."""

    matrix: Array

    @property
    def shape(self) -> tuple[int, int]:
        m, n = self.matrix.shape
        return m, n

    def mv(self, w: Array) -> Array:
        return products.product(self.matrix, w)

    def rmv(self, r: Array) -> Array:
        return products.transposed_product(self.matrix, r)

    def taking(self, index: Index) -> "Dense":
        return Dense(self.matrix[index])

    def columns(self, index: Array) -> "Dense":
        return Dense(self.matrix[:, index])

    def rows(self, start: Array | int, size: int) -> Array:
        if size == self.matrix.shape[0]:
            return self.matrix
        return lax.dynamic_slice_in_dim(self.matrix, start, size, axis=0)


@register_dataclass
@dataclass(frozen=True)
class Columns(LinearMap):
    """``A = [shared own]``: columns that many fits share, and one or a few of each fit's own.

    Under ``vmap`` over ``own`` the shared columns stay in one copy, and what is computed from them is
    computed for all lanes in one product: a genome-wide scan, covariates and one variant a fit. Lanes that differ
    in nothing else start from the fit without ``own``.

    Args:
        shared: ``(m, k)``.
        own: ``(m,)``, or ``(m, p)`` for a few columns.

    >>> import jax, jaxlogreg as jlr
    >>> C, G = jnp.array([[0.0], [1.0], [2.0], [3.0]]), jnp.array([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]])
    >>> y = jnp.array([0, 1, 0, 1])
    >>> jax.vmap(lambda g: jlr.fit(jlr.Columns(C, g), y, l2=0.1))(G).params.coef.shape  # lanes x columns
    (2, 2)
    """

    shared: Array
    own: Array

    @property
    def shape(self) -> tuple[int, int]:
        m, k = self.shared.shape
        return m, k + (1 if self.own.ndim == 1 else self.own.shape[1])

    def _own(self) -> list[Array]:
        return [self.own] if self.own.ndim == 1 else [self.own[:, j] for j in range(self.own.shape[1])]

    def mv(self, w: Array) -> Array:
        k = self.shared.shape[1]
        z = products.product(self.shared, w[..., :k])
        for j, column in enumerate(self._own()):
            z = z + w[..., k + j, None] * as_row(column, w)
        return z

    def rmv(self, r: Array) -> Array:
        own = [jnp.sum(r * as_row(column, r), axis=-1) for column in self._own()]
        return jnp.concatenate([products.transposed_product(self.shared, r), jnp.stack(own, axis=-1)], axis=-1)

    def rows(self, start: Array | int, size: int) -> Array:
        own = [lax.dynamic_slice_in_dim(column, start, size) for column in self._own()]
        return jnp.concatenate([Dense(self.shared).rows(start, size), jnp.stack(own, axis=1)], axis=1)

    def taking(self, index: Index) -> "Columns":
        return Columns(self.shared[index], self.own[index])

    def gram(self, s: Array, dtype: Any = None) -> Array:
        return self.centred_gram(s, jnp.zeros((self.shape[1],), s.dtype), dtype)

    def centred_gram(self, s: Array, mean: Array, dtype: Any = None) -> Array:
        k = self.shared.shape[1]
        # The shared block about the columns' own mean, which no lane moves, and from there to ``mean``.
        centre = jnp.mean(self.shared, axis=0)
        shift, total = mean[:k] - centre, jnp.sum(s)
        block = Dense(self.shared).centred_gram(s, centre)
        edge = products.transposed_product(self.shared, s) - total * centre
        block = block - shift[:, None] * edge[None] - edge[:, None] * shift[None]
        block = block + total * shift[:, None] * shift[None]
        own = [column - mean[k + j] for j, column in enumerate(self._own())]
        weighted = [s * column for column in own]
        cross = [products.transposed_product(self.shared, r) - mean[:k] * jnp.sum(r) for r in weighted]
        corner = jnp.stack([jnp.stack([jnp.sum(r * column) for column in own]) for r in weighted])
        edges = jnp.stack(cross, axis=1)
        whole = jnp.concatenate(
            [jnp.concatenate([block, edges], axis=1), jnp.concatenate([edges.T, corner], axis=1)], axis=0
        )
        return whole.astype(dtype or s.dtype)

    def moments(self, s: Array) -> tuple[Array, Array]:
        mean, variance = Dense(self.shared).moments(s)
        own = jnp.stack([jnp.sum(s * column) for column in self._own()])
        spread = [jnp.sum(s * jnp.square(column - own[j])) for j, column in enumerate(self._own())]
        return jnp.concatenate([mean, own]), jnp.concatenate([variance, jnp.stack(spread)])


@register_dataclass
@dataclass(frozen=True)
class WithIntercept(LinearMap):
    """``A = [B 1]``: the last weight is the intercept."""

    base: LinearMap

    @property
    def shape(self) -> tuple[int, int]:
        m, n = self.base.shape
        return m, n + 1

    def mv(self, w: Array) -> Array:
        return self.base.mv(w[..., :-1]) + w[..., -1:]

    def rmv(self, r: Array) -> Array:
        return jnp.concatenate([self.base.rmv(r), jnp.sum(r, axis=-1, keepdims=True)], axis=-1)

    def taking(self, index: Index) -> "WithIntercept":
        return WithIntercept(self.base.taking(index))

    def columns(self, index: Array) -> "WithIntercept":
        return WithIntercept(self.base.columns(index))

    def gram(self, s: Array, dtype: Any = None) -> Array:
        block = self.base.gram(s, dtype)
        edge, corner = self.base.rmv(s).astype(block.dtype), jnp.sum(s).astype(block.dtype)
        top = jnp.concatenate([block, edge[:, None]], axis=1)
        return jnp.concatenate([top, jnp.append(edge, corner)[None]], axis=0)

    def intercept_mask(self) -> np.ndarray:
        return np.append(np.zeros(self.base.shape[1], bool), True)

    def rows(self, start: Array | int, size: int) -> Array:
        rows = self.base.rows(start, size)
        return jnp.concatenate([rows, jnp.ones((size, 1), rows.dtype)], axis=1)


@register_dataclass
@dataclass(frozen=True)
class Standardized(LinearMap):
    """``A = (B - 1 meanᵀ) diag(1/scale)``, lazily: columns centred and scaled without a copy.

    Args:
        base: the map whose columns are standardised, ``(m, n)``.
        mean, scale: ``(n,)`` each; the moments of ``base.moments(weights)``, or any others.
    """

    base: LinearMap
    mean: Array
    scale: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.base.shape

    def mv(self, w: Array) -> Array:
        w = w / as_row(self.scale, w)
        return self.base.mv(w) - jnp.sum(as_row(self.mean, w) * w, axis=-1, keepdims=True)

    def rmv(self, r: Array) -> Array:
        centred = self.base.rmv(r) - as_row(self.mean, r) * jnp.sum(r, axis=-1, keepdims=True)
        return centred / as_row(self.scale, r)

    def taking(self, index: Index) -> "Standardized":
        return Standardized(self.base.taking(index), self.mean, self.scale)

    def columns(self, index: Array) -> "Standardized":
        return Standardized(self.base.columns(index), self.mean[index], self.scale[index])

    def gram(self, s: Array, dtype: Any = None) -> Array:
        block = self.base.centred_gram(s, self.mean, dtype)
        scale = self.scale.astype(block.dtype)
        return block / scale[:, None] / scale[None, :]

    def intercept_mask(self) -> np.ndarray:
        return self.base.intercept_mask()

    def rows(self, start: Array | int, size: int) -> Array:
        return (self.base.rows(start, size) - self.mean[None, :]) / self.scale[None, :]


@register_dataclass
@dataclass(frozen=True)
class PerClass(LinearMap):
    """One block of weights a class: flat weights ``(K n,)`` to margins ``(K, m)``."""

    base: LinearMap
    num_classes: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        m, n = self.base.shape
        return m, self.num_classes * n

    def mv(self, w: Array) -> Array:
        return self.base.mv(w.reshape(self.num_classes, -1))

    def rmv(self, r: Array) -> Array:
        return self.base.rmv(r).reshape(-1)

    def taking(self, index: Index) -> "PerClass":
        return PerClass(self.base.taking(index), self.num_classes)

    def intercept_mask(self) -> np.ndarray:
        return np.tile(self.base.intercept_mask(), self.num_classes)


@register_dataclass
@dataclass(frozen=True)
class Identity(LinearMap):
    """``A w = w``: with it, ``F`` is any pure function of a vector."""

    size: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        return self.size, self.size

    def mv(self, w: Array) -> Array:
        return w

    def rmv(self, r: Array) -> Array:
        return r


def one_block(linear_map: LinearMap) -> LinearMap:
    """The map of one class's weights, where there are classes."""
    return linear_map.base if isinstance(linear_map, PerClass) else linear_map


def as_row(column_values: Array, like: Array) -> Array:
    """``(n,)`` as ``(1, ..., n)``, to go with lanes."""
    return column_values.reshape((1,) * (like.ndim - 1) + (-1,))
