"""Figures of pairs, dimensions, rotations and evidence, on representations whose figures are known."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.data.core.arrays import Columns, arrays
from jssl.evaluators import Subject
from jssl.metrics.retrieval import mean_average_precision
from jssl.metrics.verification import equal_error_rate
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.types import Features
from jssl.views.image import augment

KEY = jax.random.key(0)


def subject(x, y, networks=None, **columns):
  data = arrays(x=x, label=y, test=dict(x=x, label=y, **columns), **columns)
  return Subject(data, lambda batch: Features(batch['x'][:, None], batch['x']), networks)


def test_equal_error_rate_by_trying_every_threshold():
  rng = np.random.default_rng(0)
  scores, same = np.round(rng.normal(size=200), 1), rng.random(200) < 0.3
  scores[same] += 0.7
  rates = [(np.mean(scores[same] < t), np.mean(scores[~same] >= t)) for t in np.unique(scores)]
  missed, accepted = min(rates, key=lambda r: abs(r[0] - r[1]))
  assert equal_error_rate(scores, same) == pytest.approx((missed + accepted) / 2)
  assert equal_error_rate(same * 1.0, same) == 0 and equal_error_rate(-1.0 * same, same) == 1


def test_verification_reads_the_heads_it_is_given():
  x = np.array([[1, 1.5], [1, -1.5], [-1, 1.5], [-1, -1.5]], np.float32)
  y = np.array([0, 0, 1, 1], np.int32)
  first = lambda z: z * jnp.array([1.0, 0.0])
  judge = lambda networks: PROTOCOLS['verification'](subject(x, y, networks), KEY)
  assert judge({'projector': first})['eer'] == 0 < judge(None)['eer']
  assert (judge(None)['same_pairs'], judge(None)['other_pairs']) == (2, 4)


def test_dimensions_of_one_class_each_are_consistent_and_sparse():
  y = np.repeat(np.arange(4), 5).astype(np.int32)
  judge = lambda x: PROTOCOLS['class_consistency'](subject(x, y, {'projector': lambda z: z}), KEY, keep=4)
  classes = judge(np.eye(4, dtype=np.float32)[y] - 1e-3)
  assert (classes['consistency'], classes['sparsity'], classes['map']) == (1, 0.75, 1)
  signed = judge(np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32))
  assert signed['consistency'] < 0.7 and 0.3 < signed['sparsity'] < 0.7 and signed['map'] < 0.7


def test_mean_average_precision_against_scikit_learn():
  from sklearn.metrics import average_precision_score

  rng = np.random.default_rng(1)
  z, y = rng.normal(size=(30, 3)), rng.integers(0, 3, 30)
  others = [np.arange(30) != i for i in range(30)]
  slow = [average_precision_score(y[o] == y[i], (z @ z[i])[o]) for i, o in enumerate(others)]
  assert mean_average_precision(z, y) == pytest.approx(np.mean(slow))


def test_a_quarter_turn_of_the_picture_that_turns_the_features_leaves_no_residual():
  images = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)
  data = arrays(image=images, label=np.zeros(40, np.int32), test=dict(image=images, label=np.zeros(40, np.int32)))
  flat = Subject(data, lambda batch: Features(None, batch['image'].reshape(len(batch['image']), -1)))
  judge = lambda **change: PROTOCOLS['equivariance'](flat, KEY, draws=2, view=partial(augment, **change))
  assert judge()['unrotated'] == 0 == pytest.approx(judge()['residual'], abs=1e-5)
  turned = judge(affine=dict(degrees=(0, 360)))
  assert turned['residual'] < 0.8 * turned['unrotated']
  assert turned['options'] == {'draws': 2, 'view': {'name': 'augment', 'affine': {'degrees': (0, 360)}}}


def test_spread_is_the_mean_distance_to_the_nearest_neighbour():
  z = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
  data = arrays(image=z, label=np.zeros(30, np.int32), test=dict(image=z, label=np.zeros(30, np.int32)))
  found = PROTOCOLS['spread'](Subject(data, lambda batch: Features(None, batch['image'])), KEY)
  unit = z / np.linalg.norm(z, axis=1, keepdims=True)
  nearest = [min(np.linalg.norm(unit[i] - unit[j]) for j in range(30) if j != i) for i in range(30)]
  assert found['nearest'] == pytest.approx(np.mean(nearest), rel=1e-4)


def test_isotropy_tells_a_gaussian_from_what_is_stretched_or_shrunk():
  x = np.random.default_rng(0).normal(size=(2000, 4)).astype(np.float32)
  judge = lambda x: PROTOCOLS['isotropy'](subject(x, np.zeros(len(x), np.int32), {'projector': lambda z: z}), KEY)
  found, stretched, shrunk = (judge(x * np.float32(by)) for by in (1, [9, 1, 1, 1], 0.2))
  assert found['rank'] == pytest.approx(4, abs=0.05) and found['distance'] < 0.002
  assert stretched['rank'] < 3.5 and stretched['distance'] > 0.05
  assert shrunk['rank'] == pytest.approx(found['rank']) and shrunk['distance'] > 0.2


def test_completion_finds_what_the_product_tells():
  rng = np.random.default_rng(0)
  signs = rng.choice([-1.0, 1.0], (50, 2)).astype(np.float32)
  wave = lambda x: Features(None, jnp.concatenate([x, jnp.ones_like(x)], 1) @ jnp.array([[1.0, 0.0], [0.0, 0.3]]))
  networks = {'tower': wave, 'head': lambda z: z}
  held = subject(signs[:, :1], np.zeros(50, np.int32), networks, a=signs[:, :1], b=signs[:, 1:], c=signs[:, :1] * signs[:, 1:])
  options = dict(columns=('a', 'b', 'c'), towers=('tower',) * 3, heads=('head',) * 3)
  assert PROTOCOLS['modality_completion'](held, KEY, **options)['top1'] == 1
  assert 0.2 < PROTOCOLS['modality_completion'](held, KEY, pairwise=True, **options)['top1'] < 0.9


def test_evidence_tells_what_is_outside():
  y = np.arange(30, dtype=np.int32) % 3
  x = 8 * np.eye(3, dtype=np.float32)[y]
  x[0] = [0, 1, 0]
  held = subject(x, y, {'classifier': lambda z: z})
  nothing = np.zeros((9, 3), np.float32)
  splits = {**held.data.splits, 'outside': Columns(dict(x=nothing, label=y[:9]))}
  held = Subject(held.data._replace(splits=splits), held.represent, held.networks)
  found = PROTOCOLS['ood'](held, KEY)
  assert found['auroc_evidence'] == found['auroc_probability'] == found['auroc_mistakes'] == 1
  assert found['top1'] == PROTOCOLS['classify'](held, KEY)['top1'] == pytest.approx(29 / 30)
