"""Lend fairly: a logistic model under a constraint, the price of it, and what Lagrange multipliers say.

The data are made here. Repaying depends on income and debt; group B earns less on average, and the model, which never
sees the group, still gives it lower scores. Demographic parity asks that the mean scores of both groups differ by no
more than ε:

    minimise  cross-entropy(w) + l2/2 |w|²   where   -ε <= (mean of A - mean of B) of X w <= ε

Shows

- ``jlr.minimize`` with ``inequality=`` on a logistic ``Problem``: the margins are carried as ever;
- a ``vmap`` over ε: the whole trade-off in one program;
- the multiplier as a price: by how much the loss would fall if ε were one larger.

Run it with

    python examples/fair_lending.py

The picture is saved to ``examples/output/fair_lending.png``.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

OUTPUT = Path(__file__).parent / "output"


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y, in_a = loans(2000)
    print(f"{len(y)} loans, {y.mean():.0%} repaid; repaid in A {y[in_a].mean():.0%}, in B {y[~in_a].mean():.0%}")

    n = X.shape[1]
    problem = jlr.Problem(
        jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y)),
        jlr.WithIntercept(jlr.Dense(jnp.asarray(X))),
        jlr.L2(jnp.asarray(1e-3), jnp.append(jnp.ones(n), 0.0)),
    )
    difference = jnp.asarray(X[in_a].mean(axis=0) - X[~in_a].mean(axis=0))

    def unfairness(w: jax.Array, epsilon: jax.Array) -> jax.Array:
        gap = jnp.vdot(difference, w[:n])
        return jnp.stack([gap - epsilon, -gap - epsilon])

    def fair_fit(epsilon: jax.Array) -> jlr.Solution:
        return jlr.minimize(problem, jnp.zeros(n + 1), inequality=unfairness, args=(epsilon,), tol=1e-8)

    epsilons = jnp.linspace(0.1, 2.0, 20)
    fits = jax.jit(jax.vmap(fair_fit))(epsilons)
    print(fits.message)
    gaps = fits.params[:, :n] @ difference
    scores = fits.params @ np.column_stack([X, np.ones(len(X))]).T
    accuracy = ((scores > 0) == y).mean(axis=1)
    assert fits.multipliers is not None
    price = fits.multipliers.inequality[:, 0]

    print("\n    ε   gap of scores   loss     accuracy   price of fairness (-dloss/dε)")
    for i in range(0, len(epsilons), 4):
        print(f"{epsilons[i]:5.1f} {gaps[i]:12.3f} {fits.value[i]:11.4f} {accuracy[i]:9.1%} {price[i]:16.4f}")
    slope = np.gradient(np.asarray(fits.value), np.asarray(epsilons), edge_order=2)
    i = 4
    print(f"\nby finite differences the loss at ε = {epsilons[i]:.1f} falls by {-slope[i]:.4f}", end=", ")
    print(f"by its multiplier by {price[i]:.4f}")

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    axes[0].plot(epsilons, fits.value, color="C0", marker="o", markersize=3)
    axes[0].set(xlabel="allowed gap ε between the groups' mean scores", ylabel="objective")
    axes[0].set_title("Fairness has a price ...")
    axes[1].plot(epsilons, price, color="C1", marker="o", markersize=3, label="multiplier")
    axes[1].plot(epsilons, -slope, color="black", linestyle=":", label="-dF/dε by finite differences")
    axes[1].set(xlabel="allowed gap ε between the groups' mean scores", ylabel="objective per unit of ε")
    axes[1].set_title("... and the multiplier is that price")
    axes[1].legend(frameon=False)
    figure.savefig(OUTPUT / "fair_lending.png", dpi=120)
    print("saved examples/output/fair_lending.png")


def loans(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised income, debt and years in the job ``(m, 3)``; whether repaid; whether in group A."""
    rng = np.random.default_rng(0)
    in_a = rng.uniform(size=rows) < 0.6
    income = rng.normal(np.where(in_a, 0.6, -0.4), 1.0)
    debt = rng.normal(0.3 * ~in_a, 1.0)
    years = rng.normal(size=rows)
    X = np.column_stack([income, debt, years])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    repaid = rng.uniform(size=rows) < 1 / (1 + np.exp(-(0.5 + 1.2 * X[:, 0] - 0.8 * X[:, 1] + 0.3 * X[:, 2])))
    return X, repaid.astype(float), in_a


if __name__ == "__main__":
    main()
