"""The input of evaluators: data, a representation of the data, and the networks that compute it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import jax
from jax.sharding import NamedSharding

from jssl.evaluators.features import Frozen, extract, frozen
from jssl.types import Data, Features, Transform, View


class Subject:
  """A representation of data, as passed to evaluators. Results that several evaluators need are computed once.

  Args:
    data: has the splits that the evaluators need, usually 'train' and 'test'.
    represent: dict of columns [b ...] -> Features, jitted, with its arrays as arguments, since constants would be compiled in.
    networks: name -> network, bound to its arrays, in evaluation mode; empty for raw input.
    transform: fitted to the pooled features of 'train' (and its column `transform.labels`), or to the network and its data; then part of
      `represent`.
    inputs: the view of a batch that networks read, for evaluators that train them.
    place: of a batch's first axis on the devices on which evaluators train; None for the default device.
    memories: name -> the state of a memory at the end of training; empty where there is none, as for raw input.
  """

  def __init__(
    self,
    data: Data,
    represent: Callable[[Mapping[str, Any]], Features],
    networks: Mapping[str, Callable] | None = None,
    transform: Transform | None = None,
    inputs: View | None = None,
    place: NamedSharding | None = None,
    memories: Mapping[str, Any] | None = None,
  ):
    self.data, self.networks, self.inputs, self.place, self.memories = data, dict(networks or {}), inputs, place, dict(memories or {})
    self.represent = represent
    if transform and transform.networks:
      state = transform.fit(represent, data)
      self.represent = lambda x: transform.apply(represent, state, x)
    elif transform:
      fitted, apply = self._fit(transform), jax.jit(transform.apply)
      self.represent = lambda x: (z := represent(x))._replace(pooled=apply(fitted, z.pooled))

  @cached_property
  def frozen(self) -> Frozen:
    """Features and labels of both splits."""
    return frozen(self.represent, self.data)

  def _fit(self, transform: Transform):
    label = transform.labels if transform.labels in self.data.spec else None
    return transform.fit(*extract(self.represent, self.data.splits['train'], label=label))
