"""Llama, Mistral, Qwen2 and Qwen3 in and out of folders of the form that Hugging Face gives them; nothing is unpickled."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.family import Family, read_options
from jssl.models.pretrained.names import Names, dense, norm, same
from jssl.models.text.llama import Llama

# option of Llama -> key of config.json; what transformers takes where the key is missing is the family's
KEYS = dict(
  vocabulary='vocab_size', width='hidden_size', depth='num_hidden_layers', heads='num_attention_heads', hidden='intermediate_size',
  kv_heads='num_key_value_heads', head='head_dim', length='max_position_embeddings', epsilon='rms_norm_eps', theta='rope_theta',
  pad='pad_token_id',
)  # fmt: skip
# what transformers takes where a key is missing, in all families and in each
COMMON = dict(width=4096, depth=32, heads=32, epsilon=1e-6, theta=10_000.0, pad=None)
DEFAULTS = dict(
  llama=dict(vocabulary=32000, hidden=11008, length=2048),
  mistral=dict(vocabulary=32000, hidden=14336, length=131072),
  qwen2=dict(vocabulary=151936, hidden=22016, length=32768),
  qwen3=dict(vocabulary=151936, hidden=22016, length=32768),
)
SHARED = dict(mistral=dict(kv_heads=8), qwen2=dict(kv_heads=32), qwen3=dict(kv_heads=32))
HEAD = dict(qwen3=dict(head=128))
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(hidden_act='silu', partial_rotary_factor=1.0)
NUMBERS = dict(llama3=('factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'), linear=('factor',), default=())
OUTPUT = 'lm_head.weight'


def options_in(kind: str, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of a Llama from config.json of one of the families in `DEFAULTS`."""
  rope = config.get('rope_scaling') or config.get('rope_parameters') or {}
  if not isinstance(rope, Mapping) or any(isinstance(x, Mapping) for x in rope.values()):
    raise PretrainedError(f'{folder}/config.json has the rotary positions {rope!r}: expected one table for all layers')
  config = {**config, **{key: rope[key] for key in ('rope_theta', 'partial_rotary_factor') if key in rope}}
  if config.get(KEYS['pad']) == -1:  # as folders of the first Llama say that there is none
    config[KEYS['pad']] = None
  read = lambda defaults, expected: read_options(config, folder, {name: (KEYS[name], x) for name, x in defaults.items()}, expected)
  flag = lambda key, default: read_options(config, folder, {key: (key, default)}, {})[key]
  found = read(COMMON | DEFAULTS[kind], EXPECTED)
  # Where these are null or missing they follow from others.
  heads = dict(kv_heads=found['heads'], head=found['width'] // found['heads'])
  given = {name: x for name, x in heads.items() if config.get(KEYS[name]) is not None}
  found |= heads | ({} if 'num_key_value_heads' in config else SHARED.get(kind, {})) | HEAD.get(kind, {}) | read(given, {})
  if found['heads'] % found['kv_heads']:
    raise PretrainedError(f'{folder}/config.json has {found["kv_heads"]} heads of keys and values, which do not divide {found["heads"]} heads')
  if found['head'] % 2:
    raise PretrainedError(f'{folder}/config.json has heads that are {found["head"]} wide: expected an even width, for rotary positions')
  attention = kind == 'qwen2' or kind != 'mistral' and flag('attention_bias', False)
  tied = False if OUTPUT in files.stored(folder) else True if flag('tie_word_embeddings', False) else None
  return found | dict(
    qkv_bias=attention, proj_bias=attention and kind != 'qwen2', mlp_bias=kind == 'llama' and flag('mlp_bias', False),
    qk_norm=kind == 'qwen3', window=_window(kind, config, folder, found['depth']), scaling=_scaling(rope, folder, found['length']), tied=tied,
  )  # fmt: skip


def _scaling(rope: Mapping[str, Any], folder: Path, length: int) -> dict[str, Any] | None:
  """What `rotary.stretch` takes, from the table of rotary positions in config.json."""
  kind = rope.get('rope_type', rope.get('type', 'default'))
  if kind not in NUMBERS:
    raise PretrainedError(f'{folder} is a network with rope_type = {kind!r}; only {sorted(NUMBERS)} can be read')
  known = dict(original_max_position_embeddings=length) | rope
  for key in NUMBERS[kind]:
    if not isinstance(known.get(key), int | float) or isinstance(known[key], bool) or known[key] <= 0:
      raise PretrainedError(f'{folder}/config.json has {key} = {known.get(key)!r}: expected a number above 0; get the file again')
  return None if kind == 'default' else dict(type=kind, **{key: known[key] for key in NUMBERS[kind]})


def _window(kind: str, config: Mapping[str, Any], folder: Path, depth: int) -> int | None:
  """How many tokens each attends to, which is the same in all blocks."""
  window = config.get('sliding_window', 4096)
  if kind == 'llama' or window is None:
    return None
  if kind != 'mistral':
    first = config.get('max_window_layers', 28) if config.get('use_sliding_window', False) else depth
    layers = config.get('layer_types') or ['full_attention' if i < first else 'sliding_attention' for i in range(depth)]
    if layers == ['full_attention'] * depth:
      return None
    if layers != ['sliding_attention'] * depth:
      raise PretrainedError(f'{folder} is a network with layer_types = {layers}; only windows in all blocks or in none can be read')
  return read_options(config, folder, dict(window=('sliding_window', 4096)), {})['window']


def names(net: Llama) -> Names:
  """The map of names of a Llama."""
  layer, attention, mlp = 'model.layers.*', net.blocks.attention, net.blocks.mlp
  q, k, v, o = (f'{layer}.self_attn.{x}_proj' for x in 'qkvo')
  biased = dict(bias=(attention.qkv if attention.fused else attention.q).bias is not None)
  maps = {'qkv': (q, k, v)} if attention.fused else {'q': (q,), 'kv': (k, v)}
  found = {'table': same('model.embed_tokens.weight'), **norm('norm', 'model.norm', bias=False)}
  for path, tensors in maps.items():
    found |= dense(f'blocks.attention.{path}', *tensors, **biased)
  found |= dense('blocks.attention.proj', o, bias=attention.proj.bias is not None)
  for path, name in (('gate', 'gate_proj'), ('fc1', 'up_proj'), ('fc2', 'down_proj')):
    found |= dense(f'blocks.mlp.{path}', f'{layer}.mlp.{name}', bias=mlp.fc1.bias is not None)
  if attention.qk_norm:
    found |= norm('blocks.attention.norm_q', f'{layer}.self_attn.q_norm', bias=False)
    found |= norm('blocks.attention.norm_k', f'{layer}.self_attn.k_norm', bias=False)
  found |= norm('blocks.norm1', f'{layer}.input_layernorm', bias=False)
  found |= norm('blocks.norm2', f'{layer}.post_attention_layernorm', bias=False)
  return found | ({'output': same(OUTPUT)} if net.tied is False else {})


def renamed(name: str) -> str:
  """A tensor's name in a LlamaForCausalLM from that in a LlamaModel, which lacks the prefix."""
  return name if name == OUTPUT or name.startswith('model.') else f'model.{name}'


def config_of(kind: str, net: Llama) -> dict[str, Any]:
  """config.json of a Llama, as one of the families in `DEFAULTS` says it.

  Raises:
    PretrainedError: this family cannot.
  """
  attention = net.blocks.attention
  biases = dict(
    qkv_bias=(attention.qkv if attention.fused else attention.q).bias is not None,
    proj_bias=attention.proj.bias is not None,
    mlp_bias=net.blocks.mlp.fc1.bias is not None,
  )
  has = biases | dict(qk_norm=bool(attention.qk_norm), window=net.window)
  told = dict(
    llama=dict(proj_bias=has['qkv_bias'], qk_norm=False, window=None),
    mistral=dict(qkv_bias=False, proj_bias=False, mlp_bias=False, qk_norm=False),
    qwen2=dict(qkv_bias=True, proj_bias=False, mlp_bias=False, qk_norm=False),
    qwen3=dict(proj_bias=has['qkv_bias'], mlp_bias=False, qk_norm=True),
  )[kind]
  for option, value in told.items():
    if has[option] != value:
      raise PretrainedError(f'a Llama with {option} = {has[option]!r} cannot be written as {kind!r}: expected {value!r}, or another family')
  given = dict(
    width=net.dim, depth=len(attention.proj.kernel[...]), heads=attention.heads, kv_heads=attention.kv_heads, head=attention.head,
    **{option: getattr(net, option) for option in ('vocabulary', 'hidden', 'length', 'epsilon', 'theta', 'pad')},
  )  # fmt: skip
  scaling = dict(net.scaling or {})
  found = {KEYS[option]: value for option, value in given.items()} | dict(
    architectures=[kind.capitalize() + ('Model' if net.tied is None else 'ForCausalLM')],
    model_type=kind, hidden_act='silu', tie_word_embeddings=bool(net.tied), attention_dropout=net.dropout, bos_token_id=None, eos_token_id=None,
    rope_scaling=dict(rope_type=scaling.pop('type'), **scaling) if scaling else None,
  )  # fmt: skip
  if kind in ('llama', 'qwen3'):
    found |= dict(attention_bias=has['qkv_bias'])
  if kind == 'llama':
    found |= dict(mlp_bias=has['mlp_bias'])
  if kind == 'mistral':
    found |= dict(sliding_window=net.window)
  if kind in ('qwen2', 'qwen3'):
    found |= dict(use_sliding_window=net.window is not None, sliding_window=net.window, max_window_layers=0)
  return found


def family(kind: str) -> Family:
  """One of the families in `DEFAULTS`; buffers and the heads of classifiers are ignored."""
  ignored = r'model\.score\.weight$|model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq$|model\.rotary_emb\.inv_freq$'
  return Family('llama', Llama, partial(options_in, kind), names, partial(config_of, kind), ignored=ignored, rename=renamed)


LLAMA, MISTRAL, QWEN2, QWEN3 = family('llama'), family('mistral'), family('qwen2'), family('qwen3')
