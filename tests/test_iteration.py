"""``iterate`` and ``trace``: stop and resume to the last bit, callbacks, progress, histories."""

import io
import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import X64, array

import jaxlogreg as jlr

SOLVERS = {
    "lbfgs": jlr.LBFGS(preconditioner="hessian"),
    "newton": jlr.Newton(),
    "bfgs": jlr.BFGS(),
    "dfp": jlr.DFP(),
    "cg": jlr.ConjugateGradient(),
    "newton cg": jlr.NewtonCG(),
    "batches": jlr.Optax(optax.adam(0.05), batch_size=32, key=jax.random.key(0)),
    "accelerated": jlr.GradientDescent(acceleration=True),
    "proximal gradient": jlr.ProximalGradient(),
    "proximal newton": jlr.ProximalNewton(),
}


@pytest.fixture(scope="module")
def problem(made):
    X, y, _ = made
    linear_map = jlr.WithIntercept(jlr.Dense(array((X - X.mean(0)) / X.std(0))))
    penalty = jlr.L2(array(0.01), array([1, 1, 1, 1, 1, 0]))
    return jlr.Problem(jlr.losses.BinaryCrossEntropy.create(array(y)), linear_map, penalty)


@pytest.mark.parametrize("solver", list(SOLVERS.values()), ids=list(SOLVERS))
def test_a_run_that_was_stopped_and_saved_ends_bit_by_bit_as_one_that_was_not(solver, problem):
    settings = {"solver": solver, "max_steps": 8}
    whole = list(jlr.iterate(problem, jnp.zeros(6), **settings))
    first = jlr.iterate(problem, jnp.zeros(6), **settings)
    for _ in range(3):
        next(first)
    file = io.BytesIO()
    np.savez(file, *jax.tree.leaves(first.state))
    file.seek(0)
    with np.load(file) as saved:
        state = [saved[name] for name in saved.files]
    rest = list(jlr.iterate(problem, jnp.zeros(6), state=state, **settings))
    assert len(rest) == len(whole) - 3
    for one, other in zip(jax.tree.leaves(rest), jax.tree.leaves(whole[3:]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_over_a_function_of_a_pytree_goes_on_too():
    def function(tree, centre):
        return jnp.sum((tree["a"] - centre) ** 4 + tree["a"] ** 2) + (tree["b"] - tree["a"][0]) ** 2

    settings = {"init": {"a": jnp.zeros(2), "b": jnp.ones(())}, "args": (2.0,), "tol": 1e-8 if X64 else 1e-4}
    whole = list(jlr.iterate(function, **settings))
    first = jlr.iterate(function, **settings)
    for _ in range(3):
        next(first)
    rest = list(jlr.iterate(function, **settings, state=jax.tree.map(np.asarray, first.state)))
    assert rest[-1].converged
    assert len(rest) == len(whole) - 3
    for one, other in zip(jax.tree.leaves(rest), jax.tree.leaves(whole[3:]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_has_nothing_left(problem):
    run = jlr.iterate(problem, jnp.zeros(6))
    last = list(run)[-1]
    assert last.converged
    assert list(jlr.iterate(problem, jnp.zeros(6), state=run.state)) == []


def test_a_state_of_something_else_is_refused(problem):
    state = jlr.iterate(problem, jnp.zeros(6), solver=jlr.Newton()).state
    with pytest.raises(ValueError, match="state must come from iterate with this problem"):
        jlr.iterate(problem, jnp.zeros(6), solver=jlr.BFGS(), state=state)


def test_the_callback_sees_every_solution(problem):
    seen = []
    solutions = list(jlr.iterate(problem, jnp.zeros(6), callback=seen.append))
    assert len(seen) == len(solutions)
    assert all(one is other for one, other in zip(seen, solutions, strict=True))


def test_progress_is_shown_and_its_bar_closed(problem, capsys):
    list(jlr.iterate(problem, jnp.zeros(6), solver=jlr.Newton(), progress=True))
    shown = capsys.readouterr().err
    assert "Newton" in shown
    assert "KKT residual" in shown
    assert shown.endswith("\n")


def test_progress_without_tqdm_says_what_to_install(problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"jaxlogreg\[progress\]"):
        jlr.iterate(problem, jnp.zeros(6), progress=True)


def test_iterate_takes_arguments_of_the_function():
    *_, last = jlr.iterate(lambda x, c: jnp.sum((x - c) ** 2), jnp.zeros(2), args=(3.0,))
    np.testing.assert_allclose(last.params, 3.0, rtol=1e-5)


@pytest.mark.parametrize("solver", [jlr.LBFGS(), jlr.Newton(), jlr.ConjugateGradient()], ids=["lbfgs", "newton", "cg"])
def test_a_trace_is_the_history_of_the_steps(solver, problem):
    whole = jlr.minimize(problem, jnp.zeros(6), solver=solver, trace=True, max_steps=60)
    steps = list(jlr.iterate(problem, jnp.zeros(6), solver=solver, max_steps=60))
    count = int(whole.num_steps) + 1
    rtol, atol = (1e-6, 1e-10) if X64 else (1e-2, 1e-5)
    np.testing.assert_allclose(whole.trace.value[:count], [s.value for s in steps], rtol=rtol)
    np.testing.assert_allclose(whole.trace.kkt[:count], [s.kkt for s in steps], rtol=rtol, atol=atol)
    moved = [np.linalg.norm(b.params - a.params) for a, b in itertools.pairwise(steps)]
    np.testing.assert_allclose(whole.trace.step_length[:count], [0.0, *moved], rtol=rtol, atol=atol)
    assert np.isnan(whole.trace.value[count:]).all()
    assert whole.trace.value.shape == (61,)
    without = jlr.minimize(problem, jnp.zeros(6), solver=solver, max_steps=60)
    assert without.num_steps == whole.num_steps
    np.testing.assert_allclose(whole.params, without.params, rtol=1e-12 if X64 else 1e-4)


def test_lanes_have_a_trace_each(problem):
    def run(start):
        return jlr.minimize(problem, start, trace=True, max_steps=40)

    starts = array([[0.0] * 6, [1.0] * 6])
    lanes = jax.vmap(run)(starts)
    alone = run(starts[1])
    count = int(alone.num_steps) + 1
    np.testing.assert_allclose(lanes.trace.value[1, :count], alone.trace.value[:count], rtol=1e-6 if X64 else 1e-3)
    assert np.isnan(lanes.trace.value[1, count:]).all()


def test_a_trace_needs_a_known_length(problem):
    with pytest.raises(ValueError, match="needs max_steps as a number"):
        jax.jit(lambda steps: jlr.minimize(problem, jnp.zeros(6), trace=True, max_steps=steps))(5)


def test_a_run_that_reached_its_step_limit_goes_on_under_a_larger_one():
    def rosenbrock(x):
        return (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2

    run = jlr.iterate(rosenbrock, jnp.array([-1.2, 1.0]), max_steps=5)
    *_, stopped = run
    assert stopped.status == jlr.Status.MAX_STEPS
    *_, done = jlr.iterate(rosenbrock, jnp.array([-1.2, 1.0]), state=run.state, max_steps=100)
    assert done.num_steps > 5
    np.testing.assert_allclose(done.params, 1.0, atol=1e-4)
    assert list(jlr.iterate(rosenbrock, jnp.array([-1.2, 1.0]), state=run.state, max_steps=5)) == []


@pytest.mark.parametrize(
    ("wrong", "text"), [({"callback": 3}, "callback must be a function"), ({"state": object()}, "state must be")]
)
def test_errors_of_iterate_name_the_argument(wrong, text):
    with pytest.raises(ValueError, match=text):
        jlr.iterate(lambda x: jnp.sum(x * x), jnp.zeros(2), **wrong)
