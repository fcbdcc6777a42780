"""Pairs of answers, of which one is preferred: sequences of token ids, judged by a reward or by their probability."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.parts.patches import take
from jssl.parts.schedules import at
from jssl.terms.masked import stateless
from jssl.types import Array, Keys, Objective, Term, fold


def rewarded(
  *, objective: Objective, chosen: str = 'chosen', rejected: str = 'rejected', encoder: str = 'backbone', head: str = 'reward'
) -> Term:
  """A number for each answer, higher for the preferred one: a reward model.

  Args:
    objective: (chosen: [b], rejected: [b]) -> [b] or scalar.
    chosen, rejected: columns of ids, [b n].
    head: pooled [b d] -> [b 1].
  """

  def encode(nets, target, batch, keys):
    del target
    score = lambda column, i: nets[head](nets[encoder](batch[column], keys=fold(keys, i)).pooled)[:, 0]
    return {'chosen': score(chosen, 0), 'rejected': score(rejected, 1)}

  def judge(nets, encoded, state, key, step):
    c, r = encoded['chosen'], encoded['rejected']
    return jnp.mean(at(objective, step)(c, r)), (state, {'accuracy': jnp.mean(c > r), 'margin': jnp.mean(c - r)})

  return Term(stateless, encode, judge)


def imitated(*, objective: Objective, start: int, column: str = 'chosen', encoder: str = 'backbone') -> Term:
  """Answers are told token by token: supervised fine-tuning.

  Args:
    objective: (logits: [b m v], tokens: [b m], mask: [b m]) -> [b] or scalar.
    start: place of the answer's first token.
    column: of ids, [b n].
    encoder: with `logits`.
  """

  def encode(nets, target, batch, keys):
    del target
    ids, net = batch[column], nets[encoder]
    logits = net.logits(net(ids, keys=keys).tokens[:, start - 1 : -1])
    return {'logits': logits, 'tokens': ids[:, start:], 'mask': ids[:, start:] != 0}

  def judge(nets, encoded, state, key, step):
    return jnp.mean(at(objective, step)(encoded['logits'], encoded['tokens'], encoded['mask'])), (state, {})

  return Term(stateless, encode, judge)


def compared(
  *,
  objective: Objective,
  start: int,
  chosen: str = 'chosen',
  rejected: str = 'rejected',
  encoder: str = 'backbone',
  lengths: bool = False,
) -> Term:
  """The policy's probabilities of both answers, beside those of a reference, its target copy: DPO and its kin.

  Args:
    objective: (chosen, rejected, reference_chosen, reference_rejected: [b] log-probabilities) -> [b] or scalar, and with
      `lengths` the answers' numbers of tokens as chosen_length, rejected_length [b].
    start: place of the answer's first token.
    chosen, rejected: columns of ids, [b n].
    encoder: with `logits`; the method's teacher has its copy.
  """

  def encode(nets, target, batch, keys):
    del keys
    columns = batch[chosen], batch[rejected]
    own = [log_probability(nets[encoder], ids, start) for ids in columns]
    reference = [log_probability(target[encoder], ids, start) for ids in columns]
    count = [jnp.sum(ids[:, start:] != 0, 1).astype(jnp.float32) for ids in columns]
    return {'own': own, 'reference': jax.lax.stop_gradient(reference), 'count': count}

  def judge(nets, encoded, state, key, step):
    (c, r), (rc, rr) = encoded['own'], encoded['reference']
    given = dict(zip(('chosen_length', 'rejected_length'), encoded['count'], strict=True)) if lengths else {}
    shift = jnp.mean(c - rc) - jnp.mean(r - rr)
    return jnp.mean(at(objective, step)(c, r, rc, rr, **given)), (state, {'accuracy': jnp.mean(c - rc > r - rr), 'margin': shift})

  return Term(stateless, encode, judge)


def goal_rewarded(
  *,
  objectives: Mapping[str, Objective],
  start: int,
  weight_contrast: float = 0.5,
  draws: int = 4,
  chosen: str = 'chosen',
  rejected: str = 'rejected',
  encoder: str = 'backbone',
  head: str = 'reward',
) -> Term:
  """A reward model whose states lead to the later states of preferred answers, and not to those of others.

  Args:
    objectives: reward, as in `rewarded`, and contrast, (source, goal, other_source, other_goal: [b s d]) -> [b] or scalar.
    start: place of the answer's first token.
    weight_contrast: of the second objective against the first.
    draws: s, tokens of each kind.
    chosen, rejected: columns of ids, [b n], without padding.

  Reference: Nath et al. 2024, arXiv:2407.13887, section 3.
  """

  def encode(nets, target, batch, keys):
    del target
    one, other = (nets[encoder](batch[column], keys=fold(keys, i)) for i, column in enumerate((chosen, rejected)))
    score = lambda z: nets[head](z.pooled)[:, 0]
    n = batch[chosen].shape[1]
    source, goal = _ordered_places(fold(keys, 2), draws, start, n)
    again, elsewhere = (_places(fold(keys, i), draws, start, n) for i in (3, 4))
    states = [take(x.tokens, p) for x, p in ((one, source), (one, goal), (one, again), (other, elsewhere))]
    return {'chosen': score(one), 'rejected': score(other), 'states': states}

  def judge(nets, encoded, state, key, step):
    c, r = encoded['chosen'], encoded['rejected']
    reward = jnp.mean(at(objectives['reward'], step)(c, r))
    contrast = jnp.mean(at(objectives['contrast'], step)(*encoded['states']))
    return reward + weight_contrast * contrast, (state, {'reward': reward, 'contrast': contrast, 'accuracy': jnp.mean(c > r)})

  return Term(stateless, encode, judge)


def log_probability(net, ids: Array, start: int) -> Array:
  """Log-probability of the tokens of [b n] from `start` on, padding left out, [b]."""
  logp = jax.nn.log_softmax(net.logits(net(ids).tokens[:, start - 1 : -1]))
  told = jnp.take_along_axis(logp, ids[:, start:, None], -1)[..., 0]
  return jnp.sum(jnp.where(ids[:, start:] != 0, told, 0), 1)


def _places(keys: Keys, count: int, start: int, n: int) -> Array:
  return jax.vmap(lambda key: jax.random.randint(key, (count,), start, n))(keys)


def _ordered_places(keys: Keys, count: int, start: int, n: int) -> tuple[Array, Array]:
  """Sources, all before the last place, and goals after the latest of them, [b s] each: every source meets every goal."""

  def draw(key):
    cut, before, after = jax.random.split(key, 3)
    edge = jax.random.randint(cut, (), start + 1, n)
    return jax.random.randint(before, (count,), start, edge), jax.random.randint(after, (count,), edge, n)

  return jax.vmap(draw)(keys)
