"""Pictures: what is drawn is what was found."""

import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import array
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

import jaxlogreg as jlr
from jaxlogreg import plot

EPS = float(jnp.finfo(jnp.result_type(float)).eps)


@pytest.fixture
def panel():
    """An Axes of the user's own."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def path(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5)).astype(dtype)
    y = (rng.uniform(size=120) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(dtype)
    grid = jlr.lambda_grid(X, y, num=6, standardize=True)
    return np.asarray(grid), jlr.cross_validate(X, y, l1=grid, folds=3, standardize=True)


@pytest.fixture(scope="module")
def table(made):
    X, y, _ = made
    return jlr.summary(jlr.fit(X, y), X, y, names=list("abcde"))


def rendered(ax):
    """The picture in pixels: that it can be drawn is part of what is tested. And no text is cut off."""
    figure = ax.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title, *ax.texts):
        box = text.get_window_extent()
        if text.get_text():
            assert -1 <= box.x0 <= box.x1 <= width + 1
            assert -1 <= box.y0 <= box.y1 <= height + 1
    return np.asarray(canvas.buffer_rgba())


def colours(pixels):
    """Those of at least a ten-thousandth of the picture."""
    shades, count = np.unique(pixels.reshape(-1, 4)[:, :3], axis=0, return_counts=True)
    return {to_hex(shade / 255) for shade in shades[count > pixels[:, :, 0].size / 1e4]}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_plotting_leaves_pyplot_alone():
    code = (
        "import sys, jaxlogreg; assert 'matplotlib' not in sys.modules; from jaxlogreg import plot; "
        "plot.coefficient_forest([1.0], [0.0], [2.0]).figure.savefig(sys.argv[1]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, "/dev/stdout"], check=True, stdout=subprocess.DEVNULL)


def test_the_given_axes_is_drawn_on_and_returned(panel, path, table):
    grid, cv = path
    for draw in (
        lambda ax: plot.coefficient_path(cv, grid, ax=ax),
        lambda ax: plot.cross_validation(cv, grid, ax=ax),
        lambda ax: plot.sparsity(cv, grid, ax=ax),
        lambda ax: plot.coefficient_forest(table, ax=ax),
        lambda ax: plot.roc([0, 1], [0.5, 0.6], ax=ax),
        lambda ax: plot.precision_recall([0, 1], [0.5, 0.6], ax=ax),
        lambda ax: plot.calibration([0, 1], [0.5, 0.6], ax=ax),
        lambda ax: plot.convergence({"a": [1.0, 0.5]}, ax=ax),
        lambda ax: plot.confusion_matrix(np.eye(2), ax=ax),
        lambda ax: plot.weight_images(np.ones((1, 4)), (2, 2), ax=ax),
        lambda ax: plot.decision_boundary(lambda x: x[:, 0] / 4, np.ones((1, 2)), ax=ax),
    ):
        panel.clear()
        assert draw(panel) is panel
        assert panel.has_data()


@pytest.fixture(scope="module")
def scored(dtype):
    """Labels, probabilities with ties, and weights (one of them zero)."""
    rng = np.random.default_rng(0)
    p = rng.integers(1, 20, size=60) / 20
    y = (rng.uniform(size=60) < p**1.5).astype(int)
    return y, p.astype(dtype), rng.integers(0, 3, size=60).astype(dtype)


def corners(x, y):
    """The points of a line, each once, to five digits."""
    return np.unique(np.round(np.stack([x, y], axis=1).astype(float), 5), axis=0)


def test_a_roc_curve_is_scikit_learns(scored):
    y, p, weight = scored
    ax = plot.roc(y, p, sample_weight=weight, label="model")
    chance, curve = ax.lines
    fpr, tpr, _ = roc_curve(y, p, sample_weight=weight, drop_intermediate=False)
    assert_array_equal(corners(*curve.get_data()), corners(fpr, tpr))
    assert_array_equal(chance.get_xdata(), chance.get_ydata())
    assert legend(ax) == [f"{roc_auc_score(y, p, sample_weight=weight):.3f}  model"]
    assert ax.get_legend().get_title().get_text() == "area under the curve"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("false positive rate", "true positive rate (recall)")
    assert "#0072b2" in colours(rendered(ax))


def test_a_precision_recall_curve_encloses_the_average_precision(scored):
    y, p, weight = scored
    ax = plot.precision_recall(y, p, sample_weight=weight)
    chance, curve = ax.lines
    recall, precision = curve.get_data()
    assert curve.get_drawstyle() == "steps-pre"
    expected = average_precision_score(y, p, sample_weight=weight)
    assert_allclose(np.diff(recall) @ precision[1:], expected, rtol=1e-5)
    assert_allclose(chance.get_ydata(), np.average(y, weights=weight), rtol=1e-6)
    assert legend(ax) == [f"{expected:.3f}"]
    assert ax.get_legend().get_title().get_text() == "average precision"
    assert "#0072b2" in colours(rendered(ax))


def test_a_calibration_curve_has_scikit_learns_bins_and_wilsons_intervals(scored):
    y, p, _ = scored
    p = (p - 0.01).astype(p.dtype)  # none on the edge of a bin
    ax = plot.calibration(y, p, num_bins=5, label="model")
    _, curve = ax.lines
    observed, predicted = calibration_curve(y, p, n_bins=5)
    assert_allclose(curve.get_xdata(), predicted, rtol=1e-6)
    assert_allclose(curve.get_ydata(), observed, rtol=1e-6)
    count = np.bincount(np.digitize(p, np.arange(1, 5) / 5), minlength=5)
    limits = np.transpose(proportion_confint(np.round(observed * count), count, method="wilson"))
    bars = np.array(ax.collections[0].get_segments())
    assert_allclose(bars[:, 0, 0], predicted, rtol=1e-6)
    assert_allclose(bars[:, :, 1], limits, rtol=1e-5, atol=1e-7)
    assert legend(ax) == [f"{count @ np.abs(observed - predicted) / 60:.3f}  model"]
    assert ax.get_legend().get_title().get_text() == "calibration error"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mean predicted probability", "part that is positive")
    assert "#0072b2" in colours(rendered(ax))


def test_intervals_of_weighted_rows_are_those_of_as_many_rows_as_spread_alike(scored):
    y, p, _ = scored
    weight = np.random.default_rng(1).uniform(0.2, 5.0, 60).astype(p.dtype)
    ax = plot.calibration(y, p, edges=[0.4, 0.7], sample_weight=weight)
    plot.calibration(y, p, edges=[0.4, 0.7], sample_weight=1000 * weight, ax=ax)
    bars, in_other_units = (np.array(series.get_segments())[:, :, 1] for series in ax.collections)
    assert_allclose(in_other_units, bars, rtol=1e-5)
    place = np.digitize(p, np.array([0.4, 0.7], p.dtype), right=True)
    for k in range(3):
        s, hit = weight[place == k].astype(float), y[place == k]
        count = s.sum() ** 2 / (s @ s)
        expected = proportion_confint(count * np.average(hit, weights=s), count, method="wilson")
        assert_allclose(bars[k], expected, rtol=1e-5)
    equal = plot.calibration(y, p, edges=[0.4, 0.7], sample_weight=np.full(60, 7.0)).collections[0].get_segments()
    assert_allclose(equal, plot.calibration(y, p, edges=[0.4, 0.7]).collections[0].get_segments(), rtol=1e-5)


def test_a_legend_is_where_the_curves_are_not(scored):
    y, p, _ = scored
    places = {"lower right": 4, "lower left": 3, "upper left": 2, "upper right": 1}
    good, rare = plot.precision_recall(y, p), plot.precision_recall(np.arange(60) % 15 == 0, p)
    assert good.get_legend()._loc == places["lower left"]
    assert rare.get_legend()._loc == places["upper right"]
    above, below = plot.calibration(y | (p > 0.2), p), plot.calibration(y & (p > 0.9), p)
    assert above.get_legend()._loc == places["lower right"]
    assert below.get_legend()._loc == places["upper left"]
    plot.calibration(y & (p > 0.9), p, ax=above)  # now there are curves in both corners, more in the lower one
    assert above.get_legend()._loc == places["upper left"]


def test_empty_bins_are_not_drawn():
    ax = plot.calibration([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.2], edges=[0.3, 0.4, 0.85])
    assert_allclose(ax.lines[1].get_xdata(), [0.15, 0.8, 0.9], rtol=1e-6)


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall, plot.calibration])
def test_curves_on_one_axes_have_a_colour_each_and_the_reference_once(scored, draw):
    y, p, _ = scored
    ax = draw(y, p, label="first")
    draw(y, 1 - p, label="second", ax=ax)
    reference, first, second = ax.lines
    assert [to_hex(line.get_color()) for line in (first, second)] == ["#0072b2", "#e69f00"]
    assert reference.get_linestyle() == ":"
    assert [text.split("  ")[1] for text in legend(ax)] == ["first", "second"]


def test_a_curve_takes_both_classes():
    with pytest.raises(ValueError, match="y_true must hold both classes"):
        plot.roc([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="y_true must hold positive rows"):
        plot.precision_recall([0, 0], [0.1, 0.2])


def test_a_path_has_a_line_a_column_and_both_choices(path):
    grid, cv = path
    ax = plot.coefficient_path(cv, grid, names=list("abcde"), labelled=2)
    coef = np.asarray(cv.solution.params.coef)
    used = np.flatnonzero(coef.any(axis=0))
    for line, j in zip(ax.lines, used, strict=False):
        assert_array_equal(line.get_ydata(), coef[:, j])
        assert_array_equal(line.get_xdata(), grid)
    strongest = np.argsort(-np.abs(coef[int(cv.best)]))[:2]
    assert legend(ax) == ["abcde"[j] for j in strongest]
    for line, j in zip(ax.lines[len(used) :], strongest, strict=False):
        assert_array_equal(line.get_ydata(), coef[:, j])
    marked = {text.get_text().strip(): text.get_position()[0] for text in ax.texts}
    assert marked == {"best": grid[int(cv.best)], "one s.e.": grid[int(cv.one_se)]}
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "penalty λ", "coefficient")
    assert {"#0072b2", "#e69f00"} <= colours(rendered(ax))


def test_a_path_is_scaled_and_its_strongest_are_those_at_the_penalty_asked_for(path):
    grid, cv = path
    scale, at = np.array([1.0, 50.0, 1.0, 1.0, 1.0]), len(grid) - 1
    ax = plot.coefficient_path(cv.solution, grid, scale=scale, labelled=1, at=at)
    assert legend(ax) == ["column 1"]
    assert not ax.texts  # nothing was chosen
    assert_allclose(ax.lines[-2].get_ydata(), 50.0 * np.asarray(cv.solution.params.coef)[:, 1], rtol=4 * EPS)


@pytest.mark.parametrize(("measure", "word"), [("loss", "loss"), ("auc", "area under ROC")])
def test_the_held_out_score_has_its_standard_error_and_both_choices(path, measure, word):
    grid, cv = path
    ax = plot.cross_validation(jlr.CrossValidation(**vars(cv) | {"measure": measure}), grid)
    order = np.argsort(grid)
    mean, error = np.asarray(cv.mean)[order], np.asarray(cv.std_error)[order]
    score, *marks = ax.lines
    assert_array_equal(score.get_ydata(), mean)
    assert_array_equal(score.get_xdata(), grid[order])
    assert [mark.get_xdata()[0] for mark in marks] == [grid[int(cv.best)], grid[int(cv.one_se)]]
    band = ax.collections[0].get_paths()[0].vertices
    assert_allclose([band[:, 1].min(), band[:, 1].max()], [(mean - error).min(), (mean + error).max()], rtol=1e-6)
    assert ax.get_ylabel() == f"held-out {word} ± s.e."
    rendered(ax)


def test_sparsity_counts_the_columns_in_use(path):
    grid, cv = path
    ax = plot.sparsity(cv, grid)
    used = np.count_nonzero(cv.solution.params.coef, axis=1)[np.argsort(grid)]
    assert_array_equal(ax.lines[0].get_ydata(), used)
    assert ax.get_ylabel() == "columns in use"
    assert "#0072b2" in colours(rendered(ax))


@pytest.mark.parametrize("draw", [plot.coefficient_path, plot.cross_validation, plot.sparsity])
def test_a_path_has_a_fit_for_each_penalty(path, draw):
    grid, cv = path
    with pytest.raises(ValueError, match=r"strengths must be the penalties of the path.* got shape \(5,\)"):
        draw(cv, grid[1:])
    with pytest.raises(ValueError, match="strengths must be above 0, for a logarithmic axis, got 0"):
        draw(cv, 0.0 * grid)
    with pytest.raises(ValueError, match="must be what cross_validate"):
        draw(cv.solution.params, grid)


def test_what_does_not_fit_the_columns_of_a_path_is_refused(path):
    grid, cv = path
    for options, message in (
        ({"names": ["a"]}, "names must be 5 strings, one for each column, got 1"),
        ({"scale": [1.0, 2.0]}, r"scale must be one number, or one for each of 5 coefficients, got shape \(2,\)"),
        ({"at": 6}, "at must be the index of one of the 6 penalties, got 6"),
        ({"labelled": -1}, "labelled must be a Python integer of at least 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            plot.coefficient_path(cv, grid, **options)
    assert plot.coefficient_path(cv, grid, names=np.array(list("abcde"))).get_legend() is not None


def test_panels_that_share_an_axis_name_it_once(path):
    grid, cv = path
    above, below = Figure().subplots(2, 1, sharex=True)
    plot.coefficient_path(cv, grid, ax=above)
    plot.cross_validation(cv, grid, ax=below)
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "penalty λ")


def test_one_choice_that_is_both_has_one_name(path):
    grid, cv = path
    both = replace(cv, one_se=cv.best)
    assert [text.get_text().strip() for text in plot.cross_validation(both, grid).texts] == ["best, one s.e."]
    last = replace(cv, best=jnp.argmax(jnp.asarray(grid)), one_se=jnp.argmax(jnp.asarray(grid)))
    rendered(plot.cross_validation(last, grid))  # and is not cut off at the edge


def test_a_forest_shows_estimates_and_limits_without_the_intercept(table):
    ax = plot.coefficient_forest(table)
    assert_allclose(
        [segment[:, 0] for segment in ax.collections[0].get_segments()], np.c_[table.lower, table.upper][1:]
    )
    (dots,) = (line for line in ax.lines if line.get_marker() == "o")
    assert_allclose(dots.get_xdata(), table.coef[1:])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list("abcde")
    top, bottom = (ax.transData.transform((0.0, y))[1] for y in (0.0, 4.0))
    assert top > bottom  # the first column above
    assert "#0072b2" in colours(rendered(ax))


def test_odds_ratios_are_those_of_the_units_asked_for(table):
    scale = np.array([1.0, 10.0, 0.1, 100.0, 1.0])
    ax = plot.coefficient_forest(table, scale=scale, odds_ratio=True)
    expected = np.exp(np.c_[table.lower, table.upper][1:] * scale[:, None])
    assert_allclose([segment[:, 0] for segment in ax.collections[0].get_segments()], expected, rtol=1e-5)
    assert ax.lines[0].get_xdata() == [1.0, 1.0]  # no effect
    assert ax.get_xscale() == "log"
    rendered(ax)
    assert {"0.5", "1", "2"} <= {tick.get_text() for tick in ax.get_xticklabels()}


def test_more_intervals_on_one_axes_stand_below_and_have_a_colour_each(table):
    ax = plot.coefficient_forest(table, label="Wald")
    plot.coefficient_forest(table, table.lower - 1.0, table.upper + 1.0, label="wider", ax=ax)
    assert legend(ax) == ["Wald", "wider"]
    first, second = ax.collections
    assert first.get_segments()[0][0, 1] < second.get_segments()[0][0, 1] < first.get_segments()[1][0, 1]
    heights = np.array([segments.get_segments()[0][0, 1] for segments in (first, second)])
    assert_allclose(ax.get_yticks()[0], heights.mean())  # the name is beside the middle of both
    rendered(ax)
    assert ax.get_legend().get_window_extent().y0 >= ax.bbox.y1  # above the Axes, where there are no intervals
    assert_allclose(second.get_segments()[2][:, 0], [table.lower[3] - 1.0, table.upper[3] + 1.0], rtol=1e-6)
    assert {"#0072b2", "#e69f00"} <= colours(rendered(ax))


def test_an_infinite_limit_is_an_arrow():
    ax = plot.coefficient_forest([1.0, -1.0], [0.5, -np.inf], [np.inf, 0.5], odds_ratio=True)
    arrows = {line.get_marker(): line for line in ax.lines if line.get_marker() in "<>"}
    assert_array_equal(arrows[">"].get_ydata(), [0])
    assert_array_equal(arrows["<"].get_ydata(), [1])
    assert arrows[">"].get_xdata()[0] > np.exp(1.0)
    assert arrows["<"].get_xdata()[0] < np.exp(-1.0)
    rendered(ax)


def test_each_class_of_a_softmax_summary_is_a_series(dtype):
    rng = np.random.default_rng(1)
    X, labels = rng.normal(size=(90, 2)).astype(dtype), np.arange(90) % 3
    table = jlr.summary(jlr.fit_softmax(X, labels, 3), X, labels, names=["a", "b"])
    ax = plot.coefficient_forest(table)
    assert legend(ax) == ["class 1 against 0", "class 2 against 0"]
    for k, series in enumerate(ax.collections):
        limits = np.c_[table.lower[k], table.upper[k]][1:]
        assert_allclose([segment[:, 0] for segment in series.get_segments()], limits)


def test_a_forest_without_limits_is_refused_with_the_reason(made, table):
    X, y, _ = made
    penalized = jlr.summary(jlr.fit(X, y, l2=0.1), X, y)
    with pytest.raises(ValueError, match="limits must be numbers, got NaN: the fit is penalised"):
        plot.coefficient_forest(penalized)
    with pytest.raises(ValueError, match="lower and upper must be given"):
        plot.coefficient_forest([1.0], [0.5])
    with pytest.raises(ValueError, match="lower must be at most upper, got 2 and 1"):
        plot.coefficient_forest([1.5], [2.0], [1.0])
    with pytest.raises(ValueError, match=r"coef must have odds ratios that are finite, got exp\(1000\)"):
        plot.coefficient_forest([1000.0], [0.0], [2000.0], odds_ratio=True)
    with pytest.raises(ValueError, match=r"scale must be one number, or one for each of 1 coefficients"):
        plot.coefficient_forest([1.0], [0.5], [2.0], scale=[1.0, 2.0])
    turned = plot.coefficient_forest([1.0], [0.5], [2.0], scale=-1.0)
    assert_allclose(turned.collections[0].get_segments()[0][:, 0], [-2.0, -0.5])
    with pytest.raises(ValueError, match="lower and upper must hold a limit for each coefficient"):
        plot.coefficient_forest([1.0], [0.5], [1.5, 2.0])
    with pytest.raises(ValueError, match="names must be 1 strings, one for each coefficient, got 2"):
        plot.coefficient_forest([1.0], [0.5], [1.5], names=["a", "b"])
    for other in ({"coef": [1.0, 2.0]}, {"coef": [1.0], "odds_ratio": True}):
        ax = plot.coefficient_forest([1.0], [0.5], [1.5])
        with pytest.raises(ValueError, match="ax must hold a forest of the same coefficients"):
            plot.coefficient_forest(lower=other["coef"], upper=other["coef"], ax=ax, **other)
    with pytest.raises(ValueError, match="coef must be the summary of one fit"):
        plot.coefficient_forest(jax.tree.map(lambda x: x[None], table))


def test_convergence_is_the_objective_above_its_minimum(made):
    X, y, _ = made
    problem = jlr.Problem(
        jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y)),
        jlr.WithIntercept(jlr.Dense(jnp.asarray(X))),
        jlr.L2(array(0.1), array([1, 1, 1, 1, 1, 0])),
    )
    newton = jlr.minimize(problem, jnp.zeros(6, X.dtype), solver=jlr.Newton(), trace=True)
    steps, lowest = int(newton.num_steps), float(newton.value)
    ax = plot.convergence({"Newton": newton, "by hand": [0.7, 0.6, np.inf, 0.65]}, minimum=lowest)
    assert legend(ax) == ["Newton", "by hand"]
    curve, _, other, last = ax.lines
    assert_array_equal(curve.get_xdata(), np.arange(steps + 1))
    value = np.asarray(newton.trace.value[: steps + 1], float)
    assert_allclose(curve.get_ydata(), np.maximum(value - lowest, EPS * lowest), rtol=1e-6)
    assert_allclose(other.get_ydata(), np.array([0.7, 0.6, np.inf, 0.65]) - lowest)
    assert last.get_xdata() == 3
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "objective above its minimum, F - F*")
    rendered(ax)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [f"{k}" for k in (0, 1, 3, 10) if k <= steps]


def test_the_minimum_is_the_lowest_of_all_histories_and_is_drawn_on_the_floor():
    ax = plot.convergence({"a": [3.0, 2.0], "b": [3.0, 1.0]}, x={"a": [0, 5], "b": [0, 9]})
    a, _, b, _ = ax.lines
    assert_array_equal(a.get_ydata(), [2.0, 1.0])
    assert_array_equal(b.get_ydata(), [2.0, np.finfo(float).eps])
    assert_array_equal(b.get_xdata(), [0, 9])
    assert ax.get_xscale() == "linear"


def test_many_histories_differ_in_colour_or_dashes():
    ax = plot.convergence({str(k): [1.0, 0.5] for k in range(12)}, minimum=0.0)
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines if line.get_marker() == "None"}) == 12


def test_a_history_has_numbers(made):
    X, y, _ = made
    with pytest.raises(ValueError, match=r"histories\['a'\] must be objectives, a vector with a finite number"):
        plot.convergence({"a": [np.nan]})
    with pytest.raises(ValueError, match="histories must be a dict"):
        plot.convergence({})
    with pytest.raises(ValueError, match="minimum must be finite, got nan"):
        plot.convergence({"a": [1.0]}, minimum=np.nan)
    for x in ({"a": [0, 1, 2]}, {"b": [0, 1]}):
        with pytest.raises(ValueError, match=r"x\['a'\] must have one number for each of 2 objectives"):
            plot.convergence({"a": [1.0, 0.5]}, x=x)
    with pytest.raises(ValueError, match=r"histories\['a'\] must be one solution with its trace"):
        plot.convergence({"a": jlr.fit(X, y)})


def test_a_confusion_matrix_shows_its_counts_and_the_part_of_the_true_class():
    counts = np.array([[50, 3, 0], [5, 42, 3], [0, 0, 0]])
    ax = plot.confusion_matrix(counts, names=["benign", "malignant", "unknown"])
    assert [text.get_text() for text in ax.texts] == [str(count) for count in counts.ravel()]
    places = [text.get_position() for text in ax.texts]
    assert places[1] == (1, 0)  # class 0 taken for class 1: first row, second column
    assert_allclose(ax.images[0].get_array(), [[50 / 53, 3 / 53, 0], [0.1, 0.84, 0.06], [0, 0, 0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["benign", "malignant", "unknown"]
    rendered(ax)


def test_the_shade_of_a_confusion_darkens_evenly():
    """Equal steps of the share are equal steps of the lightness L* of CIELAB."""
    rgb = plot.confusion.SHADES(np.linspace(0, 1, 21))[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    steps = -np.diff(lightness)
    assert steps.min() > 0.8 * steps.max() > 0


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([1, 2], r"matrix must be square \(K, K\), got shape \(2,\)"),
        ([[1, 2]], r"matrix must be square \(K, K\), got shape \(1, 2\)"),
        ([], r"matrix must be square \(K, K\), got shape \(0,\)"),
        ([[1, -1], [0, 1]], "matrix must hold counts of at least 0, got -1"),
        ([[np.nan, 0], [0, 1]], "matrix must be finite, got nan"),
        ([["a", "b"], ["c", "d"]], "matrix must be numbers"),
    ],
)
def test_a_confusion_matrix_is_square_and_counts(matrix, message):
    with pytest.raises(ValueError, match=message):
        plot.confusion_matrix(matrix)


def test_large_counts_are_shown_in_full_within_their_cells():
    ax = plot.confusion_matrix([[1234567, 0.5], [2000.25, 31]], names=["a class of a long name", "other"])
    assert [text.get_text() for text in ax.texts] == ["1234567", "0.5", "2000", "31"]
    rendered(ax)
    width = ax.get_window_extent().width / 2
    assert all(text.get_window_extent().width < width for text in ax.texts)


def test_names_of_classes_are_as_many_as_classes():
    with pytest.raises(ValueError, match="names must be 2 strings, one for each class, got 3"):
        plot.confusion_matrix(np.eye(2), names=list("abc"))
    with pytest.raises(ValueError, match="names must be 2 strings, one for each class, got 3"):
        plot.weight_images(np.ones((2, 4)), (2, 2), names=list("abc"))


def test_weights_are_images_on_one_scale_about_zero(dtype):
    coef = np.random.default_rng(0).normal(size=(7, 12)).astype(dtype)
    ax = plot.weight_images(jlr.Params(coef, np.zeros(7, dtype), kind="softmax"), (3, 4), columns=3)
    assert len(ax.images) == 7
    for k, image in enumerate(ax.images):
        assert_array_equal(image.get_array(), coef[k].reshape(3, 4))
        assert image.get_clim() == (-np.abs(coef).max(), np.abs(coef).max())
    assert [text.get_text() for text in ax.texts] == list("0123456")
    left, right, bottom, top = np.array([image.get_extent() for image in ax.images]).T
    assert_allclose((right - left) / (bottom - top), 4 / 3)
    assert len(set(left)) == 3
    assert len(set(top)) == 3
    for i in range(7):  # none covers another
        for j in range(i):
            assert right[j] <= left[i] or right[i] <= left[j] or bottom[j] <= top[i]
    scale = ax.figure.axes[1]
    assert scale.get_ylabel() == "weight"
    rendered(ax)


def test_weights_fill_their_images():
    with pytest.raises(ValueError, match=r"coef must be \(K, 6\) for images of shape \(2, 3\), got shape \(5,\)"):
        plot.weight_images(np.ones(5), (2, 3))
    with pytest.raises(ValueError, match="columns must be a Python integer of at least 1, got 0"):
        plot.weight_images(np.ones(6), (2, 3), columns=0)
    with pytest.raises(ValueError, match=r"shape must be \(height, width\) in pixels, got 6"):
        plot.weight_images(np.ones(6), 6)  # pyright: ignore
    assert plot.weight_images(np.ones(6), (2, 3)).texts[0].get_text() == ""  # two classes: one image, of no class


def test_a_boundary_is_where_the_probability_is_one_half(dtype):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(40, 2)).astype(dtype)
    y = (X @ [1.0, 2.0] > 0.5).astype(int)
    asked = []

    def predict_proba(points):
        asked.append(points)
        return jlr.losses.sigmoid(jnp.asarray(points) @ jnp.asarray([4.0, 8.0], dtype) - 2.0)

    ax = plot.decision_boundary(predict_proba, X, y, names=("width", "height"), class_names=("small", "large"))
    assert asked[0].dtype == dtype
    boundary = np.concatenate(ax.collections[1].get_paths()[0].to_polygons(closed_only=False))
    assert_allclose(boundary @ [1.0, 2.0], 0.5, atol=2e-3)
    low, high = X.min(axis=0), X.max(axis=0)
    assert_allclose(np.ptp(boundary[:, 0]), 1.1 * (high - low)[0], rtol=1e-3)  # all across the picture
    for points, k in zip(ax.collections[2:], (0, 1), strict=True):
        assert_array_equal(points.get_offsets(), X[y == k])
    assert legend(ax) == ["probability 0.5", "small", "large"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width", "height")
    assert ax.figure.axes[1].get_ylabel() == "probability of large"
    shades = colours(rendered(ax))
    assert {to_hex(c) for c in ax.collections[0].get_facecolor()[[0, -1]]} <= shades


def test_regions_are_those_of_the_likeliest_class(dtype):
    centres = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 2.0]], dtype)
    labels = np.arange(30) % 3
    X = centres[labels] + np.random.default_rng(0).normal(scale=0.1, size=(30, 2)).astype(dtype)

    def predict_proba(points):
        return jax.nn.softmax(6.0 * points @ centres.T - 3.0 * (centres**2).sum(axis=1), axis=1)

    ax = plot.decision_boundary(predict_proba, X, labels)
    (image,) = ax.images
    shade = np.asarray(image.get_array())
    left, right, bottom, top = image.get_extent()
    for k, colour in enumerate(([0, 114, 178], [230, 159, 0], [0, 158, 115])):
        column, row = (centres[k] - [left, bottom]) / [right - left, top - bottom] * 199
        tint = 1.0 - shade[round(row), round(column)]  # away from white, as the class's colour is
        assert_allclose(
            tint / tint.max(), (255 - np.array(colour)) / 255 / ((255 - np.array(colour)) / 255).max(), atol=0.01
        )
    assert legend(ax) == ["class 0", "class 1", "class 2"]
    # Between classes 0 and 1 the boundary is the line x = 0.
    edge = np.concatenate(ax.collections[0].get_paths()[0].to_polygons(closed_only=False))
    assert_allclose(edge[edge[:, 1] < 0.5, 0], 0.0, atol=1e-2)
    rendered(ax)


def test_a_boundary_without_data_or_scale_is_the_plane_alone():
    ax = plot.decision_boundary(lambda x: np.full(len(x), 0.2), np.eye(2), colorbar=False)
    assert len(ax.figure.axes) == 1
    assert len(ax.collections) == 1  # nowhere one half
    assert ax.get_legend() is None
    ax = plot.decision_boundary(lambda x: np.full((len(x), 3), [0.2, 0.3, 0.5]), np.eye(2))
    assert legend(ax) == ["class 0", "class 1", "class 2"]  # what the colours mean
    assert len(ax.collections) == 0


def test_what_is_no_plane_is_refused():
    def half(x):
        return np.full(len(x), 0.5)

    with pytest.raises(ValueError, match=r"X must have two columns .* got shape \(3, 3\)"):
        plot.decision_boundary(half, np.eye(3))
    with pytest.raises(ValueError, match="y must have one entry for each of the 2 rows of X"):
        plot.decision_boundary(half, np.eye(2), [1])
    with pytest.raises(ValueError, match=r"y must hold classes 0 to 1, got 2; recode it, as np\.unique\(y"):
        plot.decision_boundary(half, np.eye(2), [1, 2])
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        plot.decision_boundary(half, np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="names must be 2 strings, one for each feature, got 1"):
        plot.decision_boundary(half, np.eye(2), names=["age"])
    with pytest.raises(ValueError, match="class_names must be 2 strings, one for each class, got 3"):
        plot.decision_boundary(half, np.eye(2), [0, 1], class_names=list("abc"))
    with pytest.raises(ValueError, match="predict_proba must give probabilities from 0 to 1, got 7"):
        plot.decision_boundary(lambda x: np.full(len(x), 7.0), np.eye(2))
    with pytest.raises(ValueError, match="predict_proba's probabilities must be finite, got nan"):
        plot.decision_boundary(lambda x: np.full(len(x), np.nan), np.eye(2))
    with pytest.raises(ValueError, match=r"predict_proba must give probabilities .* got shape \(40000, 1\)"):
        plot.decision_boundary(lambda x: np.ones((len(x), 1)), np.eye(2))
    with pytest.raises(ValueError, match="predict_proba must give probabilities"):
        plot.decision_boundary(lambda x: np.zeros(3), np.eye(2))
