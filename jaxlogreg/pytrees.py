"""Dataclasses as pytrees that are told apart by their class."""

from dataclasses import fields
from typing import Any, TypeVar

from jax.tree_util import GetAttrKey, register_pytree_with_keys

__all__ = ["register_dataclass"]

Class = TypeVar("Class", bound=type[Any])


def register_dataclass(cls: Class) -> Class:
    """Make a dataclass a pytree, whose fields with ``metadata={"static": True}`` are part of its structure.

    ``jax.tree_util.register_dataclass`` makes nodes whose structures jaxlib 0.10.2 takes for equal whatever their class
    is, if they have as many fields and equal static ones. Their hashes differ, but ``jax.jit`` looks at a part of those
    only: now and then it then runs for one class what it compiled for another.
    """
    static = tuple(f.name for f in fields(cls) if f.metadata.get("static", False))
    data = tuple(f.name for f in fields(cls) if f.name not in static)

    def flatten(x: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(x, name) for name in data), tuple(getattr(x, name) for name in static)

    def flatten_with_keys(x: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        children, statics = flatten(x)
        return tuple(zip(map(GetAttrKey, data), children, strict=True)), statics

    def unflatten(statics: tuple[Any, ...], children: Any) -> Any:
        return cls(**dict(zip(data, children, strict=True)), **dict(zip(static, statics, strict=True)))

    register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
