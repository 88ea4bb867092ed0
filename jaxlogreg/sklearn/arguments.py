"""The constructor's arguments, checked when a fit begins, as scikit-learn has it."""

import math
import numbers
import warnings
from typing import Any

import numpy as np

__all__ = ["check_arguments", "penalty_of"]

SWITCHES = ("fit_intercept", "dual", "warm_start", "refit", "use_legacy_attributes")
SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")
PENALTIES = ("deprecated", "l1", "l2", "elasticnet", None)


def check_arguments(estimator: Any) -> None:
    """Those that all estimators share.

    Raises:
        ValueError: naming the argument, for what scikit-learn would not take either.
    """
    if estimator.penalty not in PENALTIES:
        raise ValueError(f"penalty must be 'l1', 'l2', 'elasticnet' or None, got {estimator.penalty!r}")
    for name in SWITCHES:
        value = getattr(estimator, name, False)
        if not isinstance(value, bool | np.bool_):  # "False" would count as True
            raise ValueError(f"{name} must be True or False, got {value!r}")
    if estimator.solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)} (none has an effect), got {estimator.solver!r}")
    if not (_is_number(estimator.tol) and estimator.tol >= 0):
        raise ValueError(f"tol must be a number of at least 0, got {estimator.tol!r}")
    if not (_is_number(estimator.max_iter) and estimator.max_iter >= 0 and estimator.max_iter % 1 == 0):
        raise ValueError(f"max_iter must be an integer of at least 0, got {estimator.max_iter!r}")


def penalty_of(penalty: str | None, C: Any, l1_ratio: Any) -> tuple[float, float]:
    """``C`` and ``l1_ratio``, whichever way the penalty is spelled.

    Raises:
        ValueError: if ``C`` is not positive or ``l1_ratio`` is not between 0 and 1.

    Warns:
        UserWarning: for a ``C`` or ``l1_ratio`` that ``penalty`` leaves without effect, as scikit-learn does.
    """
    if penalty is None:
        if not (_is_number(C) and C in (1.0, math.inf)):
            warnings.warn(f"penalty=None leaves C={C!r} without effect; C=np.inf alone says the same", stacklevel=3)
        return math.inf, 0.0
    if penalty in ("l1", "l2") and _is_number(l1_ratio) and 0.0 < l1_ratio < 1.0:
        warnings.warn(f"penalty={penalty!r} leaves l1_ratio={l1_ratio!r} without effect; drop one", stacklevel=3)
    if penalty in ("l1", "l2"):
        l1_ratio = float(penalty == "l1")
    elif penalty == "deprecated" and l1_ratio is None:
        l1_ratio = 0.0
    if not (_is_number(C) and C > 0):
        raise ValueError(f"C must be a positive number (np.inf for no penalty), got {C!r}")
    if not (_is_number(l1_ratio) and 0.0 <= float(l1_ratio) <= 1.0):
        raise ValueError(f"l1_ratio must be a number between 0 and 1, got {l1_ratio!r}")
    return float(C), float(l1_ratio)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real)
