"""What is left of a killed run, and what becomes of it; `experiments/kill.py` does this twenty times."""

import jax
import numpy as np
import pytest

from experiments import kill
from jssl.core import loop
from jssl.core.build import plan
from tests.made import tiny


def test_killed_run_ends_in_the_same_bits(tmp_path):
  whole = kill.whole(tmp_path / 'whole')
  killed = kill.kill_after_first_row(tmp_path / 'killed', 1.5)
  assert killed['killed'] and 1 <= killed['step'] < kill.STEPS
  found = kill.compare(whole, kill.whole(tmp_path / 'killed'))
  assert found['arrays_that_differ'] == [] and found['same_figures'], found


@pytest.mark.rotating
def test_devices_may_change_on_the_way(tmp_path):
  """Two steps on two devices, two on eight, two on one: the examples and losses of six steps on one device."""
  p = plan(tiny('moco_v2', steps=6, log_every=1, checkpoint_every=2))

  def run(folder, last, devices):
    source, read = loop.open_source(p), []
    take = source.next
    source.next = lambda state: read.append(batch := take(state)) or batch
    trained = loop.run(p._replace(steps=last), source, workdir=tmp_path / folder, quiet=True, devices=jax.devices()[:devices])
    assert trained.compiles == 1
    return trained, [batch['example'].tolist() for batch in read]

  whole, examples = run('one', 6, 1)
  _, first = run('several', 2, 2)
  _, second = run('several', 4, 8)
  again, third = run('several', 6, 1)
  assert first + second + third == examples
  losses = [[row['loss'] for row in trained.log.rows] for trained in (whole, again)]
  np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
