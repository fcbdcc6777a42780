"""Causal language models in and out of folders of the form that Hugging Face gives GPT-2; nothing is unpickled."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.family import Family, first_of, read_options, renamed
from jssl.models.pretrained.names import Names, fill, norm, same, tensors_of
from jssl.models.text.transformer import CausalLm, sequence_length
from jssl.storage import near, reach

# option of `sized` -> key of config.json, and what transformers takes where the key is missing
OPTIONS = dict(
  vocabulary=('vocab_size', 50257), width=('n_embd', 768), depth=('n_layer', 12), heads=('n_head', 12), length=('n_positions', 1024),
  epsilon=('layer_norm_epsilon', 1e-5), pad=('pad_token_id', None),
)  # fmt: skip
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(
  model_type='gpt2', activation_function='gelu_new', scale_attn_weights=True,
  scale_attn_by_inverse_layer_idx=False, add_cross_attention=False, tie_word_embeddings=True, quantization_config=None, auto_map=None,
)  # fmt: skip


def gpt2(
  on,
  *,
  folder: str,
  depth: int | None = None,
  dropout: float = 0.0,
  pad: int | None = 0,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> CausalLm:
  """A CausalLm with the weights of a folder, which is checked now and read when the arrays are made.

  Args:
    on: (n,), as in `CausalLm`; not longer than the positions in the folder.
    folder: holds config.json and model.safetensors, whose tensors may have the prefix 'transformer.'.
    depth: how many of the blocks, from the first on; None for all.
    dropout, pad, remat, dtype, rngs: as in `CausalLm`.

  Raises:
    PretrainedError: a file is missing or damaged, describes another network, or does not fit the other; n is too long.

  Reference: Radford et al. 2019, as in `CausalLm`.
  """
  folder = near(reach(folder)).absolute()
  options = options_in(files.read_json(folder / 'config.json'), folder)
  blocks = options['depth']
  options |= dict(depth=first_of(blocks, depth, folder), dropout=dropout, pad=pad, remat=remat, dtype=dtype)
  try:
    net = sized(on, **options, rngs=rngs)
  except ValueError as error:
    raise PretrainedError(f'{folder}: {error}') from error
  return fill(net, files.stored(folder, renamed(FAMILY, folder)), names(net), folder=folder, first=net_depth(net) < blocks)


def sized(
  on,
  *,
  length: int,
  vocabulary: int,
  width: int,
  depth: int,
  heads: int,
  hidden: int | None = None,
  dropout: float = 0.0,
  pad: int | None = 0,
  epsilon: float = 1e-5,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> CausalLm:
  """A CausalLm without weights that has more positions than the texts have tokens, as a GPT-2 has.

  Args:
    on: (n,), as in `CausalLm`.
    length: number of positions, n or more.
    vocabulary, width, depth, heads, hidden, dropout, pad, epsilon, remat, dtype, rngs: as in `CausalLm`.

  Raises:
    ValueError: n is longer.

  Reference: Radford et al. 2019, as in `CausalLm`.
  """
  if (n := sequence_length(on)) > length:
    raise ValueError(f'a GPT-2 with {length} positions was given texts of {n} tokens: give texts of at most {length} tokens')
  options = dict(vocabulary=vocabulary, width=width, depth=depth, heads=heads, hidden=hidden, dropout=dropout, pad=pad, epsilon=epsilon)
  return CausalLm((length,), **options, remat=remat, dtype=dtype, rngs=rngs)


def options_of(net: CausalLm) -> dict[str, Any]:
  """The options by which `sized` makes a network that takes the parameters of this one and computes the same."""
  told = ('vocabulary', 'length', 'hidden', 'dropout', 'pad', 'epsilon', 'remat', 'dtype')
  return dict(width=net.dim, depth=net_depth(net), heads=net.blocks.attention.heads, **{option: getattr(net, option) for option in told})


def options_in(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
  """The options of `sized` from config.json."""
  hidden = {} if config.get('n_inner') is None else dict(hidden=('n_inner', 3072))
  return read_options(config, folder, OPTIONS | hidden, EXPECTED)


def names(net: CausalLm) -> Names:
  """The map of names of a CausalLm; GPT-2 stores kernels as [in out]."""
  maps = {'attention.qkv': 'attn.c_attn', 'attention.proj': 'attn.c_proj', 'mlp.fc1': 'mlp.c_fc', 'mlp.fc2': 'mlp.c_proj'}
  return {
    'table': same('wte.weight'),
    'positions': same('wpe.weight'),
    **norm('norm', 'ln_f'),
    **norm('blocks.norm1', 'h.*.ln_1'),
    **norm('blocks.norm2', 'h.*.ln_2'),
    **{f'blocks.{path}.kernel': same(f'h.*.{name}.weight') for path, name in maps.items()},
    **{f'blocks.{path}.bias': same(f'h.*.{name}.bias') for path, name in maps.items()},
  }


def write(folder: str | Path, net: CausalLm, *, tokenizer: str | Path, dtype: str = 'float32') -> None:
  """Write a language model, whose table is tied, as a folder that Hugging Face opens as a GPT2LMHeadModel.

  Args:
    folder: is made where it is not there.
    net: with its parameters.
    tokenizer: a tokenizer.json whose ids it was trained on.
    dtype: to store numbers in.
  """
  folder = Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  prefixed = {f'transformer.{name}': x for name, x in tensors_of(net, names(net)).items()}
  files.write(folder / 'model.safetensors', prefixed, dtype)
  read_by = dict(tokenizer_class='PreTrainedTokenizerFast', model_max_length=net.length)
  for name, content in {'config.json': config_of(net), 'tokenizer_config.json': read_by}.items():
    (folder / name).write_text(json.dumps(content, indent=2) + '\n')
  shutil.copyfile(tokenizer, folder / 'tokenizer.json')


def config_of(net: CausalLm) -> dict[str, Any]:
  """config.json of a CausalLm.

  Raises:
    PretrainedError: it reads logits off a table of their own.
  """
  if net.output is not None:
    raise PretrainedError('a CausalLm with tied=False cannot be written as a GPT-2, whose logits are computed with its embedding table')
  given = dict(width=net.dim, depth=net_depth(net), heads=net.blocks.attention.heads)
  given |= {option: getattr(net, option) for option in OPTIONS.keys() - given.keys()}
  return {key: given[option] for option, (key, _) in OPTIONS.items()} | dict(
    architectures=['GPT2LMHeadModel'], model_type='gpt2', activation_function='gelu_new', n_inner=net.hidden,
    resid_pdrop=net.dropout, embd_pdrop=net.dropout, attn_pdrop=net.dropout, bos_token_id=None, eos_token_id=None,
  )  # fmt: skip


def net_depth(net: CausalLm) -> int:
  """How many blocks are stacked."""
  return len(net.blocks.norm1.scale[...])


FAMILY = Family(
  'gpt2', CausalLm, options_in, names, config_of, prefixes=('transformer.',), ignored=r'lm_head\.weight$|h\.\d+\.attn\.(bias|masked_bias)$'
)
