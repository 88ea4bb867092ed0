"""Solutions: statuses, messages in words, and what passes through JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import jaxlogreg as jlr
from jaxlogreg import Status

DTYPE = jnp.result_type(float)


def solution(status, value=0.25, initial_value=0.75, num_steps=7):
    """A solution by hand; arguments with axes make lanes."""
    status = np.asarray(status, np.int32)
    lanes = lambda x, dtype: jnp.asarray(np.broadcast_to(x, status.shape), dtype)  # noqa: E731
    return jlr.Solution(
        params=jlr.Params(jnp.zeros((*status.shape, 2), DTYPE), jnp.zeros(status.shape, DTYPE)),
        value=lanes(value, DTYPE),
        initial_value=lanes(initial_value, DTYPE),
        kkt=lanes(0.0625, DTYPE),
        gap=lanes(np.inf, DTYPE),
        status=jnp.asarray(status),
        num_steps=lanes(num_steps, jnp.int32),
        num_passes=lanes(20, jnp.int32),
    )


def test_the_message_says_what_happened_in_words_and_numbers():
    message = solution(Status.CONVERGED).message
    assert message.startswith("CONVERGED after 7 steps")
    assert "objective 0.25" in message
    assert "KKT residual 0.062" in message


@pytest.mark.parametrize(
    ("status", "remedies"),
    [
        (Status.MAX_STEPS, ["raise max_steps", "loosen tol", "Newton"]),
        (Status.STALLED, ["loosen tol", "rescale the columns", "float64", "jax_enable_x64"]),
        (Status.SEPARABLE, ["perfectly separated", "no finite optimum", "l2 > 0"]),
        (Status.NONFINITE, ["NaN or infinity", "rescale the columns"]),
        (Status.LINE_SEARCH_FAILED, ["derivative", "rescale the columns"]),
    ],
)
def test_the_message_of_a_failure_names_the_remedy(status, remedies):
    message = solution(status).message
    assert message.startswith(f"{status.name} after 7 steps: ")
    for remedy in remedies:
        assert remedy in message


def test_every_status_has_a_message():
    messages = {solution(status).message for status in Status}
    assert len(messages) == len(Status)


def test_a_value_above_the_start_is_called_divergence():
    assert "diverged" not in solution(Status.MAX_STEPS, value=0.5).message
    message = solution(Status.MAX_STEPS, value=3.5).message
    assert "it diverged: the objective rose from 0.75" in message
    assert "step='lipschitz'" in message


def test_lanes_are_counted_and_the_failed_ones_named():
    message = solution([1, 2, 1, 4]).message
    assert message.startswith("2 of 4 lanes converged; lane 1: MAX_STEPS after 7 steps")
    assert "; lane 3: SEPARABLE after 7 steps" in message


def test_lanes_that_all_converged_need_no_more_words():
    assert solution([1, 1, 1]).message == "3 of 3 lanes converged"


def test_of_many_failed_lanes_three_are_described_and_the_rest_counted():
    message = solution([2] * 10).message
    assert message.startswith("0 of 10 lanes converged; lane 0: ")
    assert "lane 2: " in message
    assert "lane 3: " not in message
    assert message.endswith("; and 7 lanes more")


def test_lanes_may_have_several_axes():
    assert solution([[1, 1], [1, 3]]).message.startswith("3 of 4 lanes converged; lane 1, 1: STALLED")


def test_each_lane_is_described_by_its_own_numbers():
    message = solution([2, 2], value=[0.5, 3.5], num_steps=[11, 12]).message
    first, second = message.split("; lane 1: ")
    assert "after 11 steps" in first
    assert "diverged" not in first
    assert "after 12 steps" in second
    assert "diverged" in second


def test_raise_if_failed_returns_a_solution_that_converged():
    for converged in (solution(Status.CONVERGED), solution([1, 1])):
        assert converged.raise_if_failed() is converged


@pytest.mark.parametrize("status", [Status.RUNNING, Status.MAX_STEPS, Status.SEPARABLE, Status.NONFINITE])
def test_raise_if_failed_raises_the_message(status):
    with pytest.raises(RuntimeError, match=f"{status.name} after 7 steps"):
        solution(status).raise_if_failed()


def test_raise_if_failed_raises_for_one_failed_lane():
    with pytest.raises(RuntimeError, match=r"2 of 3 lanes converged; lane 1: NONFINITE"):
        solution([1, 5, 1]).raise_if_failed()


def test_statuses_compare_with_arrays():
    status = solution([1, 2, 4]).status
    assert_array_equal(status == Status.CONVERGED, [True, False, False])
    assert_array_equal(status == Status.SEPARABLE, [False, False, True])
    assert Status(int(status[1])) is Status.MAX_STEPS


def test_converged_is_told_lane_by_lane():
    assert_array_equal(solution([1, 2, 1]).converged, [True, False, True])
    assert solution(Status.CONVERGED).converged
    assert not solution(Status.RUNNING).converged


def test_solutions_pass_through_jit_vmap_and_tree_map():
    lanes = solution([1, 2, 4], value=[0.1, 0.2, 0.3])
    through_jit = jax.jit(lambda s: s)(lanes)
    through_vmap = jax.vmap(lambda s: s)(lanes)
    for other in (through_jit, through_vmap):
        assert isinstance(other, jlr.Solution)
        assert other.message == lanes.message
        assert other.params.kind == lanes.params.kind
    assert_array_equal(jax.vmap(lambda s: s.converged)(lanes), lanes.converged)
    last = jax.tree.map(lambda x: x[2], lanes)
    assert last.message.startswith("SEPARABLE after 7 steps")
    assert last.params.coef.shape == (2,)


def test_the_kind_of_a_model_is_no_array():
    params = jlr.Params(jnp.zeros((3, 2), DTYPE), jnp.zeros(3, DTYPE), "softmax")
    assert len(jax.tree.leaves(params)) == 2
    assert jax.jit(lambda p: p)(params).kind == "softmax"
