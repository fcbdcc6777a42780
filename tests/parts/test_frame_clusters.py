"""Clusters of the frames of waveforms, by their cepstrum or by a network."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.data.core.arrays import arrays
from jssl.ops.waveforms import frame_count, mfcc
from jssl.parts.refreshes import frame_clusters
from jssl.types import Features

KERNELS, STRIDES = (200,), (160,)  # a frame every 20 ms


def represent(x, network=None, lengths=None):
  assert network == 'first'
  frames = frame_count(x['wave'].shape[1], KERNELS, STRIDES)
  level = jnp.stack([jnp.mean(x['wave'][:, 160 * t : 160 * t + 200], 1) for t in range(frames)], 1)
  return Features(level[..., None], level[:, :1], jnp.stack([jnp.zeros_like(level), level])[..., None])


@pytest.fixture(scope='module')
def data():
  rng = np.random.default_rng(0)
  steps = np.repeat(rng.integers(0, 3, (20, 8)), 160, 1)  # three levels, 20 ms each
  wave = (steps + 0.01 * rng.normal(size=steps.shape)).astype(np.float32)
  return arrays(wave=wave, samples=np.where(np.arange(20) % 2, 1280, 700).astype(np.int32), steps=steps[:, 20::160])


def made(data, **options):
  refresh = frame_clusters(frames=7, rate=8000, **options)
  nets = dict(first=SimpleNamespace(frames=lambda samples: frame_count(samples, KERNELS, STRIDES)))
  units = refresh.make(represent, nets, data, jax.random.key(0))['units']
  column = refresh.columns(data)['units']
  assert units.shape == (20, *column.shape) and units.dtype == column.dtype == np.int32 and 0 <= units.min() and units.max() < column.size
  return units


def test_states_of_a_layer_are_clustered(data):
  units, steps = made(data, count=3, by='first', layer=1), data.splits['train'].columns['steps'][:, :7]
  assert all(len({*units[steps == level].tolist()}) == 1 for level in range(3)) and len({*units.ravel().tolist()}) == 3
  assert len({*made(data, count=1, by='first', layer=0).ravel().tolist()}) == 1
  some = made(data, count=3, by='first', layer=1, share=0.3)
  assert len({*zip(some.ravel().tolist(), units.ravel().tolist(), strict=True)}) == 3, 'the same clusters, in another order'


def test_padding_moves_no_centre(data):
  train = data.splits['train'].columns
  loud = np.where(np.arange(1280) < train['samples'][:, None], train['wave'], 1e4)
  padded = arrays(**{**train, 'wave': loud})
  real = np.arange(7) < frame_count(train['samples'], KERNELS, STRIDES)[:, None]
  told = made(padded, count=3, by='first', layer=1, lengths='samples')
  levels = {level: {*told[real & (train['steps'][:, :7] == level)].tolist()} for level in range(3)}
  assert [len(x) for x in levels.values()] == [1, 1, 1] and len(set.union(*levels.values())) == 3
  assert len({*made(padded, count=3, by='first', layer=1)[real].tolist()}) < 3


def test_cepstra_are_clustered_at_every_second_frame(data):
  units = made(data, count=4, stride=2)
  z = np.asarray(mfcc(jnp.asarray(data.splits['train'].columns['wave']), rate=8000))[:, ::2][:, :7]
  means = np.stack([z[units == i].mean(0) for i in range(4)])
  nearest = np.argmin(((z[:, :, None] - means) ** 2).sum(-1), -1)
  assert (nearest == units).mean() > 0.95
  np.testing.assert_array_equal(units, made(data, count=4, stride=2))


def test_errors_say_what_to_give(data):
  with pytest.raises(ValueError, match='give both, a network and its layer'):
    frame_clusters(count=3, frames=7, by='first')
  with pytest.raises(ValueError, match='give frames=14'):
    made(data, count=3)
  with pytest.raises(ValueError, match='141 clusters of 140'):
    made(data, count=141, by='first', layer=1)
  with pytest.raises(ValueError, match='not finite'):
    made(arrays(wave=np.full((20, 1280), np.inf, np.float32)), count=3, by='first', layer=1)
