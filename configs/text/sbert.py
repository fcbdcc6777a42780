"""Sentence-BERT (SBERT). Reimers, Gurevych, EMNLP 2019. arXiv:1908.10084, section 3: a classifier of pairs on a siamese encoder."""

from jssl.configs import common


def get_config(scale='small'):
  c = common.sentences(scale, data='entailment', batch_size=64, steps=600)
  c.parts = ()
  c.data.update(common.start_ids(scale, 16))
  c.backbone = common.start(scale, 'masked_lm', **common.at(scale)(small=dict(depth=1), tiny={}))
  c.heads.relation = dict(name='compared', widths=(3,), of=('u', 'v', 'distance'))
  c.passes.pair = dict(name='embed', view=dict(name='columns', names=('ids', 'second')))
  c.passes.relation = dict(name='apply', network='relation', on=('pair.q[0]', 'pair.q[1]'))
  c.losses.relation = dict(name='cross_entropy', of=dict(logits='relation.out', labels='batch.relation'))
  c.watch = ('pair.q[0]', 'pair.q[1]')
  c.evaluators = dict(sts=dict(name='sts', texts='sentences'), pair=dict(name='pair_classification'))
  c.optimizer.learning_rate.peak = 2e-3
  c.claim = None
  return c
