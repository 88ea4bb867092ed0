"""``OneVsRestLogisticRegression``: a binary classifier for each class against the others."""

from .logistic_regression import LogisticRegression
from .objective import Kind

__all__ = ["OneVsRestLogisticRegression"]


class OneVsRestLogisticRegression(LogisticRegression):
    """Logistic regression of each class against the rest, all in one compiled program.

    The fits are those of ``sklearn.multiclass.OneVsRestClassifier(LogisticRegression(...))``, and the attributes those
    of :class:`LogisticRegression`: ``coef_`` has a row a class, ``n_iter_`` a number a class. Of the classifiers'
    probabilities ``predict_proba`` gives each one's part in their sum. Two classes are one classifier.

    With ``class_weight="balanced"`` a row weighs what its own class does among all ``K``, in every fit;
    ``OneVsRestClassifier`` would balance each class against the rest.

    Args, attributes and methods are those of :class:`LogisticRegression`.

    >>> import numpy as np
    >>> X = np.array([[-1.0], [-0.8], [0.1], [-0.1], [0.9], [1.1]])
    >>> model = OneVsRestLogisticRegression(C=10.0).fit(X, [0, 0, 1, 1, 2, 2])
    >>> model.coef_.shape, model.predict([[-1.0], [1.0]]).tolist()
    ((3, 1), [0, 2])
    """

    def _kind(self) -> Kind:
        return "binary" if len(self.classes_) == 2 else "one_vs_all"
