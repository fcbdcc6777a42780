"""Features are extracted by all devices, each its own examples, and by all processes, each of which reads its own."""

import re
from functools import partial

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding

from jssl.artefact import of_run
from jssl.core.build import plan
from jssl.core.mesh import BATCH, make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.evaluators import extract
from jssl.evaluators.general.probes import ROW, Rows
from jssl.model import Model
from jssl.ops.rows import over_devices
from jssl.run import list_subjects
from jssl.views.image import augment
from tests.contracts.test_processes import finish, start
from tests.evaluators import reads_a_share
from tests.made import tiny

COLLECTIVE = re.compile(r'all-gather|all-reduce|all-to-all|reduce-scatter|collective-permute')


@pytest.fixture(scope='module', params=['simclr', 'dino'])
def started(request):
  """A plan and its state at the start, on all devices and on one."""
  p = plan(tiny(request.param))
  return p, *(Programs(p, make_mesh(devices=devices)).start(seed_data(p)) for devices in (jax.devices(), jax.devices()[:1]))


def test_each_device_computes_its_own_examples_and_nothing_is_gathered(started):
  p, train, alone = started
  jitted, compiled = jax.jit(p.method.represent), []

  def run(params, state, batch):
    compiled.append(jitted.lower(params, state, batch).compile())
    return compiled[-1](params, state, batch)

  split = [p.data.splits['train'][i] for i in range(100)]
  found, labels = extract(over_devices(run, (train.params, train.state), NamedSharding(make_mesh(), BATCH)), split, 64)
  assert len({program.as_text() for program in compiled}) == 1 and len(compiled) == 2
  text, shape = compiled[0].as_text(), p.data.spec[p.data.inputs].shape
  (parameters,) = re.findall(r'entry_computation_layout=\{\((.*?)\)->', text)
  of_images = [dims for dims in re.findall(r'\[([\d,]+)\]', parameters) if dims.split(',')[1:] == [*map(str, shape)]]
  assert of_images == [','.join(map(str, (64 // 8, *shape)))]
  assert not COLLECTIVE.search(text)
  expected, _ = extract(lambda batch: jitted(alone.params, alone.state, batch), split, 64)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(labels, [example['label'] for example in split])


def test_parameters_that_are_sharded_are_gathered_and_examples_are_not():
  p = plan(tiny('dino', mesh=dict(data=2, fsdp=4), rules='fsdp'))
  mesh = make_mesh(p.config['mesh'])
  train, texts = Programs(p, mesh).start(seed_data(p)), []

  def run(*arguments):
    texts.append(jax.jit(p.method.represent).lower(*arguments).compile().as_text())
    return jax.jit(p.method.represent)(*arguments)

  batch = {p.data.inputs: p.data.splits['train'].take(np.arange(104))[p.data.inputs]}
  z = over_devices(run, (train.params, train.state), NamedSharding(mesh, BATCH))(batch).pooled
  assert {shard.data.shape[0] for shard in z.addressable_shards} == {13}
  sent = re.findall(rf' = ([^=]*?) (?:{COLLECTIVE.pattern})(?:-start)?\(', texts[0])  # the shapes that arrive
  dims = {int(n) for shape in sent for dims in re.findall(r'\[([\d,]+)\]', shape) for n in dims.split(',')}
  assert sent and not dims & {13, 104}


def test_what_evaluators_and_users_are_given_is_spread(started):
  p, train, alone = started
  batch = {p.data.inputs: p.data.splits['train'].take(np.arange(64))[p.data.inputs]}
  for state in (train, alone):  # such as one that was restored on one device
    (subject,) = list_subjects(p, state, {}, raw=False).values()
    z = subject.represent(batch).pooled
    assert len(z.addressable_shards) == 8 and {shard.data.shape[0] for shard in z.addressable_shards} == {8}
    view = partial(augment, views=1, flip=0.5)
    for rows in (Rows(subject, 'train', lambda features: {'pooled': features.pooled}, of, 64) for of in (None, view)):  # of probes
      z = rows._computed(0, {**batch, ROW: np.arange(64), 'label': np.zeros(64)})[0]['pooled']
      assert len(z.addressable_shards) == 8 and {shard.data.shape[0] for shard in z.addressable_shards} == {8}
    z = subject.represent(batch).pooled
    ragged = subject.represent({name: x[:13] for name, x in batch.items()}).pooled  # computed by each
    np.testing.assert_allclose(ragged, z[:13], rtol=1e-4, atol=1e-5)
    traced = jax.jit(lambda x, subject=subject: subject.represent({p.data.inputs: x}).pooled)(batch[p.data.inputs])
    np.testing.assert_allclose(traced, z, rtol=1e-4, atol=1e-5)
  model = Model(of_run(p, alone), p)
  z = model.represent(batch).pooled
  assert {shard.data.shape[0] for shard in z.addressable_shards} == {8}
  np.testing.assert_array_equal(model.encode(batch[p.data.inputs], batch_size=60), np.asarray(z))


@pytest.mark.rotating
def test_of_two_processes_each_reads_its_share_and_both_have_all(tmp_path):
  reads_a_share.encode(tmp_path)
  command = lambda coordinator, i: ['tests.evaluators.reads_a_share', str(tmp_path), '2', coordinator, str(i)]
  running = start(2, 2, command, tmp_path)
  said = finish(running, tmp_path)
  assert [process.returncode for process in running] == [0, 0], '\n'.join(said)
  alone, *both = (dict(np.load(tmp_path / f'{name}.npz')) for name in ('1_0', '2_0', '2_1'))
  for name in ('x', 'y', 'z', 'one'):
    np.testing.assert_array_equal(both[0][name], both[1][name])
    assert both[0][name].dtype == alone[name].dtype
    np.testing.assert_allclose(both[0][name], alone[name], rtol=1e-4, atol=1e-5)
  for name, x in reads_a_share.typed().items():
    for part in both:
      assert part[name].tobytes() == x.tobytes()
  half = -(-reads_a_share.ROWS // 2)
  for name in ('read', 'embedded'):
    assert alone[name].tolist() == [*range(reads_a_share.ROWS)]
    assert [part[name].tolist() for part in both] == [[*range(half)], [*range(half, reads_a_share.ROWS)]]
