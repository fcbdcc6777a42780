"""Files of a folder of weights: JSON and safetensors, refused in one line where they are damaged; nothing is unpickled."""

import json
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from jssl.errors import PretrainedError

FLOATS = ('F64', 'F32', 'F16', 'BF16')
# what Hugging Face calls a special token -> the names it may have
SPECIAL = dict(unk=('[UNK]', '<unk>'), cls=('[CLS]',), sep=('[SEP]',), mask=('[MASK]', '<mask>'))


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
  """Names and shapes of the tensors in a file of safetensors, which is whole.

  Raises:
    PretrainedError: it is not there, damaged, or holds other than floating-point numbers.
  """
  found = {}
  for name, tensor in _opened(path):
    if tensor.get_dtype() not in FLOATS:
      raise PretrainedError(f'{name!r} in {path} is of the type {tensor.get_dtype()}: expected numbers of 16, 32 or 64 bits')
    found[name] = tuple(tensor.get_shape())
  return found


def floats(path: Path, names: Any) -> dict[str, np.ndarray]:
  """Those tensors of a file, as float32: what is stored in 16 bits is widened, which is exact."""
  return {name: np.asarray(tensor[:], np.float32) for name, tensor in _opened(path) if name in names}


def fill(net: nnx.Module, path: Path, named: Callable[[Mapping[str, Any]], dict[str, np.ndarray]], read: Callable[[dict], dict]) -> nnx.Module:
  """The network with the weights of a file, whose names and shapes are checked now and which is read when the arrays are made.

  Args:
    net: as it is made; of a stack of blocks it may have the first alone.
    path: of the safetensors.
    named: parameters as nested dicts -> tensors by their names in the file.
    read: its inverse.

  Raises:
    PretrainedError: the file is damaged, or its weights are not those of such a network.
  """
  graphdef, params, rest = nnx.split(net, nnx.Param, ...)
  empty = jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), nnx.to_pure_dict(params))
  expected, found = {name: x.shape for name, x in named(empty).items()}, shapes(path)
  for name, shape in expected.items():
    if found.get(name) != shape:
      there = f'has the shape {found[name]}' if name in found else 'is not there'
      raise PretrainedError(f'{name!r} in {path} {there}: expected {shape}, as the config.json beside it says; they must be of one network')
  like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, np.float32), nnx.to_pure_dict(params))
  # A callback, not constants: a compiled init does not hold the weights, and they are not read for shapes.
  return nnx.merge(graphdef, jax.pure_callback(lambda: read(floats(path, expected)), like), nnx.to_pure_dict(rest))


def write(path: Path, tensors: Mapping[str, np.ndarray], dtype: str = 'float16') -> None:
  """Tensors as a file of safetensors, in 16 bits unless another type is given."""
  from safetensors.numpy import save_file

  save_file({name: np.ascontiguousarray(x, dtype) for name, x in tensors.items()}, path, metadata={'format': 'pt'})
  path.chmod(0o644)  # the writer lets nobody else read it


def write_tokenizer(folder: Path, text: str, *, length: int, pad: int | None) -> None:
  """tokenizer.json and tokenizer_config.json, by which Hugging Face makes of texts what the tokenizer does by itself.

  Classes such as BertTokenizer take the vocabulary alone and cut texts in their own way, so none of them is named.

  Args:
    folder: that of the network.
    text: the tokenizer, as a tokenizer.json has it.
    length: tokens at which texts are cut.
    pad: the id of padding.
  """
  found = json.loads(text) | dict(truncation=None, padding=None)  # which are asked for when it is called
  special = {token['id']: token['content'] for token in found.get('added_tokens', ()) if token['special']}
  named = {f'{role}_token': name for role, names in SPECIAL.items() for name in names if name in special.values()}
  named |= {'pad_token': special[pad]} if pad in special else {}
  config = dict(tokenizer_class='PreTrainedTokenizerFast', model_max_length=length, **named)
  (folder / 'tokenizer.json').write_text(json.dumps(found, ensure_ascii=False, indent=2), 'utf-8')
  (folder / 'tokenizer_config.json').write_text(json.dumps(config, ensure_ascii=False, indent=2) + '\n', 'utf-8')


def read_json(path: Path, kind: type = dict) -> Any:
  """What a file of JSON holds, which is of that kind.

  Raises:
    PretrainedError: it is not there, no JSON, or of another kind.
  """
  try:
    found = json.loads(path.read_text('utf-8'))
  except OSError as error:
    raise PretrainedError(f'{path} cannot be read ({error.strerror}): give a folder in the form of Hugging Face') from error
  except ValueError as error:
    raise PretrainedError(f'{path} is not JSON ({error}): get it again') from error
  if not isinstance(found, kind):
    raise PretrainedError(f'{path} holds a {type(found).__name__}: expected a {kind.__name__}; get it again')
  return found


def damage(path: Path, error: Exception) -> str:
  """What is wrong with a file that cannot be read as safetensors."""
  if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(b'version https://git-lfs'):
    return f'{path} is a pointer of Git LFS, not the weights: run `git lfs pull` where it was cloned'
  return f'{path} is no whole file of safetensors ({error}): get it again'


def installed() -> None:
  """PretrainedError where safetensors is not installed."""
  if util.find_spec('safetensors') is None:
    raise PretrainedError("weights are read with safetensors, which is not installed: pip install 'jssl[text]'")


def nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """{'a.b': x} -> {'a': {'b': x}}."""
  tree: dict[str, Any] = {}
  for path, x in flat.items():
    *parents, last = path.split('.')
    inner = tree
    for parent in parents:
      inner = inner.setdefault(parent, {})
    inner[last] = x
  return tree


def at(tree: Mapping[str, Any], path: str) -> np.ndarray:
  """at({'a': {'b': x}}, 'a.b') -> x."""
  for key in path.split('.'):
    tree = tree[key]
  return np.asarray(tree)


def _opened(path: Path):
  installed()
  from safetensors import SafetensorError, safe_open

  try:
    with safe_open(path, 'numpy') as file:
      yield from ((name, file.get_slice(name)) for name in file.keys())
  except FileNotFoundError as error:
    raise PretrainedError(f'{path} is not there: expected weights as safetensors; pickled ones are never read, convert them') from error
  except (OSError, SafetensorError) as error:
    raise PretrainedError(damage(path, error)) from error
