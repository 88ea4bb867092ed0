"""Losses: what a margin costs, given its label.

With margins ``z = X w`` and labels ``y`` in {0, 1}, the hypothesis is
``P(y = 1 | x) = sigmoid(z)`` and maximum likelihood minimises the binary cross-entropy

    J(w) = mean(log(1 + exp(z)) - y z),   grad J = Xᵀ(σ(z) - y)/m,   hess J = XᵀSX/m,

with ``S = diag(σ(z) σ(-z))`` positive, so J is convex. ``cross_entropy`` holds these functions of
``(w, X, y)``, for reading and for use in larger JAX programs. ``margin`` and ``classification`` hold the
same losses as functions of the margins alone (``L`` in ``F(w) = L(A w) + R(w)``): objects that carry
labels, weights and offsets as data, and that the solvers evaluate along carried margins.
"""

from .classification import BinaryCrossEntropy, SoftmaxCrossEntropy
from .cross_entropy import (
    binary_cross_entropy,
    binary_cross_entropy_gradient,
    binary_cross_entropy_hessian,
    negative_log_likelihood,
    softmax_cross_entropy,
    softmax_cross_entropy_gradient,
)
from .elementwise import logistic_loss, sigmoid
from .margin import ElementwiseLoss, FunctionLoss, MarginLoss, from_function

__all__ = [
    "BinaryCrossEntropy",
    "ElementwiseLoss",
    "FunctionLoss",
    "MarginLoss",
    "SoftmaxCrossEntropy",
    "binary_cross_entropy",
    "binary_cross_entropy_gradient",
    "binary_cross_entropy_hessian",
    "from_function",
    "logistic_loss",
    "negative_log_likelihood",
    "sigmoid",
    "softmax_cross_entropy",
    "softmax_cross_entropy_gradient",
]
