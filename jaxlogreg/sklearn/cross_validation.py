"""``LogisticRegressionCV``: the penalty chosen by how well it predicts rows that were held out.

Any splitter goes: a fold is a weight for each row, zero where it is held out, so that all folds are fits to the same
rows and share a program. Of two classes a fold's penalties are one path. More are fitted one after the other, from
what was found for all rows. The penalty of a fold is, as scikit-learn has it, for the same ``C`` a little stronger than
for all rows (it is ``1 / C`` beside a sum over fewer rows); :func:`jaxlogreg.cross_validate` has the same ``l2``
in all of them.
"""

import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing

from ..solution import Solution
from .arguments import check_arguments, penalty_of
from .linear_classifier import LinearClassifier
from .logistic_regression import LogisticRegression
from .objective import fit_strengths, lane, warn_unless_converged
from .training import as_training

__all__ = ["LogisticRegressionCV"]


class LogisticRegressionCV(LinearClassifier):
    """Logistic regression with ``C`` and ``l1_ratio`` chosen by cross-validation, with scikit-learn's interface.

    Every pair of ``Cs`` and ``l1_ratios`` is fitted without each fold and scored on it; the pair with the best mean
    score is fitted to all rows. Objective, other arguments and compilation are those of :class:`LogisticRegression`.

    Args:
        Cs: the values of ``C``, or how many, evenly spaced in their logarithm from 1e-4 to 1e4.
        l1_ratios: the values of ``l1_ratio``; when None, what ``penalty`` says, a ridge unless given.
        cv: the number of (stratified) folds, 5 when None; or a splitter, or pairs of indices to train and to test.
        scoring: the name of a scorer, or one; accuracy when None.
        refit: whether to fit the best pair to all rows. Otherwise each fold's best weights are averaged, and so are
            ``C_`` and ``l1_ratio_``.
        use_legacy_attributes: the shapes of attributes that scikit-learn had up to 1.9, or those it is changing to.

    Attributes:
        classes_, coef_, intercept_, n_features_in_, feature_names_in_: as those of :class:`LogisticRegression`.
        Cs_, l1_ratios_: what was tried, ``(L,)`` and ``(R,)``.
        C_, l1_ratio_: the best: a number each. Legacy: repeated for each class (once for two classes).
        scores_: ``(folds, R, L)``. Legacy: for each class (the second, of two) the same ``(folds, L, R)``, as a dict;
            ``(folds, L)`` where ``l1_ratios`` is None.
        coefs_paths_: the weights without each fold, the intercept last, ``(folds, R, L, K, n + 1)`` (1 for ``K`` of two
            classes). Legacy: a dict, as ``scores_``, of ``(folds, L, R, n + 1)`` or ``(folds, L, n + 1)``.
        n_iter_: steps of the solver, ``(folds, R, L)``. Legacy: ``(1, folds, L, R)`` or ``(1, folds, L)``.

    >>> import numpy as np
    >>> X = np.linspace(-2.0, 2.0, 40)[:, None]
    >>> y = np.sin(7.0 * X[:, 0]) + X[:, 0] > 0
    >>> model = LogisticRegressionCV(Cs=[0.01, 0.1, 1.0], cv=4, use_legacy_attributes=False).fit(X, y)
    >>> model.scores_.shape, model.coefs_paths_.shape
    ((4, 1, 3), (4, 1, 3, 1, 2))
    """

    # Our own score hands its weights on to the scorer.
    __metadata_request__score = {"sample_weight": UNUSED}  # noqa: RUF012

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = None,
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str | None = "deprecated",
        scoring: Any = None,
        solver: str = "lbfgs",
        tol: float = 1e-4,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        use_legacy_attributes: bool = True,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose the penalty and fit the model.

        Args:
            X, y, sample_weight: as in :meth:`LogisticRegression.fit`; the weights also count in the score.
            **params: for splitter and scorer, as scikit-learn's metadata routing sends them.

        Raises, warns: as :meth:`LogisticRegression.fit`.
        """
        check_arguments(self)
        Cs, l1_ratios = self._grid()
        training = as_training(self, X, y, sample_weight)
        labels = training.classes[training.code]
        self.classes_ = training.classes
        for_splitter, for_scorer = self._routed("fit", training.sample_weight, params)
        splitter: Any = check_cv(self.cv, labels, classifier=True)
        folds = list(splitter.split(training.X, labels, **for_splitter))

        C, l1_ratio = (x.ravel() for x in np.meshgrid(Cs, l1_ratios, indexing="ij"))
        whole = fit_strengths(self, training, C, l1_ratio)
        found, scores, score = [], [], self._scorer_of_all_classes()
        for train, test in folds:
            count = np.bincount(np.arange(len(labels))[train], minlength=len(labels))  # train may be a mask, too
            kept = replace(training, weight=training.weight * count.astype(training.weight.dtype))
            solution = fit_strengths(self, kept, C, l1_ratio, whole)
            given = {name: _rows(value, test, len(labels)) for name, value in for_scorer.items()}
            models = (self._model(solution, i) for i in range(len(C)))
            scores.append([score(model, training.X[test], labels[test], **given) for model in models])
            found.append(solution)
        warn_unless_converged(whole, *found)

        shape = (len(folds), len(Cs), len(l1_ratios))
        weights = np.stack([self._weights(solution) for solution in found])
        weights = weights.reshape(*shape, *weights.shape[2:])
        num_steps = np.stack([solution.num_steps for solution in found]).astype(np.int32)
        self.Cs_, self.l1_ratios_ = Cs, l1_ratios
        self._choose(np.reshape(scores, shape), weights, whole)
        self._keep_paths(np.reshape(scores, shape), weights, num_steps.reshape(shape))
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> float:
        """The score of the predictions by ``scoring``, accuracy when that is None.

        Args:
            X, y, sample_weight: rows, ``(m, n)``, their labels and weights, ``(m,)``.
            **params: for the scorer, as scikit-learn's metadata routing sends them.
        """
        _, for_scorer = self._routed("score", sample_weight, params)
        return self._scorer()(self, X, y, **for_scorer)

    def get_metadata_routing(self) -> MetadataRouter:
        """Which of the arguments of ``fit`` and ``score`` go to the splitter and to the scorer."""
        to_split = MethodMapping().add(caller="fit", callee="split")
        to_score = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=self.cv, method_mapping=to_split).add(scorer=self._scorer(), method_mapping=to_score)

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        """``Cs_`` and ``l1_ratios_``."""
        if self.penalty is None:
            raise ValueError("penalty=None leaves nothing to choose; use LogisticRegression(C=np.inf)")
        Cs: Any = np.logspace(-4, 4, int(self.Cs)) if isinstance(self.Cs, numbers.Integral) else self.Cs
        ratios: Any = self.l1_ratios
        if ratios is None or self.penalty in ("l1", "l2"):
            ratios = [None if self.penalty == "elasticnet" else 0.0]
        if np.ndim(Cs) != 1 or np.ndim(ratios) != 1 or 0 in (len(Cs), len(ratios)):
            raise ValueError(f"Cs and l1_ratios must be lists of numbers (or Cs a number), got {Cs!r} and {ratios!r}")
        pairs = [[penalty_of(self.penalty, C, ratio) for ratio in ratios] for C in Cs]
        return np.array([row[0][0] for row in pairs]), np.array([ratio for _, ratio in pairs[0]])

    def _routed(self, method: str, sample_weight: Any, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What of the metadata is for the splitter, and what for the scorer."""
        given = params if sample_weight is None else {**params, "sample_weight": sample_weight}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, method, **given)
            return (dict(routed.splitter.split) if method == "fit" else {}), dict(routed.scorer.score)
        if params:
            raise ValueError(
                f"{method} takes {', '.join(params)} only with metadata routing: "
                "sklearn.set_config(enable_metadata_routing=True)"
            )
        return {}, given

    def _scorer(self) -> Callable[..., float]:
        return get_scorer(self.scoring or "accuracy")

    def _scorer_of_all_classes(self) -> Callable[..., float]:
        """The scorer; the cross-entropy is told the classes, of which a fold may lack one."""
        if self.scoring != "neg_log_loss":
            return self._scorer()
        return make_scorer(log_loss, greater_is_better=False, response_method="predict_proba", labels=self.classes_)

    def _model(self, solution: Solution, i: int) -> LogisticRegression:
        """The model of the ``i``-th penalty."""
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = self.classes_, self.n_features_in_
        model._keep(lane(solution, i))
        return model

    def _weights(self, solution: Solution) -> np.ndarray:
        """Weights of all penalties with the intercept last, ``(L R, K, n + 1)``, or ``(L R, 1, n + 1)``."""
        params = solution.params
        coef = params.coef.reshape(len(params.coef), -1, self.n_features_in_)
        intercept = params.intercept.reshape(len(params.coef), -1, 1)
        return np.concatenate([coef, intercept], axis=2) if self.fit_intercept else coef

    def _choose(self, scores: np.ndarray, weights: np.ndarray, whole: Solution) -> None:
        """The best penalty by ``scores`` ``(folds, L, R)``, and its model."""
        folds, _, num_ratios = scores.shape
        if self.refit:
            best = np.argmax(scores.sum(axis=0))
            self._keep(lane(whole, best))
        else:
            best = np.argmax(scores.reshape(folds, -1), axis=1)
            w = weights.reshape(folds, -1, *weights.shape[3:])[np.arange(folds), best].mean(axis=0)
            n = self.n_features_in_
            self.coef_, self.intercept_ = w[:, :n], w[:, n] if self.fit_intercept else np.zeros(len(w), w.dtype)
        self.C_: Any = float(np.mean(self.Cs_[best // num_ratios]))
        self.l1_ratio_: Any = float(np.mean(self.l1_ratios_[best % num_ratios]))

    def _keep_paths(self, scores: np.ndarray, weights: np.ndarray, num_steps: np.ndarray) -> None:
        """Scores and steps ``(folds, L, R)`` and weights ``(folds, L, R, K, n + 1)`` in scikit-learn's shapes."""
        if not self.use_legacy_attributes:
            self.scores_: Any = scores.swapaxes(1, 2)
            self.coefs_paths_: Any = weights.swapaxes(1, 2)
            self.n_iter_ = num_steps.swapaxes(1, 2)
            return
        labels = self.classes_[-weights.shape[3] :]
        self.C_, self.l1_ratio_ = np.full(len(labels), self.C_), np.full(len(labels), self.l1_ratio_)
        if self.l1_ratios is None:
            scores, weights, num_steps = scores[:, :, 0], weights[:, :, 0], num_steps[:, :, 0]
        self.scores_ = {label: scores.copy() for label in labels}
        self.coefs_paths_ = {label: weights[..., k, :] for k, label in enumerate(labels)}
        self.n_iter_ = num_steps[None]


def _rows(value: Any, index: np.ndarray, num_rows: int) -> Any:
    """Those rows of metadata that has one for each row of the data."""
    return np.asarray(value)[index] if np.ndim(value) and len(value) == num_rows else value
