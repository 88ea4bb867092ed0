"""Tell two leukaemias apart by a few genes of 7129, measured in 72 patients: many more columns than rows.

Shows

- an L1 path over 60 penalties, each solved in a working set of genes and checked on all of them, with its duality gap;
- the penalty chosen by cross-validation, and how few genes are left;
- that the choice is not unique: which genes are chosen again in bootstrap samples of the patients;
- the elastic net, which keeps genes that rise and fall together.

Run it with (it takes about a minute)

    python examples/sparse_genes.py

The picture is saved to ``examples/output/``.
"""

from pathlib import Path
from time import perf_counter

import jax
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr
from jaxlogreg import plot

jax.config.update("jax_enable_x64", True)  # for certificates to 1e-10

DATA = Path(__file__).parent / "data" / "leukemia_golub.npz"
OUTPUT = Path(__file__).parent / "output"


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    with np.load(DATA) as file:
        X, y = file["X"].astype(float), file["y"].astype(float)  # 1: acute myeloid leukaemia
    print(f"{len(y)} patients, {y.sum():.0f} of them with the myeloid form; {X.shape[1]} genes")

    grid = jlr.lambda_grid(X, y, num=60, ratio=0.05, standardize=True)
    start = perf_counter()
    path = jlr.fit_path(X, y, l1=grid, standardize=True)
    print(f"\n{path.message}, in {perf_counter() - start:.1f} s with compilation; largest gap {path.gap.max():.0e}")
    print(
        f"genes in use: {', '.join(str(np.count_nonzero(w)) for w in path.params.coef[::6])}, the last with the others"
    )

    cv = jlr.cross_validate(X, y, l1=grid, folds=8, standardize=True, tol=1e-7)
    for word, index in (("best", cv.best), ("within one s.e.", cv.one_se)):
        used = np.flatnonzero(cv.params(index).coef)
        print(f"{word:16s} λ = {grid[index]:.3f}: held-out loss {cv.mean[index]:.3f}, {len(used)} genes")
    show_stability(X, y, float(grid[cv.one_se]))
    draw(cv, grid, X.std(axis=0))
    print("\nsaved examples/output/genes_path.png")


def draw(cv: jlr.CrossValidation, grid: jax.Array, deviation: np.ndarray) -> None:
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 8), sharex=True, height_ratios=(2, 1), layout="constrained")
    names = [f"gene {j}" for j in range(len(deviation))]
    plot.coefficient_path(cv, grid, names=names, scale=deviation, ax=above)
    above.set_ylabel("coefficient of one standard deviation")
    above.label_outer()
    plot.cross_validation(cv, grid, ax=below)
    figure.savefig(OUTPUT / "genes_path.png", dpi=120)
    plt.close(figure)


def show_stability(X: np.ndarray, y: np.ndarray, strength: float) -> None:
    """How often each gene is chosen when patients are drawn again, by the lasso and by an elastic net."""
    print(f"\nGenes chosen in 20 bootstrap samples of the patients, λ = {strength:.3f}")
    for word, ratio in (("lasso", 1.0), ("elastic net", 0.5)):
        samples = jlr.bootstrap(
            X, y, 20, jax.random.key(0), l1=ratio * strength, l2=(1 - ratio) * strength, standardize=True, tol=1e-6
        )
        chosen = np.mean(np.asarray(samples.params.coef) != 0.0, axis=0)
        often = np.argsort(-chosen)[:6]
        print(
            f"  {word:11s} {np.sum(chosen > 0):4d} at all, {np.sum(chosen >= 0.5):3d} in half of them or more: "
            + ", ".join(f"gene {j} {chosen[j]:.0%}" for j in often)
        )


if __name__ == "__main__":
    main()
