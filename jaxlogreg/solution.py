"""What a fit returns: parameters, and the truth about how they were found, as data.

Everything here is a pytree of arrays, so a solution passes through ``jit``, ``vmap`` and ``grad``
like any other value; with lanes (a sweep, a batch, classes) each field has a leading axis. What
happened is a status, never an exception inside a compiled program.
"""

import enum
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import numpy as np
from jax import Array

from .pytrees import register_dataclass

__all__ = ["Method", "Multipliers", "Params", "Solution", "Status", "Trace", "describe_lanes"]


class Status(enum.IntEnum):
    """How a fit ended."""

    RUNNING = 0
    CONVERGED = 1
    MAX_STEPS = 2
    STALLED = 3
    SEPARABLE = 4
    NONFINITE = 5
    LINE_SEARCH_FAILED = 6


class Method(enum.IntEnum):
    """Which solver made a fit: data like the status, so that solutions of any two solvers are alike as pytrees."""

    Other = 0
    GradientDescent = 1
    Newton = 2
    NewtonCG = 3
    BFGS = 4
    DFP = 5
    LBFGS = 6
    ConjugateGradient = 7
    ProximalGradient = 8
    ProximalNewton = 9
    Optax = 10
    AugmentedLagrangian = 11
    Firth = 12

    @classmethod
    def of(cls, solver: object) -> "Method":
        """That of a solver; Other for one that users wrote."""
        return cls.__members__.get(type(solver).__name__, cls.Other)


_CONSTRAINED = (
    ": stopped at the limit of steps or rounds before gradient and constraints were within tol; if the violation stays "
    "large the constraints may contradict each other, or start elsewhere"
)
_EXPLANATION = {
    Status.RUNNING: "",
    Status.CONVERGED: "",
    Status.MAX_STEPS: (
        ": stopped at the step limit before reaching tol; raise max_steps, loosen tol, or take a solver "
        "that uses curvature (Newton, LBFGS)"
    ),
    Status.STALLED: (
        ": stalled at the rounding floor of the dtype before reaching tol; loosen tol, rescale the columns "
        "or, in float32, use float64 (jax.config.update('jax_enable_x64', True))"
    ),
    Status.SEPARABLE: (
        ": the classes are perfectly separated by weights that are not penalised, so no finite optimum exists "
        "and the coefficients are where the solver stopped; penalise (l2 > 0) or drop the separating column"
    ),
    Status.NONFINITE: (
        ": met NaN or infinity; look for overflow in the data (rescale the columns) or in the function, or "
        "start elsewhere"
    ),
    Status.LINE_SEARCH_FAILED: (
        ": no step along the search direction was acceptable, though the KKT residual is not zero; check that the "
        "function is smooth, bounded below and of right derivative; where its values are large the residual may be "
        "their rounding: then loosen tol, scale the function down or rescale the columns"
    ),
}


@register_dataclass
@dataclass(frozen=True)
class Params:
    """The parameters of a linear classifier: ``z = X coef + intercept``.

    Args:
        coef: ``(n,)``, or ``(K, n)`` with a row a class; sweeps add leading axes.
        intercept: ``()`` or ``(K,)``; zero where the fit had none.
        kind: how margins become probabilities: ``"binary"`` (the sigmoid), ``"one_vs_all"`` (a
            sigmoid a class, normalised) or ``"softmax"``.
        has_intercept: whether the intercept was fitted.
    """

    coef: Array
    intercept: Array
    kind: Literal["binary", "one_vs_all", "softmax"] = field(default="binary", metadata={"static": True})
    has_intercept: bool = field(default=True, metadata={"static": True})


@register_dataclass
@dataclass(frozen=True)
class Trace:
    """What each step did, entry 0 the start: ``(max_steps + 1,)``, NaN after the last step.

    Args:
        value: the objective ``F``.
        kkt: the KKT residual.
        step_length: how far the weights moved, ``‖Δw‖``; 0 at the start.
    """

    value: Array
    kkt: Array
    step_length: Array


@register_dataclass
@dataclass(frozen=True)
class Multipliers:
    """Lagrange multipliers: ``∇F + Σ λᵢ ∇hᵢ + Σ μⱼ ∇gⱼ = 0``.

    Args:
        equality: ``λ``, one for each number that ``equality`` returns, flat.
        inequality: ``μ``, at least 0, and 0 where ``gⱼ < 0``.
        violation: by how much the constraints or ``μⱼ gⱼ = 0`` are missed, the largest.
    """

    equality: Array
    inequality: Array
    violation: Array


@register_dataclass
@dataclass(frozen=True)
class Solution:
    """The result of a fit.

    Args:
        params: the weights: :class:`Params` from the models, the shape of ``init`` from ``minimize``.
        value: the objective ``F`` at ``params``.
        initial_value: the objective where the steps began (in a path, at the last solution of the block before; in a
            scan of own columns, at the fit without those); a ``value`` well above it means divergence.
        kkt: the KKT residual at ``params``: the largest ``|∂F/∂wⱼ| / rms(xⱼ)``. At the end of a fit it
            is computed afresh, between the steps of ``iterate`` from carried margins.
        gap: a bound, up to rounding, on ``F(params) - min F`` from a dual point; ``inf`` where there is
            none: if any weight but the intercept is unpenalised.
        status: a :class:`Status`, int32. CONVERGED only if ``kkt <= tol``; SEPARABLE takes precedence.
        num_steps: steps of the solver.
        num_passes: reads of the data: one for the column moments, one for each ``A d``, ``Aᵀ r`` or Hessian.
        method: a :class:`Method`, int32.
        trace: the steps' history if ``minimize`` was asked for it.
        multipliers: those of constraints.
        aux: what a function with ``has_aux`` returned beside its value at ``params``.
        penalty: the penalty's part of ``value``, from the models.
        num_rows: the rows' total weight ``Σ sᵢ``, from the models: ``-num_rows (value - penalty)`` is the
            log-likelihood.

    ``value`` and ``params`` have derivatives with respect to everything in the problem, the rest has the
    derivative zero. Where the status is SEPARABLE there is no minimiser, and the derivative of
    ``params`` is NaN.
    """

    params: Any
    value: Array
    initial_value: Array
    kkt: Array
    gap: Array
    status: Array
    num_steps: Array
    num_passes: Array
    method: Array | None = None
    trace: Trace | None = None
    multipliers: Multipliers | None = None
    aux: Any = None
    penalty: Array | None = None
    num_rows: Array | None = None

    @property
    def converged(self) -> Array:
        """Whether the status is CONVERGED, lane by lane."""
        return self.status == int(Status.CONVERGED)

    @property
    def message(self) -> str:
        """What happened, why, and what to try, in words. For concrete solutions, not inside jit."""
        return describe_lanes(self, _describe)

    def raise_if_failed(self) -> "Solution":
        """This solution if every lane converged; otherwise a ``RuntimeError`` with the message."""
        if not np.all(np.asarray(self.converged)):
            raise RuntimeError(self.message)
        return self


def describe_lanes(found: Any, describe: Callable[[Any], str]) -> str:
    """What happened, in words: ``describe`` of one lane, or of the first few of many that did not converge."""
    if np.ndim(found.status) == 0:
        return describe(found)
    statuses = np.asarray(found.status)
    failed = [tuple(map(int, lane)) for lane in np.argwhere(statuses != Status.CONVERGED)]
    text = f"{statuses.size - len(failed)} of {statuses.size} lanes converged"
    for lane in failed[:3]:
        text += f"; lane {', '.join(map(str, lane))}: {describe(jax.tree.map(operator.itemgetter(lane), found))}"
    return text + (f"; and {len(failed) - 3} lanes more" if len(failed) > 3 else "")


def _describe(solution: Solution) -> str:
    status = Status(int(solution.status))
    method = Method.Other if solution.method is None else Method(int(solution.method))
    steps, constrained = int(solution.num_steps), solution.multipliers is not None
    explanation = _CONSTRAINED if constrained and status == Status.MAX_STEPS else _EXPLANATION[status]
    text = (
        f"{status.name} after {steps} {'step' if steps == 1 else 'steps'}"
        f"{f' of {method.name}' if method else ''}{explanation} "
        f"(objective {float(solution.value):.6g}, KKT residual {float(solution.kkt):.2g})"
    )
    if solution.multipliers is not None:
        return text + f"; the constraints are violated by {float(solution.multipliers.violation):.2g}"
    value, start = float(solution.value), float(solution.initial_value)
    ran_away = status in (Status.MAX_STEPS, Status.NONFINITE) and not value <= start + 1e-6 * abs(start)
    if ran_away and np.isfinite(start):
        remedy = (
            "a fixed step is too long for these columns; standardise them or take step='lipschitz'"
            if method in (Method.GradientDescent, Method.Other)
            else "its steps are too long; take a smaller learning rate, or a solver that searches along a line"
        )
        text += f"; it diverged: the objective rose from {start:.6g}, so {remedy}"
    return text
