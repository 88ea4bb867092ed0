"""The bootstrap: the same fit on many resamples of the rows, as weights."""

from dataclasses import replace
from functools import partial
from typing import Unpack

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..solution import Solution
from ..solvers import Solver
from ..solvers.loop import Limits
from ..solvers.solve import MIN_LANES
from .binary import FitData, FitOptions, as_data, fit_core, fit_settings
from .inputs import Design, as_batch_size, as_binary_labels, as_design, as_num_samples

__all__ = ["bootstrap"]

BATCH_NUMBERS = 2**20  # in one array of lanes x rows


def bootstrap(
    X: Design,
    y: ArrayLike,
    num_samples: int,
    key: Array,
    *,
    batch_size: int | None = None,
    **options: Unpack[FitOptions],
) -> Solution:
    """Fit ``num_samples`` resamples of the rows, drawn with replacement, in one compiled program.

    A resample of ``m`` rows is a weight for each row, how often it was drawn, so that all fits share the
    data; they start from the fit to the rows themselves and share its preconditioner.

    Args:
        X, y: as in :func:`fit`.
        num_samples: how many resamples, a Python integer.
        key: a ``jax.random.key``; the same key draws the same resamples.
        batch_size: how many fits run at a time; chosen when None.
        **options: those of :func:`fit`. ``sample_weight`` multiplies how often a row was drawn.

    Returns:
        A :class:`Solution` with a leading axis of ``num_samples``. A 95 % percentile interval of each
        coefficient is ``jnp.quantile(solution.params.coef, jnp.array([0.025, 0.975]), axis=0)``. A resample
        that is separable says so in its status.

    Raises:
        ValueError: as :func:`fit` does, and if ``num_samples`` is not a positive integer.

    Reference: Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979).

    >>> import jaxlogreg as jlr
    >>> X, y = jnp.linspace(-2.0, 2.0, 40)[:, None], jnp.arange(40) % 3 == 0
    >>> jlr.bootstrap(X, y, 20, jax.random.key(0)).params.coef.shape
    (20, 1)
    """
    matrix = as_design(X)
    num_samples = as_num_samples(num_samples)
    data = as_data(matrix, y, as_binary_labels, options)
    size = as_batch_size(batch_size) or max(MIN_LANES, BATCH_NUMBERS // matrix.shape[0])
    settings = fit_settings(options, data, matrix.shape[1] + data.intercept)
    return _bootstrap(num_samples, min(size, num_samples), key, data, *settings)


@partial(program, static_argnums=(0, 1))
def _bootstrap(num_samples: int, size: int, key: Array, data: FitData, solver: Solver, limits: Limits) -> Solution:
    m = data.y.shape[0]
    start = lax.stop_gradient(fit_core(data, solver, limits).params)
    limits = replace(limits, batch_size=size)

    def resample(key: Array) -> Solution:
        rows = jax.random.randint(key, (m,), 0, m)
        count = jnp.zeros((m,), data.y.dtype).at[rows].add(1.0)
        weight = count if data.sample_weight is None else count * data.sample_weight
        return fit_core(replace(data, sample_weight=weight, init=start), solver, limits)

    # The weights of a batch are drawn when its turn comes: all of them would be num_samples x m numbers.
    return lax.map(resample, jax.random.split(key, num_samples), batch_size=size)
