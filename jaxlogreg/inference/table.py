"""A summary as text: the table that people of R and statsmodels recognise."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..solution import Status

if TYPE_CHECKING:
    from .summary import Summary

__all__ = ["render"]


def render(summary: "Summary") -> str:
    """The table of one fit, as it is printed."""
    s = summary
    tail = 50.0 * (1.0 - float(s.level))
    low, high = f"[{tail / 100:.3g}", f"{1 - tail / 100:.3g}]"
    lines = [
        f"{s.model}: {Status(int(s.status)).name}, {float(s.num_rows):.6g} rows, covariance: {s.covariance}",
        f"log-likelihood {_number(s.log_likelihood)}   AIC {_number(s.aic)}   BIC {_number(s.bic)}",
        f"deviance {_number(s.deviance)}, of the intercept alone {_number(s.null_deviance)}   "
        f"McFadden's R² {_number(s.pseudo_r2)}",
    ]
    columns = {
        "coef": (s.coef, 10), "std error": (s.std_error, 10), "z": (s.z, 8), "P>|z|": (s.p_value, 9),
        low: (s.lower, 10), high: (s.upper, 10),
        "odds ratio": (s.odds_ratio, 12), low + " ": (s.odds_ratio_lower, 10), high + " ": (s.odds_ratio_upper, 10),
    }  # fmt: skip
    width = max(11, *map(len, s.names)) + 1
    head = " " * width + "".join(f"{name.strip():>{size}}" for name, (_, size) in columns.items())
    for i, label in enumerate(s.classes or (None,)):
        lines += ["", head] if label is None else ["", f"class {label} against class {s.reference}", head]
        for j, name in enumerate(s.names):
            at = (j,) if label is None else (i, j)
            cells = (f"{_cell(column, values[at]):>{size}}" for column, (values, size) in columns.items())
            lines.append(f"{name:<{width}}" + "".join(cells))
    if s.message:
        lines += ["", f"No standard errors: {s.message}."]
    return "\n".join(lines)


def _cell(column: str, value: Any) -> str:
    if column == "P>|z|":
        return f"{float(value):.1e}" if float(value) < 1e-4 else f"{float(value):.4f}"
    return _number(value, digits=2 if column == "z" else 4)


def _number(x: Any, digits: int = 4) -> str:
    value = float(x)
    if not np.isfinite(value):
        return str(value)
    if value != 0.0 and not 10.0**-digits <= abs(value) < 1e6:
        return f"{value:.2e}"
    return f"{value:.{digits}f}" if abs(value) < 1e3 else f"{value:.2f}"
