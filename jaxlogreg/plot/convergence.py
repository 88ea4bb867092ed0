"""How solvers approach the minimum, step by step."""

from collections.abc import Mapping

import numpy as np
from jax.typing import ArrayLike
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from ..solution import Solution
from .axes import SERIES, axes_or_new, series_drawn, style
from .inputs import as_numbers

__all__ = ["convergence"]


def convergence(
    histories: Mapping[str, Solution | ArrayLike],
    *,
    minimum: float | None = None,
    x: Mapping[str, ArrayLike] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The objective above its minimum, ``F - F*``, after each step of each solver.

    On a logarithmic axis gradient descent is a line that falls slowly, Newton's method one that bends down. Differences
    below ``eps |F*|`` are rounding and drawn there. A dot marks the last step.

    Args:
        histories: for each solver's name the objective at the start and after each step, or a solution of
            ``minimize(..., trace=True)``.
        minimum: ``F*``; the lowest value of all histories when None.
        x: for each name what is on the other axis instead of the number of steps, ``(steps + 1,)``: reads of the data,
            say, or seconds. Name it by ``ax.set_xlabel``.
        ax: where to draw; an Axes of its own when None.

    Returns:
        The Axes.

    Raises:
        ValueError: for a solution without trace and a history without a number.

    >>> ax = convergence({"halving": [1.0, 0.5, 0.25, 0.125]}, minimum=0.0)
    >>> ax.lines[0].get_ydata()
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    if not isinstance(histories, Mapping) or not histories:
        raise ValueError(f"histories must be a dict with a history for each solver's name, got {histories!r}")
    values = {name: _values(name, history) for name, history in histories.items()}
    lowest = min(float(np.nanmin(value)) for value in values.values())
    if minimum is not None:
        lowest = float(as_numbers("minimum", minimum))
    places = {name: _places(name, len(value), x) for name, value in values.items()}
    ax = axes_or_new(ax, 7.0, 5.0)
    first = series_drawn(ax)
    for i, (name, value) in enumerate(values.items()):
        at = places[name]
        colour, dashes = style(first + i)
        above = np.maximum(value.astype(float) - lowest, _floor(value, lowest))
        ax.plot(at, above, dashes, color=colour, linewidth=1.8, label=name, gid=SERIES)
        last = np.flatnonzero(np.isfinite(above))[-1]
        ax.plot(at[last], above[last], "o", color=colour, markersize=5)
    ax.set(yscale="log", ylabel="objective above its minimum, F - F*")
    ax.grid(color="0.9")
    if x is None:
        _count_steps(ax)
    # Where the first step ends all curves are still high up ("best" would take seconds with long curves).
    ax.legend(loc="lower left" if x is None else "upper right", framealpha=0.8, edgecolor="none", fontsize="small")
    return ax


def _values(name: str, history: Solution | ArrayLike) -> np.ndarray:
    if isinstance(history, Solution):
        if history.trace is None or np.ndim(history.num_steps):
            raise ValueError(f"histories[{name!r}] must be one solution with its trace: minimize(..., trace=True)")
        history = history.trace.value[: int(history.num_steps) + 1]
    values = as_numbers(f"histories[{name!r}]", history, finite=False)
    values = values if values.dtype.kind == "f" else values.astype(float)
    if values.ndim != 1 or not np.isfinite(values).any():
        raise ValueError(f"histories[{name!r}] must be objectives, a vector with a finite number, got {values!r}")
    return values


def _places(name: str, steps: int, x: Mapping[str, ArrayLike] | None) -> np.ndarray:
    if x is None:
        return np.arange(steps)
    at = as_numbers(f"x[{name!r}]", x.get(name, []))
    if at.shape != (steps,):
        raise ValueError(f"x[{name!r}] must have one number for each of {steps} objectives, got shape {at.shape}")
    return at


def _floor(value: np.ndarray, lowest: float) -> float:
    """The rounding of a difference from the minimum; a zero has no logarithm."""
    eps = float(np.finfo(value.dtype).eps)
    return eps * max(abs(lowest), eps * float(np.nanmax(np.abs(value[:1]))), float(np.finfo(float).tiny) / eps)


def _count_steps(ax: Axes) -> None:
    """An axis of steps on which a few and a thousand can be read."""
    most = max(float(line.get_xdata()[-1]) for line in ax.lines)  # pyright: ignore
    ticks = [0, *(k * 10**power for power in range(7) for k in (1, 3))]
    ax.set_xscale("symlog", linthresh=1.0)
    ax.set_xticks([tick for tick in ticks if tick <= most])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(xlabel="step", xlim=(0.0, 1.1 * most or 1.0))
