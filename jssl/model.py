"""A trained run, opened for use: representations of new data."""

import contextlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl import loops
from jssl.core import checkpoint
from jssl.core.build import Plan, open_data, plan
from jssl.core.log import replace
from jssl.core.mesh import make_mesh
from jssl.core.phases import phase_at
from jssl.core.programs import Programs, seed_data
from jssl.core.step import TrainState
from jssl.data.core.arrays import stack, within
from jssl.data.core.pictures import first_line, is_picture, like, read_folder
from jssl.errors import ConfigError
from jssl.evaluators.features import finite
from jssl.evaluators.subject import Subject
from jssl.options import natural
from jssl.types import Column, Features


class Model:
  """A plan with trained arrays."""

  def __init__(self, plan: Plan, train: TrainState):
    self.plan, self.train = plan, train
    method = plan.method_of(int(train.step))
    represent = partial(jax.jit(method.represent, static_argnames='network'), train.params, train.state)
    self._represent = Subject(plan.data, represent, method.networks(train.params, train.state), plan.transform).represent

  def represent(self, inputs: Mapping[str, Any]) -> Features:
    """Features of one batch of columns, all on the device."""
    return self._represent(inputs)

  def encode(self, inputs: Any, *, batch_size: int = 256, normalize_embeddings: bool = False, truncate_dim: int | None = None) -> np.ndarray:
    """Pooled features of any number of inputs, in their order.

    Args:
      inputs: an array [n ...] of the data set's input column, a dict of columns, or a sequence of examples. Pictures are uint8, or
        float in [0, 1], of the size that the model was trained on.
      batch_size: inputs a call, 1 or more; the last call is padded, so one shape is compiled.
      normalize_embeddings: scale each to unit length.
      truncate_dim: keep only the first dimensions.

    Returns:
      [n d] float32.

    Raises:
      ValueError: if the inputs have another shape or type than the model was trained on, or pictures another range, or features are
        not finite.
    """
    natural(dict(batch_size=batch_size), 'batch_size')
    if truncate_dim is not None:
      natural(dict(truncate_dim=truncate_dim), 'truncate_dim')
    columns = self._columns(inputs)
    n = len(next(iter(columns.values())))
    batch_size = min(batch_size, max(n, 256))  # no more padding than for the default
    found = []
    for i in range(0, n, batch_size):
      part = {name: x[i : i + batch_size] for name, x in columns.items()}
      short = batch_size - len(next(iter(part.values())))
      padded = {name: np.pad(x, [(0, short)] + [(0, 0)] * (x.ndim - 1), mode='edge') for name, x in part.items()}
      found.append(np.asarray(self.represent(padded).pooled, np.float32)[: batch_size - short])
    z = finite(np.concatenate(found), 'the features')[:, :truncate_dim]
    return z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12) if normalize_embeddings else z

  def _columns(self, inputs: Any) -> dict[str, np.ndarray]:
    column = self.plan.data.inputs
    if isinstance(inputs, np.ndarray | jax.Array):
      inputs = {column: inputs}
    elif not isinstance(inputs, Mapping):
      examples = list(inputs)
      if lacking := [sorted(example) for example in examples if isinstance(example, Mapping) and column not in example]:
        raise ValueError(f'the model reads the column {column!r}, and an example has {lacking[0]}; give examples with that column')
      inputs = stack([{column: example[column] if isinstance(example, Mapping) else example} for example in examples]) if examples else {}
    columns, spec = {name: np.asarray(x) for name, x in inputs.items()}, self.plan.data.spec
    if column not in columns or not columns[column].ndim or not len(columns[column]):
      given = {name: x.shape for name, x in columns.items()}
      raise ValueError(f'inputs must be an array [n, {", ".join(map(str, spec[column].shape))}] of {column!r}, not {given}')
    for name in columns.keys() & spec.keys():
      if columns[name].dtype.kind not in 'biufc' and columns[name].dtype != spec[name].dtype:
        raise ValueError(f'{name!r} holds {columns[name].dtype}; expected numbers, {spec[name].dtype} as the model was trained on')
    for name, want in spec.items():
      if name in columns and is_picture(name, want.shape, want.dtype):
        columns[name] = like(name, columns[name], want)
      elif name in columns and columns[name].shape[1:] != want.shape:
        raise ValueError(
          f'{name!r} has shape {list(columns[name].shape)}; expected {["n", *want.shape]}, as the model was trained on: pad, cut or resize'
        )
      elif name in columns:
        columns[name] = self._typed(name, columns[name], want)
    if len(lengths := {name: len(x) for name, x in columns.items()}) > 1 and len({*lengths.values()}) > 1:
      raise ValueError(f'the columns have {lengths} rows; expected as many of each')
    return columns

  def _typed(self, name: str, x: np.ndarray, want: Column) -> np.ndarray:
    """A column as the model reads it; ValueError where numbers of its type, or out of its range, cannot be meant."""
    kinds = 'biu' if np.issubdtype(want.dtype, np.integer) else 'biuf'
    if x.dtype.kind not in kinds and x.dtype != want.dtype:
      raise ValueError(f'{name!r} holds {x.dtype}; expected {want.dtype}, as the model was trained on: convert it')
    within(name, x, want)
    return x


def read_config(workdir: Path) -> dict[str, Any]:
  """The config of the run in `workdir`; ConfigError if there is none."""
  try:
    config = json.loads((Path(workdir) / 'config.json').read_text())
    if not isinstance(config, dict):
      raise ValueError(f'config.json holds {type(config).__name__}')
  except (OSError, ValueError) as error:
    raise ConfigError(f'{workdir} holds no run that can be read ({error}); give the --workdir of a `jssl train`') from error
  return config


def read_plan(workdir: Path) -> Plan:
  """The plan of the run in `workdir`; ConfigError if there is none, or something that it was trained with is not here."""
  config = read_config(workdir)
  try:
    return plan(config)
  except (ValueError, OSError, ImportError) as error:
    raise ConfigError(
      f'the run in {workdir} cannot be opened: {error}; it needs the data set, packages, folders and modules that its config.json '
      'names, as in training: put back what is missing'
    ) from error


def restore(workdir: Path) -> tuple[Plan, TrainState, TrainState]:
  """The plan, the trained state and the state before training of the run in `workdir`.

  Raises:
    ConfigError: if there is no run there, or it has no checkpoint yet.
  """
  planned = read_plan(workdir)
  programs = Programs(planned, make_mesh(devices=jax.devices()[:1]))
  abstract = lambda step: programs.states[phase_at(planned.phases, step)]
  found = checkpoint.restore(checkpoint.open_checkpoints(Path(workdir) / 'checkpoints'), abstract)
  if not found:
    raise ConfigError(f'{workdir} has no checkpoint yet; train it further first')
  return planned, found[0], programs.create(seed_data(planned))


def load(workdir: str | Path) -> Model | dict[str, Any]:
  """The trained model in `workdir`, with `encode(...)`; of a system with a loop of its own, its states by name."""
  if read_config(Path(workdir)).get('experiment'):
    return loops.states(Path(workdir))
  planned, train, _ = restore(Path(workdir))
  return Model(planned, train)


def read_inputs(where: str, model: Model) -> tuple[Any, list[str] | None]:
  """Inputs for `encode`: an .npy array, a folder of pictures, or data:NAME[/SPLIT]; and the names of files, where they are files."""
  data = model.plan.data
  if where.startswith('data:'):
    name, _, split = where[5:].partition('/')
    if name != model.plan.config['data']['name']:
      data = open_data(dict(name=name))
    split = split or 'test'
    if split not in data.splits:
      raise ConfigError(f'{name} has no split {split!r}; it has {sorted(data.splits)}')
    return [data.splits[split][i] for i in range(len(data.splits[split]))], None
  path, want = Path(where), data.spec[data.inputs]
  if not where or not path.exists():
    raise ConfigError(f'INPUT {where!r} does not exist; give an .npy file, a folder of pictures or data:NAME')
  if path.suffix == '.npy' and path.is_file():
    return read_array(path), None
  if path.is_dir():
    if not is_picture(data.inputs, want.shape, want.dtype):
      raise ConfigError(f'{where} is a folder, but the model reads {data.inputs!r} {list(want.shape)}, no pictures; give an .npy file')
    return read_folder(path, want.shape)
  raise ConfigError(f'INPUT must be an .npy file, a folder of pictures or data:NAME, not {where!r}')


def read_array(path: Path) -> np.ndarray:
  """The array in an .npy file; ConfigError where there is none of numbers."""
  try:
    x = np.load(path, allow_pickle=False)
  except Exception as error:  # of a file that is something else, NumPy's errors are of many types
    raise ConfigError(f'{path} cannot be read as an array of numbers ({first_line(error)}); save one by numpy.save') from error
  if not isinstance(x, np.ndarray):
    raise ConfigError(f'{path} holds several arrays, as numpy.savez writes them; save one by numpy.save')
  return x


def writable(path: Path) -> None:
  """Sees that a file can be written, and its folder made where it is not there yet, so that this is told before work begins.

  Raises:
    OSError: it cannot.
  """
  if path.is_dir():
    raise OSError(f'{path} is a folder; a file is to be written there: give another name')
  folder = next(f for f in path.absolute().parents if f.exists())
  try:
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise OSError(f'{path} cannot be written ({error.strerror or error}); give another place, or write permission') from error


def check_output(path: Path) -> None:
  """Sees that `write_features` can write there.

  Raises:
    ConfigError: the name ends otherwise, there is no such folder, or pyarrow is missing.
    OSError: the folder cannot be written.
  """
  if path.suffix not in ('.npy', '.parquet'):
    raise ConfigError(f'OUT must end in .npy or .parquet, not {path.name!r}')
  if not path.absolute().parent.is_dir():
    raise ConfigError(f'OUT is {path}, and there is no folder {path.parent}; make it first')
  if path.suffix == '.parquet' and importlib.util.find_spec('pyarrow') is None:
    raise ConfigError(f'OUT is {path}, and to write it pyarrow is needed: pip install pyarrow, or give a name that ends in .npy')
  writable(path)


def write_features(features: np.ndarray, path: Path, names: list[str] | None = None) -> None:
  """One row an input, as .npy or as a .parquet list column; of files their names too, in `STEM.names.json` or a column."""
  names = names and [name.encode('utf-8', 'backslashreplace').decode() for name in names]
  if path.suffix == '.npy':
    listed = path.with_suffix('.names.json')
    listed.unlink(missing_ok=True)  # of what the path held before
    with _whole(path) as part, part.open('wb') as file:
      np.save(file, features)
    if names:
      replace(listed, json.dumps(names, indent=0))
    return
  import pyarrow as pa
  import pyarrow.parquet as pq

  with _whole(path) as part:
    pq.write_table(pa.table({**({'name': names} if names else {}), 'embedding': list(features)}), part)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
  """Another path to write to, which takes the place of `path` when all is written."""
  part = path.with_name(f'{path.name}.part')
  try:
    yield part
    os.replace(part, path)
  except OSError as error:
    part.unlink(missing_ok=True)
    raise OSError(f'{path} cannot be written ({error.strerror or error}); make room, or give another place') from error
