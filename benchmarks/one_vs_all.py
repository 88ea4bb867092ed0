"""Many classes, one against all others and by softmax: MNIST and letter beside scikit-learn's solvers.

The penalty is l2 = 1e-4. Every contender has its own loosest tolerance 10**-k at which the worst class
(softmax: the fit) reaches a relative suboptimality of 1e-6 (float32: 1e-5) of the optimum: for each
class what Newton finds in float64, for softmax a fit in float64 whose duality gap is a tenth of that.

On MNIST scikit-learn is given the first 2 of the 10 classes, at a tolerance that is enough for these,
and its time is multiplied by 5.

    python benchmarks/one_vs_all.py [--rounds 3] [--data DIR] [--only letter] [--quick]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from command_line import parse, parser
from objective import SUBOPTIMALITY, Objective, optimum, weights_of
from peers import MAX_STEPS, quietly
from problems import Problem, real
from standings import OURS, Fit, print_standings, reason, standings
from timing import machine

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

L2 = 1e-4
SOLVERS = ("lbfgs", "newton-cholesky", "newton-cg")
CLASSES_OF_PEERS = {"mnist": 2, "letter": 26}
SOFTMAX_CHOLESKY_MAX_WEIGHTS = 1000
LIMIT_SECONDS = 200.0


def main() -> None:
    made = parser(__doc__, rounds=3)
    made.add_argument("--only", choices=tuple(CLASSES_OF_PEERS), help="one data set alone")
    options = parse(made)
    print(machine())
    for name in ("letter", "mnist"):
        if options.only not in (None, name):
            continue
        try:
            problem = real(name, options.data, np.float64, 500 if options.quick else None)
        except FileNotFoundError as error:
            print(f"\nwithout {name}: {error}")
            continue
        one_vs_all(problem, options.rounds)
        softmax(problem, options.rounds)


def one_vs_all(problem: Problem, rounds: int) -> None:
    classes = int(problem.y.max()) + 1
    few = min(classes, CLASSES_OF_PEERS[problem.name])
    Y = (problem.y == np.arange(classes)[:, None]).astype(np.float64)
    objective = Objective(problem.X, Y, L2)
    best = objective(np.concatenate([optimum(problem.X, y, L2) for y in Y]))
    for dtype in (np.float64, np.float32):
        X = problem.X.astype(dtype, copy=False)
        note = "" if few == classes else f" ({few} of {classes} classes, times {classes // few})"
        fits = {f"{OURS} fit_one_vs_all": ours(jlr.fit_one_vs_all, X, problem.y, classes)}
        theirs, left_out = scikit_learn(partial(one_vs_rest, X, Y[:few].astype(dtype)), SOLVERS)
        fits |= {name + note: fit for name, fit in theirs.items()}
        scales = {name + note: classes / few for name in theirs}
        found, unable = standings(fits, objective, best, X.dtype, rounds, scales, LIMIT_SECONDS)
        print(f"\none against all, {classes} classes, {problem.name}, {X.shape[0]} x {X.shape[1]}, {X.dtype}")
        print_standings(found, left_out | unable)


def softmax(problem: Problem, rounds: int) -> None:
    classes = int(problem.y.max()) + 1
    objective = SoftmaxObjective(problem)
    best = objective(softmax_optimum(problem, classes))
    solvers = SOLVERS
    if classes * (problem.X.shape[1] + 1) > SOFTMAX_CHOLESKY_MAX_WEIGHTS:
        solvers = tuple(solver for solver in SOLVERS if solver != "newton-cholesky")
    for dtype in (np.float64, np.float32):
        X = problem.X.astype(dtype, copy=False)
        theirs, left_out = scikit_learn(partial(multinomial, X, problem.y), solvers)
        fits = {f"{OURS} fit_softmax": ours(jlr.fit_softmax, X, problem.y, classes)} | theirs
        found, unable = standings(fits, objective, best, X.dtype, rounds, limit=LIMIT_SECONDS)
        print(f"\nsoftmax, {classes} classes, {problem.name}, {X.shape[0]} x {X.shape[1]}, {X.dtype}")
        print_standings(found, left_out | unable)


class SoftmaxObjective:
    """``mean(logsumexp(z) - z_label) + l2/2 |W|²`` in float64, ``(1,)``, at weights ``(K, n + 1)``."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.labels = np.asarray(problem.X, np.float64), problem.y

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        weights = np.asarray(weights, np.float64)
        z = weights[:, :-1] @ self.X.T + weights[:, -1:]
        losses = scipy.special.logsumexp(z, axis=0) - z[self.labels, np.arange(len(self.labels))]
        return np.array([np.mean(losses) + 0.5 * L2 * np.sum(weights[:, :-1] ** 2)])


def softmax_optimum(problem: Problem, classes: int) -> np.ndarray:
    """Weights whose duality gap proves them ten times nearer to the optimum than is asked for, or with a KKT
    residual of 1e-8."""
    X, n = jnp.asarray(problem.X), problem.X.shape[1]
    params = jlr.Params(jnp.zeros((classes, n), X.dtype), jnp.zeros(classes, X.dtype))
    for tol in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        solution = jlr.fit_softmax(X, problem.y, classes, l2=L2, init=params, tol=tol, max_steps=MAX_STEPS)
        params = solution.params
        if float(solution.gap) <= 0.1 * SUBOPTIMALITY["float64"] * float(solution.value):
            return weights_of(params)
    if not bool(solution.converged):
        print(f"the softmax optimum is not one: {solution.message}", flush=True)
    return weights_of(params)


def ours(function, X: np.ndarray, labels: np.ndarray, classes: int) -> Fit:
    Xd = jnp.asarray(X)
    return lambda tol: weights_of(function(Xd, labels, classes, l2=L2, tol=tol, max_steps=MAX_STEPS).params)


def scikit_learn(make, solvers: tuple[str, ...]) -> tuple[dict[str, Fit], dict[str, str]]:
    try:
        return {f"scikit-learn {solver}": quietly(make(solver)) for solver in solvers}, {}
    except ImportError as error:
        return {}, {"scikit-learn": reason(error)}


def one_vs_rest(X: np.ndarray, Y: np.ndarray, solver: str) -> Fit:
    """One binary fit a row of ``Y``, as OneVsRestClassifier makes them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegression(C=1 / (len(X) * L2), solver=solver, tol=tol, max_iter=MAX_STEPS)
        made = OneVsRestClassifier(model).fit(X, Y.T.astype(int)).estimators_
        return np.stack([np.append(one.coef_[0], one.intercept_) for one in made])

    return fit


def multinomial(X: np.ndarray, labels: np.ndarray, solver: str) -> Fit:
    from sklearn.linear_model import LogisticRegression

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegression(C=1 / (len(X) * L2), solver=solver, tol=tol, max_iter=MAX_STEPS)
        model.fit(X, labels)
        return np.column_stack([model.coef_, model.intercept_])

    return fit


if __name__ == "__main__":
    main()
