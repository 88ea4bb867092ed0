"""Both precisions, strictly: float64 unless JAX_ENABLE_X64=0, with promotion and warnings as errors."""

import csv
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

jax.config.update("jax_enable_x64", os.environ.get("JAX_ENABLE_X64", "1") not in ("0", "false", "False"))
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
X64 = jax.config.read("jax_enable_x64")
DTYPE = jnp.result_type(float)


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled_programs():
    """Each program holds memory maps, and a process may have some 65000 of them: a whole run has more."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def dtype() -> np.dtype:
    """The float dtype of this run."""
    return np.dtype(np.float64 if X64 else np.float32)


@pytest.fixture(scope="session")
def tumour(dtype) -> tuple[np.ndarray, np.ndarray]:
    """Wisconsin tumour data: standardised features ``(569, 30)``, and 1 for malignant."""
    table = np.loadtxt(ROOT / "examples" / "data" / "breast_cancer_wdbc.csv", delimiter=",", skiprows=1)
    X = table[:, :-1]
    return ((X - X.mean(0)) / X.std(0)).astype(dtype), (1 - table[:, -1]).astype(dtype)


@pytest.fixture(scope="session")
def digits(dtype) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: pixels in [0, 1] ``(1797, 64)``, and the digit."""
    table = np.loadtxt(ROOT / "examples" / "data" / "digits_8x8.csv.gz", delimiter=",", skiprows=1)
    return (table[:, :-1] / 16).astype(dtype), table[:, -1].astype(np.int32)


@pytest.fixture(scope="session")
def made(dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made data in mixed units, not separable: ``X (200, 5)``, labels, weights."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) * [1, 10, 0.1, 100, 1] + [0, 5, 1, 300, 0]
    y = rng.uniform(size=200) < 1 / (1 + np.exp(-(X[:, 0] + 0.02 * (X[:, 3] - 300))))
    return X.astype(dtype), y.astype(dtype), rng.uniform(0.5, 2.0, 200).astype(dtype)


def array(x: Any) -> jax.Array:
    """In the float dtype of this run."""
    return jnp.asarray(x, DTYPE)


def exact(x: Any) -> np.ndarray:
    """The very numbers the library sees, in float64: the reference rounds nothing."""
    return np.asarray(x, np.float64)


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a file in ``tests/data``."""
    with open(DATA / name, newline="") as file:
        return list(csv.DictReader(file))


def columns(rows: list[dict[str, str]], *names: str) -> np.ndarray:
    """Columns of rows as numbers, ``(m, len(names))``."""
    return np.array([[float(row[name]) for name in names] for row in rows])
