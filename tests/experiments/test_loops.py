"""What every loop of its own can do: be killed and go on, be evaluated and opened from its folder, and refuse what it does not know."""

import jax
import numpy as np
import pytest

import jssl
from jssl import loops, run
from jssl.errors import ConfigError

LOOPS = ('cores', 'musik', pytest.param('tldr', marks=pytest.mark.long))


@pytest.mark.parametrize('name', LOOPS)
@pytest.mark.rotating
def test_a_killed_loop_goes_on_and_its_folder_opens(name, tmp_path):
  c = run.load_config(f'{name}:tiny')
  results = run.train(c, tmp_path, quiet=True)
  assert results['figures'] and results['baselines']
  states = jssl.load(tmp_path)
  last = loops.make(c.to_dict()).steps[-1][0]
  kept = (tmp_path / 'states').stat().st_mtime_ns
  loops.forget(tmp_path, last)
  again = run.train(c, tmp_path, quiet=True)
  assert (tmp_path / 'states').stat().st_mtime_ns != kept
  for a, b in zip(jax.tree.leaves(states[last]), jax.tree.leaves(jssl.load(tmp_path)[last]), strict=True):
    np.testing.assert_array_equal(a, b)
  assert again['figures'] == results['figures'] and again['baselines'] == results['baselines']
  assert run.evaluate(tmp_path)['figures'] == results['figures']


def test_refuses_what_is_not_there(tmp_path):
  c = run.load_config('cores:tiny')
  c.experiment.upgrade = 3
  with pytest.raises(ConfigError, match='upgrade'):
    run.train(c, tmp_path)
  c.experiment = dict(name='core')
  with pytest.raises(ConfigError, match='did you mean cores'):
    run.train(c, tmp_path)


def test_one_wrong_bit_in_a_state_is_told(tmp_path):
  tree = dict(a=np.arange(4000, dtype=np.float32), b=[np.arange(3)])
  loops.write(tmp_path / 's', tree)
  found = loops.read(tmp_path / 's')
  np.testing.assert_array_equal(found['a'], tree['a'])
  file = max((tmp_path / 's').rglob('d/*'), key=lambda file: file.stat().st_size)
  held = bytearray(file.read_bytes())
  held[len(held) // 2] ^= 1
  file.write_bytes(held)
  with pytest.raises(ValueError, match='cannot be read .*remove it'):
    loops.read(tmp_path / 's')
