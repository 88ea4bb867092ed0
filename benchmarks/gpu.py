"""Work for an accelerator: a sweep of linear probes over 1000 classes, and a million small fits.

The probes: softmax regressions on 1.28 million rows of 512 float32 features, made on the device, for 16
penalties from the largest down, each started at the last solution and fitted until its duality gap
proves a relative suboptimality of 1e-4. The small fits: a million of 500 x 5, in batches of 10000 by
`jax.vmap` of `fit`, to the default tolerance.

Beside the time stands the fraction of the machine's limits that the counted reads of the data account
for: the bandwidth that a large copy shows, and the operations a second that a large float32 product
shows (at the precision that fits use). Runs on any device of JAX; --quick is small enough for a CPU.

    python benchmarks/gpu.py [--rows 1280000] [--classes 1000] [--fits 1000000] [--quick]
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from timing import machine, timed, timed_result

import jaxlogreg as jlr

FEATURES, SMALL_ROWS, SMALL_COLUMNS = 512, 500, 5
SUBOPTIMALITY = 1e-4
MAX_STEPS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_280_000, help="rows of the linear probes")
    parser.add_argument("--classes", type=int, default=1000, help="classes of the linear probes")
    parser.add_argument("--penalties", type=int, default=16, help="penalties of the sweep")
    parser.add_argument("--fits", type=int, default=1_000_000, help="how many small fits")
    parser.add_argument("--batch", type=int, default=10_000, help="small fits at a time")
    parser.add_argument("--quick", action="store_true", help="sizes for a CPU")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.classes, options.penalties, options.fits, options.batch = 2000, 5, 3, 100, 50
    print(machine())
    bandwidth, operations = limits(*((1 << 20, 256) if options.quick else (1 << 28, 8192)))
    print(f"limits: copy {bandwidth / 1e9:.0f} GB/s, float32 product {operations / 1e12:.2f} TFLOP/s", flush=True)
    probes(options.rows, options.classes, np.logspace(-2, -5, options.penalties), bandwidth, operations)
    small_fits(options.fits, options.batch, bandwidth)


def limits(numbers: int, size: int, count: int = 10) -> tuple[float, float]:
    """Bytes a second of a copy (read and written), and operations a second of a product."""
    copy = jax.jit(lambda x: lax.fori_loop(0, count, lambda _, x: x + 1.0, x))

    def multiply(x: Array, a: Array) -> Array:
        return lax.fori_loop(0, count, lambda _, x: jnp.matmul(x, a, precision="highest"), x)

    x, a = jnp.zeros(numbers, jnp.float32), jnp.eye(size, dtype=jnp.float32)
    product = jax.jit(multiply)
    timed(lambda: (copy(x), product(a, a)))
    copying = min(timed(lambda: copy(x)) for _ in range(3)) / count
    multiplying = min(timed(lambda: product(a, a)) for _ in range(3)) / count
    return 8 * numbers / copying, 2 * size**3 / multiplying


def probes(rows: int, classes: int, l2s: np.ndarray, bandwidth: float, operations: float) -> None:
    X, labels = features(rows, classes, jax.random.key(0))
    labels = np.asarray(labels)
    print(f"\nlinear probes: softmax, {rows} x {FEATURES} float32, {classes} classes, {len(l2s)} penalties")
    print(f"{'l2':>9}{'steps':>8}{'reads':>8}{'time':>10}{'gap / objective':>18}  status")
    zero = jnp.zeros((classes, FEATURES + 1), jnp.float32)
    start = jlr.Params(zero[:, :-1], zero[:, -1], "softmax")
    fit = partial(jlr.fit_softmax, X, labels, classes)
    compiling = timed(lambda: fit(l2=l2s[0], init=start, tol=1.0, max_steps=1).value)
    total, all_reads = 0.0, 0
    for l2 in l2s:
        seconds, steps, reads = 0.0, 0, 0
        for tol in (1e-3, 1e-4, 1e-5, 1e-6):
            spent, solution = timed_result(partial(fit, l2=l2, init=start, tol=tol, max_steps=MAX_STEPS))
            seconds += spent
            start = solution.params
            steps, reads = steps + int(solution.num_steps), reads + int(solution.num_passes)
            gap = float(solution.gap / solution.value)
            if gap <= SUBOPTIMALITY:
                break
        status = jlr.Status(int(solution.status)).name
        print(f"{l2:9.1e}{steps:8}{reads:8}{seconds:8.2f} s{gap:18.1e}  {status}", flush=True)
        total, all_reads = total + seconds, all_reads + reads
    work = all_reads * 2.0 * rows * FEATURES * classes
    moved = all_reads * 4.0 * (rows * FEATURES + rows * classes)
    print(
        f"{len(l2s) / total:.3g} fits / s ({total:.1f} s, compiling {compiling:.1f} s apart); "
        f"reads of X: {work / total / operations:.0%} of the product's rate, "
        f"{moved / total / bandwidth:.0%} of the copy's"
    )


@partial(jax.jit, static_argnums=(0, 1))
def features(rows: int, classes: int, key: Array) -> tuple[Array, Array]:
    """Normal features, and labels that a softmax model with noise draws from them; the first rows name each class."""
    of_rows, of_weights, of_labels = jax.random.split(key, 3)
    X = jax.random.normal(of_rows, (rows, FEATURES), jnp.float32)
    W = jax.random.normal(of_weights, (FEATURES, classes), jnp.float32) * (3.0 / np.sqrt(FEATURES))
    labels = jax.random.categorical(of_labels, X @ W)
    return X, jnp.where(jnp.arange(rows) < classes, jnp.arange(rows), labels).astype(jnp.int32)


def small_fits(fits: int, batch: int, bandwidth: float) -> None:
    run = jax.jit(jax.vmap(jlr.fit))
    key = jax.random.key(1)
    compiling = timed(lambda: run(*small_data(batch, key)).value)
    seconds, reads, converged, count = 0.0, 0.0, 0, 0
    for number in range(-(-fits // batch)):
        data = jax.block_until_ready(small_data(batch, jax.random.fold_in(key, number)))
        spent, solution = timed_result(partial(run, *data))
        seconds += spent
        reads += float(np.sum(np.asarray(solution.num_passes)))
        converged += int(np.sum(np.asarray(solution.converged)))
        count += batch
    moved = reads * 4 * SMALL_ROWS * (SMALL_COLUMNS + 1)
    print(f"\n{count} fits of {SMALL_ROWS} x {SMALL_COLUMNS} float32 in batches of {batch}")
    print(
        f"{count / seconds:.4g} fits / s ({seconds:.1f} s, compiling {compiling:.1f} s apart), {converged} converged; "
        f"reads of X: {moved / seconds / bandwidth:.0%} of the copy's rate"
    )


@partial(jax.jit, static_argnums=0)
def small_data(batch: int, key: Array) -> tuple[Array, Array]:
    of_rows, of_weights, of_labels = jax.random.split(key, 3)
    X = jax.random.normal(of_rows, (batch, SMALL_ROWS, SMALL_COLUMNS), jnp.float32)
    w = jax.random.normal(of_weights, (batch, SMALL_COLUMNS), jnp.float32) / np.sqrt(SMALL_COLUMNS)
    chance = jax.nn.sigmoid(jnp.einsum("lmn,ln->lm", X, w))
    return X, jax.random.bernoulli(of_labels, chance).astype(jnp.float32)


if __name__ == "__main__":
    main()
