"""Converts named columns from files to `Data`: detects which column is an image, a label, a text or a number."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jssl.data.core.arrays import Columns, described
from jssl.data.core.crops import crops_of
from jssl.data.own import smiles
from jssl.data.own.files import held_out as drawn
from jssl.data.own.pictures import Pictures, headers, shape_of, tell
from jssl.errors import DataError
from jssl.types import Column, Data, Judged

IMAGE = ('image', 'image_path', 'filepath', 'file_path', 'file_name', 'filename', 'file', 'path', 'img', 'jpg', 'png')
PICTURES = ('.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.bmp', '.avif', '.ppm')
LABEL = ('label', 'class', 'category', 'target', 'labels', 'y')
# The column of a text -> names that it may have in a file; the first existing one is used.
TEXTS = dict(
  ids=('anchor', 'query', 'sentence1', 'sentence', 'text', 'caption', 'premise', 'question', 'document', *smiles.NAMES),
  positive=('positive', 'pos', 'sentence2', 'hypothesis', 'answer'),
  negative=('negative', 'neg'),
  negatives=('negatives', 'negs'),  # a list of texts per row
)
NUMBERED = re.compile(r'(?:negative|neg)_\d+')  # columns that together are such a list
ANSWERS = ('prompt', 'chosen', 'rejected')
SCORE = ('score', 'similarity', 'similarity_score')
_last: dict[str, Data] = {}  # the data opened last: a command inspects its data before it builds on them


class Found(NamedTuple):
  """The rows of one split as read from files."""

  columns: Mapping[str, Sequence[Any]]  # name -> entries [n]
  names: Sequence[str]  # of the rows, for the held-out split and for messages


class Options(NamedTuple):
  """Options for reading rows, shared by the user data sets."""

  image: str | None = None
  text: str | None = None
  label: str | None = None
  resize: int | Sequence[int] | None = None
  channels: int | None = None
  tokenizer: str | None = None
  length: int | None = None
  vocabulary: int = 4096
  held_out: float = 0.2
  classes: Sequence[str] | None = None  # names of integer labels from 0 on
  crop: Mapping[str, Any] | None = None  # random crops of the originals in training, as in `crops.crops_of`


def made(source: str, found: Mapping[str, Found], options: Options, stamps: Mapping[str, str]) -> Data:
  """Makes `Data` from rows: images are read on access, everything else is in memory.

  Args:
    source: its name in the config.
    found: split -> its rows; without 'test', a share of 'train' is held out.
    options: roles of columns, and how they are read.
    stamps: file -> stamp that detects changes.

  Raises:
    DataError: for no rows, missing columns or columns of an unknown kind, or missing entries.
  """
  key = repr((source, options, sorted(stamps.items())))
  if key not in _last:
    data = _made(source, found, options, stamps)
    _last.clear()
    _last[key] = data
  return _last[key]


def _made(source: str, found: Mapping[str, Found], options: Options, stamps: Mapping[str, str]) -> Data:
  if not all(len(part.names) for part in found.values()):
    raise DataError(f'{source}: the split {next(k for k, v in found.items() if not len(v.names))!r} has no rows; expected at least one')
  found = {split: Found(listed(source, part.columns), part.names) for split, part in found.items()}
  roles, unread = roles_of(source, found['train'].columns, options), {}
  found = written(source, found, roles, unread)
  for split, part in found.items():
    read = [name for name, x in found['train'].columns.items() if name in roles.values() or numeric(x) or vector(x)]
    if missing := [name for name in read if name not in part.columns]:
      raise DataError(f'{source}: {split!r} has no column {missing[0]!r}, which train has; it has {sorted(part.columns)}')
    for name, x in part.columns.items():
      needed = name in (roles.get('prompt'), roles.get('score')) or name not in roles.values() and (numeric(x) or vector(x))
      if needed and (row := next((i for i, entry in enumerate(x) if entry is None), None)) is not None:
        raise DataError(f'{source}: row {row} of {split!r}, counted from 0, has no {name!r}; fill it in, or remove the row or the column')
  parts, shape = pictured(source, found, roles, options, unread)
  facts, info = {}, dict(name=source, fingerprint=dict(stamps), unread=unread)
  if 'test' not in parts:
    parts, info['split'] = divided(parts['train'], options.held_out), 'random'
  columns = numbers(source, parts, roles)
  if any(role in roles for role in (*TEXTS, *ANSWERS)):
    from jssl.data.own.texts import encoded

    ids, facts, told = encoded(source, parts, roles, options)
    columns, info = {split: {**ids[split], **x} for split, x in columns.items()}, info | told
  if 'label' in roles and (classes := labels(source, parts, roles['label'], options.classes, columns)):
    short = any((x['label'] < 0).any() for x in columns.values())
    facts['label'], info['classes'] = dict(classes=classes, **(dict(pad=-1) if short else {})), classes
  if not shape and not columns['train']:
    raise DataError(
      f'{source}: none of its columns {sorted(found["train"].columns)} is an image, a text or a number; name one with image= or text='
    )
  judged = Judged(carved=None, instead={'test': 'validation', 'validation': None}) if 'validation' in parts else None
  if {'ids', 'positive', 'score'} <= {*columns['train']} and not shape:
    columns, info, judged = scored(columns, info, {split: part.columns[roles['positive']] for split, part in parts.items()})
  elif roles.get('ids') in smiles.NAMES and not shape:
    columns, info, judged = measured(columns, info, judged)
  splits = {split: Columns(x) for split, x in columns.items()}
  spec = described(splits, facts) if columns['train'] else {}
  if not shape and options.crop:
    raise DataError(f'{source} has no images to crop; remove crop, or name the column of images with image=')
  if shape:
    spec = {'image': Column(shape, np.uint8), **spec}
    crop = crops_of(options.crop, shape[:2])
    of = lambda k, part: (part.columns[roles['image']], part.names, columns[k], shape, unread, crop if k == 'train' else None)
    splits = {k: Pictures(*of(k, part)) for k, part in parts.items()}
    info |= {'drawn': {'image': (len(crop.recipes), *crop.size, shape[-1])}} if crop else {}
  inputs = next(name for name in ('image', 'ids', 'chosen', *spec) if name in spec)
  return Data(splits=splits, spec=spec, inputs=inputs, info=info, judged=judged)


def listed(source: str, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
  """Columns in which the texts of negative_1, negative_2, ... are one column `negatives` of lists.

  Raises:
    DataError: if there is such a column already.
  """
  names = sorted(
    (name for name, x in columns.items() if NUMBERED.fullmatch(name) and textual(x)), key=lambda name: int(name.rpartition('_')[2])
  )
  if not names:
    return dict(columns)
  if 'negatives' in columns:
    raise DataError(f'{source} has a column negatives and columns {", ".join(names)}; remove one of the two')
  rest = {name: x for name, x in columns.items() if name not in names}
  return {**rest, 'negatives': [list(row) for row in zip(*(columns[name] for name in names), strict=True)]}


def written(source: str, found: Mapping[str, Found], roles: Mapping[str, str], unread: dict[str, str]) -> dict[str, Found]:
  """The rows that have all of their texts, or molecules if these are requested; the others are recorded in `unread` and reported in one line.

  Raises:
    DataError: if a split has no such rows.
  """
  names, molecules = [roles[role] for role in (*TEXTS, 'chosen', 'rejected') if role in roles], roles.get('ids') in smiles.NAMES
  blank = lambda x: x is None or isinstance(x, str) and not x.strip()
  wrong = lambda x: 'no text' if blank(x) or isinstance(x, list) and any(map(blank, x)) else ''
  parts = dict(found)
  for split, part in found.items():
    if not names or not {*names} <= part.columns.keys():
      continue
    why = [next(filter(None, map(wrong, row)), '') for row in zip(*(part.columns[name] for name in names), strict=True)]
    if molecules:
      why = [w or ('' if smiles.molecule(str(x)) else 'no SMILES') for w, x in zip(why, part.columns[roles['ids']], strict=True)]
    kept, left = [i for i, w in enumerate(why) if not w], {i: w for i, w in enumerate(why) if w}
    if not kept:
      raise DataError(f'{source}: all rows of {split!r} have {why[0]} in {" or ".join(map(repr, names))}; expected some with it')
    if left:
      unread |= {f'row {i} of {split}': w for i, w in left.items()}
      told = ', '.join(map(str, [*left][:10])) + (', ...' if len(left) > 10 else '')
      what = 'text' if 'no text' in left.values() else 'SMILES'
      logging.getLogger('jssl').warning(
        '%s: %d of %d rows of %r have no %s and are skipped: %s', source, len(left), len(why), split, what, told
      )
      parts[split] = Found({name: [x[i] for i in kept] for name, x in part.columns.items()}, [part.names[i] for i in kept])
  return parts


def scored(
  columns: Mapping[str, dict[str, np.ndarray]], info: Mapping[str, Any], partners: Mapping[str, list[str]]
) -> tuple[dict, dict, Judged]:
  """Pairs of texts with scores, for the evaluator `sts`.

  'test' has every pair in both directions, so that all of its texts are in `ids`, and 'pairs' and 'pairs_test' give the rows and the score of
  each pair; 'pairs_validation' does so for 'validation'.
  """
  columns, info = dict(columns), {key: x for key, x in info.items() if key != 'split'}  # rows are referenced by index and must stay in place
  texts = dict(info['texts'])
  for split in {'test', 'validation'} & {*columns}:
    x, n = columns[split], len(columns[split]['ids'])
    turned = {**x, 'ids': x['positive'], 'positive': x['ids']}
    columns[split] = {name: np.concatenate([x[name], turned[name]]) for name in x}
    pairs = dict(a=np.arange(n, dtype=np.int32), b=np.arange(n, 2 * n, dtype=np.int32), score=x['score'].astype(np.float32))
    columns |= dict(pairs=pairs, pairs_test=pairs) if split == 'test' else dict(pairs_validation=pairs)
    texts[split] = [*texts[split], *partners[split]]
  info['texts'] = texts
  if 'validation' not in columns:
    return columns, info, Judged(carved=None, halved=('pairs', 'pairs_test'))
  instead = {'test': 'validation', 'pairs': 'pairs_validation', 'pairs_test': 'pairs_validation'}
  return columns, info, Judged(carved=None, instead={**instead, 'validation': None, 'pairs_validation': None})


def measured(columns: Mapping[str, dict[str, np.ndarray]], info: Mapping[str, Any], judged: Judged | None) -> tuple[dict, dict, Judged | None]:
  """Molecules with numeric columns: these become `truth` [k] of 'test' and of 'labelled', the molecules of 'train' with their values."""
  names = [name for name, x in columns['train'].items() if x.ndim == 1 and name not in ('label', 'same')]
  if not names:
    return dict(columns), dict(info), judged
  truth = lambda x: np.stack([x[name] for name in names], 1).astype(np.float32)
  rest = {split: {name: y for name, y in x.items() if name not in names} for split, x in columns.items()}
  told = {split: {**rest[split], 'truth': truth(x)} for split, x in columns.items()}
  info = {key: x for key, x in info.items() if key != 'split'} | {'truth': tuple(names)}
  instead = judged.instead if judged else {}
  return {**told, 'train': rest['train'], 'labelled': told['train']}, info, Judged(carved=None if judged else 'labelled', instead=instead)


def divided(part: Found, share: float) -> dict[str, Found]:
  """The rows of 'train' and 'test'."""
  held = drawn(part.names, share)
  some = lambda x, rows: [x[i] for i in rows]
  rows = dict(train=np.flatnonzero(~held), test=np.flatnonzero(held))
  return {split: Found({name: some(x, of) for name, x in part.columns.items()}, some(part.names, of)) for split, of in rows.items()}


def roles_of(source: str, columns: Mapping[str, Any], options: Options) -> dict[str, str]:
  """Column of the data -> the file column that it is made from.

  Raises:
    DataError: if a column named in the options does not exist.
  """
  for option in ('image', 'text', 'label'):
    if (name := getattr(options, option)) is not None and name not in columns:
      raise DataError(f'{source} has no column {name!r} ({option}={name!r}); it has {sorted(columns)}')
  first = lambda names, fits: next((name for name in names if name in columns and fits(columns[name])), None)
  roles = {'image': options.image or first(IMAGE, pictures), 'label': options.label or first(LABEL, labelling)}
  roles |= {role: first(names, several if role == 'negatives' else textual) for role, names in TEXTS.items()}
  roles |= {name: first((name,), textual) for name in ANSWERS} | {'score': first(SCORE, numeric)}
  if options.text:
    roles['ids'] = options.text
  if not (roles['chosen'] and roles['rejected']):
    roles |= dict.fromkeys(ANSWERS)
    roles['ids'] = roles['ids'] or first(('prompt',), textual)
  roles = {role: name for role, name in roles.items() if name}
  if 'positive' in roles and 'ids' not in roles:
    raise DataError(
      f'{source} has a column {roles["positive"]!r} and no column to pair it with, {" or ".join(TEXTS["ids"][:4])}; name it with text='
    )
  used = {*roles.values()}
  if left := [name for name in columns if name not in used and not numeric(columns[name]) and not vector(columns[name])]:
    logging.getLogger('jssl').warning('%s: the columns %s are ignored; set text=, label= or image= to read one', source, ', '.join(left))
  return roles


def sample(x: Sequence[Any]) -> Any:
  return next((entry for entry in x if entry is not None), None)


def textual(x: Sequence[Any]) -> bool:
  return isinstance(sample(x), str)


def several(x: Sequence[Any]) -> bool:
  """Whether entries are lists of texts."""
  return isinstance(entry := sample(x), list) and any(isinstance(text, str) for text in entry)


def pictures(x: Sequence[Any]) -> bool:
  """Whether entries are images: paths with image suffixes, file contents, or parts of files."""
  entry = sample(x)
  return isinstance(entry, bytes | tuple | Mapping) or callable(entry) or isinstance(entry, str) and entry.lower().endswith(PICTURES)


def numeric(x: Sequence[Any]) -> bool:
  return isinstance(sample(x), int | float | np.number) and not isinstance(sample(x), bool)


def vector(x: Sequence[Any]) -> bool:
  return isinstance(entry := sample(x), list | np.ndarray) and np.asarray(entry).dtype.kind in 'iuf'


def labelling(x: Sequence[Any]) -> bool:
  """Whether entries can be classes: texts, booleans or integers."""
  known = [entry for entry in x if entry is not None]
  fits = lambda entry: isinstance(entry, str | bool | int | np.integer) or isinstance(entry, float) and entry.is_integer()
  return bool(known) and all(map(fits, known))


def pictured(source: str, found: Mapping[str, Found], roles: Mapping[str, str], options: Options, unread: dict[str, str]):
  """The rows whose images have a readable header, and the shape of all images; None without images."""
  if 'image' not in roles:
    return found, None
  heads, parts = {}, {}
  for split, part in found.items():
    places = part.columns[roles['image']]
    heads[split] = headers([b'' if place is None else place for place in places])
    unread |= {part.names[i]: head.wrong for i, head in enumerate(heads[split]) if head.wrong}
    rows = [i for i, head in enumerate(heads[split]) if not head.wrong]
    if not rows:
      tell(unread)
      raise DataError(f'{source}: none of the {len(places)} images of {split!r} can be read')
    parts[split] = Found({name: [x[i] for i in rows] for name, x in part.columns.items()}, [part.names[i] for i in rows])
  if unread:
    n = sum(map(len, heads.values()))
    logging.getLogger('jssl').warning(
      '%s: %d of %d files cannot be read as images and are skipped; they are listed at the end', source, len(unread), n
    )
  whole = [head for split in heads for head in heads[split] if not head.wrong]
  return parts, shape_of(source, whole, options.resize, options.channels)


def numbers(source: str, parts: Mapping[str, Found], roles: Mapping[str, str]) -> dict[str, dict[str, np.ndarray]]:
  """Numeric and vector columns of each split by name; numbers are `numbers` [d] if there is no other input.

  Raises:
    DataError: if vectors have different lengths.
  """
  taken = {*roles, *roles.values()} - {'score', roles.get('score')}
  single, several = {}, {}
  for name in (name for name, x in parts['train'].columns.items() if name not in taken and (numeric(x) or vector(x))):
    x = [entry for part in parts.values() for entry in part.columns[name]]  # of all splits, so that they agree
    if len(shapes := {np.shape(entry) for entry in x}) > 1:
      raise DataError(f'{source}: the column {name!r} has entries of shapes {sorted(shapes)[:3]}; expected one shape')
    if (row := next((i for i, entry in enumerate(x) if not np.isfinite(np.asarray(entry)).all()), None)) is not None:
      raise DataError(f'{source}: the column {name!r} has {x[row]!r}; expected finite numbers: fill it in, or remove the row or the column')
    if (found := np.asarray(x)).dtype.kind not in 'biuf' or found.dtype.kind != 'f' and np.abs(found).max(initial=0) >= 2**31:
      logging.getLogger('jssl').warning('%s: the column %s is ignored, because its numbers do not fit into 32 bits', source, name)
    elif found.ndim == 1:
      single['score' if roles.get('score') == name else name] = found
    else:
      several[name] = found
  if single and not several and not {*roles} - {'score', 'label'}:
    several, single = {'numbers': np.stack([*single.values()], 1).astype(float)}, {k: x for k, x in single.items() if k == 'score'}
  narrow = lambda x: x.astype(np.float32 if x.dtype.kind == 'f' else np.int32)
  cuts = np.cumsum([len(part.names) for part in parts.values()])[:-1]
  cut = {name: np.split(narrow(x), cuts) for name, x in {**several, **single}.items()}
  return {split: {name: pieces[i] for name, pieces in cut.items()} for i, split in enumerate(parts)}


def labels(source: str, parts: Mapping[str, Found], name: str, names: Sequence[str] | None, columns: dict) -> tuple[str, ...]:
  """Determines the classes and writes their indices to `label` of each split; -1 for unlabelled examples.

  Raises:
    DataError: if labels have several kinds, or an unknown kind.
  """
  given = {split: part.columns[name] for split, part in parts.items()}
  for split, x in given.items():
    if (wrong := next((entry for entry in x if entry is not None and not labelling([entry])), None)) is not None:
      raise DataError(f'{source}: {split!r} has labels such as {wrong!r} in {name!r}; expected texts or integers')
  known = {entry for x in given.values() for entry in x if entry is not None}
  if len(kinds := {isinstance(entry, str) for entry in known}) > 1:
    raise DataError(f'{source}: the labels in {name!r} are texts and numbers; write all of them as texts')
  if len(known) < 2:
    logging.getLogger('jssl').warning('%s: all examples have the class %r, so labels are ignored', source, next(iter(known)))
    return ()
  if kinds == {False} and names and max(known) < len(names):
    numbered = {i: i for i in range(len(names))}
    classes = tuple(names)
  elif kinds == {False} and min(known) == 0 and max(known) < 2 * len(known):
    numbered, classes = {i: i for i in range(int(max(known)) + 1)}, tuple(str(i) for i in range(int(max(known)) + 1))
  else:
    numbered = {entry: i for i, entry in enumerate(sorted(known))}
    classes = tuple(str(int(entry) if isinstance(entry, float) else entry) for entry in sorted(known))
  for split, x in given.items():
    columns[split]['label'] = np.array([-1 if entry is None else numbered[entry] for entry in x], np.int32)
  if missing := sum(entry is None for x in given.values() for entry in x):
    logging.getLogger('jssl').warning('%s: %d examples have no label; theirs is -1', source, missing)
  return classes
