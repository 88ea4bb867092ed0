"""Classes of the same shape are different pytrees, so that nothing compiled for one ever runs for another."""

import ast
import itertools
from dataclasses import dataclass, field, fields
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.tree_util import GetAttrKey

import jaxlogreg as jlr
from jaxlogreg.penalties import NoPenalty
from jaxlogreg.pytrees import register_dataclass

PACKAGE = Path(jlr.__file__).parent


@pytest.mark.parametrize(
    "alike",
    [
        (jlr.Newton(), jlr.BFGS(), jlr.DFP(), jlr.NewtonCG(), jlr.LBFGS(), NoPenalty()),
        tuple(jlr.ConjugateGradient(rule) for rule in ("fletcher_reeves", "hager_zhang")),
    ],
)
def test_structures_differ(alike):
    for a, b in itertools.combinations(alike, 2):
        assert jax.tree.structure(a) != jax.tree.structure(b)
        assert jax.tree.structure([a, 1.0]) != jax.tree.structure([b, 1.0])


def test_a_class_of_the_same_shape_is_compiled_anew():
    @register_dataclass
    @dataclass(frozen=True)
    class Plus:
        x: jax.Array

        def of(self, y):
            return y + self.x

    @register_dataclass
    @dataclass(frozen=True)
    class Minus(Plus):
        def of(self, y):
            return y - self.x

    assert jax.tree.structure(Plus(1.0)) != jax.tree.structure(Minus(1.0))
    apply = jax.jit(lambda shift, y: shift.of(y))
    two, five = jnp.asarray(2.0), jnp.asarray(5.0)
    assert (apply(Plus(two), five), apply(Minus(two), five)) == (7.0, 3.0)


def test_fields_are_children_in_their_order_and_static_ones_structure():
    @register_dataclass
    @dataclass(frozen=True)
    class Mixed:
        first: float
        name: str = field(metadata={"static": True})
        second: float = 0.0

    x = Mixed(1.0, "a", 2.0)
    leaves, tree = jax.tree.flatten(x)
    assert leaves == [1.0, 2.0]
    assert jax.tree.unflatten(tree, leaves) == x
    assert tree == jax.tree.structure(Mixed(3.0, "a", 4.0))
    assert tree != jax.tree.structure(Mixed(1.0, "b", 2.0))
    keys = [path for path, _ in jax.tree_util.tree_leaves_with_path(x)]
    assert keys == [(GetAttrKey(f.name),) for f in fields(Mixed) if f.name != "name"]


def test_the_library_registers_its_dataclasses_so():
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "jax.tree_util":
                assert "register_dataclass" not in {name.name for name in node.names}, file
