"""Penalties: ``R`` in ``F(w) = L(A w) + R(w)``, what large weights cost.

A penalty is ``R(w) = ½ Σ cⱼ wⱼ² + N(w)``, a quadratic and a part ``N`` with kinks (absolute values, norms of
groups, bounds) that is zero where a penalty is ``smooth``. Of the quadratic it gives gradient and curvature,
of ``N`` the least subgradient, and of both together the value, the proximal map and, for the duality gap, the
conjugate. Factors say which weights are penalised, and how much; the intercept's factor is zero.

Reference: Parikh & Boyd, Proximal Algorithms (2014), for the proximal maps; Rockafellar, Convex Analysis (1970),
section 31, for Fenchel's duality.
"""

from .base import NoPenalty, Penalty
from .elastic_net import ElasticNet
from .group_lasso import GroupLasso
from .ridge import L2

__all__ = ["L2", "ElasticNet", "GroupLasso", "NoPenalty", "Penalty"]
