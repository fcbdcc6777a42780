"""A trained model as a folder: the networks, their arrays, and what encoding needs, without the training setup.

config.json         networks, inputs, columns, transform; the origin of the model
model.safetensors   parameters, statistics, the state of a fitted transform
tokenizer.json      if the model reads texts
README.md           a model card
"""

import contextlib
import importlib
import json
import logging
import mmap
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding

from jssl import configs, modules, sizes, storage
from jssl.core import nets
from jssl.core.build import Plan, columns_of, make_networks, open_data
from jssl.core.graph import Graph
from jssl.core.log import as_json
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.method import make_method
from jssl.core.phases import phase_at
from jssl.core.step import TrainState
from jssl.data.core.pictures import is_picture
from jssl.data.text import corpora
from jssl.errors import ConfigError
from jssl.evaluators.subject import Subject
from jssl.models.pretrained import bert, gpt2, starts
from jssl.ops.rows import over_devices
from jssl.options import option, resolved, with_facts
from jssl.storage import children, reach, remote
from jssl.types import Column, Data, Features, Params, Transform

FORMAT = 1  # increased when older code can no longer read the folder
MARK = 'jssl_model'  # the key of config.json with the format; the config of a run does not have it
FILES = CONFIG, WEIGHTS, TOKENIZER, CARD = 'config.json', 'model.safetensors', 'tokenizer.json', 'README.md'
TOLD = ('name', 'version', 'description', 'licence', 'citation', 'homepage')  # information about the data in the card
USE = 'import jssl\n\nmodel = jssl.load("FOLDER")\nz = model.encode(inputs)'
BUILT = ('backbone', 'heads', 'inputs', 'transform', 'modules')  # keys of config.json that name functions
NEEDED = (*BUILT, 'encoder', 'input', 'columns', 'fitted', 'similarity', 'sums', 'about')
# network with weights from a folder or a package -> one without, and the options with which it has the same parameters
PRETRAINED = {
  **dict.fromkeys(('bert_from', 'minilm', 'masked_lm_start'), ('bert', bert.options_of)),
  **dict.fromkeys(('gpt2_from', 'causal_lm_start'), ('gpt2', gpt2.options_of)),
  'masked_lm_head_start': ('lm_head', lambda net: dict(vocabulary=net.dim, dtype=net.dtype)),
  'image_encoder_start': ('vit', starts.image_options_of),
  **dict.fromkeys(('from_folder', 'head_from_folder'), (None, lambda net: json.loads(net.described))),
}


class Artefact(NamedTuple):
  """A model loaded from a folder, or taken from a run."""

  config: dict[str, Any]  # config.json
  data: Data  # columns and the input column; for a run, also its splits
  networks: Mapping[str, nets.Network]
  represent: Callable  # Method.represent
  params: Params  # by network; those of the teacher if the run encodes with it
  stats: Params
  transform: Transform | None
  fitted: Any  # the state of the transform
  tokenizer: Any  # tokenizers.Tokenizer, or None


def of_run(p: Plan, train: TrainState, results: Mapping[str, Any] | None = None) -> Artefact:
  """The model of a run: the arrays used for encoding, and the parts of the config that encoding needs.

  Args:
    p: plan of the run.
    train: state of the run.
    results: results of the run, for the card.
  """
  method, data = p.method_of(int(train.step)), p.phases[phase_at(p.phases, int(train.step))].data
  held = {name: train.state[name] for name in ('stats', 'target', 'target_stats')}
  params, held = jax.device_put(jax.device_get((train.params, held)))  # not committed to a device
  bound = method.networks(params, held)
  params, stats = {name: nnx.to_pure_dict(nnx.state(net, nnx.Param)) for name, net in bound.items()}, nets.stats_of(bound)
  told = with_facts({key: p.config[key] for key in BUILT[:-1]}, columns_of(p.data))
  told['inputs'] = told['inputs'] or dict(name='columns', names=(data.inputs,))
  told |= from_scratch(told, bound)
  config = {
    MARK: FORMAT, **told, 'modules': modules.use({**told, 'modules': p.config['modules']}),
    'encoder': p.config['represent'].get('encoder', 'backbone'), 'input': p.data.inputs, 'dtype': p.config['dtype'],
    'columns': {name: dict(shape=x.shape, dtype=x.dtype.name, **x.facts) for name, x in p.data.spec.items()},
    'sizes': {name: x.shape for name, x in sizes.seen(p.config, p.data, columns_of(p.data)).items() if x != p.data.spec[name]},
    'similarity': 'cosine', 'about': _about(p, results or {}),
  }  # fmt: skip
  config = json.loads(as_json(config))
  networks, represent, transform = _built(config, p.data)
  fitted = _fit(transform, _spread(represent, params, {'stats': stats}), p.data) if transform else None
  return Artefact(config, p.data, networks, represent, params, stats, transform, fitted, _tokenizer_for(p))


def write(folder: str | Path, artefact: Artefact) -> None:
  """Writes a model as a folder, and replaces an existing model there.

  Raises:
    ConfigError: if the folder has other contents, safetensors is not installed, or the transform's state cannot be saved.
    OSError: if it cannot be written.
  """
  folder = reach(folder, home=False)
  held = {path.name for path in children(folder)} or ({folder.name} if folder.is_file() else set())
  if held and (MARK not in peek(folder) or held - {*FILES}):
    raise ConfigError(f'{folder} holds files other than a jssl model, which are not overwritten; give another folder')
  _safetensors()
  from safetensors.numpy import save_file

  layout, state = _laid_out(artefact.fitted)
  arrays = _named(dict(params=artefact.params, stats=artefact.stats, transform=state))
  with whole(folder) as part:
    save_file({name: np.array(_numbers(x), order='C') for name, x in arrays.items()}, part / WEIGHTS, metadata={'format': 'jssl'})
    if artefact.tokenizer is not None:
      (part / TOKENIZER).write_text(artefact.tokenizer.to_str(), 'utf-8')
    config = {**artefact.config, 'fitted': layout, 'sums': {path.name: _sum(path) for path in sorted(part.iterdir())}}
    (part / CONFIG).write_text(as_json(config, indent=1) + '\n')
    (part / CARD).write_text(card(config, texts=artefact.tokenizer is not None), 'utf-8')


@contextlib.contextmanager
def whole(folder: Path) -> Iterator[Path]:
  """Yields another folder to write to, which replaces `folder` once everything is written.

  Raises:
    OSError: if it cannot be written.
  """
  part = storage.beside(folder)
  try:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    storage.put(part, folder, last=CONFIG)
  except Exception as error:
    shutil.rmtree(part, ignore_errors=True)
    if isinstance(error, OSError) or type(error).__name__ == 'SafetensorError':  # also raised for a full disk
      raise OSError(f'the model cannot be written to {folder} ({error}); free space, or give another folder') from error
    raise


def remove(folder: Path) -> None:
  """Removes a model, and its folder if it has no other contents."""
  if MARK in peek(folder):
    for name in FILES:
      storage.remove(folder / name)
    if remote(folder):
      return
    with contextlib.suppress(OSError):
      folder.rmdir()


def read(folder: str | Path) -> Artefact:
  """Reads the model in a folder; needs neither the training data nor the original workdir.

  Raises:
    ConfigError: if a file is missing, damaged, inconsistent with the others, or written by a later version.
  """
  at = reach(folder, home=False)
  with storage.fetched(at, FILES) as folder:
    return _read(at, folder)


def _read(at: Path, folder: Path) -> Artefact:
  """The model at `at`, from its files in `folder`."""
  config = peek(folder)
  if not isinstance(config.get(MARK), int):
    raise ConfigError(f'{at} contains no readable model; give a folder written by Model.save')
  if config[MARK] > FORMAT:
    raise ConfigError(f'the model in {at} has format {config[MARK]}, and this version reads {FORMAT}: install a newer jssl')
  if missing := [key for key in NEEDED if key not in config]:
    raise ConfigError(f'{at}/config.json lacks {missing[0]!r}; copy the folder again')
  for name in sorted({WEIGHTS, *config['sums']}):
    if not (folder / name).is_file():
      raise ConfigError(f'{at} lacks {name}; copy the folder again')
    if _sum(folder / name) != config['sums'].get(name):
      raise ConfigError(
        f'{at / name} is damaged or belongs to another model: its checksum differs from the one in config.json; copy the folder again'
      )
  try:
    modules.use({key: config[key] for key in BUILT})
    spec = {name: Column(**facts) for name, facts in config['columns'].items()}
    data = Data({'train': ()}, spec, config['input'], config['about']['data'])
    networks, represent, transform = _built(config, data)
  except (ValueError, TypeError, LookupError, ImportError) as error:
    raise ConfigError(f'the model in {at} cannot be opened: {error}; it needs the jssl and the modules that it was saved with') from error
  _safetensors()
  from safetensors import SafetensorError, safe_open

  try:
    with safe_open(folder / WEIGHTS, 'numpy') as file:
      found = {name: file.get_tensor(name) for name in file.keys()}
  except (OSError, SafetensorError) as error:
    raise ConfigError(f'{at / WEIGHTS} cannot be read as safetensors ({error}); copy the folder again') from error
  shapes = dict(zip(('params', 'stats'), jax.eval_shape(lambda: nets.init(networks, jax.random.key(0))), strict=True))
  held = {name: found.pop(name) for name in [*found] if name.startswith('transform.')}
  arrays = _filled(at, shapes, found)
  return Artefact(
    config, data, networks, represent, arrays['params'], arrays['stats'], transform, _put_back(at, config, held), _tokenizer(folder)
  )


def features_of(artefact: Artefact) -> Callable:
  """(columns [b ...], network=None) -> Features, or the output of a head on pooled features; the transform applies to the encoder only."""
  config, data = artefact.config, artefact.data

  def through(params, state, batch, network):
    on = stands_on(config, network)
    if on == f'data.{data.inputs}':
      return artefact.represent(params, state, batch, network=network)
    net = network_of(artefact._replace(params=params, stats=state['stats']), network)
    x = batch[on[5:]] if on.startswith('data.') else through(params, state, batch, on)
    return net(x.pooled if isinstance(x, Features) else x)

  represent, tower = (_spread(f, artefact.params, {'stats': artefact.stats}) for f in (artefact.represent, through))
  apply, given = artefact.transform and jax.jit(artefact.transform.apply), artefact.fitted

  def features(batch: Mapping[str, Any], network: str | None = None) -> Any:
    if network is not None:
      return tower(batch, network=network)
    if artefact.transform is None:
      return represent(batch)
    if artefact.transform.networks:
      return artefact.transform.apply(represent, given, batch)
    found = represent(batch)
    return found._replace(pooled=apply(given, found.pooled))

  return features


def _spread(represent: Callable, *arrays: Any) -> Callable:
  """(batch, network=None) -> Features, computed on all devices of this process."""
  place = NamedSharding(make_mesh(devices=jax.local_devices()), BATCH)
  return over_devices(jax.jit(represent, static_argnames='network'), arrays, place)


def network_of(artefact: Artefact, name: str) -> nnx.Module:
  """A network with the trained arrays, in evaluation mode."""
  net, params, stats = artefact.networks[name], artefact.params[name], artefact.stats[name]
  return nets.bind({name: net}, {name: params}, {name: stats}, train=False)[name]


def stands_on(config: Mapping[str, Any], network: str) -> str:
  """The input of a network: another network, or 'data.COLUMN'."""
  spec = config['backbone'] if network == 'backbone' else config['heads'][network]
  return spec.get('on', f'data.{config["input"]}' if network == 'backbone' else 'backbone')


def column_of(config: Mapping[str, Any], network: str) -> str:
  """The column that a network reads, directly or through other networks."""
  on = stands_on(config, network)
  return on[5:] if on.startswith('data.') else column_of(config, on)


def card(config: Mapping[str, Any], *, texts: bool, use: str = USE) -> str:
  """The model card.

  Args:
    config: config.json.
    texts: whether it has a tokenizer.
    use: code that encodes with the model.
  """
  about, column = config['about'], Column(**config['columns'][config['input']])
  data, figures = about['data'], about['figures']
  shape = ' x '.join(map(str, column.shape)) or 'one number'
  if is_picture(config['input'], column.shape, column.dtype):
    kind, read = 'pictures, height x width x channels', '; files of another size are scaled to cover it and cut at the centre'
  elif texts:
    kind, read = 'token ids', f'; texts are cut or padded to {shape} tokens of {TOKENIZER}'
  else:
    kind, read = 'arrays', ''
  options = ', '.join(f'{key}={value!r}' for key, value in config['inputs'].items() if key != 'name')
  encoder = config['encoder']
  network = (config['backbone'] if encoder == 'backbone' else config['heads'][encoder])['name']
  passed = f'It passes through the view {config["inputs"]["name"]}({options}) and the network `{encoder}` ({network})'
  passed += f', then the transform {config["transform"]["name"]}' if config['transform'] else ''
  parts = [
    f'# {about["name"]}',
    about['method'],
    f'## Use\n\n```python\n{use}\n```',
    f'Reads `{config["input"]}`: {kind}, {shape}, {column.dtype}{read}. {passed}.',
    '## Data\n\n' + '\n'.join(f'- {key}: {" ".join(str(data[key]).split())}' for key in TOLD if data.get(key)),
    about.get('starts') and '## Start\n\n' + '\n'.join(f'- `{key}`: the weights of {of}' for key, of in about['starts'].items()),
    figures and '## Figures\n\n' + _table({about['name']: figures['own'], **figures['baselines']}),
    about['versions'] and '## Versions\n\n' + ', '.join(f'{name} {number}' for name, number in about['versions'].items()),
  ]  # fmt: skip
  return '\n\n'.join(part for part in parts if part) + '\n'


def _table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
  """Figures of the first row, one per line, next to those of the other rows."""
  shown = lambda x: '' if x is None else f'{x:.4g}'
  lines = [('figure', *rows), ['---'] * (1 + len(rows))]
  lines += [(name, *(shown(row.get(name)) for row in rows.values())) for name in next(iter(rows.values()))]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _about(p: Plan, results: Mapping[str, Any]) -> dict[str, Any]:
  """The origin of a model."""
  name = p.config['name'] or 'trained'
  text = (configs.module(name).__doc__ or '').strip() if name in configs.names() else ''
  own = results.get('figures')
  figures = dict(own=own, baselines=results.get('baselines', {})) if own else {}
  specs = {'backbone': p.config['backbone'], **p.config['heads']}
  begun = {key: _weights_of(spec) for key, spec in specs.items() if spec['name'] in PRETRAINED}
  told = {'name': p.config['data']['name'], **{key: p.data.info[key] for key in TOLD if p.data.info.get(key)}}
  return dict(
    name=name, method=text, data=told, data_config=p.config['data'], starts=begun, figures=figures, versions=results.get('versions', {})
  )


def _weights_of(spec: Mapping[str, Any]) -> str:
  """The source of the weights of a network in `PRETRAINED`."""
  if spec['name'] == 'minilm':
    return 'all-MiniLM-L6-v2, Apache-2.0'
  return f'the folder {Path(spec["folder"]).name}' if 'folder' in spec else f'{spec["name"].removesuffix("_start")} of jssl, CC BY-SA 4.0'


def _tokenizer_for(p: Plan) -> Any:
  """The tokenizer of the ids that a model reads; None if it reads something else, or the tokenizer is unknown."""
  spec, data = p.config['data'], p.data
  while (made := corpora.tokenizer_in(data.info)) is not None and not corpora.made_by(made, p.data):
    spec = corpora.trained_on(spec)  # an operator may have removed texts that the tokenizer was trained on
    if spec is None:
      logging.getLogger('jssl').warning('the tokenizer of %s is unknown: the model accepts ids, not texts', data.info['name'])
      return None
    data = open_data(spec)
  return made


def from_scratch(specs: Mapping[str, Any], bound: Mapping[str, nnx.Module]) -> dict[str, Any]:
  """`backbone` and `heads` of a config, with pretrained networks replaced by networks of the same sizes without weights.

  Args:
    specs: a config.
    bound: its networks.
  """

  def plain(spec: Mapping[str, Any], net: nnx.Module) -> dict[str, Any]:
    if spec['name'] not in PRETRAINED:
      return dict(spec)
    name, options_of = PRETRAINED[spec['name']]
    return {'name': name, **options_of(net), **({'on': spec['on']} if 'on' in spec else {})}

  heads = {name: plain(spec, bound[name]) for name, spec in specs['heads'].items()}
  return dict(backbone=plain(specs['backbone'], bound['backbone']), heads=heads)


def _built(config: Mapping[str, Any], data: Data) -> tuple[dict[str, nets.Network], Callable, Transform | None]:
  seen = {name: sizes.shaped(x, config.get('sizes', {}).get(name, x.shape)) for name, x in data.spec.items()}  # in training
  networks, columns = make_networks(config, data._replace(spec=seen)), columns_of(data)
  inputs = option('inputs', config['inputs'], 'views')
  method = make_method(networks, Graph((), {}, ()), {}, columns=columns, batch={}, inputs=inputs, encoder=config['encoder'])
  return networks, method.represent, resolved('transform', Transform, config['transform'], None) if config['transform'] else None


def _fit(transform: Transform, represent: Callable, data: Data) -> Any:
  """The state of a fitted transform, fitted as in evaluation."""
  states = []
  Subject(data, represent, None, transform._replace(fit=lambda *given: states.append(transform.fit(*given)) or states[-1]))
  return states[-1]


def _laid_out(state: Any) -> tuple[Any, Any]:
  """Splits a transform's state into a JSON-compatible part and nested dicts of arrays."""
  if state is None or isinstance(state, bool | int | float | str):
    return {'value': state}, {}
  if isinstance(state, jax.Array | np.ndarray):
    return {'array': True}, {'array': state}
  if not isinstance(state, tuple | list | Mapping):
    raise ConfigError(f'the state of the transform holds {type(state).__name__}, which cannot be saved: expected arrays, tuples and dicts')
  named = hasattr(state, '_fields')
  items = state._asdict() if named else state if isinstance(state, Mapping) else {str(i): x for i, x in enumerate(state)}
  kind = f'{type(state).__module__}:{type(state).__name__}' if named else 'dict' if isinstance(state, Mapping) else 'tuple'
  laid = {name: _laid_out(x) for name, x in items.items()}
  return {'kind': kind, 'of': {name: layout for name, (layout, _) in laid.items()}}, {name: arrays for name, (_, arrays) in laid.items()}


def _put_back(folder: Path, config: Mapping[str, Any], held: dict[str, np.ndarray]) -> Any:
  """The state of the transform; the inverse of `_laid_out`."""

  def state(layout: Mapping[str, Any], at: str) -> Any:
    if 'value' in layout:
      return layout['value']
    if 'array' in layout:
      return jax.numpy.asarray(held[f'{at}.array'])
    found = {name: state(x, f'{at}.{name}') for name, x in layout['of'].items()}
    if layout['kind'] in ('dict', 'tuple'):
      return found if layout['kind'] == 'dict' else tuple(found.values())
    module, _, name = layout['kind'].partition(':')
    if module.partition('.')[0] not in ('jssl', config['transform']['name'].partition(':')[0].partition('.')[0]):
      raise ValueError(f'{layout["kind"]} belongs to another package than the transform')
    return getattr(importlib.import_module(module), name)(**found)

  try:
    return state(config['fitted'], 'transform')
  except (LookupError, ValueError, TypeError, AttributeError, ImportError) as error:
    raise ConfigError(f'the state of the transform in {folder} cannot be read ({error}); copy the folder again') from error


def _named(tree: Mapping[str, Any]) -> dict[str, Any]:
  """Flattens nested dicts to one dict with dotted names."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {'.'.join(str(part.key) for part in path): x for path, x in leaves}


def _numbers(x: Any) -> np.ndarray:
  """An array on the host; for random keys, their data."""
  return np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)


def _filled(folder: Path, shapes: Any, found: Mapping[str, np.ndarray]) -> Any:
  """Fills arrays in for shapes. Raises ConfigError if they do not fit."""
  expected = _named(shapes)
  path = folder / WEIGHTS
  for what, names in (('lacks', expected.keys() - found.keys()), ('has', found.keys() - expected.keys())):
    if names:
      raise ConfigError(f'{path} {what} {min(names)!r}, unlike the networks in config.json; both must be from one model: copy the folder again')

  def array(name: str, want: Any) -> jax.Array:
    x, key = found[name], jax.dtypes.issubdtype(want.dtype, jax.dtypes.prng_key)
    x = jax.random.wrap_key_data(x, impl=want.dtype._impl.name) if key else jax.numpy.asarray(x)
    if (x.shape, x.dtype) != (want.shape, want.dtype):
      given, asked = (f'{of.dtype} {list(of.shape)}' for of in (x, want))
      raise ConfigError(f'{name!r} in {path} is {given}, but the networks in config.json have {asked}; both must be from one model')
    return x

  _, tree = jax.tree.flatten(shapes)
  return jax.tree.unflatten(tree, [array(name, want) for name, want in expected.items()])


def _tokenizer(folder: Path) -> Any:
  if not (folder / TOKENIZER).exists():
    return None
  try:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / TOKENIZER))
  except ImportError as error:
    raise ConfigError("the model needs tokenizers to read texts, which is not installed: pip install 'jssl[text]'") from error
  except Exception as error:  # the parser raises plain Exceptions
    raise ConfigError(f'{folder / TOKENIZER} cannot be read as a tokenizer ({error}); copy the folder again') from error


def peek(folder: Path) -> dict[str, Any]:
  """config.json of a folder; empty if there is none."""
  try:
    config = json.loads(storage.text(folder / CONFIG))
  except (OSError, ValueError):
    return {}
  return config if isinstance(config, dict) else {}


def _sum(path: Path) -> str:
  with path.open('rb') as file:
    if not path.stat().st_size:
      return '0'
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
      return f'{zlib.crc32(whole):08x}'


def _safetensors() -> None:
  if util.find_spec('safetensors') is None:
    raise ConfigError('models are saved with safetensors, which is not installed: pip install safetensors')
