"""The lasso on the spam data is that of scikit-learn's solvers: the same objective, the same columns in use."""

import numpy as np
import pytest
from conftest import ROOT, X64
from sklearn.linear_model import LogisticRegression

import jaxlogreg as jlr

pytestmark = pytest.mark.skipif(not X64, reason="scikit-learn's liblinear computes in float64")


@pytest.fixture(scope="module")
def spam():
    table = np.loadtxt(ROOT / "examples" / "data" / "spambase.csv.gz", delimiter=",", skiprows=1)
    X = table[:, :-1]
    return (X - X.mean(0)) / X.std(0), table[:, -1]


# liblinear penalises an intercept; saga takes half a minute for weaker penalties.
@pytest.mark.parametrize(
    ("solver", "intercept", "part"),
    [("liblinear", False, 0.1), ("liblinear", False, 0.01), ("saga", True, 0.1), ("saga", True, 0.05)],
)
def test_lasso(spam, solver, intercept, part):
    X, y = spam
    l1 = part * float(jlr.lambda_max(X, y, intercept=intercept))
    ours = jlr.fit(X, y, l1=l1, intercept=intercept)
    assert ours.converged
    theirs = LogisticRegression(
        solver=solver, l1_ratio=1, C=1 / (len(y) * l1), fit_intercept=intercept, tol=1e-9, max_iter=5000
    ).fit(X, y)

    def objective(coef, constant):
        z = X @ coef + constant
        return np.mean(np.logaddexp(0, z) - y * z) + l1 * np.abs(coef).sum()

    coef, constant = np.asarray(ours.params.coef), float(ours.params.intercept) if intercept else 0.0
    reached = objective(coef, constant)
    np.testing.assert_allclose(reached, objective(theirs.coef_[0], theirs.intercept_), rtol=1e-9)
    np.testing.assert_array_equal(coef != 0, theirs.coef_[0] != 0)
    assert 0 < np.count_nonzero(coef) < X.shape[1]
    assert float(ours.value) == pytest.approx(reached, rel=1e-12)
