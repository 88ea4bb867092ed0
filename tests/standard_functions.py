"""Test functions for unconstrained minimisation, from their published starts to their published minima.

Moré, Garbow & Hillstrom, Testing unconstrained optimization software, ACM TOMS 7 (1981); the numbers are theirs, but
for the last minimum of the trigonometric function, where the Hessian was looked at: it is positive definite.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np


class StandardFunction(NamedTuple):
    function: Callable[[Any], Any]
    start: list[float]
    minima: tuple[float, ...]  # the global minimum, and local ones where a descent may end


def squares(residuals):
    return lambda x: jnp.sum(jnp.square(residuals(x)))


def table(values, like):
    return jnp.asarray(np.asarray(values), like.dtype)


def rosenbrock(x):
    return jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def freudenstein_roth(x):
    return jnp.stack(
        [-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1], -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]]
    )


def beale(x):
    return table([1.5, 2.25, 2.625], x) - x[0] * (1.0 - jnp.stack([x[1], x[1] ** 2, x[1] ** 3]))


def helical_valley(x):
    angle = jnp.arctan2(x[1], x[0]) / (2.0 * jnp.pi)
    return jnp.stack([10.0 * (x[2] - 10.0 * angle), 10.0 * (jnp.hypot(x[0], x[1]) - 1.0), x[2]])


def bard(x):
    y = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    u = np.arange(1, 16)
    v, w = 16 - u, np.minimum(u, 16 - u)
    return table(y, x) - (x[0] + table(u, x) / (table(v, x) * x[1] + table(w, x) * x[2]))


def box(x):
    t = table(0.1 * np.arange(1, 11), x)
    return jnp.exp(-t * x[0]) - jnp.exp(-t * x[1]) - x[2] * (jnp.exp(-t) - jnp.exp(-10.0 * t))


def powell_singular(x):
    return jnp.stack(
        [
            x[0] + 10.0 * x[1],
            np.sqrt(5.0).item() * (x[2] - x[3]),
            (x[1] - 2.0 * x[2]) ** 2,
            np.sqrt(10.0).item() * (x[0] - x[3]) ** 2,
        ]
    )


def wood(x):
    return jnp.stack(
        [
            10.0 * (x[1] - x[0] ** 2),
            1.0 - x[0],
            np.sqrt(90.0).item() * (x[3] - x[2] ** 2),
            1.0 - x[2],
            np.sqrt(10.0).item() * (x[1] + x[3] - 2.0),
            (x[1] - x[3]) / np.sqrt(10.0).item(),
        ]
    )


def kowalik_osborne(x):
    y = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    u = table([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625], x)
    return table(y, x) - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x):
    t = np.arange(1, 21) / 5
    first = x[0] + table(t, x) * x[1] - table(np.exp(t), x)
    second = x[2] + table(np.sin(t), x) * x[3] - table(np.cos(t), x)
    return first**2 + second**2


def trigonometric(x):
    i = table(np.arange(1, x.shape[0] + 1), x)
    return x.shape[0] - jnp.sum(jnp.cos(x)) + i * (1.0 - jnp.cos(x)) - jnp.sin(x)


def variably_dimensioned(x):
    far = jnp.sum(table(np.arange(1, x.shape[0] + 1), x) * (x - 1.0))
    return jnp.concatenate([x - 1.0, jnp.stack([far, far**2])])


STANDARD_FUNCTIONS = {
    "rosenbrock": StandardFunction(squares(rosenbrock), [-1.2, 1], (0.0,)),
    "freudenstein roth": StandardFunction(squares(freudenstein_roth), [0.5, -2], (0.0, 48.98425)),
    "beale": StandardFunction(squares(beale), [1, 1], (0.0,)),
    "helical valley": StandardFunction(squares(helical_valley), [-1, 0, 0], (0.0,)),
    "bard": StandardFunction(squares(bard), [1, 1, 1], (8.214877e-3, 17.42869)),
    "box": StandardFunction(squares(box), [0, 10, 20], (0.0,)),
    "powell singular": StandardFunction(squares(powell_singular), [3, -1, 0, 1], (0.0,)),
    "wood": StandardFunction(squares(wood), [-3, -1, -3, -1], (0.0,)),
    "kowalik osborne": StandardFunction(squares(kowalik_osborne), [0.25, 0.39, 0.415, 0.39], (3.075056e-4, 1.02734e-3)),
    "brown dennis": StandardFunction(squares(brown_dennis), [25, 5, -5, -1], (85822.2,)),
    "trigonometric": StandardFunction(squares(trigonometric), [0.1] * 10, (0.0, 2.795057e-5, 4.218634e-5)),
    "variably dimensioned": StandardFunction(squares(variably_dimensioned), [1 - i / 10 for i in range(1, 11)], (0.0,)),
}
