"""Disentanglement: a code that is the factors has them apart, a rotated one has not."""

import jax.numpy as jnp
import numpy as np

from jssl.data.core.arrays import arrays
from jssl.data.vision.shapes import shapes
from jssl.evaluators.general.disentanglement import disentanglement
from jssl.evaluators.subject import Subject
from jssl.types import Features


def test_a_code_that_is_the_factors_has_them_apart():
  made = shapes(train=400, test=200)
  assert made.spec['image'].shape == (16, 16, 1)
  # What is told is no input, so the code reads a copy of it.
  train, test = ({**split.columns, 'copy': split.columns['factors']} for split in (made.splits['train'], made.splits['test']))
  data, spread = arrays(**train, test=test), train['factors'].std(0)
  turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))

  def figures(turned):
    return disentanglement(Subject(data, lambda x: Features(None, (jnp.asarray(x['copy']) / spread) @ turned)), trees=10)

  apart, mixed = figures(np.eye(3)), figures(turn)
  assert apart['disentanglement'] > mixed['disentanglement'] + 0.1
  assert apart['completeness'] > mixed['completeness']
