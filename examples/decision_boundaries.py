"""Three boundaries that one linear model draws: a line, a circle and a heart, by polynomials of two columns.

A logistic regression says 1 where its margin ``z = X w + b`` is positive. Of the columns ``x`` and ``y`` alone ``z`` is
a plane, and its boundary ``z = 0`` a line. With their squares ``z`` may be a bowl, whose water line is a circle. With
all monomials up to degree 6 the boundary may be a heart, ``(x² + y² - 1)³ = x² y³``. Nothing else changes. Shows

- ``features.polynomial`` and the names of its columns;
- that a fit finds the equation the data were made by: the slope of the line, the centre and the radius of the circle;
- what a degree too small costs, and one too large, with a penalty and without;
- how near the fitted probabilities are to those the labels were drawn from.

Run it with

    python examples/decision_boundaries.py

The picture is saved to ``examples/output/decision_boundaries.png``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import features, plot

jax.config.update("jax_enable_x64", True)  # degree 9 without a penalty needs the digits

OUTPUT = Path(__file__).parent / "output"
L2 = 1e-4


class Shape(NamedTuple):
    """The margin ``z(x, y)`` that labels are drawn from, of a certain degree."""

    degree: int
    margin: Callable[[np.ndarray, np.ndarray], np.ndarray]


SHAPES = {
    "line": Shape(1, lambda x, y: 4.0 * (x + 2.0 * y - 0.5)),
    "circle": Shape(2, lambda x, y: 5.0 * (x**2 + y**2 - 1.0)),
    "heart": Shape(6, lambda x, y: 25.0 * (x**2 * y**3 - (x**2 + y**2 - 1.0) ** 3)),
}


class Rows(NamedTuple):
    """Points ``(m, 2)``, the probabilities that they are of class 1, and labels drawn by them."""

    points: np.ndarray
    p: np.ndarray
    y: np.ndarray


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    data = {name: (draw(shape, 1000, rng), draw(shape, 20_000, rng)) for name, shape in SHAPES.items()}
    fits = {name: fit(data[name][0], shape.degree, L2) for name, shape in SHAPES.items()}
    show_equations(fits)
    show_probabilities(fits, data)
    show_degrees(data)
    draw_boundaries(fits, data)
    print("\nsaved examples/output/decision_boundaries.png")


def draw(shape: Shape, m: int, rng: np.random.Generator) -> Rows:
    """Points of a square, and for each a label: the nearer to the boundary, the less certain."""
    points = rng.uniform(-1.5, 1.5, size=(m, 2))
    p = np.asarray(jlr.losses.sigmoid(shape.margin(*points.T)))
    return Rows(points, p, (rng.uniform(size=m) < p).astype(float))


def fit(rows: Rows, degree: int, l2: float) -> jlr.Params:
    """The model: a fit to the monomials instead of the columns."""
    return jlr.fit(features.polynomial(rows.points, degree), rows.y, l2=l2, standardize=True).params


def predict(params: jlr.Params, points: np.ndarray, degree: int) -> np.ndarray:
    return np.asarray(jlr.predict_proba(params, features.polynomial(points, degree)))


def coefficients(params: jlr.Params, degree: int) -> dict[str, float]:
    names = features.polynomial_names(["x", "y"], degree)
    return dict(zip(names, np.asarray(params.coef).tolist(), strict=True))


def show_equations(fits: dict[str, jlr.Params]) -> None:
    print("The boundaries, as equations, from 1000 points each")
    w, b = coefficients(fits["line"], 1), float(fits["line"].intercept)
    print(f"  line:   x + {w['y'] / w['x']:.2f} y = {-b / w['x']:.2f}   (made by x + 2 y = 0.5)")
    # With equal squares, z / w = (x - x0)² + (y - y0)² - r².
    w, b = coefficients(fits["circle"], 2), float(fits["circle"].intercept)
    square = (w["x^2"] + w["y^2"]) / 2
    x0, y0 = -w["x"] / (2 * square), -w["y"] / (2 * square)
    radius = np.sqrt(x0**2 + y0**2 - b / square)
    print(f"  circle: centre ({x0:.2f}, {y0:.2f}), radius {radius:.2f}   (made with (0, 0) and 1)")
    print(f"          that it is round nobody said: weights {w['x^2']:.1f} x², {w['y^2']:.1f} y², {w['x y']:.1f} x y")
    w = coefficients(fits["heart"], 6)
    largest = sorted(w, key=lambda name: -abs(w[name]))[:4]
    print(f"  heart:  of {len(w)} weights the largest are {', '.join(f'{w[name]:.1f} {name}' for name in largest)}")
    print("          on so small a square monomials look alike: together they say much, each alone little")


def show_probabilities(fits: dict[str, jlr.Params], data: dict[str, tuple[Rows, Rows]]) -> None:
    print("\nThe fitted probabilities beside the true ones, at 20000 points not fitted on")
    for name, (_, test) in data.items():
        off = np.abs(predict(fits[name], test.points, SHAPES[name].degree) - test.p)
        print(f"  {name:7s} off by {off.mean():.3f} on average, by more than 0.1 at {np.mean(off > 0.1):5.1%} of them")


def show_degrees(data: dict[str, tuple[Rows, Rows]]) -> None:
    print("\nHow many of these points are told rightly, by degree (columns)")
    choices = [(degree, L2) for degree in (1, 2, 6, 9)] + [(9, 0.0)]
    heads = [f"{d} ({len(features.polynomial_names('xy', d))}){'' if l2 else ', l2=0'}" for d, l2 in choices]
    print(" " * 9 + "".join(f"{head:>14s}" for head in heads) + "   best possible")
    for name, (train, test) in data.items():
        right = [np.mean((predict(fit(train, d, l2), test.points, d) > 0.5) == test.y) for d, l2 in choices]
        best = np.mean((test.p > 0.5) == test.y)
        print(f"  {name:7s}" + "".join(f"{part:14.1%}" for part in right) + f"{best:16.1%}")
    print(
        "Too small a degree cannot bend as the classes do. A larger one than it takes costs little with a penalty,\n"
        "and more without: then it bends around single points."
    )


def draw_boundaries(fits: dict[str, jlr.Params], data: dict[str, tuple[Rows, Rows]]) -> None:
    figure, panels = plt.subplots(1, 3, figsize=(14, 5.4), sharey=True, layout="constrained")
    side = np.linspace(-1.6, 1.6, 300)
    for ax, (name, shape) in zip(panels, SHAPES.items(), strict=True):
        shown, degree = data[name][0], shape.degree

        def probability(points: np.ndarray, name: str = name, degree: int = degree) -> np.ndarray:
            return predict(fits[name], points, degree)

        plot.decision_boundary(probability, shown.points[:400], shown.y[:400], names=("x", "y"), colorbar=False, ax=ax)
        ax.contour(side, side, shape.margin(*np.meshgrid(side, side)), levels=[0.0], colors="black", linestyles="--")
        ax.plot([], [], color="black", linestyle="--", label="the boundary the labels were drawn by")
        ax.set(title=f"A {name}: degree {degree}, {fits[name].coef.size} columns", aspect="equal")
        ax.label_outer()
        ax.get_legend().remove()  # one for all panels, below
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.colorbar(panels[0].collections[0], ax=panels, shrink=0.85, label="fitted probability of class 1")
    figure.savefig(OUTPUT / "decision_boundaries.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
