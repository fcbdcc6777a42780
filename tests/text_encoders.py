"""Encoders of texts to export, and the same texts through Sentence Transformers."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from jssl import artefact
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.model import Model
from tests.oracles import references

TEXTS = (
  '', ' ', 'A film.', 'And he said unto them, Go ye into all the world.', "1,234.56 % don't e-mail", '[MASK] of [CLS] and [SEP], [UNK]',
  'naïve café, ÜBER  straße\n\tand tabs', '東京は大きい 🙂 \u200b\x07 end', 'İstanbul, ﬁne, \u05e2\u05d1\u05e8\u05d9\u05ea',
  'a' * 300, 'It is one of the best films of the year. ' * 20, 'word ' * 400,
)  # fmt: skip
START = dict(data=dict(name='lee', tokenizer='starts', length=12), backbone=dict(name='masked_lm_start'))
TRAINED = dict(data=dict(name='lee', vocabulary=600, length=10), backbone=dict(name='bert', width=16, depth=2, heads=2, length=20, std=0.2))
# name -> what of a config makes the encoder
CASES = {
  'mean': START,
  'cls': {**START, 'backbone': dict(name='masked_lm_start', pool='cls')},
  'sqrt': {**START, 'backbone': dict(name='masked_lm_start', pool='sqrt')},
  'a tokenizer trained on the data': TRAINED,
}


def encoder(**config) -> Model:
  """The model of a config whose networks are as they begin."""
  settings = dict(batch_size=8, steps=0, losses={}, optimizer=dict(name='sgd', learning_rate=0.1), evaluators={})
  p = plan({**settings, **config})
  return Model(artefact.of_run(p, Programs(p, make_mesh(devices=jax.devices()[:1])).create(seed_data(p))), p)


def turned(keys, batch):
  """A view: ids from the last to the first."""
  return (batch['ids'][:, ::-1],)


def absent() -> str | None:
  """Why Sentence Transformers cannot be imported; None where it can."""
  if not (why := references.absent('torch')):
    import torch

    references.declare_operators(torch)  # transformers imports torchvision
    why = references.absent('sentence_transformers')
  return why


def theirs(folder: str | Path, texts: Sequence[str] = TEXTS) -> np.ndarray:
  """Texts through Sentence Transformers, [n d] float32 on the CPU."""
  if why := absent():
    raise ImportError(why)
  from sentence_transformers import SentenceTransformer

  return SentenceTransformer(str(folder), device='cpu').encode(list(texts), show_progress_bar=False)
