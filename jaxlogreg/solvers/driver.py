"""``minimize``: a problem or any pure function, in one compiled loop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_scalar, is_concrete
from ..linear_maps import Identity
from ..losses import FunctionLoss
from ..penalties import NoPenalty
from ..problem import Problem
from ..solution import Solution
from .augmented_lagrangian import AugmentedLagrangian, check_inner, minimize_constrained
from .base import Solver, is_solver
from .loop import Limits, same
from .quasi_newton import LBFGS
from .solve import solve, solve_function

__all__ = [
    "FOR_FUNCTIONS",
    "as_args",
    "as_problem",
    "check_objective",
    "default_tol",
    "floating",
    "minimize",
    "settings",
]

Function = Callable[..., Any]
MOST_STEPS = 2**31 - 1
FOR_FUNCTIONS = "args and has_aux are for functions; a Problem carries its data itself"


def minimize(
    problem_or_fun: Problem | Function,
    init: Any,
    *,
    solver: Solver | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    has_aux: bool = False,
    equality: Function | None = None,
    inequality: Function | None = None,
    trace: bool = False,
) -> Solution:
    """Minimise a :class:`Problem`, or any pure function of any pytree, in one compiled loop.

    Args:
        problem_or_fun: ``F(w) = L(A w) + R(w)``, or a function from a pytree like ``init`` (and ``args``) to a
            scalar. A function is compiled once per function object: define it once, not in a loop, and give it what
            changes through ``args``.
        init: where to start: flat weights ``(n,)`` for a problem, a pytree of floats for a function.
        solver: ``LBFGS()`` when None; with constraints, ``AugmentedLagrangian()``.
        tol: the KKT residual to reach: the largest ``|∂F/∂wⱼ| / rms(xⱼ)``, for a function the
            largest ``|∂F/∂wⱼ|``. By default 1e-11 in float64 and 1e-6 in float32.
        max_steps: by default the solver's ``default_max_steps``.
        args: further arguments of the function and of constraints: pytrees of arrays, traced.
        has_aux: the function returns ``(value, aux)``; the solution's ``aux`` is that at its ``params``.
        equality, inequality: pure functions of the same arguments, ``h`` and ``g`` in ``h = 0`` and ``g <= 0``; they
            return an array or a pytree of arrays, best in units in which a change by one matters. The solution then has
            ``multipliers``, and its ``kkt`` is the larger of the gradient of the Lagrangian and the violation.
        trace: whether to record each step, in ``solution.trace``.

    Returns:
        A :class:`Solution` whose ``params`` have the structure of ``init``. It has derivatives with respect to the
        problem's arrays or ``args``; with respect to ``init`` and ``tol`` they are zero. (With constraints only
        in forward mode, through the steps.)

    Raises:
        ValueError: if ``init`` holds integers, ``tol`` or ``max_steps`` is negative, the function does not return a
            floating-point scalar, or arguments do not go together.

    >>> quadratic = lambda x, target: jnp.sum((x["a"] - target) ** 2) + (x["b"] + 1.0) ** 2
    >>> solution = minimize(quadratic, {"a": jnp.zeros(2), "b": jnp.zeros(())}, args=(3.0,))
    >>> solution.params["a"].round(4)
    Array([3., 3.], dtype=float32)
    >>> print(solution.message)
    CONVERGED after 1 step of LBFGS (objective ...
    """
    (init, dtype), args = floating(init), as_args(args)
    check_objective(problem_or_fun, init)
    for name, constraint in (("equality", equality), ("inequality", inequality)):
        if constraint is not None and not callable(constraint):
            raise ValueError(f"{name} must be a function of the parameters, got {constraint!r}")
    constrained = equality is not None or inequality is not None
    if solver is None:
        solver = AugmentedLagrangian() if constrained else LBFGS()
    solver, limits = settings(dtype, solver, tol, max_steps)
    if constrained and not isinstance(solver, AugmentedLagrangian):
        raise ValueError(
            f"equality and inequality need solver=AugmentedLagrangian(), got {type(solver).__name__}; give that to it: "
            f"AugmentedLagrangian(inner={type(solver).__name__}())"
        )
    if trace:
        limits = replace(limits, traced_steps=_room(limits.max_steps, constrained))
    if isinstance(problem_or_fun, Problem):
        if has_aux or (args and not constrained):
            raise ValueError(FOR_FUNCTIONS)
        if constrained:
            assert isinstance(solver, AugmentedLagrangian)
            return _minimize_constrained_problem(equality, inequality, solver, problem_or_fun, init, args, limits)
        return _minimize_problem(solver, problem_or_fun, init, limits)
    return _minimize_function(problem_or_fun, has_aux, equality, inequality, solver, init, args, limits)


_minimize_problem = program(solve)


@partial(program, static_argnums=(0, 1))
def _minimize_constrained_problem(
    equality: Function | None,
    inequality: Function | None,
    solver: AugmentedLagrangian,
    problem: Problem,
    init: Array,
    args: tuple[Any, ...],
    limits: Limits,
) -> Solution:
    return minimize_constrained(solver, problem, init, limits, same, (equality, inequality), args)


@partial(program, static_argnums=(0, 1, 2, 3))
def _minimize_function(
    fun: Function,
    has_aux: bool,
    equality: Function | None,
    inequality: Function | None,
    solver: Solver,
    init: Any,
    args: tuple[Any, ...],
    limits: Limits,
) -> Solution:
    problem, w, restore = as_problem(fun, has_aux, init, args)
    if equality is not None or inequality is not None:
        assert isinstance(solver, AugmentedLagrangian)
        solution = minimize_constrained(solver, problem, w, limits, restore, (equality, inequality), args)
    else:
        solution = solve_function(solver, problem, w, limits)
        solution = replace(solution, params=restore(solution.params))
    return replace(solution, aux=fun(solution.params, *args)[1]) if has_aux else solution


@dataclass(frozen=True)
class _OfFlatWeights:
    """A function of a pytree as a function of a flat vector; equal for equal functions and trees."""

    function: Function
    has_aux: bool
    unravel: Callable[[Array], Any]

    def __call__(self, w: Array, *args: Any) -> Array:
        found = self.function(self.unravel(w), *args)
        return jnp.asarray(found[0] if self.has_aux else found, w.dtype)


def as_problem(
    fun: Function, has_aux: bool, init: Any, args: tuple[Any, ...]
) -> tuple[Problem, Array, Callable[[Array], Any]]:
    """A function as a problem over flat weights, the weights to start from, and how to restore a pytree from flat ones.

    Raises:
        ValueError: if it does not return a floating-point scalar.
    """
    w, unravel = ravel_pytree(init)
    returned = jax.eval_shape(fun, init, *args)
    if has_aux and not (isinstance(returned, tuple) and len(returned) == 2):
        raise ValueError(f"with has_aux=True the function must return (value, aux), got {_shapes(returned)}")
    value = returned[0] if has_aux else returned
    scalar = isinstance(value, jax.ShapeDtypeStruct) and value.shape == ()
    if not (scalar and jnp.issubdtype(jnp.result_type(value), jnp.floating)):
        hint = "; with (value, aux), say has_aux=True" if isinstance(value, tuple) and len(value) == 2 else ""
        raise ValueError(f"the function to minimise must return a floating-point scalar, got {_shapes(value)}{hint}")
    loss = FunctionLoss(_OfFlatWeights(fun, has_aux, unravel), args)
    return Problem(loss, Identity(w.shape[0]), NoPenalty()), w, unravel


def _shapes(tree: Any) -> str:
    return str(jax.tree.map(lambda x: f"{jnp.result_type(x)}{list(np.shape(x))}", tree))


def check_objective(problem_or_fun: Any, init: Any) -> None:
    """Raises a ``ValueError`` for what is neither a problem nor a function, and for a start that is no problem's."""
    if isinstance(problem_or_fun, Problem):
        wanted = problem_or_fun.linear_map.shape[1:]
        if not isinstance(init, jax.Array) or init.shape != wanted:
            got = jax.tree.map(jnp.shape, init)
            raise ValueError(f"init must be the problem's flat weights, an array of shape {wanted}, got {got}")
    elif not callable(problem_or_fun) or isinstance(problem_or_fun, type):
        raise ValueError(f"problem_or_fun must be a Problem or a function of init, got {problem_or_fun!r}")
    elif type(problem_or_fun).__hash__ is None:
        raise ValueError(
            "problem_or_fun must be hashable (it is compiled once per function), and "
            f"{type(problem_or_fun).__name__} is not; wrap it in a function"
        )


def _room(max_steps: ArrayLike, constrained: bool) -> int:
    if constrained:
        raise ValueError("trace is not for constraints: their rounds start anew")
    if not is_concrete(max_steps):
        raise ValueError("trace=True needs max_steps as a number, not traced: it is the length of the trace")
    return int(np.asarray(max_steps))


def default_tol(dtype: jnp.dtype) -> float:
    """A KKT residual that is reached in ``dtype`` with some room."""
    return 1e-11 if jnp.finfo(dtype).bits == 64 else 1e-6


def settings(
    dtype: Any, solver: Solver, tol: ArrayLike | None, max_steps: ArrayLike | None, batch_size: int | None = None
) -> tuple[Solver, Limits]:
    """Settings as arrays: numbers given as int, float or array then share one compilation."""
    if not is_solver(solver):
        raise ValueError(f"solver must be a solver such as Newton() or LBFGS(), got {solver!r}")
    if isinstance(solver, AugmentedLagrangian):
        check_inner(solver)
        _check_numbers(solver.inner)
    _check_numbers(solver)
    solver = jax.tree.map(lambda leaf: _as_leaf(leaf, dtype), solver)
    tol = default_tol(dtype) if tol is None else tol
    max_steps = solver.default_max_steps if max_steps is None else max_steps
    for name, value in (("tol", tol), ("max_steps", max_steps)):
        if np.ndim(value) != 0:
            raise ValueError(f"{name} must be a single number, got shape {np.shape(value)}")
        if not is_concrete(value):
            continue
        if np.asarray(value).dtype.kind not in "iuf":
            raise ValueError(f"{name} must be a real number, got {value!r}")
        if not np.asarray(value) >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    if is_concrete(max_steps) and not (np.asarray(max_steps) <= MOST_STEPS and np.asarray(max_steps) % 1 == 0):
        raise ValueError(f"max_steps must be a whole number of at most {MOST_STEPS}, got {max_steps}")
    return solver, Limits(as_scalar(tol, dtype), as_scalar(max_steps, np.int32), batch_size)


def _check_numbers(solver: Solver) -> None:
    """Raises a ``ValueError`` for a setting of a solver that must be a number above 0, and is none."""
    for name in solver.positive:
        value = getattr(solver, name)
        if np.ndim(value) != 0 or (is_concrete(value) and not _is_positive(np.asarray(value))):
            raise ValueError(f"{name} must be a single number above 0, got {value!r}")


def _is_positive(number: np.ndarray) -> bool:
    return number.dtype.kind in "iuf" and bool(0 < number < np.inf)


def _as_leaf(leaf: Any, dtype: Any) -> Any:
    """A number in the dtype; a random key as it is."""
    is_number = np.ndim(leaf) == 0 and not jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
    return as_scalar(leaf, dtype) if is_number else leaf


def as_args(args: Any) -> tuple[Any, ...]:
    """Further arguments as a tuple.

    Raises:
        ValueError: for anything but a tuple or a list: an array alone would be taken apart.
    """
    if not isinstance(args, tuple | list):
        raise ValueError(f"args must be a tuple, as in args=(x,), got {type(args).__name__}")
    return tuple(args)


def floating(init: Any) -> tuple[Any, Any]:
    """The start as a pytree of arrays, and their common dtype."""
    init = jax.tree.map(jnp.asarray, init)
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(init)]
    if not dtypes or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise ValueError("init must hold floating-point numbers (it is where the search starts), such as jnp.zeros(n)")
    if all(leaf.size == 0 for leaf in jax.tree.leaves(init)):
        raise ValueError("init must hold at least one number (it is where the search starts), and is empty")
    return init, jnp.result_type(*dtypes)
