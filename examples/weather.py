"""Name a day's weather from its measurements: five classes, two common and three rare, learnt on three years, judged
by the next.

Seattle has rain and sun; fog, drizzle and snow are rare. Softmax regression gives each day five probabilities. Shows

- ``fit_softmax`` with and without ``class_weights(labels, "balanced")``: the rare classes found, and what that costs;
- accuracy beside balanced accuracy, which counts every class the same, and the confusion matrices;
- that the weights spoil the probabilities, and that much the same decisions need none: ``thresholds.decide``;
- what the columns cannot say, and why the days of one more year are a better judge than days drawn at random.

Run it with

    python examples/weather.py

The picture is saved to ``examples/output/weather.png``.
"""

import csv
from datetime import date
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import metrics, plot, thresholds

jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent / "data" / "seattle_weather.csv"
OUTPUT = Path(__file__).parent / "output"
NAMES = ["drizzle", "fog", "rain", "snow", "sun"]
L2 = 1e-3


class Days(NamedTuple):
    """Columns, the weather as a number, and the year."""

    X: np.ndarray
    label: np.ndarray
    year: np.ndarray


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    days = load()
    first = days.year < 2015
    train, test = (Days(*(x[part] for x in days)) for part in (first, ~first))
    print(f"{len(train.label)} days of 2012 to 2014 to learn from, {len(test.label)} days of 2015 to judge by")
    show_labels(days)

    plain, balanced = fit(train, None), fit(train, "balanced")
    p = {"as they occur": jlr.predict_proba(plain, test.X), "balanced weights": jlr.predict_proba(balanced, test.X)}
    print("\n                                                 accuracy   balanced   log loss   calibration error")
    for name, each in p.items():
        show_scores(name, each, test.label)

    # What a class's days weighed in the balanced fit, as the cost of taking one of them for something else.
    weight = len(train.label) / (5 * np.bincount(train.label, minlength=5))
    costs = weight[:, None] * (1.0 - np.eye(5))
    decided = thresholds.decide(p["as they occur"], costs)
    show_scores("as they occur, decided by the same costs", jax.nn.one_hot(decided, 5), test.label, sure=True)
    show_confusion(p, test.label)
    show_limits(days, p, test)
    draw(p, test.label)
    print("\nsaved examples/output/weather.png")


def load() -> Days:
    with open(DATA, newline="") as file:
        rows = list(csv.DictReader(file))
    rain, high, low, wind = (
        np.array([float(row[name]) for row in rows]) for name in ("precipitation", "temp_max", "temp_min", "wind")
    )
    days = [date.fromisoformat(row["date"]) for row in rows]
    season = 2.0 * np.pi * np.array([day.timetuple().tm_yday for day in days]) / 365.25
    X = np.column_stack([rain > 0.0, np.log1p(rain), high, high - low, wind, np.sin(season), np.cos(season)])
    label = np.array([NAMES.index(row["weather"]) for row in rows])
    return Days(X, label, np.array([day.year for day in days]))


def fit(days: Days, weights: str | None) -> jlr.Params:
    weight = None if weights is None else jlr.class_weights(days.label, weights)
    solution = jlr.fit_softmax(days.X, days.label, 5, sample_weight=weight, l2=L2, standardize=True)
    return solution.raise_if_failed().params


def show_labels(days: Days) -> None:
    print("\nDays of each kind" + "".join(f"{name:>9s}" for name in NAMES))
    for year in (2012, 2013, 2014, 2015):
        print(
            f"  {year}           " + "".join(f"{n:9d}" for n in np.bincount(days.label[days.year == year], minlength=5))
        )


def confidence(p: jax.Array, label: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Whether the likeliest class was right, and its probability."""
    return jnp.argmax(p, axis=1) == label, jnp.max(p, axis=1)


def show_scores(name: str, p: jax.Array, label: np.ndarray, sure: bool = False) -> None:
    print(f"  {name:42s}{metrics.accuracy(label, p):13.1%}{metrics.balanced_accuracy(label, p):11.1%}", end="")
    if sure:
        print("          -                   -")
    else:
        error = metrics.expected_calibration_error(*confidence(p, label))
        print(f"{metrics.log_loss(label, p):11.3f}{error:20.3f}")


def show_confusion(p: dict[str, jax.Array], label: np.ndarray) -> None:
    print("\nOf the days of each kind, found" + "".join(f"{name:>9s}" for name in NAMES))
    for name, each in p.items():
        found = np.asarray(metrics.recall(label, each))
        cells = ("none" if np.isnan(part) else f"{part:.0%}" for part in found)
        print(f"  {name:29s}" + "".join(f"{cell:>9s}" for cell in cells))
    wrongly = np.asarray(metrics.confusion_matrix(label, p["balanced weights"])).astype(int)
    print(
        f"Left alone, the model calls every dry day sunny: that is right most often. With balanced weights it finds\n"
        f"{wrongly[1, 1]} of {wrongly[1].sum()} foggy days, and calls {wrongly[4].sum() - wrongly[4, 4]} of "
        f"{wrongly[4].sum()} sunny ones fog or drizzle for it."
    )


def show_limits(days: Days, p: dict[str, jax.Array], test: Days) -> None:
    print("\nWhat this model cannot know")
    dry = days.X[:, 0] == 0.0
    early = days.year == 2012
    print(
        "- Fog and drizzle are made of moisture, and no column has it: fog, drizzle and sun are all days without rain"
    )
    print("  in the gauge, told apart by temperature, wind and season alone, so badly.")
    dry_rain = np.mean(dry[early & (days.label == NAMES.index("rain"))])
    print(
        f"- How labels are given changed: in 2012 {dry_rain:.0%} of the rainy days had no rain in the gauge, in 2014\n"
        "  and 2015 none; fog rose from 5 days to 52, drizzle fell from 31 to none and came back. No weather did that."
    )
    print("- No snow fell in 2015: whether the model knows snow nobody can say from this year.")
    print("- It names the weather of a day that has been measured. It does not forecast.")

    rng = np.random.default_rng(0)
    drawn = np.zeros(len(days.label), bool)
    drawn[rng.permutation(len(days.label))[: np.sum(days.year < 2015)]] = True
    some, others = (Days(*(x[part] for x in days)) for part in (drawn, ~drawn))
    mixed = metrics.balanced_accuracy(others.label, jlr.predict_proba(fit(some, "balanced"), others.X))
    ahead = metrics.balanced_accuracy(test.label, p["balanced weights"])
    print(
        f"With days drawn at random from all years the balanced accuracy would be {mixed:.0%} instead of {ahead:.0%}:\n"
        "such a test has snow in it, and labels given as those learnt from were. The next year has neither."
    )


def draw(p: dict[str, jax.Array], label: np.ndarray) -> None:
    figure, panels = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
    for ax, (name, each) in zip(panels[:2], p.items(), strict=True):
        plot.confusion_matrix(metrics.confusion_matrix(label, each), names=NAMES, ax=ax)
        ax.set_title(f"2015, {name}")
    panels[1].set_ylabel("")
    for name, each in p.items():
        plot.calibration(*confidence(each, label), label=name, ax=panels[2])
    panels[2].set(xlabel="mean probability of the likeliest class", ylabel="part of these days that were of it")
    panels[2].set_title("Do the probabilities hold?")
    figure.savefig(OUTPUT / "weather.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
