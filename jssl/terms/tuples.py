"""Examples are tuples of things: triples of a knowledge graph, words and their contexts, documents and their references."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp

from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.terms.two_view import through
from jssl.types import Objective, Term, View, fold


def triples(
  *, objective: Objective, view: View, entities: str = 'backbone', relations: str = 'relations', decay: float = 0.0
) -> Term:
  """Triples of the batch are scored against corrupted ones.

  Args:
    objective: (positive: [b], negatives: [b k]) -> [b] or scalar.
    view: (keys, batch, entities=...) -> heads and tails of the corrupted triples, [b k] each.
    entities: the table of entities; has a `.count`.
    relations: (h, relation, t) -> scores.
    decay: added to the loss, times the squares of all parameters of relations.
  """

  def encode(nets, target, batch, keys):
    del target
    table, score = nets[entities], nets[relations]
    heads, tails = view(fold(keys, 0), batch, entities=table.count)
    vectors = lambda ids: table(ids).pooled
    return {
      'positive': score(vectors(batch['head']), batch['relation'], vectors(batch['tail'])),
      'negatives': score(vectors(heads), batch['relation'][:, None], vectors(tails)),
    }

  def judge(nets, encoded, state, key, step):
    del key
    loss = jnp.mean(at(objective, step)(encoded['positive'], encoded['negatives']))
    return loss + decay * jnp.sum(jnp.square(nets[relations].embedding[...])), (state, {})

  return Term(stateless, encode, judge)


def look_up(
  *, objective: Objective, view: View, networks: Mapping[str, str], scalars: Mapping[str, str] | None = None
) -> Term:
  """Vectors are looked up by number, and an objective judges the tuples they form.

  Args:
    objective: (**looked up, **scalars) -> [b] or scalar.
    view: (keys, batch) -> the objective's keyword -> numbers, or what else the objective takes.
    networks: the objective's keyword -> the network that its numbers are looked up in; others pass as they are.
    scalars: the objective's keyword -> network called without input.
  """

  def encode(nets, target, batch, keys):
    del target
    given = view(fold(keys, 0), batch)
    return {name: nets[networks[name]](x).pooled if name in networks else x for name, x in given.items()}

  def judge(nets, encoded, state, key, step):
    del key
    given = encoded | {name: nets[net]() for name, net in (scalars or {}).items()}
    return jnp.mean(at(objective, step)(**given)), (state, {})

  return Term(stateless, encode, judge)


def triplets(*, objective: Objective, view: View, tower: str = 'backbone', heads: Sequence[str] = ()) -> Term:
  """An anchor, something that belongs to it, and something that does not, through one network.

  Args:
    objective: (anchor: [b d], positive: [b d], negative: [b d]) -> [b] or scalar.
    view: three views: anchor, positive, negative.
    tower: the network.
    heads: networks applied in turn to the pooled features.
  """

  def encode(nets, target, batch, keys):
    del target
    views = view(fold(keys, 0), batch)
    found = through(nets, views, range(3), tower, heads, fold(keys, 1))
    return dict(zip(('anchor', 'positive', 'negative'), (found[i] for i in range(3)), strict=True))

  def judge(nets, encoded, state, key, step):
    del nets, key
    return jnp.mean(at(objective, step)(**encoded)), (state, {})

  def watch(encoded, state, step):
    return {'pairs': (encoded['anchor'], encoded['positive'])}

  return Term(stateless, encode, judge, watch)
