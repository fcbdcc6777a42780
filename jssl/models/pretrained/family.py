"""Networks in and out of folders of weights: what each family of them says of itself, and how it names its tensors."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.names import Names, fill, tensors_of
from jssl.storage import near, reach
from jssl.tables import FAMILIES, MODELS

# activation as transformers calls it -> as jssl does; of several names the last is written
ACTIVATIONS = dict(
  gelu_python='gelu', gelu='gelu', gelu_fast='gelu_tanh', gelu_new='gelu_tanh', gelu_pytorch_tanh='gelu_tanh', quick_gelu='quick_gelu',
  relu='relu', swish='silu', silu='silu',
)  # fmt: skip
# option of a network -> key of config.json, and what transformers takes where the key is missing
Options = Mapping[str, tuple[str, Any]]


class Head(NamedTuple):
  """A head that folders of a family may hold in addition to the network.

  Attributes:
    network: its name in `jssl.tables.MODELS`.
    options: config.json -> its options.
    names: the head -> the map of names of its parameters.
  """

  network: str
  options: Callable[[Mapping[str, Any]], dict[str, Any]]
  names: Callable[[nnx.Module], Names]


class Family(NamedTuple):
  """How the folders of one kind of network describe it and name its weights.

  Attributes:
    network: its name in `jssl.tables.MODELS`.
    kind: its class.
    options: (config.json, folder) -> options of the network, one of which may be a function that is called where it is not given;
      PretrainedError where the folder describes what jssl cannot compute.
    names: the network -> the map of names of its parameters.
    config: the network -> config.json, the inverse of `options`.
    prefixes: of the tensors' names, 'bert.', where the network is part of a task model; the first that occurs is left out.
    ignored: regular expression for the names of tensors, without their prefix, that are not the network's: buffers, heads.
    rename: old name of a tensor -> the one in `names`.
    heads: name -> `Head`; their tensors are named in full, or without the prefix.
  """

  network: str
  kind: type[nnx.Module]
  options: Callable[[Mapping[str, Any], Path], dict[str, Any]]
  names: Callable[[nnx.Module], Names]
  config: Callable[[nnx.Module], dict[str, Any]]
  prefixes: tuple[str, ...] = ()
  ignored: str = r'(?!)'
  rename: Callable[[str], str] = lambda name: name
  heads: Mapping[str, Head] = {}


def from_folder(
  on,
  *,
  folder: str,
  part: str | None = None,
  depth: int | None = None,
  pool: str | None = None,
  dropout: float = 0.0,
  drop_path: float = 0.0,
  mask_id: int | None = None,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> nnx.Module:
  """A network with the weights of a folder, whose files are checked now and read when the arrays are made.

  The folder is one that `save_pretrained` of transformers writes, or one of timm: config.json, and model.safetensors or its shards.

  Args:
    on: as the network takes it: (h, w, c) of an image, (n,) of token ids, or (n,) of a waveform.
    folder: its config.json says by `model_type`, or in timm's by `architecture`, which family of `jssl.tables.FAMILIES` it is of.
    part: which network of a folder of several, such as 'vision' or 'text' of a CLIP.
    depth: how many of the blocks, from the first on; None for all.
    pool: as the network takes it; None for what the folder says.
    dropout, drop_path, mask_id, remat, dtype: as the network takes them; refused where it does not.
    rngs: random number generators, for the initialisation.

  Raises:
    PretrainedError: a file is missing or damaged, describes another network, or does not fit the others.
  """
  folder = near(reach(folder)).absolute()
  family, config = family_of(folder, part)
  options = family.options(config, folder)
  given = dict(pool=pool, dropout=dropout, drop_path=drop_path, mask_id=mask_id, remat=remat)
  asked = {name: value for name, value in given.items() if value not in (None, 0.0, False)} | dict(dtype=dtype)
  make = MODELS[family.network]
  known = inspect.signature(make.__init__ if inspect.isclass(make) else make).parameters
  if wrong := [name for name in asked if name not in known]:
    raise PretrainedError(f'{folder} holds a {family.network}, which takes no {wrong[0]}: leave it out')
  if depth is not None and 'depth' not in options:
    raise PretrainedError(f'{folder} holds a {family.network}, whose depth cannot be chosen: leave depth out')
  options |= asked | (dict(depth=first_of(options['depth'], depth, folder)) if depth is not None else {})
  options = {option: value() if callable(value) else value for option, value in options.items()}
  net = make(on, **options, rngs=rngs)
  # What a saved model is made of again, without the folder.
  net.described = json.dumps(dict(name=family.network, **options))
  found = files.stored(folder, renamed(family, folder))
  return fill(net, found, family.names(net), folder=folder, first=depth is not None)


def head_from_folder(on, *, folder: str, head: str, part: str | None = None, dtype: str = 'float32', rngs: nnx.Rngs) -> nnx.Module:
  """A head with the weights of a folder: that of masked or causal language modelling, of classification, or a projection.

  Args:
    on: width of its input, or the module that feeds it.
    folder, part: as in `from_folder`.
    head: which of those that the family knows.
    dtype, rngs: as the head takes them.

  Raises:
    PretrainedError: the family knows no such head, or the folder does not hold it.
  """
  folder = near(reach(folder)).absolute()
  family, config = family_of(folder, part)
  if head not in family.heads:
    raise PretrainedError(f'{folder} is of a family whose heads are {sorted(family.heads)}, not {head!r}')
  found = family.heads[head]
  make, options = MODELS[found.network], found.options(config)
  # A scale has no type to compute in.
  known = inspect.signature(make.__init__ if inspect.isclass(make) else make).parameters
  options |= dict(dtype=dtype) if 'dtype' in known else {}
  net = make(on, **options, rngs=rngs)
  net.described = json.dumps(dict(name=found.network, **options))
  names = found.names(net)
  wanted = {name for entry in names.values() for name in entry.names}

  def rename(key):
    plain = [key, *(key.removeprefix(prefix) for prefix in family.prefixes)]
    return next((name for x in plain for name in (x, family.rename(x)) if name in wanted), None)

  return fill(net, files.stored(folder, rename), names, folder=folder)


def write_folder(folder: str | Path, net: nnx.Module, family: str, *, dtype: str = 'float32') -> None:
  """Writes a network as a folder that transformers, or timm, opens.

  Args:
    folder: is made where it is not there.
    net: with its parameters.
    family: one of `jssl.tables.FAMILIES`.
    dtype: to store numbers in, 'float32' or 'float16'.

  Raises:
    PretrainedError: a network of this family cannot say what this one computes.
  """
  known = FAMILIES[family]
  if type(net) is not known.kind:
    raise PretrainedError(f'a {type(net).__name__} cannot be written as {family!r}: expected a {known.kind.__name__}')
  folder, config = Path(folder), known.config(net)
  folder.mkdir(parents=True, exist_ok=True)
  files.write(folder / 'model.safetensors', tensors_of(net, known.names(net)), dtype)
  (folder / 'config.json').write_text(json.dumps(config, indent=2) + '\n')


def family_of(folder: Path, part: str | None) -> tuple[Family, dict[str, Any]]:
  """The family that a folder is of, and its config.json.

  Raises:
    PretrainedError: there is none, or jssl knows no such family.
  """
  config = files.read_json(folder / 'config.json')
  for key in ('quantization_config', 'auto_map'):
    if config.get(key) is not None:
      raise PretrainedError(f'{folder} is a network with {key} = {config[key]!r}; only {None!r} can be read')
  kind = config.get('model_type') or (f'timm/{re.match("[a-z]*", str(config["architecture"]))[0]}' if 'architecture' in config else None)
  parts = sorted(name.partition(':')[2] for name in FAMILIES if name.startswith(f'{kind}:'))
  name, known = f'{kind}:{part}' if part else kind, [*FAMILIES]  # a name of one's own, module:attribute, is not for folders to choose
  if name in known:
    return FAMILIES[name], config
  if parts:
    raise PretrainedError(f'{folder} holds the networks {parts}: give one of them as part, not {part!r}')
  if kind in known:
    raise PretrainedError(f'{folder} holds one network, of the family {kind!r}: leave part={part!r} out')
  raise PretrainedError(f'{folder}/config.json has model_type = {kind!r}: expected one of jssl.tables.FAMILIES')


def renamed(family: Family, folder: Path) -> Callable[[str], str | None]:
  """Name of a tensor in the file -> that in the map of names; None where it is not of the network."""
  keys = files.stored(folder)
  prefix = next((x for x in family.prefixes if any(key.startswith(x) for key in keys)), '')

  def rename(key: str) -> str | None:
    name = family.rename(key.removeprefix(prefix)) if key.startswith(prefix) else key
    return None if not key.startswith(prefix) and prefix or re.match(family.ignored, name) else name

  return rename


def read_options(config: Mapping[str, Any], folder: Path, options: Options, expected: Mapping[str, Any]) -> dict[str, Any]:
  """The options of a network from config.json.

  Args:
    config: config.json.
    folder: for messages.
    options: option -> key and default.
    expected: key -> the only value that can be read, which is also what a missing key means.

  Raises:
    PretrainedError: a key has another value than can be read, or a number is none.
  """
  for key, value in expected.items():
    if config.get(key, value) != value:
      raise PretrainedError(f'{folder} is a network with {key} = {config[key]!r}; only {value!r} can be read')
  found = {}
  for option, (key, default) in options.items():
    found[option] = value = config.get(key, default)
    if isinstance(default, bool | str):
      fits = isinstance(value, type(default))
    else:
      number = isinstance(value, int | float if isinstance(default, float) else int) and not isinstance(value, bool)
      fits = number and value > 0 or option == 'pad' and (value is None or number and value == 0)
    if not fits:
      what = 'a number above 0' if not isinstance(default, bool | str) else f'a value like {default!r}'
      raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected {what}; get the file again')
  if 'heads' in found and 'head' not in found and found['width'] % found['heads']:
    raise PretrainedError(f'{folder}/config.json has {found["heads"]} heads, which do not divide the width of {found["width"]}')
  return found


def activation_in(name: Any, key: str, folder: str | Path) -> str:
  """The activation that config.json names under a key, as jssl calls it; PretrainedError where it is not known."""
  if name not in [*ACTIVATIONS]:
    raise PretrainedError(f'{folder} is a network with {key} = {name!r}; only {", ".join(ACTIVATIONS)} can be read')
  return ACTIVATIONS[name]


def activation_written(name: str) -> str:
  """An activation of jssl as config.json names it."""
  return {ours: theirs for theirs, ours in ACTIVATIONS.items()}[name]


def first_of(blocks: int, depth: int | None, name: str | Path) -> int:
  """How many of the blocks are taken, which is `depth` where it is given.

  Raises:
    PretrainedError: there are not so many.
  """
  if depth is not None and not 1 <= depth <= blocks:
    raise PretrainedError(f'{name} has {blocks} blocks, and depth is {depth}: choose 1 to {blocks}')
  return depth or blocks
