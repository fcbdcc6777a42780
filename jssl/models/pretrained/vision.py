"""Vision transformers in and out of folders of transformers: ViT (DINO's too), DINOv2, DINOv3, and the encoder of MAE."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.errors import PretrainedError
from jssl.models.layers.activations import ACTIVATIONS
from jssl.models.pretrained import files
from jssl.models.pretrained.family import Family, Head, Options, activation_in, activation_written, read_options
from jssl.models.pretrained.names import Entry, Names, dense, norm, patches, same, shaped, vector
from jssl.models.vision.vit import ViT

# option of ViT -> key of config.json, and what transformers takes where the key is missing
SIZES = dict(width=('hidden_size', 768), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 12))
VIT = dict(**SIZES, hidden=('intermediate_size', 3072), epsilon=('layer_norm_eps', 1e-12), patch=('patch_size', 16), bias=('qkv_bias', True))
DINOV2 = dict(
  **SIZES, epsilon=('layer_norm_eps', 1e-6), patch=('patch_size', 14), bias=('qkv_bias', True), layer_scale=('layerscale_value', 1.0),
  gated=('use_swiglu_ffn', False), mask_token=('use_mask_token', True),
)  # fmt: skip
REGISTERS = {name: found for name, found in DINOV2.items() if name != 'mask_token'} | dict(
  patch=('patch_size', 16), registers=('num_register_tokens', 4)
)
DINOV3 = dict(
  width=('hidden_size', 384), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 6), hidden=('intermediate_size', 1536),
  epsilon=('layer_norm_eps', 1e-5), patch=('patch_size', 16), bias=('query_bias', True), key_bias=('key_bias', False),
  layer_scale=('layerscale_value', 1.0), gated=('use_gated_mlp', False), registers=('num_register_tokens', 0),
  temperature=('rope_theta', 100.0),
)  # fmt: skip
# what is so in a ViT unless a family says otherwise
PLAIN = dict(
  stem=0, pool='cls', queries=None, class_token=True, positions='learned', antialias=False, registers=0, layer_scale=None, qk_norm=False,
  key_bias=True, gated=False, pre_norm=False, pooled_norm=False,
)  # fmt: skip


def read(
  config: Mapping[str, Any],
  folder: Path,
  options: Options,
  *,
  act: str = 'gelu',
  expected: Mapping[str, Any] | None = None,
  always: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """The options of a ViT from config.json.

  Args:
    config, folder, options: as in `read_options`.
    act: activation where the key is missing.
    expected: as in `read_options`.
    always: options that are the same in all networks of the family.

  Raises:
    PretrainedError: as in `read_options`, or the activation or the size of images is none that can be read.
  """
  found = read_options(config, folder, options, expected or {})
  name, size = config.get('hidden_act', act), config.get('image_size', 224)
  sides = [size, size] if isinstance(size, int) else size
  if not isinstance(sides, list) or len(sides) != 2 or not all(type(side) is int and side >= found['patch'] for side in sides):
    raise PretrainedError(f'{folder}/config.json has image_size = {size!r}: expected a side of {found["patch"]} or more, or [height, width]')
  return found | dict(image=sides, activation=activation_in(name, 'hidden_act', folder), class_token=True) | dict(always or {})


def options_of(net: ViT) -> dict[str, Any]:
  """What folders say of a ViT, by the options that make it."""
  block = net.blocks
  return dict(
    width=net.dim, depth=len(block.norm1.scale), heads=block.attention.heads, hidden=block.mlp.fc1.kernel.shape[-1], patch=net.patch,
    epsilon=net.norm.epsilon, image=[n * net.patch for n in net.table], temperature=net.temperature,
    activation=next(name for name, f in ACTIVATIONS.items() if f is block.mlp.activation),
    bias=block.attention.qkv.bias is not None or block.attention.qv_bias is not None, key_bias=block.attention.qv_bias is None,
    stem=net.stem, pool=net.pool, class_token=net.cls is not None, antialias=net.antialias, registers=net.registers,
    queries=None if net.queries is None else len(net.queries.query),
    positions='rotary' if net.rotary else 'sincos' if net.positions is None else 'learned',
    layer_scale=None if block.gamma1 is None else 1.0, mask_token=net.mask_token is not None, qk_norm=block.attention.qk_norm,
    gated=block.mlp.gate is not None, pre_norm=net.pre_norm is not None, pooled_norm=net.pooled_norm,
  )  # fmt: skip


def say(net: ViT, kind: str, options: Options, always: Mapping[str, Any] | None = None, *, square: bool = False) -> dict[str, Any]:
  """The keys of config.json that say what a ViT is, the inverse of `read`.

  Args:
    net: of that family.
    kind: its name, for messages.
    options, always: as in `read`.
    square: images must be.

  Raises:
    PretrainedError: it is something that they cannot say.
  """
  found = options_of(net)
  for option, value in (PLAIN | dict(always or {})).items():
    if option not in options and found[option] != value:
      raise PretrainedError(f'a ViT with {option} = {found[option]!r} cannot be written as {kind!r}: expected {value!r}')
  for option in options:
    if found[option] in (None, 0) and found[option] is not False:
      raise PretrainedError(f'a ViT with {option} = {found[option]!r} cannot be written as {kind!r}: expected one that has it')
  h, w = found['image']
  if square and h != w:
    raise PretrainedError(f'a ViT for images of {h}x{w} cannot be written as {kind!r}: expected a square')
  return {key: found[option] for option, (key, _) in options.items()} | dict(
    image_size=h if h == w else [h, w], num_channels=net.channels, hidden_act=activation_written(found['activation'])
  )


def embedding(net: ViT, conv: str) -> dict[str, Entry]:
  """The linear map of the patches, in the file a convolution."""
  found = {'embed.kernel': patches(f'{conv}.weight', net.patch)}
  return found | ({} if net.embed.bias is None else {'embed.bias': same(f'{conv}.bias')})


def leading(path: str, name: str, axes: int = 1) -> dict[str, Entry]:
  """A parameter that has so many more axes of 1 in front in the file."""
  return {path: shaped(name, lambda x: x.reshape(x.shape[axes:]), lambda x: x.reshape((1,) * axes + x.shape))}


def placed(cls: str, table: str, *, flat: bool = False) -> dict[str, Entry]:
  """The class token and the positions, of which the first is that of the class token: here it is added to it, and written as zeros.

  Args:
    cls, table: names of the tensors, [1 1 d] and [1 1+n d].
    flat: they are [d] and [1+n d].
  """
  back = (lambda x: x) if flat else (lambda x: x[None])
  return {
    'cls': Entry((cls, table), lambda c, p: c.reshape(1, -1) + p.reshape(-1, p.shape[-1])[:1], lambda x: (back(x[0] if flat else x), None)),
    'positions': shaped(table, lambda p: p.reshape(-1, p.shape[-1])[1:], lambda x: back(np.pad(x, ((1, 0), (0, 0))))),
  }


def blocks(
  net: ViT, at: str, *, qkv: Sequence[str], proj: str, fc1: str, fc2: str, gate: str = '', norms: str = 'norm{}', gamma: str = ''
) -> dict[str, Entry]:
  """The map of names of the blocks.

  Args:
    net: the network.
    at: of the tensors of a block.
    qkv: the linear maps of queries, keys and values, or the one of all.
    proj, fc1, fc2, gate: the other linear maps.
    norms, gamma: of the normalisations and the layer scale, with {} for 1 and 2.
  """
  attention, mlp = net.blocks.attention, net.blocks.mlp
  found = {
    **norm('blocks.norm1', f'{at}.{norms.format(1)}'),
    **dense('blocks.attention.qkv', *(f'{at}.{name}' for name in qkv), bias=attention.qkv.bias is not None),
    **dense('blocks.attention.proj', f'{at}.{proj}'),
    **norm('blocks.norm2', f'{at}.{norms.format(2)}'),
  }
  if attention.qv_bias is not None:
    found['blocks.attention.qv_bias'] = vector(f'{at}.{qkv[0]}.bias', f'{at}.{qkv[-1]}.bias')
  if mlp.gate is not None and fc1 == gate:  # one map in the file, the gate first
    hidden = mlp.fc1.kernel.shape[-1]
    found |= rows('blocks.mlp.gate', f'{at}.{gate}.weight', f'{at}.{gate}.bias', slice(hidden))
    found |= rows('blocks.mlp.fc1', f'{at}.{gate}.weight', f'{at}.{gate}.bias', slice(hidden, None))
  else:
    found |= dense('blocks.mlp.fc1', f'{at}.{fc1}')
    found |= {} if mlp.gate is None else dense('blocks.mlp.gate', f'{at}.{gate}')
  found |= dense('blocks.mlp.fc2', f'{at}.{fc2}')
  if net.blocks.gamma1 is not None:
    found |= {f'blocks.gamma{i}': same(f'{at}.{gamma.format(i)}') for i in (1, 2)}
  return found


def rows(path: str, weight: str, bias: str, part: slice) -> dict[str, Entry]:
  """A linear map that is some of the rows of one in the file, whose other rows other entries write."""
  return {
    f'{path}.kernel': Entry((weight,), lambda w: w[part].T, lambda x: (x.T,)),
    f'{path}.bias': Entry((bias,), lambda b: b[part], lambda x: (x,)),
  }


def classifier(name: str) -> Head:
  """The head of classification, a linear map."""
  return Head(
    'linear', lambda config: dict(dim=len(config.get('id2label') or ()) or config.get('num_labels', 2)), lambda head: dense('linear', name)
  )


def hidden_states(net: ViT, mlp: dict[str, str]) -> Names:
  """The map of names that ViT, MAE and both DINOv2 share."""
  at, embeddings = 'encoder.layer.*', 'embeddings'
  attention = dict(qkv=[f'attention.attention.{x}' for x in ('query', 'key', 'value')], proj='attention.output.dense')
  return {
    **embedding(net, f'{embeddings}.patch_embeddings.projection'),
    **placed(f'{embeddings}.cls_token', f'{embeddings}.position_embeddings'),
    **({} if net.register is None else leading('register', f'{embeddings}.register_tokens')),
    **blocks(net, at, **attention, **mlp),
    **norm('norm', 'layernorm'),
  }


def vit_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a ViT that transformers calls so; hidden patches are zeros where the folder has no mask token."""
  return read(config, folder, VIT, always=dict(mask_token=any(key.endswith('embeddings.mask_token') for key in files.stored(folder))))


def vit_names(net: ViT) -> Names:
  """The map of names of a ViT in transformers."""
  return mae_names(net) | ({} if net.mask_token is None else leading('mask_token', 'embeddings.mask_token', 2))


def mae_names(net: ViT) -> Names:
  """That of the encoder of a MAE, whose positions are read as learned ones, as it is fine-tuned: in the folder they are sines and cosines.

  Its decoder cannot be read as a head: it attends to the class token beside the patches, which jssl's `MaeDecoder` is not given. Patches
  are hidden by passes here, not by the encoder, which encodes all of them unless it is told what to keep.
  """
  return hidden_states(net, dict(fc1='intermediate.dense', fc2='output.dense', norms='layernorm_{}')) | dict(
    **norm('blocks.norm1', 'encoder.layer.*.layernorm_before'), **norm('blocks.norm2', 'encoder.layer.*.layernorm_after')
  )


def dinov2_names(net: ViT) -> Names:
  """That of a DINOv2, with registers or without."""
  gated = net.blocks.mlp.gate is not None
  mlp = dict(fc1='mlp.weights_in', gate='mlp.weights_in', fc2='mlp.weights_out') if gated else dict(fc1='mlp.fc1', fc2='mlp.fc2')
  return hidden_states(net, mlp | dict(gamma='layer_scale{}.lambda1')) | (
    {} if net.mask_token is None else leading('mask_token', 'embeddings.mask_token')
  )


def dinov2_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a DINOv2."""
  return _dinov2(config, folder, DINOV2)


def registers_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a DINOv2 with registers, whose positions are interpolated smoothly."""
  return _dinov2(config, folder, REGISTERS) | dict(antialias=True)


def _dinov2(config, folder, options):
  found = read(config, folder, options | dict(ratio=('mlp_ratio', 4)))
  # A gate is a SiLU, whatever hidden_act says.
  gate = dict(activation='silu') if found['gated'] else {}
  return found | gate | dict(hidden=swiglu(found['width'] * found.pop('ratio'), found['gated']))


def swiglu(hidden: int, gated: bool) -> int:
  """Width of a hidden layer: two thirds where it is gated, in eights rounded up, as in DINOv2's official code."""
  return (int(hidden * 2 / 3) + 7) // 8 * 8 if gated else hidden


def dinov2_config(net: ViT) -> dict[str, Any]:
  """config.json of a DINOv2."""
  return _dinov2_config(net, 'dinov2', 'Dinov2Model', DINOV2)


def registers_config(net: ViT) -> dict[str, Any]:
  """config.json of a DINOv2 with registers."""
  kind, always = 'dinov2_with_registers', dict(antialias=True, mask_token=True)
  return _dinov2_config(net, kind, 'Dinov2WithRegistersModel', REGISTERS, always)


def _dinov2_config(net, kind, model, options, always=None):
  found, of = say(net, kind, options, always), options_of(net)
  if of['gated'] and of['activation'] != 'silu':
    raise PretrainedError(f"a ViT gated by {of['activation']!r} cannot be written as {kind!r}: expected 'silu'")
  ratios = [ratio for ratio in range(1, 33) if swiglu(net.dim * ratio, of['gated']) == of['hidden']]
  if not ratios:
    raise PretrainedError(
      f'a ViT with hidden = {of["hidden"]} cannot be written as {kind!r}: expected a multiple of {net.dim}, or 2/3 of one if gated'
    )
  return found | dict(architectures=[model], model_type=kind, mlp_ratio=ratios[0])


def dinov3_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a DINOv3; that coordinates of patches are drawn in training is not done here."""
  found = read(config, folder, DINOV3, expected=dict(proj_bias=True, mlp_bias=True), always=dict(positions='rotary'))
  if config.get('value_bias', True) != found['bias'] or found['key_bias'] > found['bias']:
    raise PretrainedError(
      f'{folder} is a network with value_bias = {config.get("value_bias", True)}; only {found["bias"]}, as query_bias, can be read'
    )
  return found


def dinov3_names(net: ViT) -> Names:
  """The map of names of a DINOv3."""
  attention = dict(qkv=[f'attention.{x}_proj' for x in 'qkv'], proj='attention.o_proj')
  return {
    **embedding(net, 'embeddings.patch_embeddings'),
    **leading('cls', 'embeddings.cls_token'),
    **leading('register', 'embeddings.register_tokens'),
    **leading('mask_token', 'embeddings.mask_token', 2),
    **blocks(net, 'layer.*', **attention, fc1='mlp.up_proj', fc2='mlp.down_proj', gate='mlp.gate_proj', gamma='layer_scale{}.lambda1'),
    **norm('norm', 'norm'),
  }


def dinov3_config(net: ViT) -> dict[str, Any]:
  """config.json of a DINOv3."""
  found = say(net, 'dinov3_vit', DINOV3, dict(positions='rotary', mask_token=True))
  bias = found['query_bias']
  biases = dict(value_bias=bias, key_bias=bias and found['key_bias'], proj_bias=True, mlp_bias=True)
  return found | biases | dict(architectures=['DINOv3ViTModel'], model_type='dinov3_vit', pos_embed_rescale=None)


IGNORED = r'(?!embeddings\.|encoder\.|layernorm\.)'  # pooler, classifier
VIT_FAMILY = Family(
  'vit',
  ViT,
  vit_options,
  vit_names,
  lambda net: say(net, 'vit', VIT) | dict(architectures=['ViTModel'], model_type='vit'),
  prefixes=('vit.',),
  ignored=IGNORED,
  heads=dict(classifier=classifier('classifier')),
)
MAE_FAMILY = Family(
  'vit',
  ViT,
  lambda config, folder: read(config, folder, VIT, always=dict(mask_token=False)),
  mae_names,
  lambda net: say(net, 'vit_mae', VIT) | dict(architectures=['ViTMAEModel'], model_type='vit_mae'),
  prefixes=('vit.',),
  ignored=IGNORED,
)
# Positions are interpolated as transformers does it. The official code of DINOv2 without registers adds 0.1 to the sides of the new grid
# before it divides by those of the old one, and transformers does not.
DINOV2_FAMILY = Family(
  'vit',
  ViT,
  dinov2_options,
  dinov2_names,
  dinov2_config,
  prefixes=('dinov2.',),
  ignored=IGNORED,
  heads=dict(classifier=classifier('classifier')),  # of the class token beside the mean of the patches
)
REGISTERS_FAMILY = Family(
  'vit',
  ViT,
  registers_options,
  dinov2_names,
  registers_config,
  prefixes=('dinov2_with_registers.',),
  ignored=IGNORED,
  heads=dict(classifier=classifier('classifier')),  # of the same
)
DINOV3_FAMILY = Family('vit', ViT, dinov3_options, dinov3_names, dinov3_config, prefixes=('dinov3_vit.',))
