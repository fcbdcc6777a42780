"""Passes that look vectors up by number."""

from collections.abc import Mapping

from jssl.types import Call, Negatives, Pass, Sampler


def lookup(*, sampler: Sampler, networks: Mapping[str, str]) -> Pass:
  """Vectors are looked up by the numbers that a sampler draws.

  Args:
    sampler: (keys, batch) -> name -> numbers, or anything else.
    networks: name -> the network that its numbers are looked up in; what is not named passes as it is.

  Gives:
    What the sampler draws, by its names, looked up.
  """

  def run(call: Call):
    given = sampler(call.key('view'), call.batch)
    return {name: call.nets[networks[name]](x).pooled if name in networks else x for name, x in given.items()}

  return Pass(run, None)


def triples(*, negatives: Negatives, entities: str = 'backbone', relations: str = 'relations') -> Pass:
  """Scores triples of a knowledge graph, and corrupted ones.

  Args:
    negatives: (keys, batch, entities=...) -> heads and tails of the corrupted triples, [b k] each.
    entities: the table of entities; has a `.count`.
    relations: (h, relation, t) -> scores.

  Gives:
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
