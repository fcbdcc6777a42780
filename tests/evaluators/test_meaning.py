"""Judges of similarity, of guarded attributes and of trained heads, on vectors whose answer is known."""

import jax
import numpy as np
import pytest
from scipy.stats import spearmanr

from jssl.evaluators import Subject
from jssl.tables import EVALUATORS as PROTOCOLS
from jssl.tables import TRANSFORMS
from jssl.types import Column, Data, Features


def vectors(splits, transform=None, networks=None, **info):
  spec = {name: Column(np.shape(x), np.asarray(x).dtype) for name, x in splits['train'][0].items()}
  return Subject(Data(splits, spec, 'x', info), lambda b: Features(None, b['x']), networks, transform)


def rows(**columns):
  return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_similarity_is_the_rank_correlation_of_cosines():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(10, 4)).astype(np.float32)
  a, b = np.triu_indices(10, 1)
  score = rng.random(len(a))
  subject = vectors(dict(train=rows(x=x), test=rows(x=x), pairs=rows(a=a, b=b, score=score)))
  unit = x / np.linalg.norm(x, axis=1, keepdims=True)
  expected = spearmanr((unit @ unit.T)[a, b], score).statistic
  assert PROTOCOLS['sts'](subject, jax.random.key(0))['spearman'] == pytest.approx(expected)


def test_a_thesaurus_helps_and_a_rewired_one_does_not():
  rng = np.random.default_rng(0)
  meaning = np.repeat(rng.normal(size=(20, 8)), 6, 0)
  x = (meaning + 1.5 * rng.normal(size=meaning.shape)).astype(np.float32)
  edges = np.array([(i, j) for i in range(120) for j in range(i + 1, 120) if i // 6 == j // 6], np.int32)
  pairs = rng.integers(0, 120, (400, 2))
  unit = meaning / np.linalg.norm(meaning, axis=1, keepdims=True)
  scores = np.sum(unit[pairs[:, 0]] * unit[pairs[:, 1]], 1)
  subject = vectors(dict(train=rows(x=x), test=rows(x=x)), edges=edges, similarity=dict(made=(pairs, scores)))
  judge = lambda transform: PROTOCOLS['retrofitted'](subject, jax.random.key(0), transform=transform)['made']
  assert judge(TRANSFORMS['retrofit']()) > judge(None) + 0.05 > judge(TRANSFORMS['retrofit_random']()) + 0.05


@pytest.fixture(scope='module')
def people():
  """A label that is hard to read, and an attribute that is easy to read and goes along with it in training."""
  rng, splits = np.random.default_rng(0), {}
  for split, share in dict(train=0.85, test=0.5).items():
    label = rng.integers(0, 2, 400)
    gender = np.where(rng.random(400) < share, label, 1 - label)
    x = rng.normal(size=(400, 6)) + 2 * np.eye(6)[0] * label[:, None] + 4 * np.eye(6)[1] * gender[:, None]
    splits[split] = rows(x=x.astype(np.float32), label=label.astype(np.int32), gender=gender.astype(np.int32))
  return splits


def test_a_nullspace_guards_an_attribute(people):
  judge = lambda transform: PROTOCOLS['erasure'](vectors(people, transform), jax.random.key(0), attribute='gender')
  plain, guarded = judge(None), judge(TRANSFORMS['leace'](classes=2, labels='gender'))
  assert plain['attribute_top1'] > 0.95 and plain['tpr_gap'] > 0.2
  assert guarded['attribute_top1'] < 0.65


@pytest.mark.parametrize('leans_on, gap', [('gender', 1.0), ('label', 0.0)])
def test_the_gap_is_that_of_what_a_classifier_leans_on(people, leans_on, gap):
  told = {split: [{**row, 'x': np.float32([row[leans_on], 0])} for row in some] for split, some in people.items()}
  found = PROTOCOLS['erasure'](vectors(told), jax.random.key(0), attribute='gender')
  assert found['tpr_gap'] == pytest.approx(gap)


def test_a_head_is_judged_as_it_was_trained(people):
  subject = vectors(people, networks={'classifier': lambda x: x[:, :1] * np.array([-1.0, 1.0]) - np.array([-1.0, 1.0])})
  assert 0.75 < PROTOCOLS['classify'](subject, jax.random.key(0))['top1'] < 0.95
