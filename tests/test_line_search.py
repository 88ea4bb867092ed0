"""The line search: free where the unit step is good, nearly exact elsewhere, honest where none exists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogreg as jlr
from jaxlogreg.lanes import Lanes, alone
from jaxlogreg.losses import FunctionLoss
from jaxlogreg.problem import Point
from jaxlogreg.solvers.line_search import SLOPE_FRACTION, search


def one_dimensional(function, dtype, start=0.0):
    problem = jlr.Problem(FunctionLoss(lambda x: function(x[0])), jlr.Identity(1), jlr.NoPenalty())
    return problem, problem.point(jnp.asarray([start], dtype))


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 30.0, 1e5])
def test_a_quadratic_is_minimised_nearly_exactly_from_any_first_trial(scale, dtype):
    problem, point = one_dimensional(lambda x: 0.5 * (x - 1.0) ** 2, dtype)
    new, found = search(problem, point, jnp.asarray([scale], dtype), alone())
    assert found
    assert abs(float(new.w[0]) - 1.0) <= SLOPE_FRACTION
    np.testing.assert_allclose(new.gradient, new.w - 1.0, rtol=1e-5, atol=1e-6)


def test_a_descending_wave_is_left_lower_than_it_was_entered(dtype):
    problem, point = one_dimensional(lambda x: jnp.sin(3.0 * x) - 0.1 * x, dtype, start=1.0)
    direction = -point.gradient
    new, found = search(problem, point, direction, alone())
    assert found
    assert new.value < point.value
    assert abs(new.gradient @ direction) <= SLOPE_FRACTION * abs(point.gradient @ direction)


def test_an_uphill_direction_is_refused_and_the_point_kept(dtype):
    problem, point = one_dimensional(lambda x: x**2, dtype, start=1.0)
    new, found = search(problem, point, point.gradient, alone())
    assert not found
    for field in ("w", "z", "gradient", "value"):
        np.testing.assert_array_equal(getattr(new, field), getattr(point, field))


def test_a_lane_that_is_not_active_stays_where_it_is(dtype):
    problem, point = one_dimensional(lambda x: (x - 3.0) ** 2, dtype)
    direction = jnp.asarray([1.0], dtype)
    new, found = search(problem, point, direction, Lanes(jnp.zeros((), bool)))
    assert not found
    for field in ("w", "z", "gradient", "value"):
        np.testing.assert_array_equal(getattr(new, field), getattr(point, field))


def test_lanes_search_together_and_each_finds_what_it_finds_alone(dtype):
    problem, point = one_dimensional(lambda x: 0.5 * (x - 1.0) ** 2, dtype)
    scales = jnp.asarray([[1e-6], [1.0], [-1.0], [30.0], [1e5]], dtype)
    active = jnp.asarray([True, True, True, False, True])
    together = jax.vmap(lambda d, a: search(problem, point, d, Lanes(a, "lanes", 5)), axis_name="lanes")(scales, active)
    for i, scale in enumerate(scales):
        new, found = search(problem, point, scale, Lanes(active[i]))
        assert together[1][i] == found
        np.testing.assert_array_equal(together[0].w[i], new.w)


def test_a_step_out_of_the_domain_is_shortened(dtype):
    problem, point = one_dimensional(lambda x: x - jnp.log(x), dtype, start=3.0)
    new, found = search(problem, point, jnp.asarray([-10.0], dtype), alone())
    assert found
    assert 0.0 < new.w[0] < 3.0


def test_carried_margins_equal_margins_computed_afresh(made):
    X, y, _ = made
    problem = jlr.Problem(
        jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y)), jlr.Dense(jnp.asarray(X)), jlr.NoPenalty()
    )
    point = problem.point(jnp.zeros(5, X.dtype))
    new, found = search(problem, point, -point.gradient, alone())
    assert found
    fresh = problem.point(new.w)
    np.testing.assert_allclose(new.z, fresh.z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(new.gradient, fresh.gradient, rtol=1e-4, atol=1e-6)


def test_a_good_unit_step_is_one_evaluation(made):
    """Counted by a loss that runs a callback: the search must not try what it does not need."""
    X, y, _ = made
    count = []

    class Counting(jlr.losses.BinaryCrossEntropy):
        def value_and_residual(self, z):
            jax.debug.callback(lambda: count.append(1))
            return super().value_and_residual(z)

    problem = jlr.Problem(Counting.create(jnp.asarray(y)), jlr.Dense(jnp.asarray(X)), jlr.NoPenalty())
    optimum = jlr.minimize(
        jlr.Problem(jlr.losses.BinaryCrossEntropy.create(jnp.asarray(y)), problem.linear_map, problem.penalty),
        jnp.zeros(5, X.dtype),
        solver=jlr.Newton(),
    ).params
    start = 0.9 * optimum
    z = problem.linear_map.mv(start)
    point = Point(start, z, problem.gradient_at(start, problem.loss.residual(z)), None)
    _, found = search(problem, point, optimum - start, alone())
    jax.effects_barrier()
    assert found
    assert len(count) == 1


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 1), (0.2, 2), (0.01, 3), (1.8, 2), (3.0, 3)])
def test_secants_find_the_minimum_of_a_quadratic_in_few_trials(scale, expected, dtype):
    """A secant leads on a step up to ten times too short, or cuts one too long; where the value rose it is halved."""
    count = []

    def quadratic(x):
        jax.debug.callback(lambda: count.append(1))
        return 0.5 * (x - 1.0) ** 2

    problem, point = one_dimensional(quadratic, dtype)
    jax.effects_barrier()
    count.clear()
    _, found = search(problem, point, jnp.asarray([scale], dtype), alone())
    jax.effects_barrier()
    assert found
    assert len(count) == expected
