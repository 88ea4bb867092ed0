"""The kernels of a fit, form beside form, timed inside a compiled loop as the solvers run them.

Every form runs in a jitted ``lax.fori_loop`` over arrays that stay where they are, and each result
moves the input of the next round, so that nothing is hoisted. (Timed outside of a loop, large results
are page-faulted anew at every call and look several times slower.) NumPy and SciPy are called from
Python. Products count a multiply-add as an element and as two operations; passes over the margins
count a margin as an element. "Best / it" compares with the fastest compiled form.

The form that the library uses runs as a contender, called through the library and marked with a star
(`LIBRARY` below). With --guard the exit status is 1 if any of them is more than twice as slow as the
best form measured.

    python benchmarks/kernels.py [--rounds 5] [--guard] [--quick]
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special
from command_line import parse, parser
from jax import Array
from kernel_forms import (
    FLOAT32_GRAMS,
    GRAMS,
    LANES_GRAMS,
    LANES_LAST_MV,
    LANES_LAST_RMV,
    LANES_MV,
    LANES_RMV,
    MV,
    RESIDUALS,
    RESIDUALS_AND_SLOPES,
    RMV,
    SLOPES,
    SLOPES_AND_CURVATURES,
    VALUES,
    Form,
)
from timing import in_turn, looped, machine, timed

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

# What the library uses, by kernel; the guard watches these.
LIBRARY: dict[str, tuple[str, Form]] = {
    "X @ w": ("Dense.mv", lambda w, X: jlr.Dense(X).mv(w)),
    "r @ X": ("Dense.rmv", lambda r, X: jlr.Dense(X).rmv(r)),
    "W @ X.T": ("vmap of Dense.mv", lambda W, X: jax.vmap(jlr.Dense(X).mv)(W)),
    "R @ X": ("vmap of Dense.rmv", lambda R, X: jax.vmap(jlr.Dense(X).rmv)(R)),
    "weighted Gram": ("Dense.gram", lambda s, X: jlr.Dense(X).gram(s)),
    "Grams of lanes": ("vmap of Dense.gram", lambda S, X: jax.vmap(jlr.Dense(X).gram)(S)),
    "residual": ("losses.sigmoid", lambda t, z, d, y: jlr.losses.sigmoid(z + t * d) - y),
    "slope": ("losses.sigmoid, vdot", lambda t, z, d, y: jnp.vdot(jlr.losses.sigmoid(z + t * d) - y, d)),
    "value": ("losses.logistic_loss", lambda t, z, d, y: jnp.sum(jlr.losses.logistic_loss(z + t * d, y))),
}
TOO_SLOW = 2.0
LOOP_SECONDS = 0.05  # a loop lasts at least this long


@dataclass(frozen=True)
class Kernel:
    """One thing to compute: forms ``form(start, *data)``, and peers called from Python."""

    name: str
    title: str
    elements: int
    is_product: bool
    start: Array
    data: tuple[Array, ...]
    forms: dict[str, Form]
    peers: dict[str, Callable[[], object]] = field(default_factory=dict)


def main() -> None:
    made = parser(__doc__, rounds=5, data=False)
    made.add_argument(
        "--guard", action="store_true", help="exit 1 if the library uses a form twice as slow as the best"
    )
    options = parse(made)
    shapes = [(2000, 10)] if options.quick else [(100_000, 100), (50_000, 30)]
    print(machine())
    slow = []
    for m, n in shapes:
        for dtype in (np.float64, np.float32):
            for kernel in kernels(m, n, np.dtype(dtype)):
                slow += report(kernel, options.rounds)
    if slow:
        print("\nMore than twice as slow as the best form:", *slow, sep="\n  ")
    else:
        print("\nEvery form that the library uses is within a factor of 2 of the best form.")
    sys.exit(1 if slow and options.guard else 0)


def report(kernel: Kernel, rounds: int) -> list[str]:
    """Times and prints a kernel; what the library does too slowly."""
    forms = dict(kernel.forms)
    library = None
    if kernel.name in LIBRARY:
        library, form = LIBRARY[kernel.name]
        # The passes run under vmap where there are lanes; products are written for lanes already.
        forms[library] = form if kernel.is_product or kernel.start.ndim == 0 else by_lanes(form)
    loops, counts = {}, {}
    for name, form in forms.items():
        loop = jax.jit(partial(looped, form))
        timed(lambda loop=loop: loop(1, kernel.start, kernel.data))
        once = min(timed(lambda loop=loop: loop(1, kernel.start, kernel.data)) for _ in range(2))
        counts[name] = max(2, min(1000, int(LOOP_SECONDS / once)))
        loops[name] = partial(loop, counts[name], kernel.start, kernel.data)
    times = in_turn(loops, rounds)
    times = {name: seconds / counts[name] for name, seconds in times.items()}
    best = min(times.values())
    peers = in_turn(kernel.peers, rounds)
    print(f"\n{kernel.title:70}{'ns / element':>14}{'GFLOP/s' if kernel.is_product else '':>10}{'best / it':>11}")
    for name, seconds in sorted((times | peers).items(), key=lambda item: item[1]):
        rate = f"{2e-9 * kernel.elements / seconds:10.1f}" if kernel.is_product else f"{'':10}"
        star = "*" if name == library else " "
        print(f"{star} {name:68}{1e9 * seconds / kernel.elements:14.4f}{rate}{best / seconds:10.2f}x", flush=True)
    if library is None or times[library] <= TOO_SLOW * best:
        return []
    return [f"{kernel.title}: {library} takes {times[library] / best:.1f} times as long as {min(times, key=times.get)}"]


def kernels(m: int, n: int, dtype: np.dtype) -> Iterator[Kernel]:
    rng = np.random.default_rng(0)
    where = f"{m} x {n} {dtype.name}"
    X = rng.normal(size=(m, n)).astype(dtype)
    r, w = rng.normal(size=m).astype(dtype), rng.normal(size=n).astype(dtype)
    s = rng.uniform(size=m).astype(dtype) / m
    Xd = jnp.asarray(X)
    yield Kernel(
        "X @ w", f"X @ w, {where}", m * n, True, jnp.asarray(w), (Xd,), MV, {"NumPy X @ w": lambda: X @ w}
    )  # fmt: skip
    yield Kernel(
        "r @ X", f"r @ X, {where}", m * n, True, jnp.asarray(r), (Xd,), RMV,
        {"NumPy r @ X": lambda: r @ X, "NumPy X.T @ r": lambda: X.T @ r},
    )  # fmt: skip
    yield Kernel(
        "weighted Gram", f"weighted Gram, {where}", m * n * n, True, jnp.asarray(s), (Xd,), GRAMS,
        {"NumPy (X * s).T @ X": lambda: (X * s[:, None]).T @ X, "SciPy syrk": lambda: syrk(X, s)},
    )  # fmt: skip
    if dtype == np.float64:
        yield Kernel(
            "weighted Gram in float32", f"weighted Gram, computed in float32, {where}", m * n * n, True,
            jnp.asarray(s), (Xd,), FLOAT32_GRAMS,
        )  # fmt: skip
    yield from passes("", where, rng.normal(size=(2, m)).astype(dtype), rng.integers(0, 2, m).astype(dtype))
    for lanes in (10, 50):
        W, R = rng.normal(size=(lanes, n)).astype(dtype), rng.normal(size=(lanes, m)).astype(dtype)
        Wd, Rd, count = jnp.asarray(W), jnp.asarray(R), lanes * m * n
        here = f"{lanes} lanes, {where}"
        yield Kernel(
            "W @ X.T", f"W @ X.T, {here}", count, True, Wd, (Xd,), LANES_MV, {"NumPy W @ X.T": lambda W=W: W @ X.T}
        )  # fmt: skip
        yield Kernel(
            "lanes last: X @ W", f"X @ W with lanes last, {here}", count, True, Wd.T, (Xd,), LANES_LAST_MV
        )  # fmt: skip
        yield Kernel(
            "R @ X", f"R @ X, {here}", count, True, Rd, (Xd,), LANES_RMV, {"NumPy R @ X": lambda R=R: R @ X}
        )  # fmt: skip
        yield Kernel(
            "lanes last: X.T @ R", f"X.T @ R with lanes last, {here}", count, True, Rd.T, (Xd,), LANES_LAST_RMV
        )  # fmt: skip
    for lanes in (10, 50) if n <= 50 else (10,):
        S = jnp.asarray(rng.uniform(size=(lanes, m)).astype(dtype) / m)
        title = f"weighted Grams of {lanes} lanes, {where}"
        yield Kernel("Grams of lanes", title, lanes * m * n * n, True, S, (Xd,), LANES_GRAMS)
    lanes = 50
    zd = rng.normal(size=(2, lanes, m)).astype(dtype)
    yield from passes(f"{lanes} lanes, ", where, zd, rng.integers(0, 2, m).astype(dtype))


def passes(lanes: str, where: str, zd: np.ndarray, y: np.ndarray) -> Iterator[Kernel]:
    z, d = zd
    m_and_dtype = f"{lanes}{where.split()[0]} margins {z.dtype.name}"
    start = jnp.full(z.shape[:-1], 0.5, z.dtype)
    data = (jnp.asarray(z), jnp.asarray(d), jnp.asarray(y))
    u, t = np.empty_like(z), z.dtype.type(0.5)

    def margins() -> np.ndarray:
        np.multiply(d, t, out=u)
        return np.add(u, z, out=u)

    def kernel(name: str, title: str, forms: dict[str, Form], peers: dict[str, Callable[[], object]]) -> Kernel:
        forms = {key: by_lanes(form) if lanes else form for key, form in forms.items()}
        return Kernel(name, f"{title}, {m_and_dtype}", z.size, False, start, data, forms, peers)

    def np_residual() -> np.ndarray:
        return np.subtract(scipy.special.expit(margins(), out=u), y, out=u)

    yield kernel("residual", "residual σ(z + td) - y", RESIDUALS, {"SciPy expit": np_residual})
    slopes = {"SciPy expit, NumPy einsum": lambda: np.einsum("...m,...m->...", np_residual(), d)}
    yield kernel("slope", "slope Σ (σ(z + td) - y) d", SLOPES, slopes)
    yield kernel("residual and slope", "residual and its slope", RESIDUALS_AND_SLOPES, {})
    yield kernel("slope and curvature", "slope and curvature (two sums)", SLOPES_AND_CURVATURES, {})
    values = {"NumPy logaddexp": lambda: np.sum(np.logaddexp(0, margins()) - y * u, axis=-1)}
    yield kernel("value", "value Σ log(1 + exp(z + td)) - y (z + td)", VALUES, values)


def by_lanes(form: Form) -> Form:
    """A pass for many lanes, as a solver gets it: by vmap."""
    return jax.vmap(form, in_axes=(0, 0, 0, None))


def syrk(X: np.ndarray, s: np.ndarray) -> np.ndarray:
    product = scipy.linalg.get_blas_funcs("syrk", (X,))
    return product(1.0, (np.sqrt(s)[:, None] * X).T)


if __name__ == "__main__":
    main()
