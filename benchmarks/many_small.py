"""Thousands of small fits at once: fits that share covariates, and fits that share nothing.

As in a genome-wide scan, each of 2000 fits has 2000 rows, 4 covariates that all share and 1 column of
its own (counts 0, 1, 2), and no penalty. Then 2000 fits of 500 x 5 with data of their own. The library
fits all in one `jax.vmap`; statsmodels and scikit-learn make the first 100 fits in a loop, and their
time is multiplied by 20. Each has its own loosest tolerance 10**-k at which the worst fit reaches a
relative suboptimality of 1e-6 (float32: 1e-5) of the optimum that Newton finds in float64.

    python benchmarks/many_small.py [--rounds 3] [--quick]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from command_line import parse, parser
from objective import Objective, weights_of
from peers import Task, peers
from standings import OURS, Fit, print_standings, standings
from timing import machine

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

PEERS = ("statsmodels Logit", "scikit-learn newton-cholesky", "scikit-learn lbfgs")
SAMPLE = 100


def main() -> None:
    options = parse(parser(__doc__, rounds=3, data=False))
    fits, sample = (8, 2) if options.quick else (2000, SAMPLE)
    print(machine())
    for dtype in (np.float64, np.float32):
        shared_columns(fits, 2000, sample, np.dtype(dtype), options.rounds)
        nothing_shared(fits, 500, sample, np.dtype(dtype), options.rounds)


def shared_columns(fits: int, m: int, sample: int, dtype: np.dtype, rounds: int) -> None:
    rng = np.random.default_rng(0)
    C = rng.normal(size=(m, 4)).astype(dtype)
    G = rng.binomial(2, rng.uniform(0.1, 0.5, size=(fits, 1)), size=(fits, m)).astype(dtype)
    y = (rng.uniform(size=m) < 1 / (1 + np.exp(-C @ [1.0, -0.5, 0.5, 0.0] + 0.5))).astype(dtype)
    Cd, Gd, yd = jnp.asarray(C), jnp.asarray(G), jnp.asarray(y)

    def by_columns(tol: float) -> np.ndarray:
        return weights_of(jax.vmap(lambda g: jlr.fit(jlr.Columns(Cd, g), yd, tol=tol))(Gd).params)

    def by_matrices(tol: float) -> np.ndarray:
        def fit(g: jax.Array) -> jlr.Solution:
            return jlr.fit(jnp.concatenate([Cd, g[:, None]], axis=1), yd, tol=tol)

        return weights_of(jax.vmap(fit)(Gd).params)

    ours = {
        f"{OURS} vmap of fit(Columns(C, g), y)": by_columns,
        f"{OURS} vmap of fit(concatenate([C, g]), y)": by_matrices,
    }
    X = np.stack([np.column_stack([C, g]) for g in G])
    print(f"\n{fits} fits of {m} rows, 4 shared columns and 1 of its own, {dtype.name}")
    compare(ours, X, np.broadcast_to(y, (fits, m)), sample, rounds)


def nothing_shared(fits: int, m: int, sample: int, dtype: np.dtype, rounds: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(fits, m, 5)).astype(dtype)
    z = np.einsum("lmn,ln->lm", X, rng.normal(size=(fits, 5)) / np.sqrt(5))
    y = (rng.uniform(size=(fits, m)) < 1 / (1 + np.exp(-z))).astype(dtype)
    Xd, yd = jnp.asarray(X), jnp.asarray(y)

    def at_once(tol: float) -> np.ndarray:
        return weights_of(jax.vmap(partial(jlr.fit, tol=tol))(Xd, yd).params)

    print(f"\n{fits} fits of {m} x 5 that share nothing, {dtype.name}")
    compare({f"{OURS} vmap of fit(X, y)": at_once}, X, y, sample, rounds)


def compare(ours: dict[str, Fit], X: np.ndarray, y: np.ndarray, sample: int, rounds: int) -> None:
    fits = len(X)
    newton = jax.vmap(lambda X, y: jlr.fit(X, y, solver=jlr.Newton(), tol=1e-11))
    weights = weights_of(newton(jnp.asarray(X, jnp.float64), jnp.asarray(y, jnp.float64)).params)
    objective = Objective(X, y, 0.0)
    theirs, left_out, scales = {}, {}, {}
    for name in PEERS:
        tasks = [Task(X[k], np.ascontiguousarray(y[k]), 0.0, weights[k]) for k in range(sample)]
        made = [peers(task, [name]) for task in tasks]
        left_out |= made[0][1]
        if name in made[0][0]:
            full_name = f"{name} (the first {sample}, times {fits / sample:g})"
            theirs[full_name] = one_after_another([one[name] for one, _ in made])
            scales[full_name] = fits / sample
    found, unable = standings(ours | theirs, objective, objective(weights), X.dtype, rounds, scales)
    print_standings(found, left_out | unable, fits=fits)


def one_after_another(fits: list[Fit]) -> Fit:
    return lambda tol: np.stack([fit(tol) for fit in fits])


if __name__ == "__main__":
    main()
