"""The table of a fit: estimates, standard errors, tests, odds ratios, and how well the model fits as a whole.

The numbers are arrays, computed by pure functions: under ``jax.vmap`` a thousand fits are summed up in one program. The
table that is printed is made of them at the end, for one fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import is_concrete
from ..models.inputs import Design
from ..pytrees import register_dataclass
from ..solution import Solution
from .firth import FirthSolution
from .likelihood import Rows, as_rows, null_log_likelihood
from .refusal import explain
from .table import render
from .wald import Covariance, as_clusters, estimate

__all__ = ["Summary", "as_level", "summary"]


@register_dataclass
@dataclass(frozen=True)
class Summary:
    """What a fit says, the intercept first: ``k`` coefficients, of a softmax fit ``(K-1, k)`` beside the reference.

    Args:
        coef, std_error: estimates on the scale of log odds, and their standard errors.
        z, p_value: ``coef / std_error``, and the two-sided normal tail beyond it.
        lower, upper: the Wald interval, ``coef ± z_level std_error``.
        odds_ratio, odds_ratio_lower, odds_ratio_upper: the exponentials: the factor by which one unit more of a column
            multiplies the odds.
        log_likelihood: ``ℓ = Σ sᵢ log P(yᵢ | xᵢ)``; of a Firth fit with its penalty, ``ℓ + ½ log det I``.
        deviance, null_deviance: ``-2 ℓ``, without any penalty, of this model and of one with an intercept alone (and
            the offset).
        aic, bic: ``-2 log_likelihood + 2 k`` and ``+ k log num_rows``.
        pseudo_r2: McFadden's, ``1 - deviance / null_deviance``.
        num_rows: ``Σ sᵢ``.
        status: of the fit, a :class:`Status`.
        level: of the intervals.
        refusal: why numbers are NaN, a :class:`Refusal`; ``message`` says it in words.
        model: what was fitted, in words.
        names: of the coefficients.
        covariance: which one the standard errors are from.
        classes: of a softmax fit, the class of each row of coefficients; ``reference`` the one they are compared with.
    """

    coef: Array
    std_error: Array
    z: Array
    p_value: Array
    lower: Array
    upper: Array
    odds_ratio: Array
    odds_ratio_lower: Array
    odds_ratio_upper: Array
    log_likelihood: Array
    deviance: Array
    null_deviance: Array
    aic: Array
    bic: Array
    pseudo_r2: Array
    num_rows: Array
    status: Array
    level: Array
    refusal: Array
    model: str = field(metadata={"static": True})
    names: tuple[str, ...] = field(metadata={"static": True})
    covariance: str = field(metadata={"static": True})
    classes: tuple[int, ...] = field(metadata={"static": True})
    reference: int | None = field(metadata={"static": True})

    @property
    def message(self) -> str:
        """Why there are no standard errors, and what to do; empty where there are."""
        return explain(self.refusal)

    def to_dict(self) -> dict[str, Any]:
        """Everything as NumPy arrays, numbers and strings, for a table of one's own."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value if isinstance(value, (str, int, tuple, type(None))) else np.asarray(value)[()]
            for name, value in values.items()
        } | {"message": self.message}

    def __str__(self) -> str:
        if not is_concrete(self.coef):
            return repr(self)
        if np.ndim(self.log_likelihood):
            return (
                f"Summary of {np.shape(self.log_likelihood)} fits; {self.message or 'none refused'}. One of them: "
                "jax.tree.map(lambda x: x[i], summary)"
            )
        return render(self)


def summary(
    fit: Solution,
    X: Design,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    covariance: Covariance = "model",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: ArrayLike = 0.95,
    penalized: Literal["refuse", "sandwich"] = "refuse",
    reference: int = 0,
) -> Summary:
    """Sum up a fit: a table that prints, of arrays to compute with.

    Args:
        fit: of :func:`fit`, :func:`fit_softmax` or :func:`fit_firth`.
        X, y, sample_weight, offset: those of the fit. Weights count as repetitions of rows (but see
            :func:`covariance` for the sandwiches).
        names: of the columns, ``n`` strings; ``x0, x1, ...`` when None.
        covariance, clusters, penalized, reference: as :func:`covariance` has them.
        level: of the intervals, in (0, 1).

    Returns:
        A :class:`Summary`. Where standard errors would mean nothing (the fit is penalised, separated or not
        converged, the information singular, the data not those of the fit), they and what follows from them are NaN,
        and ``message`` says why.

    Raises:
        ValueError: as :func:`covariance`, and for a wrong number of names or a level outside (0, 1).

    References: McCullagh & Nelder, Generalized Linear Models (1989); McFadden (1974), for the pseudo R².

    >>> import jax.numpy as jnp, jaxlogreg as jlr
    >>> hours = jnp.array([[0.5], [1.0], [1.5], [2.0], [2.5], [3.0], [3.5], [4.0]])
    >>> passed = jnp.array([0, 0, 1, 0, 1, 0, 1, 1])
    >>> print(jlr.summary(jlr.fit(hours, passed), hours, passed, names=["hours"]))
    Logistic regression: CONVERGED, 8 rows, covariance: model
    log-likelihood -4.22...
    deviance 8.44...
    <BLANKLINE>
                      coef std error       z    P>|z|    [0.025    0.975]  odds ratio    [0.025    0.975]
    (Intercept)    -2.67... 2.12...   -1.26   0.20...
    hours           1.18... 0.86...    1.37   0.16...
    """
    rows = as_rows(fit.params, X, y, sample_weight, offset)
    level = as_level(level, rows.num_rows.dtype)
    has_intercept = fit.params.has_intercept
    n = fit.params.coef.shape[-1]
    columns = tuple(f"x{j}" for j in range(n)) if names is None else tuple(map(str, names))
    if len(columns) != n:
        raise ValueError(f"names must be {n} strings, one for each column of X, got {len(columns)}")
    found = estimate(fit, rows, as_clusters(covariance, clusters, rows), covariance, penalized, reference)
    numbers = _numbers(fit, rows, found.coef, found.covariance, found.refusal, level)
    multiclass = fit.params.kind == "softmax"
    others = [k for k in range(fit.params.coef.shape[0]) if k != reference] if multiclass else []
    return Summary(
        **numbers,
        model=_model(fit),
        names=("(Intercept)", *columns) if has_intercept else columns,
        covariance=covariance if penalized == "refuse" else f"{covariance}, penalised sandwich",
        classes=tuple(others),
        reference=reference if multiclass else None,
    )


def as_level(level: ArrayLike, dtype: Any) -> Array:
    """The level of an interval, checked."""
    value = jnp.asarray(level, dtype)
    if value.ndim:
        raise ValueError(f"level must be a number, got shape {value.shape}")
    if is_concrete(value) and not 0.0 < float(value) < 1.0:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {float(value):g}")
    return value


def _model(fit: Solution) -> str:
    if isinstance(fit, FirthSolution):
        return "Firth's logistic regression"
    return "Multinomial logistic regression" if fit.params.kind == "softmax" else "Logistic regression"


@program
def _numbers(
    fit: Solution, rows: Rows, coef: Array, covariance: Array, refusal: Array, level: Array
) -> dict[str, Array]:
    # As a sum: jnp.diagonal gathers, which XLA on a CPU compiles slowly.
    variance = jnp.sum(jnp.where(jnp.eye(covariance.shape[0], dtype=bool), covariance, 0.0), axis=0)
    std_error = jnp.sqrt(variance).reshape(coef.shape)
    z = coef / std_error
    reach = jax.scipy.special.ndtri(0.5 + 0.5 * level) * std_error
    lower, upper = coef - reach, coef + reach
    # The sure part of the value is the loss itself: the penalty is what the fit says it is.
    log_likelihood = -rows.num_rows * rows.loss.value(_margins(fit, rows))
    null = null_log_likelihood(rows)
    total = -rows.num_rows * fit.value if isinstance(fit, FirthSolution) else log_likelihood
    # A penalised fit does not have as many parameters as coefficients.
    k = jnp.where((refusal == 0) & _maximises(fit), jnp.asarray(coef.size, coef.dtype), jnp.nan)
    return {
        "coef": coef,
        "std_error": std_error,
        "z": z,
        "p_value": lax.erfc(jnp.abs(z) * 0.5**0.5),
        "lower": lower,
        "upper": upper,
        "odds_ratio": jnp.exp(coef),
        "odds_ratio_lower": jnp.exp(lower),
        "odds_ratio_upper": jnp.exp(upper),
        "log_likelihood": total,
        "deviance": -2.0 * log_likelihood,
        "null_deviance": -2.0 * null,
        "aic": -2.0 * total + 2.0 * k,
        "bic": -2.0 * total + k * jnp.log(rows.num_rows),
        "pseudo_r2": 1.0 - log_likelihood / null,
        "num_rows": rows.num_rows,
        "status": jnp.asarray(fit.status),
        "level": level,
        "refusal": refusal,
    }


def _maximises(fit: Solution) -> Array:
    """Whether the fit is of maximum likelihood, or of Firth's."""
    if isinstance(fit, FirthSolution) or fit.penalty is None:
        return jnp.ones((), bool)
    return fit.penalty == 0.0


def _margins(fit: Solution, rows: Rows) -> Array:
    params = fit.params
    weights = jnp.concatenate([params.coef, params.intercept[..., None]], axis=-1)
    return rows.linear_map.mv((weights if params.has_intercept else params.coef).reshape(-1))
