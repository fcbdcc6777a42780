"""Low-rank multi-head attention pooling (LAMA). Mehta, Rangwala, Ramakrishnan 2020. arXiv:1912.00835, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='rotten_tomatoes', batch_size=64, steps=450)
  c.number = 175
  c.parts = ()
  c.data.update(at(small=dict(length=32, vocabulary=4096), tiny=dict(length=8, vocabulary=600)))
  shape = at(small=dict(width=64, hidden=32, pool_heads=8), tiny=dict(width=8, hidden=8, pool_heads=2))
  c.backbone = dict(name='recurrent', cell='gru', pool='low_rank', **shape)
  c.heads.classifier = dict(name='linear', dim='data.label.size')
  c.passes.text = dict(name='embed', view=dict(name='columns', names=('ids',)), heads=('classifier',))
  c.losses.classes = dict(name='cross_entropy', of=dict(logits='text.q[0]', labels='batch.label'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=2e-3, warmup='5%'), weight_decay=0.01)
  c.evaluators = dict(classes=dict(name='classify'))
  c.claim = None
  return c
