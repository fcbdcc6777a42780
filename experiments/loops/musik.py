"""MusIK on a rich-observation combination lock: a policy cover, layer by layer, from multi-step inverse kinematics.

For a layer h and t = h - 1, ..., 0: a policy of the cover of t plays up to t, then an action and a policy from t + 1 to h
are drawn; f tells both from x_t and a code of x_h. For each code the arg max of f is how to get there from x_t.
The data of a fit depend on the fits before it, so there is no one loss a step.

Reference: Mhammedi, Foster, Rakhlin, ICML 2023, arXiv:2304.05889, Algorithms 1 and 2.
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from jssl import tables
from jssl.objectives import double_dqn, musik
from jssl.types import Loop


def loop(
  *, seed: int, horizon: int = 5, actions: int = 10, noise: float = 0.1, codes: int = 3, episodes: int = 2000, steps: int = 400,
  width: int = 64, judged: int = 512, environment: str = 'combination_lock',
) -> Loop:  # fmt: skip
  """Returns of MusIK, of its one-step form, of Q-learning and of chance, after the same number of episodes.

  A step fits the inverse kinematics of one layer, cover_LAYER and one_step_LAYER; q_learning is one step. A row has return (the mean
  reward of the best policy found), reached (the mean of all), decoded (accuracy of the codes of the last layer at telling good states
  from lost ones) and the episodes played.

  Args:
    seed: of the lock, of all networks and draws.
    horizon: layers of the lock.
    actions: actions of the lock.
    noise: in what is observed.
    codes: how many states a layer is said to have.
    episodes: played for each fit.
    steps: gradient steps of each fit.
    width: of the hidden layers.
    judged: episodes by which a policy is judged.
    environment: of the table of environments, with layers as those of `combination_lock`.
  """
  lock = tables.TABLES['environments'][environment](horizon=horizon, actions=actions, noise=noise, seed=seed)
  key = jax.random.key(seed)
  shape = jax.eval_shape(lambda: lock.observe(lock.reset(key), key)).shape[0]
  fits = horizon * (horizon + 1) // 2
  init = partial(_init, inputs=shape, width=width, actions=actions, codes=codes)

  def inverse(net, x, later):
    """log p(a, i | x, x') = log sum_j phi_j(x') f(a, i | x, j), [a i]."""
    paths = jax.vmap(lambda j: _paths(net, x, j, actions))(jnp.arange(codes))
    return jax.nn.logsumexp(jax.nn.log_softmax(_code(net, later))[:, None, None] + paths, 0)

  def loss(net, data):
    logits = jax.vmap(partial(inverse, net))(data['x'], data['later'])
    return jnp.mean(musik(logits, actions=data['action'], policies=data['policy']))

  def chained(back, t, code):
    """[horizon + 1] the code asked of each layer up to t, so that t has `code`: that of a layer before is the one that leads there."""
    down = lambda asked, h: (jnp.where(h <= t, back[h, asked], asked), asked)
    return jnp.append(0, jax.lax.scan(down, code, jnp.arange(horizon, 0, -1))[1][::-1])

  def play(states, target, t, code, key, alone):
    """One episode to layer `target`, the action at t drawn; with t = target nothing is drawn. One step alone, `code` is that of layer t."""
    nets, asked_of = states['nets'], chained(states['back'], t, code)

    def one(carry, s):
      state, code, drawn = carry
      see, go, draw, first = jax.random.split(jax.random.fold_in(key, s), 4)
      x = lock.observe(state, see)
      fresh = jax.random.randint(draw, (), 0, codes)
      layer = jnp.where(alone, s + 1, jnp.where(s < t, t, target))  # one step alone: what was learned of the next layer
      asked = jnp.where(alone, asked_of[s + 1], code)
      a, j = jnp.unravel_index(jnp.argmax(_paths(jax.tree.map(lambda p: p[layer, s], nets), x, asked, actions)), (actions, codes))
      a = jnp.where(s == t, lock.draw(first), a).astype(jnp.int32)
      j = jnp.where(alone, code, jnp.where(s == t, fresh, j)).astype(jnp.int32)
      there, reward, _ = lock.step(state, a, go)
      there = jax.tree.map(lambda new, old: jnp.where(s < target, new, old), there, state)
      drawn = jax.tree.map(lambda new, old: jnp.where(s == t, new, old), (x, a, j), drawn)
      return (there, j, drawn), jnp.where(s < target, reward, 0.0)

    start, last = jax.random.split(key)
    empty = jnp.zeros(shape), jnp.int32(0), jnp.int32(0)
    (state, _, (x, a, i)), reward = jax.lax.scan(one, (lock.reset(start), code, empty), jnp.arange(horizon))
    return dict(x=x, action=a, policy=i, later=lock.observe(state, last), good=state.state < 2, reward=reward.sum())

  @partial(jax.jit, static_argnames='n')
  def played(states, target, t, key, n, alone):
    code = jax.random.randint(jax.random.fold_in(key, 0), (n,), 0, codes)
    data = jax.vmap(partial(play, states, target, t, alone=alone))(code, jax.random.split(key, n))
    return data | dict(code=code)

  @jax.jit
  def fit(states, h, t, data):
    nets, back = states['nets'], states['back']
    net = _minimize(loss, jax.tree.map(lambda p: p[h, t], nets), data, jax.random.fold_in(key, h * 100 + t), steps)
    # For each code of layer h, the policy of the cover of t after which it is seen most often.
    seen = jax.nn.softmax(jax.vmap(partial(_code, net))(data['later'])).T @ jax.nn.one_hot(data['policy'], codes)
    nets = jax.tree.map(lambda p, new: p.at[h, t].set(new), nets, net)
    return dict(nets=nets, back=back.at[h].set(jnp.argmax(seen, 1).astype(jnp.int32)))

  def layer(name, h, alone, states):
    """The networks with those of layer h fitted, and for one step alone, which code of the layer before leads to each code, `back`."""
    n = episodes * fits // horizon if alone else episodes
    if h == 1:
      nets = jax.jit(jax.vmap(jax.vmap(init)))(jax.random.split(jax.random.fold_in(key, 1), (horizon + 1, horizon)))
      found = dict(nets=nets, back=jnp.zeros((horizon + 1, codes), jnp.int32))
    else:
      found = states[f'{name}_{h - 1}']
    for t in [h - 1] if alone else reversed(range(h)):
      found = fit(found, h, t, played(found, h, t, jax.random.fold_in(key, h * 100 + t), n, alone))
    return found

  def judge(found, alone):
    chosen = _by_code(played(found, horizon, horizon, jax.random.fold_in(key, 2), codes * judged, alone), codes)
    data = played(found, horizon, horizon, jax.random.fold_in(key, 3), codes * judged, alone)
    net = jax.tree.map(lambda p: p[horizon, horizon - 1 if alone else 0], found['nets'])
    said = jnp.argmax(jax.vmap(partial(_code, net))(data['later']), 1)
    good = jax.nn.one_hot(said, codes).T @ jnp.stack([data['good'], ~data['good']], 1).astype(jnp.float32)
    return {
      'return': float(_by_code(data, codes)[jnp.argmax(chosen)]), 'reached': float(data['reward'].mean()),
      'decoded': float(good.max(1).sum() / good.sum()), 'episodes': float(episodes * fits),
    }  # fmt: skip

  chance = jax.jit(lambda key: _episodes(lock, None, key, horizon, 1.0, 8 * judged)['reward'].sum(1).mean())
  options = dict(horizon=horizon, rounds=fits, episodes=episodes, steps=steps, width=width, actions=actions, judged=judged)
  learn = lambda states: {'return': jnp.float32(_q_learning(lock, key, **options))}

  def rows(states):
    none, valued = float(chance(jax.random.fold_in(key, 4))), float(states['q_learning']['return'])
    return {
      'musik': judge(states[f'cover_{horizon}'], False), 'one_step': judge(states[f'one_step_{horizon}'], True),
      'q_learning': {'return': valued, 'reached': valued, 'episodes': float(episodes * fits)},
      'random_init': {'return': none, 'reached': none, 'episodes': 0.0},
    }  # fmt: skip

  covers = [(name, h, alone) for name, alone in (('cover', False), ('one_step', True)) for h in range(1, horizon + 1)]
  return Loop([*((f'{name}_{h}', partial(layer, name, h, alone)) for name, h, alone in covers), ('q_learning', learn)], rows)


def _init(key, *, inputs, width, actions, codes):
  keys, draw = jax.random.split(key, 5), jax.nn.initializers.he_normal()
  layer = lambda k, a, b: {'kernel': draw(k, (a, b)), 'bias': jnp.zeros(b)}
  return {
    'paths1': layer(keys[0], inputs, width), 'code': draw(keys[1], (codes, width)), 'paths2': layer(keys[2], width, actions * codes),
    'decoder1': layer(keys[3], inputs, width), 'decoder2': layer(keys[4], width, codes),
  }  # fmt: skip


def _linear(layer, x):
  return x @ layer['kernel'] + layer['bias']


def _paths(net, x, j, actions):
  """log f(a, i | x, j), [a i]."""
  hidden = jax.nn.relu(_linear(net['paths1'], x) + net['code'][j])
  return jax.nn.log_softmax(_linear(net['paths2'], hidden)).reshape(actions, -1)


def _code(net, x):
  return _linear(net['decoder2'], jax.nn.relu(_linear(net['decoder1'], x)))


def _minimize(loss, net, data, key, steps, rate=5e-3, decay=1e-2, batch_size=256):
  optimizer = optax.adamw(optax.cosine_decay_schedule(rate, steps), weight_decay=decay)

  def one(carry, key):
    net, opt = carry
    rows = jax.random.randint(key, (batch_size,), 0, len(data['x']))
    updates, opt = optimizer.update(jax.grad(loss)(net, jax.tree.map(lambda x: x[rows], data)), opt, net)
    return (optax.apply_updates(net, updates), opt), None

  return jax.lax.scan(one, (net, optimizer.init(net)), jax.random.split(key, steps))[0][0]


def _by_code(data, codes):
  """[codes] the mean reward of each policy of a cover."""
  chosen = jax.nn.one_hot(data['code'], codes)
  return data['reward'] @ chosen / jnp.maximum(chosen.sum(0), 1)


def _value(net, x):
  return _linear(net['q2'], jax.nn.relu(_linear(net['q1'], x)))


def _episodes(lock, net, key, horizon, epsilon, n):
  """[n horizon] transitions of the action of highest value, or with probability epsilon any."""

  def one(state, key):
    see, astray, draw, go, again = jax.random.split(key, 5)
    x = lock.observe(state, see)
    best = lock.draw(draw) if net is None else jnp.argmax(_value(net, x)).astype(jnp.int32)
    a = jnp.where(jax.random.bernoulli(astray, epsilon), lock.draw(draw), best)
    there, reward, done = lock.step(state, a, go)
    return there, dict(x=x, action=a, reward=reward, done=done, later=lock.observe(there, again))

  play = lambda key: jax.lax.scan(one, lock.reset(key), jax.random.split(key, horizon))[1]
  return jax.vmap(play)(jax.random.split(key, n))


def _q_learning(lock, key, *, horizon, rounds, episodes, steps, width, actions, judged, epsilon=0.2, discount=0.99):
  """Return of the greedy policy after as many episodes and gradient steps, epsilon-greedy, with replay of all of them."""
  keys = jax.random.split(jax.random.fold_in(key, 5), 4)
  inputs, draw = jax.eval_shape(lambda: lock.observe(lock.reset(key), key)).shape[0], jax.nn.initializers.he_normal()
  layer = lambda k, a, b: {'kernel': draw(k, (a, b)), 'bias': jnp.zeros(b)}
  net = {'q1': layer(keys[0], inputs, width), 'q2': layer(keys[1], width, actions)}
  optimizer = optax.adam(1e-3)

  def loss(net, target, data):
    after = _value(target, data['later'])
    return jnp.mean(double_dqn(
      _value(net, data['x']), _value(net, data['later']), after, actions=data['action'], rewards=data['reward'],
      discounts=discount * (1 - data['done']),
    ))  # fmt: skip

  @jax.jit
  def one_round(net, opt, replay, number):
    key = jax.random.fold_in(keys[2], number)
    fresh = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), _episodes(lock, net, key, horizon, epsilon, episodes))
    size = episodes * horizon
    replay = jax.tree.map(lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, number * size, 0), replay, fresh)

    def one(carry, key):
      online, opt = carry
      rows = jax.random.randint(key, (256,), 0, (number + 1) * size)
      updates, opt = optimizer.update(jax.grad(loss)(online, net, jax.tree.map(lambda x: x[rows], replay)), opt)
      return (optax.apply_updates(online, updates), opt), None

    (net, opt), _ = jax.lax.scan(one, (net, opt), jax.random.split(key, steps))
    return net, opt, replay

  shapes = jax.eval_shape(lambda: _episodes(lock, net, key, horizon, epsilon, episodes))
  replay = jax.tree.map(lambda x: jnp.zeros((rounds * episodes * horizon, *x.shape[2:]), x.dtype), shapes)
  opt = optimizer.init(net)
  for number in range(rounds):
    net, opt, replay = one_round(net, opt, replay, number)
  return float(jax.jit(lambda net, key: _episodes(lock, net, key, horizon, 0.0, judged)['reward'].sum(1).mean())(net, keys[3]))
