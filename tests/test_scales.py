"""Scales of configs: how they are named, what they hold, and the published ones at their full size."""

import ast
import statistics
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import cli, configs, run, tables, testing
from jssl.core.build import plan
from jssl.data.core.records import Columns
from jssl.data.own import clips
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
  assert cli.main(['train', 'byol:imagenet22k']) == 2 and 'there are tiny, small' in capsys.readouterr().err


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
      assert set(row) == {'metric', 'value', 'source', 'hardware', 'hours'} and row['source'].startswith(('arXiv:', 'doi:')), (name, scale)


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


@pytest.mark.rotating
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
VIT_L = 303_178_752  # of patches of 14
HEAD = {  # of the official codes; a class token has no position of its own here, and fixed positions are no parameters
  'barlow_twins': (1000, 2048, RESNET50, (2048 + 2 * 8192 + 4) * 8192),
  'dino': (300, 1024, VIT_S - 384, 384 * 2048 + 2048**2 + 2 * 2048 + (2048 + 1) * 256 + 256 * 65536),
  'swav': (200, 256, RESNET50, 2048 * 2048 + 3 * 2048 + 2048 * 128 + 128),
  'tico': (1000, 4096, RESNET50, (2048 + 2) * 4096 + (4096 + 1) * 256),
  'mmcr': (100, 2048, RESNET50, (2048 + 2 + 8192 + 2 + 512) * 8192),
  'ressl': (200, 256, RESNET50, (2048 + 1) * 4096 + (4096 + 1) * 512),
  'lejepa': (100, 512, VIT_L - 1024, (512 + 3) * 2048 + (2048 + 3) * 2048 + (2048 + 1) * 512),
  'moco_v3': (300, 4096, VIT_B - 197 * 768, (768 + 4096 + 4) * 4096 + 4096 * 256),
}


@pytest.mark.parametrize('name', HEAD)
@pytest.mark.rotating
def test_recipes_on_imagenet_are_built_at_full_size(name, imagenet):
  epochs, batch_size, backbone, projector = HEAD[name]
  p = plan(run.load_config(f'{name}:imagenet'))
  found = sizes(p)
  assert (found['backbone'], found['projector']) == (backbone, projector) and imagenet['resize'] == 256
  assert p.steps == epochs * (1_281_167 // batch_size)
  jax.eval_shape(p.phases[0].turns[0].optimizer.init, jax.eval_shape(p.method.init, jax.random.key(0))[0])
  run.check(p, p.evaluators)


BLOCK = lambda d: 12 * d * d + 13 * d
VIT_L, VIT_H = 303_301_632, 630_764_800  # timm's, without classifiers
BEIT_B = VIT_B - 768 + 768 + 12 * 2 * 768 - 12 * 768  # with a mask token and layer scale, without biases of keys
MASKED = {  # epochs, batch, rate; the second network is that of the official code, or its formula
  'mae:imagenet_vit_large': (1600, 4096, 2.4e-3, VIT_L - 197 * 1024, 8 * BLOCK(512) + (1024 + 1) * 512 + 512 + 2 * 512 + 513 * 768),
  'mae:imagenet_vit_huge': (1600, 4096, 2.4e-3, VIT_H - 257 * 1280, 8 * BLOCK(512) + (1280 + 1) * 512 + 512 + 2 * 512 + 513 * 588),
  'ijepa:imagenet': (300, 2048, 1e-3, VIT_H - 258 * 1280, 12 * BLOCK(384) + (1280 + 1) * 384 + 384 + 2 * 384 + 385 * 1280),
  'simmim:imagenet': (800, 2048, 4e-4, BEIT_B, 769 * 768),
  'data2vec:imagenet': (800, 2048, 2e-3, BEIT_B, 769 * 768),
}


@pytest.mark.parametrize('name', MASKED)
def test_masked_recipes_on_imagenet_have_the_published_sizes(name, imagenet):
  epochs, batch_size, rate, backbone, head = MASKED[name]
  c = run.load_config(name)
  p = plan(c)
  found = sizes(p)
  assert (found.pop('backbone'), [*found.values()]) == (backbone, [head]) and imagenet['crop']['views'] == 1
  assert p.steps == epochs * (1_281_167 // batch_size) and c.optimizer.learning_rate.peak == pytest.approx(rate)
  run.check(p, p.evaluators)


@pytest.fixture
def videos(monkeypatch):
  """Folders of videos, with clips that take no memory; the options that they are opened with."""
  told = {}

  def opened(path: str, *, frames: int, stride: int, resize: int, crop: dict) -> Data:
    told.update(path=path, stride=stride, crop=crop)
    shape = (frames, resize, resize, 3)
    some = lambda n: Columns(dict(clip=np.broadcast_to(np.uint8(0), (n, *shape)), label=np.broadcast_to(np.int32(0), n)))
    return Data(dict(train=some(240_000), test=some(20_000)), dict(clip=Column(shape, np.uint8), label=Column((), np.int32, 400)), 'clip', {})

  monkeypatch.setattr(clips, 'clips', opened)
  return told


VIDEOS = {  # of the official codes; encoders of VideoMAE have no biases of keys, and its decoder no bias where it reads
  'v_jepa:videomix2m': (
    90_000, 3072, 4, 24 * BLOCK(1024) + 1537 * 1024 + 2 * 1024, 12 * BLOCK(384) + 1025 * 384 + 2 * 384 + 2 * 384 + 385 * 1024
  ),
  'video_mae:kinetics400': (1600 * (240_000 // 2048), 2048, 4, 86_227_200 + 12 * 768, 7_983_744 + 4 * 384 + 384),
  'video_mae:ssv2': (2400 * (240_000 // 2048), 2048, 2, 86_227_200 + 12 * 768, 7_983_744 + 4 * 384 + 384),
}  # fmt: skip


@pytest.mark.parametrize('name', VIDEOS)
def test_recipes_on_videos_have_the_published_sizes(name, videos):
  steps, batch_size, stride, backbone, head = VIDEOS[name]
  c = run.load_config(name)
  p = plan(c)
  found = sizes(p)
  assert (found.pop('backbone'), [*found.values()]) == (backbone, [head])
  assert (videos['path'], videos['stride']) == (name.partition(':')[2], stride)
  assert p.steps == steps and p.batch['clip'].shape == (batch_size, 16, 224, 224, 3)
  run.check(p, p.evaluators)


dino_head = lambda d, k: d * 2048 + 2048**2 + 2 * 2048 + (2048 + 1) * 256 + 256 * k
SELF_DISTILLED = {  # of the official codes, as above; a mask token is learned where views are masked
  'dino:imagenet_vit_base': (400, 1024, VIT_B - 768, dict(projector=dino_head(768, 65536))),
  'ibot:imagenet': (800, 1024, VIT_S, dict(projector=dino_head(384, 8192))),
  'msn:imagenet': (800, 1024, VIT_S - 384, dict(projector=384 * 2048 + 2048**2 + 6 * 2048 + 2049 * 256, prototypes=256 * 1024)),
  'dinov2:imagenet': (200, 2048, 303_301_632 + 24 * 2 * 1024, dict(projector=dino_head(1024, 65536))),  # and layer scales
}


@pytest.mark.parametrize('name', SELF_DISTILLED)
def test_self_distillation_on_imagenet_is_built_at_full_size(name, imagenet):
  epochs, batch_size, backbone, heads = SELF_DISTILLED[name]
  p = plan(run.load_config(name))
  assert sizes(p) == dict(backbone=backbone, **heads) and p.steps == epochs * (1_281_167 // batch_size)
  run.check(p, p.evaluators)


def test_supervised_on_imagenet_is_deit_b(imagenet):
  c = run.load_config('supervised:imagenet')
  p = plan(c)
  assert sizes(p) == dict(backbone=86_567_656 - 769_000 - 768, classifier=769_000)  # timm's; the class token has no position of its own
  assert p.steps == 300 * (1_281_167 // 1024) and imagenet['crop']['views'] == 1
  assert c.optimizer.learning_rate.peak == pytest.approx(1e-3)
  assert p.batch['image'].shape == (1024, 1, 224, 224, 3)


def test_supervised_on_imagenet_is_resnet50_of_a2(imagenet):
  c = run.load_config('supervised:imagenet_resnet50')
  p = plan(c)
  assert sizes(p) == dict(backbone=RESNET50, classifier=2048 * 1000 + 1000) and p.steps == 300 * (1_281_167 // 2048)
  params, _ = jax.eval_shape(p.method.init, jax.random.key(0))
  moments = jax.eval_shape(p.phases[0].turns[0].optimizer.init, params)
  assert sum(x.size for x in jax.tree.leaves(moments) if x.shape) == 2 * sum(sizes(p).values())


def test_supervised_on_imagenet_is_vit_small_of_big_vision(imagenet):
  c = run.load_config('supervised:imagenet_vit_small')
  p = plan(c)
  plain = 22_050_664 - 385_000 - 384 - 197 * 384  # timm's without classifier, class token and learned positions
  assert sizes(p) == dict(backbone=plain, representation=384 * 384 + 384, classifier=385_000) and p.steps == 90 * (1_281_167 // 1024)
  params, _ = jax.eval_shape(p.method.init, jax.random.key(0))
  moments = [x.dtype for x in jax.tree.leaves(jax.eval_shape(p.phases[0].turns[0].optimizer.init, params)) if x.shape]
  assert moments.count(jnp.bfloat16) == moments.count(jnp.float32) == len(jax.tree.leaves(params))  # the first moments are half as large


@pytest.fixture
def librispeech(monkeypatch):
  """LibriSpeech with waves that take no memory."""
  spec = dict(samples=Column((), np.int32), speaker=Column((), np.int32))

  def opened(*, length: int = 250_000) -> Data:
    columns = dict(wave=Column((length,), np.float32), **spec)
    some = lambda n: Columns({name: np.broadcast_to(x.dtype.type(0), (n, *x.shape)) for name, x in columns.items()})
    return Data(dict(train=some(281_241), test=some(2939)), columns, 'wave', {})

  monkeypatch.setitem(tables.TABLES['data'], 'librispeech', opened)


WAV2VEC_BASE = 94_371_712 - 128  # transformers' Wav2Vec2Model; the lengths of the 128 taps of the positions are no parameters here


def test_wav2vec2_on_librispeech_is_base(librispeech):
  c = run.load_config('wav2vec2:librispeech')
  p = plan(c)
  heads = dict(quantizer=2 * 320 * 128 + 513 * 640, target=257 * 256, predictor=769 * 256)
  assert sizes(p) == dict(backbone=WAV2VEC_BASE, **heads)
  assert sum(sizes(p).values()) + 128 == 95_044_608  # transformers' Wav2Vec2ForPreTraining
  assert p.steps == 400_000 and p.batch['wave'].shape == (384, 250_000)


def test_hubert_on_librispeech_is_base_twice(librispeech):
  c = run.load_config('hubert:librispeech')
  p = plan(c)
  assert [phase.steps for phase in p.phases] == [250_000, 400_000]
  units = dict(early_out=769 * 256, early_units=100 * 256, late_out=769 * 256, late_units=500 * 256)
  assert sizes(p) == dict(backbone=WAV2VEC_BASE, first=WAV2VEC_BASE, **units)
  assert [phase.batch['units'].shape for phase in p.phases] == [(192, 781)] * 2


def test_data2vec_on_librispeech_is_base(librispeech):
  c = run.load_config('data2vec_audio:librispeech')
  p = plan(c)
  assert sizes(p) == dict(backbone=93_164_288, predictor=769 * 768)  # transformers' Data2VecAudioModel
  assert p.steps == 400_000 and p.batch['wave'].shape == (192, 320_000)


@pytest.fixture
def pairs(monkeypatch):
  """Image-text pairs of a user's own that take no memory; the options that they are opened with."""
  told = {}

  class Cropped(Columns):
    crop = True

  def opened(pattern: str, *, resize: int, length: int, vocabulary: int, crop: dict | None = None) -> Data:
    told.update(pattern=pattern, crop=crop)
    shape = (resize, resize, 3)
    of = lambda n: dict(image=np.broadcast_to(np.uint8(0), (n, *shape)), ids=np.broadcast_to(np.int32(0), (n, length)))
    spec = dict(image=Column(shape, np.uint8), ids=Column((length,), np.int32, vocabulary, pad=0, first=5, start=1))
    splits = dict(train=(Cropped if crop else Columns)(of(400_000_000)), test=Columns(of(5000)))
    drawn = {'drawn': {'image': (1, crop['size'], crop['size'], 3)}} if crop else {}
    return Data(splits, spec, 'image', drawn)

  monkeypatch.setattr('jssl.data.own.tars.tar', opened)
  return told


PAIRS = {  # official codes: CLIP's ViT-B/32 has 151,277,313 parameters, SigLIP's ViT-B/16 203,155,970 with 64 positions of tokens
  'clip:wit': (
    32768, 32 * (400_000_000 // 32768), 224,
    dict(backbone=87_849_216 - 768 * 512 - 768, image_end=768 * 512, text=63_428_096 - 512 * 512, text_end=512 * 512, scale=1),
  ),
  'siglip:webli': (32768, 9_000_000_000 // 32768, 224, dict(backbone=92_884_224, text=110_271_744 - (64 - 16) * 768, scale=2)),
  'coca:jft_align': (
    65536, 500_000, 288,
    dict(
      backbone=(972 + 1 + 256) * 768 + 12 * BLOCK(768) + 2 * 768 + (256 + 1) * 768 + 2 * (4 * 768 * 768 + 6 * 768),
      text=(64_000 + 64 + 1) * 768 + 12 * BLOCK(768) + 2 * 768,
      decoder=12 * (BLOCK(768) + 4 * 768 * 768 + 6 * 768) + 2 * 768, lm=64_000 * 769, image_end=768 * 768, text_end=768 * 768, scale=1,
    ),
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', PAIRS)
def test_models_of_images_and_texts_have_the_published_sizes(name, pairs):
  batch_size, steps, size, expected = PAIRS[name]
  c = run.load_config(name)
  p = plan(c)
  assert sizes(p) == expected and p.steps == steps
  assert p.batch['image'].shape == (batch_size, *((1,) if pairs['crop'] else ()), size, size, 3)
  run.check(p, p.evaluators)


def held(monkeypatch, name: str, count: int, columns: dict, inputs: str) -> dict:
  """Data of a user that take no memory, by their name; the options that they are opened with."""
  told = {}

  def opened(**options) -> Data:
    told.update(options)
    some = Columns({n: np.broadcast_to(x.dtype.type(0), (count, *x.shape)) for n, x in columns.items()})
    return Data(dict(train=some, test=Columns({n: x[:1000] for n, x in some.columns.items()})), columns, inputs, {})

  monkeypatch.setitem(tables.TABLES['data']._entries, name, opened)  # the table itself holds all names of user data
  return told


def gat(on, width, heads):
  return on * width + 2 * width + width  # weights, scores of both ends, biases


NODES, CLASSES = 169_343, 40
ARXIV = {  # of the official codes: graph convolutions or attention, each with layer norm and one slope, and what follows
  'bgrl': (10_000, 4096, dict(backbone=sum(on * 256 + 3 * 256 + 1 for on in (128, 256, 256)), predictor=2 * (256 + 1) * 256 + 1)),
  'graphmae': (
    1000, 1024, dict(backbone=128 + sum(gat(on, 1024, 4) + 2 * 1024 + 1 for on in (128, 1024, 1024)), decoder=1024**2 + gat(1024, 128, 1)),
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', ARXIV)
def test_ogbn_arxiv_have_the_published_sizes(name, monkeypatch):
  steps, batch_size, networks = ARXIV[name]
  shapes = dict(node=(128,), nodes=(64, 128), adjacency=(64, 64))
  columns = {n: Column(shape, bool if n == 'adjacency' else np.float32) for n, shape in shapes.items()} | {
    'label': Column((), np.int32, CLASSES)
  }
  told = held(monkeypatch, 'graph:ogbn-arxiv.npz', NODES, columns, 'node')
  c = run.load_config(f'{name}:ogbn_arxiv')
  p = plan(c)
  assert told == dict(size=64, hops=3) and (p.steps, p.batch['nodes'].shape) == (steps, (batch_size, 64, 128))
  assert sizes(p) == networks
  run.check(p, p.evaluators)


TRIPLES = {  # vectors of entities and relations
  'rotate:fb15k237': ('triples:FB15k-237', 272_115, 14_541, 237, 100_000, 2000, 1000),
  'transe:fb15k': ('triples:FB15k', 483_142, 14_951, 1345, 500 * 100, 50, 50),
}


@pytest.mark.parametrize('name', TRIPLES)
def test_freebase_have_the_published_sizes(name, monkeypatch):
  where, count, entities, relations, steps, dim, of_relation = TRIPLES[name]
  columns = {n: Column((), np.int32, relations if n == 'relation' else entities) for n in ('head', 'relation', 'tail')}
  held(monkeypatch, where, count, columns, 'head')
  c = run.load_config(name)
  p = plan(c)
  assert p.steps == steps and sizes(p) == dict(backbone=entities * dim, relations=relations * of_relation)
  run.check(p, p.evaluators)


DENSE = {  # heads of the official codes: two layers with biases; three with batch norm, the last without a bias
  'densecl': (200, 256, dict.fromkeys(('projector', 'dense'), 2049 * 2048 + 2049 * 128)),
  'vicregl': (300, 2048, dict(projector=(2048 + 2 * 8192 + 2 + 2 * 2) * 8192, dense=(2048 + 2 * 512 + 2 + 2 * 2) * 512)),
}


@pytest.mark.parametrize('name', DENSE)
@pytest.mark.rotating
def test_dense_recipes_on_imagenet_have_the_published_sizes(name, imagenet):
  epochs, batch_size, heads = DENSE[name]
  c = run.load_config(f'{name}:imagenet')
  p = plan(c)
  assert sizes(p) == dict(backbone=RESNET50, **heads) and p.steps == epochs * (1_281_167 // batch_size)
  assert (imagenet['crop'] is None) == (name == 'vicregl')  # whose crops are drawn where their places are known
  run.check(p, p.evaluators)


def test_beit_on_imagenet_have_the_published_sizes(imagenet):
  c = run.load_config('beit:imagenet')
  p = plan(c)
  found = sizes(p)
  # timm's ViT-B with a mask token and layer scale, and without key biases and the position of the class token
  assert found['backbone'] == VIT_B + 768 + 24 * 768 - 12 * 768 - 768 and found['predict'] == 769 * 8192
  assert p.steps == 805 * (1_281_167 // 2048) and [phase.first for phase in p.phases] == [0, 5 * (1_281_167 // 2048)]
  run.check(p, p.evaluators)


def code_lines(name: str) -> int:
  """Lines of a config that are neither empty nor of its docstring, its parts, its claim or its published scales."""
  text, scales = FILES[name].read_text(), getattr(configs.module(name), 'PUBLISHED', {})
  left_out = set()
  for node in ast.walk(ast.parse(text)):
    told = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ('c.parts', 'c.claim', 'PUBLISHED')
    told |= isinstance(node, ast.FunctionDef) and node.name in (*scales, 'published')
    if told or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
      left_out |= set(range(node.lineno, node.end_lineno + 1))
  return sum(bool(line.strip()) for i, line in enumerate(text.splitlines(), 1) if i not in left_out)


def test_half_of_the_configs_are_short():
  lines = {name: code_lines(name) for name in FILES}
  largest = sorted(lines, key=lines.get)[-5:]
  print('the largest configs:', *(f'{name} {lines[name]}' for name in largest))
  assert statistics.median(lines.values()) <= 22
