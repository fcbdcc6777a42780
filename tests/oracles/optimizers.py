"""Optimisers in NumPy loops over single arrays, from their papers and official code: a layer of stacked blocks is an array of its own."""

import math

import numpy as np

EACH = 1e-6


def arrays(tree, path=()):
  """name -> the arrays of it, several for stacked blocks."""
  for key, x in tree.items():
    if isinstance(x, dict):
      yield from arrays(x, (*path, key))
    else:
      x = np.asarray(x, np.float64)
      yield '.'.join((*path, key)), list(x) if 'blocks' in path else [x]


def train(rule, params, grads, *, rate, decay, factor, decayed, start, momentum=lambda t: 0.9, clip=None, clip_each=None):
  """Parameters after as many steps as there are gradients.

  Args:
    rule: (w, g, state, t, rate, decay, momentum) -> w, where t counts this array's updates from 1.
    params, grads: nested dicts, and a list of them.
    rate, decay, momentum: step -> value.
    factor: (name, layer) -> factor on the rate; 0 for what is frozen.
    decayed: name -> factor on the weight decay.
    start: name -> first step of its updates.
    clip: global norm, of all that is not frozen.
    clip_each: norm of each array; `utils.clip_gradients` of DINO.
  """
  held = {(name, i): x for name, of in arrays(params) for i, x in enumerate(of)}
  states = {at: {} for at in held}
  for step, tree in enumerate(grads):
    g = {(name, i): x for name, of in arrays(tree) for i, x in enumerate(of) if factor(name, i)}
    if clip_each:
      g = {at: x * min(1, clip_each / (np.sqrt((x**2).sum()) + EACH)) for at, x in g.items()}
    if clip:
      norm = math.sqrt(sum((x**2).sum() for x in g.values()))
      g = {at: x * min(1, clip / norm) for at, x in g.items()}
    for (name, i), x in g.items():
      if step >= start(name):
        at = (rate(step) * factor(name, i), decay(step) * decayed(name), momentum(step))
        held[name, i] = rule(held[name, i], x, states[name, i], step - start(name) + 1, *at)
  return held


def norm(x):
  return np.sqrt((x**2).sum())


def adam(g, state, t, b1, b2, eps, correct=True):
  state['m'] = b1 * state.get('m', 0) + (1 - b1) * g
  state['v'] = b2 * state.get('v', 0) + (1 - b2) * g**2
  m, v = (state['m'] / (1 - b1**t), state['v'] / (1 - b2**t)) if correct else (state['m'], state['v'])
  return m / (np.sqrt(v) + eps)


def adamw(b1=0.9, b2=0.999, eps=1e-8):
  def rule(w, g, state, t, rate, decay, momentum):
    return w - rate * decay * w - rate * adam(g, state, t, b1, b2, eps)

  return rule


def sgd(nesterov=False):
  def rule(w, g, state, t, rate, decay, momentum):
    g = g + decay * w
    state['v'] = momentum * state['v'] + g if state else g
    return w - rate * (g + momentum * state['v'] if nesterov else state['v'])

  return rule


def adagrad():
  def rule(w, g, state, t, rate, decay, momentum):
    state['sum'] = state.get('sum', 0) + g**2
    return w - rate * g / np.sqrt(state['sum'] + 1e-10)

  return rule


def lars(form='simclr', nesterov=False, trust=0.001, eps=0.0, trust_clip=False, always_adapt=False):
  def rule(w, g, state, t, rate, decay, momentum):
    joint = g + decay * w
    ratio = 1.0
    if decay or always_adapt:
      size = norm(g) + decay * norm(w) + eps if form == 'larc' else norm(joint) + eps
      ratio = trust * norm(w) / size if norm(w) > 0 and size > 0 else 1.0
      ratio = min(ratio / rate, 1.0) if trust_clip else ratio
    if form == 'simclr':
      step = rate * ratio * joint
      state['v'] = momentum * state.get('v', 0) + step
      return w - (momentum * state['v'] + step if nesterov else state['v'])
    step = ratio * joint
    state['v'] = momentum * state.get('v', 0) + step
    return w - rate * (step + momentum * state['v'] if nesterov else state['v'])

  return rule


def lamb(b1=0.9, b2=0.999, eps=1e-6, bias_correction=True, trust_clip=False, always_adapt=True):
  def rule(w, g, state, t, rate, decay, momentum):
    u = adam(g, state, t, b1, b2, eps, bias_correction) + decay * w
    ratio = norm(w) / norm(u) if (decay or always_adapt) and norm(w) > 0 and norm(u) > 0 else 1.0
    return w - rate * (min(ratio, 1.0) if trust_clip else ratio) * u

  return rule
