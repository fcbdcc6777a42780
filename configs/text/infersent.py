"""InferSent. Conneau, Kiela, Schwenk, Barrault, Bordes, EMNLP 2017. arXiv:1705.02364, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='entailment', batch_size=64, steps=500)
  c.number = 193
  c.parts = (
    'bidirectional LSTM of one layer, the maximum over time of its states; one encoder for premise and hypothesis',
    'classifier of [u; v; |u - v|; u v] with one hidden layer, three classes, cross-entropy',
    'rows of the mean over time and of the last states of both directions',
    'word vectors are learned with the encoder (paper: fixed GloVe vectors)',
    'AdamW at 3e-3 with a cosine (paper: SGD at 0.1, reduced by 0.99 every epoch and by 5 where the validation accuracy falls)',
    dict(part='GRU, attention of several heads and hierarchical convolutions as encoders', out='open', why='no row runs them here'),
    dict(
      part='transfer of the frozen encoder: SentEval, STS, SICK', out='data', why='no package ships these tasks in sentences of the grammar'
    ),
    dict(part='GloVe vectors; SNLI and MultiNLI', out='data', why='no package ships them; a grammar of words in taxonomies'),
    dict(part='states of 2,048 a direction', out='scale', why='64 a direction; 500 steps of 64'),
  )
  c.data.length = at(small=14, tiny=8)
  c.backbone = dict(name='recurrent', **at(small=dict(width=64, hidden=64), tiny=dict(width=8, hidden=8)))
  common.pair_classes(c, widths=(at(small=64, tiny=8), 3))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-3, warmup='5%'), weight_decay=0.0)
  c.claim = dict(
    metric='pair_top1', beats=('random_init', 'mean', 'last states'), margin=0.02,
    variants={'mean': ('backbone.pool=mean',), 'last states': ('backbone.pool=last',)},
    without='mean',
  )  # fmt: skip
  return c
