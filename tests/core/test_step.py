"""The step: one compilation, nothing moved to or from the host, its input given up."""

from functools import partial

import jax
import numpy as np
import pytest

from jssl.core import loop
from jssl.core.build import plan
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.programs import Programs, quick, seed_data
from jssl.core.step import init_state, make_step
from jssl.data.core.sources import to_device
from jssl.run import load_config
from jssl.signals import Compiles
from jssl.testing import first_batch
from tests.made import tiny

GUARDS = (None, dict(name='skip', most=2, spike=6.0))


@pytest.fixture(params=GUARDS, ids=['no guard', 'guard'])
def compiled(request):
  """The step of a small system, its state and a batch, under the mesh of eight devices."""
  p = plan(tiny('byol', guard=request.param))
  mesh = make_mesh()
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    batch = loop.open_source(p).batch(0)
    yield programs.step(0, 0), programs.create(seed_data(p)), batch, jax.sharding.NamedSharding(mesh, BATCH)


def test_moves_nothing_and_gives_up_its_input(compiled):
  step, train, batch, examples = compiled
  with jax.transfer_guard('disallow'):
    batch = to_device(batch, examples)
    after, metrics = step(train, batch)
    again, _ = step(after, batch)
  for before in (train, after):
    kept = [jax.tree_util.keystr(path) for path, x in jax.tree_util.tree_leaves_with_path(before) if not x.is_deleted()]
    assert not kept, f'not donated: {kept}'
  assert not any(x.is_deleted() for x in jax.tree.leaves((again, batch, metrics)))
  assert int(again.step) == 2


def test_the_transfer_guard_would_tell(compiled):
  step, train, batch, _ = compiled
  with jax.transfer_guard('disallow'), pytest.raises(Exception, match='[Dd]isallowed host-to-device'):
    jax.block_until_ready(step(train, batch))


def test_seeds_share_their_programs():
  def programs(seed):
    mesh, p = make_mesh(), plan(tiny('byol', seed=seed))
    with jax.set_mesh(mesh):
      programs = Programs(p, mesh)
      return programs.create.lower(seed_data(p)).as_text(), programs.trace().lower().as_text()

  assert programs(0) == programs(1)


def test_compilations_are_counted():
  with Compiles() as compiles:

    def step(x):
      return x + 1

    jitted = jax.jit(step)
    for size in (3, 3, 5):
      jitted(np.zeros(size, np.float32))
  assert compiles.count == 2


def test_a_run_compiles_once():
  p = plan(tiny('simclr', steps=4, log_every=1))
  assert loop.run(p, loop.open_source(p), quiet=True).compiles == 1


def test_a_run_with_the_programs_of_another_seed_is_its_own_run():
  p = plan(tiny('simclr', steps=3))
  other = p._replace(config={**p.config, 'seed': 1})
  fit = lambda p, **options: loop.run(p, loop.open_source(p), quiet=True, **options)
  lent, own = fit(other, programs=fit(p).programs), fit(other)
  assert (lent.compiles, own.compiles) == (0, 1)
  for a, b in ((lent.train, own.train), (lent.start, own.start)):
    jax.tree.map(np.testing.assert_array_equal, *(jax.tree.map(_plain, t) for t in (a, b)))


def test_the_initialisation_has_the_same_bits_however_it_is_compiled(monkeypatch):
  p, mesh = plan(tiny('simclr')), make_mesh()
  asked = quick(mesh)
  monkeypatch.delenv('XLA_FLAGS')
  options = quick(mesh)
  assert asked is None and options == dict(xla_backend_optimization_level=1), 'a level in XLA_FLAGS stands'
  with jax.set_mesh(mesh):
    lowered = Programs(p, mesh).create.lower(seed_data(p))
    fast, usual = (lowered.compile(dict(xla_backend_optimization_level=n))(seed_data(p)) for n in (1, 3))
  jax.tree.map(np.testing.assert_array_equal, *(jax.tree.map(_plain, t) for t in (fast, usual)))


def _plain(x):
  return jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x


KOLEO = '--config.losses.koleo={"name": "koleo", "of": ("views.q",), "over": "views", "weight": 0.1}'


@pytest.mark.rotating
def test_a_second_loss_from_the_command_line_and_how_the_gradients_of_both_compare():
  c = load_config('simclr:tiny', [KOLEO, '--config.log_gradients=True']).to_dict()
  p = plan({**c, 'steps': 4, 'log_every': 2})
  rows = loop.run(p, loop.open_source(p), quiet=True).log.rows
  names = {'gradients/nce_norm', 'gradients/koleo_norm', 'gradients/koleo_nce_cosine'}
  assert [row['step'] for row in rows] == [2, 4]
  for row in rows:
    assert {name for name in row if name.startswith('gradients/')} == names
    assert np.isfinite([row[name] for name in names]).all() and abs(row['gradients/koleo_nce_cosine']) <= 1
    np.testing.assert_allclose(row['loss'], row['nce/loss'] + 0.1 * row['koleo/loss'], rtol=1e-5)
    # The law of cosines: both gradients, weights included, add up to that of the sum.
    a, b, cosine = (row[f'gradients/{name}'] for name in ('nce_norm', 'koleo_norm', 'koleo_nce_cosine'))
    np.testing.assert_allclose(row['grad_norm'], np.sqrt(a * a + b * b + 2 * a * b * cosine), rtol=1e-4)


@pytest.mark.rotating
def test_gradients_are_compared_now_and_then_and_by_what_is_trained():
  c = load_config('simclr:tiny', [KOLEO]).to_dict()
  c |= dict(freeze=('backbone',), optimizer=dict(name='sgd', learning_rate=0.1))  # Adam blows up gradients that are 0 but for rounding
  phase = plan(c).phases[0]
  train, batch = init_state(phase, jax.random.key(0)), first_batch(plan(c))
  step = jax.jit(make_step(phase, 0, gradients_every=2))
  train, early = step(train, batch)
  after, metrics = step(train, batch)
  assert np.isnan(early['gradients/nce_norm']) and np.isfinite(metrics['gradients/nce_norm'])
  plain, _ = jax.jit(make_step(phase))(train, batch)
  jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-7), after.params, plain.params)
  a, b, cosine = (metrics[f'gradients/{name}'] for name in ('nce_norm', 'koleo_norm', 'koleo_nce_cosine'))
  np.testing.assert_allclose(metrics['grad_norm'], np.sqrt(a * a + b * b + 2 * a * b * cosine), rtol=1e-4)
