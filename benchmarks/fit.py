"""One L2 fit, beside scikit-learn, jaxopt and optax: time to the same suboptimality.

Every solver gets the same arrays and the same objective (mean cross-entropy + l2/2 |w|², intercept
free), and the loosest tolerance of its own at which it reaches a relative suboptimality of 1e-6. Then
all are timed in turn, round after round, so that a noisy machine is noisy for all alike. Compilation
is reported apart, and a "read" is the time of one product X @ w.

    python benchmarks/fit.py [--rounds 7]
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np
import optax
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

SUBOPTIMALITY = 1e-6
TOLERANCES = [10.0**-k for k in range(1, 10)]
TUMOUR = Path(__file__).parent.parent / "examples" / "data" / "breast_cancer_wdbc.csv"
Fit = Callable[[float], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description="One L2 fit beside its peers.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = np.loadtxt(TUMOUR, delimiter=",", skiprows=1)
    X, y = table[:, :-1], table[:, -1]
    compare("tumour data, 569 x 30, standardised", (X - X.mean(0)) / X.std(0), y, 1e-2, 5 * rounds)
    compare("made, 100000 x 100, independent columns", *made(100_000, 100, 0.0), 1e-4, rounds)
    compare("made, 100000 x 100, correlated columns", *made(100_000, 100, 0.9), 1e-4, rounds)


def made(m: int, n: int, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal columns, each correlated with the one before, and labels from a logistic model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, n))
    for j in range(1, n):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    w = rng.normal(size=n) / np.sqrt(n)
    return X, (rng.uniform(size=m) < 1 / (1 + np.exp(-X @ w + 0.5))).astype(float)


def compare(title: str, X: np.ndarray, y: np.ndarray, l2: float, rounds: int) -> None:
    def objective(w: np.ndarray) -> float:
        z = X @ w[:-1] + w[-1]
        return float(np.mean(np.logaddexp(0, z) - y * z) + 0.5 * l2 * np.sum(w[:-1] ** 2))

    fits = solvers(X, y, l2)
    Xd, wd = jnp.asarray(X), jnp.asarray(np.ones(X.shape[1]))
    read = timed(lambda: (Xd @ wd).block_until_ready(), 20)
    print(f"\n{title}, l2 = {l2:g}; one read X @ w: {1e3 * read:.3g} ms", flush=True)
    first = {name: timed(partial(fit, 0.1), 1) for name, fit in fits.items()}
    best = objective(fits["jaxlogreg (default)"](1e-12))
    settings = {}
    for name, fit in fits.items():
        enough = (tol for tol in TOLERANCES if objective(fit(tol)) - best <= SUBOPTIMALITY * best)
        tol = next(enough, None)
        if tol is not None:
            settings[name] = tol
    times: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(rounds):
        for name, tol in settings.items():
            times[name].append(timed(partial(fits[name], tol), 1))
    medians = {name: median(t) for name, t in times.items()}
    peer = min(time for name, time in medians.items() if not name.startswith("jaxlogreg"))
    print(f"{'solver':28}{'tol':>8}{'first call':>12}{'time':>12}{'reads':>8}{'best peer / it':>16}")
    for name, seconds in sorted(medians.items(), key=lambda item: item[1]):
        print(
            f"{name:28}{settings[name]:8.0e}{first[name]:10.2f} s{1e3 * seconds:9.2f} ms"
            f"{seconds / read:8.0f}{peer / seconds:15.2f}x",
            flush=True,
        )
    for name in fits.keys() - settings.keys():
        print(f"{name:28} does not reach it at any tolerance")


def solvers(X: np.ndarray, y: np.ndarray, l2: float) -> dict[str, Fit]:
    Xd, yd = jnp.asarray(X), jnp.asarray(y)

    def ours(solver: Any) -> Fit:
        def fit(tol: float) -> np.ndarray:
            params = jlr.fit(Xd, yd, l2=l2, solver=solver, tol=tol).params
            return np.append(params.coef, params.intercept)

        return fit

    def sklearn(solver: str) -> Fit:
        def fit(tol: float) -> np.ndarray:
            model = LogisticRegression(C=1 / (len(y) * l2), solver=solver, tol=tol, max_iter=10_000).fit(X, y)
            return np.append(model.coef_[0], model.intercept_)

        return fit

    def loss(w: jax.Array, X: jax.Array, y: jax.Array) -> jax.Array:
        losses = optax.losses.sigmoid_binary_cross_entropy(X @ w[:-1] + w[-1], y)
        return jnp.mean(losses) + 0.5 * l2 * jnp.sum(w[:-1] ** 2)

    start = jnp.zeros(X.shape[1] + 1)

    @jax.jit
    def run_jaxopt(tol: Any, X: jax.Array, y: jax.Array) -> jax.Array:
        solver = jaxopt.LBFGS(loss, tol=tol, maxiter=10_000)
        return solver.run(start, X, y).params

    @jax.jit
    def run_optax(tol: jax.Array, X: jax.Array, y: jax.Array) -> jax.Array:
        def function(w: jax.Array) -> jax.Array:
            return loss(w, X, y)

        solver = optax.lbfgs()
        value_and_grad = optax.value_and_grad_from_state(function)

        def step(carry: Any) -> Any:
            w, state = carry
            value, gradient = value_and_grad(w, state=state)
            updates, state = solver.update(gradient, state, w, value=value, grad=gradient, value_fn=function)
            return optax.apply_updates(w, updates), state

        def unfinished(carry: Any) -> jax.Array:
            state = carry[1]
            count, gradient = optax.tree.get(state, "count"), optax.tree.get(state, "grad")
            return (count == 0) | ((count < 10_000) & (jnp.max(jnp.abs(gradient)) > tol))

        return jax.lax.while_loop(unfinished, step, (start, solver.init(start)))[0]

    return {
        "jaxlogreg (default)": ours(None),
        "jaxlogreg LBFGS": ours(jlr.LBFGS()),
        "scikit-learn lbfgs": sklearn("lbfgs"),
        "scikit-learn newton-cholesky": sklearn("newton-cholesky"),
        "jaxopt LBFGS": lambda tol: np.asarray(run_jaxopt(tol, Xd, yd)),
        "optax.lbfgs": lambda tol: np.asarray(run_optax(tol, Xd, yd)),
    }


def timed(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    main()
