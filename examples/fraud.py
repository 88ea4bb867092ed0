"""Find card fraud among payments that are nearly all good: weights of the classes, and what they do to probabilities.

One payment in 600 is a fraud. Two ways to fit a model to that: with every payment weighing the same, or with
``class_weights(y, "balanced")``, where all frauds together weigh as much as all good payments. Shows

- ``sample_weight`` twice over: the file keeps every fraud and few of the good payments, so each of those stands for 30,
  in the fit and in every number printed;
- why the area under the ROC curve says little where positives are rare, and the precision-recall curve more;
- that balanced weights make probabilities that mean nothing, and what brings them back: divide the odds by the weights;
- deciding by costs: a check of a payment costs a fee, a missed fraud costs its amount.

It learns from the first 32 hours and is judged by the 16 that follow, as it would be in use. Run it with

    python examples/fraud.py

The picture is saved to ``examples/output/fraud.png``.
"""

from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import jaxlogreg as jlr
from jaxlogreg import metrics, plot, thresholds

jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent / "data" / "creditcard_sample.csv.bz2"
OUTPUT = Path(__file__).parent / "output"
GOOD_PAYMENTS = 284_315  # in the two days; the file has a sample of them
HOURS = 32  # to learn from
CHECK = 5.0  # euros: what it costs to hold a payment back and ask the holder of the card
L2 = 1e-3


class Payments(NamedTuple):
    """Columns, 1 for fraud, the amount in euros, and how many payments each row stands for."""

    X: np.ndarray
    y: np.ndarray
    amount: np.ndarray
    stands_for: np.ndarray


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    train, test = load()
    for word, rows in (("learn from", train), ("judge by", test)):
        payments, frauds = rows.stands_for.sum(), int(rows.y.sum())
        print(f"{len(rows.y)} rows to {word}: they stand for {payments:,.0f} payments, {frauds} of them frauds")

    balanced = jlr.class_weights(train.y, "balanced")
    plain_fit = jlr.fit(train.X, train.y, sample_weight=train.stands_for, l2=L2, standardize=True)
    balanced_fit = jlr.fit(train.X, train.y, sample_weight=balanced, l2=L2, standardize=True)
    plain, weighted = (jlr.predict_proba(fit.raise_if_failed().params, test.X) for fit in (plain_fit, balanced_fit))

    # By how much the weights raised a fraud above a good payment, beyond what they stand for.
    ratio = float(np.max(balanced / train.stands_for) / np.min(balanced / train.stands_for))
    margins = jlr.decision_function(balanced_fit.params, test.X)
    corrected = jlr.losses.sigmoid(margins - np.log(ratio))

    scores = {name: np.asarray(p) for name, p in (("as they occur", plain), ("balanced weights", weighted))}
    show_order(scores, test)
    scores["balanced, odds divided"] = np.asarray(corrected)
    show_probabilities(scores, test, ratio)
    costs = show_costs(scores, train, test)
    draw(scores, costs, test)
    print("\nsaved examples/output/fraud.png")


def load() -> tuple[Payments, Payments]:
    """The payments of the first hours, and those that follow."""
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    seconds, V, amount, y = table[:, 0], table[:, 1:-2], table[:, -2], table[:, -1]
    # The columns have a few values 20 deviations out, which would decide where the line goes.
    X = np.column_stack([np.clip(V, -5.0, 5.0), np.log1p(amount)])
    stands_for = np.asarray(jlr.class_weights(y, {0: GOOD_PAYMENTS / np.sum(y == 0), 1: 1.0}))
    first = seconds < HOURS * 3600
    train, test = (Payments(X[part], y[part], amount[part], stands_for[part]) for part in (first, ~first))
    return train, test


def show_order(scores: dict[str, np.ndarray], test: Payments) -> None:
    print("\nWhich payments look worst? The order alone, and who has time for 200 checks")
    print("                        area under ROC   average precision   frauds among the 200")
    for name, p in scores.items():
        order = np.argsort(-p)
        checked = order[np.cumsum(test.stands_for[order]) <= 200]
        print(
            f"  {name:22s}{metrics.roc_auc(test.y, p, sample_weight=test.stands_for):14.3f}"
            f"{metrics.average_precision(test.y, p, sample_weight=test.stands_for):20.3f}"
            f"{int(test.y[checked].sum()):17d} of {int(test.y.sum())}"
        )
    print(
        "The area under ROC asks how often a fraud looks worse than a good payment; 1 good payment in 50 above the\n"
        "frauds hardly lowers it, and is 2400 false alarms in these 16 hours. Precision counts them."
    )


def show_probabilities(scores: dict[str, np.ndarray], test: Payments, ratio: float) -> None:
    happened = np.average(test.y, weights=test.stands_for)
    print(f"\nWhat are the probabilities worth? {happened:.3%} of the payments were frauds")
    print("                        mean said   frauds of those said 50 % or more   log loss")
    for name, p in scores.items():
        flagged = test.stands_for[p >= 0.5].sum()
        right = metrics.precision(test.y, p, sample_weight=test.stands_for)
        print(
            f"  {name:22s}{np.average(p, weights=test.stands_for):9.3%}{right:26.0%} of {flagged:5,.0f}"
            f"{metrics.log_loss(test.y, p, sample_weight=test.stands_for):14.5f}"
        )
    print(
        f"Balanced weights multiply the odds of fraud by {ratio:.0f}, for they tell the model that half of all\n"
        "payments are frauds. Its probabilities put payments in order, no more. Divided by that factor the odds are\n"
        "near again; nearer are those of a model that was never told."
    )


def show_costs(scores: dict[str, np.ndarray], train: Payments, test: Payments) -> dict[str, float]:
    print(f"\nA check costs {CHECK:.0f} euros, a missed fraud its amount. What each way to decide costs, in 16 hours:")
    fraud = train.amount[train.y == 1].mean()
    threshold = float(thresholds.bayes([[0.0, CHECK], [fraud, CHECK]]))
    plain = scores["as they occur"]
    flagged = {
        "check nothing": np.zeros(len(test.y), bool),
        "balanced weights, from 50 % on": scores["balanced weights"] >= 0.5,
        "as they occur, from 50 % on": plain >= 0.5,
        f"as they occur, from {threshold:.1%} on": plain >= threshold,
        "as they occur, by each amount": plain * test.amount >= CHECK,
        "balanced weights, by each amount": scores["balanced weights"] * test.amount >= CHECK,
        "balanced, odds divided, by amount": scores["balanced, odds divided"] * test.amount >= CHECK,
    }
    costs = {}
    for name, flag in flagged.items():
        missed, checks = (test.y == 1) & ~flag, test.stands_for[flag].sum()
        costs[name] = test.amount[missed].sum() + CHECK * checks
        print(f"  {name:34s}{costs[name]:9,.0f} euros: {checks:7,.0f} checks, {missed.sum():3d} frauds missed")
    print(
        f"The mean fraud is of {fraud:.0f} euros, so on average a check pays from a probability of {CHECK:.0f} in "
        f"{fraud:.0f}, {threshold:.1%}, on.\nBetter, check where probability x amount is more than the check costs. "
        "Both need probabilities that mean\nwhat they say: with those of balanced weights nearly everything is checked."
    )
    return costs


def draw(scores: dict[str, np.ndarray], costs: dict[str, float], test: Payments) -> None:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
    edges = np.array([1e-3, 1e-2, 1e-1, 0.5, 0.9])
    for name, p in scores.items():
        if "divided" not in name:  # the order is that before
            plot.precision_recall(test.y, p, sample_weight=test.stands_for, label=name, ax=left)
        plot.calibration(test.y, p, edges=edges, sample_weight=test.stands_for, label=name, ax=middle)
    left.legend(loc="lower left", frameon=False, fontsize="small")
    left.set_title("Of the payments flagged, how many are frauds?")
    middle.set(xscale="log", yscale="log", xlim=(1e-5, 2.0), ylim=(1e-5, 200.0), aspect="auto")  # room for the legend
    middle.set(yticks=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0], title="Do probabilities hold?")
    draw_costs(costs, right)
    figure.savefig(OUTPUT / "fraud.png", dpi=110)
    plt.close(figure)


def draw_costs(costs: dict[str, float], ax: Axes) -> None:
    ax.plot(list(costs.values()), list(costs), "o", color="#0072b2", markersize=9)
    for name, cost in costs.items():
        ax.annotate(f"{cost:,.0f}", (cost, name), (8, 0), textcoords="offset points", va="center")
    ax.set(xscale="log", xlabel="euros lost to fraud and to checks", title="What each way to decide costs")
    ax.set_xlim(4e3, 5e5)
    ax.grid(color="0.92")
    ax.invert_yaxis()


if __name__ == "__main__":
    main()
