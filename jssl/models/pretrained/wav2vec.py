"""wav2vec 2.0, HuBERT and data2vec's audio network in and out of the folders of transformers; nothing is unpickled.

The waves that these weights want are described in preprocessor_config.json, by `do_normalize`: see `jssl.ops.waveforms.standardize`.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.audio.wav2vec import Wav2Vec
from jssl.models.pretrained.family import Family, Head, Options, read_options
from jssl.models.pretrained.names import Entry, Names, conv, dense, norm, same

# option of Wav2Vec -> key of config.json, and what transformers takes where the key is missing
SIZES: Options = dict(
  width=('hidden_size', 768), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 12), hidden=('intermediate_size', 3072),
  epsilon=('layer_norm_eps', 1e-5), bias=('conv_bias', False), position_groups=('num_conv_pos_embedding_groups', 16),
)  # fmt: skip
OPTIONS: Options = SIZES | dict(
  norm=('feat_extract_norm', 'group'), pre_norm=('do_stable_layer_norm', False), position_kernel=('num_conv_pos_embeddings', 128)
)
DATA2VEC_OPTIONS: Options = SIZES | dict(position_kernel=('conv_pos_kernel_size', 19), position_layers=('num_conv_pos_embeddings', 5))
# The same for lists, one number a convolution.
LISTS = dict(channels=('conv_dim', (512,) * 7), kernels=('conv_kernel', (10, 3, 3, 3, 3, 2, 2)), strides=('conv_stride', (5, 2, 2, 2, 2, 2, 2)))
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(hidden_act='gelu', feat_extract_activation='gelu', add_adapter=False, adapter_attn_dim=None)
HUBERT_EXPECTED = EXPECTED | dict(feat_proj_layer_norm=True, conv_pos_batch_norm=False)
# What Wav2Vec is told where the family has one value alone.
WAV2VEC2_FIXED = dict(position_layers=1, position_norm=False)
DATA2VEC_FIXED = dict(norm='layer', pre_norm=False, position_norm=True)


def options_in(
  config: Mapping[str, Any], folder: Path, *, options: Options, expected: Mapping[str, Any], fixed: Mapping[str, Any]
) -> dict[str, Any]:
  """The options of a Wav2Vec from config.json."""
  found = read_options(config, folder, options, expected) | fixed
  lists = {option: config.get(key, default) for option, (key, default) in LISTS.items()}
  numbers = all(isinstance(x, list | tuple) and all(type(i) is int and i > 0 for i in x) for x in lists.values())
  if not numbers or len({len(x) for x in lists.values()} - {0}) != 1:
    keys = ', '.join(f'{LISTS[option][0]} = {x!r}' for option, x in lists.items())
    raise PretrainedError(f'{folder}/config.json has {keys}: expected lists with one number above 0 per convolution; get the file again')
  if found['norm'] not in ('group', 'layer'):
    raise PretrainedError(f"{folder} is a network with feat_extract_norm = {found['norm']!r}; only 'group' or 'layer' can be read")
  if found['width'] % found['position_groups']:
    raise PretrainedError(
      f'{folder}/config.json has {found["position_groups"]} groups of positions, which do not divide the width of {found["width"]}'
    )
  # transformers gives a network that was never to hide frames no vector to hide them by
  hides = any(config.get(key, default) for key, default in (('mask_time_prob', 0.05), ('mask_feature_prob', 0.0)))
  return found | {option: tuple(x) for option, x in lists.items()} | dict(mask_token=hides)


def config_of(net: Wav2Vec, *, kind: str, architecture: str, options: Options, expected: Mapping, fixed: Mapping) -> dict[str, Any]:
  """config.json of a Wav2Vec.

  Raises:
    PretrainedError: the family has no such networks.
  """
  for option, value in fixed.items():
    if getattr(net, option) != value:
      raise PretrainedError(f'a Wav2Vec with {option} = {getattr(net, option)!r} cannot be written as {kind!r}: expected {value!r}')
  told = {key: getattr(net, 'dim' if option == 'width' else option) for option, (key, _) in options.items()}
  rate = net.dropout
  return dict(
    architectures=[architecture], model_type=kind, **told, **{key: list(getattr(net, option)) for option, (key, _) in LISTS.items()},
    **expected, hidden_dropout=rate, attention_dropout=rate, feat_proj_dropout=rate, activation_dropout=rate if net.pre_norm else 0.0,
    layerdrop=net.drop_path, mask_time_prob=0.05 if net.mask_token is not None else 0.0, mask_feature_prob=0.0, initializer_range=0.02,
  )  # fmt: skip


def names(net: Wav2Vec) -> Names:
  """The map of names of a Wav2Vec."""
  layer, front, places = 'encoder.layers.*', 'feature_extractor.conv_layers', 'encoder.pos_conv_embed'
  found = {
    **norm('norm_frames', 'feature_projection.layer_norm'),
    **dense('project', 'feature_projection.projection'),
    **norm('norm_tokens', 'encoder.layer_norm'),
    **dense('blocks.block.attention.qkv', *(f'{layer}.attention.{x}_proj' for x in 'qkv')),
    **dense('blocks.block.attention.proj', f'{layer}.attention.out_proj'),
    **norm('blocks.block.norm1', f'{layer}.layer_norm'),
    **dense('blocks.block.mlp.fc1', f'{layer}.feed_forward.intermediate_dense'),
    **dense('blocks.block.mlp.fc2', f'{layer}.feed_forward.output_dense'),
    **norm('blocks.block.norm2', f'{layer}.final_layer_norm'),
  }
  if net.mask_token is not None:
    found['mask_token'] = same('masked_spec_embed')
  for i in range(len(net.channels)):
    found[f'front.conv{i}.kernel'] = conv(f'{front}.{i}.conv.weight')
    if net.bias:
      found[f'front.conv{i}.bias'] = same(f'{front}.{i}.conv.bias')
    if net.norm == 'layer' or i == 0:
      found |= norm(f'front.norm{i}', f'{front}.{i}.layer_norm')
  for i in range(net.position_layers):
    at = f'{places}.layers.{i}.conv' if net.position_norm else f'{places}.conv'
    found[f'positions.conv{i}.kernel'] = conv(f'{at}.weight') if net.position_norm else weight_normalised(f'{at}.parametrizations.weight')
    found[f'positions.conv{i}.bias'] = same(f'{at}.bias')
  return found


def weight_normalised(name: str) -> Entry:
  """A kernel [k in out] that the file holds as lengths g [1 1 k] and directions v [out in k]: g v / |v|, |v| over all but the taps.

  It is written with v as the kernel itself and g its length, so it is read again bit for bit.

  Reference: Salimans, Kingma, NeurIPS 2016, arXiv:1602.07868, Eq. 2; `torch.nn.utils.parametrizations.weight_norm` with dim=2.
  """
  kernel = conv(name)
  length = lambda v: np.sqrt(np.sum(np.square(v, dtype=np.float64), (0, 1), keepdims=True)).astype(np.float32)

  def write(x):
    (v,) = kernel.write(x)
    # A tap of zeros has no direction: torch would divide by its length.
    return length(v), np.where(length(v) > 0, v, np.float32(1))

  return Entry((f'{name}.original0', f'{name}.original1'), lambda g, v: kernel.read(v * (g / length(v))), write)


def ctc_names(head: nnx.Module) -> Names:
  """The map of names of the head of connectionist temporal classification, a linear map."""
  return dense('linear', 'lm_head')


def renamed(name: str) -> str:
  """The name that torch gives a tensor of a weight-normalised kernel today, for what it was called before."""
  old = dict(g='parametrizations.weight.original0', v='parametrizations.weight.original1')
  return re.sub(r'weight_([gv])$', lambda m: old[m[1]], name)


def family(kind: str, architecture: str, prefix: str, options: Options, expected: Mapping[str, Any], fixed: Mapping[str, Any]) -> Family:
  """One of the families, whose folders differ in a few keys."""
  told = dict(options=options, expected=expected, fixed=fixed)
  return Family(
    'wav2vec',
    Wav2Vec,
    partial(options_in, **told),
    names,
    partial(config_of, kind=kind, architecture=architecture, **told),
    prefixes=(prefix,),
    rename=renamed,
    heads=dict(ctc=Head('linear', lambda config: dict(dim=config.get('vocab_size', 32)), ctc_names)),
  )


WAV2VEC2 = family('wav2vec2', 'Wav2Vec2Model', 'wav2vec2.', OPTIONS, EXPECTED, WAV2VEC2_FIXED)
HUBERT = family('hubert', 'HubertModel', 'hubert.', OPTIONS, HUBERT_EXPECTED, WAV2VEC2_FIXED)
DATA2VEC = family('data2vec-audio', 'Data2VecAudioModel', 'data2vec_audio.', DATA2VEC_OPTIONS, EXPECTED, DATA2VEC_FIXED)
