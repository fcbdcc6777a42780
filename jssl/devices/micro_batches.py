"""Evaluation of networks in micro-batches."""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import PartitionSpec

from jssl.devices.sharding import EXAMPLES, axes_of_examples


def in_micro_batches(encode: Callable, count: int) -> Callable:
  """Runs `encode(params, held, examples) -> (outputs, stats)` in `count` micro-batches, recomputing each one in the backward pass.

  `examples` is a pytree of [b ...]; `params`, which have a gradient, and `held` are shared by all micro-batches. Only the outputs are kept
  between the forward and backward pass (the gradient cache of Gao et al. 2021, arXiv:2101.06983). Since the objectives see the whole batch, the
  gradient is that of the whole batch. Statistics start from the same values in every micro-batch and are averaged, so they are updated once per
  step.

  On several devices, each processes its own examples with all of `params`; the gradient is summed over devices once, after the last
  micro-batch.
  """
  if count == 1:
    return encode

  def run(params: Any, held: Any, examples: Any) -> Any:
    # Every count-th example, not a contiguous block: each device then splits its own share, and no data moves.
    cut = lambda x: x.reshape(len(x) // count, count, *x.shape[1:]).swapaxes(0, 1)
    join = lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:])
    outputs, stats = jax.lax.map(jax.checkpoint(lambda piece: encode(params, held, piece)), jax.tree.map(cut, examples))
    return jax.tree.map(join, outputs), jax.tree.map(lambda x: x.mean(0), stats)

  def spread(params: Any, held: Any, examples: Any) -> Any:
    if not axes_of_examples():
      return run(params, held, examples)
    whole, shares = PartitionSpec(), PartitionSpec(EXAMPLES)
    mesh = jax.sharding.get_abstract_mesh()
    manual = {*EXAMPLES} if mesh.size > mesh.shape['data'] * mesh.shape['fsdp'] else {*mesh.shape}
    # A copy per device, so that its gradient stays local until the sum.
    own = lambda params, *given: run(jax.lax.pcast(params, EXAMPLES, to='varying'), *given)
    return jax.shard_map(own, in_specs=(whole, whole, shares), out_specs=(shares, whole), axis_names=manual)(params, held, examples)

  return spread
