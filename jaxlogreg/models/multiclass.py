"""More than two classes: one classifier for each against the rest, or all at once by softmax."""

from dataclasses import replace
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..linear_maps import PerClass
from ..losses import SoftmaxCrossEntropy
from ..penalties import L2, Penalty
from ..problem import Problem
from ..solution import Params, Solution
from ..solvers import Solver
from ..solvers.loop import Limits
from ..solvers.solve import solve
from .binary import (
    FitData,
    FitOptions,
    accounted,
    as_data,
    design,
    fit_core,
    fit_settings,
    flat_weights,
    params_of,
    within,
)
from .inputs import Design, as_batch_size, as_class_labels, as_design, as_num_classes

__all__ = ["fit_one_vs_all", "fit_softmax"]


def fit_one_vs_all(
    X: Design,
    labels: ArrayLike,
    num_classes: int,
    *,
    batch_size: int | None = None,
    **options: Unpack[FitOptions],
) -> Solution:
    """Fit one binary classifier for each class against all others, as a ``vmap`` over classes.

    Equals the separate fits ``fit(X, labels == k)``, in one compiled program.

    Args:
        X: ``(m, n)``.
        labels: integers ``0 .. num_classes - 1``, ``(m,)``.
        num_classes: ``K``, a Python integer.
        batch_size: how many classes at a time; chosen when None.
        **options: those of :func:`fit`; ``init`` has a leading class axis.

    Returns:
        A :class:`Solution` with a leading class axis: ``params.coef`` ``(K, n)``, a status a class.

    Raises:
        ValueError: as :func:`fit` does; for labels that are no such integers, and for classes that
            have no row.

    >>> import jaxlogreg as jlr
    >>> X, labels = jnp.array([[-1.0], [-0.8], [0.1], [-0.1], [0.9], [1.1]]), jnp.array([0, 0, 1, 1, 2, 2])
    >>> solution = jlr.fit_one_vs_all(X, labels, 3, l2=0.01)
    >>> jlr.predict(solution.params, jnp.array([[-1.0], [1.0]]))
    Array([0, 2], dtype=int32)
    """
    matrix, num_classes = as_design(X), as_num_classes(num_classes)
    classes = (num_classes,)
    data = as_data(matrix, labels, partial(as_class_labels, num_classes), options, classes=classes)
    solver, limits = fit_settings(options, data, matrix.shape[1] + data.intercept)
    return _fit_classes(num_classes, data, solver, replace(limits, batch_size=as_batch_size(batch_size)))


def fit_softmax(X: Design, labels: ArrayLike, num_classes: int, **options: Unpack[FitOptions]) -> Solution:
    """Fit multinomial (softmax) regression: ``P(k | x) = exp(z_k) / Σ exp(z_l)``, ``z = W x + b``.

    Minimises ``Σ sᵢ [logsumexp(zᵢ) - z_{i, labelᵢ}] / Σ sᵢ + l2/2 Σ dⱼ w_kj² + l1 Σ dⱼ |w_kj|``, the sums of the
    penalty over all classes ``k``. Adding the same vector to the weights of every class changes no probability. The
    solution reported is the one whose weights sum to zero over the classes: with a ridge alone it is the only one. L1
    chooses among them itself, and asks for as many zeros as it can get (glmnet's ``multinomial``, scikit-learn's
    ``saga``); then only the weights that cost nothing are reported so, the intercepts and columns of factor 0. (With
    ``l1`` alone, a column that is above zero in half of the classes, as one of two, has other solutions as good.)

    Args:
        X: ``(m, n)``.
        labels: integers ``0 .. num_classes - 1``, ``(m,)``.
        num_classes: ``K``, a Python integer.
        **options: those of :func:`fit` but ``groups``; ``offset`` is ``(m, K)``, ``init`` has a leading class axis;
            ``lower`` and ``upper`` hold for every class. With ``l1`` or bounds ``solver`` is ``ProximalNewton()`` up
            to 2048 weights in all, ``ProximalGradient()`` beyond.

    Returns:
        A :class:`Solution` with ``params.coef`` ``(K, n)`` and ``params.intercept`` ``(K,)``.

    Raises:
        ValueError: as :func:`fit_one_vs_all`, and for ``groups``.

    >>> import jaxlogreg as jlr
    >>> X, labels = jnp.array([[-1.0], [-0.8], [0.1], [-0.1], [0.9], [1.1]]), jnp.array([0, 0, 1, 1, 2, 2])
    >>> solution = jlr.fit_softmax(X, labels, 3, l2=0.01)
    >>> bool(jnp.allclose(solution.params.coef.sum(axis=0), 0.0, atol=1e-5))
    True
    """
    matrix, num_classes = as_design(X), as_num_classes(num_classes)
    classes = (num_classes,)
    data = as_data(
        matrix, labels, partial(as_class_labels, num_classes), options, classes=classes, offset_classes=classes
    )
    if data.groups is not None:
        raise ValueError("groups are not for fit_softmax, which takes l1, l2 and bounds; use fit_one_vs_all")
    num_weights = matrix.shape[1] + data.intercept
    return _fit_softmax(num_classes, data, *fit_settings(options, data, num_weights, num_classes))


@partial(program, static_argnums=0)
def _fit_classes(num_classes: int, data: FitData, solver: Solver, limits: Limits) -> Solution:
    def fit_class(y: Array, init: Params | None) -> Solution:
        return fit_core(replace(data, y=y, init=init), solver, limits)

    targets = jax.nn.one_hot(data.y, num_classes, axis=0, dtype=data.l2.dtype)
    solution = jax.vmap(fit_class)(targets, data.init)
    return replace(solution, params=replace(solution.params, kind="one_vs_all"))


@partial(program, static_argnums=0)
def _fit_softmax(num_classes: int, data: FitData, solver: Solver, limits: Limits) -> Solution:
    targets = jax.nn.one_hot(data.y, num_classes, axis=0, dtype=data.l2.dtype)
    linear_map, one_class = design(data)
    offset = None if data.offset is None else data.offset.T
    loss = SoftmaxCrossEntropy.create(targets, data.sample_weight, offset)
    penalty = one_class.repeated(num_classes)
    shape = (num_classes, linear_map.shape[1])
    init = jnp.zeros(shape, data.l2.dtype) if data.init is None else flat_weights(data.init, data.intercept)
    # A shift that all classes share changes no probability, and costs a ridge: the start goes without.
    init = penalty.within_bounds((init - _common_shift(one_class, init)[None]).reshape(-1))
    problem = Problem(loss, PerClass(linear_map, num_classes), penalty)
    solution = solve(solver, problem, init, limits)
    weights = solution.params.reshape(shape)
    # And what is left of it is taken out.
    shift = _common_shift(one_class, weights)
    value = solution.value
    if isinstance(one_class, L2):
        value = value - num_classes * one_class.value(shift)
    weights = weights - shift[None]
    solution = accounted(data, solution, penalty.value(weights.reshape(-1)))
    params = within(data, params_of(weights, data.intercept, "softmax"))
    return replace(solution, params=params, value=value, num_passes=solution.num_passes + int(data.standardize))


def _common_shift(one_class: Penalty, weights: Array) -> Array:
    """What weights ``(K, n)`` can do without: their mean over the classes; with kinks, where they cost nothing."""
    mean = jnp.mean(weights, axis=0)
    return mean if one_class.smooth else jnp.where(one_class.free(mean), mean, 0.0)
