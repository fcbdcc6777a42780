"""Llama, Mistral, Qwen2, Qwen3, and a GPT-2 with hidden layers and an epsilon of its own."""

import numpy as np

from tests.pretrained.case import Case
from tests.pretrained.text_cases import IDS, gpt2_states, transformer

SMALL = dict(
  vocab_size=16, hidden_size=12, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, intermediate_size=20,
  max_position_embeddings=9, head_dim=4, pad_token_id=0, bos_token_id=1, eos_token_id=2, rms_norm_eps=1e-5,
)  # fmt: skip
# with heads 8 wide: of four wavelengths one is kept, two are interpolated, one is multiplied
LLAMA3 = dict(rope_type='llama3', rope_theta=50.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
GPT2 = dict(vocab_size=16, n_embd=12, n_layer=3, n_head=3, n_positions=9, pad_token_id=0)


def states(net, ids):
  found = gpt2_states(net.base_model, ids)  # the last of theirs is normalised
  return found | dict(pooled=np.stack([x[last] for x, last in zip(found['tokens'], (ids != 0).sum(1) - 1, strict=True)]))


def case(kind, family, **options):
  return Case(family, transformer(kind, f'{family.capitalize()}Config', **SMALL | options), lambda: IDS, states)


CASES = {
  'llama': case('LlamaModel', 'llama'),
  'llama, with biases, all heads and its own table': case(
    'LlamaForCausalLM', 'llama', attention_bias=True, mlp_bias=True, num_key_value_heads=6, head_dim=2
  ),
  'llama 3': case('LlamaForCausalLM', 'llama', rope_parameters=LLAMA3, tie_word_embeddings=True, head_dim=8, max_position_embeddings=128),
  'llama, linear': case('LlamaModel', 'llama', rope_parameters=dict(rope_type='linear', rope_theta=30.0, factor=2.5)),
  'mistral': case('MistralForCausalLM', 'mistral', sliding_window=3),
  'mistral, without a window': case('MistralModel', 'mistral', sliding_window=None),
  'qwen2': case('Qwen2ForCausalLM', 'qwen2', tie_word_embeddings=True, head_dim=2),
  'qwen2, with a window': case('Qwen2Model', 'qwen2', use_sliding_window=True, sliding_window=2, max_window_layers=0),
  'qwen3': case('Qwen3ForCausalLM', 'qwen3', attention_bias=True),
  'gpt2, with its own numbers': Case(
    'gpt2',
    transformer('GPT2Model', 'GPT2Config', n_inner=20, layer_norm_epsilon=1e-2, **GPT2),
    lambda: IDS,
    gpt2_states,
  ),
}
