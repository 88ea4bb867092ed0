"""Filter spam with as few words as it takes: an L1 path, the penalty chosen by cross-validation, and the words left.

Shows

- ``jlr.lambda_grid`` from the penalty that leaves no word at all, downwards;
- ``jlr.cross_validate``: 40 penalties times 5 folds in one program, each fit with its duality gap;
- the best penalty beside the largest within one standard error of it: fewer words, and hardly worse;
- the words that speak for spam and against it, as odds ratios;
- what a wrongly filtered mail costs: weights of the classes, and the mails lost and let through.

Run it with (it takes half a minute, most of it compilation)

    python examples/spam_filter.py

The pictures are saved to ``examples/output/``.
"""

import csv
import gzip
from pathlib import Path

import jax
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import plot

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

    show_words(names, cv.params(cv.one_se), X.std(axis=0))
    show_costs(float(grid[cv.one_se]), X, y, X_test, y_test)
    plot.path(cv, grid, names=names, scale=X.std(axis=0)).savefig(OUTPUT / "spam_path.png", dpi=120)
    plot.sparsity(cv, grid).savefig(OUTPUT / "spam_sparsity.png", dpi=120)
    print("\nsaved examples/output/spam_path.png and spam_sparsity.png")


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


def show_costs(l1: float, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> None:
    print("\nIf a good mail lost costs as much as so many spam mails let through")
    for cost in (1.0, 5.0, 25.0):
        weight = jlr.class_weights(y, {0: cost, 1: 1.0})
        said = np.asarray(jlr.predict(jlr.fit(X, y, l1=l1, sample_weight=weight, standardize=True).params, X_test))
        lost, through = np.sum((said == 1) & (y_test == 0)), np.sum((said == 0) & (y_test == 1))
        print(f"  {cost:4.0f}: {lost:3d} of {np.sum(y_test == 0)} good mails lost, {through:3d} spam mails let through")


if __name__ == "__main__":
    main()
