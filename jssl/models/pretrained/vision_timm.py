"""Vision transformers in and out of folders of timm."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Family, Head
from jssl.models.pretrained.names import Names, dense, norm
from jssl.models.pretrained.vision import blocks, embedding, leading, options_of, placed, say
from jssl.models.vision.vit import ViT

# size in the name of an architecture -> width, depth, heads
SIZES = dict(tiny=(192, 12, 3), small=(384, 12, 6), base=(768, 12, 12), large=(1024, 24, 16), huge=(1280, 32, 16))
# what else is in the name -> arguments of the architecture
KINDS = {
  '': {},
  '_dinov2': dict(init_values=1e-5),
  '_reg4_dinov2': dict(init_values=1e-5, reg_tokens=4, no_embed_class=True),
  '_clip': dict(pre_norm=True),
  '_clip_quickgelu': dict(pre_norm=True, act_layer='quick_gelu'),
}
# argument -> what timm takes where it is not given
DEFAULTS = dict(
  img_size=224, mlp_ratio=4.0, qkv_bias=True, init_values=None, class_token=True, no_embed_class=False, reg_tokens=0, pre_norm=False,
  global_pool='token', fc_norm=None, act_layer=None,
)  # fmt: skip
# argument -> the only value that can be read
EXPECTED = dict(
  qk_norm=False, scale_attn_norm=False, scale_mlp_norm=False, proj_bias=True, pos_embed='learn', final_norm=True, pool_include_prefix=False,
  embed_norm_layer=None, norm_layer=None,
)  # fmt: skip
# that are of training, of heads, or of what images are taken
FREE = {
  'num_classes', 'in_chans', 'dynamic_img_size', 'strict_img_size', 'drop_rate', 'pos_drop_rate', 'patch_drop_rate', 'proj_drop_rate',
  'attn_drop_rate', 'drop_path_rate', 'weight_init', 'fix_init',
}  # fmt: skip
ACTS = {None: 'gelu', 'gelu': 'gelu', 'gelu_tanh': 'gelu_tanh', 'quick_gelu': 'quick_gelu', 'relu': 'relu', 'silu': 'silu'}


def arguments(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The arguments of timm's VisionTransformer: those of the architecture, and over them those that config.json has.

  Raises:
    PretrainedError: they cannot be told from the name, or are of what jssl cannot compute.
  """
  name = str(config['architecture']).partition('.')[0]
  known = re.fullmatch(rf'vit_({"|".join(SIZES)})_patch(\d+)({"|".join(KINDS)})(?:_(\d+))?', name)
  if not known:
    sizes, kinds = ', '.join(SIZES), ', '.join(kind for kind in KINDS if kind)
    raise PretrainedError(
      f'{folder} has the architecture {name!r}: expected vit_SIZE_patchN of the sizes {sizes}, with {kinds} or nothing after'
    )
  size, patch, kind, image = known.groups()
  given, cfg = config.get('model_args') or {}, config.get('pretrained_cfg') or config
  if wrong := [x for x in (given, cfg) if not isinstance(x, dict)]:
    raise PretrainedError(f'{folder}/config.json has {wrong[0]!r} as model_args or pretrained_cfg: expected objects; get the file again')
  saved = cfg.get('input_size') or (image and (0, int(image), int(image)))
  width, depth, heads = SIZES[size]
  found = DEFAULTS | dict(embed_dim=width, depth=depth, num_heads=heads, patch_size=int(patch)) | KINDS[kind]
  found |= dict(img_size=list(saved[1:])) if isinstance(saved, list | tuple) else {}
  for key, value in given.items():
    if key in EXPECTED and value != EXPECTED[key]:
      raise PretrainedError(f'{folder} is a network with {key} = {value!r}; only {EXPECTED[key]!r} can be read')
    if key not in found.keys() | EXPECTED.keys() | FREE:
      raise PretrainedError(f'{folder} is a network with {key} = {value!r}, which cannot be read')
  return found | {key: value for key, value in given.items() if key in found} | dict(epsilon=1e-5 if 'clip' in kind else 1e-6)


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a ViT; positions are interpolated smoothly, as timm does it, and hidden patches are zeros."""
  found = arguments(config, folder)
  for key in ('embed_dim', 'depth', 'num_heads', 'patch_size', 'mlp_ratio', 'reg_tokens', 'init_values'):
    value, real = found[key], key in ('mlp_ratio', 'init_values')
    if (key, value) in (('reg_tokens', 0), ('init_values', None)):
      continue
    if not isinstance(value, int | float if real else int) or isinstance(value, bool) or value <= 0:
      raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected a number above 0; get the file again')
  size = found['img_size']
  sides = [size, size] if isinstance(size, int) else size
  if not isinstance(sides, list) or len(sides) != 2 or not all(type(side) is int and side >= found['patch_size'] for side in sides):
    raise PretrainedError(f'{folder}/config.json has img_size = {size!r}: expected a side of {found["patch_size"]} or more, or [height, width]')
  width, heads = found['embed_dim'], found['num_heads']
  if width % heads:
    raise PretrainedError(f'{folder}/config.json has {heads} heads, which do not divide the width of {width}')
  pool, cls, registers = found['global_pool'], bool(found['class_token']), found['reg_tokens']
  if pool not in ('token', 'avg') or pool == 'token' and not cls:
    raise PretrainedError(
      f"{folder} is a network with global_pool = {pool!r}; only 'avg' can be read, and 'token' where there is a class token"
    )
  if (cls or registers) and bool(found['no_embed_class']) != bool(registers):
    shown = f'no_embed_class = {found["no_embed_class"]!r} and {registers} registers'
    raise PretrainedError(f'{folder} is a network with {shown}; only True with registers and False without can be read')
  if found['act_layer'] not in [*ACTS]:
    raise PretrainedError(f'{folder} is a network with act_layer = {found["act_layer"]!r}; only {[*ACTS]} can be read')
  late = pool == 'avg' if found['fc_norm'] is None else bool(found['fc_norm'])
  return dict(
    width=width, depth=found['depth'], heads=heads, hidden=int(width * found['mlp_ratio']), patch=found['patch_size'], image=sides,
    pool='cls' if pool == 'token' else 'mean', class_token=cls, registers=registers, layer_scale=found['init_values'],
    bias=bool(found['qkv_bias']), pre_norm=bool(found['pre_norm']), pooled_norm=late, activation=ACTS[found['act_layer']],
    epsilon=found['epsilon'], antialias=True, mask_token=False,
  )  # fmt: skip


def names(net: ViT) -> Names:
  """The map of names; beside registers the class token has no position of its own."""
  if net.cls is not None and net.register is None:
    before = placed('cls_token', 'pos_embed')
  else:
    tokens = dict(cls='cls_token', positions='pos_embed', register='reg_token')
    before = {key: x for path, name in tokens.items() if getattr(net, path) is not None for key, x in leading(path, name).items()}
  maps = dict(qkv=['attn.qkv'], proj='attn.proj', fc1='mlp.fc1', fc2='mlp.fc2', gamma='ls{}.gamma')
  return {
    **embedding(net, 'patch_embed.proj'),
    **before,
    **({} if net.pre_norm is None else norm('pre_norm', 'norm_pre')),
    **blocks(net, 'blocks.*', **maps),
    **norm('norm', 'fc_norm' if net.pooled_norm else 'norm'),
  }


def config_of(net: ViT) -> dict[str, Any]:
  """config.json, whose arguments say all of the network; the name of the architecture says by which epsilon it normalises."""
  found = options_of(net)
  free = ('pool', 'class_token', 'registers', 'layer_scale', 'pre_norm', 'pooled_norm')
  say(net, 'timm/vit', {}, dict({option: found[option] for option in free}, antialias=True))
  if found['epsilon'] not in (1e-5, 1e-6):
    raise PretrainedError(f"a ViT with epsilon = {found['epsilon']} cannot be written as 'timm/vit': expected 1e-05 or 1e-06")
  if found['pool'] == 'attention':
    raise PretrainedError("a ViT with pool = 'attention' cannot be written as 'timm/vit': expected 'cls' or 'mean'")
  ratio = found['hidden'] / net.dim
  pool = 'token' if found['pool'] == 'cls' else 'avg'
  given = dict(
    img_size=found['image'], patch_size=net.patch, in_chans=net.channels, embed_dim=net.dim, depth=found['depth'], num_heads=found['heads'],
    # Half a unit more where the width, which timm rounds down, would be one less.
    mlp_ratio=ratio if int(net.dim * ratio) == found['hidden'] else (found['hidden'] + 0.5) / net.dim, qkv_bias=found['bias'],
    init_values=found['layer_scale'], class_token=found['class_token'], reg_tokens=net.registers, no_embed_class=net.registers > 0,
    pre_norm=found['pre_norm'], global_pool=pool, fc_norm=found['pooled_norm'], act_layer=found['activation'],
  )  # fmt: skip
  shown = dict(
    num_classes=0, input_size=[net.channels, *found['image']], fixed_input_size=True, first_conv='patch_embed.proj', classifier='head'
  )
  name = 'vit_base_patch16_224' if found['epsilon'] == 1e-6 else 'vit_base_patch16_clip_224'
  return dict(architecture=name, num_classes=0, num_features=net.dim, global_pool=pool, model_args=given, pretrained_cfg=shown)


FAMILY = Family(
  'vit',
  ViT,
  options_in,
  names,
  config_of,
  ignored=r'head\.',
  heads=dict(
    classifier=Head(
      'linear',
      lambda config: dict(dim=config.get('num_classes', (config.get('pretrained_cfg') or {}).get('num_classes', 1000))),
      lambda head: dense('linear', 'head'),
    )
  ),
)
