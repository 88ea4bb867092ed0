"""Choosing the penalty by cross-validation: every fold and every penalty in one program.

A fold is a weight: the rows held out weigh nothing in its fit, so that all folds share the data, and the
data are neither copied nor cut. The path over all rows comes first. The folds start from it, each
penalty's from its own solution, which is near what they are looking for, and they share a
preconditioner. A solver that works in a few columns at a time has nothing for folds to share: then each
fold is a path of its own, one after the other.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_size, is_concrete
from ..coordinates import Coordinates, choose_coordinates
from ..evaluation.metrics import roc_auc
from ..lanes import Lanes
from ..losses import logistic_loss
from ..problem import Problem
from ..products import EXACT, sum_over_rows
from ..pytrees import register_dataclass
from ..solution import Params, Solution
from ..solvers import Solver
from ..solvers.loop import Limits, as_task, run_task, same
from ..solvers.solve import blocks_of, with_derivatives
from .binary import FitData, FitOptions, as_problem, as_solution, design, flat_weights
from .inputs import Design, as_batch_size, as_design
from .path import as_path, fit_lanes

__all__ = ["CrossValidation", "cross_validate"]

PENALTIES, FOLDS = "penalties", "folds"  # the axes of lanes
MEASURES = ("loss", "accuracy", "auc")
LANES_AT_A_TIME = 50  # enough to make a preconditioner that they share worth its while


@register_dataclass
@dataclass(frozen=True)
class CrossValidation:
    """Penalties, how well each predicts rows that it was not fitted on, and the fits.

    Args:
        l2, l1: the penalties, ``(L,)`` each, as given.
        score: of the held-out rows, ``(folds, L)``, by sample weight: what ``measure`` says.
        mean, std_error: of ``score`` over the folds, each counted by the weight of its rows, ``(L,)``; the standard
            error is that of the mean.
        best: the index of the best ``mean``: the smallest loss, or the largest accuracy or area.
        one_se: the index of the largest penalty (by ``l1 + l2``) whose ``mean`` is within one ``std_error`` of the
            best.
        solution: the path fitted to all rows, with a leading axis ``L``.
        fold_solution: the fits without each fold, with leading axes ``(folds, L)``.
        fold_id: the fold that holds each row out, ``(m,)``.
        measure: ``"loss"``, ``"accuracy"`` or ``"auc"``.
    """

    l2: Array
    l1: Array
    score: Array
    mean: Array
    std_error: Array
    best: Array
    one_se: Array
    solution: Solution
    fold_solution: Solution
    fold_id: Array
    measure: str = field(default="loss", metadata={"static": True})

    def params(self, index: ArrayLike | None = None) -> Params:
        """The parameters fitted to all rows with one of the penalties, the best when None."""
        index = self.best if index is None else index
        return jax.tree.map(lambda x: x[index], self.solution.params)


def cross_validate(
    X: Design,
    y: ArrayLike,
    *,
    folds: int = 5,
    fold_id: ArrayLike | None = None,
    key: Array | None = None,
    measure: str = "loss",
    batch_size: int | None = None,
    **options: Unpack[FitOptions],
) -> CrossValidation:
    """Fit every penalty on all rows and without each fold, and compare how they predict the rows held out.

    Args:
        X, y: as in :func:`fit`.
        folds: how many folds, at least 2.
        fold_id: the fold of each row, integers ``0 .. folds - 1``, ``(m,)``. When None rows are dealt to the
            folds in turn, class by class (stratified).
        key: a ``jax.random.key``: shuffles the rows before they are dealt.
        measure: of the rows held out: ``"loss"``, the mean cross-entropy; ``"accuracy"``, the part predicted rightly
            at a threshold of one half; or ``"auc"``, the area under the ROC curve.
        batch_size: how many fits run at a time; chosen when None: one for a solver with a working set.
        **options: those of :func:`fit`, with ``l2``, ``l1`` or both an array ``(L,)``. ``init`` starts the path over
            all rows.

    Returns:
        A :class:`CrossValidation`.

    Raises:
        ValueError: as :func:`fit_path` does; for folds that are no such integers, for a fold without which a class
            has no row, for another measure, and for ``"auc"`` if a fold has rows of one class only.

    >>> import jaxlogreg as jlr
    >>> X = jnp.linspace(-2.0, 2.0, 40)[:, None]
    >>> y = (jnp.sin(7.0 * X[:, 0]) + X[:, 0] > 0).astype(int)
    >>> cv = jlr.cross_validate(X, y, l2=jnp.array([10.0, 1.0, 0.1, 0.01]), folds=4)
    >>> cv.score.shape, cv.params().coef.shape
    ((4, 4), (1,))
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(map(repr, MEASURES))}, got {measure!r}")
    matrix = as_design(X)
    data, solver, limits = as_path(matrix, y, options, as_batch_size(batch_size))
    folds = as_size("folds", folds, 2)
    fold = _deal(data.y, folds, key) if fold_id is None else _as_fold_id(fold_id, folds, matrix.shape[0])
    if all(map(is_concrete, (data.y, fold, data.sample_weight))):
        _check_classes(np.asarray(data.y), np.asarray(fold), folds, data.sample_weight, measure)
    return _cross_validate(folds, measure, data, fold, solver, limits)


def _as_fold_id(value: ArrayLike, folds: int, rows: int) -> Any:
    fold = value if isinstance(value, jax.Array) else np.asarray(value)
    if fold.shape != (rows,) or fold.dtype.kind not in "iu":
        raise ValueError(f"fold_id must hold an integer for each of the {rows} rows of X, got {fold.dtype}{fold.shape}")
    if is_concrete(fold):
        present = np.unique(np.asarray(fold))
        if present.tolist() != list(range(folds)):
            raise ValueError(f"fold_id must hold every integer 0 to {folds - 1} (folds is {folds}), got {present}")
    return fold.astype(np.int32)


def _deal(y: Array, folds: int, key: Array | None) -> Any:
    """Rows dealt to the folds in turn, one class after the other."""
    rows = np.arange(y.shape[0]) if key is None else jax.random.permutation(key, y.shape[0])
    if is_concrete(y) and is_concrete(rows):
        rows = np.asarray(rows)
        rows = rows[np.argsort(np.asarray(y)[rows], kind="stable")]
        fold = np.empty(y.shape, np.int32)
        fold[rows] = np.arange(y.shape[0]) % folds
        return fold
    rows = jnp.asarray(rows)[jnp.argsort(jnp.asarray(y)[rows], stable=True)]
    return jnp.zeros(y.shape, jnp.int32).at[rows].set(jnp.arange(y.shape[0], dtype=jnp.int32) % folds)


def _check_classes(y: np.ndarray, fold: np.ndarray, folds: int, weight: Array | None, measure: str) -> None:
    counted = np.ones(y.shape, bool) if weight is None else np.asarray(weight) > 0
    for k in range(folds):
        left = y[(fold != k) & counted]
        if left.size == 0 or np.all(left == left[0]):
            raise ValueError(
                f"folds must each leave both classes to fit, but without fold {k} y holds only one; take fewer folds "
                "than the rarer class has rows"
            )
        held = y[(fold == k) & counted]
        if measure == "auc" and (held.size == 0 or np.all(held == held[0])):
            raise ValueError(
                f"folds must each hold rows of both classes for measure='auc', but fold {k} does not; take fewer "
                "folds, or another measure"
            )


def _held_out_scores(measure: str, data: FitData, fold: Array, held: Array, params: Params) -> Array:
    """The measure of each fold's rows, of weights ``held``, by the fits without them, ``(folds, L)``."""
    linear_map, _ = design(data)
    weights = flat_weights(params, data.intercept)
    offset = jnp.zeros_like(data.y) if data.offset is None else data.offset

    def area(fold: tuple[Array, Array]) -> Array:
        weights, held = fold
        margins = linear_map.mv(weights) + offset[None]
        return jax.vmap(lambda z: roc_auc(data.y, z, sample_weight=held))(margins)

    if measure == "auc":
        return lax.map(area, (weights, held))
    folds = weights.shape[0]

    def term(rows: Array, columns: Array) -> Array:
        y, offset, fold, held = columns[0], columns[1], columns[2].astype(jnp.int32), columns[3:]
        margins = jnp.matmul(weights.reshape(-1, rows.shape[1]), rows.T, precision=EXACT)
        margins = margins.reshape(folds, -1, y.shape[0])
        # Each row is held out of one fold's fits: theirs are the margins that count.
        margins = jnp.take_along_axis(margins, fold[None, None], axis=0, mode="promise_in_bounds")[0] + offset[None]
        if measure == "loss":
            each = logistic_loss(margins, y[None])
        else:
            each = ((margins > 0.0) == (y[None] > 0.5)).astype(margins.dtype)
        return jnp.matmul(held, each.T, precision=EXACT)

    total = sum_over_rows(
        linear_map, term, jnp.concatenate([data.y[None], offset[None], fold[None].astype(data.y.dtype), held])
    )
    return total / jnp.sum(held, axis=1)[:, None]


@partial(program, static_argnums=(0, 1))
def _cross_validate(
    folds: int, measure: str, data: FitData, fold: Array, solver: Solver, limits: Limits
) -> CrossValidation:
    solution = fit_lanes(data, solver, limits)
    weight = jnp.ones_like(data.y) if data.sample_weight is None else data.sample_weight
    held = jnp.where(fold[None] == jnp.arange(folds, dtype=fold.dtype)[:, None], weight[None], 0.0)
    at_a_time = limits.batch_size or (1 if solver.sequential() else LANES_AT_A_TIME)
    fit_folds = _fit_in_turn if at_a_time == 1 else partial(_fit_together, at_a_time)
    found = fit_folds(data, weight[None] - held, solution.params, solver, limits)
    score = _held_out_scores(measure, data, fold, held, found.params)
    share = jnp.sum(held, axis=1) / jnp.sum(held)
    mean = jnp.matmul(share, score, precision=EXACT)
    spread = jnp.matmul(share, jnp.square(score - mean[None]), precision=EXACT)
    std_error = jnp.sqrt(spread / (folds - 1))
    cost = mean if measure == "loss" else -mean
    best = jnp.argmin(cost)
    within = cost <= cost[best] + std_error[best]
    one_se = jnp.argmax(jnp.where(within, _strength(data), -1.0))
    l1 = jnp.zeros_like(data.l2) if data.l1 is None else data.l1
    return CrossValidation(data.l2, l1, score, mean, std_error, best, one_se, solution, found, fold, measure)


def _strength(data: FitData) -> Array:
    return data.l2 if data.l1 is None else data.l2 + data.l1


def _fit_in_turn(data: FitData, kept: Array, start: Params, solver: Solver, limits: Limits) -> Solution:
    """Each penalty without each fold, ``(folds, L)``: a path for each fold, from the first solution over all rows."""
    first = jnp.argmax(_strength(data))
    init = jax.tree.map(lambda x: x[first], start)
    return lax.map(lambda weight: fit_lanes(replace(data, sample_weight=weight, init=init), solver, limits), kept)


def _fit_together(
    at_a_time: int, data: FitData, kept: Array, start: Params, solver: Solver, limits: Limits
) -> Solution:
    """The same in blocks of neighbouring penalties with all folds together.

    Penalties and folds are two axes, so that what depends on one of them alone is computed for it alone.
    """
    folds, size = kept.shape[0], data.l2.shape[0]
    order = jnp.argsort(-_strength(data))
    index = blocks_of(size, max(1, at_a_time // folds))
    together = index.shape[1]

    penalties = data.l2, data.l1

    def problem_of(weight: Array, penalty: tuple[Array, Array | None]) -> Problem:
        l2, l1 = penalty
        return as_problem(replace(data, l2=l2, l1=l1, sample_weight=weight, init=None))[0]

    def coordinates_of(weight: Array) -> Coordinates:
        problem = lax.stop_gradient(problem_of(weight, jax.tree.map(lambda x: x[0], penalties)))
        lanes = Lanes(jnp.ones((), bool), FOLDS, folds, pool=FOLDS)
        return choose_coordinates(problem, jnp.zeros_like(flat_start[0]), solver.standardizes, lanes)

    # With weak penalties and kinks, where nothing corrects a metric, folds bend too differently to share one.
    pool = (PENALTIES, FOLDS) if data.l1 is None else PENALTIES
    # What folds have in common stays in one copy, out of the loop over blocks.
    of_fold = Coordinates(mean=None, scale=None, deviation=0, rms=0)  # pyright: ignore[reportArgumentType]
    flat_start = lax.stop_gradient(flat_weights(start, data.intercept))
    coordinates = jax.vmap(coordinates_of, axis_name=FOLDS, out_axes=of_fold)(kept)

    def fit_one(coordinates: Coordinates, weight: Array, penalty: tuple[Array, Array | None], init: Array) -> Solution:
        problem = problem_of(weight, penalty)
        fixed = lax.stop_gradient((solver, problem, limits))
        lanes = Lanes(jnp.ones((), bool), (PENALTIES, FOLDS), together * folds, pool)
        solution = run_task(as_task(*fixed[:2], coordinates, lanes), init, fixed[2], same)
        return as_solution(replace(data, sample_weight=weight), problem, with_derivatives(problem, solution))

    def block(index: Array) -> Solution:
        each_fold = jax.vmap(fit_one, (of_fold, 0, None, None), axis_name=FOLDS)
        each = jax.vmap(each_fold, (None, None, 0, 0), axis_name=PENALTIES)
        return each(coordinates, kept, jax.tree.map(lambda x: x[index], penalties), flat_start[index])

    found = lax.map(block, order[index])  # (count, together, folds, ...)
    position = jnp.argsort(order)
    return jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, *x.shape[2:])[position], 0, 1), found)
