"""How the library's programs are compiled when they run by themselves.

XLA's options belong to a whole program, and the program is ours only where a function is called outside
every transformation. Inside somebody's ``jax.jit``, ``jax.grad`` or ``jax.lax.map`` a call becomes a part of theirs.
"""

from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jax.core import Tracer

__all__ = ["program"]

P = ParamSpec("P")
R = TypeVar("R")

# XLA's newer emitters of fused loops take a third of its time to compile on a CPU, and what they emit runs no faster
# here.
WELL = {"xla_cpu_use_fusion_emitters": False}
# Without optimisation compiling takes half of that again, and what little work there is takes twice as long.
QUICKLY = WELL | {"xla_backend_optimization_level": 0, "xla_cpu_parallel_codegen_split_count": 1}


def program(
    function: Callable[P, R], *, static_argnums: int | Sequence[int] = (), quickly: bool = False
) -> Callable[P, R]:
    """``jax.jit(function)``, on a CPU with the options that suit this library.

    Args:
        function, static_argnums: as for ``jax.jit``.
        quickly: prefer a short compilation to a fast program.
    """
    part = jax.jit(function, static_argnums=static_argnums)
    whole = cache(
        lambda: jax.jit(
            function, static_argnums=static_argnums, compiler_options=_options(quickly, jax.default_backend())
        )
    )

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return (part if _is_part((args, kwargs)) else whole())(*args, **kwargs)

    return call


def _is_part(arguments: Any) -> bool:
    """Whether a call is a part of something larger: has traced arguments, or is itself being traced."""
    leaves = jax.tree.leaves(arguments)
    return any(isinstance(x, Tracer) for x in leaves) or isinstance(jnp.asarray(0.0), Tracer)


@cache
def _options(quickly: bool, backend: str) -> dict[str, Any] | None:
    """None where the compiler does not know them: their names are XLA's, and may change."""
    options = QUICKLY if quickly else WELL
    if backend != "cpu":
        return None
    try:
        jax.jit(lambda: 0, compiler_options=options).lower().compile()
    except jax.errors.JaxRuntimeError:
        return None
    return options
