"""Low-rank multi-head attention pooling (LAMA). Mehta, Rangwala, Ramakrishnan 2020. arXiv:1912.00835, section 3.

From memory, not checked against the paper: the normalisation of scores over the heads of a token. See `LowRankPool`.
"""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='rotten_tomatoes', batch_size=64, steps=450)
  c.number = 175
  c.parts = (
    'bidirectional GRU on word vectors',
    'eight heads: the score of a token is a bilinear form of rank one with a learned context, through tanh, normalised over heads',
    "softmax over tokens, and the heads' means of the states joined to one vector; padding has no weight",
    'linear classifier of the vector, cross-entropy; polarity of sentences about films that are not in training',
    'rows of the mean and the maximum of the states, one head, and structured self-attention of as many heads, of 4.2 times the size',
    'word vectors are learned (paper: GloVe vectors), without dropout',
    dict(part='context from the sentence itself, its mean or maximum', out='open', why='the learned context'),
    dict(part='a transformer encoder as the rival', out='open', why='no row runs it'),
    dict(part='weights of words, shown by head', out='open', why='not reported'),
    dict(part='IMDB, Yelp and Reuters', out='data', why='no package ships them; sentences of film reviews'),
  )
  c.data.update(at(small=dict(length=32, vocabulary=4096), tiny=dict(length=8, vocabulary=600)))
  shape = at(small=dict(width=64, hidden=32, pool_heads=8), tiny=dict(width=8, hidden=8, pool_heads=2))
  c.backbone = dict(name='recurrent', cell='gru', pool='low_rank', **shape)
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  c.passes.text = dict(name='embed', view=dict(name='columns', names=('ids',)), heads=('classifier',))
  c.losses.classes = dict(name='cross_entropy', of=dict(logits='text.q[0]', labels='batch.label'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=2e-3, warmup='5%'), weight_decay=0.01)
  c.evaluators = dict(classes=dict(name='classify'))
  c.claim = dict(
    metric='classes_top1', beats=('random_init', 'mean'), margin=0.003,
    also=(dict(metric='classes_top1', beats=('structured',), margin=-0.02),),
    variants={
      'mean': ('backbone.pool=mean',), 'maximum': ('backbone.pool=max',), 'one head': ('backbone.pool_heads=1',),
      'structured': ('backbone.pool=structured',),
    },
    without='mean',
  )  # fmt: skip
  return c
