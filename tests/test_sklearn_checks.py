"""scikit-learn's own checks of an estimator: all of them, and none is expected to fail."""

import pytest
from sklearn.utils.estimator_checks import check_class_weight_balanced_linear_classifier, parametrize_with_checks

from jaxlogreg.sklearn import LogisticRegression, LogisticRegressionCV, OneVsRestLogisticRegression

ESTIMATORS = [LogisticRegression(), OneVsRestLogisticRegression(), LogisticRegressionCV(Cs=3, cv=3)]


@pytest.fixture(autouse=True)
def _array_api(monkeypatch):
    """Without it, scikit-learn leaves out its check with the array API switched on."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS[:2], ids=lambda estimator: type(estimator).__name__)
def test_balanced_weights_are_those_of_scikit_learn(estimator):
    check_class_weight_balanced_linear_classifier(type(estimator).__name__, estimator)
