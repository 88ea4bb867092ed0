"""Lanes: each fit of a ``vmap`` is its solo fit, whatever the lanes share, and whatever befalls the others."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import DTYPE, X64, array
from numpy.testing import assert_allclose, assert_array_equal

import jaxlogreg as jlr
from jaxlogreg import Status, lanes
from jaxlogreg.lanes import compute_if, lane_by_lane

M, N = 60, 3
# In float64 lanes agree with their solo fits to 1e-9: coefficients are about 1, and tol is far below that.
CLOSE = {"rtol": 0, "atol": 1e-9} if X64 else {"rtol": 0, "atol": 2e-3}
TOL = 1e-13 if X64 else 1e-6
RNG = np.random.default_rng(0)


def labels_for(X, count):
    probability = 1 / (1 + np.exp(-np.asarray(X) @ RNG.normal(size=(X.shape[1], count))))
    return array(RNG.random(probability.shape) < probability).T


X = array(RNG.normal(size=(M, N)))
YS = labels_for(X, 23)
Y = YS[0]
WEIGHTS = array(RNG.uniform(0.2, 2.0, (4, M)) * (RNG.random((4, M)) > 0.2))  # some rows left out, as in folds
OFFSETS = array(RNG.normal(size=(4, M)))
L2S = array(np.append(RNG.permutation(np.geomspace(1e-3, 10.0, 19)), [0.0, 0.1, 0.1, 0.0]))  # 23


def fit(X=X, y=Y, **options):
    return jlr.fit(X, y, **{"l2": 0.01, "tol": TOL, **options})


def lane(solution, i):
    return jax.tree.map(lambda x: x[i], solution)


def assert_lane(solution, i, alone):
    """Lane ``i`` is the solo fit: parameters, objective and status; and its certificate is true."""
    one = lane(solution, i)
    assert_allclose(one.params.coef, alone.params.coef, **CLOSE)
    assert_allclose(one.params.intercept, alone.params.intercept, **CLOSE)
    assert_allclose(one.value, alone.value, rtol=1e-12 if X64 else 1e-5)
    assert one.status == alone.status


def assert_lanes(solution, fits):
    for i, alone in enumerate(fits):
        assert_lane(solution, i, alone)
    assert np.all(solution.converged)
    assert np.all(solution.kkt <= TOL)


# Over one argument


@pytest.mark.parametrize("count", [3, 23])
def test_a_sweep_of_penalties_in_any_order_with_zero_and_repeats(count):
    l2s = L2S[-count:]
    lanes = jax.vmap(lambda l2: fit(l2=l2))(l2s)
    assert_lanes(lanes, [fit(l2=l2) for l2 in l2s])
    again = jlr.fit_path(X, Y, l2=l2s, tol=TOL)
    assert_allclose(again.params.coef, lanes.params.coef, **CLOSE)


@pytest.mark.parametrize("count", [3, 23])
def test_over_labels(count):
    assert_lanes(jax.vmap(lambda y: fit(y=y))(YS[:count]), [fit(y=y) for y in YS[:count]])


def test_over_sample_weights():
    lanes = jax.vmap(lambda s: fit(sample_weight=s))(WEIGHTS)
    assert_lanes(lanes, [fit(sample_weight=s) for s in WEIGHTS])


def test_over_offsets():
    assert_lanes(jax.vmap(lambda o: fit(offset=o))(OFFSETS), [fit(offset=o) for o in OFFSETS])


def test_over_data():
    Xs = jnp.stack([X, X[::-1], 2.0 * X + 1.0])
    assert_lanes(jax.vmap(lambda X: fit(X))(Xs), [fit(X) for X in Xs])


def test_over_starts():
    starts = jlr.Params(array(RNG.normal(size=(4, N))), array(RNG.normal(size=4)))
    lanes = jax.vmap(lambda init: fit(init=init))(starts)
    assert_lanes(lanes, [fit()] * 4)
    values = [fit(init=lane(starts, i), max_steps=0).value for i in range(4)]
    assert_allclose(lanes.initial_value, values, rtol=1e-6)


def test_over_penalty_factors():
    factors = array([[1.0, 1.0, 1.0], [0.0, 1.0, 5.0], [3.0, 0.0, 0.1]])
    assert_lanes(jax.vmap(lambda d: fit(penalty_factor=d))(factors), [fit(penalty_factor=d) for d in factors])


def test_over_tolerances_and_limits():
    tols = array([1e-2, 1e-3, 1e-5])
    lanes = jax.vmap(lambda tol: fit(tol=tol))(tols)
    assert np.all(lanes.converged)
    assert np.all(lanes.kkt <= tols)
    limits = jnp.asarray([0, 1, 2, 50])
    lanes = jax.vmap(lambda k: fit(max_steps=k))(limits)
    assert_array_equal(lanes.status, [Status.MAX_STEPS] * 3 + [Status.CONVERGED])
    assert_array_equal(lanes.num_steps[:3], [0, 1, 2])


# Over several


def test_nested_vmaps_are_the_loop_of_loops():
    l2s, ys = L2S[:3], YS[:2]
    by_labels = jax.jit(jax.vmap(lambda l2: jax.vmap(lambda y: fit(y=y, l2=l2))(ys)))(l2s)
    by_penalties = jax.jit(jax.vmap(lambda y: jax.vmap(lambda l2: fit(y=y, l2=l2))(l2s)))(ys)
    for i, l2 in enumerate(l2s):
        for j, y in enumerate(ys):
            alone = fit(y=y, l2=l2)
            assert_lane(by_labels, (i, j), alone)
            assert_lane(by_penalties, (j, i), alone)


def test_over_folds_of_a_sweep():
    l2s = L2S[8:20]  # more than a block of a path
    sweeps = jax.jit(jax.vmap(lambda s: jax.vmap(lambda l2: fit(l2=l2, sample_weight=s))(l2s)))(WEIGHTS[:2])
    assert np.all(sweeps.converged)
    for i, s in enumerate(WEIGHTS[:2]):
        for j in (0, 5, 11):
            assert_lane(sweeps, (i, j), fit(l2=l2s[j], sample_weight=s))


def test_over_everything_at_once():
    arguments = (jnp.stack([X, X[::-1]]), YS[:2], L2S[:2], WEIGHTS[:2], OFFSETS[:2])

    def one(X, y, l2, s, o):
        return fit(X, y, l2=l2, sample_weight=s, offset=o)

    lanes = jax.vmap(one)(*arguments)
    assert_lanes(lanes, [one(*(a[i] for a in arguments)) for i in range(2)])


def test_classes_under_vmap():
    labels, l2s = np.arange(M) % 3, array([0.01, 0.1, 1.0])
    for fit_classes in (jlr.fit_one_vs_all, jlr.fit_softmax):
        lanes = jax.vmap(lambda l2, fit=fit_classes: fit(X, labels, 3, l2=l2, tol=TOL))(l2s)
        assert np.all(lanes.converged)
        for i, l2 in enumerate(l2s):
            alone = fit_classes(X, labels, 3, l2=l2, tol=TOL)
            assert_allclose(lanes.params.coef[i], alone.params.coef, **CLOSE)
            assert_allclose(lanes.params.intercept[i], alone.params.intercept, **CLOSE)


def test_what_one_lane_wants_is_computed_for_it_and_the_others_keep_theirs():
    def one(x, wanted):
        return compute_if(wanted, lambda x: (x * x, x + 1.0), x, (x, x))

    x, wanted = array([3.0, 4.0, 5.0]), jnp.array([False, True, False])
    squares, others = jax.jit(jax.vmap(one))(x, wanted)
    assert_array_equal(squares, [3.0, 16.0, 5.0])
    assert_array_equal(others, [3.0, 5.0, 5.0])
    assert_array_equal(jax.jit(one)(x[0], wanted[1])[0], 9.0)


def test_lane_by_lane_is_all_at_once(monkeypatch):
    monkeypatch.setattr(lanes, "LANE_BY_LANE_MIN_SIZE", 4)
    weighted = lane_by_lane(lambda z, y: jnp.sum(jnp.sin(z) * y))
    Z, labels = array(np.arange(24.0).reshape(2, 3, 4)), array(np.arange(8.0).reshape(2, 4))

    def total(Z, labels):
        return jax.vmap(lambda z, y: jax.vmap(lambda z: weighted(z, y))(z))(Z, labels)

    assert_allclose(jax.jit(total)(Z, labels), np.sum(np.sin(Z) * np.asarray(labels)[:, None], axis=2), rtol=1e-5)
    slope = jax.grad(lambda Z: jnp.sum(total(Z, labels)))(Z)
    assert_allclose(slope, np.cos(Z) * np.asarray(labels)[:, None], rtol=1e-5, atol=1e-6)


def test_no_lane_has_a_copy_of_the_data():
    X, y = array(RNG.normal(size=(1021, 19))), array(np.arange(1021) % 2)  # rows for some blocks, of which each has one
    l2 = array([0.1, 0.2, 0.3])
    programs = {
        "penalties": jax.jit(jax.vmap(lambda l2: jlr.fit(X, y, l2=l2))).lower(l2),
        "labels": jax.jit(jax.vmap(lambda y: jlr.fit(X, y, l2=0.1))).lower(jnp.stack([y, 1 - y])),
        "folds": jax.jit(lambda X: jlr.cross_validate(X, y, l2=l2, folds=3)).lower(X),
    }
    for name, program in programs.items():
        shapes = set(re.findall(r"tensor<([\dx]+)x1021x19x", program.as_text()))
        assert shapes <= {"1"}, f"{name}: {shapes}"


@pytest.mark.parametrize(
    "solver",
    [jlr.Newton(), jlr.LBFGS(), jlr.GradientDescent(), jlr.GradientDescent(acceleration=True)],
    ids=["newton", "lbfgs", "gradient descent", "accelerated"],
)
def test_every_solver_has_lanes(solver):
    tol = 1e-11 if X64 else 1e-5
    arguments = (YS[:4], array([1.0, 0.1, 0.01, 0.03]))
    lanes = jax.vmap(lambda y, l2: fit(y=y, l2=l2, solver=solver, tol=tol))(*arguments)
    fits = [fit(y=y, l2=l2, solver=solver, tol=tol) for y, l2 in zip(*arguments, strict=True)]
    for i, alone in enumerate(fits):
        assert_lane(lanes, i, alone)
        assert lanes.kkt[i] <= tol


def test_lanes_of_gradient_descent_make_the_steps_of_their_solo_fits():
    """It shares nothing with other lanes, so each is to the step what it is alone, also after the others' end."""
    limits, solver = jnp.asarray([1, 5, 40]), jlr.GradientDescent()
    lanes = jax.vmap(lambda k: fit(solver=solver, max_steps=k))(limits)
    for i, limit in enumerate(limits):
        alone = fit(solver=solver, max_steps=limit)
        assert lanes.num_steps[i] == alone.num_steps
        assert_allclose(lanes.params.coef[i], alone.params.coef, rtol=1e-9 if X64 else 1e-3, atol=1e-9 if X64 else 1e-4)


def test_a_lane_that_has_ended_stays_where_it_ended():
    # The first starts at its optimum; from there, this step is too long and would lead away.
    solver, l2s = jlr.GradientDescent(1.0), array([3.0, 0.05])
    optimum = fit(l2=3.0, tol=1e-9 if X64 else 1e-6).params
    starts = jax.tree.map(lambda x: jnp.stack([x, jnp.zeros_like(x)]), optimum)
    lanes = jax.vmap(lambda l2, init: fit(l2=l2, init=init, solver=solver, tol=1e-5))(l2s, starts)
    assert_array_equal(lanes.status, [Status.CONVERGED] * 2)
    assert lanes.num_steps[0] == 0
    assert_array_equal(lanes.params.coef[0], optimum.coef)


# Many lanes, rows or columns


def test_more_lanes_than_run_at_a_time():
    rows = 30_000  # ten at a time
    X = array(RNG.normal(size=(rows, 2)))
    ys = labels_for(X, 23)
    lanes = jax.jit(jax.vmap(lambda y: fit(X, y, tol=1e-12 if X64 else 1e-5)))(ys)
    assert np.all(lanes.converged)
    for i in (0, 7, 8, 22):
        assert_lane(lanes, i, fit(X, ys[i], tol=1e-12 if X64 else 1e-5))


@pytest.mark.parametrize("rows", [300, 100], ids=["more rows", "more columns"])
def test_many_columns_share_a_preconditioner_among_other_labels(rows):
    X = array(RNG.normal(size=(rows, 140)))
    ys = labels_for(X / 10.0, 3)
    lanes = jax.jit(jax.vmap(lambda y: fit(X, y, l2=0.1)))(ys)
    assert_lanes(lanes, [fit(X, y, l2=0.1) for y in ys])
    sweep = jax.jit(jax.vmap(lambda l2: fit(X, ys[0], l2=l2)))(array([0.1, 1.0]))
    assert_lanes(sweep, [lane(lanes, 0), fit(X, ys[0], l2=1.0)])


# Each lane its own status


def test_separable_lanes_of_a_path_say_so_and_the_others_converge():
    X = array([[-2.0], [-1.0], [1.0], [2.0]])
    l2s = array([0.0, 0.1, 0.0, 0.01, 1.0] * 3)  # more than a block
    lanes = jax.vmap(lambda l2: jlr.fit(X, array([0, 0, 1, 1]), l2=l2))(l2s)
    assert_array_equal(lanes.status, np.where(l2s == 0.0, Status.SEPARABLE, Status.CONVERGED))


def test_the_step_limit_holds_in_each_lane():
    lanes = jax.vmap(lambda l2: fit(l2=l2, max_steps=1))(L2S)
    assert np.all(lanes.num_steps <= 1)
    assert np.all((lanes.status == Status.MAX_STEPS) | (lanes.kkt <= TOL))
    none = jax.vmap(lambda y: fit(y=y, max_steps=0))(YS[:3])
    assert_array_equal(none.status, [Status.MAX_STEPS] * 3)
    assert_array_equal(none.params.coef, np.zeros((3, N)))


def test_the_initial_value_is_that_of_the_start():
    lanes = jax.vmap(lambda y: fit(y=y))(YS[:3])
    assert_allclose(lanes.initial_value, np.log(2.0), rtol=1e-6)
    path = jax.vmap(lambda l2: fit(l2=l2))(L2S)  # each block starts from the last solution before it
    assert_allclose(np.max(path.initial_value), np.log(2.0), rtol=1e-6)
    assert np.all(path.initial_value >= path.value)


def test_a_path_from_a_given_start_goes_on_from_its_own_solutions():
    l1s, start = array([0.05, 0.02, 0.01]), jlr.Params(jnp.ones(N, DTYPE), jnp.ones((), DTYPE))
    path = jlr.fit_path(X, Y, l1=l1s, init=start, batch_size=1, tol=TOL)
    before = fit(l2=0.0, l1=l1s[2], init=lane(path, 1).params, max_steps=0).value
    assert_allclose(path.initial_value[2], before, rtol=1e-6)


def test_a_path_hands_margins_and_gradient_on():
    l1s = array(np.geomspace(0.1, 0.05, 3))
    path = jlr.fit_path(X, Y, l1=l1s, batch_size=1, tol=TOL)
    for i in (1, 2):
        start = jax.tree.map(lambda x, i=i: x[i - 1], path.params)
        alone = fit(l2=0.0, l1=l1s[i], init=start)
        assert path.num_steps[i] == alone.num_steps
        assert path.num_passes[i] == alone.num_passes - 2  # what was known: margins and gradient at the start
        assert_allclose(path.value[i], alone.value, rtol=1e-13 if X64 else 1e-6)


BAD = {
    "sample_weight": WEIGHTS.at[1, 0].set(jnp.nan).at[2, 0].set(jnp.inf).at[3].set(0.0),
    "offset": OFFSETS.at[1, 0].set(jnp.nan).at[2, 0].set(jnp.inf),
    "y": YS[:4].at[1, 0].set(jnp.nan),
    "l2": array([0.1, jnp.nan, 0.01, 1.0]),
    "penalty_factor": jnp.ones((4, N), DTYPE).at[1, 0].set(jnp.nan),
}


@pytest.mark.parametrize("argument", BAD)
def test_a_bad_lane_says_so_and_spoils_no_other(argument):
    values = BAD[argument]
    lanes = jax.jit(jax.vmap(lambda value: fit(**{argument: value})))(values)
    for i, value in enumerate(values):
        if np.all(np.isfinite(value)) and np.any(value):
            assert_lane(lanes, i, fit(**{argument: value}))
            assert lanes.converged[i]
        else:
            assert lanes.status[i] == Status.NONFINITE


def test_a_bad_lane_of_data_spoils_no_other():
    Xs = jnp.stack([X, X.at[3, 1].set(jnp.nan), 2.0 * X])
    lanes = jax.jit(jax.vmap(lambda X: fit(X)))(Xs)
    assert lanes.status[1] == Status.NONFINITE
    assert_lane(lanes, 0, fit(X))
    assert_lane(lanes, 2, fit(2.0 * X))


def test_bad_penalties_spoil_no_other_block_of_a_path():
    l2s = L2S.at[jnp.asarray([2, 5])].set(jnp.nan)
    lanes = jax.jit(jax.vmap(lambda l2: fit(l2=l2)))(l2s)
    good = np.isfinite(l2s)
    assert_array_equal(lanes.status, np.where(good, Status.CONVERGED, Status.NONFINITE))
    assert_lane(lanes, 20, fit(l2=l2s[20]))


def test_a_lane_that_starts_at_its_optimum_stays_there():
    # Its gradient is exactly zero, which has no direction.
    X = array([[1.0], [1.0], [-1.0], [-1.0], [1.0], [-1.0], [1.0], [-1.0]])
    ys = array([[0, 1, 0, 1, 0, 0, 1, 1], [1, 1, 0, 1, 1, 0, 0, 0]])
    for solver in (None, jlr.LBFGS(), jlr.Newton()):
        lanes = jax.vmap(lambda y, solver=solver: fit(X, y, l2=0.1, solver=solver))(ys)
        assert np.all(lanes.converged)
        assert_array_equal(lanes.params.coef[0], [0.0])
        assert lanes.num_steps[0] == 0


def test_a_lane_that_diverges_spoils_no_other_of_its_path():
    # A step of 1 is too long for large penalties.
    solver, l2s = jlr.GradientDescent(1.0), array(np.geomspace(1e-2, 100.0, 24))
    lanes = jax.vmap(lambda l2: fit(l2=l2, solver=solver, tol=1e-5, max_steps=2000))(l2s)
    alone = [fit(l2=l2, solver=solver, tol=1e-5, max_steps=2000).status for l2 in l2s]
    assert alone[0] == Status.CONVERGED
    assert alone[-1] != Status.CONVERGED
    assert_array_equal(lanes.status == Status.CONVERGED, np.array(alone) == Status.CONVERGED)


def test_a_sweep_of_a_problem_with_a_penalised_intercept_is_right_where_it_starts_unpenalised():
    problem = jlr.Problem(
        jlr.losses.BinaryCrossEntropy.create(Y),
        jlr.WithIntercept(jlr.Dense(X + 2.0)),
        jlr.L2(array(0.0), jnp.ones(N + 1, DTYPE)),
    )

    def one(l2):
        penalised = replace(problem, penalty=replace(problem.penalty, strength=l2))
        return jlr.minimize(penalised, jnp.zeros(N + 1, DTYPE), tol=TOL)

    l2s = array([0.0, 0.1, 1.0])
    lanes = jax.vmap(one)(l2s)
    for i, l2 in enumerate(l2s):
        assert_allclose(lanes.params[i], one(l2).params, **CLOSE)


# Derivatives


def slope(l2, y, sample_weight, offset):
    params = fit(y=y, l2=l2, sample_weight=sample_weight, offset=offset).params
    return jnp.sum(jnp.cos(jnp.arange(N, dtype=DTYPE)) * params.coef) + params.intercept


@pytest.mark.parametrize("which", range(3), ids=["l2", "y", "sample_weight"])
def test_the_gradient_through_lanes_is_the_lanes_of_gradients(which):
    arguments = [array([0.05, 0.1, 0.5, 1.0]), YS[:4], WEIGHTS, OFFSETS]
    axes = tuple(0 if i == which else None for i in range(4))
    arguments = [a if i == which else a[0] for i, a in enumerate(arguments)]
    weights = array([1.0, -2.0, 3.0, 0.5])

    def through(*arguments):
        return jnp.sum(weights * jax.vmap(slope, axes)(*arguments))

    every = (0, 1, 2, 3)
    reverse = jax.jit(jax.grad(through, every))(*arguments)
    alone = jax.jit(jax.grad(slope, every))
    fits = [alone(*(a[i] if j == which else a for j, a in enumerate(arguments))) for i in range(4)]
    lanes = jax.jit(jax.vmap(jax.grad(slope, every), axes))(*arguments)
    close = {"rtol": 0, "atol": 1e-8} if X64 else {"rtol": 1e-2, "atol": 2e-3}
    for j in every:
        each = np.stack([fit[j] for fit in fits])
        assert_allclose(lanes[j], each, **close)
        scaled = np.asarray(weights).reshape(-1, *[1] * (each.ndim - 1)) * each
        assert_allclose(reverse[j], scaled if j == which else scaled.sum(axis=0), **close)


def test_forward_mode_through_lanes_is_the_lanes_of_forward_mode():
    l2s = array([0.05, 0.1, 0.5])

    def coefficients(offset):
        return jax.vmap(lambda l2: fit(l2=l2, offset=offset).params.coef)(l2s)

    tangent = jax.jit(lambda o, d: jax.jvp(coefficients, (o,), (d,))[1])(OFFSETS[0], OFFSETS[1])
    one = jax.jit(lambda l2: jax.jvp(lambda o: fit(l2=l2, offset=o).params.coef, (OFFSETS[0],), (OFFSETS[1],))[1])
    for i, l2 in enumerate(l2s):
        assert_allclose(tangent[i], one(l2), rtol=1e-8 if X64 else 1e-2, atol=1e-9 if X64 else 1e-3)


def test_separable_lanes_have_no_derivative_and_leave_the_others_theirs():
    X = array([[-2.0], [-1.0], [1.0], [2.0]])
    ys = array([[0, 0, 1, 1], [0, 1, 0, 1]])
    slopes = jax.vmap(lambda y: jax.grad(lambda o: jlr.fit(X, y, offset=o).params.coef[0])(jnp.zeros(4, DTYPE)))(ys)
    assert np.all(np.isnan(slopes[0]))
    assert np.all(np.isfinite(slopes[1]))
