"""The lasso along a path of 100 penalties, beside glmnet, adelie and skglm.

From the penalty that leaves nothing down to a thousandth of it (a hundredth for the genes), the intercept
free, no standardising. Each contender has its own loosest tolerance 10**-k at which the worst of the 100
fits is within a relative 1e-6 (float32: 1e-5) of the optimum, which is `fit_path`'s at its tightest, kept
only if its duality gap, computed anew in NumPy, is below a hundredth of that.

scikit-learn's solvers need minutes for such a path (`liblinear` knows no warm start). adelie and
python-glmnet ask for an older NumPy than JAX's, and work with the newer: `pip install --no-deps adelie
python-glmnet`.

    python benchmarks/l1_path.py [--rounds 3] [--data DIR] [--quick]
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from command_line import parse, parser
from objective import SUBOPTIMALITY, Objective, weights_of
from peers import quietly
from problems import Problem, made, real
from standings import OURS, Fit, LeftOut, print_standings, reason, standings
from timing import machine

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

USED = 0.2  # of the columns in the made problems have a bearing on the labels
TIGHTEST = 1e-10
LIMIT_SECONDS = 12.0  # for a path; who takes longer at a tolerance that is not sufficient yet is left out


def main() -> None:
    options = parse(parser(__doc__, rounds=3))
    print(machine())
    for dtype in (np.float64, np.float32):
        for problem in problems(options, dtype):
            compare(problem, 5 if options.quick else 100, options.rounds)


def problems(options: Any, dtype: Any) -> Iterator[Problem]:
    for m, n in ((400, 8),) if options.quick else ((100_000, 100), (20_000, 300)):
        yield made(m, n, 0.5, dtype, used=USED)
    try:
        yield real("leukemia_golub", options.data, dtype)
    except FileNotFoundError as error:
        print(f"\nwithout leukemia: {error}")


def compare(problem: Problem, num: int, rounds: int) -> None:
    X, y = problem.X, problem.y
    wide = X.shape[1] > X.shape[0]
    l1s = np.asarray(jlr.lambda_grid(X.astype(np.float64), y, num=num, ratio=1e-2 if wide else 1e-3))
    objective, best = Objective(X, y, 0.0, l1s), optimal_values(X, y, l1s)
    fits, left_out = contenders(X, y, l1s)
    found, unable = standings(fits, objective, best, X.dtype, rounds, limit=LIMIT_SECONDS)
    print(f"\n{num} penalties, {problem.title}")
    print_standings(found, left_out | unable)
    print_fits(X, y, l1s, found[OURS].tol if OURS in found else None)


def optimal_values(X: np.ndarray, y: np.ndarray, l1s: np.ndarray) -> np.ndarray:
    """Values ``(L,)`` certified by a duality gap that is computed here."""
    X64, y64 = X.astype(np.float64), y.astype(np.float64)
    weights = weights_of(jlr.fit_path(jnp.asarray(X64), jnp.asarray(y64), l1=jnp.asarray(l1s), tol=TIGHTEST).params)
    values = Objective(X64, y64, 0.0, l1s)(weights)
    gaps = values - dual_values(X64, y64, l1s, weights)
    worst = np.max(gaps / values)
    if not worst < 0.01 * SUBOPTIMALITY["float64"]:
        print(f"the optimum is known to a relative {worst:.1e} only", flush=True)
    return values


def dual_values(X: np.ndarray, y: np.ndarray, l1s: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``-mean(p log p + (1 - p) log(1 - p))`` of probabilities with ``mean(p) = mean(y)``, ``|Xᵀ(p - y)|/m <= l1``."""
    p = 1 / (1 + np.exp(-(weights[:, :-1] @ X.T + weights[:, -1:])))
    u = p - y
    # The residuals sum to zero: what one side has too much of is taken from it in proportion.
    over = u.sum(axis=1, keepdims=True)
    side = np.where(over > 0, np.maximum(u, 0), np.minimum(u, 0))
    u = u - side * over / np.where(over == 0, 1, side.sum(axis=1, keepdims=True))
    pull = np.abs(u @ X).max(axis=1) / len(y)
    u = u * np.minimum(1, l1s / pull * (1 - 1e-14))[:, None]
    p = np.clip(y + u, 0, 1)
    return -np.mean(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)
                    + np.where(p < 1, (1 - p) * np.log(np.where(p < 1, 1 - p, 1)), 0), axis=1)  # fmt: skip


def contenders(X: np.ndarray, y: np.ndarray, l1s: np.ndarray) -> tuple[dict[str, Fit], dict[str, str]]:
    Xd, yd, l1d = jnp.asarray(X), jnp.asarray(y), jnp.asarray(l1s, X.dtype)
    fits: dict[str, Fit] = {OURS: lambda tol: weights_of(jlr.fit_path(Xd, yd, l1=l1d, tol=tol).params)}
    left_out = {"celer": "fits no intercept"}
    for name, make in PEERS.items():
        try:
            fits[name] = quietly(make(X, y, l1s))
        except (ImportError, LeftOut) as error:
            left_out[name] = reason(error)
    return fits, left_out


def adelie(X: np.ndarray, y: np.ndarray, l1s: np.ndarray) -> Fit:
    import adelie as ad

    matrix = ad.matrix.dense(np.asfortranarray(X), method="naive", n_threads=2)
    loss = ad.glm.binomial(y.astype(X.dtype), dtype=X.dtype.type)

    def fit(tol: float) -> np.ndarray:
        state = ad.grpnet(
            matrix, loss, lmda_path=l1s.astype(X.dtype), tol=tol, irls_tol=tol, n_threads=2, early_exit=False,
            progress_bar=False,
        )  # fmt: skip
        found = np.column_stack([state.betas.toarray(), state.intercepts])
        return in_full(found, len(l1s))

    return fit


def glmnet(X: np.ndarray, y: np.ndarray, l1s: np.ndarray) -> Fit:
    if X.dtype != np.float64:
        raise LeftOut("computes in float64 only")
    from glmnet import LogitNet

    def fit(tol: float) -> np.ndarray:
        model = LogitNet(alpha=1, lambda_path=l1s, standardize=False, n_splits=0, tol=tol, max_iter=10**7)
        model.fit(X, y.astype(int))
        return in_full(np.column_stack([model.coef_path_[0].T, np.ravel(model.intercept_path_)]), len(l1s))

    return fit


def in_full(found: np.ndarray, num: int) -> np.ndarray:
    """A path that ended before its last penalty has not been fitted."""
    return found if len(found) == num else np.zeros((num, found.shape[1]))


def skglm(X: np.ndarray, y: np.ndarray, l1s: np.ndarray) -> Fit:
    from skglm import SparseLogisticRegression

    ordered = np.asfortranarray(X)

    def fit(tol: float) -> np.ndarray:
        model = SparseLogisticRegression(tol=tol, max_iter=1000, max_epochs=10_000, warm_start=True)
        return warm_started(model, ordered, y, ({"alpha": l1} for l1 in l1s))

    return fit


def warm_started(model: Any, X: np.ndarray, y: np.ndarray, settings: Any) -> np.ndarray:
    found = []
    for setting in settings:
        model.set_params(**setting).fit(X, y)
        found.append(np.append(model.coef_[0], model.intercept_))
    return np.stack(found)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Fit]] = {
    "adelie": adelie,
    "glmnet": glmnet,
    "skglm": skglm,
}


def print_fits(X: np.ndarray, y: np.ndarray, l1s: np.ndarray, tol: float | None) -> None:
    if tol is not None:
        solution = jlr.fit_path(X, y, l1=l1s, tol=tol)
        used = np.count_nonzero(solution.params.coef, axis=1)
        print(
            f"{OURS}: {int(jnp.sum(solution.num_steps))} steps and {int(jnp.sum(solution.num_passes))} reads counted "
            f"over {len(l1s)} fits of 0 to {used.max()} columns; largest relative gap "
            f"{float(jnp.max(solution.gap / solution.value)):.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
