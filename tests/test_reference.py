"""Fits equal the numbers that R's glm prints, on raw columns (hundreds beside units)."""

import jax
import numpy as np
import pytest
from conftest import DATA, X64, columns, read_rows
from reference_models import MODELS, admissions, reference

import jaxlogreg as jlr

SOLVERS = [None, jlr.Newton(), jlr.LBFGS()]


@pytest.mark.parametrize(("dataset", "model"), MODELS)
def test_coefficients_equal_glm(dataset, model, dtype):
    X, y, weight = MODELS[dataset, model]()
    expected = np.array(list(reference(dataset, model)["coefficients"].values()))
    # Factors, counts, a square, and many columns by every solver; the others by the default.
    every = X64 and model in ("rank_as_factor", "grouped_DAAG", "vcdExtra90_quadratic", "all532")
    for solver in SOLVERS if every else SOLVERS[:1]:
        solution = jlr.fit(X.astype(dtype), y, sample_weight=weight, solver=solver).raise_if_failed()
        found = np.append(solution.params.intercept, solution.params.coef)
        # A coefficient times its column's deviation is known to about tol / curvature: in float32, 1e-6 / 0.1.
        known = 0.0 if X64 else np.append(0.0, 1e-5 / X.std(axis=0))
        np.testing.assert_array_less(np.abs(found - expected), (1e-7 if X64 else 2e-4) * np.abs(expected) + known)


@pytest.mark.parametrize(("dataset", "model"), [("ucla_admissions", "rank_as_factor"), ("spector", "main")])
def test_log_likelihood_equals_glm(dataset, model, dtype):
    X, y, _ = MODELS[dataset, model]()
    solution = jlr.fit(X.astype(dtype), y)
    log_likelihood = -len(y) * float(solution.value)
    np.testing.assert_allclose(log_likelihood, reference(dataset, model)["loglik"], rtol=1e-12 if X64 else 1e-5)


def test_softmax_equals_stata_on_party_identification(dtype):
    rows = read_rows("anes96/data.csv")
    X = columns(rows, "logpopul", "selfLR", "age", "educ", "income").astype(dtype)
    labels = columns(rows, "PID")[:, 0].astype(int)
    expected = np.array(reference("anes96", "mnlogit_base0")["coefficients"])
    for solver in SOLVERS if X64 else SOLVERS[:1]:
        solution = jlr.fit_softmax(X, labels, 7, solver=solver).raise_if_failed()
        weights = np.column_stack([solution.params.coef, solution.params.intercept])
        np.testing.assert_allclose(weights.sum(axis=0), 0.0, atol=1e-12 if X64 else 1e-5)
        np.testing.assert_allclose((weights - weights[0])[1:], expected, rtol=1e-6 if X64 else 2e-2)


def test_yedida_saha_rate_and_accuracy_equal_the_authors_notebook(dtype):
    # The notebook divides every column, that of ones too, by its sum; iris classes 0 and 1, tumour data.
    iris = columns(read_rows("iris/data.csv"), *read_rows("iris/data.csv")[0])[:100]
    tumour = np.loadtxt(DATA.parent.parent / "examples/data/breast_cancer_wdbc.csv", delimiter=",", skiprows=1)
    for table, rate in ((iris, 830.2253199119325), (tumour, 4280.227670674596)):
        X, y = np.column_stack([np.ones(len(table)), table[:, :-1]]), table[:, -1].astype(dtype)
        X = (X / X.sum(axis=0)).astype(dtype)
        problem = jlr.Problem(jlr.losses.BinaryCrossEntropy.create(jax.numpy.asarray(y)), jlr.Dense(X), jlr.NoPenalty())
        solver = jlr.GradientDescent("yedida_saha")
        np.testing.assert_allclose(
            solver.step_size(problem, jax.numpy.zeros(X.shape[1], dtype)), rate, rtol=1e-13 if X64 else 1e-5
        )
    solution = jlr.fit(X, y, intercept=False, solver=solver, max_steps=100)
    assert solution.status == jlr.Status.MAX_STEPS
    accuracy = np.mean(np.asarray(jlr.predict(solution.params, X)) == y)
    assert 0.905 <= accuracy <= 0.907


def test_yedida_saha_diverges_on_raw_columns_and_says_so(dtype):
    X, y, _ = admissions(False)
    solution = jlr.fit(X.astype(dtype), y, solver=jlr.GradientDescent("yedida_saha"), max_steps=2000)
    assert solution.status == jlr.Status.MAX_STEPS
    assert solution.value > 100 * solution.initial_value
    assert "it diverged" in solution.message
    assert "step='lipschitz'" in solution.message
