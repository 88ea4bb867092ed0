"""``LogisticRegression``: two classes by the sigmoid, more by softmax."""

from typing import Any, Self

from .arguments import check_arguments, penalty_of
from .linear_classifier import LinearClassifier
from .objective import fit_strength, warn_unless_converged
from .training import as_training

__all__ = ["LogisticRegression"]


class LogisticRegression(LinearClassifier):
    """Logistic regression with scikit-learn's interface.

    Minimises ``C Σ sᵢ ℓ(zᵢ, yᵢ) + (1 - ρ)/2 ‖w‖² + ρ ‖w‖₁`` over ``w`` and ``b``, with ``z = X w + b``, ``ρ`` the
    ``l1_ratio``, and ``ℓ`` the cross-entropy of the sigmoid for two classes, of softmax for more (then ``w`` is a row
    a class). The intercept ``b`` is never penalised. ``penalty`` is an older spelling of both, and wins where given.

    The optimum is that of ``sklearn.linear_model.LogisticRegression``; the method is chosen by the shape of the data,
    and every penalty goes with it. What only says how to get there is accepted and has no effect: ``solver``,
    ``dual``, ``n_jobs``, ``random_state``, ``verbose``, and ``intercept_scaling`` (only liblinear penalises the
    intercept, which that undoes). ``X`` is dense. Float32 and float64 are computed, and predicted, as such, whether or
    not JAX's x64 mode is on.

    A shape of ``X`` (small ones rounded up a little), a dtype, a number of classes, and whether there is an L1 penalty
    compile once a process, in some seconds; other values of ``C`` and other data do not. JAX's compilation cache keeps
    programs between processes.

    Args:
        penalty: ``"l1"``, ``"l2"``, ``"elasticnet"`` (with ``l1_ratio``) or None (no penalty); leave it out and give
            ``C`` and ``l1_ratio``.
        C: the inverse of the penalty's strength; ``np.inf`` for none.
        l1_ratio: 0 for a ridge, 1 for the lasso, between them an elastic net.
        tol: the fit ends where no ``|∂F/∂wⱼ| / rms(xⱼ)`` is larger (at a kink, its distance from the
            subdifferential), ``F`` the objective divided by ``C Σ sᵢ``. More than 1e-4, which scikit-learn's slower
            solvers are given to stop early, counts as 1e-4. Beside an L1 penalty more than 0.03 of it counts as
            that (but no less than the library's default), so that it is decided which coefficients are zero.
        fit_intercept: whether to fit ``b``.
        class_weight: a weight for each class, as a dict; ``"balanced"`` for weights inverse to the frequencies. They
            multiply the sample weights.
        max_iter: the most steps.
        warm_start: start from the last fit, of the same columns and number of classes.

    Attributes:
        classes_: the labels in ascending order, ``(K,)``.
        coef_, intercept_: ``(1, n)`` and ``(1,)`` for two classes, ``(K, n)`` and ``(K,)`` for more.
        n_iter_: steps of the solver, ``(1,)``.
        n_features_in_, feature_names_in_: of ``X``; the names only where it has any.

    >>> import numpy as np
    >>> X = np.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = np.array(["no", "no", "yes", "no", "yes", "no", "yes", "yes"])
    >>> model = LogisticRegression().fit(X, passed)
    >>> model.predict([[0.8], [3.8]]).tolist()
    ['no', 'yes']
    >>> model.coef_.shape, model.predict_proba(X).dtype
    ((1, 1), dtype('float64'))
    """

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Args:
            X: ``(m, n)``, an array or a DataFrame.
            y: labels of any kind, ``(m,)``.
            sample_weight: ``s``, ``(m,)``; a weight of 2 equals the row twice.

        Raises:
            ValueError: naming the argument, for wrong arguments, NaN or infinity, fewer than two classes, a class
                without a row of positive weight, and a warm start from other columns or classes.
            TypeError: for a sparse ``X``.

        Warns:
            ConvergenceWarning: with the solution's message, if it is not within ``tol``; also if there is no finite
                optimum, as without a penalty where the classes are separated.
        """
        check_arguments(self)
        C, l1_ratio = penalty_of(self.penalty, self.C, self.l1_ratio)
        start = self._start() if self.warm_start else None
        training = as_training(self, X, y, sample_weight)
        self._check_start(start, training)
        self.classes_ = training.classes
        solution = fit_strength(self, self._kind(), training, C, l1_ratio, start)
        warn_unless_converged(solution)
        self._keep(solution)
        return self
