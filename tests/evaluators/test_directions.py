"""Judges of directions, on the texts of `conftest` and stimuli that have the word in front."""

import jax
import numpy as np
import pytest

from jssl.evaluators import Subject
from jssl.evaluators.interpretability import directions
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.tables import TRANSFORMS


@pytest.fixture(scope='module')
def with_stimuli(subject):
  """Random words behind one of the two words that tell the label, and the same behind the other."""
  behind = np.random.default_rng(1).integers(6, 20, (40, 5)).astype(np.int32)
  stimuli = [dict(ids=np.append(np.int32(4 + label), x), label=np.int32(label)) for x in behind for label in (1, 0)]
  data = subject.data._replace(splits=subject.data.splits | dict(stimuli=stimuli))
  return Subject(data, subject.represent, subject.networks)


def judge(name, subject, **options):
  return PROTOCOLS[name](subject, jax.random.key(0), **options)


def test_stimuli_stay_in_pairs(with_stimuli):
  stimuli, train, _ = directions.columns(with_stimuli, jax.random.key(0), 12, 48)
  np.testing.assert_array_equal(stimuli['label'], np.tile([1, 0], 12))
  np.testing.assert_array_equal(stimuli['ids'][::2, 1:], stimuli['ids'][1::2, 1:])
  assert len(train['label']) == 48


def test_directions_are_read(with_stimuli):
  options = dict(pairs=24, examples=48)
  found = judge('reading', with_stimuli, transform=TRANSFORMS['lat'](), **options)
  chance = judge('reading', with_stimuli, transform=TRANSFORMS['random_direction'](), **options)
  assert found['accuracy'] > 0.9 > chance['accuracy']
  assert found['accuracy'] == found[f'layer{found["layer"]}_accuracy']


def test_pushing_states_moves_the_output(with_stimuli):
  options = dict(layer=0, pairs=24, examples=48, doses=(-2.0, 0.0, 2.0))
  found = judge('steering', with_stimuli, transform=TRANSFORMS['lat'](), **options)
  assert found['positive_0'] <= found['positive_1'] <= found['positive_2']
  assert found['effect'] == found['positive_2'] - found['positive_0'] > 0.5
  assert found['judge'] > 0.75  # of 48 examples


def test_stimuli_are_asked_for(subject):
  with pytest.raises(ValueError, match="no split 'stimuli'"):
    judge('reading', subject, transform=TRANSFORMS['lat']())
