"""Paths: one fit for each of many penalties."""

from dataclasses import replace
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..linear_maps import Columns
from ..solution import Solution
from ..solvers import Solver
from ..solvers.loop import Limits
from .binary import FitData, FitOptions, as_data, fit_core, fit_settings
from .inputs import Design, as_batch_size, as_binary_labels, as_design

__all__ = ["as_path", "fit_lanes", "fit_path"]


def fit_path(X: Design, y: ArrayLike, *, batch_size: int | None = None, **options: Unpack[FitOptions]) -> Solution:
    """Fit a binary logistic regression for each penalty in ``l2`` or ``l1``, in one compiled program.

    Equals ``jax.vmap(lambda l2: fit(X, y, l2=l2))(l2)``, and so for ``l1`` or both. Penalties run from the largest to
    the smallest in blocks of neighbours, whatever their order; a block starts from the last solution of the one
    before, and shares one preconditioner.

    Args:
        X, y: as in :func:`fit`.
        batch_size: how many penalties to a block; chosen when None. Memory grows with it, as
            ``batch_size`` times the rows.
        **options: those of :func:`fit`, with ``l2``, ``l1`` or both an array ``(L,)``.

    Returns:
        A :class:`Solution` with a leading axis of length ``L`` on every field: ``params.coef`` is
        ``(L, n)``. To predict with every lane, ``jax.vmap(predict_proba, in_axes=(0, None))``.

    Raises:
        ValueError: as :func:`fit` does, and if neither ``l2`` nor ``l1`` is a vector.

    >>> import jax.numpy as jnp
    >>> import jaxlogreg as jlr
    >>> X, y = jnp.array([[-2.0], [-1.0], [0.5], [1.0], [2.0]]), jnp.array([0, 1, 0, 1, 1])
    >>> jlr.fit_path(X, y, l2=jnp.array([1.0, 0.1, 0.01])).params.coef.shape
    (3, 1)
    """
    return _fit_path(*as_path(as_design(X), y, options, as_batch_size(batch_size)))


def as_path(
    X: Array | Columns, y: ArrayLike, options: FitOptions, batch_size: int | None
) -> tuple[FitData, Solver, Limits]:
    """The arguments of a path, checked."""
    given = {"l2": options.get("l2", 0.0), "l1": options.get("l1", 0.0)}
    shapes = {name: x.shape if isinstance(x, jax.Array) else np.shape(x) for name, x in given.items()}
    name, shape = max(shapes.items(), key=lambda item: len(item[1]))
    if len(shape) != 1 or shape[0] == 0:
        raise ValueError(f"{name} must be a vector of penalties, got shape {shape}; for a single one use fit")
    if any(other not in ((), shape) for other in shapes.values()):
        raise ValueError(f"l1 and l2 must be of one length, or one of them a single number, got {shapes}")
    for name, x in given.items():
        if shapes[name] == ():
            given[name] = jnp.broadcast_to(x, shape) if isinstance(x, jax.Array) else np.broadcast_to(x, shape)
    options = FitOptions(**{**options, **given})  # pyright: ignore[reportArgumentType]
    data = as_data(X, y, as_binary_labels, options, lanes=shape)
    solver, limits = fit_settings(options, data, X.shape[1] + data.intercept)
    return data, solver, replace(limits, batch_size=batch_size)


def fit_lanes(data: FitData, solver: Solver, limits: Limits) -> Solution:
    """The path, traceable."""
    return jax.vmap(lambda l2, l1: fit_core(replace(data, l2=l2, l1=l1), solver, limits))(data.l2, data.l1)


_fit_path = program(fit_lanes)
