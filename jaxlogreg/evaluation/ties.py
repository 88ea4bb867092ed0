"""Runs of equal scores, in sorted order: a threshold takes all rows of a run, or none.

Under ``jit`` the number of runs is not known. So each row looks up the first or the last row of its run, and what holds
of a run is said of each of its rows.
"""

import jax.numpy as jnp
from jax import Array, lax

__all__ = ["first_of_run", "last_of_run"]


def first_of_run(score: Array) -> Array:
    """For each of the sorted scores ``(m,)`` the place of the first that equals it.

    >>> first_of_run(jnp.array([0.1, 0.4, 0.4, 0.8]))
    Array([0, 1, 1, 3], dtype=int32)
    """
    begins = jnp.concatenate([jnp.ones(1, bool), score[1:] != score[:-1]])
    return lax.cummax(jnp.where(begins, _places(score), 0))


def last_of_run(score: Array) -> Array:
    """For each of the sorted scores ``(m,)`` the place of the last that equals it.

    >>> last_of_run(jnp.array([0.1, 0.4, 0.4, 0.8]))
    Array([0, 2, 2, 3], dtype=int32)
    """
    ends = jnp.concatenate([score[1:] != score[:-1], jnp.ones(1, bool)])
    return lax.cummin(jnp.where(ends, _places(score), score.shape[0] - 1), reverse=True)


def _places(score: Array) -> Array:
    return jnp.arange(score.shape[0], dtype=jnp.int32)
