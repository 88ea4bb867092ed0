"""Graduate admissions: the well-known analysis of UCLA's teaching data, number by number, and what each one means.

Shows

- ``jlr.summary``: the table of R's ``glm``, with odds ratios;
- what a coefficient means: log odds, odds, and probabilities for students one can imagine;
- whether the rank of the school matters at all: a likelihood-ratio test, and Rao's score test of the smaller model;
- intervals four ways: Wald, profile likelihood, with a sandwich, and by the bootstrap.

Run it with

    python examples/admissions.py

The picture is saved to ``examples/output/admissions.png``.
"""

import csv
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import plot

jax.config.update("jax_enable_x64", True)  # to compare with R to the last digit that it prints

DATA = Path(__file__).parent / "data" / "ucla_admissions.csv"
OUTPUT = Path(__file__).parent / "output"
NAMES = ["gre", "gpa", "rank 2", "rank 3", "rank 4"]


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y = load()
    print(f"{len(y)} applicants, {y.mean():.0%} admitted. Schools of rank 2 to 4 are compared with rank 1, the best.\n")
    fit = jlr.fit(X, y).raise_if_failed()
    table = jlr.summary(fit, X, y, names=NAMES)
    print(table)

    explain(fit, table)
    test_rank(fit, X, y)
    intervals = compare_intervals(fit, X, y, table)
    draw(table, intervals)
    print("\nsaved examples/output/admissions.png")


def load() -> tuple[np.ndarray, np.ndarray]:
    """GRE score, grade point average and three columns for the rank, and 1 for admitted."""
    with open(DATA, newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    X = [[row["gre"], row["gpa"], *(float(row["rank"] == k) for k in (2, 3, 4))] for row in rows]
    return np.array(X), np.array([row["admit"] for row in rows])


def explain(fit: jlr.Solution, table: jlr.Summary) -> None:
    """The coefficients in words, and as probabilities."""
    odds = {name: float(ratio) for name, ratio in zip(table.names, table.odds_ratio, strict=True)}
    print(
        f"\nA grade point more multiplies the odds of admission by {odds['gpa']:.2f}, 100 points of GRE by "
        f"{odds['gre'] ** 100:.2f}.\nComing from a school of rank 4 rather than 1 multiplies them by "
        f"{odds['rank 4']:.2f}: from even odds to {odds['rank 4']:.2f} to 1."
    )
    print("\nA student with GRE 588 and grade point average 3.39 (the means) is admitted with probability")
    ranks = np.vstack([np.zeros(3), np.eye(3)])
    students = np.column_stack([np.full(4, 587.7), np.full(4, 3.3899), ranks])
    for rank, p in enumerate(np.asarray(jlr.predict_proba(fit.params, students)), start=1):
        print(f"  {p:.3f} from a school of rank {rank}")


def test_rank(fit: jlr.Solution, X: np.ndarray, y: np.ndarray) -> None:
    """Does the rank matter, all three columns together?"""
    without = jlr.fit(X[:, :2], y)
    print("\nDoes the rank of the school matter?")
    print(f"  likelihood ratio: {jlr.likelihood_ratio_test(fit, without)}")
    print(f"  score test:       {jlr.score_test(without, X[:, :2], y, X[:, 2:])}")


def compare_intervals(fit: jlr.Solution, X: np.ndarray, y: np.ndarray, table: jlr.Summary) -> dict[str, np.ndarray]:
    """The 95 % intervals of the coefficients, by four methods: ``(2, k)`` each."""
    profile = jlr.profile_interval(fit, X, y)
    robust = jlr.summary(fit, X, y, covariance="HC3")
    samples = jlr.bootstrap(X, y, 2000, jax.random.key(0))
    resampled = jlr.bootstrap_interval(samples, fit, X, y)
    found = {"Wald": table, "profile likelihood": profile, "sandwich (HC3)": robust, "bootstrap (BCa)": resampled}
    intervals = {name: np.array([interval.lower, interval.upper]) for name, interval in found.items()}
    print("\n95 % intervals:    " + "".join(f"{name:>22s}" for name in intervals))
    for j, name in enumerate(table.names):
        cells = "".join(f"{f'{low[j]:.4f} to {high[j]:.4f}':>22s}" for low, high in intervals.values())
        print(f"  {name:16s} {cells}")
    return intervals


def draw(table: jlr.Summary, intervals: dict[str, np.ndarray]) -> None:
    """Odds ratios with their intervals, a colour for each method."""
    # The scores are per 100 points, so that all odds ratios fit one axis.
    unit = np.array([100.0, 1.0, 1.0, 1.0, 1.0])
    labels = ["100 points of GRE", "1 grade point", "rank 2 (against 1)", "rank 3", "rank 4"]
    figure, axis = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for name, (low, high) in intervals.items():
        plot.coefficient_forest(table, low, high, names=labels, scale=unit, odds_ratio=True, label=name, ax=axis)
    axis.set_xlabel("odds ratio of admission")
    figure.savefig(OUTPUT / "admissions.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
