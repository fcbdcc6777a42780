"""A trained text encoder as a folder that other libraries open, and in which texts get the vectors that `Model.encode` gives them.

Such a folder holds a BERT or a relative of it, such as RoBERTa, and its tokenizer. A model that computes anything else is refused.
"""

from pathlib import Path
from typing import NamedTuple

from jssl import artefact as artefacts
from jssl.artefact import Artefact
from jssl.errors import ConfigError
from jssl.inputs import is_tokens
from jssl.models.pretrained import bert
from jssl.models.text.bert import Bert
from jssl.options import closest
from jssl.storage import children, reach


class Format(NamedTuple):
  """What the card of a folder says of the library that opens it."""

  library: str
  task: str
  use: str


SENTENCES, PLAIN = 'sentence-transformers', 'hf'
FORMATS = {
  SENTENCES: Format(
    'sentence-transformers',
    'sentence-similarity',
    'from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("FOLDER")\nz = model.encode(texts)',
  ),
  PLAIN: Format(
    'transformers',
    'feature-extraction',
    'from transformers import AutoModel, AutoTokenizer\n\n'
    'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\nmodel = AutoModel.from_pretrained("FOLDER", add_pooling_layer=False)\n'
    'tokens = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).last_hidden_state',
  ),
}

IDS = (
  'from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained("FOLDER", add_pooling_layer=False)\n'
  'tokens = model(input_ids=ids, attention_mask=ids != model.config.pad_token_id).last_hidden_state'
)


def write(artefact: Artefact, folder: str | Path, format: str, *, network: str | None = None, normalize: bool = False) -> None:
  """Writes a text encoder as a folder of another library.

  Args:
    artefact: the model.
    folder: is not there yet, or empty.
    format: one of `FORMATS`.
    network: which of the networks; None for the one that represents.
    normalize: scale embeddings to unit length; only Sentence Transformers does.

  Raises:
    ConfigError: the folder is there, or the model has no such form.
    OSError: it cannot be written.
  """
  folder, name = reach(folder, home=False), network or artefact.config['encoder']
  if format not in FORMATS:
    raise ConfigError(f'format is {format!r}{closest(format, FORMATS)}')
  if name not in artefact.networks:
    raise ConfigError(f'no network is called {name!r}{closest(name, artefact.networks)}')
  if normalize and format != SENTENCES:
    raise ConfigError(f'normalize goes with the format {SENTENCES}: a folder of the format {format} holds no embeddings to scale')
  if folder.is_file() or children(folder):
    raise ConfigError(f'{folder} is there already; give a folder that is not')
  net = artefacts.network_of(artefact, name)
  if why := _unlike(artefact, name, net, format):
    raise ConfigError(f'the model cannot be exported as {format}: {why}')
  column = artefact.data.spec[artefacts.column_of(artefact.config, name)]
  tokenizer = artefact.tokenizer if is_tokens(column, artefact.tokenizer) else None
  given = dict(tokenizer=tokenizer, length=column.length)
  with artefacts.whole(folder) as part:
    if format == SENTENCES:
      bert.write(part, net, **given, normalize=normalize, similarity=artefact.config['similarity'])
    else:
      bert.write_network(part, net, **given)
    (part / artefacts.CARD).write_text(_card(artefact, name, format, net, tokenizer is not None), 'utf-8')


def _unlike(artefact: Artefact, name: str, net: object, format: str) -> str | None:
  """Why a network does not give in a folder of the format what it gives here; None where it does."""
  config, data = artefact.config, artefact.data
  on, view = artefacts.stands_on(config, name), config['inputs']
  if type(net) is not Bert:
    return f'its network {name!r} is a {type(net).__name__}, and such a folder holds a Bert'
  if not on.startswith('data.'):
    return f'its network {name!r} stands on {on!r}, and such a folder holds one network, on token ids'
  if artefact.transform is not None and name == config['encoder']:
    return f'its features pass through the transform {config["transform"]["name"]!r}; train it with transform=None'
  viewed = name == config['encoder'] or on == f'data.{data.inputs}'
  if viewed and (view['name'], list(view.get('names', ())), view.get('lists') or None) != ('columns', [on[5:]], None):
    return f'its inputs pass through the view {view["name"]!r}, and such a folder gives the network the ids of {on[5:]!r} as they are'
  tokens, column = artefact.tokenizer, data.spec[on[5:]]
  if not is_tokens(column, tokens):
    return None if format == PLAIN else f'it reads {on[5:]!r} as ids, and the tokenizer that made them is not known'
  if net.pad != column.pad:
    return f'its network takes {net.pad} for the id of padding, and its tokenizer pads with {column.pad}; set pad={column.pad} in its config'
  if format == SENTENCES and net.pool not in bert.POOLS.values():
    return f"its network pools by {net.pool!r}, and Sentence Transformers by 'mean', 'cls' or 'sqrt'"
  return None


def _card(artefact: Artefact, name: str, format: str, net: Bert, texts: bool) -> str:
  """A card with the head that the Hugging Face hub reads; `texts`: the folder has a tokenizer."""
  library, task, use = FORMATS[format]
  use = use if texts else IDS
  use = use if bert.family_for(net) in bert.POOLERS else use.replace(', add_pooling_layer=False', '')
  column = artefacts.column_of(artefact.config, name)
  config = {**artefact.config, 'encoder': name, 'input': column, 'inputs': dict(name='columns', names=[column]), 'transform': None}
  return f'---\nlibrary_name: {library}\npipeline_tag: {task}\n---\n\n' + artefacts.card(config, texts=texts, use=use)
