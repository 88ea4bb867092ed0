"""Programs like those of scikit-learn's gallery that use logistic regression, run twice: only the import differs.

Each is a function of the module that has the estimators. The keywords are those of the gallery, but for ``tol`` and
``max_iter``: the loose ones there end a fit before scikit-learn's solvers are near the optimum, where there is nothing
to compare. What the programs print is compared then: coefficients, zeros, scores, and what was chosen.
"""

from importlib import import_module

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import load_digits, load_iris, make_blobs, make_classification
from sklearn.decomposition import PCA
from sklearn.feature_selection import RFECV, SelectFromModel
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import l1_min_c

IMPORTS = "sklearn.linear_model", "jaxlogreg.sklearn"
DIGITS, DIGIT = load_digits(return_X_y=True)


def swapped(program, **options):
    """What the program finds with scikit-learn's estimators, and with ours."""
    return [program(import_module(name), **options) for name in IMPORTS]


def sparsity_by_penalty(linear_model, **options):
    X, y = StandardScaler().fit_transform(DIGITS), (DIGIT > 4).astype(int)
    coef, score = [], []
    for C in (1, 0.1, 0.01):
        for l1_ratio in (1, 0.5, 0):
            model = linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, solver="saga", random_state=0, **options)
            model.fit(X, y)
            coef.append(model.coef_.ravel())
            score.append(model.score(X, y))
    return np.array(coef), np.array(score)


def test_sparsity_of_l1_l2_and_elastic_net():
    (expected, expected_score), (coef, score) = swapped(sparsity_by_penalty, tol=1e-6, max_iter=5000)
    np.testing.assert_allclose(coef, expected, atol=3e-3)  # saga ends where its steps are short
    np.testing.assert_array_equal(np.mean(coef == 0, axis=1), np.mean(expected == 0, axis=1))
    np.testing.assert_array_equal(score, expected_score)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparsity_as_the_gallery_has_it_scores_alike():
    (_, expected), (_, score) = swapped(sparsity_by_penalty, tol=0.01)
    np.testing.assert_allclose(score, expected, atol=0.01)


def path_of_l1(linear_model):
    X, y = load_iris(return_X_y=True)
    X, y = X[y != 2] / X[y != 2].max(), y[y != 2]
    Cs = l1_min_c(X, y, loss="log") * np.logspace(0, 10, 16)
    model = linear_model.LogisticRegression(
        l1_ratio=1, solver="liblinear", tol=1e-8, max_iter=int(1e6), warm_start=True, intercept_scaling=10000.0,
        random_state=0,
    )  # fmt: skip
    coef, objective = [], []
    for C in Cs:
        model.set_params(C=C).fit(X, y)
        coef.append(model.coef_.ravel().copy())
        loss = np.logaddexp(0.0, np.where(y == 1, -1.0, 1.0) * model.decision_function(X)).sum()
        objective.append(C * loss + np.abs(coef[-1]).sum())
    return np.array(coef), np.array(objective)


def test_the_l1_path_with_warm_starts():
    (expected, expected_objective), (coef, objective) = swapped(path_of_l1)
    np.testing.assert_array_equal(coef[0], np.zeros(4))
    np.testing.assert_allclose(coef[:8], expected[:8], rtol=1e-3)
    np.testing.assert_array_equal(coef[:8] == 0, expected[:8] == 0)
    # The classes are separable, and for a large C liblinear ends as far as a half above the optimum; we do not.
    assert np.all(objective <= expected_objective * (1 + 2e-3))


def boundaries(linear_model, **options):
    X, y = make_blobs(n_samples=1000, centers=[[-5, 0], [0, 1.5], [5, -1]], random_state=40)
    X = X @ np.array([[0.4, 0.2], [-0.4, 1.2]])
    plane = np.stack(np.meshgrid(np.arange(-4.0, 4.0, 0.1), np.arange(-4.0, 6.0, 0.1)), axis=-1).reshape(-1, 2)
    multinomial = linear_model.LogisticRegression(**options).fit(X, y)
    rest = OneVsRestClassifier(linear_model.LogisticRegression(**options)).fit(X, y)
    lines = np.concatenate([np.append(each.coef_[0], each.intercept_) for each in (multinomial, *rest.estimators_)])
    return [model.score(X, y) for model in (multinomial, rest)], lines, multinomial.predict_proba(plane), rest, plane


def test_multinomial_and_one_vs_rest():
    # Without max_iter: newton-cholesky's default of 100 is enough, and so is ours.
    expected, found = swapped(boundaries, solver="newton-cholesky", tol=1e-10)
    assert found[0] == expected[0]
    np.testing.assert_allclose(found[1][3:], expected[1][3:], atol=1e-7)  # of softmax only differences count
    np.testing.assert_allclose(found[2], expected[2], atol=1e-8)
    plane = found[4]
    np.testing.assert_array_equal(found[3].predict(plane), expected[3].predict(plane))
    ours = import_module(IMPORTS[1]).OneVsRestLogisticRegression(tol=1e-10)
    X, y = make_blobs(n_samples=1000, centers=[[-5, 0], [0, 1.5], [5, -1]], random_state=40)
    at_once = ours.fit(X @ np.array([[0.4, 0.2], [-0.4, 1.2]]), y)  # and without a wrapper
    np.testing.assert_allclose(at_once.predict_proba(plane), expected[3].predict_proba(plane), atol=1e-8)


def sparse_digits(linear_model):
    X, X_test, y, y_test = train_test_split(DIGITS, DIGIT, train_size=1000, random_state=0)
    scaler = StandardScaler().fit(X)
    options = {"C": 50.0 / 1000, "l1_ratio": 1, "solver": "saga", "random_state": 42, "tol": 1e-5, "max_iter": 5000}
    softmax = linear_model.LogisticRegression(**options)
    rest = OneVsRestClassifier(linear_model.LogisticRegression(**options))
    models = [model.fit(scaler.transform(X), y) for model in (softmax, rest)]
    coef = np.stack([softmax.coef_, np.concatenate([each.coef_ for each in rest.estimators_])])
    return coef, [model.score(scaler.transform(X_test), y_test) for model in models]


def test_sparse_weights_of_digits_multinomial_and_one_vs_rest():
    (expected, expected_score), (coef, score) = swapped(sparse_digits)
    np.testing.assert_allclose(coef, expected, atol=6e-3)
    density, expected_density = (np.mean(x != 0, axis=2) for x in (coef, expected))
    np.testing.assert_allclose(density, expected_density, atol=1 / 64)  # a pixel of a class, within tol of its kink
    np.testing.assert_allclose(score, expected_score, atol=1e-12)
    with pytest.raises(TypeError, match="toarray"):  # the gallery's words are a sparse matrix, which says what to do
        import_module(IMPORTS[1]).LogisticRegression().fit(sparse.csr_array(DIGITS), DIGIT)


def chosen_pipeline(linear_model):
    logistic = linear_model.LogisticRegression(max_iter=10000, tol=1e-6)
    pipe = Pipeline(steps=[("scaler", StandardScaler()), ("pca", PCA()), ("logistic", logistic)])
    grid = {"pca__n_components": [5, 30], "logistic__C": np.logspace(-4, 4, 4)[:3]}
    return GridSearchCV(pipe, grid, cv=3, n_jobs=1).fit(DIGITS, DIGIT)


def test_a_chain_of_pca_and_logistic_regression_is_chosen_alike():
    expected, search = swapped(chosen_pipeline)
    assert search.best_params_ == expected.best_params_
    # A row or two of 599 lie on a boundary.
    for name in ("mean_test_score", "split0_test_score", "split2_test_score"):
        np.testing.assert_allclose(search.cv_results_[name], expected.cv_results_[name], atol=2 / 599)
    assert search.best_score_ == pytest.approx(expected.best_score_, abs=1e-12)


def calibrated(linear_model):
    X, y = make_classification(20_000, n_features=20, n_informative=2, n_redundant=10, random_state=42)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.95, random_state=42)
    logistic = linear_model.LogisticRegression(C=1.0, tol=1e-8, max_iter=1000)
    chosen = linear_model.LogisticRegressionCV(
        Cs=np.logspace(-4, 4, 7), cv=5, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False,
        tol=1e-8, max_iter=2000,
    )  # fmt: skip
    models = [
        logistic,
        chosen,
        CalibratedClassifierCV(GaussianNB(), cv=2, method="isotonic"),
        CalibratedClassifierCV(logistic, cv=2, method="isotonic"),
        CalibratedClassifierCV(logistic, cv=2, method="sigmoid"),
    ]
    p = [model.fit(X, y).predict_proba(X_test)[:, 1] for model in models]
    scores = [[score(y_test, each) for score in (brier_score_loss, log_loss, roc_auc_score)] for each in p]
    return np.array(p), np.array(scores), [calibration_curve(y_test, each, n_bins=10) for each in p], chosen.C_


def test_calibration_and_a_penalty_chosen_by_log_loss():
    expected, found = swapped(calibrated)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)
    for curve, reference in zip(found[2], expected[2], strict=True):
        np.testing.assert_allclose(curve, reference, atol=0.01)  # a row may cross the edge of a bin
    assert found[3] == expected[3]


def selected_features(linear_model):
    X, y = make_classification(n_samples=300, n_features=25, n_informative=3, n_redundant=2, random_state=0)
    l1 = linear_model.LogisticRegression(C=0.05, l1_ratio=1, solver="saga", tol=1e-6, max_iter=10_000, random_state=0)
    logistic = linear_model.LogisticRegression(tol=1e-8, max_iter=1000)
    model = make_pipeline(StandardScaler(), SelectFromModel(l1), logistic).fit(X, y)
    eliminated = RFECV(logistic, step=4, cv=3, scoring="accuracy").fit(X, y)
    return model[1].get_support(), model.predict_proba(X), eliminated.ranking_, eliminated.cv_results_


def test_selected_features():
    expected, found = swapped(selected_features)
    np.testing.assert_array_equal(found[0], expected[0])
    assert 0 < found[0].sum() < 25
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    np.testing.assert_array_equal(found[2], expected[2])
    np.testing.assert_allclose(found[3]["mean_test_score"], expected[3]["mean_test_score"], atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*(penalty|n_jobs).*:FutureWarning")
def test_the_keywords_of_older_programs_are_taken():
    def program(linear_model):
        options = {"random_state": 0, "verbose": 0, "tol": 1e-8, "max_iter": 10_000}
        X, y = StandardScaler().fit_transform(DIGITS[:300]), DIGIT[:300] > 4
        models = [
            linear_model.LogisticRegression("l2", C=0.1, solver="newton-cg", n_jobs=2, **options),
            linear_model.LogisticRegression(penalty="l2", solver="sag", l1_ratio=0.0, C=1e-3, **options),
            linear_model.LogisticRegression(
                penalty="l2", dual=True, solver="liblinear", C=0.01, fit_intercept=False, **options
            ),
        ]
        return np.concatenate([model.fit(X, y).coef_ for model in models])

    expected, coef = swapped(program)
    np.testing.assert_allclose(coef, expected, atol=1e-5)
