"""Cross-validation and the bootstrap: every fold and every resample equals the fit it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64
from sklearn.metrics import roc_auc_score

import jaxlogreg as jlr

DTYPE = np.float64 if X64 else np.float32
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(DTYPE)
Y = (RNG.uniform(size=90) < 1 / (1 + np.exp(-X[:, 0] + 0.5))).astype(DTYPE)
L2S = np.array([0.01, 1.0, 0.1], DTYPE)  # in no order
FOLDS = 3


def accuracy(y, z):
    return np.mean(y == (z > 0))


@pytest.fixture(scope="module")
def cv():
    return jlr.cross_validate(X, Y, l2=L2S, folds=FOLDS)


def test_each_fold_equals_the_fit_without_its_rows(cv):
    assert np.all(cv.fold_solution.converged)
    for k, j in ((0, 0), (1, 2), (2, 1)):
        kept = np.asarray(cv.fold_id) != k
        alone = jlr.fit(X[kept], Y[kept], l2=L2S[j])
        np.testing.assert_allclose(
            cv.fold_solution.params.coef[k, j],
            alone.params.coef,
            rtol=1e-8 if X64 else 1e-3,
            atol=1e-9 if X64 else 1e-4,
        )
        z = X[~kept].astype(float) @ np.asarray(alone.params.coef, float) + float(alone.params.intercept)
        loss = np.mean(np.logaddexp(0.0, z) - Y[~kept] * z)
        np.testing.assert_allclose(cv.score[k, j], loss, rtol=1e-7 if X64 else 1e-4)


@pytest.mark.parametrize("batch_size", [None, 6])
def test_folds_of_wide_data_are_the_paths_without_their_rows(batch_size):
    wide = RNG.normal(size=(40, 200)).astype(DTYPE)
    y = (wide[:, 0] + RNG.normal(size=40) > 0).astype(DTYPE)
    l1s = np.array([0.05, 0.2, 0.1], DTYPE)  # in no order
    options = {"l1": l1s, "solver": jlr.ProximalNewton(working_set=64), "tol": 1e-11 if X64 else 2e-7}
    found = jlr.cross_validate(wide, y, folds=FOLDS, batch_size=batch_size, **options)
    assert np.all(found.fold_solution.converged)
    for k in range(FOLDS):
        kept = np.asarray(found.fold_id) != k
        path = jlr.fit_path(wide, y, sample_weight=kept.astype(DTYPE), **options)
        for ours, theirs in zip(jax.tree.leaves(found.fold_solution.params), jax.tree.leaves(path.params), strict=True):
            np.testing.assert_allclose(ours[k], theirs, rtol=0, atol=1e-8 if X64 else 1e-4)
        z = wide[~kept] @ np.asarray(path.params.coef).T + np.asarray(path.params.intercept)
        loss = np.mean(np.logaddexp(0.0, z) - y[~kept][:, None] * z, axis=0)
        np.testing.assert_allclose(found.score[k], loss, rtol=1e-7 if X64 else 1e-4)


def test_the_summary_is_that_of_the_losses(cv):
    np.testing.assert_allclose(cv.mean, np.mean(cv.score, axis=0), rtol=1e-5)
    np.testing.assert_allclose(cv.std_error, np.std(cv.score, axis=0, ddof=1) / np.sqrt(FOLDS), rtol=1e-4)
    assert cv.best == np.argmin(cv.mean)
    within = np.asarray(cv.mean) <= float(cv.mean[cv.best] + cv.std_error[cv.best])
    assert L2S[cv.one_se] == L2S[within].max()
    np.testing.assert_array_equal(cv.params().coef, cv.solution.params.coef[cv.best])


@pytest.mark.parametrize(("measure", "reference"), [("accuracy", accuracy), ("auc", roc_auc_score)])
def test_other_measures_are_scikit_learns_and_larger_is_better(cv, measure, reference):
    found = jlr.cross_validate(X, Y, l2=L2S, folds=FOLDS, measure=measure)
    for k in range(FOLDS):
        held = np.asarray(cv.fold_id) == k
        for j in range(len(L2S)):
            z = X[held] @ np.asarray(cv.fold_solution.params.coef[k, j])
            z = z + np.asarray(cv.fold_solution.params.intercept[k, j])
            np.testing.assert_allclose(found.score[k, j], reference(Y[held], z), rtol=1e-6)
    assert found.best == np.argmax(found.mean)
    within = np.asarray(found.mean) >= float(found.mean[found.best] - found.std_error[found.best])
    assert L2S[found.one_se] == L2S[within].max()


def test_folds_are_stratified_and_shuffled_by_a_key(cv):
    for label in (0, 1):
        assert np.ptp(np.bincount(np.asarray(cv.fold_id)[label == Y], minlength=FOLDS)) <= 1
    shuffled = jlr.cross_validate(X, Y, l2=L2S, folds=FOLDS, key=jax.random.key(1)).fold_id
    assert not np.array_equal(shuffled, cv.fold_id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, "folds must be a Python integer of at least 2"),
        ({"measure": "gini"}, "measure must be one of 'loss', 'accuracy', 'auc', got 'gini'"),
        (
            {
                "folds": 3,
                "fold_id": np.where(np.arange(90) == np.argmax(Y), 0, 1 + np.arange(90) % 2),
                "measure": "auc",
            },
            "folds must each hold rows of both classes for measure='auc', but fold 0 does not",
        ),
        ({"fold_id": np.zeros(90, int)}, "fold_id must hold every integer 0 to 4"),
        ({"fold_id": np.zeros(3, int)}, "fold_id must hold an integer for each of the 90 rows"),
        ({"fold_id": (1 - Y).astype(int), "folds": 2}, "y holds only one"),
        ({"l2": 0.1}, "l2 must be a vector"),
        ({"batch_size": 0}, "batch_size must be a Python integer of at least 1 .*or None, got 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        jlr.cross_validate(X, Y, **{"l2": L2S, **arguments})


def test_a_resample_is_the_fit_weighted_by_how_often_rows_were_drawn():
    key = jax.random.key(2)
    found = jlr.bootstrap(X, Y, 5, key, l2=0.01, batch_size=2)
    assert found.params.coef.shape == (5, 4)
    assert np.all(found.converged)
    rows = jax.random.randint(jax.random.split(key, 5)[3], (90,), 0, 90)
    alone = jlr.fit(X[rows], Y[rows], l2=0.01)
    np.testing.assert_allclose(
        found.params.coef[3], alone.params.coef, rtol=1e-8 if X64 else 1e-3, atol=1e-9 if X64 else 1e-4
    )
    np.testing.assert_array_equal(jlr.bootstrap(X, Y, 5, key, l2=0.01, batch_size=2).params.coef, found.params.coef)
    with pytest.raises(ValueError, match="num_samples must be a Python integer of at least 1"):
        jlr.bootstrap(X, Y, 0, key)


def test_the_held_out_loss_has_derivatives_by_the_penalty():
    def loss(l2):
        return jlr.cross_validate(X, Y, l2=l2[None], folds=FOLDS, tol=1e-12 if X64 else 1e-6).mean[0]

    slope = jax.grad(loss)(jnp.asarray(0.1, DTYPE))
    step = 1e-4 if X64 else 1e-2
    difference = (loss(jnp.asarray(0.1 + step, DTYPE)) - loss(jnp.asarray(0.1 - step, DTYPE))) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-4 if X64 else 5e-2)
