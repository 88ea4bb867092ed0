"""What compiles, and how often: new data and new numbers never do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogreg as jlr


@pytest.fixture
def compilations(caplog):
    """The programs compiled since the last call, each with its shapes."""
    jax.config.update("jax_log_compiles", True)

    def since():
        programs = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Compiling")]
        caplog.clear()
        return programs

    with caplog.at_level("WARNING", logger="jax"):
        yield since
    jax.config.update("jax_log_compiles", False)


def test_new_numbers_do_not_recompile(made, compilations):
    X, y, weight = made
    rng = np.random.default_rng(0)
    on_device = jnp.asarray(0.4, X.dtype)  # which compiles something itself
    jax.jit(lambda x: x + 1.0)(1.0)
    jlr.fit(X, y, l2=0.1, sample_weight=weight)
    assert compilations()  # it does see them
    for l2 in (1, 2.0, np.float32(0.3), on_device):
        jlr.fit(X, y, l2=l2, sample_weight=weight)
    jlr.fit(X, rng.integers(0, 2, len(y)), l2=0.1, sample_weight=weight)
    jlr.fit(X, y.astype(bool), l2=0.1, sample_weight=weight.tolist(), tol=1e-3, max_steps=7)
    jlr.fit(X + 1, list(y), l2=0.1, sample_weight=np.ones(len(y), int))
    assert compilations() == []


def test_new_penalties_do_not_recompile_a_path_or_classes(made, compilations):
    X, y, _ = made
    jlr.fit_path(X, y, l2=[0.1, 0.2])
    jlr.fit_one_vs_all(X, y, 2, l2=0.1)
    jlr.fit_softmax(X, y, 2, l2=0.1)
    compilations()
    jlr.fit_path(X, 1 - y, l2=[1, 2])
    jlr.fit_one_vs_all(X, 1 - y, 2, l2=3)
    jlr.fit_softmax(X, 1 - y, 2, l2=4)
    assert compilations() == []


def test_a_new_step_size_does_not_recompile(made, compilations):
    X, y, _ = made
    jlr.fit(X, y, solver=jlr.GradientDescent(0.1), max_steps=3)
    compilations()
    jlr.fit(X, y, solver=jlr.GradientDescent(1), max_steps=3)
    jlr.fit(X, y, solver=jlr.GradientDescent(np.float32(0.3)), max_steps=3)
    assert compilations() == []


def test_the_same_function_object_is_compiled_once(dtype, compilations):
    def square(x):
        return jnp.sum(x * x)

    for start in (1.0, 2.0, 3.0):
        jlr.minimize(square, jnp.full(3, start, dtype))
        list(jlr.iterate(square, jnp.full(3, start, dtype)))
    programs = compilations()  # a stage of iterate is compiled when it is first needed, be it by the last start
    assert any("minimize" in program for program in programs)
    assert len(set(programs)) == len(programs)


@pytest.mark.parametrize("solver", [jlr.Newton(), jlr.LBFGS()], ids=["newton", "lbfgs"])
def test_a_fit_traces_its_loss_a_bounded_number_of_times(solver, made):
    X, y, _ = made
    traces = []

    def loss(z, y):
        traces.append(1)
        return jnp.logaddexp(z, 0.0) - y * z

    problem = jlr.Problem(jlr.losses.from_function(loss, jnp.asarray(y)), jlr.Dense(jnp.asarray(X)), jlr.NoPenalty())
    jlr.minimize(problem, jnp.zeros(5, X.dtype), solver=solver)
    assert len(traces) <= 12
    again = len(traces)
    jlr.minimize(problem, jnp.ones(5, X.dtype), solver=solver)
    assert len(traces) == again


def test_importing_the_package_imports_nothing_heavy():
    import subprocess
    import sys

    heavy = "scipy", "matplotlib", "sklearn", "optax", "pandas"
    code = f"import jaxlogreg, sys; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
