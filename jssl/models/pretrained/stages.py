"""What config.json says of networks of several stages, as transformers writes it and as timm does."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained.family import Head
from jssl.models.pretrained.names import Names, dense

# Arguments of timm's networks that a network without its classifier has not, or that matter for training alone.
ELSEWHERE = (
  'num_classes', 'in_chans', 'img_size', 'drop_rate', 'drop_path_rate', 'drop_block_rate', 'proj_drop_rate', 'attn_drop_rate',
  'zero_init_last', 'head_init_scale', 'weight_init', 'strict_img_size', 'dynamic_img_size',
)  # fmt: skip


def read_sizes(config: Mapping[str, Any], folder: Path, key: str, default: Sequence[int]) -> tuple[int, ...]:
  """Whole numbers above 0, one a stage.

  Raises:
    PretrainedError: the key has another value.
  """
  value = config.get(key, default)
  if not isinstance(value, list | tuple) or not value or not all(type(size) is int and size > 0 for size in value):
    raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected a list of integers above 0; get the file again')
  return tuple(value)


def doubling(sizes: Sequence[int], key: str, folder: Path) -> int:
  """The first of the sizes, of which each is twice the one before.

  Raises:
    PretrainedError: they are not.
  """
  if any(size != sizes[0] * 2**i for i, size in enumerate(sizes)):
    raise PretrainedError(f'{folder} is a network with {key} = {list(sizes)}; only widths that double from stage to stage can be read')
  return sizes[0]


def same_length(folder: Path, **sizes: Sequence[int]) -> None:
  """Refuses lists of a config.json that are not of one length.

  Raises:
    PretrainedError: they are not.
  """
  if len({len(found) for found in sizes.values()}) > 1:
    lengths = ' and '.join(f'{len(found)} {key}' for key, found in sizes.items())
    raise PretrainedError(f'{folder}/config.json has {lengths}: expected one of each per stage')


def timm_arguments(config: Mapping[str, Any], folder: Path, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The arguments of a network of timm: those of its architecture, 'resnet50' of 'resnet50.a1_in1k', changed by `model_args`.

  Args:
    config: config.json.
    folder: for messages.
    known: architecture -> all arguments that can be read.

  Raises:
    PretrainedError: there is no such architecture, or another argument is changed.
  """
  name, given = str(config['architecture']).partition('.')[0], config.get('model_args') or {}
  if name not in known:
    raise PretrainedError(f'{folder} is a network of the architecture {name!r}: expected one of {sorted(known)}')
  if not isinstance(given, dict) or given.keys() - known[name].keys() - {*ELSEWHERE, 'global_pool'}:
    raise PretrainedError(f'{folder} is a {name!r} with model_args = {given!r}, of which only {sorted(known[name])} can be read')
  for pool in (config.get('global_pool'), given.get('global_pool')):
    if pool not in (None, '', 'avg'):
      raise PretrainedError(f"{folder} is a network with global_pool = {pool!r}; only 'avg' can be read")
  return dict(known[name]) | {key: value for key, value in given.items() if key in known[name]}


def timm_config(architecture: str, side: Sequence[int], channels: int, dim: int, **arguments: Any) -> dict[str, Any]:
  """config.json of a network of timm without its classifier, for images of these sides."""
  return dict(
    architecture=architecture,
    num_classes=0,
    num_features=dim,
    global_pool='avg',
    model_args=dict(in_chans=channels, **arguments),
    pretrained_cfg=dict(num_classes=0, input_size=[channels, *side]),
  )


def classifier(name: str) -> Head:
  """The linear classifier whose tensors are NAME.weight and NAME.bias."""
  names: Callable[[nnx.Module], Names] = lambda head: dense('linear', name)
  return Head('linear', lambda config: dict(dim=classes(config)), names)


def classes(config: Mapping[str, Any]) -> int:
  """How many classes a folder tells apart, as transformers and timm say it.

  Raises:
    PretrainedError: none.
  """
  timm = 'architecture' in config
  labels = config.get('id2label') or range(config.get('num_labels') or 2)
  found = config.get('num_classes', 1000) if timm else len(labels)
  if type(found) is not int or found < 1:
    raise PretrainedError(f'config.json has num_classes = {found!r}: the folder holds no classifier')
  return found
