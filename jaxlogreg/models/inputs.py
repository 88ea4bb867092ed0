"""What users pass in: checked where it enters, converted once.

Shapes are checked always, values where they are concrete (inside ``jit``, ``vmap`` and ``grad`` there
are none to look at). An error names the argument, what was got and what to do. Converting numbers to
arrays of the data's dtype here means that ``1``, ``1.0`` and ``np.float32(1)`` share a compilation.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from ..compilation import program
from ..concrete import as_size, is_concrete
from ..linear_maps import Columns
from ..solution import Params

__all__ = [
    "Design",
    "as_batch_size",
    "as_binary_labels",
    "as_bound",
    "as_class_labels",
    "as_design",
    "as_extra_columns",
    "as_groups",
    "as_initial_weights",
    "as_nonnegative",
    "as_num_classes",
    "as_num_samples",
    "as_offset",
    "dtype_of",
]


Design = ArrayLike | Columns  # what may stand for X

LARGE = 2**20  # numbers from which on a sum by all cores is worth a compilation
_sum = program(jnp.sum)


def as_design(value: Design) -> Array | Columns:
    """``X`` as a floating-point array ``(m, n)``, or as columns of such arrays."""
    if isinstance(value, Columns):
        return _as_columns(value)
    X = _as_array("X", value)
    if X.ndim != 2:
        hint = "; for one column, X.reshape(-1, 1); for one row, X[None, :]" if X.ndim == 1 else ""
        raise ValueError(f"X must have two axes (rows, columns), got shape {X.shape}{hint}")
    if 0 in X.shape:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")
    _check_finite("X", X, "; drop or impute these rows")
    return X


def _as_columns(value: Columns) -> Columns:
    shared, own = _as_array("Columns.shared", value.shared), _as_array("Columns.own", value.own)
    dtype = np.promote_types(shared.dtype, own.dtype)
    if shared.ndim != 2 or own.ndim not in (1, 2) or shared.shape[0] != own.shape[0] or 0 in own.shape + shared.shape:
        raise ValueError(
            "Columns must have shared columns (rows, columns) and own columns (rows,) or (rows, columns) with the same "
            f"rows, got shapes {shared.shape} and {own.shape}"
        )
    for name, array in (("Columns.shared", shared), ("Columns.own", own)):
        _check_finite(name, array, "; drop or impute these rows")
    return Columns(shared.astype(dtype), own.astype(dtype))


def as_extra_columns(value: ArrayLike, X: Design) -> Array:
    """Columns beside those of ``X``, ``(m,)`` or ``(m, q)``, as lanes ``(q, m)``."""
    matrix = as_design(X)
    extra = _as_array("extra", value, dtype_of(matrix))
    if extra.ndim not in (1, 2) or extra.shape[0] != matrix.shape[0] or 0 in extra.shape:
        raise ValueError(
            f"extra must have one row for each of the {matrix.shape[0]} rows of X, got shape {extra.shape}"
        )
    _check_finite("extra", extra, "; drop or impute these rows")
    return extra[None] if extra.ndim == 1 else extra.T


def dtype_of(X: Array | Columns) -> Any:
    """The dtype of the data, and so of the fit."""
    return X.shared.dtype if isinstance(X, Columns) else X.dtype


def as_binary_labels(value: ArrayLike, X: Array | Columns, sample_weight: Array | None, intercept: bool) -> Array:
    """Labels 0 or 1 as an array ``(m,)`` of the dtype of ``X``; both classes, if there is an intercept."""
    y = _rows("y", _as_array("y", value, dtype_of(X)), X)
    if is_concrete(y):
        values = np.asarray(y)
        outside = values[(values != 0) & (values != 1)]
        if outside.size:
            raise ValueError(
                f"y must hold labels 0 and 1, got {outside[0]:g}; recode it, as (y == positive_label), "
                "or see fit_one_vs_all and fit_softmax for more than two classes"
            )
        counted = values[_counted(sample_weight, values.shape)]
        if intercept and counted.size and np.all(counted == counted[0]):
            raise ValueError(
                f"y must hold both classes, got only {counted[0]:g} (in rows of positive weight); "
                "no finite intercept fits one class (intercept=False would do without)"
            )
    return y


def as_class_labels(
    num_classes: int, value: ArrayLike, X: Array | Columns, sample_weight: Array | None, intercept: bool
) -> Array:
    """Integer labels ``0 .. num_classes - 1``, int32 ``(m,)``; every class, if there are intercepts."""
    wrong = _wrong_labels(value, num_classes) if is_concrete(value) else []
    if len(wrong):
        raise ValueError(
            f"labels must be integers 0 to {num_classes - 1} (num_classes is {num_classes}), got {wrong[0]!r}; "
            "recode them, as np.unique(labels, return_inverse=True)[1]"
        )
    labels = _rows("labels", _as_array("labels", value, jnp.int32), X)
    if intercept and is_concrete(labels):
        values = np.asarray(labels)
        count = np.bincount(values[_counted(sample_weight, values.shape)], minlength=num_classes)
        if np.any(count == 0):
            raise ValueError(
                f"labels must hold every class, but class {int(np.argmin(count))} has no row (of positive weight); "
                "renumber the classes and lower num_classes"
            )
    return labels


def as_num_classes(num_classes: Any) -> int:
    """The number of classes, a Python integer."""
    return as_size("num_classes", num_classes, 2)


def as_num_samples(num_samples: Any) -> int:
    """How many samples are drawn, a Python integer."""
    return as_size("num_samples", num_samples, 1)


def as_batch_size(value: Any) -> int | None:
    """How many lanes at a time, a Python integer, or None."""
    return None if value is None else as_size("batch_size", value, 1, " (it is a shape), or None")


def as_nonnegative(name: str, value: ArrayLike, dtype: Any, shape: tuple[int, ...]) -> Array:
    """A weight, penalty or factor: finite, at least 0, of the given shape."""
    array = _as_array(name, value, dtype)
    if array.shape != shape:
        hint = "; for a path of penalties, fit_path" if name in ("l2", "l1") else ""
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}{hint}")
    _check_finite(name, array, "")
    if is_concrete(array):
        values = np.asarray(array)
        if np.any(values < 0):
            raise ValueError(f"{name} must be at least 0, got {values.min():g}")
        if name == "sample_weight" and not np.any(values > 0):
            raise ValueError("sample_weight must be positive for at least one row, got zeros only")
    return array


def as_bound(name: str, value: ArrayLike | None, X: Array | Columns) -> Array | None:
    """``lower`` or ``upper``, ``(n,)`` or ``()``, or None: on its side of zero, infinite where there is no bound."""
    if value is None:
        return None
    array, shape = _as_array(name, value, dtype_of(X)), (X.shape[1],)
    if array.shape not in ((), shape):
        raise ValueError(f"{name} must have shape {shape}, or be one number for all columns, got shape {array.shape}")
    if is_concrete(array):
        side, values = ("at most", -np.asarray(array)) if name == "lower" else ("at least", np.asarray(array))
        if not np.all(values >= 0):  # NaN is neither
            raise ValueError(f"{name} must be {side} 0 (a coefficient may always be zero), got {array}")
    return array


def as_groups(value: ArrayLike | None, n: int, factor: Array | None) -> Array | None:
    """The group of each column, integers ``(n,)``, or None; one penalty factor to a group."""
    if value is None:
        return None
    groups = value if isinstance(value, jax.Array) else np.asarray(value)
    if groups.shape != (n,) or groups.dtype.kind not in "iu":
        raise ValueError(f"groups must hold an integer for each of the {n} columns, got {groups.dtype}{groups.shape}")
    if is_concrete(groups):
        _, first, groups = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
        if factor is not None and is_concrete(factor):
            factors = np.asarray(factor)
            differs = factors != factors[first][groups]
            if np.any(differs):
                group = groups == groups[np.argmax(differs)]
                raise ValueError(
                    "penalty_factor must be the same for all columns of a group, but among those of column "
                    f"{np.argmax(group)} it is {factors[group]}"
                )
    return jnp.asarray(groups, jnp.int32)


def as_offset(offset: ArrayLike | None, X: Array | Columns, classes: tuple[int, ...] = ()) -> Array | None:
    """The offset as an array ``(m, *classes)``, or None."""
    if offset is None:
        return None
    array, shape = _as_array("offset", offset, dtype_of(X)), (X.shape[0], *classes)
    if array.shape != shape:
        raise ValueError(f"offset must have shape {shape}, one number a row, got {array.shape}")
    _check_finite("offset", array, "")
    return array


def as_initial_weights(init: Params | None, X: Array | Columns, classes: tuple[int, ...] = ()) -> Params | None:
    """``Params`` to start from, with ``coef`` ``(*classes, n)`` and ``intercept`` ``(*classes,)``."""
    if init is None:
        return None
    if not isinstance(init, Params):
        raise ValueError(
            f"init must be Params(coef, intercept), such as another solution's params, got {type(init).__name__}"
        )
    dtype = dtype_of(X)
    params = Params(_as_array("init.coef", init.coef, dtype), _as_array("init.intercept", init.intercept, dtype))
    for name, array, shape in (
        ("init.coef", params.coef, (*classes, X.shape[1])),
        ("init.intercept", params.intercept, classes),
    ):
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
        _check_finite(name, array, "")
    return params


def _as_array(name: str, value: Any, dtype: Any = None) -> Array:
    try:
        array = value if isinstance(value, jax.Array) else np.asarray(value)
        if array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16:
            raise TypeError(f"dtype {array.dtype}")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of real numbers, got {type(value).__name__} ({error})") from None
    dtype = jax.dtypes.canonicalize_dtype(_working_dtype(array.dtype) if dtype is None else dtype)
    # What is on the host is converted there (JAX would compile a conversion) and moved by the call of
    # the compiled fit, which is faster than moving arrays one by one.
    with np.errstate(over="ignore"):  # what overflows is reported as infinity
        converted: Any = array.astype(dtype, copy=False) if isinstance(array, np.ndarray) else array.astype(dtype)
    return converted


def _working_dtype(dtype: Any) -> Any:
    """Float32 and float64 stay, narrower floats become float32, integers the default float."""
    if not jnp.issubdtype(dtype, jnp.floating):
        return jnp.result_type(float)
    bits = jnp.finfo(dtype).bits
    return dtype if bits in (32, 64) else jnp.float32 if bits < 32 else jnp.result_type(float)


def _rows(name: str, array: Array, X: Array | Columns) -> Array:
    if array.shape != (X.shape[0],):
        raise ValueError(f"{name} must have one entry for each of the {X.shape[0]} rows of X, got shape {array.shape}")
    _check_finite(name, array, "; drop these rows")
    return array


def _wrong_labels(value: ArrayLike, num_classes: int) -> Any:
    """The labels, flat, that are no integers in range."""
    try:
        values = np.asarray(value).ravel()
    except ValueError:  # rows of different lengths
        return [value]
    if values.dtype.kind not in "biuf":
        return values
    return values[~((values == np.floor(values)) & (values >= 0) & (values < num_classes))]


def _counted(sample_weight: Array | None, shape: tuple[int, ...]) -> np.ndarray:
    if sample_weight is None or not is_concrete(sample_weight):
        return np.ones(shape, bool)
    return np.asarray(sample_weight) > 0


def _check_finite(name: str, array: Array, remedy: str) -> None:
    if not is_concrete(array) or array.dtype.kind in "biu":
        return
    if isinstance(array, jax.Array) and next(iter(array.devices())).platform != "cpu":
        finite = bool(jnp.all(jnp.isfinite(array)))  # there, rather than moving the data here
    else:
        values = np.asarray(array)
        with np.errstate(over="ignore", invalid="ignore"):
            # One fast pass: NaN and infinity survive a sum. A sum may also overflow: then look closely.
            total = _sum(array) if array.size >= LARGE and isinstance(array, jax.Array) else values.sum()
            finite = bool(np.isfinite(total)) or bool(np.isfinite(values).all())
    if not finite:
        values = np.asarray(array)
        where = np.argwhere(~np.isfinite(values))[0]
        place = f" at [{', '.join(map(str, where))}]" if values.ndim else ""
        raise ValueError(f"{name} must be finite, got {values[tuple(where)]:g}{place}{remedy}")
