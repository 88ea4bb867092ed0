"""Read handwritten digits: ten classifiers in one ``vmap``, beside one softmax model.

One against all asks ten questions of every picture ("is it a 3?"), each answered by a logistic
regression of its own; ``jlr.fit_one_vs_all`` fits the ten at once, as a single compiled program
vmapped over the classes. Softmax regression instead fits all classes jointly. Run it with

    python examples/digits_one_vs_all.py

The picture is saved to ``examples/output/``.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import jax
import matplotlib
import numpy as np

import jaxlogreg as jlr

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import Normalize

DATA = Path(__file__).parent / "data" / "digits_8x8.csv.gz"
OUTPUT = Path(__file__).parent / "output"
L2 = 1e-3


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    table = np.loadtxt(DATA, delimiter=",", skiprows=1, dtype=np.float32)
    table = np.random.default_rng(0).permutation(table)
    X, labels = table[:, :-1] / 16, table[:, -1].astype(int)  # pixels are 0 .. 16
    X_train, y_train, X_test, y_test = X[:1258], labels[:1258], X[1258:], labels[1258:]
    print(f"{len(X_train)} training digits, {len(X_test)} test digits of 8 x 8 pixels")

    print("\nOne against all: ten classifiers, one vmap", flush=True)
    one_vs_all = timed(lambda: jlr.fit_one_vs_all(X_train, y_train, 10, l2=L2))
    print(one_vs_all.message)
    for digit in range(10):
        status = jlr.Status(int(one_vs_all.status[digit])).name
        steps, kkt = one_vs_all.num_steps[digit], one_vs_all.kkt[digit]
        print(f"  {digit} or not: {status} after {steps} steps, KKT residual {kkt:.0e}")
    show_errors(one_vs_all, X_test, y_test)

    print("\nSoftmax: all classes jointly", flush=True)
    softmax = timed(lambda: jlr.fit_softmax(X_train, y_train, 10, l2=L2))
    print(softmax.message)
    show_errors(softmax, X_test, y_test)

    draw(one_vs_all, softmax, X_test, y_test)


def timed(fit: Callable[[], jlr.Solution]) -> jlr.Solution:
    """Fit twice: the first call compiles, the second has its program ready."""
    for call in ("first call, with compilation", "second call"):
        start = perf_counter()
        solution = jax.block_until_ready(fit())
        print(f"{call}: {perf_counter() - start:.3f} s", flush=True)
    return solution


def show_errors(solution: jlr.Solution, X: np.ndarray, labels: np.ndarray) -> None:
    predicted = np.asarray(jlr.predict(solution.params, X))
    print(f"test accuracy {np.mean(predicted == labels):.1%}: {np.sum(predicted != labels)} of {len(labels)} wrong")
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, predicted), labels != predicted)
    for pair in np.argsort(-confusion, axis=None, kind="stable")[:3]:
        digit, read_as = divmod(int(pair), 10)
        print(f"  of {np.sum(labels == digit)} {digit}s, {confusion[digit, read_as]} read as {read_as}")


def draw(one_vs_all: jlr.Solution, softmax: jlr.Solution, X: np.ndarray, labels: np.ndarray) -> None:
    """The weights of both models as images, and the digits of which softmax was surest and wrong."""
    figure = plt.figure(figsize=(13, 6.4), layout="constrained")
    above, middle, below = figure.subfigures(3, 1, height_ratios=(1, 1, 1.2), squeeze=False).flat
    for row, solution, name in ((above, one_vs_all, "One against all"), (middle, softmax, "Softmax")):
        row.suptitle(f"{name}: the weight of each pixel (brown speaks for the digit, blue-green against it)")
        coef = np.asarray(solution.params.coef).reshape(10, 8, 8)
        limits = Normalize(-np.abs(coef).max(), np.abs(coef).max())
        axes = row.subplots(1, 10)
        for digit, axis in enumerate(axes):
            axis.imshow(coef[digit], cmap="BrBG_r", norm=limits)
            axis.set(title=f"{digit}", xticks=[], yticks=[])
        row.colorbar(axes[0].images[0], ax=axes, shrink=0.8, pad=0.01)

    p = np.asarray(jlr.predict_proba(softmax.params, X))
    wrong = np.flatnonzero(p.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-p[wrong].max(axis=1))][:10]
    below.suptitle("Test digits that softmax misreads, the surest mistakes first, with the two likeliest answers")
    for i, axis in zip(surest, below.subplots(1, 10), strict=True):
        axis.imshow(X[i].reshape(8, 8), cmap="gray_r")
        first, second = np.argsort(-p[i])[:2]
        axis.set(title=f"a {labels[i]}", xticks=[], yticks=[])
        axis.set_xlabel(f"{first}: {p[i, first]:.0%}\n{second}: {p[i, second]:.0%}")
    figure.savefig(OUTPUT / "digits_weights.png", dpi=130)
    plt.close(figure)
    print("\nsaved examples/output/digits_weights.png")


if __name__ == "__main__":
    main()
