"""Passes with embedding look-ups."""

from collections.abc import Mapping

from jssl.types import Call, Negatives, Pass, Sampler


def lookup(*, sampler: Sampler, networks: Mapping[str, str]) -> Pass:
  """Embeds the ids that a sampler draws.

  Args:
    sampler: (keys, batch) -> name -> ids, or other arrays.
    networks: name -> the network that embeds these ids; other arrays are returned unchanged.

  Outputs:
    The arrays of the sampler, by its names, embedded.
  """

  def run(call: Call):
    given = sampler(call.key('view'), call.batch)
    return {name: call.nets[networks[name]](x).pooled if name in networks else x for name, x in given.items()}

  return Pass(run, None)


def triples(*, negatives: Negatives, entities: str = 'backbone', relations: str = 'relations') -> Pass:
  """Scores triples of a knowledge graph, and corrupted ones.

  Args:
    negatives: (keys, batch, entities=...) -> heads and tails of the corrupted triples, [b k] each.
    entities: the embedding table of entities; has a `.count`.
    relations: (h, relation, t) -> scores.

  Outputs:
    positive [b], negatives [b k].
  """

  def run(call: Call):
    table, score, batch = call.nets[entities], call.nets[relations], call.batch
    heads, tails = negatives(call.key('view'), batch, entities=table.count)
    vectors = lambda ids: table(ids).pooled
    return {
      'positive': score(vectors(batch['head']), batch['relation'], vectors(batch['tail'])),
      'negatives': score(vectors(heads), batch['relation'][:, None], vectors(tails)),
    }

  return Pass(run, ('positive', 'negatives'))
