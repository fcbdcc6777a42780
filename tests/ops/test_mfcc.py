"""Cepstra against Kaldi's recipe as loops."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jssl.ops.waveforms import mfcc


def cepstra(x, rate):
  window, hop, size = rate // 40, rate // 100, 512 if rate == 16000 else 256
  mel = lambda f: 1127 * math.log(1 + f / 700)
  step = (mel(rate / 2) - mel(20)) / 24
  rows = []
  for start in range(0, len(x) - window + 1, hop):
    y = x[start : start + window] - x[start : start + window].mean()
    y = [y[n] - 0.97 * y[max(n - 1, 0)] for n in range(window)]
    y = [v * (0.5 - 0.5 * math.cos(2 * math.pi * n / (window - 1))) ** 0.85 for n, v in enumerate(y)]
    power = np.abs(np.fft.fft(y, size)) ** 2
    logs = []
    for band in range(23):
      left, centre, right = (mel(20) + (band + i) * step for i in range(3))
      total = 0.0
      for k in range(size // 2):
        m = mel(k * rate / size)
        if left < m < right:
          total += power[k] * ((m - left) / (centre - left) if m <= centre else (right - m) / (right - centre))
      logs.append(math.log(max(total, 2.0**-23)))
    row = []
    for i in range(13):
      cosine = sum(v * math.cos(math.pi * i * (j + 0.5) / 23) for j, v in enumerate(logs))
      row.append(math.sqrt((1 if i == 0 else 2) / 23) * cosine * (1 + 11 * math.sin(math.pi * i / 22)))
    rows.append(row)
  return np.array(rows)


def differences(c):
  at = lambda t: c[min(max(t, 0), len(c) - 1)]
  return np.array([sum(k * (at(t + k) - at(t - k)) for k in (1, 2)) / 10 for t in range(len(c))])


@pytest.mark.parametrize('rate', [16000, 8000])
def test_mfcc_is_the_loop(rate):
  x = np.random.default_rng(0).normal(size=rate // 40 + 4 * rate // 100 + 7)
  c = cepstra(x, rate)
  expected = np.concatenate([c, differences(c), differences(differences(c))], 1)
  found = np.asarray(mfcc(jnp.asarray(x, jnp.float32)[None].repeat(2, 0), rate=rate))
  assert found.shape == (2, 5, 39)
  np.testing.assert_allclose(found[1], expected, rtol=1e-4, atol=2e-3)
  assert np.isfinite(np.asarray(mfcc(jnp.zeros((1, rate // 20)), rate=rate))).all()
