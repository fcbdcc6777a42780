"""LibriSpeech, by TensorFlow Datasets."""

import functools
import os
from collections.abc import Callable

import numpy as np

from jssl.data.core.records import Once, Records, find, home, prepare
from jssl.types import Column, Data, Judged

TRAIN = 'train_clean100+train_clean360+train_other500'  # 960 hours
FIELDS = dict(wave='speech', samples='speech', speaker='speaker_id')


def librispeech(
  *,
  length: int = 250_000,
  train: str = TRAIN,
  test: str = 'test_other',
  validation: str = 'dev_other',
  name: str = 'librispeech',
  data_dir: str | os.PathLike | None = None,
) -> Data:
  """Read books in English: 960 hours in 281,241 utterances, as waveforms of 16,000 samples a second.

  It must be prepared by TensorFlow Datasets, `tfds build librispeech --file_format=array_record`, which needs a network connection. Reading
  needs TensorFlow too, which the audio of TensorFlow Datasets imports, unlike its pictures.

  Args:
    length: samples of an example. A longer utterance loses its end, a shorter one is padded with zeros.
    train, test, validation: splits, which may be slices or sums.
    name: name[:version] of the data set there.
    data_dir: folder of prepared data sets; by default $JSSL_DATA_DIR, $TFDS_DATA_DIR or ~/tensorflow_datasets.

  Returns:
    Data with columns wave [length] float32 in [-1, 1), samples [] int32 (those that are real) and speaker [] int32.

  Reference: Panayotov, Chen, Povey, Khudanpur, ICASSP 2015, doi:10.1109/ICASSP.2015.7178964.
  """
  folder = home(data_dir)
  builder = find(name, folder)
  prepared = Once(functools.partial(prepare, functools.partial(find, name, folder), folder))  # the splits share one builder
  spec = dict(wave=Column((length,), np.float32), samples=Column((), np.int32), speaker=Column((), np.int32))
  names = dict(train=train, test=test, validation=validation)
  splits = {split: Utterances(prepared, of, spec, FIELDS, builder.data_path) for split, of in names.items()}
  info = dict(
    name=builder.info.name, version=str(builder.info.version), description=builder.info.description, citation=builder.info.citation,
    licence=builder.info.redistribution_info.license or 'CC BY 4.0', homepage=builder.info.homepage,
  )  # fmt: skip
  return Data(splits, spec, 'wave', info, judged=Judged(carved=None, instead={'test': 'validation', 'validation': None}))


class Utterances(Records):
  """Records of int16 waves of any length, cut or padded to that of the column `wave`."""

  def _read(self, rows: np.ndarray, picture: Callable) -> dict[str, np.ndarray]:
    found = self._opened[0].__getitems__([int(row) for row in rows])
    (length,) = self._spec['wave'].shape
    cut = [record['speech'][:length].astype(np.float32) / 2**15 for record in found]
    return dict(
      wave=np.stack([np.pad(x, (0, length - len(x))) for x in cut]),
      samples=np.array([len(x) for x in cut], np.int32),
      speaker=np.array([record['speaker_id'] for record in found], np.int32),
    )
