"""The data: made problems, and real sets read from a folder.

Every number is rounded to float32 first, so that both dtypes are the same problem with the same
optimum. Real sets lie in ``--data DIR`` (by default ``benchmarks/data``) as ``<name>/data.csv.gz`` or
``<name>/<name>.npz``; whoever lacks one is told where to get it. Columns that are not binary are
standardised here, once for everybody, so that no contender is handicapped by units; pixels, which
share a unit, are divided by 255 instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse

Reader = Callable[[Path], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """A matrix and its labels; ``title`` says which and how large."""

    name: str
    X: np.ndarray
    y: np.ndarray

    @property
    def title(self) -> str:
        m, n = self.X.shape
        return f"{self.name}, {m} x {n}, {self.X.dtype.name}"


def made(m: int, n: int, correlation: float, dtype: np.typing.DTypeLike, used: float = 1.0) -> Problem:
    """Standard normal columns, each correlated with the one before, and labels from a logistic model.

    ``used``: the part of the columns, the first ones, that the labels depend on.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, n))
    for j in range(1, n):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    w = rng.normal(size=n) / np.sqrt(n)
    w[np.arange(n) >= used * n] = 0.0
    y = rng.uniform(size=m) < 1 / (1 + np.exp(-X @ w + 0.5))
    return Problem(f"made, correlation {correlation:g}", rounded(X, dtype), y.astype(dtype))


def real(name: str, data: Path, dtype: np.typing.DTypeLike, rows: int | None = None) -> Problem:
    """A real data set; labels are 0 and 1, or 0 .. K - 1. ``rows``: only so many, at random.

    Raises:
        FileNotFoundError: saying what is missing and where to get it.
    """
    reader, file, source = REAL[name]
    path = Path(data) / name / file
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; make it from {source}")
    X, y = reader(path)
    if rows is not None:
        some = np.random.default_rng(0).permutation(len(y))[:rows]
        X, y = X[some], y[some]
    X = X / 255 if name == "mnist" else standardised(X)
    return Problem(name, rounded(X, dtype), y.astype(dtype if y.max() == 1 else np.int32))


def rounded(X: np.ndarray, dtype: np.typing.DTypeLike) -> np.ndarray:
    return np.ascontiguousarray(X.astype(np.float32).astype(dtype))


def standardised(X: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 for every column that holds more than zeros and ones."""
    binary = ((X == 0) | (X == 1)).all(axis=0) | (X.std(axis=0) == 0)
    return np.where(binary, X, (X - X.mean(axis=0)) / np.where(binary, 1.0, X.std(axis=0)))


def read_csv(path: Path, num_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and the label in the last of ``num_columns`` columns."""
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(num_columns))
    return table[:, :-1], table[:, -1]


def read_a9a(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        parts = tuple(file[f"train_{key}"] for key in ("data", "indices", "indptr"))
        X = scipy.sparse.csr_matrix(parts, shape=tuple(file["train_shape"])).toarray()
        return X.astype(float), (file["train_y"] > 0).astype(float)


def read_genes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        return file["X"].astype(float), file["y"].astype(float)


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        return file["X_train"].astype(float), np.unique(file["y_train"], return_inverse=True)[1]


REAL: dict[str, tuple[Reader, str, str]] = {
    "spambase": (
        lambda path: read_csv(path, 58),
        "data.csv.gz",
        "https://archive.ics.uci.edu/dataset/94/spambase: spambase.data with a line of column names first",
    ),
    "creditcard": (
        lambda path: read_csv(path, 31),
        "data.csv.gz",
        "https://www.kaggle.com/datasets/mlg-ulb/creditcardfraud (openml 1597): columns Time, V1 .. V28, Amount, "
        "Class; a sample with all frauds will do",
    ),
    "a9a": (
        read_a9a,
        "a9a.npz",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html#a9a: the training rows as CSR arrays "
        "train_data, train_indices, train_indptr, train_shape, and train_y",
    ),
    "leukemia_golub": (
        read_genes,
        "leukemia_golub.npz",
        "https://github.com/ramhiser/datamicroarray (data/golub.RData, all 72 samples): arrays X (72, 7129) and y",
    ),
    "mnist": (
        read_npz,
        "mnist.npz",
        "https://www.openml.org/d/554: arrays X_train (60000, 784) of 0 .. 255 and y_train",
    ),
    "letter": (
        read_npz,
        "letter.npz",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#letter: arrays X_train (15000, 16) "
        "and y_train",
    ),
}
