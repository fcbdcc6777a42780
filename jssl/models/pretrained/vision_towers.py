"""The vision transformers of CLIP and SigLIP in and out of folders of transformers, with the text's beside them or alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Family, Head
from jssl.models.pretrained.names import Entry, Names, dense, linear, norm, same
from jssl.models.pretrained.vision import SIZES, blocks, embedding, leading, placed, read, rows, say
from jssl.models.vision.vit import ViT

# option of ViT -> key of config.json, and what transformers takes where the key is missing
CLIP = dict(**SIZES, hidden=('intermediate_size', 3072), epsilon=('layer_norm_eps', 1e-5), patch=('patch_size', 32))
SIGLIP = CLIP | dict(epsilon=('layer_norm_eps', 1e-6), patch=('patch_size', 16))
# Only the class token is normalised at the end: tokens are those of `last_hidden_state`, before the normalisation.
CLIP_ALWAYS = dict(pre_norm=True, pooled_norm=True)
SIGLIP_ALWAYS = dict(class_token=False)
BLOCKS = dict(
  qkv=[f'self_attn.{x}_proj' for x in 'qkv'], proj='self_attn.out_proj', fc1='mlp.fc1', fc2='mlp.fc2', norms='layer_norm{}'
)  # fmt: skip


def vision_config(config: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
  """What config.json says of the vision transformer: all of it, or a part, which transformers once called by two names.

  Raises:
    PretrainedError: the part is none.
  """
  if not {'text_config', 'vision_config', 'vision_config_dict'} & config.keys():
    return config
  found = config.get('vision_config_dict') or config.get('vision_config') or {}
  if not isinstance(found, dict):
    raise PretrainedError(f'{folder}/config.json has vision_config = {found!r}: expected an object; get the file again')
  return found


def clip_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of the vision transformer of a CLIP."""
  always = dict(CLIP_ALWAYS, mask_token=False)
  return read(vision_config(config, folder), folder, CLIP, act='quick_gelu', always=always)


def siglip_options(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of the vision transformer of a SigLIP, which pools by the mean where it has no head."""
  config = vision_config(config, folder)
  always = dict(SIGLIP_ALWAYS, pool='attention' if config.get('vision_use_head', True) else 'mean', mask_token=False)
  return read(config, folder, SIGLIP, act='gelu_pytorch_tanh', always=always)


def clip_names(net: ViT) -> Names:
  """The map of names of the vision transformer of a CLIP; the misspelled name is theirs."""
  return {
    **embedding(net, 'embeddings.patch_embedding'),
    **placed('embeddings.class_embedding', 'embeddings.position_embedding.weight', flat=True),
    **norm('pre_norm', 'pre_layrnorm'),
    **blocks(net, 'encoder.layers.*', **BLOCKS),
    **norm('norm', 'post_layernorm'),
  }


def siglip_names(net: ViT) -> Names:
  """The map of names of the vision transformer of a SigLIP."""
  return {
    **embedding(net, 'embeddings.patch_embedding'),
    'positions': same('embeddings.position_embedding.weight'),
    **blocks(net, 'encoder.layers.*', **BLOCKS),
    **norm('norm', 'post_layernorm'),
    **({} if net.head is None else pooling(net.dim)),
  }


def pooling(width: int) -> dict[str, Entry]:
  """The map of names of the pooling of a SigLIP."""
  at = 'head.attention'
  return {
    **leading('head.query', 'head.probe'),
    **rows('head.attention.q', f'{at}.in_proj_weight', f'{at}.in_proj_bias', slice(width)),
    **rows('head.attention.kv', f'{at}.in_proj_weight', f'{at}.in_proj_bias', slice(width, None)),
    **dense('head.attention.proj', f'{at}.out_proj'),
    **norm('head.norm', 'head.layernorm'),
    **dense('head.mlp.fc1', 'head.mlp.fc1'),
    **dense('head.mlp.fc2', 'head.mlp.fc2'),
  }


def clip_config(net: ViT) -> dict[str, Any]:
  """config.json of the vision transformer of a CLIP alone."""
  return say(net, 'clip_vision_model', CLIP, CLIP_ALWAYS, square=True) | dict(architectures=['CLIPVisionModel'], model_type='clip_vision_model')


def siglip_config(net: ViT) -> dict[str, Any]:
  """config.json of the vision transformer of a SigLIP alone."""
  head = net.pool != 'mean'
  always = dict(SIGLIP_ALWAYS, pool='attention' if head else 'mean')
  found = say(net, 'siglip_vision_model', SIGLIP, always, square=True)
  return found | dict(architectures=['SiglipVisionModel'], model_type='siglip_vision_model', vision_use_head=head)


CLIP_FAMILY = Family(
  'vit',
  ViT,
  clip_options,
  clip_names,
  clip_config,
  prefixes=('vision_model.',),
  ignored=r'(?!embeddings\.|encoder\.|pre_layrnorm\.|post_layernorm\.)|embeddings\.position_ids$',
  heads=dict(
    projection=Head(
      'linear',
      lambda config: dict(dim=config.get('projection_dim', 512), bias=False),
      lambda head: {'linear.kernel': linear('visual_projection.weight')},
    )
  ),
)
SIGLIP_FAMILY = Family(
  'vit',
  ViT,
  siglip_options,
  siglip_names,
  siglip_config,
  prefixes=('vision_model.',),
  ignored=r'(?!embeddings\.|encoder\.|post_layernorm\.|head\.)|embeddings\.position_ids$',
)
