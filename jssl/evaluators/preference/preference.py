"""Evaluation of reward models and policies on pairs of answers."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.metrics import roc_auc_score

from jssl.evaluators import needs
from jssl.evaluators.features import finite
from jssl.evaluators.needs import PAIRS
from jssl.evaluators.protocols import protocol
from jssl.evaluators.subject import Subject
from jssl.metrics.ranking import above
from jssl.ops.rows import take
from jssl.types import Key


def _columns(subject: Subject, split: str = 'test') -> dict[str, np.ndarray]:
  examples = subject.data.splits[split]
  return take(examples, np.arange(len(examples)))


@protocol('2', needs=(*PAIRS, 'nets.{encoder}', 'nets.{head}'), raw=False)
def pair_rewards(subject: Subject, key: Key, *, encoder: str = 'backbone', head: str = 'reward') -> dict[str, float]:
  """The `pair_rewards` protocol: how often the preferred answer of the test split has the higher reward.

  Args:
    subject: its test split has the columns chosen and rejected, ids [n].
    key: unused.
    head: pooled [b d] -> [b 1].

  Returns:
    accuracy.
  """
  net, reward = subject.networks[encoder], subject.networks[head]
  score = jax.jit(lambda ids: reward(net(ids).pooled)[:, 0])
  c = _columns(subject)
  return {'accuracy': above(*(finite(score(c[name]), 'the rewards of answers') for name in ('chosen', 'rejected')))}


@protocol('2', needs=(*PAIRS, 'nets.{encoder}.logits'), raw=False, fits=needs.starts)
def pair_likelihoods(subject: Subject, key: Key, *, encoder: str = 'backbone') -> dict[str, float]:
  """The `pair_likelihoods` protocol: how often the preferred answer of the test split has the higher mean log-probability per token.

  Args:
    subject: its test split has the columns chosen and rejected, ids [n], with the `start` of the answers.
    key: unused.
    encoder: has `logits`.

  Returns:
    accuracy.

  Reference: Askell et al. 2021, arXiv:2112.00861, section 3 (imitation learning ranks by mean log-probability).
  """
  net, start = subject.networks[encoder], subject.data.spec['chosen'].start

  @jax.jit
  def score(ids):
    logp = jax.nn.log_softmax(net.logits(net(ids).tokens[:, start - 1 : -1]))
    return jnp.mean(jnp.take_along_axis(logp, ids[:, start:, None], -1)[..., 0], 1)

  c = _columns(subject)
  return {'accuracy': above(*(finite(score(c[name]), 'the likelihoods of answers') for name in ('chosen', 'rejected')))}


@protocol('1', needs=('test.chosen', 'info.mark', 'nets.{encoder}.logits'), raw=False, fits=needs.starts)
def answers(subject: Subject, key: Key, *, encoder: str = 'backbone', temperature: float = 1.0) -> dict[str, float]:
  """The `answers` protocol: samples answers of the policy to the questions of the test split, and marks each step.

  Args:
    subject: its data have start and mark in `info`, as in `chains`.
    key: for sampling.
    encoder: has `logits`.
    temperature: sampling temperature.

  Returns:
    right, the share of correct steps; perfect, the share of answers without an error.
  """
  net, start = subject.networks[encoder], subject.data.spec['chosen'].start

  @jax.jit
  def sample(ids, key):
    def step(ids, place):
      at = net.logits(jnp.take(net(ids).tokens, place - 1, axis=1))
      token = jax.random.categorical(jax.random.fold_in(key, place), at / temperature)
      return ids.at[:, place].set(token.astype(ids.dtype)), at.sum(-1)

    blank = ids.at[:, start:].set(1)  # causal: positions are not read before they are written
    return jax.lax.scan(step, blank, jnp.arange(start, ids.shape[1]))

  written, sums = sample(_columns(subject)['chosen'], key)
  finite(sums.T, 'the logits of tokens')
  written = np.asarray(written)
  slips = subject.data.info['mark'](written)
  return {'right': float(1 - slips.mean()), 'perfect': float(1 - slips.any(1).mean())}


@protocol('2', needs=('train.chosen', *PAIRS, 'nets.{encoder}', 'nets.{head}'), raw=False, fits=needs.starts)
def partial_reward(subject: Subject, key: Key, *, encoder: str = 'backbone', head: str = 'reward') -> dict[str, float]:
  """The `partial_reward` protocol: whether the state in the middle of an answer predicts that the answer is the preferred one.

  Q = cos(h_middle, G), G the mean last state of preferred answers of the train split.

  Args:
    subject: its splits have the columns chosen and rejected, ids [n], with the `start` of the answers.
    key: unused.
    head: tokens [b n d] -> [b n 1].

  Returns:
    goal_auroc, for Q; reward_auroc, for the reward of the unfinished answer; accuracy, for the reward of the complete answer.

  Reference: Nath et al. 2024, arXiv:2407.13887, section 4.
  """
  net, reward = subject.networks[encoder], subject.networks[head]
  states = jax.jit(lambda ids: net(ids).tokens)
  test, train = _columns(subject), _columns(subject, 'train')
  start = subject.data.spec['chosen'].start
  middle = start + (test['chosen'].shape[1] - start) // 2 - 1
  goal = finite(states(train['chosen'][:256]), 'the states of answers')[:, -1].mean(0)
  h = finite(np.concatenate([np.asarray(states(test[name])) for name in ('chosen', 'rejected')]), 'the states of answers')
  preferred = np.arange(len(h)) < len(h) // 2
  at = h[:, middle]
  q = at @ goal / np.maximum(np.linalg.norm(at, axis=1) * np.linalg.norm(goal), 1e-12)
  r = finite(reward(jnp.asarray(h)), 'the rewards of answers')[..., 0]
  whole = r[:, -1].reshape(2, -1)
  return {
    'goal_auroc': float(roc_auc_score(preferred, q)),
    'reward_auroc': float(roc_auc_score(preferred, r[:, middle])),
    'accuracy': above(*whole),
  }
