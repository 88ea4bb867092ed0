"""Paths and their cross-validation equal those of R's glmnet 4.1-6, within its own KKT violation."""

import csv
import gzip
import json

import numpy as np
import pytest
from conftest import DATA, ROOT, X64, columns, read_rows

import jaxlogreg as jlr

pytestmark = pytest.mark.skipif(not X64, reason="glmnet computes in float64")


def tumour():
    table = np.loadtxt(ROOT / "examples" / "data" / "breast_cancer_wdbc.csv", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1]


def pima():
    rows = read_rows("pima_mass/data.csv")
    names = META["pima_mass"]["columns"]
    return columns(rows, *names), columns(rows, "type")[:, 0]


def leukemia():
    with np.load(ROOT / "examples" / "data" / "leukemia_golub.npz") as file:
        return file["X"].astype(float), file["y"].astype(float)


SETS = {"breast_cancer_wdbc": tumour, "pima_mass": pima, "leukemia_golub": leukemia}
META = {name: json.loads((DATA / "glmnet" / f"{name}.json").read_text()) for name in SETS}
TALL = ("breast_cancer_wdbc", "pima_mass")
RUNS = [(name, run) for name in TALL for run in ("alpha1_stdT", "alpha0.5_stdT", "alpha1_stdF", "alpha0.5_stdF")]
WIDE = [("leukemia_golub", run) for run in ("alpha1_stdT", "alpha0.5_stdT")]


def table(name):
    with gzip.open(DATA / "glmnet" / f"{name}.csv.gz", "rt", newline="") as file:
        return np.array([[float(x) for x in row] for row in list(csv.reader(file))[1:]])


def reference(name, run):
    X, y = SETS[name]()
    settings, path = META[name]["runs"][run], table(f"{name}_{run}_path")
    if name in TALL:
        coefficients = table(f"{name}_{run}_coef")
    else:  # row, column and number of those that are not zero
        sparse, coefficients = table(f"{name}_{run}_coef_sparse"), np.zeros((len(path), X.shape[1] + 1))
        coefficients[sparse[:, 0].astype(int), sparse[:, 1].astype(int)] = sparse[:, 2]
    return X, y, settings, path[:, 0], coefficients[:, 1:], coefficients[:, 0]


@pytest.mark.parametrize(("name", "run"), RUNS + WIDE)
def test_paths_are_those_of_glmnet(name, run):
    X, y, settings, strengths, coef, intercept = reference(name, run)
    alpha, standardize, violation = settings["alpha"], settings["standardize"], settings["max_kkt_violation"]
    l1, l2 = alpha * strengths, (1 - alpha) * strengths
    path = jlr.fit_path(X, y, l1=l1, l2=l2, standardize=standardize, sample_weight=np.ones(len(y)))
    assert np.all(path.converged)
    scale = X.std(axis=0) if standardize else np.ones(X.shape[1])

    def objective(coef, intercept):
        z, v = X @ coef.T + intercept, coef * scale
        return np.mean(np.logaddexp(0, z) - y[:, None] * z, axis=0) + l1 * np.abs(v).sum(1) + l2 / 2 * (v * v).sum(1)

    w, b = np.asarray(path.params.coef), np.asarray(path.params.intercept)
    ours, theirs = objective(w, b), objective(coef, intercept)
    # Convexity: theirs is above the minimum by no more than its violation times the distance to it.
    distance = np.abs((w - coef) * X.std(axis=0)).sum(axis=1) + np.abs(b - intercept)
    assert np.all(ours <= theirs + 1e-14)
    assert np.all(theirs - ours <= violation * distance * max(1.0, 1 / X.std(axis=0).min()) + 1e-14)
    assert np.all(path.gap >= 0.0)
    assert np.all(path.gap <= 1e-8)
    np.testing.assert_allclose(w * X.std(axis=0), coef * X.std(axis=0), atol=max(2e-4, 100 * violation))
    np.testing.assert_array_equal((w != 0)[1:], (coef != 0)[1:])  # the first is the largest strength, but for rounding


@pytest.mark.parametrize(("name", "run"), RUNS + WIDE)
def test_cross_validation_chooses_as_glmnet_does(name, run):
    """``cv.glmnet`` fits each fold along a grid of its own and interpolates its coefficients; so does this test."""
    X, y, settings, strengths, *_ = reference(name, run)
    alpha, standardize = settings["alpha"], settings["standardize"]
    fold = table(f"{name}_foldid")[:, -1].astype(int) - 1
    raw, size = np.zeros((10, len(strengths))), np.bincount(fold)
    for k in range(10):
        kept = (fold != k).astype(float)
        options = {"sample_weight": kept, "standardize": standardize}
        ratio = strengths[-1] / strengths[0]
        own = np.asarray(jlr.lambda_grid(X, y, num=len(strengths), ratio=ratio, l1_ratio=alpha, **options))
        path = jlr.fit_path(X, y, l1=alpha * own, l2=(1 - alpha) * own, tol=1e-10, **options)
        assert np.all(path.converged)
        weights = np.column_stack([path.params.coef, path.params.intercept])
        weights = np.stack([np.interp(-strengths, -own, each) for each in weights.T], axis=1)
        z, held = X[fold == k] @ weights[:, :-1].T + weights[:, -1], y[fold == k][:, None]
        p = np.clip(1 / (1 + np.exp(-z)), 1e-5, 1 - 1e-5)  # as glmnet clips them
        raw[k] = -2 * np.mean(held * np.log(p) + (1 - held) * np.log(1 - p), axis=0)
    mean = np.average(raw, axis=0, weights=size)
    error = np.sqrt(np.average((raw - mean) ** 2, axis=0, weights=size) / 9)
    atol = max(1e-6, 10 * settings["max_kkt_violation"])
    np.testing.assert_allclose(np.stack([mean, error], axis=1), table(f"{name}_{run}_cv")[:, 1:3], atol=atol)
    best = np.argmin(mean)
    assert strengths[best] == pytest.approx(settings["cv_lambda_min"])
    assert strengths[np.argmax(mean <= mean[best] + error[best])] == pytest.approx(settings["cv_lambda_1se"])


@pytest.mark.parametrize("name", TALL)
def test_cross_validation_without_interpolation_is_near(name):
    X, y, settings, strengths, *_ = reference(name, "alpha1_stdT")
    fold = table(f"{name}_foldid")[:, -1].astype(int) - 1
    cv = jlr.cross_validate(X, y, l1=strengths, standardize=True, folds=10, fold_id=fold, tol=1e-8)
    assert np.all(cv.fold_solution.converged)
    theirs = table(f"{name}_alpha1_stdT_cv")[:, 1:3] / 2  # a deviance is twice the loss
    np.testing.assert_allclose(np.stack([cv.mean, cv.std_error], axis=1), theirs, atol=1e-3)
    chosen = np.array([np.flatnonzero(np.isclose(strengths, settings[f"cv_lambda_{k}"]))[0] for k in ("min", "1se")])
    assert np.all(np.abs(chosen - [int(cv.best), int(cv.one_se)]) <= 1)


def test_folds_that_bend_apart_with_weak_penalties_arrive():
    # The tumours are nearly separated: with weak penalties each fold's curvature is elsewhere than the others'.
    X, y = tumour()
    cv = jlr.cross_validate(X, y, l1=np.geomspace(0.1, 1e-4, 10), standardize=True, folds=10)
    assert np.all(cv.fold_solution.converged)
    assert np.max(cv.fold_solution.num_steps) <= 60  # 200 and more by a curvature that all folds share


@pytest.mark.parametrize(("name", "run"), RUNS + WIDE)
def test_the_largest_strength_is_that_of_glmnet(name, run):
    X, y, settings, *_ = reference(name, run)
    top = jlr.lambda_max(X, y, l1_ratio=settings["alpha"], standardize=settings["standardize"])
    np.testing.assert_allclose(top, settings["lambda_max"], rtol=1e-12)
