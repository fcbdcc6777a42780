"""Configs that cannot be built are refused in one sentence that names the place and what to do."""

import pytest

from jssl import catalogue, configs
from jssl.core.build import plan
from jssl.core.mesh import check_batch, make_mesh
from jssl.options import accepts
from jssl.parts.schedules import Schedule, cosine, duration, linear, rise
from tests.small import small


def broken(path, value):
  c = small('simclr')
  at = c
  *parents, last = path.split('.')
  for key in parents:
    at = at[key]
  at[last] = value
  return c


@pytest.mark.parametrize(
  ('path', 'value', 'says'),
  [
    ('batchsize', 3, 'did you mean batch_size'),
    ('backbone.name', 'convnett', 'did you mean convnet'),
    ('backbone.width', 3, 'did you mean widths'),
    ('backbone.norm', 'batchnorm', 'unknown norm'),
    ('backbone.widths', 'wide', 'must be'),
    ('data.name', 'mnist5', 'mnist5k'),
    ('batch_size', 0, 'at least 1'),
    ('batch_size', 5000, 'more than the 4000'),
    ('steps', 'ten', 'whole number'),
    ('heads.projector.on', 'backbon', 'did you mean backbone'),
    ('heads.projector.on', 'projector', 'no network'),
    ('terms', {}, 'at least one'),
    ('terms.nce.name', 'two_views', 'did you mean two_view'),
    ('terms.nce.objective.temprature', 1.0, 'did you mean temperature'),
    ('terms.nce.objective.temperature', 'warm', 'must be float'),
    ('terms.nce.objective', 3, 'dict(name='),
    ('optimizer.learning_rate', dict(name='cosine'), 'peak'),
    ('optimizer.learning_rate', dict(name='cosine', peak=1.0, warmup='soon'), "'5 epochs' or '10%'"),
    ('teacher', dict(name='ema', decay=0.9, networks=('backbone', 'head')), "['head']"),
    ('represent', dict(encoder='head'), 'head'),
  ],
)
def test_refuses(path, value, says):
  with pytest.raises(ValueError) as error:
    plan(broken(path, value))
  assert says in str(error.value)


def test_backbones_of_every_kind_fit_joint_embedding():
  for backbone in (
    dict(name='convnet'), dict(name='resnet18'), dict(name='mlp_backbone'),
    dict(name='vit_micro', patch=7, width=16, depth=1, heads=2),
  ):  # fmt: skip
    plan({**small('simclr'), 'backbone': backbone})


def test_accepts():
  assert accepts(float, 1) and accepts(float, Schedule(lambda step: step)) and not accepts(float, True)
  assert accepts(int | None, None) and not accepts(int, 1.5) and not accepts(str, 3)


def test_durations_and_schedules():
  clock = dict(steps=200, epoch=20)
  assert [duration(d, **clock) for d in (7, '7 steps', '3 epochs', '1 epoch', '10%')] == [7, 7, 60, 20, 20]
  rate = cosine(peak=2.0, end=0.5, warmup='10%', **clock)
  assert float(rate(0)) == pytest.approx(0.1) and float(rate(20)) == pytest.approx(2.0)
  assert float(rate(200)) == pytest.approx(0.5) and float(rate(110)) == pytest.approx(1.25)
  assert float(linear(start=0.0, end=1.0, over='50%', **clock)(50)) == pytest.approx(0.5)
  assert float(rise(start=0.9, **clock)(0)) == pytest.approx(0.9) and float(rise(start=0.9, **clock)(200)) == 1.0


def test_mesh_and_batch_say_what_fits():
  with pytest.raises(ValueError, match='must multiply to 8'):
    make_mesh(dict(data=3))
  with pytest.raises(ValueError, match='take a multiple of 8, such as 64'):
    check_batch(65, make_mesh(), 1)
  assert dict(make_mesh(dict(fsdp=2, tensor=2)).shape) == dict(data=2, fsdp=2, sequence=1, tensor=2)


def test_every_system_is_listed():
  rows = catalogue.systems()
  assert {row['name'] for row in rows} == set(configs.names())
  assert all(row['paper'] and row['family'] and row['kind'] for row in rows)
