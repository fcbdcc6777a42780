"""Evaluation of cell filling in tables."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import ranks
from jssl.ops.rows import take
from jssl.ops.table_structure import table_states
from jssl.types import Key


@protocol(
  '2',
  needs=(
    '{split}.ids',
    '{split}.row',
    '{split}.column',
    '{split}.place',
    '{split}.answer',
    '{split}.others',
    'nets.{encoder}.table',
    'nets.{head}',
  ),
  raw=False,
)
def cell_filling(
  subject: Subject, key: Key, *, split: str = 'test', structured: bool = True, encoder: str = 'backbone', head: str = 'cell'
) -> dict[str, float]:
  """The `cell_filling` protocol: the rank of the entity of a masked cell among all entities, except for other correct answers.

  Args:
    subject: its data have ids, row, column [n], place, answer and others [e], as in `umls_tables`. All ids that are not special are entities.
    key: unused.
    split: the split to evaluate.
    structured: as in the view `table_cells`.
    encoder, head: as in the view `table_cells`.

  Returns:
    hits1, hits10 and mrr of the ranks; ties share their rank.

  Reference: Deng, Sun, Lees, Wu, Yu, VLDB 2020, arXiv:2006.14806, section 6.7.
  """
  del key
  net, cell, ids = subject.networks[encoder], subject.networks[head], subject.data.spec['ids']
  examples = subject.data.splits[split]
  batch = take(examples, np.arange(len(examples)))

  @jax.jit
  def score(batch):
    hidden = jnp.arange(batch['ids'].shape[1]) == batch['place'][:, None]
    tokens = cell(table_states(net, batch, hidden, structured).tokens)
    z = jnp.take_along_axis(tokens, batch['place'][:, None, None], 1)[:, 0]
    return z @ net.table[ids.first : ids.size].T

  rank = ranks(finite(score(batch), f'the scores of {head!r}'), batch['answer'], ~(batch['others'] > 0))
  return {'hits1': float((rank <= 1).mean()), 'hits10': float((rank <= 10).mean()), 'mrr': float((1 / rank).mean())}
