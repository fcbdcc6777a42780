"""Learning from comparisons: a supervised policy, a reward model on top of it, and policies that are trained or picked by the reward.

The answers are sums worked out step by step. The comparisons are noisy; the share of right steps, which nothing is trained
on, is what they are about.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jssl import tables
from jssl.core import nets
from jssl.data.preference.chains import VOCABULARY
from jssl.models.heads.projection import Linear
from jssl.models.text.transformer import CausalLm
from jssl.objectives import bradley_terry, gae, ppo_clip, token_cross_entropy
from jssl.types import Loop

TERMS, START, WIDTH = 3, 5, 48  # steps of an answer, the place of the first, width of the networks


def loop(
  *, seed: int, examples: int = 20000, flipped: float = 0.15, steps: int = 300, rewarded: int = 600, rounds: int = 60, best_of: int = 8,
  cold: float = 0.01, data: str = 'chains',
) -> Loop:  # fmt: skip
  """Rows `supervised`, `best_of_8`, `tldr` (PPO with beta 0.5), `beta_0`, `beta_0.05`, and `random_init`.

  The steps are supervised, judge (the reward model), and a policy for each beta. A row has gold, the mean share of right steps of answers at
  temperature `cold`; proxy, their mean reward; kl, of the policy to the supervised one, an answer at temperature 1: log n - (n - 1)/n for the
  best of n, which are drawn at temperature 1.

  Args:
    seed: of the answers, of all networks and draws.
    examples: answers to imitate, and as many comparisons; both are seen about once.
    flipped: share of them that say the opposite.
    steps: of supervised fine-tuning.
    rewarded: steps of the reward model.
    rounds: of PPO, 64 answers each.
    best_of: n, of which the answer of highest reward is taken.
    cold: temperature at which policies are judged; 0.01 as in the official code, so that none wins by being sharper.
    data: of the table of data sets; with the columns and the `mark` of chains.
  """
  data = tables.TABLES['data'][data](terms=TERMS, train=examples, human=examples, seed=seed)
  train, test = (split.take(np.arange(len(split))) for split in (data.splits['train'], data.splits['test']))
  flip = np.random.RandomState(seed).rand(examples, 1) < flipped
  chosen, rejected = train['chosen'], train['rejected']
  said = dict(chosen=np.where(flip, rejected, chosen), rejected=np.where(flip, chosen, rejected))
  keys = jax.random.split(jax.random.key(seed), 5)

  start = nets.init(_networks(), keys[0])[0]

  def supervise(states):
    return _fit(_imitation, {'lm': start['lm']}, {'ids': train['answer']}, keys[1], steps)

  def compare(states):
    judge = _fit(_comparison, states['supervised'] | {'head': start['head']}, said, keys[2], rewarded)
    mean = _values(judge, train['answer'])[:, -1].mean()
    judge['head']['linear']['bias'] -= mean  # the mean reward of the answers that were imitated is 0
    return judge

  def tune(states, beta):
    return _ppo(states['supervised'], states['judge'], train['answer'], keys[4], beta, rounds)

  def figures(states, policy, n=1):
    judge, supervised = states['judge'], states['supervised']
    ids = _sample(policy, jnp.repeat(test['chosen'], n, 0), keys[3], 1.0 if n > 1 else cold)
    r = _values(judge, ids)[:, -1].reshape(-1, n)
    ids = ids.reshape(len(r), n, -1)[jnp.arange(len(r)), r.argmax(1)]
    kl = np.log(n) - (n - 1) / n if n > 1 else _kl(policy, supervised, _sample(policy, test['chosen'], keys[3]))
    return {'gold': float(1 - data.info['mark'](np.asarray(ids)).mean()), 'proxy': float(r.max(1).mean()), 'kl': float(kl)}

  def rows(states):
    policies = {'random_init': {'lm': start['lm']}, **{name: states[name] for name in ('supervised', *BETAS)}}
    found = {name: figures(states, policy) for name, policy in policies.items()}
    return found | {f'best_of_{best_of}': figures(states, states['supervised'], best_of)}

  tuned = [(name, partial(tune, beta=beta)) for name, beta in BETAS.items()]
  return Loop([('supervised', supervise), ('judge', compare), *tuned], rows)


BETAS = {'tldr': 0.5, 'beta_0': 0.0, 'beta_0.05': 0.05}


def _networks():
  make = dict(
    lm=lambda key: CausalLm(jax.ShapeDtypeStruct((START + TERMS,), jnp.int32), vocabulary=VOCABULARY, width=WIDTH, depth=2, heads=4,
                            std=0.1, rngs=nnx.Rngs(key)),
    head=lambda key: Linear(WIDTH, dim=1, rngs=nnx.Rngs(key)),
  )  # fmt: skip
  return {name: nets.network(create)[0] for name, create in make.items()}


def _bound(params):
  return nets.bind(_networks(), params, {name: {} for name in params}, train=False)


def _logits(policy, ids):
  """[b m v] of the tokens of the answer; what a policy writes is never padding."""
  lm = _bound(policy)['lm']
  return lm.logits(lm(ids, mask=jnp.ones(ids.shape, bool)).tokens[:, START - 1 : -1])


def _told(policy, ids):
  """[b m] log-probabilities of the tokens of the answer."""
  return jnp.take_along_axis(jax.nn.log_softmax(_logits(policy, ids)), ids[:, START:, None], -1)[..., 0]


@jax.jit
def _values(params, ids):
  """[b n] of the head; the last is the reward of a reward model."""
  bound = _bound(params)
  return bound['head'](bound['lm'](ids, mask=jnp.ones(ids.shape, bool)).tokens)[..., 0]


@jax.jit
def _kl(policy, reference, ids):
  logp, other = (jax.nn.log_softmax(_logits(p, ids)) for p in (policy, reference))
  return jnp.mean(jnp.sum(jnp.exp(logp) * (logp - other), (1, 2)))


@jax.jit
def _sample(policy, questions, key, temperature=1.0):
  def write(ids, t):
    token = jax.random.categorical(jax.random.fold_in(key, t), _logits(policy, ids)[:, t] / temperature)
    return ids.at[:, START + t].set(token.astype(ids.dtype)), None

  return jax.lax.scan(write, questions.at[:, START:].set(1), jnp.arange(TERMS))[0]  # causal: what is not yet written is not read


def _imitation(params, batch):
  return token_cross_entropy(_logits(params, batch['ids']), batch['ids'][:, START:])


def _comparison(params, batch):
  return bradley_terry(*(_values(params, batch[name])[:, -1] for name in ('chosen', 'rejected')))


@partial(jax.jit, static_argnames=('loss', 'steps'))
def _fit(loss, params, data, key, steps, rate=3e-3, batch_size=64):
  optimizer = optax.adamw(optax.cosine_decay_schedule(rate, steps), weight_decay=0.01)

  def step(carry, key):
    params, opt = carry
    rows = jax.random.randint(key, (batch_size,), 0, len(jax.tree.leaves(data)[0]))
    batch = jax.tree.map(lambda x: jnp.asarray(x)[rows], data)
    updates, opt = optimizer.update(jax.grad(lambda p: jnp.mean(loss(p, batch)))(params), opt, params)
    return (optax.apply_updates(params, updates), opt), None

  return jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(key, steps))[0][0]


@partial(jax.jit, static_argnames='rounds')
def _ppo(supervised, judge, questions, key, beta, rounds, rate=1e-3, batch_size=64, epochs=4):
  """The policy after `rounds` of answers; the value network is one of its own and starts as the reward model."""
  optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.linear_schedule(rate, 0.0, rounds * epochs)))

  def one(carry, key):
    draw, write = jax.random.split(key)
    rows = jax.random.randint(draw, (batch_size,), 0, len(questions))
    ids = _sample(carry[0]['policy'], questions[rows], write)
    value = lambda params: _values(params['value'], ids)[:, START - 1 : -1]
    old, v = _told(carry[0]['policy'], ids), value(carry[0])
    rewards = (-beta * (old - _told(supervised, ids))).at[:, -1].add(_values(judge, ids)[:, -1])
    a = gae(rewards, v, gamma=1.0, lambda_=0.95)
    whitened = (a - a.mean()) / (a.std() + 1e-8)

    def loss(params):
      return jnp.mean(ppo_clip(_told(params['policy'], ids), old, whitened, clip=0.2)) + jnp.mean((value(params) - a - v) ** 2) / 2

    def update(carry, _):
      params, opt = carry
      updates, opt = optimizer.update(jax.grad(loss)(params), opt, params)
      return (optax.apply_updates(params, updates), opt), None

    return jax.lax.scan(update, carry, length=epochs)[0], None

  params = {'policy': supervised, 'value': judge}
  return jax.lax.scan(one, (params, optimizer.init(params)), jax.random.split(key, rounds))[0][0]['policy']
