"""Residual networks in and out of folders of transformers, of timm, and of weights of torchvision."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Family, read_options
from jssl.models.pretrained.names import Names, conv, norm, same
from jssl.models.pretrained.stages import classifier, doubling, read_sizes, same_length, timm_arguments, timm_config
from jssl.models.vision.resnet import BLOCKS, ResNet

# key of transformers' config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(hidden_act='relu', downsample_in_first_stage=False, downsample_in_bottleneck=False)
# architecture of timm -> its arguments
ARCHITECTURES = {
  f'resnet{number}': dict(layers=layers)
  for number, layers in {
    18: (2, 2, 2, 2), 26: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3),
  }.items()
}  # fmt: skip
BASIC = ('resnet18', 'resnet34')


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a ResNet from transformers' config.json."""
  found = read_options(config, folder, dict(width=('embedding_size', 64), block=('layer_type', 'bottleneck')), EXPECTED)
  if found['block'] not in BLOCKS:
    raise PretrainedError(f'{folder}/config.json has layer_type = {found["block"]!r}: expected one of {sorted(BLOCKS)}')
  widths, depths = (
    read_sizes(config, folder, key, default) for key, default in (('hidden_sizes', (256, 512, 1024, 2048)), ('depths', (3, 4, 6, 3)))
  )
  same_length(folder, hidden_sizes=widths, depths=depths)
  if doubling(widths, 'hidden_sizes', folder) != (wanted := found['width'] * BLOCKS[found['block']].expansion):
    raise PretrainedError(
      f'{folder} is a network with hidden_sizes from {widths[0]} on; only {wanted} can be read, by its embedding_size and layer_type'
    )
  return dict(**found, depths=depths, stem='imagenet', norm='batch')


def names(net: ResNet) -> Names:
  """The map of names of a ResNet in transformers."""
  found = normalised('conv', 'norm', 'embedder.embedder.convolution', 'embedder.embedder.normalization')
  for path, i, j, block in blocks(net):
    at = f'encoder.stages.{i}.layers.{j}'
    for k in range(convolutions(net)):
      found |= normalised(f'{path}.conv{k + 1}', f'{path}.norm{k + 1}', f'{at}.layer.{k}.convolution', f'{at}.layer.{k}.normalization')
    if block.shortcut is not None:
      found |= normalised(f'{path}.shortcut.conv', f'{path}.shortcut.norm', f'{at}.shortcut.convolution', f'{at}.shortcut.normalization')
  return found


def config_of(net: ResNet) -> dict[str, Any]:
  """transformers' config.json of a ResNet."""
  plain(net)
  expansion = BLOCKS[net.block].expansion
  return dict(
    architectures=['ResNetModel'], model_type='resnet', num_channels=net.channels, embedding_size=net.width,
    hidden_sizes=[net.width * expansion * 2**i for i in range(len(net.depths))], depths=list(net.depths), layer_type=net.block, **EXPECTED,
  )  # fmt: skip


def timm_options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a ResNet from timm's config.json."""
  depths = read_sizes(timm_arguments(config, folder, ARCHITECTURES), folder, 'layers', ())
  same_length(folder, layers=depths, stages=range(4))
  block = 'basic' if str(config['architecture']).partition('.')[0] in BASIC else 'bottleneck'
  return dict(width=64, block=block, depths=depths, stem='imagenet', norm='batch')


def timm_names(net: ResNet) -> Names:
  """The map of names of a ResNet in timm and in torchvision."""
  found = normalised('conv', 'norm', 'conv1', 'bn1')
  for path, i, j, block in blocks(net):
    at = f'layer{i + 1}.{j}'
    for k in range(1, convolutions(net) + 1):
      found |= normalised(f'{path}.conv{k}', f'{path}.norm{k}', f'{at}.conv{k}', f'{at}.bn{k}')
    if block.shortcut is not None:
      found |= normalised(f'{path}.shortcut.conv', f'{path}.shortcut.norm', f'{at}.downsample.0', f'{at}.downsample.1')
  return found


def timm_config_of(net: ResNet) -> dict[str, Any]:
  """timm's config.json of a ResNet."""
  plain(net)
  if (net.width, len(net.depths)) != (64, 4):
    told = f'width {net.width} and {len(net.depths)} stages'
    raise PretrainedError(f"a ResNet of {told} cannot be written as 'timm/resnet': expected 64 and 4; write it as 'resnet'")
  fitting = [name for name, told in ARCHITECTURES.items() if told['layers'] == net.depths and (name in BASIC) == (net.block == 'basic')]
  name = fitting[0] if fitting else 'resnet18' if net.block == 'basic' else 'resnet50'
  return timm_config(name, (224, 224), net.channels, net.dim, layers=list(net.depths))


def blocks(net: ResNet):
  """(path, stage, number in the stage, block) of each block, both numbers from 0 on."""
  for i, depth in enumerate(net.depths):
    for j in range(depth):
      path = f'stage{i + 1}_block{j + 1}'
      yield path, i, j, getattr(net, path)


def convolutions(net: ResNet) -> int:
  """How many a block has besides its shortcut."""
  return 2 if net.block == 'basic' else 3


def normalised(path: str, norm_path: str, name: str, norm_name: str) -> Names:
  """A convolution and the batch norm after it, with its running statistics."""
  statistics = {f'{norm_path}.{own}': same(f'{norm_name}.running_{own}') for own in ('mean', 'var')}
  return {f'{path}.kernel': conv(f'{name}.weight'), **norm(norm_path, norm_name), **statistics}


def plain(net: ResNet) -> None:
  """Refuses a ResNet that other libraries have no name for.

  Raises:
    PretrainedError: it has another stem or norm.
  """
  if (net.stem, net.norms) != ('imagenet', 'batch'):
    raise PretrainedError(f"a ResNet with stem={net.stem!r} and norm={net.norms!r} cannot be written: expected 'imagenet' and 'batch'")


IGNORED = r'.*num_batches_tracked$'  # which counts steps, and has no part in what is computed
FAMILY = Family(
  'resnet',
  ResNet,
  options_in,
  names,
  config_of,
  prefixes=('resnet.',),
  ignored=rf'classifier\.|{IGNORED}',
  heads=dict(classifier=classifier('classifier.1')),
)
TIMM = Family(
  'resnet', ResNet, timm_options_in, timm_names, timm_config_of, ignored=rf'fc\.|{IGNORED}', heads=dict(classifier=classifier('fc'))
)
