"""ModernBERTs in and out of folders, with the heads of masked language modelling and of classification."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jssl.errors import PretrainedError
from jssl.models.pretrained.bert import read_pool
from jssl.models.pretrained.family import Family, Head, read_options
from jssl.models.pretrained.names import Entry, Names, dense, norm, same
from jssl.models.text.modernbert import ModernBert
from jssl.models.text.transformer import LmHead

# option of ModernBert -> key of config.json, and what transformers takes where the key is missing
OPTIONS = dict(
  vocabulary=('vocab_size', 50368), width=('hidden_size', 768), depth=('num_hidden_layers', 22), heads=('num_attention_heads', 12),
  hidden=('intermediate_size', 1152), length=('max_position_embeddings', 8192), window=('local_attention', 128),
  every=('global_attn_every_n_layers', 3), theta=('global_rope_theta', 160_000.0), local_theta=('local_rope_theta', 10_000.0),
  pool=('classifier_pooling', 'cls'), epsilon=('norm_eps', 1e-5), pad=('pad_token_id', 50283),
)  # fmt: skip
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(
  model_type='modernbert', hidden_activation='gelu', norm_bias=False, attention_bias=False, mlp_bias=False, rope_scaling=None,
  is_decoder=False, add_cross_attention=False, position_embedding_type='absolute',
)  # fmt: skip
# the same of the heads
EXPECTED_HEADS = dict(classifier_bias=False, classifier_activation='gelu', decoder_bias=True, tie_word_embeddings=True)
# kind of layer -> key of its angle before transformers 5
KINDS = dict(full_attention='global_rope_theta', sliding_attention='local_rope_theta')


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a ModernBert from config.json, and how it pools where that is not given."""
  found = read_options(as_before(config, folder), folder, OPTIONS, EXPECTED)
  return found | dict(pool=partial(pool_in, found['pool'], folder))


def pool_in(pool: str, folder: Path) -> str:
  """How a folder pools: as Sentence Transformers where it is one of theirs, else as its classifier.

  Raises:
    PretrainedError: it pools in another way than by the mean or the first token.
  """
  if (folder / 'modules.json').exists() or (folder / '1_Pooling').exists():
    pool = read_pool(folder)
  if pool not in ('mean', 'cls'):
    raise PretrainedError(f"{folder} pools by {pool!r}: only 'mean' or 'cls' can be read, or give pool yourself")
  return pool


def as_before(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """config.json in the keys that it had before transformers 5: a period of layers and two angles, in place of lists.

  Raises:
    PretrainedError: there are layers or angles that these keys cannot say.
  """
  found = dict(config)
  if (kinds := config.get('layer_types')) is not None:
    every = next((i for i, kind in enumerate(kinds) if i and kind == 'full_attention'), len(kinds))
    if kinds != layer_types(len(kinds), every) or len(kinds) != config.get('num_hidden_layers', OPTIONS['depth'][1]):
      raise PretrainedError(f'{folder} is a network with layer_types = {kinds!r}; only global layers at equal distances can be read')
    found |= dict(global_attn_every_n_layers=every)
  for kind, given in (config.get('rope_parameters') or {}).items():
    if kind not in KINDS or not isinstance(given, dict | None) or (given or {}).get('rope_type', 'default') != 'default':
      raise PretrainedError(f"{folder} is a network with rope_parameters = {kind}: {given!r}; only rope_type = 'default' can be read")
    if given and 'rope_theta' in given:
      found[KINDS[kind]] = given['rope_theta']
  return found


def layer_types(depth: int, every: int) -> list[str]:
  """The kinds of layers, of which each `every`-th is global."""
  return ['sliding_attention' if i % every else 'full_attention' for i in range(depth)]


def names(net: ModernBert) -> Names:
  """The map of names of a ModernBert."""
  return {
    'word': same('embeddings.tok_embeddings.weight'),
    **norm('norm', 'embeddings.norm', bias=False),
    'blocks.norm1.scale': Entry(
      # The first block has none, and is given ones.
      tuple(f'layers.{i}.attn_norm.weight' for i in range(1, net.depth)),
      lambda *x: np.stack([np.ones(net.dim, np.float32), *x]),
      lambda x: list(x[1:]),
    ),
    **dense('blocks.attention.qkv', 'layers.*.attn.Wqkv', bias=False),
    **dense('blocks.attention.proj', 'layers.*.attn.Wo', bias=False),
    **norm('blocks.norm2', 'layers.*.mlp_norm', bias=False),
    **dense('blocks.mlp.fc1', 'layers.*.mlp.Wi', bias=False),
    **dense('blocks.mlp.fc2', 'layers.*.mlp.Wo', bias=False),
    **norm('final', 'final_norm', bias=False),
  }


def config_of(net: ModernBert) -> dict[str, Any]:
  """config.json of a ModernBert, in the keys that transformers reads before and from version 5 on.

  Raises:
    PretrainedError: its activation is not the GELU.
  """
  if net.activation != 'gelu':
    raise PretrainedError(f"a ModernBert whose activation is {net.activation!r} cannot be written: expected 'gelu'")
  found = {key: getattr(net, 'dim' if option == 'width' else option) for option, (key, _) in OPTIONS.items()}
  rope = {kind: dict(rope_type='default', rope_theta=found[key]) for kind, key in KINDS.items()}
  return found | dict(
    architectures=['ModernBertModel'], model_type='modernbert', hidden_activation='gelu', norm_bias=False, attention_bias=False,
    mlp_bias=False, attention_dropout=net.dropout, embedding_dropout=net.dropout, mlp_dropout=net.dropout,
    layer_types=layer_types(net.depth, net.every), rope_parameters=rope, bos_token_id=None, eos_token_id=None, cls_token_id=None,
    sep_token_id=None,
  )  # fmt: skip


def head_options(config: Mapping[str, Any], *, classes: bool) -> dict[str, Any]:
  """The options of the head of masked tokens, or of that of classes, which has a table of its own.

  Raises:
    PretrainedError: config.json describes another head.
  """
  for key, value in EXPECTED_HEADS.items():
    if config.get(key, value) != value:
      raise PretrainedError(f'a ModernBERT has a head with {key} = {config[key]!r}; only {value!r} can be read')
  count = len(config.get('id2label') or (0, 1)) if classes else config.get('vocab_size', OPTIONS['vocabulary'][1])
  return dict(vocabulary=count, tied=not classes, transform_bias=False, epsilon=config.get('norm_eps', 1e-5))


def head_names(head: LmHead) -> Names:
  """The map of names of both heads."""
  shared = dense('linear', 'head.dense', bias=False) | norm('norm', 'head.norm', bias=False)
  if head.table is None:
    return shared | {'bias': same('decoder.bias')}
  return shared | {'bias': same('classifier.bias'), 'table': same('classifier.weight')}


FAMILY = Family(
  'modernbert',
  ModernBert,
  options_in,
  names,
  config_of,
  prefixes=('model.',),
  ignored=r'(?!embeddings\.|layers\.|final_norm\.)',
  heads={
    'masked_lm': Head('lm_head', partial(head_options, classes=False), head_names),
    'classifier': Head('lm_head', partial(head_options, classes=True), head_names),
  },
)
