"""Independent slow forms of every objective, against which the fast ones are checked."""

from tests.oracles import (
  clustering,
  contrastive,
  control,
  dense,
  diffusion,
  distil,
  invariance,
  kg,
  labelled,
  multiview,
  prediction,
  preference,
  redundancy,
  sentences,
  sequence,
  speech,
  words,
)
from tests.oracles.oracle import Case, Oracle, StopGradient, differentiable, directional, double

_FILES = (
  contrastive, redundancy, dense, clustering, prediction, multiview, sequence, speech, distil, preference, labelled, kg, words, control,
  diffusion, invariance, sentences,
)  # fmt: skip
ORACLES = {name: oracle for file in _FILES for name, oracle in file.ORACLES.items()}

__all__ = ['ORACLES', 'Case', 'Oracle', 'StopGradient', 'differentiable', 'directional', 'double']
