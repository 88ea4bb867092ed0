"""Optax's transformations as solvers: the very updates of a loop by hand, batches, schedules, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import X64, array

import jaxlogreg as jlr


@pytest.fixture(scope="module")
def problem(made):
    X, y, weight = made
    X = array((X - X.mean(0)) / X.std(0))
    loss = jlr.losses.BinaryCrossEntropy.create(array(y), array(weight))
    return jlr.Problem(loss, jlr.Dense(X), jlr.L2(array(0.1), jnp.ones(5)))


def by_hand(transformation, gradient, steps, **extra):
    w = jnp.zeros(5)
    state = transformation.init(w)
    with jax.numpy_dtype_promotion("standard"):
        for step in range(steps):
            updates, state = transformation.update(gradient(w, step), state, w, **{k: f(w) for k, f in extra.items()})
            w = optax.apply_updates(w, updates)
    return w


@pytest.mark.parametrize(
    "transformation",
    [optax.adam(0.05), optax.sgd(optax.exponential_decay(1.0, 5, 0.7), momentum=0.9), optax.adamw(0.05)],
    ids=["adam", "schedule", "adamw"],
)
def test_full_batch_steps_are_those_of_a_loop_by_hand(transformation, problem):
    solution = jlr.minimize(problem, jnp.zeros(5), solver=jlr.Optax(transformation), max_steps=12, tol=0.0)
    expected = by_hand(transformation, lambda w, _: problem.gradient(w), 12)
    np.testing.assert_allclose(solution.params, expected, rtol=1e-10 if X64 else 1e-4)
    assert solution.num_passes == 2 * 12 + 6  # moments, start, steps, what is reported


def test_an_epoch_has_the_updates_of_its_batches(problem):
    transformation, key, steps = optax.sgd(0.3, momentum=0.5), jax.random.key(3), 4
    solver = jlr.Optax(transformation, batch_size=30, key=key)
    solution = jlr.minimize(problem, jnp.zeros(5), solver=solver, max_steps=steps, tol=0.0)
    orders = [jax.random.permutation(jax.random.fold_in(key, jnp.int32(step)), 200)[:180] for step in range(steps)]
    batches = np.concatenate(orders).reshape(-1, 30)

    def gradient(w, step):
        rows = batches[step]
        X, y = problem.linear_map.matrix[rows], problem.loss.y[rows]
        r = problem.loss.row_weights()[rows] * (jax.nn.sigmoid(X @ w) - y)
        return 200 / 30 * (r @ X) + 0.1 * w

    expected = by_hand(transformation, gradient, len(batches))
    np.testing.assert_allclose(solution.params, expected, rtol=1e-9 if X64 else 1e-3)


def test_batches_come_to_the_optimum_with_a_falling_step(problem):
    solver = jlr.Optax(optax.adam(optax.exponential_decay(0.05, 200, 0.5)), batch_size=40, key=jax.random.key(0))
    solution = jlr.minimize(problem, jnp.zeros(5), solver=solver, tol=1e-3, max_steps=300).raise_if_failed()
    exact = jlr.minimize(problem, jnp.zeros(5), solver=jlr.Newton()).params
    np.testing.assert_allclose(solution.params, exact, atol=2e-2)


def test_transformations_that_ask_for_values_get_them(problem):
    solution = jlr.minimize(problem, jnp.zeros(5), solver=jlr.Optax(optax.lbfgs()), tol=1e-4).raise_if_failed()
    exact = jlr.minimize(problem, jnp.zeros(5), solver=jlr.Newton()).params
    np.testing.assert_allclose(solution.params, exact, atol=1e-3)


def test_classes_and_lanes_have_batches_too(made):
    X, y, _ = made
    X = (X - X.mean(0)) / X.std(0)
    solver = jlr.Optax(optax.adam(0.02), batch_size=50, key=jax.random.key(0))
    softmax = jlr.fit_softmax(X, np.arange(200) % 3, 3, l2=0.1, solver=solver, tol=1e-2, max_steps=100)
    assert softmax.converged
    lanes = jax.vmap(lambda l2: jlr.fit(X, y, l2=l2, solver=solver, tol=2e-2, max_steps=100))(array([0.1, 1.0]))
    alone = jlr.fit(X, y, l2=1.0, solver=solver, tol=2e-2, max_steps=100)
    np.testing.assert_allclose(lanes.params.coef[1], alone.params.coef, rtol=1e-6 if X64 else 1e-3)
    assert lanes.num_steps[1] == alone.num_steps


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (jlr.Optax(optax.adam), "transformation must be one of Optax's"),
        (jlr.Optax(optax.adam(0.1), batch_size=10), "batch_size needs key"),
        (jlr.Optax(optax.adam(0.1), batch_size=201, key=jax.random.key(0)), "between 1 and the 200 rows of X, got 201"),
        (jlr.Optax(optax.adam(0.1), batch_size=20.0, key=jax.random.key(0)), "must be an integer"),
        (jlr.Optax(optax.adam(0.1), batch_size=20, key=jnp.zeros(())), "batch_size needs key"),
    ],
)
def test_bad_settings_are_refused_with_the_reason(solver, message, problem):
    with pytest.raises(ValueError, match=message):
        jlr.minimize(problem, jnp.zeros(5), solver=solver)


def test_a_function_has_no_batches():
    solver = jlr.Optax(optax.adam(0.1), batch_size=10, key=jax.random.key(0))
    with pytest.raises(ValueError, match="needs a loss over rows"):
        jlr.minimize(lambda x: jnp.sum(x**2), jnp.ones(2), solver=solver)
