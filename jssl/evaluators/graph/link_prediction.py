"""Link prediction in a knowledge graph."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import ranks
from jssl.types import Key


@protocol(
  '1',
  needs=('{split}.head', '{split}.relation', '{split}.tail', 'nets.{entities}', 'nets.{relations}'),
  raw=False,
  fits=needs.entities,
)
def link_prediction(
  subject: Subject, key: Key | None = None, *, split: str = 'test', entities: str = 'backbone', relations: str = 'relations',
  mirrored: bool = False, batch_size: int = 256,
) -> dict[str, float]:  # fmt: skip
  """The `link_prediction` protocol: the rank of the true tail and of the true head of each triple among all entities.

  Entities that form another true triple of the data are excluded. Ties get the mean of the best and the worst rank, so a model with constant
  scores ranks in the middle.

  Args:
    subject: has the splits 'train', `split` and possibly others, of triples head, relation, tail.
    key: unused; the protocol is deterministic.
    split: the triples to rank.
    entities: the network that maps entities to vectors.
    relations: the network (h, relation, t) -> scores.
    mirrored: rank only the triples (h, r, t) whose mirror (t, r, h) is in 'train', which tell whether symmetry is learned.
    batch_size: triples scored at once; memory is proportional to this times the number of entities.

  Returns:
    mrr, mean_rank, hits1, hits3, hits10 over both sides, and the mrr of each side: mrr_head, mrr_tail.

  Raises:
    ValueError: if scores are not finite, or no triple has its mirror in 'train'.

  Reference: Bordes, Usunier, Garcia-Duran, Weston, Yakhnenko 2013, doi:10.5555/2999792.2999923, section 4 (filtered ranks);
  Berrendorf, Faerman, Vermue, Tresp 2020, arXiv:2002.06914, section 3 (realistic rank).
  """
  n, (table, score) = subject.data.spec['head'].size, (subject.networks[name] for name in (entities, relations))
  columns = lambda s: np.stack([np.asarray([row[c] for row in s], np.int32) for c in ('head', 'relation', 'tail')], 1)
  known = np.concatenate([columns(s) for s in subject.data.splits.values()])
  asked = columns(subject.data.splits[split])
  if mirrored:
    there = {*map(tuple, columns(subject.data.splits['train'])[:, ::-1].tolist())}
    asked = asked[[tuple(triple) in there for triple in asked.tolist()]]
    if not len(asked):
      raise ValueError(f"no triple of {split!r} has its mirror in 'train'; leave out mirrored=True")
  everything = jnp.arange(n)

  @jax.jit
  def scores(h, r, t):
    """Scores [b n] of (h, r, any) and of (any, r, t)."""
    vectors = lambda ids: table(ids).pooled
    h, t, e, r = vectors(h)[:, None], vectors(t)[:, None], vectors(everything), r[:, None]
    return score(h, r, e), score(e, r, t)

  found = {'tail': [], 'head': []}
  others = {side: _answers(known, given) for side, given in (('tail', (0, 1)), ('head', (1, 2)))}
  for start in range(0, len(asked), batch_size):
    part = asked[start : start + batch_size]
    padded = np.pad(part, ((0, batch_size - len(part)), (0, 0)), mode='edge')
    for side, given, true, s in zip(('tail', 'head'), ((0, 1), (1, 2)), (2, 0), scores(*padded.T), strict=True):
      keep = np.ones((len(part), n), bool)
      for i, triple in enumerate(part):
        keep[i, others[side][tuple(triple[list(given)])]] = False
      found[side].append(ranks(finite(s, f'the scores of {relations!r}')[: len(part)], part[:, true], keep))
  head, tail = (np.concatenate(found[side]) for side in ('head', 'tail'))
  both = np.concatenate([head, tail])
  hits = {f'hits{k}': float(np.mean(both <= k)) for k in (1, 3, 10)}
  mrr = lambda rank: float(np.mean(1 / rank))
  return {'mrr': mrr(both), 'mean_rank': float(both.mean()), **hits, 'mrr_head': mrr(head), 'mrr_tail': mrr(tail)}


def _answers(known: np.ndarray, given: tuple[int, int]) -> dict[tuple[int, int], list[int]]:
  """(values of the two given columns) -> all values of the third column in the data."""
  (asked,) = {0, 1, 2} - {*given, 1}
  found: dict[tuple[int, int], list[int]] = {}
  for triple in known:
    found.setdefault((triple[given[0]], triple[given[1]]), []).append(triple[asked])
  return found
