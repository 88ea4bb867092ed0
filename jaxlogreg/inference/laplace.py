"""Laplace's approximation: the posterior of a ridge fit as a normal distribution around its mode.

A ridge penalty is a normal prior. With the total weight ``Σ sᵢ`` of the rows, ``Σ sᵢ`` times the objective of a fit is
the negative log posterior, up to a constant:

    -ℓ(w) + ½ Σ αⱼ wⱼ²,    αⱼ = Σ sᵢ l2 dⱼ,    that is wⱼ ~ N(0, 1/αⱼ).

At its minimum its Hessian ``H = I(w) + diag(α)`` is the inverse of the posterior's covariance, and the integral over
all weights, the evidence ``p(y)``, is that of the normal density. What no penalty holds (the intercept, columns with
``dⱼ = 0``) has a flat prior of density one: the evidence is then comparable between fits that leave the same weights
free, in the same units.

References: MacKay, The evidence framework applied to classification networks, Neural Computation 4 (1992), for the
evidence and the probabilities; Bishop, Pattern Recognition and Machine Learning (2006), sections 4.4 and 4.5.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..coordinates import Coordinates, choose_coordinates, in_coordinates
from ..lanes import alone
from ..linear_solve import inverse_root
from ..losses import BinaryCrossEntropy
from ..losses.elementwise import with_offset
from ..models.binary import FitData, FitOptions, as_data, as_problem, flat_weights, total_weight
from ..models.inputs import Design, as_binary_labels, as_design, as_nonnegative, dtype_of
from ..problem import Problem
from ..products import EXACT
from ..pytrees import register_dataclass
from ..solution import Solution
from ..solvers.driver import default_tol
from .likelihood import classes_of, intercept_first
from .posterior import Posterior, sum_of_margins
from .refusal import Refusal, first_of

__all__ = ["Mode", "laplace", "mode_of", "posterior_of"]

MAX_MISSED = 0.05  # by the fit: of the way to the mode, in posterior standard deviations, and of the log evidence


def laplace(
    fit: Solution,
    X: Design,
    y: ArrayLike,
    *,
    l2: ArrayLike,
    penalty_factor: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    standardize: bool = False,
) -> Posterior:
    """The normal approximation to the posterior of a ridge fit, and the evidence of its penalty.

    With the prior ``wⱼ ~ N(0, 1/αⱼ)``, ``αⱼ = Σ sᵢ l2 dⱼ`` (times the column's variance with ``standardize``), the
    posterior is about ``N(w, H⁻¹)``, ``H = Σ sᵢ pᵢ (1 - pᵢ) xᵢ xᵢᵀ + diag(α)``, and the log evidence

        log p(y) = ℓ(w) + Σⱼ [½ log(αⱼ / 2π) - ½ αⱼ wⱼ²] + k/2 log 2π - ½ log det H,

    where the sum goes over the weights with ``αⱼ > 0``. The intercept, and columns with ``αⱼ = 0``, have a flat prior
    of density one. ``sᵢ`` count as repetitions. What the fit's tolerance leaves of the way to the mode is made up for
    in the evidence, to first order.

    Works under ``jit``, ``vmap`` (a sweep over ``l2``: fit and posterior in one function) and ``grad`` (through the
    fit, too).

    Args:
        fit: of :func:`fit`, with ``l2`` and without ``l1``, bounds or groups.
        X, y, sample_weight, offset, penalty_factor, standardize: those of the fit.
        l2: that of the fit, or one for each column, ``(n,)``; multiplied by ``penalty_factor`` either way. Where it is
            infinite, the column is not in the model.

    Returns:
        A :class:`Posterior`. Its numbers are NaN, and its ``message`` says why, if the fit has not converged, if it is
        no mode of this posterior (another ``l2``, other data), or where ``H`` is singular.

    Raises:
        ValueError: as :func:`fit` does, and for fits of several classes or lanes (go over those by ``jax.vmap``).

    >>> import jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = jnp.array([0, 0, 1, 0, 1, 0, 1, 1])
    >>> posterior = jlr.laplace(jlr.fit(hours, passed, l2=0.05), hours, passed, l2=0.05)
    >>> posterior.mean.round(2), posterior.std.round(2)  # the intercept first
    (Array([-2.11,  0.94], dtype=float32), Array([1.75, 0.69], dtype=float32))
    >>> posterior.log_evidence.round(2)
    Array(-4.58, dtype=float32)
    >>> posterior.predict_proba(jnp.array([[4.0], [40.0]])).round(2)  # of the fit: 0.84, 1.00
    Array([0.77, 0.9 ], dtype=float32)
    """
    matrix = as_design(X)
    n, dtype = matrix.shape[1], dtype_of(matrix)
    if classes_of(fit.params, n):
        raise ValueError("fit must be of two classes for laplace, got a softmax fit; see fit and fit_one_vs_all")
    strength, pruned = _as_strengths(l2, penalty_factor, n, dtype)
    options = FitOptions(
        l2=1.0, penalty_factor=strength, sample_weight=sample_weight, offset=offset,
        intercept=fit.params.has_intercept, standardize=standardize,
    )  # fmt: skip
    return _laplace(as_data(matrix, y, as_binary_labels, options), pruned, fit)


def _as_strengths(l2: ArrayLike, factor: ArrayLike | None, n: int, dtype: Any) -> tuple[Array, Array]:
    """``l2 dⱼ`` of each column, and where ``l2`` is infinite: one there, and True in the second array."""
    value: Any = l2 if isinstance(l2, jax.Array) else np.asarray(l2)
    numpy: Any = np if is_concrete(value) else jnp
    infinite = numpy.zeros(value.shape, bool)
    if jnp.issubdtype(value.dtype, jnp.floating):
        infinite = numpy.isposinf(value)
        value = numpy.where(infinite, 0.0, value)
    finite = as_nonnegative("l2", value, dtype, (n,) if value.ndim else ())
    d = jnp.ones((n,), dtype) if factor is None else as_nonnegative("penalty_factor", factor, dtype, (n,))
    pruned = jnp.broadcast_to(infinite, (n,)) & (jnp.asarray(d) > 0.0)
    return jnp.where(pruned, 1.0, jnp.broadcast_to(finite, (n,)) * d), pruned


@register_dataclass
@dataclass(frozen=True)
class Mode:
    """The log posterior to second order, in standardised coordinates.

    Args:
        coordinates: between these and the columns' own units.
        v, gradient: weights, and the gradient of the objective.
        information: that of the likelihood, ``(k, k)``; zero for pruned columns.
        precision: ``α``, ``(k,)``.
        root: ``R`` with ``H⁻¹ = R Rᵀ``; zero for pruned columns.
        lag: ``t = H⁻¹ ∂(log det H)/∂v``, ``(k,)``.
        log_evidence: ``log p(y)``, which does not depend on the coordinates.
        missed: what it gained by a Newton step from ``v``.
        singular: whether ``H`` is, to rounding.
    """

    coordinates: Coordinates
    v: Array
    gradient: Array
    information: Array
    precision: Array
    root: Array
    lag: Array
    log_evidence: Array
    missed: Array
    singular: Array

    @property
    def determined(self) -> Array:
        """``(H⁻¹ I)ⱼⱼ = 1 - αⱼ (H⁻¹)ⱼⱼ``, ``(k,)``: how far the data determine each weight, from 0 to 1."""
        return jnp.sum(jnp.matmul(self.root, self.root.T, precision=EXACT) * self.information, axis=1)


def mode_of(problem: Problem, num_rows: Array, w: Array, pruned: Array) -> Mode:
    """The log posterior at its mode ``w``, ``(k,)``; ``pruned`` weights, ``(k,)``, are zero and not in the model."""
    coordinates = choose_coordinates(problem, w, True, alone())
    problem = in_coordinates(problem, coordinates)
    v = coordinates.to_solver(w)
    z, eye = problem.linear_map.mv(v), jnp.eye(v.shape[0], dtype=v.dtype)
    loss, linear_map = problem.loss, problem.linear_map
    assert isinstance(loss, BinaryCrossEntropy)
    curvature = num_rows * loss.curvature(z)
    out = pruned[:, None] | pruned[None]
    information = jnp.where(out, 0.0, linear_map.gram(curvature))
    precision = jnp.where(pruned, 0.0, num_rows * problem.penalty.diagonal(v))
    hessian = information + eye * jnp.where(pruned, 1.0, precision)[None]
    inverse_factor, log_det, regular = inverse_root(hessian)
    root = jnp.where(pruned[:, None], 0.0, inverse_factor.T)
    held, free = precision > 0.0, ~pruned & (precision == 0.0)
    log_prior = 0.5 * jnp.sum(jnp.log(jnp.where(held, precision, 1.0)))
    # Of the volume the units of columns with a prior cancel; those of the free ones remain.
    volume = jnp.sum(jnp.where(free, 0.5 * jnp.log(2.0 * jnp.pi) - jnp.log(coordinates.scale), 0.0))
    # The derivative of σ(z) σ(-z) is its product with 1 - 2 σ(z).
    third = -curvature * jnp.tanh(0.5 * with_offset(z, loss.offset))
    slope = linear_map.rmv(third * sum_of_margins(jnp.square, linear_map, root.T))
    lag = jnp.matmul(root, jnp.matmul(slope, root, precision=EXACT), precision=EXACT)
    # A fit is at its mode to its tolerance only, and the determinant knows to first order.
    gradient = jnp.where(pruned, v, problem.gradient_at(v, loss.residual(z)))
    missed = 0.5 * num_rows * jnp.vdot(lag, gradient)
    log_evidence = log_prior + volume - num_rows * problem.value_at(v, z) - 0.5 * log_det + missed
    log_evidence = jnp.where(regular, log_evidence, jnp.nan)
    return Mode(coordinates, v, gradient, information, precision, root, lag, log_evidence, missed, ~regular)


def posterior_of(fit: Solution, num_rows: Array, mode: Mode) -> Posterior:
    """What users see of it; NaN unless the fit is the mode."""
    _, kkt = mode.coordinates.kkt(mode.gradient)
    distance = jnp.linalg.norm(jnp.matmul(num_rows * mode.gradient, mode.root, precision=EXACT))
    refusal = first_of(
        fit,
        OTHER_DATA=~(kkt <= 10.0 * jnp.maximum(fit.kkt, default_tol(kkt.dtype))),
        SINGULAR=mode.singular,
        UNDETERMINED=~(jnp.maximum(distance, jnp.abs(mode.missed)) <= MAX_MISSED),
    )
    has_intercept = fit.params.has_intercept
    root = jax.vmap(mode.coordinates.to_user, in_axes=1, out_axes=1)(mode.root)
    held = jnp.where(mode.precision > 0.0, mode.determined, 0.0)
    known = partial(jnp.where, refusal == int(Refusal.NONE))
    return Posterior(
        mean=known(intercept_first(flat_weights(fit.params, has_intercept), has_intercept), jnp.nan),
        root=known(intercept_first(root, has_intercept, axis=0), jnp.nan),
        log_evidence=known(mode.log_evidence, jnp.nan),
        effective_parameters=known(jnp.sum(held), jnp.nan),
        status=jnp.asarray(fit.status),
        refusal=refusal,
        has_intercept=has_intercept,
    )


@program
def _laplace(data: FitData, pruned: Array, fit: Solution) -> Posterior:
    problem, _ = as_problem(data)
    num_rows = total_weight(data)
    w = flat_weights(fit.params, data.intercept)
    mode = mode_of(problem, num_rows, w, jnp.append(pruned, jnp.zeros(w.shape[0] - pruned.shape[0], bool)))
    return posterior_of(fit, num_rows, mode)
