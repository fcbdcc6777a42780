"""Causal language models in and out of folders of the form that Hugging Face gives GPT-2; nothing is unpickled."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from jssl.errors import PretrainedError
from jssl.models.pretrained import files
from jssl.models.pretrained.bert import first_of
from jssl.models.text.transformer import CausalLm, sequence_length
from jssl.storage import near, reach

# option of CausalLm -> key of config.json, and what transformers takes where the key is missing
OPTIONS = dict(vocabulary=('vocab_size', 50257), width=('n_embd', 768), depth=('n_layer', 12), heads=('n_head', 12))
LENGTH = ('n_positions', 1024)
# key of config.json -> the only value that can be read, which is also what a missing key means
EXPECTED = dict(
  model_type='gpt2', activation_function='gelu_new', layer_norm_epsilon=1e-5, scale_attn_weights=True, n_inner=None,
  scale_attn_by_inverse_layer_idx=False, add_cross_attention=False, tie_word_embeddings=True, quantization_config=None, auto_map=None,
)  # fmt: skip
# path in the parameters -> name of the tensor
EMBEDDINGS = {'table': 'wte.weight', 'positions': 'wpe.weight', 'norm.scale': 'ln_f.weight', 'norm.bias': 'ln_f.bias'}
BLOCK = {
  'norm1.scale': 'ln_1.weight', 'norm1.bias': 'ln_1.bias', 'norm2.scale': 'ln_2.weight', 'norm2.bias': 'ln_2.bias',
  'attention.qkv.kernel': 'attn.c_attn.weight', 'attention.qkv.bias': 'attn.c_attn.bias',
  'attention.proj.kernel': 'attn.c_proj.weight', 'attention.proj.bias': 'attn.c_proj.bias',
  'mlp.fc1.kernel': 'mlp.c_fc.weight', 'mlp.fc1.bias': 'mlp.c_fc.bias',
  'mlp.fc2.kernel': 'mlp.c_proj.weight', 'mlp.fc2.bias': 'mlp.c_proj.bias',
}  # fmt: skip


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
  options, length = read_options(folder)
  if (n := sequence_length(on)) > length:
    raise PretrainedError(f'{folder} has {length} positions, and the texts have {n} tokens: choose a length of at most {length}')
  path = folder / 'model.safetensors'
  found, blocks = files.shapes(path), options['depth']
  prefix = 'transformer.' if any(name.startswith('transformer.') for name in found) else ''
  if (more := f'{prefix}h.{blocks}.ln_1.weight') in found:
    raise PretrainedError(f'{path} has {more!r}, and its config.json says {blocks} blocks: they must be of one network')
  options |= dict(depth=first_of(blocks, depth, folder), dropout=dropout, pad=pad, remat=remat, dtype=dtype)
  net = sized(on, length=length, **options, rngs=rngs)
  named = lambda params: {f'{prefix}{name}': x for name, x in tensors_of(params).items()}
  return files.fill(net, path, named, lambda tensors: _params({name.removeprefix(prefix): x for name, x in tensors.items()}))


def sized(
  on,
  *,
  length: int,
  vocabulary: int,
  width: int,
  depth: int,
  heads: int,
  dropout: float = 0.0,
  pad: int | None = 0,
  remat: bool = False,
  dtype: str = 'float32',
  rngs: nnx.Rngs,
) -> CausalLm:
  """A CausalLm without weights that has more positions than the texts have tokens, as a GPT-2 has.

  Args:
    on: (n,), as in `CausalLm`.
    length: number of positions, n or more.
    vocabulary, width, depth, heads, dropout, pad, remat, dtype, rngs: as in `CausalLm`.

  Raises:
    ValueError: n is longer.

  Reference: Radford et al. 2019, as in `CausalLm`.
  """
  if (n := sequence_length(on)) > length:
    raise ValueError(f'a GPT-2 of {length} positions was given texts of {n} tokens: choose a length of at least {n}')
  options = dict(vocabulary=vocabulary, width=width, depth=depth, heads=heads, dropout=dropout, pad=pad, remat=remat, dtype=dtype)
  return CausalLm((length,), **options, rngs=rngs)


def options_of(net: CausalLm) -> dict[str, Any]:
  """The options by which `sized` makes a network that takes the parameters of this one and computes the same."""
  told = ('vocabulary', 'length', 'dropout', 'pad', 'remat', 'dtype')
  heads, depth = net.blocks.attention.heads, len(net.blocks.norm1.scale)
  return dict(width=net.dim, depth=depth, heads=heads, **{option: getattr(net, option) for option in told})


def read_options(folder: Path) -> tuple[dict[str, Any], int]:
  """The options of a CausalLm from config.json, and the number of positions.

  Raises:
    PretrainedError: there is none, or it describes another network.
  """
  config = files.read_json(folder / 'config.json')
  for key, value in EXPECTED.items():
    if config.get(key, value) != value:
      raise PretrainedError(f'{folder} is a network with {key} = {config[key]!r}; only {value!r} can be read')
  found = {key: config.get(key, default) for key, default in (*OPTIONS.values(), LENGTH)}
  for key, value in found.items():
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
      raise PretrainedError(f'{folder}/config.json has {key} = {value!r}: expected a whole number above 0; get the file again')
  if found['n_embd'] % found['n_head']:
    raise PretrainedError(f'{folder}/config.json has {found["n_head"]} heads, which do not divide the width of {found["n_embd"]}')
  return {option: found[key] for option, (key, _) in OPTIONS.items()}, found[LENGTH[0]]


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
  params = jax.device_get(nnx.to_pure_dict(nnx.state(net, nnx.Param)))
  files.write(folder / 'model.safetensors', {f'transformer.{name}': x for name, x in tensors_of(params).items()}, dtype)
  found = jax.tree.leaves(params['blocks'])[0].shape[0]
  given = dict(vocabulary=net.vocabulary, width=net.dim, depth=found, heads=net.blocks.attention.heads)
  config = {key: given[option] for option, (key, _) in OPTIONS.items()} | dict(
    n_positions=len(params['positions']), architectures=['GPT2LMHeadModel'], model_type='gpt2', activation_function='gelu_new',
    layer_norm_epsilon=1e-5, resid_pdrop=net.dropout, embd_pdrop=net.dropout, attn_pdrop=net.dropout, pad_token_id=net.pad,
    bos_token_id=None, eos_token_id=None,
  )  # fmt: skip
  read_by = dict(tokenizer_class='PreTrainedTokenizerFast', model_max_length=len(params['positions']))
  for name, content in {'config.json': config, 'tokenizer_config.json': read_by}.items():
    (folder / name).write_text(json.dumps(content, indent=2) + '\n')
  shutil.copyfile(tokenizer, folder / 'tokenizer.json')


def tensors_of(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """Parameters as tensors by the names of Hugging Face."""
  found = {name: files.at(params, path) for path, name in EMBEDDINGS.items()}
  for path, name in BLOCK.items():
    found |= {f'h.{i}.{name}': x for i, x in enumerate(files.at(params, f'blocks.{path}'))}
  return found


def _params(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
  depth = sum(name.endswith('.ln_1.weight') for name in tensors)
  blocks = {f'blocks.{path}': np.stack([tensors[f'h.{i}.{name}'] for i in range(depth)]) for path, name in BLOCK.items()}
  return files.nested({path: tensors[name] for path, name in EMBEDDINGS.items()} | blocks)
