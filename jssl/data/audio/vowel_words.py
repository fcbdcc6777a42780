"""Words of synthetic vowels as waveforms, with the vowel of every frame."""

import functools
import itertools

import numpy as np
from scipy.signal import lfilter

from jssl.data.audio.vowels import CLASSES, FORMANTS, HOP, PITCH, RATE, WIDTHS
from jssl.data.core.arrays import arrays
from jssl.types import Data

RECEIVED = 225  # samples that a frame of `wav2vec_micro` sees
SILENCE = len(CLASSES)


def vowel_words(
  *, words: int = 12, frames: int = 64, train: int = 1000, test: int = 500, levels: tuple[float, float] = (0.0, 15.0), seed: int = 0
) -> Data:
  """Words of three vowels each, spoken by men, women and children in noise.

  A word is a sequence of three different vowels of ten, drawn by the seed. In an utterance pulses of a pitch that glides pass three resonators
  at the measured mean formants, each perturbed by about 4 %; the length of each vowel, the place of the word and the level of the noise are
  random. Waves have 8,000 samples a second, and frames are 10 ms apart.

  Args:
    words: number of words.
    frames: frames per utterance.
    train, test: utterances.
    levels: range of the signal-to-noise ratio of an utterance, in dB.
    seed: seed of all randomness.

  Returns:
    Data with columns wave [225 + 80 (frames - 1)] float32 of unit variance, phones [frames] int32 (the vowel at the centre of each frame, or
    the last number for noise alone), speaker [] int32 (0 man, 1 woman, 2 child) and label [] int32, the word.

  Reference: Peterson, Barney, JASA 24, 1952, doi:10.1121/1.1906875, Table II (formants); Fant, Acoustic Theory of Speech Production, 1960
    (source and filter).
  """
  info = dict(
    name='vowel_words', licence='generated', citation='Peterson, Barney, Control methods used in a study of the vowels, JASA 24, 1952'
  )
  facts = dict(phones=dict(classes=(*CLASSES, 'noise')), label=dict(size=words), speaker=dict(size=3))
  splits = _vowel_words(words, frames, train, test, tuple(levels), seed)
  return arrays(**splits[0], test=splits[1], inputs='wave', facts=facts, info=info)


@functools.lru_cache(4)
def _vowel_words(words: int, frames: int, train: int, test: int, levels: tuple[float, float], seed: int) -> list[dict[str, np.ndarray]]:
  rng = np.random.default_rng(seed)
  spelt = rng.permutation(list(itertools.permutations(range(len(CLASSES)), 3)))[:words]
  splits = []
  for n in (train, test):
    label, speaker = rng.integers(words, size=n), rng.integers(3, size=n)
    said = [_utterance(rng, spelt[word], who, frames, levels) for word, who in zip(label, speaker, strict=True)]
    wave, phones = (np.stack(x) for x in zip(*said, strict=True))
    splits.append(dict(wave=wave, phones=phones, speaker=speaker.astype(np.int32), label=label.astype(np.int32)))
  return splits


def _utterance(rng: np.random.Generator, word: np.ndarray, speaker: int, frames: int, levels: tuple[float, float]) -> tuple:
  n = RECEIVED + (frames - 1) * HOP
  lengths = (rng.uniform(0.18, 0.3, len(word)) * n).astype(int)
  pitch = PITCH[speaker] * np.exp(rng.normal(0, 0.12)) * np.exp(np.linspace(0, rng.normal(0, 0.15), lengths.sum()))
  x = np.diff(np.floor(np.cumsum(pitch / RATE)), prepend=0.0)
  formants = FORMANTS[speaker, word] * np.exp(rng.normal(0, 0.04, (len(word), 3)))
  ends = np.cumsum(lengths)
  for i, width in enumerate(WIDTHS):
    state, r = np.zeros(2), np.exp(-np.pi * width / RATE)
    for formant, end, length in zip(formants[:, i], ends, lengths, strict=True):
      a = [1, -2 * r * np.cos(2 * np.pi * formant / RATE), r * r]
      x[end - length : end], state = lfilter([sum(a)], a, x[end - length : end], zi=state)
  for end, length in zip(ends, lengths, strict=True):
    of = slice(end - length, end)
    x[of] *= np.hanning(length) ** 0.3 / max(x[of].std(), 1e-9)
  start, level = rng.integers(n - len(x)), 10 ** (-rng.uniform(*levels) / 20)
  wave = lfilter([1], [1, -0.7], rng.normal(size=n))
  wave *= level / wave.std()
  wave[start : start + len(x)] += x
  at = np.arange(frames) * HOP + RECEIVED // 2 - start
  phones = np.where((at >= 0) & (at < len(x)), word[np.minimum(np.searchsorted(ends, at, 'right'), len(word) - 1)], SILENCE)
  return (wave / wave.std()).astype(np.float32), phones.astype(np.int32)
