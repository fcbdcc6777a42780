"""What config.json of a text tower or of a ModernBERT says is obeyed or refused."""

import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import from_folder, head_from_folder, write_folder
from jssl.models.text.modernbert import ModernBert
from jssl.models.text.tower import TextTower

SIZES = dict(vocabulary=12, width=8, depth=3, heads=2, hidden=12, length=6)
TOWER = dict(causal=False, pool='last', out=8, activation='gelu_tanh', epsilon=1e-6)
MADE = {
  'clip_text_model': lambda: TextTower((6,), **SIZES, pool='end', end=9, rngs=nnx.Rngs(0)),
  'siglip_text_model': lambda: TextTower((6,), **SIZES, **TOWER, rngs=nnx.Rngs(0)),
  'modernbert': lambda: ModernBert((6,), **SIZES, every=2, window=4, pool='cls', rngs=nnx.Rngs(0)),
}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  folder = tmp_path_factory.mktemp('made')
  for kind, make in MADE.items():
    write_folder(folder / kind, make(), kind)
  return folder


@pytest.fixture
def opened(made, tmp_path):
  """(kind, what changes in config.json, options) -> the network of a changed folder."""

  def open_(kind, changes, **options):
    shutil.copytree(made / kind, tmp_path, dirs_exist_ok=True)
    path = tmp_path / 'config.json'
    config = json.loads(path.read_text())
    config = changes(config) if callable(changes) else config | changes
    path.write_text(json.dumps(config))
    return from_folder((6,), folder=str(tmp_path), rngs=nnx.Rngs(1), **options)

  return open_


def same_arrays(a, b):
  jax.tree.map(np.testing.assert_array_equal, nnx.to_pure_dict(nnx.state(a)), nnx.to_pure_dict(nnx.state(b)))


@pytest.mark.parametrize('kind', MADE)
def test_what_is_written_is_read(kind, opened):
  net = opened(kind, {})
  same_arrays(net, MADE[kind]())
  again = json.loads(net.described)
  assert {'name': again['name'], **SIZES}.items() <= again.items()


def test_names_may_be_without_prefix(made, opened, tmp_path):
  opened('clip_text_model', {})
  plain = {name.removeprefix('text_model.'): x for name, x in load_file(tmp_path / 'model.safetensors').items()}
  save_file(plain, tmp_path / 'model.safetensors')
  same_arrays(from_folder((6,), folder=str(tmp_path), rngs=nnx.Rngs(1)), MADE['clip_text_model']())


def whole(kind, key='text_config', **other):
  """config.json of a model of two towers."""
  return lambda config: {'model_type': kind, key: config, 'vision_config': {}, **other}


def test_the_tower_of_a_whole_model(opened):
  same_arrays(opened('clip_text_model', whole('clip'), part='text'), MADE['clip_text_model']())
  net = opened('siglip_text_model', whole('siglip'), part='text')
  same_arrays(net, MADE['siglip_text_model']())
  assert not net.causal and net.pool == 'last'


def test_the_older_key_of_a_clip_goes_first(opened):
  other = whole('clip', 'text_config_dict', text_config=dict(hidden_size=999, hidden_act='gelu'))
  assert opened('clip_text_model', other, part='text').activation == 'quick_gelu'


def test_the_end_of_a_text(opened):
  assert opened('clip_text_model', dict(eos_token_id=2)).pool == 'largest'
  assert opened('clip_text_model', {}).end == 9


def test_siglip_without_a_size_of_its_projection(opened):
  assert opened('siglip_text_model', dict(projection_size=None)).dim == 8


def newer(**changes):
  """A ModernBERT's config.json as transformers 5 writes it."""

  def change(config):
    for key in ('global_attn_every_n_layers', 'global_rope_theta', 'local_rope_theta'):
      del config[key]
    return config | changes

  return change


KINDS = ['full_attention', 'sliding_attention', 'full_attention']
ROPE = {kind: dict(rope_type='default', rope_theta=theta) for kind, theta in (('full_attention', 9.0), ('sliding_attention', 7.0))}


def test_modernbert_in_old_and_new_keys(opened):
  older = opened('modernbert', lambda c: {k: x for k, x in c.items() if k not in ('layer_types', 'rope_parameters')})
  net = opened('modernbert', newer(rope_parameters=ROPE))
  assert (older.every, older.theta, older.local_theta) == (2, 160_000.0, 10_000.0)
  assert (net.every, net.theta, net.local_theta) == (2, 9.0, 7.0)
  assert opened('modernbert', newer(layer_types=[KINDS[0], KINDS[1], KINDS[1]])).every == 3
  assert opened('modernbert', newer(layer_types=None, rope_parameters=None)).every == 3


def test_pooling_of_a_modernbert(opened, tmp_path):
  assert opened('modernbert', {}).pool == 'cls'
  assert opened('modernbert', dict(classifier_pooling='mean')).pool == 'mean'
  (tmp_path / '1_Pooling').mkdir()
  (tmp_path / '1_Pooling' / 'config.json').write_text(json.dumps(dict(pooling_mode_mean_tokens=True)))
  assert opened('modernbert', {}).pool == 'mean'
  assert opened('modernbert', {}, pool='cls').pool == 'cls'
  (tmp_path / '1_Pooling' / 'config.json').write_text(json.dumps(dict(pooling_mode_mean_sqrt_len_tokens=True)))
  with pytest.raises(PretrainedError, match="pools by 'sqrt'"):
    opened('modernbert', {})
  assert opened('modernbert', {}, pool='mean').pool == 'mean'


def test_fewer_blocks(opened):
  net = opened('modernbert', {}, depth=2)
  assert net.blocks.norm1.scale.shape == (2, 8)


REFUSED = {
  'no part': ('clip_text_model', whole('clip'), 'as part, not'),
  'a list': ('clip_text_model', lambda config: dict(model_type='clip', text_config=[1]), 'expected an object', dict(part='text')),
  'another tower': ('siglip_text_model', whole('clip'), "model_type = 'siglip_text_model'", dict(part='text')),
  'an activation': ('clip_text_model', dict(hidden_act='mish'), "hidden_act = 'mish'"),
  'several ends': ('clip_text_model', dict(eos_token_id=[2, 9]), 'eos_token_id'),
  'quantised': ('clip_text_model', whole('clip', text_config=dict(quantization_config={'bits': 4})), 'quantization', dict(part='text')),
  'a decoder': ('siglip_text_model', dict(is_decoder=True), 'is_decoder'),
  'an option': ('clip_text_model', {}, 'takes no mask_id', dict(mask_id=1)),
  'biases': ('modernbert', dict(norm_bias=True), 'norm_bias = True'),
  'scaled angles': ('modernbert', newer(rope_parameters=dict(full_attention=dict(rope_type='yarn'))), "'yarn'"),
  'scaled angles, before': ('modernbert', dict(rope_scaling=dict(type='linear', factor=2.0)), 'rope_scaling'),
  'other angles': ('modernbert', newer(rope_parameters=dict(rope_theta=7.0)), 'rope_parameters'),
  'no angle': ('modernbert', dict(rope_parameters=None, local_rope_theta=None), 'local_rope_theta = None'),
  'unequal distances': ('modernbert', newer(layer_types=[KINDS[0], KINDS[0], KINDS[1]]), 'equal distances'),
  'local layers alone': ('modernbert', newer(layer_types=[KINDS[1]] * 3), 'equal distances'),
  'too few kinds': ('modernbert', newer(layer_types=KINDS[:2]), 'equal distances'),
  'a pooling': ('modernbert', dict(classifier_pooling='max'), "pools by 'max'"),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_read_is_refused(case, opened):
  kind, changes, message, *options = REFUSED[case]
  with pytest.raises(PretrainedError, match=message) as error:
    opened(kind, changes, **(options[0] if options else {}))
  assert '\n' not in str(error.value)


def test_a_head_that_cannot_be_read_is_refused(opened, tmp_path):
  opened('modernbert', dict(classifier_activation='relu'))
  with pytest.raises(PretrainedError, match="classifier_activation = 'relu'"):
    head_from_folder(8, folder=str(tmp_path), head='masked_lm', rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
  ('kind', 'net'),
  [
    ('siglip_text_model', MADE['clip_text_model']),
    ('clip_text_model', MADE['siglip_text_model']),
    ('clip_text_model', lambda: TextTower((6,), **SIZES, pool='end', end=2, rngs=nnx.Rngs(0))),
    ('modernbert', lambda: ModernBert((6,), **SIZES, activation='silu', rngs=nnx.Rngs(0))),
  ],
)
def test_what_cannot_be_written_is_refused(kind, net, tmp_path):
  with pytest.raises(PretrainedError, match='cannot be written'):
    write_folder(tmp_path, net(), kind)
