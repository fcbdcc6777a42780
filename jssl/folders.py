"""Folders of transformers, Sentence Transformers and timm, opened as models that encode texts or images."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jssl.artefact import Artefact, of_run
from jssl.core.build import plan
from jssl.core.mesh import make_mesh
from jssl.core.programs import Programs, seed_data
from jssl.data.core.arrays import arrays
from jssl.data.core.memory import hold
from jssl.data.text import tokenize
from jssl.errors import ConfigError
from jssl.models.pretrained import files
from jssl.storage import near
from jssl.tables import FAMILIES
from jssl.types import Data

LENGTH = 512  # of texts, in tokens, where a folder gives none


def is_folder_of_weights(config: Mapping[str, Any]) -> bool:
  """Whether a config.json describes weights of another library."""
  return 'model_type' in config or 'architecture' in config


def read(folder: Path, config: Mapping[str, Any], length: int | None = None) -> Artefact:
  """The network of a folder, with its tokenizer, or with the size and the standardisation of its images.

  Args:
    folder: as `from_folder` takes it.
    config: its config.json.
    length: tokens of a text; None for what the folder says.

  Raises:
    PretrainedError: the network cannot be read.
    ConfigError: the folder describes neither texts nor images, or holds several networks.
  """
  folder, kind = near(folder).absolute(), config.get('model_type')
  if kind not in FAMILIES and (parts := [name.partition(':')[2] for name in FAMILIES if name.startswith(f'{kind}:')]):
    raise ConfigError(f"{folder} holds the networks {parts}, and only one can be opened: give one a config, dict(name='from_folder', part=...)")
  texts = (folder / 'tokenizer.json').is_file()
  data, inputs = _texts(folder, config, length) if texts else _images(folder, config)
  settings = dict(batch_size=1, steps=0, losses={}, optimizer=dict(name='sgd', learning_rate=0.0), evaluators={})
  p = plan(dict(name=folder.name, data=hold(data), backbone=dict(name='from_folder', folder=str(folder)), inputs=inputs, **settings))
  return of_run(p, Programs(p, make_mesh(devices=jax.local_devices()[:1])).create(seed_data(p)))


def _texts(folder: Path, config: Mapping[str, Any], length: int | None) -> tuple[Data, None]:
  tokenizer = tokenize.load(str(folder / 'tokenizer.json'))
  said = _said(folder, 'sentence_bert_config.json').get('max_seq_length') or _said(folder, 'tokenizer_config.json').get('model_max_length')
  length = length or min(int(said or LENGTH), int(config.get('max_position_embeddings') or LENGTH))
  if 'Normalize' in ''.join(str(m) for m in _said(folder, 'modules.json', list)):
    logging.getLogger('jssl').warning('%s scales embeddings to unit length; encode does with normalize_embeddings=True', folder)
  info = dict(name=folder.name, tokenizer_json=tokenizer.to_str())
  return arrays(ids=np.zeros((1, length), np.int32), facts=dict(ids=tokenize.facts(tokenizer)), info=info), None


def _images(folder: Path, config: Mapping[str, Any]) -> tuple[Data, dict[str, Any]]:
  said = _said(folder, 'preprocessor_config.json')
  timm = config.get('pretrained_cfg') or {}
  size = said.get('crop_size') or said.get('size') or config.get('image_size')
  if isinstance(size, Mapping):
    size = (size['height'], size['width']) if 'height' in size else size.get('shortest_edge')
  if 'input_size' in timm:
    size = timm['input_size'][1:]
  if not size:
    raise ConfigError(f'{folder} has no tokenizer.json, and no size of images; expected one of them: add preprocessor_config.json')
  shape = (size, size) if isinstance(size, int) else tuple(size)
  mean, std = said.get('image_mean') or timm.get('mean'), said.get('image_std') or timm.get('std')
  data = arrays(image=np.zeros((1, *shape, config.get('num_channels') or 3), np.uint8), info=dict(name=folder.name))
  return data, dict(name='plain', **(dict(mean=tuple(mean), std=tuple(std)) if mean and std else {}))


def _said(folder: Path, name: str, kind: type = dict) -> Any:
  """A JSON file of a folder; an empty one where it is missing."""
  return files.read_json(folder / name, kind) if (folder / name).is_file() else kind()
