"""Read handwritten digits: ten classifiers in one ``vmap`` beside one softmax model, and when to leave one unread.

One against all asks ten questions of every picture ("is it a 3?"), each answered by a logistic regression of its own;
``jlr.fit_one_vs_all`` fits the ten at once, as a single compiled program vmapped over the classes. Softmax regression
instead fits all classes jointly. Shows

- what each costs, and which digits they mistake for which;
- the weights of each digit as an image;
- rejection: where the two likeliest digits are nearly as likely, say nothing and let a person read; how many digits
  are read then, and how many of those rightly.

Run it with

    python examples/digits_one_vs_all.py

The pictures are saved to ``examples/output/``.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import metrics, plot, thresholds

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
    print(f"{one_vs_all.message}, after {min(one_vs_all.num_steps)} to {max(one_vs_all.num_steps)} steps")
    show_errors(jlr.predict_proba(one_vs_all.params, X_test), y_test)

    print("\nSoftmax: all classes jointly", flush=True)
    softmax = timed(lambda: jlr.fit_softmax(X_train, y_train, 10, l2=L2))
    print(softmax.message)
    show_errors(jlr.predict_proba(softmax.params, X_test), y_test)

    models = {"one against all": one_vs_all.params, "softmax": softmax.params}
    p = {name: jlr.predict_proba(params, X_test) for name, params in models.items()}
    show_rejection(p, y_test)
    draw_weights(models, p["softmax"], X_test, y_test)
    draw_rejection(p, y_test)
    print("\nsaved examples/output/digits_weights.png and digits_rejection.png")


def timed(fit: Callable[[], jlr.Solution]) -> jlr.Solution:
    """Fit twice: the first call compiles, the second has its program ready."""
    for call in ("first call, with compilation", "second call"):
        start = perf_counter()
        solution = jax.block_until_ready(fit())
        print(f"{call}: {perf_counter() - start:.3f} s", flush=True)
    return solution


def show_errors(p: jax.Array, labels: np.ndarray) -> None:
    confusion = np.asarray(metrics.confusion_matrix(labels, p)).astype(int)
    right = np.trace(confusion)
    print(f"test accuracy {right / len(labels):.1%}: {len(labels) - right} of {len(labels)} wrong", end="; ")
    print(f"log loss {metrics.log_loss(labels, p):.3f}")
    wrong = confusion - np.diag(np.diag(confusion))
    for pair in np.argsort(-wrong, axis=None, kind="stable")[:3]:
        digit, read_as = divmod(int(pair), 10)
        print(f"  of {confusion[digit].sum()} {digit}s, {wrong[digit, read_as]} read as {read_as}")


def show_rejection(p: dict[str, jax.Array], labels: np.ndarray) -> None:
    print("\nUnread where the two likeliest digits are within a margin of each other")
    print("  margin" + "".join(f"{name:>40s}" for name in p))
    for margin in (0.0, 0.2, 0.5, 0.8, 0.9):
        cells = []
        for each in p.values():
            said = np.asarray(thresholds.predict_or_abstain(each, margin))
            read = said >= 0
            cells.append(f"{read.mean():.1%} read, {np.sum(said[read] != labels[read]):2d} of them wrongly")
        print(f"{margin:8.1f}" + "".join(f"{cell:>40s}" for cell in cells))
    print(
        "What is left unread is where most mistakes are. The margin of one model is not that of the other, whose\n"
        "probabilities are other ones: compare them where they read as much (the picture does)."
    )


def draw_weights(models: dict[str, jlr.Params], p: jax.Array, X: np.ndarray, labels: np.ndarray) -> None:
    """The weights of both models as images, and the digits of which softmax was surest and wrong."""
    figure = plt.figure(figsize=(13, 6.2), layout="constrained")
    above, middle, below = figure.subfigures(3, 1, height_ratios=(1, 1, 1.3), squeeze=False).flat
    for row, (name, params) in zip((above, middle), models.items(), strict=True):
        row.suptitle(f"{name.capitalize()}: the weight of each pixel (brown speaks for the digit, green against it)")
        plot.weight_images(params, (8, 8), columns=10, ax=row.subplots())

    probabilities = np.asarray(p)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1))][:10]
    below.suptitle("Test digits that softmax misreads, the surest mistakes first, with the two likeliest answers")
    for i, axis in zip(surest, below.subplots(1, 10), strict=True):
        axis.imshow(X[i].reshape(8, 8), cmap="gray_r")
        first, second = np.argsort(-probabilities[i])[:2]
        axis.set(title=f"a {labels[i]}", xticks=[], yticks=[])
        axis.set_xlabel(f"{first}: {probabilities[i, first]:.0%}\n{second}: {probabilities[i, second]:.0%}")
    figure.savefig(OUTPUT / "digits_weights.png", dpi=130)
    plt.close(figure)


def draw_rejection(p: dict[str, jax.Array], labels: np.ndarray) -> None:
    """What softmax takes for what, and for both models accuracy against coverage."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.6), layout="constrained")
    plot.confusion_matrix(metrics.confusion_matrix(labels, p["softmax"]), ax=left)
    left.set(title="Softmax: test digits, and what they are read as", xlabel="read as", ylabel="digit")

    margins = jnp.linspace(0.0, 0.98, 99)
    styles = zip(p.items(), ("#0072b2", "#e69f00"), ("-", "--"), (-24, 6), strict=True)
    for (name, each), colour, dashes, beside in styles:
        curve = jax.vmap(lambda margin, each=each: thresholds.abstention(labels, each, margin))(margins)
        right.plot(curve.coverage, curve.accuracy, dashes, color=colour, linewidth=2, label=name)
        for i in (0, 20, 50, 80):
            at = (float(curve.coverage[i]), float(curve.accuracy[i]))
            right.plot(*at, "o", color=colour)
            right.annotate(f"{margins[i]:.1f}", at, (beside, -12), textcoords="offset points", color=colour)
    right.set(xlabel="part of the digits that is read", ylabel="part of these that is read rightly", xlim=(-0.02, 1.08))
    right.set_title("The more are left to a person, the fewer mistakes (dots: the margin)")
    right.grid(color="0.92")
    right.legend(loc="lower left", frameon=False)
    figure.savefig(OUTPUT / "digits_rejection.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
