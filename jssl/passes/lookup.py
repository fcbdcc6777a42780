"""Passes that look vectors up by number."""

from collections.abc import Mapping

from jssl.types import Call, Pass, View


def lookup(*, view: View, networks: Mapping[str, str]) -> Pass:
  """Vectors are looked up by the numbers that a view draws.

  Args:
    view: (keys, batch) -> name -> numbers, or anything else.
    networks: name -> the network that its numbers are looked up in; what is not named passes as it is.

  Gives:
    What the view draws, by its names, looked up.
  """

  def run(call: Call):
    given = view(call.key('view'), call.batch)
    return {name: call.nets[networks[name]](x).pooled if name in networks else x for name, x in given.items()}

  return Pass(run, None)


def triples(*, view: View, entities: str = 'backbone', relations: str = 'relations') -> Pass:
  """Triples of a knowledge graph are scored, and corrupted ones beside them.

  Args:
    view: (keys, batch, entities=...) -> heads and tails of the corrupted triples, [b k] each.
    entities: the table of entities; has a `.count`.
    relations: (h, relation, t) -> scores.

  Gives:
    positive [b], negatives [b k].
  """

  def run(call: Call):
    table, score, batch = call.nets[entities], call.nets[relations], call.batch
    heads, tails = view(call.key('view'), batch, entities=table.count)
    vectors = lambda ids: table(ids).pooled
    return {
      'positive': score(vectors(batch['head']), batch['relation'], vectors(batch['tail'])),
      'negatives': score(vectors(heads), batch['relation'][:, None], vectors(tails)),
    }

  return Pass(run, ('positive', 'negatives'))
