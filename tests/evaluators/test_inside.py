"""Judges of layers and neurons, on a small network and texts whose label is a word."""

import jax
import numpy as np
import pytest
from flax import nnx

from jssl.evaluators import PROTOCOLS, Subject
from jssl.models import Bert
from jssl.types import Data, Features


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
  spec = dict(ids=jax.ShapeDtypeStruct((6,), np.int32), label=jax.ShapeDtypeStruct((), np.int32))
  return Subject(Data(splits, spec, 'ids', {}), lambda x: net(x['ids']), {'backbone': net})


def judge(name, subject, **options):
  return PROTOCOLS[name](subject, jax.random.key(0), **options)


def test_neurons_are_ranked(subject):
  found, chance = judge('sparse', subject), judge('random_neurons', subject)
  assert 0 <= found['layer'] < 2 and found['dense_f1'] > 0.9
  assert found['k1_f1'] > chance['k1_f1']
  assert {'layer0_k1_f1', 'layer1_k1_f1', 'k16_f1'} <= set(found)


def test_description_lengths_do_not_care_for_scale(subject):
  code, mixed = judge('description_length', subject), judge('mixing_weights', subject)
  assert code['moved'] < 1e-3 < 0.1 < mixed['moved']
  assert code['layer0_compression'] > 1.5


def test_layers_are_asked_for(subject):
  flat = Subject(subject.data, lambda x: Features(None, x['ids'].astype(np.float32)))
  with pytest.raises(ValueError, match='choose a transformer'):
    judge('description_length', flat)
