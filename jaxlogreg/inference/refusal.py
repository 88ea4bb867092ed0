"""Why there is no inference: the reasons, as data.

A standard error of a fit that is no maximum of the likelihood is a number without a meaning. Where that is so,
numbers are NaN, and a code beside them says why, lane by lane; :func:`explain` says it in words.
"""

import enum
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jax import Array

from ..concrete import is_concrete
from ..solution import Solution, Status

__all__ = ["Refusal", "explain", "first_of"]


class Refusal(enum.IntEnum):
    """Why numbers are NaN."""

    NONE = 0
    NOT_CONVERGED = 1
    SEPARABLE = 2
    PENALIZED = 3
    OTHER_DATA = 4
    SINGULAR = 5
    UNDETERMINED = 6


_REASON = {
    Refusal.NONE: "",
    Refusal.NOT_CONVERGED: (
        "the fit did not converge, and where it stopped is no estimate; look at its message, raise max_steps or loosen "
        "tol"
    ),
    Refusal.SEPARABLE: (
        "the classes are completely separated, and the maximum-likelihood estimate is infinite; use fit_firth, or a "
        "penalty with laplace (detect_separation tells which coefficients)"
    ),
    Refusal.PENALIZED: (
        "the fit is penalised: its estimates are shrunken, and standard errors of maximum likelihood are not theirs; "
        "fit with l2=0 and l1=0, or ask for penalized='sandwich', or see laplace and bootstrap"
    ),
    Refusal.OTHER_DATA: (
        "the score is not zero at these coefficients: they are no maximum of this likelihood; pass the X, y, "
        "sample_weight and offset of the fit, which must be without penalty and bounds"
    ),
    Refusal.SINGULAR: (
        "the information is singular: columns depend on each other linearly (duplicates, a constant beside the "
        "intercept, all levels of a factor), or float32 cannot tell them apart; drop one of them, or use float64"
    ),
    Refusal.UNDETERMINED: (
        "another Newton step would still move margins: either the classes are separated but for rows on the boundary "
        "(quasi-complete separation: some estimates are infinite; see detect_separation and fit_firth), or tol was too "
        "loose for these data"
    ),
}


def first_of(fit: Solution, **wrong: Array) -> Array:
    """The first reason that applies, an int32: the status of the fit, then the given ones in their order."""
    status = jnp.asarray(fit.status)
    code = jnp.where(status == int(Status.CONVERGED), int(Refusal.NONE), int(Refusal.NOT_CONVERGED))
    code = jnp.where(status == int(Status.SEPARABLE), int(Refusal.SEPARABLE), code)
    for name, applies in wrong.items():
        code = jnp.where((code == int(Refusal.NONE)) & applies, int(Refusal[name]), code)
    return code.astype(jnp.int32)


def explain(refusal: Array, reasons: Mapping[Refusal, str] = _REASON) -> str:
    """In words; empty where nothing was refused. For concrete codes, not inside jit."""
    if not is_concrete(refusal):
        return ""
    codes = np.asarray(refusal)
    if codes.ndim == 0:
        return reasons[Refusal(int(codes))]
    refused = codes[codes != Refusal.NONE]
    if not refused.size:
        return ""
    counts = [(code, int(np.sum(refused == code))) for code in Refusal if np.any(refused == code)]
    return f"{refused.size} of {codes.size} refused; " + "; ".join(f"{n}: {reasons[code]}" for code, n in counts)
