"""What a compiled step sends: weights, gradients and what an objective needs, and never the activations of the whole batch."""

import jax
import numpy as np
import pytest

from jssl import testing
from jssl.configs import load_config
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs
from jssl.plans.operations import operations
from jssl.plans.traffic import collectives, total

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
    ('mae', dict(data=2, fsdp=2, tensor=2), 'fsdp_tp'),
    ('mae', dict(data=8), 'replicated'),
    ('ijepa', dict(data=2, fsdp=4), 'fsdp'),  # four blocks of targets an image: on 4 devices each would have as many as the batch
    ('data2vec', dict(data=2, fsdp=2, tensor=2), 'fsdp_tp'),
  ],
)
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


def test_gradients_are_summed_once_an_update():
  sums = lambda count: total(collectives(compiled('mae', dict(data=8), 'replicated', micro_batches=count)[1].as_text()))
  assert sums(11) == pytest.approx(sums(1), rel=0.05)


@pytest.mark.parametrize(
  'sizes, rules', [(dict(data=2, fsdp=4), 'fsdp'), (dict(data=2, fsdp=2, tensor=2), 'fsdp_tp'), (dict(data=4, sequence=2), 'fsdp')]
)
@pytest.mark.parametrize('name', ['moco_v2', 'mae', 'clip'])
def test_micro_batches_on_many_devices_are_those_on_one(name, sizes, rules):
  c = load_config(f'{name}:tiny')
  c.micro_batches = 2
  p = plan(c)
  start = jax.device_get(jax.jit(lambda: p.method.init(jax.random.key(0)))())
  batch = testing.first_batch(p, 0, start)
  expected = testing.loss_and_grad(p, start, batch, make_mesh(devices=jax.devices()[:1]))
  found = testing.loss_and_grad(plan({**p.config, 'rules': rules}), start, batch, make_mesh(sizes))
  for a, b in zip(expected, found, strict=True):
    assert testing._error(a, b) < testing.TOLERANCE


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
