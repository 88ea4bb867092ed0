"""The peers: one L2 fit by each of the libraries that people use, all of the same objective.

    mean(log(1 + exp(z)) - y z) + l2/2 |w|²,    z = X w + b, the intercept b free

Each is a function from a tolerance of its own to weights, the intercept last. It computes in the
dtype of ``X``; what JAX compiles is compiled once, with data and tolerance as arguments. Peers are
imported when asked for, and one that is missing, or cannot state the problem, is left out with the
reason.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.special
from jax import Array
from objective import SUBOPTIMALITY, Objective
from standings import Fit, LeftOut

import jaxlogreg as jlr

MAX_STEPS = 10_000


@dataclass(frozen=True)
class Task:
    """What is to be fitted, and weights near the optimum, for whoever must choose a scale."""

    X: np.ndarray
    y: np.ndarray
    l2: float
    optimum: np.ndarray


def peers(task: Task, names: Iterable[str] | None = None) -> tuple[dict[str, Fit], dict[str, str]]:
    """The fits of the peers that can take part, and why the others cannot."""
    fits, left_out = {}, {}
    for name in PEERS if names is None else names:
        try:
            fits[name] = quietly(PEERS[name](task))
        except ImportError as error:
            left_out[name] = f"not installed ({error})"
        except LeftOut as reason:
            left_out[name] = str(reason)
    return fits, left_out


def quietly(fit: Fit) -> Fit:
    """Peers warn where they stop early; whether that was early enough is measured here."""

    def quiet(tol: float) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fit(tol)

    return quiet


def scikit_learn(solver: str, task: Task) -> Fit:
    from sklearn.linear_model import LogisticRegression

    C = 1 / (len(task.y) * task.l2) if task.l2 > 0 else np.inf

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegression(C=C, solver=solver, tol=tol, max_iter=MAX_STEPS).fit(task.X, task.y)
        return np.append(model.coef_[0], model.intercept_)

    return fit


def liblinear(task: Task) -> Fit:
    """It penalises the intercept, as the weight of a column of ``scale``: by ``l2/2 (b / scale)²``.

    The scale is such that this costs at most a tenth of the suboptimality that is asked for.
    """
    if task.X.dtype != np.float64:
        raise LeftOut("computes in float64 only")
    if task.l2 == 0:
        raise LeftOut("needs a penalty")
    from sklearn.linear_model import LogisticRegression

    value = Objective(task.X, task.y, task.l2)(task.optimum)[0]
    allowed = 0.1 * SUBOPTIMALITY["float64"] * value
    scale = max(1.0, abs(task.optimum[-1]) * np.sqrt(0.5 * task.l2 / allowed))

    def fit(tol: float) -> np.ndarray:
        model = LogisticRegression(
            C=1 / (len(task.y) * task.l2), solver="liblinear", intercept_scaling=scale, tol=tol, max_iter=MAX_STEPS
        ).fit(task.X, task.y)
        return np.append(model.coef_[0], model.intercept_)

    return fit


def glum(task: Task) -> Fit:
    from glum import GeneralizedLinearRegressor

    def fit(tol: float) -> np.ndarray:
        model = GeneralizedLinearRegressor(
            family="binomial", alpha=task.l2, l1_ratio=0, gradient_tol=tol, max_iter=MAX_STEPS
        ).fit(task.X, task.y)
        return np.append(model.coef_, model.intercept_)

    return fit


def statsmodels(task: Task) -> Fit:
    if task.l2 > 0:
        raise LeftOut("has no ridge penalty for Logit")
    from statsmodels.discrete.discrete_model import Logit

    design = np.column_stack([task.X, np.ones(len(task.y), task.X.dtype)])

    def fit(tol: float) -> np.ndarray:
        return Logit(task.y, design).fit(method="newton", tol=tol, maxiter=1000, disp=0).params

    return fit


def scipy_minimize(method: str, task: Task) -> Fit:
    X, y, l2 = task.X, task.y, task.l2
    m, dtype = len(y), X.dtype

    def value_and_gradient(weights: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = weights[:-1].astype(dtype), dtype.type(weights[-1])
        z = X @ w + b
        r = scipy.special.expit(z) - y
        losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))
        gradient = np.append(r @ X / m + l2 * w, r.mean())
        return float(losses.mean() + 0.5 * l2 * (w @ w)), gradient.astype(np.float64)

    at: dict[str, np.ndarray] = {"weights": np.empty(0)}

    def hessian_product(weights: np.ndarray, direction: np.ndarray) -> np.ndarray:
        if not np.array_equal(weights, at["weights"]):
            p = scipy.special.expit(X @ weights[:-1].astype(dtype) + dtype.type(weights[-1]))
            at.update(weights=weights.copy(), curvature=p * (1 - p) / m)
        d = direction[:-1].astype(dtype)
        s = at["curvature"] * (X @ d + dtype.type(direction[-1]))
        return np.append(s @ X + l2 * d, s.sum()).astype(np.float64)

    def fit(tol: float) -> np.ndarray:
        if method == "L-BFGS-B":
            extra = {"options": {"gtol": tol, "ftol": 0.0, "maxiter": MAX_STEPS, "maxfun": 2 * MAX_STEPS}}
        else:
            extra = {"options": {"xtol": tol, "maxiter": MAX_STEPS}, "hessp": hessian_product}
        start = np.zeros(X.shape[1] + 1)
        return scipy.optimize.minimize(value_and_gradient, start, jac=True, method=method, **extra).x

    return fit


def loss(w: Array, X: Array, y: Array, l2: Array) -> Array:
    """The objective for the peers that differentiate it, in the form that XLA runs fastest (see kernels.py).

    (The derivative of that form is stated; taken term by term it would be wrong at z = 0, the start.)
    """
    z = jnp.matmul(X, w[:-1], precision="highest") + w[-1]
    return jnp.mean(jlr.losses.logistic_loss(z, y)) + 0.5 * l2 * jnp.sum(w[:-1] ** 2)


def in_jax(run: Callable[..., Array], task: Task) -> Fit:
    """A fit by ``run(tol, start, X, y, l2)``, compiled once; for float32 without x64, as its users run it."""
    compiled = jax.jit(run)
    dtype = task.X.dtype
    start = jnp.zeros(task.X.shape[1] + 1, dtype)
    data = tuple(jnp.asarray(array, dtype) for array in (task.X, task.y, task.l2))

    def fit(tol: float) -> np.ndarray:
        with jax.enable_x64(dtype == np.float64):
            return np.asarray(compiled(jnp.asarray(tol, dtype), start, *data))

    return fit


def jaxopt(task: Task) -> Fit:
    from jaxopt import LBFGS

    def run(tol: Array, start: Array, X: Array, y: Array, l2: Array) -> Array:
        return LBFGS(loss, tol=tol, maxiter=MAX_STEPS).run(start, X, y, l2).params

    return in_jax(run, task)


def optax(task: Task) -> Fit:
    def run(tol: Array, start: Array, X: Array, y: Array, l2: Array) -> Array:
        return optax_lbfgs(lambda w: loss(w, X, y, l2), tol, start)

    return in_jax(run, task)


def optax_lbfgs(function: Callable[[Array], Array], tol: Array, start: Array, max_steps: int = MAX_STEPS) -> Array:
    """The loop that Optax's users write, until the largest derivative is at most ``tol``."""
    import optax

    solver = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(function)

    def step(carry: Any) -> Any:
        w, state = carry
        value, gradient = value_and_grad(w, state=state)
        updates, state = solver.update(gradient, state, w, value=value, grad=gradient, value_fn=function)
        return optax.apply_updates(w, updates), state

    def unfinished(carry: Any) -> Array:
        state = carry[1]
        count, gradient = optax.tree.get(state, "count"), optax.tree.get(state, "grad")
        return (count == 0) | ((count < max_steps) & (jnp.max(jnp.abs(gradient)) > tol))

    return jax.lax.while_loop(unfinished, step, (start, solver.init(start)))[0]


def optimistix(solver: str, task: Task) -> Fit:
    import optimistix

    def run(tol: Array, start: Array, X: Array, y: Array, l2: Array) -> Array:
        made = getattr(optimistix, solver)(rtol=tol, atol=tol)
        ended = optimistix.minimise(
            lambda w, data: loss(w, *data), made, start, (X, y, l2), max_steps=MAX_STEPS, throw=False
        )
        return ended.value

    return in_jax(run, task)


PEERS: dict[str, Callable[[Task], Fit]] = {
    "scikit-learn lbfgs": partial(scikit_learn, "lbfgs"),
    "scikit-learn newton-cholesky": partial(scikit_learn, "newton-cholesky"),
    "scikit-learn newton-cg": partial(scikit_learn, "newton-cg"),
    "scikit-learn liblinear": liblinear,
    "glum": glum,
    "statsmodels Logit": statsmodels,
    "jaxopt.LBFGS": jaxopt,
    "optax.lbfgs": optax,
    "optimistix.LBFGS": partial(optimistix, "LBFGS"),
    "SciPy L-BFGS-B": partial(scipy_minimize, "L-BFGS-B"),
    "SciPy Newton-CG": partial(scipy_minimize, "Newton-CG"),
}
