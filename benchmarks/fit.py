"""One L2 fit beside all peers: the time to the same suboptimality, on six dense problems in both dtypes.

Every contender gets the same arrays and the same objective (mean cross-entropy + l2/2 |w|² with
l2 = 1e-4, intercept free), and its own loosest tolerance 10**-k that reaches a relative suboptimality
of 1e-6 (float32: 1e-5) of the optimum that Newton finds in float64. Compilation is reported apart
("first call"). A "read" is the time of one product X @ w in the same dtype. Below each table: steps,
reads of the data and time of the library's solvers.

    python benchmarks/fit.py [--rounds 7] [--data DIR] [--pictures] [--quick]

With --pictures it then draws suboptimality against time, and time against n and m, into
`benchmarks/output`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pictures
from command_line import parse, parser
from objective import Objective, optimum, weights_of
from peers import Task, peers
from problems import Problem, made, real
from standings import OURS, Fit, Standing, print_standings, standings
from timing import machine, milliseconds, read_seconds

import jaxlogreg as jlr

jax.config.update("jax_enable_x64", True)

L2 = 1e-4
SOLVERS = {f"{OURS} (default)": None, f"{OURS} LBFGS()": jlr.LBFGS(), f"{OURS} Newton()": jlr.Newton()}


def main() -> None:
    made_parser = parser(__doc__, rounds=7)
    made_parser.add_argument("--pictures", action="store_true", help="draw the pictures, too")
    options = parse(made_parser)
    print(machine())
    for dtype in (np.float64, np.float32):
        for problem in problems(options, dtype):
            compare(problem, options.rounds)
    if options.pictures:
        pictures.draw_suboptimality(problems(options, np.float64), contenders, options.rounds)
        pictures.draw_scaling(contenders, options.quick)


def problems(options: Any, dtype: Any) -> Iterator[Problem]:
    for name in ("spambase",) if options.quick else ("spambase", "creditcard", "a9a"):
        try:
            yield real(name, options.data, dtype, 500 if options.quick else None)
        except FileNotFoundError as error:
            print(f"\nwithout {name}: {error}")
    for m, n in ((400, 8),) if options.quick else ((100_000, 100), (500_000, 30), (50_000, 400)):
        yield made(m, n, 0.5, dtype)


def compare(problem: Problem, rounds: int) -> None:
    fits, objective, best, left_out = contenders(problem)
    found, unable = standings(fits, objective, best, problem.X.dtype, rounds)
    read = read_seconds(problem.X)
    print(f"\n{problem.title}, l2 = {L2:g}; one read X @ w: {milliseconds(read)}")
    print_standings(found, left_out | unable, read=read)
    print_steps(problem, found)


def contenders(
    problem: Problem, names: list[str] | None = None
) -> tuple[dict[str, Fit], Callable[[np.ndarray], np.ndarray], np.ndarray, dict[str, str]]:
    """Everybody's fits, the objective, its optimal value, and the peers that cannot take part."""
    X, y = problem.X, problem.y
    objective, weights = Objective(X, y, L2), optimum(X, y, L2)
    theirs, left_out = peers(Task(X, y, L2, weights[0]), names)
    Xd, yd = jnp.asarray(X), jnp.asarray(y)

    def ours(solver: Any) -> Fit:
        return lambda tol: weights_of(jlr.fit(Xd, yd, l2=L2, solver=solver, tol=tol).params)

    fits = {name: ours(solver) for name, solver in SOLVERS.items()} | theirs
    return fits, objective, objective(weights), left_out


def print_steps(problem: Problem, found: dict[str, Standing]) -> None:
    print(f"{'the library alone':32}{'steps':>8}{'reads counted':>16}{'time':>12}  status")
    for name, solver in SOLVERS.items():
        if name in found:
            solution = jlr.fit(problem.X, problem.y, l2=L2, solver=solver, tol=found[name].tol)
            counts = f"{int(solution.num_steps):8}{int(solution.num_passes):16}"
            status = jlr.Status(int(solution.status)).name
            print(f"{name:32}{counts}{milliseconds(found[name].seconds):>12}  {status}", flush=True)


if __name__ == "__main__":
    main()
