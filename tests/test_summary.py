"""Summaries equal what R, Stata and statsmodels print; where numbers would mean nothing there are none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, columns, exact, read_rows
from reference_models import MODELS, published, reference, values
from scipy import stats

import jaxlogreg as jlr

RTOL = 1e-6 if X64 else 5e-3
UNGROUPED = [key for key in MODELS if not key[1].startswith("grouped")]
RNG = np.random.default_rng(0)
M, N = 300, 3
LANES = RNG.normal(size=(8, M, N))
LABELS = (RNG.uniform(size=(8, M)) < 1 / (1 + np.exp(-LANES[:, :, 0] + 0.5))).astype(float)


def fitted(dataset, model, dtype):
    X, y, weight = MODELS[dataset, model]()
    X = X.astype(dtype)
    fit = jlr.fit(X, y, sample_weight=weight)
    return jlr.summary(fit, X, y, sample_weight=weight)


@pytest.mark.parametrize(("dataset", "model"), UNGROUPED if X64 else UNGROUPED[:1])
def test_a_summary_equals_that_of_glm(dataset, model, dtype):
    found, expected = fitted(dataset, model, dtype), reference(dataset, model)
    assert not found.message
    for ours, theirs in (("coef", "coefficients"), ("std_error", "std_errors"), ("z", "z"), ("p_value", "p")):
        np.testing.assert_allclose(getattr(found, ours), values(expected[theirs]), rtol=RTOL)
    for ours, theirs in (
        ("log_likelihood", "loglik"),
        ("deviance", "deviance"),
        ("null_deviance", "null_deviance"),
        ("aic", "aic"),
        ("bic", "bic"),
    ):
        np.testing.assert_allclose(getattr(found, ours), expected[theirs], rtol=RTOL)
    np.testing.assert_allclose(found.pseudo_r2, 1 - expected["deviance"] / expected["null_deviance"], rtol=RTOL)
    reach = stats.norm.ppf(0.975) * values(expected["std_errors"])
    np.testing.assert_allclose(
        found.lower, values(expected["coefficients"]) - reach, rtol=RTOL, atol=RTOL * reach.min()
    )
    np.testing.assert_allclose(found.odds_ratio_upper, np.exp(values(expected["coefficients"]) + reach), rtol=10 * RTOL)


@pytest.mark.parametrize(("dataset", "model"), [key for key in MODELS if key[1].startswith("grouped")])
def test_counts_as_weights_have_the_standard_errors_of_glm(dataset, model, dtype):
    found, expected = fitted(dataset, model, dtype), reference(dataset, model)
    np.testing.assert_allclose(found.std_error, values(expected["std_errors"]), rtol=RTOL)
    # Without the binomial coefficients, which no parameter moves.
    np.testing.assert_allclose(found.log_likelihood, expected["kernel_loglik"], rtol=RTOL)


@pytest.mark.skipif(not X64, reason="published numbers have more digits than float32")
@pytest.mark.parametrize("dataset", ["ucla_admissions", "spector", "challenger", "donner", "pima_mass"])
def test_published_tables_are_reproduced(dataset, dtype):
    for table in published(dataset):
        found = fitted(dataset, table["model"], dtype)
        order = list(reference(dataset, table["model"])["coefficients"])
        # To the digits that are printed; Stata and R stop at 1e-7, and R's errors are those of the step before.
        at = [order.index(name) for name in table["coefficients"]]
        for ours, theirs, known in (("coef", "coefficients", 3e-7), ("std_error", "std_errors", 3e-4)):
            for i, number in zip(at, table[theirs].values(), strict=True):
                last_digit = 10.0 ** -len(repr(number).partition(".")[2])
                assert getattr(found, ours)[i] == pytest.approx(number, rel=known, abs=0.5001 * last_digit)
        if "aic" in table:
            np.testing.assert_allclose(found.aic, table["aic"], atol=0.05)
            np.testing.assert_allclose(found.null_deviance, table["null_deviance"], atol=0.05)


def party_identification(dtype):
    rows = read_rows("anes96/data.csv")
    X = columns(rows, "logpopul", "selfLR", "age", "educ", "income").astype(dtype)
    return X, columns(rows, "PID")[:, 0].astype(int)


def test_softmax_standard_errors_equal_stata(dtype):
    X, labels = party_identification(dtype)
    fit = jlr.fit_softmax(X, labels, 7, tol=None if X64 else 1e-5)
    found, expected = jlr.summary(fit, X, labels), reference("anes96", "mnlogit_base0")
    assert not found.message
    assert found.classes == (1, 2, 3, 4, 5, 6)
    assert found.reference == 0
    np.testing.assert_allclose(found.coef, np.roll(expected["coefficients"], 1, axis=1), rtol=RTOL if X64 else 5e-2)
    np.testing.assert_allclose(found.std_error, np.roll(expected["std_errors"], 1, axis=1), rtol=RTOL)
    np.testing.assert_allclose(found.log_likelihood, expected["loglik"], rtol=RTOL)
    np.testing.assert_allclose(found.null_deviance, -2 * published("anes96")[0]["loglik_null"], rtol=RTOL)


def test_another_reference_class_changes_signs_and_not_the_model(dtype):
    X, labels = party_identification(dtype)
    X, labels = X[:, 1:3], labels // 3  # three classes
    fit = jlr.fit_softmax(X, labels, 3)
    first, last = (jlr.summary(fit, X, labels, reference=k) for k in (0, 2))
    np.testing.assert_allclose(first.coef[1], -last.coef[0], rtol=1e-9 if X64 else 1e-3)
    np.testing.assert_allclose(first.std_error[1], last.std_error[0], rtol=1e-9 if X64 else 1e-3)


def test_softmax_of_two_classes_is_the_binary_model(dtype, made):
    X, y, weight = made
    binary = jlr.summary(jlr.fit(X, y, sample_weight=weight), X, y, sample_weight=weight)
    fit = jlr.fit_softmax(X, y.astype(int), 2, sample_weight=weight)
    both = jlr.summary(fit, X, y.astype(int), sample_weight=weight)
    for name in ("std_error", "z", "log_likelihood", "null_deviance", "aic"):
        ours, theirs = np.ravel(getattr(both, name)), np.ravel(getattr(binary, name))
        np.testing.assert_allclose(ours, theirs, rtol=1e-7 if X64 else 5e-3)


def test_an_integer_weight_equals_repetition(dtype, made):
    X, y, _ = made
    times = np.arange(len(y)) % 3
    repeated = np.repeat(X, times, axis=0), np.repeat(y, times)
    weighted = jlr.summary(jlr.fit(X, y, sample_weight=times), X, y, sample_weight=times)
    plain = jlr.summary(jlr.fit(*repeated), *repeated)
    for name in ("std_error", "p_value", "log_likelihood", "null_deviance", "bic", "num_rows"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(plain, name), rtol=1e-8 if X64 else 1e-2)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_null_model_knows_the_offset(dtype, made, intercept):
    X, y, weight = made
    offset = np.linspace(-4.0, 3.0, len(y)).astype(dtype)
    options = {"sample_weight": weight, "offset": offset}
    found = jlr.summary(jlr.fit(X, y, intercept=intercept, **options), X, y, **options)
    b = 0.0
    for _ in range(50):  # Newton, in NumPy
        p = 1 / (1 + np.exp(-(exact(offset) + b)))
        b += np.sum(weight * (y - p)) / np.sum(weight * p * (1 - p)) if intercept else 0.0
    expected = -2 * np.sum(weight * (y * np.log(p) + (1 - y) * np.log1p(-p)))
    np.testing.assert_allclose(found.null_deviance, expected, rtol=1e-12 if X64 else 1e-5)
    assert found.coef.shape == (X.shape[1] + intercept,)
    assert found.names[0] == ("(Intercept)" if intercept else "x0")


def test_units_change_nothing_but_units(dtype, made):
    X, y, _ = made
    factors = np.array([1e8, 1.0, 1e-6, 1.0, 1e3])
    plain = jlr.summary(jlr.fit(X, y), X, y)
    scaled = jlr.summary(jlr.fit((X * factors).astype(dtype), y), (X * factors).astype(dtype), y)
    np.testing.assert_allclose(scaled.z, plain.z, rtol=1e-8 if X64 else 1e-3)
    np.testing.assert_allclose(scaled.std_error[1:] * factors, plain.std_error[1:], rtol=1e-8 if X64 else 1e-3)


def test_lanes_equal_a_loop(dtype):
    X, y = array(LANES), array(LABELS)

    def one(X, y):
        return jlr.summary(jlr.fit(X, y), X, y, covariance="HC3", level=0.9)

    lanes = jax.vmap(one)(X, y)
    assert "none refused" in str(lanes)
    for i in range(len(X)):
        alone = one(X[i], y[i])
        for name in ("coef", "std_error", "p_value", "odds_ratio_lower", "aic", "null_deviance", "pseudo_r2"):
            # Lanes share a preconditioner, so that they end elsewhere within tol.
            ours, theirs = getattr(lanes, name)[i], getattr(alone, name)
            np.testing.assert_allclose(ours, theirs, rtol=1e-8 if X64 else 2e-2, atol=1e-12 if X64 else 1e-4)


def test_a_thousand_data_sets_equal_a_loop(dtype):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(1000, 40, 2)).astype(dtype)
    y = (rng.uniform(size=(1000, 40)) < 1 / (1 + np.exp(-3.0 * X[:, :, 0]))).astype(dtype)

    def one(X, y):
        firth = jlr.fit_firth(X, y)
        return jlr.summary(jlr.fit(X, y), X, y), jlr.summary(firth, X, y), jlr.profile_interval(firth, X, y)

    lanes, alone = jax.jit(jax.vmap(one))(X, y), jax.jit(one)
    loop = jax.tree.map(lambda *lane: np.stack(lane), *[alone(X[i], y[i]) for i in range(len(X))])
    refused = lanes[0].refusal != jlr.Refusal.NONE
    assert 1 <= np.sum(refused) < 100
    assert np.sum(refused != (loop[0].refusal != jlr.Refusal.NONE)) <= (0 if X64 else 10)
    fitted = jax.tree.map(lambda x: np.asarray(x)[~refused], (lanes[0], loop[0]))  # others stop anywhere
    lanes, loop = zip(fitted, (lanes[1], loop[1]), (lanes[2], loop[2]), strict=True)
    for ours, theirs in zip(jax.tree.leaves(lanes), jax.tree.leaves(loop), strict=True):
        if X64:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
            continue
        # Where a likelihood is nearly flat float32 may find no end: alone or among others, hardly ever both.
        known = np.isfinite(ours) & np.isfinite(theirs)
        assert np.mean(np.isfinite(ours) == np.isfinite(theirs)) > 0.98
        assert np.mean(np.isclose(ours, theirs, rtol=2e-2, atol=1e-3) | ~known) > 0.98


@pytest.mark.parametrize("penalty", [{"l2": 0.01}, {"l1": 0.01}])
def test_a_penalised_fit_is_refused(made, penalty):
    X, y, _ = made
    fit = jlr.fit(X, y, **penalty)
    found = jlr.summary(fit, X, y)
    assert "penalised" in found.message
    assert found.message in str(found)
    for name in ("std_error", "z", "p_value", "lower", "odds_ratio_upper", "aic", "bic"):
        assert np.all(np.isnan(getattr(found, name)))
    np.testing.assert_allclose(found.coef[1:], fit.params.coef)
    assert np.isfinite(found.deviance)
    assert np.all(np.isfinite(jlr.summary(fit, X, y, penalized="sandwich").std_error[:1]))


def test_what_is_no_maximum_is_refused(dtype, made):
    X, y, _ = made
    fit = jlr.fit(X, y)
    unknown = jlr.minimize(lambda w: jnp.sum(w**2), jnp.zeros(5, DTYPE))
    bare = jlr.Solution(
        jlr.Params(unknown.params, jnp.zeros((), DTYPE)), *([jnp.zeros((), DTYPE)] * 4), fit.status, 1, 1
    )
    separable = (X[:, 0] > np.median(X[:, 0])).astype(dtype)
    constant = np.column_stack([X, np.full(len(X), 7.0, dtype)])
    doubled = np.column_stack([X, X[:, :1] - 2 * X[:, 2:3]])
    few = jlr.fit(X, y, max_steps=1)
    for fit_, X_, y_, words in (
        (fit, X, 1 - y, "the score is not zero"),
        (bare, X, y, "the score is not zero"),
        (jlr.fit(X, separable), X, separable, "completely separated"),
        (few, X, y, "did not converge"),
        (jlr.fit(constant, y), constant, y, "depend on each other linearly"),
        (jlr.fit(doubled, y), doubled, y, "depend on each other linearly"),
    ):
        found = jlr.summary(fit_, X_, y_)
        assert words in found.message
        assert np.all(np.isnan(found.std_error))


def test_quasi_complete_separation_is_refused(dtype):
    rows = read_rows("sex2/data.csv")
    X, y = columns(rows, "age", "oc", "vic", "vicl", "vis", "dia").astype(dtype), columns(rows, "case")[:, 0]
    for solver in (jlr.Newton(), jlr.LBFGS(), None):
        fit = jlr.fit(X, y, solver=solver)
        found = jlr.summary(fit, X, y)
        assert np.all(np.isnan(found.p_value))
        assert "quasi-complete" in found.message or "did not converge" in found.message
    # Without the column that separates there is nothing to refuse.
    assert not jlr.summary(jlr.fit(X[:, :-1], y), X[:, :-1], y).message


def test_lanes_that_are_refused_are_counted(dtype):
    X, y = array(LANES[:4]), array(LABELS[:4])
    y = y.at[2].set((X[2, :, 1] > 0.0).astype(DTYPE))
    lanes = jax.vmap(lambda X, y: jlr.summary(jlr.fit(X, y), X, y))(X, y)
    assert lanes.message.startswith("1 of 4 refused; 1: the classes are completely separated")
    assert np.isnan(lanes.std_error).all(axis=1).tolist() == [False, False, True, False]


def test_the_table_says_what_a_reader_of_r_knows(dtype):
    X, y, _ = MODELS["spector", "main"]()
    X = X.astype(dtype)
    text = str(jlr.summary(jlr.fit(X, y), X, y, names=["GPA", "TUCE", "PSI"]))
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert lines["GPA"][:6] == ["2.8261", "1.2629", "2.24", "0.0252", "0.3508", "5.3014"]
    assert lines["(Intercept)"][0].startswith("-13.02")
    for words in ("32 rows", "AIC 33.7793", "BIC 39.6422", "odds ratio", "[0.025", "0.975]"):
        assert words in text


def test_a_summary_becomes_a_dictionary(made):
    X, y, _ = made
    found = jlr.summary(jlr.fit(X, y), X, y).to_dict()
    assert found["names"] == ("(Intercept)", "x0", "x1", "x2", "x3", "x4")
    assert isinstance(found["coef"], np.ndarray)
    assert float(found["aic"]) == pytest.approx(float(found["deviance"]) + 12)
    assert found["message"] == ""


def test_arguments_are_checked(made):
    X, y, _ = made
    fit = jlr.fit(X, y)
    with pytest.raises(ValueError, match="names must be 5 strings"):
        jlr.summary(fit, X, y, names=["a"])
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        jlr.summary(fit, X, y, level=95)
    with pytest.raises(ValueError, match="covariance must be one of"):
        jlr.summary(fit, X, y, covariance="robust")
    with pytest.raises(ValueError, match="clusters must be given"):
        jlr.summary(fit, X, y, covariance="cluster")
    with pytest.raises(ValueError, match="clusters must be given"):
        jlr.summary(fit, X, y, clusters=np.arange(200))
    with pytest.raises(ValueError, match="coefficients for the 4 columns"):
        jlr.summary(fit, X[:, :4], y)
    with pytest.raises(ValueError, match="it has lanes: go over them"):
        jlr.summary(jlr.fit_path(X, y, l2=np.array([0.1, 0.2])), X, y)
    with pytest.raises(ValueError, match="one by one under"):
        jlr.summary(jlr.fit_one_vs_all(X, y.astype(int), 2), X, y)
    with pytest.raises(ValueError, match="reference must be a class"):
        jlr.summary(jlr.fit_softmax(X, y.astype(int), 2), X, y.astype(int), reference=2)
