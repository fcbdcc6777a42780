"""Judges of directions, on a small network and texts whose label is a word."""

import jax
import numpy as np
import pytest
from flax import nnx

from jssl.evaluators import PROTOCOLS, Subject, directions
from jssl.models import Bert
from jssl.transforms import TRANSFORMS
from jssl.types import Data


@pytest.fixture(scope='module')
def subject():
  """Sentences of random words; the label is which of two words stands in them. Stimuli have it in front."""
  rng, splits = np.random.default_rng(0), {}
  for split, n in dict(train=160, test=48).items():
    ids = rng.integers(6, 20, (n, 6)).astype(np.int32)
    label = rng.integers(0, 2, n).astype(np.int32)
    ids[np.arange(n), rng.integers(0, 5, n)] = 4 + label
    ids[:, 5] = 0
    splits[split] = [dict(ids=a, label=b) for a, b in zip(ids, label, strict=True)]
  behind = rng.integers(6, 20, (40, 5)).astype(np.int32)
  splits['stimuli'] = [dict(ids=np.append(np.int32(4 + label), x), label=np.int32(label)) for x in behind for label in (1, 0)]
  net = Bert((6,), vocabulary=20, width=16, depth=2, heads=2, std=0.3, rngs=nnx.Rngs(0))
  spec = dict(ids=jax.ShapeDtypeStruct((6,), np.int32), label=jax.ShapeDtypeStruct((), np.int32))
  return Subject(Data(splits, spec, 'ids', {}), lambda x: net(x['ids']), {'backbone': net})


def judge(name, subject, **options):
  return PROTOCOLS[name](subject, jax.random.key(0), **options)


def test_stimuli_stay_in_pairs(subject):
  stimuli, train, _ = directions.columns(subject, jax.random.key(0), 12, 48)
  np.testing.assert_array_equal(stimuli['label'], np.tile([1, 0], 12))
  np.testing.assert_array_equal(stimuli['ids'][::2, 1:], stimuli['ids'][1::2, 1:])
  assert len(train['label']) == 48


def test_directions_are_read(subject):
  options = dict(pairs=24, examples=48)
  found = judge('reading', subject, transform=TRANSFORMS['lat'](), **options)
  chance = judge('reading', subject, transform=TRANSFORMS['random_direction'](), **options)
  assert found['accuracy'] > 0.9 > chance['accuracy']
  assert found['accuracy'] == found[f'layer{found["layer"]}_accuracy']


def test_pushing_states_moves_the_output(subject):
  options = dict(layer=0, pairs=24, examples=48, doses=(-2.0, 0.0, 2.0))
  found = judge('steering', subject, transform=TRANSFORMS['lat'](), **options)
  assert found['positive_0'] <= found['positive_1'] <= found['positive_2']
  assert found['effect'] == found['positive_2'] - found['positive_0'] > 0.5
  assert found['judge'] > 0.75  # of 48 examples


def test_stimuli_are_asked_for(subject):
  splits = {name: x for name, x in subject.data.splits.items() if name != 'stimuli'}
  bare = Subject(subject.data._replace(splits=splits), subject.represent, subject.networks)
  with pytest.raises(ValueError, match="a split 'stimuli'"):
    judge('reading', bare, transform=TRANSFORMS['lat']())
