"""The race of the optimisers: every solver on the spam data, some on the tumours, by steps, reads of the data and time.

Shows

- one call for all of them, ``jlr.minimize(problem, start, solver=..., trace=True)``, and what each step reached;
- that steps, reads and seconds tell three different stories: Newton needs the fewest steps, but with many columns each
  of its Hessians costs as much as dozens of reads;
- both learning rates of gradient descent: the safe one, and Yedida & Saha's, which is longer: on the tumour data it
  happens to do better, on the spam data it overshoots and ends swinging to and fro.

Run it with (it takes half a minute, nearly all of it compilation, on two threads)

    python examples/optimiser_race.py

The picture is saved to ``examples/output/optimiser_race.png``.
"""

import csv
import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent / "data"
OUTPUT = Path(__file__).parent / "output"
L2 = 1e-3
MAX_STEPS = 300
RUNS = 5

SOLVERS: dict[str, tuple[jlr.Solver, str, str]] = {
    "Newton": (jlr.Newton(), "black", "-"),
    "Newton, truncated (CG)": (jlr.NewtonCG(), "0.55", "-"),
    "L-BFGS, Gram preconditioner": (jlr.LBFGS(preconditioner="hessian"), "#009e73", "-"),
    "L-BFGS": (jlr.LBFGS(), "#009e73", "--"),
    "BFGS": (jlr.BFGS(), "#56b4e9", "-"),
    "DFP": (jlr.DFP(), "#56b4e9", "--"),
    "conjugate gradients, Hager-Zhang": (jlr.ConjugateGradient(), "#cc79a7", "-"),
    "conjugate gradients, Fletcher-Reeves": (jlr.ConjugateGradient("fletcher_reeves"), "#cc79a7", "--"),
    "accelerated gradient descent": (jlr.GradientDescent(acceleration=True), "#0072b2", "-."),
    "gradient descent, step 1/L": (jlr.GradientDescent(), "#0072b2", "-"),
    "gradient descent, Yedida-Saha step": (jlr.GradientDescent("yedida_saha"), "#d55e00", "--"),
    "Adam (Optax)": (jlr.Optax(optax.adam(0.05)), "#e69f00", "-"),
}
BOTH = ("Newton", "L-BFGS", *(name for name in SOLVERS if "descent" in name))  # on the tumours too


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    data = {"tumour": (*tumours(), BOTH), "spam": (*spam(), tuple(SOLVERS))}
    problems = {name: problem(X, y) for name, (X, y, _) in data.items()}
    with ThreadPoolExecutor(2) as threads:  # compile first, two programs at a time; race later, one by one
        entries = [(problems[name], label) for name, (_, _, labels) in data.items() for label in labels]
        list(threads.map(lambda entry: run(*entry), entries))

    figure, axes = plt.subplots(2, 3, figsize=(14, 8.5), sharey="row", layout="constrained")
    for row, (name, (X, _, labels)) in zip(axes, data.items(), strict=True):
        lowest = float(run(problems[name], "Newton").raise_if_failed().value)
        print(f"\n{name}, {X.shape[0]} x {X.shape[1]}: the minimum is {lowest:.10f}")
        print(f"{'':38s} steps   reads        ms   status")
        for label in labels:
            solution, seconds = timed(problems[name], label)
            assert solution.trace is not None
            steps = int(solution.num_steps)
            reads, status = int(solution.num_passes), jlr.Status(int(solution.status)).name
            print(f"{label:38s} {steps:5d} {reads:7d} {1e3 * seconds:9.2f}   {status}")
            above = np.maximum(np.asarray(solution.trace.value[: steps + 1]) - lowest, 1e-16)
            part = np.arange(steps + 1) / max(steps, 1)
            _, colour, line = SOLVERS[label]
            for axis, x in zip(row, (part * steps, part * reads, part * 1e3 * seconds), strict=True):
                axis.plot(x, above, color=colour, linestyle=line, label=label)
        for axis, unit in zip(row, ("step", "reads of the data", "milliseconds"), strict=True):
            axis.set(xscale="symlog", yscale="log", xlabel=unit, ylim=(1e-13, 10.0), xlim=(0, None))
            axis.set_title(f"{name}: objective above its minimum")
            axis.grid(alpha=0.3)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(OUTPUT / "optimiser_race.png", dpi=110)
    plt.close(figure)
    print("\nsaved examples/output/optimiser_race.png")


def problem(X: np.ndarray, y: np.ndarray) -> jlr.Problem:
    """Logistic regression with an intercept, which is the last weight and not penalised."""
    return jlr.Problem(
        jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y)),
        jlr.WithIntercept(jlr.Dense(jnp.asarray(X))),
        jlr.L2(jnp.asarray(L2), jnp.append(jnp.ones(X.shape[1]), 0.0)),
    )


def run(problem: jlr.Problem, label: str) -> jlr.Solution:
    """The solution with its trace, from zero weights."""
    start = jnp.zeros(problem.linear_map.shape[1])
    solver, _, _ = SOLVERS[label]
    return jax.block_until_ready(jlr.minimize(problem, start, solver=solver, max_steps=MAX_STEPS, tol=1e-8, trace=True))


def timed(problem: jlr.Problem, label: str) -> tuple[jlr.Solution, float]:
    """The solution, and the median time of a run, compiled before."""
    solution, times = run(problem, label), []
    for _ in range(RUNS):
        began = perf_counter()
        solution = run(problem, label)
        times.append(perf_counter() - began)
    return solution, float(np.median(times))


def tumours() -> tuple[np.ndarray, np.ndarray]:
    """Standardised columns ``(569, 30)``, and 1 for malignant."""
    table = np.loadtxt(DATA / "breast_cancer_wdbc.csv", delimiter=",", skiprows=1)
    return standardised(table[:, :-1]), 1.0 - table[:, -1]


def spam() -> tuple[np.ndarray, np.ndarray]:
    """Standardised logarithms of counts ``(4601, 57)``, and 1 for spam."""
    with gzip.open(DATA / "spambase.csv.gz", "rt", newline="") as file:
        _, *rows = csv.reader(file)
    table = np.array(rows, float)
    return standardised(np.log1p(table[:, :-1])), table[:, -1]


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


if __name__ == "__main__":
    main()
