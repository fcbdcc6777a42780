"""Objectives under jit, shard_map and pmap: loss and gradient are those of the global batch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.objectives import barlow_twins, info_nce, info_nce_queue, nt_xent, sup_con
from jssl.ops.gathered import gathered

N, B, D = 8, 32, 16
CASES = {
  'nt_xent': (nt_xent, dict(temperature=0.2), ()),
  'info_nce': (info_nce, dict(temperature=0.2), ()),
  'barlow_twins': (barlow_twins, dict(), ()),  # a scalar
  'sup_con': (sup_con, dict(labels=True), ()),
  'info_nce_queue': (info_nce_queue, dict(negatives=True), ('negatives',)),
}


def arrays():
  random = np.random.default_rng(0)
  x = random.normal(size=(B, 12)).astype(np.float32)
  w = random.normal(size=(12, D)).astype(np.float32)
  labels = (np.arange(B) % 5).astype(np.int32)
  return w, x, x + 0.3 * random.normal(size=x.shape).astype(np.float32), labels, random.normal(size=(24, D)).astype(np.float32)


def whole(case):
  """Loss and gradient of the global batch on one device."""
  objective, options, _ = CASES[case]
  w, x, y, labels, queue = arrays()
  given = {**options, **({'labels': labels} if 'labels' in options else {}), **({'negatives': queue} if 'negatives' in options else {})}
  return jax.value_and_grad(lambda w: jnp.mean(objective(x @ w, y @ w, **given)))(w)


def local(case, w, x, y, labels, queue):
  """Of one device's rows, with the mean over devices."""
  objective, options, kept = CASES[case]
  given = {**options, **({'labels': labels} if 'labels' in options else {}), **({'negatives': queue} if 'negatives' in options else {})}
  loss, grad = jax.value_and_grad(lambda w: jnp.mean(gathered(objective, 'data', whole=kept)(x @ w, y @ w, **given)))(w)
  return jax.lax.pmean(loss, 'data'), jax.lax.pmean(grad, 'data')


def same(found, expected):
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize('case', CASES)
def test_shard_map(case):
  mesh = Mesh(np.array(jax.devices()[:N]), ('data',))
  mapped = jax.shard_map(partial(local, case), mesh=mesh, in_specs=(P(), P('data'), P('data'), P('data'), P()), out_specs=P(), check_vma=False)
  same(jax.jit(mapped)(*arrays()), whole(case))


@pytest.mark.parametrize('case', CASES)
def test_pmap(case):
  w, x, y, labels, queue = arrays()
  parts = [a.reshape(N, B // N, *a.shape[1:]) for a in (x, y, labels)]
  found = jax.pmap(partial(local, case), 'data', in_axes=(None, 0, 0, 0, None))(w, *parts, queue)
  same(jax.tree.map(lambda a: a[0], found), whole(case))


@pytest.mark.parametrize('case', CASES)
def test_jit_with_sharded_arrays_needs_nothing(case):
  objective, options, _ = CASES[case]
  mesh = Mesh(np.array(jax.devices()[:N]), ('data',))
  w, x, y, labels, queue = arrays()
  x, y, labels = (jax.device_put(a, NamedSharding(mesh, P('data'))) for a in (x, y, labels))
  given = {**options, **({'labels': labels} if 'labels' in options else {}), **({'negatives': queue} if 'negatives' in options else {})}
  same(jax.jit(jax.value_and_grad(lambda w: jnp.mean(objective(x @ w, y @ w, **given))))(w), whole(case))


def test_without_gathering_the_loss_is_another():
  w, x, y, labels, queue = arrays()
  alone = np.mean([np.mean(nt_xent(x[i : i + 4] @ w, y[i : i + 4] @ w, temperature=0.2)) for i in range(0, B, 4)])
  assert abs(alone - whole('nt_xent')[0]) > 0.5
