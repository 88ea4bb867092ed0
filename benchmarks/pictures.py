"""The pictures of fit.py: suboptimality against time, and time against the number of columns and of rows."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from peers import PEERS
from problems import Problem, made
from standings import LIMIT_SECONDS, OURS, TOLERANCES, Fit, standings
from timing import in_turn, timed

OUTPUT = Path(__file__).parent / "output"
IN_SUBOPTIMALITY = ("spambase", "a9a", "made, correlation 0.5")  # the first of each name
IN_SCALING = [
    "scikit-learn lbfgs", "scikit-learn newton-cholesky", "glum", "jaxopt.LBFGS", "optax.lbfgs", "optimistix.LBFGS",
]  # fmt: skip
FLOOR = 1e-15  # what is nearer than this to the optimum is drawn here

Contenders = Callable[..., tuple[dict[str, Fit], Callable[[np.ndarray], np.ndarray], np.ndarray, dict[str, str]]]


def draw_suboptimality(problems: Iterable[Problem], contenders: Contenders, rounds: int) -> None:
    """A panel a problem, a line a contender, a point a tolerance."""
    plt = pyplot()
    chosen: dict[str, Problem] = {}
    for problem in problems:
        if problem.name in IN_SUBOPTIMALITY:
            chosen.setdefault(problem.name, problem)
    figure, axes = plt.subplots(1, len(chosen), figsize=(6 * len(chosen), 5), sharey=True, squeeze=False)
    for axis, problem in zip(axes[0], chosen.values(), strict=True):
        fits, objective, best, _ = contenders(problem)
        for name, fit in fits.items():
            axis.loglog(*curve(fit, objective, best[0], rounds), marker="o", markersize=3, label=name, **style(name))
        axis.set(title=problem.title, xlabel="seconds")
    axes[0, 0].set_ylabel("relative suboptimality")
    axes[0, -1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, "suboptimality.png")


def curve(
    fit: Fit, objective: Callable[[np.ndarray], np.ndarray], best: float, rounds: int
) -> tuple[list[float], list[float]]:
    seconds, excess = [], []
    for tol in TOLERANCES["float64"]:
        try:
            timed(partial(fit, tol))
            value = objective(fit(tol))[0]
        except Exception:  # why, the table has said
            break
        seconds.append(in_turn({"": partial(fit, tol)}, min(rounds, 3))[""])
        excess.append(max((value - best) / best, FLOOR))
        if seconds[-1] > LIMIT_SECONDS / 4 or excess[-1] <= 1e-13:
            break
    return seconds, excess


def draw_scaling(contenders: Contenders, quick: bool) -> None:
    """Time against n with m fixed, and against m with n fixed, each at its loosest sufficient tolerance."""
    plt = pyplot()
    m, n = (200, 5) if quick else (20_000, 50)
    columns = (2, 4) if quick else (10, 20, 50, 100, 200, 400, 800)
    rows = (200, 400) if quick else (1000, 3000, 10_000, 30_000, 100_000, 300_000)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5))
    draw_times(left, columns, [made(m, n, 0.5, np.float64) for n in columns], contenders)
    left.set(title=f"one L2 fit, m = {m}, float64", xlabel="columns n", ylabel="seconds")
    draw_times(right, rows, [made(m, n, 0.5, np.float64) for m in rows], contenders)
    right.set(title=f"one L2 fit, n = {n}, float64", xlabel="rows m")
    right.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, "scaling.png")


def draw_times(axis: Any, sizes: tuple[int, ...], problems: list[Problem], contenders: Contenders) -> None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for size, problem in zip(sizes, problems, strict=True):
        fits, objective, best, _ = contenders(problem, IN_SCALING)
        found, _ = standings(fits, objective, best, problem.X.dtype, 3)
        for name in fits:
            lines.setdefault(name, [])
            if name in found:
                lines[name].append((size, found[name].seconds))
    for name, points in lines.items():
        if points:
            axis.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=name, **style(name))


def style(name: str) -> dict[str, Any]:
    """The library's own in thick lines, and a peer alike in every picture."""
    if name.startswith(OURS):
        dashes = "--" if "LBFGS" in name else ":" if "Newton" in name else "-"
        return {"linewidth": 2.5, "color": "black", "linestyle": dashes, "zorder": 3}
    number = list(PEERS).index(name)
    return {"linewidth": 1.2, "color": f"C{number % 10}", "linestyle": "-" if number < 10 else "--"}


def pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, name: str) -> None:
    OUTPUT.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(OUTPUT / name, dpi=110)
    print(f"\nwrote {Path(__file__).parent.name}/{OUTPUT.name}/{name}", flush=True)
