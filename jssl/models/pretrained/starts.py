"""Small networks that the package ships, none of them contrastive: where claims on sentences, answers and images may begin.

Each is a folder of `starts/` with its weights in 16 bits, its tokenizer where it reads text, and a card, README.md, that says what it was
trained on. `experiments/make_starts.py` makes them.
"""

import hashlib
from pathlib import Path
from typing import Any

from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.bert import bert
from jssl.models.pretrained.family import head_from_folder
from jssl.models.pretrained.gpt2 import gpt2
from jssl.models.pretrained.names import arrays, fill, same
from jssl.models.text.bert import Bert
from jssl.models.text.transformer import CausalLm, LmHead
from jssl.models.vision.vit import ViT

FOLDER = Path(__file__).parent / 'starts'
# name -> the beginning of the SHA-256 of its weights: with other weights the code is another, and records that rest on them are stale.
WEIGHTS = dict(masked_lm='9b5bb75388e15760', causal_lm='bcb2dda9543987c8', image_encoder='66dfc14de1a4c67a')


def masked_lm(
  on,
  *,
  depth: int | None = None,
  pool: str = 'mean',
  dropout: float = 0.0,
  mask_id: int | None = 4,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> Bert:
  """A small BERT, trained on hidden words alone by the config `masked_lm`.

  Args:
    on: (n,), as in `Bert`, n <= 32; the ids are those of the tokenizer 'starts'.
    depth: how many of the blocks, from the first on; None for all.
    pool, dropout, mask_id, remat, dtype, rngs: as in `Bert`.

  Raises:
    PretrainedError: the folder is damaged, or has fewer blocks.

  Reference: Devlin, Chang, Lee, Toutanova, NAACL 2019, arXiv:1810.04805, section 3.1, task 1.
  """
  options = dict(depth=depth, pool=pool, dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  return bert(on, folder=str(folder_of('masked_lm')), **options, rngs=rngs)


def masked_lm_head(on: int | nnx.Module, *, dtype: str = 'float32', rngs: nnx.Rngs) -> LmHead:
  """The head that `masked_lm` was trained with, to be tied to its table.

  Args:
    on: width of the tokens, or the module that feeds it.
    dtype, rngs: as in `LmHead`.

  Raises:
    PretrainedError: the folder is damaged, or has another width.
  """
  return head_from_folder(on, folder=str(folder_of('masked_lm')), head='masked_lm', dtype=dtype, rngs=rngs)


def causal_lm(
  on,
  *,
  depth: int | None = None,
  dropout: float = 0.0,
  pad: int | None = 0,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> CausalLm:
  """A small GPT, trained by the config `causal_lm`.

  Args:
    on: (n,), as in `CausalLm`, n <= 48; the ids are those of the tokenizer 'starts'.
    depth: how many of the blocks, from the first on; None for all.
    dropout, pad, remat, dtype, rngs: as in `CausalLm`.

  Raises:
    PretrainedError: the folder is damaged, has fewer blocks, or n is too long.

  Reference: Radford et al. 2019, as in `CausalLm`; Brown et al. 2020, arXiv:2005.14165, section 2.1.
  """
  return gpt2(on, folder=str(folder_of('causal_lm')), depth=depth, dropout=dropout, pad=pad, remat=remat, dtype=dtype, rngs=rngs)


def image_encoder(
  on, *, pool: str = 'mean', dropout: float = 0.0, drop_path: float = 0.0, remat: bool = False, dtype: str = 'float32', rngs: nnx.Rngs
) -> ViT:
  """A small vision transformer, trained on digits as a masked autoencoder by the config `image_encoder`.

  Args:
    on: (h, w, 1), as in `ViT`, sides that patches of 4 divide.
    pool: 'mean'; it has no class token.
    dropout, drop_path, remat, dtype, rngs: as in `ViT`.

  Raises:
    PretrainedError: the folder is damaged or of another network, the images have several channels.

  Reference: He, Chen, Xie, Li, Dollar, Girshick, CVPR 2022, arXiv:2111.06377, section 3.
  """
  folder = folder_of('image_encoder')
  config = files.read_json(folder / 'config.json')
  if config.get('network') != 'vit' or not isinstance(config.get('options'), dict):
    raise PretrainedError(f"{folder}/config.json describes {config.get('network')!r}: expected the options of a 'vit'")
  try:
    net = ViT(on, **{**config['options'], 'pool': pool}, dropout=dropout, drop_path=drop_path, remat=remat, dtype=dtype, rngs=rngs)
  except TypeError as error:
    raise PretrainedError(f'{folder}/config.json has options that a ViT does not take ({error}): get it again') from error
  return fill(net, files.stored(folder), {path: same(path) for path in arrays(net)}, folder=folder)


def image_options_of(net: ViT) -> dict[str, Any]:
  """The options by which `ViT` makes a network that takes the parameters of this `image_encoder` and computes the same."""
  told = dict(pool=net.pool, dropout=net.blocks.dropout, drop_path=net.drop_path, remat=net.remat, dtype=net.dtype)
  return {**files.read_json(folder_of('image_encoder') / 'config.json')['options'], **told}


def folder_of(name: str) -> Path:
  """The folder of one of them.

  Raises:
    PretrainedError: its weights are not those that were shipped.
  """
  path = FOLDER / name / 'model.safetensors'
  try:
    found = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
  except OSError as error:
    raise PretrainedError(f'{path} cannot be read ({error.strerror}): install jssl again') from error
  if found != WEIGHTS[name]:
    raise PretrainedError(f'{path} is damaged: its SHA-256 begins with {found}, expected {WEIGHTS[name]}; install jssl again')
  return path.parent
