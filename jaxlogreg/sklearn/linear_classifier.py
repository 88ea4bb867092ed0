"""Prediction from ``coef_`` and ``intercept_``, for all estimators.

One product in NumPy: it takes rows in any number, where a compiled program would be compiled for each.
"""

from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..solution import Params, Solution
from .objective import Kind
from .training import DTYPES, Training

__all__ = ["LinearClassifier"]


class LinearClassifier(ClassifierMixin, BaseEstimator):
    """A fitted linear classifier: ``z = X coef_ᵀ + intercept_``, with a column of margins a class, or one for two."""

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    n_features_in_: int

    def decision_function(self, X: Any) -> np.ndarray:
        """The margins ``z``.

        Args:
            X: ``(m, n)``.

        Returns:
            ``(m,)`` for two classes, above zero for the second of them; ``(m, K)`` for more.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES, reset=False)
        z = X @ self.coef_.T + self.intercept_
        return z[:, 0] if len(self.classes_) == 2 else z

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row, ``(m,)``."""
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(np.intp) if z.ndim == 1 else np.argmax(z, axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, ``(m, K)``, in the order of ``classes_``."""
        z = self.decision_function(X)
        if z.ndim == 1:
            return np.stack([expit(-z), expit(z)], axis=1)
        # Σ σ(z) can underflow where every classifier says no; the largest margin cannot.
        return softmax(log_expit(z) if self._kind() == "one_vs_all" else z, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Its logarithm, ``(m, K)``: finite where the probability itself is too small to be told from zero."""
        z = self.decision_function(X)
        if z.ndim == 1:
            return np.stack([log_expit(-z), log_expit(z)], axis=1)
        return log_softmax(log_expit(z) if self._kind() == "one_vs_all" else z, axis=1)

    def _kind(self) -> Kind:
        return "binary" if len(self.classes_) == 2 else "softmax"

    def _start(self) -> Params | None:
        """Where a warm start begins."""
        if not hasattr(self, "coef_"):
            return None
        each = 0 if len(self.classes_) == 2 else slice(None)
        last: Any = self.coef_[each], self.intercept_[each]
        return Params(*last)

    def _check_start(self, start: Params | None, training: Training) -> None:
        classes, left = len(training.classes), () if start is None else np.shape(start.coef)
        shape = training.X.shape[1:] if classes == 2 else (classes, training.X.shape[1])
        if start is not None and left != shape:
            raise ValueError(
                f"warm_start=True must begin at weights of shape {shape}, but the last fit left {left}; for other "
                "columns or classes, fit a clone"
            )

    def _keep(self, solution: Solution) -> None:
        """The weights of a solution as scikit-learn has them, with an axis of classes."""
        params = solution.params
        self.coef_, self.intercept_ = np.array(params.coef, ndmin=2), np.array(params.intercept, ndmin=1)
        self.n_iter_ = np.array(solution.num_steps, np.int32, ndmin=1)
