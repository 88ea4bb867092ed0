"""A sweep over 50 penalties, and 10-fold cross-validation over them, beside scikit-learn warm-started along the path.

The penalties are np.logspace(-1, -5, 50). `fit_path` and a plain `jax.vmap` of `fit` stand beside
scikit-learn's LogisticRegression with `warm_start=True` and one `C` after another. Each has its own
loosest tolerance 10**-k at which the worst of the 50 fits reaches a relative suboptimality of 1e-6
(float32: 1e-5) of the optimum that Newton finds in float64.

Cross-validation: `cross_validate` with 10 folds beside LogisticRegressionCV by each of two solvers, on the
same folds, the tolerance of each found as above from its fits of all folds and penalties. The penalty of
a row is the same for both (C = 1 / (0.9 m l2)).

    python benchmarks/sweep.py [--rounds 3] [--data DIR] [--quick]
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from command_line import parse, parser
from objective import Objective, optimum, weights_of
from peers import MAX_STEPS, quietly
from problems import Problem, made, real
from standings import OURS, Fit, Standing, print_standings, reason, standings
from timing import machine

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

PATH, VMAP = f"{OURS} fit_path", f"{OURS} vmap of fit"
SOLVERS = ("newton-cholesky", "lbfgs")
FOLDS = 10


def main() -> None:
    options = parse(parser(__doc__, rounds=3))
    print(machine())
    l2s = np.logspace(-1, -5, 4 if options.quick else 50)
    for dtype in (np.float64, np.float32):
        for problem in problems(options, dtype):
            fits, left_out = contenders(problem.X, problem.y, l2s)
            found, unable = qualified(fits, problem.X, problem.y, l2s, options.rounds)
            print(f"\n{len(l2s)} penalties, {problem.title}")
            print_standings(found, left_out | unable)
    for dtype in (np.float64, np.float32):
        cross_validation(made(*((400, 8) if options.quick else (20_000, 100)), 0.5, dtype), l2s, options.rounds)


def problems(options: Any, dtype: Any) -> Iterator[Problem]:
    for name in ("spambase",) if options.quick else ("spambase", "a9a"):
        try:
            yield real(name, options.data, dtype, 500 if options.quick else None)
        except FileNotFoundError as error:
            print(f"\nwithout {name}: {error}")
    for m, n in ((400, 8),) if options.quick else ((100_000, 100), (10_000, 500)):
        yield made(m, n, 0.5, dtype)


def qualified(
    fits: dict[str, Fit], X: np.ndarray, y: np.ndarray, l2s: np.ndarray, rounds: int
) -> tuple[dict[str, Standing], dict[str, str]]:
    objective = Objective(X, y, l2s)
    return standings(fits, objective, objective(optimum(X, y, l2s)), X.dtype, rounds)


def contenders(X: np.ndarray, y: np.ndarray, l2s: np.ndarray) -> tuple[dict[str, Fit], dict[str, str]]:
    Xd, yd, l2d = jnp.asarray(X), jnp.asarray(y), jnp.asarray(l2s, X.dtype)

    def path(tol: float) -> np.ndarray:
        return weights_of(jlr.fit_path(Xd, yd, l2=l2d, tol=tol).params)

    def lanes(tol: float) -> np.ndarray:
        return weights_of(jax.vmap(lambda l2: jlr.fit(Xd, yd, l2=l2, tol=tol))(l2d).params)

    fits, left_out = {PATH: path, VMAP: lanes}, {}
    for solver in SOLVERS:
        name = f"scikit-learn {solver}, warm-started"
        try:
            fits[name] = quietly(warm_started(solver, X, y, l2s))
        except ImportError as error:
            left_out[name] = reason(error)
    return fits, left_out


def warm_started(solver: str, X: np.ndarray, y: np.ndarray, l2s: np.ndarray) -> Fit:
    from sklearn.linear_model import LogisticRegression

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegression(solver=solver, tol=tol, max_iter=MAX_STEPS, warm_start=True)
        found = []
        for l2 in l2s:
            model.set_params(C=1 / (len(y) * l2)).fit(X, y)
            found.append(np.append(model.coef_[0], model.intercept_))
        return np.stack(found)

    return fit


def cross_validation(problem: Problem, l2s: np.ndarray, rounds: int) -> None:
    """Both on the same folds, and all fits of all folds measured on the rows that the fold leaves."""
    X, y = problem.X, problem.y
    print(f"\n{FOLDS}-fold cross-validation over {len(l2s)} penalties, {problem.title}")
    fold = np.arange(len(y)) % FOLDS
    training = [fold != k for k in range(FOLDS)]
    objectives = [Objective(X[rows], y[rows], l2s) for rows in training]

    def objective(weights: np.ndarray) -> np.ndarray:
        return np.concatenate([of(each) for of, each in zip(objectives, weights, strict=True)])

    best = objective(np.stack([optimum(X[rows], y[rows], l2s) for rows in training]))
    fits: dict[str, Fit] = {f"{OURS} cross_validate": ours(X, y, fold, l2s)}
    for solver in SOLVERS:
        fits[f"LogisticRegressionCV {solver}"] = theirs(solver, X, y, fold, l2s)
    print_standings(*standings(fits, objective, best, X.dtype, rounds))


def ours(X: np.ndarray, y: np.ndarray, fold: np.ndarray, l2s: np.ndarray) -> Fit:
    Xd, yd, l2d = jnp.asarray(X), jnp.asarray(y), jnp.asarray(l2s, X.dtype)
    return lambda tol: weights_of(
        jlr.cross_validate(Xd, yd, l2=l2d, folds=FOLDS, fold_id=fold, tol=tol).fold_solution.params
    )


def theirs(solver: str, X: np.ndarray, y: np.ndarray, fold: np.ndarray, l2s: np.ndarray) -> Fit:
    from sklearn.linear_model import LogisticRegressionCV

    Cs = 1 / ((1 - 1 / FOLDS) * len(y) * l2s)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegressionCV(
            Cs=Cs, cv=splits, solver=solver, tol=tol, max_iter=MAX_STEPS, scoring="neg_log_loss", l1_ratios=(0,),
            use_legacy_attributes=False,
        )  # fmt: skip
        return model.fit(X, y).coefs_paths_[:, 0, :, 0]

    return quietly(fit)


if __name__ == "__main__":
    main()
