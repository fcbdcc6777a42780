"""A small network, texts whose label is a word in them, and the pixels of digits as features."""

import numpy as np
import pytest
from flax import nnx
from sklearn.datasets import load_digits

from jssl.evaluators import Frozen, Subject
from jssl.models import Bert
from jssl.types import Column, Data


@pytest.fixture(scope='module')
def subject():
  """Sentences of random words; the label is whether one of two words stands in them."""
  rng, splits = np.random.default_rng(0), {}
  for split, n in dict(train=160, test=48).items():
    ids = rng.integers(6, 20, (n, 6)).astype(np.int32)
    label = rng.integers(0, 2, n).astype(np.int32)
    ids[np.arange(n), rng.integers(0, 5, n)] = 4 + label
    ids[:, 5] = 0
    splits[split] = [dict(ids=a, label=b) for a, b in zip(ids, label, strict=True)]
  net = Bert((6,), vocabulary=20, width=16, depth=2, heads=2, std=0.3, rngs=nnx.Rngs(0))
  spec = dict(ids=Column((6,), np.int32, pad=0), label=Column((), np.int32))
  return Subject(Data(splits, spec, 'ids', {}), lambda x: net(x['ids']), {'backbone': net})


@pytest.fixture(scope='session')
def digits():
  x, y = load_digits(return_X_y=True)
  order = np.random.RandomState(0).permutation(len(x))
  x, y = x[order].astype(np.float32), y[order].astype(np.int32)
  return Frozen(x[:1200], y[:1200], x[1200:], y[1200:], 10)
