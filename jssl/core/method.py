"""A method: networks, weighted terms and one teacher rule, flattened to six pure functions."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jssl.core import nets as nnets
from jssl.core.nets import Network, bind, stats_of, tag
from jssl.parts.schedules import value_at
from jssl.types import Batch, Key, Keys, Method, Teacher, Term, View, fold


def example_keys(key: Key, batch: Batch) -> Keys:
  """One key an example, from (seed, epoch, example) alone: not from its place in the batch, nor from who reads it."""
  return jax.vmap(lambda epoch, example: jax.random.fold_in(jax.random.fold_in(key, epoch), example))(
    batch['epoch'], batch['example']
  )


def in_micro_batches(encode, count: int):
  """Runs `encode(batch, keys) -> (encoded, stats)` in `count` micro-batches, recomputing each one in the backward pass.

  Only what is encoded stays alive between the passes (the gradient cache of Gao et al. 2021, arXiv:2101.06983), and
  as the objectives then see the whole batch, the gradient is that of the whole batch. Statistics start from the same
  values in every micro-batch and are averaged, so they move once an update.
  """
  if count == 1:
    return encode

  def run(batch, keys):
    # Every count-th example, not a contiguous block: each device then cuts up its own share and nothing moves.
    cut = lambda x: x.reshape(len(x) // count, count, *x.shape[1:]).swapaxes(0, 1)
    join = lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:])
    encoded, stats = jax.lax.map(lambda part: jax.checkpoint(encode)(*part), jax.tree.map(cut, (dict(batch), keys)))
    return jax.tree.map(join, encoded), jax.tree.map(lambda x: x.mean(0), stats)

  return run


def make_method(
  networks: Mapping[str, Network],
  terms: Mapping[str, Term],
  weights: Mapping[str, Any],
  *,
  batch: Batch,
  inputs: View,
  teacher: Teacher | None = None,
  taught: tuple[str, ...] = (),
  encoder: str = 'backbone',
  from_teacher: bool = False,
  micro_batches: int = 1,
) -> Method:
  """Flattens a method.

  Args:
    networks: every trained network by name.
    terms: training shapes by name; the loss is the sum of their values times `weights` (numbers or schedules).
    batch: shapes of one global batch, from which terms learn the shapes of their state.
    inputs: the view of a batch that `represent` reads.
    teacher: how the target networks follow; None means that terms get no target.
    taught: names of the networks that have a target copy.
    encoder: the network that `represent` calls, its target copy when `from_teacher`.
    micro_batches: number of pieces in which a batch is encoded.
  """

  def encode_all(params, state, batch, keys):
    def encode(batch, keys):
      nets = bind(networks, params, state['stats'])
      target = bind(networks, state['target'], state['target_stats']) if teacher else None
      encoded = {name: jax.named_scope(name)(term.encode)(nets, target, batch, fold(keys, tag(name))) for name, term in terms.items()}
      return encoded, (stats_of(nets), stats_of(target or {}))

    return in_micro_batches(encode, micro_batches)(batch, keys)

  def init(key):
    params, stats = nnets.init(networks, jax.random.fold_in(key, tag('networks')))
    state = {
      'stats': stats,
      'target': jax.tree.map(jnp.copy, {name: params[name] for name in taught}),
      'target_stats': jax.tree.map(jnp.copy, {name: stats[name] for name in taught}),
    }
    encoded, _ = jax.eval_shape(lambda b: encode_all(params, state, b, example_keys(key, b)), batch)
    state['terms'] = {
      name: term.init(jax.random.fold_in(key, tag(name)), encoded[name]) for name, term in terms.items()
    }
    return params, state

  def loss(params, state, batch, key, step):
    encoded, (stats, target_stats) = encode_all(params, state, batch, example_keys(key, batch))
    nets = bind(networks, params, state['stats'])
    total, kept, metrics = jnp.zeros(()), {}, {}
    for name, term in terms.items():
      fresh = jax.random.fold_in(jax.random.fold_in(key, step), tag(name))
      value, (kept[name], found) = jax.named_scope(name)(term.judge)(nets, encoded[name], state['terms'][name], fresh, step)
      total += value_at(weights[name], step) * value
      metrics |= {f'{name}/{metric}': x for metric, x in found.items()} | {f'{name}/loss': value}
    state = {**state, 'stats': stats, 'target_stats': target_stats, 'terms': jax.lax.stop_gradient(kept)}
    return total, (state, metrics)

  def after_update(params, state, step):
    if teacher is None:
      return state
    return {**state, 'target': teacher(state['target'], {name: params[name] for name in taught}, step)}

  def networks_of(params, state):
    if from_teacher:
      params, stats = {**params, **state['target']}, {**state['stats'], **state['target_stats']}
    else:
      stats = state['stats']
    return bind(networks, params, stats, train=False)

  def represent(params, state, inputs_batch):
    keys = jax.random.split(jax.random.key(0), len(jax.tree.leaves(inputs_batch)[0]))
    (x,) = inputs(keys, inputs_batch)
    return networks_of(params, state)[encoder](x)

  def watch(params, state, batch, key, step):
    encoded, _ = encode_all(params, state, batch, example_keys(key, batch))
    return {name: term.watch(encoded[name], state['terms'][name], step) for name, term in terms.items()}

  return Method(init, loss, after_update, represent, networks_of, watch)
