"""The text towers of CLIP and SigLIP in and out of folders: those of whole models and those of the tower alone."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.heads.scale import Scale
from jssl.models.pretrained.family import Family, Head, activation_in, activation_written, read_options
from jssl.models.pretrained.names import Names, dense, linear, norm, same, shaped
from jssl.models.text.tower import TextTower

# option of a TextTower -> key of its config, and what transformers takes where the key is missing
CLIP_OPTIONS = dict(
  vocabulary=('vocab_size', 49408), width=('hidden_size', 512), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 8),
  hidden=('intermediate_size', 2048), length=('max_position_embeddings', 77), epsilon=('layer_norm_eps', 1e-5),
  activation=('hidden_act', 'quick_gelu'), end=('eos_token_id', 49407),
)  # fmt: skip
SIGLIP_OPTIONS = dict(
  vocabulary=('vocab_size', 32000), width=('hidden_size', 768), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 12),
  hidden=('intermediate_size', 3072), length=('max_position_embeddings', 64), epsilon=('layer_norm_eps', 1e-6),
  activation=('hidden_act', 'gelu_pytorch_tanh'),
)  # fmt: skip
LEGACY_END = 2  # in the config of CLIPs whose end of text has another id, the largest of the vocabulary


def clip_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of CLIP's tower from config.json."""
  found = tower_options(text_config(config, folder), folder, 'clip_text_model', CLIP_OPTIONS)
  end = found.pop('end')
  return found | (dict(pool='largest') if end == LEGACY_END else dict(pool='end', end=end))


def siglip_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of SigLIP's tower from config.json."""
  config = text_config(config, folder)
  width = config.get('hidden_size', SIGLIP_OPTIONS['width'][1])
  config = config | ({} if config.get('projection_size') else dict(projection_size=width))
  found = tower_options(config, folder, 'siglip_text_model', SIGLIP_OPTIONS | dict(out=('projection_size', 768)))
  return found | dict(causal=False, pool='last')


def text_config(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The part of config.json that describes the text tower: all of it where the folder holds nothing else.

  Raises:
    PretrainedError: it is no object.
  """
  if config['model_type'] not in ('clip', 'siglip'):
    return dict(config)
  # Of a CLIP, an older key of the whole tower goes before the newer one, as in transformers.
  keys = ('text_config_dict', 'text_config') if config['model_type'] == 'clip' else ('text_config',)
  key = next((key for key in keys if config.get(key) is not None), keys[-1])
  found = config.get(key) or {}
  if not isinstance(found, dict):
    raise PretrainedError(f'{folder}/config.json has {key} = {found!r}: expected an object; get the file again')
  return found


def tower_options(config: Mapping[str, Any], folder: Path, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
  """The options of a tower from its config.

  Raises:
    PretrainedError: it is another network, or has an activation that jssl does not know.
  """
  expected = dict(model_type=kind, is_decoder=False, add_cross_attention=False, quantization_config=None)
  found = read_options(config, folder, options, expected)
  return found | dict(activation=activation_in(found['activation'], 'hidden_act', folder))


def names(net: TextTower) -> Names:
  """The map of names of a TextTower."""
  layer = 'text_model.encoder.layers.*'
  return {
    'word': same('text_model.embeddings.token_embedding.weight'),
    'positions': same('text_model.embeddings.position_embedding.weight'),
    **norm('blocks.norm1', f'{layer}.layer_norm1'),
    **dense('blocks.attention.qkv', *(f'{layer}.self_attn.{x}_proj' for x in 'qkv')),
    **dense('blocks.attention.proj', f'{layer}.self_attn.out_proj'),
    **norm('blocks.norm2', f'{layer}.layer_norm2'),
    **dense('blocks.mlp.fc1', f'{layer}.mlp.fc1'),
    **dense('blocks.mlp.fc2', f'{layer}.mlp.fc2'),
    **norm('norm', 'text_model.final_layer_norm'),
    **(dense('out', 'text_model.head') if net.out else {}),
  }


def clip_config(net: TextTower) -> dict[str, Any]:
  """config.json of CLIP's tower.

  Raises:
    PretrainedError: it is bidirectional, pools elsewhere than at the end of text, or has a linear map.
  """
  if not net.causal or net.pool not in ('end', 'largest') or net.end == LEGACY_END or net.out:
    raise PretrainedError('this TextTower cannot be written as that of a CLIP: expected causal=True, pool as "end" or "largest", no out')
  given = dict(architectures=['CLIPTextModel'], model_type='clip_text_model', bos_token_id=None, pad_token_id=None)
  return config_of(net, CLIP_OPTIONS) | given | dict(eos_token_id=LEGACY_END if net.pool == 'largest' else net.end)


def siglip_config(net: TextTower) -> dict[str, Any]:
  """config.json of SigLIP's tower.

  Raises:
    PretrainedError: it is causal, pools elsewhere, or lacks the linear map.
  """
  if net.causal or net.pool != 'last' or not net.out:
    raise PretrainedError('this TextTower cannot be written as that of a SigLIP: expected causal=False, pool="last", and out')
  given = dict(architectures=['SiglipTextModel'], model_type='siglip_text_model', projection_size=net.dim)
  return config_of(net, SIGLIP_OPTIONS) | given


def config_of(net: TextTower, options: Mapping[str, Any]) -> dict[str, Any]:
  """What config.json says of both towers."""
  found = {key: getattr(net, option) for option, (key, _) in options.items()}
  activation = activation_written(net.activation)
  return found | dict(hidden_act=activation, attention_dropout=net.dropout, initializer_range=0.02)


def scale_names(head: Scale) -> Names:
  """The map of names of a learned scale, and of the bias that SigLIP has beside it; SigLIP stores both as [1]."""
  if head.bias is None:
    return {'log_scale': same('logit_scale')}
  scalar = lambda name: shaped(name, lambda x: x.reshape(()), lambda x: x.reshape(1))
  return {'log_scale': scalar('logit_scale'), 'bias': scalar('logit_bias')}


def prefixed(name: str) -> str:
  """Name of a tensor with the prefix that folders of the tower alone may leave out."""
  return re.sub(r'^(?=(embeddings|encoder|final_layer_norm|head)\.)', 'text_model.', name)


def projection_names(head: nnx.Module) -> Names:
  """The map of names of CLIP's projection of texts."""
  return {'linear.kernel': linear('text_projection.weight')}


IGNORED = r'(?!text_model\.)|.*\.position_ids$'
CLIP = Family(
  'text_tower', TextTower, clip_options, names, clip_config, ignored=IGNORED, rename=prefixed,
  heads=dict(
    projection=Head('linear', lambda config: dict(dim=config.get('projection_dim', 512), bias=False), projection_names),
    scale=Head('scale', lambda config: {}, scale_names),
  ),
)  # fmt: skip
SIGLIP = Family(
  'text_tower', TextTower, siglip_options, names, siglip_config, ignored=IGNORED, rename=prefixed,
  heads=dict(scale=Head('scale', lambda config: dict(init=10.0, max=math.inf, bias=-10.0), scale_names)),
)  # fmt: skip
# Folders of a tower alone have no scale.
CLIP_TEXT = CLIP._replace(heads=dict(projection=CLIP.heads['projection']))
SIGLIP_TEXT = SIGLIP._replace(heads={})
