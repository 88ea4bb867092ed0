"""Estimators for scikit-learn: the same fits where a ``Pipeline`` or a ``GridSearchCV`` expects an estimator.

Change the import and keep the rest::

    from jaxlogreg.sklearn import LogisticRegression  # was: from sklearn.linear_model

Three files hold an estimator each. They share ``arguments`` (checked), ``training`` (the rows, checked), ``objective``
(scikit-learn's in terms of the library's, and its fits) and ``linear_classifier`` (prediction). Needs the extra
``sklearn``; ``import jaxlogreg`` alone never imports scikit-learn.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError("jaxlogreg.sklearn needs scikit-learn: pip install 'jaxlogreg[sklearn]'") from error

from .cross_validation import LogisticRegressionCV
from .logistic_regression import LogisticRegression
from .one_vs_rest import OneVsRestLogisticRegression

__all__ = ["LogisticRegression", "LogisticRegressionCV", "OneVsRestLogisticRegression"]
