"""Passages found by the vectors of single tokens, and a teacher that reads the translation."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.parts.gradients import l2_normalize
from jssl.parts.late import late_interaction
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Array, Keys, Objective, Term, fold


def late_contrast(
  *, objective: Objective, query: str = 'query', passage: str = 'ids', encoder: str = 'backbone', head: str = 'projector'
) -> Term:
  """Each query finds its passage among those of the batch (ColBERT).

  Args:
    objective: (scores: [b b], labels=[b]) -> [b] or scalar.
    query, passage: columns of ids, 0 being padding.
    encoder, head: ids -> Features, tokens -> [b n d].
  """

  def encode(nets, target, batch, keys):
    del target
    vectors = lambda column, i: _vectors(nets, encoder, head, batch[column], fold(keys, i))
    return {'q': vectors(query, 0), 'p': vectors(passage, 1), 'mask': batch[passage] != 0}

  def judge(nets, encoded, state, key, step):
    del nets, key
    score = late_interaction(encoded['q'], encoded['p'], encoded['mask'])
    right = jnp.arange(len(score))
    return jnp.mean(at(objective, step)(score, labels=right)), (state, {'top1': jnp.mean(jnp.argmax(score, 1) == right)})

  return Term(stateless, encode, judge)


def late_distilled(
  *,
  objectives: Mapping[str, Objective],
  query: str = 'cipher',
  translation: str = 'query',
  passage: str = 'ids',
  weight_relevance: float = 1.0,
  weight_query: float = 1.0,
  weight_passage: float = 1.0,
  encoder: str = 'backbone',
  head: str = 'projector',
) -> Term:
  """A student ranks passages, and places tokens, as its target does that reads the query's translation (DR.DECR).

  Args:
    objectives: relevance, (student, teacher: [b b] scores) -> [b] or scalar; query, (student, teacher: [b n d]) -> the same,
      which matches the tokens of the two languages; passage, (student, teacher: [b m d]) -> the same, of the same tokens.
    query: column of ids that the student reads.
    translation: column of ids that the target reads.
    passage: column of ids that both read; the passages of the batch are what is ranked.
    weight_relevance, weight_query, weight_passage: of the three.
    encoder, head: as in `late_contrast`; the method's teacher has a copy of both.

  Reference: Li et al., NAACL 2022, arXiv:2112.08185, section 3.
  """

  def encode(nets, target, batch, keys):
    vectors = lambda nets, column, i: _vectors(nets, encoder, head, batch[column], None if i is None else fold(keys, i))
    student = {'q': vectors(nets, query, 0), 'p': vectors(nets, passage, 1)}
    teacher = {'q': vectors(target, translation, None), 'p': vectors(target, passage, None)}
    return {'student': student, 'teacher': jax.lax.stop_gradient(teacher), 'mask': batch[passage] != 0}

  def judge(nets, encoded, state, key, step):
    del nets, key
    s, t, mask = encoded['student'], encoded['teacher'], encoded['mask']
    told = lambda name, *given, **more: jnp.mean(at(objectives[name], step)(*given, **more))
    relevance = told('relevance', *(late_interaction(x['q'], x['p'], mask) for x in (s, t)))
    near, same = told('query', s['q'], t['q']), told('passage', s['p'], t['p'], mask=mask)
    loss = weight_relevance * relevance + weight_query * near + weight_passage * same
    return loss, (state, {'relevance': relevance, 'query': near, 'passage': same})

  return Term(stateless, encode, judge)


def _vectors(nets, encoder: str, head: str, ids: Array, keys: Keys | None) -> Array:
  return l2_normalize(nets[head](nets[encoder](ids, keys=keys).tokens))
