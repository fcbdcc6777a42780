"""Encoders exported as programs and as weights of other libraries give the embeddings that the model gives."""

import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

import jssl
from jssl import cli, export, tables
from jssl.errors import ConfigError, PretrainedError
from jssl.exports import onnx, stablehlo
from jssl.models.pretrained.family import Family, from_folder
from jssl.models.pretrained.names import arrays, same
from jssl.models.vision.convnet import ConvNet
from tests.oracles import references
from tests.text_encoders import TEXTS, TRAINED, encoder

ROOT = Path(__file__).resolve().parents[1]
PICTURES = dict(data=dict(name='digits'), inputs=dict(name='plain', mean=0.1, std=0.5))
CASES = {
  'vit': {**PICTURES, 'backbone': dict(name='vit', patch=2, width=12, depth=2, heads=2)},
  'resnet': {**PICTURES, 'backbone': dict(name='resnet18')},
  'convnet': {**PICTURES, 'backbone': dict(name='convnet', widths=(4, 8))},
  'bert': TRAINED,
}


def given(model, count=5):
  """Inputs as a program takes them."""
  if model.reads_texts():
    return model._columns(list(TEXTS[:count]), 'ids')['ids']
  spec = model.data.spec[model.data.inputs]
  return np.random.default_rng(3).integers(0, 256, (count, *spec.shape)).astype(spec.dtype)


def run(folder, x):
  """What the card of a folder says, carried out where jssl is not imported by it."""
  code = re.search(r'```python\n(.*?)```', (folder / 'README.md').read_text(), re.S)[1]
  assert 'jssl' not in code
  names = dict(x=x)
  exec(compile(code.replace('FOLDER', str(folder)), 'card', 'exec'), names)
  return np.asarray(names['z'])


@pytest.fixture
def flatbuffers():
  """By which jax.export writes."""
  return pytest.importorskip('flatbuffers')


@pytest.mark.parametrize('case', [pytest.param(case, marks=pytest.mark.long) if case == 'resnet' else case for case in CASES])
def test_stablehlo_gives_what_encode_gives(case, tmp_path, flatbuffers):
  model = encoder(**CASES[case])
  model.export(tmp_path / 'out', 'stablehlo', outputs=('pooled', 'tokens'))
  files = {path.name for path in (tmp_path / 'out').iterdir()}
  assert files == {'model.stablehlo', 'README.md'} | ({'tokenizer.json'} if case == 'bert' else set())
  x = given(model)
  np.testing.assert_allclose(run(tmp_path / 'out', x), model.encode(x), atol=1e-5)
  made = jax.export.deserialize(bytearray((tmp_path / 'out' / 'model.stablehlo').read_bytes()))
  assert made.platforms == ('cpu', 'cuda', 'tpu')
  for count in (1, 4):  # of any size
    found, expected = made.call(x[:count]), model.represent({model.data.inputs: x[:count]})
    np.testing.assert_allclose(found['tokens'], expected.tokens, atol=1e-4)
    np.testing.assert_allclose(found['pooled'], expected.pooled, atol=1e-4)


@pytest.mark.parametrize('case', CASES)
def test_onnx_gives_what_encode_gives(case, tmp_path):
  if why := next(filter(None, map(references.absent, ('onnxruntime', 'jax2onnx'))), None):
    pytest.skip(why)
  model, functions = encoder(**CASES[case]), dict(vars(jax.numpy))
  model.export(tmp_path / 'out', 'onnx')
  assert functions.items() <= vars(jax.numpy).items()  # jax2onnx replaces some while it converts
  x = given(model)
  for count in (5, 1):
    np.testing.assert_allclose(run(tmp_path / 'out', x[:count]), model.encode(x[:count]), atol=1e-4)


def test_large_weights_lie_beside_the_program(tmp_path, monkeypatch, flatbuffers):
  monkeypatch.setattr(stablehlo, 'INSIDE', 100)
  model = encoder(**CASES['bert'])
  model.export(tmp_path / 'out', 'stablehlo', platforms=('cpu',))
  sizes = {path.name: path.stat().st_size for path in (tmp_path / 'out').iterdir()}
  assert sizes['model.safetensors'] > 4 * 600 * 16 and sizes.keys() == {'model.stablehlo', 'model.safetensors', 'tokenizer.json', 'README.md'}
  np.testing.assert_allclose(run(tmp_path / 'out', given(model)), model.encode(TEXTS[:5]), atol=1e-5)


@pytest.mark.rotating
def test_a_transform_and_a_head_are_in_the_program(tmp_path, flatbuffers):
  model = encoder(**CASES['bert'], transform=dict(name='zca_whiten'), heads=dict(end=dict(name='mlp', widths=(4,))))
  x = given(model)
  model.export(tmp_path / 'out', 'stablehlo')
  np.testing.assert_allclose(run(tmp_path / 'out', x), model.encode(x), atol=1e-3)
  model.export(tmp_path / 'end', 'stablehlo', network='end')
  assert run(tmp_path / 'end', x).shape == (5, 4)
  np.testing.assert_allclose(run(tmp_path / 'end', x), model.encode(x, network='end'), atol=1e-5)


def test_a_program_that_differs_is_not_left(tmp_path, monkeypatch, flatbuffers):
  model = encoder(**CASES['convnet'])
  other = lambda x: dict(pooled=model.encode(x) + 0.1)
  made = export.encoder_of
  monkeypatch.setattr(export, 'encoder_of', lambda *of: made(*of)._replace(expected=other))
  with pytest.raises(ConfigError, match='pooled outputs .* differ by 1.0e-01: nothing is written'):
    model.export(tmp_path / 'out', 'stablehlo')
  assert not list(tmp_path.iterdir())


def test_an_operation_that_onnx_has_not_is_named(tmp_path):
  if why := next(filter(None, map(references.absent, ('flatbuffers', 'onnxruntime', 'jax2onnx'))), None):
    pytest.skip(why)
  model = encoder(**PICTURES, backbone=dict(name='tests.test_programs:odd'))
  model.export(tmp_path / 'hlo', 'stablehlo')
  with pytest.raises(ConfigError, match="cannot convert the operation 'select_and_scatter_add'") as error:
    model.export(tmp_path / 'out', 'onnx')
  assert '\n' not in str(error.value) and not (tmp_path / 'out').exists()


def odd(on, *, rngs):
  """A network with an operation that ONNX has not."""
  return Odd()


class Odd(nnx.Module):
  dim = 8

  def __init__(self):
    self.scale = nnx.Param(jax.numpy.ones(()))

  def __call__(self, x):
    x = jax.grad(lambda x: nnx.max_pool(x, (2, 2), (2, 2)).sum())(x)[:, 0, :, 0] * self.scale[...]
    return jssl.types.Features(x[:, None], x)


@pytest.mark.parametrize('options, said', [
  (dict(format='stablehlo', outputs=('poled',)), 'did you mean pooled'),
  (dict(format='stablehlo', outputs='pooled'), 'outputs names'),
  (dict(format='stablehlo', platforms=('gpu',)), "platforms names 'gpu'"),
  (dict(format='stablehlo', platforms=('tpu',)), 'is checked on cpu'),
  (dict(format='onnx', platforms=('cpu',)), 'platforms is an option of the format stablehlo'),
  (dict(format='stablehlo', family='bert'), 'family is an option of the format hf'),
  (dict(format='stablehlo', network='bakbone'), 'did you mean backbone'),
  (dict(format='hf'), 'no family fits this ConvNet'),
  (dict(format='hf', family='bart'), 'did you mean bert'),
  (dict(format='hf', family='bert'), 'it is for a Bert'),
])  # fmt: skip
def test_what_is_wrong_is_refused_in_a_line(options, said, tmp_path):
  model = encoder(**CASES['convnet'])
  with pytest.raises(ConfigError, match=said) as error:
    model.export(tmp_path / 'out', **options)
  assert '\n' not in str(error.value) and not list(tmp_path.iterdir())


def test_several_families_ask_for_one(tmp_path, monkeypatch):
  monkeypatch.setitem(tables.FAMILIES._entries, 'twin', tables.FAMILIES['vit'])
  model = encoder(**CASES['vit'])
  with pytest.raises(ConfigError, match=re.escape("can be written as ['vit', 'twin']: choose one with family")):
    model.export(tmp_path / 'out', 'hf')
  model.export(tmp_path / 'out', 'hf', family='vit')
  net = from_folder((8, 8, 1), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(0))
  x = given(model)
  tokens = jax.jit(lambda x: net(x).tokens)((x / 255 - 0.1) / 0.5)
  np.testing.assert_allclose(tokens, model.represent({'image': x}).tokens, atol=1e-5)


def test_a_network_on_pictures_is_written_and_read_again(tmp_path, monkeypatch):
  family = Family(
    'convnet', ConvNet, lambda config, folder: dict(widths=tuple(config['widths'])), lambda net: {path: same(path) for path in arrays(net)},
    lambda net: dict(model_type='toy', widths=CASES['convnet']['backbone']['widths']),
  )  # fmt: skip
  monkeypatch.setitem(tables.FAMILIES._entries, 'toy', family)
  model = encoder(**CASES['convnet'])
  model.export(tmp_path / 'out', 'hf')
  net, x = from_folder((8, 8, 1), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(0)), given(model)
  net.eval()
  card = (tmp_path / 'out' / 'README.md').read_text()
  mean, std = map(np.array, eval(re.search(r'for x in (\(\[.*\]\))\)', card)[1]))
  np.testing.assert_allclose(net(((x / 255 - mean) / std).astype(np.float32)).pooled, model.encode(x), atol=1e-5)
  sized = encoder(**{**CASES['convnet'], 'inputs': dict(name='plain', size=4)})
  with pytest.raises(ConfigError, match="pass through the view 'plain'"):
    sized.export(tmp_path / 'other', 'hf')
  monkeypatch.setitem(tables.FAMILIES._entries, 'toy', family._replace(options=lambda config, folder: dict(widths=(8, 8))))
  with pytest.raises((ConfigError, PretrainedError)):
    model.export(tmp_path / 'other', 'hf')
  assert not (tmp_path / 'other').exists()


def test_a_language_model_is_written_as_gpt2(tmp_path):
  backbone = dict(name='gpt2', width=16, depth=2, heads=2, length=20)
  model = encoder(data=TRAINED['data'], backbone=backbone)
  model.export(tmp_path / 'out', 'hf')
  assert json.loads((tmp_path / 'out' / 'config.json').read_text())['model_type'] == 'gpt2'
  net, x = from_folder((10,), folder=str(tmp_path / 'out'), rngs=nnx.Rngs(0)), given(model)
  np.testing.assert_allclose(jax.jit(lambda x: net(x).tokens)(x), model.represent(dict(ids=x)).tokens, atol=1e-5)


def test_the_command_line(tmp_path, capsys, flatbuffers):
  model = encoder(**CASES['convnet'])
  model.save(tmp_path / 'm')
  options = ['--format', 'stablehlo', '--outputs', 'pooled,tokens', '--platforms', 'cpu,tpu', '--json']
  assert cli.main(['export', str(tmp_path / 'm'), str(tmp_path / 'out'), *options]) == 0
  assert json.loads(capsys.readouterr().out)['files'] == ['README.md', 'model.stablehlo']


def test_programs_are_unrolled_operation_by_operation():
  def f(x, w):
    y, ys = jax.lax.scan(lambda c, v: (jax.nn.relu(c * v), c), x, w, reverse=True)
    return jax.lax.platform_dependent(y, cpu=lambda y: y + 1, default=lambda y: y + 2), jax.numpy.pad(ys, ((1, 2), (0, 0)))

  x, w = jax.numpy.arange(3.0), jax.numpy.arange(12.0).reshape(4, 3)
  one = jax.make_jaxpr(lambda x: f(x, w))(x)
  flat = jax.make_jaxpr(lambda x: onnx.unrolled(one, x))(x)
  assert not {str(eqn.primitive) for eqn in flat.jaxpr.eqns} & {'scan', 'jit', 'cond', 'platform_index', 'pad', 'custom_jvp_call'}
  found, expected = onnx.unrolled(one, x), jax.jit(f)(x, w)
  np.testing.assert_array_equal(found[0], expected[0] + 1)
  np.testing.assert_array_equal(found[1], expected[1])
