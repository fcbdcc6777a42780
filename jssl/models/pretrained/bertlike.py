"""The relatives of BERT in and out of folders: RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, MPNet, ELECTRA.

All of them are a `Bert` with other options. Their heads of classification stand on the first token: read the network with pool='cls'.
"""

from functools import partial

from jssl.models.pretrained.bert import (
  EXPECTED,
  IGNORED,
  LAYER,
  OPTIONS,
  SAID,
  Said,
  classifier,
  config_of,
  masked_lm,
  modern,
  names,
  options_in,
  pooler,
)
from jssl.models.pretrained.family import Family, Head
from jssl.models.pretrained.names import Names, dense, same
from jssl.models.text.bert import Bert


def roberta(model_type: str, vocabulary: int, architecture: str) -> Family:
  """RoBERTa and those that are one with other weights.

  Args:
    model_type: as config.json has it.
    vocabulary: what transformers takes where it is missing.
    architecture: the class in transformers.

  Reference: Liu et al., arXiv:1907.11692; Conneau et al. (XLM-R), ACL 2020, arXiv:1911.02116; Martin et al. (CamemBERT), ACL 2020,
    arXiv:1911.03894.
  """
  said = Said(
    OPTIONS | dict(vocabulary=('vocab_size', vocabulary), pad=('pad_token_id', 1)),
    dict(embedding=None, from_pad=True, buckets=None),
    dict(model_type=model_type, **EXPECTED),
    'hidden_act',
    SAID.dropout,
    dict(architectures=[architecture], initializer_range=0.02),
  )
  return family(said, 'roberta.', heads=dict(**fairseq_heads(said), pooler=pooler(said)))


def family(said: Said, prefix: str, *, named=names, top: str = 'encoder', heads: dict[str, Head]) -> Family:
  """A family of networks that are a Bert.

  Args:
    said: how its config.json describes one.
    prefix: of the tensors' names in a task model.
    named: the network -> the map of names.
    top: what the names of the layers' tensors begin with.
    heads: of the family.
  """
  ignored = rf'(?!embeddings|{top}\.)|' + IGNORED
  read, write = partial(options_in, said=said), partial(config_of, said=said)
  return Family('bert', Bert, read, named, write, prefixes=(prefix,), ignored=ignored, rename=modern, heads=heads)


def fairseq_heads(said: Said) -> dict[str, Head]:
  """The heads of RoBERTa's code, which MPNet's took over."""
  return dict(
    masked_lm=masked_lm(said, 'lm_head.dense', 'lm_head.layer_norm', 'lm_head.bias', 'lm_head.decoder', activation='gelu'),
    classifier=classifier(said, 'classifier.dense', 'classifier.out_proj', act='tanh'),
  )


def mpnet_names(net: Bert) -> Names:
  """The map of names of an MPNet."""
  own = (*(f'attention.attn.{x}' for x in 'qkvo'), 'attention.LayerNorm', *LAYER[5:])
  return names(net, parts=own) | {'relative': same('encoder.relative_attention_bias.weight')}


def distilbert_names(net: Bert) -> Names:
  """The map of names of a DistilBERT."""
  attention = (f'attention.{x}_lin' for x in ('q', 'k', 'v', 'out'))
  return names(net, 'transformer.layer.*', (*attention, 'sa_layer_norm', 'ffn.lin1', 'ffn.lin2', 'output_layer_norm'))


def electra_names(net: Bert) -> Names:
  """The map of names of an ELECTRA."""
  return names(net) | (dense('project', 'embeddings_project') if net.embedding else {})


ROBERTA = roberta('roberta', 50265, 'RobertaModel')
XLM_ROBERTA = roberta('xlm-roberta', 30522, 'XLMRobertaModel')
CAMEMBERT = roberta('camembert', 30522, 'CamembertModel')

# Song et al., NeurIPS 2020, arXiv:2004.09297. Its code in transformers counts positions from 1 and takes 32 classes of distances whatever
# config.json says.
_mpnet = Said(
  {option: key for option, key in OPTIONS.items() if option not in ('types', 'pad')} | dict(vocabulary=('vocab_size', 30527)),
  dict(types=0, embedding=None, from_pad=True, buckets=32, pad=1),
  dict(model_type='mpnet', pad_token_id=1, relative_attention_num_buckets=32, **EXPECTED),
  'hidden_act',
  SAID.dropout,
  dict(architectures=['MPNetModel'], initializer_range=0.02),
)
MPNET = family(_mpnet, 'mpnet.', named=mpnet_names, heads=dict(**fairseq_heads(_mpnet), pooler=pooler(_mpnet)))

# Sanh et al., arXiv:1910.01108.
_distilbert = Said(
  dict(
    vocabulary=('vocab_size', 30522), width=('dim', 768), depth=('n_layers', 6), heads=('n_heads', 12), hidden=('hidden_dim', 3072),
    length=('max_position_embeddings', 512), pad=('pad_token_id', 0),
  ),
  dict(types=0, embedding=None, from_pad=False, buckets=None, epsilon=1e-12),
  dict(model_type='distilbert', **EXPECTED),
  'activation',
  ('dropout', 'attention_dropout'),
  dict(architectures=['DistilBertModel'], initializer_range=0.02),
)  # fmt: skip
DISTILBERT = family(
  _distilbert,
  'distilbert.',
  named=distilbert_names,
  top='transformer',
  heads=dict(
    masked_lm=masked_lm(_distilbert, 'vocab_transform', 'vocab_layer_norm', 'vocab_projector.bias', 'vocab_projector'),
    classifier=classifier(_distilbert, 'pre_classifier', 'classifier', act='relu'),
  ),
)

# Clark et al., ICLR 2020, arXiv:2003.10555.
_electra = Said(
  OPTIONS
  | dict(embedding=('embedding_size', 128), width=('hidden_size', 256), heads=('num_attention_heads', 4), hidden=('intermediate_size', 1024)),
  dict(from_pad=False, buckets=None),
  dict(model_type='electra', **EXPECTED),
  'hidden_act',
  SAID.dropout,
  dict(architectures=['ElectraModel'], initializer_range=0.02),
)
ELECTRA = family(
  _electra,
  'electra.',
  named=electra_names,
  heads=dict(
    masked_lm=masked_lm(
      _electra,
      'generator_predictions.dense',
      'generator_predictions.LayerNorm',
      'generator_lm_head.bias',
      'generator_lm_head',
      activation='gelu',
    ),
    discriminator=classifier(_electra, 'discriminator_predictions.dense', 'discriminator_predictions.dense_prediction', act=None, classes=1),
    classifier=classifier(_electra, 'classifier.dense', 'classifier.out_proj', act='gelu'),
  ),
)
