"""Independent slow forms of every objective, against which the fast ones are checked."""

from tests.oracles import clustering, contrastive, invariance, more, prediction, redundancy
from tests.oracles.oracle import Case, Oracle, StopGradient, differentiable, directional, double

ORACLES = contrastive.ORACLES | redundancy.ORACLES | clustering.ORACLES | prediction.ORACLES | more.MORE | invariance.ORACLES

__all__ = ['ORACLES', 'Case', 'Oracle', 'StopGradient', 'differentiable', 'directional', 'double']
