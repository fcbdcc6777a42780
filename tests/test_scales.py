"""Scales of configs: how they are named, what they hold, and the published ones at their full size."""

import ast
import statistics
from pathlib import Path

import jax
import numpy as np
import pytest

from jssl import cli, configs, run, tables, testing
from jssl.core.build import plan
from jssl.data.core.records import Columns
from jssl.errors import ConfigError
from jssl.ledger import trials
from jssl.types import Column, Data

FILES = {name: Path(configs.module(name).__file__) for name in configs.names()}


@pytest.mark.parametrize(
  ('name', 'parts'),
  [
    ('simclr', ('simclr', 'small')),
    ('simclr:tiny', ('simclr', 'tiny')),
    ('runs:old/mine.py', ('runs:old/mine.py', 'small')),
    ('runs:old/mine.py:tiny', ('runs:old/mine.py', 'tiny')),
    ('simclr:', ('simclr:', 'small')),
  ],
)
def test_a_name_is_split_at_its_last_colon(name, parts):
  assert configs.split(name) == parts


@pytest.mark.parametrize('name', sorted(configs.names()))
def test_tiny_is_eight_steps_of_sixteen_examples(name):
  small, c = run.load_config(name), run.load_config(f'{name}:tiny')
  assert small == run.load_config(f'{name}:small') and c.name == name
  if c.get('losses'):
    assert (c.batch_size, c.steps) == (16, 8)
  else:
    assert c.get('experiment') or c.steps == small.steps == 0


def test_a_scale_that_is_not_there_is_told_with_those_that_are(capsys):
  with pytest.raises(ConfigError, match='simclr has no scale .huge.; there are tiny, small, fashion_mnist, imagenet'):
    run.load_config('simclr:huge')
  with pytest.raises(ConfigError, match='did you mean simclr'):
    run.load_config('simclrr:tiny')
  assert cli.main(['train', 'byol:imagenet']) == 2 and 'there are tiny, small' in capsys.readouterr().err


def test_a_claim_is_of_small():
  with pytest.raises(ValueError, match='give simclr without a scale'):
    trials.begin('simclr:imagenet')


def test_files_may_have_scales(tmp_path):
  plain, scaled = tmp_path / 'plain.py', tmp_path / 'scaled.py'
  plain.write_text('from jssl.configs import common\n\n\ndef get_config():\n  return common.image()\n')
  scaled.write_text(
    "from jssl.configs import common\n\nPUBLISHED = dict(cifar10={})\n\n\ndef get_config(scale='small'):\n"
    '  return common.image(scale, epochs=common.at(scale)(small=3, cifar10=1000))\n'
  )
  assert run.load_config(str(plain)).epochs == 20
  with pytest.raises(ConfigError, match='no scale .tiny.; there are small'):
    run.load_config(f'{plain}:tiny')
  epochs = {scale: run.load_config(f'{scaled}:{scale}').epochs for scale in ('tiny', 'small', 'cifar10')}
  assert epochs == dict(tiny=1, small=3, cifar10=1000)


def test_two_configs_of_one_name_are_refused(tmp_path, monkeypatch):
  (tmp_path / 'other').mkdir()
  (tmp_path / 'other' / 'simclr.py').touch()
  monkeypatch.setattr(configs, '__path__', [*configs.__path__, str(tmp_path)])
  with pytest.raises(ValueError, match='two configs are called simclr: .*simclr.py and .*simclr.py'):
    configs.names()


def test_what_is_published_says_where_and_at_what_cost():
  published = {name: getattr(configs.module(name), 'PUBLISHED', {}) for name in FILES}
  assert 'imagenet' in published['simclr']
  for name, scales in published.items():
    for scale, row in scales.items():
      assert set(row) == {'metric', 'value', 'source', 'hardware', 'hours'} and row['source'].startswith('arXiv:'), (name, scale)


def test_systems_on_fashion_mnist_are_built_for_all_of_it(monkeypatch):
  count = dict(train=60_000, test=10_000)
  spec = dict(image=Column((28, 28, 1), np.uint8), label=Column((), np.int32, 10))
  splits = {name: Columns({n: np.broadcast_to(x.dtype.type(0), (k, *x.shape)) for n, x in spec.items()}) for name, k in count.items()}
  monkeypatch.setitem(tables.TABLES['data'], 'fashion_mnist', lambda: Data(splits, spec, 'image', {}))
  found = [name for name in FILES if 'fashion_mnist' in configs.scales(configs.module(name))]
  assert found == ['mae', 'simclr', 'vicreg']
  for name in found:
    p = plan(run.load_config(f'{name}:fashion_mnist'))
    assert p.steps == p.config['epochs'] * (60_000 // p.config['batch_size']) and p.config['curves']['best'] == 'knn_top1'


@pytest.fixture
def imagenet(monkeypatch):
  """ImageNet with images that take no memory; the options that it is opened with."""
  count, size, told = dict(train=1_281_167, test=50_000), 256, {}

  class Cropped(Columns):
    crop = True

  some = lambda n: Columns(dict(image=np.broadcast_to(np.uint8(0), (n, size, size, 3)), label=np.broadcast_to(np.int32(0), n)))
  spec = dict(image=Column((size, size, 3), np.uint8), label=Column((), np.int32, 1000))

  def opened(*, test: str, resize: int, crop: dict | None) -> Data:
    told.update(test=test, resize=resize, crop=crop)
    if crop is None:
      return Data({k: some(n) for k, n in count.items()}, spec, 'image', {})
    views = crop['views'] if isinstance(crop['views'], int) else len(crop['views'])
    splits = dict(train=Cropped(some(count['train']).columns), test=some(count['test']))
    return Data(splits, spec, 'image', {'drawn': {'image': (views, crop['size'], crop['size'], 3)}})

  monkeypatch.setitem(tables.TABLES['data'], 'imagenet2012', opened)
  return told


def sizes(p) -> dict[str, int]:
  """The number of parameters of each network of a plan."""
  params, _ = jax.eval_shape(p.method.init, jax.random.key(0))
  return {network: sum(x.size for x in jax.tree.leaves(of)) for network, of in params.items()}


def test_simclr_on_imagenet_is_traced_at_full_size(imagenet):
  c = run.load_config('simclr:imagenet')
  p = plan(c)
  assert (imagenet['test'], imagenet['resize'], imagenet['crop']['views']) == ('validation', 256, 2)
  assert sizes(p) == dict(backbone=23_508_032, projector=2048 * 2048 + 2 * 2048 + 2048 * 128)  # torchvision's without its classifier
  assert p.steps == 100 * (1_281_167 // 4096)
  assert c.optimizer.learning_rate.peak == pytest.approx(4.8)
  assert p.batch['image'].shape == (4096, 2, 224, 224, 3)
  run.check(p, p.evaluators)
  testing.check_traces(c)


def test_mae_on_imagenet_is_traced_at_full_size(imagenet):
  c = run.load_config('mae:imagenet')
  p = plan(c)
  assert imagenet['crop']['views'] == 1 and imagenet['crop']['scale'] == (0.2, 1.0)
  block = lambda d: 12 * d * d + 13 * d
  decoder = 8 * block(512) + (768 + 1) * 512 + 512 + 2 * 512 + 513 * 768
  assert sizes(p) == dict(backbone=85_798_656 - 197 * 768, decoder=decoder)  # timm's without a classifier and learned positions
  assert p.steps == 1600 * (1_281_167 // 4096)
  assert c.optimizer.learning_rate.peak == pytest.approx(2.4e-3) and c.evaluators.finetune.learning_rates == (pytest.approx(2e-3),)
  run.check(p, p.evaluators)
  testing.check_traces(c)


RESNET50, VIT_S, VIT_B = 23_508_032, 21_665_664, 85_798_656  # torchvision's and timm's, without classifiers
HEAD = {  # of the official codes; a class token has no position of its own here, and fixed positions are no parameters
  'barlow_twins': (1000, 2048, RESNET50, (2048 + 2 * 8192 + 4) * 8192),
  'dino': (300, 1024, VIT_S - 384, 384 * 2048 + 2048**2 + 2 * 2048 + (2048 + 1) * 256 + 256 * 65536),
  'swav': (200, 256, RESNET50, 2048 * 2048 + 3 * 2048 + 2048 * 128 + 128),
  'moco_v3': (300, 4096, VIT_B - 197 * 768, (768 + 4096 + 4) * 4096 + 4096 * 256),
}


@pytest.mark.parametrize('name', HEAD)
def test_recipes_on_imagenet_are_built_at_full_size(name, imagenet):
  epochs, batch_size, backbone, projector = HEAD[name]
  p = plan(run.load_config(f'{name}:imagenet'))
  found = sizes(p)
  assert (found['backbone'], found['projector']) == (backbone, projector) and imagenet['resize'] == 256
  assert p.steps == epochs * (1_281_167 // batch_size)
  jax.eval_shape(p.phases[0].turns[0].optimizer.init, jax.eval_shape(p.method.init, jax.random.key(0))[0])
  run.check(p, p.evaluators)


DENSE = {  # heads of the official codes: two layers with biases; three with batch norm, the last without a bias
  'densecl': (200, 256, dict.fromkeys(('projector', 'dense'), 2049 * 2048 + 2049 * 128)),
  'vicregl': (300, 2048, dict(projector=(2048 + 2 * 8192 + 2 + 2 * 2) * 8192, dense=(2048 + 2 * 512 + 2 + 2 * 2) * 512)),
}


@pytest.mark.parametrize('name', DENSE)
def test_dense_recipes_on_imagenet_are_traced_at_full_size(name, imagenet):
  epochs, batch_size, heads = DENSE[name]
  c = run.load_config(f'{name}:imagenet')
  p = plan(c)
  assert sizes(p) == dict(backbone=RESNET50, **heads) and p.steps == epochs * (1_281_167 // batch_size)
  assert (imagenet['crop'] is None) == (name == 'vicregl')  # whose crops are drawn where their places are known
  run.check(p, p.evaluators)
  testing.check_traces(c)


def test_beit_on_imagenet_is_traced_at_full_size(imagenet):
  c = run.load_config('beit:imagenet')
  p = plan(c)
  found = sizes(p)
  # timm's ViT-B with a mask token and layer scale, and without key biases and the position of the class token
  assert found['backbone'] == VIT_B + 768 + 24 * 768 - 12 * 768 - 768 and found['predict'] == 769 * 8192
  assert p.steps == 805 * (1_281_167 // 2048) and [phase.first for phase in p.phases] == [0, 5 * (1_281_167 // 2048)]
  run.check(p, p.evaluators)
  testing.check_traces(c)


def test_supervised_on_imagenet_is_deit_b(imagenet):
  c = run.load_config('supervised:imagenet')
  p = plan(c)
  assert sizes(p) == dict(backbone=86_567_656 - 769_000 - 768, classifier=769_000)  # timm's; the class token has no position of its own
  assert p.steps == 300 * (1_281_167 // 1024) and imagenet['crop']['views'] == 1
  assert c.optimizer.learning_rate.peak == pytest.approx(1e-3)
  assert p.batch['image'].shape == (1024, 1, 224, 224, 3)


def code_lines(name: str) -> int:
  """Lines of a config that are neither empty nor of its docstring, its parts, its claim or its published scales."""
  text = FILES[name].read_text()
  left_out = set()
  for node in ast.walk(ast.parse(text)):
    told = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ('c.parts', 'c.claim', 'PUBLISHED')
    told |= isinstance(node, ast.FunctionDef) and node.name == 'imagenet'
    if told or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
      left_out |= set(range(node.lineno, node.end_lineno + 1))
  return sum(bool(line.strip()) for i, line in enumerate(text.splitlines(), 1) if i not in left_out)


def test_half_of_the_configs_are_short():
  lines = {name: code_lines(name) for name in FILES}
  largest = sorted(lines, key=lines.get)[-5:]
  print('the largest configs:', *(f'{name} {lines[name]}' for name in largest))
  assert statistics.median(lines.values()) <= 22
