"""Diagnose breast tumours: a fit with its certificate, a sweep of the penalty, and what the weights say.

Label 1 is a malignant tumour, the one looked for. Shows

- a fit and the proof of how good it is (KKT residual, duality gap), and the errors it makes on new rows;
- 30 fits for 30 penalties as one ``jax.vmap``, and the derivative of the test loss in the penalty by ``jax.grad``;
- the penalty chosen by cross-validation, and the few columns that an L1 penalty leaves;
- the coefficients as odds ratios;
- what the solvers do, step by step, on standardised columns and on raw ones.

Run it with (it takes about half a minute, most of it compilation)

    python examples/tumour_diagnosis.py

The pictures are saved to ``examples/output/``.
"""

from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

import jaxlogreg as jlr

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from jax.typing import ArrayLike
from matplotlib.figure import Figure

# Float64, because loss curves down to 1e-14 and a central difference need more digits than float32 has.
jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent / "data" / "breast_cancer_wdbc.csv"
OUTPUT = Path(__file__).parent / "output"
L2 = 1e-2


class Rows(NamedTuple):
    """Some of the tumours: columns as given, columns standardised, and the labels."""

    raw: np.ndarray
    X: np.ndarray
    y: np.ndarray


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    names, train, test = load()
    print(f"{len(train.y)} training rows, {len(test.y)} test rows, {len(names)} columns")

    show_fit(train, test)
    l2s, path, test_loss = show_sweep(train, test)
    show_derivative(train, test)
    show_selection(names, train, test)
    show_coefficients(names, train)
    heading("Pictures")
    draw_path(names, l2s, path, test_loss)
    draw_boundary(names, train, test)
    draw_loss_curves(train)


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


def show_selection(names: list[str], train: Rows, test: Rows) -> None:
    heading("Which columns, and how strong a penalty")
    l1s = jlr.lambda_grid(train.X, train.y, num=30)
    cv = jlr.cross_validate(train.X, train.y, l1=l1s, folds=10, tol=1e-7)
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


def draw_path(names: list[str], l2s: np.ndarray, path: jlr.Solution, test_loss: np.ndarray) -> None:
    coef = np.asarray(path.params.coef)
    best = int(np.argmin(test_loss))
    strongest = np.argsort(-np.abs(coef[best]))[:6]

    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8, 7.5), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    above.plot(l2s, coef, color="0.8", linewidth=0.8)
    for j, colour in zip(strongest, ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"), strict=True):
        above.plot(l2s, coef[:, j], color=colour, linewidth=2, label=names[j])
    above.set_ylabel("coefficient of the standardised column")
    above.set_title("The coefficients of the tumour model against the penalty")
    above.legend(title=f"the six strongest at λ = {l2s[best]:.2g}", frameon=False)
    below.plot(l2s, test_loss, color="black", linewidth=2)
    below.text(l2s[best] * 1.15, 0.45, f"lowest, {test_loss[best]:.3f}, at λ = {l2s[best]:.2g}")
    below.set(xscale="log", xlabel="penalty λ", ylabel="test log-loss", xlim=(l2s[0], l2s[-1]))
    for axis in (above, below):
        axis.axvline(l2s[best], color="black", linewidth=1, linestyle=":")
    save(figure, "tumour_path.png")


def draw_boundary(names: list[str], train: Rows, test: Rows) -> None:
    """Two columns only, so that the boundary can be drawn: a line, and a cubic curve."""
    columns = [names.index("worst area"), names.index("worst concave points")]
    pair, shown = train.raw[:, columns], test.raw[:, columns]
    mean, sd = pair.mean(axis=0), pair.std(axis=0)

    def monomials(points: np.ndarray, degree: int) -> np.ndarray:
        u, v = ((points - mean) / sd).T
        return np.stack([u**i * v ** (k - i) for k in range(1, degree + 1) for i in range(k + 1)], axis=1)

    area, concave = (np.linspace(-0.02 * largest, 1.04 * largest, 200) for largest in shown.max(axis=0))
    grid = np.stack(np.meshgrid(area, concave), axis=-1).reshape(-1, 2)
    colours = matplotlib.colormaps["PuOr_r"](np.linspace(0.3, 0.7, 10))  # light, so that the points stand out

    figure, axes = plt.subplots(1, 2, figsize=(12, 5.2), sharey=True, layout="constrained")
    for axis, degree, title in zip(axes, (1, 3), ("Linear", "Polynomial of degree 3"), strict=True):
        params = jlr.fit(monomials(pair, degree), train.y, l2=1e-3, standardize=True).params
        p = np.asarray(jlr.predict_proba(params, monomials(grid, degree))).reshape(200, 200)
        axis.contourf(area, concave, p, levels=np.linspace(0, 1, 11), colors=colours)
        axis.contour(area, concave, p, levels=[0.5], colors="black", linewidths=1.8)
        axis.plot([], [], color="black", linewidth=1.8, label="probability 0.5")
        for label, name, marker, colour in ((0, "benign", "o", "#542788"), (1, "malignant", "^", "#7f3b08")):
            x, y = shown[test.y == label].T
            axis.scatter(
                x, y, s=36, marker=marker, color=colour, edgecolor="white", linewidth=0.7, label=name, zorder=3
            )
        right = accuracy(params, monomials(shown, degree), test.y)
        axis.set(title=f"{title}: {right:.1%} of the test tumours right", xlabel=names[columns[0]])
    axes[0].set_ylabel(names[columns[1]])
    axes[1].legend(loc="lower right", framealpha=1)
    figure.colorbar(axes[1].collections[0], ax=axes, label="probability of a malignant tumour")
    save(figure, "tumour_boundary.png")


def draw_loss_curves(train: Rows) -> None:
    """``F - F*`` against the step for each solver, from zero weights.

    Newton hardly notices the units; the others do. The Yedida-Saha step is too long for both panels: on
    standardised columns the objective first rises and then happens to settle, on raw ones it does not.
    """
    solvers = (
        ("Newton", jlr.Newton(), "black", "-"),
        ("L-BFGS", jlr.LBFGS(), "#009e73", "-"),
        ("accelerated gradient descent", jlr.GradientDescent(acceleration=True), "#56b4e9", "-."),
        ("gradient descent, step 1/L", jlr.GradientDescent(step="lipschitz"), "#0072b2", "-"),
        ("gradient descent, Yedida-Saha step", jlr.GradientDescent(step="yedida_saha"), "#d55e00", "--"),
    )
    factor = jnp.append(jnp.ones(train.X.shape[1]), 0.0)  # the last weight is the intercept: not penalised
    loss = jlr.losses.BinaryCrossEntropy.create(jnp.asarray(train.y))

    figure, axes = plt.subplots(1, 2, figsize=(12, 5.4), sharey=True, layout="constrained")
    for axis, title, X in zip(axes, ("Standardised columns", "Raw columns"), (train.X, train.raw), strict=True):
        # Up to a ratio of 1 every Yedida-Saha step goes downhill (without a penalty); beyond, nothing is promised.
        with_ones = np.column_stack([X, np.ones(len(X))])
        ratio = np.linalg.norm(with_ones, 2) ** 2 / (4 * np.linalg.norm(with_ones))
        print(f"\n{title}: λmax(XᵀX) / (4 ‖X‖_F) = {ratio:,.0f}; the Yedida-Saha step is safe up to 1", flush=True)

        problem = jlr.Problem(loss, jlr.WithIntercept(jlr.Dense(jnp.asarray(X))), jlr.L2(jnp.asarray(L2), factor))
        lowest = np.inf
        for name, solver, colour, line in solvers:
            steps = list(jlr.iterate(problem, jnp.zeros_like(factor), solver=solver, max_steps=300))
            values = np.array([step.value for step in steps])
            lowest = min(lowest, values.min())
            axis.plot(np.maximum(values - lowest, 1e-16), color=colour, linestyle=line, linewidth=2, label=name)
            print(f"  {name}: {steps[-1].message}", flush=True)
        axis.set(title=title, xlabel="step", xscale="symlog", yscale="log", xlim=(0, 300), ylim=(1e-14, 1e5))
        axis.set_xticks([0, 1, 3, 10, 30, 100, 300], labels=["0", "1", "3", "10", "30", "100", "300"])
        axis.grid(color="0.9")
    axes[0].set_ylabel("objective above its minimum, F - F*")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    save(figure, "tumour_loss_curves.png")


def save(figure: Figure, name: str) -> None:
    figure.savefig(OUTPUT / name, dpi=130)
    plt.close(figure)
    print(f"saved examples/output/{name}", flush=True)


if __name__ == "__main__":
    main()
