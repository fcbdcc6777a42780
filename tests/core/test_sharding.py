"""What a compiled step sends: weights, gradients and what an objective needs, and never the activations of the whole batch."""

import json
import math

import jax
import numpy as np
import pytest

from jssl import testing
from jssl.configs import load_config
from jssl.core import loop, stored
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs
from jssl.devices.operations import operations
from jssl.devices.traffic import collectives, total

BATCH = 88  # a number that no dimension of these networks has


def compiled(name: str, sizes: dict, rules: str, **settings):
  c = load_config(f'{name}:tiny')
  c.update(dict(batch_size=BATCH, steps=1, mesh=sizes, rules=rules, **settings))
  p = plan(c)
  mesh = make_mesh(sizes)
  with jax.set_mesh(mesh):
    programs = Programs(p, mesh)
    return programs, programs.trace().lower().compile()


@pytest.mark.parametrize(
  'name, sizes, rules',
  [
    ('mae', dict(data=2, fsdp=4), 'fsdp'),
    pytest.param('mae', dict(data=2, fsdp=2, tensor=2), 'fsdp_tp', marks=pytest.mark.long),
    pytest.param('mae', dict(data=8), 'replicated', marks=pytest.mark.long),
    ('ijepa', dict(data=2, fsdp=4), 'fsdp'),  # four blocks of targets an image: on 4 devices each would have as many as the batch
    ('data2vec', dict(data=2, fsdp=2, tensor=2), 'fsdp_tp'),
  ],
)
@pytest.mark.rotating
def test_no_collective_has_the_whole_batch(name, sizes, rules):
  for one in collectives(compiled(name, sizes, rules)[1].as_text()):
    assert not any(BATCH in shape and len(shape) > 1 for shape in one.shapes), one


@pytest.mark.parametrize('name', ['simclr', 'dino', 'simcse'])
def test_what_has_the_whole_batch_are_embeddings(name):
  for one in collectives(compiled(name, dict(data=2, fsdp=4), 'fsdp')[1].as_text()):
    assert not any(BATCH in shape and len(shape) > 2 for shape in one.shapes), one


def test_a_step_sends_little_more_than_its_weights():
  programs, step = compiled('mae', dict(data=1, fsdp=8), 'fsdp')
  weights = 4 * sum(x.size for x in jax.tree.leaves(programs.states[0].params))
  assert total(collectives(step.as_text())) < 1.3 * 3 * weights  # gathered for both directions, and the gradient summed


@pytest.mark.rotating
def test_gradients_are_summed_once_an_update():
  sums = lambda count: total(collectives(compiled('mae', dict(data=8), 'replicated', micro_batches=count)[1].as_text()))
  assert sums(11) == pytest.approx(sums(1), rel=0.05)


MESHES = [(dict(data=2, fsdp=4), 'fsdp'), (dict(data=2, fsdp=2, tensor=2), 'fsdp_tp'), (dict(data=4, sequence=2), 'fsdp')]
# Each system on one mesh, and on the others with the long tests.
EACH = [
  pytest.param(name, *mesh, marks=() if i == j else pytest.mark.long)
  for i, name in enumerate(('moco_v2', 'mae', 'clip'))
  for j, mesh in enumerate(MESHES)
]


@pytest.mark.parametrize('name, sizes, rules', EACH)
@pytest.mark.rotating
def test_micro_batches_on_many_devices_are_those_on_one(name, sizes, rules):
  c = load_config(f'{name}:tiny')
  c.micro_batches = 2
  p = plan(c)
  start = jax.device_get(jax.jit(lambda: p.method.init(jax.random.key(0)))())
  batch = testing.first_batch(p, 0, start)
  expected = testing.loss_and_grad(p, start, batch, make_mesh(devices=jax.devices()[:1]))
  found = testing.loss_and_grad(plan({**p.config, 'rules': rules}), start, batch, make_mesh(sizes))
  assert max(testing._errors(expected, found).values()) < testing.TOLERANCE


def test_operations_are_counted_through_loops_and_apart_from_those_done_again():
  w = jax.ShapeDtypeStruct((6, 16, 16), np.float32)
  x = jax.ShapeDtypeStruct((8, 16), np.float32)

  def loss(w, x, block):
    return jax.lax.scan(lambda x, w: (block(x, w), None), x, w)[0].sum()

  block = lambda x, w: jax.numpy.tanh(x @ w)
  product = 6 * 2 * 8 * 16 * 16
  plain = operations(jax.make_jaxpr(jax.grad(lambda w, x: loss(w, x, block), (0, 1)))(w, x))
  again = operations(jax.make_jaxpr(jax.grad(lambda w, x: loss(w, x, jax.checkpoint(block)), (0, 1)))(w, x))
  assert plain == (3 * product, 0)
  assert again == (3 * product, product)


@pytest.mark.rotating
def test_a_checkpoint_is_written_and_read_in_shares(tmp_path):
  c = load_config('moco_v2:tiny')
  c.update(dict(mesh=dict(data=2, fsdp=4), rules='fsdp', steps=2, checkpoint_every=1))
  p = plan(c)
  first = loop.run(p, loop.open_source(p), workdir=tmp_path, quiet=True)
  spread = {jax.tree_util.keystr(path, simple=True, separator='.'): x for path, x in jax.tree_util.tree_leaves_with_path(first.train)}
  written = json.loads(next((tmp_path / 'checkpoints' / '2' / 'train').glob('array_metadatas/*')).read_text())['array_metadatas']
  shapes = {one['array_metadata']['param_name']: tuple(one['array_metadata']['write_shape']) for one in written}
  cut = {name for name, x in spread.items() if x.sharding.shard_shape(x.shape) != x.shape}
  assert {'params.backbone.conv1.kernel', 'state.memories.queue.keys'} <= cut and any(name.startswith('opt.') for name in cut)
  for name in cut:  # or in pieces of these, as devices that hold the same share the work
    assert math.prod(shapes[name]) <= math.prod(spread[name].sharding.shard_shape(spread[name].shape)), name
  again = loop.run(p, loop.open_source(p), workdir=tmp_path, quiet=True)
  for a, b in zip(jax.tree.leaves(first.train), jax.tree.leaves(again.train), strict=True):
    assert a.sharding.is_equivalent_to(b.sharding, a.ndim)


def test_the_sum_of_a_state_is_taken_where_its_shares_lie():
  mesh = make_mesh(dict(data=2, fsdp=4))
  x = np.random.default_rng(0).standard_normal((6, 8, 4)).astype(np.float32)
  spread = jax.device_put(x, jax.NamedSharding(mesh, jax.P(None, 'fsdp')))
  words = x.view(np.uint32).ravel().astype(np.uint64)
  assert int(stored._of_arrays([spread])) == int((words * (2 * np.arange(words.size, dtype=np.uint64) + 1)).sum() % 2**32)
  text = jax.jit(stored._of_arrays).lower([spread]).compile().as_text()
  assert [one.kind for one in collectives(text)] == ['all-reduce'] and collectives(text)[0].shapes == ((),)
