"""Preconditioners: what L-BFGS takes for the inverse Hessian before it has learned better.

All act in standardised coordinates, where ``H ≈ c G + P``: ``G = Aᵀ diag(s) A`` with the curvature ``s``
of the loss at some point, ``c`` how much more curved this lane is than ``s`` says, ``P`` the penalty's
diagonal. They differ in what they invert, and in who shares it:

================  ============================  =================================================
form              inverts                       used for
================  ============================  =================================================
the diagonal      ``1 + P`` (columns have       any number of weights
                  variance 1)
:class:`Inverse`  ``G + P``, ``(n, n)``         one binary fit with no more columns than rows; one softmax of up to
                                                1024 weights, with its Hessian in the place of ``c G``
:class:`Ladder`   ``c G + ρ P``, by inverses    lanes with their own penalties and curvatures,
                  at a few ratios ``ρ / c``     and the classes of a softmax
:class:`Rows`     the same through the          more columns than rows
                  ``(m, m)`` Gram
================  ============================  =================================================

``G`` is computed as ``curvature.py`` says. Each form says whether it is ``sound``: where columns are so nearly
collinear that float32 cannot tell, ``G`` is computed again in the precision of the data.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..lanes import Lanes
from ..linear_maps import PerClass, as_row, one_block
from ..linear_solve import ELIMINATION_MAX, gram_rounding, inverse
from ..losses import SoftmaxCrossEntropy
from ..problem import Point, Problem
from ..products import EXACT
from ..pytrees import register_dataclass
from .curvature import Effort, curvature_at, gram_dtype, takes_all_classes

__all__ = ["Inverse", "Ladder", "Preconditioner", "Rows", "form_for", "unit_diagonal", "unit_gradient"]

# A Gram is sound while its rounding stays below this part of its smallest eigenvalue.
SOUND = 0.25


def unit_diagonal(problem: Problem, w: Array) -> Array:
    """The Hessian's diagonal where every column has variance one, relative to the loss's curvature."""
    return 1.0 + problem.penalty.diagonal(w) / (problem.loss.curvature_bound or 1.0)


def unit_gradient(problem: Problem, point: Point) -> Array:
    """The gradient over that diagonal, of length one: minus it, a first step when nothing tells the scale."""
    diagonal = unit_diagonal(problem, point.w)
    return point.gradient / diagonal * lax.rsqrt(jnp.vdot(point.gradient, point.gradient / diagonal))


def _is_sound(inverse_diagonal: Array, dtype: jnp.dtype) -> Array:
    """Whether a Gram computed in ``dtype`` had digits enough, by the diagonal of its inverse (of unit diagonal)."""
    rounding = gram_rounding(inverse_diagonal.shape[0], dtype)
    return jnp.all((inverse_diagonal > 0.0) & (inverse_diagonal * rounding < SOUND))  # False for NaN


class Preconditioner:
    """A pytree with ``empty`` and ``at`` (a point) to make one, ``sound`` and ``apply``."""

    reads: ClassVar[int] = 0  # of the data, to apply it
    sound: Array

    def apply(self, problem: Problem, g: Array) -> Array:
        """``H₀⁻¹ g``."""
        raise NotImplementedError


@register_dataclass
@dataclass(frozen=True)
class Inverse(Preconditioner):
    """``(G + P)⁻¹`` itself, ``(n, n)``."""

    matrix: Array
    sound: Array

    @classmethod
    def empty(cls, problem: Problem, w: Array) -> "Inverse":
        n = w.shape[0]
        return cls(jnp.zeros((n, n), w.dtype), jnp.zeros((), bool))

    @classmethod
    def at(cls, problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> "Inverse":
        if takes_all_classes(problem, lanes):
            H, total = _of_all_classes(problem, point, effort), jnp.ones((), point.w.dtype)
        else:
            curvature = curvature_at(problem, point, lanes, effort)
            H, total = effort.gram(problem.linear_map, curvature.weights), curvature.total
        H = H.astype(point.w.dtype)
        eye = jnp.eye(H.shape[0], dtype=H.dtype)
        H = H + eye * (problem.penalty.diagonal(point.w) / total)[None]
        found = inverse(H)
        sound = _is_sound(jnp.sum(found * eye, axis=0) * jnp.sum(H * eye, axis=0), effort.dtype)
        return cls(found / total, sound)

    def apply(self, problem: Problem, g: Array) -> Array:
        return g @ self.matrix


def _of_all_classes(problem: Problem, point: Point, effort: Effort) -> Array:
    """A softmax's Hessian, with curvature also along what moves all classes alike, where it has none of its own."""
    assert isinstance(problem.linear_map, PerClass)
    assert isinstance(problem.loss, SoftmaxCrossEntropy)
    count = problem.linear_map.num_classes
    H = problem.loss.hessian(problem.linear_map, point.z, effort.dtype)
    diagonal = jnp.sum(H * jnp.eye(H.shape[0], dtype=H.dtype), axis=0)
    mean = jnp.mean(diagonal.reshape(count, -1), axis=0)
    return H + jnp.tile(jnp.diag(mean / count), (count, count))


@register_dataclass
@dataclass(frozen=True)
class Ladder(Preconditioner):
    """``(c G + ρ P)⁻¹`` for every ``c`` and ``ρ``, from inverses at a few ratios ``κ = ρ / c``.

    ``M_κ = (G + κ P)⁻¹`` is known at ``RUNGS`` ratios that span those of all lanes (and of the classes of a
    softmax) evenly in ``log κ``. Between two of them ``(a M + b M') / c`` with ``a + b = 1`` takes its place, linear in
    ``1/κ``: exact where ``G`` or ``P`` vanishes, positive definite always. The rungs are common to all lanes, ``c``
    and ``ρ`` are each one's own.
    """

    matrices: Array  # M_κ, (RUNGS, n, n)
    ratios: Array  # κ, (RUNGS,)
    share: Array  # c, () or (K,)
    ratio: Array  # ρ, ()
    total: Array  # ()
    sound: Array

    RUNGS: ClassVar[int] = 4
    WIDEST: ClassVar[float] = 1e4  # the last ratio over the first, at most

    @classmethod
    def empty(cls, problem: Problem, w: Array) -> "Ladder":
        n, dtype = one_block(problem.linear_map).shape[1], gram_dtype(problem, w.dtype)
        zero, no = jnp.zeros((), w.dtype), jnp.zeros((), bool)
        matrices, ratios = jnp.zeros((cls.RUNGS, n, n), dtype), jnp.zeros((cls.RUNGS,), dtype)
        return cls(matrices, ratios, _no_share(problem, w), zero, zero, no)

    @classmethod
    def at(cls, problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> "Ladder":
        curvature = curvature_at(problem, point, lanes, effort)
        base = one_block(problem.linear_map)
        n, dtype = base.shape[1], effort.dtype
        penalty, ratio = pooled_penalty(problem, point.w, n, lanes)
        own = ratio / curvature.share
        counts = lanes.active & jnp.all(jnp.isfinite(own))
        highest = lanes.most(jnp.where(counts, jnp.max(own), 0.0))
        lowest = -lanes.most(jnp.where(counts, -jnp.min(own), -jnp.inf))
        highest = jnp.where(highest > 0.0, highest, 1.0)
        lowest = jnp.clip(lowest, highest / cls.WIDEST, highest)
        steps = jnp.arange(cls.RUNGS, dtype=dtype) / (cls.RUNGS - 1)
        ratios = (lowest * (highest / lowest) ** steps.astype(lowest.dtype)).astype(dtype)
        G, eye = effort.gram(base, curvature.weights), jnp.eye(n, dtype=dtype)
        penalty = (penalty / curvature.total).astype(dtype)
        H = G[None] + ratios[:, None, None] * (eye * penalty[None])[None]
        matrices = jax.vmap(inverse)(H)
        diagonals = jnp.sum(matrices * eye[None], axis=1) * jnp.sum(H * eye[None], axis=1)
        sound = jnp.all(jax.vmap(lambda diagonal: _is_sound(diagonal, dtype))(diagonals))
        stored = gram_dtype(problem, point.w.dtype)
        return cls(matrices.astype(stored), ratios.astype(stored), curvature.share, ratio, curvature.total, sound)

    def apply(self, problem: Problem, g: Array) -> Array:
        dtype, n = self.matrices.dtype, self.matrices.shape[-1]
        share = jnp.where(self.share > 0.0, self.share, 1.0)
        # How far past each rung, in 1/κ: what passes one and not the next has that one's weight.
        rungs, own = 1.0 / self.ratios, (share / self.ratio).astype(dtype)[..., None]
        gaps = rungs[:-1] - rungs[1:]
        flat = (1,) * share.ndim + (-1,)
        past = (rungs[:-1].reshape(flat) - own) / jnp.where(gaps > 0.0, gaps, 1.0).reshape(flat)
        past = jnp.clip(past, 0.0, 1.0)
        one, zero = jnp.ones_like(own), jnp.zeros_like(own)
        weights = jnp.concatenate([one, past], axis=-1) - jnp.concatenate([past, zero], axis=-1)
        blocks = g.reshape(*share.shape, n).astype(dtype)
        each = (weights[..., :, None] * blocks[..., None, :]).reshape(*share.shape, -1)
        turned = jnp.matmul(each, self.matrices.reshape(-1, n), precision=EXACT)
        return (turned.astype(g.dtype) / (share[..., None] * self.total)).reshape(-1)


def _no_share(problem: Problem, w: Array) -> Array:
    """Zero, for each class if there are classes."""
    shape = (problem.linear_map.num_classes,) if isinstance(problem.linear_map, PerClass) else ()
    return jnp.zeros(shape, w.dtype)


def pooled_penalty(problem: Problem, w: Array, n: int, lanes: Lanes) -> tuple[Array, Array]:
    """The penalty's diagonal for one block of weights, pooled over the lanes, and this lane's over it."""
    own = jnp.mean(problem.penalty.diagonal(w).reshape(-1, n), axis=0)
    pooled = lanes.mean(own)
    total = jnp.sum(pooled)
    ratio = jnp.sum(own) / jnp.where(total > 0.0, total, 1.0)
    return pooled, jnp.where(total > 0.0, ratio, 1.0)


@register_dataclass
@dataclass(frozen=True)
class Rows(Preconditioner):
    """``(c G + ρ D)⁻¹`` through the row space, by Woodbury's identity; for more columns than rows.

    With ``B = diag(√s) A`` and ``B D⁻¹ Bᵀ = U diag(k) Uᵀ``, ``(m, m)``:
    ``(c G + ρ D)⁻¹ = (D⁻¹ - D⁻¹ Bᵀ U diag(c / (ρ + c k)) Uᵀ B D⁻¹) / ρ``. Applying it reads the data twice.
    ``D`` is the penalty's diagonal, and a small part of the curvature where a weight is free.
    """

    root: Array  # √s, (m,)
    vectors: Array  # U, (m, m)
    spectrum: Array  # k, (m,)
    diagonal: Array  # D, (n,)
    share: Array
    ratio: Array
    total: Array
    sound: Array

    reads: ClassVar[int] = 2
    FREE: ClassVar[float] = 1e-3  # of the curvature, where nothing is penalised

    @classmethod
    def empty(cls, problem: Problem, w: Array) -> "Rows":
        m, n = one_block(problem.linear_map).shape
        zero, no = jnp.zeros((), w.dtype), jnp.zeros((), bool)
        rows, square = jnp.zeros((m,), w.dtype), jnp.zeros((m, m), w.dtype)
        return cls(rows, square, rows, jnp.zeros((n,), w.dtype), _no_share(problem, w), zero, zero, no)

    @classmethod
    def at(cls, problem: Problem, point: Point, lanes: Lanes, effort: Effort) -> "Rows":
        curvature = curvature_at(problem, point, lanes, effort)
        base = one_block(problem.linear_map)
        m, n = base.shape
        penalty, ratio = pooled_penalty(problem, point.w, n, lanes)
        diagonal = penalty / curvature.total
        diagonal = jnp.where(diagonal > 0.0, diagonal, cls.FREE)
        root = jnp.sqrt(curvature.weights)
        # B = diag(√s) A, made from the rows: here n > m, and A is small.
        half = root[:, None] * base.rows(0, m) * lax.rsqrt(diagonal)[None]
        spectrum, vectors = jnp.linalg.eigh(half @ half.T)
        finite = jnp.all(jnp.isfinite(vectors)) & jnp.all(jnp.isfinite(spectrum))
        vectors = jnp.where(finite, vectors, 0.0)
        spectrum = jnp.where(finite, jnp.maximum(spectrum, 0.0), 0.0)
        # Sound: it was computed in the precision of the data.
        return cls(root, vectors, spectrum, diagonal, curvature.share, ratio, curvature.total, jnp.ones((), bool))

    def apply(self, problem: Problem, g: Array) -> Array:
        base, share, ratio = one_block(problem.linear_map), self.share[..., None], self.ratio
        diagonal, root, spectrum = (as_row(x, share) for x in (self.diagonal, self.root, self.spectrum))
        blocks = g.reshape(*self.share.shape, -1) / diagonal
        turned = jnp.matmul(root * base.mv(blocks), self.vectors) * (share / (ratio + share * spectrum))
        back = base.rmv(root * jnp.matmul(turned, self.vectors.T)) / diagonal
        return ((blocks - back) / (ratio * self.total)).reshape(-1)


def form_for(problem: Problem, lanes: Lanes) -> type[Inverse] | type[Ladder] | type[Rows]:
    """The form for a problem's shape."""
    m, n = one_block(problem.linear_map).shape
    if n > m and n > ELIMINATION_MAX:
        return Rows
    if takes_all_classes(problem, lanes):
        return Inverse
    return Ladder if lanes.share or isinstance(problem.linear_map, PerClass) else Inverse
