"""General optimisers in JAX beside each other, on six standard functions and two logistic regressions, in float64.

Alone, from the published start, and from 256 starts around it under ``jax.vmap``. Each contender has its own loosest
tolerance 10**-k at which the largest derivative at its answer is at most 1e-5 (of the 256 starts: for 95 in 100 of
those for which any contender comes so far). Compile time is that of tracing and compiling one program; evaluations are
of the function, with or without its gradient, counted in a run of their own.

    python benchmarks/optimisers.py [--rounds 5] [--quick]
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from command_line import parse, parser
from jax import Array
from peers import optax_lbfgs
from timing import in_turn, machine, timed_result

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

Function = Callable[[Array], Array]
GRADIENT = 1e-5
MAX_STEPS = 1000
SLOW_SECONDS = 5.0  # a run that takes longer is not tried at stricter tolerances
STARTS = 256
ENOUGH = 0.95


def main() -> None:
    options = parse(parser(__doc__, rounds=5, data=False))
    print(machine())
    cases = CASES if not options.quick else {name: CASES[name] for name in ("Rosenbrock, 2 weights",)}
    for starts in (1, STARTS if not options.quick else 4):
        ratios: dict[str, list[float]] = {}
        for name, case in cases.items():
            print(f"\n{name}, {'one start' if starts == 1 else f'{starts} starts under vmap'}", flush=True)
            found = race(case, starts, options.rounds)
            peers = [row for solver, row in found.items() if not solver.startswith("jaxlogreg")]
            fastest, usual = min(row.seconds for row in peers), median(row.compile for row in peers)
            print(f"{'':24s}  tolerance   compile        run   best peer / it   evaluations")
            for solver, row in sorted(found.items(), key=lambda item: item[1].seconds):
                print(
                    f"{solver:24s} {row.tol:10.0e} {row.compile:7.2f} s {1e3 * row.seconds:7.2f} ms "
                    f"{fastest / row.seconds:13.2f}x {row.evaluations if starts == 1 else '':>13}"
                )
                ratios.setdefault(f"{solver}, run", []).append(fastest / row.seconds)
                ratios.setdefault(f"{solver}, compile", []).append(usual / row.compile)
            for solver in CONTENDERS.keys() - found.keys():
                print(f"{solver:24s} does not come so far")
        print("\nmedians: the best peer's run time, and the median peer's compile time, over each one's")
        for solver, values in sorted(ratios.items()):
            print(f"{solver:34s} {median(values):6.2f}x  in {len(values)} of {len(cases)}", flush=True)


class Row(NamedTuple):
    tol: float
    compile: float
    seconds: float
    evaluations: int


class Case(NamedTuple):
    function: Function
    start: np.ndarray


def race(case: Case, starts: int, rounds: int) -> dict[str, Row]:
    rng = np.random.default_rng(0)
    x = case.start
    if starts > 1:
        x = x + 0.1 * (1.0 + np.abs(x)) * rng.normal(size=(starts, len(x)))
    x = jnp.asarray(x)
    gradient = jax.jit(jax.grad(case.function) if starts == 1 else jax.vmap(jax.grad(case.function)))
    compiled, compile_seconds, largest = {}, {}, {}
    for name, make in CONTENDERS.items():
        run = partial(make, case.function)
        run = jax.jit(run if starts == 1 else jax.vmap(run, (None, 0)))
        began = time.perf_counter()
        compiled[name] = run.lower(jnp.asarray(1.0), x).compile()
        compile_seconds[name] = time.perf_counter() - began
    tols = [10.0**-k for k in range(1, 13)]
    for name in CONTENDERS:
        largest[name] = {}
        for tol in tols:
            taken, answer = timed_result(partial(compiled[name], jnp.asarray(tol), x))
            answer = gradient(answer)
            largest[name][tol] = np.atleast_1d(np.asarray(jnp.max(jnp.abs(answer), axis=-1)))
            if (largest[name][tol] <= GRADIENT).all() or taken > SLOW_SECONDS:
                break
    reachable = np.any([g <= GRADIENT for each in largest.values() for g in each.values()], axis=0)
    chosen = {}
    for name, each in largest.items():
        good = [tol for tol, g in each.items() if (g[reachable] <= GRADIENT).mean() >= ENOUGH]
        if reachable.any() and good:
            chosen[name] = max(good)
    seconds = in_turn({name: partial(compiled[name], jnp.asarray(tol), x) for name, tol in chosen.items()}, rounds)
    return {
        name: Row(
            tol,
            compile_seconds[name],
            seconds[name],
            count_evaluations(CONTENDERS[name], case.function, tol, x) if starts == 1 else 0,
        )
        for name, tol in chosen.items()
    }


def count_evaluations(make: Any, function: Function, tol: float, x: Array) -> int:
    count = [0]

    def add() -> None:
        count[0] += 1

    def counted(x: Array) -> Array:
        jax.debug.callback(add)
        return function(x)

    jax.block_until_ready(jax.jit(partial(make, counted))(jnp.asarray(tol), x))
    jax.effects_barrier()
    return count[0]


def ours(solver: jlr.Solver, function: Function, tol: Array, x: Array) -> Array:
    return jlr.minimize(function, x, solver=solver, tol=tol, max_steps=MAX_STEPS).params


def jaxopt(kind: str, function: Function, tol: Array, x: Array) -> Array:
    import jaxopt

    return getattr(jaxopt, kind)(function, tol=tol, maxiter=MAX_STEPS).run(x).params


def optimistix(kind: str, function: Function, tol: Array, x: Array) -> Array:
    import optimistix

    solver = getattr(optimistix, kind)(rtol=tol, atol=tol)
    ended = optimistix.minimise(lambda x, _: function(x), solver, x, max_steps=MAX_STEPS, throw=False)
    return ended.value


def jax_scipy(function: Function, tol: Array, x: Array) -> Array:
    from jax.scipy.optimize import minimize

    return minimize(function, x, method="BFGS", tol=tol, options={"maxiter": MAX_STEPS}).x


CONTENDERS: dict[str, Any] = {
    "jaxlogreg LBFGS": partial(ours, jlr.LBFGS()),
    "jaxlogreg BFGS": partial(ours, jlr.BFGS()),
    "jaxopt LBFGS": partial(jaxopt, "LBFGS"),
    "jaxopt BFGS": partial(jaxopt, "BFGS"),
    "optax lbfgs": partial(optax_lbfgs, max_steps=MAX_STEPS),
    "optimistix LBFGS": partial(optimistix, "LBFGS"),
    "optimistix BFGS": partial(optimistix, "BFGS"),
    "jax.scipy BFGS": jax_scipy,
}


def rosenbrock(x: Array) -> Array:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def beale(x: Array) -> Array:
    powers = jnp.stack([x[1], x[1] ** 2, x[1] ** 3])
    return jnp.sum((jnp.array([1.5, 2.25, 2.625]) - x[0] * (1.0 - powers)) ** 2)


def powell_singular(x: Array) -> Array:
    a, b, c, d = x
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


def wood(x: Array) -> Array:
    a, b, c, d = x
    valleys = 100 * (b - a**2) ** 2 + (1 - a) ** 2 + 90 * (d - c**2) ** 2 + (1 - c) ** 2
    return valleys + 10 * (b + d - 2) ** 2 + (b - d) ** 2 / 10


def brown_dennis(x: Array) -> Array:
    t = jnp.arange(1, 21) / 5
    return jnp.sum(((x[0] + t * x[1] - jnp.exp(t)) ** 2 + (x[2] + jnp.sin(t) * x[3] - jnp.cos(t)) ** 2) ** 2)


def logistic(m: int, n: int, l2: float) -> Case:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(m, n)) * np.logspace(0, 1, n)
    y = rng.uniform(size=m) < 1 / (1 + np.exp(-X @ (rng.normal(size=n) / np.logspace(0, 1, n))))
    data, labels = jnp.asarray(X), jnp.asarray(y, float)

    def function(w: Array) -> Array:
        z = data @ w
        return jnp.mean(jlr.losses.logistic_loss(z, labels)) + 0.5 * l2 * jnp.sum(w * w)

    return Case(function, np.zeros(n))


CASES = {
    "Rosenbrock, 2 weights": Case(rosenbrock, np.array([-1.2, 1.0])),
    "Rosenbrock, 20 weights": Case(rosenbrock, np.tile([-1.2, 1.0], 10)),
    "Beale": Case(beale, np.ones(2)),
    "Powell singular": Case(powell_singular, np.array([3.0, -1.0, 0.0, 1.0])),
    "Wood": Case(wood, np.array([-3.0, -1.0, -3.0, -1.0])),
    "Brown & Dennis": Case(brown_dennis, np.array([25.0, 5.0, -5.0, -1.0])),
    "logistic regression, 500 x 20": logistic(500, 20, 1e-3),
    "logistic regression, 5000 x 50": logistic(5000, 50, 1e-4),
}


if __name__ == "__main__":
    main()
