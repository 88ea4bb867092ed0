"""What a solver is: pure steps, run by one loop that alone decides when to stop."""

from typing import Any, ClassVar

from jax import Array

from ..lanes import Lanes
from ..problem import Point, Problem

__all__ = ["Solver", "is_solver"]


class Solver:
    """A frozen dataclass with ``init`` and ``advance``, whose leaves as a pytree are traced numbers.

    Register it by :func:`jaxlogreg.pytrees.register_dataclass`, not JAX's own. Everything else has a default. A step
    starts from a :class:`Point` (weights, margins, gradient) and ends at another; what it wants to remember goes
    through its state.
    """

    default_max_steps: ClassVar[int] = 1000
    patience: ClassVar[int] = 100  # steps without progress, near the rounding floor, after which a fit has stalled
    standardizes: ClassVar[bool] = True  # whether it works in standardised coordinates
    proximal: ClassVar[bool] = False  # whether it takes penalties with kinks

    @property
    def positive(self) -> tuple[str, ...]:
        """The settings that are numbers above 0."""
        return ()

    def sequential(self) -> bool:
        """Whether the fits of a path, and the paths of a cross-validation, are best run one after the other."""
        return False

    def passes_at_start(self) -> int:
        """Reads of the data in ``init``."""
        return 0

    def passes(self, state: Any) -> Array | int:
        """Reads of the data in the step that led to ``state``."""
        return 2

    def init(self, problem: Problem, w: Array, lanes: Lanes) -> Any:
        """The state before the first step; nothing is evaluated at ``w`` yet."""
        raise NotImplementedError

    def advance(self, problem: Problem, point: Point, state: Any, lanes: Lanes) -> tuple[Point, Any, Array]:
        """The next point and state, and whether no further step is possible."""
        raise NotImplementedError


def is_solver(x: Any) -> bool:
    """Whether it is a solver, and not the class of one."""
    return not isinstance(x, type) and hasattr(x, "advance")
