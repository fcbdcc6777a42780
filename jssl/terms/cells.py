"""Cells and headers of a table are hidden, and told from what of the table each of them sees."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.parts.facts import table_states
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Objective, Term, fold


def cells(
  *,
  objectives: Mapping[str, Objective],
  entities: int,
  first: int = 2,
  rate: float = 0.6,
  header_rate: float = 0.2,
  structured: bool = True,
  encoder: str = 'backbone',
  head: str = 'cell',
  lm: str = 'lm',
) -> Term:
  """Masked entity recovery in cells, and masked tokens in headers (TURL, without mentions and without random replacements).

  Args:
    objectives: cell, (z: [b n d], candidates: [b e d], labels=[b n], mask=[b n]) -> [b] or scalar, and header, (logits: [b n v],
      tokens: [b n], mask: [b n]) -> the same; their sum is the loss.
    entities: e; all of them are candidates.
    first: id of the first entity.
    rate: of the cells that are hidden.
    header_rate: of the headers.
    structured: tokens see those of their own row and column; otherwise all see all.
    encoder: with `embed`, `encode`, `mask_id` and `table`; it pools at its first token.
    head: tokens -> [b n d], in the space of the entities' embeddings.
    lm: (tokens, table) -> logits.

  Reference: Deng, Sun, Lees, Wu, Yu, VLDB 2020, arXiv:2006.14806, sections 4.3 and 4.4; rates 0.6 and 0.2.
  """

  def encode(nets, target, batch, keys):
    del target
    ids, net = batch['ids'], nets[encoder]
    header = batch['row'] == 0
    cell = ~header & (batch['column'] > 0) & (ids != 0)
    drawn = jax.vmap(lambda key: jax.random.uniform(key, ids.shape[1:]))(fold(keys, 0))
    hidden = {'cell': cell & (drawn < rate), 'header': header & (drawn < header_rate)}
    tokens = table_states(net, batch, hidden['cell'] | hidden['header'], structured, fold(keys, 1)).tokens
    candidates = jnp.tile(net.table[first : first + entities], (len(ids), 1, 1))
    told = {'z': nets[head](tokens), 'candidates': candidates, 'logits': nets[lm](tokens, net.table), 'ids': ids}
    return {**told, 'hidden': hidden}

  def judge(nets, encoded, state, key, step):
    del nets, key
    hidden, ids = encoded['hidden'], encoded['ids']
    of = lambda name: at(objectives[name], step)
    cell = jnp.mean(of('cell')(encoded['z'], encoded['candidates'], labels=ids - first, mask=hidden['cell']))
    header = jnp.mean(of('header')(encoded['logits'], ids, hidden['header']))
    return cell + header, (state, {'cell': cell, 'header': header})

  return Term(stateless, encode, judge)
