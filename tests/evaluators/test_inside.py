"""Judges of layers and neurons, on a small network and texts whose label is a word."""

import jax
import numpy as np
import pytest

from jssl.evaluators import Subject
from jssl.evaluators.interpretability.analysis import layer_accuracies
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


def test_profiles_are_compared_with_the_accuracy_of_layers():
  rng = np.random.default_rng(0)
  y = rng.integers(0, 2, 600)
  noise = np.array([0.5, 2.0, 8.0])[:, None, None]  # the more noise, the less a layer tells
  layers = (2 * y - 1)[None, :, None] + noise * rng.normal(size=(3, 600, 4))
  found = layer_accuracies(layers[:, :300], y[:300], layers[:, 300:], y[300:], classes=2)
  assert found[0] > 0.95 and 0.6 < found[1] < found[0] and found[2] < found[1]


def test_the_agreement_of_a_profile_is_a_rank_correlation(subject):
  for name in ('description_length', 'mixing_weights'):
    found = judge(name, subject)
    assert -1 <= found['agreement'] <= 1 and 0 <= found['layer0_accuracy'] <= 1


def test_layers_are_asked_for(subject):
  flat = Subject(subject.data, lambda x: Features(None, x['ids'].astype(np.float32)))
  with pytest.raises(ValueError, match='choose a transformer'):
    judge('description_length', flat)
