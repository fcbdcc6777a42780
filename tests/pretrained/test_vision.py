"""Vision transformers in folders: what is refused, what is left to choose, positions, and weights in shares."""

import json
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.core.mesh import known_rules, make_mesh, shardings, used
from jssl.core.nets import init, network
from jssl.devices.traffic import collectives
from jssl.errors import PretrainedError
from jssl.models import ViT
from jssl.models.layers import positions
from jssl.models.pretrained import vision_timm
from jssl.models.pretrained.family import from_folder, head_from_folder, write_folder
from jssl.models.pretrained.names import arrays
from tests.pretrained import vision_cases
from tests.pretrained.case import absent
from tests.pretrained.text_cases import transformer

SHAPE = (8, 8, 3)
SMALL = partial(ViT, SHAPE, width=8, depth=2, heads=2, patch=4, rngs=nnx.Rngs(0))
NETS = {
  'vit': SMALL,
  'dinov2': partial(SMALL, layer_scale=0.1),
  'dinov2_with_registers': partial(SMALL, layer_scale=0.1, registers=2, antialias=True),
  'dinov3_vit': partial(SMALL, layer_scale=0.1, registers=2, positions='rotary', temperature=100.0, key_bias=False),
  'clip_vision_model': partial(SMALL, pre_norm=True, pooled_norm=True, activation='quick_gelu'),
  'siglip_vision_model': partial(SMALL, pool='attention', activation='gelu_tanh'),
  'timm/vit': partial(SMALL, antialias=True),
}


def opened(folder, shape=SHAPE, **options):
  return from_folder(shape, folder=str(folder), **options, rngs=nnx.Rngs(1))


def changed(folder, **keys):
  """The folder with other keys in its config.json; one of `model_args` where they have such."""
  config = json.loads((folder / 'config.json').read_text())
  (config['model_args'] if keys.keys() <= config.get('model_args', {}).keys() | {'norm_layer', 'layers'} else config).update(keys)
  (folder / 'config.json').write_text(json.dumps(config))
  return folder


@pytest.mark.parametrize(
  'family, keys, said',
  [
    ('vit', dict(hidden_act='mish'), "hidden_act = 'mish'"),
    ('vit', dict(hidden_act=['gelu']), r"hidden_act = \['gelu'\]"),
    ('vit', dict(image_size='large'), "image_size = 'large'"),
    ('vit', dict(image_size=[8]), r'image_size = \[8\]'),
    ('vit', dict(image_size=2), 'image_size = 2'),
    ('vit', dict(patch_size=[4, 2]), r'patch_size = \[4, 2\]'),
    ('vit', dict(patch_size=2), r'has the shape \(8, 3, 4, 4\)'),
    ('vit', dict(image_size=16), r'position_embeddings.* has the shape \(1, 5, 8\)'),
    ('vit', dict(num_attention_heads=3), '3 heads'),
    ('vit', dict(qkv_bias=False), 'has tensors that the network in its config.json lacks'),
    ('vit', dict(num_hidden_layers=3), 'has no tensor'),
    ('dinov2', dict(mlp_ratio=2), r'has the shape \(32, 8\)'),
    ('dinov2', dict(use_swiglu_ffn=True), 'has no tensor'),
    ('dinov2_with_registers', dict(num_register_tokens=3), r'register_tokens.* has the shape \(1, 2, 8\)'),
    ('dinov3_vit', dict(proj_bias=False), 'proj_bias = False'),
    ('dinov3_vit', dict(value_bias=False), 'value_bias = False'),
    ('clip_vision_model', dict(vision_config='none'), "vision_config = 'none'"),
    ('siglip_vision_model', dict(vision_use_head=False), "'head"),
    ('timm/vit', dict(architecture='vit_base_patch16_xp_224'), 'vit_base_patch16_xp_224'),
    ('timm/vit', dict(norm_layer='rmsnorm'), "norm_layer = 'rmsnorm'"),
    ('timm/vit', dict(layers=3), 'layers = 3'),
    ('timm/vit', dict(depth='12'), "depth = '12'"),
    ('timm/vit', dict(num_heads=3), '3 heads'),
    ('timm/vit', dict(img_size=2), 'img_size = 2'),
    ('timm/vit', dict(img_size=None), 'img_size = None'),
    ('timm/vit', dict(model_args=[1]), r'\[1\] as model_args'),
    ('timm/vit', dict(global_pool='map'), "global_pool = 'map'"),
    ('timm/vit', dict(no_embed_class=True), 'no_embed_class = True and 0 registers'),
    ('timm/vit', dict(act_layer='mish'), "act_layer = 'mish'"),
  ],
)
def test_contradictions_are_refused_in_a_line(family, keys, said, tmp_path):
  write_folder(tmp_path, NETS[family](), family)
  with pytest.raises(PretrainedError, match=said) as error:
    opened(changed(tmp_path, **keys))
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  'family, options, said',
  [
    ('vit', dict(positions='sincos'), "positions = 'sincos'"),
    ('vit', dict(pool='mean'), "pool = 'mean'"),
    ('vit', dict(registers=2), 'registers = 2'),
    ('vit', dict(qk_norm=True), 'qk_norm = True'),
    ('vit', dict(patch=1, stem=(4, 8)), 'stem = 2'),
    ('dinov2', {}, 'layer_scale = None'),
    ('dinov2', dict(layer_scale=0.1, hidden=20), 'hidden = 20'),
    ('dinov2', dict(layer_scale=0.1, gated=True), "gated by 'gelu'"),
    ('dinov2_with_registers', dict(layer_scale=0.1, antialias=True), 'registers = 0'),
    ('dinov3_vit', dict(layer_scale=0.1, registers=2), "positions = 'learned'"),
    ('clip_vision_model', {}, 'pre_norm = False'),
    ('siglip_vision_model', {}, "pool = 'cls'"),
    ('timm/vit', {}, 'antialias = False'),
    ('timm/vit', dict(antialias=True, epsilon=1e-12), 'epsilon = 1e-12'),
    ('timm/vit', dict(antialias=True, pool='attention'), "pool = 'attention'"),
  ],
)
def test_what_a_folder_cannot_say_is_not_written(family, options, said, tmp_path):
  with pytest.raises(PretrainedError, match=said):
    write_folder(tmp_path, SMALL(**options), family)
  assert not list(tmp_path.iterdir())


def test_the_mean_of_patches_is_pooled_beside_the_class_token(tmp_path):
  write_folder(tmp_path, SMALL(), 'vit')
  x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
  of_class, of_mean = opened(tmp_path)(x), opened(tmp_path, pool='mean')(x)
  np.testing.assert_array_equal(of_class.tokens, of_mean.tokens)
  np.testing.assert_allclose(of_mean.pooled, of_class.tokens.mean(1), atol=1e-6)


def test_positions_stay_those_of_the_folder(tmp_path):
  write_folder(tmp_path, SMALL(), 'vit')
  small, large = opened(tmp_path), opened(tmp_path, (16, 12, 3))
  assert large.grid == (4, 3) and large.table == (2, 2)
  np.testing.assert_array_equal(small.positions[...], large.positions[...])
  x = np.random.default_rng(0).normal(size=(2, 16, 12, 3)).astype(np.float32)
  np.testing.assert_array_equal(small(x).tokens, large(x).tokens)


def test_smooth_resizing_is_that_of_jax():
  table = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
  for new in ((3, 9), (7, 4), (12, 5)):
    expected = jax.image.resize(table, (*new, 3), 'bicubic', antialias=True)
    found = positions.resize(jnp.asarray(table.reshape(35, 3)), (7, 5), new, antialias=True)
    np.testing.assert_allclose(found, expected.reshape(-1, 3), atol=1e-5)


def test_rotary_positions_tell_patches_apart_by_their_places():
  net, x = NETS['dinov3_vit'](std=0.5, layer_scale=1.0), np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
  keep = jnp.array([[9, 2, 5], [0, 15, 3]])
  whole = net(x, keep=jnp.broadcast_to(jnp.arange(16), (2, 16)))
  np.testing.assert_allclose(net(x).tokens, whole.tokens, atol=1e-4)
  np.testing.assert_allclose(net(x, keep=keep).tokens, net(x, keep=keep[:, ::-1]).tokens[:, ::-1], atol=1e-4)
  swapped = net(np.roll(x, 4, 1)).tokens.reshape(2, 4, 4, -1)
  assert np.abs(np.roll(swapped, -1, 1).reshape(2, 16, -1) - net(x).tokens).max() > 0.01


def test_the_head_of_dinov2_reads_the_mean_of_the_patches_too(tmp_path):
  if why := absent('transformers'):
    pytest.skip(why)
  model = transformer('Dinov2ForImageClassification', 'Dinov2Config', **vision_cases.DINOV2, num_labels=5)()
  model.save_pretrained(tmp_path)
  x = vision_cases.images()()
  features, head = opened(tmp_path, x.shape[1:])(x), head_from_folder(32, folder=str(tmp_path), head='classifier', rngs=nnx.Rngs(0))
  found = head(jnp.concatenate([features.pooled, features.tokens.mean(1)], 1))
  np.testing.assert_allclose(found, vision_cases.classified(model, x)['classifier'], atol=1e-4)


def test_architectures_of_timm_are_told_by_their_names(monkeypatch):
  if why := absent('timm'):
    pytest.skip(why)
  import timm
  from timm.models import vision_transformer

  given = {}
  monkeypatch.setattr(vision_transformer, 'build_model_with_cfg', lambda make, name, pretrained, **options: given.update({name: options}))
  read = {}
  for name in timm.list_models('vit_*', module='vision_transformer'):
    try:
      read[name] = vision_timm.arguments(dict(architecture=name), '')
      image = timm.get_pretrained_cfg(name).input_size[1:]
    except PretrainedError:
      continue
    getattr(vision_transformer, name)(pretrained=False)
    theirs = {key: value for key, value in given[name].items() if not key.startswith('pretrained') and key != 'feature_cfg'}
    epsilon = getattr(theirs.pop('norm_layer', None), 'keywords', {}).get('eps', 1e-6)
    found = {key: value for key, value in read[name].items() if vision_timm.DEFAULTS.get(key, 0) != value} | dict(epsilon=read[name]['epsilon'])
    assert found.pop('img_size', image) and {**found, **theirs} == found and {**theirs, **found} == theirs | dict(epsilon=epsilon), name
  assert len(read) > 40 and 'vit_small_patch14_reg4_dinov2' in read


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_no_weight_is_ever_whole_on_a_device(dtype, tmp_path, width=128, depth=3, image=64, heads=4):
  """A ViT-B/16 but for its size: each device reads its eighth of every weight, and nothing is sent."""
  shape = (image, image, 3)
  write_folder(tmp_path, ViT(shape, width=width, depth=depth, heads=heads, patch=16, rngs=nnx.Rngs(0)), 'vit', dtype=dtype)
  nets = dict(backbone=network(lambda key: opened(tmp_path, shape))[0])
  mesh, places = make_mesh(dict(data=1, fsdp=8)), partial(used, known_rules('fsdp'), 'params')
  with jax.set_mesh(mesh):
    create = lambda key: init(nets, key, places)[0]
    found = jax.eval_shape(create, jax.random.key(0))
    program = jax.jit(create, out_shardings=shardings(found, mesh, 'fsdp')).lower(jax.random.key(0)).compile()
    params = program(jax.random.key(0))
  assert not collectives(program.as_text())
  buffers = {tuple(map(int, shape.split(','))) for shape in re.findall(r'\bf32\[([\d,]+)\]', program.as_text())}
  ours = {path: x[...] for path, x in arrays(opened(tmp_path, shape)).items()}
  spread = 0
  for path, x in jax.tree_util.tree_leaves_with_path(params['backbone']):
    path = jax.tree_util.keystr(path, simple=True, separator='.')
    np.testing.assert_array_equal(x, ours[path], err_msg=path)
    if not x.sharding.is_fully_replicated:
      assert x.shape not in buffers and {part.data.size for part in x.addressable_shards} == {x.size // 8}, path
      spread += x.size
  assert spread > 0.99 * sum(x.size for x in ours.values())
