"""Laplace's posterior is that of NumPy's Hessian, its evidence that of integrals; NUTS finds nearly the same."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array, exact
from numpyro.infer import MCMC, NUTS
from reference_models import MODELS
from scipy.integrate import dblquad, quad
from scipy.special import expit

import jaxlogreg as jlr

FINE = 1e-9 if X64 else 3e-3  # in posterior deviations
RNG = np.random.default_rng(0)
M, N = 60, 3
LANES = RNG.normal(size=(50, M, N)) * [1, 10, 0.1] + [0, 5, 1]
LABELS = (RNG.uniform(size=(50, M)) < 1 / (1 + np.exp(-1.5 * LANES[:, :, 0]))).astype(float)


def by_hand(X, y, l2, *, d=None, s=None, offset=None, intercept=True, standardize=False):
    """Mean, covariance, log evidence and effective parameters, the intercept first, by Newton's method in float64."""
    X, y = exact(X), exact(y)
    m, n = X.shape
    s, offset = np.ones(m) if s is None else exact(s), np.zeros(m) if offset is None else exact(offset)
    alpha = s.sum() * np.broadcast_to(l2, n) * (np.ones(n) if d is None else d)
    if standardize:
        alpha = alpha * np.cov(X.T, aweights=s, ddof=0).diagonal()
    if intercept:
        X, alpha = np.column_stack([np.ones(m), X]), np.append(0.0, alpha)
    w, decrement = np.zeros(X.shape[1]), np.inf
    while decrement > 1e-24:  # the squared length of a step, in deviations
        p = expit(X @ w + offset)
        H, gradient = (X.T * (s * p * (1 - p))) @ X + np.diag(alpha), X.T @ (s * (p - y)) + alpha * w
        step = np.linalg.solve(H, gradient)
        w, decrement = w - step, gradient @ step
    z, held = X @ w + offset, alpha > 0
    prior = 0.5 * np.sum(np.log(alpha[held] / (2 * np.pi)) - alpha[held] * w[held] ** 2)
    volume = 0.5 * len(w) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(H)[1]
    covariance = np.linalg.inv(H)
    gamma = np.sum(1 - (alpha * np.diag(covariance))[held])
    return w, covariance, np.sum(s * (y * z - np.logaddexp(0, z))) + prior + volume, gamma


def assert_is(found, expected, fine=FINE):
    mean, covariance, log_evidence, gamma = expected
    std = np.sqrt(np.diag(covariance))
    assert found.message == ""
    np.testing.assert_allclose((exact(found.mean) - mean) / std, 0.0, atol=fine)
    np.testing.assert_allclose(exact(found.covariance) / np.outer(std, std), covariance / np.outer(std, std), atol=fine)
    np.testing.assert_allclose(found.std, std, rtol=fine)
    np.testing.assert_allclose(found.log_evidence, log_evidence, rtol=1e-11 if X64 else 1e-5)
    np.testing.assert_allclose(found.effective_parameters, gamma, rtol=fine)


def assert_same(found, expected):
    """Of two posteriors."""
    std = exact(expected.std)
    np.testing.assert_allclose((exact(found.mean) - exact(expected.mean)) / std, 0.0, atol=FINE)
    np.testing.assert_allclose(found.std, std, rtol=FINE)
    np.testing.assert_allclose(found.log_evidence, expected.log_evidence, rtol=1e-11 if X64 else 1e-5)


@pytest.fixture(scope="module")
def pima(dtype):
    """Standardised features ``(532, 7)``, and 1 for diabetes."""
    X, y, _ = MODELS["pima_mass", "all532"]()
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype), y.astype(dtype)


@pytest.fixture(scope="module")
def small(made):
    """A fit, its posterior and its data: mixed units, 200 rows."""
    X, y, _ = made
    fit = jlr.fit(X, y, l2=0.02, standardize=True)
    return fit, jlr.laplace(fit, X, y, l2=0.02, standardize=True), X, y


@pytest.mark.parametrize("l2", [1e-4, 0.01, 1.0])
def test_the_posterior_of_real_data_is_that_of_the_hessian(l2, pima):
    X, y = pima
    assert_is(jlr.laplace(jlr.fit(X, y, l2=l2), X, y, l2=l2), by_hand(X, y, l2))


CASES = {
    "weights": {"s": np.linspace(0.1, 3, 200)},
    "offset": {"offset": np.cos(np.arange(200))},
    "standardized": {"standardize": True, "s": np.linspace(0.1, 3, 200)},
    "without intercept": {"intercept": False},
    "free columns": {"d": np.array([1.0, 0.0, 0.0, 1.0, 2.0])},
    "strengths": {"l2": np.array([1.0, 0.1, 3.0, 1e-5, 2.0])},
    "strengths, some free": {"l2": np.array([1.0, 0.1, 3.0, 0.0, 2.0]), "d": np.array([1.0, 2.0, 0.0, 1.0, 1.0])},
}


@pytest.mark.parametrize("case", CASES)
def test_every_option_of_a_fit_is_one_of_its_posterior(case, made):
    X, y, _ = made
    options = {"l2": 0.05, "d": None, "s": None, "offset": None, **CASES[case]}
    l2, d, s = options["l2"], options["d"], options["s"]
    same = {name: options[name] for name in ("offset", "standardize") if name in options} | {"sample_weight": s}
    factor = np.broadcast_to(l2, 5) * (np.ones(5) if d is None else d)
    fit = jlr.fit(X, y, l2=1.0, penalty_factor=factor, intercept=options.get("intercept", True), **same)
    assert_is(jlr.laplace(fit, X, y, l2=l2, penalty_factor=d, **same), by_hand(X, y, **options), 3 * FINE)


def log_joint(X, y, alpha, w):
    """Of labels and weights, the intercept first and with a flat prior of density one."""
    z = X @ w
    return np.sum(y * z - np.logaddexp(0, z)) + 0.5 * np.log(alpha / (2 * np.pi)) - 0.5 * alpha * w[-1] ** 2


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_the_evidence_of_one_weight_is_nearly_the_integral(l2, made):
    X, y = made[0][:, :1], made[1]
    found = jlr.laplace(jlr.fit(X, y, l2=l2, intercept=False), X, y, l2=l2)
    X, w, std = exact(X), float(found.mean[0]), float(found.std[0])
    top = log_joint(X, y, 200 * l2, np.array([w]))
    integral = quad(lambda u: np.exp(log_joint(X, y, 200 * l2, np.array([u])) - top), w - 10 * std, w + 10 * std)[0]
    np.testing.assert_allclose(found.log_evidence, top + np.log(integral), atol=0.01)


def test_the_evidence_with_an_intercept_is_nearly_the_integral_over_a_flat_prior(made):
    X, y, l2 = made[0][:, 3:4], made[1], 1e-4  # a column about 300, of deviation 100
    found = jlr.laplace(jlr.fit(X, y, l2=l2), X, y, l2=l2)
    A = np.column_stack([np.ones(200), exact(X)])
    mean, root = exact(found.mean), exact(found.root)
    top = log_joint(A, y, 200 * l2, mean)

    def density(v, u):
        return np.exp(log_joint(A, y, 200 * l2, mean + root @ np.array([u, v])) - top)

    integral = dblquad(density, -7, 7, -7, 7, epsabs=1e-4)[0] * abs(np.linalg.det(root))
    np.testing.assert_allclose(found.log_evidence, top + np.log(integral), atol=0.02)


def test_units_move_the_evidence_by_the_volume_of_free_columns_alone(made):
    X, y, _ = made
    scale, shift, d = np.array([1, 7, 1e-4, 1, 2.0]), np.array([3, 100.0, -1e-4, 5, 20]), np.array([1.0, 1, 0, 1, 0])
    moved = (exact(X) * scale + shift).astype(X.dtype)
    plain = jlr.laplace(jlr.fit(X, y, l2=0.1, penalty_factor=d), X, y, l2=0.1, penalty_factor=d)
    own = d * scale**2
    other = jlr.laplace(jlr.fit(moved, y, l2=0.1, penalty_factor=own), moved, y, l2=0.1, penalty_factor=own)
    difference = other.log_evidence - plain.log_evidence
    np.testing.assert_allclose(difference, -np.log(1e-4 * 2.0), rtol=1e-7 if X64 else 1e-3)
    np.testing.assert_allclose(other.std[1:] * scale, plain.std[1:], rtol=1e-7 if X64 else 1e-2)


def test_an_integer_weight_equals_repetition(made):
    X, y, _ = made
    times = np.arange(200) % 4
    again = np.repeat(X, times, axis=0), np.repeat(y, times)
    weighted = jlr.laplace(jlr.fit(X, y, l2=0.1, sample_weight=times), X, y, l2=0.1, sample_weight=times)
    repeated = jlr.laplace(jlr.fit(*again, l2=0.1), *again, l2=0.1)
    assert_same(weighted, repeated)


def test_a_column_of_infinite_strength_is_not_in_the_model(made):
    X, y, _ = made
    fit = jlr.fit(X[:, [0, 3]], y, l2=0.1)
    coef = jnp.zeros(5, DTYPE).at[jnp.array([0, 3])].set(fit.params.coef)
    l2 = [0.1, np.inf, np.inf, 0.1, np.inf]
    found = jlr.laplace(replace(fit, params=replace(fit.params, coef=coef)), X, y, l2=l2)
    kept = found.mean[jnp.array([0, 1, 4])], found.root[jnp.array([0, 1, 4])]
    part = replace(found, mean=kept[0], root=kept[1])
    assert_is(part, by_hand(X[:, [0, 3]], y, 0.1))
    np.testing.assert_array_equal(found.std[jnp.array([2, 3, 5])], 0.0)
    new = RNG.normal(size=(9, 5))
    np.testing.assert_allclose(
        found.predict_proba(new), part.predict_proba(new[:, [0, 3]]), rtol=1e-12 if X64 else 1e-5
    )
    elsewhere = jlr.laplace(jlr.fit(X, y, l2=0.1), X, y, l2=l2)  # these are not zero there
    assert elsewhere.refusal == jlr.Refusal.OTHER_DATA


def mean_probability(mu, std):
    """``E σ(z)``, ``z ~ N(μ, s²)``, by the trapezoidal rule."""
    u = np.linspace(-10, 10, 4001)
    weight = np.exp(-0.5 * u**2) / np.sqrt(2 * np.pi)
    return np.trapezoid(expit(mu[:, None] + std[:, None] * u) * weight, u, axis=1)


@pytest.fixture(scope="module")
def rows_anywhere(small):
    """New rows near and far from the data, their offset, and the mean and deviation of their margins."""
    _, posterior, X, _ = small
    rng = np.random.default_rng(1)
    far = np.repeat([1.0, 10.0, 100.0], 20)[:, None]
    new = (exact(X).mean(axis=0) + rng.normal(size=(60, 5)) * far * exact(X).std(axis=0)).astype(X.dtype)
    offset = rng.normal(size=60)
    A = np.column_stack([np.ones(60), exact(new)])
    std = np.sqrt(np.einsum("ij,jk,ik->i", A, exact(posterior.covariance), A))
    return new, offset, A @ exact(posterior.mean) + exact(array(offset)), std


def test_mackays_probabilities_are_near_those_of_the_integral(small, rows_anywhere):
    new, offset, mu, std = rows_anywhere
    found = small[1].predict_proba(new, offset=offset)
    np.testing.assert_allclose(found, mean_probability(mu, std), atol=0.018)
    np.testing.assert_allclose(found, expit(mu / np.sqrt(1 + np.pi * std**2 / 8)), atol=1e-9 if X64 else 1e-3)
    assert std.max() > 30  # far from the data
    assert np.all(np.abs(found - 0.5) <= np.abs(expit(mu) - 0.5) + 1e-6)


def test_monte_carlo_probabilities_are_those_of_the_integral_within_their_error(small, rows_anywhere):
    new, offset, mu, std = rows_anywhere
    found = small[1].predict_proba(new, offset=offset, key=jax.random.key(2), num_samples=10_000)
    expected = mean_probability(mu, std)
    u = np.linspace(-10, 10, 4001)
    square = np.trapezoid(expit(mu[:, None] + std[:, None] * u) ** 2 * np.exp(-0.5 * u**2), u) / np.sqrt(2 * np.pi)
    error = np.sqrt(np.maximum(square - expected**2, 0.0) / 10_000)
    assert np.all(np.abs(found - expected) < 4.5 * error + 1e-5)
    assert np.all(error < 0.5 / 100)


def test_probabilities_do_not_depend_on_how_many_samples_are_taken_at_a_time(small, rows_anywhere, monkeypatch):
    new = rows_anywhere[0]
    at_once = small[1].predict_proba(new, key=jax.random.key(3), num_samples=101)
    monkeypatch.setattr("jaxlogreg.inference.posterior.BLOCK_NUMBERS", 7 * 60)
    jax.clear_caches()
    np.testing.assert_allclose(
        small[1].predict_proba(new, key=jax.random.key(3), num_samples=101), at_once, rtol=1e-12 if X64 else 1e-5
    )


def test_samples_have_the_mean_and_the_covariance(small):
    posterior, count = small[1], 40_000
    std = exact(posterior.std)
    unit = (exact(posterior.sample(jax.random.key(4), count)) - exact(posterior.mean)) / std
    assert unit.shape == (count, 6)
    np.testing.assert_allclose(unit.mean(axis=0), 0.0, atol=4.5 / np.sqrt(count))
    expected = exact(posterior.covariance) / np.outer(std, std)
    np.testing.assert_allclose(unit.T @ unit / count, expected, atol=4.5 * np.sqrt(2 / count))


def test_columns_that_fits_share_give_the_posterior_of_the_whole_matrix(made):
    X, y, _ = made
    fit = jlr.fit(X, y, l2=0.1)
    parts = jlr.Columns(array(X[:, :4]), array(X[:, 4]))
    whole, found = jlr.laplace(fit, X, y, l2=0.1), jlr.laplace(fit, parts, y, l2=0.1)
    np.testing.assert_allclose(found.covariance, whole.covariance, rtol=1e-6, atol=1e-9 if X64 else 1e-4)
    np.testing.assert_allclose(found.predict_proba(parts), whole.predict_proba(X), atol=1e-9 if X64 else 1e-4)


def test_derivatives_of_the_evidence_go_through_the_fit(made):
    X, y, weight = made
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(X.dtype)

    def log_evidence(log_l2, s):
        fit = jlr.fit(X, y, l2=jnp.exp(log_l2), sample_weight=s)
        return jlr.laplace(fit, X, y, l2=jnp.exp(log_l2), sample_weight=s).log_evidence

    l2, direction = 0.03, np.cos(np.arange(200.0))
    value, (slope, slopes) = jax.value_and_grad(log_evidence, (0, 1))(array(np.log(l2)), weight)
    s = exact(weight)
    np.testing.assert_allclose(value, by_hand(X, y, l2, s=s)[2], rtol=1e-11 if X64 else 1e-5)
    up, down = (by_hand(X, y, l2 * np.exp(h), s=s)[2] for h in (1e-4, -1e-4))
    np.testing.assert_allclose(slope, (up - down) / 2e-4, rtol=1e-6 if X64 else 1e-2)
    up, down = (by_hand(X, y, l2, s=s + h * direction)[2] for h in (1e-4, -1e-4))
    np.testing.assert_allclose(exact(slopes) @ direction, (up - down) / 2e-4, rtol=1e-6 if X64 else 1e-2)


def test_a_sweep_over_penalties_equals_the_loop_and_so_do_its_probabilities(made):
    X, y, _ = made

    def posterior(l2):
        return jlr.laplace(jlr.fit(X, y, l2=l2, standardize=True), X, y, l2=l2, standardize=True)

    l2s = jnp.logspace(-4, 0, 10, dtype=DTYPE)
    lanes, loop = jax.vmap(posterior)(l2s), [posterior(l2) for l2 in l2s]
    assert lanes.message == ""
    tables = [lanes.predict_proba(X), lanes.predict_proba(X, key=jax.random.key(5), num_samples=20)]
    assert lanes.covariance.shape == (10, 6, 6)
    for i, alone in enumerate(loop):
        assert_same(jax.tree.map(lambda x, i=i: x[i], lanes), alone)
        np.testing.assert_allclose(tables[0][i], alone.predict_proba(X), atol=1e-9 if X64 else 1e-3)
        sampled = alone.predict_proba(X, key=jax.random.key(5), num_samples=20)
        np.testing.assert_allclose(tables[1][i], sampled, atol=1e-9 if X64 else 1e-3)


def test_lanes_of_data_equal_the_loop(dtype):
    X, y = LANES.astype(dtype), LABELS.astype(dtype)

    @jax.jit
    def posterior(X, y):
        return jlr.laplace(jlr.fit(X, y, l2=0.05, standardize=True), X, y, l2=0.05, standardize=True)

    lanes = jax.vmap(posterior)(X, y)
    assert lanes.message == ""
    for i in range(50):
        assert_same(jax.tree.map(lambda x, i=i: x[i], lanes), posterior(X[i], y[i]))


def separated(X):
    return (X[:, 0] > np.median(X[:, 0])).astype(X.dtype)


def refused(reason, X, y):
    """A posterior that must be refused."""
    if reason == "NOT_CONVERGED":
        return jlr.laplace(jlr.fit(X, y, l2=0.1, max_steps=1), X, y, l2=0.1)
    if reason == "SEPARABLE":
        y, d = separated(X), np.array([0.0, 1, 1, 1, 1])
        return jlr.laplace(jlr.fit(X, y, l2=0.1, penalty_factor=d), X, y, l2=0.1, penalty_factor=d)
    if reason == "SINGULAR":
        X, d = np.hstack([X, X[:, :1]]), np.array([0.0, 1, 1, 1, 1, 0])
        return jlr.laplace(jlr.fit(X, y, l2=0.1, penalty_factor=d), X, y, l2=0.1, penalty_factor=d)
    assert reason == "UNDETERMINED"
    return jlr.laplace(jlr.fit(X, y, l2=0.1, tol=0.1), X, y, l2=0.1)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("NOT_CONVERGED", "did not converge"),
        ("SEPARABLE", "completely separated by weights that no prior holds"),
        ("SINGULAR", "columns without a prior depend on each other linearly"),
        ("UNDETERMINED", "fit with a smaller tol"),
    ],
)
def test_where_there_is_no_posterior_there_are_no_numbers(reason, text, made):
    X, y, _ = made
    found = refused(reason, X, y)
    assert found.refusal == jlr.Refusal[reason]
    assert text in found.message
    for number in (found.mean, found.covariance, found.std, found.log_evidence, found.effective_parameters):
        assert np.all(np.isnan(number))
    assert np.all(np.isnan(found.predict_proba(np.ones((2, X.shape[1] + (reason == "SINGULAR"))))))


def test_a_fit_that_is_no_mode_is_refused(small):
    fit, _, X, y = small
    other = {"l2": 0.03}, {"standardize": False}, {"sample_weight": np.arange(200)}, {"offset": np.ones(200)}
    for options in (*other, {"penalty_factor": [1, 2, 1, 1, 1]}):
        found = jlr.laplace(fit, X, y, **{"l2": 0.02, "standardize": True, **options})
        assert found.refusal == jlr.Refusal.OTHER_DATA
        assert "the gradient of the log posterior is not zero" in found.message
    assert jlr.laplace(fit, X, 1 - y, l2=0.02, standardize=True).refusal == jlr.Refusal.OTHER_DATA
    lasso = jlr.fit(X, y, l1=0.01, l2=0.02, standardize=True)
    assert jlr.laplace(lasso, X, y, l2=0.02, standardize=True).refusal == jlr.Refusal.OTHER_DATA


def test_lanes_are_refused_one_by_one(dtype):
    X, y = LANES[:4].astype(dtype), LABELS[:4].astype(dtype)
    l2 = array([0.05, 0.05, 0.06, 0.05])
    lanes = jax.vmap(lambda X, y, l2: jlr.laplace(jlr.fit(X, y, l2=0.05), X, y, l2=l2))(X, y, l2)
    np.testing.assert_array_equal(np.isnan(lanes.log_evidence), [False, False, True, False])
    assert lanes.message.startswith("1 of 4 refused; 1: the gradient of the log posterior is not zero")


def test_wrong_arguments_are_named(small):
    fit, posterior, X, y = small
    for l2, text in ((-1.0, "l2 must be at least 0"), (np.nan, "l2 must be finite"), ("a", "l2 must be an array")):
        with pytest.raises(ValueError, match=text):
            jlr.laplace(fit, X, y, l2=l2)
    with pytest.raises(ValueError, match=r"l2 must have shape \(5,\)"):
        jlr.laplace(fit, X, y, l2=np.ones(4))
    with pytest.raises(ValueError, match="penalty_factor must be at least 0"):
        jlr.laplace(fit, X, y, l2=1.0, penalty_factor=-np.ones(5))
    with pytest.raises(ValueError, match="y must hold labels 0 and 1"):
        jlr.laplace(fit, X, y + 1, l2=0.1)
    with pytest.raises(ValueError, match="fit must have coefficients for the 4 columns of X"):
        jlr.laplace(fit, X[:, :4], y, l2=0.1)
    lanes = jax.vmap(lambda l2: jlr.fit(X, y, l2=l2, standardize=True))(jnp.logspace(-4, 0, 10, dtype=DTYPE))
    with pytest.raises(ValueError, match=r"go over them by jax\.vmap"):
        jlr.laplace(lanes, X, y, l2=0.1)
    softmax = replace(fit, params=jlr.Params(jnp.zeros((2, 5), DTYPE), jnp.zeros(2, DTYPE), "softmax"))
    with pytest.raises(ValueError, match="fit must be of two classes for laplace, got a softmax fit"):
        jlr.laplace(softmax, X, y, l2=0.1)
    with pytest.raises(ValueError, match="X must have the 5 columns the model was fitted on, got 4"):
        posterior.predict_proba(X[:, :4])
    with pytest.raises(ValueError, match="X must be finite"):
        posterior.predict_proba(X * np.nan)
    with pytest.raises(ValueError, match=r"offset must have shape \(200,\)"):
        posterior.predict_proba(X, offset=np.ones(3))
    for count in (0, 2.5):
        with pytest.raises(ValueError, match="num_samples must be a Python integer of at least 1"):
            posterior.predict_proba(X, key=jax.random.key(0), num_samples=count)


def test_a_long_markov_chain_finds_nearly_the_same_posterior(pima):
    """NUTS knows nothing of modes: how good Laplace's approximation is with 532 rows and 8 weights."""
    X, y = pima
    l2, A = 0.01, jnp.column_stack([jnp.ones(532, DTYPE), array(X)])

    def negative_log_posterior(w):
        z = A @ w
        return jnp.sum(jax.nn.softplus(z) - array(y) * z) + 0.5 * 532 * l2 * jnp.sum(w[1:] ** 2)

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # for NumPyro
        chain = MCMC(NUTS(potential_fn=negative_log_posterior), num_warmup=500, num_samples=4000, progress_bar=False)
        chain.run(jax.random.key(0), init_params=jnp.zeros(8, DTYPE))
        samples = exact(chain.get_samples())
    posterior = jlr.laplace(jlr.fit(X, y, l2=l2), X, y, l2=l2)
    # The chain's own error is about 0.02 deviations; the rest is the posterior's skewness.
    np.testing.assert_allclose((samples.mean(axis=0) - posterior.mean) / posterior.std, 0.0, atol=0.2)
    np.testing.assert_allclose(samples.std(axis=0), posterior.std, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(samples.T), correlation(posterior.covariance), atol=0.06)
    expected = expit(samples @ exact(A).T).mean(axis=0)
    sampled = posterior.predict_proba(X, key=jax.random.key(1), num_samples=4000)
    for found in (posterior.predict_proba(X), sampled):
        np.testing.assert_allclose(found, expected, atol=0.015)


def correlation(covariance):
    std = np.sqrt(np.diag(covariance))
    return covariance / np.outer(std, std)
