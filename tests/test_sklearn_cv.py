"""``LogisticRegressionCV`` chooses what scikit-learn's chooses, and says so in the same shapes."""

import numpy as np
import pytest
from sklearn import config_context, linear_model
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, LeaveOneOut, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from jaxlogreg.sklearn import LogisticRegressionCV

X, KIND = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X[:, :5])
NAMES = np.array(["barolo", "grignolino", "barbera"])[KIND]
RNG = np.random.default_rng(0)
WEIGHT, GROUP = RNG.uniform(0.5, 2.0, len(KIND)), RNG.integers(0, 3, len(KIND))
TWO = KIND != 2
ROWS = pytest.mark.parametrize("rows", [TWO, slice(None)], ids=["two", "three"])
CS = [0.02, 0.5, 5.0]


def pair(solver="newton-cholesky", **options):
    """Ours and scikit-learn's."""
    options = {"Cs": CS, "cv": 4, "tol": 1e-9, "l1_ratios": (0.0,), "scoring": None} | options
    options = {"use_legacy_attributes": False} | options
    ours = LogisticRegressionCV(**options)
    return ours, linear_model.LogisticRegressionCV(**options, solver=solver, max_iter=50_000)


def stacked(value):
    return np.stack(list(value.values())) if isinstance(value, dict) else np.asarray(value)


def assert_same(ours, reference, atol=1e-6):
    for name in ("classes_", "Cs_", "l1_ratios_", "C_", "l1_ratio_"):
        found, expected = getattr(ours, name), getattr(reference, name)
        assert type(found) is type(expected)
        np.testing.assert_array_equal(found, expected)
    for name in ("coef_", "scores_", "coefs_paths_", "n_iter_"):
        found, expected = getattr(ours, name), getattr(reference, name)
        assert type(found) is type(expected)
        if isinstance(found, dict):
            assert list(found) == list(expected)
        found, expected = stacked(found), stacked(expected)
        assert found.shape == expected.shape
        if name == "coefs_paths_":  # intercepts of more than two classes may all be shifted
            found, expected = found[..., :5], expected[..., :5]
        if name != "n_iter_":
            np.testing.assert_allclose(found, expected, atol=atol)
    assert ours.intercept_.shape == reference.intercept_.shape
    np.testing.assert_allclose(ours.predict_proba(X), reference.predict_proba(X), atol=atol)


@ROWS
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
@pytest.mark.parametrize("refit", [True, False], ids=["refit", "averaged"])
def test_the_choice_is_that_of_scikit_learn(rows, scoring, refit):
    ours, reference = pair(scoring=scoring, refit=refit, class_weight="balanced")
    X_, y, weight = X[rows], NAMES[rows], WEIGHT[rows]
    assert_same(ours.fit(X_, y, weight), reference.fit(X_, y, weight))
    np.testing.assert_allclose(ours.score(X_, y, sample_weight=weight), reference.score(X_, y, sample_weight=weight))


@ROWS
def test_the_choice_among_elastic_nets_is_that_of_scikit_learn(rows):
    ratios = np.array([0.0, 0.5, 1.0])
    ours, reference = pair("saga", l1_ratios=ratios, Cs=[0.1, 0.5], scoring="neg_log_loss")
    assert_same(ours.fit(X[rows], NAMES[rows]), reference.fit(X[rows], NAMES[rows]), atol=1e-4)


@ROWS
@pytest.mark.parametrize("l1_ratios", [None, (0.0,)], ids=["none", "ridge"])
@pytest.mark.filterwarnings("ignore:.*l1_ratios=None.*:FutureWarning")
def test_older_shapes_are_those_of_scikit_learn(rows, l1_ratios):
    ours, reference = pair(use_legacy_attributes=True, l1_ratios=l1_ratios)
    ours.fit(X[rows], NAMES[rows])
    reference.fit(X[rows], NAMES[rows])
    if l1_ratios is None:  # scikit-learn's are None
        np.testing.assert_array_equal(ours.l1_ratio_, np.zeros(len(reference.l1_ratio_)))
        np.testing.assert_array_equal(ours.l1_ratios_, [0.0])
        reference.l1_ratio_, reference.l1_ratios_ = ours.l1_ratio_, ours.l1_ratios_
    assert_same(ours, reference)


@pytest.mark.parametrize(
    "cv",
    [ShuffleSplit(3, test_size=0.3, random_state=0), [(np.arange(130) > 40, np.arange(30))]],
    ids=["shuffle", "mask"],
)
def test_any_splitter_goes(cv):
    ours, reference = pair(cv=cv, scoring="neg_log_loss")
    assert_same(ours.fit(X[TWO], NAMES[TWO]), reference.fit(X[TWO], NAMES[TWO]))


def test_a_fold_may_hold_rows_of_one_class_only():
    rows = np.flatnonzero(TWO)[::8]
    ours, reference = pair(cv=LeaveOneOut(), scoring="neg_log_loss")
    assert_same(ours.fit(X[rows], NAMES[rows]), reference.fit(X[rows], NAMES[rows]))


def test_groups_and_weights_are_routed():
    with config_context(enable_metadata_routing=True):
        models = [
            model.set_fit_request(sample_weight=True).fit(X[TWO], NAMES[TWO], WEIGHT[TWO], groups=GROUP[TWO])
            for model in pair(cv=GroupKFold(3), scoring=get_scorer("accuracy").set_score_request(sample_weight=True))
        ]
        assert_same(*models)
        scores = [model.score(X[TWO], NAMES[TWO], sample_weight=WEIGHT[TWO]) for model in models]
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)
    with pytest.raises(ValueError, match="fit takes groups only with metadata routing"):
        LogisticRegressionCV().fit(X, NAMES, groups=GROUP)


def test_float32_stays():
    model = LogisticRegressionCV(Cs=CS, cv=4, use_legacy_attributes=False).fit(X[TWO].astype(np.float32), NAMES[TWO])
    assert model.coef_.dtype == model.coefs_paths_.dtype == model.predict_proba(X[TWO].astype(np.float32)).dtype
    assert model.coef_.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Cs": []}, "Cs and l1_ratios must be lists of numbers"),
        ({"Cs": [1.0, -1.0]}, "C must be a positive number"),
        ({"l1_ratios": 0.5}, "Cs and l1_ratios must be lists of numbers"),
        ({"l1_ratios": [0.5, 2.0]}, "l1_ratio must be a number between 0 and 1, got 2.0"),
        ({"penalty": None}, "penalty=None leaves nothing to choose"),
        ({"penalty": "elasticnet"}, "l1_ratio must be a number between 0 and 1, got None"),
        ({"cv": 60}, "cannot be greater than the number of members"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegressionCV(**options).fit(X[TWO][::2], NAMES[TWO][::2])


def test_a_class_that_no_training_row_has_is_named():
    with pytest.raises(ValueError, match="there is none of grignolino"):
        LogisticRegressionCV(cv=[(np.flatnonzero(KIND != 1), np.arange(5))]).fit(X, NAMES)
    with pytest.raises(ValueError, match="there is none of barbera"):
        LogisticRegressionCV(cv=[(KIND != 2, KIND == 2)]).fit(X, NAMES)


def test_fits_that_do_not_converge_are_counted():
    with pytest.warns(ConvergenceWarning, match="0 of 3 lanes converged"):
        LogisticRegressionCV(Cs=CS, cv=4, max_iter=1, tol=1e-12).fit(X[TWO], NAMES[TWO])
