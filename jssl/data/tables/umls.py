"""Tables of facts: rows are entities, columns are relations, and a cell is the entity related to that of its row."""

from collections import defaultdict

import numpy as np

from jssl.data.graph.knowledge import umls
from jssl.data.text.corpora import data
from jssl.types import Data, Judged

MASK, FIRST = 1, 2  # ids: padding is 0; then relations, then entities


def umls_tables(*, rows: int = 4, columns: int = 4, train: int = 2048, seed: int = 0) -> Data:
  """Tables from the triples of UMLS: headers, then for each row a subject and its cells; a cell without a triple is padding.

  Args:
    rows: r, subjects per table.
    columns: c, relations per table.
    train: number of tables, from the triples of 'train' only.
    seed: seed for the choice of subjects, relations and, if there are several, objects of a table.

  Returns:
    Data with ids, row and column [c + r (1 + c)]; headers are in row 0, subjects in column 0. 'valid' and 'test' have one table per triple,
    with place, the position of the cell, answer, its entity, and others [e], all other correct entities. The non-special ids are the e
    entities.

  Raises:
    DataError: if pykeen is not installed.

  Reference: Deng, Sun, Lees, Wu, Yu, VLDB 2020, arXiv:2006.14806, section 4; data: see `knowledge.umls`.
  """
  graph = umls()
  triples = {split: np.stack([x.columns[name] for name in ('head', 'relation', 'tail')], 1) for split, x in graph.splits.items()}
  e, random = len(graph.info['entities']), np.random.RandomState(seed)
  first = FIRST + len(graph.info['relations'])  # of the entities
  tails, relations, heads, true = defaultdict(list), defaultdict(set), defaultdict(set), defaultdict(set)
  for h, r, t in triples['train'].tolist():
    tails[h, r].append(t)
    relations[h].add(r)
    heads[r].add(h)
  for h, r, t in np.concatenate(list(triples.values())).tolist():
    true[h, r].add(t)

  def table(h: int, r: int) -> list[int]:
    """A table with the relation r in column 1 and the subject h in row 1."""
    names = [r, *_some(random, relations[h] - {r}, set(range(len(graph.info['relations']))) - {r}, columns - 1)]
    subjects = [h, *_some(random, heads[r] - {h}, set(range(e)) - {h}, rows - 1)]
    cell = lambda s, p: first + random.choice(tails[s, p]) if tails.get((s, p)) else 0
    return [*(FIRST + p for p in names), *(x for s in subjects for x in (first + s, *(cell(s, p) for p in names)))]

  drawn = triples['train'][random.randint(len(triples['train']), size=train)]
  splits = {'train': dict(ids=np.array([table(h, r) for h, r, _ in drawn.tolist()]))}
  for split in ('valid', 'test'):
    asked = triples[split].tolist()
    others = np.zeros((len(asked), e), np.int32)
    for mark, (h, r, t) in zip(others, asked, strict=True):
      mark[list(true[h, r] - {t})] = 1
    ids, place = np.array([table(h, r) for h, r, _ in asked]), np.full(len(asked), columns + 1)
    ids[:, columns + 1] = first + triples[split][:, 2]
    splits[split] = dict(ids=ids, place=place, answer=triples[split][:, 2], others=others)
  where = np.array([(0, j) for j in range(1, columns + 1)] + [(i, j) for i in range(1, rows + 1) for j in range(columns + 1)])
  for split in splits.values():
    split |= {name: np.tile(where[:, i], (len(split['ids']), 1)) for i, name in enumerate(('row', 'column'))}
  facts = dict(ids=dict(size=first + e, pad=0, mask=MASK, first=first), row=dict(size=rows + 1), column=dict(size=columns + 1))
  return data(splits, {**graph.info, 'name': 'umls_tables'}, facts)._replace(judged=Judged(carved=None, instead={'test': 'valid'}))


def _some(random: np.random.RandomState, wanted: set[int], others: set[int], count: int) -> list[int]:
  """`count` random elements of `wanted`, completed from `others` if there are too few."""
  return [*random.permutation(sorted(wanted)).tolist(), *random.permutation(sorted(others - wanted)).tolist()][:count]
