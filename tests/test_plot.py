"""Pictures: what is drawn is what was found."""

import numpy as np
import pytest

import jaxlogreg as jlr
from jaxlogreg import plot


@pytest.fixture(scope="module")
def drawn(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5)).astype(dtype)
    y = (rng.uniform(size=120) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(dtype)
    grid = jlr.lambda_grid(X, y, num=6, standardize=True)
    return np.asarray(grid), jlr.cross_validate(X, y, l1=grid, folds=3, standardize=True)


def test_a_path_has_a_line_a_column_and_both_choices(drawn, tmp_path):
    grid, cv = drawn
    figure = plot.path(cv, grid, names=list("abcde"), labelled=2)
    above, below = figure.axes
    assert len(above.get_legend().get_texts()) == 2
    np.testing.assert_allclose(above.lines[0].get_ydata(), cv.solution.params.coef[:, 0])
    np.testing.assert_allclose(below.lines[0].get_ydata(), np.asarray(cv.mean)[np.argsort(grid)])
    marked = [line.get_xdata()[0] for line in below.lines[1:]]
    np.testing.assert_allclose(marked, grid[[int(cv.best), int(cv.one_se)]])
    figure.savefig(tmp_path / "path.png")
    assert (tmp_path / "path.png").stat().st_size > 10_000


def test_a_path_without_cross_validation_has_one_axis(drawn):
    grid, cv = drawn
    assert len(plot.path(cv.solution, grid).axes) == 1


def test_sparsity_counts_the_columns_in_use(drawn):
    grid, cv = drawn
    (axis,) = plot.sparsity(cv, grid).axes
    used = np.count_nonzero(cv.solution.params.coef, axis=1)[np.argsort(grid)]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), used)
