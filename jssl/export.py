"""A trained encoder as a folder that other libraries open, in which inputs get the vectors that `Model.encode` gives them.

A folder of weights holds one network in the form of another library, and a text encoder its tokenizer. A program, StableHLO or ONNX, is
all that is computed from the input column on. A model that does not fit the format is refused, and so is one whose figures differ there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jssl import artefact as artefacts
from jssl.artefact import Artefact
from jssl.data.core.pictures import first_line, is_picture
from jssl.errors import ConfigError, PretrainedError
from jssl.exports import encoder as encoders
from jssl.exports import onnx, stablehlo
from jssl.inputs import is_tokens
from jssl.models.pretrained import bert, files
from jssl.models.pretrained.family import from_folder, write_folder
from jssl.models.pretrained.names import arrays
from jssl.models.text.bert import Bert
from jssl.options import closest, option
from jssl.storage import children, reach
from jssl.tables import FAMILIES
from jssl.types import Features


class Format(NamedTuple):
  """What the card of a folder says of the library that opens it."""

  library: str
  task: str
  use: str


SENTENCES, PLAIN, STABLEHLO, ONNX = 'sentence-transformers', 'hf', 'stablehlo', 'onnx'
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
  STABLEHLO: Format('jax', 'feature-extraction', ''),  # the file of each format says how its program is called
  ONNX: Format('onnx', 'feature-extraction', ''),
}

IDS = (
  'from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained("FOLDER", add_pooling_layer=False)\n'
  'tokens = model(input_ids=ids, attention_mask=ids != model.config.pad_token_id).last_hidden_state'
)
OTHER = 'import torch\nfrom transformers import AutoModel\n\nmodel = AutoModel.from_pretrained("FOLDER")'
TIMM = 'import timm\nimport torch\n\nmodel = timm.create_model("local-dir:FOLDER", pretrained=True, num_classes=0)'
PIXELS = (
  '\n\n# x [b c h w] of pixels from 0 to 1\n'
  'mean, std = (torch.tensor(x).view(-1, 1, 1) for x in ({mean}, {std}))\nfeatures = model((x - mean) / std)'
)
OUTPUTS = ('pooled', 'tokens')
BOUND, BOUND_16 = 1e-4, 3e-2  # how far figures may differ, where the network computes in float32 and in 16 bits


def write(
  artefact: Artefact,
  folder: str | Path,
  format: str,
  *,
  network: str | None = None,
  normalize: bool = False,
  family: str | None = None,
  outputs: Sequence[str] | None = None,
  platforms: Sequence[str] | None = None,
) -> None:
  """Writes an encoder as a folder of another library.

  Args:
    artefact: the model.
    folder: is not there yet, or empty.
    format: one of `FORMATS`.
    network: which of the networks; None for the one that represents.
    normalize: scale embeddings to unit length; only Sentence Transformers does.
    family: of 'hf': one of `jssl.tables.FAMILIES`; None where one alone can hold the network.
    outputs: of a program: 'pooled', 'tokens' or both; None for pooled features.
    platforms: of StableHLO: of 'cpu', 'cuda' and 'tpu'; None for all.

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
    raise ConfigError(f'normalize needs the format {SENTENCES}: the format {format} does not store embeddings')
  for asked, given, formats in (
    ('family', family, (PLAIN,)), ('outputs', outputs, (STABLEHLO, ONNX)), ('platforms', platforms, (STABLEHLO,)),
  ):  # fmt: skip
    if given is not None and format not in formats:
      raise ConfigError(f'{asked} is an option of the format {" or ".join(formats)}, not of {format}: remove it')
  if folder.is_file() or children(folder):
    raise ConfigError(f'{folder} already exists; give a new folder')
  if format in (STABLEHLO, ONNX):
    _write_program(artefact, folder, format, name, outputs or ('pooled',), platforms)
    return
  net = artefacts.network_of(artefact, name)
  column = artefact.data.spec[artefacts.column_of(artefact.config, name)]
  tokenizer = artefact.tokenizer if is_tokens(column, artefact.tokenizer) else None
  if why := _unlike(artefact, name, net, format):
    raise ConfigError(f'the model cannot be exported as {format}: {why}')
  family = bert.family_for(net) if type(net) is Bert and family is None else family_of(net, family)
  given = dict(tokenizer=tokenizer, length=column.length)
  with artefacts.whole(folder) as part:
    if format == SENTENCES:
      bert.write(part, net, **given, normalize=normalize, similarity=artefact.config['similarity'])
    elif type(net) is Bert and family == bert.family_for(net):
      bert.write_network(part, net, **given)
    else:
      write_folder(part, net, family)
      if tokenizer is not None:
        files.write_tokenizer(part, tokenizer.to_str(), length=column.length, pad=column.pad)
    _check_folder(part, net, family, encoder_of(artefact, name, ('tokens',)), artefact)
    use = _use(artefact, format, net, family, artefacts.column_of(artefact.config, name), tokenizer)
    library = 'timm' if family.startswith('timm/') else FORMATS[format].library
    (part / artefacts.CARD).write_text(_card(artefact, name, format, tokenizer is not None, use, library), 'utf-8')


def family_of(net: nnx.Module, family: str | None) -> str:
  """The family in whose form a network is written.

  Raises:
    ConfigError: there is none, or several and none is named, or the one that is named cannot hold it.
  """

  def refused(name: str) -> str | None:
    known = FAMILIES[name]
    if type(net) is not known.kind:
      return f'it is for a {known.kind.__name__}'
    try:
      known.config(net)
      told, held = known.names(net).keys(), arrays(net).keys()
    except (PretrainedError, ValueError, TypeError, AttributeError, KeyError) as error:
      return f'it does not support this network ({error})'
    return None if told == held else f'its arrays differ in {sorted(told ^ held)[0]!r}'

  if family is not None:
    if family not in FAMILIES:
      raise ConfigError(f'family is {family!r}{closest(family, FAMILIES)}')
    if why := refused(family):
      raise ConfigError(f'a {type(net).__name__} cannot be written as {family!r}: {why}')
    return family
  fits = [name for name in FAMILIES if not refused(name)]
  if not fits:
    raise ConfigError(f'no family fits this {type(net).__name__}: give one of {sorted(FAMILIES)} as family to see why not')
  if len(fits) > 1:
    raise ConfigError(f'this {type(net).__name__} can be written as {fits}: choose one with family')
  return fits[0]


def encoder_of(artefact: Artefact, name: str, outputs: Sequence[str]) -> encoders.Encoder:
  """The function of a network of a model, from its column to features, with its view and, of the encoder, its transform.

  Raises:
    ConfigError: its features depend on more than one column, or on random numbers, or the transform on other networks.
  """
  config, data, of_encoder = artefact.config, artefact.data, name == artefact.config['encoder']
  column, transform = artefacts.column_of(config, name), artefact.transform if of_encoder else None
  if transform is not None and transform.networks:
    raise ConfigError(f'the transform {config["transform"]["name"]!r} needs the networks and cannot be exported; name a network to export')
  view = option('inputs', config['inputs'], 'views')
  used = [name]
  while not of_encoder and not artefacts.stands_on(config, used[-1]).startswith('data.'):
    used.append(artefacts.stands_on(config, used[-1]))
  arrays = {n: dict(params=artefact.params[n], stats=artefact.stats[n]) for n in used}
  flat, tree = jax.tree_util.tree_flatten_with_path(arrays)
  named = [(jax.tree_util.keystr(path, simple=True, separator='.').replace('.params.', '.'), x) for path, x in flat]
  key = lambda x: jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
  weights = {label: x for label, x in named if not key(x)}

  def given(x: jax.Array) -> jax.Array:
    if column != data.inputs and not of_encoder:
      return x
    (x,) = view(None, {column: x})
    return x

  def features(bound: Artefact, at: str, x: jax.Array) -> Any:
    on = artefacts.stands_on(config, at)
    if at == config['encoder'] or on.startswith('data.'):
      x = given(x)
    else:
      found = features(bound, on, x)
      x = found.pooled if isinstance(found, Features) else found
    return artefacts.network_of(bound, at)(x)

  def one(weights: dict[str, Any], x: jax.Array) -> dict[str, jax.Array]:
    held = jax.tree.unflatten(tree, [weights.get(label, x) for label, x in named])
    of = lambda kind: {n: held[n][kind] for n in used}
    found = features(artefact._replace(params=of('params'), stats=of('stats')), name, x[None])
    found = found if isinstance(found, Features) else Features(None, found)
    pooled = found.pooled if transform is None else transform.apply(artefact.fitted, found.pooled)
    made = dict(pooled=pooled, tokens=found.tokens)
    return {output: made[output][0].astype(jnp.float32) for output in outputs}

  def expected(x: np.ndarray) -> dict[str, np.ndarray]:
    found = artefacts.features_of(artefact)({column: x}, None if of_encoder else name)
    found = found if isinstance(found, Features) else Features(None, found)
    return {output: np.asarray(getattr(found, output), np.float32) for output in outputs}

  made = encoders.Encoder(column, data.spec[column], weights, given, one, expected)
  try:
    jax.eval_shape(one, weights, jax.ShapeDtypeStruct(made.spec.shape, made.spec.dtype))
  except Exception as error:  # of a network or a view, of any type
    raise ConfigError(
      f'{name!r} is not a function of {column!r} alone ({first_line(error)}); export a tower, or a head on one, with a deterministic view'
    ) from error
  return made


def _write_program(artefact: Artefact, folder: Path, format: str, name: str, outputs: Sequence[str], platforms: Sequence[str] | None) -> None:
  if isinstance(outputs, str) or (wrong := [output for output in outputs if output not in OUTPUTS]):
    wrong = outputs if isinstance(outputs, str) else wrong[0]
    raise ConfigError(f'outputs names {wrong!r}{closest(wrong, OUTPUTS)}')
  encoder = encoder_of(artefact, name, outputs)
  with artefacts.whole(folder) as part:
    if format == STABLEHLO:
      use = stablehlo.write(part, encoder, platforms or stablehlo.PLATFORMS, _bound(artefact))
    else:
      use = onnx.write(part, encoder, outputs, _bound(artefact))
    texts = is_tokens(encoder.spec, artefact.tokenizer)
    if texts:
      (part / artefacts.TOKENIZER).write_text(artefact.tokenizer.to_str(), 'utf-8')
    (part / artefacts.CARD).write_text(_card(artefact, name, format, texts, use, FORMATS[format].library), 'utf-8')


def _bound(artefact: Artefact) -> float:
  config = artefact.config
  given = {spec.get('dtype', config.get('dtype')) for spec in (config['backbone'], *config['heads'].values())}
  return BOUND if given <= {None, 'float32'} else BOUND_16


def _check_folder(folder: Path, net: nnx.Module, family: str, encoder: encoders.Encoder, artefact: Artefact) -> None:
  """Reads a folder of weights again and compares what it gives with the model.

  Raises:
    ConfigError: it differs.
  """
  x = encoders.examples(encoder)
  y = encoder.view(x)
  again = from_folder(y.shape[1:], folder=str(folder), part=family.partition(':')[2] or None, rngs=nnx.Rngs(0))
  again.eval()
  found = jax.jit(lambda y: again(y).tokens)(y)
  encoders.compare(dict(tokens=found), dict(tokens=encoder.expected(x)['tokens']), _bound(artefact))


def _unlike(artefact: Artefact, name: str, net: object, format: str) -> str | None:
  """Why a network does not give in a folder of the format what it gives here; None where it does."""
  config, data = artefact.config, artefact.data
  on, view = artefacts.stands_on(config, name), config['inputs']
  if format == SENTENCES and type(net) is not Bert:
    return f'its network {name!r} is a {type(net).__name__}, and this format holds a Bert'
  if not on.startswith('data.'):
    return f'its network {name!r} reads the output of {on!r}, and this format holds one network that reads a column'
  if artefact.transform is not None and name == config['encoder']:
    return f'its features pass through the transform {config["transform"]["name"]!r}; train it with transform=None'
  column = data.spec[on[5:]]
  viewed = name == config['encoder'] or on == f'data.{data.inputs}'
  plain = (view['name'], list(view.get('names', ())), view.get('lists') or None) == ('columns', [on[5:]], None)
  if viewed and not plain and not _pixels(artefact, on[5:]):
    return f'its inputs pass through the view {view["name"]!r}, and this format gives the network {on[5:]!r} unchanged'
  if not is_tokens(column, artefact.tokenizer):
    return None if format == PLAIN else f'it reads {on[5:]!r} as ids, and the tokenizer that made them is unknown'
  if getattr(net, 'pad', column.pad) != column.pad:
    return f'its network expects {net.pad} as the id of padding, and its tokenizer pads with {column.pad}; set pad={column.pad} in its config'
  if format == SENTENCES and net.pool not in bert.POOLS.values():
    return f"its network pools by {net.pool!r}, and Sentence Transformers by 'mean', 'cls' or 'sqrt'"
  return None


def _pixels(artefact: Artefact, name: str) -> dict[str, Any] | None:
  """Mean and standard deviation of a column of pictures whose view does nothing but standardise them; None of another."""
  view, column = artefact.config['inputs'], artefact.data.spec[name]
  size = view.get('size')
  whole = size is None or column.shape[:2] == ((size, size) if isinstance(size, int) else tuple(size))
  alone = name == artefact.data.inputs == view.get('column', 'image') and view['name'] == 'plain' and whole
  if not alone or not is_picture(name, column.shape, column.dtype):
    return None
  each = lambda value, default: np.broadcast_to(np.float64(default if value is None else value), column.shape[-1]).tolist()
  return dict(mean=each(view.get('mean'), 0), std=each(view.get('std'), 1))


def _use(artefact: Artefact, format: str, net: nnx.Module, family: str, column: str, tokenizer: Any) -> str:
  """Code that opens a folder of weights."""
  if type(net) is Bert:
    use = FORMATS[format].use if tokenizer is not None else IDS
    return use if family in bert.POOLERS else use.replace(', add_pooling_layer=False', '')
  pixels = _pixels(artefact, column)
  return (TIMM if family.startswith('timm/') else OTHER) + (PIXELS.format(**pixels) if pixels else '')


def _card(artefact: Artefact, name: str, format: str, texts: bool, use: str, library: str) -> str:
  """A card with the head that the Hugging Face hub reads; `texts`: the folder has a tokenizer."""
  column, config = artefacts.column_of(artefact.config, name), artefact.config
  if format not in (STABLEHLO, ONNX) and not _pixels(artefact, column):
    config = {**config, 'inputs': dict(name='columns', names=[column]), 'transform': None}
  elif name != config['encoder']:
    config = {**config, 'transform': None}
  config = {**config, 'encoder': name, 'input': column}
  return f'---\nlibrary_name: {library}\npipeline_tag: {FORMATS[format].task}\n---\n\n' + artefacts.card(config, texts=texts, use=use)
