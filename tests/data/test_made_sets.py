"""Data that are made or read from other packages: series, vowels with codes, clips, reports."""

import cmath
import math
from importlib.util import find_spec

import numpy as np
import pytest

from jssl.data.audio import vowel_words, vowels
from jssl.data.multimodal import digit_captions, digit_reports
from jssl.data.series import japanese_vowels
from jssl.data.video import moving_digits
from jssl.data.vision.digit_scenes import digit_scenes


def test_ts_files_are_read(tmp_path):
  path = tmp_path / 'x.ts'
  path.write_text('#c\n@problemName x\n@classLabel true a b\n@data\n1,2,3:4,5,6:b\n7:8:a\n')
  found, labels = japanese_vowels.read_ts(path)
  np.testing.assert_array_equal(found[0], [[1, 4], [2, 5], [3, 6]])
  np.testing.assert_array_equal(found[1], [[7, 8]])
  assert labels.tolist() == [1, 0]


@pytest.mark.skipif(not find_spec('sktime'), reason='sktime ships the data')
def test_japanese_vowels():
  data = japanese_vowels.japanese_vowels()
  train, test = data.splits['train'].columns, data.splits['test'].columns
  assert train['series'].shape == (270, 29, 12) and test['series'].shape == (370, 29, 12)
  assert np.bincount(train['label']).tolist() == [30] * 9
  real = (train['series'] != 0).any(-1)
  assert (np.diff(real.astype(int), axis=1) <= 0).all() and real.sum(1).min() == 7
  np.testing.assert_allclose(train['series'][real].std(0), 1, atol=1e-4)


def test_log_mel_is_the_loop():
  x = np.random.default_rng(0).normal(size=200 + 80)
  window = [0.5 - 0.5 * math.cos(2 * math.pi * n / 199) for n in range(200)]
  mel = lambda f: 2595 * math.log10(1 + f / 700)
  edges = [700 * (10 ** (mel(4000) * i / 33 / 2595) - 1) for i in range(34)]
  for t in range(2):
    for band in (0, 9, 31):
      low, centre, high = edges[band : band + 3]
      total = 0.0
      for k in range(129):
        f = k * 8000 / 256
        weight = max(min((f - low) / (centre - low), (high - f) / (high - centre)), 0)
        if weight:
          value = sum(x[80 * t + n] * window[n] * cmath.exp(-2j * math.pi * k * n / 256) for n in range(200))
          total += weight * abs(value) ** 2
      assert abs(vowels.log_mel(x)[t, band] - math.log(total + 1e-3)) < 1e-6


def test_codes_tell_the_frame_better_stage_by_stage():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(400, 6))
  books, shares = vowels.fit_codes(x, 3, 8, rng)
  codes = vowels.residual_codes(x, books)
  errors = [np.mean((x - sum(books[q][codes[:, q]] for q in range(stages))) ** 2) for stages in range(4)]
  assert all(a > b for a, b in zip(errors, errors[1:], strict=False))
  assert abs(sum(shares) - 1) < 1e-6 and list(shares) == sorted(shares, reverse=True)
  for i in range(20):
    first = min(range(8), key=lambda v: ((x[i] - books[0][v]) ** 2).sum())
    assert codes[i, 0] == first


def test_vowels_stand_out_by_their_level():
  quiet, loud = (vowels._clips(np.random.default_rng(0), 20, (low, low + 1))['frames'] for low in (-20, 30))
  assert np.std(loud.mean(2), axis=1).mean() > 3 * np.std(quiet.mean(2), axis=1).mean()


def test_reports_say_what_is_there():
  data = digit_reports.digit_reports(train=40, test=10)
  columns = data.splits['train'].columns
  words = [[data.info['words'][i] for i in row] for row in columns['text']]
  numbers = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
  for image, high, row, label in zip(columns['image'], columns['high'], words, columns['label'], strict=True):
    assert row[4] == numbers[label] and row[:3] == ['left', 'shows', 'a'] and row[12:14] == ['lesion', 'on']
    np.testing.assert_allclose(image[3, 5, 0], high[6:8, 10:12].mean(), atol=0.51)
  bright = lambda half: (half.reshape(len(half), -1) == 255).sum(1) >= 9
  where = np.array([row[14] for row in words])
  assert bright(columns['high'][:, :, :16])[where == 'left'].all() and bright(columns['high'][:, :, 16:])[where == 'right'].all()


def test_digits_move():
  data = moving_digits.moving_digits(frames=3)
  split = data.splits['test'].columns
  assert split['clip'].shape == (1000, 3, 20, 20, 1) and split['label'].shape == (1000,)
  np.testing.assert_array_equal(split['image'], split['clip'][:, 0])
  moved = [(split['clip'][i, 0] != split['clip'][i, 2]).any() for i in range(100)]
  assert np.mean(moved) > 0.95


def test_still_digits_are_where_they_were():
  columns = moving_digits.moving_digits(side=16, speed=0.0, background=0.0, train=50).splits['train'].columns
  assert columns['clip'].shape == (50, 4, 16, 16, 1) and (columns['clip'] == columns['clip'][:, :1]).all()


def test_scenes_say_which_digit_is_in_a_cell():
  data, other = digit_scenes(train=60, test=20), digit_scenes(train=60, test=20, seed=1)
  columns = data.splits['train'].columns
  assert columns['image'].shape == (60, 32, 32, 1) and columns['cells'].shape == (60, 4, 4) and data.spec['cells'].size == 10
  quarters = columns['cells'].reshape(60, 2, 2, 2, 2).swapaxes(2, 3).reshape(-1, 4)
  assert all(len(set(row) - {-1}) <= 1 for row in quarters)  # one digit a quarter
  dark = columns['image'].reshape(60, 4, 8, 4, 8).mean((2, 4)) < 0.04 * 255 - 1
  assert (columns['cells'][dark] == -1).all() and 0.6 < (quarters.max(1) >= 0).mean() < 0.9
  assert not np.array_equal(columns['image'], other.splits['train'].columns['image'])
  with pytest.raises(ValueError, match='give a grid of 2, 4'):
    digit_scenes(train=4, test=4, grid=3)


def test_captions_say_what_reports_do():
  data = digit_captions.digit_captions(train=40, test=10)
  text, label = data.info['texts']['test'][3], int(data.splits['test'][3]['label'])
  size, left = text.removeprefix('a photo of a ').split()[:2]
  assert size in ('large', 'small') and left == data.spec['label'].classes[label] and 'lesion on ' in text and text.endswith(' side.')
  np.testing.assert_array_equal(data.splits['test'][3]['image'], digit_reports.digit_reports(train=40, test=10).splits['test'][3]['image'])


def test_words_are_said_in_their_vowels():
  data = vowel_words.vowel_words(words=5, frames=32, train=40, test=10, levels=(30.0, 40.0))
  train = data.splits['train'].columns
  assert train['wave'].shape == (40, 225 + 31 * 80) and train['phones'].shape == (40, 32) and data.spec['phones'].classes[-1] == 'noise'
  np.testing.assert_allclose(train['wave'].std(1), 1, rtol=1e-3)
  spelt = {}
  for phones, label in zip(train['phones'], train['label'], strict=True):
    said = [int(p) for p, before in zip(phones, [10, *phones], strict=False) if p != before and p != 10]
    assert len(said) == 3 and spelt.setdefault(int(label), said) == said
  loud = np.array([np.square(w[112 : 112 + 80 * 32].reshape(32, -1)).mean(1) for w in train['wave']])
  assert loud[train['phones'] != 10].mean() > 20 * loud[train['phones'] == 10].mean()
  again = vowel_words.vowel_words(words=5, frames=32, train=40, test=10, levels=(30.0, 40.0), seed=1).splits['train'].columns
  assert (again['wave'] != train['wave']).any()
