"""Binary logistic regression: ``P(y = 1 | x) = σ(xᵀw + b + offset)``, fitted.

:func:`fit` checks and converts what it is given and hands it to one traceable core, which states the
problem ``F(w) = L(A w) + R(w)`` and calls the solver. Classes against the rest and paths are that
core under ``vmap``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..coordinates import is_constant
from ..linear_maps import Columns, Dense, LinearMap, WithIntercept
from ..losses import BinaryCrossEntropy
from ..penalties import L2, ElasticNet, GroupLasso
from ..problem import Problem
from ..pytrees import register_dataclass
from ..solution import Params, Solution
from ..solvers import LBFGS, Newton, ProximalGradient, ProximalNewton, Solver
from ..solvers.driver import settings
from ..solvers.loop import Limits
from ..solvers.solve import solve
from .inputs import (
    Design,
    as_binary_labels,
    as_bound,
    as_design,
    as_groups,
    as_initial_weights,
    as_nonnegative,
    as_offset,
    dtype_of,
)  # fmt: skip

__all__ = ["FitOptions", "fit"]

# Up to here (in multiplications) a Hessian costs no more than what L-BFGS does besides its reads, and Newton needs
# half the steps and less code.
NEWTON_MAX_WORK = 2**18
LITTLE = 2**15  # numbers in X up to which a fit takes no more than a few milliseconds, however it is compiled
# Up to here a Hessian's m n² operations cost less than the reads that L-BFGS needs without it.
HESSIAN_MAX_WEIGHTS = 4096
# With kinks, up to here (of all classes together) the Hessian of a softmax costs less than what FISTA reads without it.
SOFTMAX_HESSIAN_MAX_WEIGHTS = 2048


class FitOptions(TypedDict, total=False):
    """The keyword arguments that all models share; :func:`fit` explains them."""

    l2: ArrayLike
    l1: ArrayLike
    sample_weight: ArrayLike | None
    offset: ArrayLike | None
    intercept: bool
    penalty_factor: ArrayLike | None
    groups: ArrayLike | None
    lower: ArrayLike | None
    upper: ArrayLike | None
    standardize: bool
    init: Params | None
    solver: Solver | None
    tol: ArrayLike | None
    max_steps: ArrayLike | None


def fit(
    X: Design,
    y: ArrayLike,
    *,
    l2: ArrayLike = 0.0,
    l1: ArrayLike = 0.0,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    penalty_factor: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    standardize: bool = False,
    init: Params | None = None,
    solver: Solver | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
) -> Solution:
    """Fit a binary logistic regression by (penalised) maximum likelihood.

    Minimises ``Σ sᵢ ℓ(zᵢ, yᵢ) / Σ sᵢ + l2/2 Σ dⱼ wⱼ² + l1 Σ dⱼ |wⱼ|`` over ``w`` and ``b``, with
    ``z = X w + b + offset`` and ``ℓ(z, y) = log(1 + exp(z)) - y z``, and ``lower <= w <= upper``. The intercept ``b``
    is never penalised nor bounded, and nothing is unless asked. (scikit-learn's ``C`` is ``1 / (m l2)``; glmnet's
    ``lambda`` and ``alpha`` are ``l1 = lambda alpha``, ``l2 = lambda (1 - alpha)``.)

    Works under ``jit``, ``vmap`` (over any argument: a sweep, a batch) and ``grad`` (through the
    optimality conditions, see the result). Lanes of a ``vmap`` that share ``X`` share what is computed from it;
    those that differ in ``l2`` alone run as :func:`fit_path` does.

    Args:
        X: features, ``(m, n)``, in any units, or :class:`Columns` that fits share in part. Its dtype (float32 or
            float64) is that of the fit.
        y: labels 0 or 1, ``(m,)``.
        l2: ridge strength λ, at least 0.
        l1: lasso strength, at least 0: as many coefficients as it takes are exactly zero. With ``l2``, an elastic net;
            with ``groups``, the group lasso.
        sample_weight: ``s``, ``(m,)``, at least 0; a weight of 2 equals the row twice.
        offset: known part of the margins, ``(m,)``.
        intercept: whether to fit ``b``.
        penalty_factor: ``d``, ``(n,)``, at least 0; ones when None, 0 leaves a column unpenalised.
        groups: an integer for each column, ``(n,)``: coefficients of the same number are zero together. The penalty is
            then ``l1 Σ_g d_g √|g| ‖w_g‖``, with one ``d`` for each group and without bounds.
        lower, upper: bounds of the coefficients, ``(n,)`` or one for all, with ``lower <= 0 <= upper``; infinite
            where there is none.
        standardize: penalise the coefficients of columns scaled to unit (weighted, over m) standard
            deviation. Coefficients are reported for the columns as given either way.
        init: where to start: another solution's ``params``; zeros when None.
        solver: chosen by shape when None: ``Newton()`` where ``m n²`` is at most 2**18,
            ``LBFGS(preconditioner="hessian")`` up to 4096 weights, ``LBFGS()`` beyond. With ``l1`` or bounds,
            ``ProximalNewton()``, in a working set of columns where there are many more of them than rows; with
            ``groups`` and more than 4096 weights, ``ProximalGradient()``.
        tol: the KKT residual to reach, ``max |∂F/∂wⱼ| / rms(xⱼ)``; free of units. By default 1e-11
            in float64 and 1e-6 in float32.
        max_steps: the solver's own limit when None.

    Returns:
        A :class:`Solution` with :class:`Params` of ``coef`` ``(n,)`` and ``intercept`` ``()``. Look at
        ``status`` or ``message``, or call ``raise_if_failed()``: on completely separated, unpenalised
        data there is no finite optimum, and the status is SEPARABLE. (Quasi-complete separation, where
        some rows lie on the boundary, is not told apart: coefficients then grow until the gradient is
        below ``tol``, and are large.) ``params`` and ``value`` have
        exact derivatives with respect to ``X``, ``y``, ``l2``, ``sample_weight``, ``offset`` and
        ``penalty_factor``, valid at convergence; those with respect to ``init`` and ``tol`` are zero.

    Raises:
        ValueError: naming the argument, for wrong shapes and, of concrete inputs, NaN or infinity,
            labels other than 0 and 1, only one class, negative weights or penalties.

    >>> import jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = jnp.array([0, 0, 1, 0, 1, 0, 1, 1])
    >>> solution = jlr.fit(hours, passed)
    >>> print(solution.message)
    CONVERGED after ... steps of Newton (objective 0.528..., KKT residual ...)
    >>> jlr.predict_proba(solution.params, jnp.array([[2.25]])).round(2)
    Array([0.5], dtype=float32)
    """
    matrix = as_design(X)
    options = FitOptions(
        l2=l2, l1=l1, sample_weight=sample_weight, offset=offset, intercept=intercept,
        penalty_factor=penalty_factor, groups=groups, lower=lower, upper=upper, standardize=standardize, init=init,
        solver=solver, tol=tol, max_steps=max_steps,
    )  # fmt: skip
    data = as_data(matrix, y, as_binary_labels, options)
    run = _fit_little if math.prod(matrix.shape) <= LITTLE else _fit
    return run(data, *fit_settings(options, data, matrix.shape[1] + data.intercept))


@register_dataclass
@dataclass(frozen=True)
class FitData:
    """The arguments of a fit, checked and converted to arrays of one dtype."""

    X: Array | Columns
    y: Array
    l2: Array
    l1: Array | None  # None: no kinks, known when tracing
    sample_weight: Array | None
    offset: Array | None
    penalty_factor: Array | None
    groups: Array | None
    lower: Array | None
    upper: Array | None
    init: Params | None
    intercept: bool = field(metadata={"static": True})
    standardize: bool = field(metadata={"static": True})


def as_data(
    X: Array | Columns,
    labels: ArrayLike,
    as_labels: Callable[[ArrayLike, Array | Columns, Array | None, bool], Array],
    options: FitOptions,
    *,
    lanes: tuple[int, ...] = (),
    classes: tuple[int, ...] = (),
    offset_classes: tuple[int, ...] = (),
) -> FitData:
    """Every argument checked and converted: labels by ``as_labels``, ``l2`` of shape ``lanes``,
    ``init`` with the leading axis ``classes``, ``offset`` with the trailing axis ``offset_classes``."""
    unknown = options.keys() - FitOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"unexpected keyword argument {min(unknown)!r}; the options are {', '.join(FitOptions.__annotations__)}"
        )
    (m, n), dtype = X.shape, dtype_of(X)
    weight, factor = options.get("sample_weight"), options.get("penalty_factor")
    weight = None if weight is None else as_nonnegative("sample_weight", weight, dtype, (m,))
    factor = None if factor is None else as_nonnegative("penalty_factor", factor, dtype, (n,))
    intercept = bool(options.get("intercept", True))
    l1, lower, upper = options.get("l1", 0.0), options.get("lower"), options.get("upper")
    groups = as_groups(options.get("groups"), n, factor)
    if groups is not None and (lower is not None or upper is not None):
        raise ValueError("lower and upper are not for groups: a group of coefficients has no bounds")
    asked = any(x is not None for x in (groups, lower, upper))
    kinks = asked or not is_concrete(l1) or bool(np.any(np.asarray(l1) != 0))
    return FitData(
        X=X,
        y=as_labels(labels, X, weight, intercept),
        l2=as_nonnegative("l2", options.get("l2", 0.0), dtype, lanes),
        l1=as_nonnegative("l1", l1, dtype, lanes) if kinks else None,
        sample_weight=weight,
        offset=as_offset(options.get("offset"), X, offset_classes),
        penalty_factor=factor,
        groups=groups,
        lower=as_bound("lower", lower, X),
        upper=as_bound("upper", upper, X),
        init=as_initial_weights(options.get("init"), X, classes),
        intercept=intercept,
        standardize=bool(options.get("standardize", False)),
    )


def fit_settings(options: FitOptions, data: FitData, num_weights: int, num_blocks: int = 1) -> tuple[Solver, Limits]:
    """Solver, tolerance and step limit, with the defaults filled in, for so many weights, in so many blocks."""
    solver = options.get("solver")
    if solver is None:
        solver = _default_solver(data, num_weights, num_blocks)
    return settings(data.l2.dtype, solver, options.get("tol"), options.get("max_steps"))


def _default_solver(data: FitData, num_weights: int, num_blocks: int) -> Solver:
    few = num_weights <= HESSIAN_MAX_WEIGHTS
    if data.l1 is None and data.X.shape[0] * (num_weights * num_blocks) ** 2 <= NEWTON_MAX_WORK:
        return Newton()
    if data.l1 is None:
        return LBFGS(preconditioner="hessian" if few else "diagonal")
    if data.groups is None and num_blocks == 1:
        return ProximalNewton(_working_set(*data.X.shape))
    most = HESSIAN_MAX_WEIGHTS if num_blocks == 1 else SOFTMAX_HESSIAN_MAX_WEIGHTS
    return ProximalNewton() if num_weights * num_blocks <= most else ProximalGradient()


def _working_set(m: int, n: int) -> int | None:
    """For how many columns at a time to solve; None for all. With ``m`` rows no more than ``m`` need be in use."""
    size = max(64, m)
    return size if n > 2 * size else None if n <= HESSIAN_MAX_WEIGHTS else HESSIAN_MAX_WEIGHTS // 4


def fit_core(data: FitData, solver: Solver, limits: Limits) -> Solution:
    """The fit itself, traceable: to be jitted, and vmapped over any field of ``data``."""
    problem, init = as_problem(data)
    return as_solution(data, problem, solve(solver, problem, init, limits))


def as_problem(data: FitData) -> tuple[Problem, Array]:
    """The problem that the data pose, and the weights to start from."""
    linear_map, penalty = design(data)
    loss = BinaryCrossEntropy.create(data.y, data.sample_weight, data.offset)
    init = jnp.zeros(linear_map.shape[1:], data.l2.dtype)
    if data.init is not None:
        init = penalty.within_bounds(flat_weights(data.init, data.intercept))
    return Problem(loss, linear_map, penalty), init


def as_solution(data: FitData, problem: Problem, solution: Solution) -> Solution:
    """A solution of that problem with its weights as :class:`Params`."""
    num_passes = solution.num_passes + int(data.standardize)
    solution = accounted(data, solution, problem.penalty.value(solution.params))
    params = within(data, params_of(solution.params, data.intercept))
    return replace(solution, params=params, num_passes=num_passes)


def within(data: FitData, params: Params) -> Params:
    """The parameters within the bounds of the data: another scale's rounding may have put a coefficient beyond."""
    if data.lower is None and data.upper is None:
        return params
    lower, upper = (
        None if bound is None else jnp.broadcast_to(bound, params.coef.shape) for bound in (data.lower, data.upper)
    )
    return replace(params, coef=jnp.clip(params.coef, lower, upper))


def accounted(data: FitData, solution: Solution, penalty: Array) -> Solution:
    """A solution that knows which part of its value is the penalty's, and how many rows there were."""
    return replace(solution, penalty=penalty, num_rows=total_weight(data))


def total_weight(data: FitData) -> Array:
    """``Σ sᵢ``."""
    weight = data.sample_weight
    return jnp.asarray(data.y.shape[-1], data.l2.dtype) if weight is None else jnp.sum(weight)


def design(data: FitData) -> tuple[LinearMap, L2 | ElasticNet | GroupLasso]:
    """The linear map of the data, and the penalty of its weights."""
    base = data.X if isinstance(data.X, Columns) else Dense(data.X)
    (m, n), dtype = base.shape, data.l2.dtype
    factor = jnp.ones((n,), dtype) if data.penalty_factor is None else data.penalty_factor
    variance = jnp.ones((n,), dtype)
    if data.standardize:
        # Penalised are σⱼ wⱼ, the coefficients of the scaled columns.
        weight = jnp.ones((m,), dtype) if data.sample_weight is None else data.sample_weight
        mean, variance = base.moments(weight / jnp.sum(weight))
        square = variance + mean * mean
        # A constant column has no deviation to scale by.
        variance = jnp.where(is_constant(variance, square), jnp.where(square > 0.0, square, 1.0), variance)

    def with_intercept(x: Array, last: float) -> Array:
        return jnp.append(x, jnp.asarray(last, dtype)) if data.intercept else x

    linear_map = WithIntercept(base) if data.intercept else base
    l2_factor = with_intercept(factor * variance, 0.0)
    if data.l1 is None:
        return linear_map, L2(data.l2, l2_factor)
    if data.groups is not None:
        group = jnp.append(data.groups, jnp.max(data.groups) + 1) if data.intercept else data.groups
        scale = with_intercept(jnp.sqrt(variance), 1.0)
        return linear_map, GroupLasso(data.l2, data.l1, with_intercept(factor, 0.0), group, scale)
    lower, upper = (
        None if bound is None else with_intercept(jnp.broadcast_to(bound, (n,)), infinity)
        for bound, infinity in ((data.lower, -math.inf), (data.upper, math.inf))
    )
    l1_factor = with_intercept(factor * jnp.sqrt(variance), 0.0)
    return linear_map, ElasticNet(data.l2, data.l1, l2_factor, l1_factor, lower, upper)


def flat_weights(params: Params, intercept: bool) -> Array:
    """``(..., n)`` and ``(...,)`` to ``(..., n + 1)``, the intercept last."""
    return jnp.concatenate([params.coef, params.intercept[..., None]], axis=-1) if intercept else params.coef


def params_of(weights: Array, intercept: bool, kind: Any = "binary") -> Params:
    """The inverse of :func:`flat_weights`."""
    if intercept:
        return Params(weights[..., :-1], weights[..., -1], kind)
    return Params(weights, jnp.zeros(weights.shape[:-1], weights.dtype), kind, has_intercept=False)


_fit = program(fit_core)
_fit_little = program(fit_core, quickly=True)
