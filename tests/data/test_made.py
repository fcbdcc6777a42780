"""Sets that are made: voices, letters, and digits with something beside them."""

import numpy as np

from jssl.data.audio import voices
from jssl.data.core.operators import few
from jssl.data.multimodal import shifted_digits
from jssl.data.vision import glyphs
from jssl.data.vision import outside as outside_vision
from jssl.data.vision.images import mnist5k


def test_speakers_of_the_test_are_new_and_recognisable():
  data = voices.voices(speakers=12, others=6, utterances=4)
  train, test = data.splits['train'], data.splits['test']
  assert len(train) == 12 and len(test) == 24
  assert not {int(train[i]['label']) for i in range(12)} & {int(test[i]['label']) for i in range(24)}
  for split in (train, test):
    assert {name: x.shape for name, x in split[0].items()} == {name: x.shape for name, x in data.spec.items()}
  x = test.columns['speech'].mean(1).reshape(24, -1)
  distance = np.linalg.norm(x[:, None] - x, axis=-1)
  same = test.columns['label'][:, None] == test.columns['label']
  assert distance[same & ~np.eye(24, dtype=bool)].mean() < 0.8 * distance[~same].mean()
  again = voices.voices(speakers=12, others=6, utterances=4)
  np.testing.assert_array_equal(again.splits['train'].columns['utterances'], train.columns['utterances'])


def test_letters_are_centred_and_every_face_has_its_own():
  images, labels = glyphs.glyphs(16)
  assert images.shape[1:] == (16, 16, 1) and images.dtype == np.uint8
  box = images[..., 0].max(0) > 0
  assert not box[:2].any() and not box[-2:].any() and box[3:-3, 3:-3].all()
  assert set(labels.tolist()) == set(range(len(glyphs.ARMENIAN + glyphs.GEORGIAN)))
  first = images[labels == 0]
  assert len(np.unique(first.reshape(len(first), -1), axis=0)) == len(first)


def test_two_of_digit_shift_and_sum_tell_the_third(prepared, monkeypatch):
  monkeypatch.setenv('JSSL_DATA_DIR', str(prepared))
  data = shifted_digits.shifted_digits(train=300)
  assert len(data.splits['train']) == 300
  for split in data.splits.values():
    rows = [split[i] for i in range(len(split))]
    label, shift, total = (np.array([np.argmax(r[n]) if n != 'label' else r[n] for r in rows]) for n in ('label', 'shift', 'total'))
    np.testing.assert_array_equal((label + shift) % 10, total)
    assert abs(np.corrcoef(label, total)[0, 1]) < 0.2
  outside = outside_vision.mnist5k_glyphs(train=300).splits['outside']
  assert outside[0]['image'].shape == (28, 28, 1) and outside[0]['image'].dtype == np.uint8


def test_few_labels_are_as_many_as_said_and_right(prepared, monkeypatch):
  monkeypatch.setenv('JSSL_DATA_DIR', str(prepared))
  train = few(of=mnist5k(train=300), shots=3).splits['train']
  rows = [train[i] for i in range(len(train))]
  known = [(int(r['few']), int(r['label'])) for r in rows if r['few'] >= 0]
  assert all(few == label for few, label in known)
  assert np.bincount([label for _, label in known]).tolist() == [3] * 10
