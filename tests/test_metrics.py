"""Metrics equal scikit-learn's, with ties and weights, alone and in batches."""

import jax
import numpy as np
import pytest
from conftest import X64
from sklearn.metrics import roc_auc_score

import jaxlogreg as jlr

DTYPE = np.float64 if X64 else np.float32
TOL = 1e-12 if X64 else 1e-5
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 200)
SCORES = np.round(RNG.normal(size=(3, 200)) + Y, 1).astype(DTYPE)  # rounded, so that many are equal
WEIGHTS = RNG.integers(0, 4, 200).astype(DTYPE)


@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_roc_auc_equals_scikit_learns(weight):
    for score in SCORES:
        ours = jlr.metrics.roc_auc(Y, score, sample_weight=weight)
        np.testing.assert_allclose(ours, roc_auc_score(Y, score, sample_weight=weight), rtol=TOL)


def test_roc_auc_in_a_batch_and_compiled():
    together = jax.jit(jax.vmap(lambda score: jlr.metrics.roc_auc(Y, score)))(SCORES)
    np.testing.assert_allclose(together, [roc_auc_score(Y, score) for score in SCORES], rtol=TOL)


def test_roc_auc_of_one_class_is_nan_and_of_equal_scores_a_half():
    assert np.isnan(jlr.metrics.roc_auc(np.ones(3), np.arange(3.0)))
    assert jlr.metrics.roc_auc(np.array([0, 1, 1]), np.array([2, 2, 2])) == 0.5


def test_roc_auc_refuses_lengths_that_differ():
    with pytest.raises(ValueError, match=r"y_true, score and sample_weight must .* of one length, got .*\(3,\)"):
        jlr.metrics.roc_auc(np.ones(3), np.ones(4))
