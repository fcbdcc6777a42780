"""Judges of layers and neurons, on a small network and texts whose label is a word."""

import jax
import numpy as np
import pytest

from jssl.evaluators import Subject
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.types import Features


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
