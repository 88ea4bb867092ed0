"""The estimators find what scikit-learn finds, and go where its estimators go."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, X64
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from jaxlogreg.sklearn import LogisticRegression, OneVsRestLogisticRegression

PENALTIES = [(1.0, 0.0), (0.05, 1.0), (0.1, 0.5)]
RNG = np.random.default_rng(0)
WINE, KIND = load_wine(return_X_y=True)
WINE = StandardScaler().fit_transform(WINE)
NAMES = np.array(["barolo", "grignolino", "barbera"])[KIND]
WEIGHT = RNG.uniform(0.5, 2.0, len(KIND))
TWO = KIND != 2
TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def theirs(C, l1_ratio, **options):
    solver = "newton-cholesky" if l1_ratio == 0.0 else "saga"
    return linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver, **TIGHT | options)


def assert_same(ours, reference, X, atol=1e-6):
    np.testing.assert_array_equal(ours.classes_, reference.classes_)
    assert ours.coef_.shape == reference.coef_.shape
    assert ours.intercept_.shape == reference.intercept_.shape
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=atol)
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        found, expected = getattr(ours, method)(X), getattr(reference, method)(X)
        if method == "decision_function" and found.ndim == 2:  # a shift of all intercepts changes nothing
            expected = expected - np.mean(expected - found, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=20 * atol)
    np.testing.assert_array_equal(ours.predict(X), reference.predict(X))


@pytest.mark.parametrize(("C", "l1_ratio"), PENALTIES)
@pytest.mark.parametrize(
    "class_weight", [None, "balanced", {"barolo": 2.0, "grignolino": 0.5}], ids=["", "bal", "dict"]
)
@pytest.mark.parametrize("rows", [TWO, slice(None)], ids=["two", "three"])
def test_weighted_fits_are_those_of_scikit_learn(C, l1_ratio, class_weight, rows):
    X, y, weight = WINE[rows], NAMES[rows], WEIGHT[rows]
    ours = LogisticRegression(C=C, l1_ratio=l1_ratio, class_weight=class_weight, tol=1e-10).fit(X, y, weight)
    reference = theirs(C, l1_ratio, class_weight=class_weight).fit(X, y, weight)
    assert_same(ours, reference, X)
    np.testing.assert_array_equal(ours.coef_ == 0, reference.coef_ == 0)


@pytest.mark.parametrize("rows", [TWO, slice(None)], ids=["two", "three"])
def test_no_intercept_and_no_penalty_are_those_of_scikit_learn(rows):
    X, y = WINE[rows], NAMES[rows]
    options = {"C": 1.0, "l1_ratio": 0.0, "fit_intercept": False}
    ours = LogisticRegression(fit_intercept=False, tol=1e-10).fit(X, y)
    np.testing.assert_array_equal(ours.intercept_, np.zeros(len(ours.coef_)))
    assert_same(ours, theirs(**options).fit(X, y), X)
    noisy = RNG.permutation(y)  # not separable
    assert_same(LogisticRegression(C=np.inf, tol=1e-10).fit(X, noisy), theirs(np.inf, 0.0).fit(X, noisy), X)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"penalty": "l2", "C": 0.1}, {"C": 0.1}),
        ({"penalty": "l1", "C": 0.1, "solver": "liblinear", "n_jobs": 2}, {"C": 0.1, "l1_ratio": 1.0}),
        ({"penalty": "elasticnet", "C": 0.1, "l1_ratio": 0.5, "verbose": 1}, {"C": 0.1, "l1_ratio": 0.5}),
        ({"penalty": None}, {"C": np.inf}),
    ],
)
def test_the_older_spelling_of_a_penalty_means_the_same(older, newer):
    y = np.random.default_rng(1).permutation(NAMES[TWO])
    older, newer = (LogisticRegression(**options).fit(WINE[TWO], y) for options in (older, newer))
    np.testing.assert_array_equal(older.coef_, newer.coef_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": None, "C": 0.1}, "penalty=None leaves C=0.1 without effect"),
        ({"penalty": "l2", "l1_ratio": 0.5}, "penalty='l2' leaves l1_ratio=0.5 without effect"),
    ],
)
def test_what_the_older_spelling_leaves_without_effect_is_said(options, message):
    with pytest.warns(UserWarning, match=message):
        LogisticRegression(**options).fit(WINE, np.random.default_rng(1).permutation(NAMES))


@pytest.mark.parametrize(("C", "l1_ratio"), PENALTIES[:2])
def test_one_against_the_rest_is_a_fit_for_each_class(C, l1_ratio):
    ours = OneVsRestLogisticRegression(C=C, l1_ratio=l1_ratio, tol=1e-10).fit(WINE, NAMES)
    reference = OneVsRestClassifier(theirs(C, l1_ratio)).fit(WINE, NAMES)
    coef = np.concatenate([each.coef_ for each in reference.estimators_])
    np.testing.assert_allclose(ours.coef_, coef, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(WINE), reference.predict_proba(WINE), atol=1e-6)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(WINE)), ours.predict_proba(WINE), rtol=1e-12)
    np.testing.assert_array_equal(ours.predict(WINE), reference.predict(WINE))
    assert ours.n_iter_.shape == (3,)
    two = OneVsRestLogisticRegression(C=C, l1_ratio=l1_ratio).fit(WINE[TWO], NAMES[TWO])
    binary = LogisticRegression(C=C, l1_ratio=l1_ratio).fit(WINE[TWO], NAMES[TWO])
    np.testing.assert_array_equal(two.predict_proba(WINE), binary.predict_proba(WINE))


@pytest.mark.parametrize("rows", [TWO, slice(None)], ids=["two", "three"])
def test_the_dtype_is_that_of_the_rows_whatever_the_mode_of_jax(rows):
    X, y = WINE[rows], NAMES[rows]
    double, single = LogisticRegression(tol=1e-10).fit(X, y), LogisticRegression(tol=3e-6).fit(X.astype(np.float32), y)
    assert jax.config.read("jax_enable_x64") == X64
    assert double.coef_.dtype == double.predict_proba(X).dtype == np.float64
    assert single.coef_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(double.coef_, theirs(1.0, 0.0).fit(X, y).coef_, atol=1e-8)
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-3)
    assert LogisticRegression().fit(np.round(X).astype(int), y).coef_.dtype == np.float64


def test_a_fit_that_does_not_converge_warns_with_its_message():
    with pytest.warns(ConvergenceWarning, match=r"MAX_STEPS after 2 steps.*max_steps is max_iter"):
        model = LogisticRegression(max_iter=2, tol=1e-10).fit(WINE, NAMES)
    assert model.n_iter_.tolist() == [2]
    with pytest.warns(ConvergenceWarning, match="SEPARABLE"):
        LogisticRegression(C=np.inf).fit(WINE[TWO][:, :3], WINE[TWO][:, 0] > 0)


def test_a_warm_start_begins_at_the_last_fit():
    for rows in (TWO, slice(None)):
        model = LogisticRegression(warm_start=True, tol=1e-8).fit(WINE[rows], NAMES[rows])
        first, coef = model.n_iter_[0], model.coef_
        model.fit(WINE[rows], NAMES[rows])
        assert model.n_iter_[0] == 0 < first
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-10)
    with pytest.raises(ValueError, match=r"weights of shape \(3, 5\), but the last fit left \(3, 13\).*fit a clone"):
        model.fit(WINE[:, :5], NAMES)


def test_a_weak_l1_penalty_decides_which_coefficients_are_zero():
    X, y = load_iris(return_X_y=True)
    X, y = X[y < 2], y[y < 2]  # separable: without the penalty the coefficients would grow for ever
    for C in (1.0, 1e2, 1e4):
        default = LogisticRegression(C=C, l1_ratio=1.0).fit(X, y)
        tight = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-14, max_iter=1000).fit(X, y)
        np.testing.assert_allclose(default.coef_, tight.coef_, rtol=0.01)
        np.testing.assert_array_equal(default.coef_ == 0, tight.coef_ == 0)


def test_what_a_loose_tol_finds_is_within_1e_4_all_the_same():
    loose, default = LogisticRegression(tol=1.0).fit(WINE, NAMES), LogisticRegression().fit(WINE, NAMES)
    np.testing.assert_array_equal(loose.coef_, default.coef_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "l3"}, "penalty must be 'l1', 'l2', 'elasticnet' or None, got 'l3'"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be a number between 0 and 1, got None"),
        ({"l1_ratio": 1.5}, "l1_ratio must be a number between 0 and 1, got 1.5"),
        ({"C": 0.0}, "C must be a positive number"),
        ({"C": "1"}, "C must be a positive number"),
        ({"solver": "adam"}, "solver must be one of lbfgs"),
        ({"tol": -1.0}, "tol must be a number of at least 0"),
        ({"max_iter": 1.5}, "max_iter must be an integer"),
        ({"class_weight": "rare"}, "class_weight"),
        ({"fit_intercept": "False"}, "fit_intercept must be True or False, got 'False'"),
        ({"warm_start": 2}, "warm_start must be True or False, got 2"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**options).fit(WINE, NAMES)


def test_rows_that_cannot_be_fitted_are_refused():
    model = LogisticRegression()
    with pytest.raises(TypeError, match=r"dense data is required.*toarray"):
        model.fit(sparse.csr_array(WINE), NAMES)
    with pytest.raises(ValueError, match="at least two classes, got one class: barolo"):
        model.fit(WINE[KIND == 0], NAMES[KIND == 0])
    with pytest.raises(ValueError, match="there is none of barolo"):
        model.fit(WINE, NAMES, KIND > 0)
    with pytest.raises(ValueError, match=r"sample_weight must have one entry for each of the 178 rows of X.*\(5,\)"):
        model.fit(WINE, NAMES, np.ones(5))
    with pytest.raises(ValueError, match="sample_weight must be at least 0"):
        model.fit(WINE, NAMES, -np.ones(178))


def test_data_frames_pipelines_and_searches():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"age": rng.uniform(1, 80, 120), "port": rng.choice(["C", "Q", "S"], 120)})
    survived = np.where((table.age < 40) ^ (rng.uniform(size=120) < 0.2), "yes", "no")
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(sparse_output=False), ["port"]))
    found, expected = (
        GridSearchCV(make_pipeline(columns, model), {"logisticregression__C": [0.01, 1.0]}, scoring="neg_log_loss")
        for model in (LogisticRegression(tol=1e-8), linear_model.LogisticRegression(tol=1e-8))
    )
    found.fit(table, survived)
    expected.fit(table, survived)
    assert found.best_params_ == expected.best_params_
    np.testing.assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-6)
    named = LogisticRegression().fit(table[["age"]], survived)
    assert named.feature_names_in_.tolist() == ["age"]
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(table[["age"]].rename(columns={"age": "years"}))


def test_calibration_and_selection_are_those_of_scikit_learn():
    X, y = load_iris(return_X_y=True)
    models = LogisticRegression(tol=1e-8), linear_model.LogisticRegression(tol=1e-8, solver="newton-cholesky")
    found, expected = (CalibratedClassifierCV(model, cv=3).fit(X, y, WEIGHT[:150]) for model in models)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    found, expected = (RFE(model, n_features_to_select=2).fit(X, y) for model in models)
    np.testing.assert_array_equal(found.ranking_, expected.ranking_)


def test_a_model_survives_pickle_and_clone():
    model = LogisticRegression(C=0.5).fit(WINE, NAMES)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(WINE), model.predict_proba(WINE))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "coef_")
    assert LogisticRegression().get_params().keys() == linear_model.LogisticRegression().get_params().keys()


def test_weights_are_routed():
    model, plain = LogisticRegression(tol=1e-8), linear_model.LogisticRegression(tol=1e-8, max_iter=1000)
    with config_context(enable_metadata_routing=True):
        found, expected = (
            cross_validate(
                each.set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
                WINE, NAMES, cv=3, params={"sample_weight": WEIGHT}, scoring=None,
            )["test_score"]
            for each in (model, plain)
        )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_small_shapes_share_a_program(caplog):
    X, y, model = WINE[TWO], NAMES[TWO], LogisticRegression()
    model.fit(X[5:], y[5:])
    with jax.log_compiles():
        model.set_params(C=2.0).fit(X[7:, :11], y[7:])
        model.set_params(class_weight="balanced", warm_start=True).fit(X[:-3, :11], y[:-3], WEIGHT[TWO][:-3])
        assert "Compiling" not in caplog.text
        model.set_params(warm_start=False).fit(X[30:-30], y[30:-30])
        assert "Compiling" in caplog.text


def test_only_this_module_needs_scikit_learn():
    code = (
        "import sys, jaxlogreg; assert 'sklearn' not in sys.modules; sys.modules['sklearn'] = None\n"
        "try:\n    import jaxlogreg.sklearn\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "jaxlogreg.sklearn needs scikit-learn: pip install 'jaxlogreg[sklearn]'\n"
