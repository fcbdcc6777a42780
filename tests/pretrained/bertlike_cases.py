"""BERT's relatives, with their heads."""

from functools import partial

import numpy as np

from tests.pretrained.case import Case
from tests.pretrained.text_cases import IDS, SMALL, transformer

PADDED_BY_ONE = np.array([[5, 9, 0, 3, 12, 8], [6, 4, 1, 2, 1, 1]], np.int32)  # an id of padding among the tokens, too
LONG = np.stack([np.random.default_rng(0).integers(2, 16, 300), np.where(np.arange(300) < 170, 7, 1)]).astype(np.int32)
FROM_PAD = SMALL | dict(max_position_embeddings=11, pad_token_id=1)
DISTILBERT = dict(vocab_size=16, dim=12, n_layers=3, n_heads=3, hidden_dim=20, max_position_embeddings=9)
ELECTRA = SMALL | dict(embedding_size=8)


def outputs(net, ids, *, pad, head=None):
  """Hidden states, of which those of padding are 0, and what the head gives."""
  import torch

  with torch.no_grad():
    out = net(input_ids=torch.tensor(ids), attention_mask=torch.tensor(ids != pad), output_hidden_states=True)
  real = (ids != pad)[..., None]
  found = dict(layers=np.stack([x.numpy() for x in out.hidden_states]) * real)
  if head in ('masked_lm', 'discriminator'):
    return found | {head: out.logits.numpy().reshape(*ids.shape, -1) * real}
  return found | ({head: (out.pooler_output if head == 'pooler' else out.logits).numpy()} if head else {})


def tokenwise(net, head, features, ids, *, pad):
  logits = head(features.tokens, net.table) if head.__class__.__name__ == 'LmHead' else head(features.tokens)
  return logits * (ids != pad)[..., None]


def first(net, head, features, ids):
  return head(features.tokens[:, 0])


def case(family, kind, config, options, *, head=None, pad=0, ids=IDS):
  read = partial(tokenwise, pad=pad) if head in ('masked_lm', 'discriminator') else first
  heads = {head: read} if head else {}
  return Case(family, transformer(kind, config, **options), lambda: ids, partial(outputs, pad=pad, head=head), heads=heads, pad=pad)


OTHER = partial(case, pad=1, ids=PADDED_BY_ONE)
SIX = dict(id2label={i: str(i) for i in range(6)})
CASES = {
  'bert, its pooler': case('bert', 'BertModel', 'BertConfig', SMALL, head='pooler'),
  'bert, classifying': case('bert', 'BertForSequenceClassification', 'BertConfig', SMALL | SIX, head='classifier'),
  'bert, another activation and epsilon': case(
    'bert', 'BertForMaskedLM', 'BertConfig', SMALL | dict(hidden_act='gelu_new', layer_norm_eps=1e-3), head='masked_lm'
  ),
  'bert, untied': case('bert', 'BertForMaskedLM', 'BertConfig', SMALL | dict(tie_word_embeddings=False), head='masked_lm'),
  'roberta': OTHER('roberta', 'RobertaModel', 'RobertaConfig', FROM_PAD | dict(type_vocab_size=1)),
  'roberta, its pooler': OTHER('roberta', 'RobertaModel', 'RobertaConfig', FROM_PAD, head='pooler'),
  'roberta, its masked tokens': OTHER(
    'roberta', 'RobertaForMaskedLM', 'RobertaConfig', FROM_PAD | dict(layer_norm_eps=1e-5, hidden_act='relu'), head='masked_lm'
  ),
  'roberta, classifying': OTHER('roberta', 'RobertaForSequenceClassification', 'RobertaConfig', FROM_PAD, head='classifier'),
  'roberta, padded by 3': case(
    'roberta', 'RobertaModel', 'RobertaConfig', FROM_PAD | dict(pad_token_id=3), pad=3, ids=np.where(PADDED_BY_ONE == 1, 3, PADDED_BY_ONE)
  ),
  'xlm-roberta': OTHER('xlm-roberta', 'XLMRobertaModel', 'XLMRobertaConfig', FROM_PAD | dict(type_vocab_size=1)),
  'xlm-roberta, its masked tokens': OTHER('xlm-roberta', 'XLMRobertaForMaskedLM', 'XLMRobertaConfig', FROM_PAD, head='masked_lm'),
  'camembert': OTHER('camembert', 'CamembertModel', 'CamembertConfig', FROM_PAD),
  'camembert, classifying': OTHER('camembert', 'CamembertForSequenceClassification', 'CamembertConfig', FROM_PAD | SIX, head='classifier'),
  'distilbert': case('distilbert', 'DistilBertModel', 'DistilBertConfig', DISTILBERT),
  'distilbert, its masked tokens': case(
    'distilbert', 'DistilBertForMaskedLM', 'DistilBertConfig', DISTILBERT | dict(activation='relu'), head='masked_lm'
  ),
  'distilbert, classifying': case('distilbert', 'DistilBertForSequenceClassification', 'DistilBertConfig', DISTILBERT, head='classifier'),
  'mpnet': OTHER('mpnet', 'MPNetModel', 'MPNetConfig', FROM_PAD),
  'mpnet, a long text': case('mpnet', 'MPNetModel', 'MPNetConfig', FROM_PAD | dict(max_position_embeddings=302), pad=1, ids=LONG),
  'mpnet, its pooler': OTHER('mpnet', 'MPNetModel', 'MPNetConfig', FROM_PAD, head='pooler'),
  'mpnet, its masked tokens': OTHER('mpnet', 'MPNetForMaskedLM', 'MPNetConfig', FROM_PAD, head='masked_lm'),
  'mpnet, classifying': OTHER('mpnet', 'MPNetForSequenceClassification', 'MPNetConfig', FROM_PAD, head='classifier'),
  'electra': case('electra', 'ElectraModel', 'ElectraConfig', ELECTRA),
  'electra, as wide as its embedding': case('electra', 'ElectraModel', 'ElectraConfig', SMALL | dict(embedding_size=12)),
  'electra, a discriminator': case(
    'electra', 'ElectraForPreTraining', 'ElectraConfig', ELECTRA | dict(hidden_act='gelu_new'), head='discriminator'
  ),
  'electra, a generator': case('electra', 'ElectraForMaskedLM', 'ElectraConfig', ELECTRA, head='masked_lm'),
  'electra, classifying': case('electra', 'ElectraForSequenceClassification', 'ElectraConfig', ELECTRA, head='classifier'),
}
