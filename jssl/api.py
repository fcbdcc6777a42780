"""Training from Python in one line, and the resulting run."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jssl import run
from jssl.adapt import adapt, tokenizer_of
from jssl.artefact import of_run
from jssl.configs import load_config, set_option
from jssl.core.build import plan
from jssl.core.loop import Trained
from jssl.data.core.arrays import arrays
from jssl.data.core.memory import hold
from jssl.data.own.rows import IMAGE, PICTURES, Found, Options, made
from jssl.errors import ConfigError, DataError
from jssl.inputs import encoded, is_raw
from jssl.model import Model
from jssl.pictures.live import drawn
from jssl.resume import continued
from jssl.storage import reach
from jssl.tables import DATA
from jssl.trackers.tracking import check as check_trackers
from jssl.types import Data

HELD_OUT = 0.2  # share held out of arrays without a test split


class Run:
  """A finished run, as `jssl.train` returns it.

      run = jssl.train('simclr', data=images)
      run.figures['linear_top1']       # a number; run.results has all of them, and the baselines
      run.plot('log.png')              # loss, health, learning rate
      run.model.encode(new_images)     # features
      run.model.save('mine')           # opened again by jssl.load('mine')

  A notebook shows a run as a table of its figures and those of the baselines.

  Attributes:
    results: the contents of `results.json`: name, figures, baselines, alarms of collapse, seconds, versions.
    model: the trained `Model`.
    log: a list with one dict for each logged step: 'step', and figures such as 'loss' and 'health/rankme' by name.
    workdir: the folder of the run, or None if nothing was saved.
  """

  def __init__(self, results: dict[str, Any], model: Model, trained: Trained, workdir: Path | None):
    self.results, self.model, self.workdir = results, model, workdir
    self.log = trained.log.rows

  @property
  def figures(self) -> dict[str, float]:
    """The figures of the evaluation protocols by name, such as 'knn_top1' and 'linear_top1'."""
    return self.results['figures']

  def frame(self) -> Any:
    """Returns the log as a pandas DataFrame with one row for each logged step."""
    import pandas

    return pandas.DataFrame(self.log).set_index('step')

  def plot(self, path: str | Path | None = None) -> Any:
    """Plots the losses, the health of the features, the gradient norm and the learning rate by step.

    Args:
      path: file to write the plot to, such as 'log.png'; None for no file.

    Returns:
      A matplotlib Figure, which a notebook shows.
    """
    from jssl.pictures.run import log_picture

    return log_picture(self.log, self.results['name'], path)

  def report(self, path: str | Path | None = None) -> Any:
    """Makes a report: figures, curves, a map of examples, neighbours, training views and settings in one HTML page.

    Args:
      path: file to write it to, such as 'report.html'; None for no file.

    Returns:
      A `jssl.report.html.Report`, which a notebook shows.
    """
    from jssl.report.run import finished

    made = finished(self.results, self.log, self.model, self.workdir)
    if path:
      made.save(reach(path, home=False))
    return made

  def __repr__(self) -> str:
    figures = ', '.join(f'{name} {x:.3f}' for name, x in self.figures.items() if not name.endswith(('_low', '_high', '_validation')))
    return f'Run({self.results["name"]}: {figures or "no figures"}; {self.workdir or "not kept"})'

  def _repr_html_(self) -> str:
    rows = {**self.results['baselines'], self.results['name']: self.figures}
    names = [name for name in self.figures if not name.endswith(('_low', '_high', '_validation'))]
    cell = lambda row, name: f'{row[name]:.3f}' if name in row else ''
    head = ''.join(f'<th>{name}</th>' for name in ('', *names))
    body = ''.join(f'<tr><th>{row}</th>{"".join(f"<td>{cell(x, name)}</td>" for name in names)}</tr>' for row, x in rows.items())
    return f'<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def train(
  method: str | Mapping[str, Any],
  data: Any = None,
  *,
  backbone: str | Mapping[str, Any] | None = None,
  epochs: int | None = None,
  steps: int | None = None,
  batch_size: int | None = None,
  seed: int | None = None,
  settings: Mapping[str, Any] | None = None,
  start: Any = None,
  workdir: str | Path | None = None,
  resume_with: Mapping[str, Any] | None = None,
  protocols: Sequence[str] | None = None,
  baselines: bool = True,
  track: Sequence[str] = (),
  quiet: bool = False,
) -> Run:
  """Trains a method and evaluates its features, with the raw input and the untrained network as baselines.

      run = jssl.train('simclr', data=images, backbone='resnet18', epochs=20)  # images [n h w c], uint8 or float in [0, 1]
      run.figures                                                              # {'knn_top1': ..., 'linear_top1': ...}
      features = run.model.encode(new_images)                                  # [n d]

  `jssl.systems()` lists the methods. Progress is shown as a bar; a notebook plots loss and health during training instead. Labels are used for
  evaluation, and in training only by supervised methods; without labels, protocols that need them are skipped.

  Args:
    method: a system, 'simclr' or 'simclr:tiny', a file with a `get_config`, or a config.
    data: an array [n ...]; a dict of arrays [n ...] by column, where 'label' has the classes; a list of texts, image paths, PIL images, or
      dicts, one per example, with the column names of a table as keys; a `Data`; a location, 'folder:photos' or 'pairs.jsonl', as on the
      command line; the name of a data set, or a dict of its name and options; None for the data of the config. A fifth of arrays and lists is
      held out for evaluation. Texts are tokenised by the tokenizer of a pretrained encoder, or by one trained on them.
    backbone: the name of a network, or dict(name=..., **options).
    epochs: length of the run in passes over the data. Give epochs or steps; None for both uses the length in the config.
    steps: length of the run in updates.
    batch_size: examples per update; None for that of the config.
    seed: seed of initialisation, augmentation and the order of the data; None for that of the config.
    settings: any other options of the config by their path: {'losses.nce.temperature': 0.1}.
    start: initial weights of the encoder: the workdir of a run, the folder of a model, a saved Run, or dict(of=FOLDER, networks=(...),
      layers=(first, last + 1)). See docs/starting.md.
    workdir: folder for checkpoints, results and the model, or an address in a bucket, 'gs://...' or 's3://...'. The same call resumes a run
      that was stopped. None saves nothing.
    resume_with: changed settings for resuming the run in `workdir`, {'epochs': 40}.
    protocols: evaluations at the end by name, such as ('knn', 'linear'); None for those of the config, () for none.
    baselines: whether to also evaluate the raw input and the untrained network.
    track: where to track the run, ('tensorboard', 'wandb', 'mlflow', 'aim'); needs a workdir. See docs/tracking.md.
    quiet: whether to hide progress.

  Returns:
    A `Run` with the figures, the log and the trained model.

  Raises:
    ConfigError: if the config cannot be built, or the data do not fit it.
    DataError: if the data cannot be read.
    Stopped: if training was interrupted, or its loss is not finite.
  """
  config = load_config(method) if isinstance(method, str) else ConfigDict(dict(method))
  if epochs is not None and steps is not None:
    raise ConfigError(f'epochs={epochs} and steps={steps}: give one of them')
  given = dict(epochs=epochs, steps=steps, batch_size=batch_size, seed=seed)
  with config.ignore_type():
    if epochs is not None or steps is not None:
      config.epochs = config.steps = None
    for key, value in given.items():
      if value is not None:
        config[key] = value
  if isinstance(backbone, str):
    set_option(config, f'backbone.name={backbone}')
  elif backbone is not None:
    config.backbone = dict(backbone)
  if data is not None:
    with config.ignore_type():
      config.data = named(data, tokenizer_of(config.to_dict()))
  for path, value in (settings or {}).items():
    set_option(config, setting(path, value))
  if start is not None:
    with config.ignore_type():
      config.start = begun(start)
  if config.get('experiment'):
    raise ConfigError(f'{config.name} has its own training loop: train it with jssl.run.train(config, workdir)')
  adapt(config)
  workdir = reach(workdir) if workdir else None
  track = check_trackers(track, workdir)
  p = plan(continued(config, workdir, [setting(*item) for item in (resume_with or {}).items()]))
  with nullcontext([]) if quiet else drawn(p.config['name'], p.steps, p.config['batch_size']) as watch:
    results, trained = run.carried_out(p, workdir, protocols, baselines, quiet=quiet or bool(watch), watch=watch, track=track)
  return Run(results, Model(of_run(p, trained.train, results), p), trained, workdir)


def setting(path: str, value: Any) -> str:
  return f'{path}={value}' if isinstance(value, str) else f'{path}={value!r}'


def begun(start: Any) -> dict[str, Any]:
  """Converts the `start` of `train` to that of a config."""
  if isinstance(start, Mapping):
    return dict(start)
  of = start.workdir if isinstance(start, Run) else start
  if not isinstance(of, str | os.PathLike):
    raise ConfigError(
      f'start={start!r} has no folder: expected a workdir, the folder of a saved model, or a Run with a workdir; train it with a workdir, '
      'or save its model with run.model.save(FOLDER)'
    )
  return dict(of=str(of))


def named(data: Any, tokenizer: str | None = None) -> dict[str, Any]:
  """Converts the `data` of `train` to that of a config.

  Args:
    data: as in `train`.
    tokenizer: tokenizer for texts; None to train one on them.

  Raises:
    DataError: for an unsupported type.
  """
  if isinstance(data, str | os.PathLike):
    return dict(name=DATA.absolute(str(data)))
  if isinstance(data, Mapping) and isinstance(data.get('name'), str):
    return dict(data)
  if isinstance(data, Data):
    return hold(data)
  if isinstance(data, Mapping):
    columns = {name: np.asarray(x) for name, x in data.items()}
    if any(x.dtype.kind in 'UTO' for x in columns.values()):
      return hold(of_rows(columns_of(data), tokenizer))
  elif hasattr(data, '__array__') and not is_raw(data):
    x = np.asarray(data)
    columns = {'image' if x.ndim in (3, 4) else 'vector': x[..., None] if x.ndim == 3 else x}
  elif isinstance(data, Sequence) and data:
    return hold(of_rows(columns_of(data), tokenizer))
  else:
    what = 'an empty list' if isinstance(data, Sequence) else f'of type {type(data).__name__}'
    raise DataError(
      f'data is {what}: expected an array, a dict of arrays, a list of texts, images, paths or dicts, a Data, or the name of a data set'
    )
  try:
    return hold(arrays(**columns, held_out=HELD_OUT))
  except ValueError as error:
    raise DataError(f'data: {error}') from error


def columns_of(data: Sequence[Any] | Mapping[str, Any]) -> dict[str, list[Any]]:
  """A list of texts, images, paths, arrays or dicts, or a dict of lists, as columns; missing entries are None.

  Raises:
    DataError: for entries of several types, or of an unsupported type.
  """
  if isinstance(data, Mapping):
    lengths = {name: len(x) for name, x in data.items()}
    if len({*lengths.values()}) > 1:
      raise DataError(f'data: the columns have {lengths} rows; expected the same number in each')
    return {name: [*map(entry, x)] for name, x in data.items()}
  if all(isinstance(x, Mapping) for x in data):
    names = dict.fromkeys(name for x in data for name in x)
    return {name: [entry(x.get(name)) for x in data] for name in names}
  found = [*map(entry, data)]
  if all(isinstance(x, str) for x in found):
    return {'image' if all(x.lower().endswith(PICTURES) for x in found) else 'text': found}
  if all(isinstance(x, bytes) for x in found):
    return {'image': found}
  if all(isinstance(x, np.ndarray) and x.ndim in (2, 3) for x in found):
    return {'image': [*map(encoded, found)]}
  kinds = sorted({type(x).__name__ for x in data})
  raise DataError(f'data is a list of {" and ".join(kinds)}; expected only texts, paths of images, PIL images or dicts')


def entry(x: Any) -> Any:
  """Converts a list entry to that of file rows: paths to texts, images to file contents."""
  if isinstance(x, os.PathLike):
    return str(x)
  if is_raw(x) and not isinstance(x, str):
    return encoded(x)
  return x.item() if isinstance(x, np.generic) else x


def of_rows(columns: dict[str, list[Any]], tokenizer: str | None) -> Data:
  """Makes `Data` from columns in memory, as for a table in a file."""
  pictures = next((name for name in IMAGE if name in columns), None)
  if pictures and any(isinstance(x, np.ndarray) for x in columns[pictures]):
    columns = {**columns, pictures: [x if x is None else encoded(x) for x in columns[pictures]]}
  names = [repr(row) for row in zip(*columns.values(), strict=True)]
  digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()
  return made('data', {'train': Found(columns, names)}, Options(tokenizer=tokenizer, held_out=HELD_OUT), {'rows in memory': digest})
