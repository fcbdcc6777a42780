"""The report of one run."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jssl import artefact, configs
from jssl.core.log import BEST, as_json
from jssl.model import Model, restore
from jssl.pictures.curves import PREFIX, RAW, curves_of
from jssl.pictures.run import panels_of
from jssl.report import charts, examples, runs, vision
from jssl.report.html import Report, Section, duration, memory, number, page
from jssl.report.runs import Held
from jssl.show import short, summary
from jssl.storage import children, remote, text

ORDER = ('raw_input', 'random_init', 'start')


def report(workdir: Path) -> Report:
  """The report of the run in a workdir.

  Raises:
    ConfigError: if there is no run.
  """
  return of(runs.read(workdir), workdir, lambda: opened(workdir))


def finished(results: Mapping[str, Any], rows: list[dict[str, Any]], model: Model, workdir: Path | None) -> Report:
  """The report of a run that has just ended, which need not have been saved.

  Args:
    results: contents of results.json.
    rows: rows of the log.
    model: the trained model, with the plan of the run.
    workdir: its folder; None if there is none.
  """
  config = json.loads(as_json(model.plan.config, default=str))
  return of(Held(results['name'], results['name'], config, dict(results), rows, []), workdir, lambda: model)


def opened(workdir: Path) -> Model:
  """The model of a run, with its data. Raises ConfigError if it cannot be opened."""
  planned, train, _ = restore(workdir)
  return Model(artefact.of_run(planned, train), planned)


def of(held: Held, workdir: Path | None, open_model: Callable[[], Model]) -> Report:
  """The report of a run, of what it has: a section that cannot be made is left out, with the reason.

  Args:
    held: its config, results and log.
    workdir: its folder; None if there is none.
    open_model: gives its model.
  """
  left: dict[str, str] = {}
  sections = [section for section in (figures(held), *logged(held, workdir)) if section]
  if held.config.get('experiment'):
    sections += states(held, workdir)
  else:
    sections += of_model(open_model, left)
  made = {'settings': lambda: settings(held), 'cost': lambda: cost(held, workdir)}
  for id, make in made.items():
    sections += attempt(id, make, left)
  doc = _paper(held.name)
  return page(held.name.replace('_', ' '), 'Run', sections, lead=doc, notices=notices(held), cards=cards(held), left_out=left)


def attempt(id: str, make: Callable[[], Section | None], left: dict[str, str]) -> list[Section]:
  """The section, if it can be made; else the reason is entered into `left`."""
  try:
    section = make()
  except Exception as error:  # of networks and data of any kind: one section that fails must not cost the others
    left[id] = _said(error)
    return []
  return [section] if section else []


def _said(error: Exception) -> str:
  return ' '.join(str(error if isinstance(error, ValueError | OSError) else repr(error)).split())[:600]


def _paper(name: str) -> str:
  return summary(configs.module(name).__doc__ or '') if name in configs.names() else ''


def notices(held: Held) -> list[tuple[str, str]]:
  found = [('warn', text) for text in held.problems]
  alarms = held.results.get('alarms') or []
  found += [('bad', f'Alarm of collapse: {line}') for line in alarms]
  if held.results.get('health') and not alarms:
    found.append(('good', 'The health panel raised no alarm of collapse.'))
  found += [('warn', f'{row} is not evaluated: {why}.') for row, why in (held.results.get('left_out') or {}).items()]
  return found


def cards(held: Held) -> list[dict[str, str]]:
  """The first figures, with those of the baselines, and what the run took."""
  own, baselines = runs.numbers(held.results.get('figures')), held.results.get('baselines') or {}
  of_claim = (held.config.get('claim') or {}).get('metric')
  main = [name for name in own if name == of_claim or name.endswith('_top1')] or list(own)
  found = []
  for name in sorted(main, key=lambda name: name != of_claim)[:3]:
    others = [f'{row.replace("_", " ")} {number(x[name])}' for row, x in baselines.items() if name in x]
    found.append(dict(name=name, text=number(own[name]), note=', '.join(others)))
  steps = held.results.get('step') or max((row['step'] for row in held.rows), default=None)
  if held.config.get('experiment'):
    steps = None
  if steps is not None:
    batch = held.config.get('batch_size')
    found.append(dict(name='steps', text=number(steps), note=f'of {batch} examples' if batch else ''))
  if isinstance(seconds := held.results.get('seconds'), int | float):
    found.append(dict(name='training time', text=duration(seconds), note=''))
  return found


def figures(held: Held) -> Section | None:
  """The figures of the evaluations, beside those of the baselines."""
  rows = {held.name: held.results.get('figures') or {}, **(held.results.get('baselines') or {})}
  if not any(map(runs.numbers, rows.values())):
    return None
  order = sorted(rows, key=lambda row: (row != held.name, ORDER.index(row) if row in ORDER else len(ORDER)))
  note = 'Intervals are 95 % bootstrap intervals over test examples, where a protocol gives them.'
  return Section('figures', 'Results', [('figures', runs.compared({row.replace('_', ' '): rows[row] for row in order}))], note)


def logged(held: Held, workdir: Path | None) -> Iterator[Section]:
  """The curves of the log: losses and health, and figures on validation data."""
  of_steps = [row for row in held.rows if not any(name.startswith((PREFIX, RAW)) for name in row)]
  panels = panels_of(of_steps)
  if panels:
    yield Section('training', 'Training', [('charts', [charts.of_panel(of_steps, panel, keys) for panel, keys in panels.items()])])
  curves = curves_of(held.rows)
  if curves:
    best = _best(workdir)
    found = [charts.of_curve(held.name, name, curve, best) for name, curve in curves.items()]
    note = 'Judged during training on examples held out of the training split, not on the test split.'
    yield Section('validation', 'Figures during training', [('charts', found)], note)


def _best(workdir: Path | None) -> int | None:
  try:
    return int(json.loads(text(workdir / BEST))['step']) if workdir else None
  except (OSError, ValueError, LookupError, TypeError):
    return None


def states(held: Held, workdir: Path | None) -> list[Section]:
  """The steps of a system with its own training loop, and how long each took."""
  names = [folder.name for folder in children(workdir / 'states')] if workdir else []
  seconds = [number(row['seconds']) for row in held.rows if 'seconds' in row]
  rows = list(zip(range(1, len(seconds) + 1), seconds, strict=True))
  note = f'This system has its own training loop. Its saved states: {", ".join(names) or "none yet"}.'
  return [Section('steps', 'Steps', [('table', dict(head=('step', 'seconds'), rows=rows))] if rows else [], note)]


def of_model(open_model: Callable[[], Model], left: dict[str, str]) -> list[Section]:
  """The sections that need the model and its data."""
  try:
    model = open_model()
    sampled = examples.sample(model)
  except Exception as error:  # data and packages that are gone raise errors of many types
    left['representation'] = _said(error)
    return []
  pictures = sampled.tiles is not None and len(model.data.spec[model.data.inputs].shape) == 3
  makes: dict[str, Callable[[], Section | None]] = dict(map=lambda: mapped(model, sampled), neighbours=lambda: nearest(model, sampled))
  if model.plan and model.plan.steps:
    makes['views'] = lambda: seen(model)
  if pictures and (net := vision.vit_of(model)) is not None:
    makes |= dict(attention=lambda: attended(net, model, sampled), patches=lambda: patches(net, model, sampled))
  return [section for id, make in makes.items() for section in attempt(id, make, left)]


def mapped(model: Model, sampled: examples.Sample) -> Section:
  """The map of examples by their features."""
  features = {'': sampled.features}
  column = sampled.columns[model.data.inputs]
  if column.dtype.kind in 'fu' and column.ndim > 1:
    features['raw input'] = column.reshape(len(column), -1).astype(np.float32)
  layouts = examples.layouts(features)
  names = sorted(set(sampled.labels or ()), key=lambda name: (len(name), name) if name.isdigit() else (0, name))
  index = {name: i for i, name in enumerate(names)}
  hues = [index[label] % len(examples.HUES) for label in sampled.labels] if sampled.labels else [0] * len(sampled.rows)
  data: dict[str, Any] = dict(layouts=layouts, captions=[sampled.caption(i) for i in range(len(sampled.rows))])
  data['labels'] = [index[label] for label in sampled.labels] if sampled.labels else []
  if sampled.tiles is not None:
    height, width = sampled.tiles.shape[1:3]
    data['sheet'] = dict(source=examples.sheet(sampled.tiles), height=height, width=width, columns=32)
  n, d = sampled.features.shape
  alt = f'Map of {n} examples by their first two principal components' + (', coloured by class' if names else '')
  of = dict(layouts=list(layouts), points=layouts['PCA'], hues=hues, alt=alt, data=data)
  of['classes'] = [(name, i % len(examples.HUES)) for i, name in enumerate(names)] if 1 < len(names) <= 30 else []
  note = f'{n} examples of the split {sampled.split!r}, by their {d} features. Point at an example to see it.'
  return Section('map', 'Representation', [('map', of)], note)


def nearest(model: Model, sampled: examples.Sample) -> Section:
  """The nearest neighbours of a few examples."""
  found = examples.neighbours(model, sampled)
  similarity = 'dot product' if model.config['similarity'] == 'dot' else 'cosine'
  note = f'The most similar of the {len(sampled.rows)} examples, with their {similarity}.'
  if sampled.tiles is None:
    rows = [dict(title=sampled.caption(i), texts=[(sampled.caption(j), f'{s:.2f}') for j, s in near]) for i, near in found]
    return Section('neighbours', 'Nearest neighbours', [('texts', dict(rows=rows))], note)
  rows = []
  for i, near in found:
    shown = [_picture(sampled.tiles[i], sampled.caption(i), first=True)]
    shown += [_picture(sampled.tiles[j], f'{s:.2f} {sampled.caption(j)}') for j, s in near]
    rows.append(dict(title='', pictures=shown))
  return Section('neighbours', 'Nearest neighbours', [('pictures', dict(rows=rows))], f'{note} The query is on the left.')


def _picture(x: np.ndarray, caption: str, first: bool = False) -> dict[str, Any]:
  shape = ' '.join(['first'] * first + ['wide'] * (x.shape[1] > 1.5 * x.shape[0]))
  return dict(source=examples.source(x), alt=caption, caption=caption, shape=shape)


def seen(model: Model) -> Section | None:
  """The training views of a few examples."""
  found = vision.views(model.plan)
  if found is None:
    return None
  column, batch, drawn, hidden = found
  note = 'The first examples of the first batch, and the views of them that the first step is trained on.'
  spec = model.data.spec[column]
  original = examples.tiles(column, batch[column], spec)
  tiles = [examples.tiles(column, x, spec) for x in drawn]
  texts = [examples.decoded(model, x) if model.tokenizer is not None and x.ndim == 2 and x.dtype.kind in 'iu' else None for x in drawn]
  if any(a is None and b is None for a, b in zip(tiles, texts, strict=True)) or original is None and texts[0] is None:
    return None
  if original is None:
    told = examples.decoded(model, batch[column])
    rows = [dict(title=title, texts=[(of[i], '') for of in texts if of]) for i, title in enumerate(told)]
    return Section('views', 'Training views', [('texts', dict(rows=rows))], note)
  if any(mask is not None for mask in hidden):
    note += ' What is masked is grey.'
    tiles = [x if mask is None or x is None else vision.masked(x, mask) for x, mask in zip(tiles, hidden, strict=True)]
  rows = []
  for i, picture in enumerate(original):
    shown = [_picture(picture, 'original', first=True)]
    shown += [_picture(x[i], f'view {k}') for k, x in enumerate(tiles, 1) if x is not None]
    rows.append(dict(title=' / '.join(of[i] for of in texts if of), pictures=shown))
  return Section('views', 'Training views', [('pictures', dict(rows=rows))], note)


def attended(net: Any, model: Model, sampled: examples.Sample) -> Section:
  """Where the heads of the last block look."""
  chosen = examples.queries(sampled)
  maps = vision.attention(net, vision.read(model, {name: x[chosen] for name, x in sampled.columns.items()}))
  rows = []
  for i, heads in zip(chosen, maps, strict=True):
    shown = [_picture(sampled.tiles[i], sampled.caption(i), first=True)]
    shown += [_picture(vision.heat(head), f'head {k}') for k, head in enumerate(heads[:8], 1)]
    rows.append(dict(title='', pictures=shown))
  of = 'the class token' if net.cls is not None else 'the patches, on average,'
  note = f'What {of} attend{"s" if net.cls is not None else ""} to in the last block: bright patches have more attention.'
  return Section('attention', 'Attention', [('pictures', dict(rows=rows))], note)


def patches(net: Any, model: Model, sampled: examples.Sample) -> Section | None:
  """Features of patches as colours."""
  chosen = examples.queries(sampled)
  batch = {name: x[np.resize(chosen, examples.BATCH)] for name, x in sampled.columns.items()}  # of the size that is compiled
  tokens = np.asarray(model.represent(batch).tokens)[: len(chosen)]
  height, width = vision.read(model, {name: x[:1] for name, x in batch.items()}).shape[1:3]
  grid = height // net.patch, width // net.patch
  if tokens.shape[1] != grid[0] * grid[1]:
    return None
  colours = vision.patch_colours(tokens, grid)
  shown = [x for i, of in zip(chosen, colours, strict=True) for x in (_picture(sampled.tiles[i], sampled.caption(i)), _picture(of, 'patches'))]
  note = 'The first three principal components of the features of patches as red, green and blue: patches of one colour have similar features.'
  rows = [dict(title='', pictures=shown[k : k + 6]) for k in range(0, len(shown), 6)]
  return Section('patches', 'Features of patches', [('pictures', dict(rows=rows))], note)


def settings(held: Held) -> Section:
  """The config, and how it differs from the recipe of its system."""
  blocks: list[tuple[str, Any]] = []
  found = runs.recipe(held.config) if not held.config.get('modules') else None
  if found is None:
    blocks.append(('text', 'The config is not that of a shipped system.'))
  else:
    recipe, changed = found
    blocks.append(('text', f'{"Differences from" if changed else "The config is that of"} the recipe {recipe}{"." if not changed else ":"}'))
    if changed:
      blocks.append(('table', dict(head=('setting', 'recipe', 'this run'), rows=[(key, short(a), short(b)) for key, a, b in changed])))
  resumed = held.results.get('resumed') or held.config.get('resumed') or ()
  if resumed:
    rows = [(change.get('step', ''), ', '.join(change.get('settings', ()))) for change in resumed]
    blocks.append(('table', dict(head=('resumed at step', 'with'), rows=rows)))
  whole = json.dumps({key: x for key, x in held.config.items() if key not in ('claim', 'parts')}, indent=1)
  blocks.append(('details', dict(title='The whole config', text=whole)))
  return Section('settings', 'Settings', blocks)


def cost(held: Held, workdir: Path | None) -> Section:
  """What the run took, its networks and its environment."""
  results, rows = held.results, []
  for key, name, shown in (
    ('seconds', 'training time', duration),
    ('first_step_seconds', 'to the end of the first step, with compilation', duration),
    ('compiles', 'compilations of a training step', number),
  ):
    if isinstance(results.get(key), int | float):
      rows.append((name, shown(results[key])))
  rates = [row['examples_per_second'] for row in held.rows if isinstance(row.get('examples_per_second'), int | float)]
  if rates:
    rows.append(('examples per second, median', number(round(float(np.median(rates)), 1))))
  if workdir and not remote(workdir):
    rows.append(('files in the workdir', memory(runs.size(workdir))))
    for network, count in (found := runs.parameters(workdir)).items():
      rows.append((f'parameters of {network}', number(count)))
    if found:
      rows.append(('parameters, all', f'{sum(found.values()):,} ({memory(4 * sum(found.values()))} in float32)'))
  versions = list((results.get('versions') or {}).items())
  blocks: list[tuple[str, Any]] = [('table', dict(head=('quantity', 'value'), rows=rows))] if rows else []
  if versions:
    blocks.append(('table', dict(head=('package', 'version'), rows=versions)))
  return Section('cost', 'Cost and environment', blocks)
