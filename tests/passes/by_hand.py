"""Passes run by hand, and losses on what they give."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.core.build import make_loss
from jssl.core.graph import Node, arrange, look, parse
from jssl.core.method import Outputs, judge, mean
from jssl.types import Array, Batch, Call, Column, Keys, Loss, Pass


def given(passes: Mapping[str, Pass | tuple], *wanted: str, nets: Mapping, batch: Batch, keys: Keys, target=None, memories=None) -> Outputs:
  """What is wanted of passes, each given with the references that it reads, if any: name -> pass, or (pass, *references)."""
  memories, outputs = memories or {}, {}
  columns = {name: Column(jnp.shape(x)[1:], jnp.asarray(x).dtype, pad=0, first=5) for name, x in batch.items()}
  nodes = {}
  for name, (run, *reads) in {name: x if type(x) is tuple else (x,) for name, x in passes.items()}.items():
    nodes[name] = Node(name, name, run, tuple(reads))
  graph = arrange(nodes, [('wanted', text, None) for text in wanted], [*batch, 'example'], nets, memories)
  for node in (node for nodes in graph.stages for node in nodes):
    whole = {**outputs, 'batch': batch}
    read = lambda text, whole=whole: look(parse(text, 'read'), outputs=outputs, batch=batch, nets=nets, memories=memories, whole=whole)
    outputs[node.name] = node.run.run(Call(nets, target, batch, keys, node.name, graph.asked[node.name], columns, read))
  return Outputs(outputs, batch, nets, memories)


def value(outputs: Outputs, spec: Loss | Mapping, table: str = 'objectives', key: int = 0) -> Array:
  """What a loss comes to: a `Loss`, or dict(name=..., of=...) as in a config."""
  loss = spec if isinstance(spec, Loss) else make_loss('losses.it', spec, table, None)
  return mean(judge(loss, outputs, jax.random.key(key), jnp.int32(0)))
