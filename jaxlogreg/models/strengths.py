"""The strengths worth trying: from the smallest penalty that leaves nothing, downwards."""

from dataclasses import replace
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..losses import BinaryCrossEntropy
from ..penalties import ElasticNet, GroupLasso
from ..solvers import ProximalNewton
from ..solvers.driver import settings
from ..solvers.loop import Limits
from ..solvers.solve import solve
from .binary import FitData, FitOptions, as_data, as_problem
from .inputs import Design, as_binary_labels, as_design, as_nonnegative

__all__ = ["lambda_grid", "lambda_max"]


def lambda_max(X: Design, y: ArrayLike, *, l1_ratio: ArrayLike = 1.0, **options: Unpack[FitOptions]) -> Array:
    """The smallest ``λ`` at which every penalised coefficient is zero, with ``l1 = l1_ratio λ``.

    ``max |∂L/∂wⱼ| / (dⱼ l1_ratio)`` where only the intercept and the columns of factor 0 are fitted (bounds leave one
    sign out; of groups, the largest ``‖∂L/∂w_g‖ / (d_g √|g| l1_ratio)``). An ``l2 = (1 - l1_ratio) λ`` beside it
    changes nothing.

    Args:
        X, y: as in :func:`fit`.
        l1_ratio: the part of the penalty that is L1 (glmnet's ``alpha``), above 0 and at most 1.
        **options: ``sample_weight``, ``offset``, ``intercept``, ``penalty_factor``, ``groups``, ``lower``, ``upper``,
            ``standardize`` of :func:`fit`.

    Returns:
        A scalar; 0 if no column is penalised, or none has any bearing on the labels.

    Raises:
        ValueError: as :func:`fit` does, and for an ``l1_ratio`` outside (0, 1].

    Reference: Friedman, Hastie & Tibshirani, Regularization paths for generalized linear models (2010), section 2.5.

    >>> import jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.5], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> top = jlr.lambda_max(X, y)
    >>> [bool(jlr.fit(X, y, l1=top * factor).params.coef[0] == 0.0) for factor in (1.001, 0.999)]
    [True, False]
    """
    return _lambda_max(*_as_arguments(X, y, l1_ratio, options))


def lambda_grid(
    X: Design,
    y: ArrayLike,
    *,
    num: int = 100,
    ratio: float = 1e-3,
    l1_ratio: ArrayLike = 1.0,
    **options: Unpack[FitOptions],
) -> Array:
    """``num`` values of ``λ`` from :func:`lambda_max` down to ``ratio`` times it, evenly in ``log λ``, ``(num,)``.

    Args:
        X, y, l1_ratio, **options: those of :func:`lambda_max`.
        num: how many, at least 2.
        ratio: the last over the first, between 0 and 1.

    >>> import jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.5], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> grid = jlr.lambda_grid(X, y, num=5)
    >>> [int((c != 0).sum()) for c in jlr.fit_path(X, y, l1=grid).params.coef]
    [0, 1, 1, 1, 1]
    """
    if not isinstance(num, int) or num < 2:
        raise ValueError(f"num must be a Python integer of at least 2 (it is a shape), got {num!r}")
    if is_concrete(ratio) and not 0.0 < ratio < 1.0:
        raise ValueError(f"ratio must lie between 0 and 1, got {ratio}")
    top = lambda_max(X, y, l1_ratio=l1_ratio, **options)
    return top * jnp.asarray(ratio, top.dtype) ** jnp.asarray(np.arange(num) / (num - 1), top.dtype)


def _as_arguments(X: Design, y: ArrayLike, l1_ratio: ArrayLike, options: FitOptions) -> Any:
    known = {"sample_weight", "offset", "intercept", "penalty_factor", "groups", "lower", "upper", "standardize"}
    if options.keys() - known:
        raise TypeError(f"unexpected keyword argument {min(options.keys() - known)!r}; the options are {sorted(known)}")
    matrix = as_design(X)
    data = as_data(matrix, y, as_binary_labels, {**options, "l1": 1.0})
    part = as_nonnegative("l1_ratio", l1_ratio, data.l2.dtype, ())
    if is_concrete(part) and not 0.0 < np.asarray(part) <= 1.0:
        raise ValueError(f"l1_ratio must be above 0 and at most 1, got {part}; without L1 no penalty leaves nothing")
    return data, part, settings(data.l2.dtype, ProximalNewton(), None, None)[1]


@program
def _lambda_max(data: FitData, l1_ratio: Array, limits: Limits) -> Array:
    problem, w = as_problem(data)
    penalty = problem.penalty
    loss = problem.loss
    assert isinstance(penalty, ElasticNet | GroupLasso)
    assert isinstance(loss, BinaryCrossEntropy)
    if data.penalty_factor is None and data.offset is None:
        # The intercept alone has a closed form, and needs no compiling of a solver.
        if data.intercept:
            rate = jnp.vdot(loss.weight, loss.y)
            w = w.at[-1].set(jnp.log(rate) - jnp.log1p(-rate))
    else:
        w = solve(ProximalNewton(), replace(problem, penalty=penalty.held_at_zero()), w, limits).params
    return penalty.least_l1(problem.gradient(w)) / l1_ratio
