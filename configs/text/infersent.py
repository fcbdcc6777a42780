"""InferSent. Conneau, Kiela, Schwenk, Barrault, Bordes, EMNLP 2017. arXiv:1705.02364, section 3."""

from jssl.configs import common


def get_config(scale='small'):
  at = common.at(scale)
  c = common.base(scale, data='entailment', batch_size=64, steps=600)
  c.number = 193
  c.parts = ()
  c.data.length = 14
  c.backbone = dict(name='recurrent', **at(small=dict(width=64, hidden=64), tiny=dict(width=8, hidden=8)))
  c.heads.relation = dict(name='compared', widths=(at(small=64, tiny=8), 3))
  c.passes.pair = dict(name='embed', view=dict(name='columns', names=('ids', 'second')))
  c.passes.relation = dict(name='apply', network='relation', on=('pair.q[0]', 'pair.q[1]'))
  c.losses.relation = dict(name='cross_entropy', of=dict(logits='relation.out', labels='batch.relation'))
  c.watch = ('pair.q[0]', 'pair.q[1]')
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-3, warmup='5%'), weight_decay=0.0)
  c.evaluators = dict(sts=dict(name='sts', texts='sentences'), pair=dict(name='pair_classification'))
  c.claim = None
  return c
