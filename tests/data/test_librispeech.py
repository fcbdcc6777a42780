"""LibriSpeech, by a builder of the same columns; its audio is a tensor here, since that of TensorFlow Datasets imports TensorFlow."""

import pickle

import numpy as np
import pytest
import tensorflow_datasets

from jssl.data.audio.librispeech import librispeech
from jssl.errors import DataError

SPLITS = dict(train_clean100=3, train_clean360=2, train_other500=2, dev_other=2, test_other=2)


class JsslReadBooks(tensorflow_datasets.core.GeneratorBasedBuilder):
  """Ramps of differing lengths."""

  VERSION = tensorflow_datasets.core.Version('1.0.0')
  code_path = None

  def _info(self):
    of = tensorflow_datasets.features
    features = dict(speech=of.Tensor(shape=(None,), dtype=np.int16), text=of.Text(), speaker_id=np.int64, chapter_id=np.int64, id=np.str_)
    return tensorflow_datasets.core.DatasetInfo(builder=self, features=of.FeaturesDict(features), license='none')

  def _split_generators(self, dl_manager):
    return {name: self._generate_examples(name, n) for name, n in SPLITS.items()}

  def _generate_examples(self, name, n):
    for i in range(n):
      speech = (np.arange(50 + 30 * i) * 100 - 2000).astype(np.int16)
      yield f'{name}{i}', dict(speech=speech, text='A RAMP', speaker_id=i, chapter_id=0, id=f'{i}')


def test_utterances_are_padded_or_cut(prepared):
  data = librispeech(name='jssl_read_books', length=80, data_dir=prepared)
  assert data.inputs == 'wave' and {name: len(x) for name, x in data.splits.items()} == dict(train=7, test=2, validation=2)
  batch = data.splits['train'].take(np.arange(7))
  assert batch['wave'].dtype == np.float32 and batch['wave'].shape == (7, 80)
  assert sorted(batch['samples'].tolist()) == [50] * 3 + [80] * 4
  for wave, samples, speaker in zip(batch['wave'], batch['samples'], batch['speaker'], strict=True):
    ramp = (np.arange(80) * 100 - 2000) / 32768
    assert samples == min(50 + 30 * speaker, 80)
    np.testing.assert_allclose(wave, np.where(np.arange(80) < samples, ramp, 0), atol=1e-7)
  again = pickle.loads(pickle.dumps(data.splits['train']))
  np.testing.assert_array_equal(again.take(np.arange(7))['wave'], batch['wave'])


def test_what_cannot_be_opened_says_why(tmp_path):
  with pytest.raises(DataError, match="No module named 'tensorflow'|tfds build librispeech"):
    len(librispeech(data_dir=tmp_path).splits['train'])
