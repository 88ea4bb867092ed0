"""Probabilities of classes from one score each: calibrated class by class, then normalised.

Each class has its calibrator ``g_k`` of its own score, fitted to ``[label = k]``, and

    P(k | f) = g_k(f_k) / Σ_l g_l(f_l).

How sure are these? For Platt's curves the bootstrap answers, without assuming that they are the true ones or that
classes are independent (a row of one class is of no other): rows are drawn anew, all calibrators fitted to them, and
the probabilities of new rows computed from those. What they spread is the uncertainty of the calibration, given the
classifier. That of the classifier counts too if its scores are given anew for each sample, from refitted or posterior
weights. For isotonic curves the bootstrap does not hold: they converge more slowly than it can follow, and intervals
that say 90 % were measured to hold 70 % (120 rows, three classes). So there are none.

References: Zadrozny & Elkan, Transforming classifier scores into accurate multiclass probability estimates (2002);
Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7 (1979); Sen, Banerjee & Woodroofe,
Inconsistency of bootstrap: the Grenander estimator, Annals of Statistics 38 (2010).
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_size
from ..pytrees import register_dataclass
from .inputs import Scored, as_finite, as_number, as_real, as_scored
from .isotonic import IsotonicCalibrator, fit_isotonic
from .platt import PlattCalibrator, fit_platt

__all__ = ["OneVsAllCalibrator", "ProbabilityInterval", "one_vs_all", "one_vs_all_interval"]

BATCH_NUMBERS = 2**20  # scores in one batch of resamples
FITS = {"platt": fit_platt, "isotonic": fit_isotonic}


@register_dataclass
@dataclass(frozen=True)
class OneVsAllCalibrator:
    """Probabilities of ``K`` classes: call it with scores ``(rows, K)``.

    Args:
        calibrators: those of the classes, with a leading axis ``K`` in every field.
    """

    calibrators: PlattCalibrator | IsotonicCalibrator

    def __call__(self, score: ArrayLike) -> Array:
        """Probabilities ``(rows, K)`` whose rows sum to one; all alike where each class alone is given zero."""
        each = self.calibrators
        dtype = each.slope.dtype if isinstance(each, PlattCalibrator) else each.score.dtype
        scores = jnp.asarray(as_finite("score", score, dtype))
        classes = jax.tree.leaves(each)[0].shape[0]
        if scores.ndim != 2 or scores.shape[1] != classes:
            raise ValueError(f"score must have a column for each of the {classes} classes, got shape {scores.shape}")
        if isinstance(each, PlattCalibrator):
            # The largest logarithm cannot underflow, the sum of the probabilities can.
            margins = jax.vmap(lambda calibrator, f: calibrator.margin(f), (0, 1), 1)(each, scores)
            return jax.nn.softmax(jax.nn.log_sigmoid(margins), axis=1)
        p = jax.vmap(lambda calibrator, f: calibrator(f), (0, 1), 1)(each, scores)
        total = jnp.sum(p, axis=1, keepdims=True)
        return jnp.where(total > 0.0, p / jnp.where(total > 0.0, total, 1.0), 1.0 / classes)


def one_vs_all(
    labels: ArrayLike,
    score: ArrayLike,
    *,
    method: Literal["platt", "isotonic"] = "platt",
    sample_weight: ArrayLike | None = None,
) -> OneVsAllCalibrator:
    """Calibrate the scores of each class against the rest, as a ``vmap`` over classes, and normalise.

    Args:
        labels: integers ``0 .. K - 1``, ``(m,)``, of rows that the classifiers were not fitted on.
        score: of each class, ``(m, K)``: ``jlr.decision_function(params, X)`` of a :func:`fit_one_vs_all`.
        method: how to calibrate each, as :func:`platt` or as :func:`isotonic`.
        sample_weight: at least 0, ``(m,)``.

    Returns:
        A :class:`OneVsAllCalibrator`.

    Raises:
        ValueError: for another method and shapes that do not go together; of concrete inputs, for labels that are no
            such integers, scores that are not finite, and weights that are negative or all zero.

    >>> labels = jnp.array([0, 0, 1, 1, 2, 2])
    >>> score = jnp.array([[2.0, -1, -2], [1, 0, -2], [-1, 1, -1], [0, 0, -1], [-2, 0, 1], [-2, -1, 2]])
    >>> one_vs_all(labels, score)(jnp.array([[2.0, -1.0, -2.0]])).round(2)
    Array([[0.74, 0.14, 0.12]], dtype=float32)
    """
    if method not in FITS:
        raise ValueError(f"method must be one of {', '.join(map(repr, FITS))}, got {method!r}")
    return _one_vs_all(method, _as_classes(labels, score, sample_weight))


@register_dataclass
@dataclass(frozen=True)
class ProbabilityInterval:
    """How sure the probabilities of new rows are, ``(rows, K)`` each.

    Args:
        lower, upper: the limits of each class's probability.
        std_error: its standard deviation over the resamples.
    """

    lower: Array
    upper: Array
    std_error: Array


def one_vs_all_interval(
    labels: ArrayLike,
    score: ArrayLike,
    new_score: ArrayLike,
    num_samples: int,
    key: Array,
    *,
    level: ArrayLike = 0.95,
    sample_weight: ArrayLike | None = None,
) -> ProbabilityInterval:
    """Percentile intervals of the probabilities of :func:`one_vs_all` by Platt's method, by the bootstrap.

    They hold for one class of one row at a time, and for what the calibrator would be with any number of rows: a
    logistic curve that is not the true one stays so.

    Args:
        labels, score, sample_weight: as for :func:`one_vs_all`. With a leading axis, ``(num_samples, m, K)``, ``score``
            is that of as many classifiers, one for each resample, so that their uncertainty counts too: of
            ``fit_one_vs_all`` on resampled rows, say.
        new_score: of the rows asked for, ``(rows, K)``, or ``(num_samples, rows, K)`` by the same classifiers.
        num_samples: how many resamples, a Python integer; a thousand or more for 95 %.
        key: a ``jax.random.key``; the same key draws the same resamples.
        level: from 0 to 1.

    Returns:
        A :class:`ProbabilityInterval`.

    Raises:
        ValueError: as :func:`one_vs_all` does, and if ``num_samples`` is not an integer of at least 2.

    >>> labels = jnp.arange(60) % 3
    >>> score = jax.nn.one_hot(labels, 3) + jnp.sin(jnp.arange(180.0)).reshape(60, 3)
    >>> found = one_vs_all_interval(labels, score, score[:5], 100, jax.random.key(0))
    >>> p = one_vs_all(labels, score)(score[:5])
    >>> bool(jnp.all((found.lower < p) & (p < found.upper)))
    True
    """
    num_samples = as_size("num_samples", num_samples, 2)
    scores = jnp.asarray(as_real("score", score))
    fixed = scores.ndim == 2
    if not fixed and (scores.ndim != 3 or scores.shape[0] != num_samples):
        raise ValueError(f"score must be (m, K) or ({num_samples}, m, K) for each sample, got shape {scores.shape}")
    rows = _as_classes(labels, scores if fixed else scores[0], sample_weight)
    dtype = rows.score.dtype
    scores, new = (jnp.asarray(as_finite(*x, dtype)) for x in (("score", scores), ("new_score", new_score)))
    if new.ndim != scores.ndim or new.shape[-1] != scores.shape[-1] or not (fixed or new.shape[0] == num_samples):
        raise ValueError(
            f"new_score must have the classes of score, and its samples if it has any, got shape {new.shape} beside "
            f"{scores.shape}"
        )
    return _interval(num_samples, key, rows, scores, new, as_number("level", level, dtype, 0.0, 1.0))


def _as_classes(labels: ArrayLike, score: ArrayLike, sample_weight: ArrayLike | None) -> Scored:
    shape = as_real("score", score).shape
    if len(shape) != 2:
        raise ValueError(
            f"score must have a row for each label and a column for each class, (m, K), got shape {shape}; for two "
            "classes and one score, platt or isotonic"
        )
    return as_scored(labels, score, sample_weight, classes=True, name="labels")


@partial(program, static_argnums=0)
def _one_vs_all(method: str, rows: Scored) -> OneVsAllCalibrator:
    def calibrate(label: Array, score: Array) -> PlattCalibrator | IsotonicCalibrator:
        return FITS[method](Scored((rows.y == label).astype(jnp.int32), score, rows.weight))

    classes = jnp.arange(rows.score.shape[1], dtype=jnp.int32)
    return OneVsAllCalibrator(jax.vmap(calibrate, (0, 1))(classes, rows.score))


@partial(program, static_argnums=0)
def _interval(
    num_samples: int, key: Array, rows: Scored, score: Array, new_score: Array, level: Array
) -> ProbabilityInterval:
    m = rows.y.shape[0]

    def resample(sample: tuple[Array, Array, Array]) -> Array:
        key, score, new_score = sample
        drawn = jnp.zeros((m,), score.dtype).at[jax.random.randint(key, (m,), 0, m)].add(1.0)
        return _one_vs_all("platt", Scored(rows.y, score, drawn * rows.weight))(new_score)

    keys, size = jax.random.split(key, num_samples), max(1, BATCH_NUMBERS // rows.score.size)
    if score.ndim == 2:
        found = lax.map(lambda key: resample((key, score, new_score)), keys, batch_size=min(size, num_samples))
    else:
        found = lax.map(resample, (keys, score, new_score), batch_size=min(size, num_samples))
    lower, upper = jnp.quantile(found, jnp.stack([0.5 - 0.5 * level, 0.5 + 0.5 * level]), axis=0)
    return ProbabilityInterval(lower, upper, jnp.std(found, axis=0, ddof=1))
