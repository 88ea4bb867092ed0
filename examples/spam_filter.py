"""Filter spam with as few words as it takes: an L1 path, the penalty chosen by cross-validation, and the words left.

Shows

- ``jlr.lambda_grid`` from the penalty that leaves no word at all, downwards;
- ``jlr.cross_validate``: 40 penalties times 5 folds in one program, each fit with its duality gap;
- the best penalty beside the largest within one standard error of it: fewer words, and hardly worse;
- the words that speak for spam and against it, as odds ratios;
- what a wrongly filtered mail costs: by weights of the classes in the fit, or by the threshold of the fit there is;
- a threshold for people who hate to lose mail: the one at which 98 % of what is filtered is spam, found on mails held
  out by the folds, and judged on mails that nobody has looked at.

Run it with (it takes some 20 seconds, most of it compilation)

    python examples/spam_filter.py

The pictures are saved to ``examples/output/``.
"""

import csv
import gzip
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import metrics, plot, thresholds

jax.config.update("jax_enable_x64", True)  # for certificates to 1e-10

DATA = Path(__file__).parent / "data" / "spambase.csv.gz"
OUTPUT = Path(__file__).parent / "output"


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    names, X, y, X_test, y_test = load()
    print(f"{len(y)} mails to learn from ({y.mean():.0%} spam), {len(y_test)} to judge by, {len(names)} columns")

    grid = jlr.lambda_grid(X, y, num=40, ratio=1e-3, standardize=True)
    cv = jlr.cross_validate(X, y, l1=grid, folds=5, standardize=True, tol=1e-7)
    print(f"\n{cv.fold_solution.message}; largest duality gap {float(cv.fold_solution.gap.max()):.0e}")
    print("                      λ   columns  held-out loss  test accuracy")
    for word, index in (("best", cv.best), ("within one s.e.", cv.one_se)):
        params = cv.params(index)
        print(
            f"{word:16s} {float(grid[index]):8.1e} {int((params.coef != 0).sum()):9d} {float(cv.mean[index]):14.4f} "
            f"{float((jlr.predict(params, X_test) == y_test).mean()):14.1%}"
        )

    params = cv.params(cv.one_se)
    show_words(names, params, X.std(axis=0))
    show_costs(float(grid[cv.one_se]), params, X, y, X_test, y_test)
    chosen = show_thresholds(cv, X, y, X_test, y_test)
    draw_path(names, cv, grid, X.std(axis=0))
    draw_curves(np.asarray(jlr.predict_proba(params, X_test)), y_test, chosen)
    print("\nsaved examples/output/spam_path.png and spam_curves.png")


def load() -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Column names; training columns and labels (1 is spam), and those of every fourth mail, kept for the test."""
    with gzip.open(DATA, "rt", newline="") as file:
        head, *rows = csv.reader(file)
    table = np.array(rows, float)
    X, y = np.log1p(table[:, :-1]), table[:, -1]  # counts with long tails: their logarithms
    test = np.arange(len(y)) % 4 == 0
    names = [name.replace("word_freq_", "").replace("char_freq_", "") for name in head[:-1]]
    return names, X[~test], y[~test], X[test], y[test]


def show_words(names: list[str], params: jlr.Params, deviation: np.ndarray) -> None:
    print("\nOdds ratios, one standard deviation of a column more")
    effect = np.asarray(params.coef) * deviation
    order = np.argsort(effect)
    for word, columns in (("for spam", order[::-1][:8]), ("against", order[:8])):
        print(f"  {word:9s}", ", ".join(f"{names[j]} {np.exp(effect[j]):.2f}" for j in columns))


def show_costs(
    l1: float, params: jlr.Params, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray
) -> None:
    print("\nIf a good mail lost costs as much as so many spam mails let through, weigh the mails in the fit, or")
    print("filter from another probability on:                            good mails lost, spam let through")
    for cost in (1.0, 5.0, 25.0):
        weight = jlr.class_weights(y, {0: cost, 1: 1.0})
        weighted = jlr.fit(X, y, l1=l1, sample_weight=weight, standardize=True).params
        threshold = float(thresholds.bayes([[0.0, cost], [1.0, 0.0]]))
        by_weight, by_threshold = (
            np.asarray(metrics.confusion_matrix(y_test, jlr.predict_proba(fit, X_test), threshold=t)).astype(int)
            for fit, t in ((weighted, 0.5), (params, threshold))
        )
        print(
            f"  {cost:4.0f}: weighted fit {by_weight[0, 1]:3d} of {sum(by_weight[0])}, {by_weight[1, 0]:3d} of "
            f"{sum(by_weight[1])};   from {threshold:.1%} on {by_threshold[0, 1]:3d} and {by_threshold[1, 0]:3d}"
        )


def show_thresholds(
    cv: jlr.CrossValidation, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray
) -> float:
    """Thresholds by the precision they shall have; the one for 98 %."""
    # Each mail's score by the fit of the folds that it was held out of: (folds, penalties, mails) before the choice.
    margins = jlr.decision_function(cv.fold_solution.params, X)[cv.fold_id, cv.one_se, np.arange(len(y))]
    held_out, p_test = jlr.losses.sigmoid(margins), jlr.predict_proba(cv.params(cv.one_se), X_test)
    print(f"\nOn the test mails: area under ROC {metrics.roc_auc(y_test, p_test):.3f}, ", end="")
    print(f"average precision {metrics.average_precision(y_test, p_test):.3f}")
    print("Of what is filtered, so much shall be spam (by the mails held out); on the test mails:")
    found = {}
    for target in (0.90, 0.95, 0.98, 0.99):
        found[target] = float(thresholds.at_precision(y, held_out, target))
        (good, lost), (through, caught) = metrics.confusion_matrix(y_test, p_test, threshold=found[target])
        print(
            f"  {target:3.0%}: filter from {found[target]:.3f} on; {caught / (caught + lost):.1%} of it is spam, "
            f"{lost:.0f} of {good + lost:.0f} good mails lost, {caught / (caught + through):.0%} of the spam caught"
        )
    print("The last percent is dear: a few good mails look like the worst of spam. (And so few that one more or less")
    print("of them is all there is between what was asked for and what came.)")
    return found[0.98]


def draw_path(names: list[str], cv: jlr.CrossValidation, grid: jax.Array, deviation: np.ndarray) -> None:
    """Along the path: the coefficients, the held-out loss, and how many columns are in use."""
    figure, panels = plt.subplots(3, 1, figsize=(8, 10), sharex=True, height_ratios=(2, 1, 1), layout="constrained")
    plot.coefficient_path(cv, grid, names=names, scale=deviation, ax=panels[0])
    panels[0].set_ylabel("coefficient of one standard deviation")
    plot.cross_validation(cv, grid, ax=panels[1])
    plot.sparsity(cv, grid, ax=panels[2])
    for panel in panels:
        panel.label_outer()
    figure.savefig(OUTPUT / "spam_path.png", dpi=120)
    plt.close(figure)


def draw_curves(p: np.ndarray, y: np.ndarray, threshold: float) -> None:
    """What each threshold does to the test mails, and the one chosen."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
    plot.roc(y, p, ax=left)
    plot.precision_recall(y, p, ax=right)
    caught, lost = (float(np.mean(p[y == label] >= threshold)) for label in (1, 0))
    precision = float(metrics.precision(y, p, threshold=threshold))
    for axis, x, height in ((left, lost, caught), (right, caught, precision)):
        axis.plot(x, height, "o", color="#d55e00", markersize=9, label=f"filter from {threshold:.2f} on")
        axis.legend(loc="lower left" if axis is right else "lower right", frameon=False)
    left.set(xlabel="part of the good mails that is lost", ylabel="part of the spam that is caught")
    right.set(xlabel="part of the spam that is caught", ylabel="part of the filtered that is spam")
    figure.savefig(OUTPUT / "spam_curves.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
