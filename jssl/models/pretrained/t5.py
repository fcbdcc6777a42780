"""T5 and mT5 in and out of Hugging Face folders: the encoder-decoder, or the encoder alone."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.bert import read_pool
from jssl.models.pretrained.family import Family, read_options
from jssl.models.pretrained.names import Names, dense, norm, same
from jssl.models.text.t5 import T5, T5Encoder

# option of T5Encoder -> key of config.json, and what transformers takes where the key is missing
OPTIONS = dict(
  vocabulary=('vocab_size', 32128), width=('d_model', 512), depth=('num_layers', 6), heads=('num_heads', 8), head=('d_kv', 64),
  hidden=('d_ff', 2048), buckets=('relative_attention_num_buckets', 32), distance=('relative_attention_max_distance', 128),
  epsilon=('layer_norm_epsilon', 1e-6), pad=('pad_token_id', 0),
)  # fmt: skip
MT5 = OPTIONS | dict(vocabulary=('vocab_size', 250112), depth=('num_layers', 8), heads=('num_heads', 6), hidden=('d_ff', 1024))
# feed_forward_proj of config.json -> activation and gated of a T5Encoder, and what transformers calls the activation
PROJECTIONS = {
  'relu': ('relu', False, 'relu'), 'gated-relu': ('relu', True, 'relu'), 'gated-gelu': ('gelu_tanh', True, 'gelu_new'),
  'gated-silu': ('silu', True, 'silu'),
}  # fmt: skip
HEAD = 'lm_head.weight'


def encoder_options(kind: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a T5Encoder from config.json, and its pooling."""
  told = config.get('feed_forward_proj', 'relu' if kind == 't5' else 'gated-gelu')
  if told not in PROJECTIONS:
    raise PretrainedError(f'{folder} is a network with feed_forward_proj = {told!r}: expected one of {list(PROJECTIONS)}')
  activation, gated, name = PROJECTIONS[told]
  expected = dict(model_type=kind, is_decoder=False, dense_act_fn=name, is_gated_act=gated, quantization_config=None, auto_map=None)
  found = read_options(config, folder, OPTIONS if kind == 't5' else MT5, expected)
  return found | dict(activation=activation, gated=gated, pool=partial(read_pool, folder))


def options_in(kind: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a T5 from config.json and the tensors; whether the output table is tied is not in config.json."""
  found = encoder_options(kind, config, folder)
  if not config.get('is_encoder_decoder', True):
    raise PretrainedError(f"{folder} holds only the encoder of a {kind}: give part='encoder'")
  depth = config.get('num_decoder_layers')
  found |= read_options(config if depth is not None else {}, folder, dict(decoder_depth=('num_decoder_layers', found['depth'])), {})
  # Transformers ties tables whatever tie_word_embeddings says, unless the file has another one, and scales logits by that key.
  scaled = kind == 't5' and config.get('scale_decoder_outputs', config.get('tie_word_embeddings') is not False)
  return found | dict(tied=HEAD not in files.stored(folder), scaled=scaled)


def encoder_names(net: T5Encoder) -> Names:
  """The map of names of a T5Encoder."""
  return {
    'table': same('shared.weight'),
    'distances': same('encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'),
    **_block_names('encoder', net.gated, 1),
  }


def names(net: T5) -> Names:
  """The map of names of a T5."""
  cross = 'decoder.block.*.layer.1'
  return {
    **{f'encoder.{path}': entry for path, entry in encoder_names(net.encoder).items()},
    'distances': same('decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'),
    **_block_names('decoder', net.encoder.gated, 2),
    **norm('blocks.norm_cross', f'{cross}.layer_norm', bias=False),
    **dense('blocks.cross.q', f'{cross}.EncDecAttention.q', bias=False),
    **dense('blocks.cross.kv', f'{cross}.EncDecAttention.k', f'{cross}.EncDecAttention.v', bias=False),
    **dense('blocks.cross.proj', f'{cross}.EncDecAttention.o', bias=False),
    **({} if net.tied else {'output': same(HEAD)}),
  }


def encoder_config(kind: str, net: T5Encoder) -> dict[str, Any]:
  """config.json of a T5Encoder.

  Raises:
    PretrainedError: transformers has no name for its activation.
  """
  told = next((told for told, (*found, _) in PROJECTIONS.items() if found == [net.activation, net.gated]), None)
  if told is None:
    raise PretrainedError(f'a T5 with the activation {net.activation!r}, gated={net.gated}, cannot be written: expected {list(PROJECTIONS)}')
  given = {key: getattr(net, 'dim' if option == 'width' else option) for option, (key, _) in OPTIONS.items()}
  return given | dict(
    architectures=[f'{kind.upper()}EncoderModel'], model_type=kind, feed_forward_proj=told, is_encoder_decoder=False, use_cache=False,
    dropout_rate=net.dropout, decoder_start_token_id=net.pad,
  )  # fmt: skip


def config_of(kind: str, net: T5) -> dict[str, Any]:
  """config.json of a T5.

  Raises:
    PretrainedError: it scales logits as a network of this kind does not.
  """
  if net.scaled and kind == 'mt5':
    raise PretrainedError("a T5 whose logits are scaled cannot be written as 'mt5': write it as 't5', or make it with scaled=False")
  return encoder_config(kind, net.encoder) | dict(
    architectures=[f'{kind.upper()}ForConditionalGeneration'], is_encoder_decoder=True, use_cache=True, num_decoder_layers=net.decoder_depth,
    tie_word_embeddings=net.scaled, **(dict(scale_decoder_outputs=net.scaled) if kind == 't5' else {}),
  )  # fmt: skip


def _block_names(stack: str, gated: bool, mlp: int) -> Names:
  at, inner = f'{stack}.block.*.layer.0', f'{stack}.block.*.layer.{mlp}'
  dense_of = lambda path, name: dense(f'blocks.mlp.{path}', f'{inner}.DenseReluDense.{name}', bias=False)
  return {
    **norm('norm', f'{stack}.final_layer_norm', bias=False),
    **norm('blocks.norm1', f'{at}.layer_norm', bias=False),
    **dense('blocks.attention.qkv', *(f'{at}.SelfAttention.{x}' for x in 'qkv'), bias=False),
    **dense('blocks.attention.proj', f'{at}.SelfAttention.o', bias=False),
    **norm('blocks.norm2', f'{inner}.layer_norm', bias=False),
    **(dense_of('gate', 'wi_0') | dense_of('fc1', 'wi_1') if gated else dense_of('fc1', 'wi')),
    **dense_of('fc2', 'wo'),
  }


def _families(kind: str) -> tuple[Family, Family]:
  again = r'(encoder|decoder)\.embed_tokens\.weight$'  # copies of the table
  # Old folders have a position bias of the cross-attention, which is not used.
  ignored = rf'(?!shared\.|encoder\.|decoder\.|lm_head\.)|{again}|.*\.EncDecAttention\.relative_attention_bias\.weight$'
  prefixes = ('transformer.',)
  whole = Family('t5', T5, partial(options_in, kind), names, partial(config_of, kind), prefixes, ignored)
  inner = (partial(encoder_options, kind), encoder_names, partial(encoder_config, kind))
  return whole, Family('t5_encoder', T5Encoder, *inner, prefixes, rf'(?!shared\.|encoder\.)|{again}')


T5_FAMILY, T5_ENCODER = _families('t5')
MT5_FAMILY, MT5_ENCODER = _families('mt5')
