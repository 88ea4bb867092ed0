"""A genome-wide scan: 20,000 logistic regressions that share their covariates, by maximum likelihood and by Firth.

Shows

- ``jlr.Columns(shared, own)`` under ``jax.vmap``: the covariates stay in one copy, a block of variants is one program;
- ``jlr.summary`` of every fit, and its refusals: where all carriers of a rare variant are cases (or controls) the
  estimate is infinite, and there is no p-value to report;
- ``jlr.fit_firth`` in the same program, whose estimates are finite everywhere;
- ``jlr.profile_interval`` of the Firth fits of rare variants: the p-values of their penalised likelihood ratios, for
  those of Wald's test are too large where counts are small;
- progress, as blocks of variants are done.

The genotypes are simulated: six common variants and one rare one have an effect. Run it with

    python examples/genome_scan.py

The pictures are saved to ``examples/output/``.
"""

import time
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax import Array

import jaxlogreg as jlr

OUTPUT = Path(__file__).parent / "output"
PEOPLE, VARIANTS, BLOCK, RARE_BLOCK = 2000, 20_000, 2000, 250
FEW = 5
CHROMOSOMES = 20
SIGNIFICANT = 0.05 / VARIANTS  # Bonferroni


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    covariates, genotypes, y, effects = simulate(np.random.default_rng(1))
    print(f"{PEOPLE} people, {y.mean():.0%} of them cases; {VARIANTS} variants; covariates: age and sex\n")

    wald, firth = scan(covariates, genotypes, y)
    print(f"\nmaximum likelihood: {wald.message}")
    print(f"Firth: {int((firth.refusal == 0).sum())} of {VARIANTS} have an estimate (the others have no carrier)\n")

    carriers, cases = (genotypes > 0).sum(axis=1), ((genotypes > 0) & (y > 0.5)).sum(axis=1)
    few = (np.minimum(cases, carriers - cases) < FEW) & (carriers >= FEW)
    p = np.where(carriers >= FEW, wald.p_value[:, -1], np.nan)
    print(f"{int((carriers < FEW).sum())} variants have fewer than {FEW} carriers, too few to tell")
    p[few] = firth_p_values(covariates, genotypes[few], y)
    report(p, few, firth, carriers, cases, effects)
    draw_manhattan(p, few, effects)
    draw_quantiles(p[~few], p[few], np.asarray(firth.p_value[few, -1]))
    print("\nsaved examples/output/genome_scan_manhattan.png and genome_scan_qq.png")


def simulate(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, float]]:
    """Covariates, genotypes (copies of the rarer allele), cases, and the log odds ratios of variants with an effect."""
    frequency = 10.0 ** rng.uniform(-3.3, np.log10(0.5), VARIANTS)
    effects = {1500: 0.55, 4200: -0.6, 7777: 0.5, 11111: 0.55, 15000: -0.5, 18500: 0.6}
    frequency[list(effects)] = 0.3
    rare = 9500
    effects[rare], frequency[rare] = 4.0, 0.005
    genotypes = rng.binomial(2, frequency[:, None], (VARIANTS, PEOPLE)).astype(np.int8)
    age, sex = rng.uniform(30.0, 70.0, PEOPLE), rng.integers(0, 2, PEOPLE)
    z = 0.03 * (age - 50.0) + 0.3 * sex - 0.9 + sum(b * genotypes[j] for j, b in effects.items())
    y = rng.uniform(size=PEOPLE) < 1.0 / (1.0 + np.exp(-z))
    return np.column_stack([age, sex]).astype(np.float32), genotypes, y.astype(np.float32), effects


def scan(covariates: np.ndarray, genotypes: np.ndarray, y: np.ndarray) -> tuple[jlr.Summary, jlr.Summary]:
    """Both summaries of every variant, ``(VARIANTS, ...)``, a block of variants at a time."""

    def one(variant: Array) -> tuple[jlr.Summary, jlr.Summary]:
        X = jlr.Columns(jnp.asarray(covariates), variant.astype(jnp.float32))
        return jlr.summary(jlr.fit(X, y), X, y), jlr.summary(jlr.fit_firth(X, y), X, y)

    block = jax.jit(jax.vmap(one)).lower(jax.ShapeDtypeStruct((BLOCK, PEOPLE), np.int8)).compile()
    found, start = [], time.perf_counter()
    for first in range(0, VARIANTS, BLOCK):
        found.append(jax.block_until_ready(block(genotypes[first : first + BLOCK])))
        done, seconds = first + BLOCK, time.perf_counter() - start
        print(f"  {done:6d} variants, {2 * done / seconds:8.0f} fits a second")
    return jax.tree.map(lambda *blocks: np.concatenate(blocks), *found)


def firth_p_values(covariates: np.ndarray, genotypes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the variants' penalised likelihood ratios, a block at a time; the last one is filled up."""

    def one(variant: Array) -> Array:
        X = jlr.Columns(jnp.asarray(covariates), variant.astype(jnp.float32))
        return jlr.profile_interval(jlr.fit_firth(X, y), X, y).p_value[-1]

    count, size = len(genotypes), RARE_BLOCK
    padded = np.resize(genotypes, (-(-count // size) * size, PEOPLE))
    block, start = jax.jit(jax.vmap(one)), time.perf_counter()
    p = np.concatenate([block(padded[first : first + size]) for first in range(0, len(padded), size)])[:count]
    print(f"{count} have fewer in one class: tested by Firth's likelihood in {time.perf_counter() - start:.1f} s")
    return p


def report(
    p: np.ndarray,
    few: np.ndarray,
    firth: jlr.Summary,
    carriers: np.ndarray,
    cases: np.ndarray,
    effects: dict[int, float],
) -> None:
    """The variants beyond the threshold, and how many of those with an effect were found."""
    hits = [int(j) for j in np.flatnonzero(p < SIGNIFICANT)]
    print(f"\nvariants with p < {SIGNIFICANT:.1e}:")
    print("  variant  carriers  cases  odds ratio (Firth)         p  method  true odds ratio")
    for j in hits:
        print(
            f"  {j:7d} {carriers[j]:9d} {cases[j]:6d} {firth.odds_ratio[j, -1]:19.2f} {p[j]:9.1e}  "
            f"{'Firth ' if few[j] else 'Wald  '} {np.exp(effects.get(j, 0.0)):16.2f}"
        )
    print(f"{len(set(hits) & set(effects))} of the {len(effects)} variants with an effect found, "
          f"{len(set(hits) - set(effects))} found that have none")  # fmt: skip


def draw_manhattan(p: np.ndarray, few: np.ndarray, effects: dict[int, float]) -> None:
    """``-log10 p`` along the genome; rare variants as triangles."""
    figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
    position, height = np.arange(VARIANTS), -np.log10(p)
    per_chromosome = VARIANTS // CHROMOSOMES
    colour = np.where(position // per_chromosome % 2 == 0, "#0072b2", "#56b4e9")
    axis.scatter(position[few], height[few], s=10, marker="^", c="#d55e00", linewidths=0, label="rare: by Firth")
    axis.scatter(position[~few], height[~few], s=5, c=colour[~few], linewidths=0)
    for j in effects:
        axis.annotate(str(j), (j, height[j]), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8)
    axis.axhline(-np.log10(SIGNIFICANT), color="black", linestyle=":", linewidth=1, label="Bonferroni, 5 %")
    axis.set(xlabel="chromosome", ylabel="-log10 p", xlim=(0, VARIANTS), ylim=(0, np.nanmax(height) * 1.12))
    axis.set_xticks(per_chromosome * (np.arange(CHROMOSOMES) + 0.5), [str(k + 1) for k in range(CHROMOSOMES)])
    axis.legend(frameon=False, loc="upper right", fontsize="small")
    figure.savefig(OUTPUT / "genome_scan_manhattan.png", dpi=120)


def draw_quantiles(wald: np.ndarray, firth: np.ndarray, firth_wald: np.ndarray) -> None:
    """Observed against expected quantiles: on the diagonal, p-values are what they claim to be."""
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    for name, p, colour in (
        ("common: maximum likelihood", wald, "#0072b2"),
        ("rare: Firth's likelihood ratio", firth, "#d55e00"),
        ("rare: Firth's Wald test", firth_wald, "#999999"),
    ):
        observed = np.sort(p[np.isfinite(p)])
        expected = (np.arange(observed.size) + 0.5) / observed.size
        axis.plot(-np.log10(expected), -np.log10(observed), ".", markersize=4, color=colour, label=name)
    limit = -np.log10(0.5 / VARIANTS)
    axis.plot([0, limit], [0, limit], color="black", linewidth=0.8)
    axis.set(xlabel="expected -log10 p", ylabel="observed -log10 p")
    axis.legend(frameon=False, loc="upper left", fontsize="small")
    figure.savefig(OUTPUT / "genome_scan_qq.png", dpi=120)


if __name__ == "__main__":
    main()
