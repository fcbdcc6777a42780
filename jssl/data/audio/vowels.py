"""Synthetic vowels from measured formants, log-mel frames, and codes by residual k-means."""

import functools

import numpy as np
from scipy.signal import lfilter

from jssl.data.core.arrays import arrays
from jssl.types import Data

RATE, HOP, WINDOW, FFT, FRAMES, BANDS = 8000, 80, 200, 256, 64, 32
CLASSES = ('iy', 'ih', 'eh', 'ae', 'aa', 'ao', 'uh', 'uw', 'ah', 'er')
# Mean formants F1 to F3 in Hz of men, women and children, and their approximate pitch.
FORMANTS = np.array([
  [[270, 2290, 3010], [390, 1990, 2550], [530, 1840, 2480], [660, 1720, 2410], [730, 1090, 2440],
   [570, 840, 2410], [440, 1020, 2240], [300, 870, 2240], [640, 1190, 2390], [490, 1350, 1690]],
  [[310, 2790, 3310], [430, 2480, 3070], [610, 2330, 2990], [860, 2050, 2850], [850, 1220, 2810],
   [590, 920, 2710], [470, 1160, 2680], [370, 950, 2670], [760, 1400, 2780], [500, 1640, 1960]],
  [[370, 3200, 3730], [530, 2730, 3600], [690, 2610, 3570], [1010, 2320, 3320], [1030, 1370, 3170],
   [680, 1060, 3180], [560, 1410, 3310], [430, 1170, 3260], [850, 1590, 3360], [560, 1820, 2160]],
])  # fmt: skip
PITCH, WIDTHS = (130, 220, 270), (60, 90, 150)


def vowels(*, codebooks: int = 4, entries: int = 64, levels: tuple[float, float] = (-3.0, 12.0), seed: int = 0) -> Data:
  """Synthetic vowels of men, women and children in noise, as log-mel frames with codes; no network needed.

  A clip of 0.64 s at 8 kHz has one vowel of random pitch, glide, onset and length: pulses through three resonators at the measured mean
  formants, each perturbed by about 4 %, in noise. Frames are 32 log-mel bands every 10 ms, standardised on the training split. Codes replace
  those of a neural codec: residual k-means of the frames.

  Args:
    codebooks: q, number of residual stages.
    entries: v, number of entries per codebook.
    levels: range of the signal-to-noise ratio of a clip, in dB.
    seed: seed of all randomness.

  Returns:
    Data of 1,500 training and 500 test clips with columns frames [64 32] float32, codes [64 q] int32, speaker [] int32 (0
    man, 1 woman, 2 child) and label [] int32, the vowel.

  Reference: Peterson, Barney, JASA 24, 1952, doi:10.1121/1.1906875, Table II (formants); Fant, Acoustic Theory of Speech
    Production, 1960 (source and filter).
  """
  train, test, shares = _vowels(codebooks, entries, tuple(levels), seed)
  info = dict(
    name='vowels', classes=CLASSES, licence='generated', shares=shares,
    citation='Peterson, Barney, Control methods used in a study of the vowels, JASA 24, 1952',
  )  # fmt: skip
  facts = dict(codes=dict(size=entries))
  return arrays(**train, test=test, inputs='frames', facts=facts, info=info)


@functools.cache
def _vowels(codebooks: int, entries: int, levels: tuple[float, float], seed: int):
  rng = np.random.default_rng(seed)
  splits = [_clips(rng, n, levels) for n in (1500, 500)]
  seen = splits[0]['frames']
  mean, std = seen.mean((0, 1)), seen.std((0, 1))
  for split in splits:
    split['frames'] = ((split['frames'] - mean) / std).astype(np.float32)
  flat = splits[0]['frames'].reshape(-1, BANDS)
  books, shares = fit_codes(flat[rng.permutation(len(flat))[:8000]], codebooks, entries, rng)
  for split in splits:
    split['codes'] = residual_codes(split['frames'].reshape(-1, BANDS), books).reshape(-1, FRAMES, codebooks)
  return *splits, shares


def _clips(rng: np.random.Generator, n: int, levels: tuple[float, float]) -> dict[str, np.ndarray]:
  label, speaker = rng.integers(len(CLASSES), size=n), rng.integers(3, size=n)
  frames = np.stack([log_mel(_vowel(rng, v, s, levels)) for v, s in zip(label, speaker, strict=True)])
  return dict(frames=frames, speaker=speaker, label=label)


def _vowel(rng: np.random.Generator, vowel: int, speaker: int, levels: tuple[float, float]) -> np.ndarray:
  n = FRAMES * HOP + WINDOW - HOP
  length = int(rng.uniform(0.25, 0.6) * n)
  pitch = PITCH[speaker] * np.exp(rng.normal(0, 0.12)) * np.exp(np.linspace(0, rng.normal(0, 0.15), length))
  x = np.diff(np.floor(np.cumsum(pitch / RATE)), prepend=0.0)
  for formant, width in zip(FORMANTS[speaker, vowel] * np.exp(rng.normal(0, 0.04, 3)), WIDTHS, strict=True):
    r = np.exp(-np.pi * width / RATE)
    a = [1, -2 * r * np.cos(2 * np.pi * formant / RATE), r * r]
    x = lfilter([sum(a)], a, x)
  x *= np.hanning(length) ** 0.3
  place, level = rng.integers(n - length), 10 ** (-rng.uniform(*levels) / 20)
  clip = lfilter([1], [1, -0.7], rng.normal(size=n))
  clip *= level * x.std() / clip.std()
  clip[place : place + length] += x
  return clip / clip.std()


def log_mel(x: np.ndarray) -> np.ndarray:
  """A waveform at 8 kHz as log-mel frames, one every 10 ms from windows of 25 ms.

  Args:
    x: [(t - 1) 80 + 200].

  Returns:
    [t 32].

  Reference: Davis, Mermelstein, IEEE TASSP 28, 1980, doi:10.1109/TASSP.1980.1163420; mel = 2595 log10(1 + f/700).
  """
  windows = np.lib.stride_tricks.sliding_window_view(x, WINDOW)[::HOP] * np.hanning(WINDOW)
  power = np.abs(np.fft.rfft(windows, FFT)) ** 2
  return np.log(power @ _mel_bands() + 1e-3)


@functools.cache
def _mel_bands() -> np.ndarray:
  mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
  edges = 700 * (10 ** (mel / 2595) - 1)
  f = np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
  rise, fall = (f - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - f) / np.diff(edges)[1:]
  return np.maximum(np.minimum(rise, fall), 0)


def fit_codes(x: np.ndarray, codebooks: int, entries: int, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, ...]]:
  """Residual k-means: each codebook is fitted to the residual of the previous ones.

  Args:
    x: [n d] frames.
    codebooks: q.
    entries: v.
    rng: for the initial centres.

  Returns:
    Centres [q v d], and weights of the codebooks as in EnCodecMAE: the squared error before each one, divided by the sum of these.
  """
  books, errors = [], []
  for _ in range(codebooks):
    errors.append(np.mean(x**2))
    centres = x[rng.permutation(len(x))[:entries]].copy()
    for _ in range(15):
      own = _nearest(x, centres)
      count = np.bincount(own, minlength=entries)
      total = np.zeros_like(centres)
      np.add.at(total, own, x)
      centres = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres).astype(x.dtype)
    x = x - centres[_nearest(x, centres)]
    books.append(centres)
  return np.stack(books), tuple(float(e / sum(errors)) for e in errors)


def residual_codes(x: np.ndarray, books: np.ndarray) -> np.ndarray:
  """Encodes frames [n d] as the index of the nearest centre of each of `books` [q v d], in order: [n q] int32."""
  codes = []
  for centres in books:
    codes.append(_nearest(x, centres))
    x = x - centres[codes[-1]]
  return np.stack(codes, 1).astype(np.int32)


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
  return np.argmin((centres**2).sum(1) - 2 * x @ centres.T, 1)
