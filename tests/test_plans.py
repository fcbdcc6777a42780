"""What a run takes, told before it runs: `jssl plan`, the estimate, the refusal; and what the log says while it runs."""

import json
import os
import subprocess
import sys

import jax
import pytest

from jssl import cli, run
from jssl.configs import load_config
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs
from jssl.devices import chips, usage
from jssl.devices.operations import operations
from jssl.errors import ConfigError
from jssl.plans.compiled import describe
from jssl.plans.estimate import ahead, estimate
from jssl.plans.report import lines


def command(*arguments: str) -> subprocess.CompletedProcess:
  plain = {k: v for k, v in os.environ.items() if k not in ('XLA_FLAGS', 'JAX_PLATFORMS')}
  return subprocess.run([sys.executable, '-m', 'jssl', *arguments], capture_output=True, text=True, env=plain, timeout=300)


@pytest.mark.rotating
def test_a_plan_on_simulated_devices():
  done = command('plan', 'mae:tiny', '--mesh', 'data=2,fsdp=2', '--config.rules=fsdp', '--json')
  assert not done.returncode, done.stderr
  found = json.loads(done.stdout)
  (phase,) = found['phases']
  assert (found['devices'], found['mesh']['fsdp'], found['steps'], found['hours']) == (4, 2, 8, None)
  assert phase['traffic']['total'] == sum(size for kind, size in phase['traffic'].items() if kind != 'total') > 0
  assert phase['memory']['total'] >= phase['memory']['arguments'] + phase['memory']['temporary'] > 0


@pytest.mark.parametrize('given', ['data', 'data=', 'data=0', 'data=-1', 'data=2;fsdp=2'])
def test_a_mesh_that_is_none_is_refused(given, capsys):
  with pytest.raises(SystemExit):
    cli.main(['plan', 'mae:tiny', '--mesh', given])
  assert 'write it as data=8,fsdp=8' in capsys.readouterr().err


def test_a_topology_without_its_compiler_is_refused_in_a_line():
  done = command('plan', 'mae:tiny', '--topology', 'v5p:9x9x9')
  assert done.returncode == 2 and done.stderr.count('\n') == 1 and 'jax[tpu]' in done.stderr


@pytest.mark.rotating
def test_a_plan_says_what_fits_and_what_it_costs(monkeypatch):
  monkeypatch.setitem(chips.CHIPS, 'cpu', chips.Chip(1e12, 2e6))
  c = load_config('simclr:tiny')
  c.batch_size, c.mesh = 64, dict(data=4)
  found = describe(c, jax.devices()[:4], mfu=0.5, price=2.0)
  phase = found['phases'][0]
  assert found['hours'] == pytest.approx(phase['operations'] * found['steps'] / (0.5 * 4e12) / 3600)
  assert found['price'] == pytest.approx(found['hours'] * 8)
  larger = found['largest_batch']['batch_size']
  assert larger % 4 == 0
  c.batch_size = larger
  assert describe(c, jax.devices()[:4])['phases'][0]['memory']['total'] == pytest.approx(0.95 * 2e6, rel=0.1)
  text = '\n'.join(lines(found))
  assert 'largest batch that fits' in text and 'at a utilization (MFU) of 0.5' in text


@pytest.mark.parametrize(
  'name, sizes, rules',
  [('mae', dict(data=2, fsdp=4), 'fsdp'), ('moco_v2', dict(data=1, fsdp=4, tensor=2), 'fsdp_tp'), ('clip', dict(data=8), 'replicated')],
)
@pytest.mark.rotating
def test_the_state_is_estimated_as_the_executable_has_it(name, sizes, rules):
  c = load_config(f'{name}:tiny')
  c.update(dict(mesh=sizes, rules=rules))
  p, mesh = plan(c), make_mesh(sizes)
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    exact = programs.trace().lower().compile().memory_analysis().argument_size_in_bytes
  told = estimate(p, programs)
  assert told.state == pytest.approx(exact, rel=0.01)
  assert told.temporary > 0 and told.operations > 0
  (line,) = ahead(p, programs)  # on CPUs
  assert f'of state on each of 8 devices, {p.steps} steps of {p.config["batch_size"]} examples' in line


@pytest.mark.parametrize('batch, micro_batches', [(64, 1), (256, 2)])
def test_a_share_that_the_devices_divide_is_estimated(batch, micro_batches):
  c = load_config('mae:tiny', [f'batch_size={batch}', f'micro_batches={micro_batches}', 'mesh.data=8'])
  p, one, mesh = plan(c), make_mesh({}, jax.devices()[:1]), make_mesh(dict(data=8))
  found = []
  for used in (one, mesh):
    with jax.set_mesh(used):
      found.append(estimate(p, Programs(p, used)))
  assert found[1].temporary < found[0].temporary
  assert found[1].operations == pytest.approx(found[0].operations, rel=0.01)


def test_what_no_device_holds_is_refused_before_the_first_step(monkeypatch, tmp_path):
  c = load_config('simclr:tiny')
  held = lambda bytes: monkeypatch.setitem(chips.CHIPS, 'cpu', chips.Chip(1e12, bytes))
  held(10_000)
  with pytest.raises(ConfigError, match='the state takes 266 kB on a device that has 10 kB: .*rules=fsdp'):
    run.train(c, tmp_path / 'a', protocols=(), quiet=True)
  held(300_000)
  with pytest.raises(ConfigError, match='a step takes .* What would fit: a batch_size of about [0-9]+, more micro_batches, or remat=True'):
    run.train(c, tmp_path / 'b', protocols=(), quiet=True)
  assert not (tmp_path / 'b' / 'metrics.jsonl').exists()


@pytest.mark.rotating
def test_the_log_has_the_time_of_a_step_and_its_utilization_and_steps_are_traced(monkeypatch, tmp_path):
  c = load_config('simclr:tiny')
  c.log_every = 2
  monkeypatch.setitem(chips.CHIPS, 'cpu', chips.Chip(1e12, 1e12))
  run.train(c, tmp_path, protocols=(), quiet=True, profile=(3, 5))
  rows = [row for row in map(json.loads, (tmp_path / 'metrics.jsonl').read_text().splitlines()) if 'loss' in row]
  assert all(row['step_seconds'] > 0 and 0 < row['mfu'] < 1 for row in rows[1:])
  assert list((tmp_path / 'profile').rglob('*.xplane.pb'))
  with pytest.raises(ConfigError, match='traces nothing, as the run has 8 steps'):
    run.train(c, tmp_path / 'b', protocols=(), quiet=True, profile=(8, 9))
  with pytest.raises(ConfigError, match='saves its trace in a workdir'), usage.Profiler(None, (1, 2)):
    pass


def test_operations_are_the_least_that_a_step_takes():
  """What is measured every so many steps does not count, or a utilization would be told too high."""
  x = jax.ShapeDtypeStruct((4, 4), 'float32')
  product = 2 * 4**3
  measured = lambda x: x @ x + jax.lax.cond(x.sum() > 0, lambda x: x @ x @ x, lambda x: x, x)
  assert operations(jax.make_jaxpr(measured)(x)).model == product
  looped = lambda x: jax.lax.scan(lambda x, _: (x @ x, None), x, length=5)[0]
  assert operations(jax.make_jaxpr(looped)(x)).model == 5 * product
