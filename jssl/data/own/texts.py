"""User texts as token ids, and detection of duplicate rows."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jssl.data.own import smiles
from jssl.data.text import tokenize
from jssl.errors import DataError

LONGEST = 128  # tokens, unless more are requested


def encoded(source: str, parts: Mapping, roles: Mapping[str, str], options) -> tuple[dict, dict, dict]:
  """Columns of ids by split, their properties, and entries of `Data.info`.

  The tokenizer is a named one, or is trained on all texts of 'train'; for SMILES, tokens are atoms, bonds and rings. `length` applies to all
  text columns; for answers, it applies to prompt and answer separately, and the answer starts at that position. By default it is the 95th
  percentile of text lengths in 'train', rounded up to a multiple of 8, and at most 128. `same` identifies duplicates, as in `copies`: rows that
  share a text of `ids` or `positive`, or an image.
  """
  names = {role: roles[role] for role in ('ids', 'positive', 'negative', 'prompt', 'chosen', 'rejected') if role in roles}
  texts = {split: {role: whole(source, part, name) for role, name in names.items()} for split, part in parts.items()}
  count = 0
  if 'negatives' in roles:
    lists = {split: part.columns[roles['negatives']] for split, part in parts.items()}
    count = counted(source, lists, roles['negatives'])
    for split, x in lists.items():
      texts[split]['negatives'] = [text for row in x for text in row]
  if options.tokenizer:
    tokenizer, how = tokenize.load(options.tokenizer), f'{options.tokenizer}, loaded'
  elif {*names.values()} <= {*smiles.NAMES}:
    tokenizer, how = smiles.tokenizer_of(texts['train']['ids']), 'tokens of SMILES, found in train'
  else:
    tokenizer = tokenize.wordpiece([text for x in texts['train'].values() for text in x], vocabulary=options.vocabulary)
    how = f'WordPiece, at most {options.vocabulary} ids, lower case, trained on train'
  length = options.length
  if length is None:
    tokenizer.no_truncation()
    some = [text for x in texts['train'].values() for text in x[:2000]]
    found = np.percentile([len(x.ids) for x in tokenizer.encode_batch(some)], 95)
    length = min(LONGEST, max(8, -(-int(found) // 8) * 8))
  facts = tokenize.facts(tokenizer)
  columns = {}
  for split, by_role in texts.items():
    columns[split] = {role: tokenize.encode(tokenizer, x, length) for role, x in by_role.items()}
    if count:
      columns[split]['negatives'] = columns[split]['negatives'].reshape(-1, count, length)
    if 'prompt' in names:
      prompt = columns[split].pop('prompt')
      columns[split] |= {role: np.concatenate([prompt, columns[split][role]], 1) for role in ('chosen', 'rejected')}
  told = {role: {**facts, **(dict(start=length) if 'prompt' in names and role in ('chosen', 'rejected') else {})} for role in columns['train']}
  tokenizer.no_truncation()
  info = dict(tokenizer=how, tokenizer_json=tokenizer.to_str())
  if 'ids' in names:
    alike = [columns[split][role] for role in ('ids', 'positive') if role in names for split in columns]
    pictures = [part.columns[roles['image']] for part in parts.values()] if 'image' in roles else []
    given = [[x.tobytes() for x in rows] for rows in alike] + [[str(x) for x in rows] for rows in pictures]
    n = len(columns)
    same = copies([[x for part in given[i : i + n] for x in part] for i in range(0, len(given), n)])
    cuts = np.cumsum([len(x['ids']) for x in columns.values()])[:-1]
    for split, part in zip(columns, np.split(same, cuts), strict=True):
      columns[split]['same'] = part
    info['texts'] = {split: x['ids'] for split, x in texts.items()}
  return columns, told, info


def whole(source: str, part, name: str) -> Sequence[str]:
  """The texts of a column. Raises DataError if a row has none."""
  found = part.columns[name]
  if (row := next((i for i, text in enumerate(found) if not isinstance(text, str)), None)) is not None:
    raise DataError(f'{source} has {found[row]!r} in {name!r}; expected texts')
  return list(found)


def counted(source: str, lists: Mapping[str, Sequence[list]], name: str) -> int:
  """The number of texts in every list of a column.

  Raises:
    DataError: if it differs, or an entry is not a text.
  """
  rows = [row for x in lists.values() for row in x]
  for row in rows:
    if not isinstance(row, list) or not all(isinstance(text, str) for text in row):
      raise DataError(f'{source} has {row!r} in {name!r}; expected lists of texts')
    if len(row) != len(rows[0]):
      raise DataError(f'{source} has {len(row)} and {len(rows[0])} texts in {name!r}; expected as many in every row: cut the longer lists')
  return len(rows[0])


def copies(columns: Sequence[Sequence[Hashable]]) -> np.ndarray:
  """Gives rows that share an entry, directly or through other rows, the same index: [n] int32, counted from 0.

  Args:
    columns: n entries each.
  """
  n, number = len(columns[0]), {}
  of = np.array([number.setdefault(entry, len(number)) for column in columns for entry in column])
  rows = np.tile(np.arange(n), len(columns))
  found = connected_components(coo_array((np.ones(len(of), bool), (rows, n + of)), (n + len(number),) * 2), directed=False)[1][:n]
  return np.unique(found, return_inverse=True)[1].astype(np.int32)
