"""A trained model, opened for use: representations of new data."""

import contextlib
import importlib.util
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl import artefact as artefacts
from jssl import export, folders, loops
from jssl.artefact import Artefact
from jssl.core import checkpoint
from jssl.core.build import Plan, plan
from jssl.core.log import BEST
from jssl.core.mesh import make_mesh
from jssl.core.phases import phase_at
from jssl.core.programs import Programs
from jssl.core.step import TrainState
from jssl.data.core.arrays import stack, within
from jssl.data.core.pictures import first_line, is_picture, like
from jssl.errors import ConfigError
from jssl.evaluators.features import finite
from jssl.inputs import any_raw, is_raw, is_tokens, made_of
from jssl.keys import current
from jssl.options import closest, natural
from jssl.storage import reach, remote, remove, replace, text, whole, written
from jssl.types import Column, Features, Params

PRECISIONS = dict(float32=np.float32, float16=np.float16, bfloat16=jnp.bfloat16, int8=np.int8)
SAVED = 'model'  # the folder in a workdir with the model
QUERIES, ROWS = 1024, 8192  # block sizes of comparisons in `neighbours`


class Model:
  """A trained model: representations of new data.

  `jssl.load` opens one from a run, or from a folder written by `save`.

  Attributes:
    config: the config of the networks and of encoding, as in config.json.
    data: the columns of its training data, `data.spec`, and its input column, `data.inputs`; for a run, the whole data set.
    plan: the plan of the run that it was opened from; None for a saved model.
    tokenizer: the `tokenizers.Tokenizer` of its texts; None if it reads no texts.
  """

  def __init__(self, artefact: Artefact, plan: Plan | None = None):
    self.config, self.data, self.plan, self.tokenizer = artefact.config, artefact.data, plan, artefact.tokenizer
    self._artefact, self._features = artefact, artefacts.features_of(artefact)

  def __repr__(self) -> str:
    of = self.data.spec[self.data.inputs]
    return f'Model({self.config["about"]["name"]!r}, reads {self.data.inputs!r} {list(of.shape)} {of.dtype})'

  def save(self, folder: str | Path) -> None:
    """Writes the model as a folder, which `jssl.load` opens anywhere: config.json, model.safetensors, a tokenizer and a card.

    Args:
      folder: created if necessary; an existing model in it is replaced.

    Raises:
      ConfigError: if the folder has other contents.
      OSError: if it cannot be written.
    """
    artefacts.write(folder, self._artefact)

  def export(
    self,
    folder: str | Path,
    format: str,
    *,
    network: str | None = None,
    normalize: bool = False,
    family: str | None = None,
    outputs: Sequence[str] | None = None,
    platforms: Sequence[str] | None = None,
  ) -> None:
    """Writes an encoder as a folder that another library opens, and compares what it gives there with what it gives here.

    Args:
      folder: is not there yet, or empty.
      format: 'sentence-transformers', for `SentenceTransformer(folder)`, whose `encode` gives what `encode` gives here; 'hf', for
        `AutoModel.from_pretrained(folder)`, or timm, without pooling; 'stablehlo', a program for `jax.export.deserialize`; or 'onnx'.
        The last two take the input column, token ids of texts, in a batch of any size, and give what `encode` gives.
      network: which of the networks, such as the tower of a caption; the encoder of the model unless given.
      normalize: scale embeddings to unit length, as `normalize_embeddings` of `encode` does; only with 'sentence-transformers'.
      family: with 'hf': in whose form weights are written, one of `jssl.tables.FAMILIES`; needed where several can hold the network.
      outputs: of a program: 'pooled', 'tokens' or both; pooled features unless given.
      platforms: of 'stablehlo': some of 'cpu', 'cuda' and 'tpu'; all unless given.

    Raises:
      ConfigError: the model has no such form, which the message gives the reason of, or the folder is there.
      OSError: it cannot be written.
    """
    given = dict(network=network, normalize=normalize, family=family, outputs=outputs, platforms=platforms)
    export.write(self._artefact, folder, format, **given)

  def represent(self, inputs: Mapping[str, Any]) -> Features:
    """Features of one batch of columns, computed on the device."""
    return self._features(inputs)

  def encode(
    self,
    inputs: Any,
    *,
    batch_size: int = 256,
    normalize_embeddings: bool = False,
    truncate_dim: int | None = None,
    show_progress_bar: bool = False,
    precision: str = 'float32',
    network: str | None = None,
  ) -> np.ndarray:
    """Computes pooled features of any number of inputs, in order.

    Args:
      inputs: an array [n ...] of the input column, a dict of columns, or a sequence of texts, if the model reads texts; of image paths or PIL
        images, if it reads images; of arrays, or of dicts of columns. A single text, path or image is a sequence of one. Image arrays are
        uint8, or float in [0, 1], in the training size; image files and PIL images of another size are scaled to cover it and centre-cropped,
        as in training.
      batch_size: inputs per call, at least 1, sharded over the devices and rounded up to a multiple of their number; the last call is padded,
        so that one shape is compiled.
      normalize_embeddings: scale each embedding to unit length.
      truncate_dim: number of leading dimensions to keep, before scaling.
      show_progress_bar: show a bar on stderr.
      precision: 'float32', 'float16', 'bfloat16', or 'int8': each dimension is scaled so that its smallest value among these inputs is -128 and
        its largest 127, as `quantize_embeddings` of Sentence Transformers does. Different calls have different scales.
      network: the network to use, by default the encoder of the model; a transform applies to the encoder only. A network on another column,
        such as the tower of a second modality, reads that column.

    Returns:
      [n d] in the given precision.

    Raises:
      ValueError: if the shape, the type or the image range of inputs differs from the training data, or features are not finite.
    """
    natural(dict(batch_size=batch_size), 'batch_size')
    if truncate_dim is not None:
      natural(dict(truncate_dim=truncate_dim), 'truncate_dim')
    if precision not in PRECISIONS:
      raise ValueError(f'precision is {precision!r}{closest(precision, PRECISIONS)}')
    network = None if network == self.config['encoder'] else self._known(network)
    columns = self._columns(inputs, artefacts.column_of(self.config, network) if network else self.data.inputs)
    n = len(next(iter(columns.values())))
    batch_size = min(batch_size, max(n, 256))  # no more padding than for the default
    batch_size = -(-batch_size // jax.local_device_count()) * jax.local_device_count()
    found, parts = [], range(0, n, batch_size)
    for i in _shown(parts) if show_progress_bar else parts:
      part = {name: x[i : i + batch_size] for name, x in columns.items()}
      short = batch_size - len(next(iter(part.values())))
      padded = {name: np.pad(x, [(0, short)] + [(0, 0)] * (x.ndim - 1), mode='edge') for name, x in part.items()}
      found.append(self._pooled(padded, network)[: batch_size - short])
    z = finite(np.concatenate(found), 'the features')[:, :truncate_dim]
    z = z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12) if normalize_embeddings else z
    return _int8(z) if precision == 'int8' else z.astype(PRECISIONS[precision], copy=False)

  def similarity(self, a: Any, b: Any) -> np.ndarray:
    """The similarity of embeddings: a [n d] and b [m d] -> [n m] float32.

    The cosine, or the dot product if `config['similarity']` is 'dot'.
    """
    a, b = self._compared(a, b)
    return np.asarray(_products(a, b))

  def neighbours(self, query: Any, of: Any, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Exact search for the most similar embeddings, in blocks on the device.

    Args:
      query: [q d] embeddings.
      of: [n d] embeddings to search; a query that is one of them finds itself.
      k: number of neighbours, 1 to n.

    Returns:
      indices [q k] into `of` and scores [q k], by `similarity`, best first; ties by lower index.
    """
    query, of = self._compared(query, of)
    if natural(dict(k=k), 'k') > len(of):
      raise ValueError(f'k is {k}, but there are only {len(of)} embeddings to search; give a smaller k')
    found = [_nearest(query[i : i + QUERIES], of, k) for i in range(0, len(query), QUERIES)]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))

  def backbone(self, network: str | None = None) -> nnx.Module:
    """The encoder as an NNX module with the trained arrays, in evaluation mode, for use in other code.

    Args:
      network: another network by its name, such as 'projector'.

    Raises:
      ValueError: if there is no network of that name.
    """
    return artefacts.network_of(self._artefact, self._known(network) or self.config['encoder'])

  def params(self) -> dict[str, Any]:
    """The trained arrays: network -> nested dict."""
    return jax.tree.map(lambda x: x, self._artefact.params)

  def _known(self, network: str | None) -> str | None:
    if network is not None and network not in self._artefact.networks:
      raise ValueError(f'no network is called {network!r}{closest(network, self._artefact.networks)}')
    return network

  def _pooled(self, batch: Mapping[str, np.ndarray], network: str | None) -> np.ndarray:
    if network is None:
      return np.asarray(self._features(batch).pooled, np.float32)
    try:
      found = self._features(batch, network)
    except Exception as error:  # of a decoder, or a predictor that asks for more, of any type
      raise ValueError(f'{network!r} cannot be called on its input alone ({first_line(error)}); choose a tower, or a head on one') from error
    pooled = found.pooled if isinstance(found, Features) else found
    if getattr(pooled, 'ndim', 0) != 2:
      raise ValueError(f'{network!r} does not return one vector per input; choose a tower, or a head on one')
    return np.asarray(pooled, np.float32)

  def _compared(self, *given: Any) -> list[jax.Array]:
    """Embeddings in the form in which they are multiplied."""
    given = [np.asarray(x, np.float32) for x in given]
    if any(x.ndim != 2 or not len(x) for x in given) or given[0].shape[1] != given[1].shape[1]:
      raise ValueError(f'embeddings have shapes {[list(x.shape) for x in given]}; expected [n, d] and [m, d], as returned by encode')
    given = [jnp.asarray(finite(x, 'the embeddings')) for x in given]
    return given if self.config['similarity'] == 'dot' else [_unit(x) for x in given]

  def _columns(self, inputs: Any, column: str) -> dict[str, np.ndarray]:
    spec = self.data.spec
    if is_raw(inputs):
      inputs = [inputs]
    if isinstance(inputs, np.ndarray | jax.Array) and not (inputs.dtype.kind in 'UT' and inputs.ndim == 1):
      inputs = {column: inputs}
    elif not isinstance(inputs, Mapping):
      examples = list(inputs)
      if lacking := [sorted(example) for example in examples if isinstance(example, Mapping) and column not in example]:
        raise ValueError(f'the model reads the column {column!r}, but an example has {lacking[0]}; give examples with that column')
      values = [example[column] if isinstance(example, Mapping) else example for example in examples]
      inputs = {column: values if any_raw(values) else stack([{column: x} for x in values])[column]} if examples else {}
    read = lambda name, x: made_of(name, x, spec[name], self._artefact.tokenizer) if name in spec and any_raw(x) else np.asarray(x)
    columns = {name: read(name, x) for name, x in inputs.items()}
    if column not in columns or not columns[column].ndim or not len(columns[column]):
      given = {name: x.shape for name, x in columns.items()}
      raise ValueError(f'inputs must be an array [n, {", ".join(map(str, spec[column].shape))}] of {column!r}, not {given}')
    for name in columns.keys() & spec.keys():
      if columns[name].dtype.kind not in 'biufc' and columns[name].dtype != spec[name].dtype:
        raise ValueError(f'{name!r} has dtype {columns[name].dtype}; expected numbers, {spec[name].dtype} as in training')
    for name, want in spec.items():
      if name in columns and is_picture(name, want.shape, want.dtype):
        columns[name] = like(name, columns[name], want)
      elif name in columns and columns[name].shape[1:] != want.shape:
        raise ValueError(
          f'{name!r} has shape {list(columns[name].shape)}; expected {["n", *want.shape]}, as in training: pad, shorten or resize'
        )
      elif name in columns:
        columns[name] = self._typed(name, columns[name], want)
    if len(lengths := {name: len(x) for name, x in columns.items()}) > 1 and len({*lengths.values()}) > 1:
      raise ValueError(f'the columns have {lengths} rows; expected the same number in each')
    return columns

  def reads_texts(self, name: str | None = None) -> bool:
    """Whether a column, by default the input column, is encoded from texts by the model's tokenizer."""
    return is_tokens(self.data.spec[name or self.data.inputs], self._artefact.tokenizer)

  def _typed(self, name: str, x: np.ndarray, want: Column) -> np.ndarray:
    """A column in the type that the model reads. Raises ValueError for numbers of another kind, or out of range."""
    kinds = 'biu' if np.issubdtype(want.dtype, np.integer) else 'biuf'
    if x.dtype.kind not in kinds and x.dtype != want.dtype:
      raise ValueError(f'{name!r} has dtype {x.dtype}; expected {want.dtype}, as in training: convert it')
    within(name, x, want)
    return x


def _int8(z: np.ndarray) -> np.ndarray:
  low, high = z.min(0), z.max(0)
  step = np.where(high > low, (high - low) / 255, 1)
  return np.clip((z - low) / step - 128, -128, 127).astype(np.int8)


def _shown(parts: Sequence[int]) -> Iterator[int]:
  """The same, with a bar on stderr."""
  from rich.console import Console
  from rich.progress import track

  return track(parts, 'encoding', console=Console(stderr=True))


@jax.jit
def _unit(x: jax.Array) -> jax.Array:
  return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


@jax.jit
def _products(a: jax.Array, b: jax.Array) -> jax.Array:
  return jnp.matmul(a, b.T, precision='highest')


def _nearest(query: jax.Array, of: jax.Array, k: int) -> tuple[np.ndarray, np.ndarray]:
  """Indices and scores [q k]; earlier entries come first in ties, so that the lower index is kept."""
  best = jnp.zeros((len(query), 0)), jnp.zeros((len(query), 0), jnp.int32)
  for first in range(0, len(of), ROWS):
    best = _better(*best, query, of[first : first + ROWS], first, k)
  return np.asarray(best[1]), np.asarray(best[0])


@partial(jax.jit, static_argnames='k')
def _better(scores, rows, query, part, first, k):
  new = _products(query, part)
  scores = jnp.concatenate([scores, new], 1)
  rows = jnp.concatenate([rows, jnp.broadcast_to(first + jnp.arange(len(part)), new.shape)], 1)
  scores, at = jax.lax.top_k(scores, min(k, scores.shape[1]))
  return scores, jnp.take_along_axis(rows, at, 1)


def read_config(workdir: Path) -> dict[str, Any]:
  """The config of the run in `workdir`. Raises ConfigError if there is none."""
  try:
    config = json.loads(text(workdir / 'config.json'))
    if not isinstance(config, dict):
      raise ValueError(f'config.json holds {type(config).__name__}')
  except (OSError, ValueError) as error:
    raise ConfigError(
      f'{workdir} holds no readable run ({error}); give the --workdir of a `jssl train`, or the folder of a saved model'
    ) from error
  return current(config)


def read_plan(workdir: Path) -> Plan:
  """The plan of the run in `workdir`. Raises ConfigError if there is none, or a part that it was trained with is not available."""
  config = read_config(workdir)
  if artefacts.MARK in config:
    raise ConfigError(f'{workdir} contains a saved model, which can only embed and find neighbours: give the workdir of a run')
  try:
    return plan(config)
  except (ValueError, OSError, ImportError) as error:
    raise ConfigError(
      f'the run in {workdir} cannot be opened: {error}; it needs the data set, packages, folders and modules that its config.json '
      'names, as in training: restore what is missing'
    ) from error


def restore(workdir: Path, step: int | None = None) -> tuple[Plan, TrainState, Programs]:
  """The plan and the trained state of the run in `workdir`, and the programs that recompute the state before training.

  Args:
    workdir: workdir of the run.
    step: the checkpoint of this step; None for the newest.

  Raises:
    ConfigError: if there is no run, or it has no such checkpoint.
  """
  planned = read_plan(workdir)
  programs = Programs(planned, make_mesh(devices=jax.local_devices()[:1]))
  abstract = lambda step: programs.states[phase_at(planned.phases, step)]
  found = checkpoint.restore(checkpoint.open_checkpoints(workdir / 'checkpoints'), abstract, step)
  if not found:
    raise ConfigError(f'{workdir} has no checkpoint {"yet" if step is None else f"of step {step}"}; train it longer first')
  return planned, found[0], programs


def best_step(workdir: Path) -> int:
  """The step whose checkpoint a run has kept as its best. Raises ConfigError if there is none."""
  try:
    return int(json.loads(text(workdir / BEST))['step'])
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise ConfigError(f'{workdir} has no {BEST} that can be read ({error}); train with evaluate_every and curves.best') from error


def load(where: str | Path, *, best: bool = False, length: int | None = None) -> Model | dict[str, Any]:
  """Opens a trained model.

      model = jssl.load('mine')
      features = model.encode(['a.png', 'b.png'])     # [2 d]

  Args:
    where: a folder written by `Model.save`, the workdir of a run, or a folder of transformers, Sentence Transformers or timm. A workdir is
      opened with the data set of the run; if that is missing, the model in WORKDIR/model is opened instead, which needs no data.
    best: open the checkpoint of a workdir that `curves.best` has kept, instead of the newest.
    length: tokens of a text, for a folder of transformers or Sentence Transformers; None for the length in that folder. Texts are padded to it,
      so a shorter length is faster.

  Returns:
    A `Model`. For a system with a custom training loop, a dict of its states by name.

  Raises:
    ConfigError: if the folder has no run or model, or no best checkpoint, or it cannot be opened.
    PretrainedError: if the network of another library cannot be read.
  """
  where = reach(where)
  step = best_step(where) if best else None
  config = read_config(where)
  if folders.is_folder_of_weights(config):
    return Model(folders.read(where, config, length))
  if length is not None:
    raise ConfigError(f'{where} is a model or run of jssl, which has its own length: leave length={length} out')
  if artefacts.MARK in config:
    return Model(artefacts.read(where))
  if config.get('experiment'):
    return loops.states(where)
  try:
    planned, train, _ = restore(where, step)
  except ConfigError as error:
    if best or not (where / SAVED / 'config.json').is_file():
      raise
    logging.getLogger('jssl').warning('%s; using its saved model %s', error, where / SAVED)
    return Model(artefacts.read(where / SAVED))
  return Model(artefacts.of_run(planned, train, {} if best else _results(where)), planned)


def trained_networks(where: str | Path) -> tuple[dict[str, Any], Params, Params]:
  """The config of a model, its parameters and its statistics by network.

  Raises:
    ConfigError: if there is none, or it belongs to a system with a custom loop.
  """
  model = load(where)
  if not isinstance(model, Model):
    raise ConfigError(
      f'{where} is the run of a system with its own training loop, whose states are not networks; start from another run or model'
    )
  return model.config, model._artefact.params, model._artefact.stats


def _results(workdir: Path) -> dict[str, Any]:
  """The contents of results.json; empty if there is none."""
  try:
    return dict(json.loads(text(workdir / 'results.json')))
  except (OSError, ValueError):
    return {}


def save_run(planned: Plan, train: TrainState, workdir: Path, results: Mapping[str, Any]) -> None:
  """Saves the model of a run in WORKDIR/model; only warns on failure, since the run itself is saved."""
  try:
    artefacts.write(workdir / SAVED, artefacts.of_run(planned, train, results))
  except (ValueError, OSError) as error:
    with contextlib.suppress(OSError):
      artefacts.remove(workdir / SAVED)  # the model of an earlier state
    logging.getLogger('jssl').warning('the model is not saved in %s: %s', workdir / SAVED, error)


def writable(path: Path) -> None:
  """Checks that a file can be written, and creates its folder if missing, so that a failure is reported before the work starts.

  Raises:
    OSError: if it cannot be written.
  """
  if path.is_dir():
    raise OSError(f'{path} is a folder; expected the path of a file: give another name')
  if remote(path):
    with written(path):
      replace(probe := path.with_name(f'{path.name}.part'), '')
      remove(probe)
    return
  folder = next(f for f in path.absolute().parents if f.exists())
  try:
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise OSError(f'{path} cannot be written ({error.strerror or error}); give another path, or write permission') from error


def check_output(path: Path) -> None:
  """Checks that `write_features` can write to a path.

  Raises:
    ConfigError: for another suffix, a missing folder, or if pyarrow is missing.
    OSError: if the folder is not writable.
  """
  if path.suffix not in ('.npy', '.parquet'):
    raise ConfigError(f'OUT must end in .npy or .parquet, not {path.name!r}')
  if not remote(path) and not path.absolute().parent.is_dir():
    raise ConfigError(f'OUT is {path}, and there is no folder {path.parent}; create it first')
  if path.suffix == '.parquet' and importlib.util.find_spec('pyarrow') is None:
    raise ConfigError(f'OUT is {path}, and writing it needs pyarrow: pip install pyarrow, or give a name that ends in .npy')
  writable(path)


def write_features(features: np.ndarray, path: Path, names: list[str] | None = None) -> None:
  """Writes one row per input, as .npy or as a .parquet list column; for files also their names, in `STEM.names.json` or a column."""
  names = names and [name.encode('utf-8', 'backslashreplace').decode() for name in names]
  if path.suffix == '.npy':
    listed = path.with_suffix('.names.json')
    remove(listed)  # of what the path held before
    with whole(path) as part, part.open('wb') as file:
      np.save(file, features)
    if names:
      replace(listed, json.dumps(names, indent=0))
    return
  import pyarrow as pa
  import pyarrow.parquet as pq

  with whole(path) as part:
    pq.write_table(pa.table({**({'name': names} if names else {}), 'embedding': list(features)}), part)
