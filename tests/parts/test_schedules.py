"""Schedules against formulas step by step, and what they are at their ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.errors import ConfigError
from jssl.options import option
from jssl.parts import schedules

STEPS = 40
CLOCK = dict(steps=STEPS, epoch=5)


def values(name, **options):
  schedule = option('place', dict(name=name, **options), 'schedules', CLOCK)()
  return np.asarray(jax.jit(jax.vmap(schedule.at))(jnp.arange(STEPS)))


def warmed(after, peak=0.3, warm=10, start=0.1):
  """Warm-up that reaches its peak with its last step."""
  return [start + (peak - start) * (t + 1) / warm if t < warm else after(t) for t in range(STEPS)]


@pytest.mark.parametrize('name, options, after', [
  ('cosine', dict(end=0.02), lambda t: 0.02 + 0.28 * 0.5 * (1 + np.cos(np.pi * (t - 10) / 30))),
  ('stretched_cosine', dict(end=0.02), lambda t: 0.02 + 0.28 * 0.5 * (1 + np.cos(np.pi * (t - 10) / 40))),
  ('linear_decay', dict(end=0.02), lambda t: 0.3 + (0.02 - 0.3) * (t - 10) / 30),
  ('rsqrt', dict(timescale='4 epochs', cooldown='25%'), lambda t: 0.3 / np.sqrt(1 + (t - 10) / 20) * min(1, (40 - t) / 10)),
  ('hold', dict(cooldown='25%', end=0.003), lambda t: 0.3 * 0.01 ** max(0, (t - 30) / 10)),
  ('steps', dict(milestones=(20, '6 epochs'), gamma=0.2), lambda t: 0.3 * (1 if t < 20 else 0.2 if t < 30 else 0.04)),
  ('constant', {}, lambda t: 0.3),
], ids=lambda x: x if isinstance(x, str) else '')  # fmt: skip
def test_schedules_with_warm_up(name, options, after):
  peak = dict(value=0.3) if name == 'constant' else dict(peak=0.3)
  np.testing.assert_allclose(values(name, **peak, warmup='2 epochs', start=0.1, **options), warmed(after), rtol=1e-5)
  np.testing.assert_allclose(values(name, **peak, warmup=10, **options), warmed(after, start=0.0), rtol=1e-5)


def test_steps_are_those_of_torch():
  torch = pytest.importorskip('torch')
  optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
  theirs, found = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[3, 7, 31], gamma=0.1), []
  for _ in range(STEPS):
    found.append(optimizer.param_groups[0]['lr'])
    optimizer.step()
    theirs.step()
  np.testing.assert_allclose(values('steps', peak=0.5, milestones=(3, 7, 31)), found, rtol=1e-5)


def test_what_falls_has_an_end_and_the_time_for_it():
  for options in (dict(cooldown=0, end=0.1), dict(cooldown=5, end=0.0), dict(cooldown=5, end=2.0)):
    with pytest.raises(ValueError, match='give 0 < end <= peak'):
      schedules.hold(peak=1.0, **options, **CLOCK)


def test_a_timescale_is_above_0():
  with pytest.raises(ValueError, match='give a duration above 0'):
    schedules.rsqrt(peak=1.0, timescale=0, **CLOCK)
  with pytest.raises(ConfigError, match='has no option'):
    option('place', dict(name='rsqrt', peek=0.1), 'schedules', CLOCK)
