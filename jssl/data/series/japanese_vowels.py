"""Multivariate time series from installed packages, padded with zeros to one length."""

import functools
from pathlib import Path

import numpy as np

from jssl.data.core.arrays import arrays
from jssl.data.core.packaged import package
from jssl.types import Data

_INFO = dict(
  name='japanese_vowels',
  classes=tuple('123456789'),
  description='Utterances of two Japanese vowels by nine men: 12 linear-prediction cepstrum coefficients a frame, 7 to 29 frames.',
  licence='CC BY 4.0 (UCI Machine Learning Repository); packaged with sktime, BSD-3-Clause',
  citation='Kudo, Toyama, Shimbo, Japanese Vowels, UCI Machine Learning Repository, doi:10.24432/C5NS47',
  homepage='https://archive.ics.uci.edu/dataset/128/japanese+vowels',
)


def japanese_vowels() -> Data:
  """270 training and 370 test series of 12 variables, labelled by speaker; no network needed.

  Every variable is standardised on the training split. Steps beyond the end of a series are zero in all variables, unlike all real steps.

  Returns:
    Data with columns series [29 12] float32 and label [] int32.

  Raises:
    DataError: if the package with the data is not installed.

  Reference: Kudo, Toyama, Shimbo, Pattern Recognition Letters 20, 1999, doi:10.1016/S0167-8655(99)00077-X.
  """
  train, test = _japanese_vowels()
  return arrays(**train, test=test, info=_INFO)


@functools.cache
def _japanese_vowels():
  folder = package('sktime', 'jssl[series]', 'datasets/data/JapaneseVowels')
  splits = [read_ts(folder / f'JapaneseVowels_{split}.ts') for split in ('TRAIN', 'TEST')]
  steps = np.concatenate(splits[0][0])
  mean, std = steps.mean(0), steps.std(0)
  length = max(len(x) for series, _ in splits for x in series)
  pad = lambda x: np.pad((x - mean) / std, ((0, length - len(x)), (0, 0))).astype(np.float32)
  return [dict(series=np.stack([pad(x) for x in series]), label=labels) for series, labels in splits]


def read_ts(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
  """Reads a .ts file: one series per line, variables separated by colons, the class last.

  Args:
    path: path of the file.
  Returns:
    One [t c] float64 per series, and classes [n] int32, in the order of the header.
  """
  header, _, body = path.read_text().partition('@data\n')
  names = next(line.split()[2:] for line in header.splitlines() if line.lower().startswith('@classlabel true'))
  series, labels = [], []
  for line in body.splitlines():
    *variables, label = line.strip().split(':')
    series.append(np.array([[float(x) for x in v.split(',')] for v in variables]).T)
    labels.append(names.index(label))
  return series, np.array(labels, np.int32)
