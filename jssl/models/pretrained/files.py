"""Files of a folder of weights: JSON and safetensors, refused in one line where they are damaged; nothing is unpickled."""

import json
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jssl.errors import PretrainedError

FLOATS = ('F64', 'F32', 'F16', 'BF16')
# what Hugging Face calls a special token -> the names it may have
SPECIAL = dict(unk=('[UNK]', '<unk>'), cls=('[CLS]',), sep=('[SEP]',), mask=('[MASK]', '<mask>'))


class Stored(NamedTuple):
  """Where a tensor lies."""

  path: Path
  key: str  # its name in that file
  shape: tuple[int, ...]
  dtype: str  # as safetensors call it, 'F32'


def stored(folder: Path, rename: Callable[[str], str | None] = lambda name: name) -> dict[str, Stored]:
  """The tensors of model.safetensors, or of the shards that model.safetensors.index.json lists; the files are whole.

  Args:
    folder: that holds them.
    rename: name in the file -> name here, or None where the tensor is of no interest.

  Raises:
    PretrainedError: a file is not there or damaged.
  """
  installed()
  from safetensors import SafetensorError, safe_open

  index, parts, found = folder / 'model.safetensors.index.json', ['model.safetensors'], {}
  if not (folder / parts[0]).exists() and index.exists():
    shards = read_json(index, dict).get('weight_map')
    parts = sorted({str(file) for file in shards.values()}) if isinstance(shards, dict) else []
    if not parts or any(Path(file).name != file for file in parts):
      raise PretrainedError(f'{index} names the shards {parts}: expected files in the same folder; get it again')
  for path in (folder / file for file in parts):
    try:
      with safe_open(path, 'numpy') as file:
        for key in file.keys():
          if (name := rename(key)) is not None:
            tensor = file.get_slice(key)
            found[name] = Stored(path, key, tuple(tensor.get_shape()), tensor.get_dtype())
    except FileNotFoundError as error:
      raise PretrainedError(f'{path} does not exist: expected weights as safetensors; pickled weights are never read, convert them') from error
    except (OSError, SafetensorError) as error:
      raise PretrainedError(damage(path, error)) from error
  return found


def read(tensor: Stored) -> np.ndarray:
  """A tensor as float32: what is stored in 16 bits is widened, which is exact."""
  from safetensors import safe_open

  with safe_open(tensor.path, 'numpy') as file:
    return np.asarray(file.get_tensor(tensor.key), np.float32)


def write(path: Path, tensors: Mapping[str, np.ndarray], dtype: str = 'float16') -> None:
  """Tensors as a file of safetensors, in 16 bits unless another type is given."""
  from safetensors.numpy import save_file

  save_file({name: np.ascontiguousarray(x, dtype) for name, x in tensors.items()}, path, metadata={'format': 'pt'})
  path.chmod(0o644)  # the writer lets nobody else read it


def write_tokenizer(folder: Path, text: str, *, length: int, pad: int | None, types: bool = True) -> None:
  """tokenizer.json and tokenizer_config.json, by which Hugging Face makes of texts what the tokenizer does by itself.

  Classes such as BertTokenizer take the vocabulary alone and cut texts in their own way, so none of them is named.

  Args:
    folder: that of the network.
    text: the tokenizer, as a tokenizer.json has it.
    length: tokens at which texts are cut.
    pad: the id of padding.
    types: whether the network has token types for the two texts of a pair.
  """
  found = json.loads(text) | dict(truncation=None, padding=None)  # which are asked for when it is called
  special = {token['id']: token['content'] for token in found.get('added_tokens', ()) if token['special']}
  named = {f'{role}_token': name for role, names in SPECIAL.items() for name in names if name in special.values()}
  named |= {'pad_token': special[pad]} if pad in special else {}
  named |= {} if types else {'model_input_names': ['input_ids', 'attention_mask']}
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
    raise PretrainedError(f'{path} cannot be read ({error.strerror}): give a folder in the format of Hugging Face') from error
  except ValueError as error:
    raise PretrainedError(f'{path} is not JSON ({error}): get it again') from error
  if not isinstance(found, kind):
    raise PretrainedError(f'{path} holds a {type(found).__name__}: expected a {kind.__name__}; get it again')
  return found


def damage(path: Path, error: Exception) -> str:
  """What is wrong with a file that cannot be read as safetensors."""
  if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(b'version https://git-lfs'):
    return f'{path} is a pointer of Git LFS, not the weights: run `git lfs pull` where it was cloned'
  return f'{path} is not a complete safetensors file ({error}): get it again'


def installed() -> None:
  """PretrainedError where safetensors is not installed."""
  if util.find_spec('safetensors') is None:
    raise PretrainedError("reading weights needs safetensors, which is not installed: pip install 'jssl[text]'")
