"""Events during a run: signals to stop, and compilations."""

import signal
import threading
from collections.abc import Callable

import jax
from jax.experimental import multihost_utils


class StopSignal:
  """Handles SIGTERM, which is sent before a machine is preempted; the loop checks for it after every step."""

  def __enter__(self) -> Callable[[int], bool]:
    self.asked = threading.Event()
    # With several processes, JAX itself handles the signal and informs the others.
    self.main = threading.current_thread() is threading.main_thread() and jax.process_count() == 1
    if self.main:
      self.before = signal.signal(signal.SIGTERM, lambda *_: self.asked.set())
    # A signal to any of several processes stops all of them, after the step that they agree on.
    return multihost_utils.reached_preemption_sync_point if jax.process_count() > 1 else lambda step: self.asked.is_set()

  def __exit__(self, *_):
    if self.main:
      signal.signal(signal.SIGTERM, self.before)


class Compiles:
  """Counts the compilations of the step by JAX's events, including cached ones."""

  count = 0

  def __enter__(self) -> 'Compiles':
    jax.monitoring.register_event_duration_secs_listener(self._heard)
    return self

  def _heard(self, event: str, seconds: float, **about):
    del seconds
    self.count += event.endswith('backend_compile_duration') and about.get('fun_name') == 'jit(step)'

  def __exit__(self, *_):
    jax.monitoring.unregister_event_duration_listener(self._heard)
