"""Contenders beside each other: each at its loosest sufficient tolerance, timed in turn, as a table.

A contender is a function from a tolerance of its own to weights (the intercept last). First each is
given 1, 0.1, 0.01, ... until all of its lanes reach the relative suboptimality that is asked for; then
all are timed in turn at the tolerance found. The first call of all, with what it compiles, is timed
apart. Whoever fails, or takes too long for one fit, is left out and the reason printed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from objective import SUBOPTIMALITY
from timing import in_turn, milliseconds

Fit = Callable[[float], np.ndarray]

TOLERANCES = {"float64": [10.0**-k for k in range(13)], "float32": [10.0**-k for k in range(9)]}
LIMIT_SECONDS = 60.0
OURS = "jaxlogreg"  # how the names of the library's own contenders begin


class LeftOut(Exception):
    """Why a contender does not take part."""


@dataclass(frozen=True)
class Standing:
    """The tolerance of a contender, the seconds of its first call, and of a fit."""

    tol: float
    first: float
    seconds: float


def standings(
    fits: Mapping[str, Fit],
    objective: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    dtype: np.dtype,
    rounds: int,
    scales: Mapping[str, float] | None = None,
    limit: float = LIMIT_SECONDS,
) -> tuple[dict[str, Standing], dict[str, str]]:
    """Who takes part, and why the others do not.

    ``best`` are the optimal values, lane by lane; a contender may return only the first few lanes, and
    ``scales`` says by how much its time is to be multiplied.
    """
    first, left_out = {}, {}
    for name, fit in fits.items():
        start = time.perf_counter()
        try:
            fit(0.1)
            first[name] = time.perf_counter() - start
        except Exception as error:
            left_out[name] = reason(error)
    able = {name: fits[name] for name in first}
    tolerances, unable = loosest_tolerances(able, objective, best, dtype, limit)
    times = in_turn({name: partial(fits[name], tol) for name, tol in tolerances.items()}, rounds)
    scales = scales or {}
    found = {name: Standing(tol, first[name], times[name] * scales.get(name, 1.0)) for name, tol in tolerances.items()}
    return found, left_out | unable


def loosest_tolerances(
    fits: Mapping[str, Fit],
    objective: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    dtype: np.dtype,
    limit: float,
) -> tuple[dict[str, float], dict[str, str]]:
    """The loosest 10**-k at which each gets there; if one goes below ``best``, that is lowered and all begins anew."""
    lowest = np.array(best, np.float64)
    tolerances, left_out = {}, {}
    for name, fit in fits.items():
        try:
            tolerances[name] = loosest_tolerance(fit, objective, best, lowest, dtype.name, limit)
        except Exception as error:
            left_out[name] = reason(error)
    if np.max((best - lowest) / lowest) > 0.01 * SUBOPTIMALITY[dtype.name]:
        print(f"the optimum was not the best: lowered by {np.max(best - lowest):.2g}", flush=True)
        return loosest_tolerances(fits, objective, lowest, dtype, limit)
    return tolerances, left_out


def loosest_tolerance(
    fit: Fit,
    objective: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    lowest: np.ndarray,
    dtype: str,
    limit: float,
) -> float:
    for tol in TOLERANCES[dtype]:
        start = time.perf_counter()
        weights = fit(tol)
        seconds = time.perf_counter() - start
        values = objective(weights)
        some = slice(len(values))
        lowest[some] = np.fmin(lowest[some], values)
        if seconds > limit:
            raise LeftOut(f"a fit takes {seconds:.0f} s at its tolerance {tol:.0e}")
        if np.all(values - best[some] <= SUBOPTIMALITY[dtype] * best[some]):
            return tol
    raise LeftOut("does not get there at any tolerance")


def reason(error: Exception) -> str:
    if isinstance(error, LeftOut):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def best_peer(found: Mapping[str, Standing]) -> float:
    """Seconds of the fastest that is not the library's own; nan if there is none."""
    return min((s.seconds for name, s in found.items() if not name.startswith(OURS)), default=float("nan"))


def print_standings(
    found: Mapping[str, Standing], left_out: Mapping[str, str], *, read: float | None = None, fits: int | None = None
) -> None:
    """The table, fastest first; with ``read``, the cost in reads of X, with ``fits``, fits per second."""
    peer = best_peer(found)
    width = max(map(len, found), default=0) + 2
    extra = f"{'reads' if read else 'fits / s':>10}" if read or fits else ""
    print(f"{'':{width}}{'tol':>6}{'first call':>12}{'time':>12}{extra}{'best peer / it':>16}")
    for name, s in sorted(found.items(), key=lambda item: item[1].seconds):
        cost = f"{s.seconds / read:10.0f}" if read else f"{fits / s.seconds:10.0f}" if fits else ""
        ratio = f"{peer / s.seconds:15.2f}x" if np.isfinite(peer) else f"{'-':>16}"
        print(f"{name:{width}}{s.tol:6.0e}{s.first:10.2f} s{milliseconds(s.seconds):>12}{cost}{ratio}")
    for name, why in left_out.items():
        print(f"  without {name}: {why}")
    print(end="", flush=True)
