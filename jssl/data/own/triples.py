"""Knowledge graph triples in files: a head, a relation and a tail per line."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.data.core.pictures import first_line
from jssl.data.own.files import SPLITS, parts, stamps, with_test
from jssl.data.own.files import held_out as drawn
from jssl.data.own.pictures import tell
from jssl.errors import DataError
from jssl.storage import near, reach
from jssl.types import Data, Judged

SUFFIXES = ('.tsv', '.txt', '.csv')
# Possible column names in a header line; a file without one has this order.
HEADER = (('head', 'subject', 'h', 's', 'source'), ('relation', 'predicate', 'r', 'p', 'rel'), ('tail', 'object', 't', 'o', 'target'))


def triples(path: str, *, held_out: float = 0.1) -> Data:
  """Named triples, converted to indices: a file, or a folder with `train`, `test` and optionally `valid`, as for FB15k.

  Args:
    path: a .tsv or .txt file, with fields separated by tabs, or a .csv file. PATH_test next to it is the test split.
    held_out: share of triples in 'test', by a hash of each one, if there is no test file. A triple stays in 'train' if one of its names would
      otherwise be missing there.

  Returns:
    Data with head, relation and tail, indices into `info['entities']` and `info['relations']`. Duplicate triples, and those of other splits
    with names that are not in 'train', are dropped and counted in `info['unread']`.

  Raises:
    DataError: if nothing is found, or a line does not have three fields.
  """
  where, unread = reach(path), {}
  files = of_splits(where)
  found = {split: read(of) for split, of in files.items()}
  for split, rows in found.items():
    found[split], again = list(dict.fromkeys(rows)), len(rows) - len({*rows})
    if again:
      unread[f'{again} triples of {split}'] = 'duplicates'
  if 'test' not in found:
    found |= divided(found['train'], held_out)
  entities = sorted({name for head, _, tail in found['train'] for name in (head, tail)})
  relations = sorted({relation for _, relation, _ in found['train']})
  if len(entities) < 2:
    raise DataError(f'triples:{path} has {len(entities)} entity; expected two or more')
  entity, of = ({name: i for i, name in enumerate(names)} for names in (entities, relations))
  columns = {}
  for split, rows in found.items():
    known = [row for row in rows if row[0] in entity and row[1] in of and row[2] in entity]
    if new := len(rows) - len(known):
      unread[f'{new} triples of {split}'] = 'names that train does not have'
    if not known:
      raise DataError(f'triples:{path}: no triple of {split!r} has names that train has; give triples with names of train')
    numbers = np.array([(entity[head], of[relation], entity[tail]) for head, relation, tail in known], np.int32)
    columns[split] = dict(zip(('head', 'relation', 'tail'), numbers.T, strict=True))
  tell(unread)
  sizes = dict(head=dict(size=len(entities)), relation=dict(size=len(relations)), tail=dict(size=len(entities)))
  info = dict(name=f'triples:{path}', entities=entities, relations=relations, fingerprint=stamps(files.values()), unread=unread)
  data = arrays(**columns['train'], test=columns['test'], inputs='head', facts=sizes, info=info)
  if 'validation' not in columns:
    return data
  validation = arrays(**columns['validation'], facts=sizes).splits['train']
  return data._replace(
    splits={**data.splits, 'validation': validation}, judged=Judged(carved=None, instead={'test': 'validation', 'validation': None})
  )


def of_splits(where: Path) -> dict[str, Path]:
  """Split -> its file."""
  if not where.is_dir():
    return parts(where)
  where = near(where)
  files = {path.stem.lower(): path for path in sorted(where.iterdir()) if path.suffix.lower() in SUFFIXES}
  found = {split: files[name] for name, split in {'train': 'train', **SPLITS}.items() if name in files}
  if 'train' not in found:
    raise DataError(f'{where} has no file train{" or train".join(SUFFIXES)}; expected one, or give the path of a file')
  return with_test(found)


def read(path: Path) -> list[tuple[str, str, str]]:
  """The named triples of a file."""
  if path.suffix.lower() not in SUFFIXES:
    raise DataError(f'{path} must end in {", ".join(SUFFIXES)}; expected three fields per line, head, relation and tail')
  try:
    with path.open(encoding='utf-8', newline='') as file:
      comma = path.suffix.lower() == '.csv'
      rows = list(csv.reader(file)) if comma else [line.rstrip('\r\n').split('\t') for line in file]
  except (OSError, ValueError, csv.Error) as error:
    raise DataError(f'{path} cannot be read as text ({first_line(error)}); expected three fields per line, head, relation and tail') from error
  rows = [tuple(field.strip() for field in row) for row in rows]
  order = header(rows[0]) if rows else None
  found = []
  for line, row in enumerate(rows[1:] if order else rows, 1 + bool(order)):
    if not any(row):
      continue
    if len(row) != (len(rows[0]) if order else 3) or not all(row[i] for i in order or (0, 1, 2)):
      apart = 'commas' if comma else 'tabs'
      raise DataError(f'{path}: line {line} has {len([x for x in row if x])} fields; expected head, relation and tail, separated by {apart}')
    found.append(tuple(row[i] for i in order or (0, 1, 2)))
  if not found:
    raise DataError(f'{path} has no triples; expected head, relation and tail, one triple per line')
  return found


def header(row: Sequence[str]) -> tuple[int, ...] | None:
  """The positions of head, relation and tail by a header line; None if the line is a triple."""
  names = [name.lower() for name in row]
  places = [next((names.index(name) for name in choice if name in names), None) for choice in HEADER]
  return None if None in places or len({*places}) < 3 else tuple(places)


def divided(rows: Sequence[tuple[str, str, str]], share: float) -> dict[str, list[tuple[str, str, str]]]:
  """Splits into 'train' and 'test'; a held-out triple is returned to 'train' if one of its names would be missing there."""
  held = drawn(['\t'.join(row) for row in rows], share)
  train = [row for row, out in zip(rows, held, strict=True) if not out]
  entities, relations = {name for head, _, tail in train for name in (head, tail)}, {relation for _, relation, _ in train}
  test = []
  for row in (row for row, out in zip(rows, held, strict=True) if out):
    if row[0] in entities and row[1] in relations and row[2] in entities:
      test.append(row)
    else:
      train.append(row)
      entities |= {row[0], row[2]}
      relations.add(row[1])
  if not test:
    raise DataError(
      f'held_out={share} of {len(rows)} triples has none whose names all occur in others; give more triples, another share, or a test file'
    )
  return dict(train=train, test=test)
