"""ConvNeXt and ConvNeXt v2 in and out of folders of transformers and of timm."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Family, read_options
from jssl.models.pretrained.names import Names, conv, dense, norm, same, shaped
from jssl.models.pretrained.stages import classifier, read_sizes, same_length, timm_arguments, timm_config
from jssl.models.vision.convnext import ConvNeXt

DEPTHS, WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)
# what a part of the network is called in files
HF = dict(
  stem='embeddings.patch_embeddings', stem_norm='embeddings.layernorm', stage='encoder.stages', down='downsampling_layer', blocks='layers',
  conv='dwconv', norm='layernorm', fc1='pwconv1', fc2='pwconv2', grn='grn', gamma='layer_scale_parameter', final='layernorm',
)  # fmt: skip
TIMM_NAMES = dict(
  stem='stem.0', stem_norm='stem.1', stage='stages', down='downsample', blocks='blocks', conv='conv_dw', norm='norm', fc1='mlp.fc1',
  fc2='mlp.fc2', grn='mlp.grn', gamma='gamma', final='head.norm',
)  # fmt: skip
# version -> size -> its architecture in timm
SIZES = dict(
  tiny=dict(depths=DEPTHS, dims=WIDTHS),
  small=dict(depths=(3, 3, 27, 3), dims=WIDTHS),
  base=dict(depths=(3, 3, 27, 3), dims=(128, 256, 512, 1024)),
  large=dict(depths=(3, 3, 27, 3), dims=(192, 384, 768, 1536)),
  xlarge=dict(depths=(3, 3, 27, 3), dims=(256, 512, 1024, 2048)),
  huge=dict(depths=(3, 3, 27, 3), dims=(352, 704, 1408, 2816)),
)
FIRST = {f'convnext_{size}': dict(told, patch_size=4, ls_init_value=1e-6) for size, told in SIZES.items() if size != 'huge'}
SECOND = {f'convnextv2_{size}': dict(told, patch_size=4, ls_init_value=None) for size, told in SIZES.items() if size != 'xlarge'}


def options_in(config: Mapping[str, Any], folder: Path, *, second: bool) -> dict[str, Any]:
  """The options of a ConvNeXt from transformers' config.json."""
  found = read_options(config, folder, dict(patch=('patch_size', 4), final_epsilon=('layer_norm_eps', 1e-12)), dict(hidden_act='gelu'))
  widths, depths = (read_sizes(config, folder, key, default) for key, default in (('hidden_sizes', WIDTHS), ('depths', DEPTHS)))
  same_length(folder, hidden_sizes=widths, depths=depths)
  scale = None if second else layer_scale(config.get('layer_scale_init_value', 1e-6), 'layer_scale_init_value', folder)
  return dict(**found, widths=widths, depths=depths, grn=second, layer_scale=scale)


def config_of(net: ConvNeXt, *, second: bool) -> dict[str, Any]:
  """transformers' config.json of a ConvNeXt."""
  of_version(net, second)
  if net.epsilon != 1e-6:
    raise PretrainedError(f'a ConvNeXt with epsilon={net.epsilon} cannot be written in the format of transformers: expected 1e-06')
  return dict(
    architectures=['ConvNextV2Model' if second else 'ConvNextModel'], model_type='convnextv2' if second else 'convnext',
    num_channels=net.channels, patch_size=net.stride, num_stages=len(net.depths), hidden_sizes=list(net.widths), depths=list(net.depths),
    hidden_act='gelu', layer_norm_eps=net.final_epsilon, drop_path_rate=net.drop_path,
    **({} if second else dict(layer_scale_init_value=net.layer_scale or 0.0)),
  )  # fmt: skip


def timm_options_in(config: Mapping[str, Any], folder: Path, *, second: bool) -> dict[str, Any]:
  """The options of a ConvNeXt from timm's config.json."""
  found = timm_arguments(config, folder, SECOND if second else FIRST)
  widths, depths = (read_sizes(found, folder, key, ()) for key in ('dims', 'depths'))
  same_length(folder, dims=widths, depths=depths)
  options = read_options(found, folder, dict(patch=('patch_size', 4)), dict(ls_init_value=None) if second else {})
  return dict(**options, widths=widths, depths=depths, grn=second, layer_scale=layer_scale(found['ls_init_value'], 'ls_init_value', folder))


def timm_config_of(net: ConvNeXt, *, second: bool) -> dict[str, Any]:
  """timm's config.json of a ConvNeXt."""
  of_version(net, second)
  if len(net.depths) != 4 or {net.epsilon, net.final_epsilon} != {1e-6}:
    told = f'{len(net.depths)} stages, epsilon={net.epsilon} and final_epsilon={net.final_epsilon}'
    raise PretrainedError(f'a ConvNeXt of {told} cannot be written in the format of timm: expected 4 stages and 1e-06 for both')
  known = SECOND if second else FIRST
  told = dict(depths=net.depths, dims=net.widths)
  name = next((name for name, x in known.items() if told.items() <= x.items()), next(iter(known)))
  lists = {key: list(value) for key, value in told.items()}
  return timm_config(name, (224, 224), net.channels, net.dim, **lists, patch_size=net.stride, ls_init_value=net.layer_scale)


def names(net: ConvNeXt, *, said: Mapping[str, str], flat: bool) -> Names:
  """The map of names of a ConvNeXt.

  Args:
    net: the network.
    said: what its parts are called.
    flat: whether scale and shift of the response normalisation are [d] in files, or [1 1 1 d].
  """
  vector = same if flat else lambda name: shaped(name, lambda x: x.reshape(-1), lambda x: x.reshape(1, 1, 1, -1))
  found = convolution('stem', said['stem']) | norm('stem_norm', said['stem_norm']) | norm('norm', said['final'])
  for i in range(len(net.depths)):
    if i:
      down = f'{said["stage"]}.{i}.{said["down"]}'
      found |= norm(f'down{i + 1}.norm', f'{down}.0') | convolution(f'down{i + 1}.conv', f'{down}.1')
    path, at = f'stage{i + 1}', f'{said["stage"]}.{i}.{said["blocks"]}.*'
    found |= convolution(f'{path}.conv', f'{at}.{said["conv"]}') | norm(f'{path}.norm', f'{at}.{said["norm"]}')
    found |= dense(f'{path}.fc1', f'{at}.{said["fc1"]}') | dense(f'{path}.fc2', f'{at}.{said["fc2"]}')
    if net.grn:
      found |= {f'{path}.grn.{own}': vector(f'{at}.{said["grn"]}.{name}') for own, name in dict(scale='weight', bias='bias').items()}
    if net.layer_scale is not None:
      found |= {f'{path}.gamma': same(f'{at}.{said["gamma"]}')}
  return found


def convolution(path: str, name: str) -> Names:
  """Kernel and bias of a convolution."""
  return {f'{path}.kernel': conv(f'{name}.weight'), f'{path}.bias': same(f'{name}.bias')}


def layer_scale(value: Any, key: str, folder: Path) -> float | None:
  """Where layer scale starts; None where there is none.

  Raises:
    PretrainedError: it is no number.
  """
  if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
    raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected a number; get the file again')
  return value if value and value > 0 else None


def of_version(net: ConvNeXt, second: bool) -> None:
  """Refuses a ConvNeXt of another version.

  Raises:
    PretrainedError: it has what this version has not.
  """
  if net.grn != second or second and net.layer_scale is not None:
    wanted = 'grn=True and layer_scale=None' if second else 'grn=False'
    raise PretrainedError(f'a ConvNeXt with grn={net.grn} and layer_scale={net.layer_scale} cannot be written: expected {wanted}')


def of_transformers(second: bool) -> Family:
  """The family of a version in transformers."""
  return Family(
    'convnext',
    ConvNeXt,
    partial(options_in, second=second),
    partial(names, said=HF, flat=False),
    partial(config_of, second=second),
    prefixes=('convnextv2.' if second else 'convnext.',),
    ignored=r'classifier\.',
    heads=dict(classifier=classifier('classifier')),
  )


def of_timm(second: bool) -> Family:
  """The family of a version in timm."""
  return Family(
    'convnext',
    ConvNeXt,
    partial(timm_options_in, second=second),
    partial(names, said=TIMM_NAMES, flat=True),
    partial(timm_config_of, second=second),
    ignored=r'head\.fc\.',
    heads=dict(classifier=classifier('head.fc')),
  )


FAMILY, FAMILY_V2 = of_transformers(False), of_transformers(True)
TIMM, TIMM_V2 = of_timm(False), of_timm(True)
