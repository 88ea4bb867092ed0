"""The rows of a fit: what scikit-learn's users pass in, checked, with classes as integers.

The weights are those of the samples times those of their classes. A program is compiled for a shape, and folds,
learning curves and selected features make many shapes: up to a few MB, rows of weight zero and columns of zeros are
added, which change nothing, until there are only 8 or so different numbers of either between one power of two and the
next.
"""

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

__all__ = ["DTYPES", "Training", "as_training"]

DTYPES: Any = [np.float64, np.float32]  # kept; anything else becomes the first
PADDED_NUMBERS = 2**20  # beyond this many in X, compiling costs less than a copy
MIN_ROWS, MIN_COLUMNS = 32, 8  # the steps of small sizes


@dataclass(frozen=True)
class Training:
    """Rows to fit, of one dtype.

    Args:
        X: ``(m, n)``, float32 or float64.
        code: the index of each row's class in ``classes``, ``(m,)``.
        weight: ``s``, ``(m,)``.
        sample_weight: the part of it that does not come from the class, ``(m,)``, or None.
        classes: the labels in ascending order, ``(K,)``.
    """

    X: np.ndarray
    code: np.ndarray
    weight: np.ndarray
    sample_weight: np.ndarray | None
    classes: np.ndarray

    def total_weight(self) -> float:
        """``Σ sᵢ``.

        Raises:
            ValueError: unless every class has a part in it.
        """
        if not np.any(self.weight):
            raise ValueError("sample_weight must be positive for at least one row, got only zeros")
        rows = np.bincount(self.code, self.weight > 0, len(self.classes))
        if np.any(rows == 0):
            raise ValueError(
                "y must hold rows of positive weight of every class to fit, but there is none of "
                f"{self.classes[np.argmin(rows)]}; drop that class (or, in cross-validation, take fewer folds)"
            )
        return float(self.weight.sum(dtype=np.float64))

    def padded(self) -> "Training":
        """The same with rows of weight zero and columns of zeros up to the next of few sizes, if it is small."""
        m, n = self.X.shape
        rows, columns = _missing(m, MIN_ROWS), _missing(n, MIN_COLUMNS)
        if (rows, columns) == (0, 0) or (m + rows) * (n + columns) > PADDED_NUMBERS:
            return self
        X = np.pad(self.X, ((0, rows), (0, columns)))
        return replace(self, X=X, code=np.pad(self.code, (0, rows)), weight=np.pad(self.weight, (0, rows)))


def _missing(size: int, least: int) -> int:
    """How many are missing to a multiple of ``least``, or of an eighth of the power of two below ``size``."""
    return -size % max(least, 2 ** (size.bit_length() - 4))


def as_training(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Training:
    """What ``fit`` was given, checked; the estimator learns its number of features and their names.

    Raises:
        ValueError, TypeError: as scikit-learn words it for wrong ``X`` or ``y``; and for fewer than two classes, and
            weights that are not one for each row.
    """
    X, y = validate_data(estimator, X, y, dtype=DTYPES, order="C")
    check_classification_targets(y)
    classes, code = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got one class: {classes[0]}")
    weight = np.ones(len(y), X.dtype)
    if sample_weight is not None:
        weight = sample_weight = _as_sample_weight(sample_weight, X)
    if estimator.class_weight is not None:
        each = compute_class_weight(estimator.class_weight, classes=classes, y=y, sample_weight=sample_weight)
        weight = weight * each.astype(X.dtype)[code]
    return Training(X, code, weight, sample_weight, classes)


def _as_sample_weight(value: Any, X: Any) -> np.ndarray:
    if isinstance(value, numbers.Real):
        return np.full(X.shape[0], value, X.dtype)
    weight = check_array(value, ensure_2d=False, dtype=X.dtype, input_name="sample_weight")
    if weight.shape != X.shape[:1]:
        raise ValueError(
            f"sample_weight must have one entry for each of the {X.shape[0]} rows of X, got shape {weight.shape}"
        )
    if np.any(weight < 0):
        raise ValueError(f"sample_weight must be at least 0, got {weight.min():g}")
    return weight
