"""Device utilisation of a run, for the log and the profiler."""

from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from jssl.devices.chips import chip, memory
from jssl.errors import ConfigError


def usage(mesh: Mesh, operations: float, seconds: float | None) -> dict[str, float]:
  """Utilisation of this process's devices, as far as it is available.

  Args:
    mesh: all devices.
    operations: operations of a step on all devices together, without recomputation.
    seconds: duration of a step, if it was timed.

  Returns:
    mfu, the operations as a share of the peak in that time; memory_peak, the maximal bytes on any device so far.
  """
  found, known = {}, chip(mesh.devices.flat[0])
  if known and seconds:
    found['mfu'] = operations / seconds / (known.flops * mesh.size)
  told = [(device.memory_stats() or {}).get('peak_bytes_in_use') for device in mesh.local_devices]
  if told and all(told):
    found['memory_peak'] = float(max(told))
  return found


def check_fits(compiled: Any, mesh: Mesh, batch_size: int) -> None:
  """Raises an error for a compiled step that exceeds the memory of its devices, before it is run.

  Raises:
    ConfigError: says what would fit.
  """
  m, limit = compiled.memory_analysis(), memory(mesh.devices.flat[0])
  if not m or not limit:
    return
  held = m.argument_size_in_bytes + m.output_size_in_bytes - m.alias_size_in_bytes
  if held + m.temp_size_in_bytes > limit:
    room, gb = limit - held, lambda size: f'{size / 1e9:.1f} GB'
    fits = 'rules=fsdp and a larger mesh.fsdp, for the state'
    if room > 0:
      fits = f'a batch_size of about {int(batch_size * room / m.temp_size_in_bytes)}, more micro_batches, or remat=True'
    raise ConfigError(
      f'a step takes {gb(held + m.temp_size_in_bytes)} on a device that has {gb(limit)}: {gb(held)} of state and batch, and '
      f'{gb(m.temp_size_in_bytes)} of temporaries. What would fit: {fits}'
    )


class Profiler:
  """Traces some steps of a run into `workdir`/profile, for TensorBoard and Perfetto.

  Args:
    workdir: workdir of the run.
    steps: (first, last): steps after `first`, up to `last`, are traced; None for no trace.

  Raises:
    ConfigError: if steps are given without a workdir.
  """

  def __init__(self, workdir: Path | None, steps: tuple[int, int] | None):
    if steps and not workdir:
      raise ConfigError('profile saves its trace in a workdir: give one')
    self.folder, self.steps, self.tracing = workdir and workdir / 'profile', steps, False

  def __enter__(self) -> 'Profiler':
    return self

  def at(self, done: int, train: Any) -> None:
    """Called before each step, with the number of completed steps."""
    if self.steps and not self.tracing and self.steps[0] <= done < self.steps[1]:
      jax.block_until_ready(train)
      jax.profiler.start_trace(str(self.folder))
      self.tracing = True
    elif self.tracing and done >= self.steps[1]:
      jax.block_until_ready(train)
      self.__exit__()

  def __exit__(self, *_) -> None:
    if self.tracing:
      jax.profiler.stop_trace()
      self.tracing, self.steps = False, None
