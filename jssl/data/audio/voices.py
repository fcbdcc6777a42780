"""Synthetic voices: utterances of known speakers, by a source-filter model."""

import functools

import numpy as np

from jssl.data.core.arrays import Columns, arrays
from jssl.types import Data, Judged

# First three formants of five vowels, in Hz, of an adult male.
_VOWELS = np.array([[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240]])
_HARMONICS, _TOP = 40, 5000.0  # Hz: upper edge of the last band


def voices(
  *,
  speakers: int = 160,
  others: int = 40,
  utterances: int = 8,
  frames: int = 32,
  bands: int = 24,
  seed: int = 0,
) -> Data:
  """Log-mel spectrograms of synthetic vowels; the speakers of 'test' are not in 'train'.

  A speaker is defined by the length of the vocal tract, deviations of each vowel's formants, bandwidths, a pitch and its variability, a slope
  of the voice source, and breath. An utterance is a random sequence of vowels with random melody and loudness, through a channel with random
  slope and noise; these are independent of the speaker.

  An example of 'train' is a speaker with all utterances; an example of 'test' is one utterance. In both, the column `utterances` has those of
  the speaker.

  Args:
    speakers: number of speakers in 'train'.
    others: number of speakers in 'test'.
    utterances: number of utterances per speaker.
    frames: number of frames per utterance, 30 ms each.
    bands: number of mel bands, from 80 Hz to 5 kHz.
    seed: seed of all randomness.

  Returns:
    Data with columns speech [frames 1 bands], utterances [utterances frames 1 bands] and label [], the speaker.

  Reference: Fant, Acoustic Theory of Speech Production, 1960, doi:10.1515/9783110873429 (source and filter); Peterson,
  Barney, JASA 1952, doi:10.1121/1.1906875, Table II (formants of vowels).
  """
  speech = _speech(speakers + others, utterances, frames, bands, seed)
  train, test = speech[:speakers], speech[speakers:]
  who = np.arange(speakers + others, dtype=np.int32)
  data = arrays(
    speech=train[:, 0],
    utterances=train,
    label=who[:speakers],
    info=dict(name='voices', description='Generated voices.', licence='none needed: generated', citation='Fant 1960; Peterson, Barney 1952'),
  )
  each = dict(
    speech=test.reshape(-1, *test.shape[2:]),
    utterances=np.repeat(test, utterances, 0),
    label=np.repeat(who[speakers:], utterances),
  )
  return data._replace(splits={**data.splits, 'test': Columns(each)}, judged=Judged(carved=None))


@functools.lru_cache(2)
def _speech(speakers: int, utterances: int, frames: int, bands: int, seed: int) -> np.ndarray:
  """[speakers utterances frames 1 bands] float32, each utterance standardised to mean 0 and deviation 1."""
  rng = np.random.default_rng(seed)
  return np.stack([_speaker(rng, utterances, frames, bands) for _ in range(speakers)])


def _speaker(rng: np.random.Generator, utterances: int, frames: int, bands: int) -> np.ndarray:
  formants = _VOWELS * rng.uniform(0.9, 1.25) * np.exp(0.04 * rng.normal(size=_VOWELS.shape))
  bandwidths = rng.uniform(0.8, 1.6) * np.array([60.0, 90.0, 150.0])
  pitch, lively = np.exp(rng.uniform(np.log(90), np.log(250))), rng.uniform(0.03, 0.12)
  slope, breath = rng.uniform(-9, -3), rng.uniform(-50, -25)  # dB per octave, dB
  spoken = [_utterance(rng, formants, bandwidths, pitch, lively, slope, breath, frames, bands) for _ in range(utterances)]
  return np.stack(spoken)[:, :, None].astype(np.float32)


def _utterance(rng, formants, bandwidths, pitch, lively, slope, breath, frames: int, bands: int) -> np.ndarray:
  said = formants[rng.integers(0, len(formants), 6)]
  at = np.linspace(0, 5, frames)
  track = np.stack([np.interp(at, np.arange(6), said[:, i]) for i in range(3)], 1)  # [t 3]
  melody = np.interp(at, np.arange(6), rng.normal(size=6))
  f0 = pitch * np.exp(0.08 * rng.normal() + lively * melody)
  f = f0[:, None] * np.arange(1, _HARMONICS + 1)  # [t h]
  octaves = np.log2(f / 200)
  gain = slope * octaves + rng.normal(0, 3) * octaves + rng.normal(0, 6)
  for i in range(3):
    half, centre = bandwidths[i] / 2, track[:, i : i + 1]
    resonance = (centre**2 + half**2) ** 2 / (((f - centre) ** 2 + half**2) * ((f + centre) ** 2 + half**2))
    gain = gain + 10 * np.log10(resonance)
  edges = 700 * (np.exp(np.linspace(np.log1p(80 / 700), np.log1p(_TOP / 700), bands + 2)) - 1)
  low, middle, high = edges[:-2], edges[1:-1], edges[2:]
  rise, fall = (f[..., None] - low) / (middle - low), (high - f[..., None]) / (high - middle)
  power = np.einsum('th,thm->tm', 10 ** (gain / 10), np.clip(np.minimum(rise, fall), 0, None))
  noise = 10 ** ((breath + gain.max()) / 10) * rng.exponential(size=power.shape)
  mel = np.log(power + noise)
  return (mel - mel.mean()) / mel.std()
