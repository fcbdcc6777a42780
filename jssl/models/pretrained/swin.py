"""Swin transformers in and out of folders of transformers and of timm."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Family, read_options
from jssl.models.pretrained.names import Names, conv, dense, linear, norm, same
from jssl.models.pretrained.stages import classifier, read_sizes, same_length, timm_arguments, timm_config
from jssl.models.vision.swin import Swin, shift_of, window_of

# option of Swin -> key of transformers' config.json, and what a missing key means
OPTIONS = dict(width=('embed_dim', 96), patch=('patch_size', 4), window=('window_size', 7), ratio=('mlp_ratio', 4.0), bias=('qkv_bias', True))
# key -> the only value that can be read
EXPECTED = dict(hidden_act='gelu', use_absolute_embeddings=False, layer_norm_eps=1e-5)
DEPTHS, HEADS = (2, 2, 6, 2), (3, 6, 12, 24)
SIZES = dict(
  tiny=dict(embed_dim=96, depths=DEPTHS, num_heads=HEADS),
  small=dict(embed_dim=96, depths=(2, 2, 18, 2), num_heads=HEADS),
  base=dict(embed_dim=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)),
  large=dict(embed_dim=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48)),
)
# architecture of timm -> its arguments
ARCHITECTURES = {
  f'swin_{size}_patch4_window{window}_{side}': dict(told, patch_size=4, window_size=window, mlp_ratio=4.0, qkv_bias=True)
  for size, told in SIZES.items()
  for window, side in ((7, 224), (12, 384))
  if window == 7 or size in ('base', 'large')
}
# what a part of the network is called in files
HF = dict(
  stem='embeddings.patch_embeddings.projection', stem_norm='embeddings.norm', stage='encoder.layers', final='layernorm',
  norm1='layernorm_before', norm2='layernorm_after', fc1='intermediate.dense', fc2='output.dense', proj='attention.output.dense',
  qkv=tuple(f'attention.self.{x}' for x in ('query', 'key', 'value')), table='attention.self.relative_position_bias_table', merged=0,
)  # fmt: skip
TIMM_NAMES = dict(
  stem='patch_embed.proj', stem_norm='patch_embed.norm', stage='layers', final='norm', norm1='norm1', norm2='norm2', fc1='mlp.fc1',
  fc2='mlp.fc2', proj='attn.proj', qkv=('attn.qkv',), table='attn.relative_position_bias_table', merged=1,
)  # fmt: skip
# names that some versions of transformers write -> those above
RENAMED = {
  r'attention\.q_proj': 'attention.self.query',
  r'attention\.k_proj': 'attention.self.key',
  r'attention\.v_proj': 'attention.self.value',
  r'attention\.o_proj': 'attention.output.dense',
  r'attention\.relative_position_bias\.': 'attention.self.',
  r'mlp\.fc1': 'intermediate.dense',
  r'mlp\.fc2': 'output.dense',
}


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a Swin from transformers' config.json."""
  return sized(config, folder, read_options(config, folder, OPTIONS, EXPECTED)) | dict(fit=False)


def timm_options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a Swin from timm's config.json."""
  found = timm_arguments(config, folder, ARCHITECTURES)
  return sized(found, folder, read_options(found, folder, OPTIONS, {})) | dict(timm=True)


def sized(config: Mapping[str, Any], folder: Path, options: dict[str, Any]) -> dict[str, Any]:
  """The options with those of each stage.

  Raises:
    PretrainedError: there are not as many of each, or heads do not divide the width.
  """
  depths, heads = (read_sizes(config, folder, key, default) for key, default in (('depths', DEPTHS), ('num_heads', HEADS)))
  same_length(folder, depths=depths, num_heads=heads)
  if any(options['width'] * 2**i % number for i, number in enumerate(heads)):
    raise PretrainedError(f'{folder}/config.json has num_heads = {list(heads)}, which do not divide widths from {options["width"]} on')
  return dict(**options, depths=depths, heads=heads)


def config_of(net: Swin) -> dict[str, Any]:
  """transformers' config.json of a Swin."""
  agrees(net, fit=False, timm=False)
  return dict(
    architectures=['SwinModel'], model_type='swin', image_size=list(net.image), num_channels=net.channels, depths=list(net.depths),
    num_heads=list(net.heads), drop_path_rate=net.drop_path, **EXPECTED, **{key: said(net, option) for option, (key, _) in OPTIONS.items()},
  )  # fmt: skip


def timm_config_of(net: Swin) -> dict[str, Any]:
  """timm's config.json of a Swin."""
  agrees(net, fit=True, timm=True)
  told = {key: said(net, option) for option, (key, _) in OPTIONS.items()}
  given = dict(depths=net.depths, num_heads=net.heads, **told)
  name = next((name for name, x in ARCHITECTURES.items() if x == given), next(iter(ARCHITECTURES)))
  lists = dict(depths=list(net.depths), num_heads=list(net.heads), img_size=list(net.image))
  return timm_config(name, net.image, net.channels, net.dim, **told, **lists)


def agrees(net: Swin, *, fit: bool, timm: bool) -> None:
  """Refuses a Swin whose windows lie otherwise than with these options.

  Raises:
    PretrainedError: they do.
  """
  for grid in net.grids:
    own, other = window_of(grid, net.window, net.fit, net.timm), window_of(grid, net.window, fit, timm)
    divided = not any(side % of for side, of in zip(grid, own, strict=True))
    same_shift = shift_of(grid, own, net.timm) == shift_of(grid, own, timm)
    if own != other or net.timm != timm and not (divided and same_shift):
      raise PretrainedError(
        f'a Swin with fit={net.fit} and timm={net.timm} has windows of {own} on a map of {grid}, which cannot be written: '
        f'expected fit={fit} and timm={timm}, or windows that divide all maps'
      )


def said(net: Swin, option: str) -> Any:
  """An option of a network as config.json has it."""
  return net.stride if option == 'patch' else getattr(net, option)


def names(net: Swin, *, said: Mapping[str, Any]) -> Names:
  """The map of names of a Swin whose parts are called so."""
  found = {'stem.kernel': conv(f'{said["stem"]}.weight'), 'stem.bias': same(f'{said["stem"]}.bias')}
  found |= norm('stem_norm', said['stem_norm']) | norm('norm', said['final'])
  for i in range(len(net.depths)):
    path, at = f'stage{i + 1}', f'{said["stage"]}.{i}.blocks.*'
    if i:
      # transformers merges cells at the end of a stage, timm at the start of the next
      merge = f'{said["stage"]}.{i - 1 + said["merged"]}.downsample'
      found |= norm(f'merge{i + 1}.norm', f'{merge}.norm') | {f'merge{i + 1}.linear.kernel': linear(f'{merge}.reduction.weight')}
    found |= {f'{path}.table': same(f'{at}.{said["table"]}')}
    found |= dense(f'{path}.attention.qkv', *(f'{at}.{x}' for x in said['qkv']), bias=net.bias)
    found |= dense(f'{path}.attention.proj', f'{at}.{said["proj"]}')
    for own, name in dict(fc1='mlp.fc1', fc2='mlp.fc2').items():
      found |= dense(f'{path}.{name}', f'{at}.{said[own]}')
    found |= norm(f'{path}.norm1', f'{at}.{said["norm1"]}') | norm(f'{path}.norm2', f'{at}.{said["norm2"]}')
  return found


def renamed(name: str) -> str:
  """The name above of a tensor as any version of transformers writes it."""
  for old, new in RENAMED.items():
    name = re.sub(old, new, name)
  return name


BUFFERS = r'.*\.(relative_position_index|attn_mask)$'
FAMILY = Family(
  'swin',
  Swin,
  options_in,
  partial(names, said=HF),
  config_of,
  prefixes=('swin.',),
  ignored=rf'classifier\.|embeddings\.mask_token$|{BUFFERS}',
  rename=renamed,
  heads=dict(classifier=classifier('classifier')),
)
TIMM = Family(
  'swin',
  Swin,
  timm_options_in,
  partial(names, said=TIMM_NAMES),
  timm_config_of,
  ignored=rf'head\.fc\.|{BUFFERS}',
  heads=dict(classifier=classifier('head.fc')),
)
