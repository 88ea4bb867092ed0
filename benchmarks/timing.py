"""Timing: contenders in turn, medians, the time of one read of ``X``, and the machine it was measured on.

All have run, and compiled, before. Then they run in turn, round after round, so that a noisy machine is
noisy for all alike. Results are waited for (``block_until_ready``).
"""

import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

PACKAGES = (
    "jaxlogreg", "jax", "jaxlib", "numpy", "scipy", "scikit-learn", "glum", "statsmodels", "jaxopt", "optax",
    "optimistix", "adelie", "python-glmnet", "skglm",
)  # fmt: skip
ENOUGH_SECONDS = 20.0
SLOW_SECONDS = 5.0
WARM_SECONDS = 0.2
Result = TypeVar("Result")


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    return timed_result(function)[0]


def timed_result(function: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of one call, and what it gave."""
    start = time.perf_counter()
    result = jax.block_until_ready(function())
    return time.perf_counter() - start, result


def in_turn(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each contender; one that has used 20 s sits out the rounds that are left.

    All but the slow first run untimed for a while: threads of the one before may still be spinning, and a core that
    has just rested is slow.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, function in contenders.items():
            if sum(times[name]) < ENOUGH_SECONDS:
                seconds, start = timed(function), time.perf_counter()
                if seconds < SLOW_SECONDS:
                    seconds = timed(function)
                    while time.perf_counter() - start < WARM_SECONDS:
                        seconds = timed(function)
                times[name].append(seconds)
    return {name: median(seconds) for name, seconds in times.items()}


def looped(form: Callable[..., Array], count: Array | int, start: Array, data: tuple[Array, ...]) -> Array:
    """``form(x, *data)``, ``count`` times in a loop; each result moves one number of the next ``x``.

    So nothing is hoisted out of the loop, and the result stays in one buffer, as in a solver.
    """

    def again(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        x, _ = carry
        result = form(x, *data)
        number = jax.tree.leaves(result)[0].ravel()[0].astype(x.dtype)
        return x.at[(0,) * x.ndim].add(jnp.asarray(1e-30, x.dtype) * number), result

    shapes = jax.eval_shape(form, start, *data)
    return lax.fori_loop(0, count, again, (start, jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)))[1]


def read_seconds(X: Array, rounds: int = 5, count: int = 20) -> float:
    """Seconds of one product ``X @ w`` in the dtype of ``X``, in a compiled loop of ``count``."""
    X = jnp.asarray(X)
    run = jax.jit(lambda w, X: looped(lambda w, X: X @ w, count, w, (X,)))
    w = jnp.ones(X.shape[1], X.dtype)
    timed(lambda: run(w, X))
    return median(timed(lambda: run(w, X)) for _ in range(rounds)) / count


def machine() -> str:
    """CPU, cores, device, Python, versions and date, in two lines."""
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name)))
    device = jax.devices()[0]
    accelerator = "" if device.platform == "cpu" else f"; JAX on {device.device_kind}"
    return (
        f"{_processor()}, {_cores()} cores{accelerator}; {platform.system()}, Python {platform.python_version()}; "
        f"{datetime.date.today()}\n{versions}"
    )


def milliseconds(seconds: float) -> str:
    """Three digits, in ms."""
    return f"{float(np.format_float_positional(1e3 * seconds, 3, fractional=False)):g} ms"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
