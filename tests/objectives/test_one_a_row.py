"""Labels and ids of another shape than [b] are refused: [b, 1] would be compared with [1, b]."""

import inspect

import numpy as np
import pytest

from tests.objectives import OBJECTIVES
from tests.oracles import ORACLES

TAKING = [(name, of) for name, f in OBJECTIVES.items() for of in ('labels', 'ids') if of in inspect.signature(f).parameters]
OF_TOKENS = ('entity_recovery',)  # which has labels [b n]


@pytest.mark.parametrize('name, of', [pair for pair in TAKING if pair[0] not in OF_TOKENS])
def test_labels_of_two_axes_are_refused(name, of):
  tried = 0
  for args, options in ORACLES[name].cases(np.random.default_rng(0)):
    bound = inspect.signature(OBJECTIVES[name]).bind(*args, **options)
    if bound.arguments.get(of) is not None:
      bound.arguments[of] = np.asarray(bound.arguments[of])[:, None]
      with pytest.raises(ValueError):
        OBJECTIVES[name](*bound.args, **bound.kwargs)
      tried += 1
  assert tried
