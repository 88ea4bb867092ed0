"""Diagnose breast tumours: a fit with its certificate, a sweep of the penalty, and what the weights say.

Label 1 is a malignant tumour, the one looked for. Shows

- a fit and the proof of how good it is (KKT residual, duality gap), and the errors it makes on new rows;
- from which probability on to call a tumour malignant, by what a missed one costs;
- 30 fits for 30 penalties as one ``jax.vmap``, and the derivative of the test loss in the penalty by ``jax.grad``;
- the penalty chosen by cross-validation, and the few columns that an L1 penalty leaves;
- the coefficients as odds ratios;
- what the solvers do, step by step, on standardised columns and on raw ones.

Run it with (it takes about half a minute, most of it compilation, on two threads)

    python examples/tumour_diagnosis.py

The pictures are saved to ``examples/output/``.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import features, metrics, plot, thresholds

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from jax.typing import ArrayLike
from matplotlib.figure import Figure

# Float64, because loss curves down to 1e-14 and a central difference need more digits than float32 has.
jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent / "data" / "breast_cancer_wdbc.csv"
OUTPUT = Path(__file__).parent / "output"
L2 = 1e-2
COSTS = (1, 10, 50)  # of a missed tumour, in false alarms


class Rows(NamedTuple):
    """Some of the tumours: columns as given, columns standardised, and the labels."""

    raw: np.ndarray
    X: np.ndarray
    y: np.ndarray


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    names, train, test = load()
    print(f"{len(train.y)} training rows, {len(test.y)} test rows, {len(names)} columns")

    with ThreadPoolExecutor(1) as other_core:  # the longest compilations, while the rest is shown
        selection, race = other_core.submit(select, train), other_core.submit(run_solvers, train)
        show_fit(train, test)
        p = show_thresholds(train, test)
        l2s, path, test_loss = show_sweep(train, test)
        show_derivative(train, test)
        show_coefficients(names, train)
        show_selection(names, test, *selection.result())
        heading("Pictures")
        draw_thresholds(p, test)
        draw_path(names, l2s, path, test_loss)
        draw_boundary(names, train, test)
        draw_loss_curves(race.result())


def load() -> tuple[list[str], Rows, Rows]:
    """Column names, training rows and test rows (30 %, with the same share of malignant tumours)."""
    names = DATA.read_text().splitlines()[0].split(",")[:-1]
    table = np.loadtxt(DATA, delimiter=",", skiprows=1)
    raw, y = table[:, :-1], 1.0 - table[:, -1]  # in the file 0 is malignant

    rng = np.random.default_rng(0)
    in_test = np.zeros(len(y), bool)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == label))
        in_test[rows[: round(0.3 * len(rows))]] = True

    # Only the training rows may say what "standard" is: the test rows stand for tumours not yet seen.
    mean, sd = raw[~in_test].mean(axis=0), raw[~in_test].std(axis=0)
    train, test = (Rows(raw[part], (raw[part] - mean) / sd, y[part]) for part in (~in_test, in_test))
    return names, train, test


@jax.jit
def log_loss(params: jlr.Params, X: ArrayLike, y: ArrayLike) -> jax.Array:
    return jnp.mean(jlr.losses.logistic_loss(jlr.decision_function(params, X), jnp.asarray(y)))


@jax.jit
def accuracy(params: jlr.Params, X: ArrayLike, y: ArrayLike) -> jax.Array:
    return jnp.mean(jlr.predict(params, X) == y)


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def show_fit(train: Rows, test: Rows) -> None:
    heading(f"One fit, l2 = {L2}")
    solution = jlr.fit(train.X, train.y, l2=L2)
    print(solution.message)
    print(f"duality gap {solution.gap:.1e}: no weights at all have an objective lower by more than that (and rounding)")

    said = np.asarray(jlr.predict(solution.params, test.X))
    print(
        f"on the test rows: accuracy {accuracy(solution.params, test.X, test.y):.1%}, "
        f"log-loss {log_loss(solution.params, test.X, test.y):.4f}"
    )
    print(f"  of {np.sum(test.y == 1)} malignant tumours, {np.sum((test.y == 1) & (said == 0))} missed")
    print(f"  of {np.sum(test.y == 0)} benign tumours, {np.sum((test.y == 0) & (said == 1))} false alarms")


def show_thresholds(train: Rows, test: Rows) -> np.ndarray:
    """Where to draw the line, by what a missed tumour costs; returns the probabilities of the test rows."""
    heading("From which probability on to call a tumour malignant")
    p = jlr.predict_proba(jlr.fit(train.X, train.y, l2=L2).params, test.X)
    print("a missed tumour costs   so call malignant from   missed   false alarms   cost   cost from 50 % on")
    (_, usual_alarms), (usual_missed, _) = metrics.confusion_matrix(test.y, p)
    for cost in COSTS:
        threshold = thresholds.bayes([[0.0, 1.0], [cost, 0.0]])
        (_, alarms), (missed, _) = metrics.confusion_matrix(test.y, p, threshold=threshold)
        words = f"{cost} false alarm{'s' if cost > 1 else ''}"
        print(
            f"{words:23s}{threshold:8.1%} on{missed:19.0f}{alarms:15.0f}{cost * missed + alarms:7.0f}"
            f"{cost * usual_missed + usual_alarms:16.0f}"
        )
    # A biopsy tells for sure, at the cost of half a false alarm.
    decided = np.asarray(thresholds.decide(p, [[0.0, 1.0, 0.5], [10.0, 0.0, 0.5]]))
    missed, alarms = np.sum((test.y == 1) & (decided == 0)), np.sum((test.y == 0) & (decided == 1))
    biopsies = np.sum(decided == 2)
    print(
        "with a biopsy for those in between, that costs half a false alarm (a missed tumour 10):\n"
        f"  {biopsies} biopsies, {missed} missed, {alarms} false alarms; cost {10 * missed + alarms + biopsies / 2:.0f}"
    )
    print(
        "All this takes probabilities that hold. Their calibration error on the test rows is "
        f"{metrics.expected_calibration_error(test.y, p):.3f}:\nthe penalty pulls them towards one half, which here is "
        "on the safe side of small thresholds."
    )
    return np.asarray(p)


def show_sweep(train: Rows, test: Rows) -> tuple[np.ndarray, jlr.Solution, np.ndarray]:
    heading("30 penalties, one vmap")
    l2s = np.logspace(-5, 1, 30)
    start = perf_counter()
    path = jax.vmap(lambda l2: jlr.fit(train.X, train.y, l2=l2))(l2s)
    print(f"{path.message}, in {perf_counter() - start:.1f} s with compilation")

    lanes = (0, None, None)  # one for each penalty; the rows are the same for all
    train_loss = np.asarray(jax.vmap(log_loss, lanes)(path.params, train.X, train.y))
    test_loss = np.asarray(jax.vmap(log_loss, lanes)(path.params, test.X, test.y))
    test_accuracy = np.asarray(jax.vmap(accuracy, lanes)(path.params, test.X, test.y))
    size = np.linalg.norm(path.params.coef, axis=1)
    best = int(np.argmin(test_loss))
    print("       λ  training loss  test log-loss  test accuracy  size of coefficients")
    for i in sorted({*range(0, len(l2s), 3), best}):
        print(
            f"{l2s[i]:8.1e} {train_loss[i]:14.4f} {test_loss[i]:14.4f} {test_accuracy[i]:14.1%} {size[i]:21.2f}"
            f"{'   <- lowest test log-loss' if i == best else ''}"
        )
    print("(Choosing λ for use takes rows of its own; the test rows then judge the choice.)")
    return l2s, path, test_loss


def show_derivative(train: Rows, test: Rows) -> None:
    heading("The derivative of the test log-loss in λ, through the fit")

    def test_loss(l2: float | jax.Array) -> jax.Array:
        return log_loss(jlr.fit(train.X, train.y, l2=l2).params, test.X, test.y)

    h = 1e-5
    exact = jax.jit(jax.grad(test_loss))(L2)
    difference = (test_loss(L2 + h) - test_loss(L2 - h)) / (2 * h)
    print(f"at λ = {L2}: jax.grad {exact:.8f}, central difference {difference:.8f}")


def select(train: Rows) -> tuple[jax.Array, jlr.CrossValidation]:
    l1s = jlr.lambda_grid(train.X, train.y, num=30)
    return l1s, jlr.cross_validate(train.X, train.y, l1=l1s, folds=10, tol=1e-7)


def show_selection(names: list[str], test: Rows, l1s: jax.Array, cv: jlr.CrossValidation) -> None:
    heading("Which columns, and how strong a penalty")
    for word, index in (("best", cv.best), ("one s.e.", cv.one_se)):
        params = cv.params(index)
        print(
            f"{word:9s} λ = {l1s[index]:.4f}: held-out loss {cv.mean[index]:.3f} ± {cv.std_error[index]:.3f}, "
            f"{int((params.coef != 0).sum()):2d} columns, test accuracy {accuracy(params, test.X, test.y):.1%}"
        )
    left = np.flatnonzero(cv.params(cv.one_se).coef)
    print(f"left at one standard error: {', '.join(names[j] for j in left)}")


def show_coefficients(names: list[str], train: Rows) -> None:
    heading("What the weights say")
    coef = np.asarray(jlr.fit(train.X, train.y, l2=L2).params.coef)
    strongest = np.argsort(-np.abs(coef))[:10]
    sd = train.raw.std(axis=0)
    print("column                     coefficient  odds ratio  one standard deviation")
    for j in strongest:
        print(f"{names[j]:26s} {coef[j]:11.3f} {np.exp(coef[j]):11.2f} {sd[j]:23.4g}")
    j = strongest[0]
    print(
        f"Read: of two tumours alike in all else, the one whose {names[j]} is larger by {sd[j]:.3g} (one standard\n"
        f"deviation) has {np.exp(coef[j]):.2f} times the odds of being malignant. A ratio below 1 speaks for benign.\n"
        "Columns that measure nearly the same (radius, perimeter, area) share their weight between them."
    )


def draw_thresholds(p: np.ndarray, test: Rows) -> None:
    """Both kinds of mistake among the test tumours, at each threshold."""
    at = np.linspace(0.0, 1.0, 501)
    figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for label, colour, dashes, word in ((1, "#d55e00", "-", "tumours missed"), (0, "#0072b2", "--", "false alarms")):
        mistakes = [np.sum((test.y == label) & ((p >= t) != label)) for t in at]
        axis.step(at, mistakes, dashes, color=colour, linewidth=2, label=word)
    for cost in COSTS:
        threshold = float(thresholds.bayes([[0.0, 1.0], [cost, 0.0]]))
        axis.axvline(threshold, color="black", linewidth=1, linestyle=":")
        axis.text(threshold + 0.005, 29.0, f"{cost}", va="top")
    axis.set(xlabel="called malignant from this probability on", ylabel="of the 171 test tumours", ylim=(0, 30))
    axis.set(xlim=(0, 1), title="The costlier a missed tumour (dotted: in false alarms), the lower the line")
    axis.legend(loc="lower right", frameon=False)
    save(figure, "tumour_thresholds.png")


def draw_path(names: list[str], l2s: np.ndarray, path: jlr.Solution, test_loss: np.ndarray) -> None:
    best = int(np.argmin(test_loss))
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8, 7.5), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    plot.coefficient_path(path, l2s, names=names, at=best, ax=above)
    above.set(ylabel="coefficient of the standardised column", xlabel="")
    above.set_title("The coefficients of the tumour model against the penalty")
    above.legend(loc="upper right", title=f"the six strongest at λ = {l2s[best]:.2g}", frameon=False)
    below.plot(l2s, test_loss, color="black", linewidth=2)
    below.text(l2s[best] * 1.15, 0.45, f"lowest, {test_loss[best]:.3f}, at λ = {l2s[best]:.2g}")
    below.set(xlabel="penalty λ", ylabel="test log-loss")
    for axis in (above, below):
        axis.axvline(l2s[best], color="black", linewidth=1, linestyle=":")
    save(figure, "tumour_path.png")


def draw_boundary(names: list[str], train: Rows, test: Rows) -> None:
    """Two columns only, so that the boundary can be drawn: a line, and a cubic curve."""
    columns = [names.index("worst area"), names.index("worst concave points")]
    pair, shown = train.raw[:, columns], test.raw[:, columns]
    scaling = features.standardization(pair)

    figure, axes = plt.subplots(1, 2, figsize=(12, 5.2), sharey=True, layout="constrained")
    for axis, degree, title in zip(axes, (1, 3), ("Linear", "Polynomial of degree 3"), strict=True):

        def monomials(points: ArrayLike, degree: int = degree) -> jax.Array:
            return features.polynomial(scaling.apply(points), degree)

        params = jlr.fit(monomials(pair), train.y, l2=1e-3, standardize=True).params
        plot.decision_boundary(
            lambda points, params=params, monomials=monomials: jlr.predict_proba(params, monomials(points)),
            shown,
            test.y,
            names=(names[columns[0]], names[columns[1]]),
            class_names=("benign", "malignant"),
            colorbar=False,
            ax=axis,
        )
        right = accuracy(params, monomials(shown), test.y)
        axis.set_title(f"{title}: {right:.1%} of the test tumours right")
        axis.get_legend().remove()
        axis.label_outer()
    axes[1].legend(loc="lower right", framealpha=1)
    figure.colorbar(axes[1].collections[0], ax=axes, label="probability of a malignant tumour")
    save(figure, "tumour_boundary.png")


def run_solvers(train: Rows) -> dict[str, tuple[float, dict[str, jlr.Solution]]]:
    """For standardised and for raw columns, what each solver reached from zero weights, with its trace.

    Beside them is ``λmax(XᵀX) / (4 ‖X‖_F)``. Up to a ratio of 1 every Yedida-Saha step goes downhill (without a
    penalty); beyond, nothing is promised.
    """
    solvers = {
        "Newton": jlr.Newton(),
        "accelerated gradient descent": jlr.GradientDescent(acceleration=True),
        "gradient descent, step 1/L": jlr.GradientDescent(step="lipschitz"),
        "gradient descent, Yedida-Saha step": jlr.GradientDescent(step="yedida_saha"),
    }
    factor = jnp.append(jnp.ones(train.X.shape[1]), 0.0)  # the last weight is the intercept: not penalised
    loss = jlr.losses.BinaryCrossEntropy.create(jnp.asarray(train.y))
    race = {}
    for title, X in (("Standardised columns", train.X), ("Raw columns", train.raw)):
        with_ones = np.column_stack([X, np.ones(len(X))])
        ratio = np.linalg.norm(with_ones, 2) ** 2 / (4 * np.linalg.norm(with_ones))
        problem = jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(jnp.asarray(X))), jlr.L2(jnp.asarray(L2), factor))
        race[title] = (
            ratio,
            {
                name: jlr.minimize(problem, jnp.zeros_like(factor), solver=solver, max_steps=300, trace=True)
                for name, solver in solvers.items()
            },
        )
    return race


def draw_loss_curves(race: dict[str, tuple[float, dict[str, jlr.Solution]]]) -> None:
    """``F - F*`` against the step for each solver.

    Newton hardly notices the units; the others do. The Yedida-Saha step is too long for both panels: on
    standardised columns the objective first rises and then happens to settle, on raw ones it does not.
    """
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.4), sharey=True, layout="constrained")
    for axis, (title, (ratio, solutions)) in zip(axes, race.items(), strict=True):
        print(f"\n{title}: λmax(XᵀX) / (4 ‖X‖_F) = {ratio:,.0f}; the Yedida-Saha step is safe up to 1")
        for name, solution in solutions.items():
            print(f"  {name}: {solution.message}")
        plot.convergence(solutions, ax=axis)
        axis.set(title=title, ylim=(1e-17, 1e5))
        axis.get_legend().remove()
        axis.label_outer()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    save(figure, "tumour_loss_curves.png")


def save(figure: Figure, name: str) -> None:
    figure.savefig(OUTPUT / name, dpi=130)
    plt.close(figure)
    print(f"saved examples/output/{name}", flush=True)


if __name__ == "__main__":
    main()
