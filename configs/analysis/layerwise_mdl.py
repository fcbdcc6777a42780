"""Layer-wise MDL probing. Fayyaz, Aghazadeh, Modarressi, Mohebbi, Pilehvar, BlackboxNLP 2021. arXiv:2109.05958, sections 3 and 4."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.frozen_minilm(scale, data='rotten_tomatoes', length=24)
  c.number = 170
  c.parts = (
    'online code of the labels: blocks of 0.1 % to 100 % of the examples, each coded by a probe of the former ones',
    'compression of each layer, and its centre of gravity over layers',
    'probe: logistic regression with a normal prior on the standardised mean state of a sentence, so that the scale of a layer has no effect',
    'rival: one probe on a learned mixture of layers, whose weights are the profile',
    'rank correlation of both profiles with the accuracy of a probe of each layer on held-out texts, a test that is not in the paper',
    'shift of both where the states of one layer are multiplied by 10: none for the code, by construction',
    dict(part='MLP on attention-pooled spans, kept for all blocks, at its best epoch on each (official code)', out='open', why='fitted anew'),
    dict(part='edge probing of spans: parts of speech, dependencies, entities, roles, coreference', out='open', why='one label a sentence'),
    dict(part='change of the layers by fine-tuning (representational similarity)', out='open', why='not implemented'),
    dict(part='norms of the states of each layer', out='open', why='not reported'),
    dict(part='BERT, ELECTRA and XLNet compared', out='data', why='no package ships their weights; MiniLM'),
  )
  c.evaluators = dict(profile=dict(name='description_length'))
  c.claim = dict(
    metric='profile_agreement', beats=('mixing_weights',), margin=0.2,
    variants=dict(mixing_weights=('evaluators.profile.name=mixing_weights',)),
  )  # fmt: skip
  return c
