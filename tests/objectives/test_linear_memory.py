"""Contrast in chunks and round the ring of devices: the plain form's numbers, in memory that grows with the batch."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from jax.sharding import NamedSharding, PartitionSpec

from jssl.core.mesh import BATCH, make_mesh
from jssl.devices.traffic import collectives, total
from jssl.objectives import info_nce
from jssl.ops.pairwise import AXES, nearest, unlike
from tests.objectives import OBJECTIVES
from tests.objectives.test_oracles import VALUE, degenerate, error, evaluate, random, values
from tests.oracles import ORACLES
from tests.oracles.contrastive import pair

PARAMETERS = {name: inspect.signature(f).parameters for name, f in OBJECTIVES.items()}
NAMES = [name for name, p in PARAMETERS.items() if 'chunk' in p]
EQUAL = 1e-6  # relative: float32, in another order of sums


def with_chunk(case, chunk):
  return case[0], case[1] | dict(chunk=chunk)


@pytest.mark.parametrize('name', NAMES)
def test_chunks_do_not_change_the_numbers(name):
  cases = ORACLES[name].cases(random(name))
  for case, chunks in ((cases[0], (1, 3, 16)), (cases[-1], (4,))):
    _, plain, plain_gradient = evaluate(name, case)
    for chunk in chunks:
      _, loss, gradient = evaluate(name, with_chunk(case, chunk))
      assert loss.dtype == jnp.float32
      assert error(loss, values(name, case)) < VALUE
      assert error(loss, plain) < EQUAL
      for found, expected in zip(gradient, plain_gradient, strict=True):
        assert error(found, expected) < EQUAL


@pytest.mark.parametrize('name', NAMES)
def test_chunks_are_finite_where_degenerate(name):
  for case in degenerate(name, random(name)):
    mean, _, gradient = evaluate(name, with_chunk(case, 4))
    assert np.isfinite(mean), case
    assert all(np.isfinite(g).all() for g in gradient), case


def test_chunks_take_bfloat16():
  case = ORACLES['info_nce'].cases(random('info_nce'))[0]
  _, plain, _ = evaluate('info_nce', case, jnp.bfloat16)
  _, loss, _ = evaluate('info_nce', with_chunk(case, 4), jnp.bfloat16)
  assert loss.dtype == jnp.float32 and error(loss, plain) < EQUAL


def arguments(name, b, d):
  """What moves: q, k, negatives and numbers; and what does not: rows of equal id and label, a support."""
  rng, takes = random(name), PARAMETERS[name]
  moving = dict(zip('qk', pair(rng, b, d), strict=True))
  if 'negatives' in takes:
    moving['negatives'] = rng.normal(size=(2 * b, d)).astype(np.float32)
  moving |= {n: takes[n].default for n in ('temperature', 't_prime', 'bias') if n in takes}
  fixed = {n: rng.integers(0, b // 2, b) for n in ('ids', 'labels') if n in takes}
  fixed |= {n: rng.integers(0, b // 2, 2 * b) for n in ('negative_ids',) if n in takes}
  fixed |= {n: rng.normal(size=(2 * b, d)).astype(np.float32) for n in ('support',) if n in takes}
  return moving, fixed


def program(name, chunk):
  """jitted (moving, fixed) -> (a sum of the losses with unequal weights, gradient by all that moves)."""

  def total(moving, fixed):
    loss = OBJECTIVES[name](chunk=chunk, **moving, **fixed)
    return jnp.sum(loss * (1 + jnp.arange(loss.size).reshape(loss.shape) / loss.size))

  return jax.jit(jax.value_and_grad(total))


def spread(given, mesh):
  places = jax.tree.map(lambda x: NamedSharding(mesh, BATCH if np.ndim(x) else PartitionSpec()), given)
  return jax.device_put(given, places)


def agree(found, expected):
  # Sums over eight devices are rounded in another order. The gradient of DCL's temperature is a small difference of large sums: 5.4e-6.
  jax.tree.map(lambda x, y: np.testing.assert_array_less(error(x, y), 8 * EQUAL), found, expected)


@pytest.mark.parametrize('name', NAMES)
def test_ring_of_eight_devices(name):
  given, mesh = arguments(name, 16, 5), make_mesh(dict(data=4, fsdp=2))
  expected = program(name, None)(*given)
  with jax.set_mesh(mesh):
    run = program(name, 3).lower(*spread(given, mesh)).compile()
    agree(run(*spread(given, mesh)), expected)
  assert 'collective-permute' in run.as_text()


def test_the_ring_sends_each_share_once_each_way():
  """SigLIP on eight devices: seven shares of the candidates forward and seven of the anchors backward, and vectors beside them."""
  b, d, mesh = 1024, 64, make_mesh(dict(data=4, fsdp=2))
  given = arguments('siglip', b, d)
  with jax.set_mesh(mesh):
    sent = collectives(program('siglip', 32).lower(*spread(given, mesh)).compile().as_text())
  shares, vectors = (sum(one.times for one in sent if one.shapes == shape) for shape in (((b // 8, d),), ((b // 8,),)))
  assert shares == 2 * 7 and vectors <= 7 * 7  # ids, scale, shift, reduced rows and their cotangents
  assert total(sent) <= 7 * b // 8 * 4 * (2 * d + 7) + 5 * 4  # and five sums


@pytest.mark.parametrize('sizes, b', [(dict(data=2, fsdp=2, tensor=2), 8), (dict(data=8), 12), (dict(tensor=8), 8)])
def test_other_meshes_and_batches(sizes, b):
  """A tensor axis beside the ring; a batch that does not divide, and a mesh that does not spread it: no ring."""
  given, mesh = arguments('nt_xent', b, 5), make_mesh(dict(data=1) | sizes)
  expected = program('nt_xent', None)(*given)
  with jax.set_mesh(mesh):
    run = program('nt_xent', 3).lower(*given).compile()
    agree(run(*given), expected)
  assert ('collective-permute' in run.as_text()) == ('fsdp' in sizes)


def test_ring_without_jit():
  given = arguments('info_nce', 8, 5)
  with jax.set_mesh(make_mesh()):
    q, k = given[0]['q'], given[0]['k']
    np.testing.assert_allclose(info_nce(q, k, chunk=3), info_nce(q, k), rtol=1e-5)


def temporaries(name, b, mesh=None):
  given = arguments(name, b, 64)
  run = program(name, 64).lower(*(spread(given, mesh) if mesh else given)).compile()
  return run.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize('name', ['info_nce', 'nt_xent', 'sup_con', 'siglip'])
def test_memory_grows_with_the_batch_and_shrinks_with_the_devices(name):
  b = 8192
  one = temporaries(name, b)
  assert one < b * b  # a quarter of one table
  assert abs(temporaries(name, 2 * b) / one - 2) < 0.01
  mesh = make_mesh(dict(data=4, fsdp=2))
  share = 4 * b * 64 / 8  # bytes of one device's part of q; a few such travel
  with jax.set_mesh(mesh):
    assert temporaries(name, b, mesh) < one / 8 + 10 * share


@pytest.mark.parametrize('name', NAMES)
def test_no_table_is_made(name):
  def largest(jaxpr):
    sizes = [v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars]
    return max(sizes + [largest(inner) for eqn in jaxpr.eqns for inner in jaxprs_in_params(eqn.params)])

  b, d, chunk = 64, 4, 2
  rows = 3 * b if name == 'info_nce' else 2 * b  # it joins the keys of the batch and the further negatives
  assert largest(jax.make_jaxpr(program(name, chunk))(*arguments(name, b, d)).jaxpr) <= rows * max(d, chunk)


def test_parts_agree_with_their_plain_forms():
  rng = np.random.default_rng(0)
  q, c = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(9, 5)).astype(np.float32)
  c[6] = c[2]  # the first of equals wins
  labels = np.array([-3, 4, 4, 0, 9, 4, -3])
  np.testing.assert_array_equal(nearest(q, c, chunk=2), nearest(q, c))
  np.testing.assert_array_equal(unlike(labels), np.sum(labels[:, None] != labels, 1))


def test_the_ring_runs_over_the_axes_of_the_batch():
  assert BATCH == PartitionSpec(AXES)


def test_chunk_errors():
  with pytest.raises(ValueError, match='chunk .* at least 1'):
    info_nce(jnp.ones((4, 2)), jnp.ones((4, 2)), chunk=0)
