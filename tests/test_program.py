"""Programs compiled by the library's own options stay parts of whatever they are called in."""

import ast
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import X64, array
from numpy.testing import assert_allclose

import jaxlogreg as jlr
from jaxlogreg import compilation
from jaxlogreg.compilation import program
from jaxlogreg.models import binary

PACKAGE = Path(jlr.__file__).parent
CPU = jax.default_backend() == "cpu"


@program
def cubes(x):
    """Of each number."""
    return x**3


def test_the_same_by_itself_and_as_a_part_of_any_transformation():
    x = array([1.0, 2.0, 3.0])
    expected = x * x * x
    for found in (
        cubes(x),
        jax.jit(cubes)(x),
        jax.jit(lambda: cubes(x))(),  # no argument is traced, and yet it is a part
        jax.vmap(cubes)(x),
        jax.lax.map(cubes, x),
        jax.jvp(cubes, (x,), (jnp.ones_like(x),))[1] * x / 3.0,
        jax.jit(jax.vmap(jax.grad(cubes)))(x) * x / 3.0,
        jax.grad(lambda _: 0.0 * jnp.sum(cubes(x)))(1.0) + expected,
    ):
        assert_allclose(found, expected, rtol=1e-6)
    assert jax.eval_shape(lambda: cubes(x)).shape == (3,)
    assert cubes.__doc__ == "Of each number."


def test_static_arguments_by_position_and_by_name():
    power = program(lambda x, exponent=2: x**exponent, static_argnums=1)
    assert (power(3.0), power(3.0, 1), power(3.0, exponent=3)) == (9.0, 3.0, 27.0)


@pytest.mark.skipif(not CPU, reason="the options are for the CPU's compiler")
def test_the_compiler_knows_the_options_and_others_are_left_out(monkeypatch):
    assert compilation._options(False, "cpu") == compilation.WELL
    assert compilation._options(True, "cpu") == compilation.QUICKLY
    assert compilation._options(True, "gpu") is None
    compilation._options.cache_clear()
    monkeypatch.setattr(compilation, "WELL", {"xla_no_such_option": True})
    assert compilation._options(False, "cpu") is None
    assert program(lambda x: x + 1.0)(1.0) == 2.0
    compilation._options.cache_clear()


def test_a_little_fit_is_the_fit(made, monkeypatch):
    X, y, _ = made
    little = jlr.fit(X, y, l2=0.1)
    monkeypatch.setattr(binary, "LITTLE", 0)
    large = jlr.fit(X, y, l2=0.1)
    assert_allclose(little.params.coef, large.params.coef, rtol=1e-12 if X64 else 1e-4)
    assert bool(little.converged)
    assert bool(large.converged)


def test_fits_inside_transformations(made):
    X, y, _ = made

    def slope(l2):
        return jlr.fit(X, y, l2=l2).params.coef[0]

    l2 = 0.1
    derivative = jax.grad(slope)(l2)
    assert_allclose(jax.jit(jax.grad(slope))(l2), derivative, rtol=1e-6 if X64 else 1e-3)
    assert_allclose(jax.jit(lambda: slope(l2))(), slope(l2), rtol=1e-9 if X64 else 1e-4)
    assert_allclose(jax.vmap(slope)(np.array([l2]))[0], slope(l2), rtol=1e-6 if X64 else 1e-3)


def test_nothing_is_jitted_but_by_program():
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.name != "compilation.py":
            for node in ast.walk(ast.parse(file.read_text())):
                assert not (isinstance(node, ast.Attribute) and node.attr == "jit"), f"{file}:{node.lineno}"
