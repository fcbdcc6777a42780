"""Examples of a split by number, and what networks make of them: spread over devices, shared by processes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Int, PyTree, Shaped

PIECE = 64 * 2**20  # bytes that are gathered from all processes at a time: each device holds them


def take(examples: Any, rows: Int[np.ndarray, ' b'], names: Sequence[str] | None = None) -> dict[str, Shaped[np.ndarray, 'b ...']]:
  """The examples `rows` [b] of a split, stacked: column -> [b ...]; by the split's own `take` where it has one.

  Args:
    examples: the split.
    rows: numbers of examples.
    names: which columns; all unless given.
  """
  if hasattr(examples, 'take'):
    found = examples.take(rows)
    return {name: found[name] for name in names or found}
  found = [examples[int(row)] for row in rows]
  return {name: np.stack([np.asarray(example[name]) for example in found]) for name in names or found[0]}


def over_devices(run: Callable, arrays: Sequence[PyTree], place: NamedSharding) -> Callable:
  """(batch, **options) -> run(*arrays, batch, **options), with the examples of the batch spread over the devices of a mesh.

  A batch that does not divide among the devices is computed by each of them, and one of traced arrays, within a function that is
  being compiled, is left to that function.

  Args:
    run: jitted.
    arrays: parameters. Those that are on all devices of the mesh stay as they are; others are copied to each.
    place: of a batch's first axis, on a mesh of devices of this process.
  """
  whole = NamedSharding(place.mesh, PartitionSpec())
  there = lambda x: isinstance(x, jax.Array) and x.sharding.device_set == place.device_set
  arrays = jax.tree.map(lambda x: x if there(x) else jax.device_put(x, whole), tuple(arrays))
  shares = place.mesh.size // place.shard_shape((place.mesh.size,))[0]

  def spread(batch: Mapping[str, Any], **options: Any) -> Any:
    columns = jax.tree.leaves(batch)
    if any(isinstance(x, jax.core.Tracer) for x in columns):
      return run(*arrays, batch, **options)
    with jax.set_mesh(place.mesh):  # type: ignore[arg-type]  # it has devices, as `place` says
      return run(*arrays, jax.device_put(dict(batch), place if len(columns[0]) % shares == 0 else whole), **options)

  return spread


def over_rows(run: Callable, read: Callable, n: int, batch_size: int = 512) -> PyTree:
  """run(read(rows)) of the rows 0 to n - 1, in this order and on the host.

  Batches have one shape, so that `run` compiles once: the last one is padded and cut. While the devices work on a batch, the host
  reads the next one and fetches the one before. Of several processes each reads and computes a contiguous share of the rows, and all
  get the whole, so that all must call this alike.

  Args:
    run: columns [b ...] -> pytree of arrays [b ...], on devices or on the host.
    read: numbers of rows [b] -> columns [b ...].
    n: rows, at least 1.
    batch_size: rows a call, rounded up to a multiple of the devices of this process.

  Returns:
    Pytree of [n ...].
  """
  size = -(-batch_size // jax.local_device_count()) * jax.local_device_count()
  share = -(-n // jax.process_count())
  start = min(jax.process_index() * share, n - 1)  # a process for which none are left computes one that is not needed
  stop = max(min((jax.process_index() + 1) * share, n), start + 1)
  found: PyTree = None
  ahead: tuple[int, PyTree] | None = None
  for i in range(start, stop, size):
    columns = read(np.arange(i, min(i + size, stop)))
    short = max(i + size - stop, 0)
    now = i - start, run({name: np.concatenate([x, np.repeat(x[-1:], short, 0)]) if short else x for name, x in columns.items()})
    found = _kept(found, ahead, stop - start)
    ahead = now
  found = _kept(found, ahead, stop - start)
  return found if jax.process_count() == 1 else jax.tree.map(lambda x: _gathered(x, n, share), found)


def _kept(found: PyTree, batch: tuple[int, PyTree] | None, n: int) -> PyTree:
  """Puts what a batch gave, if there is one, at its place among n rows; the arrays are made for the first batch."""
  if batch is None:
    return None
  at, batch = batch[0], jax.device_get(batch[1])
  found = jax.tree.map(lambda x: np.empty((n, *x.shape[1:]), x.dtype), batch) if found is None else found
  jax.tree.map(lambda all_rows, x: np.copyto(all_rows[at : at + len(x)], x[: n - at]), found, batch)
  return found


def _gathered(own: np.ndarray, n: int, share: int) -> np.ndarray:
  """Rows of all processes, `share` of each: as bytes, which JAX does not round, and in pieces that fit on a device."""
  rows = np.concatenate([own, np.repeat(own[-1:], share - len(own), 0)]) if len(own) < share else own
  rows = np.ascontiguousarray(rows).reshape(share, -1).view(np.uint8)
  found = np.empty((jax.process_count(), *rows.shape), np.uint8)
  step = max(PIECE // max(found[:, 0].size, 1), 1)
  for i in range(0, share, step):
    found[:, i : i + step] = multihost_utils.process_allgather(rows[i : i + step])
  return found.reshape(-1, rows.shape[1]).view(own.dtype).reshape(-1, *own.shape[1:])[:n]
