"""Placeholder data of any size, to plan a run on data that are not available.

jssl plan mae --config.data.name=jssl.plans.blank:images --config.data.size=224 --config.data.examples=1281167

STAND_INS are placeholders for the data and weights that published scales name and jssl does not ship, with their options.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from flax import nnx

from jssl.data.core.crops import crops_of
from jssl.models.text.bert import Bert
from jssl.tables import TABLES
from jssl.types import Column, Data


class Blank:
  """Examples of zeros; with `crop`, of crops of images."""

  def __init__(self, examples: int, spec: Mapping[str, Column], crop: Any = None):
    self.examples, self.spec, self.crop = examples, spec, crop

  def __len__(self) -> int:
    return self.examples

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: np.zeros(column.shape, column.dtype) for name, column in self.spec.items()}


def _data(examples: int, spec: dict[str, Column], inputs: str) -> Data:
  return Data({'train': Blank(examples, spec), 'test': Blank(1, spec)}, spec, inputs, {})


def images(*, examples: int = 1_281_167, size: int = 224, channels: int = 3, classes: int = 1000) -> Data:
  """Columns image [size size channels] uint8 and label."""
  return _data(examples, dict(image=Column((size, size, channels), np.uint8), label=Column((), np.int32, size=classes)), 'image')


def texts(*, examples: int = 10_000_000, length: int = 128, vocabulary: int = 30522) -> Data:
  """Column ids [length], with the padding id 0 and the mask id 103."""
  return _data(examples, dict(ids=Column((length,), np.int32, size=vocabulary, pad=0, mask=103, first=999)), 'ids')


def captions(*, examples: int = 400_000_000, size: int = 224, length: int = 77, vocabulary: int = 49408) -> Data:
  """Columns image [size size 3] uint8 and ids [length]."""
  spec = dict(image=Column((size, size, 3), np.uint8), ids=Column((length,), np.int32, size=vocabulary, pad=0))
  return _data(examples, spec, 'image')


def _cifar10() -> Data:
  return images(examples=50_000, size=32, classes=10)


def _imagenet(*, test: str, resize: int, crop: Mapping[str, Any] | None = None) -> Data:
  data, crops = images(size=resize), crops_of(crop, (resize, resize))
  if crops is None:
    return data
  splits = {**data.splits, 'train': Blank(len(data.splits['train']), data.spec, crops)}
  return data._replace(splits=splits, info={'drawn': {'image': (len(crops.recipes), *crops.size, 3)}})


def _imagenet100(*, of: Data, names: str) -> Data:
  spec = {**of.spec, 'label': Column((), np.int32, size=100)}
  return of._replace(splits={**of.splits, 'train': Blank(126_689, spec, of.splits['train'].crop)}, spec=spec)


def _sentences(*, length: int, tokenizer: str, held_out: float) -> Data:
  return texts(examples=1_000_000, length=length)


def _text_pairs(examples: int, negatives: int, *, length: int) -> Data:
  spec = texts(length=length).spec
  spec = {**spec, 'positive': spec['ids'], 'same': Column((), np.int32)}
  if negatives:
    spec['negatives'] = replace(spec['ids'], shape=(negatives, length))
    spec['teacher'] = Column((1 + negatives,), np.float32)
  return _data(examples, spec, 'ids')


def _nli(*, length: int, tokenizer: str) -> Data:
  spec = texts(length=length).spec
  return _data(1_000_000, {**spec, 'positive': spec['ids'], 'label': Column((), np.int32, 3)}, 'ids')


def _bert_base(on: Any, *, folder: str, pool: str, dropout: float, remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs) -> Bert:
  shape = dict(vocabulary=30522, width=768, depth=12, heads=12, length=512)
  return Bert(on, **shape, pool=pool, dropout=dropout, remat=remat, dtype=dtype, rngs=rngs)


def _librispeech(*, length: int = 250_000) -> Data:
  spec = dict(wave=Column((length,), np.float32), samples=Column((), np.int32), speaker=Column((), np.int32))
  return _data(281_241, spec, 'wave')


def _pairs(*, resize: int, length: int, vocabulary: int, crop: Mapping[str, Any] | None = None) -> Data:
  data, crops = captions(size=resize, length=length, vocabulary=vocabulary), crops_of(crop, (resize, resize))
  spec = {**data.spec, 'ids': Column((length,), np.int32, vocabulary, pad=0, first=5, start=1)}
  splits = {name: Blank(len(split), spec, crops if name == 'train' else None) for name, split in data.splits.items()}
  return data._replace(splits=splits, spec=spec, info={'drawn': {'image': (1, *crops.size, 3)}} if crops else {})


def _clips(*, frames: int, stride: int, resize: int, crop: Mapping[str, Any]) -> Data:
  shape = (frames, resize, resize, 3)
  return _data(240_000, dict(clip=Column(shape, np.uint8), label=Column((), np.int32, 400)), 'clip')


def _arxiv(*, size: int, hops: int) -> Data:
  shapes = dict(node=(128,), nodes=(size, 128))
  spec = {name: Column(shape, np.float32) for name, shape in shapes.items()}
  spec |= dict(adjacency=Column((size, size), bool), label=Column((), np.int32, 40))
  return _data(169_343, spec, 'node')


def _triples(examples: int, entities: int, relations: int) -> Data:
  spec = {name: Column((), np.int32, relations if name == 'relation' else entities) for name in ('head', 'relation', 'tail')}
  return _data(examples, spec, 'head')


STAND_INS = {
  'data': {
    'cifar10': _cifar10,
    'imagenet2012': _imagenet,
    'some_classes': _imagenet100,
    'wiki1m.jsonl': _sentences,
    'stsb.jsonl': lambda *, length, tokenizer, held_out: texts(examples=17_256, length=length),
    'ccpairs.jsonl': lambda *, tokenizer, length: _text_pairs(270_000_000, 0, length=length),
    'marco.jsonl': lambda *, tokenizer, length: _text_pairs(840_000, 7, length=length),
    'nli.jsonl': _nli,
    'librispeech': _librispeech,
    'tar:pairs/*.tar': _pairs,
    'clips:videomix2m': _clips,
    'clips:kinetics400': _clips,
    'clips:ssv2': _clips,
    'graph:ogbn-arxiv.npz': _arxiv,
    'triples:FB15k': lambda: _triples(483_142, 14_951, 1345),
    'triples:FB15k-237': lambda: _triples(272_115, 14_541, 237),
  },
  'models': {'bert_from': _bert_base},
}


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
  """Builds published scales with STAND_INS in the place of what they name."""
  before = {kind: {name: TABLES[kind][name] for name in {*TABLES[kind]} & {*of}} for kind, of in STAND_INS.items()}  # those with a name
  for kind, of in STAND_INS.items():
    TABLES[kind].update(of)
  try:
    yield
  finally:
    for kind, of in STAND_INS.items():
      for name in of:
        del TABLES[kind][name]
      TABLES[kind].update(before[kind])
