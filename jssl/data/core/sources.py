"""Sources of batches."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jssl.data.core import pictures
from jssl.data.core.arrays import RESIDENT, Columns, resident, stack
from jssl.data.core.order import orders, permutation
from jssl.types import Batch, Examples


class GrainSource:
  """Batches of a split, in an order that is a function of (seed, epoch) alone.

  Each epoch is a new permutation of the n examples, split into floor(n / batch_size) whole batches. Every batch lies within one epoch, and the
  n mod batch_size examples at the end of the permutation are dropped in that epoch; these differ between epochs. Process p of P reads the
  contiguous slice [p B/P, (p+1) B/P) of every global batch of B, so the global batch has the same contents and order for any P that divides B.

  A split that fits in memory when decoded is held there, and a batch is one fancy index. A larger split is read and decoded ahead by grain's
  threads. Both give the same batches. A split with a `crop` is never held in memory: `drawn` crops its images in every epoch while decoding,
  from (seed, epoch, example).

  In addition to the columns of the data, a batch has `example`, the index in the split, and `epoch`, both [b] int32. They seed the example's
  random keys.

  Args:
    examples: a split: any object with `len` and `[i] -> dict of arrays`; `take(rows)` is used if available.
    batch_size: global batch size, B.
    seed: seed of the order.
    process_index: p; by default the index of this JAX process.
    process_count: P; by default the number of JAX processes.
    rows: the rows of the global batch that this process reads, if they are not its contiguous slice.
    memory: bytes; a split with a larger decoded size is streamed.
    threads: number of batches read concurrently when streaming, in each worker.
    workers: number of processes that read when streaming, for decoding that holds Python's global lock; 0 for threads of this process only.
    prefetch: number of batches to prefetch when streaming, in each worker.
    decoders: number of threads that decode images, in each worker; 0 for one per available core, shared among the workers.
  Raises:
    ValueError: for a batch larger than the split or not divisible among the processes, a column named example or epoch, or an image column that
      is neither bytes nor float in [0, 1].
  """

  def __init__(
    self,
    examples: Examples,
    batch_size: int,
    *,
    seed: int = 0,
    process_index: int | None = None,
    process_count: int | None = None,
    rows: np.ndarray | None = None,
    memory: int = RESIDENT,
    threads: int = 2,
    workers: int = 0,
    prefetch: int = 4,
    decoders: int = 0,
  ):
    p = jax.process_index() if process_index is None else process_index
    count = jax.process_count() if process_count is None else process_count
    pictures.decoders(decoders)
    self._crops = getattr(examples, 'crop', None) is not None
    self._examples = not self._crops and resident(examples, memory) or examples
    self._n = len(self._examples)
    if not 1 <= batch_size <= self._n:
      raise ValueError(f'batch_size={batch_size} with {self._n} examples: expected 1 to {self._n}')
    if rows is None and (not 0 <= p < count or batch_size % count):
      raise ValueError(f'batch_size={batch_size} for process {p} of {count}: expected a multiple of the process count')
    known = self._examples.columns if isinstance(self._examples, Columns) else stack([self._examples[0]])
    pictures.checked(known)  # a split in memory whole; of a larger one the first example
    if taken := {'example', 'epoch'} & set(known):
      raise ValueError(f'the data have columns {sorted(taken)}, which a source adds itself: rename them')
    self.batches_per_epoch = self._n // batch_size
    self._batch_size, self._seed = batch_size, seed
    self._rows = np.arange(batch_size).reshape(count, -1)[p] if rows is None else rows
    self._threads, self._workers, self._prefetch, self._decoders = threads, workers, prefetch, decoders
    self._order = orders(self._n, seed)
    self._order(0, np.zeros(1, np.int64))  # raises an error for an invalid seed immediately
    self._given: np.ndarray | None = None
    self._batches = 0
    self._stream = None

  def batch(self, step: int) -> dict[str, np.ndarray]:
    """This process's part of batch `step`, counted from 0: a pure function of its argument."""
    epoch, i = divmod(step, self.batches_per_epoch)
    if self._given is None:
      rows = self._order(epoch, i * self._batch_size + self._rows)
    else:
      i = permutation(self.batches_per_epoch, self._seed, epoch)[i]
      rows = self._given[i * self._batch_size + self._rows]
    return {**self._columns(rows, epoch), 'example': rows.astype(np.int32), 'epoch': np.full(len(rows), epoch, np.int32)}

  def _columns(self, rows: np.ndarray, epoch: int) -> dict[str, np.ndarray]:
    if self._crops:
      return self._examples.drawn(rows, epoch, self._seed)
    return self._examples.take(rows) if hasattr(self._examples, 'take') else stack([self._examples[int(row)] for row in rows])

  def next(self, train_state: Any = None) -> dict[str, np.ndarray]:
    """The next batch. Data do not depend on the training state, so `train_state` is ignored."""
    del train_state
    if isinstance(self._examples, Columns):
      batch = self.batch(self._batches)
    else:
      if self._stream is None:
        self._stream = self._read_ahead(self._batches)
      batch = next(self._stream)
    self._batches += 1
    return batch

  def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
    return self

  def __next__(self) -> dict[str, np.ndarray]:
    return self.next()

  def reorder(self, order: np.ndarray | None) -> None:
    """Subsequent batches are consecutive parts of `order`, taken in a new order every epoch; None for the source's own order.

    Raises:
      ValueError: if the order has too few entries for an epoch, or invalid indices.
    """
    if order is None:
      self.close()
      self._given = None
      return
    order, least = np.asarray(order), self.batches_per_epoch * self._batch_size
    if order.ndim != 1 or len(order) < least or order.min() < 0 or order.max() >= self._n:
      raise ValueError(f'an order must have at least {least} numbers from 0 to {self._n - 1}, not {order.shape} of {order.dtype}')
    self.close()
    self._given = order

  def save(self) -> dict[str, int]:
    """The position of the source: the number of batches taken, and the parameters of their order."""
    return dict(batches=self._batches, examples=self._n, batch_size=self._batch_size, seed=self._seed)

  def restore(self, state: Mapping[str, Any]) -> None:
    """Restores a position returned by `save`, on any number of processes.

    Raises:
      ValueError: if the state is for other data, another batch size or another seed, with a different order.
    """
    state = {name: int(value) for name, value in state.items()}
    if (expected := self.save() | dict(batches=state.get('batches'))) != state:
      raise ValueError(f'state {state} does not fit this source: expected {expected}; build it with the same data and options')
    self.close()
    self._batches = state['batches']

  def close(self) -> None:
    """Stops prefetching."""
    if self._stream is not None:
      self._stream.close()
      self._stream = None

  def _read_ahead(self, step: int):
    import grain

    batches = grain.MapDataset.source(_Steps(self))[step:]
    options = grain.ReadOptions(num_threads=self._threads, prefetch_buffer_size=self._prefetch)
    read = batches.to_iter_dataset(options)
    if not self._workers:
      return iter(read)
    from absl import flags

    if not flags.FLAGS.is_parsed():  # grain reads flags for its workers; nothing else has parsed them
      flags.FLAGS.mark_as_parsed()
    return iter(read.mp_prefetch(grain.MultiprocessingOptions(num_workers=self._workers)))

  def __getstate__(self) -> dict[str, Any]:
    return {**self.__dict__, '_stream': None, '_order': None}  # for pickling to a worker

  def __setstate__(self, state: Mapping[str, Any]) -> None:
    self.__dict__.update(state)
    self._order = orders(self._n, self._seed)
    pictures.decoders(self._decoders or max(1, pictures.cores() // max(1, self._workers)))


class _Steps:
  """All batches of a source, without end, by index."""

  def __init__(self, source: GrainSource):
    self._source = source

  def __len__(self) -> int:
    return sys.maxsize

  def __getitem__(self, step: int) -> dict[str, np.ndarray]:
    return self._source.batch(step)


def to_device(batch: Mapping[str, np.ndarray], sharding: jax.sharding.Sharding) -> Batch:
  """Moves the global batch to the devices, from every process's part of it.

  Allowed under `jax.transfer_guard('disallow')`: this is the only intended transfer of data.

  Args:
    batch: column -> [b/P ...], this process's part.
    sharding: sharding of the first axis of the global batch, for all columns.
  Returns:
    column -> [b ...] jax.Array.
  """
  with jax.transfer_guard_host_to_device('allow'):
    return {name: jax.make_array_from_process_local_data(sharding, column) for name, column in batch.items()}
