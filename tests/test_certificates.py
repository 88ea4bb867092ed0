"""Whatever the data, a fit with kinks ends with a gap that is valid and a status that is true."""

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from conftest import DTYPE, X64

import jaxlogreg as jlr

CASES = 250  # of each shape
SHAPES = ((30, 6), (12, 20))


def random_problem(shape, seed, summed, doubled, constant, scaled, rare):
    """Rank-deficient, duplicated or constant columns, scales of 1e±6, unbalanced classes: any of them at once."""
    (m, n), rng = shape, np.random.default_rng(seed)
    X = rng.normal(size=(m, n))
    if summed:
        X[:, n // 2] = X[:, 0] + X[:, 1]
    if doubled:
        X[:, -1] = X[:, 0]
    if constant:
        X[:, 2] = 3.0
    if scaled:
        X = X * 10.0 ** rng.integers(-6, 7, size=n)
    y = (rng.uniform(size=m) < (0.1 if rare else 0.5)).astype(float)
    y[:2] = 0, 1
    return X.astype(DTYPE), y.astype(DTYPE)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gaps_are_valid_and_statuses_true(shape):
    fit = jax.jit(lambda X, y, l1, l2, steps: jlr.fit(X, y, l1=l1, l2=l2, standardize=True, max_steps=steps))
    ended = []

    # The same examples in every run.
    @hypothesis.settings(max_examples=CASES, deadline=None, database=None, derandomize=True)
    @hypothesis.given(
        seed=st.integers(0, 2**32 - 1),
        kinds=st.tuples(*5 * [st.booleans()]),
        part=st.floats(-3, 0),
        ridge=st.booleans(),
    )
    def check(seed, kinds, part, ridge):
        X, y = random_problem(shape, seed, *kinds)
        l1 = 10**part * float(jlr.lambda_max(X, y, standardize=True))
        l2 = 0.1 * l1 * ridge
        best = fit(X, y, l1, l2, 200)
        ended.append(int(best.status))
        scale = X.astype(float).std(axis=0)
        scale[scale <= 1e-6 * np.abs(X).max(axis=0)] = 1.0

        def value(solution):
            w, b = np.asarray(solution.params.coef, float), float(solution.params.intercept)
            z = X.astype(float) @ w + b
            v = w * scale
            return np.mean(np.logaddexp(0.0, z) - y * z) + l1 * np.abs(v).sum() + 0.5 * l2 * (v * v).sum()

        lowest = value(best)
        for steps in (0, 1, 3, 200):
            solution = fit(X, y, l1, l2, steps)
            assert float(solution.gap) >= value(solution) - lowest - (1e-13 if X64 else 1e-6)
        assert best.status in (jlr.Status.CONVERGED, jlr.Status.STALLED, jlr.Status.MAX_STEPS)
        if best.status == jlr.Status.CONVERGED:
            assert float(best.kkt) <= (1e-11 if X64 else 1e-6)
        assert float(best.gap) <= (1e-6 if X64 else 1e-3) * max(1.0, lowest)

    check()
    assert np.mean(np.array(ended) == jlr.Status.CONVERGED) > 0.9
