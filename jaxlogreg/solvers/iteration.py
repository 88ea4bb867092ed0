"""``iterate``: the steps of ``minimize`` one at a time, from Python."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ..problem import Problem
from ..solution import Solution, Status
from .base import Solver
from .driver import FOR_FUNCTIONS, as_args, as_problem, check_objective, floating, settings
from .loop import Limits, Run, Task, advance, begin, evaluate, prepare, report, same, verify
from .quasi_newton import LBFGS

__all__ = ["Iteration", "iterate"]


def iterate(
    problem_or_fun: Problem | Callable[..., Any],
    init: Any,
    *,
    solver: Solver | None = None,
    tol: ArrayLike | None = None,
    max_steps: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    has_aux: bool = False,
    callback: Callable[[Solution], Any] | None = None,
    progress: bool = False,
    state: Any = None,
) -> "Iteration":
    """The steps of :func:`minimize` one at a time: an iterator for progress, plots and checkpoints.

    Yields a :class:`Solution` for the start (with status RUNNING), one after each step, and ends with
    the verified one, whose status says how it ended. Its ``state`` is all there is to remember.

    Args:
        problem_or_fun, init, solver, tol, max_steps, args, has_aux: as for :func:`minimize`; ``aux`` is not kept.
        callback: called with each solution before it is yielded.
        progress: whether to show a progress bar (needs tqdm, the extra ``progress``).
        state: the ``state`` of an earlier iteration over the same problem and with the same settings, or its leaves in
            their order: the steps go on after it, and end bit by bit where they would have ended. Where it had reached
            ``max_steps``, a larger one leads on.

    Raises:
        ValueError: as ``minimize``, and if ``state`` is not one of this problem and solver.
        ImportError: for ``progress`` without tqdm.

    >>> square = lambda x: jnp.sum(x * x)
    >>> for solution in iterate(square, jnp.array([2.0, 1.0])):
    ...     print(int(solution.num_steps), round(float(solution.value), 3))
    0 5.0
    1 0.0
    """
    (init, dtype), args = floating(init), as_args(args)
    check_objective(problem_or_fun, init)
    if callback is not None and not callable(callback):
        raise ValueError(f"callback must be a function of a Solution, got {callback!r}")
    solver, limits = settings(dtype, LBFGS() if solver is None else solver, tol, max_steps)
    if isinstance(problem_or_fun, Problem):
        if args or has_aux:
            raise ValueError(FOR_FUNCTIONS)
        problem, w, restore = problem_or_fun, init, same
    else:
        problem, w, restore = as_problem(problem_or_fun, has_aux, init, args)
    task = prepare(solver, problem, w)
    run = begin(task, w)
    resumed = None if state is None else _with_more_steps(_like(run, state), limits)
    bar = _bar(type(solver).__name__) if progress else None
    return Iteration(task, resumed or verify(task, run, limits), limits, restore, callback, bar, resumed is not None)


class Iteration(Iterator[Solution]):
    """An iterator over the steps of a solver.

    ``state``: a pytree of arrays that any library for pytrees can save; for NumPy, ``jax.tree.leaves`` of it.
    """

    def __init__(
        self,
        task: Task,
        run: Run,
        limits: Limits,
        restore: Callable[[Any], Any],
        callback: Callable[[Solution], Any] | None,
        bar: Any,
        started: bool,
    ) -> None:
        self.state = run
        self._task, self._limits, self._restore = task, limits, restore
        self._callback, self._bar, self._started = callback, bar, started

    def __next__(self) -> Solution:
        if self._started:
            if bool(self.state.verified):
                if self._bar is not None:
                    self._bar.close()
                raise StopIteration
            run = advance(self._task, self.state, self._limits)
            running = int(run.status) == Status.RUNNING
            self.state = evaluate(self._task, run) if running else verify(self._task, run, self._limits)
        self._started = True
        solution = report(self._task, self.state, self._restore)
        if self._bar is not None:
            self._bar.n = int(solution.num_steps)
            self._bar.set_postfix_str(f"objective {float(solution.value):.6g}, KKT residual {float(solution.kkt):.1e}")
        if self._callback is not None:
            self._callback(solution)
        return solution


def _like(run: Run, state: Any) -> Run:
    """A saved state as a run, with the structure of this one."""
    leaves, tree = jax.tree.flatten(run)
    try:
        saved = [jnp.asarray(leaf) for leaf in jax.tree.leaves(state)]
    except TypeError:
        raise ValueError(f"state must be a pytree of arrays or a list of them in their order, got {state!r}") from None
    wanted, got = ([(leaf.shape, leaf.dtype) for leaf in these] for these in (leaves, saved))
    if wanted != got:
        raise ValueError(
            "state must come from iterate with this problem, init and solver: "
            f"its {len(saved)} arrays are not the {len(leaves)} of such a state, in number, shape or dtype"
        )
    return jax.tree.unflatten(tree, saved)


def _with_more_steps(run: Run, limits: Limits) -> Run:
    """A run that ended at its step limit goes on under a larger one."""
    if int(run.status) != Status.MAX_STEPS or int(run.num_steps) >= int(limits.max_steps):
        return run
    return replace(run, status=jnp.int32(Status.RUNNING), verified=jnp.zeros((), bool))


def _bar(description: str) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install 'jaxlogreg[progress]'") from error
    return tqdm(desc=description, unit=" steps")
