"""Configs that compile in a moment, and one step of them."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.core.build import plan
from jssl.core.step import init_state
from jssl.testing import first_batch

B = 8


def tiny(**changes) -> dict:
  """Two noisy views of digits through a small perceptron: the passes `views`, and the loss `near` over (0, 1)."""
  c = dict(
    data=dict(name='digits'), batch_size=B, steps=8, seed=0,
    backbone=dict(name='mlp_backbone', widths=(6,), norm='none'), heads=dict(projector=dict(name='linear', dim=4)),
    view=dict(name='shaken'), inputs=dict(name='plain'),
    passes=dict(views=dict(name='embed', heads=('projector',))),
    losses=dict(near=dict(name='alignment', of=('views.q', 'views.k'), pairs=((0, 1),))),
    optimizer=dict(name='sgd', learning_rate=0.1),
  )  # fmt: skip
  for key, value in changes.items():
    merged = isinstance(value, dict) and key in ('heads', 'passes', 'losses')
    c[key] = {**c[key], **value} if merged else value
  return c


def shaken(keys, batch, *, count: int = 2):
  """The images with a little noise, `count` times."""
  x = batch['image'].astype(jnp.float32) / 255
  draw = lambda i: jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, i), x.shape[1:]))(keys)
  return tuple(x + 0.3 * draw(i) for i in range(count))


class Started:
  """A plan with the state at its start and its first batch."""

  def __init__(self, config: dict, phase: int = 0, turn: int = 0):
    self.plan = plan(config)
    self.phase = self.plan.phases[phase]
    self.method = self.phase.turns[turn].method
    state = jax.jit(lambda: init_state(self.plan.phases[0], jax.random.key(0)))()
    self.params, self.state = state.params, state.state
    self.batch = {name: jnp.asarray(x) for name, x in first_batch(self.plan).items()}

  def loss(self, step: int = 0, key: int = 1, params=None, state=None):
    """(loss, (state, metrics)) of one step."""
    given = self.params if params is None else params, self.state if state is None else state
    return jax.jit(self.method.loss)(*given, self.batch, jax.random.key(key), jnp.int32(step))

  def figures(self, **options) -> dict[str, float]:
    loss, (_, metrics) = self.loss(**options)
    return {name: float(x) for name, x in {**metrics, 'total': loss}.items()}

  def gradient(self, step: int = 0):
    grad = jax.jit(jax.grad(self.method.loss, has_aux=True))
    return grad(self.params, self.state, self.batch, jax.random.key(1), jnp.int32(step))[0]

  def flops(self) -> float:
    loss = lambda params, state, batch, key: self.method.loss(params, state, batch, key, jnp.int32(0))[0]
    given = self.params, self.state, self.batch, jax.random.key(1)
    return jax.jit(loss).lower(*given).compile().cost_analysis()['flops']


def size(tree) -> float:
  return float(sum(np.abs(x).sum() for x in jax.tree.leaves(tree)))
