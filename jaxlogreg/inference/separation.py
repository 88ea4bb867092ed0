"""Separation: which maximum-likelihood estimates are infinite, by linear programming.

Let ``ã_i = (2 yᵢ - 1) (1, xᵢ)``. Along a direction ``δ`` with ``ã_iᵀδ >= 0`` for every row the likelihood never falls,
and it rises for ever where one of these margins is positive: the estimate is infinite. The classes are then
separated, completely if all margins are positive, otherwise quasi-completely; a logistic regression has finite
estimates if and only if they overlap.

References: Albert & Anderson (1984); Konis, Linear programming algorithms for detecting separated data in binary
logistic regression models (2007).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jax.typing import ArrayLike

from ..concrete import is_concrete
from ..linear_maps import Columns, Dense
from ..models.inputs import Design, as_binary_labels, as_design, as_nonnegative, dtype_of

__all__ = ["Separation", "detect_separation"]

DEPENDENT = 1e-9  # of a column's length: what is left of one that others explain
ZERO = 1e-7  # of a direction in [-1, 1]: the feasibility tolerance of HiGHS


@dataclass(frozen=True)
class Separation:
    """Whether classes are separated.

    Args:
        kind: ``"none"``: they overlap, and the estimates are finite; ``"quasi"``: some rows lie on the boundary, and
            the estimates of some coefficients are infinite; ``"complete"``: a hyperplane has each class on its own
            side.
        direction: of the maximum-likelihood estimate, the intercept first, ``(k,)``: 0 where it is finite, ``inf`` or
            ``-inf`` where it is not. A column that others before it explain counts as left out: 0.
        separated: which rows have a probability of 0 or 1 in the limit, ``(m,)``; rows of weight zero have none.
    """

    kind: Literal["none", "quasi", "complete"]
    direction: np.ndarray
    separated: np.ndarray

    def __str__(self) -> str:
        if self.kind == "none":
            return "The classes overlap: maximum-likelihood estimates are finite."
        infinite = int(np.isinf(self.direction).sum())
        return (
            f"The classes are separated ({self.kind}): {int(self.separated.sum())} of {self.separated.size} rows are "
            f"predicted with certainty, and {infinite} of {self.direction.size} maximum-likelihood estimates are "
            "infinite. Use fit_firth, or a penalty."
        )


def detect_separation(
    X: Design, y: ArrayLike, sample_weight: ArrayLike | None = None, intercept: bool = True
) -> Separation:
    """Tell complete, quasi-complete and no separation, and which estimates are infinite.

    Maximises ``Σ min(ã_iᵀδ, 1)`` over directions ``δ`` with every ``ã_iᵀδ >= 0``, by SciPy's HiGHS: the rows where
    that is 1 are separated, on all others it is 0. Among directions that separate the same rows, the signs are those
    of the one in ``[-1, 1]ᵏ`` (columns scaled to at most 1) with the largest sum of margins; where directions of either
    sign separate, that one is as good as its opposite.

    Args:
        X: ``(m, n)``; concrete, not traced (a linear program is no JAX function).
        y: labels 0 or 1, ``(m,)``.
        sample_weight: rows of weight zero do not count.
        intercept: whether the model has one.

    Returns:
        A :class:`Separation`.

    Raises:
        ValueError: as :func:`fit` does, and for traced arguments.

    >>> import numpy as np, jaxlogreg as jlr
    >>> X, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 1, 1, 1])  # x = 1 is always a success
    >>> found = jlr.detect_separation(X, y)
    >>> found.kind, found.direction  # the intercept is finite
    ('quasi', array([ 0., inf]))
    """
    if not all(is_concrete(leaf) for leaf in (y, sample_weight, *_leaves(X)) if leaf is not None):
        raise ValueError(
            "X, y and sample_weight must be concrete for detect_separation: it solves a linear program on the host; "
            "call it outside jit and vmap (inside, summary refuses fits that are separated)"
        )
    matrix = as_design(X)
    m = matrix.shape[0]
    weight = None
    if sample_weight is not None:
        weight = np.asarray(as_nonnegative("sample_weight", sample_weight, dtype_of(matrix), (m,)))
    labels = np.asarray(as_binary_labels(y, matrix, weight, intercept), float)  # pyright: ignore[reportArgumentType]
    base = matrix if isinstance(matrix, Columns) else Dense(matrix)  # pyright: ignore[reportArgumentType]
    A = np.asarray(base.rows(0, m), float)
    if intercept:
        A = np.column_stack([np.ones(m), A])
    counted = np.ones(m, bool) if weight is None else weight > 0
    # Each row once: many are alike where columns are factors.
    signed = np.column_stack([np.where(labels > 0.5, 1.0, -1.0)[:, None] * A])[counted]
    rows, index, counts = np.unique(signed, axis=0, return_inverse=True, return_counts=True)
    kept = _independent(rows)
    scale = np.abs(rows[:, kept]).max(axis=0)
    rows = rows[:, kept] / scale
    strict, relevant = _separated_rows(rows)
    separated = np.zeros(m, bool)
    separated[counted] = strict[index.ravel()]
    direction = np.zeros(A.shape[1])
    if strict.any():
        found = _direction(rows, counts, strict, relevant)
        direction[kept] = np.where(found > 0.0, np.inf, np.where(found < 0.0, -np.inf, 0.0))
    kind = "none" if not strict.any() else "complete" if strict.all() else "quasi"
    return Separation(kind, direction, separated)


def _leaves(X: Design) -> tuple[ArrayLike, ...]:
    return (X.shared, X.own) if isinstance(X, Columns) else (X,)


def _independent(A: np.ndarray) -> np.ndarray:
    """The columns that those before them do not explain."""
    norms = np.linalg.norm(A, axis=0)
    A = A / np.where(norms > 0.0, norms, 1.0)
    kept: list[int] = []
    basis = np.zeros((A.shape[0], 0))
    for j in range(A.shape[1]):
        left = A[:, j]
        for _ in range(2):  # twice is enough against rounding
            left = left - basis @ (basis.T @ left)
        size = np.linalg.norm(left)
        if size > DEPENDENT:
            kept.append(j)
            basis = np.column_stack([basis, left / size])
    return np.array(kept, int)


def _separated_rows(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a positive margin in some direction that has no negative one, and such a direction for all of them.

    Directions are not bounded, so that at the optimum each ``t = min(margin, 1)`` is 0 or 1.
    """
    from scipy.sparse import csr_array, eye_array, hstack

    m, k = A.shape
    # maximise Σ t  subject to  A δ - t >= 0,  0 <= t <= 1
    found = _solve(
        np.concatenate([np.zeros(k), -np.ones(m)]),
        A_ub=hstack([csr_array(-A), eye_array(m)], format="csr"),
        b_ub=np.zeros(m),
        bounds=[(None, None)] * k + [(0.0, 1.0)] * m,
    )
    return found[k:] > 0.5, found[:k]


def _direction(A: np.ndarray, counts: np.ndarray, strict: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Of the directions that separate those rows, one whose signs say where the estimates go."""
    found = _solve(
        -(counts[strict] @ A[strict]),
        A_ub=-A[strict],
        b_ub=np.zeros(int(strict.sum())),
        A_eq=A[~strict] if not strict.all() else None,
        b_eq=np.zeros(int((~strict).sum())) if not strict.all() else None,
        bounds=(-1.0, 1.0),
    )
    box = np.where(np.abs(found) > ZERO, found, 0.0)
    # A vertex may lie on the edge of the directions that separate all these rows; the first program's is inside.
    inside = np.where(np.abs(relevant) > ZERO * np.abs(relevant).max(), relevant, 0.0)
    return np.where(box != 0.0, box, inside)


def _solve(cost: np.ndarray, **constraints: Any) -> np.ndarray:
    from scipy.optimize import linprog  # slow to import, and needed here alone

    found = linprog(cost, method="highs", **constraints)
    if found.x is None:
        raise RuntimeError(f"the linear program of detect_separation was not solved: {found.message}")
    return found.x
