"""BERT and GPT-2."""

import jax.numpy as jnp
import numpy as np

from tests.pretrained.case import Case, seeded

IDS = np.array([[5, 9, 7, 3, 12, 8], [6, 4, 11, 2, 0, 0]], np.int32)
REAL = (IDS != 0)[..., None]


def transformer(kind, config, **options):
  """A network of transformers by the names of its class and of its config's."""

  def make():
    import transformers

    return seeded(lambda: getattr(transformers, kind)(getattr(transformers, config)(**options)))

  return make


def hidden(net, ids):
  """Hidden states, of which those of padding are 0."""
  import torch

  with torch.no_grad():
    out = net(input_ids=torch.tensor(ids), attention_mask=torch.tensor(ids != 0), output_hidden_states=True)
  return dict(layers=np.stack([x.numpy() for x in out.hidden_states]) * REAL)


def bert_heads(net, ids):
  import torch

  with torch.no_grad():
    logits = net(input_ids=torch.tensor(ids), attention_mask=torch.tensor(ids != 0)).logits
  return dict(**hidden(net.bert, ids), masked_lm=logits.numpy() * REAL)


def gpt2_states(net, ids):
  found = hidden(net, ids)['layers']  # the last of theirs is normalised
  return dict(layers=found[:-1], tokens=found[-1])


SMALL = dict(vocab_size=16, hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, max_position_embeddings=9)
CASES = {
  'bert': Case('bert', transformer('BertModel', 'BertConfig', **SMALL), lambda: IDS, hidden),
  'bert, with its head': Case(
    'bert',
    transformer('BertForMaskedLM', 'BertConfig', **SMALL),
    lambda: IDS,
    bert_heads,
    heads=dict(masked_lm=lambda net, head, features, ids: head(features.tokens, net.table) * jnp.asarray(REAL)),
  ),
  'gpt2': Case(
    'gpt2',
    transformer('GPT2Model', 'GPT2Config', vocab_size=16, n_embd=12, n_layer=3, n_head=3, n_positions=9, pad_token_id=0),
    lambda: IDS,
    gpt2_states,
  ),
}
