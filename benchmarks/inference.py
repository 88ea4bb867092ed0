"""Inference: a fit with its standard errors, thousands of Firth fits, intervals, and a scan of score tests.

A fit and its summary on 100000 x 50, beside statsmodels' Logit (by Newton's method, its default; the covariance comes
with it). 2000 Firth fits of 1000 x 5 with data of their own, in one `jax.vmap`, beside a loop over the `firthmodels`
package (the first 50, times 40). Both agree with the peer before they are timed.

    python benchmarks/inference.py [--rounds 5] [--quick]
"""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import statsmodels.api as sm
from command_line import parse, parser
from firthmodels import FirthLogisticRegression
from problems import made
from timing import in_turn, machine, milliseconds, timed

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

SAMPLE = 50


def main() -> None:
    options = parse(parser(__doc__, rounds=5, data=False))
    print(machine())
    for dtype in (np.float64, np.float32):
        fit_and_summary(2000 if options.quick else 100000, np.dtype(dtype), options.rounds)
    firth(8 if options.quick else 2000, 2 if options.quick else SAMPLE, options.rounds)
    scan(64 if options.quick else 20000, options.rounds)


def fit_and_summary(m: int, dtype: np.dtype, rounds: int) -> None:
    problem = made(m, 50, 0.5, dtype)
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)
    with_intercept = np.column_stack([np.ones(m), problem.X]).astype(np.float64)

    def ours() -> jax.Array:
        return jlr.summary(jlr.fit(X, y), X, y).std_error

    def alone() -> jax.Array:
        return jlr.fit(X, y).value

    def theirs() -> np.ndarray:
        return sm.Logit(problem.y.astype(np.float64), with_intercept).fit(disp=0).bse

    print(f"\nfit and summary, {problem.title}")
    first = timed(ours)
    print(f"standard errors agree to {np.abs(np.asarray(ours()) / theirs() - 1).max():.0e}; first call {first:.1f} s")
    table({"jaxlogreg fit + summary": ours, "jaxlogreg fit alone": alone, "statsmodels Logit": theirs}, rounds)


def firth(fits: int, sample: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(fits, 1000, 5))
    z = np.einsum("lmn,ln->lm", X, rng.normal(size=(fits, 5)) / np.sqrt(5)) - 1.0
    y = (rng.uniform(size=z.shape) < 1 / (1 + np.exp(-z))).astype(np.float64)
    Xd, yd = jnp.asarray(X), jnp.asarray(y)

    def ours() -> jax.Array:
        return jax.vmap(jlr.fit_firth)(Xd, yd).params.coef

    def theirs() -> np.ndarray:
        return np.stack([FirthLogisticRegression().fit(X[k], y[k]).coef_ for k in range(sample)])

    print(f"\n{fits} Firth fits of 1000 x 5 that share nothing, float64")
    first = timed(ours)
    print(f"coefficients agree to {np.abs(np.asarray(ours())[:sample] - theirs()).max():.0e}; first call {first:.1f} s")
    table(
        {"jaxlogreg": ours, f"firthmodels (the first {sample}, times {fits / sample:g})": theirs}, rounds, fits / sample
    )


def scan(variants: int, rounds: int) -> None:
    """Score tests of columns that share a fit, for the record: there is no peer that tests more than one at a time."""
    rng = np.random.default_rng(0)
    C = rng.normal(size=(2000, 4)).astype(np.float32)
    y = (rng.uniform(size=2000) < 1 / (1 + np.exp(-C[:, 0]))).astype(np.float32)
    G = jnp.asarray(rng.binomial(2, rng.uniform(0.05, 0.5, (variants, 1)), (variants, 2000)).astype(np.float32))
    fit = jlr.fit(C, y)

    def ours() -> jax.Array:
        return jax.vmap(lambda g: jlr.score_test(fit, C, y, g).p_value)(G)

    print(f"\n{variants} score tests of 2000 rows beside 4 covariates, float32; first call {timed(ours):.1f} s")
    table({"jaxlogreg score_test": ours}, rounds)


def table(contenders: dict, rounds: int, scale: float = 1.0) -> None:
    """Times, and how many times faster than the last contender, whose time is multiplied."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = in_turn(contenders, rounds)
    *_, last = contenders
    if len(contenders) > 1:
        seconds[last] *= scale
    for name, time in seconds.items():
        print(f"{name:44s} {milliseconds(time):>12s}  {seconds[last] / time:8.2f}x")


if __name__ == "__main__":
    main()
