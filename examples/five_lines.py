"""The smallest thing: fit, ask how it went, predict.

569 breast tumours, 30 measurements each of their cell nuclei; which are malignant? Fits on the first
400 and predicts the other 169. Run it with

    python examples/five_lines.py
"""

from pathlib import Path

import numpy as np

import jaxlogreg as jlr


def main() -> None:
    table = np.loadtxt(Path(__file__).parent / "data" / "breast_cancer_wdbc.csv", delimiter=",", skiprows=1)

    X, malignant = table[:, :-1], table[:, -1] == 0
    solution = jlr.fit(X[:400], malignant[:400], l2=1e-2, standardize=True)
    print(solution.message)
    right = jlr.predict(solution.params, X[400:]) == malignant[400:]
    print(f"test accuracy: {np.mean(right):.1%} of {len(right)} tumours")


if __name__ == "__main__":
    main()
